//! A run that is put on record.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use floe_plugin_api::Value;
use jiff::Timestamp;

use super::store::{self, Ended, Row, Run, What};
pub(crate) use super::writer::Ticket;
use super::{Journal, JournalError, Lease, encoding};
use crate::run::{Failure, NodeStatus, RunStatus};
use crate::source::Format;

/// What a new run is.
pub(crate) struct Begun<'a> {
    pub(crate) execution_id: &'a str,
    /// The run that called it.
    pub(crate) called_by: Option<&'a str>,
    pub(crate) workflow: &'a str,
    pub(crate) version: Option<&'a str>,
    pub(crate) text: &'a str,
    pub(crate) format: Format,
    /// Where it was read from.
    pub(crate) file: Option<&'a Path>,
    pub(crate) input: &'a Value,
    pub(crate) tenant: Option<&'a str>,
    pub(crate) user: &'a str,
    pub(crate) env: &'a [String],
    pub(crate) keep_outputs: bool,
    pub(crate) began: Timestamp,
}

/// A run that was cut off, failed or was stopped, and can go on. Nobody else can take it up meanwhile.
#[derive(Debug)]
pub struct Interrupted {
    journal: Journal,
    lease: Lease,
    run: Run,
    past: Past,
    unfinished: Vec<String>,
    input: Value,
    env: Vec<String>,
    format: Format,
}

impl Interrupted {
    pub(super) fn new(journal: Journal, lease: Lease, run: Run) -> Result<Self, JournalError> {
        let history = journal.0.writer.with(|db| store::history(db, &run))?;
        let mut past = Past {
            attempt: run.attempt,
            next: history.next,
            began: Some(super::record::time(run.began)),
            ended: HashMap::new(),
        };
        for (node, ended) in history.ended {
            // What is there of it last is what counts.
            past.ended.insert(node, ended);
        }
        Ok(Self {
            input: run.input()?,
            env: run.env()?,
            format: run.format()?,
            unfinished: history.unfinished,
            journal,
            lease,
            run,
            past,
        })
    }

    /// What the run is called by.
    #[must_use]
    pub fn execution_id(&self) -> &str {
        &self.run.execution_id
    }

    /// The id of its workflow.
    #[must_use]
    pub fn workflow(&self) -> &str {
        &self.run.workflow
    }

    /// The text of its workflow, as it was begun with.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.run.text
    }

    /// The format of that text.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The file that it was read from, where that is known. What is there now may be another text.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.run.file.as_deref().map(Path::new)
    }

    /// What it was given.
    #[must_use]
    pub const fn input(&self) -> &Value {
        &self.input
    }

    /// On whose behalf it was begun, where that was said.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.run.tenant.as_deref()
    }

    /// Who began it.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.run.user
    }

    /// The variables of the environment that its expressions may read.
    #[must_use]
    pub fn env(&self) -> &[String] {
        &self.env
    }

    /// The run that called it, where one did.
    #[must_use]
    pub fn called_by(&self) -> Option<&str> {
        self.run.called_by.as_deref()
    }

    pub(crate) const fn keeps_outputs(&self) -> bool {
        self.run.keep_outputs
    }

    /// The nodes that had begun and not ended when it was cut off. What they did until then is not known, and they
    /// are called again.
    #[must_use]
    pub fn unfinished(&self) -> &[String] {
        &self.unfinished
    }

    pub(crate) fn into_recording(self) -> Result<Recording, JournalError> {
        let Self {
            journal,
            lease,
            run,
            past,
            ..
        } = self;
        let recording = Recording::new(journal, lease, run.number, past);
        recording.begin_attempt()?;
        Ok(recording)
    }
}

/// What there was of a run before.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// Which attempt the last one was.
    pub(super) attempt: u32,
    pub(super) next: u32,
    /// When it was begun first.
    pub(crate) began: Option<Timestamp>,
    ended: HashMap<String, Ended>,
}

/// What is on record of a node that counts as ended.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) status: NodeStatus,
    pub(crate) taken: Option<u32>,
    pub(crate) attempts: u32,
    pub(crate) took: Duration,
    pub(crate) recovered_by: Option<String>,
    pub(crate) failure: Option<Failure>,
    pub(crate) output: Option<Value>,
}

