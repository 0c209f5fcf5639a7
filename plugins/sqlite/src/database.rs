//! The connections of an instance: who may use which, until when, and for what.
//!
//! There is one connection that writes, used by one call at a time. A file is read through connections
//! of its own, one for each call that reads at the moment, which SQLite's write-ahead log lets read
//! while another writes. A database in memory has the one connection only.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use floe_plugin_api::{CallContext, CallWatch, Error, ErrorKind, Result};
use parking_lot::{Mutex, MutexGuard};
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, OpenFlags, Statement};

use crate::failure;

/// How long a statement waits for another process that has locked the file.
const BUSY: Duration = Duration::from_secs(5);

/// How long a call waits for the connection that writes before it looks whether its caller still does.
const TURN: Duration = Duration::from_millis(50);

/// How many steps of SQLite's machine lie between two looks at the call: well below 1 ms.
const STEPS_BETWEEN_CHECKS: i32 = 5_000;

/// How many connections that read are kept while nobody uses them.
const IDLE: usize = 8;

/// The pragmas that callers may use: those that tell of the database, and two numbers in it that are
/// the user's. The others change the connection, which the next call shares.
const PRAGMAS: &[&str] = &[
    "application_id",
    "collation_list",
    "compile_options",
    "database_list",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "optimize",
    "page_count",
    "page_size",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];

pub(crate) struct Database {
    /// `None` for a database in memory.
    file: Option<PathBuf>,
    /// `None` where nothing may be written.
    writer: Option<Mutex<Session>>,
    idle: Mutex<Vec<Session>>,
}

impl Database {
    pub(crate) fn open(path: &str, read_only: bool) -> Result<Self> {
        let file = match path {
            "" => return Err(refused("`path` is empty, expected a file or `:memory:`")),
            ":memory:" if read_only => {
                return Err(refused(
                    "`path` is `:memory:` and `read_only` is set: such a database is always empty",
                ));
            }
            ":memory:" => None,
            path => Some(PathBuf::from(path)),
        };
        let cannot = |error| {
            let error = failure::at_run(error);
            let kind = match error.kind() {
                ErrorKind::Transient => ErrorKind::Transient,
                _ => ErrorKind::Configuration,
            };
            error
                .context(format!("cannot open the database `{path}`"))
                .with_kind(kind)
        };
        let (mut writer, mut idle) = (None, Vec::new());
        if read_only {
            idle.push(Session::open(file.as_deref(), true).map_err(cannot)?);
        } else {
            writer = Some(Mutex::new(
                Session::open(file.as_deref(), false).map_err(cannot)?,
            ));
        }
        Ok(Self {
            file,
            writer,
            idle: Mutex::new(idle),
        })
    }

    /// Does work that reads.
    pub(crate) fn read<T>(
        &self,
        call: &CallContext<'_>,
        work: impl FnOnce(&Session) -> Result<T>,
    ) -> Result<T> {
        if self.file.is_none() {
            return self.write(call, work);
        }
        self.with_reader(|session| session.answer(call, work))
    }

    /// Does work that may write, when no other does.
    pub(crate) fn write<T>(
        &self,
        call: &CallContext<'_>,
        work: impl FnOnce(&Session) -> Result<T>,
    ) -> Result<T> {
        let Some(writer) = &self.writer else {
            return Err(Error::new(
                ErrorKind::ValidationFailed,
                "the database is read-only: `read_only` is set in the configuration",
            ));
        };
        turn(writer, call)?.answer(call, work)
    }

    /// Whether the database answers.
    pub(crate) fn ping(&self) -> Result<()> {
        let answer = match (&self.file, &self.writer) {
            // A connection that is open may not see that the file has become another.
            (Some(file), _) => Session::open(Some(file), true).map(|_session| ()),
            (None, Some(writer)) => match writer.try_lock() {
                Some(session) => touch(&session.connection),
                // It answers somebody.
                None => Ok(()),
            },
            (None, None) => Ok(()),
        };
        answer.map_err(failure::at_run)
    }

    pub(crate) fn close(self) -> Result<()> {
        let readers = self.idle.into_inner();
        // The one that writes last: it moves the write-ahead log into the file.
        for session in readers
            .into_iter()
            .chain(self.writer.map(Mutex::into_inner))
        {
            session.connection.close().map_err(|(_, error)| error)?;
        }
        Ok(())
    }

    fn with_reader<T>(&self, work: impl FnOnce(&Session) -> Result<T>) -> Result<T> {
        let idle = self.idle.lock().pop();
        let session = match idle {
            Some(session) => session,
            None => Session::open(self.file.as_deref(), true).map_err(|error| {
                failure::at_run(error).context("cannot open the database once more, to read it")
            })?,
        };
        let done = work(&session);
        let mut idle = self.idle.lock();
        if idle.len() < IDLE {
            idle.push(session);
        }
        done
    }
}

