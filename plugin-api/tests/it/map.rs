//! Maps, lists, texts, and the ways to make and read them.

use std::collections::{BTreeMap, HashMap, HashSet};

use floe_plugin_api::{Bytes, Entry, List, Map, Text, Value, value};
use proptest::prelude::*;

fn names(map: &Map) -> Vec<&str> {
    map.iter().map(|entry| &*entry.key).collect()
}

#[test]
fn entries_keep_the_order_in_which_they_came() {
    let mut map = Map::new();
    assert!(map.is_empty());
    assert_eq!(map.insert("z", 1), None);
    assert_eq!(map.insert("a", 2), None);
    assert_eq!(map.insert("m", 3), None);
    assert_eq!(names(&map), ["z", "a", "m"]);
    // A new value takes the old one's place.
    assert_eq!(map.insert("z", 4), Some(Value::I64(1)));
    assert_eq!(names(&map), ["z", "a", "m"]);
    assert_eq!(map.get("z"), Some(&Value::I64(4)));
    assert_eq!(map.remove("z"), Some(Value::I64(4)));
    assert_eq!(map.remove("z"), None);
    assert_eq!(names(&map), ["a", "m"]);
    *map.get_mut("m").unwrap() = Value::Null;
    assert_eq!(map.len(), 2);
    let entries: Vec<Entry> = map.into_iter().collect();
    assert_eq!((&*entries[1].key, &entries[1].value), ("m", &Value::Null));
    let json = r#"{"z":1,"a":{"y":2,"b":3},"m":[]}"#;
    assert_eq!(Value::from_json(json).unwrap().to_json().unwrap(), json);
}

#[test]
fn the_last_of_a_repeated_name_stays_in_the_place_of_the_first() {
    for filler in [0, 40] {
        let mut entries = vec![
            ("a".to_owned(), 1),
            ("b".to_owned(), 2),
            ("a".to_owned(), 3),
        ];
        entries.extend((0..filler).map(|n| (format!("filler {n}"), n)));
        entries.push(("b".to_owned(), 4));
        let text: Vec<_> = entries.iter().map(|(k, v)| format!("{k:?}:{v}")).collect();
        let text = format!("{{{}}}", text.join(","));
        let map: Map = entries.into_iter().collect();
        assert_eq!(map.len(), 2 + usize::try_from(filler).unwrap());
        assert_eq!(names(&map)[..2], ["a", "b"]);
        assert_eq!(map.get("a"), Some(&Value::I64(3)));
        assert_eq!(map.get("b"), Some(&Value::I64(4)));
        assert_eq!(Value::from_json(&text).unwrap(), Value::Map(map));
    }
}

/// Ten thousand names, of which each is there twice, in JSON and in a type: far too many to look
/// for each among all.
#[test]
fn large_maps() {
    let once: Vec<_> = (0..10_000).map(|n| format!("\"name {n}\":{n}")).collect();
    let twice = format!("{{{},{}}}", once.join(","), once.join(","));
    let value = Value::from_json(&twice).unwrap();
    let map = value.as_map().unwrap();
    assert_eq!(map.len(), 10_000);
    let typed: BTreeMap<String, i64> = value.to_typed().unwrap();
    let made = Value::from_serialize(&typed).unwrap();
    // In another order, and still equal.
    assert_ne!(names(map), names(made.as_map().unwrap()));
    assert_eq!(made, value);
    let mut reversed: Vec<Entry> = map.iter().cloned().collect();
    reversed.reverse();
    let reversed: Map = reversed.into_iter().map(|e| (e.key, e.value)).collect();
    assert_eq!(reversed, *map);
}

#[test]
fn maps_are_equal_whatever_the_order_and_lists_are_not() {
    let one = value!({"a": 1, "b": [1, 2], "c": {"x": null, "y": true}});
    assert_eq!(
        one,
        value!({"c": {"y": true, "x": null}, "b": [1, 2], "a": 1})
    );
    for other in [
        value!({"a": 1, "b": [1, 2]}),
        value!({"a": 1, "b": [2, 1], "c": {"x": null, "y": true}}),
        value!({"a": 1, "b": [1, 2], "d": {"x": null, "y": true}}),
        value!({"b": [1, 2], "a": 2, "c": {"x": null, "y": true}}),
        value!({"a": 1, "b": [1, 2], "c": {"x": null, "y": true}, "d": null}),
        value!({"c": {"y": true, "z": null}, "b": [1, 2], "a": 1}),
    ] {
        assert_ne!(one, other);
        assert_ne!(other, one);
    }
}

