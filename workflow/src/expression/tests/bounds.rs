//! Hostile templates, and what is refused as they are read.

use std::sync::Arc;

use floe_plugin_api::{Value, value};
use proptest::prelude::*;

use super::super::{Scope, Template};
use super::{Run, check, evaluate, refused, scope};

#[test]
fn what_loads_defines_or_calls_is_refused() {
    for text in [
        "{% include 'a' %}",
        "{% extends 'a' %}",
        "{% import 'a' as b %}",
        "{% from 'a' import b %}",
        "{% macro a() %}{{ a() }}{% endmacro %}",
        "{% block a %}{% endblock %}",
        "{% for x in [] recursive %}{% endfor %}",
        "{% call x() %}{% endcall %}",
        "{% filter upper %}a{% endfilter %}",
        "{% autoescape true %}{% endautoescape %}",
        "{% set a %}b{% endset %}",
        "{% do range(1) %}",
    ] {
        refused(
            text,
            "expected text, `{{ … }}`, `for`, `if`, `set` or `with`",
        );
    }
    refused("{{ namespace() }}", "found a call of `namespace`");
    refused("{{ debug() }}", "found a call of `debug`");
    refused("{{ input.items() }}", "found a call of `input.items`");
    refused(
        "{{ 1 | uper }}",
        "found filter `uper`, which there is not; did you mean `upper`?",
    );
    refused("{{ 1 is evn }}", "found test `evn`");
    refused("{{ ['a'] | map('pprint') }}", "found filter `pprint`");
    refused("{{ f(*[1]) }}", "found a call of `f`");
    refused("{{ range(*[1]) }}", "found `*`");
    refused("{{ 1", "cannot be read");
    refused("{% if %}", "cannot be read");
}

#[test]
fn what_never_ends_ends() {
    for (text, reason) in [
        (
            "{% set l = range(9999) %}{% for a in l %}{% for b in l %}{% endfor %}{% endfor %}",
            "found more than `10000000` steps",
        ),
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "MiB made by one expression",
        ),
        (
            "{% set l = range(99999) %}{% for a in l %}{{ a in l }}{% endfor %}",
            "found more than `10000000` steps",
        ),
        (
            "{% set l = range(99999) | list %}{% for a in l %}{{ l == l }}{% endfor %}",
            "found more than `10000000` steps",
        ),
        (
            "{% set l = range(99999) | list %}{% for a in l %}{{ l is eq(l) }}{% endfor %}",
            "found more than `10000000` steps",
        ),
    ] {
        refused(text, reason);
    }
    refused(
        "{{ range(1000000000) }}",
        "found a range of `1000000000` numbers",
    );
    refused(
        "{{ range(-9223372036854775807, 9223372036854775807) }}",
        "found a range of",
    );
    refused("{{ range(0, 1, 0) }}", "the step not `0`");
    check(
        "{{ range(5, 1) }}",
        Value::List(floe_plugin_api::List::new()),
    );
    check(
        "{{ range(0, 9223372036854775807, 9223372036854775807) }}",
        value!([0]),
    );
}

#[test]
fn what_holds_one_value_many_times_is_walked_within_bounds() {
    let shared = |operation: &str| {
        let wider = "{% set a = [a, a, a, a, a, a, a, a, a, a] %}".repeat(12);
        format!("{{% set a = 'x' %}}{wider}{{{{ {operation} }}}}")
    };
    for operation in [
        "a == a",
        "a < a",
        "1 in a",
        "a is eq(a)",
        "a | sort",
        "a | unique",
        "[{'b': a}, {'b': a}] | groupby('b')",
        "[{'b': a}, {'b': a}] | selectattr('b', 'eq', a)",
        "[a, a] | max",
    ] {
        let error = evaluate(&shared(operation)).unwrap_err().to_string();
        let bounded = error.contains("more than `10000000` steps") || error.contains("MiB made");
        assert!(bounded, "{operation}: {error}");
    }
}

