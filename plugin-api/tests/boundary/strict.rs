//! A plugin of a vendor who allows themselves nothing, and whose names are those that the macros
//! might mean others by.
#![deny(
    warnings,
    clippy::pedantic,
    missing_copy_implementations,
    missing_debug_implementations,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    unused_results
)]
#![allow(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "an executor has the signature that it has"
)]

use std::fmt;
use std::thread;

use floe_plugin_api::{CallContext, HostRef, Plugin, data, export_plugin, tracing};

/// Names that the macros write paths around.
#[allow(dead_code, reason = "they are there to be in the way")]
mod shadows {
    pub(crate) struct Result;
    pub(crate) struct Option;
    pub(crate) struct String;
    pub(crate) struct Vec;
    pub(crate) struct Value;
    pub(crate) struct Error;
    pub(crate) struct Executor;
    pub(crate) struct Exported;
}

#[expect(unused_imports, reason = "as above")]
use shadows::{Error, Executor, Exported, Option, Result, String, Value, Vec};

type Answer<T = ()> = floe_plugin_api::Result<T>;

/// Where to panic.
#[data]
#[derive(Clone, Copy)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// While it starts.
    #[serde(default)]
    panic: bool,
}

#[derive(Debug)]
pub(crate) struct Strict {
    host: HostRef,
}

impl Plugin for Strict {
    type Config = Config;

    fn start(config: Config, host: HostRef) -> Answer<Self> {
        assert!(!config.panic, "start as told");
        Ok(Self { host })
    }
}

/// A type with a type parameter.
#[data]
struct Input<T> {
    inner: T,
}

/// An enum of every sort of variant.
#[data]
enum Choice {
    One,
    Two(u8),
    Three { x: f64 },
}

fn choose(_: &Strict, input: Input<Choice>, _: &CallContext<'_>) -> Answer<f64> {
    Ok(match input.inner {
        Choice::One => 1.0,
        Choice::Two(number) => number.into(),
        Choice::Three { x } => x,
    })
}

/// Calls an executor of another plugin.
#[data]
struct Forward {
    node_type: std::string::String,
}

fn forward(
    strict: &Strict,
    input: Forward,
    call: &CallContext<'_>,
) -> Answer<(u8, std::string::String, u32)> {
    strict.host.call_typed(&input.node_type, &7, call)
}

/// As [`forward`], with the wrong type.
fn misread(strict: &Strict, input: Forward, call: &CallContext<'_>) -> Answer<Config> {
    strict.host.call_typed(&input.node_type, &7, call)
}

/// Is not to be formatted.
struct Precious;

impl fmt::Debug for Precious {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("formatted for nobody")
    }
}

fn log(_: &Strict, (): (), _: &CallContext<'_>) -> Answer {
    tracing::error!(target: "levels", "one");
    tracing::warn!(target: "levels", "two");
    tracing::info!(target: "levels", "three");
    tracing::debug!(target: "levels", "four");
    tracing::trace!(target: "levels", "five: {Precious:?}");
    tracing::error!(target: "levels.off", ?Precious, "six");

    let shown = format_args!("{}", 0.5);
    tracing::info!(
        target: "fields",
        signed = -1_i64, unsigned = u64::MAX, float = 0.5, flag = true, text = "a \"text\"",
        wide = u128::MAX, debug = ?Choice::Two(2), display = %shown, absent = tracing::field::Empty,
        "message {}", 7,
    );
    Ok(())
}

fn log_in_a_span(_: &Strict, (): (), _: &CallContext<'_>) -> Answer<bool> {
    let span = tracing::info_span!(target: "spans", "a span", precious = ?Precious);
    let _entered = span.enter();
    tracing::info!(target: "spans", "inside");
    Ok(span.is_disabled())
}

fn log_from_a_thread(strict: &Strict, (): (), _: &CallContext<'_>) -> Answer<bool> {
    let host = strict.host.clone();
    let thread = thread::spawn(move || {
        tracing::warn!(target: "threads", host = ?host, "later");
        assert!(
            host.clone()
                .call(
                    "x",
                    &().into(),
                    &floe_plugin_api::CallOptions::new().context()
                )
                .is_ok(),
            "on a thread"
        );
    });
    Ok(thread.join().is_err())
}

fn panics(_: &Strict, (): (), _: &CallContext<'_>) -> Answer {
    panic!("executor as told")
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("bomb");
    }
}

fn throws(_: &Strict, (): (), _: &CallContext<'_>) -> Answer {
    std::panic::panic_any(Bomb)
}

fn asks_first(_: &Strict, (): (), _: &CallContext<'_>) -> Answer<(bool, bool, bool)> {
    Ok((
        tracing::enabled!(target: "asked", tracing::Level::DEBUG),
        tracing::event_enabled!(target: "asked", tracing::Level::DEBUG),
        tracing::enabled!(target: "asked.off", tracing::Level::ERROR),
    ))
}

fn is_told_of_the_log(_: &Strict, (): (), _: &CallContext<'_>) -> Answer {
    tracing::info!(target: "told", "told");
    Ok(())
}

mod elsewhere {
    use super::{CallContext, Strict};

    impl Strict {
        /// With an error type and a result of its own.
        pub(crate) fn associated(
            &self,
            _: u8,
            call: &CallContext<'_>,
        ) -> Result<u32, std::fmt::Error> {
            let _ = self.host.clone();
            Ok(call.attempt())
        }
    }
}

export_plugin! {
    plugin: Strict,
    kind: "compute",
    executors: [
        "strict.choose" => choose,
        "strict.forward" => forward,
        "strict.misread" => misread,
        "strict.log" => log,
        "strict.log_in_a_span" => log_in_a_span,
        "strict.log_from_a_thread" => log_from_a_thread,
        "strict.panics" => panics,
        "strict.associated" => Strict::associated,
        "strict.throws" => throws,
        "strict.asks_first" => asks_first,
        "strict.is_told_of_the_log" => is_told_of_the_log,
    ]
}
