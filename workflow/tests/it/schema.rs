//! `schema.json`.

use std::path::Path;

use floe_workflow::{Format, schema};

use crate::outside::read;

#[test]
fn the_schema_that_is_shipped_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.json");
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("FLOE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == text,
        "`schema.json` is not what the types say; `FLOE_WRITE_DOCS=1` writes it anew:\n{text}"
    );
}

/// What the reader takes, the schema does, and what the one refuses, the other does too.
#[test]
fn the_schema_and_the_reader_agree() {
    let schema = schema();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let node = |rest: &str| {
        format!(r#"{{"id": "w", "nodes": [{{"id": "a", "node_type": "noop"{rest}}}]}}"#)
    };
    let workflow = |rest: &str| format!(r#"{{"id": "w", "nodes": []{rest}}}"#);
    let cases = [
        (true, workflow("")),
        (
            true,
            workflow(
                r#", "name": "W", "version": "1", "tenant": "t", "description": "", "category": "", "tags": ["x"], "active": false"#,
            ),
        ),
        (
            true,
            workflow(
                r#", "variables": {"a": 1}, "metadata": {"a": []}, "triggers": [{"id": "t", "kind": "manual", "config": {}, "disabled": true}]"#,
            ),
        ),
        (
            true,
            workflow(
                r#", "settings": {"timeout": "1h", "max_concurrency": 3, "max_concurrency_by_type": {"a": 1}, "recovery": ["retry"]}"#,
            ),
        ),
        (
            true,
            workflow(
                r#", "connections": {"A": {"main": [[{"node": "B", "type": "main", "index": 0}]], "error": ["x"]}}"#,
            ),
        ),
        (
            true,
            workflow(
                r#", "connections": {"A": {"main": {"0": [{"node": "B"}], "1": "C"}}, "B": "c", "C": ["d", {"node": "e"}], "D": {"main": [null, []]}}"#,
            ),
        ),
        (
            true,
            node(
                r#", "name": "A", "config": {}, "parameters": {"a": 1}, "needs": ["b", {"node": "c", "port": "error"}, {"node": "c", "port": "main:1"}]"#,
            ),
        ),
        (
            true,
            node(
                r#", "when": "true", "timeout": "500ms", "disabled": true, "on_error": "error-port", "foreach": {"items": [], "concurrency": 2, "as": "row"}"#,
            ),
        ),
        (
            true,
            node(
                r#", "recovery": ["retry", {"retry": {"attempts": 5, "initial": "1s", "factor": 1.5, "longest": "2m", "jitter": "none", "on": ["transient"], "not_idempotent": true}}, {"fallback": {"node_type": "a.b", "input": {"x": {"from": "/y"}}, "on": ["panicked"]}}, {"value": {"output": null}}, {"skip": {"output": {}}}, "fail"]"#,
            ),
        ),
        (false, "[]".to_owned()),
        (false, r#"{"nodes": []}"#.to_owned()),
        (false, r#"{"id": "w"}"#.to_owned()),
        (false, r#"{"id": "", "nodes": []}"#.to_owned()),
        (false, workflow(r#", "colour": 1"#)),
        (false, workflow(r#", "tags": [1]"#)),
        (false, workflow(r#", "version": 1.5"#)),
        (false, workflow(r#", "settings": {"timeout": "1 hour"}"#)),
        (false, workflow(r#", "settings": {"retries": 3}"#)),
        (false, workflow(r#", "triggers": [{"id": "t"}]"#)),
        (false, workflow(r#", "connections": {"A": {"side": []}}"#)),
        (
            false,
            workflow(r#", "connections": {"A": {"main": [[{"index": 0}]]}}"#),
        ),
        (false, node(r#", "needs": "b""#)),
        (false, node(r#", "needs": [{"node": "c", "port": "side"}]"#)),
        (false, node(r#", "on_error": "ignore""#)),
        (false, node(r#", "foreach": {}"#)),
        (false, node(r#", "foreach": {"items": [], "as": "a b"}"#)),
        (false, node(r#", "recovery": "retry""#)),
        (false, node(r#", "recovery": ["value"]"#)),
        (false, node(r#", "recovery": [{"retry": {"times": 3}}]"#)),
        (false, node(r#", "recovery": [{"retry": {}, "fail": {}}]"#)),
        (false, node(r#", "recovery": [{"retry": {"on": ["bad"]}}]"#)),
    ];
    for (fits, text) in cases {
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors.is_empty(), fits, "the schema on {text}: {errors:?}");
        let read = read(&text, Format::Json);
        let problems = match &read {
            Ok(document) => document.problems().to_vec(),
            Err(problems) => problems.errors.clone(),
        };
        assert_eq!(
            problems.is_empty(),
            fits,
            "the reader on {text}: {problems:?}"
        );
    }
}

/// The fields that the reader lists where one is unknown.
#[test]
fn the_reader_knows_the_fields_of_the_schema() {
    let schema = schema();
    let fields = |pointer: &str| -> Vec<String> {
        let properties = schema
            .pointer(pointer)
            .and_then(|found| found.get("properties"));
        let properties = properties.unwrap_or_else(|| panic!("no `{pointer}`"));
        let mut names: Vec<String> = properties.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let known = |text: &str| -> Vec<String> {
        let told = crate::outside::told(text, Format::Json);
        let list = told
            .lines()
            .find_map(|line| line.split_once("has no field `zzzz`; its fields are "));
        let (_, list) = list.unwrap_or_else(|| panic!("{told}"));
        let mut names: Vec<String> = list
            .split(", ")
            .map(|name| name.trim_matches('`').to_owned())
            .collect();
        names.sort();
        names
    };
    let node = |rest: &str| {
        format!(r#"{{"id": "w", "nodes": [{{"id": "a", "node_type": "noop", {rest}}}]}}"#)
    };
    let workflow = |rest: &str| format!(r#"{{"id": "w", "nodes": [], {rest}}}"#);
    let cases = [
        ("", workflow(r#""zzzz": 1"#)),
        ("/$defs/Settings", workflow(r#""settings": {"zzzz": 1}"#)),
        ("/$defs/Trigger", workflow(r#""triggers": [{"zzzz": 1}]"#)),
        (
            "/$defs/TargetTable",
            workflow(r#""connections": {"a": {"node": "b", "zzzz": 1}}"#),
        ),
        ("/$defs/Node", node(r#""zzzz": 1"#)),
        ("/$defs/NeedTable", node(r#""needs": [{"zzzz": 1}]"#)),
        ("/$defs/Foreach", node(r#""foreach": {"zzzz": 1}"#)),
        (
            "/$defs/Retry",
            node(r#""recovery": [{"retry": {"zzzz": 1}}]"#),
        ),
        (
            "/$defs/Fallback",
            node(r#""recovery": [{"fallback": {"zzzz": 1}}]"#),
        ),
        (
            "/$defs/Substitute",
            node(r#""recovery": [{"value": {"zzzz": 1}}]"#),
        ),
    ];
    for (pointer, text) in cases {
        assert_eq!(known(&text), fields(pointer), "{pointer}");
    }
}
