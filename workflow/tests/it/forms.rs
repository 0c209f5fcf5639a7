//! The form of a document: what is read, what is refused, and that JSON and YAML are the same.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use floe_workflow::{Document, Format, Limits, OnError, Port, Validator};

use crate::outside::{Outside, read, told};

const YAML: &str = r#"
# Every field that there is.
id: import
name: Import of orders
version: "1.2"
tenant: acme
description: |
  Fetches orders
  and writes them.
category: orders
tags: [daily, 'sql']
active: no-thing-but-false-is-false
"#;

#[test]
fn a_flag_is_true_or_false() {
    let expected = "line 12, column 9: error at `/active`: found `\"no-thing-but-false-is-false\"`, expected `true` or `false`\n\
                    line 3, column 1: error: the workflow has no `nodes`, which it needs; write `nodes`, a list";
    let mut lines: Vec<&str> = expected.lines().collect();
    lines.reverse();
    assert_eq!(told(YAML, Format::Yaml), lines.join("\n"));
}

const TWIN_YAML: &str = r#"
id: import
name: Import of orders
version: "1.2"
tenant: acme
description: "Fetches orders\nand writes them."
tags: [daily, 'sql']
active: false
variables: { limit: 0x10, ratio: 1.5, none: ~, big: 18446744073709551615, deep: [[1], { a: -2 }] }
settings:
  timeout: 1h
  max_concurrency: 3
  max_concurrency_by_type: { http.get: 2 }
  recovery: [{ retry: { attempts: 5, initial: 1s } }, fail]
nodes:
  - id: fetch
    node_type: http.get@^1
    name: Fetch orders
    config: { proxy: "http://proxy" }
    parameters: &fetch
      url: https://example.org/{{ variables.limit }}
      headers: { accept: application/json }
    timeout: 30s
    on_error: error-port
  - id: again
    node_type: http.get@^1
    parameters: *fetch
    needs: [{ node: fetch, port: error }]
    when: steps.fetch.error.kind == "transient"
    disabled: true
  - id: write
    node_type: sql.write
    foreach: { items: "{{ steps.fetch.output.rows }}", concurrency: 8, as: row }
    parameters: { rows: ["{{ row }}"] }
    recovery: [{ value: { output: null, on: [crashed] } }]
connections:
  Fetch orders: { main: [[{ node: write, type: main, index: 0 }]] }
triggers: [{ id: nightly, kind: schedule, config: { at: "02:00" } }]
metadata: { owner: ops }
"#;

const TWIN_JSON: &str = r#"{
  "id": "import",
  "name": "Import of orders",
  "version": "1.2",
  "tenant": "acme",
  "description": "Fetches orders\nand writes them.",
  "tags": ["daily", "sql"],
  "active": false,
  "variables": {"limit": 16, "ratio": 1.5, "none": null, "big": 18446744073709551615, "deep": [[1], {"a": -2}]},
  "settings": {
    "timeout": "1h",
    "max_concurrency": 3,
    "max_concurrency_by_type": {"http.get": 2},
    "recovery": [{"retry": {"attempts": 5, "initial": "1s"}}, "fail"]
  },
  "nodes": [
    {
      "id": "fetch", "node_type": "http.get@^1", "name": "Fetch orders", "config": {"proxy": "http://proxy"},
      "parameters": {"url": "https://example.org/{{ variables.limit }}", "headers": {"accept": "application/json"}},
      "timeout": "30s", "on_error": "error-port"
    },
    {
      "id": "again", "node_type": "http.get@^1",
      "parameters": {"url": "https://example.org/{{ variables.limit }}", "headers": {"accept": "application/json"}},
      "needs": [{"node": "fetch", "port": "error"}],
      "when": "steps.fetch.error.kind == \"transient\"", "disabled": true
    },
    {
      "id": "write", "node_type": "sql.write",
      "foreach": {"items": "{{ steps.fetch.output.rows }}", "concurrency": 8, "as": "row"},
      "parameters": {"rows": ["{{ row }}"]},
      "recovery": [{"value": {"output": null, "on": ["crashed"]}}]
    }
  ],
  "connections": {"Fetch orders": {"main": [[{"node": "write", "type": "main", "index": 0}]]}},
  "triggers": [{"id": "nightly", "kind": "schedule", "config": {"at": "02:00"}}],
  "metadata": {"owner": "ops"}
}"#;

#[test]
fn twins_in_json_and_yaml_are_equal() {
    let yaml = read(TWIN_YAML, Format::Yaml).unwrap();
    let json = read(TWIN_JSON, Format::Json).unwrap();
    assert_eq!(yaml.problems(), []);
    assert_eq!(json.problems(), []);
    assert_eq!(yaml.workflow(), json.workflow());
    // JSON is YAML too.
    assert_eq!(
        read(TWIN_JSON, Format::Yaml).unwrap().workflow(),
        json.workflow()
    );
    assert_eq!(told(TWIN_YAML, Format::Yaml), "");
    let workflow = yaml.workflow();
    assert!(!workflow.active);
    assert_eq!(workflow.settings.timeout, Some(Duration::from_secs(3600)));
    assert_eq!(workflow.nodes[0].on_error, OnError::ErrorPort);
    assert_eq!(workflow.nodes[1].needs[0].port, Port::Error);
    assert_eq!(workflow.nodes[2].foreach.as_ref().unwrap().name, "row");
    assert_eq!(workflow.nodes[2].name, "write");
}

