//! One started plugin.

use std::sync::atomic::{AtomicBool, Ordering};

use floe_plugin_api::abi::abi_stable::std_types::{RNone, RSome};
use floe_plugin_api::abi::{RawCallRef, RawPluginBox};
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
