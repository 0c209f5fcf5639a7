//! An append-only record of calls, in which an edit shows.
//!
//! ```text
//! audit.jsonl          one record a line, each with the SHA-256 of the line before
//! audit.jsonl.000001   what it was before it grew too long: the chain goes on from file to file
//! audit.jsonl.head     the number and the hash of the last record; locked by who appends
//! ```
//!
//! - `settings` is where it is and what is asked of it; `record` is what one line says.
//! - `ledger` appends, under one short lock; `keeper` syncs, away from callers; `file` and `head` are the
//!   files.
//! - `verify` follows the chain; `reading` has the newest records first.
//!
//! Any number of threads and processes may append to one log. A record that was appended is with the system
//! when its call goes on: the end of the process loses none. But for bursts: where record follows record within
//! microseconds, the last one is held back for a millisecond, so that two are written at once, and a kill may lose
//! that one; its call was answered. The chain shows what was edited by somebody who
//! did not write all that follows anew; against one who did, keep the last hash elsewhere and let
//! `floe audit verify --expect` compare it.

mod error;
mod file;
mod head;
mod keeper;
mod ledger;
mod mark;
mod reading;
mod record;
mod settings;
#[cfg(test)]
mod tests;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

pub use self::error::AuditError;
use self::keeper::Shared;
pub use self::mark::{AuditMark, ParseAuditMarkError};
pub use self::reading::{AuditFilter, AuditRecords, read_audit};
pub use self::record::{AuditRecord, AuditStatus, ParseAuditStatusError};
pub(crate) use self::record::{Entry, Origin};
pub use self::settings::{AuditSettings, AuditSync, OnFailure};
pub use self::verify::{AuditFinding, AuditReport, Flaw, verify_audit};

/// The audit log of a process: open, and appended to by any number of threads.
///
/// When it is dropped, what was appended is synced.
#[derive(Debug)]
pub(crate) struct Audit {
    shared: Arc<Shared>,
    on_failure: OnFailure,
    keeper: Option<JoinHandle<()>>,
}

impl Audit {
    /// Opens the log in this file, which is made where it is missing, and carries its chain on.
    ///
    /// What a killed process left of a record is cut off, and a record `audit.cut` tells of it.
    pub(crate) fn open(file: &Path, settings: &AuditSettings) -> Result<Self, AuditError> {
        let shared = Arc::new(Shared::open(file, settings)?);
        let kept = Arc::clone(&shared);
        let keeper = std::thread::Builder::new()
            .name("floe-audit".to_owned())
            .spawn(move || kept.keep())
            .map_err(AuditError::io("start a thread for", file))?;
        Ok(Self {
            shared,
            on_failure: settings.on_failure,
            keeper: Some(keeper),
        })
    }

    /// Whether a call may go on: not while records cannot be written, where that refuses calls. They are
    /// tried again here. Where all is well, this is one look at a flag.
    pub(crate) fn ready(&self) -> Result<(), AuditError> {
        if !self.shared.is_troubled() || self.on_failure == OnFailure::Continue {
            return Ok(());
        }
        self.shared.retry()
    }

    /// Writes what is held back.
    pub(crate) fn flush(&self) -> Result<(), AuditError> {
        self.shared.flush()
    }

    /// Appends a record with one write, and gives its number; none where it could not be written, is kept
    /// for later, and calls go on.
    ///
    /// # Errors
    ///
    /// It could not be written, or synced where that is asked of each record, and `on_failure` is to refuse.
    /// It is kept, and written before all others once that works.
    pub(crate) fn append(&self, entry: &Entry<'_>) -> Result<Option<u64>, AuditError> {
        match entry.with_body(|body| self.shared.append(body)) {
            Ok(seq) => Ok(Some(seq)),
            Err(error) if self.on_failure == OnFailure::Refuse => Err(error),
            Err(error) => {
                self.shared.warn(&error);
                Ok(None)
            }
        }
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.shared.end();
        if let Some(keeper) = self.keeper.take() {
            // It panics for nothing that its owner could mend.
            let _ = keeper.join();
        }
        if let Err(error) = self.shared.close() {
            self.shared.warn(&error);
        }
    }
}

/// Appends records of one call's usual length to a log, for the benches: how, and to how many bytes each
/// line comes.
#[doc(hidden)]
pub fn appender(file: PathBuf, sync: AuditSync) -> Result<impl Fn() + Send + Sync, AuditError> {
    let audit = Audit::open(&file, &AuditSettings::default().sync(sync).rotate(u64::MAX))?;
    let plugin = crate::id::PluginId {
        kind: floe_plugin_api::Kind::COMPUTE,
        name: "bench".to_owned(),
    };
    let digest = crate::id::Digest::from_bytes([7; 32]);
    let origin = Origin::new(&plugin, &semver::Version::new(1, 2, 3), Some(&digest));
    let entry = move || {
        let appended = audit.append(&Entry {
            tenant: "acme",
            user: "ada",
            execution_id: "run-0001",
            node_type: "text.upper",
            origin: Some(&origin),
            decision: "allowed",
            attempts: 1,
            duration: std::time::Duration::from_micros(120),
            ..Entry::new("call", AuditStatus::Success)
        });
        debug_assert!(appended.is_ok());
    };
    Ok(entry)
}
