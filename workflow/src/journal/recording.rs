//! A run that is put on record.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use floe_plugin_api::Value;
use jiff::Timestamp;

use super::store::{self, Ended, Row, Run, What};
pub(crate) use super::writer::Ticket;
use super::{Encoded, Journal, JournalError, Lease, encoding};
use crate::document::{Node, OnError};
use crate::run::{Failure, NodeStatus, RunStatus};
use crate::source::Format;
use crate::validate::Checked;

/// What a new run is.
pub(crate) struct Begun<'a> {
    pub(crate) execution_id: &'a str,
    /// What called it.
    pub(crate) called_by: Option<&'a CalledBy<'a>>,
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
    /// Where those that it calls were looked for.
    pub(crate) directories: &'a [PathBuf],
    pub(crate) keep_outputs: bool,
    pub(crate) began: Timestamp,
}

/// What called a run: a node of another one, for an item where it does so for each of a list.
pub(crate) struct CalledBy<'a> {
    pub(crate) execution_id: &'a str,
    pub(crate) node: &'a str,
    pub(crate) item: Option<usize>,
}

impl CalledBy<'_> {
    /// The item as the database has it; one below the first for none.
    pub(super) fn item_column(&self) -> i64 {
        match self.item {
            Some(item) => i64::try_from(item).unwrap_or(i64::MAX),
            None => -1,
        }
    }
}

/// A node that is called again when a run goes on, though it may have done what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repeated {
    /// The run that it is of: the one that goes on, or one that it called.
    pub execution_id: String,
    /// Its id.
    pub node: String,
    /// What it calls.
    pub node_type: String,
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
    directories: Vec<PathBuf>,
    format: Format,
}

impl Interrupted {
    pub(super) fn new(journal: Journal, lease: Lease, run: Run) -> Result<Self, JournalError> {
        let (unfinished, past) = Past::of(&journal, &run)?;
        Ok(Self {
            input: run.input()?,
            env: run.env()?,
            directories: run.directories()?.into_iter().map(PathBuf::from).collect(),
            format: run.format()?,
            unfinished,
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

    /// Where those that it calls were looked for, as far as that is on record.
    #[must_use]
    pub fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    pub(crate) const fn keeps_outputs(&self) -> bool {
        self.run.keep_outputs
    }

    /// The nodes that are called again though they may have done what they do: those that had begun and not ended,
    /// that were called off, that were late or that crashed. Of runs that it called, too.
    ///
    /// # Errors
    ///
    /// What is on record is damaged, or cannot be read.
    pub fn repeated(&self, checked: &Checked) -> Result<Vec<Repeated>, JournalError> {
        let mut repeated = Vec::new();
        let own = (self.unfinished.as_slice(), &self.past);
        self.repeated_of(&self.run, own, checked, &mut repeated)?;
        Ok(repeated)
    }

    fn repeated_of(
        &self,
        run: &Run,
        (unfinished, past): (&[String], &Past),
        checked: &Checked,
        repeated: &mut Vec<Repeated>,
    ) -> Result<(), JournalError> {
        let ask = |which: &str| self.journal.ask(|db| store::all_called(db, which));
        let called = match checked.calls().is_empty() {
            true => Vec::new(),
            false => ask(&run.execution_id)?,
        };
        for (index, node) in checked.workflow().nodes.iter().enumerate() {
            let ended = past.ended.get(&node.id);
            let may_have_acted = unfinished.contains(&node.id)
                || ended.is_some_and(|ended| ended.is_uncertain() && is_redone(ended.status, node));
            let goes_on =
                may_have_acted || ended.is_some_and(|ended| is_redone(ended.status, node));
            match checked.calls().get(&index) {
                // Those that it called go on themselves.
                Some(callee) if goes_on => {
                    let own = called
                        .iter()
                        .filter(|run| run.node.as_deref() == Some(node.id.as_str()));
                    for run in own {
                        let (unfinished, past) = Past::of(&self.journal, run)?;
                        self.repeated_of(run, (&unfinished, &past), callee, repeated)?;
                    }
                }
                None if may_have_acted => repeated.push(Repeated {
                    execution_id: run.execution_id.clone(),
                    node: node.id.clone(),
                    node_type: node.node_type.clone(),
                }),
                _ => {}
            }
        }
        Ok(())
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

impl Past {
    /// What there was of a run, and what had begun of it and not ended.
    fn of(journal: &Journal, run: &Run) -> Result<(Vec<String>, Self), JournalError> {
        let history = journal.ask(|db| store::history(db, run))?;
        let past = Self {
            attempt: run.attempt,
            next: history.next,
            began: Some(super::record::time(run.began)),
            // What is there of a node last is what counts.
            ended: history.ended.into_iter().collect(),
        };
        Ok((history.unfinished, past))
    }
}

/// Whether a node that has ended so is run again when its run goes on: it was called off, or ended the run.
pub(crate) fn is_redone(status: NodeStatus, node: &Node) -> bool {
    match status {
        NodeStatus::Cancelled | NodeStatus::NotRun => true,
        NodeStatus::Failed => node.on_error == OnError::Stop,
        _ => false,
    }
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
    pub(crate) output: Option<Encoded>,
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
        self.past.attempt.saturating_add(1)
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
        node: &Node,
    ) -> Result<Option<Kept>, JournalError> {
        let Some(ended) = self.past.ended.get(&node.id) else {
            return Ok(None);
        };
        if is_redone(ended.status, node) {
            return Ok(None);
        }
        let found = self.journal.ask(|db| Ok(store::output(db, ended.place)?))?;
        let output = found.map(|output| output.open(execution_id, &node.id));
        Ok(Some(Kept {
            status: ended.status,
            taken: ended.taken,
            attempts: ended.attempts,
            took: ended.took,
            recovered_by: ended.recovered_by.clone(),
            failure: ended.failure.clone(),
            output: output.transpose()?,
        }))
    }

    /// What a node gave, as bytes.
    pub(crate) fn encode(node: &str, output: &Value) -> Result<Encoded, Arc<JournalError>> {
        Encoded::of(output).map_err(|why| {
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
