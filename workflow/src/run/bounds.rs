//! How large what a node gives may be, as what passes between a host and a worker; and how deep, as a document.
//!
//! Whoever makes values of other nodes' can double them with each node, or nest them, without any plugin.

use floe_plugin_api::{ErrorKind, Value};

use super::outcome::Failure;

/// How deep lists and maps may be in each other.
const DEEPEST: usize = 128;

/// How much a value may weigh.
const HEAVIEST: usize = 256 << 20;

/// What each value weighs, beside the bytes of a text.
const EACH: usize = 32;

/// What a value weighs in bytes, more or less.
///
/// # Errors
///
/// It is too deep or weighs too much.
pub(super) fn weigh(value: &Value) -> Result<usize, Failure> {
    let mut weight = 0_usize;
    // Not by recursion: how deep it is, is what is to be found out.
    let mut open = vec![(value, 0_usize)];
    while let Some((value, depth)) = open.pop() {
        if depth > DEEPEST {
            let message = format!("what it gives is nested deeper than {DEEPEST} levels");
            return Err(Failure::new(ErrorKind::ResourceExhausted, message));
        }
        let own = match value {
            Value::String(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::List(items) => {
                open.extend(items.iter().map(|item| (item, depth + 1)));
                0
            }
            Value::Map(map) => {
                open.extend(map.iter().map(|entry| (&entry.value, depth + 1)));
                map.iter().map(|entry| entry.key.len()).sum()
            }
            _ => 0,
        };
        weight = weight.saturating_add(own).saturating_add(EACH);
        check(weight)?;
    }
    Ok(weight)
}

/// Refuses what weighs too much.
pub(super) fn check(weight: usize) -> Result<(), Failure> {
    if weight <= HEAVIEST {
        return Ok(());
    }
    let message = format!("what it gives is larger than {} MiB", HEAVIEST >> 20);
    Err(Failure::new(ErrorKind::ResourceExhausted, message))
}
