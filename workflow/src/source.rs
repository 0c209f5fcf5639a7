//! The text of a workflow, as a tree of values that each know where they stand.
//!
//! JSON and YAML come to the same tree, so that all that follows is the same for both.

mod json;
mod limits;
mod tree;
mod yaml;

use std::path::Path;
use std::sync::{Arc, OnceLock};

pub use self::limits::Limits;
pub(crate) use self::tree::{Branch, Entry, Place, Tree, escaped, map};
use crate::problem::{Problem, Rule};

/// How far into a line a place in an expression is looked for, in bytes.
const LONGEST_LINE: usize = 4096;

/// What a workflow is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// JSON, RFC 8259. A key that comes twice in an object is refused.
    Json,
    /// YAML 1.2 with its core schema: one document, keys that are plain values, no merge keys.
    Yaml,
}

impl Format {
    /// The format of a file, by the end of its name: `.json`, `.yaml` or `.yml`.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }
}

/// A text and its tree.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    text: Arc<str>,
    format: Format,
    root: Tree,
    /// Where each line begins; looked for when an expression is at fault.
    lines: OnceLock<Vec<usize>>,
}

impl Source {
    pub(crate) fn read(text: &str, format: Format, limits: &Limits) -> Result<Self, Box<Problem>> {
        if text.len() > limits.bytes {
            let message = format!(
                "the document has {} bytes, expected at most {}",
                text.len(),
                limits.bytes
            );
            let hint = "split it into workflows that call each other, or raise the limit";
            let problem = Problem::new(Rule::Limit, "", Place::START, message).hint(hint);
            return Err(Box::new(problem));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let root = match format {
            Format::Json => json::read(text, limits),
            Format::Yaml => yaml::read(text, limits),
        };
        Ok(Self {
            text: text.into(),
            format,
            root: root?,
            lines: OnceLock::new(),
        })
    }

    pub(crate) const fn text(&self) -> &Arc<str> {
        &self.text
    }

    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    pub(crate) const fn root(&self) -> &Tree {
        &self.root
    }

    /// The value at a pointer.
    pub(crate) fn tree(&self, pointer: &str) -> Option<&Tree> {
        pointer
            .split('/')
            .skip(1)
            .try_fold(&self.root, |tree, segment| match &tree.branch {
                Branch::Map(entries) => {
                    let key = tree::unescaped(segment);
                    let entry = entries.iter().find(|entry| entry.key == key)?;
                    Some(&entry.value)
                }
                Branch::List(items) => items.get(segment.parse::<usize>().ok()?),
                Branch::Scalar(_) => None,
            })
    }

    /// Where the value at a pointer stands, or the innermost one around it that there is.
    pub(crate) fn place(&self, pointer: &str) -> Place {
        self.walk(pointer, |entry| entry.value.place)
    }

    /// Where the key of the entry at a pointer stands.
    pub(crate) fn key_place(&self, pointer: &str) -> Place {
        self.walk(pointer, |entry| entry.place)
    }

    fn walk(&self, pointer: &str, of_entry: impl Fn(&Entry) -> Place) -> Place {
        let mut tree = &self.root;
        let mut place = tree.place;
        for segment in pointer.split('/').skip(1) {
            match &tree.branch {
                Branch::Map(entries) => {
                    let key = tree::unescaped(segment);
                    let Some(entry) = entries.iter().find(|entry| entry.key == key) else {
                        break;
                    };
                    place = of_entry(entry);
                    tree = &entry.value;
                }
                Branch::List(items) => {
                    let index = segment.parse::<usize>().ok();
                    let Some(item) = index.and_then(|index| items.get(index)) else {
                        break;
                    };
                    place = item.place;
                    tree = item;
                }
                Branch::Scalar(_) => break,
            }
        }
        place
    }

    /// Where a byte of the text at a pointer stands, where the text is written as it is meant; where
    /// the text itself does otherwise.
    pub(crate) fn place_within(&self, pointer: &str, text: &str, offset: usize) -> Place {
        let start = self.place(pointer);
        let exact = || {
            let lines = self.lines.get_or_init(|| {
                let breaks = self.text.match_indices('\n').map(|(at, _)| at + 1);
                std::iter::once(0).chain(breaks).collect()
            });
            let line = self.text.get(*lines.get(start.line.checked_sub(1)?)?..)?;
            let line = line.lines().next()?;
            if line.len() > LONGEST_LINE {
                return None;
            }
            let (at, _) = line.char_indices().nth(start.column - 1)?;
            let written = line.get(at..)?;
            let before = text.get(..offset)?;
            let quote = usize::from(written.starts_with(['"', '\'']));
            written.get(quote..)?.starts_with(before).then(|| Place {
                line: start.line,
                column: start.column + quote + before.chars().count(),
            })
        };
        exact().unwrap_or(start)
    }
}
