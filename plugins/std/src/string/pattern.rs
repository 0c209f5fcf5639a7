//! Regular expressions, in the language of the crate `regex`: without look-around and back-references,
//! so that the time of a search is bounded by the lengths of pattern and text.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use floe_plugin_api::{CallContext, Error, ErrorKind, Result, data};
use lru::LruCache;
use parking_lot::Mutex;
use regex::{Captures, Regex, RegexBuilder};

use crate::{Std, bounds};

/// How many compiled patterns are kept; the one that was not used for longest gives way.
const KEPT: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// The most that a compiled pattern may take, in bytes: a word of a hundred letters of any script
/// takes less than half.
const MAX_COMPILED: usize = 4 << 20;

/// How many matches are found between two looks at whether the caller still waits.
const MATCHES_BETWEEN_CHECKPOINTS: usize = 256;

/// Compiled patterns by text. One is compiled in tens of microseconds and shared by all threads.
pub(crate) struct Patterns(Mutex<LruCache<String, Regex>>);

impl Patterns {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(LruCache::new(KEPT)))
    }

    fn get(&self, pattern: &str) -> Result<Regex> {
        if let Some(regex) = self.0.lock().get(pattern) {
            return Ok(regex.clone());
        }
        // Outside the lock: two threads may compile the same pattern, and none waits for another's.
        let regex = RegexBuilder::new(pattern)
            .size_limit(MAX_COMPILED)
            .build()
            .map_err(|error| explain(&error))?;
        self.0.lock().put(pattern.to_owned(), regex.clone());
        Ok(regex)
    }
}

fn explain(error: &regex::Error) -> Error {
    if let regex::Error::CompiledTooBig(most) = error {
        return Error::new(
            ErrorKind::ResourceExhausted,
            format!("the pattern takes more than `{most}` bytes when compiled; repeat less in it"),
        );
    }
    // Over several lines: the pattern, the place, and in the last one the reason.
    let text = error.to_string();
    let reason = text.rsplit("error: ").next().unwrap_or(&text).trim();
    Error::new(
        ErrorKind::InvalidParameters,
        format!("the pattern is wrong: {reason}"),
    )
    .with_detail("path", "pattern")
}

/// A text and a pattern to look for in it.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Find {
    /// The text.
    text: String,
    /// The regular expression: `(?<year>\d{4})-(\d\d)`; flags go in front, as in `(?i)lund`.
    pattern: String,
}

/// What a pattern has found.
#[data]
pub(crate) struct Match {
    /// What was found.
    text: String,
    /// Where it begins, in characters.
    start: usize,
    /// Where it ends, in characters.
    end: usize,
    /// What each group has found, from the first; null for one that took no part.
    groups: Vec<Option<String>>,
    /// The same for the groups that have names.
    names: BTreeMap<String, Option<String>>,
}

pub(crate) fn is_match(std: &Std, input: Find, _call: &CallContext<'_>) -> Result<bool> {
    Ok(std.patterns.get(&input.pattern)?.is_match(&input.text))
}

pub(crate) fn find(std: &Std, input: Find, _call: &CallContext<'_>) -> Result<Option<Match>> {
    let regex = std.patterns.get(&input.pattern)?;
    let mut found = Finder::new(&regex, &input.text);
    regex
        .captures(&input.text)
        .map(|captures| found.describe(&captures))
        .transpose()
}

pub(crate) fn find_all(std: &Std, input: Find, call: &CallContext<'_>) -> Result<Vec<Match>> {
    let regex = std.patterns.get(&input.pattern)?;
    let mut found = Finder::new(&regex, &input.text);
    let mut matches = Vec::new();
    for captures in regex.captures_iter(&input.text) {
        if matches.len() % MATCHES_BETWEEN_CHECKPOINTS == 0 {
            call.checkpoint()?;
        }
        matches.push(found.describe(&captures)?);
    }
    Ok(matches)
}

/// Describes matches from the first to the last, within the bounds.
struct Finder<'a> {
    regex: &'a Regex,
    text: &'a str,
    /// The end of the last match, in bytes and in characters.
    counted: (usize, usize),
    bytes: usize,
    items: usize,
}

impl<'a> Finder<'a> {
    fn new(regex: &'a Regex, text: &'a str) -> Self {
        Self {
            regex,
            text,
            counted: (0, 0),
            bytes: 0,
            items: 0,
        }
    }

