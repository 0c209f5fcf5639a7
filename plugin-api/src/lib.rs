//! The one crate that a floe plugin is built against.
//!
//! A plugin is a shared library that a host finds in a directory, judges without running it, maps at
//! first use and calls at native speed. Its vendor writes plain Rust against this crate and builds
//! a `cdylib`:
//!
//! ```
//! use floe_plugin_api::{CallContext, HostRef, Plugin, Result, data, export_plugin};
//!
//! /// What an operator may set.
//! #[data]
//! #[serde(deny_unknown_fields)]
//! struct Config {
//!     /// What to greet with.
//!     #[serde(default = "hello")]
//!     greeting: String,
//! }
//!
//! fn hello() -> String {
//!     "Hello".to_owned()
//! }
//!
//! struct Greeter {
//!     greeting: String,
//! }
//!
//! impl Plugin for Greeter {
//!     type Config = Config;
//!
//!     fn start(config: Config, _host: HostRef) -> Result<Self> {
//!         Ok(Self { greeting: config.greeting })
//!     }
//! }
//!
//! #[data]
//! struct Name {
//!     name: String,
//! }
//!
//! fn greet(greeter: &Greeter, input: Name, _call: &CallContext<'_>) -> Result<String> {
//!     Ok(format!("{}, {}!", greeter.greeting, input.name))
//! }
//!
//! export_plugin! {
//!     plugin: Greeter,
//!     name: "greeter",
//!     kind: "compute",
//!     executors: [
//!         /// Greets somebody by name.
//!         "greeter.greet" => greet,
//!     ],
//! }
//! # fn main() {}
//! ```
//!
//! * [`Plugin`] is a configured instance; [`Executor`] is a function on it; [`export_plugin!`] names
//!   both and writes everything that crosses.
//! * [`Value`] is the one data type that crosses; `#[data]` types convert to and from it.
//! * [`Secret`] is a text of the configuration that is never shown.
//! * [`CallContext`] tells of the call: run, tenant, deadline, cancellation, progress.
//! * [`HostRef`] calls other executors; [`tracing`] events reach the host's log by themselves.
//! * [`Error`] is what an executor says when it cannot answer. A panic is contained, costs the
//!   instance, and is an error in the host.
//!
//! Vendors who use serde or schemars directly find them re-exported here, at the versions that
//! [`data`](macro@data) derives for.

// `#[data]` and `export_plugin!` write paths from the outside.
extern crate self as floe_plugin_api;

pub mod manifest;

#[doc(hidden)]
pub mod abi;
mod call;
mod error;
mod health;
mod host;
mod kind;
mod log;
mod plugin;
mod secret;
mod value;
mod version;

pub use floe_plugin_api_macros::{data, export_plugin};
pub use {schemars, semver, serde, tracing};

pub use self::abi::{Bytes, Entry, List, Map, Text, Value};
pub use self::call::{CallContext, CallOptions, CallWatch, Cancellation, Progress};
pub use self::error::{Error, ErrorKind, Result, ResultExt};
pub use self::health::{Health, HealthState};
pub use self::host::HostRef;
pub use self::kind::{Kind, ParseKindError};
pub use self::manifest::{Dependency, ExecutorMetadata, Manifest, ManifestError, PanicStrategy};
pub use self::plugin::{Executor, NoConfig, Plugin, Typed, Untyped};
pub use self::secret::Secret;
pub use self::value::{JsonError, ValueError};
pub use self::version::{ApiVersion, Incompatible, ParseApiVersionError, Rule};

/// What the macros write paths to.
#[doc(hidden)]
pub mod __private {
    pub use std::option::Option::{self, None, Some};
    pub use std::result::Result::{self, Err, Ok};
    pub use std::string::String;
    pub use std::vec;
    pub use std::vec::Vec;

    pub use abi_stable::library::LibHeader;

    pub use crate::abi::{Exported, Note, bytes, header, note};
    pub use crate::plugin::{ExecutorSchemas, describe};

    /// Whether the macro and this crate agree on the version that the macro wrote.
    #[must_use]
    pub const fn api_version_is(major: u32, minor: u32) -> bool {
        let current = crate::ApiVersion::CURRENT;
        current.major() == major && current.minor() == minor
    }
}
