//! Each executor as a host calls it: a value in, a value or an error out.

use floe_plugin_api::{CallOptions, Cancellation, Executor, Value, value};

use super::*;

fn run<Shape>(executor: impl Executor<TextPlugin, Shape>, input: &Value) -> Result<Value> {
    run_with(&CallOptions::new(), executor, input)
}

fn run_with<Shape>(
    options: &CallOptions,
    executor: impl Executor<TextPlugin, Shape>,
    input: &Value,
) -> Result<Value> {
    let plugin = TextPlugin::start(NoConfig {}, HostRef::unconnected())?;
    executor.execute(&plugin, input, &options.context())
}

#[track_caller]
fn check<Shape>(
    executor: impl Executor<TextPlugin, Shape>,
    input: &Value,
    expected: impl Into<Value>,
) {
    assert_eq!(run(executor, input).unwrap(), expected.into());
}

#[track_caller]
fn refused<Shape>(
    executor: impl Executor<TextPlugin, Shape>,
    input: &Value,
    kind: ErrorKind,
    reason: &str,
) -> Error {
    let error = run(executor, input).unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.message().contains(reason), "{error:?}");
    error
}

#[test]
fn case() {
    check(upper, &value!({"text": "Straße, lund"}), "STRASSE, LUND");
    check(lower, &value!({"text": "ÅRE ΟΔΟΣ"}), "åre οδος");
    check(upper, &value!({"text": ""}), "");
}

#[test]
fn trimming() {
    check(trim, &value!({"text": "\u{a0} a b \n"}), "a b");
    check(trim, &value!({"text": "--[x]--", "chars": "-[]"}), "x");
    check(trim, &value!({"text": " x ", "chars": ""}), " x ");
    check(trim, &value!({"text": " x ", "chars": null}), "x");
}

#[test]
fn splitting() {
    check(
        split,
        &value!({"text": "a, b,, c", "separator": ","}),
        value!(["a", " b", "", " c"]),
    );
    check(
        split,
        &value!({"text": "k=v=w", "separator": "=", "limit": 2}),
        value!(["k", "v=w"]),
    );
    check(
        split,
        &value!({"text": "k=v", "separator": "=", "limit": 1}),
        value!(["k=v"]),
    );
    check(split, &value!({"text": "", "separator": "="}), value!([""]));
}

#[test]
fn joining() {
    check(
        join,
        &value!({"parts": ["a", "", "c"], "separator": "; "}),
        "a; ; c",
    );
    check(join, &value!({"parts": [], "separator": "; "}), "");
    check(join, &value!({"parts": ["a", "b"], "separator": ""}), "ab");
}

#[test]
fn replacing() {
    check(
        replace,
        &value!({"text": "aaaa", "from": "aa", "to": "b"}),
        "bb",
    );
    check(
        replace,
        &value!({"text": "a.a.a", "from": "a", "to": "", "count": 2}),
        "..a",
    );
    check(
        replace,
        &value!({"text": "abc", "from": "x", "to": "y"}),
        "abc",
    );
}

#[test]
fn what_splits_or_is_looked_for_is_not_empty() {
    let error = refused(
        split,
        &value!({"text": "abc", "separator": ""}),
        ErrorKind::ValidationFailed,
        "`separator` is `\"\"`, expected at least one character",
    );
    assert_eq!(error.details().get("path"), Some(&"separator".into()));
    refused(
        replace,
        &value!({"text": "abc", "from": "", "to": "x"}),
        ErrorKind::ValidationFailed,
        "`from` is `\"\"`, expected at least one character",
    );
}

#[test]
fn inputs_that_do_not_fit_are_refused_at_the_field() {
    let kind = ErrorKind::InvalidParameters;
    refused(upper, &value!({"text": 7}), kind, "at `text`");
    refused(upper, &value!({}), kind, "missing field `text`");
    refused(
        lower,
        &value!({"text": "a", "locale": "tr"}),
        kind,
        "unknown field `locale`",
    );
    refused(
        split,
        &value!({"text": "a", "separator": ",", "limit": 0}),
        kind,
        "at `limit`",
    );
    refused(
        replace,
        &value!({"text": "a", "from": "a", "to": "b", "count": -1}),
        kind,
        "at `count`",
    );
    refused(
        join,
        &value!({"parts": ["a", null], "separator": ","}),
        kind,
        "at `parts[1]`",
    );
}

