//! The plugin that the benches load and call.
#![forbid(unsafe_code)]

mod work;

use floe_plugin_api::{CallContext, HostRef, NoConfig, Plugin, Result, Value, export_plugin};

use crate::work::Record;

struct Bench;

impl Plugin for Bench {
    type Config = NoConfig;

    fn start(_config: NoConfig, _host: HostRef) -> Result<Self> {
        Ok(Self)
    }
}

fn echo(_bench: &Bench, input: &Value, _call: &CallContext<'_>) -> Result<Value> {
    work::echo(input)
}

fn record(_bench: &Bench, input: Record, _call: &CallContext<'_>) -> Result<Record> {
    Ok(work::record(input))
}

export_plugin! {
    plugin: Bench,
    name: "bench",
    kind: "compute",
    executors: [
        /// Gives back what it is given.
        "bench.echo" => echo,
        /// Takes a record and gives one.
        "bench.record" => record,
    ],
}
