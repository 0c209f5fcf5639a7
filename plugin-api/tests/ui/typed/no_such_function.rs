use floe_plugin_api::{HostRef, NoConfig, Plugin, Result, export_plugin};

struct Demo;

impl Plugin for Demo {
    type Config = NoConfig;

    fn start(_: NoConfig, _: HostRef) -> Result<Self> {
        Ok(Self)
    }
}


export_plugin! {
    plugin: Demo,
    kind: "compute",
    executors: ["demo.echo" => greet],
}

fn main() {}