#[test]
fn defaults() {
    let document = read(
        r#"{"id":"w","nodes":[{"id":"a","node_type":"noop","foreach":{"items":[]}}]}"#,
        Format::Json,
    );
    let document = document.unwrap();
    let workflow = document.workflow();
    assert!(workflow.active);
    assert_eq!(workflow.name, "w");
    assert_eq!(workflow.settings.max_concurrency, 16);
    assert_eq!(workflow.nodes[0].on_error, OnError::Stop);
    let foreach = workflow.nodes[0].foreach.as_ref().unwrap();
    assert_eq!((foreach.concurrency, foreach.name.as_str()), (4, "item"));
}

#[test]
fn what_is_no_json() {
    let cases = [
        (
            "",
            "line 1, column 1: error: found the end of the document, expected a value",
        ),
        (
            "{\n  \"id\": \"w\",\n}",
            "line 3, column 1: error: found `}`, expected a key in quotes",
        ),
        (
            "{\"é\": \"é\" 1}",
            "line 1, column 11: error: found `1`, expected `,` or `}`",
        ),
        (
            "{\"a\" 1}",
            "line 1, column 6: error: found `1`, expected `:`",
        ),
        (
            "[1 2]",
            "line 1, column 4: error: found `2`, expected `,` or `]`",
        ),
        (
            "{} {}",
            "line 1, column 4: error: found `{`, expected the end of the document",
        ),
        (
            "[01]",
            "line 1, column 2: error: `01` is no number that JSON has",
        ),
        (
            "[1e999]",
            "line 1, column 2: error: `1e999` is no number that JSON has",
        ),
        (
            "[nul]",
            "line 1, column 2: error: found `n`, expected a value",
        ),
        (
            "[\"a",
            "line 1, column 2: error: the string that begins here has no end, expected a `\"`",
        ),
        (
            "[\"\\ud800\"]",
            "line 1, column 2: error: the string has an escape that JSON does not have, expected one such as `\\n`, `\\\"`, `\\\\` or `\\u00e9`",
        ),
        (
            "[\"a\nb\"]",
            "line 1, column 4: error: found `\\n`, expected a string without line breaks and tabs, which are written `\\n` and `\\t`",
        ),
        (
            "{\"a\": 1,\n \"a\": 2}",
            "line 2, column 2: error: the key `a` is there already, at line 1, column 2; take one of the two out",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(told(text, Format::Json), expected, "{text}");
    }
}

#[test]
fn what_is_no_yaml() {
    let cases = [
        (
            "",
            "line 1, column 1: error: the document is empty, expected a workflow",
        ),
        (
            "id: w\n---\nid: v\n",
            "line 2, column 1: error: a second document begins here, expected one workflow in a file",
        ),
        (
            "a: 1\nb: 2\na: 3\n",
            "line 3, column 1: error: the key `a` is there already, at line 1, column 1; take one of the two out",
        ),
        (
            "a: .inf\n",
            "line 1, column 4: error: `.inf` is no number that JSON has, expected a finite one",
        ),
        (
            "a: !new 1\n",
            "line 1, column 4: error: the tag `!new` is unknown, expected none, or one of `!!str`, `!!int`, `!!float`, `!!bool`, `!!null`, `!!seq` and `!!map`",
        ),
        (
            "a: !!int x\n",
            "line 1, column 4: error: found `x`, expected what `!!int` says",
        ),
        (
            "[a]: 1\n",
            "line 1, column 1: error: a key is a list or a map, expected a text",
        ),
        (
            "<<: {}\n",
            "line 1, column 1: error: `<<` merges maps in YAML 1.1 and not in 1.2, expected each entry to be written",
        ),
        (
            "a: &a [*a]\n",
            "line 1, column 8: error: the alias stands in what it is for, expected it after that",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(told(text, Format::Yaml), expected, "{text}");
    }
    let told = told("a: [1\nb: 2\n", Format::Yaml);
    let expected = "line 2, column 2: error: this is no YAML: illegal placement of ':' indicator";
    assert_eq!(told, expected);
}

#[test]
fn plain_values_of_yaml() {
    let cases = [
        ("007", "7"),
        ("+1", "1"),
        ("-0x1", "\"-0x1\""),
        ("0o17", "15"),
        ("1.", "1.0"),
        (".5", "0.5"),
        ("-.5e1", "-5.0"),
        ("1_000", "\"1_000\""),
        ("yes", "\"yes\""),
        ("on", "\"on\""),
        ("True", "true"),
        ("NULL", "null"),
        ("12:30", "\"12:30\""),
        ("!!str 5", "\"5\""),
        ("!!float 5", "5.0"),
        ("'5'", "\"5\""),
        ("e5", "\"e5\""),
        (".", "\".\""),
        ("1e", "\"1e\""),
    ];
    for (text, expected) in cases {
        let text = format!("id: w\nnodes: []\nmetadata: {{ value: {text} }}\n");
        let document =
            read(&text, Format::Yaml).unwrap_or_else(|problems| panic!("{text}: {problems}"));
        let value = document.workflow().metadata.get("value").unwrap();
        assert_eq!(serde_json::to_string(value).unwrap(), expected, "{text}");
    }
}

/// A node with one more field.
#[track_caller]
fn check(field: &str, expected: &str) {
    let text = format!("id: w\nnodes:\n- id: a\n  node_type: noop\n  {field}\n");
    assert_eq!(told(&text, Format::Yaml), expected, "{field}");
}

#[test]
fn fields_of_a_node() {
    check(
        "parameter: {}",
        "line 5, column 3: error in node `a` at `/nodes/0/parameter`: a node has no field `parameter`; did you mean `parameters`?",
    );
    check(
        "type: noop",
        "line 5, column 3: error in node `a` at `/nodes/0/type`: a node has no field `type`; did you mean `node_type`?",
    );
    check(
        "timeout: 30",
        "line 5, column 12: error in node `a` at `/nodes/0/timeout`: found `30`, expected a duration such as `500ms`, `30s`, `2m` or `1h`",
    );
    check(
        "timeout: 30 s",
        "line 5, column 12: error in node `a` at `/nodes/0/timeout`: found `\"30 s\"`, expected a duration such as `500ms`, `30s`, `2m` or `1h`",
    );
    check(
        "on_error: continu",
        "line 5, column 13: error in node `a` at `/nodes/0/on_error`: found `\"continu\"`, expected one of `stop`, `continue`, `error-port`; did you mean `continue`?",
    );
    check(
        "needs: b",
        "line 5, column 10: error in node `a` at `/nodes/0/needs`: found `\"b\"`, expected a list of node ids",
    );
    check(
        "needs: [5]",
        "line 5, column 11: error in node `a` at `/nodes/0/needs/0`: found `5`, expected a node id, or one with a port such as `{ node: fetch, port: error }`",
    );
    check(
        "needs: [{ node: b, port: eror }]",
        "line 5, column 28: error in node `a` at `/nodes/0/needs/0/port`: found `eror`, expected `main`, `error`, or the output of a condition or a switch such as `main:0`; did you mean `error`?",
    );
    check(
        "when: true",
        "line 5, column 9: error in node `a` at `/nodes/0/when`: found `true`, expected a text",
    );
    check(
        "foreach: {}",
        "line 5, column 12: error in node `a` at `/nodes/0/foreach`: `foreach` has no `items`, which it needs; write `items`, a list or an expression that gives one",
    );
    check(
        "foreach: { items: [], as: my item }",
        "line 5, column 29: error in node `a` at `/nodes/0/foreach/as`: found `\"my item\"`, expected a name of letters, digits and `_`",
    );
    check(
        "foreach: { items: [], concurrency: -1 }",
        "line 5, column 38: error in node `a` at `/nodes/0/foreach/concurrency`: found `-1`, expected a whole number, at most 4294967295",
    );
}

#[test]
fn recoveries() {
    let at = |rest: &str| format!("line 5, column {rest}");
    check(
        "recovery: [retyr]",
        &at(
            "14: error in node `a` at `/nodes/0/recovery/0`: `retyr` is no strategy, expected one of `retry`, `fallback`, `value`, `skip`, `fail`; did you mean `retry`?",
        ),
    );
    check(
        "recovery: [skip]",
        &at(
            "14: error in node `a` at `/nodes/0/recovery/0`: `skip` needs an `output`, as in `{ skip: { output: {} } }`",
        ),
    );
    check(
        "recovery: [{ retry: { on: [transeint] } }]",
        &at("30: error in node `a` at `/nodes/0/recovery/0/retry/on/0`: `transeint` is no kind of error, expected one of KINDS; did you mean `transient`?").replace("KINDS", &kinds()),
    );
}

fn kinds() -> String {
    let kinds = floe_registry::api::ErrorKind::ALL.iter();
    let kinds: Vec<String> = kinds.map(|kind| format!("`{kind}`")).collect();
    kinds.join(", ")
}

#[test]
fn the_text_of_a_document_is_kept() {
    let text = "\u{feff}{\"id\": \"w\", \"nodes\": []}";
    let document = Document::read(text, Format::Json, &Limits::default()).unwrap();
    assert_eq!(**document.text(), text['\u{feff}'.len_utf8()..]);
    assert_eq!(document.format(), Format::Json);
    assert_eq!(document.file(), None);
    let checked = Validator::new(Outside).validate(document.clone()).unwrap();
    assert!(Arc::ptr_eq(checked.text(), document.text()));
    assert_eq!(checked.format(), Format::Json);
    assert_eq!(checked.file(), None);
    let document = document.in_file("w.json");
    assert_eq!(document.file(), Some(Path::new("w.json")));
}
