//! Every way to say which node comes after which.

use floe_workflow::Format;

use crate::outside::{checked, told};

/// Nodes `a`, whose name is `First step`, and `b`, `c` and `d`; `k` is a condition.
const NODES: &str = "
id: w
nodes:
  - { id: a, name: First step, node_type: noop, on_error: error-port }
  - { id: b, node_type: noop }
  - { id: c, node_type: noop }
  - { id: k, node_type: condition, parameters: { condition: true } }
";

/// The arrows of a workflow whose connections are these.
#[track_caller]
fn check(connections: &str, expected: &[&str]) {
    let text = format!("{NODES}connections: {connections}\n");
    assert_eq!(arrows(&text), expected, "{text}");
}

#[track_caller]
fn arrows(text: &str) -> Vec<String> {
    let checked = checked(text, Format::Yaml);
    let id = |node: usize| checked.workflow().nodes[node].id.clone();
    let edges = checked.plan().edges().iter();
    let arrows = edges.map(|edge| format!("{} {} {}", id(edge.from), edge.port, id(edge.to)));
    arrows.collect()
}

#[test]
fn connections_in_every_form() {
    check(
        r#"{ a: { main: [[{ node: b, type: main, index: 0 }]] } }"#,
        &["a main b"],
    );
    check(
        r#"{ a: { main: [[{ node: b }, { node: c }]] } }"#,
        &["a main b", "a main c"],
    );
    check(r#"{ a: { main: { "0": [{ node: b }] } } }"#, &["a main b"]);
    check(r#"{ a: { main: { "0": b } } }"#, &["a main b"]);
    check(r#"{ a: { main: { node: b } } }"#, &["a main b"]);
    check(r#"{ a: { main: [b, c] } }"#, &["a main b", "a main c"]);
    check(r#"{ a: { main: [[b, c]] } }"#, &["a main b", "a main c"]);
    check(r#"{ a: { main: b } }"#, &["a main b"]);
    check(r#"{ a: b }"#, &["a main b"]);
    check(r#"{ a: [b, { node: c }] }"#, &["a main b", "a main c"]);
    check(r#"{ a: { node: b } }"#, &["a main b"]);
    check(
        r#"{ a: { main: [[b]], error: [[c]] } }"#,
        &["a main b", "a error c"],
    );
    check(r#"{ a: { error: c } }"#, &["a error c"]);
    check(
        r#"{ k: { main: [[b], [c]] } }"#,
        &["k main:0 b", "k main:1 c"],
    );
    check(r#"{ k: { main: [null, [c]] } }"#, &["k main:1 c"]);
    check(
        r#"{ k: { main: { "1": [c], "0": [b] } } }"#,
        &["k main:1 c", "k main:0 b"],
    );
    check(r#"{ k: { main: [[], c] } }"#, &["k main:1 c"]);
    check(r#"{}"#, &[]);
}

#[test]
fn names_will_do_where_ids_do() {
    check(
        r#"{ First step: { main: [[{ node: b }]] } }"#,
        &["a main b"],
    );
    check(
        r#"{ k: { main: [[{ node: First step }]] } }"#,
        &["k main:0 a"],
    );
}

#[test]
fn needs_in_every_form() {
    let needs = |needs: &str| format!("{NODES}  - {{ id: d, node_type: noop, needs: {needs} }}\n");
    assert_eq!(arrows(&needs("[a, b]")), ["a main d", "b main d"]);
    assert_eq!(arrows(&needs("[{ node: a }]")), ["a main d"]);
    assert_eq!(arrows(&needs("[{ node: a, port: main }]")), ["a main d"]);
    assert_eq!(arrows(&needs("[{ node: a, port: error }]")), ["a error d"]);
    assert_eq!(
        arrows(&needs("[{ node: a, port: 'main:0' }]")),
        ["a main d"]
    );
    assert_eq!(
        arrows(&needs("[{ node: k, port: 'main:1' }]")),
        ["k main:1 d"]
    );
    assert_eq!(arrows(&needs("[k]")), ["k main d"]);
    assert_eq!(arrows(&needs("[First step]")), ["a main d"]);
    assert_eq!(arrows(&needs("[]")), [""; 0]);
}

#[test]
fn both_are_one_graph_in_which_an_arrow_is_there_once() {
    let text = format!(
        "{NODES}  - {{ id: d, node_type: noop, needs: [a, a] }}\nconnections: {{ a: d, b: d }}\n"
    );
    assert_eq!(arrows(&text), ["a main d", "b main d"]);
}

#[test]
fn a_switch_has_an_output_for_each_case_and_one_for_none() {
    let text = "
id: w
nodes:
  - { id: s, node_type: switch, parameters: { value: 1, cases: [1, 2] } }
  - { id: a, node_type: noop, needs: [{ node: s, port: 'main:2' }] }
  - { id: b, node_type: noop, needs: [{ node: s, port: 'main:3' }] }
";
    let told = told(text, Format::Yaml);
    let expected = "line 6, column 39: error in node `b` at `/nodes/2/needs/0`: found `main:3`, but `s` has 3 outputs, from `main:0`; take one of those";
    assert_eq!(told.lines().next(), Some(expected));
}

#[test]
fn what_is_no_wiring() {
    let cases = [
        (
            "{ a: { mian: b } }",
            "line 8, column 21: error at `/connections/a/mian`: a node has no port `mian`, only `main` and `error`; did you mean `main`?",
        ),
        (
            "{ a: { main: [[{ nod: b }]] } }",
            "line 8, column 29: error at `/connections/a/main/0/0`: the connection has no `node`, which it needs; write `node`, the id or the name of a node\n\
             line 8, column 31: error at `/connections/a/main/0/0/nod`: a connection has no field `nod`; did you mean `node`?",
        ),
        (
            "{ a: { main: [[{ node: b, type: ai_tool }]] } }",
            "line 8, column 46: error at `/connections/a/main/0/0/type`: found `\"ai_tool\"`, expected one of `main`; write one of them",
        ),
        (
            "{ a: { main: { x: b } } }",
            "line 8, column 29: error at `/connections/a/main/x`: found `x`, expected the number of an output, from `0`",
        ),
        (
            "{ a: { main: 5 } }",
            "line 8, column 27: error at `/connections/a/main`: found `5`, expected a node's id or name, or `{ node: … }`",
        ),
        (
            "{ a: { main: [[b], [c]] } }",
            "line 8, column 34: error in node `a` at `/connections/a/main/1/0`: found `main:1`, but `a` has one output; only `condition` and `switch` have several",
        ),
        (
            "{ a: { error: [[b], [c]] } }",
            "line 8, column 28: error at `/connections/a/error`: found output 1, expected no more than a port has",
        ),
        (
            "[a]",
            "line 8, column 14: error at `/connections`: found a list, expected a map",
        ),
        (
            "{ zz: b }",
            "line 8, column 16: error at `/connections/zz`: `zz` is no node of this workflow; add it, or take this out",
        ),
        (
            "{ First stepp: b }",
            "line 8, column 16: error at `/connections/First stepp`: `First stepp` is no node of this workflow; did you mean `First step`?",
        ),
        (
            "{ a: { main: [[{ node: B }]] } }",
            "line 8, column 37: error in node `a` at `/connections/a/main/0/0/node`: `B` is no node of this workflow; did you mean `b`?",
        ),
    ];
    for (connections, expected) in cases {
        let text = format!("{NODES}connections: {connections}\n");
        let told = told(&text, Format::Yaml);
        let errors: Vec<&str> = told
            .lines()
            .filter(|line| line.contains(": error"))
            .collect();
        assert_eq!(errors.join("\n"), expected, "{connections}");
    }
}
