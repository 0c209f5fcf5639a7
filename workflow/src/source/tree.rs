//! Values that know where they stand.

use std::borrow::Cow;
use std::collections::HashMap;

use floe_plugin_api::{Map, Value};

use super::Limits;
use crate::problem::{Problem, Rule};

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
}

impl Place {
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) place: Place,
    pub(crate) branch: Branch,
}

#[derive(Clone, Debug)]
pub(crate) enum Branch {
    /// What is neither a list nor a map.
    Scalar(Value),
    List(Vec<Tree>),
    Map(Vec<Entry>),
}

/// An entry of a map, and where its key begins.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    pub(crate) key: String,
    pub(crate) value: Tree,
}

impl Tree {
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.branch, Branch::Scalar(value) if value.is_null())
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.branch {
            Branch::Scalar(value) => value.as_str(),
            _ => None,
        }
    }

    /// The value without its places.
    pub(crate) fn value(&self) -> Value {
        match &self.branch {
            Branch::Scalar(value) => value.clone(),
            Branch::List(items) => Value::from_iter(items.iter().map(Self::value)),
            Branch::Map(entries) => Value::Map(map(entries)),
        }
    }

    /// The value as a message shows it.
    pub(crate) fn shown(&self) -> String {
        /// The longest text that is shown, in characters.
        const SHOWN: usize = 60;
        match &self.branch {
            Branch::List(_) => "a list".to_owned(),
            Branch::Map(_) => "a map".to_owned(),
            Branch::Scalar(Value::Null) => "nothing".to_owned(),
            Branch::Scalar(value) => {
                let text = serde_json::to_string(value).unwrap_or_default();
                match text.char_indices().nth(SHOWN) {
                    Some((end, _)) => format!("`{}…`", text.get(..end).unwrap_or_default()),
                    None => format!("`{text}`"),
                }
            }
        }
    }

    /// How much it counts for against [`Limits::values`].
    pub(super) fn weight(&self) -> usize {
        match &self.branch {
            Branch::Scalar(value) => weight(value.as_str().unwrap_or_default()),
            Branch::List(items) => 1 + items.iter().map(Self::weight).sum::<usize>(),
            Branch::Map(entries) => {
                let each = entries.iter();
                1 + each
                    .map(|entry| weight(&entry.key) + entry.value.weight())
                    .sum::<usize>()
            }
        }
    }
}

const fn weight(text: &str) -> usize {
    1 + text.len() / 64
}

/// The map of some entries.
pub(crate) fn map(entries: &[Entry]) -> Map {
    let entries = entries.iter();
    entries
        .map(|entry| (entry.key.clone(), entry.value.value()))
        .collect()
}

/// What has been read so far, against what may be.
#[derive(Debug)]
pub(super) struct Budget<'a> {
    limits: &'a Limits,
    values: usize,
}

impl<'a> Budget<'a> {
    pub(super) const fn new(limits: &'a Limits) -> Self {
        Self { limits, values: 0 }
    }

    /// Counts values.
    pub(super) fn spend(&mut self, weight: usize, place: Place) -> Result<(), Box<Problem>> {
        self.values = self.values.saturating_add(weight);
        if self.values <= self.limits.values {
            return Ok(());
        }
        let message = format!("found more than {} values", self.limits.values);
        let hint = "split the document, or raise the limit";
        Err(Box::new(
            Problem::new(Rule::Limit, "", place, message).hint(hint),
        ))
    }

    pub(super) fn spend_text(&mut self, text: &str, place: Place) -> Result<(), Box<Problem>> {
        self.spend(weight(text), place)
    }

    /// Refuses a list or a map within as many others as there may be.
    pub(super) fn enter(&self, depth: usize, place: Place) -> Result<(), Box<Problem>> {
        if depth < self.limits.depth {
            return Ok(());
        }
        let message = format!(
            "lists and maps are more than {} deep in each other",
            self.limits.depth
        );
        let hint = "flatten the value, or pass it as a text";
        Err(Box::new(
            Problem::new(Rule::Limit, "", place, message).hint(hint),
        ))
    }
}

/// The keys of one map, to find one that comes twice.
#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<String, Place>);

impl Keys {
    pub(super) fn insert(&mut self, key: &str, place: Place) -> Result<(), Box<Problem>> {
        let Some(first) = self.0.insert(key.to_owned(), place) else {
            return Ok(());
        };
        let Place { line, column } = first;
        let message = format!(
            "the key `{}` is there already, at line {line}, column {column}",
            key.escape_debug()
        );
        let problem = Problem::new(Rule::Duplicate, "", place, message);
        Err(Box::new(problem.hint("take one of the two out")))
    }
}

/// A key as it stands in a JSON pointer (RFC 6901).
pub(crate) fn escaped(key: &str) -> Cow<'_, str> {
    if key.contains(['~', '/']) {
        Cow::Owned(key.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(key)
    }
}

/// The key that a segment of a JSON pointer stands for.
pub(super) fn unescaped(segment: &str) -> Cow<'_, str> {
    if segment.contains('~') {
        Cow::Owned(segment.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(segment)
    }
}
