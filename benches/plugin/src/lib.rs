//! The plugin that the benches load and call.
#![forbid(unsafe_code)]

mod work;

use floe_plugin_api::{CallContext, HostRef, Plugin, Result, Value, data, export_plugin};

use crate::work::Record;

/// What may be set: something, so that a plugin can be configured anew.
#[data]
struct Config {
    /// Changes nothing.
    #[serde(default)]
    number: u64,
}

struct Bench;

impl Plugin for Bench {
    type Config = Config;

    fn start(config: Config, _host: HostRef) -> Result<Self> {
        let _ = config.number;
        Ok(Self)
    }
}

fn echo(_bench: &Bench, input: &Value, _call: &CallContext<'_>) -> Result<Value> {
    work::echo(input)
}

fn copy(_bench: &Bench, input: &Value, _call: &CallContext<'_>) -> Result<Value> {
    work::echo(input)
}

fn record(_bench: &Bench, input: Record, _call: &CallContext<'_>) -> Result<Record> {
    Ok(work::record(input))
}

fn hang(_bench: &Bench, _input: &Value, _call: &CallContext<'_>) -> Result<Value> {
    loop {
        std::thread::park();
    }
}

export_plugin! {
    plugin: Bench,
    name: "bench",
    kind: "compute",
    executors: [
        /// Gives back what it is given.
        "bench.echo" => echo,
        /// Gives back what it is given, by another name.
        "bench.copy" => copy,
        /// Takes a record and gives one.
        "bench.record" => record,
        /// Never comes back.
        "bench.hang" => hang,
    ],
}
