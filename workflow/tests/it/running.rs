//! How runs go.

use std::time::Duration;

use floe_registry::api::{ErrorKind, Value, value};
use floe_workflow::{NodeStatus, Run, RunOptions, RunStatus, Stop};

use crate::fake::{run, runner};

#[track_caller]
fn statuses(run: &Run) -> Vec<(&str, &str)> {
    let nodes = run.nodes.iter();
    nodes
        .map(|(id, node)| (id.as_str(), node.status.as_str()))
        .collect()
}

#[test]
fn outputs_go_from_node_to_node_with_their_types() {
    let run = run("
id: w
variables: { tax: 0.5 }
nodes:
  - { id: a, node_type: set, parameters: { values: { rows: [1, 2, 3], n: 9007199254740993 } } }
  - id: b
    node_type: test.echo
    needs: [a]
    parameters:
      rows: '{{ steps.a.output.rows }}'
      n: '{{ steps.a.output.n }}'
      text: 'there are {{ steps.a.output.rows | length }}'
      tax: '{{ variables.tax }}'
");
    assert_eq!(run.status, RunStatus::Success);
    assert_eq!(
        run.output,
        value!({"rows": [1, 2, 3], "n": 9007199254740993_i64, "text": "there are 3", "tax": 0.5})
    );
}

#[test]
fn a_join_runs_once_after_all_that_lead_to_it() {
    let runner = runner(
        "
id: w
nodes:
  - { id: a, node_type: test.echo, parameters: { v: 1 } }
  - { id: b, node_type: test.echo, needs: [a], parameters: { v: 2 } }
  - { id: c, node_type: test.echo, needs: [a], parameters: { v: 3 } }
  - { id: d, node_type: merge, needs: [b, c] }
",
    );
    let run = runner.run(Value::Null, &RunOptions::default());
    assert_eq!(run.output, value!({"b": {"v": 2}, "c": {"v": 3}}));
    let counts = runner.caller().counts();
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    assert_eq!(counts.len(), 3, "a merge calls nobody");
}

#[test]
fn branches_that_are_not_taken_are_skipped_as_far_as_nothing_else_leads_there() {
    let run = run("
id: w
nodes:
  - { id: if, node_type: condition, parameters: { condition: '{{ 2 > 1 }}' } }
  - { id: yes, node_type: test.echo, needs: [{ node: if, port: 'main:0' }], parameters: { v: 1 } }
  - { id: no, node_type: test.echo, needs: [{ node: if, port: 'main:1' }], parameters: { v: 2 } }
  - { id: after-no, node_type: test.echo, needs: [no], parameters: { v: 3 } }
  - { id: both, node_type: merge, needs: [yes, after-no] }
");
    assert_eq!(
        statuses(&run),
        [
            ("after-no", "skipped"),
            ("both", "success"),
            ("if", "success"),
            ("no", "skipped"),
            ("yes", "success")
        ]
    );
    assert_eq!(run.output, value!({"yes": {"v": 1}}));
}

#[test]
fn a_switch_takes_the_first_case_that_fits() {
    for (value, expected) in [("a", "first"), ("b", "second"), ("z", "else")] {
        let run = run(&format!(
            "
id: w
nodes:
  - {{ id: of, node_type: switch, parameters: {{ value: {value}, cases: [a, b, b] }} }}
  - {{ id: first, node_type: noop, needs: [{{ node: of, port: 'main:0' }}] }}
  - {{ id: second, node_type: noop, needs: [{{ node: of, port: 'main:1' }}] }}
  - {{ id: third, node_type: noop, needs: [{{ node: of, port: 'main:2' }}] }}
  - {{ id: else, node_type: noop, needs: [{{ node: of, port: 'main:3' }}] }}
"
        ));
        let taken: Vec<_> = statuses(&run)
            .into_iter()
            .filter(|(id, status)| *status == "success" && *id != "of")
            .map(|(id, _)| id)
            .collect();
        assert_eq!(taken, [expected]);
    }
}

#[test]
fn a_failure_is_what_the_node_says() {
    let with = |on_error: &str, port: &str| {
        run(&format!("
id: w
nodes:
  - {{ id: a, node_type: test.fail, on_error: {on_error} }}
  - {{ id: b, node_type: test.echo, needs: [{{ node: a, port: {port} }}], parameters: {{ why: '{{{{ steps.a.error.message | default(none) }}}}' }} }}
"))
    };
    let stopped = with("stop", "main");
    assert_eq!(stopped.status, RunStatus::Failed);
    assert_eq!(stopped.failed.as_deref(), Some("a"));
    assert_eq!(statuses(&stopped), [("a", "failed"), ("b", "not-run")]);
    let failure = stopped.nodes["a"].error.as_ref().unwrap();
    assert_eq!(failure.details, value!({"code": 7}));

    let went_on = with("continue", "main");
    assert_eq!(went_on.status, RunStatus::Success);
    assert_eq!(statuses(&went_on), [("a", "failed"), ("b", "success")]);

    let dealt_with = with("error-port", "error");
    assert_eq!(dealt_with.status, RunStatus::Success);
    assert_eq!(dealt_with.output, value!({"why": "as it was told"}));
    let not_needed = with("error-port", "main");
    assert_eq!(statuses(&not_needed), [("a", "failed"), ("b", "skipped")]);
}

#[test]
fn a_node_that_is_left_out_leads_nowhere() {
    let run = run("
id: w
nodes:
  - { id: a, node_type: test.echo, disabled: true }
  - { id: b, node_type: test.echo, needs: [a] }
  - { id: c, node_type: test.echo, when: 1 > 2 }
");
    assert_eq!(
        statuses(&run),
        [("a", "disabled"), ("b", "skipped"), ("c", "skipped")]
    );
    assert_eq!(run.status, RunStatus::Success);
}

#[test]
fn each_item_has_its_call_and_the_order_stays() {
    let runner = runner(
        "
id: w
nodes:
  - id: a
    node_type: test.echo
    foreach: { items: '{{ input.rows }}', concurrency: 3, as: item }
    parameters: { v: '{{ item * 10 }}', at: '{{ index }}' }
",
    );
    let rows: Vec<Value> = (0..50).map(Value::from).collect();
    let input = value!({"rows": (Value::from(rows))});
    let run = runner.run(input, &RunOptions::default());
    let expected: Vec<Value> = (0..50).map(|n| value!({"v": (n * 10), "at": n})).collect();
    assert_eq!(run.output, Value::from(expected));
    assert_eq!(run.nodes["a"].attempts, 50);
}

#[test]
fn one_item_that_fails_fails_the_node() {
    let run = run("
id: w
nodes:
  - id: a
    node_type: test.fail
    foreach: { items: [1, 2, 3] }
");
    assert_eq!(run.status, RunStatus::Failed);
    let failure = run.nodes["a"].error.as_ref().unwrap();
    assert!(failure.message.starts_with("item 0: "), "{failure}");
}

#[test]
fn as_many_run_at_once_as_may() {
    let nodes = |count: usize| {
        let node = |n: usize| {
            format!("  - {{ id: n{n}, node_type: test.meet, parameters: {{ with: 4 }} }}\n")
        };
        (0..count).map(node).collect::<String>()
    };
    // They wait for each other: with fewer threads this would not end.
    let runner = runner(&format!(
        "id: w\nsettings: {{ max_concurrency: 4 }}\nnodes:\n{}",
        nodes(8)
    ));
    let run = runner.run(Value::Null, &RunOptions::default());
    assert_eq!(run.status, RunStatus::Success);
    assert_eq!(run.metrics["success"], 8);
}

#[test]
fn no_more_of_a_type_than_may() {
    let run = run("
id: w
settings: { max_concurrency: 8, max_concurrency_by_type: { wait: 1 } }
nodes:
  - { id: a, node_type: wait, parameters: { duration: 1ms } }
  - { id: b, node_type: wait, parameters: { duration: 1ms } }
  - { id: c, node_type: wait, parameters: { duration: 1ms } }
");
    assert_eq!(run.metrics["success"], 3);
}

#[test]
fn a_run_that_is_stopped_begins_nothing_and_leaves_nothing_behind() {
    let runner = runner(
        "
id: w
nodes:
  - { id: a, node_type: test.heed }
  - { id: b, node_type: test.echo, needs: [a] }
",
    );
    let stop = Stop::new();
    let switch = stop.clone();
    let options = RunOptions::new().stop(stop).listener(move |_| switch.now());
    let run = runner.run(Value::Null, &options);
    assert_eq!(run.status, RunStatus::Cancelled);
    assert_eq!(statuses(&run), [("a", "cancelled"), ("b", "not-run")]);
}

#[test]
fn time_bounds_a_node_and_a_run() {
    let node = run("
id: w
nodes:
  - { id: a, node_type: wait, timeout: 5ms, parameters: { duration: 1h } }
");
    assert_eq!(node.status, RunStatus::Failed);
    let failure = node.nodes["a"].error.as_ref().unwrap();
    assert_eq!(failure.kind, ErrorKind::ExecutionTimeout);
    let all = run("
id: w
settings: { timeout: 5ms }
nodes:
  - { id: a, node_type: wait, parameters: { duration: 1h }, on_error: continue }
  - { id: b, node_type: noop, needs: [a] }
");
    assert_eq!(all.status, RunStatus::TimedOut);
    assert_eq!(all.nodes["b"].status, NodeStatus::NotRun);
}

#[test]
fn calls_say_whose_they_are() {
    let runner = runner(
        "
id: w
tenant: acme
nodes:
  - { id: a, node_type: test.context, timeout: 1m }
",
    );
    let options = RunOptions::new().execution_id("run-7");
    let run = runner.run(Value::Null, &options);
    assert_eq!(
        run.output,
        value!({"tenant": "acme", "execution": "run-7", "node": "a", "bounded": true})
    );
}

#[test]
fn outputs_are_kept_as_long_as_somebody_may_ask() {
    let text = "
id: w
nodes:
  - { id: a, node_type: test.echo, parameters: { v: 1 } }
  - { id: b, node_type: test.echo, needs: [a], parameters: { v: '{{ steps.a.output.v }}' } }
  - { id: c, node_type: test.echo, needs: [b], parameters: { v: '{{ steps.a.output.v }}' } }
";
    let run = run(text);
    let has = |id: &str| run.nodes[id].output.is_some();
    assert_eq!((has("a"), has("b"), has("c")), (false, false, true));
    let options = RunOptions::new().keep_outputs();
    let run = runner(text).run(Value::Null, &options);
    assert!(run.nodes.values().all(|node| node.output.is_some()));
}

#[test]
fn a_chain_of_ten_thousand_ends() {
    let mut text = "id: w\nnodes:\n  - { id: n0, node_type: noop }\n".to_owned();
    for n in 1..10_000 {
        text += &format!("  - {{ id: n{n}, node_type: noop, needs: [n{}] }}\n", n - 1);
    }
    let all = run(&text);
    assert_eq!(all.metrics["success"], 10_000);
    // And is skipped to its end.
    let skipped = run(&text.replacen("node_type: noop }", "node_type: noop, when: 1 > 2 }", 1));
    assert_eq!(skipped.metrics["skipped"], 10_000);
}

#[test]
fn a_wait_passes_on_what_came() {
    let run = run("
id: w
nodes:
  - { id: a, node_type: set, parameters: { values: { v: 1 } } }
  - { id: b, node_type: wait, needs: [a], parameters: { duration: 1ms } }
");
    assert_eq!(run.output, value!({"v": 1}));
    assert!(run.duration >= Duration::from_millis(1));
}

#[test]
fn who_listens_and_panics_fails_the_node_and_holds_up_nothing() {
    let runner = runner(
        "
id: w
nodes:
  - { id: a, node_type: test.echo }
  - { id: b, node_type: test.echo, needs: [a] }
",
    );
    let began = RunOptions::new().listener(|told| assert!(!told.to_string().contains("began")));
    let run = runner.run(Value::Null, &began);
    let failure = run.nodes["a"].error.as_ref().unwrap();
    assert_eq!(failure.kind, ErrorKind::Panicked);
    let ended = RunOptions::new().listener(|told| assert!(!told.to_string().contains("ended")));
    let run = runner.run(Value::Null, &ended);
    assert_eq!(run.status, RunStatus::Success);
}
