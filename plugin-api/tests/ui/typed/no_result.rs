use floe_plugin_api::{CallContext, HostRef, NoConfig, Plugin, export_plugin};

struct Demo;

impl Plugin for Demo {
    type Config = NoConfig;

    fn start(_: NoConfig, _: HostRef) -> floe_plugin_api::Result<Self> {
        Ok(Self)
    }
}

fn bare(_: &Demo, input: u8, _: &CallContext<'_>) -> u8 {
    input
}

export_plugin! {
    plugin: Demo,
    kind: "compute",
    executors: ["demo.echo" => bare],
}

fn main() {}
