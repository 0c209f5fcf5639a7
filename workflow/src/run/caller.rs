//! How a run calls executors.

use floe_plugin_api::{CallOptions, Value};
use floe_registry::{AnsweredBy, CallError, Recovery, Registry, Status};

use super::outcome::Failure;

/// What came of a call of an executor.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Called {
    /// The output, or why there is none.
    pub output: Result<Value, Failure>,
    /// How it ended.
    pub status: Status,
    /// How often executors were called for it.
    pub attempts: u32,
    /// By what it was recovered, where it was.
    pub recovered_by: Option<String>,
}

impl Called {
    /// A call that was answered at once, or failed.
    #[must_use]
    pub fn once(output: Result<Value, Failure>) -> Self {
        Self {
            status: match output {
                Ok(_) => Status::Success,
                Err(_) => Status::Failed,
            },
            output,
            attempts: 1,
            recovered_by: None,
        }
    }
}

/// How a run calls executors. Calls come from several threads at once.
pub trait Caller: Send + Sync {
    /// Calls what answers to a reference, such as `sqlite.query@^1.2`.
    ///
    /// `config` lies over the plugin's configuration, and is null where nothing is said. `recovery` is what is
    /// done when it fails, in place of what the policy says.
    fn call(
        &self,
        reference: &str,
        config: &Value,
        input: &Value,
        options: &CallOptions,
        recovery: Option<&Recovery>,
    ) -> Called;
}

impl<C: Caller + ?Sized> Caller for &C {
    fn call(
        &self,
        reference: &str,
        config: &Value,
        input: &Value,
        options: &CallOptions,
        recovery: Option<&Recovery>,
    ) -> Called {
        (**self).call(reference, config, input, options, recovery)
    }
}

impl Caller for Registry {
    fn call(
        &self,
        reference: &str,
        config: &Value,
        input: &Value,
        options: &CallOptions,
        recovery: Option<&Recovery>,
    ) -> Called {
        let is_configured = config.as_map().is_some_and(|config| !config.is_empty());
        let answer = match self.get(reference) {
            Ok(handle) if is_configured => {
                let own = handle.configured(config.clone());
                own.answer(input, options, recovery)
            }
            // One that nothing answers to may have others in its place.
            _ => self.answer(reference, input, options, recovery),
        };
        let recovered_by = match &answer.answered_by {
            AnsweredBy::Executor | AnsweredBy::Nobody => None,
            other => Some(other.to_string()),
        };
        Called {
            output: answer.output.map_err(|error| failure(&error)),
            status: answer.status,
            attempts: u32::try_from(answer.attempts.len()).unwrap_or(u32::MAX),
            recovered_by,
        }
    }
}

fn failure(error: &CallError) -> Failure {
    let failure = Failure::new(error.kind(), error.with_causes());
    match error {
        CallError::Executor(said) | CallError::Start(said) => failure.details(said.details.clone()),
        _ => failure,
    }
}
