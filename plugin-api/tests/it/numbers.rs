//! Numbers that do not fit are refused, never rounded.

use std::fmt::Debug;

use floe_plugin_api::serde::de::DeserializeOwned;
use floe_plugin_api::serde::{Deserialize, Serialize};
use floe_plugin_api::{Value, value};

/// What a number read into a type should be: the number, or why not.
#[track_caller]
fn check<T: DeserializeOwned + PartialEq + Debug>(
    value: impl Into<Value>,
    expected: Result<T, &str>,
) {
    let value = value.into();
    // On its own, and in each of the places that have a reader of their own.
    let own = value.to_typed::<T>();
    let item = Value::from(vec![value.clone()]).to_typed::<Vec<T>>();
    let some = value.to_typed::<Option<T>>();
    let results = [
        own,
        item.map(|mut items| items.remove(0)),
        some.map(|some| some.unwrap()),
    ];
    for result in results {
        match (&result, &expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(refused), Err(reason)) => {
                assert!(refused.to_string().contains(reason), "{refused}");
            }
            _ => panic!("{value:?} gave {result:?}, expected {expected:?}"),
        }
    }
}

const TWO_53: i64 = 1 << 53;

#[test]
fn integers_into_floats() {
    const REASON: &str = "does not fit a floating-point number exactly";
    check::<f64>(0, Ok(0.0));
    check::<f64>(TWO_53 - 1, Ok(9_007_199_254_740_991.0));
    check::<f64>(TWO_53, Ok(9_007_199_254_740_992.0));
    check::<f64>(TWO_53 + 1, Err(REASON));
    check::<f64>(TWO_53 + 2, Ok(9_007_199_254_740_994.0));
    check::<f64>(-TWO_53, Ok(-9_007_199_254_740_992.0));
    check::<f64>(-TWO_53 - 1, Err(REASON));
    check::<f64>(i64::MIN, Ok(-9_223_372_036_854_775_808.0));
    check::<f64>(i64::MIN + 1, Err(REASON));
    check::<f64>(i64::MAX, Err(REASON));
    check::<f64>(1_u64 << 63, Ok(9_223_372_036_854_775_808.0));
    check::<f64>(u64::MAX, Err(REASON));
    check::<f64>(u64::MAX - 2047, Ok(18_446_744_073_709_549_568.0));
    assert_eq!(Value::from(TWO_53 + 1).as_f64(), None);
    assert_eq!(Value::from(u64::MAX).as_f64(), None);
    assert_eq!(Value::from(TWO_53).as_f64(), Some(9_007_199_254_740_992.0));
}

#[test]
fn numbers_into_narrow_floats() {
    const REASON: &str = "does not fit a 32-bit floating-point number";
    check::<f32>(1 << 24, Ok(16_777_216.0));
    check::<f32>((1 << 24) + 1, Err(REASON));
    check::<f32>((1 << 24) + 2, Ok(16_777_218.0));
    check::<f32>(-(1 << 24) - 1, Err(REASON));
    check::<f32>(i64::MIN, Ok(-9_223_372_036_854_775_808.0));
    check::<f32>(i64::MAX, Err(REASON));
    check::<f32>(u64::MAX, Err(REASON));
    check::<f32>(TWO_53 + 1, Err(REASON));
    check::<f32>(f64::from(f32::MAX), Ok(f32::MAX));
    check::<f32>(1e39, Err(REASON));
    check::<f32>(-1e300, Err(REASON));
    check::<f32>(f64::INFINITY, Ok(f32::INFINITY));
    // A fraction becomes the nearest one, as in Rust's own source.
    check::<f32>(0.1, Ok(0.1));
    assert!(Value::from(f64::NAN).to_typed::<f32>().unwrap().is_nan());
}

#[test]
fn floats_into_integers() {
    check::<i64>(1.0, Err("floating point `1.0`, expected i64"));
    check::<i64>(-0.0, Err("floating point `-0.0`, expected i64"));
    check::<u8>(0.5, Err("floating point `0.5`, expected u8"));
    check::<i128>(1e30, Err("expected i128"));
    check::<u64>(f64::NAN, Err("floating point `NaN`, expected u64"));
    check::<bool>(1.0, Err("expected a boolean"));
}

