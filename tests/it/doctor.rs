//! `floe doctor`.

use std::fs;

use floe_registry::{Isolation, IsolationRule, IsolationSettings, Profile};
use serde_json::{Value as Json, json};

use crate::plugins;
use crate::sandbox::{Ended, Sandbox};

/// Compares what a person sees, but for what this machine's sandbox offers.
macro_rules! assert_examined {
    ($ended:expr, @$snapshot:literal) => {
        insta::with_settings!({filters => vec![
            (r"(?s)\nsandbox\n.*?\n\n", "\nsandbox\n  [offers]\n\n"),
            (r"(\S)  +", "$1  "),
            (r"\b[0-9,]+ bytes", "[size]"),
            (r"mode `[0-7]+`", "mode `[mode]`"),
        ]}, {
            insta::assert_snapshot!(
                $ended.seen().replace(env!("CARGO_BIN_EXE_floe"), "[floe]"),
                @$snapshot
            );
        });
    };
}

/// The problems of a section.
#[track_caller]
fn problems(ended: &Ended, section: &str) -> Vec<Json> {
    let code = ended.code.unwrap();
    let examined = ended.json(code);
    let problems = examined["problems"].as_array().unwrap();
    assert_eq!(code, i32::from(!problems.is_empty()));
    let of = problems.iter().filter(|each| each["section"] == section);
    of.cloned().collect()
}

/// The one problem that there is.
#[track_caller]
fn problem(ended: &Ended, section: &str) -> Json {
    let of = problems(ended, section);
    assert_eq!(of.len(), 1, "{of:?}");
    let one = of.into_iter().next().unwrap();
    assert_ne!(one["remedy"], "");
    one
}

