//! What the executors do; the benches do the same directly, to compare.

use floe_plugin_api::{Result, Value, data};

/// A record of five fields.
#[data]
#[derive(Clone, PartialEq)]
pub(crate) struct Record {
    /// Which.
    pub(crate) id: u64,
    /// What it is called.
    pub(crate) name: String,
    /// How much.
    pub(crate) amount: f64,
    /// Whether it counts.
    pub(crate) active: bool,
    /// What else.
    pub(crate) note: Option<String>,
}

/// Gives back what it is given.
///
/// # Errors
///
/// None; the shape is an executor's.
pub(crate) fn echo(input: &Value) -> Result<Value> {
    Ok(input.clone())
}

/// Takes a record and gives one.
#[must_use]
pub(crate) fn record(mut input: Record) -> Record {
    input.amount *= 2.0;
    input
}