#[test]
fn integers_into_integers() {
    check::<i64>(
        u64::MAX,
        Err("integer `18446744073709551615`, expected i64"),
    );
    check::<i64>(
        1_u64 << 63,
        Err("integer `9223372036854775808`, expected i64"),
    );
    check::<i64>(Value::U64(7), Ok(7));
    check::<u64>(u64::MAX, Ok(u64::MAX));
    check::<u64>(-1, Err("integer `-1`, expected u64"));
    check::<u64>(i64::MIN, Err("expected u64"));
    check::<u8>(255, Ok(255));
    check::<u8>(256, Err("integer `256`, expected u8"));
    check::<u8>(300, Err("integer `300`, expected u8"));
    check::<u32>(-1, Err("integer `-1`, expected u32"));
    check::<u32>(1_u64 << 32, Err("integer `4294967296`, expected u32"));
    check::<i8>(128, Err("integer `128`, expected i8"));
    check::<i8>(-129, Err("integer `-129`, expected i8"));
    check::<i128>(u64::MAX, Ok(i128::from(u64::MAX)));
    check::<u128>(-1, Err("integer `-1`, expected u128"));
    check::<usize>(u64::MAX, Ok(usize::MAX));
    assert_eq!(Value::from(u64::MAX).as_i64(), None);
    assert_eq!(Value::from(-1).as_u64(), None);
    assert_eq!(Value::U64(7).as_i64(), Some(7));
}

#[test]
fn integers_of_more_than_64_bits() {
    #[track_caller]
    fn refuse<T: Serialize>(integer: T, digits: &str) {
        let refused = Value::from_serialize(&vec![integer]).unwrap_err();
        let reason = format!("the integer `{digits}` does not fit 64 bits");
        assert_eq!(refused.to_string(), reason);
    }
    refuse(1_u128 << 64, "18446744073709551616");
    refuse(1_i128 << 64, "18446744073709551616");
    refuse(i128::from(i64::MIN) - 1, "-9223372036854775809");
    refuse(i128::MIN, "-170141183460469231731687303715884105728");
    refuse(u128::MAX, "340282366920938463463374607431768211455");
}

#[test]
fn integers_in_json_text() {
    #[track_caller]
    fn check(text: &str, expected: Result<Value, &str>) {
        for (before, after) in [
            ("", ""),
            ("[1, ", "]"),
            ("{\"k\\\"\": ", "}"),
            (" \n\t", "\r\n"),
        ] {
            let found = Value::from_json(&format!("{before}{text}{after}"));
            match (found, &expected) {
                (Ok(found), Ok(expected)) => {
                    let found = match &found {
                        Value::List(list) if !before.is_empty() => &list[1],
                        Value::Map(map) => &map.iter().next().unwrap().value,
                        found => found,
                    };
                    assert_eq!(found, expected);
                    assert_eq!(found.type_name(), expected.type_name());
                }
                (Err(refused), Err(reason)) => {
                    assert!(refused.to_string().contains(reason), "{refused}");
                }
                (found, expected) => panic!("{text} gave {found:?}, expected {expected:?}"),
            }
        }
    }

    check("9223372036854775807", Ok(Value::I64(i64::MAX)));
    check("9223372036854775808", Ok(Value::U64(1 << 63)));
    check("18446744073709551615", Ok(Value::U64(u64::MAX)));
    check("-9223372036854775808", Ok(Value::I64(i64::MIN)));
    check("9007199254740993", Ok(Value::I64(TWO_53 + 1)));
    check("-0", Ok(Value::F64(-0.0)));
    check("1.0", Ok(Value::F64(1.0)));
    check("1e2", Ok(Value::F64(100.0)));
    check("1E400", Err("out of range"));
    // An exponent or a point says that a float is meant.
    check(
        "18446744073709551616.0",
        Ok(Value::F64(18_446_744_073_709_551_616.0)),
    );
    check(
        "18446744073709551616e0",
        Ok(Value::F64(18_446_744_073_709_551_616.0)),
    );
    for digits in [
        "18446744073709551616",
        "-9223372036854775809",
        "99999999999999999999999999999999999999999999",
    ] {
        let reason = format!("the integer `{digits}` does not fit 64 bits");
        check(digits, Err(&reason));
        // In a text it is a text.
        for text in [
            format!("\"{digits}\""),
            format!("\"\\\\\\\"{digits}\""),
            format!("\"\\u0022{digits}\\u005c\""),
            format!("[\"{digits}\\\\\", 1]"),
            format!("{{\"{digits}\": \"a\\\\\"}}"),
        ] {
            assert!(Value::from_json(&text).is_ok(), "{text}");
        }
        // And where it is not one.
        for text in [
            format!("[\"\\\\\", {digits}]"),
            format!("[\"\\\\\\\"\", {digits}]"),
            format!("{{\"é\": {{\"\\\\\": [0.5, -1e-7, {digits}]}}}}"),
        ] {
            let refused = Value::from_json(&text).unwrap_err().to_string();
            assert!(refused.contains(&reason), "{text}: {refused}");
        }
    }
}

