//! What a caller gets instead of an answer.

use floe_plugin_api::{ErrorKind, Value};

use super::{ErrorKinds, Strategy};

/// A value that stands in for an executor's output.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Substitute {
    /// What the caller gets.
    pub output: Value,
    /// The kinds of errors after which it does; `None`, the default, is any that may be recovered from.
    pub on: Option<ErrorKinds>,
}

impl Substitute {
    /// This value, after any error.
    #[must_use]
    pub fn new(output: impl Into<Value>) -> Self {
        Self {
            output: output.into(),
            on: None,
        }
    }

    /// Limits it to errors of some kinds.
    #[must_use]
    pub fn on(mut self, kinds: impl IntoIterator<Item = ErrorKind>) -> Self {
        self.on = Some(kinds.into_iter().collect());
        self
    }

    /// The strategy that answers with it, as if the executor had.
    #[must_use]
    pub const fn into_value(self) -> Strategy {
        Strategy::Value(self)
    }

    /// The strategy that answers with it and says that the call was skipped.
    #[must_use]
    pub const fn into_skip(self) -> Strategy {
        Strategy::Skip(self)
    }
}
