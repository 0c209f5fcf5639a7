//! `floe start`.

use serde_json::json;

use crate::plugins;
use crate::sandbox::{Ended, Sandbox, assert_timed};

fn start(settings: &str, arguments: &[&str]) -> Ended {
    let sandbox = Sandbox::new();
    sandbox.file("floe.toml", settings);
    let directories = [
        "--plugin-dir",
        plugins::directory(),
        "--plugin-dir",
        plugins::directory_of_needy(),
    ];
    sandbox.floe(directories.iter().chain(&["start"]).chain(arguments))
}

#[test]
fn plugins_are_started_in_waves() {
    assert_timed!(start("", &[]), @r"
    exit 0
    --- stdout
    wave  plugin         version  outcome  load  start
    ───
       1  compute/made   0.1.0    started  [time]  [time]
       1  compute/moody  0.1.0    started  [time]  [time]
       2  compute/needy  0.1.0    started  [time]  [time]

    3 of 3 plugins live, after  [time]
    ");
    let started = start("", &["--json", "--parallel", "1"]).json(0);
    let waves = started["waves"].as_array().unwrap();
    let names: Vec<Vec<_>> = waves
        .iter()
        .map(|wave| {
            wave.as_array()
                .unwrap()
                .iter()
                .map(|each| &each["name"])
                .collect()
        })
        .collect();
    assert_eq!(json!(names), json!([["made", "moody"], ["needy"]]));
    assert_eq!(started["waves"][0][0]["outcome"], "started");
    assert!(started["took_ns"].is_u64());
    assert_eq!(started["rejected"], json!([]));
}

#[test]
fn one_that_fails_stops_none_but_those_that_need_it() {
    assert_timed!(start("[plugins.moody]\nstart = \"fails\"\n", &[]), @r"
    exit 3
    --- stdout
    wave  plugin         version  outcome  load  start
    ───
       1  compute/made   0.1.0    started  [time]  [time]
       1  compute/moody  0.1.0    failed  [time]
       2  compute/needy  0.1.0    skipped

    compute/moody 0.1.0: cannot start plugin `moody 0.1.0`: cannot wake up: the disk is gone

    compute/needy 0.1.0: not tried because of `moody 0.1.0`, which failed

    1 of 3 plugins live, after  [time]
    ");
    let settings = "[plugins.made]\ngreeting = 3\n";
    let failed = start(settings, &["--json", "--parallel", "1", "--fail-fast"]).json(3);
    let outcomes: Vec<_> = failed["waves"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|wave| wave.as_array().unwrap())
        .map(|each| &each["outcome"])
        .collect();
    assert_eq!(json!(outcomes), json!(["failed", "skipped", "skipped"]));
    assert_eq!(failed["waves"][1][0]["because_of"], "made 0.1.0");
}

#[test]
fn contained_faults_alone_have_their_own_exit_code() {
    let panicked = start("[plugins.moody]\nstart = \"panics\"\n", &[]);
    assert_eq!(panicked.code, Some(4), "{}", panicked.stdout());
    let late = "[deadlines]\ncreate = \"2s\"\n[plugins.moody]\nstart = \"hangs\"\n";
    let late = start(late, &[]);
    assert_eq!(late.code, Some(4), "{}", late.stdout());
    assert!(
        late.stdout().contains("had not ended after"),
        "{}",
        late.stdout()
    );
    let both = "[plugins.moody]\nstart = \"panics\"\n[plugins.made]\ngreeting = 3\n";
    assert_eq!(start(both, &[]).code, Some(3));
}

#[test]
fn what_is_needed_and_not_there() {
    let sandbox = Sandbox::new();
    let arguments = ["start", "--plugin-dir", plugins::directory_of_needy()];
    assert_timed!(sandbox.floe(arguments), @r"
    exit 3
    --- stdout
    wave  plugin         version  outcome  load  start
    ───
       1  compute/needy  0.1.0    failed

    compute/needy 0.1.0: plugin `needy 0.1.0` needs plugin `compute/moody` `^0.1`, which is not there; install it in the search path

    0 of 1 plugin live, after  [time]
    ");
}

#[test]
fn nothing_to_start() {
    let sandbox = Sandbox::new();
    sandbox.file("plugins/notes.so", "remember the milk");
    assert_timed!(sandbox.floe(["start", "--plugin-dir", "plugins"]), @r"
    exit 0
    --- stdout
    There is no plugin to start; `floe list` shows where plugins are looked for.

    Refused: 1 file; `floe list` shows why.
    ");
    let strict = sandbox.floe(["start", "--plugin-dir", "plugins", "--strict"]);
    assert_eq!(strict.code, Some(3));
    let refused = sandbox.floe(["start", "--parallel", "0"]);
    assert_eq!(refused.code, Some(2));
}
