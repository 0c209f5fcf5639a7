//! `floe quarantine`, and what quarantine comes to for the other commands.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value as Json, json};

use crate::plugins;
use crate::sandbox::{Ended, Sandbox, assert_tabled};

/// A place with a plugin that cannot be started, which is left alone for longer than any test takes.
fn failing() -> Sandbox {
    failing_with("[quarantine]\nfirst = \"1h\"\n")
}

fn failing_with(settings: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let before = "[search]\npaths = [\"plugins\"]\n[plugins.moody]\nstart = \"fails\"\n";
    sandbox.file("floe.toml", format!("{before}{settings}"));
    plugins::put(&sandbox, "moody", "plugins");
    sandbox
}

/// The same once it has failed as often as it may.
fn quarantined() -> Sandbox {
    let sandbox = failing();
    for time in 1..=5 {
        assert_eq!(call(&sandbox).code, Some(1), "the {time}th time");
    }
    sandbox
}

fn call(sandbox: &Sandbox) -> Ended {
    sandbox.floe(["call", "moody.echo"])
}

fn state(sandbox: &Sandbox) -> PathBuf {
    sandbox
        .work()
        .join("../home/.local/state/floe/quarantine.json")
}

fn contents(sandbox: &Sandbox) -> Vec<Json> {
    let listed = sandbox.floe(["quarantine", "--json"]).json(0);
    listed["contents"].as_array().unwrap().clone()
}

