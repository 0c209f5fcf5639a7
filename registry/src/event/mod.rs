//! What happens to plugins, told to whoever listens.
//!
//! - `kind` is what can happen; `bus` carries it to any number of listeners and waits for none.

mod bus;
mod kind;

pub(crate) use bus::Bus;
pub use bus::{Received, Subscription};
pub(crate) use kind::nanoseconds;
pub use kind::{CircuitState, Ending, Event};

/// Publishes an event, such as each start is, on a bus like a registry's; and who listens to that. For
/// the benches.
#[doc(hidden)]
pub fn publisher(listeners: usize) -> (impl Fn() + Send, Vec<Subscription<Event>>) {
    use crate::id::{Build, PluginId, Scope};

    let bus = Bus::new(4_096);
    let build = Build {
        plugin: PluginId {
            kind: floe_plugin_api::Kind::COMPUTE,
            name: "bench".to_owned(),
        },
        version: semver::Version::new(1, 0, 0),
        generation: 1,
    };
    let subscriptions = (0..listeners).map(|_| bus.subscribe()).collect();
    let publish = move || {
        bus.publish_with(|| Event::Started {
            build: build.clone(),
            scope: Scope::default(),
            took: std::time::Duration::from_micros(1),
        });
    };
    (publish, subscriptions)
}
