//! What reads values of a tree into types, and keeps what is wrong with them.

use std::time::Duration;

use floe_plugin_api::{Map, Value};

use super::span;
use crate::nearest::{listed, nearest};
use crate::problem::{MOST, Problem, Rule};
use crate::source::{Branch, Entry, Place, Tree, escaped, map};

/// What is wrong so far, and within which node it is looked for.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<Problem>,
    pub(super) node: Option<String>,
}

/// A value and its JSON pointer.
#[derive(Clone, Debug)]
pub(super) struct Spot<'t> {
    pub(super) tree: &'t Tree,
    pub(super) pointer: String,
}

impl<'t> Spot<'t> {
    /// The item at a place of a list.
    pub(super) fn item(&self, index: usize, tree: &'t Tree) -> Self {
        let pointer = format!("{}/{index}", self.pointer);
        Self { tree, pointer }
    }

    /// The value of an entry of a map.
    pub(super) fn entry(&self, entry: &'t Entry) -> Self {
        let pointer = format!("{}/{}", self.pointer, escaped(&entry.key));
        let tree = &entry.value;
        Self { tree, pointer }
    }
}

/// A map whose fields are known.
#[derive(Debug)]
pub(super) struct Table<'t> {
    spot: Spot<'t>,
    entries: &'t [Entry],
}

impl<'t> Table<'t> {
    /// A field. One that is `null` is as one that is not there.
    pub(super) fn get(&self, name: &str) -> Option<Spot<'t>> {
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        (!entry.value.is_null()).then(|| self.spot.entry(entry))
    }

    pub(super) const fn place(&self) -> Place {
        self.spot.tree.place
    }

    pub(super) fn pointer(&self) -> &str {
        &self.spot.pointer
    }
}

impl Reader {
    pub(super) fn push(&mut self, mut problem: Problem) {
        problem.node.clone_from(&self.node);
        if self.problems.len() < MOST {
            self.problems.push(problem);
        }
    }

    pub(super) fn report(&mut self, spot: &Spot<'_>, message: impl Into<String>) {
        self.push(Problem::new(
            Rule::Format,
            &spot.pointer,
            spot.tree.place,
            message,
        ));
    }

    pub(super) fn unexpected(&mut self, spot: &Spot<'_>, expected: &str) {
        self.report(
            spot,
            format!("found {}, expected {expected}", spot.tree.shown()),
        );
    }

