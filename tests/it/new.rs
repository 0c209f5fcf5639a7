//! `floe new`. That what it makes can be built, and answers, is seen in `call`.

use std::fs;

use crate::sandbox::{Sandbox, assert_seen};

#[test]
fn makes_a_crate() {
    let sandbox = Sandbox::new();
    assert_seen!(sandbox.floe(["new", "acme", "--kind", "alert-channel"]), @r#"
    exit 0
    --- stdout
    Made the plugin `acme` in `floe-plugin-acme`. Next:

      cd floe-plugin-acme
      cargo test
      cargo build --release
      floe inspect target/release/libfloe_plugin_acme.so
      floe --plugin-dir target/release call acme.greet --input '{"name":"Ada"}'
    "#);
    let crate_ = sandbox.work().join("floe-plugin-acme");
    let read = |file: &str| fs::read_to_string(crate_.join(file)).unwrap();
    let manifest = read("Cargo.toml");
    for line in [
        "name = \"floe-plugin-acme\"",
        "edition = \"2024\"",
        "rust-version = \"1.85\"",
        "crate-type = [\"cdylib\"]",
        "floe-plugin-api = \"0.1\"",
        "[workspace]",
    ] {
        assert!(manifest.lines().any(|own| own == line), "{manifest}");
    }
    let source = read("src/lib.rs");
    assert!(source.contains("\"acme.greet\" => greet"), "{source}");
    assert!(source.contains("kind: \"alert-channel\""), "{source}");
    let readme = read("README.md");
    for command in [
        "cargo build --release",
        "floe inspect target/release/",
        "call acme.greet",
    ] {
        assert!(readme.contains(command), "{readme}");
    }
    assert_eq!(read(".gitignore"), "/target\n");
}

#[test]
fn the_prefix_of_the_package_is_not_doubled() {
    let sandbox = Sandbox::new();
    let made = sandbox
        .floe(["new", "floe-plugin-acme", "--path", "here", "--json"])
        .json(0);
    assert_eq!(made["name"], "acme");
    assert_eq!(made["package"], "floe-plugin-acme");
    assert_eq!(made["path"], "here");
    assert_eq!(made["node_type"], "acme.greet");
    for file in made["files"].as_array().unwrap() {
        assert!(
            sandbox
                .work()
                .join("here")
                .join(file.as_str().unwrap())
                .is_file()
        );
    }
}

#[test]
fn what_is_there_is_not_touched() {
    let sandbox = Sandbox::new();
    sandbox.file("floe-plugin-acme/src/lib.rs", "precious");
    assert_seen!(sandbox.floe(["new", "acme"]), @r"
    exit 2
    --- stderr
    error: the directory `floe-plugin-acme` is there and is not empty
    hint: choose another one with `--path DIR`
    ");
    sandbox.file("file", "precious");
    assert_seen!(sandbox.floe(["new", "acme", "--path", "file"]), @r"
    exit 2
    --- stderr
    error: `file` cannot be the plugin's directory
      caused by: Not a directory (os error 20)
    hint: choose another one with `--path DIR`
    ");
    fs::create_dir(sandbox.work().join("empty")).unwrap();
    assert_eq!(
        sandbox.floe(["new", "acme", "--path", "empty"]).code,
        Some(0)
    );
}

#[test]
fn names_and_interfaces_that_are_none() {
    let sandbox = Sandbox::new();
    assert_seen!(sandbox.floe(["new", "Acme Tools"]), @r"
    exit 2
    --- stderr
    error: `Acme Tools` is not a plugin name, expected up to 128 of `a-z`, `0-9`, `-`, `_`, beginning with a letter; how about `acme-tools`?
    ");
    assert_seen!(sandbox.floe(["new", "acme", "--api-path", "nowhere"]), @r"
    exit 2
    --- stderr
    error: `nowhere` cannot be found
      caused by: No such file or directory (os error 2)
    hint: name the directory `plugin-api` of a copy of floe's source
    ");
    sandbox.file("other/Cargo.toml", "[package]\nname = \"other\"\n");
    assert_seen!(sandbox.floe(["new", "acme", "--api-path", "other"]), @r"
    exit 2
    --- stderr
    error: `other` does not hold the crate `floe-plugin-api`
    hint: name the directory `plugin-api` of a copy of floe's source
    ");
    assert!(!sandbox.work().join("floe-plugin-acme").exists());
}
