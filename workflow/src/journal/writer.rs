//! Entries on their way into the database.
//!
//! Whoever needs its entries there writes all that wait, those of other threads with them: so that what takes long,
//! a transaction, is made once for all who came meanwhile.

use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::path::PathBuf;

use parking_lot::Mutex;
use rusqlite::Connection;

use super::JournalError;
use super::store::{self, Fault, Row, is_busy};

/// Which entry has to be there: this one and all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

pub(super) struct Writer {
    file: PathBuf,
    /// Taken before `waiting` by who takes both.
    open: Mutex<Open>,
    waiting: Mutex<Waiting>,
}

struct Open {
    db: Connection,
    /// How many entries are dealt with.
    written: u64,
    /// Why the entries of some runs are not there.
    refused: HashMap<i64, String>,
}

#[derive(Default)]
struct Waiting {
    rows: Vec<Row>,
    /// How many entries there were, all in all.
    noted: u64,
}

impl Writer {
    pub(super) fn new(db: Connection, file: PathBuf) -> Self {
        Self {
            file,
            open: Mutex::new(Open {
                db,
                written: 0,
                refused: HashMap::new(),
            }),
            waiting: Mutex::default(),
        }
    }

    /// Adds an entry to those that wait. They are written in the order in which they were noted.
    pub(super) fn note(&self, row: Row) -> Ticket {
        let mut waiting = self.waiting.lock();
        waiting.rows.push(row);
        waiting.noted += 1;
        Ticket(waiting.noted)
    }

    /// Comes back when an entry of a run and all before it are written.
    pub(super) fn settle(&self, ticket: Ticket, run: i64) -> Result<(), JournalError> {
        let mut open = self.open.lock();
        if open.written < ticket.0 {
            let (rows, noted) = {
                let mut waiting = self.waiting.lock();
                (mem::take(&mut waiting.rows), waiting.noted)
            };
            open.write(&rows);
            open.written = noted;
        }
        match open.refused.get(&run) {
            None => Ok(()),
            Some(why) => Err(JournalError::Unwritten {
                file: self.file.clone(),
                why: why.clone(),
            }),
        }
    }

    /// Forgets why a run's entries are not there: it has ended.
    pub(super) fn leave(&self, run: i64) {
        self.open.lock().refused.remove(&run);
    }

    /// Asks the database, or changes what is no entry.
    pub(super) fn with<T>(
        &self,
        ask: impl FnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, JournalError> {
        ask(&mut self.open.lock().db).map_err(|fault| match fault {
            Fault::Journal(error) => error,
            Fault::Database(source) => JournalError::Database {
                file: self.file.clone(),
                source,
            },
        })
    }
}

impl Open {
    /// Writes entries. After one that cannot be written, no other of its run is: what is on record has no holes.
    fn write(&mut self, rows: &[Row]) {
        let wanted = rows
            .iter()
            .filter(|row| !self.refused.contains_key(&row.run));
        let Err(error) = store::append(&mut self.db, wanted) else {
            return;
        };
        if is_busy(&error) {
            // It would be busy for each of them.
            for row in rows {
                self.refused.insert(row.run, error.to_string());
            }
            return;
        }
        for row in rows {
            if self.refused.contains_key(&row.run) {
                continue;
            }
            if let Err(error) = store::append(&mut self.db, [row]) {
                self.refused.insert(row.run, error.to_string());
            }
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
