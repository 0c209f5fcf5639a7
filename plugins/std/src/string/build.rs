//! Text that is made of other text.

use std::num::NonZeroUsize;

use floe_plugin_api::{CallContext, Result, data};

use super::{Side, Whole, not_empty};
use crate::{Std, bounds};

/// Parts to join.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Join {
    /// The parts, in order.
    parts: Vec<String>,
    /// What to put between two parts; nothing when not given.
    #[serde(default)]
    separator: String,
}

pub(crate) fn join(_std: &Std, input: Join, _call: &CallContext<'_>) -> Result<String> {
    let Join { parts, separator } = input;
    let kept: usize = parts.iter().map(String::len).sum();
    let gaps = parts.len().saturating_sub(1);
    bounds::bytes(kept.saturating_add(gaps.saturating_mul(separator.len())))?;
    Ok(parts.join(&separator))
}

/// A text in which to replace.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Replace {
    /// The text.
    text: String,
    /// What to look for.
    #[schemars(length(min = 1))]
    from: String,
    /// What to put in its place; may be empty.
    to: String,
    /// How many to replace, from the beginning; all when not given.
    #[serde(default)]
    count: Option<NonZeroUsize>,
}

pub(crate) fn replace(_std: &Std, input: Replace, _call: &CallContext<'_>) -> Result<String> {
    let Replace {
        text,
        from,
        to,
        count,
    } = input;
    not_empty("from", &from)?;
    let count = count.map_or(usize::MAX, NonZeroUsize::get);
    let found = text.matches(&from).take(count).count();
    let kept = text.len() - found * from.len();
    bounds::bytes(kept.saturating_add(found.saturating_mul(to.len())))?;
    Ok(text.replacen(&from, &to, found))
}

pub(crate) fn reverse(
    _std: &Std,
    Whole { text }: Whole,
    _call: &CallContext<'_>,
) -> Result<String> {
    Ok(text.chars().rev().collect())
}

/// A text to repeat.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Repeat {
    /// The text.
    text: String,
    /// How often to give it.
    count: usize,
}

pub(crate) fn repeat(_std: &Std, input: Repeat, _call: &CallContext<'_>) -> Result<String> {
    let Repeat { text, count } = input;
    bounds::bytes(text.len().saturating_mul(count))?;
    Ok(text.repeat(count))
}

/// A text to fill up.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Pad {
    /// The text.
    text: String,
    /// How many characters to fill it up to; a longer text stays as it is.
    width: usize,
    /// The character to fill up with.
    #[serde(default = "space")]
    with: char,
    /// Where to fill up; with `both`, an odd one goes to the end.
    #[serde(default = "start")]
    side: Side,
}

const fn space() -> char {
    ' '
}

const fn start() -> Side {
    Side::Start
}

pub(crate) fn pad(_std: &Std, input: Pad, _call: &CallContext<'_>) -> Result<String> {
    let Pad {
        text,
        width,
        with,
        side,
    } = input;
    let missing = width.saturating_sub(text.chars().count());
    let made = text
        .len()
        .saturating_add(missing.saturating_mul(with.len_utf8()));
    bounds::bytes(made)?;
    let before = match side {
        Side::Start => missing,
        Side::End => 0,
        Side::Both => missing / 2,
    };
    let mut padded = String::with_capacity(made);
    padded.extend(std::iter::repeat_n(with, before));
    padded.push_str(&text);
    padded.extend(std::iter::repeat_n(with, missing - before));
    Ok(padded)
}
