//! `floe inspect`.

use serde_json::json;

use crate::elf::{library, manifest, manifest_with};
use crate::plugins;
use crate::sandbox::{Sandbox, assert_seen, assert_tabled};

#[test]
fn an_admitted_file() {
    let sandbox = Sandbox::new();
    let needs = json!({"dependencies": [
        {"kind": "secrets", "name": "vault", "version": "^1.2"},
        {"kind": "storage", "name": "disk", "version": "*", "optional": true},
    ]});
    sandbox.file("libshelf.so", library(&manifest_with(&needs)));
    assert_seen!(sandbox.floe(["inspect", "libshelf.so", "--trust", "any"]), @r#"
    exit 0
    --- stdout
    file      libshelf.so
    size      [size]
    sha256    [digest]
    platform  [platform]

    Manifest
      name         shelf
      version      1.2.0
      kind         storage
      floe api     1.0
      boundary     abi_stable 0.11
      panic        unwind
      description  Keeps things.
      authors      Ada
      license      MIT
      needs        secrets/vault ^1.2, storage/disk * (optional)

    Executors
    node type  category  tags  description
    ────────── ───────── ───── ─────────────────────────────
    shelf.put  write     disk  Puts a thing on the shelf.
    shelf.get  read            Takes a thing from the shelf.

    Checks
         check  found  expected
    ───
    ok  platform  a library for `[platform]`  one for `[platform]`
    ok  floe-api-version  floe api `1.0`  `1.0`
    ok  boundary  a boundary laid out by `abi_stable 0.11`  one laid out by `abi_stable 0.11`
    ok  panic-strategy  a build with `panic = "unwind"`  one with `panic = "unwind"`, whose panics can be contained, or a worker to run it in
    ok  file-owner  a file of user `[uid]` in a directory of user `[uid]`  a file of any user
    ok  file-writable  a file of mode `[mode]`  any mode, as trust is `any`
    ok  directory-writable  a directory of mode `[mode]`  any mode, as trust is `any`

    Preflight
      hazards  none found

    admitted
    "#);
}

#[test]
fn a_refused_file_shows_all_that_is_known() {
    let sandbox = Sandbox::new();
    let bad = json!({"floe_api_version": "9.1", "panic": "abort"});
    sandbox.file("libshelf.so", library(&manifest_with(&bad)));
    let arguments = ["inspect", "libshelf.so", "--trust", "any"];
    assert_seen!(sandbox.floe(arguments), @r#"
    exit 3
    --- stdout
    file      libshelf.so
    size      [size]
    sha256    [digest]
    platform  [platform]

    Manifest
      name         shelf
      version      1.2.0
      kind         storage
      floe api     9.1
      boundary     abi_stable 0.11
      panic        abort
      description  Keeps things.
      authors      Ada
      license      MIT

    Executors
    node type  category  tags  description
    ────────── ───────── ───── ─────────────────────────────
    shelf.put  write     disk  Puts a thing on the shelf.
    shelf.get  read            Takes a thing from the shelf.

    Checks
         check  found  expected
    ───
    ok  platform  a library for `[platform]`  one for `[platform]`
    NO  floe-api-version  floe api `9.1`  `1.0`
    ok  boundary  a boundary laid out by `abi_stable 0.11`  one laid out by `abi_stable 0.11`
    NO  panic-strategy  a build with `panic = "abort"`  one with `panic = "unwind"`, whose panics can be contained, or a worker to run it in
    ok  file-owner  a file of user `[uid]` in a directory of user `[uid]`  a file of any user
    ok  file-writable  a file of mode `[mode]`  any mode, as trust is `any`
    ok  directory-writable  a directory of mode `[mode]`  any mode, as trust is `any`

    Preflight
      hazards  none found

    refused
      floe-api-version: update this host, or install an older build of the plugin
      panic-strategy: rebuild the plugin without `panic = "abort"` in its Cargo profile, or run it in a worker: `shelf = "worker"` in `[isolation.plugins]`
    "#);
    let inspected = sandbox.floe(arguments.iter().chain(&["--json"])).json(3);
    assert_eq!(inspected["path"], "libshelf.so");
    assert_eq!(inspected["manifest"]["name"], "shelf");
    assert_eq!(inspected["digest"].as_str().unwrap().len(), 64);
    assert!(inspected["size"].is_u64());
    assert!(inspected["platform"]["machine"].is_string());
    let verdict = &inspected["verdict"];
    assert_eq!(verdict["admitted"], false);
    let failed: Vec<_> = verdict["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["passed"] == false)
        .map(|check| (&check["check"], &check["found"]))
        .collect();
    assert_eq!(
        failed,
        [
            (&json!("floe-api-version"), &json!("floe api `9.1`")),
            (
                &json!("panic-strategy"),
                &json!("a build with `panic = \"abort\"`")
            ),
        ]
    );
}

#[test]
fn a_file_that_is_no_plugin() {
    let sandbox = Sandbox::new();
    sandbox.file("page.so", "<!DOCTYPE html><html></html>");
    assert_seen!(sandbox.floe(["inspect", "page.so"]), @r"
    exit 3
    --- stderr
    error: the plugin's file was refused at discover
      page.so
        stage     discover, check `not-a-library`
        found     an HTML page
        expected  a shared library for `[platform]`
        to do     a download may have failed: open the address in a browser, and download the library again
    ");
    let refused = sandbox.floe(["inspect", "page.so", "--json"]).json(3);
    let rejection = &refused["error"]["rejected"][0];
    assert_eq!(refused["error"]["kind"], "rejected");
    assert_eq!(rejection["path"], "page.so");
    assert_eq!(rejection["stage"], "discover");
    for field in ["check", "found", "expected", "remedy", "reason"] {
        assert!(!rejection[field].as_str().unwrap().is_empty());
    }
}

#[test]
fn a_file_that_was_cut() {
    let sandbox = Sandbox::new();
    let mut bytes = library(&manifest());
    bytes.truncate(bytes.len() - 40);
    sandbox.file("libshelf.so", bytes);
    let refused = sandbox.floe(["inspect", "libshelf.so", "--json"]).json(3);
    assert_eq!(refused["error"]["rejected"][0]["check"], "incomplete");
}

#[test]
fn a_file_that_is_not_there() {
    assert_seen!(Sandbox::new().floe(["inspect", "nowhere.so"]), @r"
    exit 3
    --- stderr
    error: the plugin's file was refused at discover
      nowhere.so
        stage     discover, check `not-found`
        found     nothing of that name
        expected  a file or directory of that name
        to do     check the path; if it was removed while the directory was read, there is nothing to do
    ");
}

#[test]
fn an_ordinary_library() {
    let sandbox = Sandbox::new();
    let mut bytes = library(&manifest());
    let owner = bytes
        .windows(5)
        .position(|bytes| bytes == b"floe\0")
        .unwrap();
    bytes[owner] = b'g';
    sandbox.file("libgloe.so", bytes);
    assert_seen!(sandbox.floe(["inspect", "libgloe.so"]), @r"
    exit 3
    --- stderr
    error: the plugin's file was refused at discover
      libgloe.so
        stage     discover, check `manifest`
        found     an ordinary library, without a floe manifest
        expected  a library with a floe manifest
        to do     if it is meant as a plugin, build it with `export_plugin!`
    ");
}

#[test]
#[cfg(unix)]
fn a_file_that_everybody_may_write_to() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    let sandbox = Sandbox::new();
    sandbox.file("libshelf.so", library(&manifest()));
    let open = Permissions::from_mode(0o666);
    set_permissions(sandbox.work().join("libshelf.so"), open).unwrap();
    let arguments = ["inspect", "libshelf.so", "--trust"];
    let refused = sandbox
        .floe(arguments.iter().chain(&["owner", "--json"]))
        .json(3);
    let checks = refused["verdict"]["checks"].as_array().unwrap();
    let failed: Vec<_> = checks
        .iter()
        .filter(|check| check["passed"] == false)
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["check"], "file-writable");
    assert_eq!(sandbox.floe(arguments.iter().chain(&["any"])).code, Some(0));
}

#[test]
fn what_each_policy_asks_is_told_with_what_would_meet_it() {
    let sandbox = Sandbox::new();
    sandbox.file("libshelf.so", library(&manifest()));
    let inspect = |policy: &str| sandbox.floe(["inspect", "libshelf.so", "--trust", policy]);
    let remedies = |policy: &str| {
        let told = inspect(policy);
        assert_eq!(told.code, Some(3));
        let (_, refused) = told.stdout().split_once("\nrefused\n").unwrap();
        refused.to_owned()
    };
    for policy in ["any", "owner"] {
        assert_eq!(inspect(policy).code, Some(0));
    }
    insta::assert_snapshot!(remedies("locked"), @r"
    lock-file: write it with `floe lock`
    locked: see to the lock file first
    ");
    insta::assert_snapshot!(remedies("signed"), @r"  signature: get the signature from where the plugin is from, or sign the plugin with `floe sign`");
    assert_tabled!(inspect("locked+signed"), @r#"
    exit 3
    --- stdout
    file  libshelf.so
    size  [size]
    sha256  [digest]
    platform  [platform]

    Manifest
      name  shelf
      version  1.2.0
      kind  storage
      floe api  1.0
      boundary  abi_stable 0.11
      panic  unwind
      description  Keeps things.
      authors  Ada
      license  MIT

    Executors
    node type  category  tags  description
    ───
    shelf.put  write  disk  Puts a thing on the shelf.
    shelf.get  read  Takes a thing from the shelf.

    Checks
        check  found  expected
    ───
    ok  platform  a library for `[platform]`  one for `[platform]`
    ok  floe-api-version  floe api `1.0`  `1.0`
    ok  boundary  a boundary laid out by `abi_stable 0.11`  one laid out by `abi_stable 0.11`
    ok  panic-strategy  a build with `panic = "unwind"`  one with `panic = "unwind"`, whose panics can be contained, or a worker to run it in
    ok  file-owner  a file of user `[uid]` in a directory of user `[uid]`  a file of the search directory's owner, of root or of this process's user
    ok  file-writable  a file of mode `[mode]`  one that not everybody may write to
    ok  directory-writable  a directory of mode `[mode]`  one that not everybody may write to, or a sticky one
    NO  lock-file  that there is no lock file `floe.lock`  one that can be relied on, as trust is `locked+signed`
    NO  locked  `storage/shelf` 1.2.0  a plugin that `floe.lock` has
    NO  signature  no signature at `libshelf.so.minisig`  a minisign signature at `libshelf.so.minisig`, as trust is `locked+signed`

    Preflight
      hazards  none found

    refused
      lock-file: write it with `floe lock`
      locked: see to the lock file first
      signature: get the signature from where the plugin is from, or sign the plugin with `floe sign`
    "#);
    // An empty lock file is one, and has nothing of it.
    sandbox.file("floe.lock", "version = 1\n");
    insta::assert_snapshot!(remedies("locked"), @r"  locked: if this build is meant, accept it with `floe lock shelf`");
}

#[test]
fn what_is_known_of_a_library_before_it_is_loaded() {
    let sandbox = Sandbox::new();
    let path = plugins::put(&sandbox, "moody", "plugins");
    let inspect = |more: &[&str]| {
        let before = ["inspect", path.to_str().unwrap()];
        sandbox.floe(before.iter().chain(more))
    };
    let told = inspect(&[]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let (_, preflight) = told.stdout().split_once("\nPreflight\n").unwrap();
    for field in ["  compiler  ", "  libraries  ", "  hazards  "] {
        assert!(preflight.contains(field), "{preflight}");
    }
    let inspected = inspect(&["--json"]).json(0);
    let preflight = &inspected["preflight"];
    assert_eq!(preflight["examined"], true);
    assert!(preflight["compiler"].as_str().unwrap().starts_with("rustc"));
    assert!(!preflight["needed"].as_array().unwrap().is_empty());
    for finding in preflight["findings"].as_array().unwrap() {
        for field in ["hazard", "severity", "found", "why", "remedy"] {
            assert!(!finding[field].as_str().unwrap().is_empty(), "{finding}");
        }
    }
}
