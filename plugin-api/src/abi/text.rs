//! A string that crosses: short ones without an allocation.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use abi_stable::StableAbi;
use abi_stable::std_types::RString;

/// The longest text that is kept in place, in bytes: what fits beside the tag and the length in
/// the space that the other form takes anyway.
const INLINE: usize = 31;

/// An immutable UTF-8 string. Up to 31 bytes are kept in place, so that the field names of a
/// record and most of its short values cost no allocation on either side.
///
/// Dereferences to [`str`]. Owned: it may be kept, moved to another thread and dropped on it.
#[repr(transparent)]
#[derive(Clone, StableAbi)]
pub struct Text {
    repr: Repr,
}

// The tag is a word for the reason given at `Value`.
#[repr(u64)]
#[derive(Clone, StableAbi)]
pub enum Repr {
    /// `length` first bytes of `bytes` are the text, and are UTF-8.
    Inline { length: u8, bytes: [u8; INLINE] },
    /// Freed by the side that allocated it, through the functions that it carries.
    Heap { text: RString },
}

impl Text {
    /// The empty text.
    pub const EMPTY: Self = Self {
        repr: Repr::Inline {
            length: 0,
            bytes: [0; INLINE],
        },
    };

    /// The text.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.repr {
            Repr::Inline { length, bytes } => {
                let text = bytes.get(..usize::from(*length)).unwrap_or_default();
                // SAFETY: `Inline` is made in `inline` and changed in `set` alone, which copy whole
                // `str`s; its fields are private, and the layout check admits only this crate's
                // own definition on the other side.
                unsafe { std::str::from_utf8_unchecked(text) }
            }
            Repr::Heap { text } => text.as_str(),
        }
    }

    /// Makes it another text, in its own place where that is short: nothing is moved.
    #[inline]
    pub(crate) fn set(&mut self, text: &str) {
        if let Repr::Inline { length, bytes } = &mut self.repr {
            if let Some(place) = bytes.get_mut(..text.len()) {
                place.copy_from_slice(text.as_bytes());
                #[expect(clippy::cast_possible_truncation, reason = "at most 31")]
                let new = text.len() as u8;
                *length = new;
                return;
            }
        }
        *self = Self::from(text);
    }

    #[inline]
    fn inline(text: &str) -> Option<Self> {
        let source = text.as_bytes();
        if source.len() > INLINE {
            return None;
        }
        let mut bytes = [0; INLINE];
        bytes[..source.len()].copy_from_slice(source);
        Some(Self {
            repr: Repr::Inline {
                #[expect(clippy::cast_possible_truncation, reason = "at most 31")]
                length: source.len() as u8,
                bytes,
            },
        })
    }
}

impl From<&str> for Text {
    #[inline]
    fn from(text: &str) -> Self {
        Self::inline(text).unwrap_or_else(|| Self {
            repr: Repr::Heap {
                text: RString::from(text),
            },
        })
    }
}

impl From<String> for Text {
    #[inline]
    fn from(text: String) -> Self {
        Self::inline(&text).unwrap_or_else(|| Self {
            repr: Repr::Heap { text: text.into() },
        })
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<std::borrow::Cow<'_, str>> for Text {
    fn from(text: std::borrow::Cow<'_, str>) -> Self {
        match text {
            std::borrow::Cow::Borrowed(text) => Self::from(text),
            std::borrow::Cow::Owned(text) => Self::from(text),
        }
    }
}

impl From<char> for Text {
    fn from(c: char) -> Self {
        Self::from(&*c.encode_utf8(&mut [0; 4]))
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        match text.repr {
            Repr::Heap { text } => text.into_string(),
            Repr::Inline { .. } => text.as_str().to_owned(),
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_around_the_bound_keeps_its_text() {
        for length in 0..=(INLINE + 3) {
            let text = "x".repeat(length);
            let kept = Text::from(text.as_str());
            assert_eq!(kept, text.as_str());
            assert_eq!(matches!(kept.repr, Repr::Inline { .. }), length <= INLINE);
            assert_eq!(String::from(Text::from(text.clone())), text);
            for old in ["", "short", &"long".repeat(20)] {
                let mut set = Text::from(old);
                set.set(&text);
                assert_eq!(set, text.as_str());
            }
        }
        assert_eq!(Text::from('é').as_str(), "é");
        assert_eq!(size_of::<Text>(), 40);
    }
}
