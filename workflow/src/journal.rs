//! What is put on record of runs, so that one that was cut off can go on.
//!
//! - `lease` sees to it that one process at a time runs a run.
//! - `open` makes or finds the database and its tables; `store` is what is written and read of them.
//! - `writer` puts entries there, those of several threads at once.
//! - `recording` is one run that is put on record; `record` is what was.
//! - `encoding` is a value as bytes.
//!
//! Entries are added and never changed. Each is with the system before what it tells of has consequences: that a node
//! has begun, before it is called; that it has ended, before a node that comes after it begins.

mod encoding;
mod error;
mod lease;
mod open;
mod record;
mod recording;
mod store;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use floe_plugin_api::Value;
use jiff::Timestamp;
use rusqlite::Connection;

pub(crate) use self::encoding::Encoded;
pub use self::error::JournalError;
use self::lease::Lease;
pub use self::record::{NodeRecord, RecordStatus, RunRecord, RunSummary};
pub(crate) use self::recording::{Begun, CalledBy, Kept, NodeEnd, Past, Recording, Ticket};
pub use self::recording::{Interrupted, Repeated};
use self::store::{Fault, Row};
use self::writer::Writer;
use crate::run::RunStatus;

/// When what is written is also on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalSync {
    /// From time to time. The end of the process, however sudden, loses nothing; a failure of power may lose the
    /// last entries, and leaves a journal that can be read.
    #[default]
    Checkpoint,
    /// Before each consequence: a failure of power loses nothing either. Some milliseconds for each node, or
    /// for several that end at once.
    Always,
}

/// Where runs are put on record, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalSettings {
    /// The directory. It is made where it is not there, and is its owner's alone.
    pub directory: PathBuf,
    /// When what is written is also on the disk.
    pub sync: JournalSync,
    /// How long it is waited for another process that writes; a minute by default. All runs of the journal in this
    /// process wait together.
    pub patience: Duration,
}

impl JournalSettings {
    /// A journal in a directory.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            sync: JournalSync::default(),
            patience: Duration::from_secs(60),
        }
    }

    /// Sets how long it is waited for another process that writes.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets when what is written is also on the disk.
    #[must_use]
    pub const fn sync(mut self, sync: JournalSync) -> Self {
        self.sync = sync;
        self
    }
}

/// Runs that are put on record. Clones are the same journal; several processes may have one open.
///
/// What nodes are given and give is in it as it is, also what is secret of it: its files are readable for their
/// owner alone.
///
/// ```
/// use floe_registry::api::Value;
/// use floe_registry::Registry;
/// use floe_workflow::{
///     Document, Format, Journal, JournalSettings, Limits, RunOptions, Runner, Validator,
/// };
///
/// # let directory = std::env::temp_dir().join(format!("floe-doc-journal-{}", std::process::id()));
/// let journal = Journal::open(&JournalSettings::new(&directory))?;
/// let text = "{ id: greet, nodes: [{ id: end, node_type: noop }] }";
/// let document = Document::read(text, Format::Yaml, &Limits::default())?;
/// let registry = Registry::builder().build()?;
/// let checked = Validator::new(registry.clone()).validate(document)?;
/// let options = RunOptions::new().execution_id("first");
/// Runner::new(registry, checked).record(Value::Null, &options, &journal)?;
/// assert_eq!(journal.run("first")?.nodes[0].id, "end");
/// # drop(journal);
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    writer: Writer,
}

impl Journal {
    /// Opens a journal; one that is not there is begun.
    ///
    /// # Errors
    ///
    /// The directory or the database in it cannot be used, or the database is none of this program's.
    pub fn open(settings: &JournalSettings) -> Result<Self, JournalError> {
        let connection = open::open(settings)?;
        Ok(Self(Arc::new(Inner {
            directory: settings.directory.clone(),
            writer: Writer::new(connection, open::file(&settings.directory)),
        })))
    }

