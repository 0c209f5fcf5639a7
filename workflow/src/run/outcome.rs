//! What came of a run and of each of its nodes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use floe_plugin_api::{ErrorKind, Map, Value};
use serde::{Serialize, Serializer};

use super::RunOptions;
use super::board::{Board, Halt};
use crate::document::Workflow;
use crate::journal::JournalError;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RunStatus {
    /// Every node that was reached ended well, or what it failed with was dealt with.
    Success,
    /// A node failed, and the run with it.
    Failed,
    /// It was stopped.
    Cancelled,
    /// Its time was over.
    TimedOut,
}

impl RunStatus {
    const ALL: [Self; 4] = [Self::Success, Self::Failed, Self::Cancelled, Self::TimedOut];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed-out",
        }
    }

    /// The one of a word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NodeStatus {
    /// It gave an output.
    Success,
    /// It failed, and was answered after all: by another attempt or by another executor.
    Recovered,
    /// Nothing led to it, its condition does not hold, or its recovery skipped it.
    Skipped,
    /// It is left out.
    Disabled,
    /// It failed.
    Failed,
    /// It was called off.
    Cancelled,
    /// The run ended before it.
    NotRun,
}

impl NodeStatus {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Recovered => "recovered",
            Self::Skipped => "skipped",
            Self::Disabled => "disabled",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::NotRun => "not-run",
        }
    }
}

impl NodeStatus {
    const ALL: [Self; 7] = [
        Self::Success,
        Self::Recovered,
        Self::Skipped,
        Self::Disabled,
        Self::Failed,
        Self::Cancelled,
        Self::NotRun,
    ];

    /// The one of a word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl fmt::Display for NodeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a node failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// What sort of error it is.
    pub kind: ErrorKind,
    /// What went wrong, with its causes.
    pub message: String,
    /// More for programs.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

impl Failure {
    /// A failure.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            details: Value::Null,
        }
    }

    /// The same with more for programs.
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// The failure as expressions see it.
    pub(super) fn to_value(&self) -> Value {
        let mut map = Map::new();
        map.insert("kind", self.kind.as_str());
        map.insert("message", self.message.as_str());
        map.insert("details", self.details.clone());
        map.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

pub(crate) fn milliseconds<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64() * 1e3)
}

#[expect(
    clippy::ref_option,
    reason = "the signature that serde's serialize_with asks for"
)]
fn shared<S: Serializer>(value: &Option<Arc<Value>>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_deref().serialize(serializer)
}

/// What became of a node.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NodeRun {
    /// How it ended.
    pub status: NodeStatus,
    /// How often executors were called for it.
    pub attempts: u32,
    /// How long it took, in milliseconds.
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    pub duration: Duration,
    /// What it gave; nothing where that was needed no more and not to be kept.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shared")]
    pub output: Option<Arc<Value>>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// By what it was recovered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered_by: Option<String>,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Run {
    /// What it is called by.
    pub execution_id: String,
    /// The workflow's id.
    pub workflow: String,
    /// How it ended.
    pub status: RunStatus,
    /// Which attempt this one is: 1, and one more each time it is resumed.
    pub attempt: u32,
    /// When it began first.
    pub started: jiff::Timestamp,
    /// When it ended.
    pub ended: jiff::Timestamp,
    /// How long this attempt took, in milliseconds.
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    pub duration: Duration,
    /// The nodes, by their ids.
    pub nodes: BTreeMap<String, NodeRun>,
    /// What the last node gave; of several last nodes, a map of what each gave that ended well.
    pub output: Value,
    /// The id of the node that failed, where one has the run fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Why it could not go on, where that is no node's fault: its journal cannot be written or read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// How many nodes ended how.
    pub metrics: BTreeMap<&'static str, usize>,
}

/// How a node went, beside what the board knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    pub(super) attempts: u32,
    pub(super) took: Duration,
    pub(super) recovered_by: Option<String>,
    /// Whether it has begun, now or at an earlier time.
    pub(super) has_begun: bool,
    /// Whether it failed as the time of the whole run was over.
    pub(super) was_cut_off: bool,
}

/// A run that has ended.
pub(super) struct Ended<'w> {
    pub(super) board: Board<'w>,
    pub(super) courses: Vec<Course>,
    pub(super) fault: Option<Arc<JournalError>>,
    pub(super) attempt: u32,
    pub(super) started: jiff::Timestamp,
    pub(super) took: Duration,
}

impl Ended<'_> {
    /// How it ended, and at which node, where one is to blame.
    pub(super) fn status(&self) -> (RunStatus, Option<usize>) {
        match self.board.halt() {
            None => (RunStatus::Success, None),
            Some(Halt::Failed(node)) => (RunStatus::Failed, Some(node)),
            Some(Halt::Unrecorded) => (RunStatus::Failed, None),
            Some(Halt::Stopped) => (RunStatus::Cancelled, None),
            Some(Halt::TimedOut) => (RunStatus::TimedOut, None),
        }
    }

    pub(super) fn into_run(self, workflow: &Workflow, options: &RunOptions) -> Run {
        let (status, failed) = self.status();
        let Self {
            board,
            courses,
            fault,
            attempt,
            started,
            took,
        } = self;
        let output = board.output();
        let mut nodes = BTreeMap::new();
        let mut metrics: BTreeMap<&'static str, usize> = BTreeMap::new();
        let cells = board.cells.into_iter().zip(courses);
        for (node, (cell, course)) in workflow.nodes.iter().zip(cells) {
            let status = cell.status.unwrap_or(NodeStatus::NotRun);
            *metrics.entry(status.as_str()).or_default() += 1;
            nodes.insert(
                node.id.clone(),
                NodeRun {
                    status,
                    attempts: course.attempts,
                    duration: course.took,
                    output: cell.output,
                    error: cell.failure,
                    recovered_by: course.recovered_by,
                },
            );
        }
        Run {
            execution_id: options.execution_id.clone(),
            workflow: workflow.id.clone(),
            status,
            attempt,
            started,
            ended: jiff::Timestamp::now(),
            duration: took,
            nodes,
            output,
            failed: failed.map(|node| workflow.nodes[node].id.clone()),
            fault: fault.map(|fault| with_causes(&*fault)),
            metrics,
        }
    }
}

/// An error with what caused it, in one line.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
