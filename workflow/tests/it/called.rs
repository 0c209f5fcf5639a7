//! Runs of workflows that call others.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use floe_registry::api::{ErrorKind, Value, value};
use floe_workflow::{
    Document, Format, Journal, JournalSettings, Limits, Run, RunOptions, RunStatus, Runner, Stop,
    Told, Validator,
};

use crate::fake::{Fake, Known};
use crate::library::Shelf;

/// Adds one to what it is given, in two steps.
const ADD: &str = "
id: add
nodes:
  - { id: one, node_type: test.echo, parameters: { n: '{{ input.n + 1 }}' } }
  - { id: two, node_type: set, needs: [one], parameters: { values: { n: '{{ steps.one.output.n }}', by: '{{ context.execution_id }}' } } }
";

const MAIN: &str = "
id: main
nodes:
  - { id: first, node_type: workflow.call, parameters: { workflow: add, input: { n: '{{ input.n }}' } } }
  - { id: then, node_type: workflow.call, needs: [first], parameters: { workflow: add, input: { n: '{{ steps.first.output.n }}' } } }
  - { id: last, node_type: test.echo, needs: [then], parameters: { n: '{{ steps.then.output.n }}' } }
";

/// Reads, checks and makes ready, with others that it may call.
pub(crate) fn runner(text: &str, others: &[&str]) -> Runner<Fake> {
    let read = |text: &str| Document::read(text, Format::Yaml, &Limits::default()).unwrap();
    let shelf = others
        .iter()
        .map(|text| (read(text).workflow().id.clone(), (*text).to_owned()));
    let validator = Validator::new(Known).library(Shelf::new(shelf));
    let checked = validator.validate(read(text));
    Runner::new(
        Fake::default(),
        checked.unwrap_or_else(|problems| panic!("{problems}")),
    )
}

fn run(text: &str, others: &[&str], input: Value) -> Run {
    runner(text, others).run(input, &RunOptions::new().execution_id("r"))
}

/// A run that is stopped as soon as this node is told of.
fn stopped_at(node: &'static str) -> RunOptions {
    let stop = Stop::new();
    let switch = stop.clone();
    RunOptions::new()
        .execution_id("r")
        .stop(stop)
        .listener(move |told| {
            if told.node() == node {
                switch.now();
            }
        })
}

#[test]
fn what_it_is_given_and_what_it_gives_go_through_the_node() {
    let run = run(MAIN, &[ADD], value!({"n": 40}));
    assert_eq!(run.status, RunStatus::Success, "{run:?}");
    assert_eq!(run.output, value!({"n": 42}));
    assert_eq!(run.nodes.len(), 3, "its nodes are its own affair");
}

#[test]
fn one_that_is_called_for_each_item_is_a_run_of_its_own_each_time() {
    let text = "
id: main
nodes:
  - id: each
    node_type: workflow.call
    foreach: { items: [1, 2, 3], concurrency: 2 }
    parameters: { workflow: add, input: { n: '{{ item }}' } }
";
    let run = run(text, &[ADD], Value::Null);
    assert_eq!(
        run.output,
        value!([
            {"n": 2, "by": "r/each[0]"},
            {"n": 3, "by": "r/each[1]"},
            {"n": 4, "by": "r/each[2]"}
        ])
    );
}

#[test]
fn one_that_fails_fails_the_node_that_called_it_and_says_where() {
    let failing = "id: add\nnodes:\n  - { id: bad, node_type: test.fail }\n";
    let failed = run(MAIN, &[failing], value!({"n": 1}));
    assert_eq!(
        (failed.status, failed.failed.as_deref()),
        (RunStatus::Failed, Some("first"))
    );
    let error = failed.nodes["first"].error.as_ref().unwrap();
    assert_eq!(error.kind, ErrorKind::ExecutionError);
    assert_eq!(error.message, "workflow `add`: node `bad`: as it was told");
    assert_eq!(error.details, value!({"code": 7}));
    // It may be dealt with as any other.
    let text = "
id: main
nodes:
  - { id: call, node_type: workflow.call, on_error: error-port, parameters: { workflow: add } }
  - { id: why, node_type: set, needs: [{ node: call, port: error }], parameters: { values: { kind: '{{ steps.call.error.kind }}' } } }
";
    let dealt_with = run(text, &[failing], Value::Null);
    assert_eq!(dealt_with.output, value!({"kind": "execution-error"}));
}

