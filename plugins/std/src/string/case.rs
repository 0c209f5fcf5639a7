//! Upper and lower case.

use floe_plugin_api::{CallContext, Result, data};

use super::Whole;
use crate::Std;

pub(crate) fn upper(_std: &Std, Whole { text }: Whole, _call: &CallContext<'_>) -> Result<String> {
    Ok(text.to_uppercase())
}

pub(crate) fn lower(_std: &Std, Whole { text }: Whole, _call: &CallContext<'_>) -> Result<String> {
    Ok(text.to_lowercase())
}

pub(crate) fn capitalize(
    _std: &Std,
    Whole { text }: Whole,
    _call: &CallContext<'_>,
) -> Result<String> {
    let mut made = String::with_capacity(text.len());
    push_capitalized(&mut made, &text);
    Ok(made)
}

pub(crate) fn title(_std: &Std, Whole { text }: Whole, _call: &CallContext<'_>) -> Result<String> {
    let mut made = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let word = rest.find(char::is_alphanumeric).unwrap_or(rest.len());
        made.push_str(&rest[..word]);
        rest = &rest[word..];
        let end = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
        push_capitalized(&mut made, &rest[..end]);
        rest = &rest[end..];
    }
    Ok(made)
}

/// An apostrophe is inside a word, as in `don't`.
fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\'' | '’')
}

fn push_capitalized(made: &mut String, word: &str) {
    let mut characters = word.chars();
    made.extend(characters.next().into_iter().flat_map(char::to_uppercase));
    // As a whole, not by character: a sigma at the end of a word is another one.
    let lower = word.to_lowercase();
    let first: usize = word
        .chars()
        .next()
        .map_or(0, |c| c.to_lowercase().map(char::len_utf8).sum());
    made.push_str(lower.get(first..).unwrap_or_default());
}

/// A text to make a slug of.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Slug {
    /// The text.
    text: String,
    /// What to put between two words.
    #[serde(default = "hyphen")]
    separator: String,
}

fn hyphen() -> String {
    "-".to_owned()
}

pub(crate) fn slug(_std: &Std, input: Slug, _call: &CallContext<'_>) -> Result<String> {
    let Slug { text, separator } = input;
    let lower = text.to_lowercase();
    let words = || {
        lower
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
    };
    let gaps = words().count().saturating_sub(1);
    crate::bounds::bytes(
        lower
            .len()
            .saturating_add(gaps.saturating_mul(separator.len())),
    )?;
    let mut made = String::with_capacity(lower.len());
    for (number, word) in words().enumerate() {
        if number > 0 {
            made.push_str(&separator);
        }
        made.push_str(word);
    }
    Ok(made)
}
