//! A plugin that needs another one.

use floe_plugin_api::{CallContext, HostRef, NoConfig, Plugin, Result, Value, export_plugin, value};

struct Needy {
    host: HostRef,
}

impl Plugin for Needy {
    type Config = NoConfig;

    fn start(_config: NoConfig, host: HostRef) -> Result<Self> {
        Ok(Self { host })
    }
}

fn ask(needy: &Needy, _: &Value, call: &CallContext<'_>) -> Result<Value> {
    needy.host.call("moody.well", &value!({"number": 1}), call)
}

export_plugin! {
    plugin: Needy,
    kind: "compute",
    dependencies: [{ kind: "compute", name: "moody", version: "^0.1" }],
    executors: [
        /// Asks another plugin.
        "needy.ask" => ask,
    ],
}
