//! An executor of a slot, resolved.

use std::sync::{Arc, OnceLock};

use floe_plugin_api::abi::RawCallRef;
use floe_plugin_api::{ExecutorMetadata, Value};

use super::Slot;
use crate::error::{CallError, PluginError};
use crate::host::Instance;

/// An executor of a slot. A call through it looks nothing up by name.
pub(crate) struct Target {
    slot: Arc<Slot>,
    operation: u32,
    /// The slot's instance when it was first needed. While that is well, a call needs one load of
    /// a pointer that never changes and one of its flag.
    first: OnceLock<Arc<Instance>>,
}

impl Target {
    pub(crate) const fn new(slot: Arc<Slot>, operation: u32) -> Self {
        Self {
            slot,
            operation,
            first: OnceLock::new(),
        }
    }

    pub(crate) const fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    /// What is known of the executor without running it.
    pub(crate) fn metadata(&self) -> Option<&ExecutorMetadata> {
        let index = usize::try_from(self.operation).ok()?;
        self.slot.manifest().executors.get(index)
    }

    pub(crate) fn node_type(&self) -> &str {
        self.metadata().map_or("", |metadata| &metadata.node_type)
    }

    #[inline]
    pub(crate) fn call(&self, input: &Value, call: RawCallRef<'_>) -> Result<Value, CallError> {
        // The plugin writes to the place that is returned: a value that was just written is slow to
        // move (see `RawPlugin::execute`).
        let mut result = Ok(Value::Null);
        if let Ok(output) = &mut result {
            let called = match self.first.get() {
                Some(instance) if !instance.is_poisoned() => instance
                    .execute(self.operation, input, call, output)
                    .map_err(|error| self.explain(&error)),
                _ => self.call_anew(input, call, output),
            };
            if let Err(error) = called {
                result = Err(error);
            }
        }
        result
    }

    #[cold]
    #[inline(never)]
    fn call_anew(
        &self,
        input: &Value,
        call: RawCallRef<'_>,
        output: &mut Value,
    ) -> Result<(), CallError> {
        let instance = self.slot.instance()?;
        let instance = match self.first.get() {
            // Poisoned: the slot's present one does it, and is held until the call is over.
            Some(_) => instance,
            None => self.first.get_or_init(|| instance).clone(),
        };
        instance
            .execute(self.operation, input, call, output)
            .map_err(|error| self.explain(&error))
    }

    #[cold]
    fn explain(&self, error: &floe_plugin_api::Error) -> CallError {
        let manifest = self.slot.manifest();
        let plugin = format!("{} {}", manifest.name, manifest.version);
        CallError::Executor(Box::new(PluginError::new(
            plugin,
            Some(self.node_type()),
            error,
        )))
    }
}
