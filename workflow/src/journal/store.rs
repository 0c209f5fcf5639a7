//! The database of a journal: SQLite, whose log of what was committed survives the process and is cut to what is
//! whole when it is read again.
//!
//! ```text
//! runs     one row each: what was asked for
//! entries  what happened, by run and in order: `place` is the run's number, and in the lower half which entry of it
//! ```

use std::path::Path;
use std::time::Duration;

use floe_plugin_api::{ErrorKind, List, Value};
use rusqlite::{Connection, OptionalExtension, Row as Columns, TransactionBehavior, params};

use super::JournalError;
use super::encoding::{self, Encoded};
use super::record::{NodeRecord, RecordStatus, RunSummary, time};
use super::recording::{Begun, CalledBy};
use crate::run::{Failure, NodeStatus, RunStatus};
use crate::source::Format;

/// How many bits of a place are the entry's number.
const SHIFT: u32 = 32;

/// The last number of a run: after it there is another place.
const LAST: i64 = (1 << 31) - 1;

/// Why something cannot be read or written.
pub(super) enum Fault {
    Database(rusqlite::Error),
    Journal(JournalError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<JournalError> for Fault {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// What an entry tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The run begins, or goes on.
    Attempt = 0,
    /// A node begins.
    Began = 1,
    /// A node has ended.
    Ended = 2,
    /// A node was never begun: nothing led to it, or it is left out.
    Passed = 3,
    /// The run has ended.
    Over = 4,
}

/// An entry that is to be written.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) run: i64,
    pub(super) number: u32,
    pub(super) what: What,
    pub(super) at: i64,
    pub(super) node: Option<String>,
    pub(super) status: Option<&'static str>,
    pub(super) taken: Option<u32>,
    pub(super) attempts: Option<u32>,
    pub(super) took: Option<i64>,
    pub(super) recovered_by: Option<String>,
    pub(super) failure: Option<Vec<u8>>,
    pub(super) output: Option<Encoded>,
}

impl Row {
    pub(super) fn new(run: i64, number: u32, what: What) -> Self {
        Self {
            run,
            number,
            what,
            at: jiff::Timestamp::now().as_microsecond(),
            node: None,
            status: None,
            taken: None,
            attempts: None,
            took: None,
            recovered_by: None,
            failure: None,
            output: None,
        }
    }
}

/// A run's row, with how it stands.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) number: i64,
    pub(super) execution_id: String,
    pub(super) called_by: Option<String>,
    /// The node that called it.
    pub(super) node: Option<String>,
    pub(super) workflow: String,
    pub(super) version: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) user: String,
    pub(super) env: Vec<u8>,
    pub(super) keep_outputs: bool,
    pub(super) format: String,
    pub(super) file: Option<String>,
    pub(super) directories: Vec<u8>,
    pub(super) began: i64,
    pub(super) input: Vec<u8>,
    pub(super) text: String,
    /// Which attempt the last one is.
    pub(super) attempt: u32,
    /// How it ended, and when, if it did.
    pub(super) over: Option<(String, i64)>,
}

impl Run {
    pub(super) fn damaged(&self, found: impl Into<String>) -> JournalError {
        JournalError::Damaged {
            execution_id: self.execution_id.clone(),
            found: found.into(),
        }
    }

    pub(super) fn input(&self) -> Result<Value, JournalError> {
        encoding::decode(&self.input)
            .map_err(|error| self.damaged(format!("its input is no value: {error}")))
    }

    pub(super) fn env(&self) -> Result<Vec<String>, JournalError> {
        self.texts(&self.env, "variables")
    }

    /// Where those that it calls were looked for.
    pub(super) fn directories(&self) -> Result<Vec<String>, JournalError> {
        self.texts(&self.directories, "directories")
    }

    fn texts(&self, bytes: &[u8], what: &str) -> Result<Vec<String>, JournalError> {
        let texts = encoding::decode(bytes)
            .map_err(|error| self.damaged(format!("its {what} are no value: {error}")))?;
        let texts = texts.as_list().into_iter().flatten();
        Ok(texts
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect())
    }

