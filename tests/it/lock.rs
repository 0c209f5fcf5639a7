//! `floe lock`, and what `--trust locked` makes of it.

use std::fs;

use serde_json::{Value as Json, json};

use crate::elf::{library, manifest, manifest_with};
use crate::plugins;
use crate::sandbox::{Ended, Sandbox, assert_tabled, platform_key};

/// A place whose settings name a directory with two plugins.
fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("floe.toml", "[search]\npaths = [\"plugins\"]\n");
    sandbox.file("plugins/libshelf.so", library(&manifest()));
    sandbox.file("plugins/librack.so", rack("3.0.0"));
    sandbox
}

fn rack(version: &str) -> Vec<u8> {
    let executors = json!([{"node_type": "rack.put"}]);
    library(&manifest_with(
        &json!({"name": "rack", "version": version, "executors": executors}),
    ))
}

/// The same build with another content.
fn another_rack() -> Vec<u8> {
    library(&manifest_with(&json!({
        "name": "rack", "version": "3.0.0", "description": "Tampered with.",
        "executors": [{"node_type": "rack.put"}],
    })))
}

fn lock(sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    sandbox.floe([&["lock"], arguments].concat())
}

fn locked(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.work().join("floe.lock")).unwrap()
}

fn words(changes: &Json) -> Vec<String> {
    let changes = changes.as_array().unwrap().iter();
    let word = |field: &Json| field.as_str().unwrap().to_owned();
    changes
        .map(|change| format!("{} {}", word(&change["change"]), word(&change["name"])))
        .collect()
}