#[test]
fn what_grows_without_an_end_ends() {
    let twice = |start: &str, op: &str| {
        let mut text = format!("{{% set a = {start} %}}");
        for _ in 0..60 {
            text.push_str(&format!("{{% set a = {op} %}}"));
        }
        text + "{{ a | length }}"
    };
    for (start, op) in [
        ("'ab'", "a ~ a"),
        ("'ab'", "a + a"),
        ("'ab'", "a * 2"),
        ("'ab'", "a | replace('a', a)"),
        ("'ab'", "a | replace('', a)"),
        ("'ab'", "[a, a] | join(a)"),
        ("[1]", "a + a"),
        ("[1]", "a * 2"),
        ("[1]", "[a, a, a, a] | tojson"),
        ("[1]", "a | chain(a) | list"),
        ("'ab'", "a | list | string"),
    ] {
        refused(&twice(start, op), "MiB made by one expression");
    }
    for text in [
        "{{ 'a' * 1000000000 }}",
        "{{ ('a' * 8000000) | list | length }}",
        "{{ ('a ' * 4000000) | split | length }}",
        "{{ ('a,' * 4000000) | split(',') | length }}",
        "{{ ('\\n' * 8000000) | lines | length }}",
        "{{ [1] * 1000000000 }}",
        "{{ 3 * [1] * 100000000 }}",
        "{{ (['x' * 1000000] * 100000) | map('upper') | list }}",
        "{{ (['x' * 1000000] * 100000) | join }}",
        "{{ (['x' * 1000000] * 100000) | unique | list | tojson }}",
        "{{ ([range(90000)] * 90000) | tojson }}",
        "{% for a in range(90000) %}{{ 'x' * 1000 }}{% endfor %}",
        "{% for a in range(90000) %}{{ steps.big.output }}{% endfor %}",
    ] {
        let run = Run {
            big: Some(Arc::new("x".repeat(10_000).into())),
        };
        let error = Template::parse(text).and_then(|it| it.evaluate(&scope(&run)));
        let message = error.unwrap_err().to_string();
        assert!(
            message.contains("MiB made by one expression"),
            "{text}: {message}"
        );
    }
    // Each of these holds a copy of the run's text.
    let rows = Arc::new(Value::from(vec![value!({"t": "x".repeat(1 << 20)}); 40]));
    let lists = Arc::new(Value::from(vec!["x".repeat(1 << 20); 40]));
    for (input, filter) in [(rows, "map(attribute='t')"), (lists, "sort")] {
        let held = Scope::new().input(input);
        let text = |name: &str| format!("{{% set {name} = input | {filter} %}}");
        let twice = Template::parse(&(text("a") + &text("b"))).unwrap();
        let message = twice.evaluate(&held).unwrap_err().to_string();
        assert!(
            message.contains("MiB made by one expression"),
            "{filter}: {message}"
        );
        let once = Template::parse(&text("a")).unwrap();
        assert_eq!(once.evaluate(&held).unwrap(), value!(""), "{filter}");
    }
    // These hold places in it.
    let rows = Arc::new(Value::from(vec![
        value!({"t": "x".repeat(1 << 20), "n": 1});
        80
    ]));
    let kept = "{{ input | selectattr('n', 'eq', 1) | map(attribute='n') | sum }}";
    let found = Template::parse(kept)
        .unwrap()
        .evaluate(&Scope::new().input(rows));
    assert_eq!(found.unwrap(), value!(80));
    refused(
        "{{ [1] | batch(1000000000, 0) }}",
        "expected `1` to `10000`",
    );
    refused("{{ ['a'] | sum(start='') }}", "found a start in `sum`");
    check("{{ ('a,b' * 100000) | split(',') | length }}", 100_001);
    refused("{{ 10 ** 10 ** 10 }}", "around `**`");
}

