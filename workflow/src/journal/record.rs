//! What is on record of a run.

use std::time::Duration;

use floe_plugin_api::Value;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::store::Ended;
use crate::run::{Failure, NodeStatus, RunStatus};
use crate::source::Format;

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordStatus {
    /// Somebody runs it.
    Running,
    /// Nobody runs it, and it has not ended.
    Interrupted,
    /// It has ended.
    Ended(RunStatus),
    /// What is on record of its end cannot be read.
    Damaged,
}

impl RecordStatus {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Ended(status) => status.as_str(),
            Self::Damaged => "damaged",
        }
    }
}

impl Serialize for RecordStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A run, in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunSummary {
    /// What it is called by.
    pub execution_id: String,
    /// The run that called it, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called_by: Option<String>,
    /// The workflow's id.
    pub workflow: String,
    /// The workflow's version, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// On whose behalf, where that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Who ran it.
    pub user: String,
    /// How it stands.
    pub status: RecordStatus,
    /// Which attempt the last one is: 1, and one more each time it was resumed.
    pub attempt: u32,
    /// When it was begun.
    pub began: Timestamp,
    /// When it ended, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

/// All that is on record of a run, but for what its nodes gave.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunRecord {
    /// The run, in short.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// What it was given.
    pub input: Value,
    /// Its nodes, in the order in which they first began; after those, what was never begun.
    pub nodes: Vec<NodeRecord>,
    /// The text of its workflow.
    #[serde(skip)]
    pub text: String,
    /// The text's format.
    #[serde(skip)]
    pub format: Format,
}

/// What is on record of a node of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NodeRecord {
    /// Its id.
    pub id: String,
    /// How it ended; nothing where it had begun and not ended.
    pub status: Option<NodeStatus>,
    /// When it began the last time, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
    /// When it ended, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// How often executors were called for it, the last time it ran.
    pub attempts: u32,
    /// How long it took, in milliseconds.
    #[serde(rename = "duration_ms", serialize_with = "crate::run::milliseconds")]
    pub duration: Duration,
    /// By what it was recovered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered_by: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// How many bytes what it gave takes on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
}

impl NodeRecord {
    pub(super) const fn new(id: String) -> Self {
        Self {
            id,
            status: None,
            began: None,
            ended: None,
            attempts: 0,
            duration: Duration::ZERO,
            recovered_by: None,
            error: None,
            output_bytes: None,
        }
    }

    /// Takes note that it begins, maybe again.
    pub(super) fn begin(&mut self, at: Timestamp) {
        *self = Self::new(std::mem::take(&mut self.id));
        self.began = Some(at);
    }

    pub(super) fn end(&mut self, at: Timestamp, ended: Ended, output_bytes: Option<u64>) {
        self.status = Some(ended.status);
        self.ended = Some(at);
        self.attempts = ended.attempts;
        self.duration = ended.took;
        self.recovered_by = ended.recovered_by;
        self.error = ended.failure;
        self.output_bytes = output_bytes;
    }
}

/// A time of microseconds; one that is none is the beginning of time.
pub(super) fn time(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or_default()
}
