//! What a decision needs to know of an error.

use std::time::Duration;

use floe_plugin_api::ErrorKind;

use crate::error::{Begun, CallError, DependencyError};
use crate::schema::Subject;

/// A call that gave no output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    /// Whether its worker was lost through no fault of its own.
    pub(crate) innocent: bool,
    /// Whether the executor may have begun, and so may have had an effect.
    pub(crate) began: bool,
    /// How long not to call again, as the error says.
    pub(crate) retry_after: Option<Duration>,
    /// What the executor says of calling it twice.
    pub(crate) idempotent: Option<bool>,
}

impl Failure {
    /// What an error says, of an executor that says this of calling it twice.
    pub(crate) fn of(error: &CallError, idempotent: Option<bool>) -> Self {
        Self {
            kind: error.kind(),
            innocent: match error {
                CallError::Executor(error) => {
                    let innocent = error.details.get("innocent");
                    innocent.and_then(floe_plugin_api::Value::as_bool) == Some(true)
                }
                _ => false,
            },
            began: began(error),
            retry_after: retry_after(error),
            idempotent,
        }
    }
}

/// Whether the executor may have begun. A deadline that passed while the plugin still started counts as
/// if it had: an error does not tell the two apart.
fn began(error: &CallError) -> bool {
    match error {
        CallError::Executor(_) => true,
        CallError::Overrun(overrun) => overrun.begun != Begun::No,
        CallError::Invalid(invalid) => invalid.subject == Subject::Output,
        CallError::Convert(error) => error.subject == Subject::Output,
        CallError::Lookup(_)
        | CallError::Rejected(_)
        | CallError::Start(_)
        | CallError::StartCycle { .. }
        | CallError::Replaced { .. }
        | CallError::RegistryGone { .. }
        | CallError::Dependency(_)
        | CallError::CircuitOpen(_)
        | CallError::Denied(_)
        | CallError::Unrecorded(_)
        | CallError::Mapping(_) => false,
    }
}

fn retry_after(error: &CallError) -> Option<Duration> {
    match error {
        CallError::CircuitOpen(open) => Some(open.retry_after),
        CallError::Executor(error) | CallError::Start(error) => {
            let milliseconds = error.details.get("retry_after_ms")?.as_u64()?;
            Some(Duration::from_millis(milliseconds))
        }
        CallError::Dependency(error) => match &**error {
            DependencyError::Failed { source, .. } => retry_after(source),
            _ => None,
        },
        _ => None,
    }
}
