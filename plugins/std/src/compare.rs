//! When two values are the same, and which comes first.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use floe_plugin_api::{Map, Value};

use crate::number::{Number, whole};

/// Whether two values are the same. Numbers are by what they are, so that `1` and `1.0` are the
/// same; dicts are whatever the order of their entries. What is not a number is the same as itself,
/// or no group could be made of it.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    if let (Some(a), Some(b)) = (Number::of(a), Number::of(b)) {
        return a.compare(b).is_eq();
    }
    match (a, b) {
        (Value::F64(a), Value::F64(b)) => a.is_nan() && b.is_nan(),
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
        }
        (Value::Map(a), Value::Map(b)) => same_maps(a, b),
        _ => a == b,
    }
}

fn same_maps(a: &Map, b: &Map) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if a.iter().zip(b.iter()).all(|(a, b)| a.key == b.key) {
        return a
            .iter()
            .zip(b.iter())
            .all(|(a, b)| same(&a.value, &b.value));
    }
    let by_key: HashMap<&str, &Value> = b.iter().map(|e| (e.key.as_str(), &e.value)).collect();
    a.iter().all(|entry| {
        by_key
            .get(entry.key.as_str())
            .is_some_and(|other| same(&entry.value, other))
    })
}

/// The order of two values, where they have one: numbers, strings by code point, and booleans,
/// false before true.
pub(crate) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (Number::of(a), Number::of(b)) {
        return Some(a.compare(b));
    }
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// A value to look up by: equal where [`same`] says so.
#[derive(Clone, Copy)]
pub(crate) struct Key<'a>(pub(crate) &'a Value);

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        same(self.0, other.0)
    }
}

impl Eq for Key<'_> {}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.0 {
            Value::Null => 0_u8.hash(state),
            Value::Bool(value) => (1_u8, value).hash(state),
            Value::I64(value) => (2_u8, i128::from(*value)).hash(state),
            Value::U64(value) => (2_u8, i128::from(*value)).hash(state),
            Value::F64(value) => match whole(*value) {
                Some(whole) => (2_u8, whole).hash(state),
                None if value.is_nan() => 3_u8.hash(state),
                None => (4_u8, value.to_bits()).hash(state),
            },
            Value::String(text) => (5_u8, text.as_str()).hash(state),
            Value::Bytes(bytes) => (6_u8, &**bytes).hash(state),
            Value::List(items) => {
                (7_u8, items.len()).hash(state);
                for item in items {
                    Key(item).hash(state);
                }
            }
            Value::Map(entries) => {
                // A sum, which is the same in any order.
                let sum = entries.iter().fold(0_u64, |sum, entry| {
                    let mut hasher = DefaultHasher::new();
                    (entry.key.as_str(), Key(&entry.value)).hash(&mut hasher);
                    sum.wrapping_add(hasher.finish())
                });
                (8_u8, sum).hash(state);
            }
        }
    }
}
