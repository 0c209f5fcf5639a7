//! What a validator finds, each with its exact words and its place.

use floe_workflow::Format;

use crate::outside::told;

/// A workflow of node `a` and what else is given, from line 5.
#[track_caller]
fn check(rest: &str, expected: &[&str]) {
    let text = format!(
        "id: w\nvariables: {{ limit: 5 }}\nnodes:\n- {{ id: a, node_type: noop }}\n{rest}\n"
    );
    let told = told(&text, Format::Yaml);
    assert_eq!(told.lines().collect::<Vec<_>>(), expected, "{rest}");
}

/// A node `b` after `a`, with these fields.
#[track_caller]
fn node(fields: &str, expected: &[&str]) {
    check(&format!("- id: b\n  needs: [a]\n  {fields}"), expected);
}

#[test]
fn ids() {
    check(
        "- { id: a, node_type: noop, needs: [a] }",
        &[
            "line 5, column 9: error in node `a` at `/nodes/1/id`: another node is `a` already, at line 4; give one of them another id",
        ],
    );
    check(
        "triggers: [{ id: t, kind: manual }, { id: t, kind: webhook }]",
        &[
            "line 5, column 43: error at `/triggers/1/id`: another trigger is `t` already, at line 5; give one of them another id",
        ],
    );
}

#[test]
fn wiring() {
    check(
        "- { id: fetch, node_type: noop, needs: [a] }\n- { id: b, node_type: noop, needs: [fetsch] }",
        &[
            "line 6, column 37: error in node `b` at `/nodes/2/needs/0`: `fetsch` is no node of this workflow; did you mean `fetch`?",
        ],
    );
    node(
        "node_type: noop\n  name: b\n- { id: c, needs: [b, c], node_type: noop }",
        &[
            "line 9, column 23: error in node `c` at `/nodes/2/needs/1`: `c` needs itself; take this out",
        ],
    );
    check(
        "- { id: b, needs: [d], node_type: noop }\n- { id: c, needs: [b], node_type: noop }\n- { id: d, needs: [a, c], node_type: noop }",
        &[
            "line 5, column 20: error in node `b` at `/nodes/1/needs/0`: nodes need each other in a circle: b → d → c → b; take one of these connections out",
        ],
    );
    check(
        "- { id: b, name: X, needs: [a], node_type: noop }\n- { id: c, name: X, needs: [a], node_type: noop }\nconnections: { X: a }",
        &[
            "line 7, column 16: error at `/connections/X`: 2 nodes are called `X`; write the id of one of them: `b`, `c`",
        ],
    );
    check(
        "- { id: b, needs: [{ node: a, port: 'main:1' }], node_type: noop }\n- { id: c, needs: [a], node_type: noop }\nconnections: { c: b }",
        &[
            "line 5, column 20: error in node `b` at `/nodes/1/needs/0`: found `main:1`, but `a` has one output; only `condition` and `switch` have several",
        ],
    );
}

#[test]
fn nodes_that_do_not_run() {
    node(
        "node_type: noop\n- { id: c, node_type: noop }",
        &[
            "line 8, column 3: warning in node `c` at `/nodes/2`: it is connected with no other node, so it runs at the start, on its own; connect it, or take it out",
        ],
    );
    check(
        "- { id: b, needs: [a], node_type: noop, disabled: true }\n- { id: c, needs: [b], node_type: noop }",
        &[
            "line 6, column 20: warning in node `c` at `/nodes/2/needs/0`: it needs `b`, which is disabled; enable that one, or disable this one too",
        ],
    );
    check(
        "- { id: b, needs: [{ node: a, port: error }], node_type: noop }",
        &[
            "line 5, column 3: warning in node `b` at `/nodes/1`: it never runs, as nothing that leads to it ever does; connect it to a port that is used, or take it out",
            "line 5, column 20: warning in node `b` at `/nodes/1/needs/0`: `a` is never left by its port `error`, as its `on_error` is not `error-port`; write `on_error: error-port` on that node",
        ],
    );
    node(
        "node_type: noop\n  on_error: error-port",
        &[
            "line 8, column 13: warning in node `b` at `/nodes/1/on_error`: nothing comes after its port `error`, so that its error is lost; connect it, or write `continue`",
        ],
    );
}

