//! Where an audit log is, and what is asked of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name of the log where none is given, in the directory of what is remembered.
const FILE: &str = "audit.jsonl";

/// How long a file grows where nothing else is set, in bytes.
const ROTATE: u64 = 64 << 20;

/// How often what was appended is synced where nothing else is set.
const INTERVAL: Duration = Duration::from_secs(1);

/// Where the audit log is, and what is asked of it.
///
/// ```
/// use floe_registry::{AuditSettings, OnFailure};
///
/// let settings = AuditSettings::default().file("/var/log/floe/audit.jsonl");
/// assert_eq!(settings.on_failure, OnFailure::Refuse);
/// assert_eq!(settings.rotate, 64 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditSettings {
    /// The file; by default `audit.jsonl` in the directory of what is remembered.
    pub file: Option<PathBuf>,
    /// When what was appended is made to survive a loss of power; every second by default.
    pub sync: AuditSync,
    /// What becomes of calls while records cannot be written; they are refused by default.
    pub on_failure: OnFailure,
    /// How many bytes a file grows to before the next one is begun; 64 MiB by default.
    pub rotate: u64,
    /// The roles that may read the log; none by default.
    pub readers: Vec<String>,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            file: None,
            sync: AuditSync::default(),
            on_failure: OnFailure::default(),
            rotate: ROTATE,
            readers: Vec::new(),
        }
    }
}

impl AuditSettings {
    /// Sets the file.
    #[must_use]
    pub fn file(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Sets when what was appended is synced.
    #[must_use]
    pub fn sync(mut self, sync: AuditSync) -> Self {
        self.sync = sync;
        self
    }

    /// Sets what becomes of calls while records cannot be written.
    #[must_use]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }

    /// Sets how many bytes a file grows to.
    #[must_use]
    pub fn rotate(mut self, bytes: u64) -> Self {
        self.rotate = bytes;
        self
    }

    /// Adds a role that may read the log.
    #[must_use]
    pub fn reader(mut self, role: impl Into<String>) -> Self {
        self.readers.push(role.into());
        self
    }

    /// The file: that which is set, or the usual one in the directory of what is remembered.
    #[must_use]
    pub fn file_in(&self, state: &Path) -> PathBuf {
        match &self.file {
            Some(file) => file.clone(),
            None => state.join(FILE),
        }
    }
}

/// When what was appended is made to survive a loss of power.
///
/// The end of the process alone loses nothing; but where records follow each other within microseconds and not each
/// is synced, the last one is held back for a millisecond, and lost with a process that is killed just then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditSync {
    /// Before the call that it is about has its answer.
    Always,
    /// So often, if there was anything.
    Interval(Duration),
    /// When the system likes to.
    Never,
}

impl Default for AuditSync {
    fn default() -> Self {
        Self::Interval(INTERVAL)
    }
}

/// What becomes of calls while their records cannot be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailure {
    /// They are refused.
    #[default]
    Refuse,
    /// They go on; their records are kept as long as there is room, and counted beyond that.
    Continue,
}
