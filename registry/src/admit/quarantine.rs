//! Quarantine: a content that faults too often is left alone for a while, by every host and across
//! restarts.
//!
//! ```text
//! so many faults ─▶ left alone for 1 min ─▶ may be tried again ─ a fault ─▶ left alone for 2 min …
//!                                               │
//!                                               └─ no fault for 24 h ─▶ forgotten
//! ```
//!
//! It goes by the digest, so that a new build of the same plugin is judged afresh. `records` decides,
//! without a clock or a file; `file` reads and writes what is known, and finds damage; here the two
//! are kept together. The file is changed by one process at a time, which holds a lock beside it, and
//! replaced as a whole. Where that cannot be done a change is kept in memory, and written with the
//! next one that can be: no fault of the file is a fault of the host.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;
use semver::Version;
use serde::{Deserialize, Serialize};

use self::file::{Damage, Found};
use self::records::{Edit, Outcome, Records};
use super::Check;
use super::state::State;
use crate::discover::FileIdentity;
use crate::error::{Rejection, Stage};
use crate::id::{Digest, PluginId};
use crate::private::{self, PrivateError, Temporary};

mod file;
mod records;

pub use self::file::fuzz_quarantine;

/// How long a change waits for others to be done with theirs.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many changes that could not be written are kept for later.
const PENDING: usize = 1000;

/// When a content is quarantined, and for how long.
///
/// ```toml
/// [quarantine]            # 0 for never
/// failed_starts = 5
/// openings = 3
/// crashes = 3
/// first = "1m"            # then twice as long each time
/// longest = "24h"
/// ```
///
/// Counts above 100 are taken as 100.
///
/// ```
/// use std::time::Duration;
/// use floe_registry::QuarantineSettings;
///
/// let settings = QuarantineSettings::default().crashes(1).first(Duration::from_secs(10));
/// assert_eq!((settings.crashes, settings.failed_starts), (1, 5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuarantineSettings {
    /// After how many starts that failed, with none that went well between them; 5 by default, 0 for
    /// never.
    pub failed_starts: u32,
    /// After how many times that its circuit opened and did not close between them; 3 by default, 0
    /// for never.
    pub openings: u32,
    /// After how many crashes; 3 by default, 0 for never.
    pub crashes: u32,
    /// For how long the first time; 1 min by default. It is twice as long each time.
    pub first: Duration,
    /// For how long at most; 24 h by default. Faults that are older count no more, and what was
    /// quarantined longer ago than this is forgotten.
    pub longest: Duration,
}

impl Default for QuarantineSettings {
    fn default() -> Self {
        Self {
            failed_starts: 5,
            openings: 3,
            crashes: 3,
            first: Duration::from_secs(60),
            longest: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl QuarantineSettings {
    /// Sets after how many failed starts; 0 is never.
    #[must_use]
    pub fn failed_starts(mut self, failed_starts: u32) -> Self {
        self.failed_starts = failed_starts;
        self
    }

    /// Sets after how many openings of its circuit; 0 is never.
    #[must_use]
    pub fn openings(mut self, openings: u32) -> Self {
        self.openings = openings;
        self
    }

    /// Sets after how many crashes; 0 is never.
    #[must_use]
    pub fn crashes(mut self, crashes: u32) -> Self {
        self.crashes = crashes;
        self
    }

    /// Sets for how long the first time.
    #[must_use]
    pub fn first(mut self, first: Duration) -> Self {
        self.first = first;
        self
    }

    /// Sets for how long at most.
    #[must_use]
    pub fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// How many faults of a cause it takes; 0 for never.
    const fn limit(&self, cause: Cause) -> u32 {
        match cause {
            Cause::FailedStarts => self.failed_starts,
            Cause::Panics => self.openings,
            Cause::Crashes => self.crashes,
        }
    }

    /// For how long it is left alone the so-many-eth time, from 1.
    fn rest(&self, count: u32) -> Duration {
        let doublings = count.saturating_sub(1);
        let times = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first.saturating_mul(times).min(self.longest)
    }
}

/// What a content is quarantined for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Cause {
    /// It could not be started, again and again.
    FailedStarts,
    /// It panicked, crashed or ran out of time, so that its circuit opened, again and again.
    Panics,
    /// It took its process down.
    Crashes,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::FailedStarts => "failed starts",
            Self::Panics => "panics",
            Self::Crashes => "crashes",
        })
    }
}