/// Each level costs its own work, not twice that of the level below.
#[test]
fn deep_maps_that_differ_at_the_bottom() {
    let deep = |bottom: i64| (0..120).fold(value!(bottom), |inner, _| value!({"a": 1, "b": inner}));
    assert_eq!(deep(1), deep(1));
    assert_ne!(deep(1), deep(2));
}

#[test]
fn scalars_are_equal_by_what_they_are() {
    assert_eq!(Value::I64(7), Value::U64(7));
    assert_eq!(Value::U64(7), Value::I64(7));
    assert_ne!(Value::I64(-1), Value::U64(u64::MAX));
    // A float is no integer, as in JSON text.
    assert_ne!(Value::I64(1), Value::F64(1.0));
    assert_eq!(Value::F64(0.0), Value::F64(-0.0));
    assert_ne!(Value::F64(f64::NAN), Value::F64(f64::NAN));
    assert_ne!(Value::Null, Value::Bool(false));
    assert_ne!(value!("1"), value!(1));
    assert_ne!(Value::Bytes(vec![1].into()), value!([1]));
}

#[test]
fn lists_and_bytes_are_slices() {
    let mut list = List::with_capacity(2);
    list.push(Value::from(1));
    list.extend([Value::Null, value!("x")]);
    list[1] = value!(true);
    assert_eq!(list.len(), 3);
    assert_eq!(Value::List(list.clone()), value!([1, true, "x"]));
    assert_eq!(list.iter().filter_map(Value::as_i64).sum::<i64>(), 1);
    list.reverse();
    assert_eq!(list.first(), Some(&value!("x")));
    assert_eq!((&list).into_iter().count(), 3);
    assert_eq!(list.into_vec()[2], Value::I64(1));

    let bytes: Bytes = b"abc".as_slice().into();
    assert_eq!(
        bytes.iter().map(|b| b - b'a').collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert_eq!(&*bytes, b"abc");
    assert_eq!(format!("{:?}", Value::Bytes(bytes.clone())), "3 bytes");
    assert_eq!(bytes.into_vec(), b"abc");
    assert_eq!(Bytes::default(), Bytes::new());
}

proptest! {
    /// Short ones are kept in place and long ones are not: nobody can tell.
    #[test]
    fn a_text_is_the_string_that_it_was_made_of(a in ".{0,60}|[a-zé]{30,45}", b in ".{0,60}") {
        let (text, other) = (Text::from(a.as_str()), Text::from(b.clone()));
        prop_assert_eq!(&*text, &*a);
        prop_assert_eq!(text.clone(), text.clone());
        prop_assert_eq!(text == other, a == b);
        prop_assert_eq!(text.cmp(&other), a.cmp(&b));
        prop_assert_eq!(format!("{text} {text:?}"), format!("{a} {a:?}"));
        let set = HashSet::from([text.clone()]);
        prop_assert!(set.contains(a.as_str()));
        prop_assert_eq!(String::from(text), a);
    }

    /// A map against one of std's, by any sequence of changes.
    #[test]
    fn a_map_holds_what_was_put_into_it(changes in proptest::collection::vec((0..30_u8, any::<Option<i64>>()), 0..90)) {
        let mut map = Map::with_capacity(3);
        let mut model = HashMap::new();
        for (name, change) in changes {
            let name = name.to_string();
            match change {
                Some(value) => prop_assert_eq!(map.insert(name.as_str(), value), model.insert(name, value).map(Value::from)),
                None => prop_assert_eq!(map.remove(&name), model.remove(&name).map(Value::from)),
            }
        }
        prop_assert_eq!(map.len(), model.len());
        prop_assert_eq!(map.is_empty(), model.is_empty());
        prop_assert_eq!(Value::Map(map), Value::from_serialize(&model).unwrap());
    }

    #[test]
    fn a_pointer_finds_what_serde_json_finds(pointer in "(/(a|b~0|c~1d|~1|~01|0|1|01|-|\\+1|)){0,4}|.{0,8}") {
        let json = serde_json::json!({
            "a": [{"a": 1}, [2, {"": 3}]], "b~": {"c/d": 4, "~1": 6}, "": {"": 5, "0": [7]}, "/": [8, 9],
        });
        let value = Value::from_serialize(&json).unwrap();
        let found = value.pointer(&pointer).map(|found| found.to_typed().unwrap());
        prop_assert_eq!(found, json.pointer(&pointer).cloned());
    }
}

#[test]
fn pointers() {
    let value = value!({"rows": [{"city": "Lund"}, {"a/b": 1, "m~n": 2}], "": 3});
    let found = |pointer| value.pointer(pointer).map(|v| v.to_json().unwrap());
    assert_eq!(found("").as_deref(), value.to_json().ok().as_deref());
    assert_eq!(found("/rows/0/city").as_deref(), Some("\"Lund\""));
    assert_eq!(found("/rows/1/a~1b").as_deref(), Some("1"));
    assert_eq!(found("/rows/1/m~0n").as_deref(), Some("2"));
    assert_eq!(found("/").as_deref(), Some("3"));
    for pointer in [
        "rows",
        "/rows/2",
        "/rows/-",
        "/rows/00",
        "/rows/+0",
        "/rows/-1",
        "/rows/0/city/0",
        "/rows/99999999999999999999999",
        "/rows/",
        "#/rows",
    ] {
        assert_eq!(value.pointer(pointer), None, "{pointer}");
    }
}

#[test]
fn values_are_written_as_json_is() {
    let name = "computed";
    let inner = value!([1]);
    let made = value!({
        "null": null,
        "bools": [true, false],
        "numbers": [0, -1, 2.5, -2.5, u64::MAX, i64::MIN, 1 + 2 * 3],
        "text": "x",
        name: {"nested": {}, "list": [[], [null, [null,],], {}]},
        ("a".repeat(2)): inner.clone(),
        "some": Some(1), "none": None::<i32>,
        "unit": (),
        "char": 'c',
        "narrow": [1_u8, 2_u8],
        "size": name.len(),
        "vec": vec!["a", "b"],
        "call": std::cmp::max(1, 2),
        "trailing": 1,
    });
    let expected = r#"{"null":null,"bools":[true,false],"numbers":[0,-1,2.5,-2.5,18446744073709551615,-9223372036854775808,7],"text":"x","computed":{"nested":{},"list":[[],[null,[null]],{}]},"aa":[1],"some":1,"none":null,"unit":null,"char":"c","narrow":[1,2],"size":8,"vec":["a","b"],"call":2,"trailing":1}"#;
    assert_eq!(made.to_json().unwrap(), expected);
    assert_eq!(value!(null), Value::Null);
    assert_eq!(value!(inner), value!([1]));
    assert_eq!(value!("x"), Value::from("x"));
    assert_eq!(value!(-1), Value::I64(-1));
    assert_eq!(value!({}), Value::Map(Map::new()));
    assert_eq!(value!([]), Value::List(List::new()));
    assert_eq!(value!([null]), Value::List(vec![Value::Null].into()));
    // The last of a repeated name counts here too.
    assert_eq!(value!({"a": 1, "a": 2}), value!({"a": 2}));
}

#[test]
fn values_tell_what_they_are() {
    for (value, name) in [
        (value!(null), "null"),
        (value!(true), "boolean"),
        (value!(1), "integer"),
        (value!(u64::MAX), "integer"),
        (value!(1.5), "number"),
        (value!("x"), "string"),
        (Value::Bytes(Bytes::new()), "bytes"),
        (value!([]), "list"),
        (value!({}), "map"),
    ] {
        assert_eq!(value.type_name(), name);
        assert_eq!(value.is_null(), name == "null");
        assert_eq!(value.as_bool().is_some(), name == "boolean");
        assert_eq!(value.as_str().is_some(), name == "string");
        assert_eq!(value.as_bytes().is_some(), name == "bytes");
        assert_eq!(value.as_list().is_some(), name == "list");
        assert_eq!(value.as_map().is_some(), name == "map");
        assert_eq!(value.get("x"), None);
    }
    let debug = format!("{:?}", value!({"a": [null, true, 1, 2.5, "x"]}));
    assert_eq!(debug, r#"{"a": [null, true, 1, 2.5, "x"]}"#);
}
