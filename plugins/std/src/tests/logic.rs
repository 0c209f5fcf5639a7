use floe_plugin_api::{Bytes, value};

use super::*;

pub(super) const CASES: &[Case] = &[
    ("logic.and", r#"{"values":[true,true]}"#, "true"),
    ("logic.and", r#"{"values":[true,false]}"#, "false"),
    ("logic.and", r#"{"values":[]}"#, "true"),
    ("logic.or", r#"{"values":[false,true]}"#, "true"),
    ("logic.or", r#"{"values":[]}"#, "false"),
    ("logic.not", r#"{"value":false}"#, "true"),
    ("logic.equal", r#"{"a":1,"b":1.0}"#, "true"),
    (
        "logic.equal",
        r#"{"a":9007199254740993,"b":9007199254740992.0}"#,
        "false",
    ),
    (
        "logic.equal",
        r#"{"a":18446744073709551615,"b":18446744073709551616.0}"#,
        "false",
    ),
    ("logic.equal", r#"{"a":"1","b":1}"#, "false"),
    ("logic.equal", r#"{"a":null,"b":false}"#, "false"),
    (
        "logic.equal",
        r#"{"a":{"x":[1,{"y":2}],"z":null},"b":{"z":null,"x":[1.0,{"y":2}]}}"#,
        "true",
    ),
    ("logic.equal", r#"{"a":{"x":1},"b":{"y":1}}"#, "false"),
    ("logic.equal", r#"{"a":[1,2],"b":[2,1]}"#, "false"),
    ("logic.not_equal", r#"{"a":1,"b":2}"#, "true"),
    ("logic.not_equal", r#"{"a":[],"b":[]}"#, "false"),
    ("logic.greater", r#"{"a":2,"b":1.5}"#, "true"),
    (
        "logic.greater",
        r#"{"a":9007199254740993,"b":9007199254740992.0}"#,
        "true",
    ),
    ("logic.greater", r#"{"a":-1.5,"b":-1}"#, "false"),
    ("logic.greater", r#"{"a":-1,"b":-1.5}"#, "true"),
    (
        "logic.greater",
        r#"{"a":1e300,"b":18446744073709551615}"#,
        "true",
    ),
    (
        "logic.greater",
        r#"{"a":-1e300,"b":-9223372036854775808}"#,
        "false",
    ),
    ("logic.greater_equal", r#"{"a":"b","b":"a"}"#, "true"),
    ("logic.greater_equal", r#"{"a":1,"b":1.0}"#, "true"),
    ("logic.less", r#"{"a":"Z","b":"a"}"#, "true"),
    ("logic.less", r#"{"a":false,"b":true}"#, "true"),
    ("logic.less_equal", r#"{"a":"a","b":"a"}"#, "true"),
    ("logic.less_equal", r#"{"a":2,"b":1}"#, "false"),
    ("logic.is_null", r#"{"value":null}"#, "true"),
    ("logic.is_null", r#"{"value":0}"#, "false"),
    ("logic.is_empty", r#"{"value":null}"#, "true"),
    ("logic.is_empty", r#"{"value":""}"#, "true"),
    ("logic.is_empty", r#"{"value":" "}"#, "false"),
    ("logic.is_empty", r#"{"value":[]}"#, "true"),
    ("logic.is_empty", r#"{"value":{}}"#, "true"),
    ("logic.is_empty", r#"{"value":[null]}"#, "false"),
    ("logic.coalesce", r#"{"values":[null,false,1]}"#, "false"),
    ("logic.coalesce", r#"{"values":[null]}"#, "null"),
    ("logic.coalesce", r#"{"values":[]}"#, "null"),
    (
        "logic.if",
        r#"{"condition":true,"then":[1],"else":2}"#,
        "[1]",
    ),
    (
        "logic.if",
        r#"{"condition":false,"then":[1],"else":18446744073709551615}"#,
        "18446744073709551615",
    ),
    ("logic.if", r#"{"condition":false,"then":1}"#, "null"),
];

pub(super) const REFUSALS: &[Refusal] = &[
    (
        "logic.and",
        r#"{"values":[true,1]}"#,
        InvalidParameters,
        "at `values[1]`",
    ),
    (
        "logic.not",
        r#"{"value":"false"}"#,
        InvalidParameters,
        "at `value`",
    ),
    (
        "logic.if",
        r#"{"condition":1,"then":2}"#,
        InvalidParameters,
        "at `condition`",
    ),
    (
        "logic.if",
        r#"{"condition":true}"#,
        InvalidParameters,
        "missing field `then`",
    ),
    (
        "logic.greater",
        r#"{"a":1,"b":"1"}"#,
        ValidationFailed,
        "`a` (`integer`) and `b` (`string`) have no order; compare two numbers, two strings or two booleans",
    ),
    (
        "logic.less",
        r#"{"a":[1],"b":[2]}"#,
        ValidationFailed,
        "`a` (`list`) and `b` (`list`) have no order",
    ),
    (
        "logic.less_equal",
        r#"{"a":null,"b":null}"#,
        ValidationFailed,
        "`a` (`null`) and `b` (`null`)",
    ),
    (
        "logic.greater_equal",
        r#"{"a":true,"b":1}"#,
        ValidationFailed,
        "`a` (`boolean`) and `b` (`integer`)",
    ),
    (
        "logic.is_empty",
        r#"{"value":0}"#,
        ValidationFailed,
        "`value` is `0`, expected null, a string, bytes, a list or a dict",
    ),
    (
        "logic.is_empty",
        r#"{"value":false}"#,
        ValidationFailed,
        "`value` is `false`",
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
fn what_json_cannot_say_is_compared_too() {
    let nan = value!({"a": f64::NAN, "b": f64::NAN});
    assert_eq!(call("logic.equal", &nan).unwrap(), Value::Bool(true));
    refused("logic.less", &nan, ValidationFailed, "`a` (`not a number`)");
    let infinite = value!({"a": f64::INFINITY, "b": u64::MAX});
    assert_eq!(call("logic.greater", &infinite).unwrap(), Value::Bool(true));
    let bytes = value!({"a": Bytes::from(vec![1]), "b": Bytes::from(vec![1])});
    assert_eq!(call("logic.equal", &bytes).unwrap(), Value::Bool(true));
    let mixed = value!({"a": Bytes::from(vec![1]), "b": [1]});
    assert_eq!(call("logic.equal", &mixed).unwrap(), Value::Bool(false));
    let empty = value!({"value": Bytes::new()});
    assert_eq!(call("logic.is_empty", &empty).unwrap(), Value::Bool(true));
}
