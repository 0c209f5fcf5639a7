//! What an executor says when it cannot answer.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::abi::{ErrorBody, RawError};
use crate::{Map, Text, Value};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// What sort of thing went wrong; what a caller may do about it depends on this.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name, in lower case with hyphens: `execution-timeout`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            const fn number(self) -> u32 {
                match self { $(Self::$variant => $number),* }
            }

            const fn from_number(number: u32) -> Self {
                match number {
                    $($number => Self::$variant,)*
                    _ => Self::ExecutionError,
                }
            }
        }
    };
}

kinds! {
    /// The executor could not do its work.
    ExecutionError = 0, "execution-error";
    /// The input does not fit the executor's type.
    InvalidParameters = 1, "invalid-parameters";
    /// The input fits its type and breaks a rule of the executor's.
    ValidationFailed = 2, "validation-failed";
    /// The configuration does not fit, or breaks a rule of the plugin's.
    Configuration = 3, "configuration";
    /// A secret that is needed is not there.
    CredentialMissing = 4, "credential-missing";
    /// The deadline passed.
    ExecutionTimeout = 5, "execution-timeout";
    /// The caller asked to stop.
    Cancelled = 6, "cancelled";
    /// It may work when tried again.
    Transient = 7, "transient";
    /// Memory, disk, a quota or another resource ran out.
    ResourceExhausted = 8, "resource-exhausted";
    /// No plugin offers the node type.
    NodeTypeNotFound = 9, "node-type-not-found";
    /// The tenant may not use the node type.
    DisabledForTenant = 10, "disabled-for-tenant";
    /// A plugin that this one needs is not loaded.
    DependencyNotLoaded = 11, "dependency-not-loaded";
    /// The plugin's code panicked; the panic was contained and the instance is no longer used.
    Panicked = 12, "panicked";
    /// The plugin's process ended.
    Crashed = 13, "crashed";
    /// The plugin could not be loaded or started.
    NotReady = 14, "not-ready";
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What an executor says when it cannot answer: a kind, a sentence, the causes and details.
///
/// Any `std::error::Error` becomes an [`ErrorKind::ExecutionError`] through `?`, with its sources as
/// causes. (That is also why this type is not itself a `std::error::Error`; the registry's is.)
///
/// ```
/// use floe_plugin_api::{Error, ErrorKind, Result};
///
/// fn parse(text: &str) -> Result<u16> {
///     if text.is_empty() {
///         return Err(Error::new(ErrorKind::ValidationFailed, "`port` is empty"));
///     }
///     Ok(text.parse()?)
/// }
///
/// assert_eq!(parse("").unwrap_err().kind(), ErrorKind::ValidationFailed);
/// let error = parse("70000").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::ExecutionError);
/// assert_eq!(error.message(), "number too large to fit in target type");
/// ```
pub struct Error(RawError);

/// How much of a value is shown in a message, in characters.
const SHOWN: usize = 120;

impl Error {
    /// An error of a kind. The message is in lower case, without a full stop, values in backticks.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(RawError {
            body: abi_stable::std_types::RBox::new(ErrorBody {
                kind: kind.number(),
                message: Text::from(message.into()),
                causes: abi_stable::std_types::RVec::new(),
                details: Value::Null,
            }),
        })
    }

    /// An [`ErrorKind::ExecutionError`].
    #[must_use]
    pub fn execution(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::ExecutionError, message)
    }

    /// An [`ErrorKind::ValidationFailed`] that names the field, the rule and what was found.
    #[must_use]
    pub fn invalid(field: &str, rule: &str, found: impl Into<Value>) -> Self {
        let found = found.into();
        let mut text = found.to_json().unwrap_or_else(|_| format!("{found:?}"));
        if let Some((end, _)) = text.char_indices().nth(SHOWN) {
            text.truncate(end);
            text.push('…');
        }
        Self::new(
            ErrorKind::ValidationFailed,
            format!("`{field}` is `{text}`, expected {rule}"),
        )
        .with_detail("path", field)
        .with_detail("rule", rule)
        .with_detail("value", found)
    }

    /// The same error with another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.body.kind = kind.number();
        self
    }

    /// The same error with what it happened in put before it; the old message becomes a cause.
    #[must_use]
    pub fn context(mut self, message: impl Into<String>) -> Self {
        let old = std::mem::replace(&mut self.0.body.message, Text::from(message.into()));
        self.0.body.causes.insert(0, old);
        self
    }

    /// The same error with one more detail for programs.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        if !matches!(self.0.body.details, Value::Map(_)) {
            self.0.body.details = Value::Map(Map::new());
        }
        if let Value::Map(details) = &mut self.0.body.details {
            details.insert(name, value);
        }
        self
    }

    /// The same error with how long to wait before another attempt, kept in whole milliseconds.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.with_detail("retry_after_ms", milliseconds)
    }

    /// What sort of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::from_number(self.0.body.kind)
    }

    /// What went wrong, without the causes.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.body.message
    }

    /// Why, from the nearest cause to the farthest.
    pub fn causes(&self) -> impl Iterator<Item = &str> {
        self.0.body.causes.iter().map(Text::as_str)
    }

    /// More for programs: a map, or null.
    #[must_use]
    pub fn details(&self) -> &Value {
        &self.0.body.details
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind(), self.message())?;
        for cause in self.causes() {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut made = Self::execution(error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            made.0.body.causes.push(Text::from(cause.to_string()));
            source = cause.source();
        }
        made
    }
}

