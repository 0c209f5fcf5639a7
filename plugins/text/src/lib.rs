//! The plugin `text`: executors that change, cut, join and template text.
//!
//! It is the plugin to read first: no configuration, no state that changes, each executor a plain
//! function from its input to a string or a list of strings. What a field must be is said by its
//! type where a type can say it (`NonZeroUsize`), and checked by the function where it cannot.
#![forbid(unsafe_code)]

mod template;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;

use floe_plugin_api::{
    CallContext, Error, ErrorKind, HostRef, NoConfig, Plugin, Result, data, export_plugin,
};

use crate::template::Renderer;

/// The longest text that an executor makes, in bytes. What makes text longer is refused before it
/// fills the host's memory.
const MAX_OUTPUT: usize = 64 << 20;

struct TextPlugin {
    renderer: Renderer,
}

impl Plugin for TextPlugin {
    type Config = NoConfig;

    fn start(_config: NoConfig, _host: HostRef) -> Result<Self> {
        Ok(Self {
            renderer: Renderer::new(),
        })
    }
}

/// A text to change.
#[data]
#[serde(deny_unknown_fields)]
struct Whole {
    /// The text to change.
    text: String,
}

fn upper(_plugin: &TextPlugin, Whole { text }: Whole, _call: &CallContext<'_>) -> Result<String> {
    Ok(text.to_uppercase())
}

fn lower(_plugin: &TextPlugin, Whole { text }: Whole, _call: &CallContext<'_>) -> Result<String> {
    Ok(text.to_lowercase())
}

/// A text to trim.
#[data]
#[serde(deny_unknown_fields)]
struct Trim {
    /// The text to trim.
    text: String,
    /// The characters to take off both ends, in any order; white space when not given.
    #[serde(default)]
    chars: Option<String>,
}

fn trim(
    _plugin: &TextPlugin,
    Trim { text, chars }: Trim,
    _call: &CallContext<'_>,
) -> Result<String> {
    let trimmed = match chars {
        Some(chars) => text.trim_matches(|c| chars.contains(c)),
        None => text.trim(),
    };
    Ok(trimmed.to_owned())
}

/// A text to cut into parts.
#[data]
#[serde(deny_unknown_fields)]
struct Split {
    /// The text to cut.
    text: String,
    /// What stands between two parts.
    #[schemars(length(min = 1))]
    separator: String,
    /// The most parts to give; the last one keeps the rest of the text. No bound when not given.
    #[serde(default)]
    limit: Option<NonZeroUsize>,
}

fn split(_plugin: &TextPlugin, input: Split, _call: &CallContext<'_>) -> Result<Vec<String>> {
    let Split {
        text,
        separator,
        limit,
    } = input;
    not_empty("separator", &separator)?;
    let limit = limit.map_or(usize::MAX, NonZeroUsize::get);
    Ok(text.splitn(limit, &separator).map(str::to_owned).collect())
}

/// Parts to join.
#[data]
#[serde(deny_unknown_fields)]
struct Join {
    /// The parts, in order.
    parts: Vec<String>,
    /// What to put between two parts; may be empty.
    separator: String,
}

fn join(_plugin: &TextPlugin, input: Join, _call: &CallContext<'_>) -> Result<String> {
    let Join { parts, separator } = input;
    let kept: usize = parts.iter().map(String::len).sum();
    let gaps = parts.len().saturating_sub(1);
    bounded(kept.saturating_add(gaps.saturating_mul(separator.len())))?;
    Ok(parts.join(&separator))
}

/// A text in which to replace.
#[data]
#[serde(deny_unknown_fields)]
struct Replace {
    /// The text to change.
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

fn replace(_plugin: &TextPlugin, input: Replace, _call: &CallContext<'_>) -> Result<String> {
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
    bounded(kept.saturating_add(found.saturating_mul(to.len())))?;
    Ok(text.replacen(&from, &to, found))
}

fn not_empty(field: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(field, "at least one character", text));
    }
    Ok(())
}

fn bounded(bytes: usize) -> Result<()> {
    if bytes > MAX_OUTPUT {
        return Err(Error::new(
            ErrorKind::ResourceExhausted,
            format!("the text would be longer than `{MAX_OUTPUT}` bytes; work on smaller pieces"),
        ));
    }
    Ok(())
}

export_plugin! {
    plugin: TextPlugin,
    name: "text",
    kind: "compute",
    category: "text",
    stateless: true,
    executors: [
        /// Gives the text in upper case, by Unicode's rules.
        "text.upper" => upper { tags: ["case"], idempotent: true },
        /// Gives the text in lower case, by Unicode's rules.
        "text.lower" => lower { tags: ["case"], idempotent: true },
        /// Takes white space, or characters of one's own, off both ends.
        "text.trim" => trim { tags: ["cut"], idempotent: true },
        /// Cuts a text into the list of the parts between separators.
        "text.split" => split { tags: ["cut"], idempotent: true },
        /// Joins parts to one text, a separator between each two.
        "text.join" => join { tags: ["build"], idempotent: true },
        /// Replaces what is looked for, everywhere or a number of times.
        "text.replace" => replace { tags: ["build"], idempotent: true },
        /// Renders a Jinja template with values; a value that is not given is an error.
        "text.template" => template::render { tags: ["build", "jinja"], idempotent: true },
    ],
}
