//! How much an executor may make. What makes more is refused before it fills the host's memory.

use floe_plugin_api::{Entry, Error, ErrorKind, Result, Value};

/// The longest text, or bytes, that an executor makes, in bytes.
pub(crate) const MAX_BYTES: usize = 64 << 20;

/// The most items of a list that an executor makes where it is given fewer: about as many as the
/// longest text has room for, at 48 bytes each and more.
pub(crate) const MAX_ITEMS: usize = 1_000_000;

/// The deepest place that a pointer names: as deep as JSON is read.
pub(crate) const MAX_DEPTH: usize = 128;

pub(crate) fn bytes(made: usize) -> Result<()> {
    if made > MAX_BYTES {
        return Err(Error::new(
            ErrorKind::ResourceExhausted,
            format!("the output would be longer than `{MAX_BYTES}` bytes; work on smaller pieces"),
        ));
    }
    Ok(())
}

pub(crate) fn items(made: usize) -> Result<()> {
    if made > MAX_ITEMS {
        return Err(Error::new(
            ErrorKind::ResourceExhausted,
            format!("the output would have more than `{MAX_ITEMS}` items; work on smaller pieces"),
        ));
    }
    Ok(())
}

/// Collects what is not counted before, and stops where it is too many.
pub(crate) fn collect<T>(made: impl Iterator<Item = T>) -> Result<Vec<T>> {
    let kept: Vec<T> = made.take(MAX_ITEMS + 1).collect();
    items(kept.len())?;
    Ok(kept)
}

/// What a value takes beside its own place, in bytes: of a number, nothing.
pub(crate) fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::I64(_) | Value::U64(_) | Value::F64(_) => 0,
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list
            .iter()
            .map(|item| size_of::<Value>() + size(item))
            .sum(),
        Value::Map(map) => map
            .iter()
            .map(|entry| size_of::<Entry>() + entry.key.len() + size(&entry.value))
            .sum(),
    }
}
