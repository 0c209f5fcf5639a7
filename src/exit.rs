//! What the program's exit code says.

use std::process::ExitCode;

use floe_registry::api::ErrorKind;

/// How a command ended. The numbers are documented in `--help` and do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked.
    Done,
    /// The executor returned an error, a plugin is unhealthy, this machine has a problem, or a file
    /// could not be read or written.
    Failed,
    /// It was asked wrongly: an argument, JSON, a setting, an input or a configuration does not fit.
    Usage,
    /// What was asked for is not there, was rejected, or is not compatible; or, of many plugins, one
    /// could not be started.
    Refused,
    /// The plugin panicked, crashed or ran out of time, and floe contained it.
    Contained,
}

impl Exit {
    /// What a plugin's own error comes to.
    pub(crate) const fn of_plugin_error(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::ExecutionTimeout | ErrorKind::Panicked | ErrorKind::Crashed => {
                Self::Contained
            }
            ErrorKind::InvalidParameters | ErrorKind::Configuration => Self::Usage,
            ErrorKind::DisabledForTenant => Self::Refused,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::Contained => 4,
        })
    }
}
