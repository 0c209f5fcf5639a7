//! What a plugin may ask of this host.

use std::sync::Arc;

use floe_plugin_api::abi::abi_stable::sabi_trait::TD_Opaque;
use floe_plugin_api::abi::abi_stable::std_types::{RArc, RErr, ROk, RResult, RSlice, RStr};
use floe_plugin_api::abi::{
    RawCallRef, RawCallsite, RawError, RawField, RawHost, RawHost_TO, RawHostArc, contain,
};
use floe_plugin_api::{Error, Value};

use parking_lot::RwLock;

use super::callsite;
use crate::schema::Secrets;

/// Who answers when a plugin calls an executor.
pub(crate) trait Route: Send + Sync {
    /// Calls an executor on behalf of a plugin.
    fn route(&self, node_type: &str, input: &Value, call: RawCallRef<'_>) -> Result<Value, Error>;
}

/// A host as it is given to a plugin.
pub(crate) type HostHandle = RawHostArc;

/// A host that passes calls on to `route`, and masks what the plugin logs.
pub(super) fn host_for(route: Arc<dyn Route>, masks: Arc<Masks>) -> HostHandle {
    RawHost_TO::from_ptr(RArc::new(Bridge { route, masks }), TD_Opaque)
}

/// What is secret of the configurations of a library's instances. One log serves them all, so it is
/// masked for all.
#[derive(Default)]
pub(super) struct Masks(RwLock<Vec<Secrets>>);

impl Masks {
    pub(super) fn add(&self, secrets: &Secrets) {
        let mut known = self.0.write();
        if !secrets.is_empty() && !known.contains(secrets) {
            known.push(secrets.clone());
        }
    }

    /// The fields of an event, masked; nothing where there is nothing to mask.
    fn masked(&self, fields: &[RawField]) -> Option<Vec<RawField>> {
        let known = self.0.read();
        if known.is_empty() {
            return None;
        }
        let mask = |field: &RawField| RawField {
            value: known.iter().fold(field.value.clone(), |value, secrets| {
                secrets.mask_value(&value)
            }),
            ..field.clone()
        };
        Some(fields.iter().map(mask).collect())
    }
}

/// Everything in here runs on a plugin's stack: no panic may leave it.
#[derive(Clone)]
struct Bridge {
    route: Arc<dyn Route>,
    masks: Arc<Masks>,
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
        let _ = contain(|| match self.masks.masked(fields.as_slice()) {
            Some(masked) => callsite::event(number, &masked),
            None => callsite::event(number, fields.as_slice()),
        });
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
