use floe_plugin_api::{Bytes, value};

use super::*;

pub(super) const CASES: &[Case] = &[
    ("convert.to_string", r#"{"value":"a"}"#, r#""a""#),
    (
        "convert.to_string",
        r#"{"value":18446744073709551615}"#,
        r#""18446744073709551615""#,
    ),
    ("convert.to_string", r#"{"value":1.0}"#, r#""1.0""#),
    ("convert.to_string", r#"{"value":true}"#, r#""true""#),
    ("convert.to_int", r#"{"value":7}"#, "7"),
    ("convert.to_int", r#"{"value":7.0}"#, "7"),
    ("convert.to_int", r#"{"value":" -12\n"}"#, "-12"),
    ("convert.to_int", r#"{"value":"+12"}"#, "12"),
    (
        "convert.to_int",
        r#"{"value":"18446744073709551615"}"#,
        "18446744073709551615",
    ),
    (
        "convert.to_int",
        r#"{"value":"-9223372036854775808"}"#,
        "-9223372036854775808",
    ),
    ("convert.to_int", r#"{"value":"FF","radix":16}"#, "255"),
    ("convert.to_int", r#"{"value":true}"#, "1"),
    ("convert.to_float", r#"{"value":7}"#, "7.0"),
    ("convert.to_float", r#"{"value":" 1e3 "}"#, "1000.0"),
    (
        "convert.to_float",
        r#"{"value":"9007199254740992"}"#,
        "9007199254740992.0",
    ),
    ("convert.to_float", r#"{"value":0.1}"#, "0.1"),
    ("convert.to_bool", r#"{"value":true}"#, "true"),
    ("convert.to_bool", r#"{"value":" Yes "}"#, "true"),
    ("convert.to_bool", r#"{"value":"OFF"}"#, "false"),
    ("convert.to_bool", r#"{"value":0}"#, "false"),
    (
        "convert.parse_json",
        r#"{"text":" {\"a\":[1,18446744073709551615,1.0]} "}"#,
        r#"{"a":[1,18446744073709551615,1.0]}"#,
    ),
    ("convert.parse_json", r#"{"text":"null"}"#, "null"),
    (
        "convert.to_json",
        r#"{"value":{"z":[1,null],"a":"\""}}"#,
        r#""{\"z\":[1,null],\"a\":\"\\\"\"}""#,
    ),
    (
        "convert.to_json",
        r#"{"value":{"a":[1]},"pretty":true}"#,
        r#""{\n  \"a\": [\n    1\n  ]\n}""#,
    ),
    (
        "convert.base64_encode",
        r#"{"data":"Åre>?"}"#,
        r#""w4VyZT4/""#,
    ),
    (
        "convert.base64_encode",
        r#"{"data":"Åre>?","url_safe":true}"#,
        r#""w4VyZT4_""#,
    ),
    ("convert.base64_encode", r#"{"data":[255,0]}"#, r#""/wA=""#),
    (
        "convert.base64_encode",
        r#"{"data":[255,0],"padding":false}"#,
        r#""/wA""#,
    ),
    (
        "convert.base64_encode",
        r#"{"data":[255,0],"padding":false,"url_safe":true}"#,
        r#""_wA""#,
    ),
    ("convert.base64_encode", r#"{"data":""}"#, r#""""#),
    (
        "convert.hex_encode",
        r#"{"data":[255,0,16]}"#,
        r#""ff0010""#,
    ),
    ("convert.hex_encode", r#"{"data":"Å"}"#, r#""c385""#),
    ("convert.bytes_to_text", r#"{"data":[195,133]}"#, r#""Å""#),
    (
        "convert.bytes_to_text",
        r#"{"data":[97,255,98],"lossy":true}"#,
        r#""a�b""#,
    ),
    (
        "convert.bytes_to_text",
        r#"{"data":"as it is"}"#,
        r#""as it is""#,
    ),
];

/// JSON has no bytes to expect.
pub(super) const BYTES: &[(&str, &str, &[u8])] = &[
    ("convert.base64_decode", r#"{"text":"/wA="}"#, &[255, 0]),
    ("convert.base64_decode", r#"{"text":"/wA"}"#, &[255, 0]),
    (
        "convert.base64_decode",
        r#"{"text":"_wA","url_safe":true}"#,
        &[255, 0],
    ),
    (
        "convert.base64_decode",
        r#"{"text":"_wA=","url_safe":true}"#,
        &[255, 0],
    ),
    ("convert.base64_decode", r#"{"text":""}"#, &[]),
    ("convert.hex_decode", r#"{"text":"ff0010"}"#, &[255, 0, 16]),
    ("convert.hex_decode", r#"{"text":"FF"}"#, &[255]),
    ("convert.hex_decode", r#"{"text":""}"#, &[]),
    ("convert.text_to_bytes", r#"{"text":"Å"}"#, &[195, 133]),
];

pub(super) const REFUSALS: &[Refusal] = &[
    (
        "convert.to_string",
        r#"{"value":null}"#,
        ValidationFailed,
        "`value` is `null`, expected a string, number or boolean",
    ),
    (
        "convert.to_string",
        r#"{"value":[1]}"#,
        ValidationFailed,
        "`convert.to_json` takes any value",
    ),
    (
        "convert.to_int",
        r#"{"value":12.5}"#,
        ValidationFailed,
        "`value` is `12.5`, expected an integer that fits 64 bits, or the digits of one",
    ),
    (
        "convert.to_int",
        r#"{"value":"12.5"}"#,
        ValidationFailed,
        "`value` is `\"12.5\"`",
    ),
    (
        "convert.to_int",
        r#"{"value":""}"#,
        ValidationFailed,
        "`value` is `\"\"`",
    ),
    (
        "convert.to_int",
        r#"{"value":"18446744073709551616"}"#,
        ValidationFailed,
        "fits 64 bits",
    ),
    (
        "convert.to_int",
        r#"{"value":"-9223372036854775809"}"#,
        ValidationFailed,
        "fits 64 bits",
    ),
    (
        "convert.to_int",
        r#"{"value":1e300}"#,
        ValidationFailed,
        "fits 64 bits",
    ),
    (
        "convert.to_int",
        r#"{"value":null}"#,
        ValidationFailed,
        "`value` is `null`",
    ),
    (
        "convert.to_int",
        r#"{"value":"1","radix":1}"#,
        ValidationFailed,
        "`radix` is `1`, expected a number from 2 to 36",
    ),
    (
        "convert.to_int",
        r#"{"value":"2","radix":2}"#,
        ValidationFailed,
        "`value` is `\"2\"`",
    ),
    (
        "convert.to_float",
        r#"{"value":9007199254740993}"#,
        ValidationFailed,
        "`value` is `9007199254740993`, expected a finite number that a 64-bit float holds",
    ),
    (
        "convert.to_float",
        r#"{"value":"9007199254740993"}"#,
        ValidationFailed,
        "`value` is `\"9007199254740993\"`",
    ),
    (
        "convert.to_float",
        r#"{"value":"nan"}"#,
        ValidationFailed,
        "a finite number",
    ),
    (
        "convert.to_float",
        r#"{"value":"inf"}"#,
        ValidationFailed,
        "a finite number",
    ),
    (
        "convert.to_float",
        r#"{"value":"1e999"}"#,
        ValidationFailed,
        "a finite number",
    ),
    (
        "convert.to_float",
        r#"{"value":true}"#,
        ValidationFailed,
        "`value` is `true`",
    ),
    (
        "convert.to_bool",
        r#"{"value":2}"#,
        ValidationFailed,
        "`value` is `2`, expected a boolean, 0, 1, or `true`",
    ),
    (
        "convert.to_bool",
        r#"{"value":"maybe"}"#,
        ValidationFailed,
        "`value` is `\"maybe\"`",
    ),
    (
        "convert.to_bool",
        r#"{"value":null}"#,
        ValidationFailed,
        "`value` is `null`",
    ),
    (
        "convert.parse_json",
        r#"{"text":"{"}"#,
        ValidationFailed,
        "`text` is no JSON: EOF while parsing",
    ),
    (
        "convert.parse_json",
        r#"{"text":"[18446744073709551616]"}"#,
        ValidationFailed,
        "does not fit 64 bits",
    ),
    (
        "convert.base64_encode",
        r#"{"data":[256]}"#,
        InvalidParameters,
        "at `data[0]`",
    ),
    (
        "convert.base64_encode",
        r#"{"data":7}"#,
        InvalidParameters,
        "expected a string, bytes, or a list of numbers from 0 to 255",
    ),
    (
        "convert.base64_decode",
        r#"{"text":"_wA="}"#,
        ValidationFailed,
        "`text` is `\"_wA=\"`, expected base64 of letters, digits, `+` and `/`",
    ),
    (
        "convert.base64_decode",
        r#"{"text":"/wA=","url_safe":true}"#,
        ValidationFailed,
        "`-` and `_`",
    ),
    (
        "convert.base64_decode",
        r#"{"text":"/wA=="}"#,
        ValidationFailed,
        "expected base64",
    ),
    (
        "convert.base64_decode",
        r#"{"text":"/w A"}"#,
        ValidationFailed,
        "expected base64",
    ),
    (
        "convert.base64_decode",
        r#"{"text":"/"}"#,
        ValidationFailed,
        "expected base64",
    ),
    (
        "convert.hex_decode",
        r#"{"text":"abc"}"#,
        ValidationFailed,
        "`text` is `\"abc\"`, expected an even number of digits",
    ),
    (
        "convert.hex_decode",
        r#"{"text":"zz"}"#,
        ValidationFailed,
        "expected an even number of digits",
    ),
    (
        "convert.bytes_to_text",
        r#"{"data":[97,255]}"#,
        ValidationFailed,
        "`data` is no UTF-8 at byte `1`",
    ),
    (
        "convert.text_to_bytes",
        r#"{"text":1}"#,
        InvalidParameters,
        "at `text`",
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
fn bytes() {
    for (node_type, input, expected) in BYTES {
        let found = call(node_type, &Value::from_json(input).unwrap()).unwrap();
        assert_eq!(
            found,
            Bytes::from(*expected).into(),
            "{node_type} of {input}"
        );
    }
}

#[test]
fn what_json_cannot_say_is_converted_too() {
    let bytes = || Bytes::from(vec![195, 133]);
    for (node_type, input, expected) in [
        ("convert.bytes_to_text", value!({"data": bytes()}), "Å"),
        ("convert.hex_encode", value!({"data": bytes()}), "c385"),
        ("convert.base64_encode", value!({"data": bytes()}), "w4U="),
        ("convert.to_json", value!({"value": bytes()}), "[195,133]"),
    ] {
        assert_eq!(call(node_type, &input).unwrap(), expected.into());
    }
    for (node_type, reason) in [
        ("convert.to_string", "expected a finite number"),
        ("convert.to_int", "expected an integer"),
        ("convert.to_float", "expected a finite number"),
        (
            "convert.to_json",
            "JSON has no way to write the number `NaN`",
        ),
    ] {
        refused(
            node_type,
            &value!({"value": f64::NAN}),
            ValidationFailed,
            reason,
        );
    }
    refused(
        "convert.to_string",
        &value!({"value": bytes()}),
        ValidationFailed,
        "`convert.bytes_to_text` bytes",
    );
}

#[test]
fn no_output_grows_without_bound() {
    let half = Bytes::from(vec![0; (32 << 20) + 1]);
    let control = "\u{1}".repeat(12 << 20);
    let deep = (0..100).fold(value!([0, 0, 0, 0]), |inner, _| value!([inner]));
    let wide: Vec<Value> = vec![deep; 4000];
    for (node_type, input) in [
        ("convert.hex_encode", value!({"data": half})),
        ("convert.to_json", value!({"value": control})),
        ("convert.to_json", value!({"value": wide, "pretty": true})),
    ] {
        refused(
            node_type,
            &input,
            ResourceExhausted,
            "longer than `67108864` bytes",
        );
    }
}