/// Says more of an error on its way out of an executor.
///
/// ```
/// use floe_plugin_api::{ErrorKind, Result, ResultExt};
///
/// fn port(text: &str) -> Result<u16> {
///     text.parse().or_kind(ErrorKind::ValidationFailed).context("`port` is not a port")
/// }
///
/// let error = port("http").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::ValidationFailed);
/// assert_eq!(error.message(), "`port` is not a port");
/// assert_eq!(error.causes().next(), Some("invalid digit found in string"));
/// ```
pub trait ResultExt<T> {
    /// Gives the error this kind, instead of the one that it would become by itself.
    ///
    /// # Errors
    ///
    /// When `self` is one.
    fn or_kind(self, kind: ErrorKind) -> Result<T>;

    /// Puts what it happened in before the error, which becomes its cause.
    ///
    /// # Errors
    ///
    /// When `self` is one.
    fn context(self, message: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<Error>> ResultExt<T> for Result<T, E> {
    fn or_kind(self, kind: ErrorKind) -> Result<T> {
        self.map_err(|error| error.into().with_kind(kind))
    }

    fn context(self, message: impl Into<String>) -> Result<T> {
        self.map_err(|error| error.into().context(message))
    }
}

impl From<RawError> for Error {
    fn from(raw: RawError) -> Self {
        Self(raw)
    }
}

impl From<Error> for RawError {
    fn from(error: Error) -> Self {
        error.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_distinct_numbers_and_names() {
        let mut names = std::collections::BTreeSet::new();
        for &kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::from_number(kind.number()), kind);
            assert!(names.insert(kind.as_str()));
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{kind}\""));
        }
        assert_eq!(ErrorKind::from_number(9_999), ErrorKind::ExecutionError);
    }

    #[test]
    fn context_keeps_the_chain_in_order() {
        let error = Error::execution("inner").context("middle").context("outer");
        assert_eq!(error.message(), "outer");
        assert_eq!(error.causes().collect::<Vec<_>>(), ["middle", "inner"]);
        assert_eq!(
            format!("{error:?}"),
            "execution-error: outer: middle: inner"
        );
    }

    #[test]
    fn details_are_kept_for_programs() {
        let error =
            Error::invalid("limit", "a number above 0", 0).retry_after(Duration::from_secs(2));
        assert_eq!(
            error.to_string(),
            "`limit` is `0`, expected a number above 0"
        );
        assert_eq!(
            error.details().get("path").and_then(Value::as_str),
            Some("limit")
        );
        assert_eq!(
            error.details().get("retry_after_ms"),
            Some(&Value::I64(2000))
        );
    }
}
