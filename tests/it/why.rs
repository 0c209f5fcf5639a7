//! `floe why`.

use serde_json::json;

use crate::elf::{library, manifest, manifest_with};
use crate::plugins;
use crate::sandbox::{Ended, Sandbox, assert_seen, assert_tabled};

/// Two builds of one plugin, another plugin that claims the same, and a file that is refused.
fn contested() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("a/libshelf.so", library(&manifest()));
    let newer = json!({"version": "1.10.0", "dependencies": [
        {"kind": "secrets", "name": "vault", "version": "^2", "optional": true},
    ]});
    sandbox.file("a/libshelf-new.so", library(&manifest_with(&newer)));
    sandbox.file(
        "b/librack.so",
        library(&manifest_with(&json!({"name": "rack"}))),
    );
    let future = json!({"version": "2.0.0", "floe_api_version": "9.0"});
    sandbox.file("b/libfuture.so", library(&manifest_with(&future)));
    sandbox
}

fn why(sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    let before = ["--plugin-dir", "a", "--plugin-dir", "b", "why"];
    sandbox.floe(before.iter().chain(arguments))
}

#[test]
fn every_candidate_and_every_check() {
    let sandbox = contested();
    assert_seen!(why(&sandbox, &["shelf.get"]), @r#"
    exit 0
    --- stdout
    `shelf.get`: storage/shelf 1.10.0 answers
      `shelf 1.10.0` is the first choice of 3 candidates

    storage/shelf 1.10.0
      answers     yes: the highest release of its plugin, and the first in the search path with it
      file        a/libshelf-new.so
      state       admitted
      circuit     closed
      needs       secrets/vault ^2 (optional): missing
      configured  not known before its schema is, which `floe describe NODE_TYPE` asks for
         check  found  expected
    ───
    ok  platform  a library for `[platform]`  one for `[platform]`
    ok  floe-api-version  floe api `1.0`  `1.0`
    ok  boundary  a boundary laid out by `abi_stable 0.11`  one laid out by `abi_stable 0.11`
    ok  panic-strategy  a build with `panic = "unwind"`  one with `panic = "unwind"`, whose panics can be contained, or a worker to run it in
    ok  file-owner  a file of user `[uid]` in a directory of user `[uid]`  a file of the search directory's owner, of root or of this process's user
    ok  file-writable  a file of mode `[mode]`  one that not everybody may write to
    ok  directory-writable  a directory of mode `[mode]`  one that not everybody may write to, or a sticky one

    storage/shelf 1.2.0
      answers     no: version `1.10.0` is active; this one answers where its version is asked for
      file        a/libshelf.so
      state       shadowed
      circuit     closed
      configured  not known before its schema is, which `floe describe NODE_TYPE` asks for
         check  found  expected
    ───
    ok  platform  a library for `[platform]`  one for `[platform]`
    ok  floe-api-version  floe api `1.0`  `1.0`
    ok  boundary  a boundary laid out by `abi_stable 0.11`  one laid out by `abi_stable 0.11`
    ok  panic-strategy  a build with `panic = "unwind"`  one with `panic = "unwind"`, whose panics can be contained, or a worker to run it in
    ok  file-owner  a file of user `[uid]` in a directory of user `[uid]`  a file of the search directory's owner, of root or of this process's user
    ok  file-writable  a file of mode `[mode]`  one that not everybody may write to
    ok  directory-writable  a directory of mode `[mode]`  one that not everybody may write to, or a sticky one

    storage/rack 1.2.0
      answers     no: plugin `storage/shelf` claims `shelf.get` too and comes first in the search path
      file        b/librack.so
      state       admitted
      circuit     closed
      configured  not known before its schema is, which `floe describe NODE_TYPE` asks for
         check  found  expected
    ───
    ok  platform  a library for `[platform]`  one for `[platform]`
    ok  floe-api-version  floe api `1.0`  `1.0`
    ok  boundary  a boundary laid out by `abi_stable 0.11`  one laid out by `abi_stable 0.11`
    ok  panic-strategy  a build with `panic = "unwind"`  one with `panic = "unwind"`, whose panics can be contained, or a worker to run it in
    ok  file-owner  a file of user `[uid]` in a directory of user `[uid]`  a file of the search directory's owner, of root or of this process's user
    ok  file-writable  a file of mode `[mode]`  one that not everybody may write to
    ok  directory-writable  a directory of mode `[mode]`  one that not everybody may write to, or a sticky one

    Refused: 1
      b/libfuture.so
        stage     admit, check `floe-api-version`
        found     floe api `9.0`
        expected  `1.0`
        to do     update this host, or install an older build of the plugin
         check  found  expected
    ───
    ok  platform  a library for `[platform]`  one for `[platform]`
    NO  floe-api-version  floe api `9.0`  `1.0`
    ok  boundary  a boundary laid out by `abi_stable 0.11`  one laid out by `abi_stable 0.11`
    ok  panic-strategy  a build with `panic = "unwind"`  one with `panic = "unwind"`, whose panics can be contained, or a worker to run it in
    ok  file-owner  a file of user `[uid]` in a directory of user `[uid]`  a file of the search directory's owner, of root or of this process's user
    ok  file-writable  a file of mode `[mode]`  one that not everybody may write to
    ok  directory-writable  a directory of mode `[mode]`  one that not everybody may write to, or a sticky one
    "#);
    let decided = why(&sandbox, &["shelf.get@~1.2", "--json"]).json(0);
    assert_eq!(decided["winner"]["version"], "1.2.0");
    assert_eq!(decided["candidates"].as_array().unwrap().len(), 3);
    assert_eq!(decided["refused"][0]["path"], "b/libfuture.so");
    let decided = why(&sandbox, &["storage/rack", "--json"]).json(0);
    assert_eq!(decided["winner"]["name"], "rack");
    // Where discovery is strict, what is refused anywhere is a reason.
    let decided = why(&sandbox, &["rack", "--strict", "--json"]).json(3);
    assert_eq!(decided["winner"]["name"], "rack");
    let refused = decided["strict"].as_array().unwrap().iter();
    assert!(refused.clone().any(|each| each["path"] == "b/libfuture.so"));
}

#[test]
fn nothing_answers() {
    let sandbox = contested();
    let decided = why(&sandbox, &["shelf.get@^7", "--json"]).json(3);
    assert_eq!(decided["winner"], json!(null));
    std::fs::remove_dir_all(sandbox.work().join("a")).unwrap();
    std::fs::remove_file(sandbox.work().join("b/librack.so")).unwrap();
    let before = ["--plugin-dir", "b", "why", "shelf"];
    assert_seen!(sandbox.floe(before), @r#"
    exit 3
    --- stdout
    `shelf`: nothing answers
      every file that offers it was refused

    Refused: 1
      b/libfuture.so
        stage     admit, check `floe-api-version`
        found     floe api `9.0`
        expected  `1.0`
        to do     update this host, or install an older build of the plugin
         check  found  expected
    ───
    ok  platform  a library for `[platform]`  one for `[platform]`
    NO  floe-api-version  floe api `9.0`  `1.0`
    ok  boundary  a boundary laid out by `abi_stable 0.11`  one laid out by `abi_stable 0.11`
    ok  panic-strategy  a build with `panic = "unwind"`  one with `panic = "unwind"`, whose panics can be contained, or a worker to run it in
    ok  file-owner  a file of user `[uid]` in a directory of user `[uid]`  a file of the search directory's owner, of root or of this process's user
    ok  file-writable  a file of mode `[mode]`  one that not everybody may write to
    ok  directory-writable  a directory of mode `[mode]`  one that not everybody may write to, or a sticky one
    "#);
}

#[test]
fn what_nobody_knows_has_the_nearest_name() {
    let sandbox = contested();
    assert_seen!(why(&sandbox, &["shelv"]), @r"
    exit 3
    --- stderr
    error: no plugin and no executor is known as `shelv`
    hint: did you mean `shelf`?
    hint: `floe list` shows what is there, and what was refused
    looked in: a, b
    not there: [beside], [prefix], [user]
    ");
    let refused = why(&sandbox, &["shelf.git", "--json"]).json(3);
    assert_eq!(refused["error"]["kind"], "not-found");
    assert_eq!(refused["error"]["nearest"], "shelf.get");
}

#[test]
fn what_is_needed_and_what_it_is_configured_with() {
    let sandbox = Sandbox::new();
    let needy = ["--plugin-dir", plugins::directory_of_needy()];
    let decided = sandbox
        .floe(needy.iter().chain(&["why", "needy", "--json"]))
        .json(0);
    let dependency = &decided["candidates"][0]["dependencies"][0];
    assert_eq!(
        dependency["plugin"],
        json!({"kind": "compute", "name": "moody"})
    );
    assert_eq!(dependency["outcome"], "missing");
    let both = ["--plugin-dir", plugins::directory(), "why", "needy"];
    let told = sandbox.floe(needy.iter().chain(&both));
    let met = "needs       compute/moody ^0.1: met by 0.1.0\n";
    assert!(told.stdout().contains(met), "{}", told.stdout());

    sandbox.file(
        "floe.toml",
        "[plugins.moody]\nword = \"x\"\npassword = \"hunter2\"\n",
    );
    let moody = ["--plugin-dir", plugins::directory()];
    let unknown = sandbox.floe(moody.iter().chain(&["why", "moody"]));
    let not_known = "configured  not known before its schema is";
    assert!(unknown.stdout().contains(not_known), "{}", unknown.stdout());
    // The schema is remembered once it was asked for.
    assert_eq!(
        sandbox
            .floe(moody.iter().chain(&["describe", "moody.echo"]))
            .code,
        Some(0)
    );
    let decided = sandbox
        .floe(moody.iter().chain(&["why", "moody", "--json"]))
        .json(0);
    assert_eq!(
        decided["candidates"][0]["configuration"],
        json!({"word": "x", "password": "***", "start": "well", "mood": "good"})
    );
}

#[test]
fn what_is_locked_and_what_is_signed() {
    // See `sign.rs`.
    let mut content = include_bytes!("signed/libshelf.so").to_vec();
    let sandbox = Sandbox::new();
    sandbox.file("plugins/libshelf.so", &content);
    sandbox.file("vendor.pub", include_str!("signed/vendor.pub"));
    let settings = "[search]\npaths = [\"plugins\"]\n[trust]\npolicy = \"locked+signed\"\n[trust.keys.vendor]\nfile = \"vendor.pub\"\n";
    sandbox.file("floe.toml", settings);
    let why = || sandbox.floe(["why", "shelf"]);
    assert_tabled!(why(), @r#"
    exit 3
    --- stdout
    `shelf`: nothing answers
      every file that offers it was refused

    Refused: 1
      plugins/libshelf.so
        stage  admit, check `lock-file`
        found  that there is no lock file `[work]/floe.lock`
        expected  one that can be relied on, as trust is `locked+signed`
        to do  write it with `floe lock`
        check  found  expected
    ───
    ok  platform  a library for `[platform]`  one for `[platform]`
    ok  floe-api-version  floe api `1.0`  `1.0`
    ok  boundary  a boundary laid out by `abi_stable 0.11`  one laid out by `abi_stable 0.11`
    ok  panic-strategy  a build with `panic = "unwind"`  one with `panic = "unwind"`, whose panics can be contained, or a worker to run it in
    ok  file-owner  a file of user `[uid]` in a directory of user `[uid]`  a file of the search directory's owner, of root or of this process's user
    ok  file-writable  a file of mode `[mode]`  one that not everybody may write to
    ok  directory-writable  a directory of mode `[mode]`  one that not everybody may write to, or a sticky one
    NO  lock-file  that there is no lock file `[work]/floe.lock`  one that can be relied on, as trust is `locked+signed`
    NO  locked  `storage/shelf` 1.2.0  a plugin that `[work]/floe.lock` has
    NO  signature  no signature at `[work]/plugins/libshelf.so.minisig`  a minisign signature at `[work]/plugins/libshelf.so.minisig`, as trust is `locked+signed`
    "#);
    let signature = include_str!("signed/good.minisig");
    sandbox.file("plugins/libshelf.so.minisig", signature);
    assert_eq!(sandbox.floe(["lock"]).code, Some(0));
    assert_tabled!(why(), @r#"
    exit 0
    --- stdout
    `shelf`: storage/shelf 1.2.0 answers
      `shelf 1.2.0` is the only candidate

    storage/shelf 1.2.0
      answers  yes: the highest release of its plugin, and the first in the search path with it
      file  plugins/libshelf.so
      state  admitted
      circuit  closed
      configured  not known before its schema is, which `floe describe NODE_TYPE` asks for
        check  found  expected
    ───
    ok  platform  a library for `[platform]`  one for `[platform]`
    ok  floe-api-version  floe api `1.0`  `1.0`
    ok  boundary  a boundary laid out by `abi_stable 0.11`  one laid out by `abi_stable 0.11`
    ok  panic-strategy  a build with `panic = "unwind"`  one with `panic = "unwind"`, whose panics can be contained, or a worker to run it in
    ok  file-owner  a file of user `[uid]` in a directory of user `[uid]`  a file of the search directory's owner, of root or of this process's user
    ok  file-writable  a file of mode `[mode]`  one that not everybody may write to
    ok  directory-writable  a directory of mode `[mode]`  one that not everybody may write to, or a sticky one
    ok  lock-file  `[work]/floe.lock`  one that can be relied on, as trust is `locked+signed`
    ok  locked  `storage/shelf` 1.2.0  what `[work]/floe.lock` has, with the SHA-256 `[digest]`
    ok  signature  a signature of the key `1CB150E376725B0F`  a minisign signature at `[work]/plugins/libshelf.so.minisig`, as trust is `locked+signed`
    ok  signature-key  the key `1CB150E376725B0F`, which is `vendor`  a key of `[trust.keys]` that may sign `shelf`
    ok  signed-manifest  a signature for `shelf` 1.2.0  one that says `shelf` 1.2.0, floe api `1.0`, as the manifest does
    ok  locked-digest  a content with the SHA-256 `[digest]`  the one that `[work]/floe.lock` has for it, `[digest]`
    ok  signed-content  a content that the key `1CB150E376725B0F` has signed  the content that the key `1CB150E376725B0F`, which is `vendor`, has signed
    "#);
    // Another content of the same version, under the old signature.
    *content.last_mut().unwrap() ^= 1;
    sandbox.file("plugins/libshelf.so", &content);
    assert_tabled!(why(), @r#"
    exit 0
    --- stdout
    `shelf`: storage/shelf 1.2.0 answers
      `shelf 1.2.0` is the only candidate

    storage/shelf 1.2.0
      answers  yes: the highest release of its plugin, and the first in the search path with it
      file  plugins/libshelf.so
      state  admitted
      circuit  closed
      configured  not known before its schema is, which `floe describe NODE_TYPE` asks for
        check  found  expected
    ───
    ok  platform  a library for `[platform]`  one for `[platform]`
    ok  floe-api-version  floe api `1.0`  `1.0`
    ok  boundary  a boundary laid out by `abi_stable 0.11`  one laid out by `abi_stable 0.11`
    ok  panic-strategy  a build with `panic = "unwind"`  one with `panic = "unwind"`, whose panics can be contained, or a worker to run it in
    ok  file-owner  a file of user `[uid]` in a directory of user `[uid]`  a file of the search directory's owner, of root or of this process's user
    ok  file-writable  a file of mode `[mode]`  one that not everybody may write to
    ok  directory-writable  a directory of mode `[mode]`  one that not everybody may write to, or a sticky one
    ok  lock-file  `[work]/floe.lock`  one that can be relied on, as trust is `locked+signed`
    ok  locked  `storage/shelf` 1.2.0  what `[work]/floe.lock` has, with the SHA-256 `[digest]`
    ok  signature  a signature of the key `1CB150E376725B0F`  a minisign signature at `[work]/plugins/libshelf.so.minisig`, as trust is `locked+signed`
    ok  signature-key  the key `1CB150E376725B0F`, which is `vendor`  a key of `[trust.keys]` that may sign `shelf`
    ok  signed-manifest  a signature for `shelf` 1.2.0  one that says `shelf` 1.2.0, floe api `1.0`, as the manifest does
    NO  locked-digest  a content with the SHA-256 `[digest]`  the one that `[work]/floe.lock` has for it, `[digest]`
    NO  signed-content  another content, or another trusted comment, than was signed  the content that the key `1CB150E376725B0F`, which is `vendor`, has signed
    "#);
}