    /// A map of known fields; what else is in it is reported.
    pub(super) fn table<'t>(
        &mut self,
        spot: &Spot<'t>,
        what: &str,
        known: &[&str],
    ) -> Option<Table<'t>> {
        let Branch::Map(entries) = &spot.tree.branch else {
            self.unexpected(spot, &format!("{what}, which is a map"));
            return None;
        };
        for entry in entries {
            if self.problems.len() >= MOST {
                break;
            }
            if !known.contains(&entry.key.as_str()) {
                let pointer = spot.entry(entry).pointer;
                let message = format!("{what} has no field `{}`", entry.key.escape_debug());
                let otherwise = match known {
                    [] => "take it out".to_owned(),
                    _ => format!("its fields are {}", listed(known.iter().copied())),
                };
                let problem = Problem::new(Rule::Format, &pointer, entry.place, message);
                self.push(problem.meant(meant(&entry.key, known), otherwise));
            }
        }
        Some(Table {
            spot: spot.clone(),
            entries,
        })
    }

    /// A field that has to be there; it is reported where it is not.
    pub(super) fn required<'t>(
        &mut self,
        table: &Table<'t>,
        what: &str,
        name: &str,
        hint: &str,
    ) -> Option<Spot<'t>> {
        let spot = table.get(name);
        if spot.is_none() {
            let message = format!("{what} has no `{name}`, which it needs");
            let problem = Problem::new(Rule::Format, table.pointer(), table.place(), message);
            self.push(problem.hint(hint));
        }
        spot
    }

    pub(super) fn text(&mut self, spot: &Spot<'_>) -> Option<String> {
        let text = spot.tree.as_str();
        if text.is_none() {
            self.unexpected(spot, "a text");
        }
        text.map(str::to_owned)
    }

    /// A text that is not empty.
    pub(super) fn name(&mut self, spot: &Spot<'_>) -> Option<String> {
        let text = self.text(spot)?;
        if text.trim().is_empty() {
            self.unexpected(spot, "a text that is not empty");
            return None;
        }
        Some(text)
    }

    pub(super) fn flag(&mut self, spot: &Spot<'_>) -> Option<bool> {
        if let Branch::Scalar(Value::Bool(flag)) = &spot.tree.branch {
            return Some(*flag);
        }
        self.unexpected(spot, "`true` or `false`");
        None
    }

    pub(super) fn number(&mut self, spot: &Spot<'_>) -> Option<f64> {
        let number = match &spot.tree.branch {
            Branch::Scalar(value) => value.as_f64(),
            _ => None,
        };
        if number.is_none() {
            self.unexpected(spot, "a number");
        }
        number
    }

    pub(super) fn count(&mut self, spot: &Spot<'_>) -> Option<u32> {
        let count = match &spot.tree.branch {
            Branch::Scalar(value) => value.as_u64().and_then(|count| u32::try_from(count).ok()),
            _ => None,
        };
        if count.is_none() {
            self.unexpected(spot, "a whole number, at most 4294967295");
        }
        count
    }

    pub(super) fn span(&mut self, spot: &Spot<'_>) -> Option<Duration> {
        let span = spot.tree.as_str().and_then(span::parse);
        if span.is_none() {
            self.unexpected(spot, span::EXPECTED);
        }
        span
    }

    pub(super) fn items<'t>(&mut self, spot: &Spot<'t>, expected: &str) -> Vec<Spot<'t>> {
        let Branch::List(items) = &spot.tree.branch else {
            self.unexpected(spot, expected);
            return Vec::new();
        };
        let items = items.iter().enumerate();
        items.map(|(index, tree)| spot.item(index, tree)).collect()
    }

    pub(super) fn texts(&mut self, spot: &Spot<'_>) -> Vec<String> {
        let items = self.items(spot, "a list of texts");
        items.iter().filter_map(|item| self.text(item)).collect()
    }

    pub(super) fn entries<'t>(&mut self, spot: &Spot<'t>) -> &'t [Entry] {
        match &spot.tree.branch {
            Branch::Map(entries) => entries,
            _ => {
                self.unexpected(spot, "a map");
                &[]
            }
        }
    }

    pub(super) fn map(&mut self, spot: &Spot<'_>) -> Map {
        map(self.entries(spot))
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, spot: &Spot<'_>, words: &[(&str, T)]) -> Option<T> {
        let found = spot.tree.as_str();
        let known = words.iter().find(|(word, _)| found == Some(word));
        if known.is_none() {
            let names = || words.iter().map(|(word, _)| *word);
            let message = format!(
                "found {}, expected one of {}",
                spot.tree.shown(),
                listed(names())
            );
            let problem = Problem::new(Rule::Format, &spot.pointer, spot.tree.place, message);
            let near = found.and_then(|found| nearest(found, names()));
            self.push(problem.meant(near, "write one of them"));
        }
        known.map(|(_, value)| *value)
    }
}

/// The known field that an unknown one stands for: the most like one, or one of which it is a part.
fn meant(key: &str, known: &[&str]) -> Option<String> {
    /// How long a word must be for it to be looked for in others.
    const WORD: usize = 4;
    let part = || {
        let of = |name: &&&str| name.contains(key) || key.contains(**name);
        let found = known
            .iter()
            .filter(|name| name.len().min(key.len()) >= WORD)
            .find(of);
        found.map(|name| (*name).to_owned())
    };
    nearest(key, known.iter().copied()).or_else(part)
}
