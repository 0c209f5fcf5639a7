//! `string.*`: text, counted in characters (Unicode scalar values) and not in bytes.

pub(crate) mod build;
pub(crate) mod case;
pub(crate) mod cut;
pub(crate) mod look;
pub(crate) mod pattern;

use floe_plugin_api::{Error, Result, data};

/// A text as a whole.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Whole {
    /// The text.
    pub(crate) text: String,
}

/// An end of a text, or both.
#[data]
#[serde(rename_all = "snake_case")]
#[derive(Clone, Copy)]
pub(crate) enum Side {
    /// The beginning.
    Start,
    /// The end.
    End,
    /// Both ends.
    Both,
}

fn not_empty(field: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(field, "at least one character", text));
    }
    Ok(())
}

/// The place in bytes of a place in characters; the end where there are fewer.
fn byte_of(text: &str, characters: usize) -> usize {
    text.char_indices()
        .nth(characters)
        .map_or(text.len(), |(byte, _)| byte)
}