#[test]
fn nothing_is_quarantined() {
    let sandbox = Sandbox::new();
    assert_tabled!(sandbox.floe(["quarantine"]), @r"
    exit 0
    --- stdout
    Nothing is quarantined.
    ");
    assert_tabled!(sandbox.floe(["quarantine", "clear"]), @r"
    exit 0
    --- stdout
    Nothing was quarantined.
    ");
    assert!(contents(&sandbox).is_empty());
    let cleared = sandbox.floe(["quarantine", "clear", "--json"]).json(0);
    assert_eq!(cleared, json!({"cleared": []}));
    // Neither makes a file.
    assert!(!state(&sandbox).exists());
}

#[test]
fn fewer_faults_than_it_takes() {
    let sandbox = failing();
    for _ in 1..=4 {
        assert_eq!(call(&sandbox).code, Some(1));
    }
    assert!(contents(&sandbox).is_empty());
    // A configuration that fits begins anew.
    sandbox.file("floe.toml", "[search]\npaths = [\"plugins\"]\n");
    assert_eq!(call(&sandbox).code, Some(0));
}

#[test]
fn a_plugin_that_cannot_be_started_is_left_alone() {
    let sandbox = quarantined();
    assert_tabled!(sandbox.floe(["quarantine"]), @r"
    exit 0
    --- stdout
    sha256  plugin  until  times  for  reason
    ───
    [short]  compute/moody 0.1.0  left alone  [time]  1  failed starts  cannot start plugin `moody 0.1.0`: cannot wake up: the disk is gone

    `floe quarantine clear SHA256` lets one out, `floe quarantine clear` all.
    ");
    assert_tabled!(sandbox.floe(["list"]), @r"
    exit 0
    --- stdout
    kind  name  version  api  state  executors  file
    ───
    compute  moody  0.1.0  1.0  quarantined  moody.well moody.fail moody.panic moody.wait moody.hang moody.blab moody.misfit moody.echo moody.rows moody.bytes moody.nan moody.once  plugins/libfloe_plugin_moody.so

    moody 0.1.0 is quarantined: left alone until [time], for failed starts: cannot start plugin `moody 0.1.0`: cannot wake up: the disk is gone
    `floe quarantine clear moody` lets it out before
    ");
    assert_tabled!(call(&sandbox), @r"
    exit 3
    --- stderr
    error: the plugin's file was refused at admit
      plugins/libfloe_plugin_moody.so
        stage  admit, check `quarantine`
        found  a content that is quarantined until `[time]`, for failed starts: cannot start plugin `moody 0.1.0`: cannot wake up: the disk is gone
        expected  one that has not failed time and again
        to do  wait until then, install another build, or let it out with `floe quarantine clear [short]`
    ");
    let listed = sandbox.floe(["list", "--json"]).json(0);
    assert_eq!(listed["plugins"][0]["state"], "quarantined");
    let refused = sandbox.floe(["call", "moody.echo", "--json"]).json(3);
    assert_eq!(refused["error"]["rejected"][0]["check"], "quarantine");
    let [content] = &contents(&sandbox)[..] else {
        panic!("one content");
    };
    assert_eq!(content["plugin"], "compute/moody");
    assert_eq!(content["version"], "0.1.0");
    assert_eq!(content["cause"], "failed-starts");
    assert_eq!(content["count"], 1);
    assert_eq!(content["active"], true);
    for field in ["digest", "reason", "since", "until"] {
        assert!(content[field].is_string(), "{content}");
    }
}

#[test]
fn it_is_let_out_by_its_name_and_by_its_digest() {
    let sandbox = quarantined();
    let digest = contents(&sandbox)[0]["digest"].as_str().unwrap().to_owned();
    for name in ["moody", "compute/moody", &digest[..12], &digest] {
        let listed = sandbox.floe(["quarantine", "list", name, "--json"]).json(0);
        assert_eq!(listed["contents"].as_array().unwrap().len(), 1, "{name}");
    }
    for name in ["mood", "storage/moody", &digest[..5]] {
        let refused = sandbox
            .floe(["quarantine", "clear", name, "--json"])
            .json(3);
        assert_eq!(refused["error"]["kind"], "not-found", "{name}");
    }
    assert_tabled!(sandbox.floe(["quarantine", "clear", "mody"]), @r"
    exit 3
    --- stderr
    error: nothing is quarantined that is known as `mody`
    hint: `floe quarantine` shows what is, by plugin and by digest
    ");
    assert_tabled!(sandbox.floe(["quarantine", "clear", "moody"]), @r"
    exit 0
    --- stdout
    sha256  plugin  until  times  for  reason
    ───
    [short]  compute/moody 0.1.0  let out  [time]  1  failed starts  cannot start plugin `moody 0.1.0`: cannot wake up: the disk is gone
    ");
    // It is tried again, and fails anew.
    assert_eq!(call(&sandbox).code, Some(1));
    assert!(contents(&sandbox).is_empty());
    for _ in 2..=5 {
        assert_eq!(call(&sandbox).code, Some(1));
    }
    assert_eq!(call(&sandbox).code, Some(3));
    let cleared = sandbox
        .floe(["quarantine", "clear", &digest[..6], "--json"])
        .json(0);
    assert_eq!(cleared["cleared"][0]["digest"], digest);
    assert_eq!(call(&sandbox).code, Some(1));
}

#[test]
fn a_configuration_that_fits_counts_once_it_is_let_out() {
    // Nobody who runs a command can tell a new configuration from an old one.
    let sandbox = quarantined();
    sandbox.file("floe.toml", "[search]\npaths = [\"plugins\"]\n");
    let told = call(&sandbox);
    assert_eq!(told.code, Some(3), "{}", told.stderr);
    assert_eq!(sandbox.floe(["quarantine", "clear", "moody"]).code, Some(0));
    assert_eq!(call(&sandbox).code, Some(0));
}

#[test]
fn a_damaged_file_is_a_warning() {
    let sandbox = quarantined();
    fs::write(state(&sandbox), "{\"contents\": [").unwrap();
    assert_tabled!(sandbox.floe(["quarantine"]), @r"
    exit 0
    --- stdout
    warning: the quarantine `[home]/.local/state/floe/quarantine.json` is taken as empty: it is cut, or does not begin with a header
    Nothing is quarantined.
    ");
    let listed = sandbox.floe(["quarantine", "--json"]).json(0);
    assert_eq!(listed["contents"], json!([]));
    assert!(
        listed["damage"]
            .as_str()
            .unwrap()
            .contains("taken as empty")
    );
    // Nothing else minds it.
    assert_eq!(call(&sandbox).code, Some(1));
}

#[test]
fn the_settings_say_how_often_and_for_how_long() {
    let sandbox = failing_with(
        "[quarantine]\nfailed_starts = 1\nfirst = \"2h\"\n[state]\npath = \"state\"\n",
    );
    assert_eq!(call(&sandbox).code, Some(1));
    assert_eq!(call(&sandbox).code, Some(3));
    assert!(sandbox.work().join("state/quarantine.json").exists());
    assert!(!state(&sandbox).exists());
    let content = &contents(&sandbox)[0];
    let moment = |field: &str| {
        let text = content[field].as_str().unwrap();
        text.parse::<jiff::Timestamp>().unwrap().as_second()
    };
    assert_eq!(moment("until") - moment("since"), 2 * 60 * 60);
    // The environment counts before the file.
    let mut command = sandbox.command(["quarantine", "--json"]);
    let elsewhere = sandbox.run(command.env("FLOE_STATE", sandbox.work().join("other")));
    assert_eq!(elsewhere.json(0)["contents"], json!([]));
}
