//! What became of calls that failed at first.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use floe_plugin_api::ErrorKind;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;

use super::{AnsweredBy, Status};
use crate::event::nanoseconds;

/// How many outcomes are kept.
const KEPT: usize = 1_000;

/// How many node types are counted one by one: callers may ask for any, and all are counted for ever.
const COUNTED: usize = 1_000;

/// A call that was not answered at once.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RecoveryOutcome {
    /// When it ended.
    pub time: Timestamp,
    /// The executor that was asked for.
    pub node_type: String,
    /// What sort of error the first attempt gave.
    pub kind: ErrorKind,
    /// How it ended.
    pub status: Status,
    /// What answered.
    pub answered_by: AnsweredBy,
    /// How often executors were called for it.
    pub attempts: u32,
    /// How long it took, waits included, in nanoseconds; without the first attempt where nothing was said of the
    /// call, as that was not timed.
    #[serde(rename = "took_ns", serialize_with = "nanoseconds")]
    pub took: Duration,
}

/// How many calls that failed at first ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RecoveryCounts {
    /// A retry, a fallback or a value answered.
    pub recovered: u64,
    /// An output was taken in place of one.
    pub skipped: u64,
    /// Nothing answered.
    pub failed: u64,
}

impl RecoveryCounts {
    /// Which part of them got an output, from 0 to 1; `None` where there is none.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "beyond 2^53 calls the last digits of a rate say nothing"
    )]
    pub fn rate(&self) -> Option<f64> {
        let helped = self.recovered.saturating_add(self.skipped);
        let all = helped.saturating_add(self.failed);
        (all > 0).then(|| helped as f64 / all as f64)
    }

    fn count(&mut self, status: Status) {
        match status {
            Status::Success => {}
            Status::Recovered => self.recovered = self.recovered.saturating_add(1),
            Status::Skipped => self.skipped = self.skipped.saturating_add(1),
            Status::Failed => self.failed = self.failed.saturating_add(1),
        }
    }
}

/// What became of calls that failed at first, since the registry was made.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RecoveryStats {
    /// All of them.
    pub total: RecoveryCounts,
    /// Which part of them got an output, from 0 to 1; `None` where there is none.
    pub recovery_rate: Option<f64>,
    /// By the executor that was asked for: the first thousand of them.
    pub by_node_type: BTreeMap<String, RecoveryCounts>,
    /// Of all executors but those.
    pub other_node_types: RecoveryCounts,
    /// By what sort of error the first attempt gave.
    pub by_kind: BTreeMap<ErrorKind, RecoveryCounts>,
    /// The last thousand, the oldest first.
    pub last: Vec<RecoveryOutcome>,
}

/// Keeps and counts outcomes.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    total: RecoveryCounts,
    by_node_type: BTreeMap<String, RecoveryCounts>,
    other_node_types: RecoveryCounts,
    by_kind: BTreeMap<ErrorKind, RecoveryCounts>,
    last: VecDeque<RecoveryOutcome>,
}

impl History {
    /// Keeps an outcome, in place of the oldest where there are enough. A call that was answered at once is
    /// none.
    pub(crate) fn record(&self, outcome: RecoveryOutcome) {
        let status = outcome.status;
        if status == Status::Success {
            return;
        }
        let mut kept = self.0.lock();
        let kept = &mut *kept;
        kept.total.count(status);
        kept.by_kind.entry(outcome.kind).or_default().count(status);
        if let Some(counts) = kept.by_node_type.get_mut(&outcome.node_type) {
            counts.count(status);
        } else if kept.by_node_type.len() < COUNTED {
            let counts = kept.by_node_type.entry(outcome.node_type.clone());
            counts.or_default().count(status);
        } else {
            kept.other_node_types.count(status);
        }
        if kept.last.len() == KEPT {
            kept.last.pop_front();
        }
        kept.last.push_back(outcome);
    }

    /// What is kept now.
    pub(crate) fn snapshot(&self) -> RecoveryStats {
        let kept = self.0.lock();
        RecoveryStats {
            total: kept.total,
            recovery_rate: kept.total.rate(),
            by_node_type: kept.by_node_type.clone(),
            other_node_types: kept.other_node_types,
            by_kind: kept.by_kind.clone(),
            last: kept.last.iter().cloned().collect(),
        }
    }
}
