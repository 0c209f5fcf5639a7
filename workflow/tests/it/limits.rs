//! Documents that are too large, and those that only look so.

use floe_workflow::{Document, Format, Limits, Validator};

use crate::outside::Outside;

#[track_caller]
fn refused(text: &str, format: Format, limits: &Limits, expected: &str) {
    let problems = Document::read(text, format, limits).unwrap_err();
    assert_eq!(problems.to_string(), expected);
}

#[test]
fn size() {
    let limits = Limits::default().bytes(10);
    let expected = "line 1, column 1: error: the document has 11 bytes, expected at most 10; split it into workflows that call each other, or raise the limit";
    refused("           ", Format::Json, &limits, expected);
}

#[test]
fn nodes() {
    let limits = Limits::default().nodes(2);
    let text = "id: w\nnodes: [{}, {}, {}]\n";
    let expected = "line 1, column 1: error at `/nodes`: the workflow has 3 nodes, expected at most 2; split it into workflows that call each other, or raise the limit";
    refused(text, Format::Yaml, &limits, expected);
}

#[test]
fn depth() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for format in [Format::Json, Format::Yaml] {
        let expected = "line 1, column 129: error: lists and maps are more than 128 deep in each other; flatten the value, or pass it as a text";
        refused(&deep(129), format, &Limits::default(), expected);
        let expected = "line 1, column 1: error: found a list, expected a workflow, which is a map";
        refused(&deep(128), format, &Limits::default().depth(1000), expected);
        refused(
            &deep(200),
            format,
            &Limits::default().depth(1),
            "line 1, column 2: error: lists and maps are more than 1 deep in each other; flatten the value, or pass it as a text",
        );
    }
}

#[test]
fn aliases_count_for_what_they_stand_for() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        text.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    let expected = "line 6, column 29: error: found more than 1000000 values; split the document, or raise the limit";
    let problems = Document::read(&text, Format::Yaml, &Limits::default()).unwrap_err();
    assert!(
        problems
            .to_string()
            .ends_with(&expected["line 6, column 29".len()..]),
        "{problems}"
    );
}

#[test]
fn long_texts_count_for_more() {
    let text = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(64_000),
        "*a, ".repeat(1000)
    );
    let problems = Document::read(&text, Format::Yaml, &Limits::default()).unwrap_err();
    assert!(
        problems
            .to_string()
            .contains("found more than 1000000 values"),
        "{problems}"
    );
}

#[test]
fn no_more_problems_are_told_than_anyone_reads() {
    let node = "{\"id\": \"a\", \"node_type\": \"noop\", \"x\": 1},";
    let text = format!("{{\"id\": \"w\", \"nodes\": [{}1]}}", node.repeat(5000));
    let document = Document::read(&text, Format::Json, &Limits::default()).unwrap();
    let problems = Validator::new(Outside).check(&document);
    assert_eq!(problems.errors.len(), 501);
    assert_eq!(
        problems.errors[0].message,
        "there are 500 problems or more, of which the first are told"
    );
}