#[test]
fn node_types() {
    node(
        "node_type: http.gte\n  parameters: { url: x }",
        &[
            "line 7, column 14: error in node `b` at `/nodes/1/node_type`: no plugin offers the node type `http.gte`; did you mean `http.get`?",
        ],
    );
    node(
        "node_type: conditon",
        &[
            "line 7, column 14: error in node `b` at `/nodes/1/node_type`: no plugin offers the node type `conditon`; did you mean `condition`?",
        ],
    );
    node(
        "node_type: zip.pack",
        &[
            "line 7, column 14: error in node `b` at `/nodes/1/node_type`: no plugin offers the node type `zip.pack`; install one in the search path and scan again",
        ],
    );
    node(
        "node_type: http.get@^2\n  parameters: { url: x }",
        &[
            "line 7, column 14: error in node `b` at `/nodes/1/node_type`: `http.get@^2` is offered in no version of that range, only in `1.4.0`; ask for one of those, or install another",
        ],
    );
    node(
        "node_type: noop@^1",
        &[
            "line 7, column 14: error in node `b` at `/nodes/1/node_type`: `noop` is part of the language and has no versions; write `noop`",
        ],
    );
    check(
        "- { id: b, needs: [a], node_type: sql.write, parameters: { rows: [{}] } }\ntenant: guest",
        &[
            "line 5, column 35: error in node `b` at `/nodes/1/node_type`: tenant `guest` may not call `sql.write`; allow it to tenant `guest`, or call something else",
        ],
    );
}

#[test]
fn parameters() {
    node(
        "node_type: http.get",
        &[
            "line 5, column 3: error in node `b` at `/nodes/1/parameters`: `url` is missing, which is required; write `url`",
        ],
    );
    node(
        "node_type: http.get\n  parameters: { url: 5, retries: -1, method: gett, headers: { a: 1 } }",
        &[
            "line 8, column 22: error in node `b` at `/nodes/1/parameters/url`: found `5`, expected a text",
            "line 8, column 34: error in node `b` at `/nodes/1/parameters/retries`: -1 is less than the minimum of 0 (rule `minimum`)",
            "line 8, column 46: error in node `b` at `/nodes/1/parameters/method`: found `\"gett\"`, expected one of `get`, `head`; did you mean `get`?",
            "line 8, column 66: error in node `b` at `/nodes/1/parameters/headers/a`: found `1`, expected a text",
        ],
    );
    node(
        "node_type: http.get\n  parameters: { url: x, retires: 1 }",
        &[
            "line 8, column 25: warning in node `b` at `/nodes/1/parameters/retires`: `retires` is unknown here; did you mean `retries`?",
        ],
    );
    node(
        "node_type: sql.write\n  parameters: { rows: [{}], row: 1 }",
        &[
            "line 8, column 29: error in node `b` at `/nodes/1/parameters/row`: `row` is unknown here; did you mean `rows`?",
        ],
    );
    node(
        "node_type: wait\n  parameters: { duration: soon }",
        &[
            "line 8, column 27: error in node `b` at `/nodes/1/parameters/duration`: \"soon\" does not match \"^[0-9]+(ms|s|m|h)$\" (rule `pattern`)",
        ],
    );
    node(
        "node_type: workflow.call\n  parameters: { workflw: x }",
        &[
            "line 8, column 15: error in node `b` at `/nodes/1/parameters`: `workflow` is missing, which is required; write `workflow`",
            "line 8, column 17: error in node `b` at `/nodes/1/parameters/workflw`: `workflw` is unknown here; did you mean `workflow`?",
        ],
    );
}

#[test]
fn what_holds_an_expression_is_unchecked() {
    node(
        "node_type: http.get\n  parameters: { url: '{{ input.url }}', retries: '{{ input.n }}', method: '{{ input.m }}', headers: '{{ input.h }}' }",
        &[],
    );
    // Whether `key` is required is decided by what `mode` becomes.
    node(
        "node_type: sql.write\n  parameters: { rows: '{{ input.rows }}', mode: '{{ input.mode }}' }",
        &[],
    );
    node(
        "node_type: sql.write\n  parameters: { rows: [{}], mode: upsert }",
        &[
            "line 8, column 15: error in node `b` at `/nodes/1/parameters`: `key` is missing, which is required; write `key`",
        ],
    );
    // What is required is required, and what is beside is checked.
    node(
        "node_type: http.get\n  parameters: { method: '{{ input.m }}', retries: x }",
        &[
            "line 8, column 15: error in node `b` at `/nodes/1/parameters`: `url` is missing, which is required; write `url`",
            "line 8, column 51: error in node `b` at `/nodes/1/parameters/retries`: found `\"x\"`, expected a whole number",
        ],
    );
    node(
        "node_type: condition\n  parameters: { condition: '{{ input.ok }}' }",
        &[],
    );
}

