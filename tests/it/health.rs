//! `floe health`.

use serde_json::json;

use crate::plugins;
use crate::sandbox::{Ended, Sandbox, assert_timed};

fn health(settings: &str, arguments: &[&str]) -> Ended {
    let sandbox = Sandbox::new();
    sandbox.file("floe.toml", settings);
    let directories = [
        "--plugin-dir",
        plugins::directory(),
        "--plugin-dir",
        plugins::directory_of_needy(),
    ];
    sandbox.floe(directories.iter().chain(&["health"]).chain(arguments))
}

#[test]
fn all_is_well() {
    assert_timed!(health("", &[]), @r"
    exit 0
    --- stdout
    plugin         version  state  took  message
    ───
    compute/made   0.1.0    healthy  [time]
    compute/moody  0.1.0    healthy  [time]
    compute/needy  0.1.0    healthy  [time]

    healthy
    ");
}

#[test]
fn degraded_still_answers() {
    let settings = "[plugins.moody]\nmood = \"fair\"\n";
    assert_timed!(health(settings, &[]), @r#"
    exit 0
    --- stdout
    plugin         version  state  took  message
    ───
    compute/made   0.1.0    healthy  [time]
    compute/moody  0.1.0    degraded  [time]  it rains
    compute/needy  0.1.0    degraded  [time]  plugin `compute/moody`, which it needs, is not well

    compute/moody 0.1.0
      rain_mm  12
      clouds   ["grey","dark"]

    compute/needy 0.1.0
      because of  compute/moody

    degraded
    "#);
    let told = health(settings, &["--json"]).json(0);
    assert_eq!(told["state"], "degraded");
    assert_eq!(told["plugins"][1]["details"]["rain_mm"], 12);
    assert_eq!(
        told["plugins"][2]["because_of"],
        json!([{"kind": "compute", "name": "moody"}])
    );
    assert_eq!(told["not_started"], json!([]));
}

#[test]
fn unhealthy_is_a_failure() {
    let told = health("[plugins.moody]\nmood = \"bad\"\n", &["--json"]).json(1);
    assert_eq!(told["state"], "unhealthy");
    assert_eq!(told["plugins"][1]["message"], "no entry with nothing");
}

#[test]
fn what_does_not_start_is_not_well() {
    let settings = "[plugins.moody]\nstart = \"fails\"\n";
    assert_timed!(health(settings, &[]), @r"
    exit 1
    --- stdout
    plugin         version  state  took  message
    ───
    compute/made   0.1.0    healthy  [time]
    compute/moody  0.1.0    failed  cannot start plugin `moody 0.1.0`: cannot wake up: the disk is gone
    compute/needy  0.1.0    skipped  not tried because of `moody 0.1.0`, which failed

    unhealthy
    ");
    let told = health(settings, &["--json"]).json(1);
    assert_eq!(told["state"], "unhealthy");
    let not_started: Vec<_> = told["not_started"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| (&each["name"], &each["outcome"]))
        .collect();
    assert_eq!(
        json!(not_started),
        json!([["moody", "failed"], ["needy", "skipped"]])
    );
}

#[test]
fn nobody_to_ask() {
    assert_timed!(Sandbox::new().floe(["health"]), @r"
    exit 0
    --- stdout
    There is no plugin to ask; `floe list` shows where plugins are looked for.
    ");
}
