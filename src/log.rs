//! The log, on standard error: what floe does, and what plugins say through `tracing`.

use std::env;
use std::io;

use anstream::{AutoStream, ColorChoice};
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::stamp::STAMP;

/// The variable that holds the log's filter.
pub(crate) const VARIABLE: &str = "FLOE_LOG";

/// What the registry warns of comes back as an error, which is reported once, not twice.
const DEFAULT: &str = "warn,floe_registry=error";

/// Starts the log: by `-v`, or by `FLOE_LOG`, or with warnings alone.
pub(crate) fn start(verbosity: u8) -> Result<(), Failure> {
    let filter = match verbosity {
        0 => from_environment()?,
        1 => EnvFilter::new("info"),
        2 => EnvFilter::new("debug"),
        _ => EnvFilter::new("trace"),
    };
    let log = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(AutoStream::choice(&io::stderr()) != ColorChoice::Never)
        .without_time()
        // Who closed standard error wants no log, and no complaint that there is none.
        .log_internal_errors(false)
        .with_env_filter(filter);
    if let Err(error) = log.try_init() {
        return Err(Failure::failed(format!(
            "the log cannot be started: {error}"
        )));
    }
    tracing::debug!("{}", STAMP.line());
    Ok(())
}

fn from_environment() -> Result<EnvFilter, Failure> {
    let Some(text) = env::var_os(VARIABLE).filter(|text| !text.is_empty()) else {
        return Ok(EnvFilter::new(DEFAULT));
    };
    let text = text.to_string_lossy();
    EnvFilter::builder().parse(&text).map_err(|error| {
        Failure::usage(format!("`{VARIABLE}` is `{text}`, which is no log filter"))
            .caused_by(&error)
            .hint("write a level such as `debug`, or levels by target such as `warn,floe_registry=debug`")
    })
}
