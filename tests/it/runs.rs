//! `floe run --resume` and `floe runs`.

use std::time::{Duration, Instant};

use crate::plugins;
use crate::sandbox::{Begun, Ended, Sandbox};

/// The first time it takes an hour at `slow`.
const SLOW: &str = "
id: slow
nodes:
  - { id: quick, node_type: moody.echo, parameters: { n: '{{ input.n }}' } }
  - id: slow
    node_type: wait
    needs: [quick]
    parameters: { duration: '{{ \"1h\" if context.attempt == 1 else \"1ms\" }}' }
  - { id: last, node_type: set, needs: [slow], parameters: { values: { n: '{{ steps.quick.output.n + 1 }}' } } }
";

fn sandbox(workflow: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let search = format!(
        "[search]\npaths = [\"{}\"]\n[audit]\nfile = \"audit.jsonl\"\n",
        plugins::directory()
    );
    sandbox.file("floe.toml", search);
    sandbox.file("w.yaml", workflow);
    sandbox
}

/// Begins a run, and waits until a node of it has begun.
fn begun(sandbox: &Sandbox, node: &str) -> Begun {
    let run = sandbox.begin([
        "run",
        "w.yaml",
        "--execution-id",
        "r1",
        "--input",
        r#"{"n":6}"#,
    ]);
    let patience = Instant::now() + Duration::from_secs(120);
    loop {
        let shown = sandbox.floe(["runs", "show", "r1", "--json"]);
        if shown.code == Some(0) {
            let record = shown.json(0);
            let nodes = record["nodes"].as_array().unwrap();
            if nodes.iter().any(|known| known["id"] == node) {
                assert_eq!(record["status"], "running");
                return run;
            }
        }
        assert!(
            Instant::now() < patience,
            "{}{}",
            shown.stdout(),
            shown.stderr
        );
    }
}

#[track_caller]
fn has_code(ended: &Ended, code: i32) {
    assert_eq!(ended.code, Some(code), "{}{}", ended.stdout(), ended.stderr);
}

