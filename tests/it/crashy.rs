//! A plugin that ends the process that it is in.

use floe_plugin_api::{CallContext, HostRef, NoConfig, Plugin, Result, Value, export_plugin};

struct Crashy;

impl Plugin for Crashy {
    type Config = NoConfig;

    fn start(_config: NoConfig, _host: HostRef) -> Result<Self> {
        Ok(Self)
    }
}

fn abort(_: &Crashy, _: &Value, _call: &CallContext<'_>) -> Result<Value> {
    eprintln!("cannot go on");
    std::process::abort()
}

export_plugin! {
    plugin: Crashy,
    kind: "compute",
    executors: [
        "crashy.abort" => abort,
    ],
}
