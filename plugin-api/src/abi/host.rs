//! What a plugin may ask of its host.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, ROption, RResult, RSlice, RStr};

use super::{RawCallRef, RawError, Value};

/// A place in a plugin's source that logs.
///
/// Borrowed for the length of the call that it is passed in.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct RawCallsite<'a> {
    /// The name that `tracing` gave it.
    pub name: RStr<'a>,
    /// The target, by default the module's path.
    pub target: RStr<'a>,
    /// 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    pub level: u8,
    /// The source file, where known.
    pub file: ROption<RStr<'a>>,
    /// The line in it, where known.
    pub line: ROption<u32>,
    /// The module's path, where known.
    pub module_path: ROption<RStr<'a>>,
    /// The names of the fields, in the order of their indices.
    pub fields: RSlice<'a, RStr<'a>>,
}

/// One field of a logged event.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct RawField {
    /// Its place in the callsite's `fields`.
    pub index: u32,
    /// Whether `value` is a text that was formatted for the log, to be written without quotes.
    pub formatted: bool,
    /// Its value.
    pub value: Value,
}

/// What a plugin may ask of its host. Implemented by the host.
///
/// Reference-counted: a clone may be kept as long as the plugin likes, also after it was stopped,
/// when calls are refused and log events still arrive. All methods may be called on any thread.
#[sabi_trait]
pub trait RawHost: Send + Sync + Clone {
    /// Makes a callsite known; the number stands for it from then on, in this process.
    fn log_callsite(&self, callsite: RawCallsite<'_>) -> u64;
    /// Whether the host wants events of the callsite now.
    fn log_enabled(&self, callsite: u64) -> bool;
    /// Gives the host an event.
    fn log_event(&self, callsite: u64, fields: RSlice<'_, RawField>);
    /// Calls an executor of another plugin, on this thread.
    #[sabi(last_prefix_field)]
    fn call(
        &self,
        node_type: RStr<'_>,
        input: &Value,
        call: RawCallRef<'_>,
    ) -> RResult<Value, RawError>;
}

/// A shared [`RawHost`].
pub type RawHostArc = RawHost_TO<'static, RArc<()>>;
