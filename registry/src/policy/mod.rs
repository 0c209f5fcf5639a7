//! What is decided about calls: who may make them, what becomes of failures, what is put on record.
//!
//! All of it is decided on words alone: nothing in here calls a plugin. The one path that every call takes asks
//! these decisions and does what they say.
//!
//! *What is absent*: plugins, instances, doors.

#[expect(dead_code, reason = "wired by the call path")]
mod audit;
#[cfg_attr(
    not(test),
    expect(dead_code, unused_imports, reason = "wired by the call path")
)]
mod recovery;

pub use self::audit::{
    AuditError, AuditFilter, AuditFinding, AuditMark, AuditRecord, AuditRecords, AuditReport,
    AuditSettings, AuditStatus, AuditSync, Flaw, Logged, OnFailure, ParseAuditMarkError,
    ParseAuditStatusError, ParseLoggedError, appender, read_audit, verify_audit,
};
#[cfg_attr(
    not(test),
    expect(dead_code, unused_imports, reason = "wired by the call path")
)]
pub(crate) mod tenant;

pub use self::recovery::{
    Answer, AnsweredBy, Attempt, ErrorKinds, Fallback, Jitter, Mapping, MappingError, Recovery,
    RecoveryCounts, RecoveryEntry, RecoveryError, RecoveryFlaw, RecoveryOutcome, RecoverySettings,
    RecoveryStats, Retry, Source, Status, Strategy, Substitute,
};
