//! Sets of kinds of errors.

use std::collections::BTreeSet;
use std::fmt;

use floe_plugin_api::ErrorKind;

/// Errors that are never recovered from in any way: the caller has gone, or may not have an answer.
pub(super) const NEVER_RECOVERED: [ErrorKind; 2] =
    [ErrorKind::DisabledForTenant, ErrorKind::Cancelled];

/// Errors that are never retried: the same call would meet the same error.
pub(super) const NEVER_RETRIED: [ErrorKind; 7] = [
    ErrorKind::InvalidParameters,
    ErrorKind::ValidationFailed,
    ErrorKind::Configuration,
    ErrorKind::CredentialMissing,
    ErrorKind::DisabledForTenant,
    ErrorKind::NodeTypeNotFound,
    ErrorKind::Cancelled,
];

/// Kinds of errors that a strategy is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorKinds(BTreeSet<ErrorKind>);

impl ErrorKinds {
    /// Whether a kind is among them.
    #[must_use]
    pub fn contains(&self, kind: ErrorKind) -> bool {
        self.0.contains(&kind)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The kinds, each once.
    pub fn iter(&self) -> impl Iterator<Item = ErrorKind> {
        self.0.iter().copied()
    }
}

impl FromIterator<ErrorKind> for ErrorKinds {
    fn from_iter<I: IntoIterator<Item = ErrorKind>>(kinds: I) -> Self {
        Self(kinds.into_iter().collect())
    }
}

impl fmt::Display for ErrorKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, kind) in self.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}`{kind}`")?;
        }
        Ok(())
    }
}
