//! One started plugin.

use std::sync::atomic::{AtomicBool, Ordering};

use floe_plugin_api::abi::abi_stable::std_types::{RErr, RNone, RSome};
use floe_plugin_api::abi::{RawCallRef, RawPluginBox, in_process};
use floe_plugin_api::{Error, ErrorKind, Value};

/// One started, configured plugin.
///
/// It is shared by pointer: whoever calls it holds it, so it is never dropped with a call inside.
pub(crate) struct Instance {
    plugin: RawPluginBox,
    poisoned: AtomicBool,
}

impl Instance {
    pub(crate) const fn new(plugin: RawPluginBox) -> Self {
        Self {
            plugin,
            poisoned: AtomicBool::new(false),
        }
    }

    /// Whether a panic has left it in a state that nobody can vouch for.
    #[inline]
    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Relaxed)
    }

    /// Calls the executor with this number, and puts what it gives in `output`.
    #[inline]
    pub(crate) fn execute(
        &self,
        operation: u32,
        input: &Value,
        call: RawCallRef<'_>,
        output: &mut Value,
    ) -> Result<(), Error> {
        match self.plugin.execute(operation, input, call, output) {
            RNone => Ok(()),
            RSome(error) => Err(self.failed(error.into())),
        }
    }

    #[cold]
    fn failed(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::Panicked {
            self.poisoned.store(true, Ordering::Relaxed);
        }
        error
    }
}

impl Drop for Instance {
    /// Stops the plugin, unless a panic has left it in a state that nobody can vouch for; it is only
    /// dropped then. Whoever held it last waits for that.
    fn drop(&mut self) {
        if self.is_poisoned() {
            return;
        }
        // Stopping takes the plugin, so something has to stand in its place until the end.
        let nothing = in_process(|_, _| Ok(Value::Null));
        let plugin = std::mem::replace(&mut self.plugin, nothing);
        if let RErr(error) = plugin.stop() {
            let error = Error::from(error);
            tracing::warn!(kind = %error.kind(), %error, "a plugin did not stop well");
        }
    }
}
