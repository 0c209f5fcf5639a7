//! A started, configured plugin.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RBox, RResult};

use super::{RawCallRef, RawError, Text, Value};

/// How a plugin says it is.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct RawHealth {
    /// 0 healthy, 1 degraded, anything else unhealthy.
    pub state: u8,
    /// Why, in words.
    pub message: Text,
    /// More for programs: a map, or null.
    pub details: Value,
}

/// A started, configured plugin: an instance. Implemented by the export macro.
///
/// Each method catches the panics of the vendor's code. After one, the host calls no method again
/// but the destructor.
#[sabi_trait]
pub trait RawPlugin: Send + Sync {
    /// Calls the executor at index `operation` of the manifest.
    ///
    /// `input` and `call` are borrowed for the length of the call. May be called on any thread, on
    /// many at once.
    fn execute(
        &self,
        operation: u32,
        input: &Value,
        call: RawCallRef<'_>,
    ) -> RResult<Value, RawError>;
    /// How the plugin is. May be called on any thread, beside calls.
    fn health(&self) -> RResult<RawHealth, RawError>;
    /// Ends the plugin's work. Called once at most, when no call is inside, before the destructor.
    #[sabi(last_prefix_field)]
    fn stop(self) -> RResult<(), RawError>;
}

/// An owned [`RawPlugin`]; its destructor runs in the plugin, and is contained there.
pub type RawPluginBox = RawPlugin_TO<'static, RBox<()>>;
