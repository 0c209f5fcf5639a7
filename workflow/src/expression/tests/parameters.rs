//! Nested values with expressions.

use std::sync::Arc;

use floe_plugin_api::{Value, value};

use super::super::Parameters;
use super::{Run, scope};

#[test]
fn every_string_is_read_and_no_name() {
    let run = Run::default();
    let given = value!({
        "{{ not.a.template }}": 1,
        "rows": "{{ steps.fetch.output.count }}",
        "a/b": [null, "x {{ input.city }}", {"deep": true, "t": "plain"}],
        "kept": {"a": [1, 2.5, "{ }"]},
    });
    let parameters = Parameters::parse(&given).unwrap();
    let found = parameters.evaluate(&scope(&run)).unwrap();
    let expected = value!({
        "{{ not.a.template }}": 1,
        "rows": 3,
        "a/b": [null, "x Lund", {"deep": true, "t": "plain"}],
        "kept": {"a": [1, 2.5, "{ }"]},
    });
    assert_eq!(found, expected);
    let references: Vec<_> = parameters
        .references()
        .map(|(pointer, found)| (pointer, found.path.join("/")))
        .collect();
    assert_eq!(
        references,
        [
            ("/rows", "fetch/output/count".to_owned()),
            ("/a~1b/1", "city".to_owned())
        ]
    );
    for (pointer, expected) in [
        ("", false),
        ("/rows", false),
        ("/rows/0", false),
        ("/row", true),
        ("/a~1b", false),
        ("/a~1b/0", true),
        ("/a~1b/1", false),
        ("/a~1b/2", true),
        ("/kept/a", true),
    ] {
        assert_eq!(parameters.is_constant_at(pointer), expected, "{pointer}");
    }
}

#[test]
fn errors_have_their_pointers() {
    let given = value!({"a": ["{{ 1 +", "{{ 1 }}"], "b": "{% include 'x' %}"});
    let errors = Parameters::parse(&given).unwrap_err();
    let pointers: Vec<_> = errors.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/a/0", "/b"]);
    let run = Run::default();
    let parameters = Parameters::parse(&value!([1, {"x": "{{ input.nope }}"}])).unwrap();
    let (pointer, error) = parameters.evaluate(&scope(&run)).unwrap_err();
    assert_eq!(pointer, "/1/x");
    assert_eq!(
        error.to_string(),
        "`input.nope` is undefined; use one of `city`, `step`"
    );
}

#[test]
fn what_is_constant_is_shared() {
    let run = Run::default();
    let parameters = Parameters::parse(&value!({"a": ["b"]})).unwrap();
    let once = parameters.evaluate_shared(&scope(&run)).unwrap();
    let again = parameters.clone().evaluate_shared(&scope(&run)).unwrap();
    assert!(Arc::ptr_eq(&once, &again));
}

#[test]
fn all_together_are_bound_as_one_is() {
    let run = Run::default();
    let one = "{{ 'x' * 10000000 }}";
    let parameters = |count: usize| Parameters::parse(&Value::from(vec![one; count])).unwrap();
    assert!(parameters(2).evaluate(&scope(&run)).is_ok());
    let (pointer, error) = parameters(10).evaluate(&scope(&run)).unwrap_err();
    assert_eq!(pointer, "/3");
    assert!(
        error.to_string().contains("MiB made by one expression"),
        "{error}"
    );
}
