//! A reader of JSON that keeps where each value stands, and refuses a key that comes twice.

use floe_plugin_api::Value;

use super::Limits;
use super::tree::{Branch, Budget, Entry, Keys, Place, Tree};
use crate::problem::{Problem, Rule};

type Read<T> = Result<T, Box<Problem>>;

/// Reads a text. Recurses, as deep as the limits allow.
pub(super) fn read(text: &str, limits: &Limits) -> Read<Tree> {
    let mut reader = Reader {
        text,
        at: 0,
        counted: 0,
        place: Place::START,
        budget: Budget::new(limits),
    };
    let tree = reader.value(0)?;
    reader.space();
    match reader.peek() {
        None => Ok(tree),
        Some(_) => Err(reader.unexpected("the end of the document")),
    }
}

struct Reader<'a> {
    text: &'a str,
    /// The next byte.
    at: usize,
    /// The byte that `place` is the place of; never after `at`.
    counted: usize,
    place: Place,
    budget: Budget<'a>,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The place of the next byte.
    fn here(&mut self) -> Place {
        let passed = self.text.get(self.counted..self.at).unwrap_or_default();
        match passed.rfind('\n') {
            Some(last) => {
                self.place.line += passed.bytes().filter(|byte| *byte == b'\n').count();
                let rest = passed.get(last + 1..).unwrap_or_default();
                self.place.column = 1 + rest.chars().count();
            }
            None => self.place.column += passed.chars().count(),
        }
        self.counted = self.at;
        self.place
    }

    fn refuse(&mut self, message: impl Into<String>) -> Box<Problem> {
        let place = self.here();
        Box::new(Problem::new(Rule::Syntax, "", place, message))
    }

    fn unexpected(&mut self, expected: &str) -> Box<Problem> {
        let next = self
            .text
            .get(self.at..)
            .and_then(|rest| rest.chars().next());
        let found = match next {
            Some(char) => format!("`{}`", char.escape_debug()),
            None => "the end of the document".to_owned(),
        };
        self.refuse(format!("found {found}, expected {expected}"))
    }

    fn value(&mut self, depth: usize) -> Read<Tree> {
        self.space();
        let place = self.here();
        let branch = match self.peek() {
            Some(b'{') => {
                self.budget.enter(depth, place)?;
                self.budget.spend(1, place)?;
                Branch::Map(self.entries(depth)?)
            }
            Some(b'[') => {
                self.budget.enter(depth, place)?;
                self.budget.spend(1, place)?;
                Branch::List(self.items(depth)?)
            }
            Some(b'"') => {
                let text = self.string()?;
                self.budget.spend_text(&text, place)?;
                Branch::Scalar(text.into())
            }
            Some(b'-' | b'0'..=b'9') => {
                self.budget.spend(1, place)?;
                Branch::Scalar(self.number()?)
            }
            _ => {
                self.budget.spend(1, place)?;
                Branch::Scalar(self.word()?)
            }
        };
        Ok(Tree { place, branch })
    }

    fn word(&mut self) -> Read<Value> {
        let words = [
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("null", Value::Null),
        ];
        let rest = self.text.get(self.at..).unwrap_or_default();
        for (word, value) in words {
            let after = rest.strip_prefix(word);
            if after.is_some_and(|after| !after.starts_with(|c: char| c.is_ascii_alphanumeric())) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.unexpected("a value"))
    }

    fn number(&mut self) -> Read<Value> {
        let start = self.at;
        while matches!(
            self.peek(),
            Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
        ) {
            self.at += 1;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        match number(text) {
            Some(value) => Ok(value),
            None => {
                self.at = start;
                Err(self.refuse(format!("`{text}` is no number that JSON has")))
            }
        }
    }

    /// Reads a string, from its quote to its quote.
    fn string(&mut self) -> Read<String> {
        let start = self.at;
        self.at += 1;
        let mut is_plain = true;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    is_plain = false;
                    self.at += 2;
                }
                Some(0x20..) => self.at += 1,
                Some(_) => {
                    return Err(self.unexpected(
                        "a string without line breaks and tabs, which are written `\\n` and `\\t`",
                    ));
                }
                None => {
                    self.at = start;
                    return Err(
                        self.refuse("the string that begins here has no end, expected a `\"`")
                    );
                }
            }
        }
        self.at += 1;
        let written = self.text.get(start..self.at).unwrap_or_default();
        if is_plain {
            let inner = written.get(1..written.len() - 1);
            return Ok(inner.unwrap_or_default().to_owned());
        }
        serde_json::from_str(written).map_err(|_| {
            self.at = start;
            self.refuse("the string has an escape that JSON does not have, expected one such as `\\n`, `\\\"`, `\\\\` or `\\u00e9`")
        })
    }

    fn items(&mut self, depth: usize) -> Read<Vec<Tree>> {
        let mut items = Vec::new();
        self.at += 1;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(items);
                }
                _ => return Err(self.unexpected("`,` or `]`")),
            }
        }
    }

    fn entries(&mut self, depth: usize) -> Read<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut keys = Keys::default();
        self.at += 1;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(entries);
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in quotes"));
            }
            let place = self.here();
            let key = self.string()?;
            self.budget.spend_text(&key, place)?;
            keys.insert(&key, place)?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("`:`"));
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            entries.push(Entry { place, key, value });
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(entries);
                }
                _ => return Err(self.unexpected("`,` or `}`")),
            }
        }
    }
}

/// A number as JSON writes it: an integer where it is one of 64 bits, or else a fraction.
pub(super) fn number(text: &str) -> Option<Value> {
    let number: serde_json::Number = serde_json::from_str(text).ok()?;
    match (number.as_i64(), number.as_u64()) {
        (Some(integer), _) => Some(Value::I64(integer)),
        (_, Some(integer)) => Some(Value::U64(integer)),
        _ => number.as_f64().map(Value::F64),
    }
}
