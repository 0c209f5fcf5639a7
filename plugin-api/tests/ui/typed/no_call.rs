use floe_plugin_api::{HostRef, NoConfig, Plugin, Result, export_plugin};

struct Demo;

impl Plugin for Demo {
    type Config = NoConfig;

    fn start(_: NoConfig, _: HostRef) -> Result<Self> {
        Ok(Self)
    }
}

fn lonely(_: &Demo, input: u8) -> Result<u8> {
    Ok(input)
}

export_plugin! {
    plugin: Demo,
    kind: "compute",
    executors: ["demo.echo" => lonely],
}

fn main() {}
