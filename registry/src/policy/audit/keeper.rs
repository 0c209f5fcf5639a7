//! What is done for the log away from callers: syncs, and letting other processes in.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::error::AuditError;
use super::ledger::Ledger;
use super::settings::{AuditSettings, AuditSync};

/// How long the lock between processes is held at most while others may wait.
const TICK: Duration = Duration::from_millis(100);

/// How long a record is held back at most, as far as this thread runs in time.
const HELD: Duration = Duration::from_millis(1);

/// How often records are tried again that could not be written.
const RETRY: Duration = Duration::from_secs(1);

/// How often it is told that there are such.
const QUIET: Duration = Duration::from_secs(1);

/// What callers and the keeper share.
#[derive(Debug)]
pub(super) struct Shared {
    path: PathBuf,
    sync: AuditSync,
    desk: Mutex<Desk>,
    wake: Condvar,
    /// How many appended lines are synced. Who holds it syncs, for all that wait.
    synced: Mutex<u64>,
    is_troubled: AtomicBool,
    warned: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Desk {
    ledger: Ledger,
    /// Up to which line the head and the disk are said to be; a lower bound.
    synced: u64,
    /// Whether a sync has failed, and none has worked since.
    is_unsafe: bool,
    /// Whether the keeper waits for something to do.
    is_asleep: bool,
    /// Whether the keeper looks soon whether a record is held back.
    is_watching: bool,
    is_ending: bool,
}

impl Desk {
    fn is_idle(&self) -> bool {
        !self.ledger.is_held() && !self.is_dirty() && !self.ledger.is_behind()
    }

    fn is_dirty(&self) -> bool {
        self.ledger.written() > self.synced
    }
}

impl Shared {
    pub(super) fn open(path: &Path, settings: &AuditSettings) -> Result<Self, AuditError> {
        Ok(Self {
            path: path.to_owned(),
            sync: settings.sync,
            desk: Mutex::new(Desk {
                ledger: Ledger::open(path, settings)?,
                synced: 0,
                is_unsafe: false,
                is_asleep: false,
                is_watching: false,
                is_ending: false,
            }),
            wake: Condvar::new(),
            synced: Mutex::new(0),
            is_troubled: AtomicBool::new(false),
            warned: Mutex::new(None),
        })
    }

    pub(super) fn is_troubled(&self) -> bool {
        self.is_troubled.load(Ordering::Relaxed)
    }

    /// Appends a record, and syncs it where that is asked of each.
    pub(super) fn append(&self, body: &[u8]) -> Result<u64, AuditError> {
        let mut desk = self.desk.lock();
        let appended = desk.ledger.append(body);
        self.note(&desk);
        let is_to_watch = desk.ledger.is_holding() && !desk.is_watching;
        desk.is_watching |= is_to_watch;
        if desk.is_asleep || is_to_watch {
            self.wake.notify_one();
        }
        let own = desk.ledger.written();
        drop(desk);
        let seq = appended?;
        if self.sync == AuditSync::Always {
            self.sync_up_to(own)?;
        }
        Ok(seq)
    }

    /// Writes what could not be written, and syncs what could not be synced.
    pub(super) fn retry(&self) -> Result<(), AuditError> {
        let mut desk = self.desk.lock();
        let written = desk.ledger.retry();
        self.note(&desk);
        if desk.is_asleep {
            self.wake.notify_one();
        }
        let is_unsafe = desk.is_unsafe;
        drop(desk);
        written?;
        if is_unsafe { self.sync() } else { Ok(()) }
    }

    /// Writes what is held back.
    pub(super) fn flush(&self) -> Result<(), AuditError> {
        let mut desk = self.desk.lock();
        let flushed = desk.ledger.flush();
        self.note(&desk);
        flushed
    }

    /// Syncs what was appended.
    pub(super) fn sync(&self) -> Result<(), AuditError> {
        self.sync_up_to(u64::MAX)
    }

    /// Syncs lines up to this number, unless somebody else has meanwhile.
    fn sync_up_to(&self, number: u64) -> Result<(), AuditError> {
        let mut synced = self.synced.lock();
        if *synced >= number {
            return Ok(());
        }
        let (written, last, file) = {
            let mut desk = self.desk.lock();
            let flushed = desk.ledger.flush();
            self.note(&desk);
            flushed?;
            let (last, file) = desk.ledger.end();
            (desk.ledger.written(), last, file)
        };
        let done = match self.sync {
            AuditSync::Never => Ok(()),
            _ => file.sync_data(),
        };
        let mut desk = self.desk.lock();
        let done = match done {
            // Only now: it never says more than there is.
            Ok(()) => desk.ledger.write_head(last),
            Err(error) => Err(AuditError::io("sync", &self.path)(error)),
        };
        desk.is_unsafe = done.is_err();
        if done.is_ok() {
            desk.synced = written;
            *synced = written;
        }
        self.note(&desk);
        done
    }

