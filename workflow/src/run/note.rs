//! What a run puts on record of its nodes, where it is put on record at all.

use std::sync::Arc;

use floe_plugin_api::ErrorKind;

use super::board::Outcome;
use super::outcome::{Course, Failure, NodeStatus, RunStatus};
use crate::document::Node;
use crate::journal::{Encoded, JournalError, Kept, NodeEnd, Recording, Ticket};

/// Why something is not on record.
pub(super) type Fault = Arc<JournalError>;

/// Notes of a run; of one that is not put on record, none.
#[derive(Clone, Copy)]
pub(super) struct Notes<'a>(Option<&'a Recording>);

impl<'a> Notes<'a> {
    pub(super) const fn new(recording: Option<&'a Recording>) -> Self {
        Self(recording)
    }

    pub(super) const fn are_taken(self) -> bool {
        self.0.is_some()
    }

    pub(super) fn began(self, node: &Node) -> Option<Ticket> {
        Some(self.0?.began(&node.id))
    }

    /// What a node gave, as bytes: made before anybody has to wait for it.
    pub(super) fn encode(self, node: &Node, outcome: &Outcome) -> Result<Option<Encoded>, Fault> {
        match outcome {
            Outcome::Done { output, .. } if self.are_taken() => {
                Recording::encode(&node.id, output).map(Some)
            }
            _ => Ok(None),
        }
    }

    pub(super) fn ended(
        self,
        node: &Node,
        outcome: &Outcome,
        course: &Course,
        output: Option<Encoded>,
    ) -> Option<Ticket> {
        let recording = self.0?;
        let (status, taken, failure) = match outcome {
            Outcome::Done { status, taken, .. } => (*status, *taken, None),
            // That the time of the run was over says nothing of the node.
            Outcome::Failed(failure) if course.was_cut_off => {
                (NodeStatus::Cancelled, None, Some(failure))
            }
            Outcome::Failed(failure) => (NodeStatus::Failed, None, Some(failure)),
            Outcome::Skipped => (NodeStatus::Skipped, None, None),
            Outcome::Cancelled => (NodeStatus::Cancelled, None, None),
            // What cannot be put on record has not ended.
            Outcome::Unrecorded(_) => return None,
        };
        Some(recording.ended(NodeEnd {
            node: &node.id,
            status,
            taken,
            attempts: course.attempts,
            took: course.took,
            recovered_by: course.recovered_by.as_deref(),
            failure,
            output,
        }))
    }

    /// Comes back when what was noted is on record.
    pub(super) fn settle(self, ticket: Option<Ticket>) -> Result<(), Fault> {
        match (self.0, ticket) {
            (Some(recording), Some(ticket)) => recording.settle(ticket).map_err(Arc::new),
            _ => Ok(()),
        }
    }

    /// What is on record of a node from before; nothing where it is to be run.
    pub(super) fn kept(
        self,
        execution_id: &str,
        node: &Node,
    ) -> Result<Option<(Outcome, Course)>, Fault> {
        let Some(recording) = self.0 else {
            return Ok(None);
        };
        let kept = recording.kept(execution_id, node);
        Ok(kept.map_err(Arc::new)?.map(outcome_of))
    }

    /// Puts the end of the run on record, with the nodes that were never begun.
    pub(super) fn over<'n>(
        self,
        status: RunStatus,
        passed: impl Iterator<Item = (&'n Node, NodeStatus)>,
    ) -> Result<(), Fault> {
        let Some(recording) = self.0 else {
            return Ok(());
        };
        for (node, status) in passed {
            recording.passed(&node.id, status);
        }
        self.settle(Some(recording.over(status)))
    }
}

fn outcome_of(kept: Kept) -> (Outcome, Course) {
    let course = Course {
        attempts: kept.attempts,
        took: kept.took,
        recovered_by: kept.recovered_by,
        has_begun: true,
        was_cut_off: false,
    };
    let outcome = match (kept.status, kept.failure, kept.output) {
        (NodeStatus::Failed, failure, _) => Outcome::Failed(failure.unwrap_or_else(|| {
            Failure::new(
                ErrorKind::ExecutionError,
                "it failed, and why is not on record",
            )
        })),
        (NodeStatus::Skipped, _, None) => Outcome::Skipped,
        (status, _, output) => Outcome::Done {
            output: Arc::new(output.unwrap_or_default()),
            taken: kept.taken,
            status,
        },
    };
    (outcome, course)
}
