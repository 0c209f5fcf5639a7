use floe_plugin_api::{CallContext, HostRef, NoConfig, Plugin, Result, export_plugin};

struct Demo;

impl Plugin for Demo {
    type Config = NoConfig;

    fn start(_: NoConfig, _: HostRef) -> Result<Self> {
        Ok(Self)
    }
}

struct Input {
    name: String,
}

fn greet(_: &Demo, input: Input, _: &CallContext<'_>) -> Result<String> {
    Ok(input.name)
}

export_plugin! {
    plugin: Demo,
    kind: "compute",
    executors: ["demo.echo" => greet],
}

fn main() {}
