//! What the executors do; the benches do the same directly, to compare.

use floe_plugin_api::{Result, Value, data};

/// A record of five fields.
#[data]
#[derive(Clone, PartialEq)]
pub struct Record {
    /// Which.
    pub id: u64,
    /// What it is called.
    pub name: String,
    /// How much.
    pub amount: f64,
    /// Whether it counts.
    pub active: bool,
    /// What else.
    pub note: Option<String>,
}

/// Gives back what it is given.
///
/// # Errors
///
/// None; the shape is an executor's.
pub fn echo(input: &Value) -> Result<Value> {
    Ok(input.clone())
}

/// Takes a record and gives one.
#[must_use]
pub fn record(mut input: Record) -> Record {
    input.amount *= 2.0;
    input
}
