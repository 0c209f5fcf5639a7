//! A reader of YAML's events into the tree that JSON is read into.

use std::collections::HashMap;

use floe_plugin_api::Value;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::Limits;
use super::json;
use super::tree::{Branch, Budget, Entry, Keys, Place, Tree};
use crate::problem::{Problem, Rule};

type Read<T> = Result<T, Box<Problem>>;

/// Reads a text of one document.
pub(super) fn read(text: &str, limits: &Limits) -> Read<Tree> {
    let mut reader = Reader {
        open: Vec::new(),
        anchors: HashMap::new(),
        budget: Budget::new(limits),
        root: None,
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let message = format!("this is no YAML: {}", error.info());
            Box::new(Problem::new(
                Rule::Syntax,
                "",
                place(*error.marker()),
                message,
            ))
        })?;
        reader.take(event, place(span.start))?;
    }
    reader.root.ok_or_else(|| {
        let message = "the document is empty, expected a workflow";
        Box::new(Problem::new(Rule::Syntax, "", Place::START, message))
    })
}

fn place(marker: Marker) -> Place {
    Place {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}

/// A list or a map whose end has not come.
struct Open {
    place: Place,
    anchor: usize,
    part: Part,
}

enum Part {
    List(Vec<Tree>),
    Map {
        entries: Vec<Entry>,
        keys: Keys,
        /// The key whose value comes next.
        key: Option<(String, Place)>,
    },
}

struct Reader<'a> {
    open: Vec<Open>,
    /// What each anchor is on, copies of aliases included.
    anchors: HashMap<usize, Tree>,
    budget: Budget<'a>,
    root: Option<Tree>,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>, place: Place) -> Read<()> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => Err(refusal(
                place,
                "a second document begins here, expected one workflow in a file",
            )),
            Event::DocumentStart(_) => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                self.budget.spend_text(&text, place)?;
                if self.awaits_key() {
                    return self.key(text.into_owned(), place);
                }
                let value = scalar(&text, style, tag.as_deref(), place)?;
                let branch = Branch::Scalar(value);
                self.close(anchor, Tree { place, branch })
            }
            Event::Alias(anchor) => {
                let Some(tree) = self.anchors.get(&anchor) else {
                    return Err(refusal(
                        place,
                        "the alias stands in what it is for, expected it after that",
                    ));
                };
                // Weighed before it is copied.
                self.budget.spend(tree.weight(), place)?;
                let tree = tree.clone();
                if !self.awaits_key() {
                    self.budget.enter(self.open.len() + depth(&tree), place)?;
                    return self.close(0, tree);
                }
                match tree.as_str() {
                    Some(text) => self.key(text.to_owned(), place),
                    None => Err(refusal(
                        place,
                        "a key is an alias of what is no text, expected a text",
                    )),
                }
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(anchor, tag.as_deref(), "seq", Part::List(Vec::new()), place)
            }
            Event::MappingStart(anchor, tag) => {
                let part = Part::Map {
                    entries: Vec::new(),
                    keys: Keys::default(),
                    key: None,
                };
                self.begin(anchor, tag.as_deref(), "map", part, place)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else {
                    return Ok(());
                };
                let branch = match open.part {
                    Part::List(items) => Branch::List(items),
                    Part::Map { entries, .. } => Branch::Map(entries),
                };
                let place = open.place;
                self.close(open.anchor, Tree { place, branch })
            }
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                part: Part::Map { key: None, .. },
                ..
            })
        )
    }

    fn begin(
        &mut self,
        anchor: usize,
        tag: Option<&Tag>,
        known: &str,
        part: Part,
        place: Place,
    ) -> Read<()> {
        if self.awaits_key() {
            return Err(refusal(place, "a key is a list or a map, expected a text"));
        }
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == known)) {
            return Err(unknown_tag(tag, place));
        }
        self.budget.enter(self.open.len(), place)?;
        self.budget.spend(1, place)?;
        self.open.push(Open {
            place,
            anchor,
            part,
        });
        Ok(())
    }

    fn key(&mut self, text: String, place: Place) -> Read<()> {
        if text == "<<" {
            return Err(refusal(
                place,
                "`<<` merges maps in YAML 1.1 and not in 1.2, expected each entry to be written",
            ));
        }
        if let Some(Open {
            part: Part::Map { keys, key, .. },
            ..
        }) = self.open.last_mut()
        {
            keys.insert(&text, place)?;
            *key = Some((text, place));
        }
        Ok(())
    }

    /// Puts a value that is whole into what it stands in.
    fn close(&mut self, anchor: usize, tree: Tree) -> Read<()> {
        if anchor != 0 {
            self.budget.spend(tree.weight(), tree.place)?;
            self.anchors.insert(anchor, tree.clone());
        }
        match self.open.last_mut().map(|open| &mut open.part) {
            None => self.root = Some(tree),
            Some(Part::List(items)) => items.push(tree),
            Some(Part::Map { entries, key, .. }) => {
                if let Some((key, place)) = key.take() {
                    let value = tree;
                    entries.push(Entry { place, key, value });
                }
            }
        }
        Ok(())
    }
}

