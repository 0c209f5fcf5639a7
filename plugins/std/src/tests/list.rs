use floe_plugin_api::value;

use super::*;

pub(super) const CASES: &[Case] = &[
    ("list.length", r#"{"list":[1,null]}"#, "2"),
    ("list.first", r#"{"list":["a",1]}"#, r#""a""#),
    ("list.first", r#"{"list":[]}"#, "null"),
    ("list.last", r#"{"list":["a",{"b":1}]}"#, r#"{"b":1}"#),
    ("list.last", r#"{"list":[]}"#, "null"),
    ("list.get", r#"{"list":[1,2,3],"index":1}"#, "2"),
    ("list.get", r#"{"list":[1,2,3],"index":-1}"#, "3"),
    ("list.get", r#"{"list":[1,2,3],"index":-4}"#, "null"),
    (
        "list.get",
        r#"{"list":[1,2,3],"index":3,"default":"none"}"#,
        r#""none""#,
    ),
    (
        "list.slice",
        r#"{"list":[1,2,3,4],"start":1,"end":3}"#,
        "[2,3]",
    ),
    ("list.slice", r#"{"list":[1,2,3,4],"start":-2}"#, "[3,4]"),
    ("list.slice", r#"{"list":[1,2,3,4],"end":-3}"#, "[1]"),
    (
        "list.slice",
        r#"{"list":[1,2],"start":-9,"end":9}"#,
        "[1,2]",
    ),
    ("list.slice", r#"{"list":[1,2],"start":2,"end":1}"#, "[]"),
    (
        "list.slice",
        r#"{"list":[1,2],"end":-9223372036854775808}"#,
        "[]",
    ),
    ("list.append", r#"{"list":[1],"item":[2]}"#, "[1,[2]]"),
    ("list.contains", r#"{"list":[1,"a"],"item":1.0}"#, "true"),
    ("list.contains", r#"{"list":[1,"a"],"item":"1"}"#, "false"),
    ("list.index_of", r#"{"list":[{"a":1},2,2],"item":2}"#, "1"),
    ("list.index_of", r#"{"list":[],"item":null}"#, "null"),
    ("list.concat", r#"{"lists":[[1],[],[2,[3]]]}"#, "[1,2,[3]]"),
    ("list.concat", r#"{"lists":[]}"#, "[]"),
    (
        "list.zip",
        r#"{"lists":[[1,2],["a","b"],[null,true]]}"#,
        r#"[[1,"a",null],[2,"b",true]]"#,
    ),
    ("list.zip", r#"{"lists":[]}"#, "[]"),
    ("list.zip", r#"{"lists":[[],[]]}"#, "[]"),
    (
        "list.reverse",
        r#"{"list":[1,"b",null]}"#,
        r#"[null,"b",1]"#,
    ),
    (
        "list.flatten",
        r#"{"list":[1,[2,[3,[4]]]]}"#,
        "[1,2,[3,[4]]]",
    ),
    (
        "list.flatten",
        r#"{"list":[1,[2,[3,[4]]]],"depth":2}"#,
        "[1,2,3,[4]]",
    ),
    (
        "list.flatten",
        r#"{"list":[1,[2,[3,[4]]]],"depth":4294967295}"#,
        "[1,2,3,4]",
    ),
    ("list.flatten", r#"{"list":[1,[2]],"depth":0}"#, "[1,[2]]"),
    (
        "list.chunk",
        r#"{"list":[1,2,3,4,5],"size":2}"#,
        "[[1,2],[3,4],[5]]",
    ),
    ("list.chunk", r#"{"list":[],"size":2}"#, "[]"),
    (
        "list.sort",
        r#"{"list":[3,1.5,2,18446744073709551615,-1]}"#,
        "[-1,1.5,2,3,18446744073709551615]",
    ),
    (
        "list.sort",
        r#"{"list":["b","Z","å","a"]}"#,
        r#"["Z","a","b","å"]"#,
    ),
    ("list.sort", r#"{"list":[true,false]}"#, "[false,true]"),
    (
        "list.sort",
        r#"{"list":[2,null,1],"descending":true}"#,
        "[2,1,null]",
    ),
    (
        "list.sort",
        r#"{"list":[null,2,null,1]}"#,
        "[1,2,null,null]",
    ),
    (
        "list.sort",
        r#"{"list":[{"k":2,"n":1},{"k":1,"n":2},{"n":3},{"k":2,"n":4},{"k":1,"n":5}],"path":"/k"}"#,
        r#"[{"k":1,"n":2},{"k":1,"n":5},{"k":2,"n":1},{"k":2,"n":4},{"n":3}]"#,
    ),
    // Those that are equal keep their order in the other direction too.
    (
        "list.sort",
        r#"{"list":[{"k":1,"n":1},{"k":2,"n":2},{"k":1,"n":3},{"k":2,"n":4}],"path":"/k","descending":true}"#,
        r#"[{"k":2,"n":2},{"k":2,"n":4},{"k":1,"n":1},{"k":1,"n":3}]"#,
    ),
    ("list.sort", r#"{"list":[]}"#, "[]"),
    (
        "list.unique",
        r#"{"list":[1,"1",1.0,{"a":1,"b":2},{"b":2,"a":1.0},null,null]}"#,
        r#"[1,"1",{"a":1,"b":2},null]"#,
    ),
    (
        "list.unique",
        r#"{"list":[{"k":1,"n":1},{"k":1,"n":2},{"n":3},{"n":4}],"path":"/k"}"#,
        r#"[{"k":1,"n":1},{"n":3}]"#,
    ),
    (
        "list.filter",
        r#"{"list":[{"c":"Lund"},{"c":"Åre"},{}],"path":"/c","value":"Lund"}"#,
        r#"[{"c":"Lund"}]"#,
    ),
    (
        "list.filter",
        r#"{"list":[{"c":"Lund"},{"c":"Åre"},{}],"path":"/c","value":"Lund","negate":true}"#,
        r#"[{"c":"Åre"},{}]"#,
    ),
    (
        "list.filter",
        r#"{"list":[{"c":1},{"c":2},{}],"path":"/c","operator":"not_equal","value":1}"#,
        r#"[{"c":2},{}]"#,
    ),
    (
        "list.filter",
        r#"{"list":[1,2,3,null],"operator":"greater","value":2}"#,
        "[3]",
    ),
    (
        "list.filter",
        r#"{"list":[1,2,3,null],"operator":"greater_equal","value":2}"#,
        "[2,3]",
    ),
    (
        "list.filter",
        r#"{"list":[1,2,3,null],"operator":"less","value":2}"#,
        "[1]",
    ),
    (
        "list.filter",
        r#"{"list":["a","b"],"operator":"less_equal","value":"a"}"#,
        r#"["a"]"#,
    ),
    (
        "list.filter",
        r#"{"list":[1,2,3],"operator":"in","value":[3,1.0]}"#,
        "[1,3]",
    ),
    (
        "list.filter",
        r#"{"list":["abc",["b"],{"b":1},7,null],"operator":"contains","value":"b"}"#,
        r#"["abc",["b"],{"b":1}]"#,
    ),
    (
        "list.filter",
        r#"{"list":["abc","bcd",1],"operator":"starts_with","value":"a"}"#,
        r#"["abc"]"#,
    ),
    (
        "list.filter",
        r#"{"list":["abc","bcd",1],"operator":"ends_with","value":"d"}"#,
        r#"["bcd"]"#,
    ),
    (
        "list.filter",
        r#"{"list":[{"a":null},{},1],"path":"/a","operator":"exists"}"#,
        r#"[{"a":null}]"#,
    ),
    (
        "list.filter",
        r#"{"list":[{"a":null},{},{"a":0}],"path":"/a","operator":"is_null"}"#,
        r#"[{"a":null},{}]"#,
    ),
    (
        "list.map",
        r#"{"list":[{"a":{"b":1}},{"a":[]},{}],"path":"/a/b"}"#,
        "[1,null,null]",
    ),
    (
        "list.map",
        r#"{"list":[[1,2],[3]],"path":"/1","default":0}"#,
        "[2,0]",
    ),
    (
        "list.map",
        r#"{"list":[{"a/b":1,"c~d":2}],"path":"/a~1b"}"#,
        "[1]",
    ),
    ("list.map", r#"{"list":[{"c~d":2}],"path":"/c~0d"}"#, "[2]"),
    (
        "list.group_by",
        r#"{"list":[{"k":"b","n":1},{"k":"a","n":2},{"k":"b","n":3},{"n":4}],"path":"/k"}"#,
        r#"[{"key":"b","items":[{"k":"b","n":1},{"k":"b","n":3}]},{"key":"a","items":[{"k":"a","n":2}]},{"key":null,"items":[{"n":4}]}]"#,
    ),
    ("list.group_by", r#"{"list":[]}"#, "[]"),
    (
        "list.count_by",
        r#"{"list":["b","a","b",1,1.0]}"#,
        r#"[{"key":"b","count":2},{"key":"a","count":1},{"key":1,"count":2}]"#,
    ),
    (
        "list.sum_by",
        r#"{"list":[{"k":"b","n":1},{"k":"a","n":2.5},{"k":"b","n":3}],"path":"/k","of":"/n"}"#,
        r#"[{"key":"b","sum":4},{"key":"a","sum":2.5}]"#,
    ),
    ("list.range", r#"{"end":3}"#, "[0,1,2]"),
    ("list.range", r#"{"start":5,"end":0,"step":-2}"#, "[5,3,1]"),
    ("list.range", r#"{"start":3,"end":3}"#, "[]"),
    ("list.range", r#"{"start":4,"end":3}"#, "[]"),
    (
        "list.range",
        r#"{"start":9223372036854775805,"end":9223372036854775807,"step":2}"#,
        "[9223372036854775805]",
    ),
    (
        "list.range",
        r#"{"start":-9223372036854775808,"end":9223372036854775807,"step":9223372036854775807}"#,
        "[-9223372036854775808,-1,9223372036854775806]",
    ),
];

pub(super) const REFUSALS: &[Refusal] = &[
    (
        "list.length",
        r#"{"list":{}}"#,
        InvalidParameters,
        "at `list`: invalid type: map, expected a list",
    ),
    (
        "list.get",
        r#"{"list":[],"index":0.5}"#,
        InvalidParameters,
        "at `index`",
    ),
    (
        "list.zip",
        r#"{"lists":[[1],[1,2]]}"#,
        ValidationFailed,
        "`lists[1]` is `[1,2]`, expected `1` items, as the first list has",
    ),
    (
        "list.chunk",
        r#"{"list":[1],"size":0}"#,
        InvalidParameters,
        "at `size`",
    ),
    (
        "list.flatten",
        r#"{"list":[1],"depth":-1}"#,
        InvalidParameters,
        "at `depth`",
    ),
    (
        "list.sort",
        r#"{"list":[1,"a"]}"#,
        ValidationFailed,
        "`list[0]` (`integer`) and `list[1]` (`string`) have no order",
    ),
    (
        "list.sort",
        r#"{"list":[null,{"k":1},{"k":true}],"path":"/k"}"#,
        ValidationFailed,
        "`list[1]/k` (`integer`) and `list[2]/k` (`boolean`)",
    ),
    (
        "list.sort",
        r#"{"list":[{},{}]}"#,
        ValidationFailed,
        "`list[0]` is `{}`, expected a number, string or boolean, which have an order",
    ),
    (
        "list.sort",
        r#"{"list":[],"path":"k"}"#,
        InvalidParameters,
        "at `path`: `k` is no JSON pointer: it does not begin with `/`",
    ),
    (
        "list.map",
        r#"{"list":[],"path":"/a~2"}"#,
        InvalidParameters,
        "`~` is written `~0`",
    ),
    (
        "list.map",
        r#"{"list":[],"path":"/a~"}"#,
        InvalidParameters,
        "`~` is written `~0`",
    ),
    (
        "list.filter",
        r#"{"list":[],"operator":"like"}"#,
        InvalidParameters,
        "unknown variant `like`",
    ),
    (
        "list.filter",
        r#"{"list":[],"operator":"in","value":1}"#,
        ValidationFailed,
        "`value` is `1`, expected a list, for `in`",
    ),
    (
        "list.filter",
        r#"{"list":[],"operator":"starts_with","value":1}"#,
        ValidationFailed,
        "`value` is `1`, expected a string",
    ),
    (
        "list.filter",
        r#"{"list":[],"operator":"greater"}"#,
        ValidationFailed,
        "`value` is `null`, expected a number, string or boolean",
    ),
    (
        "list.filter",
        r#"{"list":[{"a":1},{"a":"x"}],"path":"/a","operator":"greater","value":0}"#,
        ValidationFailed,
        "`value` (`integer`) and `list[1]/a` (`string`) have no order",
    ),
    (
        "list.sum_by",
        r#"{"list":[{"n":1},{"n":"2"}],"path":"/k","of":"/n"}"#,
        ValidationFailed,
        "`list[1]/n` is `\"2\"`, expected a finite number",
    ),
    (
        "list.sum_by",
        r#"{"list":[{}],"path":"/k","of":"/n"}"#,
        ValidationFailed,
        "`list[0]/n` is `null`",
    ),
    (
        "list.sum_by",
        r#"{"list":[{"n":0.5},{"n":9007199254740993}],"path":"/k","of":"/n"}"#,
        ValidationFailed,
        "`list[1]/n` is `9007199254740993`",
    ),
    (
        "list.sum_by",
        r#"{"list":[{"n":18446744073709551615},{"n":1}],"path":"/k","of":"/n"}"#,
        ValidationFailed,
        "does not fit 64 bits",
    ),
    (
        "list.range",
        r#"{"end":1,"step":0}"#,
        ValidationFailed,
        "`step` is `0`, expected a number other than 0",
    ),
    (
        "list.range",
        r#"{"end":1000001}"#,
        ResourceExhausted,
        "more than `1000000` items",
    ),
    (
        "list.range",
        r#"{"start":-9223372036854775808,"end":9223372036854775807}"#,
        ResourceExhausted,
        "more than `1000000` items",
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
fn many_items_are_told_apart_in_one_pass() {
    let items: Vec<Value> = (0..200_000_i64)
        .map(|n| value!({"k": n % 100_000, "f": 0.5}))
        .collect();
    let input = value!({"list": items, "path": ""});
    let unique = call("list.unique", &input).unwrap();
    assert_eq!(unique.as_list().map(<[_]>::len), Some(100_000));
    let counts = call("list.count_by", &input).unwrap();
    assert_eq!(counts.as_list().map(<[_]>::len), Some(100_000));
    assert_eq!(counts.pointer("/99999/count"), Some(&value!(2)));
}

#[test]
fn what_is_not_a_number_is_one_group_and_no_sum() {
    let input = value!({"list": [f64::NAN, 1, f64::NAN]});
    let counts = call("list.count_by", &input).unwrap();
    assert_eq!(counts.pointer("/0/count"), Some(&value!(2)));
    let input = value!({"list": [f64::INFINITY], "path": "/k", "of": ""});
    refused(
        "list.sum_by",
        &input,
        ValidationFailed,
        "expected a finite number",
    );
    let input = value!({"list": [1, f64::NAN]});
    refused(
        "list.sort",
        &input,
        ValidationFailed,
        "`list[1]` (`not a number`)",
    );
}

#[test]
fn a_default_does_not_grow_without_bound() {
    let items: Vec<Value> = vec![value!({}); 1 << 10];
    let default = "x".repeat((64 << 10) + 1);
    let input = value!({"list": items, "path": "/a", "default": {"text": default}});
    refused(
        "list.map",
        &input,
        ResourceExhausted,
        "longer than `67108864` bytes",
    );
}

#[test]
fn a_list_to_look_in_may_be_long() {
    let even: Vec<i64> = (0..100_000).map(|n| n * 2).collect();
    let all: Vec<i64> = (0..100_000).collect();
    let input = value!({"list": all, "operator": "in", "value": even});
    let kept = call("list.filter", &input).unwrap();
    assert_eq!(kept.as_list().map(<[_]>::len), Some(50_000));
    assert_eq!(kept.pointer("/49999"), Some(&value!(99_998)));
}