    /// Remembers whether there is something that could not be written or synced.
    fn note(&self, desk: &Desk) {
        let is_troubled = desk.is_unsafe || desk.ledger.is_behind();
        if is_troubled != self.is_troubled.load(Ordering::Relaxed) {
            self.is_troubled.store(is_troubled, Ordering::Relaxed);
        }
    }

    /// Syncs and lets other processes in, until the end. Nothing wakes it while nothing is appended.
    pub(super) fn keep(&self) {
        let (interval, tick) = match self.sync {
            AuditSync::Interval(interval) => (interval, TICK.min(interval)),
            _ => (RETRY, TICK),
        };
        let tick = tick.max(Duration::from_millis(1));
        let mut synced_at = Instant::now();
        let mut tried_at = Instant::now();
        let mut due = Instant::now() + tick;
        let mut desk = self.desk.lock();
        while !desk.is_ending {
            if desk.is_idle() {
                desk.is_asleep = true;
                self.wake.wait(&mut desk);
                desk.is_asleep = false;
                due = Instant::now() + tick;
                continue;
            }
            let soon = Instant::now() + HELD;
            desk.is_watching = desk.ledger.is_holding() || (desk.is_watching && due > soon);
            let until = if desk.is_watching { due.min(soon) } else { due };
            let written = desk.ledger.written();
            if !self.wake.wait_until(&mut desk, until).timed_out() && !desk.is_ending {
                // Something is held back.
                continue;
            }
            let mut failed = desk.ledger.flush().err();
            // As long as there are more, it stays at it.
            desk.is_watching &= desk.ledger.written() > written;
            let now = Instant::now();
            if now < due {
                self.note(&desk);
                if let Some(error) = failed {
                    MutexGuard::unlocked(&mut desk, || self.warn(&error));
                }
                continue;
            }
            due = now + tick;
            if desk.ledger.is_behind() && now.duration_since(tried_at) >= RETRY {
                tried_at = now;
                failed = desk.ledger.retry().err();
            }
            // At each tick, whenever records are synced: what is cut off behind the head is not missed.
            if desk.is_dirty() {
                let (last, _) = desk.ledger.end();
                failed = desk.ledger.write_head(last).err().or(failed);
            }
            desk.ledger.release();
            self.note(&desk);
            if desk.is_dirty() && now.duration_since(synced_at) >= interval {
                synced_at = now;
                // However long that takes, nobody else would write what is held back.
                let holds = self.sync != AuditSync::Always;
                desk.ledger.let_hold(false);
                failed = MutexGuard::unlocked(&mut desk, || self.sync())
                    .err()
                    .or(failed);
                desk.ledger.let_hold(holds);
            }
            if let Some(error) = failed {
                // Who listens may make a call that is put on record.
                MutexGuard::unlocked(&mut desk, || self.warn(&error));
            }
        }
    }

    /// Ends the keeper.
    pub(super) fn end(&self) {
        self.desk.lock().is_ending = true;
        self.wake.notify_all();
    }

    /// Does what there is still to do.
    pub(super) fn close(&self) -> Result<(), AuditError> {
        let written = {
            let mut desk = self.desk.lock();
            let is_behind = desk.ledger.is_behind();
            if is_behind {
                desk.ledger.retry()
            } else {
                Ok(())
            }
        };
        let synced = self.sync();
        let mut desk = self.desk.lock();
        let flushed = desk.ledger.flush();
        desk.ledger.release();
        drop(desk);
        written.and(synced).and(flushed)
    }

    /// Tells what is wrong, not more often than somebody could read it.
    pub(super) fn warn(&self, error: &AuditError) {
        let mut warned = self.warned.lock();
        if warned.is_none_or(|at| at.elapsed() >= QUIET) {
            *warned = Some(Instant::now());
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(
                audit = %self.path.display(),
                cause = source.as_deref().unwrap_or_default(),
                "{error}"
            );
        }
    }
}