/// How deep lists and maps are in each other.
fn depth(tree: &Tree) -> usize {
    let below = match &tree.branch {
        Branch::Scalar(_) => return 0,
        Branch::List(items) => items.iter().map(depth).max(),
        Branch::Map(entries) => entries.iter().map(|entry| depth(&entry.value)).max(),
    };
    1 + below.unwrap_or(0)
}

fn refusal(place: Place, message: impl Into<String>) -> Box<Problem> {
    Box::new(Problem::new(Rule::Syntax, "", place, message))
}

fn unknown_tag(tag: &Tag, place: Place) -> Box<Problem> {
    let message = format!(
        "the tag `{}{}` is unknown, expected none, or one of `!!str`, `!!int`, `!!float`, `!!bool`, `!!null`, `!!seq` and `!!map`",
        tag.handle.escape_debug(),
        tag.suffix.escape_debug()
    );
    refusal(place, message)
}

/// What a scalar means in the core schema of YAML 1.2.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, place: Place) -> Read<Value> {
    let plain = || {
        resolve(text).ok_or_else(|| {
            refusal(
                place,
                format!("`{text}` is no number that JSON has, expected a finite one"),
            )
        })
    };
    let Some(tag) = tag else {
        return match style {
            ScalarStyle::Plain => plain(),
            _ => Ok(text.into()),
        };
    };
    let is_non_specific = tag.handle.is_empty() && tag.suffix == "!";
    if is_non_specific || tag.is_yaml_core_schema() && tag.suffix == "str" {
        return Ok(text.into());
    }
    if !tag.is_yaml_core_schema() {
        return Err(unknown_tag(tag, place));
    }
    let value = plain()?;
    match (tag.suffix.as_str(), &value) {
        ("int", Value::I64(_) | Value::U64(_))
        | ("float", Value::F64(_))
        | ("bool", Value::Bool(_))
        | ("null", Value::Null) => Ok(value),
        #[expect(clippy::cast_precision_loss, reason = "the tag asks for a fraction")]
        ("float", Value::I64(integer)) => Ok(Value::F64(*integer as f64)),
        ("int" | "float" | "bool" | "null", _) => Err(refusal(
            place,
            format!(
                "found `{}`, expected what `!!{}` says",
                text.escape_debug(),
                tag.suffix
            ),
        )),
        _ => Err(unknown_tag(tag, place)),
    }
}

/// What a plain scalar means; `None` where it is a number that is not finite.
fn resolve(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return None,
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return None;
    }
    let of_radix = |digits: &str, radix| {
        let is_digits = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        let integer = is_digits.then(|| u64::from_str_radix(digits, radix).ok());
        integer
            .flatten()
            .map(|integer| match i64::try_from(integer) {
                Ok(integer) => Value::I64(integer),
                Err(_) => Value::U64(integer),
            })
    };
    let radix = match (text.strip_prefix("0o"), text.strip_prefix("0x")) {
        (Some(digits), _) => of_radix(digits, 8),
        (_, Some(digits)) => of_radix(digits, 16),
        _ => None,
    };
    if radix.is_some() {
        return radix;
    }
    // [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_digits = exponent.map(|part| part.strip_prefix(['-', '+']).unwrap_or(part));
    let is_number = digits(whole)
        && fraction.is_none_or(digits)
        && (!whole.is_empty() || fraction.is_some_and(|part| !part.is_empty()))
        && exponent_digits.is_none_or(|part| !part.is_empty() && digits(part));
    if !is_number {
        return Some(text.into());
    }
    // As JSON writes it, so that both read it alike.
    let sign = if text.starts_with('-') { "-" } else { "" };
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let mut written = format!("{sign}{whole}");
    if let Some(fraction) = fraction {
        written.push('.');
        written.push_str(if fraction.is_empty() { "0" } else { fraction });
    }
    if let Some(exponent) = exponent {
        written.push('e');
        written.push_str(exponent);
    }
    json::number(&written)
}
