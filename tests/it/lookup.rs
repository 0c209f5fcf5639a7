//! Node types that nothing answers to.

use serde_json::json;

use crate::elf::{library, manifest, manifest_with};
use crate::sandbox::{Sandbox, assert_seen};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("plugins/libshelf.so", library(&manifest()));
    let future = json!({"name": "future", "floe_api_version": "9.0", "executors": [{"node_type": "future.see"}]});
    sandbox.file("plugins/libfuture.so", library(&manifest_with(&future)));
    sandbox
}

#[test]
fn the_nearest_name_is_suggested() {
    let sandbox = sandbox();
    assert_seen!(sandbox.floe(["call", "shelf.pit", "--plugin-dir", "plugins"]), @r"
    exit 3
    --- stderr
    error: no plugin offers the node type `shelf.pit`
    hint: did you mean `shelf.put`?
    hint: `floe list` shows the 2 executors that are there
    looked in: plugins
    not there: [beside], [prefix], [user]
    ");
    let refused = sandbox
        .floe(["describe", "shelf.pit", "--plugin-dir", "plugins", "--json"])
        .json(3);
    assert_eq!(refused["error"]["kind"], "node-type-not-found");
    assert_eq!(refused["error"]["node_type"], "shelf.pit");
    assert_eq!(refused["error"]["nearest"], "shelf.put");
    assert_eq!(refused["error"]["searched"][0]["path"], "plugins");
}

#[test]
fn a_refused_file_that_offers_it_is_named() {
    let sandbox = sandbox();
    assert_seen!(sandbox.floe(["call", "future.see", "--plugin-dir", "plugins"]), @r"
    exit 3
    --- stderr
    error: no plugin offers the node type `future.see`
      plugins/libfuture.so
        stage     admit, check `floe-api-version`
        found     floe api `9.0`
        expected  `1.0`
        to do     update this host, or install an older build of the plugin
    hint: the file above offers it, and was refused
    hint: `floe list` shows the 2 executors that are there
    looked in: plugins
    not there: [beside], [prefix], [user]
    ");
    let refused = sandbox
        .floe(["call", "future.see", "--plugin-dir", "plugins", "--json"])
        .json(3);
    assert_eq!(
        refused["error"]["rejected"][0]["path"],
        "plugins/libfuture.so"
    );
}

#[test]
fn no_version_in_the_range() {
    let sandbox = sandbox();
    assert_seen!(sandbox.floe(["call", "shelf.get@^2", "--plugin-dir", "plugins"]), @r"
    exit 3
    --- stderr
    error: `shelf.get@^2` is offered in no version of that range, only in `1.2.0`; ask for one of those or install another
    hint: `floe list` shows the 2 executors that are there
    looked in: plugins
    not there: [beside], [prefix], [user]
    ");
    let refused = sandbox
        .floe(["call", "shelf.get@^2", "--plugin-dir", "plugins", "--json"])
        .json(3);
    assert_eq!(refused["error"]["kind"], "version-not-found");
}

#[test]
fn not_a_reference() {
    let refused = sandbox().floe(["call", "shelf.get@newest", "--plugin-dir", "plugins"]);
    assert_seen!(refused, @r"
    exit 2
    --- stderr
    error: `shelf.get@newest` is not a node type with a version range, expected one such as `sqlite.read@^1.2`: unexpected character 'n' while parsing major version number
    ");
}

#[test]
fn strictness_stops_what_is_not_a_listing() {
    let refused = sandbox().floe(["call", "shelf.get", "--plugin-dir", "plugins", "--strict"]);
    assert_seen!(refused, @r"
    exit 3
    --- stderr
    error: discovery is strict and 1 file was refused
      plugins/libfuture.so
        stage     admit, check `floe-api-version`
        found     floe api `9.0`
        expected  `1.0`
        to do     update this host, or install an older build of the plugin
    ");
}

#[test]
fn a_refusal_to_load_names_the_host_too() {
    // The system's loader would take a part of this store's path for a variable.
    let before = ["call", "shelf.get", "--plugin-dir", "plugins", "--store"];
    let sandbox = sandbox();
    let refused = sandbox.floe(before.iter().chain(&["a$b"]));
    assert_eq!(refused.code, Some(3));
    assert!(
        refused.stderr.contains("\n    stage     load, "),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("\nthis host: floe 0."),
        "{}",
        refused.stderr
    );
    let error = &sandbox
        .floe(before.iter().chain(&["a$b", "--json"]))
        .json(3)["error"];
    assert_eq!(error["rejected"][0]["stage"], "load");
    assert_eq!(error["host"]["version"], env!("CARGO_PKG_VERSION"));
    for field in ["commit", "target", "compiler", "floe_api_version"] {
        assert!(error["host"][field].is_string(), "{error}");
    }
}
