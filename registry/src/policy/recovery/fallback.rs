//! Calling another executor in place of the one that failed.

use floe_plugin_api::{ErrorKind, Map, Value};

use super::ErrorKinds;
use crate::id::Reference;

/// Another executor is called in place of the one that failed.
///
/// Its own recovery, where it has one, is in [`RecoverySettings::executors`](super::RecoverySettings).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fallback {
    /// The executor.
    pub to: Reference,
    /// How its input is made of the original one; `None`, the default, gives it that one as it is.
    pub input: Option<Mapping>,
    /// The kinds of errors after which it is called; `None`, the default, is any that may be recovered from.
    pub on: Option<ErrorKinds>,
}

impl Fallback {
    /// This executor with the original input, after any error.
    #[must_use]
    pub const fn new(to: Reference) -> Self {
        Self {
            to,
            input: None,
            on: None,
        }
    }

    /// Sets how its input is made.
    #[must_use]
    pub fn input(mut self, input: Mapping) -> Self {
        self.input = Some(input);
        self
    }

    /// Limits it to errors of some kinds.
    #[must_use]
    pub fn on(mut self, kinds: impl IntoIterator<Item = ErrorKind>) -> Self {
        self.on = Some(kinds.into_iter().collect());
        self
    }

    /// What the executor is called with.
    ///
    /// # Errors
    ///
    /// A field is taken from where the original input has nothing.
    pub fn input_of(&self, original: &Value) -> Result<Value, MappingError> {
        match &self.input {
            Some(mapping) => mapping.apply(original),
            None => Ok(original.clone()),
        }
    }
}

/// How a map is made of an executor's input: where each of its fields comes from.
///
/// ```
/// use floe_registry::Mapping;
/// use floe_registry::api::value;
///
/// let mapping = Mapping::new().from_input("key", "/url").literal("mode", "stale");
/// let made = mapping.apply(&value!({"url": "https://example.org", "retries": 3}))?;
/// assert_eq!(made, value!({"key": "https://example.org", "mode": "stale"}));
/// # Ok::<(), floe_registry::MappingError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping(Vec<(String, Source)>);

/// Where a field comes from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Source {
    /// The original input, at this JSON pointer (RFC 6901), such as `/rows/0/city`.
    Input(String),
    /// Nowhere: it is always this.
    Literal(Value),
}

impl Mapping {
    /// A mapping to an empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Takes a field from the original input, at a JSON pointer.
    #[must_use]
    pub fn from_input(self, field: impl Into<String>, pointer: impl Into<String>) -> Self {
        self.field(field.into(), Source::Input(pointer.into()))
    }

    /// Gives a field a value.
    #[must_use]
    pub fn literal(self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.field(field.into(), Source::Literal(value.into()))
    }

    /// A field that is given again comes from where was said last.
    fn field(mut self, field: String, source: Source) -> Self {
        match self.0.iter_mut().find(|(known, _)| *known == field) {
            Some((_, known)) => *known = source,
            None => self.0.push((field, source)),
        }
        self
    }

    /// The fields, in the order in which they were given.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.0.iter().map(|(field, source)| (&**field, source))
    }

    /// Makes the map.
    ///
    /// # Errors
    ///
    /// A field is taken from where the input has nothing.
    pub fn apply(&self, input: &Value) -> Result<Value, MappingError> {
        let fields = self.0.iter().map(|(field, source)| {
            let value = match source {
                Source::Literal(value) => value,
                Source::Input(pointer) => input.pointer(pointer).ok_or_else(|| MappingError {
                    field: field.clone(),
                    pointer: pointer.clone(),
                })?,
            };
            Ok((field.clone(), value.clone()))
        });
        fields.collect::<Result<Map, _>>().map(Value::Map)
    }
}

/// A field of a fallback's input that is taken from where the original input has nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the fallback's `{field}` is taken from `{pointer}`, where the input has nothing; take it from where every input has a value, or give it one"
)]
#[non_exhaustive]
pub struct MappingError {
    /// The field.
    pub field: String,
    /// The JSON pointer that leads nowhere.
    pub pointer: String,
}
