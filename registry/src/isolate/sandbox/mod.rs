//! What a worker is held to, by itself, before it maps a plugin's code.
//!
//! ```text
//! apply ─ privileges ─ files (landlock) ─ limits (rlimit) ─ calls (seccomp) ─▶ the plugin is mapped
//! ```
//! Each step narrows what the process may do and none can be undone, not even by the steps after it. The
//! system calls come last, as the steps before make some that are denied afterwards.
//!
//! What is open already stays open: a sandbox keeps a process from opening more. So a worker holds its socket
//! and its standard streams before, and nothing else. The socket is of a pair and keeps to
//! its other end: through one that takes datagrams, others could be written to.

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod files;
#[cfg(unix)]
mod limits;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(unix))]
mod other;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
#[cfg(all(unix, not(target_os = "linux")))]
mod unix;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(unix))]
use other as system;
#[cfg(all(unix, not(target_os = "linux")))]
use unix as system;

use crate::isolation::{Profile, WorkerTerms};

/// What a worker is held to; it crosses from the host to the worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sandbox {
    /// What the plugin may ask the system for.
    pub(crate) profile: Profile,
    /// Files and directories that may be read under a profile.
    pub(crate) read: Vec<PathBuf>,
    /// Files and directories that may be read and written under a profile. None of them may be run.
    pub(crate) write: Vec<PathBuf>,
    /// How many bytes of addresses the process may have.
    pub(crate) memory: Option<u64>,
    /// How many seconds the process may compute in all. It is ended when they are over.
    pub(crate) cpu_seconds: Option<u64>,
    /// How many files the process may have open.
    pub(crate) files: Option<u64>,
}

impl From<&WorkerTerms> for Sandbox {
    fn from(terms: &WorkerTerms) -> Self {
        // The system counts whole seconds, and who asks for half of one asks for more than none.
        let seconds = |time: Duration| {
            time.as_secs()
                .saturating_add(u64::from(time.subsec_nanos() > 0))
        };
        Self {
            profile: terms.sandbox,
            read: terms.read.clone(),
            write: terms.write.clone(),
            memory: terms.memory,
            cpu_seconds: terms.cpu.map(seconds),
            files: terms.files,
        }
    }
}

/// One thing that a worker may be held to, and whether the system gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Offer {
    /// What it is, such as `file access` or `memory`.
    pub name: &'static str,
    /// Whether the system gives it.
    pub given: bool,
    /// What it holds a worker to; or, where it is not given, why not.
    pub detail: String,
    /// What to do about it; nothing where it is given.
    pub remedy: String,
}

impl Offer {
    fn given(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            given: true,
            detail: detail.into(),
            remedy: String::new(),
        }
    }

    fn lacking(name: &'static str, why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            name,
            given: false,
            detail: why.into(),
            remedy: remedy.into(),
        }
    }
}

/// What this machine can hold a worker to. Nothing of this process is changed.
///
/// Some of it is tried, on a thread that ends right after: whether the system knows of it says little where a
/// container forbids its use.
#[must_use]
pub fn offers() -> Vec<Offer> {
    system::offers()
}

/// What is asked and this machine cannot give, each with its reason. Nothing of this process is changed.
///
/// Only what leaves a gap is here: what a second means holds to as well is not missing.
pub(crate) fn missing(asked: &Sandbox) -> Vec<Offer> {
    system::missing(asked)
}

/// Restricts this process for good, and says what of it could not be done.
///
/// It is called once, in a worker, on the only thread there is: most of it holds for that thread and for
/// those it creates afterwards. `library` is the file that is mapped later. Threads, memory, `memfd_create`,
/// and files that come over an open socket work as before under each profile.
pub(crate) fn apply(asked: &Sandbox, library: &Path) -> Vec<Offer> {
    system::apply(asked, library)
}
