//! How a journal's database is opened: made where it is not there, and refused where it is another's.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};

use super::store::{Fault, is_busy};
use super::{JournalError, JournalSettings, JournalSync};

/// The version of the tables.
pub(super) const VERSION: i32 = 1;

/// `floe`, in the header of the file.
const APPLICATION: i32 = 0x666c_6f65;

/// How often it is tried to open a database that another process opens.
const LOOK: Duration = Duration::from_millis(10);

/// After how many pages of the log they are taken into the database.
const CHECKPOINT: i32 = 4000;

const TABLES: &str = "
CREATE TABLE runs (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    execution_id TEXT NOT NULL UNIQUE,
    called_by    TEXT,
    node         TEXT,
    item         INTEGER,
    workflow     TEXT NOT NULL,
    version      TEXT,
    tenant       TEXT,
    user         TEXT NOT NULL,
    env          BLOB NOT NULL,
    keep_outputs INTEGER NOT NULL,
    format       TEXT NOT NULL,
    file         TEXT,
    directories  BLOB NOT NULL,
    began        INTEGER NOT NULL,
    input        BLOB NOT NULL,
    text         TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX runs_called ON runs (called_by, node, item);
CREATE TABLE entries (
    place        INTEGER PRIMARY KEY,
    what         INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    node         TEXT,
    status       TEXT,
    taken        INTEGER,
    attempts     INTEGER,
    took         INTEGER,
    recovered_by TEXT,
    failure      BLOB,
    sum          BLOB,
    output       BLOB
) STRICT;
";

/// The file in a journal's directory.
pub(super) fn file(directory: &Path) -> PathBuf {
    directory.join("journal.db")
}

pub(super) fn open(settings: &JournalSettings) -> Result<Connection, JournalError> {
    let directory = settings.directory.as_path();
    let file = file(directory);
    prepare(directory, &file).map_err(|source| JournalError::Directory {
        directory: directory.to_owned(),
        source,
    })?;
    let began = Instant::now();
    let opened = loop {
        match connect(&file, settings) {
            // The change to another way of writing is one that the database does not wait for.
            Err(Fault::Database(error))
                if is_busy(&error) && began.elapsed() < settings.patience =>
            {
                std::thread::sleep(LOOK);
            }
            opened => break opened,
        }
    };
    opened.map_err(|fault| match fault {
        Fault::Journal(error) => error,
        Fault::Database(rusqlite::Error::SqliteFailure(error, _))
            if error.code == rusqlite::ErrorCode::NotADatabase =>
        {
            JournalError::Foreign {
                file,
                found: "no database".to_owned(),
            }
        }
        Fault::Database(source) => JournalError::Database { file, source },
    })
}

/// Makes the directory and the file, for their owner alone; refuses those that are others' too.
fn prepare(directory: &Path, file: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    is_own(&fs::metadata(directory)?, 0o022, "directory")?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    // The files that SQLite puts beside it are as open as it is.
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(NO_LINK);
    }
    let opened = options.open(file)?;
    is_own(&opened.metadata()?, 0o077, "file `journal.db`")
}

/// Opens nothing that is a link to elsewhere.
#[cfg(unix)]
pub(super) const NO_LINK: i32 = rustix::fs::OFlags::NOFOLLOW.bits() as i32;

/// Whether something is this user's, and others may not do with it what these bits say.
#[cfg(unix)]
fn is_own(metadata: &fs::Metadata, closed: u32, what: &str) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    let (user, mode) = (rustix::process::geteuid().as_raw(), metadata.mode() & 0o777);
    let found = if metadata.uid() != user {
        format!(
            "its {what} is user {}'s, expected user {user}'s",
            metadata.uid()
        )
    } else if mode & closed != 0 {
        let private = mode & !closed;
        format!(
            "its {what} has the mode {mode:04o}, so that others may see or change what runs did: chmod {private:04o}"
        )
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::PermissionDenied, found))
}

#[cfg(not(unix))]
fn is_own(_metadata: &fs::Metadata, _closed: u32, _what: &str) -> io::Result<()> {
    Ok(())
}

fn connect(file: &Path, settings: &JournalSettings) -> Result<Connection, Fault> {
    let mut db = Connection::open(file)?;
    db.busy_timeout(settings.patience)?;
    db.pragma_update(None, "trusted_schema", false)?;
    if stamps(&db)? != (APPLICATION, VERSION) {
        // Before there is a table, or never.
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        // Nothing is looked at that another process, which was quicker, has half made.
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (application, version) = stamps(&change)?;
        if (application, version) != (APPLICATION, VERSION) {
            found(&change, file, application, version)?;
            change.execute_batch(TABLES)?;
            change.pragma_update(None, "application_id", APPLICATION)?;
            change.pragma_update(None, "user_version", VERSION)?;
        }
        change.commit()?;
    }
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
    // What is taken out is not there any more, for nobody.
    db.pragma_update(None, "secure_delete", true)?;
    let synchronous = match settings.sync {
        JournalSync::Checkpoint => "NORMAL",
        JournalSync::Always => "FULL",
    };
    db.pragma_update(None, "synchronous", synchronous)?;
    Ok(db)
}

fn stamps(db: &Connection) -> rusqlite::Result<(i32, i32)> {
    let read = |name| db.pragma_query_value(None, name, |row| row.get(0));
    Ok((read("application_id")?, read("user_version")?))
}

/// Refuses a database that is neither a journal nor empty.
fn found(db: &Connection, file: &Path, application: i32, version: i32) -> Result<(), Fault> {
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let found = match (application, version) {
        (0, 0) if tables == 0 => return Ok(()),
        (APPLICATION, version) => format!("a journal of version {version}"),
        _ => "a database of another program".to_owned(),
    };
    Err(Fault::Journal(JournalError::Foreign {
        file: file.to_owned(),
        found,
    }))
}
