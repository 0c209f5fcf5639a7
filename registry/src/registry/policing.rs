//! Who may call what, what is done when a call fails, and the record of it.

use floe_plugin_api::{CallOptions, Value};

use super::Registry;
use crate::error::CallError;
use crate::event::Ending;
use crate::handle::Handle;
use crate::policy::tenant::PolicyWarning;
use crate::policy::{
    Answer, AuditError, AuditFilter, AuditRecords, Policy, PolicyError, Recovery, RecoveryStats,
    read_audit, warnings,
};

impl Registry {
    /// Calls an executor by name, and tells all that led to the answer: attempts, what was done about failures,
    /// and by whom it was answered in the end.
    ///
    /// `recovery` is what is done when it fails, in place of what the policy says; `None` is what that says. It is
    /// taken as it is: [`RecoverySettings::check`](crate::RecoverySettings::check) finds what contradicts itself.
    #[must_use]
    pub fn answer(
        &self,
        reference: &str,
        input: &Value,
        options: &CallOptions,
        recovery: Option<&Recovery>,
    ) -> Answer {
        self.supervisor()
            .answer_name(reference, input, options, recovery)
    }

    /// Replaces the policy. Calls that begin from now on go by the new one, calls that are under way end under the
    /// one that they began under (what a plugin calls begins when it is called), and what tenants have used of their quotas counts on. Instances of tenants that
    /// are to be held otherwise, or are there no more, are given up.
    ///
    /// Where calls are put on record, they go on being so, in the same file, also when there is no tenant any more.
    ///
    /// Gives what is likely a slip: patterns that match nothing.
    ///
    /// # Errors
    ///
    /// It contradicts itself, or calls cannot be put on record. Then the one before it still holds.
    pub fn set_policy(&self, policy: &Policy) -> Result<Vec<PolicyWarning>, PolicyError> {
        let ground = self.supervisor().ground();
        ground.gate.replace(policy)?;
        let now = ground.gate.rules();
        ground.instances.close_all(Ending::Stopped, |key| {
            let tenancy = key.lodging.tenant.as_ref();
            let now = |name: &str| now.tenants.of(name).map(|tenant| tenant.tenancy());
            tenancy.is_some_and(|tenancy| now(&tenancy.name) != Some(tenancy))
        });
        let warnings = self.policy_warnings(policy);
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        Ok(warnings)
    }

    /// What of a policy is likely a slip, as far as the plugins that are there tell: patterns that match nothing.
    #[must_use]
    pub fn policy_warnings(&self, policy: &Policy) -> Vec<PolicyWarning> {
        let catalog = self.supervisor().catalog();
        let manifests = || catalog.entries().iter().map(|entry| entry.slot.manifest());
        let executors = manifests().flat_map(|manifest| &manifest.executors);
        let node_types = executors.map(|executor| executor.node_type.as_str());
        let kinds = manifests().map(|manifest| manifest.kind.as_str());
        warnings(&policy.tenants, node_types, kinds)
    }

    /// What became of the calls that failed at first.
    #[must_use]
    pub fn recoveries(&self) -> RecoveryStats {
        self.supervisor().gate().history.snapshot()
    }

    /// Reads what is on record, the newest first: of all tenants where one of the caller's roles is among the
    /// audit's readers, of the caller's own where one is among its tenant's.
    ///
    /// # Errors
    ///
    /// The caller may not read it, or it cannot be read.
    pub fn audit(
        &self,
        caller: &CallOptions,
        filter: &AuditFilter,
    ) -> Result<AuditRecords, AuditError> {
        let gate = self.supervisor().gate();
        let roles = caller.caller_roles();
        let holds_one = |readers: &[String]| roles.iter().any(|role| readers.contains(role));
        let context = caller.context();
        let tenant = context.tenant();
        let rules = gate.rules();
        let own = rules.tenants.of(tenant);
        let filter = if holds_one(gate.readers()) {
            filter.clone()
        } else if own.is_some_and(|own| holds_one(&own.settings().audit.readers)) {
            filter.clone().tenant(tenant)
        } else {
            return Err(AuditError::Unreadable {
                tenant: tenant.to_owned(),
                roles: roles.to_vec(),
            });
        };
        gate.flush();
        read_audit(gate.audit_file(), filter)
    }
}

impl Handle {
    /// Whether the policy, as it is now, lets the caller call the executor. Nothing is called, counted or put on
    /// record.
    ///
    /// # Errors
    ///
    /// It does not, and which rule says so; or nothing answers any more.
    pub fn authorize(&self, caller: &CallOptions) -> Result<(), CallError> {
        self.line().supervisor().authorize(self.line(), caller)
    }

    /// Calls the executor, and tells all that led to the answer; see [`Registry::answer`].
    #[must_use]
    pub fn answer(
        &self,
        input: &Value,
        options: &CallOptions,
        recovery: Option<&Recovery>,
    ) -> Answer {
        self.line()
            .supervisor()
            .answer_line(self.line(), input, options, recovery)
    }
}