/// A content that is left alone, or was and may be again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Quarantined {
    /// The content.
    pub digest: Digest,
    /// The plugin, such as `compute/acme`.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// What for.
    pub cause: Cause,
    /// The last error, in words: one line of at most 500 characters, without control characters.
    pub reason: String,
    /// How often it was quarantined, from 1.
    pub count: u32,
    /// When it was quarantined last.
    pub since: Timestamp,
    /// Until when it is left alone.
    pub until: Timestamp,
}

/// What a fault is told of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) digest: Digest,
    pub(crate) plugin: &'a PluginId,
    pub(crate) version: &'a Version,
}

/// Which contents are left alone. Clones are the same one.
#[derive(Clone)]
pub struct Quarantine {
    inner: Arc<Inner>,
}

struct Inner {
    state: State,
    path: PathBuf,
    settings: QuarantineSettings,
    patience: Duration,
    /// Held by who changes the file. It is taken before `kept`, which is never held for long.
    writing: Mutex<()>,
    kept: Mutex<Kept>,
}

/// What is known of the file.
#[derive(Default)]
struct Kept {
    seen: Seen,
    /// See [`Found`].
    _open: Option<File>,
    /// What the file said, and what is pending.
    records: Records,
    /// What happened and is not in the file.
    pending: Vec<Edit>,
    /// Why the file cannot be used.
    damage: Option<String>,
    /// Why it could not be changed the last time.
    trouble: Option<String>,
    /// What was said last of a file that cannot be used, with the sum of its content.
    warned: Option<(Option<Digest>, String)>,
}

/// What was at the file's path.
#[derive(Default, PartialEq, Eq)]
enum Seen {
    /// Nobody has looked.
    #[default]
    Unknown,
    /// No file that can be read, for this reason.
    Nothing(io::ErrorKind),
    File(FileIdentity),
}

impl fmt::Debug for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quarantine")
            .field("path", &self.inner.path)
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

impl Quarantine {
    /// The quarantine of this state. Reads nothing yet.
    pub(crate) fn new(state: &State, settings: QuarantineSettings) -> Self {
        Self::patient(state, settings, PATIENCE)
    }

    fn patient(state: &State, settings: QuarantineSettings, patience: Duration) -> Self {
        Self {
            inner: Arc::new(Inner {
                path: state.root().join("quarantine.json"),
                state: state.clone(),
                settings,
                patience,
                writing: Mutex::default(),
                kept: Mutex::default(),
            }),
        }
    }

    /// The file in which it is remembered, in the directory of the state.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// It faulted. Gives what is left alone from now on, if that was one time too many.
    pub(crate) fn fault(
        &self,
        subject: Subject<'_>,
        cause: Cause,
        reason: &str,
        now: Timestamp,
    ) -> Option<Quarantined> {
        let (outcome, _) = self.inner.change(Edit::Fault {
            digest: subject.digest,
            plugin: subject.plugin.to_string(),
            version: subject.version.clone(),
            cause,
            reason: records::line(reason),
            now,
        });
        outcome.entries.into_iter().next()
    }

    /// It started well: the starts that failed before count no more.
    pub(crate) fn started(&self, digest: Digest) {
        self.inner.change(Edit::Started(digest));
    }

    /// Its circuit closed again: that it opened before counts no more.
    pub(crate) fn recovered(&self, digest: Digest) {
        self.inner.change(Edit::Recovered(digest));
    }

    /// Its configuration is another: starts that failed before count no more, and if it is left alone
    /// for them, it is let out.
    pub(crate) fn reconfigured(&self, digest: Digest) {
        self.inner.change(Edit::Reconfigured(digest));
    }

    /// Whether it is left alone now. Looks at the file, and reads it only where it is another one.
    pub(crate) fn active(&self, digest: Digest, now: Timestamp) -> Option<Quarantined> {
        let settings = &self.inner.settings;
        self.inner
            .current(|kept| kept.records.active(digest, settings, now))
    }

    /// The check that a content does not pass while it is left alone.
    pub(crate) fn check(&self, digest: Digest) -> Option<Check> {
        let left = self.active(digest, Timestamp::now())?;
        Some(Check::new(
            "quarantine",
            false,
            format!(
                "a content that is quarantined until `{:.0}`, for {}: {}",
                left.until,
                left.cause,
                left.reason.trim_end_matches('.')
            ),
            "one that has not failed time and again".to_owned(),
            || {
                format!(
                    "wait until then, install another build, or let it out with `floe quarantine clear {}`",
                    digest.short()
                )
            },
        ))
    }

