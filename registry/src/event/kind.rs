//! What can happen to a plugin.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use floe_plugin_api::HealthState;
use semver::Version;
use serde::{Serialize, Serializer};

use crate::admit::Cause;
use crate::error::{Rejection, Stage};
use crate::id::{Build, Digest, Scope};

/// A duration as whole nanoseconds.
pub(crate) fn nanoseconds<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

/// Why an instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Ending {
    /// Others were used more recently.
    Evicted,
    /// Another generation answers, or none.
    Retired,
    /// It panicked or ran out of time.
    Poisoned,
    /// Somebody asked for it: `invalidate`, `clear` or `stop`.
    Stopped,
    /// It was started for one call, or too late to be used.
    Unused,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Evicted => "evicted",
            Self::Retired => "retired",
            Self::Poisoned => "poisoned",
            Self::Stopped => "stopped",
            Self::Unused => "unused",
        })
    }
}

/// Whether calls go through to a plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CircuitState {
    /// They do.
    #[default]
    Closed,
    /// None does: it faulted too often, and rests.
    Open,
    /// One does, to see whether it still faults.
    HalfOpen,
}

impl fmt::Display for CircuitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        })
    }
}

/// A change of state: of a build, an instance, a thread or the watch over the search path.
///
/// Calls are not events; [`Registry::stats`](crate::Registry::stats) counts them.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The search path was scanned.
    Scanned {
        /// How many builds were admitted.
        plugins: usize,
        /// How many files were refused.
        rejected: usize,
        /// How long it took, in nanoseconds.
        #[serde(rename = "took_ns", serialize_with = "nanoseconds")]
        took: Duration,
    },
    /// A build was admitted that was not there before.
    Admitted {
        /// The build.
        build: Build,
        /// Its file.
        #[serde(serialize_with = "crate::id::lossy")]
        path: PathBuf,
    },
    /// A file is refused that was not, or was for another reason.
    Rejected {
        /// The file, the stage and the reason.
        rejection: Rejection,
    },
    /// A build is no longer in the search path.
    Removed {
        /// The build.
        build: Build,
    },
    /// A build's code was mapped.
    Loaded {
        /// The build.
        build: Build,
        /// The SHA-256 of its content.
        digest: Digest,
        /// How long it took, in nanoseconds.
        #[serde(rename = "took_ns", serialize_with = "nanoseconds")]
        took: Duration,
    },
    /// An instance was started.
    Started {
        /// The build.
        build: Build,
        /// For whom.
        #[serde(skip_serializing_if = "Scope::is_default")]
        scope: Scope,
        /// How long it took, without loading and dependencies, in nanoseconds.
        #[serde(rename = "took_ns", serialize_with = "nanoseconds")]
        took: Duration,
    },
    /// A build could not be loaded or started.
    Failed {
        /// The build.
        build: Build,
        /// At which stage.
        stage: Stage,
        /// Why, in words.
        reason: String,
    },
    /// A generation answers from now on, in place of another one.
    Published {
        /// The build that answers.
        build: Build,
        /// The build that answered before.
        replaces: Build,
    },
    /// A build was to answer, and does not.
    HeldBack {
        /// The build.
        build: Build,
        /// The version that goes on answering, if one does.
        #[serde(skip_serializing_if = "Option::is_none")]
        active: Option<Version>,
        /// Why, in words.
        reason: String,
    },
    /// The last instance of a generation that no longer answers has ended. Its code stays mapped.
    Retired {
        /// The build.
        build: Build,
        /// The bytes of its code.
        mapped_bytes: u64,
    },
    /// An instance gave way to others in the cache.
    Evicted {
        /// The build.
        build: Build,
        /// For whom it was.
        #[serde(skip_serializing_if = "Scope::is_default")]
        scope: Scope,
    },
    /// An instance panicked or ran out of time, and is replaced at the next use.
    Poisoned {
        /// The build.
        build: Build,
        /// For whom it was.
        #[serde(skip_serializing_if = "Scope::is_default")]
        scope: Scope,
        /// What it did, in words.
        reason: String,
    },
    /// An instance has ended.
    Stopped {
        /// The build.
        build: Build,
        /// For whom it was.
        #[serde(skip_serializing_if = "Scope::is_default")]
        scope: Scope,
        /// Why it was to end.
        why: Ending,
        /// How long its stop took, in nanoseconds.
        #[serde(rename = "took_ns", serialize_with = "nanoseconds")]
        took: Duration,
        /// What went wrong in it.
        #[serde(skip_serializing_if = "Option::is_none")]
        failure: Option<String>,
    },
    /// A plugin is left alone, tried again, or used again.
    Circuit {
        /// The build.
        build: Build,
        /// The circuit's new state.
        state: CircuitState,
    },
    /// A content failed too often, and is left alone.
    Quarantined {
        /// The build.
        build: Build,
        /// The SHA-256 of its content.
        digest: Digest,
        /// What for.
        cause: Cause,
        /// The last error, in words.
        reason: String,
        /// How often it was quarantined.
        count: u32,
        /// Until when.
        until: jiff::Timestamp,
    },
    /// A thread did not come back from a plugin within its deadline.
    Abandoned {
        /// The build.
        build: Build,
        /// What was asked of it.
        doing: String,
        /// How long it had been given, in nanoseconds.
        #[serde(rename = "allowed_ns", serialize_with = "nanoseconds")]
        allowed: Duration,
    },
    /// A worker was started for an instance.
    WorkerStarted {
        /// The build.
        build: Build,
        /// For whom the instance is.
        #[serde(skip_serializing_if = "Scope::is_default")]
        scope: Scope,
        /// The number of the process.
        process: u32,
        /// How long that took, in nanoseconds.
        #[serde(rename = "took_ns", serialize_with = "nanoseconds")]
        took: Duration,
    },
    /// A worker is there no more.
    WorkerEnded {
        /// The build.
        build: Build,
        /// For whom the instance is.
        #[serde(skip_serializing_if = "Scope::is_default")]
        scope: Scope,
        /// The number of the process.
        process: u32,
        /// Why, in words, where it was not stopped by its host.
        #[serde(skip_serializing_if = "Option::is_none")]
        failure: Option<String>,
    },
    /// A plugin said another state than before.
    Health {
        /// The build.
        build: Build,
        /// The state.
        state: HealthState,
        /// Why, in words.
        message: String,
    },
    /// The system lost changes of the search path, or a directory of it came or went: it is scanned
    /// anew.
    WatchLost {
        /// What happened, in words.
        reason: String,
    },
}