#[test]
fn the_time_of_the_node_bounds_it() {
    let slow = "id: add\nnodes:\n  - { id: wait, node_type: wait, parameters: { duration: 1h } }\n";
    let text = MAIN.replace("{ id: first,", "{ id: first, timeout: 20ms,");
    let late = run(&text, &[slow], value!({"n": 1}));
    let error = late.nodes["first"].error.as_ref().unwrap();
    assert_eq!(error.kind, ErrorKind::ExecutionTimeout);
    assert!(
        error.message.starts_with("workflow `add`: "),
        "{}",
        error.message
    );
}

#[test]
fn a_stop_stops_it_too() {
    let slow = "id: add\nnodes:\n  - { id: wait, node_type: wait, parameters: { duration: 1h } }\n";
    let options = stopped_at("first/wait");
    let run = runner(MAIN, &[slow]).run(value!({"n": 1}), &options);
    assert_eq!(run.status, RunStatus::Cancelled);
    assert_eq!(run.nodes["first"].status.as_str(), "cancelled");
    assert_eq!(run.nodes["then"].status.as_str(), "not-run");
}

#[test]
fn it_is_told_of_below_the_node_that_calls() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = told.clone();
    let options = RunOptions::new().execution_id("r").listener(move |told| {
        if let Told::Began { node } = told {
            seen.lock().unwrap().push(node.to_owned());
        }
    });
    let _ = runner(MAIN, &[ADD]).run(value!({"n": 1}), &options);
    assert_eq!(
        *told.lock().unwrap(),
        [
            "first",
            "first/one",
            "first/two",
            "then",
            "then/one",
            "then/two",
            "last"
        ]
    );
}

#[test]
fn it_is_called_for_the_same_tenant_or_not_at_all() {
    let whose = "id: add\nnodes:\n  - { id: whose, node_type: test.context }\n";
    let text = "id: main\ntenant: acme\nnodes:\n  - { id: call, node_type: workflow.call, parameters: { workflow: add } }\n";
    let tenant = |run: &Run| run.output.get("tenant").cloned();
    assert_eq!(
        tenant(&run(text, &[whose], Value::Null)),
        Some("acme".into())
    );
    let options = RunOptions::new().execution_id("r").tenant("other");
    let replaced = runner(text, &[whose]).run(Value::Null, &options);
    assert_eq!(tenant(&replaced), Some("other".into()));
    // A workflow that says whose it is, is of nobody else.
    let own = whose.replace("id: add", "id: add\ntenant: acme");
    let refused = runner(text, &[&own]).run(Value::Null, &options);
    let error = refused.nodes["call"].error.as_ref().unwrap();
    assert_eq!(error.kind, ErrorKind::DisabledForTenant);
    assert_eq!(
        error.message,
        "workflow `add` is of the tenant `acme`, and this run is for `other`"
    );
}

/// The journal as it is at each moment at which somebody is told something.
fn moments(directory: &Path) -> (Run, Vec<(std::path::PathBuf, Vec<String>)>) {
    let whole = directory.join("whole");
    let journal = Journal::open(&JournalSettings::new(&whole)).unwrap();
    let moments = Arc::new(Mutex::new((Vec::new(), Vec::<String>::new())));
    let (seen, base) = (moments.clone(), directory.to_owned());
    let options = RunOptions::new().execution_id("r").listener(move |told| {
        let mut seen = seen.lock().unwrap();
        if let Told::Ended { node, .. } = told {
            seen.1.push(node.to_owned());
        }
        let to = base.join(seen.0.len().to_string());
        crate::journal::snapshot(&base.join("whole"), &to);
        let ended = seen.1.clone();
        seen.0.push((to, ended));
    });
    let run = runner(MAIN, &[ADD])
        .record(value!({"n": 40}), &options, &journal)
        .unwrap();
    let moments = moments.lock().unwrap().0.clone();
    (run, moments)
}

