//! What a library exports.

use abi_stable::StableAbi;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RResult, RStr, RString};

use super::{RawError, RawHostArc, RawPluginBox, Value};

/// The symbol under which a library exports its header.
pub const ROOT_SYMBOL: &str = "floe_plugin_root";

/// The library, and its version, that lays the boundary out. Different ones do not fit together.
pub const BOUNDARY: &str = "abi_stable 0.11";

/// The functions of a library, reached through the header at [`ROOT_SYMBOL`].
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = RootModuleRef, prefix_fields = RootModulePrefix)))]
#[sabi(missing_field(panic))]
pub struct RootModule {
    /// The manifest, byte for byte as in the note. The text is a constant of the library.
    pub manifest: extern "C" fn() -> RStr<'static>,
    /// The schemas of the configuration and of every executor's input and output, as JSON.
    pub describe: extern "C" fn() -> RResult<RString, RawError>,
    /// Starts an instance. `config` is borrowed for the length of the call; the host may be kept.
    #[sabi(last_prefix_field)]
    pub create: extern "C" fn(config: &Value, host: RawHostArc) -> RResult<RawPluginBox, RawError>,
}

impl abi_stable::library::RootModule for RootModuleRef {
    const BASE_NAME: &'static str = "floe_plugin";
    const NAME: &'static str = "floe_plugin";
    const VERSION_STRINGS: VersionStrings = VersionStrings::new("1.0.0");

    // Never used: its loader keeps one module per type for ever, and floe loads many.
    abi_stable::declare_root_module_statics! {RootModuleRef}
}
