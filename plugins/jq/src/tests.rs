//! `jq.apply` as a host calls it: a value in, a value or an error out.

use floe_plugin_api::{CallOptions, Cancellation, Executor, value};

use super::*;

fn started(config: &Value) -> Jq {
    Jq::start(config.to_typed().unwrap(), HostRef::unconnected()).unwrap()
}

fn run(input: &Value) -> Result<Value> {
    apply.execute(&started(&value!({})), input, &CallOptions::new().context())
}

#[track_caller]
fn check(filter: &str, input: Value, expected: impl Into<Value>) {
    let given = run(&value!({"filter": filter, "input": input})).unwrap();
    assert_eq!(given, expected.into());
}

#[track_caller]
fn check_all(filter: &str, input: Value, expected: impl Into<Value>) {
    let given = run(&value!({"filter": filter, "input": input, "all": true})).unwrap();
    assert_eq!(given, expected.into());
}

#[track_caller]
fn refused(filter: &str, input: Value, kind: ErrorKind, reason: &str) -> Error {
    let error = run(&value!({"filter": filter, "input": input})).unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.message().contains(reason), "{error:?}");
    error
}

#[test]
fn one_output_is_the_result_as_it_is() {
    let days = value!([{"day": "mon", "mm": 1.5}, {"day": "tue", "mm": 0}]);
    check("map(.day)", days.clone(), value!(["mon", "tue"]));
    check("map(.mm) | add", days.clone(), 1.5);
    check(
        "first(.[])",
        days.clone(),
        value!({"day": "mon", "mm": 1.5}),
    );
    check(".[] | select(.mm > 1).day", days, "mon");
    check(".", value!(null), value!(null));
}

#[test]
fn all_gives_a_list_of_any_number() {
    check_all(".[]", value!([1, null, "x"]), value!([1, null, "x"]));
    check_all(".[]", value!([[1]]), value!([[1]]));
    check_all("empty", value!(null), value!([]));
}

#[test]
fn without_all_any_other_number_than_one_is_refused() {
    let kind = ErrorKind::ValidationFailed;
    refused("empty", value!(null), kind, "gives no output, expected one");
    refused(
        ".[]",
        value!([1, 2]),
        kind,
        "gives more than one output, expected one",
    );
}

#[test]
fn values_pass_unchanged() {
    for value in [
        value!(null),
        value!(true),
        value!(0),
        value!(i64::MIN),
        value!(i64::MAX),
        value!(u64::MAX),
        value!(9_007_199_254_740_993_i64),
        value!(-0.5),
        value!(f64::MAX),
        value!(f64::INFINITY),
        value!("å \u{1F327} \u{0}"),
        Value::Bytes(vec![0, 159, 146, 150].into()),
        value!([[], {}, [1, 2.5]]),
        value!({"z": 1, "a": {"y": null, "b": [u64::MAX]}}),
    ] {
        let given = run(&value!({"filter": ".", "input": value.clone()})).unwrap();
        // As text too: that tells integers from floats, and one order of keys from another.
        assert_eq!(format!("{given:?}"), format!("{value:?}"));
        assert_eq!(given, value);
    }
    let given = run(&value!({"filter": ".", "input": f64::NAN})).unwrap();
    assert!(matches!(given, Value::F64(value) if value.is_nan()));
}

#[test]
fn integers_are_calculated_exactly() {
    check(
        ". + 1",
        value!(9_007_199_254_740_992_i64),
        9_007_199_254_740_993_i64,
    );
    check(". + 1", value!(i64::MAX), 9_223_372_036_854_775_808_u64);
    check("-9223372036854775808", value!(null), i64::MIN);
    check("18446744073709551615", value!(null), u64::MAX);
    check("0.1", value!(null), 0.1);
    check("1e3", value!(null), 1000.0);
}

#[test]
fn outputs_that_cannot_be_said_exactly_are_refused() {
    let kind = ErrorKind::ExecutionError;
    refused(
        "[. + 1]",
        value!(u64::MAX),
        kind,
        "the output holds `18446744073709551616`, which does not fit 64 bits",
    );
    refused(
        "-9223372036854775809",
        value!(null),
        kind,
        "holds `-9223372036854775809`",
    );
    refused("1e1000", value!(null), kind, "holds `1e1000`");
    refused(
        "{(1): 2}",
        value!(null),
        kind,
        "has the key `1`, which is no string",
    );
    refused("[-255] | implode", value!(null), kind, "not utf-8");
    refused(
        "reduce range(300) as $i (0; [.])",
        value!(null),
        kind,
        "the output is nested deeper than `256`",
    );
}

