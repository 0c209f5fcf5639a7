//! A workflow that another one calls: a run of its own, within the node that calls it.

use std::sync::Arc;
use std::time::Instant;

use floe_plugin_api::{ErrorKind, Map, Value};

use super::caller::Caller;
use super::crew::{self, Job};
use super::outcome::{Failure, Run, RunStatus, with_causes};
use super::prepared::Program;
use super::step::Shared;
use super::{RunOptions, Told};
use crate::journal::JournalError;

/// Runs a workflow for a node of another one's run.
pub(super) fn run<C: Caller>(
    by: &Shared<'_, C>,
    program: &Arc<Program>,
    place: &str,
    input: &Value,
    until: Option<Instant>,
) -> Result<Value, Failure> {
    let (tenant, by) = (by.tenant.as_str(), by.job);
    let workflow = program.checked.workflow();
    // It was checked for the tenant of the document; a run may be for another one.
    if let Some(own) = workflow.tenant.as_deref().filter(|own| *own != tenant) {
        let why = format!(
            "workflow `{}` is of the tenant `{own}`, and this run is for {}",
            workflow.id,
            if tenant.is_empty() {
                "none".to_owned()
            } else {
                format!("`{tenant}`")
            },
        );
        return Err(Failure::new(ErrorKind::DisabledForTenant, why));
    }
    let options = options(by.options, place, tenant);
    let (recording, before) = match by.recording {
        None => (None, None),
        Some(recording) => {
            let calling = by.options.execution_id.as_str();
            let begun = program.begun(input, &options, Some(calling));
            let taken_up = recording.journal().take_up(&begun);
            let (recording, before) = taken_up.map_err(|error| unrecorded(&error))?;
            (Some(recording), before)
        }
    };
    // What has ended of it came of what it was begun with.
    let input = Arc::new(before.unwrap_or_else(|| input.clone()));
    let run = crew::work(&Job {
        caller: by.caller,
        program,
        options: &options,
        input,
        recording: recording.as_ref(),
        began: Instant::now(),
        until,
    });
    outcome(run)
}

/// The options of a run that another one has begun.
fn options(by: &RunOptions, place: &str, tenant: &str) -> RunOptions {
    let mut options = by.clone();
    options.tenant = (!tenant.is_empty()).then(|| tenant.to_owned());
    options.execution_id = format!("{}/{place}", by.execution_id);
    options.keep_outputs = false;
    if let Some(listener) = by.listener.clone() {
        let place = place.to_owned();
        options.listener = Some(Arc::new(move |told: Told<'_>| {
            let node = format!("{place}/{}", told.node());
            listener(told.of(&node));
        }));
    }
    options
}

fn unrecorded(error: &JournalError) -> Failure {
    Failure::new(ErrorKind::ResourceExhausted, with_causes(error))
}

/// What the calling node comes to.
fn outcome(mut run: Run) -> Result<Value, Failure> {
    let kind_and_why = match run.status {
        RunStatus::Success => return Ok(run.output),
        RunStatus::Cancelled => (ErrorKind::Cancelled, "it was stopped".to_owned()),
        RunStatus::TimedOut => (ErrorKind::ExecutionTimeout, "its time was over".to_owned()),
        RunStatus::Failed => {
            let failed = run.failed.take();
            let node = failed.and_then(|id| Some((run.nodes.remove(&id)?.error?, id)));
            match node {
                Some((error, id)) => {
                    let why = format!("node `{id}`: {}", error.message);
                    let failure = failure(&run, error.kind, &why);
                    return Err(failure.details(error.details));
                }
                None => (
                    ErrorKind::ResourceExhausted,
                    run.fault.take().unwrap_or_default(),
                ),
            }
        }
    };
    let (kind, why) = kind_and_why;
    let mut details = Map::new();
    details.insert("execution_id", run.execution_id.as_str());
    Err(failure(&run, kind, &why).details(details.into()))
}

fn failure(run: &Run, kind: ErrorKind, why: &str) -> Failure {
    Failure::new(kind, format!("workflow `{}`: {why}", run.workflow))
}
