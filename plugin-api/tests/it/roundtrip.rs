//! A value that went anywhere and came back is the value that it was.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::Debug;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use floe_plugin_api::serde::de::{self, DeserializeOwned, Visitor};
use floe_plugin_api::serde::{Deserialize, Deserializer, Serialize, Serializer};
use floe_plugin_api::{Value, value};
use proptest::prelude::*;

use crate::strategy::{any_value, finite, json_value, plain_value, text, without_bytes};

proptest! {
    #[test]
    fn a_value_through_serde(value in any_value()) {
        prop_assert_eq!(&Value::from_serialize(&value).unwrap(), &value);
        prop_assert_eq!(&value.to_typed::<Value>().unwrap(), &value);
    }

    #[test]
    fn a_value_through_json_text(value in plain_value()) {
        for text in [value.to_json().unwrap(), value.to_json_pretty().unwrap()] {
            prop_assert_eq!(&Value::from_json(&text).unwrap(), &value, "{}", text);
            prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), &value);
        }
    }

    #[test]
    fn bytes_are_numbers_in_json(value in json_value()) {
        let text = value.to_json().unwrap();
        prop_assert_eq!(Value::from_json(&text).unwrap(), without_bytes(value));
    }

    #[test]
    fn a_value_and_a_json_value(value in plain_value()) {
        let json: serde_json::Value = value.to_typed().unwrap();
        prop_assert_eq!(&serde_json::to_value(&value).unwrap(), &json);
        prop_assert_eq!(&Value::from_serialize(&json).unwrap(), &value);
        prop_assert_eq!(&serde_json::from_value::<Value>(json).unwrap(), &value);
    }

    #[test]
    fn arbitrary_text_is_read_as_serde_json_reads_it(text in ".{0,40}|[\\[\\]{}:,\"\\\\0-9eE.+ -]{0,24}|(true|null|,|\\[|\\]){0,9}") {
        match (Value::from_json(&text), serde_json::from_str::<serde_json::Value>(&text)) {
            (Ok(value), Ok(json)) => prop_assert_eq!(value.to_typed::<serde_json::Value>().unwrap(), json),
            (Err(_), Err(_)) => {}
            (Err(refused), Ok(_)) => prop_assert!(refused.to_string().contains("does not fit 64 bits"), "{}", refused),
            (Ok(value), Err(refused)) => prop_assert!(false, "{text} is {value:?}, but {refused}"),
        }
    }

    #[test]
    fn an_arbitrary_record(record in record()) {
        check(&record);
    }

    #[test]
    fn floats_keep_every_bit(float in finite()) {
        let through = |value: Value| match value {
            Value::F64(float) => float.to_bits(),
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(through(Value::from_serialize(&float).unwrap()), float.to_bits());
        let text = Value::from(float).to_json().unwrap();
        prop_assert_eq!(through(Value::from_json(&text).unwrap()), float.to_bits(), "{}", text);
    }
}

/// What `T` becomes is what it was, directly and through JSON, and the JSON is what `serde_json`
/// makes of it.
#[track_caller]
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(source: &T) {
    let value = Value::from_serialize(source).unwrap();
    assert_eq!(&value.to_typed::<T>().unwrap(), source, "from {value:?}");
    let text = value.to_json().unwrap();
    assert_eq!(text, serde_json::to_string(source).unwrap());
    let read = Value::from_json(&text).unwrap();
    assert_eq!(&read.to_typed::<T>().unwrap(), source, "from {text}");
}

/// [`check`], and the JSON is `json`.
#[track_caller]
fn check_json<T: Serialize + DeserializeOwned + PartialEq + Debug>(source: &T, json: &str) {
    check(source);
    assert_eq!(
        Value::from_serialize(source).unwrap().to_json().unwrap(),
        json
    );
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    id: u64,
    delta: i64,
    ratio: f64,
    name: String,
    nick: Option<String>,
    tags: Vec<String>,
    totals: BTreeMap<String, i32>,
    by_number: BTreeMap<i16, bool>,
    pair: (u8, char),
    shape: Shape,
    child: Option<Box<Record>>,
    #[serde(flatten)]
    rest: BTreeMap<String, i64>,
}