#[test]
fn what_is_nested_too_deep_is_refused_and_ends_no_process() {
    let mut input = value!(null);
    for _ in 0..300 {
        input = value!([input]);
    }
    refused(
        ".",
        input,
        ErrorKind::ValidationFailed,
        "`input` is nested deeper than `256`",
    );
    refused(
        "fromjson",
        "[".repeat(1_000_000).into(),
        ErrorKind::ExecutionError,
        "the json text is nested deeper than 256",
    );
    let brackets_in_text = format!(r#"["{}\"{}"]"#, "[".repeat(999), "{".repeat(999));
    check("fromjson | length", brackets_in_text.into(), 1);
}

#[track_caller]
fn wrong(filter: &str, place: Option<(u32, u32)>, reason: &str) {
    let error = refused(filter, value!(null), ErrorKind::InvalidParameters, reason);
    let told = |name| error.details().get(name).and_then(Value::as_u64);
    let told = told("line").zip(told("column"));
    assert_eq!(told, place.map(|(l, c)| (l.into(), c.into())), "{error:?}");
}

#[test]
fn filters_that_are_wrong_are_refused_with_their_place() {
    wrong(".a | | b", Some((1, 6)), "found `|`, expected term");
    wrong(
        "{a: 1",
        Some((1, 6)),
        "found the end, expected what closes `{`",
    );
    wrong(
        ".a\n| \"å\" + foo(1; 2)",
        Some((2, 9)),
        "there is no filter `foo` with `2` arguments",
    );
    wrong("$x", Some((1, 1)), "there is no variable `$x`");
    wrong("break $x", Some((1, 7)), "there is no label `$x`");
    wrong(r#""\q""#, Some((1, 3)), "expected string escape sequence");
    wrong("", Some((1, 1)), "found the end, expected term");
    wrong(
        "if . then 1",
        Some((1, 12)),
        "found the end, expected else or end",
    );
    wrong("1 as x", Some((1, 6)), "found `x`, expected pattern");
}

#[test]
fn a_filter_reaches_nothing_but_its_input() {
    for left_out in [
        "env",
        "halt",
        "halt_error",
        "halt_error(1)",
        "stderr",
        "localtime",
    ] {
        wrong(left_out, Some((1, 1)), "is left out");
    }
    wrong("halt(0)", Some((1, 1)), "is left out");
    wrong("strflocaltime(\"%H\")", Some((1, 1)), "is left out");
    wrong("$ENV", Some((1, 1)), "there is no variable `$ENV`");
    wrong("input", Some((1, 1)), "there is no filter `input`");
    wrong("inputs", Some((1, 1)), "there is no filter `inputs`");
    wrong("input_filename", Some((1, 1)), "there is no filter");
    for import in [
        "import \"a\" as a; a::b",
        "include \"a\"; .",
        "import \"a\" as $a; $a",
    ] {
        let error = refused(
            import,
            value!(null),
            ErrorKind::InvalidParameters,
            "filters cannot import files",
        );
        assert_eq!(error.details().get("line"), Some(&1.into()));
    }
}

#[test]
fn what_goes_wrong_in_a_filter_is_told_in_its_words() {
    let kind = ErrorKind::ExecutionError;
    refused(
        ".a",
        value!(7),
        kind,
        "the filter fails: cannot index 7 with \"a\"",
    );
    refused(
        "error(\"no rain\")",
        value!(null),
        kind,
        "the filter fails: no rain",
    );
    refused(
        "error({code: 7})",
        value!(null),
        kind,
        "the filter fails: {\"code\":7}",
    );
    let error = refused(
        ".a",
        Value::from(vec![1; 10_000]),
        kind,
        "cannot index [1,1,",
    );
    assert!(error.message().chars().count() < 500);
}

#[test]
fn the_definitions_that_stand_in_do_as_those_of_jq() {
    let none = || value!(null);
    check("[limit(3; repeat(1))]", none(), value!([1, 1, 1]));
    check("[range(4)]", none(), value!([0, 1, 2, 3]));
    check(
        "[range(0, 1; 3, 4)]",
        none(),
        value!([0, 1, 2, 0, 1, 2, 3, 1, 2, 1, 2, 3]),
    );
    check("[range(5; 0; -2)]", none(), value!([5, 3, 1]));
    check(
        "[recurse(if . < 3 then . + 1 else empty end)]",
        value!(0),
        value!([0, 1, 2, 3]),
    );
    check("[recurse | numbers]", value!([1, [2]]), value!([1, 2]));
    check("[path(recurse)]", value!([1]), value!([[], [0]]));
    check("[while(. < 8; . * 2)]", value!(1), value!([1, 2, 4]));
    check("until(. > 8; . * 2)", value!(1), 16);
    check_all("fromjson", value!("1 [2]"), value!([1, [2]]));
    check("debug", value!(7), 7);
    check("[.[] | tonumber]", value!(["1", 2]), value!([1, 2]));
}

#[test]
fn a_long_loop_takes_no_stack() {
    check("last(limit(200000; repeat(1)))", value!(null), 1);
    check("until(. > 200000; . + 1)", value!(0), 200_001);
    check(
        "last(recurse(if . < 200000 then . + 1 else empty end))",
        value!(0),
        200_000,
    );
}

#[track_caller]
fn ends(filter: &str, options: &CallOptions, kind: ErrorKind) {
    let input = value!({"filter": filter, "input": 0, "all": true});
    let error = apply
        .execute(&started(&value!({})), &input, &options.context())
        .unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
}

#[test]
fn endless_filters_end_when_nobody_waits() {
    let switch = Cancellation::new();
    switch.cancel();
    let cancelled = CallOptions::new().cancellation(switch);
    let late = CallOptions::new().timeout(std::time::Duration::ZERO);
    for filter in [
        "repeat(1)",
        "range(infinite)",
        "[repeat(1)]",
        "[range(0; 1; 0)]",
        "last(range(infinite))",
        "until(false; .)",
        "[while(true; .)]",
        "reduce repeat(1) as $x (0; . + $x)",
        "try [repeat(1)] catch 1",
        "[.[]?, (until(false; .))?]",
    ] {
        ends(filter, &cancelled, ErrorKind::Cancelled);
        ends(filter, &late, ErrorKind::ExecutionTimeout);
    }
    let patient = CallOptions::new();
    ends("repeat(1)", &patient, ErrorKind::ResourceExhausted);
}

#[test]
fn the_bound_on_outputs_can_be_set() {
    let jq = started(&value!({"max_outputs": 2}));
    let options = CallOptions::new();
    let call = options.context();
    let mut input = value!({"filter": ".[]", "input": [1, 2], "all": true});
    assert_eq!(apply.execute(&jq, &input, &call).unwrap(), value!([1, 2]));
    if let Value::Map(fields) = &mut input {
        fields.insert("input", value!([1, 2, 3]));
    }
    let error = apply.execute(&jq, &input, &call).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    assert!(
        error.message().contains("more than `2` outputs"),
        "{error:?}"
    );
}

#[test]
fn compiled_filters_are_kept_until_others_take_their_place() {
    let jq = started(&value!({"cache": 2}));
    let first = jq.filter("1".to_owned()).unwrap();
    assert!(Arc::ptr_eq(&first, &jq.filter("1".to_owned()).unwrap()));
    for other in ["2", "3"] {
        jq.filter(other.to_owned()).unwrap();
    }
    assert_eq!(jq.compiled.lock().len(), 2);
    assert!(!Arc::ptr_eq(&first, &jq.filter("1".to_owned()).unwrap()));
    assert!(jq.filter("|".to_owned()).is_err());
    assert_eq!(jq.compiled.lock().len(), 2);
}

#[test]
fn threads_share_a_filter() {
    let jq = started(&value!({}));
    std::thread::scope(|scope| {
        for thread in 0..4_i64 {
            let jq = &jq;
            scope.spawn(move || {
                for number in 0..50_i64 {
                    let input = value!({"filter": ". * 2", "input": thread * number});
                    let given = apply.execute(jq, &input, &CallOptions::new().context());
                    assert_eq!(given.unwrap(), Value::from(thread * number * 2));
                }
            });
        }
    });
    assert_eq!(jq.compiled.lock().len(), 1);
}

#[test]
fn inputs_and_configurations_that_do_not_fit_are_refused() {
    let error = run(&value!({"filter": "."})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidParameters);
    assert!(
        error.message().contains("missing field `input`"),
        "{error:?}"
    );
    let error = run(&value!({"filter": ".", "input": 1, "first": true})).unwrap_err();
    assert!(
        error.message().contains("unknown field `first`"),
        "{error:?}"
    );
    for config in [
        value!({"cache": 0}),
        value!({"max_outputs": 0}),
        value!({"x": 1}),
    ] {
        assert!(config.to_typed::<Config>().is_err(), "{config:?}");
    }
}
