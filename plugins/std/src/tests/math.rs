use floe_plugin_api::value;

use super::*;

pub(super) const CASES: &[Case] = &[
    ("math.add", r#"{"a":1,"b":2}"#, "3"),
    ("math.add", r#"{"a":1,"b":2.0}"#, "3.0"),
    (
        "math.add",
        r#"{"a":9223372036854775807,"b":1}"#,
        "9223372036854775808",
    ),
    (
        "math.add",
        r#"{"a":18446744073709551615,"b":-9223372036854775808}"#,
        "9223372036854775807",
    ),
    (
        "math.add",
        r#"{"a":9007199254740993,"b":0}"#,
        "9007199254740993",
    ),
    ("math.add", r#"{"a":0.1,"b":0.2}"#, "0.30000000000000004"),
    ("math.subtract", r#"{"a":5,"b":7}"#, "-2"),
    ("math.subtract", r#"{"a":5.5,"b":7}"#, "-1.5"),
    (
        "math.multiply",
        r#"{"a":4294967296,"b":2147483648}"#,
        "9223372036854775808",
    ),
    ("math.multiply", r#"{"a":-3,"b":0.5}"#, "-1.5"),
    ("math.divide", r#"{"a":6,"b":3}"#, "2"),
    ("math.divide", r#"{"a":7,"b":-2}"#, "-3.5"),
    ("math.divide", r#"{"a":6.0,"b":3}"#, "2.0"),
    (
        "math.divide",
        r#"{"a":18446744073709551615,"b":5}"#,
        "3689348814741910323",
    ),
    (
        "math.divide",
        r#"{"a":-9223372036854775808,"b":-1}"#,
        "9223372036854775808",
    ),
    ("math.quotient", r#"{"a":7,"b":2}"#, "3"),
    ("math.quotient", r#"{"a":-7,"b":2}"#, "-4"),
    ("math.quotient", r#"{"a":7,"b":-2}"#, "-4"),
    ("math.quotient", r#"{"a":-7,"b":-2}"#, "3"),
    ("math.quotient", r#"{"a":7.5,"b":2}"#, "3"),
    ("math.quotient", r#"{"a":-7.5,"b":2}"#, "-4"),
    // The quotient is nearest to 10, and the remainder is almost 0.1.
    ("math.quotient", r#"{"a":1.0,"b":0.1}"#, "9"),
    ("math.modulo", r#"{"a":7,"b":3}"#, "1"),
    ("math.modulo", r#"{"a":-7,"b":3}"#, "2"),
    ("math.modulo", r#"{"a":7,"b":-3}"#, "-2"),
    ("math.modulo", r#"{"a":-7.5,"b":2}"#, "0.5"),
    ("math.power", r#"{"a":2,"b":10}"#, "1024"),
    ("math.power", r#"{"a":2,"b":63}"#, "9223372036854775808"),
    ("math.power", r#"{"a":2,"b":-1}"#, "0.5"),
    ("math.power", r#"{"a":-1,"b":18446744073709551615}"#, "-1"),
    ("math.power", r#"{"a":0,"b":0}"#, "1"),
    ("math.power", r#"{"a":2.5,"b":2}"#, "6.25"),
    (
        "math.abs",
        r#"{"value":-9223372036854775808}"#,
        "9223372036854775808",
    ),
    ("math.abs", r#"{"value":-1.5}"#, "1.5"),
    ("math.round", r#"{"value":2.5}"#, "3"),
    ("math.round", r#"{"value":-2.5}"#, "-3"),
    ("math.round", r#"{"value":0.49999999999999994}"#, "0"),
    ("math.round", r#"{"value":-0.4}"#, "0"),
    ("math.round", r#"{"value":2.675,"digits":2}"#, "2.68"),
    ("math.round", r#"{"value":-1.005,"digits":2}"#, "-1.01"),
    ("math.round", r#"{"value":9.999,"digits":2}"#, "10.0"),
    ("math.round", r#"{"value":0.004,"digits":1}"#, "0.0"),
    ("math.round", r#"{"value":0.05,"digits":1}"#, "0.1"),
    ("math.round", r#"{"value":1.5,"digits":20}"#, "1.5"),
    ("math.round", r#"{"value":1e300,"digits":2}"#, "1e300"),
    ("math.round", r#"{"value":1234.5,"digits":-2}"#, "1200"),
    ("math.round", r#"{"value":1250.5,"digits":-2}"#, "1300"),
    ("math.round", r#"{"value":-0.5,"digits":-3}"#, "0"),
    ("math.round", r#"{"value":1250,"digits":-2}"#, "1300"),
    ("math.round", r#"{"value":-1250,"digits":-2}"#, "-1300"),
    ("math.round", r#"{"value":1249,"digits":-2}"#, "1200"),
    ("math.round", r#"{"value":7,"digits":-20}"#, "0"),
    (
        "math.round",
        r#"{"value":18446744073709551615,"digits":2}"#,
        "18446744073709551615",
    ),
    ("math.floor", r#"{"value":-1.5}"#, "-2"),
    ("math.floor", r#"{"value":7}"#, "7"),
    ("math.floor", r#"{"value":1e19}"#, "10000000000000000000"),
    ("math.ceil", r#"{"value":-1.5}"#, "-1"),
    ("math.ceil", r#"{"value":1.0000001}"#, "2"),
    ("math.min", r#"{"values":[2,1.5,9]}"#, "1.5"),
    ("math.min", r#"{"values":[1,1.0]}"#, "1"),
    ("math.max", r#"{"values":[2,1.5,-9]}"#, "2"),
    // As floats they were equal.
    (
        "math.max",
        r#"{"values":[9007199254740992.0,9007199254740993]}"#,
        "9007199254740993",
    ),
    ("math.sum", r#"{"values":[]}"#, "0"),
    ("math.sum", r#"{"values":[1,2,3]}"#, "6"),
    (
        "math.sum",
        r#"{"values":[18446744073709551615,-18446744073709551,1,-1]}"#,
        "18428297329635842064",
    ),
    (
        "math.sum",
        r#"{"values":[0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1]}"#,
        "1.0",
    ),
    ("math.sum", r#"{"values":[1e100,1,-1e100]}"#, "1.0"),
    ("math.mean", r#"{"values":[1,2,3]}"#, "2"),
    ("math.mean", r#"{"values":[1,2]}"#, "1.5"),
    (
        "math.mean",
        r#"{"values":[18446744073709551615,18446744073709551615]}"#,
        "18446744073709551615",
    ),
    ("math.median", r#"{"values":[9,1,5]}"#, "5"),
    ("math.median", r#"{"values":[9,1,5,2]}"#, "3.5"),
    ("math.median", r#"{"values":[9,1,5,3]}"#, "4"),
    ("math.median", r#"{"values":[2.5]}"#, "2.5"),
    ("math.clamp", r#"{"value":7,"min":1,"max":5.5}"#, "5.5"),
    ("math.clamp", r#"{"value":-7,"min":1}"#, "1"),
    ("math.clamp", r#"{"value":-7}"#, "-7"),
    ("math.clamp", r#"{"value":3,"min":3.0,"max":3.0}"#, "3"),
];

pub(super) const REFUSALS: &[Refusal] = &[
    (
        "math.add",
        r#"{"a":"1","b":2}"#,
        InvalidParameters,
        "at `a`: invalid type: string \"1\", expected a number",
    ),
    (
        "math.add",
        r#"{"a":1,"b":null}"#,
        InvalidParameters,
        "at `b`",
    ),
    (
        "math.add",
        r#"{"a":18446744073709551615,"b":1}"#,
        ValidationFailed,
        "the result `18446744073709551616` does not fit 64 bits",
    ),
    (
        "math.add",
        r#"{"a":9007199254740993,"b":0.5}"#,
        ValidationFailed,
        "`a` is `9007199254740993`, expected an integer that is calculated with fractions without rounding",
    ),
    (
        "math.add",
        r#"{"a":1e308,"b":1e308}"#,
        ValidationFailed,
        "the result is too large for a number",
    ),
    (
        "math.subtract",
        r#"{"a":-9223372036854775808,"b":1}"#,
        ValidationFailed,
        "the result `-9223372036854775809` does not fit 64 bits",
    ),
    (
        "math.multiply",
        r#"{"a":18446744073709551615,"b":18446744073709551615}"#,
        ValidationFailed,
        "does not fit 64 bits",
    ),
    (
        "math.divide",
        r#"{"a":1,"b":0}"#,
        ValidationFailed,
        "`b` is `0`, expected a number other than 0",
    ),
    (
        "math.divide",
        r#"{"a":1,"b":-0.0}"#,
        ValidationFailed,
        "`b` is `-0.0`, expected a number other than 0",
    ),
    (
        "math.divide",
        r#"{"a":9007199254740993,"b":2}"#,
        ValidationFailed,
        "`a` is `9007199254740993`",
    ),
    (
        "math.divide",
        r#"{"a":1e300,"b":1e-300}"#,
        ValidationFailed,
        "too large",
    ),
    (
        "math.quotient",
        r#"{"a":1,"b":0.0}"#,
        ValidationFailed,
        "`b` is `0.0`",
    ),
    (
        "math.quotient",
        r#"{"a":1e300,"b":2}"#,
        ValidationFailed,
        "does not fit 64 bits",
    ),
    (
        "math.modulo",
        r#"{"a":1,"b":0}"#,
        ValidationFailed,
        "`b` is `0`",
    ),
    (
        "math.power",
        r#"{"a":2,"b":64}"#,
        ValidationFailed,
        "does not fit 64 bits",
    ),
    (
        "math.power",
        r#"{"a":3,"b":18446744073709551615}"#,
        ValidationFailed,
        "does not fit 64 bits",
    ),
    (
        "math.power",
        r#"{"a":0,"b":-1}"#,
        ValidationFailed,
        "too large",
    ),
    (
        "math.power",
        r#"{"a":-2,"b":0.5}"#,
        ValidationFailed,
        "the result is not a number",
    ),
    (
        "math.round",
        r#"{"value":1.5,"digits":21}"#,
        ValidationFailed,
        "`digits` is `21`, expected a number from -20 to 20",
    ),
    (
        "math.round",
        r#"{"value":1e300}"#,
        ValidationFailed,
        "does not fit 64 bits",
    ),
    (
        "math.round",
        r#"{"value":1e25,"digits":-1}"#,
        ValidationFailed,
        "does not fit 64 bits",
    ),
    (
        "math.round",
        r#"{"value":18446744073709551615,"digits":-1}"#,
        ValidationFailed,
        "`18446744073709551620` does not fit 64 bits",
    ),
    (
        "math.floor",
        r#"{"value":1e300}"#,
        ValidationFailed,
        "does not fit 64 bits",
    ),
    (
        "math.ceil",
        r#"{"value":-1e19}"#,
        ValidationFailed,
        "does not fit 64 bits",
    ),
    (
        "math.min",
        r#"{"values":[]}"#,
        ValidationFailed,
        "`values` is `[]`, expected at least one number",
    ),
    (
        "math.max",
        r#"{"values":[1,true]}"#,
        InvalidParameters,
        "at `values[1]`",
    ),
    (
        "math.sum",
        r#"{"values":[18446744073709551615,1]}"#,
        ValidationFailed,
        "does not fit 64 bits",
    ),
    (
        "math.sum",
        r#"{"values":[0.5,9007199254740993]}"#,
        ValidationFailed,
        "`values[1]` is `9007199254740993`",
    ),
    (
        "math.sum",
        r#"{"values":[1e308,1e308]}"#,
        ValidationFailed,
        "too large",
    ),
    (
        "math.mean",
        r#"{"values":[]}"#,
        ValidationFailed,
        "at least one number",
    ),
    (
        "math.mean",
        r#"{"values":[9007199254740993,0]}"#,
        ValidationFailed,
        "`the sum of `values`` is",
    ),
    (
        "math.median",
        r#"{"values":[]}"#,
        ValidationFailed,
        "at least one number",
    ),
    (
        "math.clamp",
        r#"{"value":1,"min":2,"max":1}"#,
        ValidationFailed,
        "`min` is `2`, expected at most what `max` is",
    ),
];

#[test]
fn cases() {
    check_all(CASES);
}

#[test]
fn refusals() {
    refuse_all(REFUSALS);
}

#[test]
fn what_is_not_finite_is_refused() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for (node_type, input, path) in [
            ("math.add", value!({"a": value, "b": 1}), "a"),
            ("math.abs", value!({"value": value}), "value"),
            ("math.min", value!({"values": [1, value]}), "values[1]"),
            ("math.clamp", value!({"value": 1, "max": value}), "max"),
        ] {
            let reason = format!("at `{path}`: `{value}` is no finite number");
            refused(node_type, &input, InvalidParameters, &reason);
        }
    }
}

#[test]
fn quotient_and_modulo_belong_together() {
    let numbers = [-9, -4, -3, -1, 1, 3, 4, 9, i64::MIN, i64::MAX];
    for a in numbers {
        for b in numbers {
            let input = value!({"a": a, "b": b});
            let whole = |value: Value| {
                let large = value.as_u64().map(i128::from);
                large.or(value.as_i64().map(i128::from)).unwrap()
            };
            let quotient = whole(call("math.quotient", &input).unwrap());
            let rest = whole(call("math.modulo", &input).unwrap());
            assert_eq!(quotient * i128::from(b) + rest, i128::from(a), "{a}, {b}");
            assert!(rest == 0 || (rest < 0) == (b < 0), "{a}, {b}");
        }
    }
}

#[test]
fn what_is_rounded_to_nothing_has_no_sign() {
    for value in [-0.04, -0.004] {
        let input = value!({"value": value, "digits": 1});
        let rounded = call("math.round", &input).unwrap();
        assert_eq!(rounded.to_json().unwrap(), "0.0");
    }
}
