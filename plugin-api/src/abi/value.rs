//! The one data type of the boundary.

use std::fmt;
use std::ops::{Deref, DerefMut};

use abi_stable::StableAbi;
use abi_stable::std_types::RVec;

use super::Text;

/// The one data type of the boundary: what JSON can say, and 64-bit integers and bytes besides.
///
/// Integers keep their type: what fits an `i64` is [`Value::I64`] when made by this crate, and only
/// what is above it is [`Value::U64`]; the two compare by number. No conversion of this crate
/// rounds an integer: one that does not fit is refused. [`Value::to_typed`] tells of the one place
/// where serde does.
///
/// ```
/// use floe_plugin_api::{Value, value};
///
/// let row = value!({"city": "Lund", "rain_mm": 1.5, "days": [1, 2, 3]});
/// assert_eq!(row.get("city").and_then(Value::as_str), Some("Lund"));
/// assert_eq!(row.to_json()?, r#"{"city":"Lund","rain_mm":1.5,"days":[1,2,3]}"#);
/// # Ok::<(), floe_plugin_api::JsonError>(())
/// ```
///
/// Owned: it may be kept, sent to another thread and dropped there. Each buffer in it is freed by
/// the side that allocated it.
// The tag is as wide as a word: were it a byte, every move of a value that was just made would wait
// for the byte to reach memory, because it reads the word that the byte is in.
#[repr(u64)]
#[derive(Clone, Default, StableAbi)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// An integer.
    I64(i64),
    /// An integer above [`i64::MAX`].
    U64(u64),
    /// A floating-point number; not a number and the infinities included, which JSON has no way to write.
    F64(f64),
    /// A string.
    String(Text),
    /// Bytes.
    Bytes(Bytes),
    /// Values in an order.
    List(List),
    /// Values by name, in an order.
    Map(Map),
}

impl Value {
    /// Takes the place of a null, which is not dropped.
    ///
    /// A value that was just made is moved by the fields that it has and not as a block: a number
    /// is two words, and a read of the whole block waits until all that was written to it is in
    /// memory.
    #[doc(hidden)]
    #[inline]
    pub fn receive(&mut self, given: Self) {
        debug_assert!(matches!(self, Self::Null), "the output's place is taken");
        std::mem::forget(match given {
            Self::Null => return,
            Self::Bool(value) => std::mem::replace(self, Self::Bool(value)),
            Self::I64(value) => std::mem::replace(self, Self::I64(value)),
            Self::U64(value) => std::mem::replace(self, Self::U64(value)),
            Self::F64(value) => std::mem::replace(self, Self::F64(value)),
            other => std::mem::replace(self, other),
        });
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::I64(a), Self::I64(b)) => a == b,
            (Self::U64(a), Self::U64(b)) => a == b,
            (Self::I64(a), Self::U64(b)) | (Self::U64(b), Self::I64(a)) => {
                u64::try_from(*a).is_ok_and(|a| a == *b)
            }
            (Self::F64(a), Self::F64(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::I64(value) => value.fmt(f),
            Self::U64(value) => value.fmt(f),
            Self::F64(value) => value.fmt(f),
            Self::String(value) => value.fmt(f),
            Self::Bytes(value) => write!(f, "{} bytes", value.len()),
            Self::List(value) => value.fmt(f),
            Self::Map(value) => value.fmt(f),
        }
    }
}