impl Event {
    /// The build that it is about, where it is about one.
    #[must_use]
    pub const fn build(&self) -> Option<&Build> {
        match self {
            Self::Scanned { .. } | Self::Rejected { .. } | Self::WatchLost { .. } => None,
            Self::Admitted { build, .. }
            | Self::Removed { build }
            | Self::Loaded { build, .. }
            | Self::Started { build, .. }
            | Self::Failed { build, .. }
            | Self::Published { build, .. }
            | Self::HeldBack { build, .. }
            | Self::Retired { build, .. }
            | Self::Evicted { build, .. }
            | Self::Poisoned { build, .. }
            | Self::Stopped { build, .. }
            | Self::Circuit { build, .. }
            | Self::Quarantined { build, .. }
            | Self::Abandoned { build, .. }
            | Self::WorkerStarted { build, .. }
            | Self::WorkerEnded { build, .. }
            | Self::Health { build, .. } => Some(build),
        }
    }
}

/// For whom an instance is, in words that follow its build's; nothing for nobody in particular.
fn of(scope: &Scope) -> String {
    if scope.is_default() {
        String::new()
    } else {
        format!(" for `{scope}`")
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scanned {
                plugins,
                rejected,
                took,
            } => write!(
                f,
                "scanned: {plugins} admitted, {rejected} refused, in {took:.1?}"
            ),
            Self::Admitted { build, path } => {
                let path = path.to_string_lossy();
                write!(f, "{build} admitted: `{}`", path.escape_debug())
            }
            Self::Rejected { rejection } => rejection.fmt(f),
            Self::Removed { build } => write!(f, "{build} removed"),
            Self::Loaded { build, took, .. } => write!(f, "{build} loaded in {took:.1?}"),
            Self::Started { build, scope, took } => {
                write!(f, "{build} started{} in {took:.1?}", of(scope))
            }
            Self::Failed {
                build,
                stage,
                reason,
            } => write!(f, "{build} failed at {stage}: {reason}"),
            Self::Published { build, replaces } => {
                write!(f, "{build} answers now, in place of {replaces}")
            }
            Self::HeldBack {
                build,
                active,
                reason,
            } => {
                write!(f, "{build} held back")?;
                if let Some(active) = active {
                    write!(f, ", {active} goes on answering")?;
                }
                write!(f, ": {reason}")
            }
            Self::Quarantined {
                build,
                cause,
                reason,
                until,
                ..
            } => write!(
                f,
                "{build} quarantined until {until:.0}, for {cause}: {reason}"
            ),
            Self::Retired {
                build,
                mapped_bytes,
            } => write!(f, "{build} retired; {mapped_bytes} bytes stay mapped"),
            Self::Evicted { build, scope } => write!(f, "{build} evicted{}", of(scope)),
            Self::Poisoned {
                build,
                scope,
                reason,
            } => write!(f, "{build} poisoned{}: {reason}", of(scope)),
            Self::Stopped {
                build,
                scope,
                why,
                took,
                failure,
            } => {
                write!(f, "{build} stopped{}", of(scope))?;
                if *why != Ending::Stopped {
                    write!(f, " ({why})")?;
                }
                write!(f, " in {took:.1?}")?;
                match failure {
                    Some(failure) => write!(f, ": {failure}"),
                    None => Ok(()),
                }
            }
            Self::Circuit { build, state } => write!(f, "{build} circuit {state}"),
            Self::Abandoned {
                build,
                doing,
                allowed,
            } => write!(
                f,
                "{build} abandoned: {doing} had not ended after {allowed:?}"
            ),
            Self::WorkerStarted {
                build,
                scope,
                process,
                took,
            } => write!(
                f,
                "{build} worker {process} started{} in {took:.1?}",
                of(scope)
            ),
            Self::WorkerEnded {
                build,
                scope,
                process,
                failure,
            } => {
                write!(f, "{build} worker {process} ended{}", of(scope))?;
                match failure {
                    Some(failure) => write!(f, ": {failure}"),
                    None => Ok(()),
                }
            }
            Self::Health {
                build,
                state,
                message,
            } => {
                let state = match state {
                    HealthState::Healthy => "healthy",
                    HealthState::Degraded => "degraded",
                    HealthState::Unhealthy => "unhealthy",
                };
                write!(f, "{build} {state}")?;
                if message.is_empty() {
                    Ok(())
                } else {
                    write!(f, ": {message}")
                }
            }
            Self::WatchLost { reason } => write!(f, "scanning anew: {reason}"),
        }
    }
}
