//! What a plugin may ask of this host.

use std::sync::Arc;

use floe_plugin_api::abi::abi_stable::sabi_trait::TD_Opaque;
use floe_plugin_api::abi::abi_stable::std_types::{RArc, RErr, ROk, RResult, RSlice, RStr};
use floe_plugin_api::abi::{
    RawCallRef, RawCallsite, RawError, RawField, RawHost, RawHost_TO, RawHostArc, contain,
};
use floe_plugin_api::{Error, Value};

use super::callsite;

/// Who answers when a plugin calls an executor.
pub(crate) trait Route: Send + Sync {
    /// Calls an executor on behalf of a plugin.
    fn route(&self, node_type: &str, input: &Value, call: RawCallRef<'_>) -> Result<Value, Error>;
}

/// A host as it is given to a plugin.
pub(crate) type HostHandle = RawHostArc;

/// A host that passes calls on to `route`.
pub(crate) fn host_for(route: Arc<dyn Route>) -> HostHandle {
    RawHost_TO::from_ptr(RArc::new(Bridge { route }), TD_Opaque)
}

/// Everything in here runs on a plugin's stack: no panic may leave it.
#[derive(Clone)]
struct Bridge {
    route: Arc<dyn Route>,
}

impl RawHost for Bridge {
    fn log_callsite(&self, raw: RawCallsite<'_>) -> u64 {
        contain(|| callsite::register(raw)).unwrap_or(0)
    }

    fn log_enabled(&self, number: u64) -> bool {
        contain(|| callsite::enabled(number)).unwrap_or(false)
    }

    fn log_event(&self, number: u64, fields: RSlice<'_, RawField>) {
        // A subscriber that panics has told its own panic hook; the plugin cannot mend it.
        let _ = contain(|| callsite::event(number, fields.as_slice()));
    }

    fn call(
        &self,
        node_type: RStr<'_>,
        input: &Value,
        call: RawCallRef<'_>,
    ) -> RResult<Value, RawError> {
        let called = contain(|| self.route.route(&node_type, input, call));
        match called {
            Ok(Ok(output)) => ROk(output),
            Ok(Err(error)) => RErr(error.into()),
            Err(panicked) => RErr(panicked.into()),
        }
    }
}