    pub(super) fn format(&self) -> Result<Format, JournalError> {
        match self.format.as_str() {
            "json" => Ok(Format::Json),
            "yaml" => Ok(Format::Yaml),
            other => Err(self.damaged(format!("`{other}` is no format of workflows"))),
        }
    }

    /// How it ended, if it did.
    pub(super) fn over(&self) -> Result<Option<(RunStatus, i64)>, JournalError> {
        let Some((status, at)) = &self.over else {
            return Ok(None);
        };
        match RunStatus::of(status) {
            Some(status) => Ok(Some((status, *at))),
            None => Err(self.damaged(format!("`{status}` is no way to end"))),
        }
    }

    pub(super) fn into_summary(self, is_held: bool) -> RunSummary {
        let over = self.over();
        let status = match over {
            // Whoever goes on with it has said so.
            Ok(Some((status, _))) => RecordStatus::Ended(status),
            Ok(None) if is_held => RecordStatus::Running,
            Ok(None) => RecordStatus::Interrupted,
            // One that cannot be read hides no other.
            Err(_) => RecordStatus::Damaged,
        };
        RunSummary {
            began: time(self.began),
            ended: self.over.as_ref().map(|(_, at)| time(*at)),
            execution_id: self.execution_id,
            called_by: self.called_by,
            workflow: self.workflow,
            version: self.version,
            tenant: self.tenant,
            user: self.user,
            attempt: self.attempt,
            status,
        }
    }
}

/// What is on record of a node that has ended; its output is read when it is needed.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) place: i64,
    pub(super) status: NodeStatus,
    pub(super) taken: Option<u32>,
    pub(super) attempts: u32,
    pub(super) took: Duration,
    pub(super) recovered_by: Option<String>,
    pub(super) failure: Option<Failure>,
}

impl Ended {
    /// Whether nobody knows what it did: it was called off, was late, or crashed.
    pub(super) fn is_uncertain(&self) -> bool {
        let kind = self.failure.as_ref().map(|failure| failure.kind);
        self.status == NodeStatus::Cancelled
            || matches!(
                kind,
                Some(
                    ErrorKind::ExecutionTimeout
                        | ErrorKind::Cancelled
                        | ErrorKind::Panicked
                        | ErrorKind::Crashed
                )
            )
    }
}

/// What is on record of a run's nodes.
#[derive(Debug, Default)]
pub(super) struct History {
    /// What ended, in that order; a node that ended more than once is there as often.
    pub(super) ended: Vec<(String, Ended)>,
    /// What had begun and had not ended.
    pub(super) unfinished: Vec<String>,
    /// The number of the next entry.
    pub(super) next: u32,
}

/// Begins a run. Nobody sees it before it is held.
pub(super) fn begin<T>(
    db: &mut Connection,
    begun: &Begun<'_>,
    hold: impl FnOnce(i64) -> Result<T, JournalError>,
) -> Result<(i64, T), Fault> {
    let unfit = |why| JournalError::Unfit {
        node: "the run's input".to_owned(),
        why,
    };
    let input = encoding::encode(begun.input).map_err(unfit)?;
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = insert_run(&change, begun, &input)?;
    let held = hold(number)?;
    change.commit()?;
    Ok((number, held))
}

