//! A thermometer that breaks when it is told to: it ends its process, or never answers.
//!
//! It is safe Rust. What it does to the process that it is in is what a bug in any plugin may do.
#![forbid(unsafe_code)]

use std::thread;

use floe_plugin_api::{CallContext, HostRef, NoConfig, Plugin, Result, data, export_plugin};

struct Fragile;

impl Plugin for Fragile {
    type Config = NoConfig;

    fn start(_config: NoConfig, _host: HostRef) -> Result<Self> {
        Ok(Self)
    }
}

/// What is measured, and what goes wrong meanwhile.
#[data]
#[serde(deny_unknown_fields)]
struct Measurement {
    /// The place.
    place: String,
    /// How many attempts crash before one answers; none where it is left out.
    #[serde(default)]
    crashes: u32,
}

/// What was measured.
#[data]
struct Measured {
    /// The place.
    place: String,
    /// The temperature in °C.
    celsius: f64,
    /// Who says so.
    source: String,
}

impl Measured {
    fn new(place: String, celsius: f64, source: &str) -> Self {
        Self {
            place,
            celsius,
            source: source.to_owned(),
        }
    }
}

fn measure(_: &Fragile, input: Measurement, call: &CallContext<'_>) -> Result<Measured> {
    if call.attempt() <= input.crashes {
        // Not a panic, which is contained wherever it happens: the whole process ends.
        std::process::abort();
    }
    Ok(Measured::new(input.place, 21.5, "the thermometer"))
}

fn estimate(_: &Fragile, input: Measurement, _call: &CallContext<'_>) -> Result<Measured> {
    Ok(Measured::new(input.place, 20.0, "an estimate"))
}

fn hang(_: &Fragile, _input: Measurement, _call: &CallContext<'_>) -> Result<Measured> {
    // It does not even look whether somebody waits still.
    loop {
        thread::park();
    }
}

export_plugin! {
    plugin: Fragile,
    kind: "compute",
    executors: [
        /// Measures a temperature, after as many crashes as it is told.
        "fragile.measure" => measure { idempotent: true },
        /// Estimates a temperature, and does not fail.
        "fragile.estimate" => estimate { idempotent: true },
        /// Never answers.
        "fragile.hang" => hang { idempotent: true },
    ],
}