#[test]
fn configurations() {
    // What is missing may be in what the plugin is configured with.
    node(
        "node_type: http.get\n  parameters: { url: x }\n  config: { token: x }",
        &[],
    );
    node(
        "node_type: http.get\n  parameters: { url: x }\n  config: { proxi: x, token: 12345 }",
        &[
            "line 9, column 13: error in node `b` at `/nodes/1/config/proxi`: `proxi` is unknown here; did you mean `proxy`?",
            "line 9, column 30: error in node `b` at `/nodes/1/config/token`: found a number, expected a text",
        ],
    );
    node(
        "node_type: noop\n  config: { a: 1 }",
        &[
            "line 8, column 3: error in node `b` at `/nodes/1/config`: `noop` is part of the language and has no configuration; take it out",
        ],
    );
}

#[test]
fn expressions() {
    let text =
        |expression: &str| format!("node_type: fail\n  parameters: {{ message: '{expression}' }}");
    let at = |column: usize, rest: &str| {
        format!(
            "line 8, column {column}: error in node `b` at `/nodes/1/parameters/message`: {rest}"
        )
    };
    node(&text("{{ steps.a.output.x }}"), &[]);
    node(
        &text(
            "{{ variables.limit }} {{ input }} {{ env.HOME }} {{ context.tenant }} {{ workflow.id }}",
        ),
        &[],
    );
    node(
        &text("see {{ steps.zz.output }}"),
        &[&at(
            34,
            "`steps.zz` is no node of this workflow; name a node by its id",
        )],
    );
    node(
        &text("see {{ steps.b.output }}"),
        &[&at(
            34,
            "`steps.b` is the node itself, which has no output yet; name a node that comes before it",
        )],
    );
    node(
        &(text("{{ steps.c.output }}") + "\n- { id: c, needs: [a], node_type: noop }"),
        &[&at(
            30,
            "`steps.c` does not come before this node, so it may have no output yet; add `c` to its `needs`, or name another step",
        )],
    );
    node(
        &text("{{ variables.limits }}"),
        &[&at(
            30,
            "the workflow has no variable `limits`; did you mean `limit`?",
        )],
    );
    node(
        &text("{{ variable.limit }}"),
        &[&at(
            30,
            "`variable` is undefined; did you mean `variables`?",
        )],
    );
    node(
        &text("{{ item }}"),
        &[&at(
            30,
            "`item` is undefined: only `config` and `parameters` of a node with `foreach` have it; add a `foreach`, or name a step",
        )],
    );
    node(
        "node_type: noop\n  when: steps.x.output",
        &[
            "line 8, column 9: error in node `b` at `/nodes/1/when`: `steps.x` is no node of this workflow; name a node by its id",
        ],
    );
}

#[test]
fn an_expression_that_cannot_be_read() {
    let text = "id: w\nnodes:\n- { id: a, node_type: fail, parameters: { message: '{{ input' } }\n";
    let told = told(text, Format::Yaml);
    assert!(
        told.starts_with("line 3, column 5")
            && told.contains(": error in node `a` at `/nodes/0/parameters/message`: "),
        "{told}"
    );
}

#[test]
fn expressions_where_none_is_evaluated() {
    let text = "\
id: w
variables: { a: 5, b: { c: ['{{ input.x }}', plain] } }
settings:
  recovery: [{ skip: { output: '{{ input }}' } }]
nodes:
- id: n
  node_type: http.get
  parameters: { url: '{{ variables.a }}' }
  recovery:
  - fallback: { node_type: sql.write, input: { rows: { from: /rows }, key: 'k{{ input.k }}' } }
  - value: { output: { a: '{% x %}' } }
";
    let told = told(text, Format::Yaml);
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            "line 2, column 29: warning at `/variables/b/c/0`: found `{{`, but variables are not evaluated; write the expression where the variable is used",
            "line 4, column 32: warning at `/settings/recovery/0/skip/output`: found `{{`, but recovery is not evaluated; write the value itself, or `{ from: … }` where a fallback gets a part of the input",
            "line 10, column 76: warning in node `n` at `/nodes/0/recovery/0/fallback/input/key`: found `{{`, but recovery is not evaluated; write the value itself, or `{ from: … }` where a fallback gets a part of the input",
        ]
    );
}