    /// Refuses a content that is left alone.
    pub(crate) fn refuse(&self, digest: Digest, path: &Path) -> Result<(), Box<Rejection>> {
        match self.check(digest) {
            Some(check) => check.refuse_at(Stage::Admit, path),
            None => Ok(()),
        }
    }

    /// Everything that is left alone or was and is not forgotten yet, by plugin and version.
    ///
    /// # Errors
    ///
    /// The file cannot be read, and this process knows of nothing that is left alone. A file that is
    /// damaged is no error, see [`damage`](Self::damage).
    pub fn list(&self) -> Result<Vec<Quarantined>, PrivateError> {
        let list = self.inner.current(|kept| kept.records.list());
        if list.is_empty() {
            self.inner.read()?;
        }
        Ok(list)
    }

    /// Whether nothing is left alone, nor was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.current(|kept| kept.records.is_empty())
    }

    /// Forgets everything of a content, or of all: gives what was left alone or had been.
    ///
    /// # Errors
    ///
    /// The file cannot be changed. This process has forgotten it all the same.
    pub fn clear(&self, digest: Option<Digest>) -> Result<Vec<Quarantined>, PrivateError> {
        match self.inner.change(Edit::Clear(digest)) {
            (outcome, None) => Ok(outcome.entries),
            (_, Some(error)) => Err(error),
        }
    }

    /// What is wrong with the file, in words: that it was damaged when it was last read, and is taken
    /// as empty, or that it cannot be changed, and this process remembers alone.
    #[must_use]
    pub fn damage(&self) -> Option<String> {
        self.inner.current(|kept| {
            let said: Vec<_> = [&kept.damage, &kept.trouble]
                .into_iter()
                .flatten()
                .collect();
            match said[..] {
                [] => None,
                [one] => Some(one.clone()),
                [one, other, ..] => Some(format!("{one}; {other}")),
            }
        })
    }
}

impl Inner {
    /// What is known, of the file as it is now.
    fn current<T>(&self, of: impl FnOnce(&mut Kept) -> T) -> T {
        let mut kept = self.kept.lock();
        let seen = match FileIdentity::at(&self.path) {
            Ok(looks) => Seen::File(looks),
            Err(error) => Seen::Nothing(error.kind()),
        };
        if kept.seen != seen {
            kept.damage = None;
            match self.read() {
                Ok(Some(found)) => self.adopt(&mut kept, found, 0),
                Ok(None) => {
                    let seen = Seen::Nothing(io::ErrorKind::NotFound);
                    self.keep(&mut kept, seen, Records::default(), 0);
                }
                // What is known is not less true for that.
                Err(error) => {
                    self.warn(&mut kept, None, spoken(&error));
                    kept.seen = match (&error, seen) {
                        // It may well be readable the next time.
                        (PrivateError::Io { .. }, Seen::File(_)) => Seen::Unknown,
                        (_, seen) => seen,
                    };
                }
            }
        }
        of(&mut kept)
    }