#[track_caller]
fn is_refused(ended: &Ended, code: i32, expected: &str) {
    has_code(ended, code);
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn a_run_that_was_killed_goes_on_where_it_was() {
    let sandbox = sandbox(SLOW);
    let run = begun(&sandbox, "slow");
    is_refused(
        &sandbox.floe(["run", "--resume", "r1"]),
        3,
        "is being run, by this process or another one",
    );
    run.signal(rustix::process::Signal::KILL);
    assert_eq!(run.ended().code, None);

    let listed = sandbox.floe(["runs", "--json"]).json(0);
    assert_eq!(listed["runs"][0]["status"], "interrupted");
    let before = sandbox.floe(["runs", "show", "r1", "--json"]).json(0);
    assert_eq!(before["nodes"][0]["status"], "success");
    assert_eq!(before["nodes"][1]["status"], serde_json::Value::Null);
    let seen = sandbox.floe(["runs", "show", "r1"]);
    for expected in [
        "quick",
        "unfinished",
        "`floe run --resume r1` goes on with it.",
    ] {
        assert!(
            seen.stdout().contains(expected),
            "{expected}: {}",
            seen.stdout()
        );
    }
    // The file is not what counts, but what the run was begun with.
    sandbox.file("w.yaml", "id: other\nnodes: []\n");
    is_refused(
        &sandbox.floe(["run", "w.yaml", "--resume", "r1"]),
        2,
        "another text of the workflow `slow`",
    );
    let resumed = sandbox.floe(["run", "--resume", "r1", "--json"]).json(0);
    assert_eq!(resumed["status"], "success");
    assert_eq!(resumed["attempt"], 2);
    assert_eq!(resumed["output"]["n"], 7);
    let after = sandbox.floe(["runs", "show", "r1", "--json"]).json(0);
    assert_eq!(
        after["nodes"][0], before["nodes"][0],
        "`quick` was not called again"
    );
    assert_eq!(after["status"], "success");
    let calls = sandbox
        .floe(["audit", "tail", "--node-type", "moody.echo", "--json"])
        .json(0);
    assert_eq!(calls["records"].as_array().unwrap().len(), 1);
    is_refused(
        &sandbox.floe(["run", "--resume", "r1"]),
        3,
        "ended well: nothing of it is left to be done",
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_run_that_goes_on_later() {
    use rustix::process::Signal;
    let sandbox = sandbox(SLOW);
    let run = begun(&sandbox, "slow");
    run.signal(Signal::INT);
    let stopped = run.ended();
    is_refused(&stopped, 1, "stopping: no other node begins");
    assert!(
        stopped.stdout().contains("cancelled after"),
        "{}",
        stopped.stdout()
    );
    assert!(
        stopped
            .stdout()
            .contains("`floe run --resume r1` goes on with it.")
    );
    let resumed = sandbox.floe(["run", "--resume", "r1", "--json"]).json(0);
    assert_eq!(resumed["output"]["n"], 7);
}

#[cfg(unix)]
#[test]
fn what_twice_is_not_once_is_repeated_only_if_that_is_said() {
    let sandbox = sandbox(
        &SLOW
            .replace("node_type: wait", "node_type: moody.once")
            .replace(
                "duration: '{{ \"1h\" if context.attempt == 1 else \"1ms\" }}'",
                "ms: '{{ 3600000 if context.attempt == 1 else 1 }}'",
            ),
    );
    let run = begun(&sandbox, "slow");
    run.signal(rustix::process::Signal::KILL);
    run.ended();
    let refused = sandbox.floe(["run", "--resume", "r1"]);
    is_refused(&refused, 3, "`slow` (moody.once) had begun in the run `r1`");
    assert!(
        refused.stderr.contains("`--repeat` calls it again"),
        "{}",
        refused.stderr
    );
    let resumed = sandbox
        .floe(["run", "--resume", "r1", "--repeat", "--json"])
        .json(0);
    assert_eq!(resumed["status"], "success");
}

#[test]
fn runs_are_listed_shown_drawn_and_forgotten() {
    let sandbox = sandbox(
        "
id: w
nodes:
  - { id: a, node_type: moody.echo, parameters: { n: 1 } }
  - { id: b, node_type: moody.fail, needs: [a], on_error: continue }
  - { id: c, node_type: noop, needs: [b], when: 'input.n > 1' }
",
    );
    assert_eq!(sandbox.floe(["runs"]).stdout(), "No runs are on record.\n");
    is_refused(
        &sandbox.floe(["runs", "show", "r1"]),
        3,
        "no run is called `r1`; there is none yet",
    );
    for id in ["r1", "r2"] {
        let ran = sandbox.floe([
            "run",
            "w.yaml",
            "--execution-id",
            id,
            "--input",
            r#"{"n":1}"#,
        ]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout(), ran.stderr);
        for expected in ["a: success, ", "b: failed, "] {
            assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        }
    }
    let quiet = sandbox.floe([
        "run",
        "w.yaml",
        "--no-journal",
        "--quiet",
        "--input",
        r#"{"n":1}"#,
    ]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
    is_refused(
        &sandbox.floe(["run", "w.yaml", "--execution-id", "r1"]),
        2,
        "there is a run called `r1` already: resume it, or choose another execution id",
    );
    let listed = sandbox.floe(["runs", "--json"]).json(0);
    let ids: Vec<_> = listed["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["execution_id"])
        .collect();
    assert_eq!(ids, ["r2", "r1"]);
    let one = sandbox.floe(["runs", "-n", "1", "--json"]).json(0);
    assert_eq!(one["runs"].as_array().unwrap().len(), 1);
    assert!(sandbox.floe(["runs"]).stdout().contains("success"));

    let shown = sandbox.floe(["runs", "show", "r1", "--json"]).json(0);
    assert_eq!(shown["workflow"], "w");
    assert_eq!(shown["nodes"][1]["status"], "failed");
    assert_eq!(shown["nodes"][2]["status"], "skipped");
    let gave = sandbox
        .floe(["runs", "output", "r1", "a", "--json"])
        .json(0);
    assert_eq!(gave["n"], 1);
    is_refused(
        &sandbox.floe(["runs", "output", "r1", "b"]),
        3,
        "`b` gave nothing in the run `r1`: it is failed",
    );
    is_refused(
        &sandbox.floe(["runs", "output", "r1", "z"]),
        3,
        "no node `z` is on record of the run `r1`",
    );

    let drawn = sandbox.floe(["graph", "--run", "r1", "--format", "dot"]);
    assert_eq!(drawn.code, Some(0), "{}", drawn.stderr);
    let of_file = sandbox.floe(["graph", "w.yaml", "--run", "r1", "--format", "dot"]);
    assert_eq!(of_file.stdout(), drawn.stdout());
    for expected in ["success", "failed", "skipped"] {
        assert!(
            drawn.stdout().contains(expected),
            "{expected}: {}",
            drawn.stdout()
        );
    }

    is_refused(
        &sandbox.floe(["runs", "forget", "r3"]),
        3,
        "no run is called `r3`",
    );
    assert_eq!(
        sandbox.floe(["runs", "forget", "r1"]).stdout(),
        "1 run taken out.\n"
    );
    let older = sandbox.floe(["runs", "forget", "--older-than", "30d"]);
    assert_eq!(older.stdout(), "0 runs taken out.\n");
    let left = sandbox.floe(["runs", "forget", "--older-than", "1ms"]);
    assert_eq!(left.stdout(), "1 run taken out.\n");
    assert_eq!(sandbox.floe(["runs"]).stdout(), "No runs are on record.\n");
}

#[test]
fn workflows_find_those_that_they_call_beside_them_and_where_they_are_told() {
    let main = "
id: main
nodes:
  - { id: call, node_type: workflow.call, parameters: { workflow: sub, input: { n: '{{ input.n }}' } } }
";
    let sub = "id: sub\nnodes:\n  - { id: add, node_type: set, parameters: { values: { n: '{{ input.n + 1 }}' } } }\n";
    let sandbox = sandbox(main);
    let refused = sandbox.floe(["validate", "w.yaml"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stdout().contains("sub"), "{}", refused.stdout());
    let run = [
        "run",
        "w.yaml",
        "--input",
        r#"{"n":1}"#,
        "--json",
        "--workflow-dir",
        "others",
    ];
    sandbox.file("others/sub.yaml", sub);
    assert_eq!(sandbox.floe(run).json(0)["output"]["n"], 2);
    std::fs::remove_dir_all(sandbox.work().join("others")).unwrap();
    sandbox.file("sub.yaml", sub);
    assert_eq!(sandbox.floe(&run[..5]).json(0)["output"]["n"], 2);
    for (all, expected) in [
        (&["runs", "--json"][..], 2),
        (&["runs", "--json", "--all"], 4),
    ] {
        let runs = sandbox.floe(all).json(0);
        assert_eq!(
            runs["runs"].as_array().unwrap().len(),
            expected,
            "each call is a run of its own"
        );
    }
}

#[test]
fn where_runs_are_put_on_record_floe_toml_says() {
    let sandbox = sandbox("id: w\nnodes:\n  - { id: a, node_type: noop }\n");
    let search = format!("[search]\npaths = [\"{}\"]\n", plugins::directory());
    sandbox.file(
        "floe.toml",
        format!("{search}[workflows]\nruns = \"log\"\nsync = \"always\"\n"),
    );
    let ran = sandbox.floe(["run", "w.yaml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(sandbox.work().join("log/journal.db").exists());
    // A journal that cannot be used is no reason to lose what would be on record.
    sandbox.file("log/journal.db", "no database, and none of floe's, either");
    let refused = sandbox.floe(["run", "w.yaml"]);
    is_refused(
        &refused,
        1,
        "is no database, expected a journal of version 1",
    );
    assert!(
        refused
            .stderr
            .contains("`--no-journal` runs it without one"),
        "{}",
        refused.stderr
    );
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_calls_off_what_runs() {
    use rustix::process::Signal;
    let sandbox = sandbox(
        &SLOW
            .replace("node_type: wait", "node_type: moody.once")
            .replace(
                "duration: '{{ \"1h\" if context.attempt == 1 else \"1ms\" }}'",
                "ms: 3600000",
            ),
    );
    let mut run = begun(&sandbox, "slow");
    run.signal(Signal::INT);
    // The first one lets it run: an hour is not over.
    while !run.said().starts_with("stopping: no other node begins") {}
    let shown = sandbox.floe(["runs", "show", "r1", "--json"]).json(0);
    assert_eq!(shown["status"], "running");
    run.signal(Signal::INT);
    has_code(&run.ended(), 1);
    let shown = sandbox.floe(["runs", "show", "r1", "--json"]).json(0);
    assert_eq!(shown["status"], "cancelled");
    assert_eq!(shown["nodes"][1]["status"], "cancelled");
}

#[test]
fn how_large_a_workflow_may_be_floe_toml_says() {
    let sandbox =
        sandbox("id: w\nnodes:\n  - { id: a, node_type: noop }\n  - { id: b, node_type: noop }\n");
    assert_eq!(sandbox.floe(["validate", "w.yaml"]).code, Some(0));
    for (setting, expected) in [
        ("max_nodes = 1", "nodes"),
        ("max_bytes = 20", "bytes"),
        ("max_depth = 1", "deep"),
    ] {
        sandbox.file("floe.toml", format!("[workflows]\n{setting}\n"));
        let refused = sandbox.floe(["validate", "w.yaml"]);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(
            refused.stdout().contains(expected),
            "{setting}: {}",
            refused.stdout()
        );
    }
}
