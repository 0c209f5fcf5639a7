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
//! * A deadline bounds: who waits for a plugin has an answer when it passes, or shortly after.
//! * A plugin is replaced under load: calls end on the build that they began on, and no call fails.
//! * Code is never unmapped.

mod admit;
mod builder;
mod config;
mod discover;
mod error;
mod event;
pub mod graph;
mod handle;
mod host;
mod id;
mod info;
mod isolate;
mod isolation;
mod lifecycle;
#[cfg(feature = "metrics")]
mod metrics;
mod policy;
mod private;
mod registry;
mod schema;
mod stats;

pub use floe_plugin_api as api;

pub use self::admit::{
    Admission, Admitted, Cause, Check, Claims, ClaimsError, Collected, Compatibility, Difference,
    KeyId, KeyRefusal, Keys, LOCK_FILE, LockChange, LockError, LockFile, LockedBuild, NamePattern,
    ParseKeyIdError, ParseNamePatternError, ParsePublicKeyError, ParseTrustError, PathChecks,
    PublicKey, Quarantine, QuarantineSettings, Quarantined, Signature, SignatureError, Store,
    StoredObject, Trust, TrustSettings, TrustedKey, Verdict, judge,
};
pub use self::builder::{BuildError, RegistryBuilder, StrictError};
pub use self::config::{
    CircuitSettings, Deadlines, InstanceLimits, PATH_VARIABLE, SETTINGS_FILE, STATE_VARIABLE,
    STORE_VARIABLE, Settings, SettingsError, WorkflowSettings, is_privileged, search_path,
};
pub use self::discover::{
    Bits, Candidate, Endian, FileIdentity, Finding, Format, GlibcNeed, Hazard, Ignored, Machine,
    Needed, Outcome, Ownership, ParseHazardError, Platform, Preflight, Presence, Scan, Scanned,
    SearchDirectory, Severity, scan,
};
pub use self::error::{
    Begun, CallError, CircuitOpen, ConvertError, DependencyError, LookupError, OverrunError,
    PluginError, Rejection, Stage, UpgradeError,
};
pub use self::event::{CircuitState, Ending, Event, Received, Subscription};
pub use self::handle::Handle;
pub use self::id::{
    Build, Digest, ParseDigestError, ParseReferenceError, PluginId, Reference, Scope,
};
pub use self::info::{Change, Changes, ExecutorInfo, Held, Inspection, PluginInfo};
pub use self::isolate::sandbox::{Offer, offers};
pub use self::isolate::worker;
pub use self::isolation::{
    Isolation, IsolationRule, IsolationSettings, ParseIsolationError, Patience, Profile,
    WorkerTerms,
};
pub use self::lifecycle::{
    Abandoned, CacheStats, HealthReport, InstanceStop, Mode, PluginHealth, PluginStart, Standing,
    StartOptions, StartOutcome, StartReport, State, Statistics, Watch, WatchError, WorkerInfo,
    WorkersStats,
};
pub use self::policy::tenant::{
    AuditRules, DataPath, DataRules, Denied, Foreign, ParseDataPathError, ParsePatternError,
    Pattern, PolicyWarning, TenantError, TenantKey, TenantRules, TenantSettings,
};
pub use self::policy::{
    Answer, AnsweredBy, Attempt, ErrorKinds, Fallback, Jitter, Mapping, MappingError, Recovery,
    RecoveryCounts, RecoveryEntry, RecoveryError, RecoveryFlaw, RecoveryOutcome, RecoverySettings,
    RecoveryStats, Retry, Source, Status, Strategy, Substitute,
};
pub use self::policy::{
    AuditError, AuditFilter, AuditFinding, AuditMark, AuditRecord, AuditRecords, AuditReport,
    AuditSettings, AuditStatus, AuditSync, Flaw, OnFailure, ParseAuditMarkError,
    ParseAuditStatusError, Policy, PolicyError, read_audit, verify_audit,
};
pub use self::private::PrivateError;
pub use self::registry::{
    Cache, CandidateTrace, Decision, DependencyTrace, ExecutorStats, InstanceInfo, Lockable,
    MemoryStats, PluginStats, RefusedTrace, RegisterError, Registry, Stats, TenantStats,
};
pub use self::schema::{ExecutorSchemas, Invalid, Schemas, Subject, Violation};
pub use self::stats::{CallStats, Times};

/// For the fuzz targets.
#[doc(hidden)]
pub mod __fuzz {
    pub use crate::admit::fuzz_quarantine as read_quarantine;
    pub use crate::admit::{fuzz_lock as lock, fuzz_signature as signature};
    pub use crate::discover::fuzz_preflight as preflight;
    pub use crate::discover::fuzz_read as read;
    pub use crate::isolate::wire::fuzz as wire;
}

/// For the benches.
#[doc(hidden)]
pub mod __bench {
    pub use crate::admit::{admit, keep};
    pub use crate::discover::preflight_of as preflight;
    pub use crate::event::publisher;
    pub use crate::policy::appender;
    pub use crate::policy::tenant::BenchPolicy;
}

/// The examples of the readmes are tested with the crate's own.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../../README.md")]
struct Readme;
