//! `floe store`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::plugins;
use crate::sandbox::{Sandbox, assert_tabled};

/// A place with a plugin that has been called.
fn called() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    sandbox.file("floe.toml", "[search]\npaths = [\"plugins\"]\n");
    let path = plugins::put(&sandbox, "moody", "plugins");
    let path = sandbox.work().join(path);
    call(&sandbox, &path);
    (sandbox, path)
}

/// Calls the plugin until the store knows that its file needs the copy: a file that has only just been
/// written is not told from another one by its looks.
fn call(sandbox: &Sandbox, path: &Path) {
    loop {
        let call = sandbox.floe(["call", "moody.echo"]);
        assert_eq!(call.code, Some(0), "{}", call.stderr);
        let shown = sandbox.floe(["store", "--json"]).json(0);
        let objects = shown["objects"].as_array().unwrap();
        if objects
            .iter()
            .any(|object| object["originals"] == json!([path]))
        {
            return;
        }
    }
}

#[test]
fn an_empty_store() {
    let sandbox = Sandbox::new();
    assert_tabled!(sandbox.floe(["store"]), @r"
    exit 0
    --- stdout
    store  [store]
    copies  0
    size  [size]
    ");
    assert_tabled!(sandbox.floe(["store", "gc"]), @r"
    exit 0
    --- stdout
    removed 0 copies, [size]; 0 kept
    ");
    let shown = sandbox.floe(["store", "show", "--json"]).json(0);
    assert_eq!(
        (&shown["bytes"], &shown["objects"]),
        (&json!(0), &json!([]))
    );
    // To look at it makes none.
    assert!(!sandbox.work().join("../store").exists());
}

#[test]
fn a_copy_lives_as_long_as_its_file() {
    let (sandbox, path) = called();
    assert_tabled!(sandbox.floe(["store"]), @r"
    exit 0
    --- stdout
    store  [store]
    copies  1
    size  [size]

    sha256  size  plugin  needed by
    ───
    [short]  [size]  compute/moody 0.1.0  plugins/libfloe_plugin_moody.so
    ");
    assert_tabled!(sandbox.floe(["store", "gc"]), @r"
    exit 0
    --- stdout
    removed 0 copies, [size]; 1 kept
    ");
    fs::remove_file(path).unwrap();
    assert_tabled!(sandbox.floe(["store", "show"]), @r"
    exit 0
    --- stdout
    store  [store]
    copies  1
    size  [size]

    sha256  size  plugin  needed by
    ───
    [short]  [size]  compute/moody 0.1.0

    nobody needs 1 of them: `floe store gc` removes it
    ");
    assert_tabled!(sandbox.floe(["store", "gc"]), @r"
    exit 0
    --- stdout
    sha256  size  plugin  needed by
    ───
    [short]  [size]  compute/moody 0.1.0

    removed 1 copy, [size]; 0 kept
    ");
    let shown = sandbox.floe(["store", "--json"]).json(0);
    assert_eq!(shown["objects"], json!([]));
}

#[test]
fn a_file_with_another_content_needs_the_old_copy_no_longer() {
    let (sandbox, path) = called();
    let mut content = fs::read(&path).unwrap();
    let size = content.len();
    content.push(0);
    sandbox.file(&path, content);
    let before = sandbox.floe(["store", "--json"]).json(0);
    let object = &before["objects"][0];
    assert_eq!(before["bytes"], size);
    assert_eq!(object["size"], size);
    assert_eq!(object["in_use"], false);
    assert_eq!(object["originals"], json!([]));
    let cleaned = sandbox.floe(["store", "gc", "--json"]).json(0);
    assert_eq!(cleaned["path"], before["path"]);
    assert_eq!(cleaned["removed"][0]["digest"], object["digest"]);
    assert_eq!(cleaned["bytes"], size);
    assert_eq!(cleaned["kept"], 0);
    assert_eq!(cleaned["unfinished"], 0);
    // It is there again once it is needed.
    call(&sandbox, &path);
}

#[test]
#[cfg(unix)]
fn a_copy_that_a_process_maps_stays() {
    let (sandbox, path) = called();
    let mut watch = sandbox.begin(["watch", "--start", "--json"]);
    // It has started all plugins before it says how many there are.
    while !watch.line().contains("started") {}
    fs::remove_file(path).unwrap();
    let cleaned = sandbox.floe(["store", "gc", "--json"]).json(0);
    assert_eq!(
        (&cleaned["removed"], &cleaned["kept"]),
        (&json!([]), &json!(1))
    );
    let shown = sandbox.floe(["store"]);
    assert!(
        shown.stdout().contains("a running process"),
        "{}",
        shown.stdout()
    );
    watch.signal(rustix::process::Signal::TERM);
    assert_eq!(watch.ended().code, Some(0));
    let cleaned = sandbox.floe(["store", "gc", "--json"]).json(0);
    assert_eq!(cleaned["removed"].as_array().unwrap().len(), 1);
}

#[test]
#[cfg(unix)]
fn a_store_that_others_may_write_to() {
    use std::os::unix::fs::PermissionsExt;

    let (sandbox, _) = called();
    let store = sandbox.work().join("../store");
    fs::set_permissions(&store, fs::Permissions::from_mode(0o777)).unwrap();
    let refused = sandbox.floe(["store"]);
    assert_tabled!(refused, @r"
    exit 1
    --- stderr
    error: the store `[store]` cannot be used
      caused by: the directory `[store]` is not private: its mode is `0777`, expected `0700`
    hint: `chmod 700 [store]`, or set `FLOE_STORE` to another directory
    ");
    // Neither of the two believes what others may have put there.
    assert_eq!(sandbox.floe(["store", "gc"]).seen(), refused.seen());
}