    fn describe(&mut self, captures: &Captures<'_>) -> Result<Match> {
        // A group may hold the whole match, and a named one is given twice.
        let texts: usize = captures.iter().flatten().map(|group| group.len()).sum();
        self.bytes = self.bytes.saturating_add(texts.saturating_mul(2));
        self.items = self.items.saturating_add(captures.len());
        bounds::bytes(self.bytes)?;
        bounds::items(self.items)?;

        let owned = |group: Option<regex::Match<'_>>| group.map(|group| group.as_str().to_owned());
        let whole = captures.get_match();
        let start = self.characters(whole.start());
        let end = self.characters(whole.end());
        Ok(Match {
            text: whole.as_str().to_owned(),
            start,
            end,
            groups: captures.iter().skip(1).map(owned).collect(),
            names: self
                .regex
                .capture_names()
                .flatten()
                .map(|name| (name.to_owned(), owned(captures.name(name))))
                .collect(),
        })
    }

    /// The place in characters of a place in bytes, which comes after the one before.
    fn characters(&mut self, byte: usize) -> usize {
        let (from, counted) = self.counted;
        let characters = counted + self.text[from..byte].chars().count();
        self.counted = (byte, characters);
        characters
    }
}

/// A text and a pattern to cut it at.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct SplitAt {
    /// The text.
    text: String,
    /// The regular expression of what stands between two parts.
    pattern: String,
    /// The most parts to give; the last one keeps the rest of the text. No bound when not given.
    #[serde(default)]
    limit: Option<NonZeroUsize>,
}

pub(crate) fn split(std: &Std, input: SplitAt, call: &CallContext<'_>) -> Result<Vec<String>> {
    let regex = std.patterns.get(&input.pattern)?;
    let limit = input.limit.map_or(usize::MAX, NonZeroUsize::get);
    let mut parts = Vec::new();
    for part in regex.splitn(&input.text, limit) {
        if parts.len() % MATCHES_BETWEEN_CHECKPOINTS == 0 {
            call.checkpoint()?;
        }
        bounds::items(parts.len() + 1)?;
        parts.push(part.to_owned());
    }
    Ok(parts)
}

/// A text, a pattern and what to put in the place of what it finds.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplaceMatches {
    /// The text.
    text: String,
    /// The regular expression of what to replace.
    pattern: String,
    /// What to put in its place: `$1` and `$name` stand for groups, `${1}` where a letter or digit
    /// follows, `$$` for a dollar.
    replacement: String,
    /// How many to replace, from the beginning; all when not given.
    #[serde(default)]
    count: Option<NonZeroUsize>,
}

pub(crate) fn replace(std: &Std, input: ReplaceMatches, call: &CallContext<'_>) -> Result<String> {
    let regex = std.patterns.get(&input.pattern)?;
    let pieces = pieces(&regex, &input.replacement)?;
    let count = input.count.map_or(usize::MAX, NonZeroUsize::get);
    let mut made = String::new();
    let mut kept_from = 0;
    let mut push = |text: &str| {
        bounds::bytes(made.len().saturating_add(text.len()))?;
        made.push_str(text);
        Ok::<_, Error>(())
    };
    for (number, captures) in regex.captures_iter(&input.text).take(count).enumerate() {
        if number % MATCHES_BETWEEN_CHECKPOINTS == 0 {
            call.checkpoint()?;
        }
        let whole = captures.get_match();
        push(&input.text[kept_from..whole.start()])?;
        for piece in &pieces {
            match *piece {
                Piece::Text(text) => push(text)?,
                Piece::Group(group) => push(captures.get(group).map_or("", |m| m.as_str()))?,
            }
        }
        kept_from = whole.end();
    }
    push(&input.text[kept_from..])?;
    Ok(made)
}

enum Piece<'a> {
    Text(&'a str),
    Group(usize),
}

/// Reads a replacement. The crate's own reader takes a group that is not there for an empty text.
fn pieces<'a>(regex: &Regex, replacement: &'a str) -> Result<Vec<Piece<'a>>> {
    let mut pieces = Vec::new();
    let mut rest = replacement;
    while let Some(dollar) = rest.find('$') {
        pieces.push(Piece::Text(&rest[..dollar]));
        let after = &rest[dollar + 1..];
        if let Some(after) = after.strip_prefix('$') {
            pieces.push(Piece::Text("$"));
            rest = after;
            continue;
        }
        let (name, after) = match after.strip_prefix('{') {
            Some(braced) => braced.split_once('}').unwrap_or(("", braced)),
            None => {
                let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                after.split_at(after.find(|c| !word(c)).unwrap_or(after.len()))
            }
        };
        let by_number = name.parse().ok().filter(|n| *n < regex.captures_len());
        let by_name = || regex.capture_names().position(|known| known == Some(name));
        let Some(group) = by_number.or_else(by_name) else {
            let rule = format!(
                "groups of the pattern, and `${name}` is none; write `${{1}}` where a letter or digit follows, `$$` for a dollar"
            );
            return Err(Error::invalid("replacement", &rule, replacement));
        };
        pieces.push(Piece::Group(group));
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}