#[test]
fn the_first_lock_and_nothing_to_do() {
    let sandbox = project();
    assert_tabled!(lock(&sandbox, &["--check"]), @r"
    exit 3
    --- stdout
           plugin  version  platform  sha256
    ───
    added  storage/rack  3.0.0  [platform-key]  [short]
    added  storage/shelf  1.2.0  [platform-key]  [short]

    `floe.lock` is not up to date: `floe lock` writes the changes
    ");
    assert!(!sandbox.work().join("floe.lock").exists());
    assert_tabled!(lock(&sandbox, &[]), @r#"
    exit 0
    --- stdout
           plugin  version  platform  sha256
    ───
    added  storage/rack  3.0.0  [platform-key]  [short]
    added  storage/shelf  1.2.0  [platform-key]  [short]

    `floe.lock` is written, with 2 builds
      nothing is refused for it yet: set `policy = "locked"` in `[trust]` of floe.toml
    "#);
    let text = locked(&sandbox);
    let text = text.replace(&platform_key(), "[platform-key]");
    insta::with_settings!({filters => vec![(r"\b[0-9a-f]{64}\b", "[digest]")]}, {
        insta::assert_snapshot!(text, @r#"
        # The builds that may be loaded here. Written by `floe lock`; `floe lock --check` says whether
        # it fits what is there. Keep it with `floe.toml` in version control.
        version = 1

        [[plugin]]
        kind = "storage"
        name = "rack"
        version = "3.0.0"
        sha256.[platform-key] = "[digest]"

        [[plugin]]
        kind = "storage"
        name = "shelf"
        version = "1.2.0"
        sha256.[platform-key] = "[digest]"
        "#);
    });
    assert_tabled!(lock(&sandbox, &[]), @r#"
    exit 0
    --- stdout
    `floe.lock` is up to date, with 2 builds
      nothing is refused for it yet: set `policy = "locked"` in `[trust]` of floe.toml
    "#);
    assert_tabled!(lock(&sandbox, &["--check"]), @r"
    exit 0
    --- stdout
    `floe.lock` is up to date, with 2 builds
    ");
    // Below the project too: the file is beside the settings.
    let mut below = sandbox.command(["lock", "--check", "--json"]);
    let checked = sandbox.run(below.current_dir(sandbox.work().join("plugins")));
    assert_eq!(checked.json(0)["locked"], true);
}

#[test]
fn what_would_change_is_told_and_not_done() {
    let sandbox = project();
    assert_eq!(lock(&sandbox, &[]).code, Some(0));
    let before = locked(&sandbox);
    sandbox.file("plugins/librack.so", another_rack());
    fs::remove_file(sandbox.work().join("plugins/libshelf.so")).unwrap();
    let newer = manifest_with(&json!({"version": "1.3.0"}));
    sandbox.file("plugins/libshelf-new.so", library(&newer));
    assert_tabled!(lock(&sandbox, &["--check"]), @r"
    exit 3
    --- stdout
             plugin  version  platform  sha256
    ───
    changed  storage/rack  3.0.0  [platform-key]  [short], was [short]
    added  storage/shelf  1.3.0  [platform-key]  [short]
    removed  storage/shelf  1.2.0  [platform-key]  [short]

    `floe.lock` is not up to date: `floe lock` writes the changes
    ");
    assert_eq!(locked(&sandbox), before);
    let done = lock(&sandbox, &["--json"]).json(0);
    assert_eq!(
        words(&done["changes"]),
        ["changed rack", "added shelf", "removed shelf"]
    );
    assert_ne!(locked(&sandbox), before);
    assert_eq!(lock(&sandbox, &["--check"]).code, Some(0));
}

#[test]
fn only_the_plugins_that_are_named() {
    let sandbox = project();
    let done = lock(&sandbox, &["storage/rack", "--json"]).json(0);
    assert_eq!(words(&done["changes"]), ["added rack"]);
    let checked = lock(&sandbox, &["rack", "--check", "--json"]).json(0);
    assert_eq!(checked["changes"], json!([]));
    let checked = lock(&sandbox, &["--check", "--json"]).json(3);
    assert_eq!(words(&checked["changes"]), ["added shelf"]);
    assert_tabled!(lock(&sandbox, &["shelf"]), @r#"
    exit 0
    --- stdout
           plugin  version  platform  sha256
    ───
    added  storage/shelf  1.2.0  [platform-key]  [short]

    `floe.lock` is written, with 2 builds
      nothing is refused for it yet: set `policy = "locked"` in `[trust]` of floe.toml
    "#);
    // One that is gone can still be named, as it is locked.
    fs::remove_file(sandbox.work().join("plugins/librack.so")).unwrap();
    let done = lock(&sandbox, &["rack", "--json"]).json(0);
    assert_eq!(words(&done["changes"]), ["removed rack"]);
}

#[test]
fn a_plugin_that_nobody_knows() {
    let sandbox = project();
    let future = manifest_with(&json!({"name": "future", "floe_api_version": "9.0"}));
    sandbox.file("plugins/libfuture.so", library(&future));
    assert_tabled!(lock(&sandbox, &["rack", "future"]), @r"
    exit 3
    --- stderr
    error: there is no plugin `future` to lock, and none is locked
      plugins/libfuture.so
        stage  admit, check `floe-api-version`
        found  floe api `9.0`
        expected  `1.0`
        to do  update this host, or install an older build of the plugin
    hint: `floe list` shows what is there, and what was refused
    ");
    assert!(!sandbox.work().join("floe.lock").exists());
    let refused = lock(&sandbox, &["shelv", "--json"]).json(3);
    assert_eq!(refused["error"]["kind"], "not-found");
}

#[test]
fn a_damaged_lock_file_stays_as_it_is() {
    let sandbox = project();
    for text in [
        "version = 1\n[[plugin]]\nkind = \"storage\"\n<<<<<<< HEAD\n",
        "version = 2\n[builds]\n",
    ] {
        sandbox.file("floe.lock", text);
        for arguments in [&[][..], &["--check"], &["rack"]] {
            assert_eq!(lock(&sandbox, arguments).code, Some(1));
        }
        assert_eq!(locked(&sandbox), text);
    }
    assert_tabled!(lock(&sandbox, &[]), @r"
    exit 1
    --- stderr
    error: the lock file `[work]/floe.lock` is of format `2`, this floe reads format `1`
    hint: update this floe; or, to lock what is there now whatever was locked before, remove the file first
    ");
    sandbox.file(
        "floe.lock",
        "version = 1\n[[plugin]]\nkind = \"storage\"\n<<<<<<< HEAD\n",
    );
    assert_tabled!(lock(&sandbox, &[]), @r"
    exit 1
    --- stderr
    error: the lock file `[work]/floe.lock` is damaged: line 4: key with no value, expected `=`
    hint: restore it from version control; or, to lock what is there now whatever was locked before, remove it first
    ");
    // Nor is anything loaded for it.
    let listed = sandbox.floe(["list", "--trust", "locked"]);
    assert_tabled!(listed, @r"
    exit 0
    --- stdout
    No plugin can be used: what was found is refused. Looked in:
      plugins  2 refused
      [beside]  not there
      [prefix]  not there
      [user]  not there

    Refused: 2
      plugins/librack.so
        stage  admit, check `lock-file`
        found  that the lock file `[work]/floe.lock` is damaged: line 4: key with no value, expected `=`
        expected  one that can be relied on, as trust is `locked`
        to do  restore it from version control, or remove it and write it anew with `floe lock`
      plugins/libshelf.so
        stage  admit, check `lock-file`
        found  that the lock file `[work]/floe.lock` is damaged: line 4: key with no value, expected `=`
        expected  one that can be relied on, as trust is `locked`
        to do  restore it from version control, or remove it and write it anew with `floe lock`
    ");
}

#[test]
#[cfg(unix)]
fn a_lock_file_that_everybody_may_write_to() {
    use std::os::unix::fs::PermissionsExt;

    let sandbox = project();
    assert_eq!(lock(&sandbox, &[]).code, Some(0));
    let open = fs::Permissions::from_mode(0o666);
    fs::set_permissions(sandbox.work().join("floe.lock"), open).unwrap();
    assert_tabled!(lock(&sandbox, &[]), @r"
    exit 1
    --- stderr
    error: the lock file `[work]/floe.lock` is not safe: its mode is `0666`, expected one that not everybody may write to: `chmod o-w` it, once it is what it should be
    hint: look at what it says first: what others have written into it would stay locked
    ");
}

#[test]
#[cfg(unix)]
fn a_lock_file_that_is_a_link_stays_one() {
    let sandbox = project();
    sandbox.file("shared/plugins.lock", "version = 1\n");
    let link = sandbox.work().join("floe.lock");
    std::os::unix::fs::symlink("shared/plugins.lock", &link).unwrap();
    assert_eq!(lock(&sandbox, &[]).code, Some(0));
    assert!(fs::symlink_metadata(link).unwrap().is_symlink());
    let shared = fs::read_to_string(sandbox.work().join("shared/plugins.lock")).unwrap();
    assert!(shared.contains("name = \"rack\""), "{shared}");
}

#[test]
fn a_lock_file_that_cannot_be_written() {
    let sandbox = project();
    sandbox.file(
        "floe.toml",
        "[search]\npaths = [\"plugins\"]\n[trust]\nlock = \"nowhere/floe.lock\"\n",
    );
    assert_tabled!(lock(&sandbox, &[]), @r"
    exit 1
    --- stderr
    error: cannot write `[work]/nowhere/floe.lock`
      caused by: No such file or directory (os error 2)
    ");
}

#[test]
fn what_is_refused_is_not_locked() {
    let sandbox = project();
    let future = manifest_with(&json!({"name": "future", "floe_api_version": "9.0"}));
    sandbox.file("plugins/libfuture.so", library(&future));
    sandbox.file("plugins/page.so", "<!DOCTYPE html>");
    assert_tabled!(lock(&sandbox, &[]), @r#"
    exit 0
    --- stdout
           plugin  version  platform  sha256
    ───
    added  storage/rack  3.0.0  [platform-key]  [short]
    added  storage/shelf  1.2.0  [platform-key]  [short]

    Not locked, as refused in any case: 2
      plugins/libfuture.so
        stage  admit, check `floe-api-version`
        found  floe api `9.0`
        expected  `1.0`
        to do  update this host, or install an older build of the plugin
      plugins/page.so
        stage  discover, check `not-a-library`
        found  an HTML page
        expected  a shared library for `[platform]`
        to do  a download may have failed: open the address in a browser, and download the library again

    `floe.lock` is written, with 2 builds
      nothing is refused for it yet: set `policy = "locked"` in `[trust]` of floe.toml
    "#);
    assert!(!locked(&sandbox).contains("future"));
}

#[test]
fn what_would_make_it_count_takes_nothing_away() {
    let sandbox = project();
    let settings = "[search]\npaths = [\"plugins\"]\n[trust]\npolicy = \"signed\"\n";
    sandbox.file("floe.toml", settings);
    let told = lock(&sandbox, &[]);
    let policy = r#"set `policy = "locked+signed"` in `[trust]`"#;
    assert!(told.stdout().contains(policy), "{}", told.stdout());
}

#[test]
fn the_shape_of_its_json() {
    let sandbox = project();
    sandbox.file("plugins/page.so", "<!DOCTYPE html>");
    let done = lock(&sandbox, &["--json"]).json(0);
    let file = sandbox.work().join("floe.lock");
    assert_eq!(done["file"], json!(file));
    assert_eq!(done["locked"], true);
    assert_eq!(done["asked"], false);
    assert_eq!(done["builds"], 2);
    assert_eq!(done["refused"][0]["check"], "not-a-library");
    let change = &done["changes"][0];
    let sha256 = change["sha256"].as_str().unwrap().to_owned();
    assert_eq!(
        *change,
        json!({
            "change": "added", "kind": "storage", "name": "rack", "version": "3.0.0",
            "platform": platform_key(), "sha256": sha256,
        })
    );
    assert_eq!(sha256.len(), 64);
    sandbox.file("plugins/librack.so", another_rack());
    let checked = lock(&sandbox, &["--check", "--trust", "locked", "--json"]).json(3);
    assert_eq!(checked["locked"], false);
    assert_eq!(checked["asked"], true);
    assert_eq!(checked["changes"][0]["change"], "changed");
    assert_eq!(checked["changes"][0]["was"], sha256);
}

#[test]
fn what_other_platforms_have_stays() {
    let sandbox = project();
    assert_eq!(lock(&sandbox, &[]).code, Some(0));
    let digest = "0".repeat(64);
    let foreign = format!("sha256.elsewhere = \"{digest}\"\n");
    let text = locked(&sandbox).replace("sha256.elf", &format!("{foreign}sha256.elf"));
    sandbox.file("floe.lock", &text);
    sandbox.file("plugins/librack.so", another_rack());
    assert_eq!(lock(&sandbox, &[]).code, Some(0));
    assert_eq!(locked(&sandbox).matches(&foreign).count(), 2);
}

#[test]
fn a_version_that_is_not_locked() {
    let sandbox = project();
    let trusting = |arguments: &[&str]| sandbox.floe([&["--trust", "locked"], arguments].concat());
    // Nothing is locked at all.
    assert_tabled!(trusting(&["list"]), @r"
    exit 0
    --- stdout
    No plugin can be used: what was found is refused. Looked in:
      plugins  2 refused
      [beside]  not there
      [prefix]  not there
      [user]  not there

    Refused: 2
      plugins/librack.so
        stage  admit, check `lock-file`
        found  that there is no lock file `[work]/floe.lock`
        expected  one that can be relied on, as trust is `locked`
        to do  write it with `floe lock`
      plugins/libshelf.so
        stage  admit, check `lock-file`
        found  that there is no lock file `[work]/floe.lock`
        expected  one that can be relied on, as trust is `locked`
        to do  write it with `floe lock`
    ");
    assert_eq!(lock(&sandbox, &[]).code, Some(0));
    let all = trusting(&["list", "--json"]).json(0);
    assert_eq!(all["plugins"].as_array().unwrap().len(), 2);
    assert_eq!(all["rejected"], json!([]));
    // Newer, older, and never heard of.
    sandbox.file("plugins/librack.so", rack("3.1.0"));
    let older = manifest_with(&json!({"version": "1.1.0"}));
    sandbox.file("plugins/libshelf.so", library(&older));
    let drawer = json!({"name": "drawer", "executors": [{"node_type": "drawer.put"}]});
    sandbox.file("plugins/libdrawer.so", library(&manifest_with(&drawer)));
    assert_tabled!(trusting(&["list"]), @r"
    exit 0
    --- stdout
    No plugin can be used: what was found is refused. Looked in:
      plugins  3 refused
      [beside]  not there
      [prefix]  not there
      [user]  not there

    Refused: 3
      plugins/libdrawer.so
        stage  admit, check `locked`
        found  `storage/drawer` 1.2.0
        expected  a plugin that `[work]/floe.lock` has
        to do  if this build is meant, accept it with `floe lock drawer`
      plugins/librack.so
        stage  admit, check `locked`
        found  `storage/rack` 3.1.0
        expected  version `3.0.0`, which `[work]/floe.lock` has
        to do  if this build is meant, accept it with `floe lock rack`
      plugins/libshelf.so
        stage  admit, check `locked`
        found  `storage/shelf` 1.1.0, below the version that is locked
        expected  version `1.2.0`, which `[work]/floe.lock` has
        to do  if this build is meant, accept it with `floe lock shelf`
    ");
    assert_tabled!(trusting(&["call", "rack.put"]), @r"
    exit 3
    --- stderr
    error: no plugin offers the node type `rack.put`
      plugins/librack.so
        stage  admit, check `locked`
        found  `storage/rack` 3.1.0
        expected  version `3.0.0`, which `[work]/floe.lock` has
        to do  if this build is meant, accept it with `floe lock rack`
    hint: the file above offers it, and was refused
    hint: add a directory with `--plugin-dir DIR` or `FLOE_PLUGIN_PATH`
    looked in: plugins
    not there: [beside], [prefix], [user]
    ");
    for name in ["rack", "shelf", "drawer"] {
        assert_eq!(lock(&sandbox, &[name]).code, Some(0));
    }
    let all = trusting(&["list", "--json"]).json(0);
    assert_eq!(all["plugins"].as_array().unwrap().len(), 3);
    assert_eq!(all["rejected"], json!([]));
}

#[test]
fn a_content_that_is_not_locked_is_not_loaded() {
    let sandbox = Sandbox::new();
    let path = plugins::put(&sandbox, "moody", "plugins");
    sandbox.file(
        "floe.toml",
        "[search]\npaths = [\"plugins\"]\n[trust]\npolicy = \"locked\"\n",
    );
    let call = || sandbox.floe(["call", "moody.echo", "--input", "1"]);
    assert_eq!(lock(&sandbox, &[]).code, Some(0));
    assert_eq!(call().stdout(), "1\n");
    let mut content = fs::read(sandbox.work().join(&path)).unwrap();
    content.push(0);
    sandbox.file(&path, content);
    // Whatever was verified before, and for whatever reason it is read.
    assert_tabled!(call(), @r"
    exit 3
    --- stderr
    error: the plugin's file was refused at load
      plugins/libfloe_plugin_moody.so
        stage  load, check `locked-digest`
        found  a content with the SHA-256 `[digest]`
        expected  the one that `[work]/floe.lock` has for it, `[digest]`
        to do  put the file back that was locked; or, if this one is meant, accept it with `floe lock moody`
    this host: [host]
    ");
    let file = path.to_str().unwrap();
    let inspected = sandbox.floe(["inspect", file, "--json"]).json(3);
    let checks = inspected["verdict"]["checks"].as_array().unwrap().iter();
    let failed: Vec<_> = checks.filter(|check| check["passed"] == false).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["check"], "locked-digest");
    // The command that it names.
    assert_eq!(lock(&sandbox, &["moody"]).code, Some(0));
    assert_eq!(call().stdout(), "1\n");
}
