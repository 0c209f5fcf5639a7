//! A started, configured plugin.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RBox, ROption, RResult};

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
    /// Calls the executor at index `operation` of the manifest, and puts what it gives in `output`;
    /// gives nothing itself then, and an error otherwise.
    ///
    /// `input`, `call` and `output` are borrowed for the length of the call; `output` holds null
    /// before it, and whatever it holds after an error means nothing. May be called on any
    /// thread, on many at once.
    ///
    /// The output has a place of the caller's, rather than being returned, so that it is moved once
    /// on its way and not at each layer: a value is wide, and moving one that was just written waits
    /// for the writes.
    fn execute(
        &self,
        operation: u32,
        input: &Value,
        call: RawCallRef<'_>,
        output: &mut Value,
    ) -> ROption<RawError>;
    /// How the plugin is. May be called on any thread, beside calls.
    fn health(&self) -> RResult<RawHealth, RawError>;
    /// Ends the plugin's work. Called once at most, when no call is inside, before the destructor.
    #[sabi(last_prefix_field)]
    fn stop(self) -> RResult<(), RawError>;
}

/// An owned [`RawPlugin`]; its destructor runs in the plugin, and is contained there.
pub type RawPluginBox = RawPlugin_TO<'static, RBox<()>>;