/// Serde's derive keeps the content of these aside in a form of its own, which knows integers and
/// floats but not which of them the type will ask for, and rounds with `as` when it reads a float
/// out of an integer. No deserializer can prevent it; [`Value::to_typed`] says so.
#[test]
fn what_serde_keeps_aside_is_rounded_by_serde() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "type")]
    enum Internal {
        Ratio { ratio: f64 },
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "type", content = "content")]
    enum Adjacent {
        Ratio(f64),
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Ratio(f64),
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        ratio: f64,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Flattened {
        #[serde(flatten)]
        inner: Inner,
    }

    let number = TWO_53 + 1;
    let rounded = 9_007_199_254_740_992.0;
    assert_eq!(
        value!({"type": "Ratio", "ratio": number}).to_typed(),
        Ok(Internal::Ratio { ratio: rounded })
    );
    assert_eq!(value!(number).to_typed(), Ok(Untagged::Ratio(rounded)));
    assert_eq!(
        value!({"ratio": number}).to_typed(),
        Ok(Flattened {
            inner: Inner { ratio: rounded }
        })
    );
    // Beside its content, the tag decides: before it nothing is kept aside, after it everything is.
    let refused = value!({"type": "Ratio", "content": number}).to_typed::<Adjacent>();
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("exactly"), "{refused}");
    assert_eq!(
        value!({"content": number, "type": "Ratio"}).to_typed(),
        Ok(Adjacent::Ratio(rounded))
    );
    // Integers are kept as they are everywhere.
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Integers {
        Narrow(u8),
        Signed(i64),
        Unsigned(u64),
    }
    assert_eq!(value!(255).to_typed(), Ok(Integers::Narrow(255)));
    assert_eq!(value!(300).to_typed(), Ok(Integers::Signed(300)));
    assert_eq!(value!(number).to_typed(), Ok(Integers::Signed(number)));
    assert_eq!(
        value!(u64::MAX).to_typed(),
        Ok(Integers::Unsigned(u64::MAX))
    );
    assert!(value!(1.0).to_typed::<Integers>().is_err());
}

/// The same form knows bytes, but does not take them for a list of numbers.
#[test]
fn bytes_that_serde_keeps_aside_stay_bytes() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Numbers(Vec<u8>),
    }
    assert!(Value::Bytes(vec![1].into()).to_typed::<Untagged>().is_err());
    assert_eq!(value!([1]).to_typed(), Ok(Untagged::Numbers(vec![1])));
}

/// With `serde_json`'s feature `arbitrary_precision`, which any crate of a build may turn on,
/// `serde_json` gives a number as a map with this name.
#[test]
fn numbers_as_serde_json_may_disguise_them() {
    #[derive(Serialize)]
    #[serde(rename = "$serde_json::private::Number")]
    struct Number {
        #[serde(rename = "$serde_json::private::Number")]
        text: &'static str,
    }
    for (text, expected) in [
        ("7", Ok(Value::I64(7))),
        ("18446744073709551615", Ok(Value::U64(u64::MAX))),
        ("-0", Ok(Value::F64(-0.0))),
        ("1.5e3", Ok(Value::F64(1500.0))),
        ("18446744073709551616", Err("does not fit 64 bits")),
        ("1e999", Err("out of range")),
    ] {
        for found in [
            Value::from_serialize(&Number { text }),
            value!({"$serde_json::private::Number": text}).to_typed::<Value>(),
        ] {
            match (found, &expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, *expected),
                (Err(refused), Err(reason)) => {
                    assert!(refused.to_string().contains(reason), "{refused}");
                }
                (found, expected) => panic!("{text} gave {found:?}, expected {expected:?}"),
            }
        }
    }
    let number = serde_json::to_value(7).unwrap();
    assert_eq!(Value::from_serialize(&number), Ok(Value::I64(7)));
}
