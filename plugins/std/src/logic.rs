//! `logic.*`: conditions and comparisons.

use std::cmp::Ordering;

use floe_plugin_api::{CallContext, Error, ErrorKind, Result, Value, data};

use crate::Std;
use crate::compare::{order, same};

/// Conditions.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Conditions {
    /// The conditions.
    values: Vec<bool>,
}

/// A condition.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Condition {
    /// The condition.
    value: bool,
}

/// Two values to compare.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Two {
    /// The first value.
    a: Value,
    /// The second value.
    b: Value,
}

/// A value of any type.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct One {
    /// The value.
    value: Value,
}

/// Values of any types.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Many {
    /// The values, in order.
    values: Vec<Value>,
}

pub(crate) fn and(_std: &Std, input: Conditions, _call: &CallContext<'_>) -> Result<bool> {
    Ok(input.values.iter().all(|value| *value))
}

pub(crate) fn or(_std: &Std, input: Conditions, _call: &CallContext<'_>) -> Result<bool> {
    Ok(input.values.iter().any(|value| *value))
}

pub(crate) fn not(_std: &Std, input: Condition, _call: &CallContext<'_>) -> Result<bool> {
    Ok(!input.value)
}

pub(crate) fn equal(_std: &Std, input: Two, _call: &CallContext<'_>) -> Result<bool> {
    Ok(same(&input.a, &input.b))
}

pub(crate) fn not_equal(_std: &Std, input: Two, _call: &CallContext<'_>) -> Result<bool> {
    Ok(!same(&input.a, &input.b))
}

pub(crate) fn greater(_std: &Std, input: Two, _call: &CallContext<'_>) -> Result<bool> {
    ordered(&input).map(Ordering::is_gt)
}

pub(crate) fn greater_equal(_std: &Std, input: Two, _call: &CallContext<'_>) -> Result<bool> {
    ordered(&input).map(Ordering::is_ge)
}

pub(crate) fn less(_std: &Std, input: Two, _call: &CallContext<'_>) -> Result<bool> {
    ordered(&input).map(Ordering::is_lt)
}

pub(crate) fn less_equal(_std: &Std, input: Two, _call: &CallContext<'_>) -> Result<bool> {
    ordered(&input).map(Ordering::is_le)
}

fn ordered(Two { a, b }: &Two) -> Result<Ordering> {
    order(a, b).ok_or_else(|| unordered(("a", a), ("b", b)))
}

/// What is said where two values have no order.
pub(crate) fn unordered(a: (&str, &Value), b: (&str, &Value)) -> Error {
    let what = |value: &Value| match value {
        Value::F64(float) if float.is_nan() => "not a number",
        value => value.type_name(),
    };
    Error::new(
        ErrorKind::ValidationFailed,
        format!(
            "`{}` (`{}`) and `{}` (`{}`) have no order; compare two numbers, two strings or two booleans",
            a.0,
            what(a.1),
            b.0,
            what(b.1)
        ),
    )
    .with_detail("path", b.0)
}

pub(crate) fn is_null(_std: &Std, input: One, _call: &CallContext<'_>) -> Result<bool> {
    Ok(input.value.is_null())
}

pub(crate) fn is_empty(_std: &Std, input: One, _call: &CallContext<'_>) -> Result<bool> {
    match &input.value {
        Value::Null => Ok(true),
        Value::String(text) => Ok(text.is_empty()),
        Value::Bytes(bytes) => Ok(bytes.is_empty()),
        Value::List(list) => Ok(list.is_empty()),
        Value::Map(map) => Ok(map.is_empty()),
        Value::Bool(_) | Value::I64(_) | Value::U64(_) | Value::F64(_) => Err(Error::invalid(
            "value",
            "null, a string, bytes, a list or a dict",
            input.value,
        )),
    }
}

pub(crate) fn coalesce(_std: &Std, input: Many, _call: &CallContext<'_>) -> Result<Value> {
    let mut values = input.values.into_iter();
    Ok(values.find(|value| !value.is_null()).unwrap_or_default())
}

/// A condition and what to give for each of its outcomes.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct If {
    /// The condition.
    condition: bool,
    /// What to give where it is true.
    then: Value,
    /// What to give where it is false; null when not given.
    #[serde(default, rename = "else")]
    otherwise: Value,
}

pub(crate) fn choose(_std: &Std, input: If, _call: &CallContext<'_>) -> Result<Value> {
    Ok(if input.condition {
        input.then
    } else {
        input.otherwise
    })
}