#[test]
fn no_text_grows_without_bound() {
    let long = "x".repeat(1 << 20);
    let kind = ErrorKind::ResourceExhausted;
    let reason = "longer than `67108864` bytes";
    refused(
        replace,
        &value!({"text": &long, "from": "x", "to": "y".repeat(65)}),
        kind,
        reason,
    );
    let parts = Value::from(vec![""; 66]);
    refused(
        join,
        &value!({"parts": parts, "separator": &long}),
        kind,
        reason,
    );
    refused(
        template::render,
        &value!({"template": "{% for i in range(65) %}{{ long }}{% endfor %}", "values": {"long": &long}}),
        kind,
        reason,
    );
}

#[track_caller]
fn rendered(template: &str, values: &Value, expected: &str) {
    let input = value!({"template": template, "values": values.clone()});
    check(template::render, &input, expected);
}

#[test]
fn templates() {
    rendered("plain", &value!({}), "plain");
    rendered(
        "{{ city }}: {{ rain_mm }} mm",
        &value!({"city": "Lund", "rain_mm": 1.5}),
        "Lund: 1.5 mm",
    );
    rendered(
        "{% for row in rows if row.wet %}{{ loop.index }}. {{ row.day|upper }}\n{% endfor %}",
        &value!({"rows": [{"day": "mon", "wet": true}, {"day": "tue", "wet": false}, {"day": "wed", "wet": true}]}),
        "1. MON\n2. WED\n",
    );
    rendered(
        "{% macro b(t) %}<{{ t }}>{% endmacro %}{{ b('x') }}",
        &value!({}),
        "<x>",
    );
}

#[test]
fn templates_keep_values_as_they_are() {
    // Above `i64`, above what a float holds, and at both ends.
    rendered(
        "{{ a }} {{ b }} {{ c }} {{ a + 1 }}",
        &value!({"a": u64::MAX, "b": i64::MIN, "c": 9_007_199_254_740_993_i64}),
        "18446744073709551615 -9223372036854775808 9007199254740993 18446744073709551616",
    );
    rendered(
        "{% for k in m %}{{ k }}{% endfor %} {{ m|tojson }}",
        &value!({"m": {"z": 1, "a": [null, true]}}),
        "za {\"z\": 1, \"a\": [null, true]}",
    );
    rendered(
        "{{ html }}",
        &value!({"html": "<b>&amp;</b>"}),
        "<b>&amp;</b>",
    );
}

#[track_caller]
fn not_rendered(template: &str, kind: ErrorKind, reason: &str) -> Error {
    let input = value!({"template": template, "values": {"name": "Ada", "none": null}});
    refused(template::render, &input, kind, reason)
}

#[test]
fn templates_that_are_wrong_are_refused_with_their_line() {
    let error = not_rendered(
        "a\nb {% if %}",
        ErrorKind::InvalidParameters,
        "the template fails at line `2`: syntax error: ",
    );
    assert_eq!(error.details().get("line"), Some(&2.into()));
    not_rendered(
        "\n\n{{ name|shout }}",
        ErrorKind::InvalidParameters,
        "line `3`: unknown filter: filter shout is unknown",
    );
    not_rendered(
        "{{ open('/etc/passwd') }}",
        ErrorKind::InvalidParameters,
        "line `1`: unknown function: open is unknown",
    );
    not_rendered(
        "Hello\n{{ nmae }}",
        ErrorKind::ValidationFailed,
        "line `2`: undefined value: `nmae` is undefined",
    );
    not_rendered(
        "{{ none.x.y }}",
        ErrorKind::ValidationFailed,
        "line `1`: undefined value",
    );
    not_rendered(
        "{{ name + 1 }}",
        ErrorKind::ExecutionError,
        "line `1`: invalid operation",
    );
    not_rendered(
        "{% include 'secrets.txt' %}",
        ErrorKind::ExecutionError,
        "line `1`: template not found",
    );
    refused(
        template::render,
        &value!({"template": "x", "values": [1]}),
        ErrorKind::ValidationFailed,
        "`values` is `[1]`, expected a map",
    );
}

#[test]
fn hostile_templates_end() {
    not_rendered(
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        ErrorKind::ResourceExhausted,
        "it takes more than `10000000` steps",
    );
    not_rendered(
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        ErrorKind::ExecutionError,
        "recursion limit exceeded",
    );
    not_rendered(
        "{{ 'x' * 1000000000 }}",
        ErrorKind::ExecutionError,
        "repeated string is too large",
    );
    let nested = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    not_rendered(
        &format!("{{{{ {nested} }}}}"),
        ErrorKind::InvalidParameters,
        "recursion",
    );
}

#[test]
fn a_cancelled_rendering_ends() {
    let switch = Cancellation::new();
    switch.cancel();
    let options = CallOptions::new().cancellation(switch);
    let input = value!({"template": "{{ name }}", "values": {"name": "Ada"}});
    let error = run_with(&options, template::render, &input).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