    /// Reads the file, if others cannot have put it there.
    fn read(&self) -> Result<Option<Found>, PrivateError> {
        match self.state.check() {
            Err(PrivateError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            checked => checked?,
        }
        file::read(&self.path).map_err(PrivateError::io("read", &self.path))
    }

    /// Takes what the file says, in which the first so many that were pending are written.
    fn adopt(&self, kept: &mut Kept, found: Found, written: usize) {
        let records = match found.records {
            Ok(records) => {
                kept.damage = None;
                records
            }
            Err(damage) => {
                let said = format!(
                    "the quarantine `{}` is taken as empty: {damage}",
                    self.path.display()
                );
                self.warn(kept, Some(found.sum), said);
                Records::default()
            }
        };
        self.keep(kept, Seen::File(found.looks), records, written);
        kept._open = found.file;
    }

    fn keep(&self, kept: &mut Kept, seen: Seen, mut records: Records, written: usize) {
        kept.pending.drain(..written.min(kept.pending.len()));
        for edit in &kept.pending {
            records.apply(edit, &self.settings);
        }
        kept.records = records;
        kept._open = None;
        kept.seen = seen;
    }

    /// Says that a file cannot be used, once for each content of it.
    fn warn(&self, kept: &mut Kept, sum: Option<Digest>, said: String) {
        kept.damage = Some(said.clone());
        let warning = Some((sum, said));
        if kept.warned != warning {
            if let Some((_, said)) = &warning {
                tracing::warn!("{said}");
            }
            kept.warned = warning;
        }
    }

    /// Lets something happen: in the file or, where that cannot be changed, in memory.
    fn change(&self, edit: Edit) -> (Outcome, Option<PrivateError>) {
        if !self.current(|kept| kept.records.is_changed_by(&edit, &self.settings)) {
            return (Outcome::default(), None);
        }
        let error = match self.write(&edit) {
            Ok(outcome) => return (outcome, None),
            Err(error) => error,
        };
        let mut kept = self.kept.lock();
        let outcome = kept.records.apply(&edit, &self.settings);
        // Beyond that it is forgotten when another process changes the file.
        if kept.pending.len() < PENDING {
            kept.pending.push(edit);
        }
        let trouble = format!(
            "{}, so what is quarantined is known to this process alone",
            spoken(&error)
        );
        if kept.trouble.as_ref() != Some(&trouble) {
            tracing::warn!("{trouble}");
            kept.trouble = Some(trouble);
        }
        (outcome, Some(error))
    }

    fn write(&self, edit: &Edit) -> Result<Outcome, PrivateError> {
        let deadline = Instant::now() + self.patience;
        let Some(_writing) = self.writing.try_lock_until(deadline) else {
            return Err(self.busy());
        };
        self.state.prepare()?;
        let _lock = self.lock(deadline)?;
        let root = self.state.root();
        // Left by those that were killed while they held the lock.
        private::sweep(root);
        let found = file::read(&self.path).map_err(PrivateError::io("read", &self.path))?;
        let (mut records, damage) = match found.as_ref().map(|found| &found.records) {
            Some(Ok(records)) => (records.clone(), None),
            Some(Err(damage)) => (Records::default(), Some(damage.clone())),
            None => (Records::default(), None),
        };
        let pending = self.kept.lock().pending.clone();
        for edit in &pending {
            records.apply(edit, &self.settings);
        }
        let outcome = records.apply(edit, &self.settings);
        if outcome.has_changed || !pending.is_empty() {
            let bytes = file::render(&mut records)
                .map_err(|error| PrivateError::io("write", &self.path)(error.into()))?;
            let temporary = Temporary::new(root)?;
            temporary.write(&bytes)?;
            temporary.sync()?;
            if let Some(damage) = &damage {
                self.move_aside(damage)?;
            }
            temporary.publish(&self.path, 0o600)?;
            // It is there, whatever comes of this: were it told as a failure, it would count twice.
            let _ = File::open(root).and_then(|directory| directory.sync_all());
        }
        let mut kept = self.kept.lock();
        kept.trouble = None;
        kept.damage = None;
        // Nobody else writes while the lock is held, so this is what was just written.
        match file::read(&self.path) {
            Ok(Some(found)) => self.adopt(&mut kept, found, pending.len()),
            _ => self.keep(&mut kept, Seen::Unknown, records, pending.len()),
        }
        Ok(outcome)
    }

    /// Keeps a file that cannot be used under another name, before one is written in its place.
    fn move_aside(&self, damage: &Damage) -> Result<(), PrivateError> {
        let aside = file::move_aside(&self.path, damage)?;
        tracing::warn!(
            "the quarantine `{}` begins anew, what could not be used is kept as `{}`",
            self.path.display(),
            aside.display()
        );
        Ok(())
    }

    /// The lock that the processes share, until it is dropped.
    fn lock(&self, deadline: Instant) -> Result<File, PrivateError> {
        let path = self.lock_path();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options
            .open(&path)
            .map_err(PrivateError::io("open", &path))?;
        let mut pause = Duration::from_millis(1);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => return Err(self.busy()),
                Err(TryLockError::Error(error)) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    // Every file is whole without it, and at worst a change by another is lost.
                    io::ErrorKind::Unsupported => return Ok(file),
                    _ => return Err(PrivateError::io("lock", &path)(error)),
                },
            }
        }
    }

    fn lock_path(&self) -> PathBuf {
        self.path.with_extension("lock")
    }

    fn busy(&self) -> PrivateError {
        let reason = format!("others have held it for {:?}", self.patience);
        let error = io::Error::new(io::ErrorKind::TimedOut, reason);
        PrivateError::io("lock", &self.lock_path())(error)
    }
}

/// An error with its source, which here has nobody else to tell it.
fn spoken(error: &PrivateError) -> String {
    match error {
        PrivateError::Io { source, .. } => format!("{error}: {source}"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
