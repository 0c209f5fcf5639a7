//! A vendor's functions may have any name, those that the macro uses itself included.

use floe_plugin_api::{CallContext, HostRef, NoConfig, Plugin, Result, Value, export_plugin};

struct Named;

impl Plugin for Named {
    type Config = NoConfig;

    fn start(_config: NoConfig, _host: HostRef) -> Result<Self> {
        Ok(Self)
    }
}

fn call(_: &Named, value: &Value, _: &CallContext<'_>) -> Result<Value> {
    Ok(value.clone())
}

fn input(_: &Named, value: u8, _: &CallContext<'_>) -> Result<u8> {
    Ok(value)
}

fn output(_: &Named, value: &Value, _: &CallContext<'_>) -> Result<Value> {
    Ok(value.clone())
}

fn operation(_: &Named, value: &Value, _: &CallContext<'_>) -> Result<Value> {
    Ok(value.clone())
}

fn given(_: &Named, value: &Value, _: &CallContext<'_>) -> Result<Value> {
    Ok(value.clone())
}

fn error(_: &Named, value: &Value, _: &CallContext<'_>) -> Result<Value> {
    Ok(value.clone())
}

export_plugin! {
    plugin: Named,
    name: "named",
    kind: "compute",
    executors: [
        "named.call" => call,
        "named.input" => input,
        "named.output" => output,
        "named.operation" => operation,
        "named.given" => given,
        "named.error" => error,
    ],
}

fn main() {}