#[test]
fn a_run_that_is_gone_on_with_goes_on_within_what_it_called() {
    let directory = tempfile::tempdir().unwrap();
    let (whole, moments) = moments(directory.path());
    assert_eq!(whole.status, RunStatus::Success);
    assert_eq!(moments.len(), 14);
    for (at, ended) in moments {
        let journal = Journal::open(&JournalSettings::new(&at)).unwrap();
        let Ok(interrupted) = journal.interrupted("r") else {
            assert!(ended.contains(&"last".to_owned()));
            continue;
        };
        let runner = runner(MAIN, &[ADD]);
        let run = runner.resume(interrupted, &RunOptions::new()).unwrap();
        assert_eq!(run.status, RunStatus::Success, "{run:?} after {ended:?}");
        assert_eq!(run.output, whole.output);
        // `one` is there twice, once in each run of `add`.
        let left = ["first/one", "then/one", "last"]
            .map(|node| usize::from(!ended.contains(&node.to_owned())));
        let called: BTreeMap<String, usize> = runner.caller().counts();
        let count = |node: &str| called.get(node).copied().unwrap_or_default();
        assert_eq!(
            [count("one"), count("last")],
            [left[0] + left[1], left[2]],
            "after {ended:?}"
        );
    }
}

#[test]
fn the_runs_of_those_that_are_called_are_on_record_and_go_with_the_one_that_called_them() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(&JournalSettings::new(directory.path())).unwrap();
    let options = RunOptions::new().execution_id("r");
    let run = runner(MAIN, &[ADD])
        .record(value!({"n": 40}), &options, &journal)
        .unwrap();
    assert_eq!(run.output, value!({"n": 42}));
    let runs = journal.all_runs(10).unwrap();
    let ids: Vec<(&str, Option<&str>)> = runs
        .iter()
        .map(|run| (run.execution_id.as_str(), run.called_by.as_deref()))
        .collect();
    assert_eq!(
        ids,
        [("r/then", Some("r")), ("r/first", Some("r")), ("r", None)]
    );
    assert_eq!(
        journal.output("r/first", "one").unwrap(),
        Some(value!({"n": 41}))
    );
    assert_eq!(journal.forget("r").unwrap(), 3);
    assert!(journal.runs(10).unwrap().is_empty());
}

#[test]
fn one_that_was_changed_meanwhile_is_not_gone_on_with() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(&JournalSettings::new(directory.path())).unwrap();
    let failing = "id: add\nnodes:\n  - { id: bad, node_type: test.fail }\n";
    let options = RunOptions::new().execution_id("r");
    let failed = runner(MAIN, &[failing])
        .record(value!({"n": 1}), &options, &journal)
        .unwrap();
    assert_eq!(failed.status, RunStatus::Failed);
    let interrupted = journal.interrupted("r").unwrap();
    let run = runner(MAIN, &[ADD])
        .resume(interrupted, &RunOptions::new())
        .unwrap();
    let fault = run.fault.unwrap();
    let expected = "the run `r/first` was begun with another text of the workflow `add`";
    assert!(fault.starts_with(expected), "{fault}");
}

#[test]
fn a_run_of_somebody_elses_is_not_taken_for_one_that_was_called() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(&JournalSettings::new(directory.path())).unwrap();
    let own = RunOptions::new().execution_id("r/first");
    runner(ADD, &[])
        .record(value!({"n": 100}), &own, &journal)
        .unwrap();
    let options = RunOptions::new().execution_id("r");
    let run = runner(MAIN, &[ADD])
        .record(value!({"n": 1}), &options, &journal)
        .unwrap();
    let fault = run.fault.unwrap();
    assert!(
        fault.starts_with("there is a run called `r/first` already"),
        "{fault}"
    );
}

#[test]
fn what_is_gone_on_with_keeps_what_it_was_begun_with() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(&JournalSettings::new(directory.path())).unwrap();
    let text = "
id: main
nodes:
  - { id: first, node_type: workflow.call, parameters: { workflow: add, input: { n: '{{ context.attempt }}' } } }
";
    let add = ADD.replace(
        "{ id: two, node_type: set,",
        "{ id: two, node_type: wait, parameters: { duration: '{{ \"1h\" if context.attempt == 1 else \"1ms\" }}' }, needs: [one] }\n  - { id: three, node_type: set,",
    ).replace("needs: [one], parameters: { values", "needs: [two], parameters: { values");
    let options = stopped_at("first/two");
    let run = runner(text, &[&add])
        .record(Value::Null, &options, &journal)
        .unwrap();
    assert_eq!(run.status, RunStatus::Cancelled);
    let interrupted = journal.interrupted("r").unwrap();
    let run = runner(text, &[&add])
        .resume(interrupted, &RunOptions::new())
        .unwrap();
    assert_eq!(
        run.output.get("n"),
        Some(&2.into()),
        "1 and one, not 2 and one: {run:?}"
    );
}
