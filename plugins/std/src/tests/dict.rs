use floe_plugin_api::value;

use super::*;

pub(super) const CASES: &[Case] = &[
    (
        "dict.get",
        r#"{"dict":{"rows":[{"city":"Lund"}]},"path":"/rows/0/city"}"#,
        r#""Lund""#,
    ),
    ("dict.get", r#"{"dict":{"a":1},"path":"/b"}"#, "null"),
    (
        "dict.get",
        r#"{"dict":{"a":1},"path":"/b","default":[0]}"#,
        "[0]",
    ),
    (
        "dict.get",
        r#"{"dict":{"a":null},"path":"/a","default":1}"#,
        "null",
    ),
    (
        "dict.get",
        r#"{"dict":{"a":null},"path":"/a","required":true}"#,
        "null",
    ),
    ("dict.get", r#"{"dict":{"a":1},"path":""}"#, r#"{"a":1}"#),
    ("dict.get", r#"{"dict":{"":{"":1}},"path":"//"}"#, "1"),
    ("dict.get", r#"{"dict":{"a":[1,2]},"path":"/a/01"}"#, "null"),
    (
        "dict.has",
        r#"{"dict":{"a":{"b":null}},"path":"/a/b"}"#,
        "true",
    ),
    (
        "dict.has",
        r#"{"dict":{"a":{"b":null}},"path":"/a/b/c"}"#,
        "false",
    ),
    (
        "dict.set",
        r#"{"dict":{"a":1,"b":2},"path":"/a","value":[3]}"#,
        r#"{"a":[3],"b":2}"#,
    ),
    (
        "dict.set",
        r#"{"dict":{},"path":"/a/0/c","value":null}"#,
        r#"{"a":{"0":{"c":null}}}"#,
    ),
    (
        "dict.set",
        r#"{"dict":{"a":[1,2]},"path":"/a/1","value":3}"#,
        r#"{"a":[1,3]}"#,
    ),
    (
        "dict.set",
        r#"{"dict":{"a":[1,2]},"path":"/a/2","value":3}"#,
        r#"{"a":[1,2,3]}"#,
    ),
    (
        "dict.set",
        r#"{"dict":{"a":[]},"path":"/a/-/b","value":3}"#,
        r#"{"a":[{"b":3}]}"#,
    ),
    (
        "dict.set",
        r#"{"dict":{},"path":"/a~1b","value":1}"#,
        r#"{"a/b":1}"#,
    ),
    (
        "dict.remove",
        r#"{"dict":{"a":1,"b":2,"c":3},"path":"/b"}"#,
        r#"{"a":1,"c":3}"#,
    ),
    (
        "dict.remove",
        r#"{"dict":{"a":[1,2,3]},"path":"/a/1"}"#,
        r#"{"a":[1,3]}"#,
    ),
    (
        "dict.remove",
        r#"{"dict":{"a":[1]},"path":"/a/x"}"#,
        r#"{"a":[1]}"#,
    ),
    (
        "dict.remove",
        r#"{"dict":{"a":{"b":{"c":1,"d":2}}},"path":"/a/b/c"}"#,
        r#"{"a":{"b":{"d":2}}}"#,
    ),
    (
        "dict.remove",
        r#"{"dict":{"a":1},"path":"/a/b"}"#,
        r#"{"a":1}"#,
    ),
    (
        "dict.remove",
        r#"{"dict":{"a":1},"path":"/x/y"}"#,
        r#"{"a":1}"#,
    ),
    ("dict.keys", r#"{"dict":{"z":1,"a":2}}"#, r#"["z","a"]"#),
    (
        "dict.values",
        r#"{"dict":{"z":[1],"a":null}}"#,
        "[[1],null]",
    ),
    (
        "dict.entries",
        r#"{"dict":{"z":1,"a":{}}}"#,
        r#"[{"key":"z","value":1},{"key":"a","value":{}}]"#,
    ),
    (
        "dict.from_entries",
        r#"{"entries":[{"key":"z","value":1},{"key":"a","value":null}]}"#,
        r#"{"z":1,"a":null}"#,
    ),
    ("dict.from_entries", r#"{"entries":[]}"#, "{}"),
    (
        "dict.merge",
        r#"{"dicts":[{"a":1,"b":{"x":1}},{"b":{"y":2}},{"c":null}]}"#,
        r#"{"a":1,"b":{"y":2},"c":null}"#,
    ),
    (
        "dict.merge",
        r#"{"dicts":[{"a":1,"b":{"x":1,"z":{"p":1}}},{"b":{"y":2,"z":{"q":2}}},{"b":{"x":3}}],"deep":true}"#,
        r#"{"a":1,"b":{"x":3,"z":{"p":1,"q":2},"y":2}}"#,
    ),
    (
        "dict.merge",
        r#"{"dicts":[{"b":{"x":1}},{"b":7},{"b":{"y":2}}],"deep":true}"#,
        r#"{"b":{"y":2}}"#,
    ),
    (
        "dict.merge",
        r#"{"dicts":[{"b":{"x":1}},{"b":[2]}],"deep":true}"#,
        r#"{"b":[2]}"#,
    ),
    ("dict.merge", r#"{"dicts":[]}"#, "{}"),
    (
        "dict.pick",
        r#"{"dict":{"a":1,"b":2,"c":3},"keys":["c","a","x"]}"#,
        r#"{"a":1,"c":3}"#,
    ),
    (
        "dict.omit",
        r#"{"dict":{"a":1,"b":2,"c":3},"keys":["b","x"]}"#,
        r#"{"a":1,"c":3}"#,
    ),
    (
        "dict.rename",
        r#"{"dict":{"a":1,"b":2},"names":{"a":"c","x":"y"}}"#,
        r#"{"c":1,"b":2}"#,
    ),
    (
        "dict.rename",
        r#"{"dict":{"a":1,"b":2},"names":{"a":"b","b":"a"}}"#,
        r#"{"b":1,"a":2}"#,
    ),
];

pub(super) const REFUSALS: &[Refusal] = &[
    (
        "dict.get",
        r#"{"dict":[],"path":""}"#,
        InvalidParameters,
        "at `dict`: invalid type: list, expected a map",
    ),
    (
        "dict.get",
        r#"{"dict":{},"path":"a"}"#,
        InvalidParameters,
        "at `path`: `a` is no JSON pointer",
    ),
    (
        "dict.get",
        r#"{"dict":{},"path":"/a","required":true}"#,
        ValidationFailed,
        "`path` is `\"/a\"`, expected a place where something is, as `required` says",
    ),
    (
        "dict.set",
        r#"{"dict":{},"path":"","value":1}"#,
        ValidationFailed,
        "`path` is `\"\"`, expected a place inside the dict",
    ),
    (
        "dict.set",
        r#"{"dict":{"a":1},"path":"/a/b","value":1}"#,
        ValidationFailed,
        "`b` is neither in a dict nor an index of a list",
    ),
    (
        "dict.set",
        r#"{"dict":{"a":[1]},"path":"/a/2","value":1}"#,
        ValidationFailed,
        "`2` is neither",
    ),
    (
        "dict.set",
        r#"{"dict":{"a":[1]},"path":"/a/x","value":1}"#,
        ValidationFailed,
        "`x` is neither",
    ),
    (
        "dict.remove",
        r#"{"dict":{},"path":""}"#,
        ValidationFailed,
        "a place inside the dict",
    ),
    (
        "dict.from_entries",
        r#"{"entries":[{"key":"a","value":1},{"key":"a","value":2}]}"#,
        ValidationFailed,
        "`entries[1].key` is `\"a\"`, expected a key that no entry before it has",
    ),
    (
        "dict.from_entries",
        r#"{"entries":[{"key":1,"value":1}]}"#,
        InvalidParameters,
        "at `entries[0].key`",
    ),
    (
        "dict.merge",
        r#"{"dicts":[{},1]}"#,
        InvalidParameters,
        "at `dicts[1]`",
    ),
    (
        "dict.pick",
        r#"{"dict":{},"keys":[1]}"#,
        InvalidParameters,
        "at `keys[0]`",
    ),
    (
        "dict.rename",
        r#"{"dict":{"a":1,"b":2},"names":{"a":"b"}}"#,
        ValidationFailed,
        "two entries would have the key `b`",
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
fn the_order_of_keys_is_kept() {
    let merged = call(
        "dict.merge",
        &value!({"dicts": [{"z": 1, "a": 2}, {"m": 3, "a": 4}]}),
    );
    assert_eq!(merged.unwrap().to_json().unwrap(), r#"{"z":1,"a":4,"m":3}"#);
    let renamed = call(
        "dict.rename",
        &value!({"dict": {"z": 1, "a": 2, "m": 3}, "names": {"a": "b"}}),
    );
    assert_eq!(
        renamed.unwrap().to_json().unwrap(),
        r#"{"z":1,"b":2,"m":3}"#
    );
    let set = call(
        "dict.set",
        &value!({"dict": {"z": 1, "a": 2}, "path": "/z", "value": 0}),
    );
    assert_eq!(set.unwrap().to_json().unwrap(), r#"{"z":0,"a":2}"#);
}

#[test]
fn no_pointer_makes_a_value_that_is_too_deep() {
    let input = |steps| value!({"dict": {}, "path": "/a".repeat(steps), "value": 1});
    assert!(call("dict.set", &input(128)).is_ok());
    refused(
        "dict.set",
        &input(129),
        InvalidParameters,
        "a pointer has at most `128` steps",
    );
}