/// How a node has ended.
pub(crate) struct NodeEnd<'a> {
    pub(crate) node: &'a str,
    pub(crate) status: NodeStatus,
    pub(crate) taken: Option<u32>,
    pub(crate) attempts: u32,
    pub(crate) took: Duration,
    pub(crate) recovered_by: Option<&'a str>,
    pub(crate) failure: Option<&'a Failure>,
    /// What it gave, [as bytes](Recording::encode).
    pub(crate) output: Option<Vec<u8>>,
}

/// A run that is put on record. Nobody else can run it meanwhile.
#[derive(Debug)]
pub(crate) struct Recording {
    journal: Journal,
    _lease: Lease,
    run: i64,
    next: AtomicU32,
    past: Past,
}

impl Recording {
    pub(super) fn new(journal: Journal, lease: Lease, run: i64, past: Past) -> Self {
        Self {
            next: AtomicU32::new(past.next),
            journal,
            _lease: lease,
            run,
            past,
        }
    }

    pub(super) fn begin_attempt(&self) -> Result<(), JournalError> {
        let mut row = self.row(What::Attempt);
        row.attempts = Some(self.attempt());
        self.settle(self.journal.note(row))
    }

    /// Which attempt this one is.
    pub(crate) const fn attempt(&self) -> u32 {
        self.past.attempt + 1
    }

    /// What there was of it before.
    pub(crate) const fn past(&self) -> &Past {
        &self.past
    }

    /// The journal that it is put into.
    pub(crate) const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What is on record of a node; nothing where that has to be done again: it did not end, or it ended so that the
    /// run could not go on.
    pub(crate) fn kept(
        &self,
        execution_id: &str,
        node: &str,
        has_stopped_run: impl FnOnce(NodeStatus) -> bool,
    ) -> Result<Option<Kept>, JournalError> {
        let Some(ended) = self.past.ended.get(node) else {
            return Ok(None);
        };
        if has_stopped_run(ended.status) {
            return Ok(None);
        }
        let output = (self.journal.0.writer)
            .with(|db| store::output(db, ended.place, execution_id, node))?;
        Ok(Some(Kept {
            status: ended.status,
            taken: ended.taken,
            attempts: ended.attempts,
            took: ended.took,
            recovered_by: ended.recovered_by.clone(),
            failure: ended.failure.clone(),
            output,
        }))
    }

    /// What a node gave, as bytes.
    pub(crate) fn encode(node: &str, output: &Value) -> Result<Vec<u8>, Arc<JournalError>> {
        encoding::encode(output).map_err(|why| {
            Arc::new(JournalError::Unfit {
                node: node.to_owned(),
                why,
            })
        })
    }

    /// Takes note that a node begins.
    pub(crate) fn began(&self, node: &str) -> Ticket {
        let mut row = self.row(What::Began);
        row.node = Some(node.to_owned());
        self.journal.note(row)
    }

    /// Takes note of how a node ended.
    pub(crate) fn ended(&self, end: NodeEnd<'_>) -> Ticket {
        let mut row = self.row(What::Ended);
        row.node = Some(end.node.to_owned());
        row.status = Some(end.status.as_str());
        row.taken = end.taken;
        row.attempts = Some(end.attempts);
        row.took = Some(i64::try_from(end.took.as_nanos()).unwrap_or(i64::MAX));
        row.recovered_by = end.recovered_by.map(str::to_owned);
        row.output = end.output;
        row.failure = end.failure.map(|failure| {
            let value = encoding::failure_to_value(failure);
            encoding::encode(&value).unwrap_or_default()
        });
        self.journal.note(row)
    }

    /// Takes note of a node that was never begun.
    pub(crate) fn passed(&self, node: &str, status: NodeStatus) -> Ticket {
        let mut row = self.row(What::Passed);
        row.node = Some(node.to_owned());
        row.status = Some(status.as_str());
        self.journal.note(row)
    }

    /// Takes note of how the run ended.
    pub(crate) fn over(&self, status: RunStatus) -> Ticket {
        let mut row = self.row(What::Over);
        row.attempts = Some(self.attempt());
        row.status = Some(status.as_str());
        self.journal.note(row)
    }

    /// Comes back when what was noted is on record.
    pub(crate) fn settle(&self, ticket: Ticket) -> Result<(), JournalError> {
        self.journal.0.writer.settle(ticket, self.run)
    }

    fn row(&self, what: What) -> Row {
        Row::new(self.run, self.next.fetch_add(1, Ordering::Relaxed), what)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.journal.0.writer.leave(self.run);
    }
}