fn insert_run(db: &Connection, begun: &Begun<'_>, input: &[u8]) -> Result<i64, Fault> {
    let texts = |texts: &mut dyn Iterator<Item = &str>| {
        let list: List = texts.map(Value::from).collect();
        encoding::encode(&Value::List(list)).unwrap_or_default()
    };
    let format = match begun.format {
        Format::Yaml => "yaml",
        Format::Json => "json",
    };
    let mut insert = db.prepare_cached(
        "INSERT INTO runs (execution_id, called_by, node, item, workflow, version, tenant, user, \
         env, keep_outputs, format, file, directories, began, input, text) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let inserted = insert.insert(params![
        begun.execution_id,
        begun.called_by.map(|by| by.execution_id),
        begun.called_by.map(|by| by.node),
        begun.called_by.map(CalledBy::item_column),
        begun.workflow,
        begun.version,
        begun.tenant,
        begun.user,
        texts(&mut begun.env.iter().map(String::as_str)),
        begun.keep_outputs,
        format,
        begun.file.and_then(Path::to_str),
        texts(&mut begun.directories.iter().filter_map(|path| path.to_str())),
        begun.began.as_microsecond(),
        input,
        begun.text,
    ]);
    match inserted {
        Ok(number) => Ok(number),
        Err(rusqlite::Error::SqliteFailure(error, _))
            if error.code == rusqlite::ErrorCode::ConstraintViolation =>
        {
            Err(Fault::Journal(JournalError::Exists {
                execution_id: begun.execution_id.to_owned(),
            }))
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes entries, all or none.
pub(super) fn append<'r>(
    db: &mut Connection,
    rows: impl IntoIterator<Item = &'r Row>,
) -> rusqlite::Result<()> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut insert = change
            .prepare_cached("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
        for row in rows {
            let (output, sum) = match &row.output {
                Some(Encoded { bytes, sum }) => (Some(bytes), Some(&sum[..])),
                None => (None, None),
            };
            insert.execute(params![
                place(row.run, row.number),
                row.what as i32,
                row.at,
                row.node,
                row.status,
                row.taken,
                row.attempts,
                row.took,
                row.recovered_by,
                row.failure,
                sum,
                output,
            ])?;
        }
    }
    change.commit()
}

/// Of numbers that the database gives only such are taken as leave room for their entries.
fn place(run: i64, number: u32) -> i64 {
    (run.min(LAST) << SHIFT) | i64::from(number)
}

const RUN: &str = "SELECT number, execution_id, called_by, node, workflow, version, tenant, user, env, \
                   keep_outputs, format, file, directories, began, input, text FROM runs";

fn columns(row: &Columns<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        number: row.get::<_, i64>(0)?.clamp(0, LAST - 1),
        execution_id: row.get(1)?,
        called_by: row.get(2)?,
        node: row.get(3)?,
        workflow: row.get(4)?,
        version: row.get(5)?,
        tenant: row.get(6)?,
        user: row.get(7)?,
        env: row.get(8)?,
        keep_outputs: row.get(9)?,
        format: row.get(10)?,
        file: row.get(11)?,
        directories: row.get(12)?,
        began: row.get(13)?,
        input: row.get(14)?,
        text: row.get(15)?,
        attempt: 0,
        over: None,
    })
}

/// The last runs, without their texts and inputs: those that nobody called, or all.
pub(super) fn runs(db: &Connection, most: usize, called_too: bool) -> Result<Vec<Run>, Fault> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let query = RUN.replace("input, text", "x'', ''");
    let which = if called_too {
        ""
    } else {
        "WHERE called_by IS NULL"
    };
    let mut select = db.prepare_cached(&format!("{query} {which} ORDER BY number DESC LIMIT ?"))?;
    let found = select.query_map([most], columns)?;
    found
        .map(|run| stand(db, run?).map_err(Fault::from))
        .collect()
}

pub(super) fn run(db: &Connection, execution_id: &str) -> Result<Option<Run>, Fault> {
    let mut select = db.prepare_cached(&format!("{RUN} WHERE execution_id = ?"))?;
    let found = select.query_row([execution_id], columns).optional()?;
    Ok(found.map(|run| stand(db, run)).transpose()?)
}

/// The run that a node of a run called.
pub(super) fn called(db: &Connection, by: &CalledBy<'_>) -> Result<Option<Run>, Fault> {
    let mut select = db.prepare_cached(&format!(
        "{RUN} WHERE called_by = ? AND node = ? AND item = ?"
    ))?;
    let key = params![by.execution_id, by.node, by.item_column()];
    let found = select.query_row(key, columns).optional()?;
    Ok(found.map(|run| stand(db, run)).transpose()?)
}

/// All runs that a run called.
pub(super) fn all_called(db: &Connection, execution_id: &str) -> Result<Vec<Run>, Fault> {
    let mut select = db.prepare_cached(&format!("{RUN} WHERE called_by = ? ORDER BY number"))?;
    let found = select.query_map([execution_id], columns)?;
    found
        .map(|run| stand(db, run?).map_err(Fault::from))
        .collect()
}

