use floe_plugin_api::{CallContext, HostRef, NoConfig, Plugin, Result, Value, export_plugin};

struct Demo;

impl Plugin for Demo {
    type Config = NoConfig;

    fn start(_: NoConfig, _: HostRef) -> Result<Self> {
        Ok(Self)
    }
}

fn echo(_: &Demo, input: &Value, _: &CallContext<'_>) -> Result<Value> {
    Ok(input.clone())
}

export_plugin! {
    plugin: Demo,
    kind: "compute",
    executors: ["demo.echo" => echo { idempotent: true, idempotent: false }],
}

fn main() {}