#[test]
fn nothing_is_wrong() {
    let sandbox = Sandbox::new();
    sandbox.file("floe.toml", "[search]\npaths = [\"plugins\"]\n");
    plugins::put(&sandbox, "made", "plugins");
    assert_examined!(sandbox.floe(["doctor"]), @r"
    exit 0
    --- stdout
    isolation
      worker program  ok  [floe]

    sandbox
      [offers]

    store
      path  ok  [store], which is made when it is first needed
      size  ok  [size] in 0 copies

    state
      path  ok  [home]/.local/state/floe, which is made when it is first needed
      quarantined  ok  0 contents

    search path
      plugins  ok  1 plugin, 0 refused
      [beside]  missing  not there, and need not be
      [prefix]  missing  not there, and need not be
      [user]  missing  not there, and need not be

    trust
      policy  ok  owner
      lock file  missing  none, and no policy asks for it
      keys  ok  0 keys

    environment
      settings  ok  floe.toml
      FLOE_STORE  ok  where the store is

    no problems
    ");
    // To look makes nothing.
    assert!(!sandbox.work().join("../store").exists());
    assert_eq!(
        sandbox
            .floe(["call", "made.greet", "--input", r#"{"name":"Ada"}"#])
            .code,
        Some(0)
    );
    let examined = sandbox.floe(["doctor", "--json"]).json(0);
    assert_eq!(examined["problems"], json!([]));
    let sections = examined["sections"].as_array().unwrap();
    let store = sections
        .iter()
        .find(|each| each["name"] == "store")
        .unwrap();
    assert_eq!(store["items"][1]["name"], "private");
    assert_eq!(store["items"][1]["ok"], true);
    assert!(
        store["items"][2]["detail"]
            .as_str()
            .unwrap()
            .ends_with("in 1 copy")
    );
}

#[test]
fn a_program_that_is_no_worker() {
    let sandbox = Sandbox::new();
    let with = |program: &str, arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        sandbox.run(command.env("FLOE_WORKER", program))
    };
    assert_examined!(with("/nowhere", &["doctor"]), @r"
    exit 1
    --- stdout
    isolation
      worker program  missing  that `/nowhere` cannot be started: No such file or directory (os error 2)

    sandbox
      [offers]

    store
      path  ok  [store], which is made when it is first needed
      size  ok  [size] in 0 copies

    state
      path  ok  [home]/.local/state/floe, which is made when it is first needed
      quarantined  ok  0 contents

    search path
      [beside]  missing  not there, and need not be
      [prefix]  missing  not there, and need not be
      [user]  missing  not there, and need not be

    trust
      policy  ok  owner
      lock file  missing  none, and no policy asks for it
      keys  ok  0 keys

    environment
      settings  missing  no floe.toml from here upward, and none is needed
      FLOE_STORE  ok  where the store is
      FLOE_WORKER  ok  the worker program

    1 problem
      isolation: worker program
        found  that `/nowhere` cannot be started: No such file or directory (os error 2)
        to do  install `floe-worker` beside this program, or name it in `program` of `[isolation]` or in `FLOE_WORKER`
    ");
    let found = problem(&with("/bin/true", &["doctor", "--json"]), "isolation");
    assert_eq!(
        found["found"],
        "that `/bin/true` does not answer as a worker: it ended itself with status 0"
    );
    // The settings count before the environment.
    sandbox.file("floe.toml", "[isolation]\nprogram = \"my-worker\"\n");
    let found = problem(&with("/bin/true", &["doctor", "--json"]), "isolation");
    assert!(
        found["found"].as_str().unwrap().contains("my-worker"),
        "{found}"
    );
}

#[test]
fn what_a_sandbox_cannot_give_matters_where_it_is_asked_for() {
    let sandbox = Sandbox::new();
    let ended = sandbox.floe(["doctor", "--json"]);
    assert_eq!(problems(&ended, "sandbox"), [] as [Json; 0]);
    sandbox.file(
        "floe.toml",
        "[isolation.plugins]\nmade = { sandbox = \"strict\", memory = \"1GiB\" }\n",
    );
    // What this machine cannot give is known to the library alone.
    let rule = IsolationRule::new(Isolation::Worker);
    let rule = rule.sandbox(Profile::Strict).memory(1 << 30);
    let lacking = IsolationSettings::default().plugin("made", rule).lacking();
    let names: Vec<&str> = lacking.iter().map(|offer| offer.name).collect();
    let ended = sandbox.floe(["doctor", "--json"]);
    let told = problems(&ended, "sandbox");
    let told: Vec<&str> = told
        .iter()
        .map(|each| each["name"].as_str().unwrap())
        .collect();
    assert_eq!(told, names);
}

#[test]
fn directories_that_are_not_there_and_files_that_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.file("plugins/libcut.so", b"\x7fELF");
    plugins::put(&sandbox, "made", "plugins");
    let examined = sandbox.floe([
        "--plugin-dir=gone",
        "doctor",
        "--plugin-dir=plugins",
        "--json",
    ]);
    let found = problems(&examined, "search path");
    let names: Vec<&Json> = found.iter().map(|each| &each["name"]).collect();
    assert_eq!(names, ["gone", "plugins/libcut.so"]);
    let sections = &examined.json(1)["sections"];
    let sections = sections.as_array().unwrap().iter();
    let path = sections.clone().find(|each| each["name"] == "search path");
    let items = &path.unwrap()["items"];
    assert_eq!(
        (&items[0]["name"], &items[0]["ok"]),
        (&json!("gone"), &json!(false))
    );
    assert_eq!(
        items[1],
        json!({"name": "plugins", "ok": true, "detail": "1 plugin, 1 refused"})
    );
}

#[test]
#[cfg(unix)]
fn a_store_and_a_state_that_others_may_write_to() {
    use std::os::unix::fs::PermissionsExt;

    let sandbox = Sandbox::new();
    let open = sandbox.work().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    for (variable, section) in [("FLOE_STORE", "store"), ("FLOE_STATE", "state")] {
        let mut command = sandbox.command(["doctor", "--json"]);
        let found = problem(&sandbox.run(command.env(variable, &open)), section);
        assert_eq!(found["name"], "private");
        assert!(
            found["found"]
                .as_str()
                .unwrap()
                .contains("its mode is `0777`"),
            "{found}"
        );
        assert!(
            found["remedy"].as_str().unwrap().contains(variable),
            "{found}"
        );
    }
}

#[test]
fn what_policies_ask_for_and_is_not_there() {
    let sandbox = Sandbox::new();
    let found = problem(
        &sandbox.floe(["doctor", "--json", "--trust=locked"]),
        "trust",
    );
    assert_eq!(found["name"], "lock file");
    assert!(
        found["remedy"].as_str().unwrap().contains("floe lock"),
        "{found}"
    );
    let found = problem(
        &sandbox.floe(["doctor", "--json", "--trust=signed"]),
        "trust",
    );
    assert_eq!(found["name"], "keys");
    assert!(
        found["remedy"].as_str().unwrap().contains("[trust.keys]"),
        "{found}"
    );
    sandbox.file("floe.lock", "nothing");
    let found = problem(&sandbox.floe(["doctor", "--json"]), "trust");
    assert!(
        found["found"].as_str().unwrap().contains("is damaged"),
        "{found}"
    );
}

#[test]
fn variables_are_named_and_not_told() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(["doctor"]);
    command
        .env("FLOE_PLUGINS__MADE__GREETING", "hunter2")
        .env("FLOE_STROE", "hunter2");
    let examined = sandbox.run(&mut command);
    assert_eq!(examined.code, Some(0));
    let text = examined.stdout();
    assert!(!text.contains("hunter2"), "{text}");
    for (name, what) in [
        (
            "FLOE_PLUGINS__MADE__GREETING",
            "a key of a plugin's configuration",
        ),
        ("FLOE_STORE", "where the store is"),
        ("FLOE_STROE", "set, and floe knows of no such variable"),
    ] {
        let line = text.lines().find(|line| line.contains(name)).unwrap();
        assert!(line.ends_with(what), "{line}");
    }
}
