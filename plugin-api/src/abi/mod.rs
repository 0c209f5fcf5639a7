//! All that crosses between a host and a plugin.
//!
//! A vendor never names anything here: [`export_plugin!`](crate::export_plugin) and the types at
//! the root of the crate write and wrap it. A host's registry does.
//!
//! # What every type here promises
//!
//! * It is `#[repr(C)]` (or `#[repr(u8)]` for enums) and derives `StableAbi`, so a library laid
//!   out otherwise is refused after it is mapped and before any of its functions is called.
//! * Every buffer carries the functions of the side that made it, and is freed by that side.
//! * No reference outlives the call that it was passed in, except one into a plugin's constants:
//!   code is never unmapped in process.
//! * Every function may be called on any thread, and on many at once, unless it says otherwise.
//! * No unwinding crosses: each side catches its own panics (`contain`).
//!
//! Trait objects and the root module are prefix types: later minor versions append to them.

#![expect(
    unsafe_code,
    reason = "the boundary: unchecked UTF-8 of text checked when it was made, and the library header"
)]
// The derives and `sabi_trait` of `abi_stable` write these.
#![allow(
    non_local_definitions,
    clippy::used_underscore_binding,
    clippy::multiple_unsafe_ops_per_block,
    clippy::unnecessary_cast,
    clippy::undocumented_unsafe_blocks,
    missing_docs,
    missing_debug_implementations,
    unused_qualifications,
    unreachable_pub,
    rust_2018_idioms,
    reason = "items written by abi_stable's macros, which cannot be annotated one by one"
)]

mod call;
mod contain;
mod error;
mod export;
mod host;
mod module;
mod plugin;
mod text;
mod value;

pub use self::call::{RawCall, RawCall_TO, RawCallRef, RawWatch, RawWatch_TO, RawWatchArc};
pub use self::contain::{Panicked, contain};
pub use self::error::{ErrorBody, RawError};
pub use self::export::{Exported, Note, bytes, header, in_process, instance, note};
pub use self::host::{RawCallsite, RawField, RawHost, RawHost_TO, RawHostArc};
pub use self::module::{BOUNDARY, ROOT_SYMBOL, RootModule, RootModuleRef};
pub use self::plugin::{RawHealth, RawPlugin, RawPlugin_TO, RawPluginBox};
pub use self::text::Text;
pub use self::value::{Bytes, Entry, List, Map, Value};

pub use abi_stable;
