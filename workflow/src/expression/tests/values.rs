//! Types that are kept, and texts.

use std::sync::Arc;

use floe_plugin_api::{Bytes, Value, value};
use proptest::prelude::*;

use super::super::{Scope, Template};
use super::{Run, check, fetched, refused, scope};

#[test]
fn a_whole_expression_keeps_its_type() {
    let output = fetched();
    for name in [
        "rows", "count", "large", "least", "most", "half", "whole", "text", "yes", "nothing",
        "bytes", "empty",
    ] {
        let expected = output.get(name).unwrap().clone();
        check(
            &format!("{{{{ steps.fetch.output.{name} }}}}"),
            expected.clone(),
        );
        check(
            &format!(" \n{{{{- steps['fetch'].output.{name} -}}}}\t"),
            expected.clone(),
        );
        check(
            &format!("{{# why #}}{{{{ steps[input.step]['output']['{name}'] }}}}"),
            expected,
        );
    }
    check("{{ steps.fetch.output }}", output);
    check("{{ 2.0 * 1 }}", 2.0);
    check("{{ [1, 'a', none] }}", value!([1, "a", null]));
    check("{{ (1, 2) }}", value!([1, 2]));
    check("{{ {'b': 1, 'a': [steps.fetch.output.bytes]} }}", {
        let bytes = Value::Bytes(Bytes::from(&[0_u8, 255][..]));
        value!({"b": 1, "a": [bytes]})
    });
}

