//! Parts of a text.

use std::num::NonZeroUsize;

use floe_plugin_api::{CallContext, Error, Result, data};

use super::{Side, Whole, byte_of, not_empty};
use crate::{Std, bounds};

/// A text to trim.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Trim {
    /// The text.
    text: String,
    /// The characters to take off, in any order; white space when not given.
    #[serde(default)]
    chars: Option<String>,
    /// Where to take them off.
    #[serde(default = "both")]
    side: Side,
}

const fn both() -> Side {
    Side::Both
}

pub(crate) fn trim(_std: &Std, input: Trim, _call: &CallContext<'_>) -> Result<String> {
    let Trim { text, chars, side } = input;
    let dropped = |c: char| {
        chars
            .as_deref()
            .map_or_else(|| c.is_whitespace(), |chars| chars.contains(c))
    };
    let trimmed = match side {
        Side::Start => text.trim_start_matches(dropped),
        Side::End => text.trim_end_matches(dropped),
        Side::Both => text.trim_matches(dropped),
    };
    Ok(trimmed.to_owned())
}

/// A text to cut into parts.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Split {
    /// The text.
    text: String,
    /// What stands between two parts.
    #[schemars(length(min = 1))]
    separator: String,
    /// The most parts to give; the last one keeps the rest of the text. No bound when not given.
    #[serde(default)]
    limit: Option<NonZeroUsize>,
}

pub(crate) fn split(_std: &Std, input: Split, _call: &CallContext<'_>) -> Result<Vec<String>> {
    let Split {
        text,
        separator,
        limit,
    } = input;
    not_empty("separator", &separator)?;
    let limit = limit.map_or(usize::MAX, NonZeroUsize::get);
    bounds::collect(text.splitn(limit, &separator).map(str::to_owned))
}

pub(crate) fn lines(
    _std: &Std,
    Whole { text }: Whole,
    _call: &CallContext<'_>,
) -> Result<Vec<String>> {
    bounds::collect(text.lines().map(str::to_owned))
}

/// A text and which part of it to give.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Substring {
    /// The text.
    text: String,
    /// The first character to give, from 0; below 0 it is counted from the end.
    start: i64,
    /// How many characters to give, where there are as many; the rest of the text when not given.
    #[serde(default)]
    length: Option<usize>,
}

pub(crate) fn substring(_std: &Std, input: Substring, _call: &CallContext<'_>) -> Result<String> {
    let Substring {
        text,
        start,
        length,
    } = input;
    let distance = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
    let start = if start < 0 {
        text.chars().count().saturating_sub(distance)
    } else {
        distance
    };
    let rest = &text[byte_of(&text, start)..];
    let end = length.map_or(rest.len(), |length| byte_of(rest, length));
    Ok(rest[..end].to_owned())
}

/// A text to shorten.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Truncate {
    /// The text.
    text: String,
    /// The most characters to give, the ellipsis among them.
    length: usize,
    /// What to end a text with that was shortened; may be empty.
    #[serde(default = "ellipsis")]
    ellipsis: String,
}

fn ellipsis() -> String {
    "…".to_owned()
}

pub(crate) fn truncate(_std: &Std, input: Truncate, _call: &CallContext<'_>) -> Result<String> {
    let Truncate {
        mut text,
        length,
        ellipsis,
    } = input;
    let Some(kept) = length.checked_sub(ellipsis.chars().count()) else {
        let rule = format!("at most `{length}` characters, as `length` says");
        return Err(Error::invalid("ellipsis", &rule, ellipsis));
    };
    if byte_of(&text, length) < text.len() {
        text.truncate(byte_of(&text, kept));
        text.push_str(&ellipsis);
    }
    Ok(text)
}
