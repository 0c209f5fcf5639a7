//! What becomes of a node, by what leads to it.

use crate::fake::run;

/// What a node is, by which port it is left, and what becomes of the node behind that, and of the run.
const TABLE: &[(&str, &str, &str, &str)] = &[
    ("node_type: test.echo", "main", "success", "success"),
    (
        "node_type: test.echo, when: 1 < 2",
        "main",
        "success",
        "success",
    ),
    (
        "node_type: test.echo, when: 1 > 2",
        "main",
        "skipped",
        "success",
    ),
    (
        "node_type: test.echo, disabled: true",
        "main",
        "skipped",
        "success",
    ),
    (
        "node_type: test.fail, disabled: true",
        "main",
        "skipped",
        "success",
    ),
    (
        "node_type: test.echo, on_error: error-port",
        "main",
        "success",
        "success",
    ),
    (
        "node_type: test.echo, on_error: error-port",
        "error",
        "skipped",
        "success",
    ),
    (
        "node_type: test.fail, on_error: error-port",
        "main",
        "skipped",
        "success",
    ),
    (
        "node_type: test.fail, on_error: error-port",
        "error",
        "success",
        "success",
    ),
    (
        "node_type: test.fail, on_error: continue",
        "main",
        "success",
        "success",
    ),
    (
        "node_type: test.fail, on_error: continue",
        "error",
        "skipped",
        "success",
    ),
    ("node_type: test.fail", "main", "not-run", "failed"),
    ("node_type: test.fail", "error", "not-run", "failed"),
    (
        "node_type: fail, parameters: { message: no }, on_error: error-port",
        "error",
        "success",
        "success",
    ),
    (
        "node_type: condition, parameters: { condition: true }",
        "'main:0'",
        "success",
        "success",
    ),
    (
        "node_type: condition, parameters: { condition: true }",
        "'main:1'",
        "skipped",
        "success",
    ),
    (
        "node_type: condition, parameters: { condition: false }",
        "'main:0'",
        "skipped",
        "success",
    ),
    (
        "node_type: condition, parameters: { condition: false }",
        "'main:1'",
        "success",
        "success",
    ),
    (
        "node_type: condition, parameters: { condition: '{{ 1 }}' }, on_error: error-port",
        "'main:0'",
        "skipped",
        "success",
    ),
    (
        "node_type: condition, parameters: { condition: '{{ 1 }}' }, on_error: error-port",
        "error",
        "success",
        "success",
    ),
    (
        "node_type: condition, parameters: { condition: '{{ 1 }}' }, on_error: continue",
        "'main:0'",
        "success",
        "success",
    ),
    (
        "node_type: switch, parameters: { value: b, cases: [a, b] }",
        "'main:0'",
        "skipped",
        "success",
    ),
    (
        "node_type: switch, parameters: { value: b, cases: [a, b] }",
        "'main:1'",
        "success",
        "success",
    ),
    (
        "node_type: switch, parameters: { value: z, cases: [a, b] }",
        "'main:2'",
        "success",
        "success",
    ),
    (
        "node_type: test.echo, foreach: { items: [] }",
        "main",
        "success",
        "success",
    ),
    (
        "node_type: test.fail, foreach: { items: [1] }, on_error: error-port",
        "error",
        "success",
        "success",
    ),
    (
        "node_type: test.echo, foreach: { items: '{{ 1 }}' }, on_error: error-port",
        "error",
        "success",
        "success",
    ),
];

#[test]
fn each_edge_leads_where_the_table_says() {
    for (node, port, behind, whole) in TABLE {
        let run = run(&format!(
            "
id: w
nodes:
  - {{ id: a, {node} }}
  - {{ id: b, node_type: noop, needs: [{{ node: a, port: {port} }}] }}
  - {{ id: c, node_type: noop, needs: [b] }}
"
        ));
        let found = (run.nodes["b"].status.as_str(), run.status.as_str());
        assert_eq!(found, (*behind, *whole), "{node}, by {port}: {run:?}");
        assert_eq!(
            run.nodes["c"].status.as_str(),
            *behind,
            "as far as it goes: {node}"
        );
    }
}

#[test]
fn a_join_runs_where_one_edge_was_taken_and_all_are_decided() {
    // Of the two that lead to it, whether each is taken.
    for (first, second, expected) in [
        ("1 < 2", "1 < 2", "success"),
        ("1 < 2", "1 > 2", "success"),
        ("1 > 2", "1 < 2", "success"),
        ("1 > 2", "1 > 2", "skipped"),
    ] {
        let run = run(&format!(
            "
id: w
nodes:
  - {{ id: a, node_type: test.echo, when: {first} }}
  - {{ id: b, node_type: test.echo, when: {second} }}
  - {{ id: c, node_type: merge, needs: [a, b] }}
"
        ));
        assert_eq!(
            run.nodes["c"].status.as_str(),
            expected,
            "{first}, {second}"
        );
    }
}