    /// Opens a journal that is there; nothing where none is.
    ///
    /// # Errors
    ///
    /// As [`Journal::open`].
    pub fn find(settings: &JournalSettings) -> Result<Option<Self>, JournalError> {
        match open::file(&settings.directory).try_exists() {
            Ok(false) => Ok(None),
            Ok(true) => Self::open(settings).map(Some),
            Err(source) => Err(JournalError::Directory {
                directory: settings.directory.clone(),
                source,
            }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// The last runs that no other run called, the newest first.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub fn runs(&self, most: usize) -> Result<Vec<RunSummary>, JournalError> {
        self.list(most, false)
    }

    /// The last runs, those that others called among them, the newest first.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub fn all_runs(&self, most: usize) -> Result<Vec<RunSummary>, JournalError> {
        self.list(most, true)
    }

    fn list(&self, most: usize, called_too: bool) -> Result<Vec<RunSummary>, JournalError> {
        let found = self.ask(|db| store::runs(db, most, called_too))?;
        found.into_iter().map(|run| self.summary(run)).collect()
    }

    /// All that is on record of a run, but for what its nodes gave.
    ///
    /// # Errors
    ///
    /// There is no such run, what is on record of it is damaged, or the database cannot be read.
    pub fn run(&self, execution_id: &str) -> Result<RunRecord, JournalError> {
        let run = self.lookup(execution_id)?;
        let nodes = self.ask(|db| store::nodes(db, &run))?;
        Ok(RunRecord {
            input: run.input()?,
            text: run.text.clone(),
            format: run.format()?,
            summary: self.summary(run)?,
            nodes,
        })
    }

    /// What a node of a run gave; nothing where it did not end, or gave nothing.
    ///
    /// # Errors
    ///
    /// There is no such run, what is on record is damaged, or the database cannot be read.
    pub fn output(&self, execution_id: &str, node: &str) -> Result<Option<Value>, JournalError> {
        let run = self.lookup(execution_id)?;
        let found = self.ask(|db| match store::last_output(db, run.number, node)? {
            Some(place) => Ok(store::output(db, place)?),
            None => Ok(None),
        })?;
        let value = found.map(|output| output.open(execution_id, node));
        value.transpose()
    }

    /// Takes up a run that was cut off, failed or was stopped. Nobody else can, as long as it is held. One that
    /// another run called goes on with that one.
    ///
    /// # Errors
    ///
    /// There is no such run, it ended well, another run called it, somebody runs it, or the database cannot be read.
    pub fn interrupted(&self, execution_id: &str) -> Result<Interrupted, JournalError> {
        let run = self.lookup(execution_id)?;
        if let Some(called_by) = run.called_by {
            return Err(JournalError::Called {
                execution_id: run.execution_id,
                called_by,
            });
        }
        let lease = self.lease(run.number, execution_id)?;
        // What happened before the lease was had.
        let run = self.lookup(execution_id)?;
        if let Some((RunStatus::Success, _)) = run.over()? {
            return Err(JournalError::Ended {
                execution_id: run.execution_id,
            });
        }
        Interrupted::new(self.clone(), lease, run)
    }

    /// Takes a run out, with the runs that it called; tells how many. Nothing that runs is taken out.
    ///
    /// # Errors
    ///
    /// There is no such run, another run called it, one of them runs, or the database cannot be written.
    pub fn forget(&self, execution_id: &str) -> Result<usize, JournalError> {
        let count = self.take_out(execution_id)?;
        self.ask(|db| Ok(store::shrink(db)?))?;
        Ok(count)
    }

    /// Takes out all runs that began before a time and do not run now, with the runs that they called; tells how
    /// many.
    ///
    /// # Errors
    ///
    /// The database cannot be written.
    pub fn forget_before(&self, time: Timestamp) -> Result<usize, JournalError> {
        let time = time.as_microsecond();
        let mut forgotten = 0;
        for id in self.ask(|db| Ok(store::before(db, time)?))? {
            match self.take_out(&id) {
                Ok(count) => forgotten += count,
                // It runs, or another process took it out.
                Err(JournalError::Held { .. } | JournalError::Unknown { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.ask(|db| Ok(store::shrink(db)?))?;
        Ok(forgotten)
    }

    /// Whoever has the lease of a run has those that it called with it: nobody else takes one of them up.
    fn take_out(&self, execution_id: &str) -> Result<usize, JournalError> {
        let found = self.ask(|db| Ok(store::number(db, execution_id)?))?;
        let Some((number, called_by)) = found else {
            return Err(self.unknown(execution_id)?);
        };
        if let Some(called_by) = called_by {
            return Err(JournalError::Called {
                execution_id: execution_id.to_owned(),
                called_by,
            });
        }
        let _lease = self.lease(number, execution_id)?;
        self.ask(|db| {
            let family = store::family(db, execution_id)?;
            let numbers: Vec<i64> = family.iter().map(|(number, _)| *number).collect();
            store::forget(db, &numbers)?;
            Ok(numbers.len())
        })
    }

    /// Begins a new run.
    pub(crate) fn begin(&self, begun: &Begun<'_>) -> Result<Recording, JournalError> {
        if begun.called_by.is_none() {
            JournalError::check_name(begun.execution_id)?;
        }
        let hold = |number| self.lease(number, begun.execution_id);
        let (number, lease) = self.ask(|db| store::begin(db, begun, hold))?;
        let recording = Recording::new(self.clone(), lease, number, Past::default());
        recording.begin_attempt()?;
        Ok(recording)
    }

    /// Begins a run that another one calls, or goes on with it where it is on record already; with what it was begun
    /// with, if so.
    pub(crate) fn take_up(
        &self,
        begun: &Begun<'_>,
        by: &CalledBy<'_>,
    ) -> Result<(Recording, Option<Value>), JournalError> {
        let Some(run) = self.ask(|db| store::called(db, by))? else {
            return Ok((self.begin(begun)?, None));
        };
        if run.text != begun.text {
            return Err(JournalError::OtherWorkflow {
                execution_id: run.execution_id,
                workflow: run.workflow,
            });
        }
        let lease = self.lease(run.number, begun.execution_id)?;
        // One that ended well gives what it gave.
        let interrupted = Interrupted::new(self.clone(), lease, run)?;
        let input = interrupted.input().clone();
        Ok((interrupted.into_recording()?, Some(input)))
    }

    fn ask<T>(
        &self,
        ask: impl FnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, JournalError> {
        self.0.writer.with(ask)
    }

    fn lookup(&self, execution_id: &str) -> Result<store::Run, JournalError> {
        match self.ask(|db| store::run(db, execution_id))? {
            Some(run) => Ok(run),
            None => Err(self.unknown(execution_id)?),
        }
    }

    /// Says that there is no such run.
    fn unknown(&self, execution_id: &str) -> Result<JournalError, JournalError> {
        let known = self.ask(|db| store::runs(db, 1000, true))?;
        Ok(JournalError::Unknown {
            execution_id: execution_id.to_owned(),
            known: known.into_iter().map(|run| run.execution_id).collect(),
        })
    }

    fn lease(&self, number: i64, execution_id: &str) -> Result<Lease, JournalError> {
        let lease =
            Lease::take(&self.0.directory, number).map_err(|source| JournalError::Directory {
                directory: self.0.directory.clone(),
                source,
            })?;
        lease.ok_or_else(|| JournalError::Held {
            execution_id: execution_id.to_owned(),
        })
    }

    fn summary(&self, mut run: store::Run) -> Result<RunSummary, JournalError> {
        let is_held = run.over.is_none() && Lease::is_held(&self.0.directory, run.number);
        if run.over.is_none() && !is_held {
            // It may have ended since it was looked at.
            run = self.ask(|db| Ok(store::stand(db, run)?))?;
        }
        Ok(run.into_summary(is_held))
    }

    fn note(&self, row: Row) -> Ticket {
        self.0.writer.note(row)
    }
}