macro_rules! sequence {
    ($(#[$doc:meta])* $name:ident of $item:ty) => {
        $(#[$doc])*
        #[repr(transparent)]
        #[derive(Clone, Default, PartialEq, StableAbi)]
        pub struct $name {
            /// Freed by the side that allocated it, through the functions that it carries.
            items: RVec<$item>,
        }

        impl $name {
            /// An empty one.
            #[must_use]
            pub const fn new() -> Self {
                Self { items: RVec::new() }
            }

            /// An empty one with room for `capacity` items.
            #[must_use]
            pub fn with_capacity(capacity: usize) -> Self {
                Self { items: RVec::with_capacity(capacity) }
            }

            /// Adds an item at the end.
            #[inline]
            pub fn push(&mut self, item: $item) {
                self.items.push(item);
            }

            /// Makes it a `Vec`: without a copy on the side that allocated it.
            #[must_use]
            pub fn into_vec(self) -> Vec<$item> {
                self.items.into_vec()
            }
        }

        impl Deref for $name {
            type Target = [$item];

            #[inline]
            fn deref(&self) -> &[$item] {
                self.items.as_slice()
            }
        }

        impl DerefMut for $name {
            fn deref_mut(&mut self) -> &mut [$item] {
                self.items.as_mut_slice()
            }
        }

        impl From<Vec<$item>> for $name {
            fn from(items: Vec<$item>) -> Self {
                Self { items: items.into() }
            }
        }

        impl FromIterator<$item> for $name {
            fn from_iter<I: IntoIterator<Item = $item>>(items: I) -> Self {
                items.into_iter().collect::<Vec<_>>().into()
            }
        }

        impl Extend<$item> for $name {
            fn extend<I: IntoIterator<Item = $item>>(&mut self, items: I) {
                self.items.extend(items);
            }
        }

        impl IntoIterator for $name {
            type Item = $item;
            type IntoIter = abi_stable::std_types::vec::IntoIter<$item>;

            fn into_iter(self) -> Self::IntoIter {
                self.items.into_iter()
            }
        }

        impl<'a> IntoIterator for &'a $name {
            type Item = &'a $item;
            type IntoIter = std::slice::Iter<'a, $item>;

            fn into_iter(self) -> Self::IntoIter {
                self.iter()
            }
        }
    };
}

sequence! {
    /// Bytes; dereferences to a slice.
    ///
    /// `Value::from(Bytes::from(vec))` is bytes; `Value::from(vec)` of a `Vec<u8>` is, as of any other
    /// vector, a list.
    Bytes of u8
}

sequence! {
    /// Values in an order; dereferences to a slice.
    List of Value
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A name and its value.
#[repr(C)]
#[derive(Clone, Debug, PartialEq, StableAbi)]
pub struct Entry {
    /// The name.
    pub key: Text,
    /// The value.
    pub value: Value,
}

/// Values by name, in the order in which they were put in.
///
/// A look-up by name walks the entries: maps at the boundary are records with a handful of
/// fields. Two maps are equal when their entries are, whatever the order.
#[repr(transparent)]
#[derive(Clone, Default, StableAbi)]
pub struct Map {
    /// Freed by the side that allocated it, through the functions that it carries.
    entries: RVec<Entry>,
}

impl Map {
    /// An empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            entries: RVec::new(),
        }
    }

    /// An empty map with room for `capacity` entries.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            entries: RVec::with_capacity(capacity),
        }
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.iter()
            .find(|entry| entry.key == *key)
            .map(|entry| &entry.value)
    }

    /// The value of a name, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.entries
            .iter_mut()
            .find(|entry| entry.key == *key)
            .map(|entry| &mut entry.value)
    }

    /// Sets the value of a name, in its place where it has one and at the end otherwise; gives the
    /// value that it had.
    pub fn insert(&mut self, key: impl Into<Text>, value: impl Into<Value>) -> Option<Value> {
        let key = key.into();
        let value = value.into();
        if let Some(place) = self.get_mut(&key) {
            return Some(std::mem::replace(place, value));
        }
        self.entries.push(Entry { key, value });
        None
    }

    /// Takes an entry out; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let index = self.iter().position(|entry| entry.key == *key)?;
        Some(self.entries.remove(index).value)
    }

    /// The entries in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    /// Adds an entry at the end without looking for its name, which must not be there yet: for
    /// records that are built field by field. Where it is there, [`Map::get`] gives the first.
    #[inline]
    pub fn push(&mut self, key: impl Into<Text>, value: impl Into<Value>) {
        self.push_new(key.into(), value.into());
    }

    /// Adds an entry whose name is known not to be there.
    #[inline]
    pub(crate) fn push_new(&mut self, key: Text, value: Value) {
        self.entries.push(Entry { key, value });
    }

    /// Adds an entry whose name is known not to be there, and gives the place of its value, which is
    /// null. The entry is written where it stays (see [`Value::receive`]).
    #[inline]
    pub(crate) fn place_new(&mut self, key: &str) -> Option<&mut Value> {
        self.entries.push(Entry {
            key: Text::EMPTY,
            value: Value::Null,
        });
        let entry = self.entries.last_mut()?;
        entry.key.set(key);
        Some(&mut entry.value)
    }

    /// Drops all but the last entry of each name.
    pub(crate) fn keep_last_of_each(&mut self) {
        const WALKED: usize = 16;
        let repeated = if self.len() <= WALKED {
            (1..self.len()).any(|i| {
                self.entries[..i]
                    .iter()
                    .any(|e| e.key == self.entries[i].key)
            })
        } else {
            let mut names = std::collections::HashSet::with_capacity(self.len());
            !self
                .entries
                .iter()
                .all(|entry| names.insert(entry.key.as_str()))
        };
        if repeated {
            let mut places = std::collections::HashMap::new();
            let mut kept: Vec<Entry> = Vec::with_capacity(self.len());
            for entry in std::mem::take(&mut self.entries) {
                if let Some(&place) = places.get(&entry.key) {
                    let place: &mut Entry = &mut kept[place];
                    place.value = entry.value;
                } else {
                    places.insert(entry.key.clone(), kept.len());
                    kept.push(entry);
                }
            }
            self.entries = kept.into();
        }
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        // The names alone first: were the values compared here and again below, each level of a
        // nested map would double the work.
        let same_order = self.iter().zip(other.iter()).all(|(a, b)| a.key == b.key);
        if same_order {
            return self
                .iter()
                .zip(other.iter())
                .all(|(a, b)| a.value == b.value);
        }
        let by_name: std::collections::HashMap<&str, &Value> = other
            .iter()
            .map(|entry| (&*entry.key, &entry.value))
            .collect();
        self.iter().all(|entry| {
            by_name
                .get(&*entry.key)
                .is_some_and(|value| **value == entry.value)
        })
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|entry| (&entry.key, &entry.value)))
            .finish()
    }
}

impl<K: Into<Text>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(items: I) -> Self {
        let mut map = Self::new();
        for (key, value) in items {
            map.push_new(key.into(), value.into());
        }
        map.keep_last_of_each();
        map
    }
}

impl IntoIterator for Map {
    type Item = Entry;
    type IntoIter = abi_stable::std_types::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
