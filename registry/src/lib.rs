//! Discovers, admits, loads and calls floe plugins.
//!
//! A plugin is a shared library that a vendor built against `floe-plugin-api` and an operator dropped
//! into a directory. A host embeds this crate and is never recompiled for it:
//!
//! ```no_run
//! use floe_plugin_api::value;
//! use floe_registry::Registry;
//!
//! // Reads every file's manifest; runs nothing.
//! let registry = Registry::builder().directory("/opt/acme/plugins").build()?;
//! // Loads and starts the plugin at this first call, once, however many threads make it.
//! let shout = registry.get("text.upper")?;
//! assert_eq!(shout.call(&value!({"text": "hello"}))?, value!("HELLO"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The route
//!
//! ```text
//! path ─ discover ─▶ Candidate ─ admit ─▶ Admitted ─ host ─▶ Image ─ start ─▶ Instance ─ call ─▶ Value
//!        no code run              no code run        code mapped      configured        contained
//! ```
//!
//! Each arrow takes the value before it, so no stage can be skipped. What is refused on the way is
//! a [`Rejection`]: the file, the stage, what was found, what was expected, and what to do.
//!
//! # What holds
//!
//! * No byte of a plugin runs before something needs to call it.
//! * One bad file hides no other.
//! * The bytes that were verified are the bytes that run: a private copy is mapped, not the file.
//! * A panic in a plugin is an error value here. A crash is not: it ends the process.
//! * Code is never unmapped.

mod admit;
mod builder;
mod config;
mod discover;
mod error;
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "wired up by the life cycle"
)]
mod event;
pub mod graph;
mod handle;
mod host;
mod id;
mod info;
mod lifecycle;
mod registry;
mod schema;
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "wired up by the life cycle"
)]
mod stats;

pub use floe_plugin_api as api;

pub use self::admit::{
    Admission, Admitted, Check, Compatibility, Store, StoreError, Trust, Verdict, judge,
};
pub use self::builder::{BuildError, RegistryBuilder};
pub use self::config::{
    CircuitSettings, Deadlines, InstanceLimits, PATH_VARIABLE, SETTINGS_FILE, STORE_VARIABLE,
    Settings, SettingsError, search_path,
};
pub use self::discover::{
    Bits, Candidate, Endian, FileIdentity, Format, Ignored, Machine, Outcome, Ownership, Platform,
    Presence, Scan, Scanned, SearchDirectory, scan,
};
pub use self::error::{CallError, ConvertError, LookupError, PluginError, Rejection, Stage};
pub use self::handle::Handle;
pub use self::id::{Digest, ParseDigestError, ParseReferenceError, PluginId, Reference};
pub use self::info::{Change, Changes, ExecutorInfo, Inspection, PluginInfo};
pub use self::lifecycle::{Mode, Standing, State};
pub use self::registry::{RegisterError, Registry};
pub use self::schema::{ExecutorSchemas, Invalid, Schemas, Subject, Violation};

/// For the fuzz targets.
#[doc(hidden)]
pub mod __fuzz {
    pub use crate::discover::fuzz_read as read;
}

/// The examples of the readmes are tested with the crate's own.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../../README.md")]
struct Readme;
