//! A workflow that another one calls: a run of its own, within the node that calls it.

use std::sync::Arc;
use std::time::Instant;

use floe_plugin_api::{ErrorKind, Map, Value};

use super::caller::Caller;
use super::crew::{self, Job};
use super::outcome::{Failure, Run, RunStatus};
use super::prepared::Program;
use super::step::{Shared, Wrong};
use super::{RunOptions, Told};
use crate::journal::CalledBy;

/// Runs a workflow for a node of another one's run, and for an item of a list where it is one of many.
pub(super) fn run<C: Caller>(
    by: &Shared<'_, C>,
    program: &Arc<Program>,
    (node, item): (&str, Option<usize>),
    input: &Value,
    until: Option<Instant>,
) -> Result<Value, Wrong> {
    let (tenant, by) = (by.tenant.as_str(), by.job);
    let workflow = program.checked.workflow();
    // It was checked for the tenant of the document; a run may be for another one.
    if let Some(own) = workflow.tenant.as_deref().filter(|own| *own != tenant) {
        let whose = match tenant {
            "" => "none".to_owned(),
            tenant => format!("`{tenant}`"),
        };
        let why = format!(
            "workflow `{}` is of the tenant `{own}`, and this run is for {whose}",
            workflow.id
        );
        return Err(Failure::new(ErrorKind::DisabledForTenant, why).into());
    }
    let options = options(by.options, &place(node, item), tenant);
    let (recording, before) = match by.recording {
        None => (None, None),
        Some(recording) => {
            let called_by = CalledBy {
                execution_id: &by.options.execution_id,
                node,
                item,
            };
            let begun = program.begun(input, &options, Some(&called_by));
            let (recording, before) = recording.journal().take_up(&begun, &called_by)?;
            (Some(recording), before)
        }
    };
    // What has ended of it came of what it was begun with.
    let input = Arc::new(before.unwrap_or_else(|| input.clone()));
    let (run, fault) = crew::work(&Job {
        caller: by.caller,
        program,
        options: &options,
        input,
        recording: recording.as_ref(),
        began: Instant::now(),
        until,
    });
    match fault {
        // What cannot be put on record is not this node's failure, and nobody deals with it.
        Some(fault) => Err(Wrong::Fault(fault)),
        None => Ok(outcome(run)?),
    }
}

/// The part of the name of a run that its caller's node makes. Whatever the ids are, two places have two names.
fn place(node: &str, item: Option<usize>) -> String {
    let mut place = String::with_capacity(node.len());
    for c in node.chars() {
        match c {
            '/' => place.push_str("%2F"),
            '[' => place.push_str("%5B"),
            '%' => place.push_str("%25"),
            c => place.push(c),
        }
    }
    match item {
        Some(item) => format!("{place}[{item}]"),
        None => place,
    }
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
                // Nothing else fails a run; and if so, this is no worse.
                None => (ErrorKind::ExecutionError, "it failed".to_owned()),
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
