//! What is in a text, and how long it is.

use floe_plugin_api::{CallContext, Result, data};

use super::{Whole, not_empty};
use crate::Std;

/// A text and what to look for in it.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Look {
    /// The text.
    text: String,
    /// What to look for, in the same case.
    part: String,
}

pub(crate) fn contains(_std: &Std, input: Look, _call: &CallContext<'_>) -> Result<bool> {
    Ok(input.text.contains(&input.part))
}

pub(crate) fn starts_with(_std: &Std, input: Look, _call: &CallContext<'_>) -> Result<bool> {
    Ok(input.text.starts_with(&input.part))
}

pub(crate) fn ends_with(_std: &Std, input: Look, _call: &CallContext<'_>) -> Result<bool> {
    Ok(input.text.ends_with(&input.part))
}

pub(crate) fn index_of(_std: &Std, input: Look, _call: &CallContext<'_>) -> Result<Option<usize>> {
    let found = input.text.find(&input.part);
    Ok(found.map(|byte| input.text[..byte].chars().count()))
}

pub(crate) fn count(_std: &Std, input: Look, _call: &CallContext<'_>) -> Result<usize> {
    not_empty("part", &input.part)?;
    Ok(input.text.matches(&input.part).count())
}

pub(crate) fn length(_std: &Std, Whole { text }: Whole, _call: &CallContext<'_>) -> Result<usize> {
    Ok(text.chars().count())
}

pub(crate) fn bytes(_std: &Std, Whole { text }: Whole, _call: &CallContext<'_>) -> Result<usize> {
    Ok(text.len())
}
