//! `floe list` and `floe search`.

use std::fs;

use serde_json::json;

use crate::elf::{library, manifest, manifest_with};
use crate::sandbox::{Sandbox, assert_seen};

/// A good plugin, one for a host of the future, and a file that is none.
fn half_broken() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("plugins/libshelf.so", library(&manifest()));
    let future = json!({"name": "future", "floe_api_version": "9.0", "executors": [{"node_type": "future.see"}]});
    sandbox.file("plugins/libfuture.so", library(&manifest_with(&future)));
    sandbox.file("plugins/notes.so", "remember the milk");
    sandbox
}

#[test]
fn nothing_found() {
    let sandbox = Sandbox::new();
    assert_seen!(sandbox.floe(["list"]), @r"
    exit 0
    --- stdout
    No plugins found. Looked in:
      [beside]  not there
      [prefix]  not there
      [user]  not there
    Add a directory with `--plugin-dir DIR` or `FLOE_PLUGIN_PATH`, or make a plugin with `floe new NAME`.
    ");
    sandbox.file("plugins/readme.txt", "");
    sandbox.file("plugins/notes.so", "remember the milk");
    assert_seen!(sandbox.floe(["list", "--plugin-dir", "plugins"]), @r"
    exit 0
    --- stdout
    No plugin can be used: what was found is refused. Looked in:
      plugins  1 refused
      [beside]  not there
      [prefix]  not there
      [user]  not there

    Refused: 1
      plugins/notes.so
        stage     discover, check `not-a-library`
        found     a text file beginning `remember the milk`
        expected  a shared library for `[platform]`
        to do     copy the library that the build made (`target/release/*.so`, for one) in its place
    ");
}

#[test]
fn plugins_and_what_was_refused() {
    let sandbox = half_broken();
    let listed = sandbox.floe(["--plugin-dir", "plugins", "list"]);
    assert_seen!(listed, @r"
    exit 0
    --- stdout
    kind     name   version  api  state     executors            file
    ──────── ────── ──────── ──── ───────── ──────────────────── ───────────────────
    storage  shelf  1.2.0    1.0  admitted  shelf.put shelf.get  plugins/libshelf.so

    Refused: 2
      plugins/libfuture.so
        stage     admit, check `floe-api-version`
        found     floe api `9.0`
        expected  `1.0`
        to do     update this host, or install an older build of the plugin
      plugins/notes.so
        stage     discover, check `not-a-library`
        found     a text file beginning `remember the milk`
        expected  a shared library for `[platform]`
        to do     copy the library that the build made (`target/release/*.so`, for one) in its place
    ");
}

#[test]
fn text_is_as_wide_as_the_terminal() {
    let sandbox = half_broken();
    fs::remove_file(sandbox.work().join("plugins/notes.so")).unwrap();
    let mut command = sandbox.command(["--plugin-dir", "plugins", "list"]);
    let listed = sandbox.run(command.env("COLUMNS", "60"));
    assert!(
        listed
            .stdout()
            .lines()
            .all(|line| line.chars().count() <= 60),
        "{}",
        listed.stdout()
    );
    assert_seen!(listed, @r"
    exit 0
    --- stdout
    kind     name   version  api  state     executors
    ──────── ────── ──────── ──── ───────── ───────────────────
    storage  shelf  1.2.0    1.0  admitted  shelf.put shelf.get

    Files
      shelf 1.2.0  plugins/libshelf.so

    Refused: 1
      plugins/libfuture.so
        stage     admit, check `floe-api-version`
        found     floe api `9.0`
        expected  `1.0`
        to do     update this host, or install an older build of
                  the plugin
    ");
}

#[test]
fn json_has_every_plugin_and_every_refusal() {
    let sandbox = half_broken();
    let listed = sandbox
        .floe(["list", "--json", "--plugin-dir", "plugins"])
        .json(0);
    let plugin = &listed["plugins"][0];
    assert_eq!(listed["plugins"].as_array().unwrap().len(), 1);
    for (field, value) in [
        ("kind", "storage"),
        ("name", "shelf"),
        ("version", "1.2.0"),
        ("floe_api_version", "1.0"),
        ("state", "admitted"),
        ("path", "plugins/libshelf.so"),
    ] {
        assert_eq!(plugin[field], value);
    }
    assert_eq!(plugin["executors"][1]["node_type"], "shelf.get");
    let rejected = listed["rejected"].as_array().unwrap();
    let refused: Vec<_> = rejected
        .iter()
        .map(|each| (&each["path"], &each["stage"]))
        .collect();
    assert_eq!(
        refused,
        [
            (&json!("plugins/libfuture.so"), &json!("admit")),
            (&json!("plugins/notes.so"), &json!("discover")),
        ]
    );
    let reason = rejected[0]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("found floe api `9.0`, expected `1.0`"),
        "{reason}"
    );
    assert_eq!(listed["searched"][0]["path"], "plugins");
}

#[test]
fn strict_shows_the_same_and_fails() {
    let sandbox = half_broken();
    let loose = sandbox.floe(["--plugin-dir", "plugins", "list"]);
    let strict = sandbox.floe(["--plugin-dir", "plugins", "--strict", "list"]);
    assert_eq!((loose.code, strict.code), (Some(0), Some(3)));
    assert_eq!(strict.stdout(), loose.stdout());
    fs::remove_file(sandbox.work().join("plugins/notes.so")).unwrap();
    fs::remove_file(sandbox.work().join("plugins/libfuture.so")).unwrap();
    assert_eq!(
        sandbox
            .floe(["--plugin-dir", "plugins", "--strict", "list"])
            .code,
        Some(0)
    );
}

#[test]
fn strict_refuses_both_plugins_of_one_node_type() {
    let sandbox = Sandbox::new();
    sandbox.file("a/libshelf.so", library(&manifest()));
    sandbox.file(
        "b/librack.so",
        library(&manifest_with(&json!({"name": "rack"}))),
    );
    let arguments = ["list", "--json", "--plugin-dir", "a", "--plugin-dir", "b"];
    let loose = sandbox.floe(arguments).json(0);
    assert_eq!(loose["plugins"].as_array().unwrap().len(), 2);
    let shadowed = &loose["plugins"][1]["executors"][0]["shadowed_by"];
    assert_eq!(shadowed, &json!({"kind": "storage", "name": "shelf"}));
    let strict = sandbox.floe(arguments.iter().chain(&["--strict"])).json(3);
    assert_eq!(strict["plugins"], json!([]));
    assert_eq!(strict["rejected"].as_array().unwrap().len(), 2);
}

#[test]
fn a_plugin_that_does_not_answer_says_why() {
    let sandbox = Sandbox::new();
    sandbox.file("a/libshelf.so", library(&manifest()));
    sandbox.file(
        "b/libshelf.so",
        library(&manifest_with(&json!({"version": "1.10.0"}))),
    );
    sandbox.file(
        "c/librack.so",
        library(&manifest_with(&json!({"name": "rack"}))),
    );
    let arguments = ["a", "b", "c"].map(|directory| format!("--plugin-dir={directory}"));
    assert_seen!(sandbox.floe(arguments.iter().map(String::as_str).chain(["list"])), @r"
    exit 0
    --- stdout
    kind     name   version  api  state     executors            file
    ──────── ────── ──────── ──── ───────── ──────────────────── ─────────────
    storage  shelf  1.2.0    1.0  shadowed  shelf.put shelf.get  a/libshelf.so
    storage  shelf  1.10.0   1.0  admitted  shelf.put shelf.get  b/libshelf.so
    storage  rack   1.2.0    1.0  admitted  shelf.put shelf.get  c/librack.so

    shelf 1.2.0 is shadowed: version `1.10.0` is active; this one answers where its version is asked for

    rack 1.2.0 does not answer for `shelf.put`, `shelf.get`: plugin `storage/shelf` does, which comes first in the search path
    ");
}

#[test]
fn filters() {
    let sandbox = half_broken();
    let listed = |filter: [&str; 2]| {
        let arguments = ["list", "--json", "--plugin-dir", "plugins"];
        let listed = sandbox.floe(arguments.iter().chain(&filter)).json(0);
        let plugins = listed["plugins"].as_array().unwrap();
        let executors = plugins
            .iter()
            .flat_map(|plugin| plugin["executors"].as_array().unwrap());
        let names = executors.map(|executor| executor["node_type"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(listed(["--kind", "storage"]), ["shelf.put", "shelf.get"]);
    assert_eq!(
        listed(["--kind", "floe.storage"]),
        ["shelf.put", "shelf.get"]
    );
    assert_eq!(listed(["--kind", "secrets"]), [""; 0]);
    assert_eq!(listed(["--category", "read"]), ["shelf.get"]);
    assert_eq!(listed(["--tag", "disk"]), ["shelf.put"]);
    assert_eq!(listed(["--tag", "none"]), [""; 0]);
    let none = sandbox.floe(["list", "--plugin-dir", "plugins", "--kind", "secrets"]);
    assert!(
        none.stdout()
            .starts_with("No plugin fits; there is 1 that does not.\n")
    );
}

#[test]
fn search() {
    let sandbox = half_broken();
    assert_seen!(sandbox.floe(["search", "--plugin-dir", "plugins", "shelf", "thing"]), @r"
    exit 0
    --- stdout
    node type  plugin  version  category  description
    ────────── ─────── ──────── ───────── ─────────────────────────────
    shelf.get  shelf   1.2.0    read      Takes a thing from the shelf.
    shelf.put  shelf   1.2.0    write     Puts a thing on the shelf.
    ");
    assert_seen!(sandbox.floe(["search", "--plugin-dir", "plugins", "mail"]), @r"
    exit 0
    --- stdout
    No executor has to do with `mail`, of 2 that are known.
    ");
    let found = sandbox
        .floe(["--plugin-dir", "plugins", "search", "put", "--json"])
        .json(0);
    assert_eq!(found["executors"][0]["node_type"], "shelf.put");
    assert_eq!(found["executors"].as_array().unwrap().len(), 1);
}

#[test]
fn what_a_manifest_says_does_not_steer_the_terminal() {
    let sandbox = Sandbox::new();
    let hostile = json!({
        "description": "\u{1b}[2J\u{1b}]0;owned\u{7}",
        "executors": [{"node_type": "shelf.get", "description": "a\u{202e}b\nc", "category": "\u{1b}[31m"}],
    });
    sandbox.file("plugins/libshelf.so", library(&manifest_with(&hostile)));
    for arguments in [
        &[
            "search",
            "get",
            "--plugin-dir",
            "plugins",
            "--color",
            "always",
        ][..],
        &["inspect", "plugins/libshelf.so", "--color", "never"],
    ] {
        let shown = sandbox.floe(arguments);
        let text = format!("{}{}", shown.stdout(), shown.stderr);
        assert!(!text.is_empty());
        for hostile in ["\u{1b}[2J", "\u{1b}]0", "\u{1b}[31m", "\u{202e}", "\u{7}"] {
            assert!(!text.contains(hostile), "{text}");
        }
    }
}

#[test]
fn settings_are_found_upward_and_arguments_count_more() {
    let sandbox = Sandbox::new();
    sandbox.file("plugins/libshelf.so", library(&manifest()));
    sandbox.file("deep/down/here/keep", "");
    sandbox.file("floe.toml", "[search]\npaths = [\"plugins\"]\n");
    let mut command = sandbox.command(["list", "--json"]);
    let listed = sandbox
        .run(command.current_dir(sandbox.work().join("deep/down/here")))
        .json(0);
    assert_eq!(listed["plugins"][0]["name"], "shelf");

    sandbox.file(
        "other.toml",
        "[search]\nstrict = true\npaths = [\"nowhere\"]\n",
    );
    let listed = sandbox
        .floe(["list", "--json", "--settings", "other.toml"])
        .json(3);
    assert_eq!(listed["plugins"], json!([]));
    assert_eq!(listed["rejected"][0]["check"], "search-path");

    sandbox.file("floe.toml", "[search]\npath = []\n");
    let refused = sandbox.floe(["list"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("is not a floe settings file"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("unknown field `path`"),
        "{}",
        refused.stderr
    );
}

#[test]
fn directories_before_and_after_the_command_all_count() {
    let sandbox = Sandbox::new();
    sandbox.file("a/libshelf.so", library(&manifest()));
    sandbox.file(
        "b/librack.so",
        library(&manifest_with(&json!({
            "name": "rack", "executors": [{"node_type": "rack.get"}],
        }))),
    );
    sandbox.file(
        "c/libbox.so",
        library(&manifest_with(&json!({
            "name": "box", "executors": [{"node_type": "box.get"}],
        }))),
    );
    let mut command = sandbox.command(["--plugin-dir", "b", "list", "--json", "--plugin-dir", "a"]);
    let listed = sandbox.run(command.env("FLOE_PLUGIN_PATH", "c:")).json(0);
    let plugins = listed["plugins"].as_array().unwrap();
    let names: Vec<_> = plugins.iter().map(|plugin| &plugin["name"]).collect();
    assert_eq!(names, ["rack", "shelf", "box"]);
}

#[test]
fn hard_links_and_cargo_leftovers_are_quiet() {
    let sandbox = Sandbox::new();
    sandbox.file("release/deps/libshelf.so", library(&manifest()));
    let work = sandbox.work();
    fs::hard_link(
        work.join("release/deps/libshelf.so"),
        work.join("release/libshelf.so"),
    )
    .unwrap();
    let listed = sandbox
        .floe(["list", "--json", "--plugin-dir", "release"])
        .json(0);
    assert_eq!(listed["plugins"].as_array().unwrap().len(), 1);
    assert_eq!(listed["plugins"][0]["path"], "release/libshelf.so");
    assert_eq!(listed["rejected"], json!([]));
}
