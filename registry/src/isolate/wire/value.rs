//! A value as bytes, in postcard's encoding: its tag, then what it holds.
//!
//! Long strings and bytes are *pieces*: the skeleton has their length, and they lie elsewhere, as they are.
//! Whoever reads a skeleton does not trust who wrote it: nothing is allocated that is not there, and nothing is
//! nested without end.

use floe_plugin_api::{Bytes, List, Map, Text, Value};
use serde::{Deserialize, Serialize};

/// How deep values may be nested.
pub(crate) const DEPTH: usize = 512;

/// How many values one value may hold, all in all: each takes up to ninety bytes of whoever reads it, and one
/// byte of whoever writes it.
pub(crate) const PARTS: usize = 4 << 20;

/// From this length on, strings and bytes are pieces, where there may be any.
pub(crate) const PIECE: usize = 4 << 10;

/// Where long strings and bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Into the skeleton, as all else.
    #[cfg_attr(not(test), expect(dead_code, reason = "the plain form, for tests"))]
    Inline,
    /// Aside.
    Aside,
}

/// Why a value cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooMuch {
    #[error("a value is nested deeper than {DEPTH} levels")]
    Deep,
    #[error("a value holds more than {PARTS} values")]
    Parts,
}

/// What is wrong with bytes that the other side sent, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(String);

impl Malformed {
    pub(crate) fn new(found: impl Into<String>) -> Self {
        Self(found.into())
    }
}

/// Where pieces are taken from, in their order.
pub(crate) trait Aside {
    /// The next piece, which has this length.
    fn next(&mut self, length: usize) -> Result<Vec<u8>, Malformed>;
}

/// Where there are no pieces.
pub(crate) struct Nothing;

impl Aside for Nothing {
    fn next(&mut self, _length: usize) -> Result<Vec<u8>, Malformed> {
        Err(Malformed::new("a piece where there are none"))
    }
}

/// For how many items there is room at first: lists that lie in each other could each say that they have as
/// many as there are bytes left.
const AT_FIRST: usize = 64;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const I64: u8 = 3;
const U64: u8 = 4;
const F64: u8 = 5;
const STRING: u8 = 6;
const BYTES: u8 = 7;
const LIST: u8 = 8;
const MAP: u8 = 9;
const STRING_ASIDE: u8 = 10;
const BYTES_ASIDE: u8 = 11;

/// Writes a value's skeleton at the end of `onto`, and puts its pieces at the end of `aside`.
pub(crate) fn encode<'a>(
    value: &'a Value,
    place: Place,
    onto: &mut Vec<u8>,
    aside: &mut Vec<&'a [u8]>,
) -> Result<(), TooMuch> {
    Encoder {
        place,
        onto,
        aside,
        parts: 0,
    }
    .value(value, 0)
}

struct Encoder<'a, 'o> {
    place: Place,
    onto: &'o mut Vec<u8>,
    aside: &'o mut Vec<&'a [u8]>,
    parts: usize,
}

impl<'a> Encoder<'a, '_> {
    fn value(&mut self, value: &'a Value, depth: usize) -> Result<(), TooMuch> {
        match value {
            Value::Null => self.onto.push(NULL),
            Value::Bool(false) => self.onto.push(FALSE),
            Value::Bool(true) => self.onto.push(TRUE),
            Value::I64(number) => self.plain(I64, number),
            Value::U64(number) => self.plain(U64, number),
            Value::F64(number) => self.plain(F64, number),
            Value::String(text) => self.bytes(STRING, STRING_ASIDE, text.as_bytes()),
            Value::Bytes(bytes) => self.bytes(BYTES, BYTES_ASIDE, bytes),
            Value::List(items) => {
                let inner = deeper(depth)?;
                self.parts = more(self.parts, items.len())?;
                self.plain(LIST, &items.len());
                for item in items {
                    self.value(item, inner)?;
                }
            }
            Value::Map(entries) => {
                let inner = deeper(depth)?;
                self.parts = more(self.parts, entries.len())?;
                self.plain(MAP, &entries.len());
                for entry in entries {
                    self.length(entry.key.len());
                    self.onto.extend_from_slice(entry.key.as_bytes());
                    self.value(&entry.value, inner)?;
                }
            }
        }
        Ok(())
    }

    fn plain(&mut self, tag: u8, content: &impl Serialize) {
        self.onto.push(tag);
        self.put(content);
    }

    fn length(&mut self, length: usize) {
        match u8::try_from(length) {
            // As postcard writes it, without the way around.
            Ok(short @ 0..0x80) => self.onto.push(short),
            _ => self.put(&length),
        }
    }

    fn put(&mut self, content: &impl Serialize) {
        let onto = std::mem::take(self.onto);
        // A number always finds room at the end of a vector.
        *self.onto = postcard::to_extend(content, onto).unwrap_or_default();
    }

    fn bytes(&mut self, tag: u8, tag_aside: u8, bytes: &'a [u8]) {
        if self.place == Place::Aside && bytes.len() >= PIECE {
            self.onto.push(tag_aside);
            self.length(bytes.len());
            self.aside.push(bytes);
        } else {
            self.onto.push(tag);
            self.length(bytes.len());
            self.onto.extend_from_slice(bytes);
        }
    }
}

