//! What was counted and timed of calls.

use std::collections::BTreeMap;

use floe_plugin_api::ErrorKind;
use serde::Serialize;

use super::Times;

/// What was counted and timed of an executor's calls, or of several executors'.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CallStats {
    /// How many calls there were, with those that have not ended. Exact.
    pub calls: u64,
    /// How many of them have not ended. Exact, of one moment for each thread that calls.
    pub in_flight: u64,
    /// How many failed, by the kind of error; kinds that did not occur are left out. Exact.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// How long those took that have ended, failed ones too. Calls below a microsecond are timed now
    /// and then only, and each of those counts for several: its `count` comes near to `calls`.
    pub times: Times,
}

impl CallStats {
    /// How many calls failed, in whatever way.
    #[must_use]
    pub fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Adds the calls of another executor.
    pub fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.in_flight += other.in_flight;
        for (kind, count) in &other.errors {
            *self.errors.entry(*kind).or_default() += count;
        }
        self.times.merge(&other.times);
    }
}
