use floe_plugin_api::value;

use super::*;

pub(super) const CASES: &[Case] = &[
    (
        "string.upper",
        r#"{"text":"Straße, lund"}"#,
        r#""STRASSE, LUND""#,
    ),
    ("string.upper", r#"{"text":""}"#, r#""""#),
    ("string.lower", r#"{"text":"ÅRE ΟΔΟΣ"}"#, r#""åre οδος""#),
    (
        "string.capitalize",
        r#"{"text":"åRE LUND"}"#,
        r#""Åre lund""#,
    ),
    ("string.capitalize", r#"{"text":"ΟΔΟΣ"}"#, r#""Οδος""#),
    ("string.capitalize", r#"{"text":"ßa"}"#, r#""SSa""#),
    ("string.capitalize", r#"{"text":"İX"}"#, r#""İx""#),
    ("string.capitalize", r#"{"text":""}"#, r#""""#),
    (
        "string.title",
        r#"{"text":"  the don't-know OF åre 2nd"}"#,
        r#""  The Don't-Know Of Åre 2nd""#,
    ),
    ("string.title", r#"{"text":"'a' b"}"#, r#""'A' B""#),
    (
        "string.slug",
        r#"{"text":"  Hello, Åre & World! "}"#,
        r#""hello-åre-world""#,
    ),
    (
        "string.slug",
        r#"{"text":"a--b","separator":"_"}"#,
        r#""a_b""#,
    ),
    ("string.slug", r#"{"text":"!?"}"#, r#""""#),
    ("string.trim", r#"{"text":"\u00a0 a b \n"}"#, r#""a b""#),
    (
        "string.trim",
        r#"{"text":"--[x]--","chars":"-[]"}"#,
        r#""x""#,
    ),
    ("string.trim", r#"{"text":" x ","side":"start"}"#, r#""x ""#),
    ("string.trim", r#"{"text":" x ","side":"end"}"#, r#"" x""#),
    ("string.trim", r#"{"text":" x ","chars":""}"#, r#"" x ""#),
    (
        "string.split",
        r#"{"text":"a, b,, c","separator":","}"#,
        r#"["a"," b",""," c"]"#,
    ),
    (
        "string.split",
        r#"{"text":"k=v=w","separator":"=","limit":2}"#,
        r#"["k","v=w"]"#,
    ),
    ("string.split", r#"{"text":"","separator":"="}"#, r#"[""]"#),
    (
        "string.lines",
        r#"{"text":"a\r\nb\n\nc\n"}"#,
        r#"["a","b","","c"]"#,
    ),
    ("string.lines", r#"{"text":""}"#, "[]"),
    (
        "string.substring",
        r#"{"text":"Åre 🌧 nu","start":2,"length":3}"#,
        r#""e 🌧""#,
    ),
    (
        "string.substring",
        r#"{"text":"Åre 🌧 nu","start":-4,"length":1}"#,
        r#""🌧""#,
    ),
    (
        "string.substring",
        r#"{"text":"abc","start":-9}"#,
        r#""abc""#,
    ),
    ("string.substring", r#"{"text":"abc","start":9}"#, r#""""#),
    (
        "string.substring",
        r#"{"text":"abc","start":1,"length":0}"#,
        r#""""#,
    ),
    (
        "string.substring",
        r#"{"text":"abc","start":-9223372036854775808}"#,
        r#""abc""#,
    ),
    (
        "string.truncate",
        r#"{"text":"Åre in rain","length":4}"#,
        r#""Åre…""#,
    ),
    (
        "string.truncate",
        r#"{"text":"Åre","length":3}"#,
        r#""Åre""#,
    ),
    (
        "string.truncate",
        r#"{"text":"abcdef","length":5,"ellipsis":"..."}"#,
        r#""ab...""#,
    ),
    (
        "string.truncate",
        r#"{"text":"abc","length":0,"ellipsis":""}"#,
        r#""""#,
    ),
    (
        "string.join",
        r#"{"parts":["a","","c"],"separator":"; "}"#,
        r#""a; ; c""#,
    ),
    ("string.join", r#"{"parts":["a","b"]}"#, r#""ab""#),
    ("string.join", r#"{"parts":[]}"#, r#""""#),
    (
        "string.replace",
        r#"{"text":"aaaa","from":"aa","to":"b"}"#,
        r#""bb""#,
    ),
    (
        "string.replace",
        r#"{"text":"a.a.a","from":"a","to":"","count":2}"#,
        r#""..a""#,
    ),
    ("string.reverse", r#"{"text":"åb🌧"}"#, r#""🌧bå""#),
    ("string.repeat", r#"{"text":"ab","count":3}"#, r#""ababab""#),
    ("string.repeat", r#"{"text":"ab","count":0}"#, r#""""#),
    (
        "string.repeat",
        r#"{"text":"","count":9223372036854775807}"#,
        r#""""#,
    ),
    (
        "string.pad",
        r#"{"text":"7","width":3,"with":"0"}"#,
        r#""007""#,
    ),
    (
        "string.pad",
        r#"{"text":"å","width":4,"side":"both"}"#,
        r#"" å  ""#,
    ),
    (
        "string.pad",
        r#"{"text":"å","width":3,"with":"🌧","side":"end"}"#,
        r#""å🌧🌧""#,
    ),
    ("string.pad", r#"{"text":"long","width":2}"#, r#""long""#),
    ("string.contains", r#"{"text":"Lund","part":"un"}"#, "true"),
    ("string.contains", r#"{"text":"Lund","part":"UN"}"#, "false"),
    ("string.contains", r#"{"text":"","part":""}"#, "true"),
    (
        "string.starts_with",
        r#"{"text":"Lund","part":"Lu"}"#,
        "true",
    ),
    (
        "string.starts_with",
        r#"{"text":"Lund","part":"nd"}"#,
        "false",
    ),
    ("string.ends_with", r#"{"text":"Lund","part":"nd"}"#, "true"),
    ("string.index_of", r#"{"text":"åäö","part":"ö"}"#, "2"),
    ("string.index_of", r#"{"text":"åäö","part":"x"}"#, "null"),
    ("string.count", r#"{"text":"aaaa","part":"aa"}"#, "2"),
    ("string.length", r#"{"text":"Åre 🌧"}"#, "5"),
    ("string.bytes", r#"{"text":"Åre 🌧"}"#, "9"),
    (
        "string.regex_match",
        r#"{"text":"rain in Lund","pattern":"(?i)LUND$"}"#,
        "true",
    ),
    (
        "string.regex_match",
        r#"{"text":"rain","pattern":"^ain"}"#,
        "false",
    ),
    (
        "string.regex_find",
        r#"{"text":"åå 2024-05","pattern":"(?<year>\\d{4})-(\\d\\d)(x)?"}"#,
        r#"{"text":"2024-05","start":3,"end":10,"groups":["2024","05",null],"names":{"year":"2024"}}"#,
    ),
    ("string.regex_find", r#"{"text":"a","pattern":"b"}"#, "null"),
    (
        "string.regex_find_all",
        r#"{"text":"å1ä22","pattern":"\\d+"}"#,
        r#"[{"text":"1","start":1,"end":2,"groups":[],"names":{}},{"text":"22","start":3,"end":5,"groups":[],"names":{}}]"#,
    ),
    (
        "string.regex_find_all",
        r#"{"text":"a","pattern":"b"}"#,
        "[]",
    ),
    (
        "string.regex_split",
        r#"{"text":"a1b22c","pattern":"\\d+"}"#,
        r#"["a","b","c"]"#,
    ),
    (
        "string.regex_split",
        r#"{"text":"a1b22c","pattern":"\\d+","limit":2}"#,
        r#"["a","b22c"]"#,
    ),
    (
        "string.regex_replace",
        r#"{"text":"2024-05 and 2025-06","pattern":"(?<y>\\d+)-(\\d+)","replacement":"${2}a/$y $$0 $0"}"#,
        r#""05a/2024 $0 2024-05 and 06a/2025 $0 2025-06""#,
    ),
    (
        "string.regex_replace",
        r#"{"text":"aaa","pattern":"a","replacement":"b","count":2}"#,
        r#""bba""#,
    ),
    (
        "string.regex_replace",
        r#"{"text":"ab","pattern":"","replacement":"-"}"#,
        r#""-a-b-""#,
    ),
    (
        "string.regex_replace",
        r#"{"text":"ab","pattern":"(x)?b","replacement":"[$1]"}"#,
        r#""a[]""#,
    ),
];

pub(super) const REFUSALS: &[Refusal] = &[
    (
        "string.upper",
        r#"{"text":7}"#,
        InvalidParameters,
        "at `text`",
    ),
    (
        "string.upper",
        "{}",
        InvalidParameters,
        "missing field `text`",
    ),
    (
        "string.split",
        r#"{"text":"a","separator":""}"#,
        ValidationFailed,
        "`separator` is `\"\"`, expected at least one character",
    ),
    (
        "string.split",
        r#"{"text":"a","separator":",","limit":0}"#,
        InvalidParameters,
        "at `limit`",
    ),
    (
        "string.replace",
        r#"{"text":"a","from":"","to":"b"}"#,
        ValidationFailed,
        "`from` is `\"\"`",
    ),
    (
        "string.join",
        r#"{"parts":["a",null]}"#,
        InvalidParameters,
        "at `parts[1]`",
    ),
    (
        "string.count",
        r#"{"text":"a","part":""}"#,
        ValidationFailed,
        "`part` is `\"\"`",
    ),
    (
        "string.trim",
        r#"{"text":"a","side":"left"}"#,
        InvalidParameters,
        "unknown variant `left`",
    ),
    (
        "string.pad",
        r#"{"text":"a","width":9,"with":"ab"}"#,
        InvalidParameters,
        "at `with`",
    ),
    (
        "string.pad",
        r#"{"text":"a","width":1000000000}"#,
        ResourceExhausted,
        "longer than `67108864` bytes",
    ),
    (
        "string.pad",
        r#"{"text":"a","width":-1}"#,
        InvalidParameters,
        "at `width`",
    ),
    (
        "string.repeat",
        r#"{"text":"a","count":1000000000}"#,
        ResourceExhausted,
        "longer than `67108864` bytes",
    ),
    (
        "string.repeat",
        r#"{"text":"ab","count":9223372036854775807}"#,
        ResourceExhausted,
        "longer than",
    ),
    (
        "string.truncate",
        r#"{"text":"abc","length":2,"ellipsis":"..."}"#,
        ValidationFailed,
        "`ellipsis` is `\"...\"`, expected at most `2` characters",
    ),
    (
        "string.substring",
        r#"{"text":"abc","start":0,"length":-1}"#,
        InvalidParameters,
        "at `length`",
    ),
    (
        "string.regex_match",
        r#"{"text":"a","pattern":"(a"}"#,
        InvalidParameters,
        "the pattern is wrong: unclosed group",
    ),
    (
        "string.regex_match",
        r#"{"text":"a","pattern":"(?=a)"}"#,
        InvalidParameters,
        "look-around",
    ),
    (
        "string.regex_match",
        r#"{"text":"a","pattern":"(\\w{99}){99}"}"#,
        ResourceExhausted,
        "the pattern takes more than `4194304` bytes",
    ),
    (
        "string.regex_replace",
        r#"{"text":"a","pattern":"(a)","replacement":"$1b"}"#,
        ValidationFailed,
        "`$1b` is none; write `${1}`",
    ),
    (
        "string.regex_replace",
        r#"{"text":"a","pattern":"a","replacement":"$1"}"#,
        ValidationFailed,
        "`$1` is none",
    ),
    (
        "string.regex_replace",
        r#"{"text":"a","pattern":"a","replacement":"5 $"}"#,
        ValidationFailed,
        "`$$` for a dollar",
    ),
    (
        "string.regex_replace",
        r#"{"text":"a","pattern":"a","replacement":"${0"}"#,
        ValidationFailed,
        "groups of the pattern",
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
fn no_text_grows_without_bound() {
    let long = "x".repeat(1 << 20);
    let parts = Value::from(vec![""; 66]);
    let words = "x ".repeat(1 << 10);
    for (node_type, input) in [
        (
            "string.replace",
            value!({"text": &long, "from": "x", "to": "y".repeat(65)}),
        ),
        ("string.join", value!({"parts": parts, "separator": &long})),
        ("string.slug", value!({"text": words, "separator": &long})),
        (
            "string.regex_replace",
            value!({"text": &long, "pattern": ".+", "replacement": "$0".repeat(65)}),
        ),
        (
            "string.regex_find",
            value!({"text": long.repeat(4), "pattern": "^((((((((x+))))))))$"}),
        ),
    ] {
        refused(
            node_type,
            &input,
            ResourceExhausted,
            "longer than `67108864` bytes",
        );
    }
    let commas = ",\n".repeat(1_000_001);
    for (node_type, input) in [
        ("string.split", value!({"text": &commas, "separator": ","})),
        ("string.lines", value!({"text": &commas})),
        (
            "string.regex_split",
            value!({"text": &commas, "pattern": ","}),
        ),
        (
            "string.regex_find_all",
            value!({"text": &commas, "pattern": format!(",{}", "()".repeat(999))}),
        ),
    ] {
        refused(
            node_type,
            &input,
            ResourceExhausted,
            "more than `1000000` items",
        );
    }
}

#[test]
fn a_cancelled_search_ends() {
    let switch = Cancellation::new();
    switch.cancel();
    let options = CallOptions::new().cancellation(switch);
    for (node_type, input) in [
        (
            "string.regex_find_all",
            value!({"text": "aa", "pattern": "a"}),
        ),
        ("string.regex_split", value!({"text": "aa", "pattern": "a"})),
        (
            "string.regex_replace",
            value!({"text": "aa", "pattern": "a", "replacement": ""}),
        ),
    ] {
        let error = call_with(&options, node_type, &input).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{node_type}");
    }
}

#[test]
fn patterns_that_others_have_displaced_are_compiled_again() {
    for _round in 0..2 {
        for number in 0..100 {
            let input = value!({"text": format!("n{number}"), "pattern": format!("^n{number}$")});
            assert_eq!(
                call("string.regex_match", &input).unwrap(),
                Value::Bool(true)
            );
        }
    }
}
