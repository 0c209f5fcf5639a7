//! What is done when a call fails: a pure decision.
//!
//! A [`Recovery`] is a list of strategies. A [`Course`] goes through it for one call: it is told of each
//! failure, of the time that is left and of a random number, and says the next step. It calls nothing, waits
//! for nothing and does not look at the clock.
//!
//! ```text
//! failure ─▶ retry ─ as often as it may ─▶ fallback ─ where that fails too ─▶ value or skip
//!              │                              │                                   │
//!              └──────── whatever is not for this failure is passed over ────────┘ ─▶ fail
//! ```

use std::fmt;

pub use self::answer::{Answer, AnsweredBy, Attempt, Status};
pub(crate) use self::course::{Course, Step};
pub(crate) use self::failure::Failure;
pub use self::fallback::{Fallback, Mapping, MappingError, Source};
pub(crate) use self::history::History;
pub use self::history::{RecoveryCounts, RecoveryOutcome, RecoveryStats};
pub use self::kinds::ErrorKinds;
pub use self::retry::{Jitter, Retry};
pub use self::settings::{RecoveryEntry, RecoveryError, RecoveryFlaw, RecoverySettings};
pub use self::substitute::Substitute;

mod answer;
mod course;
mod failure;
mod fallback;
mod history;
mod kinds;
mod retry;
mod settings;
mod substitute;

/// What is done, in order, when a call fails. Nothing is, by default: the caller gets the error.
///
/// ```
/// use floe_registry::{Fallback, Recovery, Retry, Substitute};
/// use floe_registry::api::value;
///
/// let recovery = Recovery::none()
///     .then(Retry::default().attempts(5))
///     .then(Fallback::new("cache.get".parse()?))
///     .then(Substitute::new(value!({"rows": []})).into_skip());
/// assert_eq!(recovery.to_string(), "retry, fallback, skip");
/// # Ok::<(), floe_registry::ParseReferenceError>(())
/// ```
///
/// Whatever is listed, `cancelled` and `disabled-for-tenant` are never recovered from: the caller has
/// gone, or may not have an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovery(Vec<Strategy>);

impl Recovery {
    /// No strategy: a failure is an error.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Adds a strategy, for where those before it do not help.
    #[must_use]
    pub fn then(mut self, strategy: impl Into<Strategy>) -> Self {
        self.0.push(strategy.into());
        self
    }

    /// The strategies, in order.
    #[must_use]
    pub fn strategies(&self) -> &[Strategy] {
        &self.0
    }

    /// Whether there is no strategy.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The fallbacks, each with its place in the list.
    fn fallbacks(&self) -> impl Iterator<Item = (usize, &Fallback)> {
        let numbered = self.0.iter().enumerate();
        numbered.filter_map(|(place, strategy)| match strategy {
            Strategy::Fallback(fallback) => Some((place, fallback)),
            _ => None,
        })
    }
}

impl FromIterator<Strategy> for Recovery {
    fn from_iter<I: IntoIterator<Item = Strategy>>(strategies: I) -> Self {
        Self(strategies.into_iter().collect())
    }
}

impl fmt::Display for Recovery {
    /// The names of the strategies, or `fail` where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("fail");
        }
        for (place, strategy) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{}", strategy.name())?;
        }
        Ok(())
    }
}

/// One thing that is done when a call fails.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Strategy {
    /// The executor is called again, after a wait.
    Retry(Retry),
    /// Another executor is called in its place.
    Fallback(Fallback),
    /// The caller gets this value, as if the executor had given it.
    Value(Substitute),
    /// The caller gets this output and is told that the call was skipped.
    Skip(Substitute),
    /// The caller gets the error.
    Fail,
}

impl Strategy {
    /// The name in settings.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Retry(_) => "retry",
            Self::Fallback(_) => "fallback",
            Self::Value(_) => "value",
            Self::Skip(_) => "skip",
            Self::Fail => "fail",
        }
    }

    /// The kinds that it is limited to; `None` where it is for any.
    const fn kinds(&self) -> Option<&ErrorKinds> {
        match self {
            Self::Retry(retry) => Some(&retry.on),
            Self::Fallback(fallback) => fallback.on.as_ref(),
            Self::Value(substitute) | Self::Skip(substitute) => substitute.on.as_ref(),
            Self::Fail => None,
        }
    }

    /// Whether nothing after it is ever reached.
    const fn is_last(&self) -> bool {
        match self {
            Self::Retry(_) | Self::Fallback(_) => false,
            Self::Value(_) | Self::Skip(_) | Self::Fail => self.kinds().is_none(),
        }
    }
}

impl From<Retry> for Strategy {
    fn from(retry: Retry) -> Self {
        Self::Retry(retry)
    }
}

impl From<Fallback> for Strategy {
    fn from(fallback: Fallback) -> Self {
        Self::Fallback(fallback)
    }
}

#[cfg(test)]
mod tests;
