//! One started plugin.

use floe_plugin_api::abi::abi_stable::std_types::{RNone, RSome};
use floe_plugin_api::abi::{RawCallRef, RawPluginBox};
use floe_plugin_api::{Error, Health, Value};

/// One started, configured plugin.
///
/// Dropping it drops the plugin and does not stop it: see [`Instance::stop`].
pub(crate) struct Instance(RawPluginBox);

impl Instance {
    pub(crate) const fn new(plugin: RawPluginBox) -> Self {
        Self(plugin)
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
        match self.0.execute(operation, input, call, output) {
            RNone => Ok(()),
            RSome(error) => Err(error.into()),
        }
    }

    /// How the plugin is, as it says.
    pub(crate) fn health(&self) -> Result<Health, Error> {
        match self.0.health().into_result() {
            Ok(health) => Ok(health.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the plugin's work, and drops it. It takes the instance, so no call can be inside.
    pub(crate) fn stop(self) -> Result<(), Error> {
        self.0.stop().into_result().map_err(Error::from)
    }
}