/// Reads the first page: it is where a file that is no database is found out.
fn touch(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("select count(*) from sqlite_schema", [], |_count| Ok(()))
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

/// Waits for the connection for as long as the caller waits for the answer.
fn turn<'a>(
    session: &'a Mutex<Session>,
    call: &CallContext<'_>,
) -> Result<MutexGuard<'a, Session>> {
    loop {
        if let Some(session) = session.try_lock_for(TURN) {
            return Ok(session);
        }
        call.checkpoint()?;
    }
}

/// A connection and what its hooks see of the call that uses it.
pub(crate) struct Session {
    pub(crate) connection: Connection,
    watch: Arc<Watch>,
}

struct Watch {
    /// The call that SQLite works for, which it stops working for when nobody waits any more.
    call: Mutex<Option<CallWatch>>,
    /// Whether the statement is this plugin's, which may do anything.
    own: AtomicBool,
    /// Whether a statement that inserts rows was prepared.
    inserts: AtomicBool,
}

impl Session {
    fn open(file: Option<&Path>, read_only: bool) -> rusqlite::Result<Self> {
        let access = if read_only {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        } else {
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
        };
        // Without SQLITE_OPEN_URI: a path is a path, whatever it begins with.
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = match file {
            Some(file) => Connection::open_with_flags(file, flags)?,
            None => Connection::open_in_memory_with_flags(flags)?,
        };
        connection.busy_timeout(BUSY)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        if file.is_some() && !read_only {
            // Gives the mode that it got: a file system without shared memory keeps the old one.
            connection.query_row("pragma journal_mode = wal", [], |_mode| Ok(()))?;
        }
        touch(&connection)?;

        let watch = Arc::new(Watch {
            call: Mutex::new(None),
            own: AtomicBool::new(true),
            inserts: AtomicBool::new(false),
        });
        let seen = Arc::clone(&watch);
        connection.progress_handler(
            STEPS_BETWEEN_CHECKS,
            Some(move || {
                let call = seen.call.lock();
                call.as_ref().is_some_and(|call| call.checkpoint().is_err())
            }),
        )?;
        let seen = Arc::clone(&watch);
        connection.authorizer(Some(move |asked: AuthContext<'_>| seen.authorize(&asked)))?;
        Ok(Self { connection, watch })
    }

    /// Does a call's work on the connection, which is as it was afterwards.
    fn answer<T>(
        &self,
        call: &CallContext<'_>,
        work: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        call.checkpoint()?;
        let left = call.remaining();
        *self.watch.call.lock() = Some(call.watch());
        let busy = left.map_or(BUSY, |left| left.min(BUSY));
        self.connection
            .busy_timeout(busy)
            .map_err(failure::at_run)?;

        let done = work(self);

        *self.watch.call.lock() = None;
        self.own(|connection| {
            if !connection.is_autocommit() {
                // What failed has said so; this leaves nothing of it behind.
                let _ = connection.execute_batch("rollback");
            }
        });
        // A statement that SQLite interrupted says only that: the call knows why.
        done.map_err(|error| match call.checkpoint() {
            Err(reason) if failure::is_interrupted(&error) => reason,
            _ => error,
        })
    }

    /// Prepares one statement of a caller's.
    pub(crate) fn prepare(&self, sql: &str) -> Result<Statement<'_>> {
        self.watch.own.store(false, Ordering::Relaxed);
        self.watch.inserts.store(false, Ordering::Relaxed);
        self.connection.prepare(sql).map_err(failure::at_prepare)
    }

    /// Whether the statement that was prepared last inserts rows.
    pub(crate) fn inserts(&self) -> bool {
        self.watch.inserts.load(Ordering::Relaxed)
    }

    /// Does what only this plugin may do: transactions, schema.
    pub(crate) fn own<T>(&self, work: impl FnOnce(&Connection) -> T) -> T {
        self.watch.own.store(true, Ordering::Relaxed);
        work(&self.connection)
    }
}

impl Watch {
    fn authorize(&self, asked: &AuthContext<'_>) -> Authorization {
        let allowed = match asked.action {
            _ if self.own.load(Ordering::Relaxed) => true,
            // Another file, or what the next call would find changed.
            AuthAction::Attach { .. }
            | AuthAction::Detach { .. }
            | AuthAction::Transaction { .. }
            | AuthAction::Savepoint { .. } => false,
            AuthAction::Pragma { pragma_name, .. } => PRAGMAS
                .iter()
                .any(|allowed| pragma_name.eq_ignore_ascii_case(allowed)),
            AuthAction::Insert { table_name } => {
                let users = asked.accessor.is_none() && !table_name.starts_with("sqlite_");
                self.inserts.fetch_or(users, Ordering::Relaxed);
                true
            }
            _ => true,
        };
        if allowed {
            Authorization::Allow
        } else {
            Authorization::Deny
        }
    }
}