/// The number of a run, and the run that called it.
pub(super) fn number(
    db: &Connection,
    execution_id: &str,
) -> rusqlite::Result<Option<(i64, Option<String>)>> {
    let mut select =
        db.prepare_cached("SELECT number, called_by FROM runs WHERE execution_id = ?")?;
    select
        .query_row([execution_id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// How a run stands: which attempt the last one is, and how that ended.
pub(super) fn stand(db: &Connection, mut run: Run) -> rusqlite::Result<Run> {
    let mut select = db.prepare_cached(
        "SELECT what, attempts, status, at FROM entries \
         WHERE place >= ? AND place < ? AND what IN (0, 4) ORDER BY place DESC LIMIT 1",
    )?;
    let bounds = [place(run.number, 0), place(run.number.saturating_add(1), 0)];
    let last: Option<(i32, u32, Option<String>, i64)> = select
        .query_row(bounds, |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    if let Some((what, attempt, status, at)) = last {
        run.attempt = attempt;
        if what == What::Over as i32 {
            run.over = Some((status.unwrap_or_default(), at));
        }
    }
    Ok(run)
}

const ENTRIES: &str = "SELECT place, what, at, node, status, taken, attempts, took, recovered_by, failure, \
                       length(output) FROM entries WHERE place >= ? AND place < ? ORDER BY place";

/// What became of a run's nodes.
pub(super) fn history(db: &Connection, run: &Run) -> Result<History, Fault> {
    let mut history = History::default();
    let mut select = db.prepare_cached(ENTRIES)?;
    let mut rows = select.query([place(run.number, 0), place(run.number.saturating_add(1), 0)])?;
    while let Some(row) = rows.next()? {
        let at: i64 = row.get(0)?;
        history.next = number_of(at).saturating_add(1);
        let what: i32 = row.get(1)?;
        if what == What::Began as i32 {
            let node: String = row.get(3)?;
            if !history.unfinished.contains(&node) {
                history.unfinished.push(node);
            }
        } else if what == What::Ended as i32 {
            let node: String = row.get(3)?;
            history.unfinished.retain(|begun| *begun != node);
            let ended = ended(row).map_err(|found| run.damaged(found))?;
            history.ended.push((node, ended));
        }
    }
    Ok(history)
}

fn number_of(place: i64) -> u32 {
    u32::try_from(place & i64::from(u32::MAX)).unwrap_or(u32::MAX)
}

fn ended(row: &Columns<'_>) -> Result<Ended, String> {
    let read = || -> rusqlite::Result<_> {
        let status: String = row.get(4)?;
        let failure: Option<Vec<u8>> = row.get(9)?;
        let took: i64 = row.get(7)?;
        Ok((
            status,
            failure,
            Ended {
                place: row.get(0)?,
                status: NodeStatus::NotRun,
                taken: row.get(5)?,
                attempts: row.get(6)?,
                took: Duration::from_nanos(took.unsigned_abs()),
                recovered_by: row.get(8)?,
                failure: None,
            },
        ))
    };
    let (status, failure, mut ended) = read().map_err(|error| error.to_string())?;
    ended.status =
        NodeStatus::of(&status).ok_or_else(|| format!("`{status}` is no status of a node"))?;
    ended.failure = match failure {
        Some(bytes) => Some(encoding::failure_of(&encoding::decode(&bytes)?)),
        None => None,
    };
    Ok(ended)
}

/// What a node gave, as it is on record; it is looked at without the database.
pub(super) fn output(db: &Connection, place: i64) -> rusqlite::Result<Option<Output>> {
    let mut select = db.prepare_cached("SELECT output, sum FROM entries WHERE place = ?")?;
    select.query_row([place], |row| {
        let bytes: Option<Vec<u8>> = row.get(0)?;
        let sum: Option<Vec<u8>> = row.get(1)?;
        Ok(bytes.map(|bytes| Output { bytes, sum }))
    })
}

/// What a node gave, as bytes that nobody has looked at.
pub(super) struct Output {
    bytes: Vec<u8>,
    sum: Option<Vec<u8>>,
}

impl Output {
    /// The value, if it is what was written.
    pub(super) fn open(&self, execution_id: &str, node: &str) -> Result<Value, JournalError> {
        let damaged = |found: String| JournalError::Damaged {
            execution_id: execution_id.to_owned(),
            found,
        };
        if self.sum.as_deref() != Some(&encoding::sum(&self.bytes)[..]) {
            let found = format!("what `{node}` gave is not what its digest says");
            return Err(damaged(found));
        }
        encoding::decode(&self.bytes)
            .map_err(|error| damaged(format!("what `{node}` gave is no value: {error}")))
    }
}

/// The timeline of a run.
pub(super) fn nodes(db: &Connection, run: &Run) -> Result<Vec<NodeRecord>, Fault> {
    let mut nodes: Vec<NodeRecord> = Vec::new();
    let mut places = std::collections::HashMap::new();
    let mut select = db.prepare_cached(ENTRIES)?;
    let mut rows = select.query([place(run.number, 0), place(run.number.saturating_add(1), 0)])?;
    while let Some(row) = rows.next()? {
        let (what, at): (i32, i64) = (row.get(1)?, row.get(2)?);
        let Some(id) = row.get::<_, Option<String>>(3)? else {
            continue;
        };
        let index = *places.entry(id.clone()).or_insert_with(|| {
            nodes.push(NodeRecord::new(id));
            nodes.len() - 1
        });
        let node = &mut nodes[index];
        if what == What::Began as i32 {
            node.begin(time(at));
        } else if what == What::Passed as i32 {
            let status: Option<String> = row.get(4)?;
            node.status = status.as_deref().and_then(NodeStatus::of);
        } else if what == What::Ended as i32 {
            let ended = ended(row).map_err(|found| run.damaged(found))?;
            let bytes: Option<i64> = row.get(10)?;
            node.end(time(at), ended, bytes.map(i64::unsigned_abs));
        }
    }
    Ok(nodes)
}

/// The place of the last that a node gave.
pub(super) fn last_output(db: &Connection, run: i64, node: &str) -> rusqlite::Result<Option<i64>> {
    let mut select = db.prepare_cached(
        "SELECT place FROM entries WHERE place >= ? AND place < ? AND what = 2 AND node = ? \
         ORDER BY place DESC LIMIT 1",
    )?;
    let bounds = (place(run, 0), place(run.saturating_add(1), 0), node);
    select.query_row(bounds, |row| row.get(0)).optional()
}

/// The names of the runs that nobody called and that began before a time, in microseconds.
pub(super) fn before(db: &Connection, time: i64) -> rusqlite::Result<Vec<String>> {
    let mut select =
        db.prepare_cached("SELECT execution_id FROM runs WHERE began < ? AND called_by IS NULL")?;
    let found = select.query_map([time], |row| row.get(0))?;
    found.collect()
}

/// The runs that one called, and those that they called, with it: numbers and names.
pub(super) fn family(db: &Connection, execution_id: &str) -> rusqlite::Result<Vec<(i64, String)>> {
    let mut select = db.prepare_cached(
        "WITH RECURSIVE family(number, execution_id) AS ( \
             SELECT number, execution_id FROM runs WHERE execution_id = ? \
             UNION SELECT runs.number, runs.execution_id FROM runs \
             JOIN family ON runs.called_by = family.execution_id) \
         SELECT number, execution_id FROM family",
    )?;
    let found = select.query_map([execution_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    found.collect()
}

/// Takes runs out.
pub(super) fn forget(db: &mut Connection, runs: &[i64]) -> rusqlite::Result<()> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for &run in runs {
        let bounds = [place(run, 0), place(run.saturating_add(1), 0)];
        change.execute("DELETE FROM entries WHERE place >= ? AND place < ?", bounds)?;
        change.execute("DELETE FROM runs WHERE number = ?", [run])?;
    }
    change.commit()
}

/// Gives back to the system what was taken out. Who reads meanwhile has it wait for another time.
pub(super) fn shrink(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch("PRAGMA incremental_vacuum")?;
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Whether another process, or thread, writes meanwhile.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(
        error,
        rusqlite::Error::SqliteFailure(error, _) if matches!(error.code, DatabaseBusy | DatabaseLocked)
    )
}
