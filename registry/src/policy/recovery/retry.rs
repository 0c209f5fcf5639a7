//! Calling again, and how long to wait before.

use std::time::Duration;

use floe_plugin_api::ErrorKind;

use super::ErrorKinds;

/// The executor is called again, after a wait that grows.
///
/// The wait before the `n`th retry is at most `initial * factor^(n - 1)`, and at most `longest`. Where an
/// error says how long to wait (`retry_after_ms` in its details, or the rest of a circuit), the wait is at
/// least that, also where that is above `longest`. A wait that does not fit in what is left of the call's
/// deadline is not begun.
///
/// *Effects may be had twice.* After `crashed`, nobody knows how far the executor had come: it is called
/// again only where it says that it is idempotent, where the call had not begun, or where
/// [`not_idempotent`](Self::not_idempotent) is set. One that says that it is *not* idempotent is not called
/// again after `execution-timeout` and `panicked` either.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Retry {
    /// How often it is called in all, the first call included; 3 by default, never 0.
    pub attempts: u32,
    /// The longest wait before the first retry; 100 ms by default, at most `longest`.
    pub initial: Duration,
    /// By how much the wait grows from retry to retry; 2 by default, at least 1.
    pub factor: f64,
    /// The longest wait before any retry; 5 s by default.
    pub longest: Duration,
    /// Whether waits are spread; they are by default.
    pub jitter: Jitter,
    /// The kinds of errors after which it is called again; `execution-timeout`, `transient`, `crashed` and
    /// `resource-exhausted` by default.
    pub on: ErrorKinds,
    /// Whether it is called again even where its effect may be had twice; it is not by default.
    pub not_idempotent: bool,
}

/// Whether waits are spread, so that callers that failed together do not come back together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Jitter {
    /// A wait is anything from nothing to its full length, each equally likely.
    #[default]
    Full,
    /// A wait has its full length.
    None,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            initial: Duration::from_millis(100),
            factor: 2.0,
            longest: Duration::from_secs(5),
            jitter: Jitter::Full,
            on: ErrorKinds::from_iter([
                ErrorKind::ExecutionTimeout,
                ErrorKind::Transient,
                ErrorKind::Crashed,
                ErrorKind::ResourceExhausted,
            ]),
            not_idempotent: false,
        }
    }
}

impl Retry {
    /// Sets how often the executor is called in all.
    #[must_use]
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the longest wait before the first retry.
    #[must_use]
    pub const fn initial(mut self, initial: Duration) -> Self {
        self.initial = initial;
        self
    }

    /// Sets by how much the wait grows from retry to retry.
    #[must_use]
    pub const fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Sets the longest wait before any retry.
    #[must_use]
    pub const fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// Sets whether waits are spread.
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Sets the kinds of errors after which the executor is called again, in place of the default ones.
    #[must_use]
    pub fn on(mut self, kinds: impl IntoIterator<Item = ErrorKind>) -> Self {
        self.on = kinds.into_iter().collect();
        self
    }

    /// Lets the executor be called again even where its effect may be had twice.
    #[must_use]
    pub const fn not_idempotent(mut self) -> Self {
        self.not_idempotent = true;
        self
    }

    /// How long to wait before a retry, the first of which is number 1.
    ///
    /// `random` is a number from 0 to 1; what is none of these counts as 1.
    pub(super) fn wait(&self, retry: u32, random: f64) -> Duration {
        let full = self.full_wait(retry);
        match self.jitter {
            Jitter::None => full,
            Jitter::Full if (0.0..1.0).contains(&random) => {
                let part = Duration::try_from_secs_f64(full.as_secs_f64() * random);
                part.map_or(full, |part| part.min(full))
            }
            Jitter::Full => full,
        }
    }

    /// The wait before it is spread. A number too great to be a duration is too great for `longest`.
    fn full_wait(&self, retry: u32) -> Duration {
        if self.initial.is_zero() {
            return Duration::ZERO;
        }
        let growth = self.factor.powf(f64::from(retry.saturating_sub(1)));
        let grown = Duration::try_from_secs_f64(self.initial.as_secs_f64() * growth);
        grown.map_or(self.longest, |grown| grown.min(self.longest))
    }
}