#[test]
fn what_is_deep_is_refused() {
    for (text, reason) in [
        (
            format!("{{{{ {}1{} }}}}", "(".repeat(400), ")".repeat(400)),
            "cannot be read",
        ),
        (
            format!("{{{{ {}1{} }}}}", "[".repeat(140), "]".repeat(140)),
            "cannot be read",
        ),
        (format!("{{{{ 1{} }}}}", "+1".repeat(400)), "nested deeper"),
        (
            format!("{{{{ a{} }}}}", ".a".repeat(100_000)),
            "words and signs",
        ),
        (
            format!("{{{{ a{} }}}}", "|abs".repeat(300)),
            "nested deeper",
        ),
        (
            format!("{{{{ {}true }}}}", "not ".repeat(900)),
            "nested deeper",
        ),
        ("{% if a %}".repeat(10_000), "statements in a text"),
        (
            format!("{{% if a %}}{}{{% endif %}}", "{% elif b %}".repeat(200)),
            "nested deeper",
        ),
        (
            "{% set a = [a] %}".repeat(200_000),
            "bytes, expected at most",
        ),
        (
            format!("{{% set a = 1 %}}{}", "{% set a = [a] %}".repeat(240)) + "{{ [a] }}",
            "nested deeper than `128`",
        ),
    ] {
        let error = evaluate(&text).unwrap_err().to_string();
        assert!(error.contains(reason), "{}: {error}", &text[..40]);
    }
}

#[test]
fn what_is_as_deep_as_allowed_has_a_value() {
    check(&format!("{{{{ 1{} }}}}", "+1".repeat(120)), 121);
    check(
        &format!("{{{{ {}1{} }}}}", "(".repeat(60), ")".repeat(60)),
        1,
    );
    check(&format!("{{{{ 1{} }}}}", "|abs".repeat(120)), 1);
    let nested = |open: &str, close: &str| format!("{}x{}", open.repeat(60), close.repeat(60));
    check(&nested("{% if true %}", "{% endif %}"), "x");
    check(&nested("{% for a in [1] %}", "{% endfor %}"), "x");
    check(&nested("{% with a = 1 %}", "{% endwith %}"), "x");
    let list = evaluate(&format!("{{{{ {}1{} }}}}", "[".repeat(60), "]".repeat(60)));
    assert_eq!(list.unwrap().to_json().unwrap().len(), 121);
}

#[test]
fn a_deep_value_of_a_run_is_looked_into_and_not_copied() {
    // As deep as a value may be that its own drop survives here.
    let mut deep = value!(1);
    for _ in 0..1000 {
        deep = value!([deep]);
    }
    let held = Scope::new().input(Arc::new(deep));
    let evaluate = |text: &str| Template::parse(text).unwrap().evaluate(&held);
    assert_eq!(evaluate("{{ input[0][0] | length }}").unwrap(), value!(1));
    for text in [
        "{{ input }}",
        "{{ [input] }}",
        "{{ input == input }}",
        "x{{ input }}",
        "{{ input | tojson }}",
        "{{ input | sort }}",
        "{{ [input[0]] | unique }}",
    ] {
        let message = evaluate(text).unwrap_err().to_string();
        assert!(
            message.contains("nested deeper than `128`"),
            "{text}: {message}"
        );
    }
}

#[test]
fn a_text_may_be_as_large_as_the_bound() {
    check("{{ 'x' * 1000000 }}{{ '' }}", "x".repeat(1_000_000));
    refused(
        "{{ 'x' * 16000000 }}{{ 'x' * 16000000 }}",
        "`16` MiB made by one expression",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn garbage_never_panics(text in r"([{}%#\[\]().|~+*'a-c0-2:,=<! -]|\{\{|\}\}|\{%|%\}|for |in |if |input|steps|default){0,40}") {
        let run = Run::default();
        for template in [Template::parse(&text), Template::parse_condition(&text), Template::parse(&format!("{{{{ {text} }}}}"))] {
            match template {
                Ok(template) => {
                    if let Err(error) = template.evaluate(&scope(&run)) {
                        prop_assert!(!error.to_string().is_empty());
                    }
                }
                Err(error) => prop_assert!(error.offset <= text.len() + 6, "{:?}", error),
            }
        }
    }

    #[test]
    fn any_text_never_panics(text in any::<String>()) {
        drop(Template::parse(&format!("{{{{{text}")));
        drop(Template::parse_condition(&text));
    }
}
