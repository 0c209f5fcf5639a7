use floe_plugin_api::{CallContext, HostRef, NoConfig, Plugin, Result, export_plugin};

struct Demo;

impl Plugin for Demo {
    type Config = NoConfig;

    fn start(_: NoConfig, _: HostRef) -> Result<Self> {
        Ok(Self)
    }
}

async fn later(_: &Demo, input: u8, _: &CallContext<'_>) -> Result<u8> {
    Ok(input)
}

export_plugin! {
    plugin: Demo,
    kind: "compute",
    executors: ["demo.echo" => later],
}

fn main() {}