#[test]
fn maps_keep_their_order() {
    let scope_of = |value: Value| Scope::new().input(Arc::new(value));
    let input = value!({"z": 1, "a": {"y": 2, "b": 3}});
    let text = "{{ [input] }}";
    let found = Template::parse(text)
        .unwrap()
        .evaluate(&scope_of(input.clone()))
        .unwrap();
    assert_eq!(found.to_json().unwrap(), r#"[{"z":1,"a":{"y":2,"b":3}}]"#);
    let made = Template::parse("{{ {'z': 1, 'a': 2} }}")
        .unwrap()
        .evaluate(&scope_of(input))
        .unwrap();
    assert_eq!(made.to_json().unwrap(), r#"{"z":1,"a":2}"#);
}

#[test]
fn parts_of_a_text_are_rendered() {
    check("city: {{ input.city }}", "city: Lund");
    check("{{ input.city }}{{ index }}", "Lund4");
    check("<{{ steps.fetch.output.text }}>", "<a \"b\" {{ c }}>");
    check(
        "{{ steps.fetch.output.count }}/{{ steps.fetch.output.half }}/{{ steps.fetch.output.yes }}",
        "3/0.5/true",
    );
    check("{{ steps.fetch.output.large }}!", "9007199254740993!");
    check("n={{ steps.fetch.output.most }}", "n=18446744073709551615");
    check("{{ steps.fetch.output.whole }} m", "2.0 m");
    check(
        "r: {{ steps.fetch.output.rows[0] }}",
        r#"r: {"name":"Lund","n":1}"#,
    );
    check("r: {{ [1, 'a', none] }}", r#"r: [1,"a",null]"#);
    check("{{ steps.fetch.output.utf8 }}!", "å!");
    check("a\n{{ 1 }}\n", "a\n1\n");
    check("{% raw %}{{ literal }}{% endraw %}", "{{ literal }}");
    check("{{ 'a' ~ 1 ~ [2] }}", "a1[2]");
    refused(
        "x{{ steps.fetch.output.bytes }}",
        "found bytes that are no UTF-8",
    );
    refused(
        "x{{ steps.fetch.output.nothing }}",
        "found null in `steps.fetch.output.nothing`, expected text",
    );
    check("x{{ steps.fetch.output.nothing | default('-') }}", "x-");
    check("x{{ steps.fetch.output.nothin | d('-') }}", "x-");
    check("x{{ steps.later.output.a.b | default('-') }}", "x-");
}

#[test]
fn statements() {
    let rows = "steps.fetch.output.rows";
    check(
        &format!(
            "{{% for row in {rows} %}}{{{{ loop.index }}}}{{{{ row.name }}}}{{% if not loop.last %}},{{% endif %}}{{% endfor %}}"
        ),
        "1Lund,2Umeå,3Ystad",
    );
    check(
        &format!("{{% for row in {rows} if row.n > 1 %}}{{{{ row.n }}}}{{% endfor %}}"),
        "23",
    );
    check(
        "{% for k, v in workflow | items %}{{ k }}={{ v }} {% endfor %}",
        "id=w name=Rain version=1 ",
    );
    check(
        "{% for k in workflow %}{{ k }} {% endfor %}",
        "id name version ",
    );
    check(
        "{% for x in steps.fetch.output.empty %}{{ x }}{% else %}none{% endfor %}",
        "none",
    );
    check(
        "{% set a = 1 %}{% if a > 1 %}x{% elif a == 1 %}y{% else %}z{% endif %}",
        "y",
    );
    check("{% with a = 1, b = a + 1 %}{{ b }}{% endwith %}!", "2!");
    // What a turn of a loop sets is gone in the next.
    check(
        "{% set a = 0 %}{% for x in range(3) %}{% set a = a + 1 %}{{ a }}{% endfor %}{{ a }}",
        "1110",
    );
}

#[test]
fn operators_and_filters() {
    check("{{ steps.fetch.output.rows | length }}", 3);
    check(
        "{{ steps.fetch.output.rows | map(attribute='name') | join(', ') }}",
        "Lund, Umeå, Ystad",
    );
    check(
        "{{ steps.fetch.output.rows | selectattr('n', 'gt', 1) | map(attribute='n') | list }}",
        value!([2, 3]),
    );
    check("{{ steps.fetch.output.rows | sum(attribute='n') }}", 6);
    check(
        "{{ steps.fetch.output.rows | sort(attribute='n', reverse=true) | first }}",
        value!({"name": "Ystad", "n": 3}),
    );
    check("{{ steps.fetch.output.rows[-1].name }}", "Ystad");
    check(
        "{{ steps.fetch.output.rows[1:] | map(attribute='n') }}",
        value!([2, 3]),
    );
    check("{{ 'Umeå'[1:3] }}", "me");
    check("{{ 'a-b' | replace('-', '+') | upper }}", "A+B");
    check("{{ ['a', 'b'] | map('upper') }}", value!(["A", "B"]));
    check("{{ [1] + [2] }}", value!([1, 2]));
    check("{{ [1] * 3 }}", value!([1, 1, 1]));
    check("{{ 7 // 2 + 2 ** 3 }}", 11);
    check("{{ range(5, 0, -2) }}", value!([5, 3, 1]));
    check("{{ 'yes' if input.city == 'Lund' else 'no' }}", "yes");
    check("{{ input.city in ['Lund'] and 1 < index < 9 }}", true);
    check("{{ input.city not in ['Lund'] }}", false);
    check("{{ steps.load.error.message }}", "no disk");
    check("{{ steps.fetch.error is none }}", true);
    check("{{ steps.load.status }}", "failed");
    check("{{ steps.load.attempts }}", 3);
    check("{{ steps.later.attempts }}", 0);
    check("{{ steps.fetch.recovered_by }}", "retry");
    check("{{ steps.load.recovered_by is none }}", true);
    check("{{ {'a': 1} | tojson }}", "{\"a\":1}");
    check("{{ none or 3 }}", 3);
    check(
        "{{ steps.fetch.output.rows == steps.fetch.output.rows }}",
        true,
    );
    check("{{ 18446744073709551615 }}", u64::MAX);
    refused(
        "{{ 18446744073709551615 + 1 }}",
        "found the integer `18446744073709551616`, expected one of 64 bits",
    );
    refused("{{ '10' > 9 }}", "found string and integer around `>`");
    check("{{ index | string | upper }}", "4");
    refused(
        "{{ input | upper }}",
        "found map before `upper` in `input | upper`, expected a string; make it one by `| string`",
    );
    refused("{{ none | trim }}", "found null before `trim`");
    refused("{{ [none] | map('trim') }}", "found null before `trim`");
    refused("{{ [] - 1 }}", "found list and integer around `-`");
    refused("{{ {1: 2} }}", "found integer as a map's name");
}

#[test]
fn conditions_are_booleans() {
    let run = Run::default();
    let holds =
        |text: &str| Template::parse_condition(text).and_then(|it| it.is_true(&scope(&run)));
    for (text, expected) in [
        ("steps.fetch.output.count > 2", true),
        ("{{ steps.fetch.output.count > 3 }}", false),
        (" not steps.fetch.output.yes ", false),
        ("input.nope is defined or true", true),
        ("{'a': 1}.a == 1", true),
    ] {
        assert_eq!(holds(text).unwrap(), expected, "{text}");
    }
    for (text, reason) in [
        (
            "steps.fetch.output.count",
            "found the integer `3`, expected a boolean; compare it, as in `… > 0`",
        ),
        ("'yes'", "found the string `yes`, expected a boolean"),
        ("steps.fetch.output.rows", "compare its length"),
        ("steps.fetch.output.nothing", "is not none"),
        ("{{ true }} {{ true }}", "expected one expression"),
        ("", "cannot be read"),
        ("a b", "cannot be read"),
    ] {
        let message = holds(text).unwrap_err().to_string();
        assert!(message.contains(reason), "{text}: {message}");
    }
}

#[test]
fn one_field_of_much_copies_nothing() {
    let rows: Vec<Value> = (0..100)
        .map(|n| value!({"name": n, "load": "x".repeat(1 << 20)}))
        .collect();
    let big = Arc::new(value!({"rows": rows}));
    let run = Run {
        big: Some(Arc::clone(&big)),
    };
    // Were it copied, the budget of what may be made would end it.
    let text = "{% for row in steps.big.output.rows %}{{ row.name }} {% endfor %}{{ steps.big.output.rows[3].name }}";
    let found = Template::parse(text)
        .unwrap()
        .evaluate(&scope(&run))
        .unwrap();
    assert!(found.as_str().unwrap().ends_with("99 3"));
    let whole = Template::parse("{{ steps.big.output }}").unwrap();
    let shared = whole.evaluate_shared(&scope(&run)).unwrap();
    assert!(Arc::ptr_eq(&shared, &big));
    drop(shared);
    assert_eq!(Arc::strong_count(&big), 2);
    let count = Template::parse("{{ steps.big.output.rows | length }}").unwrap();
    assert_eq!(count.evaluate(&scope(&run)).unwrap(), value!(100));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::F64),
        ".{0,12}".prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..8).prop_map(|bytes| Value::Bytes(bytes.into())),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec(("[a-z]{1,4}", inner), 0..5)
                .prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn values_come_back_as_they_are(value in values()) {
        let held = Scope::new().input(Arc::new(value.clone()));
        for (text, expected) in [
            ("{{ input }}", value.clone()),
            ("{{ [input] }}", value!([value.clone()])),
            ("{{ {'a': input} }}", value!({"a": value.clone()})),
            ("{{ [input] | first }}", value.clone()),
            ("{{ [[input]] | map('last') | reverse }}", value!([value])),
        ] {
            let found = Template::parse(text).unwrap().evaluate(&held);
            // A text that is null within a list is no text; all else is as it was.
            prop_assert_eq!(found.unwrap(), expected, "{}", text);
        }
    }

    #[test]
    fn a_constant_text_comes_back_as_it_is(text in "[^{]{0,40}") {
        let template = Template::parse(&text).unwrap();
        prop_assert!(template.is_constant());
        prop_assert_eq!(template.evaluate(&Scope::new()).unwrap(), Value::from(text));
    }
}
