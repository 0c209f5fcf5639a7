//! What is decided about calls: who may make them, what becomes of failures, what is put on record.
//!
//! All of it is decided on words alone: nothing in here calls a plugin. The one path that every call takes asks
//! these decisions and does what they say.
//!
//! *What is absent*: plugins, instances, doors.

mod audit;
mod recovery;
pub(crate) mod tenant;

use std::sync::Arc;

pub(crate) use self::audit::{Audit, Entry, Origin};
pub use self::audit::{
    AuditError, AuditFilter, AuditFinding, AuditMark, AuditRecord, AuditRecords, AuditReport,
    AuditSettings, AuditStatus, AuditSync, Flaw, OnFailure, ParseAuditMarkError,
    ParseAuditStatusError, appender, read_audit, verify_audit,
};
pub use self::recovery::{
    Answer, AnsweredBy, Attempt, ErrorKinds, Fallback, Jitter, Mapping, MappingError, Recovery,
    RecoveryCounts, RecoveryEntry, RecoveryError, RecoveryFlaw, RecoveryOutcome, RecoverySettings,
    RecoveryStats, Retry, Source, Status, Strategy, Substitute,
};
pub(crate) use self::recovery::{Course, Failure, History, Step};
pub(crate) use self::tenant::{Denial, Inside, Tenancy, Tenant, Tenants, warnings};

/// Who may call what, and what is done when a call fails. It holds as a whole, and is replaced as a whole.
///
/// ```
/// use floe_registry::{Policy, Recovery, RecoverySettings, Retry, TenantRules, TenantSettings};
///
/// let acme = TenantRules::default().allow(["text.*".parse()?]);
/// let policy = Policy::default()
///     .tenants(TenantSettings::default().tenant("acme", acme))
///     .recovery(RecoverySettings::new(Recovery::none().then(Retry::default())));
/// policy.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    /// Who may call what. Where no tenant is set, everybody may call everything.
    pub tenants: tenant::TenantSettings,
    /// What is done when a call fails. By default nothing is.
    pub recovery: RecoverySettings,
}

impl Policy {
    /// Sets who may call what.
    #[must_use]
    pub fn tenants(mut self, tenants: tenant::TenantSettings) -> Self {
        self.tenants = tenants;
        self
    }

    /// Sets what is done when a call fails.
    #[must_use]
    pub fn recovery(mut self, recovery: RecoverySettings) -> Self {
        self.recovery = recovery;
        self
    }

    /// Checks that it does not contradict itself.
    ///
    /// # Errors
    ///
    /// What contradicts what.
    pub fn check(&self) -> Result<(), PolicyError> {
        Tenants::new(&self.tenants, None)?;
        self.recovery.check()?;
        Ok(())
    }
}

/// Why a policy does not hold. The one before it still does.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// What is said of tenants contradicts itself.
    #[error(transparent)]
    Tenants(#[from] tenant::TenantError),
    /// What is said of failures contradicts itself.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// Where there are tenants, calls are put on record, and these cannot be.
    #[error(transparent)]
    Audit(Arc<AuditError>),
}
