//! `floe call`.

use std::time::Instant;

use floe_registry::api::Value;
use floe_registry::{Answer, CallError, Handle, Status};

use crate::arguments::Call;
use crate::command::argument::Argument;
use crate::command::duration::Duration;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::Output;
use crate::report::value;
use crate::session::Session;

pub(crate) fn run(arguments: &Call, session: &Session, output: &Output) -> Result<Exit, Failure> {
    let config = arguments.config.as_deref();
    let config = config
        .map(|text| Argument::config(text).read("--config"))
        .transpose()?;
    let input = Argument::input(&arguments.input).read("--input")?;

    let reference = &arguments.reference;
    // The handle keeps its registry, which stops the plugin when both are dropped.
    let handle = session.get(&session.calling_registry()?, reference)?;
    let handle = match config {
        None => handle,
        Some(config) => handle.configured(config),
    };
    // Who may not call it does not learn what it takes: the call is refused, and on record.
    if handle.authorize(&arguments.caller.options()).is_ok() {
        handle
            .validate(&input)
            .map_err(|error| with_description(&handle, error))?;
    }
    let answer = call(&handle, &input, arguments)?;
    value::print(&answer, output)?;
    Ok(Exit::Done)
}

fn call(handle: &Handle, input: &Value, arguments: &Call) -> Result<Value, Failure> {
    let mut options = arguments.caller.options().on_progress(|progress| {
        let percent = progress.fraction.map(|fraction| fraction * 100.0);
        tracing::info!(percent, "{}", progress.message);
    });
    if let Some(Duration(timeout)) = arguments.timeout {
        options = options.timeout(timeout);
    }
    let began = Instant::now();
    let answer = handle.answer(input, &options, None);
    let took = began.elapsed();
    tracing::debug!(node_type = handle.node_type(), ?took, "called");
    tell(&answer);
    answer
        .output
        .map_err(|error| with_description(handle, error))
}

/// Says of an answer that the executor did not give at once how it came, and of none what was not tried.
fn tell(answer: &Answer) {
    for attempt in &answer.attempts {
        if let Some(error) = &attempt.error
            && answer.attempts.len() > 1
        {
            tracing::warn!(
                node_type = attempt.node_type,
                attempt = attempt.number,
                "{}",
                error.with_causes()
            );
        }
    }
    match answer.status {
        Status::Success => {}
        Status::Failed => {
            for reason in &answer.passed_over {
                tracing::info!("not recovered: {reason}");
            }
        }
        status => tracing::warn!(
            attempts = answer.attempts.len(),
            "{status} by {}",
            answer.answered_by
        ),
    }
}

/// The failure of a call; where a value does not fit, with the way to see what does.
pub(crate) fn with_description(handle: &Handle, error: CallError) -> Failure {
    let failure = Failure::from(error);
    match failure.exit {
        Exit::Usage => {
            let describe = format!("`floe describe {}` shows what fits", handle.node_type());
            failure.hint(describe)
        }
        _ => failure,
    }
}
