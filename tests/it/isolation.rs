//! `--isolation` and `floe worker`: plugins in processes of their own.

use serde_json::json;

use crate::plugins;
use crate::sandbox::{Ended, Sandbox, assert_seen};

/// A call, with settings, where no program can be started as a worker.
fn call_without_worker(settings: &str, arguments: &[&str]) -> Ended {
    let sandbox = Sandbox::new();
    sandbox.file("floe.toml", settings);
    let before = ["--plugin-dir", plugins::directory(), "call", "--json"];
    let mut command = sandbox.command(before.iter().chain(arguments));
    sandbox.run(command.env("FLOE_WORKER", "/nowhere/floe-worker"))
}

#[test]
fn a_worker_answers_as_the_plugin_does_here() {
    for isolation in ["in-process", "worker"] {
        let answer = Sandbox::new().floe([
            "--plugin-dir",
            plugins::directory(),
            "call",
            "made.greet",
            "--isolation",
            isolation,
            "--config",
            r#"{"greeting":"Hej"}"#,
            "--input",
            r#"{"name":"Ada"}"#,
            "--json",
        ]);
        assert_eq!(
            answer.json(0),
            json!({"text": "Hej, Ada!", "length": 9}),
            "{isolation}"
        );
    }
}

#[test]
fn a_crash_is_contained() {
    let arguments = ["--plugin-dir", plugins::directory_of_crashy(), "call"];
    let call = arguments
        .iter()
        .chain(&["crashy.abort", "--isolation", "worker"]);
    let sandbox = Sandbox::new();
    let crashed = sandbox.floe(call.clone());
    assert_eq!(crashed.code, Some(4), "{}", crashed.stderr);
    assert!(
        crashed
            .stderr
            .contains("it was ended by SIGABRT, an abort of its own"),
        "{}",
        crashed.stderr
    );
    let mut command = sandbox.command(call.chain(&["--json"]));
    let crashed = sandbox.run(command.env("FLOE_LOG", "off")).json(4);
    assert_eq!(crashed["error"]["kind"], "crashed");
    assert_eq!(crashed["error"]["details"]["signal"], 6);
    assert_eq!(
        crashed["error"]["details"]["stderr"],
        json!(["cannot go on"])
    );
}

#[test]
fn a_program_that_is_no_worker() {
    let sandbox = Sandbox::new();
    let call = |program: &str| {
        let mut command = sandbox.command([
            "--plugin-dir",
            plugins::directory(),
            "--isolation=worker",
            "call",
            "moody.echo",
            "--json",
        ]);
        let failed = sandbox.run(command.env("FLOE_WORKER", program)).json(3);
        let rejection = &failed["error"]["rejected"][0];
        assert_eq!(rejection["check"], "worker-program");
        assert!(
            rejection["remedy"]
                .as_str()
                .unwrap()
                .contains("FLOE_WORKER")
        );
        rejection["found"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        call("/nowhere/floe-worker"),
        "that `/nowhere/floe-worker` cannot be started: No such file or directory (os error 2)"
    );
    let found = call("/bin/true");
    assert!(
        found.starts_with("that `/bin/true` does not answer as a worker: it ended itself"),
        "{found}"
    );
}

#[test]
fn the_argument_counts_before_the_settings() {
    let input = ["moody.echo", "--input", "[1]"];
    let settings = "[isolation]\ndefault = \"worker\"\n";
    let refused = call_without_worker(settings, &input).json(3);
    assert_eq!(refused["error"]["rejected"][0]["check"], "worker-program");
    let here = [&input[..], &["--isolation", "in-process"]].concat();
    let answer = call_without_worker(settings, &here).json(0);
    assert_eq!(answer, json!([1]));
    // What is said of a plugin is stronger than what is said in general.
    let settings = "[isolation.plugins]\nmoody = \"in-process\"\n";
    let apart = [&input[..], &["--isolation", "worker"]].concat();
    let answer = call_without_worker(settings, &apart).json(0);
    assert_eq!(answer, json!([1]));
}

#[test]
fn a_place_that_is_none() {
    assert_seen!(Sandbox::new().floe(["call", "a.b", "--isolation", "process"]), @r"
    exit 2
    --- stderr
    error: invalid value 'process' for '--isolation <WHERE>'
      [possible values: in-process, worker]

      tip: a similar value exists: 'in-process'

    For more information, try '--help'.
    ");
}

#[test]
fn a_worker_by_hand() {
    assert_seen!(Sandbox::new().floe(["worker"]), @r"
    exit 2
    --- stderr
    floe-worker: this program is started by a floe host, which speaks to it through its standard input; to call a plugin, use `floe call`
    ");
    let number = std::process::id().to_string();
    let by_hand = Sandbox::new().floe(["worker", "--parent", &number]);
    assert_eq!(by_hand.seen(), Sandbox::new().floe(["worker"]).seen());
    // It is of no use to people, and they are not told of it.
    let help = Sandbox::new().floe(["--help"]);
    assert!(!help.stdout().contains("floe worker"), "{}", help.stdout());
}
