//! `floe call`.

use std::fs;
use std::io::{self, Read};
use std::time::Instant;

use floe_registry::api::{CallOptions, Value};
use floe_registry::{CallError, Handle};

use crate::arguments::Call;
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
    let handle = session.get(&session.registry()?, reference)?;
    let handle = match config {
        None => handle,
        // Whose configuration it is, is known only now.
        Some(config) => {
            let configured = session.builder().config(&handle.plugin().name, config);
            session.get(&configured.build()?, reference)?
        }
    };
    handle
        .validate(&input)
        .map_err(|error| with_description(&handle, error))?;
    let answer = call(&handle, &input, arguments)?;
    value::print(&answer, output)?;
    Ok(Exit::Done)
}

fn call(handle: &Handle, input: &Value, arguments: &Call) -> Result<Value, Failure> {
    let mut options = CallOptions::new().on_progress(|progress| {
        let percent = progress.fraction.map(|fraction| fraction * 100.0);
        tracing::info!(percent, "{}", progress.message);
    });
    let timeout = arguments.timeout.map(|timeout| timeout.0);
    if let Some(timeout) = timeout {
        options = options.timeout(timeout);
    }
    let began = Instant::now();
    let answer = handle.call_with(input, &options);
    let took = began.elapsed();
    tracing::debug!(node_type = handle.node_type(), ?took, "called");
    if let Some(timeout) = timeout.filter(|timeout| answer.is_ok() && took > *timeout) {
        tracing::warn!(
            "`{}` answered after {took:.1?}, not within {timeout:.1?}: it does not heed its deadline",
            handle.node_type()
        );
    }
    answer.map_err(|error| with_description(handle, error))
}

/// The failure of a call; where a value does not fit, with the way to see what does.
fn with_description(handle: &Handle, error: CallError) -> Failure {
    let failure = Failure::from(error);
    match failure.exit {
        Exit::Usage => {
            let describe = format!("`floe describe {}` shows what fits", handle.node_type());
            failure.hint(describe)
        }
        _ => failure,
    }
}

/// Where JSON is to be read from.
enum Argument<'a> {
    Text(&'a str),
    File(&'a str),
    StandardInput,
}

impl<'a> Argument<'a> {
    fn config(text: &'a str) -> Self {
        text.strip_prefix('@').map_or(Self::Text(text), Self::File)
    }

    fn input(text: &'a str) -> Self {
        match text {
            "-" | "@-" => Self::StandardInput,
            _ => Self::config(text),
        }
    }

    fn read(&self, option: &str) -> Result<Value, Failure> {
        let (name, bytes) = match self {
            Self::Text(text) => (
                format!("the text of `{option}`"),
                Ok(text.as_bytes().to_vec()),
            ),
            Self::File(path) => (format!("`{path}`"), fs::read(path)),
            Self::StandardInput => {
                let mut bytes = Vec::new();
                let read = io::stdin().lock().read_to_end(&mut bytes);
                ("standard input".to_owned(), read.map(|_| bytes))
            }
        };
        let bytes = bytes.map_err(|error| {
            Failure::usage(format!("cannot read {name}, which `{option}` names")).caused_by(&error)
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            Failure::usage(format!("{name} is not JSON")).caused_by(&error.utf8_error())
        })?;
        Value::from_json(&text).map_err(|error| {
            Failure::usage(format!("{name} is not JSON that floe can take")).caused_by(&error)
        })
    }
}
