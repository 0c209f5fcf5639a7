//! Making, reading and converting [`Value`]s.

mod de;
mod json;
mod parts;
mod ser;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::json::JsonError;
use crate::{Bytes, List, Map, Text, Value};

impl Value {
    /// Makes a value of anything that serde can serialize, directly, without JSON in between.
    ///
    /// # Errors
    ///
    /// An integer outside `i64` and `u64`, a map key that is not text, an integer or a boolean, or
    /// whatever the type's own serializer says.
    pub fn from_serialize<T: Serialize + ?Sized>(source: &T) -> Result<Self, ValueError> {
        source.serialize(ser::Serializer)
    }

    /// Reads the value into anything that serde can deserialize.
    ///
    /// An integer that a float does not hold exactly does not fit it; a fraction becomes the nearest
    /// `f32` where that is what the type holds.
    ///
    /// What is inside an enum that is `untagged` or has a `tag`, or a `#[serde(flatten)]`, is the
    /// exception: serde keeps it aside before it knows what type it will be, and itself rounds an
    /// integer above 2^53 that it later reads into a float. Nor does it read [`Value::Bytes`]
    /// into a `Vec<u8>` there.
    ///
    /// # Errors
    ///
    /// The value does not fit the type.
    pub fn to_typed<T: DeserializeOwned>(&self) -> Result<T, ValueError> {
        T::deserialize(self)
    }

    /// What sort of value it is, in a word.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::I64(_) | Self::U64(_) => "integer",
            Self::F64(_) => "number",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// Whether it is null.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The boolean, if it is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The integer, if it is one that fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::I64(value) => Some(*value),
            Self::U64(value) => i64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The integer, if it is one that is not negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::I64(value) => u64::try_from(*value).ok(),
            Self::U64(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if it is one that a 64-bit float holds exactly.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::F64(value) => Some(*value),
            Self::I64(value) => exact_i64(*value),
            Self::U64(value) => exact_u64(*value),
            _ => None,
        }
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes, if it is bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The items, if it is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The map, if it is one.
    #[must_use]
    pub const fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value of a name, if it is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// The value at a JSON pointer such as `/rows/0/city` (RFC 6901).
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<&Self> {
        if pointer.is_empty() {
            return Some(self);
        }
        let mut at = self;
        for token in pointer.strip_prefix('/')?.split('/') {
            let token = token.replace("~1", "/").replace("~0", "~");
            at = match at {
                Self::Map(map) => map.get(&token)?,
                Self::List(list) if token == "0" || !token.starts_with(['0', '+']) => {
                    list.get(token.parse::<usize>().ok()?)?
                }
                _ => return None,
            };
        }
        Some(at)
    }
}

/// The float of the same number, if there is one.
fn exact_i64(value: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "checked on the next line")]
    let float = value as f64;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "i128 holds every i64 rounded up"
    )]
    (float as i128 == i128::from(value)).then_some(float)
}

/// The float of the same number, if there is one.
fn exact_u64(value: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "checked on the next line")]
    let float = value as f64;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "i128 holds every u64 rounded up"
    )]
    (float as i128 == i128::from(value)).then_some(float)
}

macro_rules! from {
    ($($source:ty => |$value:ident| $made:expr;)*) => {
        $(impl From<$source> for Value {
            #[inline]
            fn from($value: $source) -> Self {
                $made
            }
        })*
    };
}

from! {
    () => |_unit| Self::Null;
    bool => |value| Self::Bool(value);
    i8 => |value| Self::I64(value.into());
    i16 => |value| Self::I64(value.into());
    i32 => |value| Self::I64(value.into());
    i64 => |value| Self::I64(value);
    u8 => |value| Self::I64(value.into());
    u16 => |value| Self::I64(value.into());
    u32 => |value| Self::I64(value.into());
    u64 => |value| i64::try_from(value).map_or(Self::U64(value), Self::I64);
    isize => |value| Self::I64(value as i64);
    usize => |value| Self::from(value as u64);
    f32 => |value| Self::F64(value.into());
    f64 => |value| Self::F64(value);
    char => |value| Self::String(value.into());
    &str => |value| Self::String(value.into());
    String => |value| Self::String(value.into());
    &String => |value| Self::String(value.into());
    Text => |value| Self::String(value);
    Bytes => |value| Self::Bytes(value);
    List => |value| Self::List(value);
    Map => |value| Self::Map(value);
}

impl From<&Self> for Value {
    fn from(value: &Self) -> Self {
        value.clone()
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        items.into_iter().collect()
    }
}

impl<T: Into<Self>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

/// Why a value and a type do not fit each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    message: Box<str>,
}

impl ValueError {
    fn new(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string().into(),
        }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ValueError {}

impl serde::ser::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

impl serde::de::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

impl schemars::JsonSchema for Value {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}

/// Writes a [`Value`] as JSON is written, with expressions where values go.
///
/// ```
/// use floe_plugin_api::value;
///
/// let limit = 10;
/// let input = value!({"sql": "select 1", "params": [limit, null, 2.5], "strict": true});
/// assert_eq!(input.pointer("/params/0").and_then(|v| v.as_i64()), Some(10));
/// ```
#[macro_export]
macro_rules! value {
    (null) => { $crate::Value::Null };
    ([ $($items:tt)* ]) => { $crate::Value::List($crate::value!(@list [] $($items)*)) };
    ({ $($entries:tt)* }) => {{
        #[allow(unused_mut, reason = "an empty map is not changed")]
        let mut map = $crate::Map::new();
        $crate::value!(@map map $($entries)*);
        $crate::Value::Map(map)
    }};
    (@list [$($done:expr,)*]) => {
        <$crate::List as ::core::convert::From<$crate::__private::Vec<$crate::Value>>>::from($crate::__private::vec![$($done),*])
    };
    (@list [$($done:expr,)*] null $(, $($rest:tt)*)?) => { $crate::value!(@list [$($done,)* $crate::Value::Null,] $($($rest)*)?) };
    (@list [$($done:expr,)*] [$($inner:tt)*] $(, $($rest:tt)*)?) => { $crate::value!(@list [$($done,)* $crate::value!([$($inner)*]),] $($($rest)*)?) };
    (@list [$($done:expr,)*] {$($inner:tt)*} $(, $($rest:tt)*)?) => { $crate::value!(@list [$($done,)* $crate::value!({$($inner)*}),] $($($rest)*)?) };
    (@list [$($done:expr,)*] $item:expr $(, $($rest:tt)*)?) => { $crate::value!(@list [$($done,)* $crate::Value::from($item),] $($($rest)*)?) };
    (@map $map:ident) => {};
    (@map $map:ident $key:tt : null $(, $($rest:tt)*)?) => { $map.insert($key, $crate::Value::Null); $crate::value!(@map $map $($($rest)*)?) };
    (@map $map:ident $key:tt : [$($inner:tt)*] $(, $($rest:tt)*)?) => { $map.insert($key, $crate::value!([$($inner)*])); $crate::value!(@map $map $($($rest)*)?) };
    (@map $map:ident $key:tt : {$($inner:tt)*} $(, $($rest:tt)*)?) => { $map.insert($key, $crate::value!({$($inner)*})); $crate::value!(@map $map $($($rest)*)?) };
    (@map $map:ident $key:tt : $value:expr $(, $($rest:tt)*)?) => { $map.insert($key, $crate::Value::from($value)); $crate::value!(@map $map $($($rest)*)?) };
    ($value:expr) => { $crate::Value::from($value) };
}