const fn deeper(depth: usize) -> Result<usize, TooMuch> {
    if depth < DEPTH {
        Ok(depth + 1)
    } else {
        Err(TooMuch::Deep)
    }
}

/// How many parts there are with some more.
const fn more(parts: usize, some: usize) -> Result<usize, TooMuch> {
    let parts = parts.saturating_add(some);
    if parts <= PARTS {
        Ok(parts)
    } else {
        Err(TooMuch::Parts)
    }
}

/// Reads a value from the front of a skeleton, and gives it and what comes after it.
pub(crate) fn decode<'b>(
    bytes: &'b [u8],
    aside: &mut dyn Aside,
) -> Result<(Value, &'b [u8]), Malformed> {
    let mut decoder = Decoder {
        left: bytes,
        aside,
        parts: 0,
    };
    let value = decoder.value(0)?;
    Ok((value, decoder.left))
}

struct Decoder<'b, 's> {
    left: &'b [u8],
    aside: &'s mut dyn Aside,
    parts: usize,
}

impl<'b> Decoder<'b, '_> {
    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        let (&tag, rest) = self.left.split_first().ok_or_else(cut)?;
        self.left = rest;
        Ok(match tag {
            NULL => Value::Null,
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            I64 => Value::I64(self.plain()?),
            U64 => Value::U64(self.plain()?),
            F64 => Value::F64(self.plain()?),
            STRING => Value::String(self.text()?),
            BYTES => Value::Bytes(Bytes::from(self.bytes()?)),
            STRING_ASIDE => {
                let piece = self.piece()?;
                let text = String::from_utf8(piece).map_err(|_| no_text())?;
                Value::String(Text::from(text))
            }
            BYTES_ASIDE => Value::Bytes(Bytes::from(self.piece()?)),
            LIST => {
                let (count, inner) = self.count(depth, 1)?;
                let mut items = List::with_capacity(count.min(AT_FIRST));
                for _ in 0..count {
                    items.push(self.value(inner)?);
                }
                Value::List(items)
            }
            MAP => {
                let (count, inner) = self.count(depth, 2)?;
                let mut entries = Map::with_capacity(count.min(AT_FIRST));
                for _ in 0..count {
                    let key = self.text()?;
                    let value = self.value(inner)?;
                    entries.push(key, value);
                }
                Value::Map(entries)
            }
            other => {
                return Err(Malformed::new(format!(
                    "a value of no known kind, `{other}`"
                )));
            }
        })
    }

    fn plain<T: Deserialize<'b>>(&mut self) -> Result<T, Malformed> {
        let (content, rest) = postcard::take_from_bytes(self.left)
            .map_err(|error| Malformed::new(format!("a number that is none: {error}")))?;
        self.left = rest;
        Ok(content)
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        match self.left.split_first() {
            Some((&short @ 0..0x80, rest)) => {
                self.left = rest;
                Ok(usize::from(short))
            }
            _ => self.plain(),
        }
    }

    /// How many items there are, each of which has so many bytes at least, and how deep they are.
    fn count(&mut self, depth: usize, least: usize) -> Result<(usize, usize), Malformed> {
        let refused = |error: TooMuch| Malformed::new(error.to_string());
        let inner = deeper(depth).map_err(refused)?;
        let count = self.length()?;
        if count > self.left.len() / least {
            return Err(Malformed::new(format!(
                "{count} items in {} bytes",
                self.left.len()
            )));
        }
        self.parts = more(self.parts, count).map_err(refused)?;
        Ok((count, inner))
    }

    fn bytes(&mut self) -> Result<&'b [u8], Malformed> {
        let length = self.length()?;
        let (bytes, rest) = self.left.split_at_checked(length).ok_or_else(cut)?;
        self.left = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<Text, Malformed> {
        let bytes = self.bytes()?;
        let text = std::str::from_utf8(bytes).map_err(|_| no_text())?;
        Ok(Text::from(text))
    }

    fn piece(&mut self) -> Result<Vec<u8>, Malformed> {
        let length = self.length()?;
        self.aside.next(length)
    }
}

fn cut() -> Malformed {
    Malformed::new("a value that is cut short")
}

fn no_text() -> Malformed {
    Malformed::new("a text that is no UTF-8")
}

#[cfg(test)]
mod tests;