fn record() -> impl Strategy<Value = Record> {
    let shape = prop_oneof![
        Just(Shape::Empty),
        finite().prop_map(Shape::Circle),
        (finite(), finite()).prop_map(|(w, h)| Shape::Rectangle(w, h)),
        (any::<i32>(), text()).prop_map(|(sides, label)| Shape::Other { sides, label }),
    ];
    let numbers = (any::<u64>(), any::<i64>(), finite());
    let words = (
        text(),
        proptest::option::of(text()),
        proptest::collection::vec(text(), 0..4),
    );
    let maps = (
        proptest::collection::btree_map(text(), any::<i32>(), 0..4),
        proptest::collection::btree_map(any::<i16>(), any::<bool>(), 0..4),
        proptest::collection::btree_map("x_[a-z]{1,3}", any::<i64>(), 0..3),
    );
    let one = (numbers, words, maps, any::<(u8, char)>(), shape).prop_map(
        |((id, delta, ratio), (name, nick, tags), (totals, by_number, rest), pair, shape)| Record {
            id,
            delta,
            ratio,
            name,
            nick,
            tags,
            totals,
            by_number,
            pair,
            shape,
            child: None,
            rest,
        },
    );
    proptest::collection::vec(one, 1..4).prop_map(|records| {
        let nested = records.into_iter().reduce(|inner, outer| Record {
            child: Some(Box::new(inner)),
            ..outer
        });
        nested.unwrap()
    })
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Empty,
    Circle(f64),
    Rectangle(f64, f64),
    Other { sides: i32, label: String },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Internal {
    Empty,
    Wrapped(Named),
    Fields { sides: i32, ratio: f64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "content")]
enum Adjacent {
    Empty,
    One(i64),
    Two(f64, String),
    Fields { sides: u64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Nothing,
    Number(i64),
    Unsigned(u64),
    Ratio(f64),
    Text(String),
    Pair(i64, String),
    Fields { sides: i32 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Named {
    name: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct NewType(Vec<u16>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct TupleStruct(u8, String, Option<bool>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Empty {}

/// Bytes as the crates for that have them: written with `serialize_bytes`.
#[derive(Debug, PartialEq)]
struct Blob(Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BlobVisitor;

        impl<'de> Visitor<'de> for BlobVisitor {
            type Value = Blob;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Blob, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = items.next_element()? {
                    bytes.push(byte);
                }
                Ok(Blob(bytes))
            }
        }

        deserializer.deserialize_byte_buf(BlobVisitor)
    }
}

#[test]
fn integers_of_every_width() {
    for extreme in [i8::MIN, -1, 0, i8::MAX] {
        check(&extreme);
        check(&i16::from(extreme));
        check(&i32::from(extreme));
        check(&i64::from(extreme));
        check(&i128::from(extreme));
    }
    check(&(u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::from(u64::MAX)));
    check(&(i16::MIN, i32::MIN, i64::MIN, i128::from(i64::MIN)));
    check(&(i16::MAX, i32::MAX, i64::MAX, i128::from(u64::MAX)));
    check(&(usize::MAX, isize::MIN, NonZeroU8::MIN));
    check(&(i64::MAX as u64 + 1));
}

#[test]
fn simple_things() {
    check_json(&(), "null");
    check_json(&true, "true");
    check_json(&0.1_f64, "0.1");
    check_json(&'é', "\"é\"");
    check_json(&'\u{10FFFF}', "\"\u{10FFFF}\"");
    check_json(&"\u{0}\"\\".to_owned(), r#""\u0000\"\\""#);
    check_json(&Unit, "null");
    check_json(&NewType(vec![1, 2]), "[1,2]");
    check_json(&TupleStruct(1, "a".into(), None), r#"[1,"a",null]"#);
    check_json(
        &(1_u8, "a".to_owned(), [true, false]),
        r#"[1,"a",[true,false]]"#,
    );
    check_json(&Empty {}, "{}");
    check_json(&Vec::<u8>::new(), "[]");
    check_json(&BTreeMap::<String, u8>::new(), "{}");
    check_json(&String::new(), "\"\"");
    check_json(&[(); 0], "[]");
    check_json(&Box::new(3_i32), "3");
    check(&VecDeque::from([1, 2]));
    check(&BTreeSet::from(["a".to_owned()]));
    check(&Duration::new(3, 500));
    check(&IpAddr::from([127, 0, 0, 1]));
    check(&Range { start: -1, end: 4 });
    check(&PathBuf::from("/a/b"));
    check(&Result::<u8, String>::Err("no".into()));
    check(&std::num::Wrapping(7_u8));
    check(&std::cmp::Reverse(7_u8));
}

#[test]
fn a_narrow_float_is_widened_not_rewritten() {
    for float in [0.1_f32, f32::MAX, f32::MIN_POSITIVE, -0.0, 16_777_216.0] {
        let value = Value::from_serialize(&float).unwrap();
        assert_eq!(value, Value::F64(f64::from(float)));
        assert_eq!(value.to_typed::<f32>(), Ok(float));
        let text = value.to_json().unwrap();
        let read = Value::from_json(&text).unwrap();
        assert_eq!(read.to_typed::<f32>(), Ok(float), "from {text}");
    }
}

#[test]
fn options() {
    check_json(&None::<u8>, "null");
    check_json(&Some(1_u8), "1");
    check_json(&Some(vec![Some(1), None]), "[1,null]");
    check_json(&Some(Some(1_u8)), "1");
    // JSON has one null, so an inner `None` comes back as an outer one.
    for source in [None, Some(None::<u8>)] {
        let value = Value::from_serialize(&source).unwrap();
        assert_eq!(value, Value::Null);
        assert_eq!(value.to_typed::<Option<Option<u8>>>(), Ok(None));
    }
    assert_eq!(Value::from_serialize(&Some(())).unwrap(), Value::Null);
}

#[test]
fn enums_in_every_tagging() {
    check_json(&Shape::Empty, r#""Empty""#);
    check_json(&Shape::Circle(0.5), r#"{"Circle":0.5}"#);
    check_json(&Shape::Rectangle(1.5, 2.5), r#"{"Rectangle":[1.5,2.5]}"#);
    let other = Shape::Other {
        sides: 7,
        label: "x".into(),
    };
    check_json(&other, r#"{"Other":{"sides":7,"label":"x"}}"#);

    check_json(&Internal::Empty, r#"{"type":"empty"}"#);
    let wrapped = Internal::Wrapped(Named { name: "x".into() });
    check_json(&wrapped, r#"{"type":"wrapped","name":"x"}"#);
    let fields = Internal::Fields {
        sides: 7,
        ratio: 0.5,
    };
    check_json(&fields, r#"{"type":"fields","sides":7,"ratio":0.5}"#);

    check_json(&Adjacent::Empty, r#"{"type":"Empty"}"#);
    check_json(&Adjacent::One(-1), r#"{"type":"One","content":-1}"#);
    let two = Adjacent::Two(0.5, "x".into());
    check_json(&two, r#"{"type":"Two","content":[0.5,"x"]}"#);
    let fields = Adjacent::Fields { sides: u64::MAX };
    check_json(
        &fields,
        r#"{"type":"Fields","content":{"sides":18446744073709551615}}"#,
    );

    check_json(&Untagged::Nothing, "null");
    check_json(&Untagged::Number(-1), "-1");
    check_json(&Untagged::Unsigned(u64::MAX), "18446744073709551615");
    check_json(&Untagged::Ratio(0.5), "0.5");
    check_json(&Untagged::Text("x".into()), r#""x""#);
    check_json(&Untagged::Pair(1, "x".into()), r#"[1,"x"]"#);
    check_json(&Untagged::Fields { sides: 7 }, r#"{"sides":7}"#);
}

#[test]
fn the_tag_may_come_after_the_content() {
    let internal = value!({"ratio": 0.5, "sides": 7, "type": "fields"});
    let expected = Internal::Fields {
        sides: 7,
        ratio: 0.5,
    };
    assert_eq!(internal.to_typed(), Ok(expected));
    let adjacent = value!({"content": [0.5, "x"], "type": "Two"});
    assert_eq!(adjacent.to_typed(), Ok(Adjacent::Two(0.5, "x".into())));
}

#[test]
fn an_enum_that_does_not_fit_says_why() {
    let refuse = |value: Value| value.to_typed::<Shape>().unwrap_err().to_string();
    assert_eq!(
        refuse(value!("Hexagon")),
        "unknown variant `Hexagon`, expected one of `Empty`, `Circle`, `Rectangle`, `Other`"
    );
    assert_eq!(
        refuse(value!({"Circle": 1.0, "Empty": null})),
        "invalid value: map, expected a map with one entry, the variant's name and content"
    );
    assert_eq!(
        refuse(value!(7)),
        "invalid type: integer `7`, expected a variant's name, or a map from it to its content"
    );
    assert_eq!(
        refuse(value!("Circle")),
        "invalid type: unit variant, expected newtype variant"
    );
    assert_eq!(
        refuse(value!({"Empty": 1})),
        "invalid type: integer `1`, expected unit variant"
    );
    assert_eq!(
        refuse(value!({"Rectangle": [1.0, 2.0, 3.0]})),
        "invalid length 3, expected fewer items"
    );
    assert_eq!(
        refuse(value!({"Rectangle": [1.0]})),
        "invalid length 1, expected tuple variant Shape::Rectangle with 2 elements"
    );
    assert_eq!(
        refuse(value!({"Other": "x"})),
        "invalid type: string \"x\", expected struct variant"
    );
}

#[test]
fn flattened_fields() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Page {
        total: u64,
        #[serde(flatten)]
        named: Named,
        #[serde(flatten)]
        shape: Internal,
    }
    let page = Page {
        total: u64::MAX,
        named: Named { name: "x".into() },
        shape: Internal::Fields {
            sides: 1,
            ratio: 0.5,
        },
    };
    check_json(
        &page,
        r#"{"total":18446744073709551615,"name":"x","type":"fields","sides":1,"ratio":0.5}"#,
    );

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Open {
        total: u64,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }
    let open = Open {
        total: 1,
        rest: BTreeMap::from([("more".into(), value!({"deep": [u64::MAX, null, 2.5]}))]),
    };
    check_json(
        &open,
        r#"{"total":1,"more":{"deep":[18446744073709551615,null,2.5]}}"#,
    );

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Raw {
        #[serde(flatten)]
        rest: HashMap<String, Value>,
    }
    let bytes = Value::Bytes(vec![1, 2].into());
    let raw = Raw {
        rest: HashMap::from([("bytes".into(), bytes.clone())]),
    };
    let value = Value::from_serialize(&raw).unwrap();
    assert_eq!(value.get("bytes"), Some(&bytes));
    assert_eq!(value.to_typed(), Ok(raw));
}

#[test]
fn map_keys_of_every_sort() {
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Key {
        FirstOne,
        Second,
    }
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    struct Id(u32);

    check_json(&BTreeMap::from([("a".to_owned(), 1)]), r#"{"a":1}"#);
    check_json(&BTreeMap::from([(-1_i8, 1), (7, 2)]), r#"{"-1":1,"7":2}"#);
    check_json(
        &BTreeMap::from([(u64::MAX, ())]),
        r#"{"18446744073709551615":null}"#,
    );
    check_json(
        &BTreeMap::from([(i64::MIN, ())]),
        r#"{"-9223372036854775808":null}"#,
    );
    check_json(&BTreeMap::from([(0_i128, ())]), r#"{"0":null}"#);
    check_json(
        &BTreeMap::from([(false, 1), (true, 2)]),
        r#"{"false":1,"true":2}"#,
    );
    check_json(&BTreeMap::from([('é', 1)]), r#"{"é":1}"#);
    check_json(
        &BTreeMap::from([(Key::FirstOne, 1), (Key::Second, 2)]),
        r#"{"first-one":1,"second":2}"#,
    );
    check_json(&BTreeMap::from([(Id(7), 1)]), r#"{"7":1}"#);
    check_json(&BTreeMap::from([(Some("a".to_owned()), 1)]), r#"{"a":1}"#);
    check(&HashMap::from([(7_u8, 1)]));

    #[track_caller]
    fn refuse<K: Serialize + Ord>(key: K, reason: &str) {
        let refused = Value::from_serialize(&BTreeMap::from([(key, 1)])).unwrap_err();
        assert_eq!(refused.to_string(), reason);
    }
    let expected = "expected a string, an integer or a boolean";
    refuse((), &format!("a map key is a null, {expected}"));
    refuse((1, 2), &format!("a map key is a list, {expected}"));
    refuse(None::<u8>, &format!("a map key is a null, {expected}"));
    refuse(
        u128::MAX,
        "the integer `340282366920938463463374607431768211455` does not fit 64 bits",
    );
}

#[test]
fn keys_that_are_two_texts_are_not_one_number() {
    for text in ["05", "+5", "-05", "+0", "00", "-0", " 5", "5.0", "5e0", ""] {
        let value = value!({(text): 1});
        let refused = value.to_typed::<BTreeMap<i32, i32>>().unwrap_err();
        let reason = format!("invalid type: string {text:?}, expected i32");
        assert_eq!(refused.to_string(), reason);
    }
    for (text, expected) in [("0", 0), ("-5", -5), ("50", 50)] {
        let value = value!({(text): 1});
        assert_eq!(value.to_typed(), Ok(BTreeMap::from([(expected, 1)])));
    }
}

#[test]
fn bytes() {
    check_json(&vec![0_u8, 255], "[0,255]");
    let blob = Blob(vec![0, 255]);
    check_json(&blob, "[0,255]");
    let value = Value::from_serialize(&blob).unwrap();
    assert_eq!(value.as_bytes(), Some(&[0, 255][..]));
    // What was written as bytes is read as a list of numbers, and the reverse.
    assert_eq!(value.to_typed::<Vec<u8>>(), Ok(vec![0, 255]));
    assert_eq!(value.to_typed::<(u16, f64)>(), Ok((0, 255.0)));
    assert_eq!(value!([0, 255]).to_typed::<Blob>(), Ok(blob));
    let refused = value!([0, 256]).to_typed::<Blob>().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "invalid value: sequence, expected numbers from 0 to 255"
    );
    let refused = value.to_typed::<(u8,)>().unwrap_err();
    assert!(
        refused.to_string().starts_with("invalid length 2"),
        "{refused}"
    );
}

#[test]
fn what_is_read_may_be_borrowed() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Borrowed<'a> {
        text: &'a str,
        #[serde(borrow)]
        cow: Cow<'a, str>,
        bytes: &'a [u8],
        list: Vec<&'a str>,
        #[serde(borrow)]
        map: BTreeMap<&'a str, &'a str>,
    }

    let long = "x".repeat(100);
    let value = value!({
        "text": &long,
        "cow": "short",
        "bytes": (Value::Bytes(vec![1, 2].into())),
        "list": ["a", "b"],
        "map": {"k": "v"},
    });
    let borrowed = Borrowed::deserialize(&value).unwrap();
    let text = value.get("text").and_then(Value::as_str).unwrap();
    assert!(std::ptr::eq(borrowed.text, text));
    assert!(matches!(borrowed.cow, Cow::Borrowed("short")));
    assert_eq!(borrowed.bytes, [1, 2]);
    assert_eq!(borrowed.list, ["a", "b"]);
    assert_eq!(borrowed.map, BTreeMap::from([("k", "v")]));
    // What is owned is not looked for in the value.
    check(&Cow::<'static, str>::Owned("x".to_owned()));
}

#[test]
fn a_recursive_type() {
    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Tree {
        children: Vec<Tree>,
        next: Option<Box<Tree>>,
    }
    let mut tree = Tree::default();
    for _ in 0..40 {
        tree = Tree {
            children: vec![Tree::default(), Tree::default()],
            next: Some(Box::new(tree)),
        };
    }
    check(&tree);
}

#[test]
fn types_tell_what_they_miss() {
    let refuse = |value: Value| value.to_typed::<Record>().unwrap_err().to_string();
    assert_eq!(refuse(value!({})), "missing field `id`");
    assert_eq!(
        refuse(value!({"id": -1})),
        "invalid value: integer `-1`, expected u64"
    );
    assert_eq!(
        refuse(value!([])),
        "invalid type: sequence, expected struct Record"
    );
    assert_eq!(
        value!([1, 2, 3])
            .to_typed::<(u8, u8)>()
            .unwrap_err()
            .to_string(),
        "invalid length 3, expected fewer items"
    );
    assert_eq!(
        value!("").to_typed::<char>().unwrap_err().to_string(),
        "invalid value: string \"\", expected a character"
    );
}

#[test]
fn json_that_nests_too_deep_is_refused() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(Value::from_json(&nested(127)).is_ok());
    let refused = Value::from_json(&nested(128)).unwrap_err().to_string();
    assert!(refused.contains("recursion limit exceeded"), "{refused}");
    let refused = Value::from_json(&nested(1_000_000))
        .unwrap_err()
        .to_string();
    assert!(refused.contains("recursion limit exceeded"), "{refused}");
}
