//! Arbitrary values.

use floe_plugin_api::{Bytes, Map, Value};
use proptest::prelude::*;

/// Any value without a NaN, which is not equal to itself.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    value_of(leaf(prop_oneof![
        any::<f64>().prop_filter("a NaN equals nothing", |float| !float.is_nan()),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
    ]))
}

/// Any value that JSON can write: without infinities either.
pub(crate) fn json_value() -> impl Strategy<Value = Value> {
    value_of(leaf(finite()))
}

/// Any value that JSON can tell from any other: without bytes either.
pub(crate) fn plain_value() -> impl Strategy<Value = Value> {
    json_value().prop_map(without_bytes)
}

/// Any float that JSON can write.
pub(crate) fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("JSON writes finite numbers", |float| float.is_finite()),
        (-1000..1000_i32).prop_map(|n| f64::from(n) / 100.0),
        Just(-0.0),
        Just(f64::MAX),
        Just(f64::MIN_POSITIVE),
    ]
}

/// Text of every sort: short and long, with escapes, controls and numbers in it.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,6}",
        ".{0,60}",
        any::<String>(),
        Just("18446744073709551616".to_owned()),
        Just("\"\\\u{0}\n99999999999999999999".to_owned()),
    ]
}

fn leaf(floats: impl Strategy<Value = f64> + 'static) -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (i64::MAX as u64 - 2..=i64::MAX as u64 + 2).prop_map(Value::from),
        floats.prop_map(Value::from),
        text().prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..80)
            .prop_map(|bytes| Value::Bytes(Bytes::from(bytes))),
    ]
}

fn value_of(leaf: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    leaf.prop_recursive(5, 60, 12, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..12).prop_map(Value::from),
            proptest::collection::vec((text(), inner), 0..12)
                .prop_map(|entries| Value::Map(entries.into_iter().collect::<Map>())),
        ]
    })
}

/// The value that JSON makes of it: bytes as a list of numbers.
pub(crate) fn without_bytes(value: Value) -> Value {
    match value {
        Value::Bytes(bytes) => bytes.iter().copied().collect(),
        Value::List(list) => list.into_iter().map(without_bytes).collect(),
        Value::Map(map) => Value::Map(
            map.into_iter()
                .map(|entry| (entry.key, without_bytes(entry.value)))
                .collect(),
        ),
        other => other,
    }
}