#[test]
fn loops() {
    let items = |items: &str| {
        format!(
            "node_type: fail\n  parameters: {{ message: '{{{{ item }}}} {{{{ index }}}}' }}\n  foreach: {{ items: {items} }}"
        )
    };
    node(&items("[1, 2]"), &[]);
    node(&items("'{{ steps.a.output }}'"), &[]);
    let at = |rest: &str| {
        format!("line 9, column 21: error in node `b` at `/nodes/1/foreach/items`: {rest}")
    };
    let hint = "expected a list, or an expression that gives one; write a list, or an expression such as `{{ steps.fetch.output.rows }}`";
    for (value, found) in [
        ("5", "a single value"),
        ("{}", "a map"),
        ("rows", "a text without an expression"),
    ] {
        node(&items(value), &[&at(&format!("found {found}, {hint}"))]);
    }
    node(
        "node_type: fail\n  parameters: { message: '{{ item }}' }\n  foreach: { items: [1], as: row }",
        &[
            "line 8, column 30: error in node `b` at `/nodes/1/parameters/message`: `item` is undefined; expected one of `steps`, `input`, `variables`, `workflow`, `context`, `env`, `row`, `index`",
        ],
    );
}

#[test]
fn an_item_has_a_name_of_its_own() {
    node(
        "node_type: noop\n  foreach: { items: [1], as: steps }",
        &[
            "line 8, column 30: error in node `b` at `/nodes/1/foreach/as`: `steps` has a meaning in every expression, expected another name; call the item something else",
        ],
    );
}

#[test]
fn zeros() {
    node(
        "node_type: noop\n  timeout: 0s\n  foreach: { items: [], concurrency: 0 }",
        &[
            "line 8, column 12: error in node `b` at `/nodes/1/timeout`: `timeout` is zero, with which nothing can run; write a longer time, or take it out for none",
            "line 9, column 38: error in node `b` at `/nodes/1/foreach/concurrency`: `concurrency` is zero, with which nothing can run; write 1 or more",
        ],
    );
    check(
        "settings: { timeout: 0ms, max_concurrency: 0, max_concurrency_by_type: { noop: 0, nop: 1 } }",
        &[
            "line 5, column 22: error at `/settings/timeout`: `timeout` is zero, with which nothing can run; write a longer time, or take it out for none",
            "line 5, column 44: error at `/settings/max_concurrency`: `max_concurrency` is zero, with which nothing can run; write 1 or more",
            "line 5, column 80: error at `/settings/max_concurrency_by_type/noop`: `noop` is zero, with which nothing can run; write 1 or more",
            "line 5, column 83: warning at `/settings/max_concurrency_by_type/nop`: no node calls `nop`; did you mean `noop`?",
        ],
    );
}

#[test]
fn recoveries() {
    node(
        "node_type: noop\n  recovery: [{ fallback: { node_type: http.gett } }]",
        &[
            "line 8, column 39: error in node `b` at `/nodes/1/recovery/0/fallback/node_type`: no plugin offers the node type `http.gett`; did you mean `http.get`?",
        ],
    );
    node(
        "node_type: noop\n  recovery: [{ fallback: { node_type: noop } }]",
        &[
            "line 8, column 14: error in node `b` at `/nodes/1/recovery/0`: fallbacks lead in a circle: `noop -> noop`; take one of these fallbacks out",
            "line 8, column 39: error in node `b` at `/nodes/1/recovery/0/fallback/node_type`: `noop` is part of the language, expected an executor; fall back to an executor, or write `value` or `skip`",
        ],
    );
    node(
        "node_type: noop\n  recovery: [fail, retry]",
        &[
            "line 8, column 20: error in node `b` at `/nodes/1/recovery/1`: it is never reached, as `fail` before it is for every error; take it out, move it up, or give that one an `on`",
        ],
    );
    check(
        "settings: { recovery: [{ retry: { attempts: 0 } }] }",
        &[
            "line 5, column 24: error at `/settings/recovery/0`: `attempts` is `0`, expected at least 1, which is the call itself; write `fail` for no retry",
        ],
    );
}

#[test]
fn ten_mistakes() {
    let text = "\
id: import
tennant: acme
settings:
  max_concurrency: 0
nodes:
  - id: fetch
    node_type: http.gett
    timeout: 10 minutes
  - id: clean
    node_type: condition
    parameters: { conditon: true }
    needs: [fetsch]
  - id: write
    node_type: sql.write@^3
    needs: [fetch, report]
  - id: report
    node_type: http.get
    parameters:
      url: 'https://example.org/{{ steps.wirte.output.count }}?n={{ variables.n }}'
      retries: many
    needs: [write]
    recovery: [{ fallback: { node_type: http.post } }]
";
    insta::assert_snapshot!(told(text, Format::Yaml));
}
