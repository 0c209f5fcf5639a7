//! What every call passes on its way to a plugin, and the rules that hold there.
//!
//! Nothing that calls a plugin does so without a [`Permit`], and only the gate makes one: where nobody
//! is to be asked by a look at one flag, elsewhere by asking the rules.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, Guard};
use floe_plugin_api::{CallOptions, Kind};
use parking_lot::Mutex;

use super::running::{Lodging, own_in};
use super::slot::Slot;
use crate::error::CallError;
use crate::policy::tenant::TenantSettings;
use crate::policy::{
    Audit, AuditSettings, Denial, History, Inside, Policy, PolicyError, RecoverySettings, Tenancy,
    Tenant, Tenants,
};

/// What holds of calls. Replaced as a whole; a call ends under the rules that it began under.
pub(crate) struct Rules {
    pub(crate) tenants: Tenants,
    pub(crate) settings: TenantSettings,
    pub(crate) recovery: RecoverySettings,
}

impl Rules {
    /// These rules. What tenants have used of their quotas goes on from the rules `before`.
    fn new(policy: &Policy, before: Option<&Self>) -> Result<Self, PolicyError> {
        policy.recovery.check()?;
        Ok(Self {
            tenants: Tenants::new(&policy.tenants, before.map(|before| &before.tenants))?,
            settings: policy.tenants.clone(),
            recovery: policy.recovery.clone(),
        })
    }
}

/// The rules as they hold for one caller.
#[derive(Clone, Copy)]
pub(super) struct Law<'r> {
    pub(super) rules: &'r Rules,
    /// None where there are no tenants, and for who is none of them.
    pub(super) tenant: Option<&'r Arc<Tenant>>,
}

impl<'r> Law<'r> {
    pub(super) fn of(rules: &'r Rules, caller: &Caller) -> Self {
        Self {
            rules,
            tenant: rules.tenants.of(caller.tenant()),
        }
    }

    /// Refuses who is nobody, before anything is looked up for them.
    pub(super) fn know(&self, caller: &Caller, node_type: &str) -> Result<(), Denial> {
        match self.rules.tenants.is_empty() || self.tenant.is_some() {
            true => Ok(()),
            false => Err(Denial::of_stranger(caller.tenant(), node_type)),
        }
    }
}

/// What every call passes.
pub(crate) struct Gate {
    rules: ArcSwap<Rules>,
    /// Whether a call has to be looked at.
    guarded: AtomicBool,
    /// Whether anything is done about failures.
    recovers: AtomicBool,
    audit: OnceLock<Arc<Audit>>,
    /// Where calls are put on record as soon as they have to be.
    audit_settings: AuditSettings,
    audit_file: PathBuf,
    /// Held by who replaces the rules.
    replacing: Mutex<()>,
    pub(crate) history: History,
}

impl Gate {
    /// A gate; `is_recorded` is whether calls are put on record also where there are no tenants.
    pub(crate) fn new(
        policy: &Policy,
        audit_settings: AuditSettings,
        audit_file: PathBuf,
        is_recorded: bool,
    ) -> Result<Self, PolicyError> {
        let gate = Self {
            rules: ArcSwap::from_pointee(Rules::new(policy, None)?),
            guarded: AtomicBool::new(false),
            recovers: AtomicBool::new(false),
            audit: OnceLock::new(),
            audit_settings,
            audit_file,
            replacing: Mutex::new(()),
            history: History::default(),
        };
        if is_recorded || !policy.tenants.is_empty() {
            gate.begin_record()?;
        }
        gate.note();
        Ok(gate)
    }

    /// Has calls that begin from now on go by other rules.
    pub(crate) fn replace(&self, policy: &Policy) -> Result<(), PolicyError> {
        let _turn = self.replacing.lock();
        let before = self.rules.load_full();
        let rules = Rules::new(policy, Some(&before))?;
        if !policy.tenants.is_empty() {
            self.begin_record()?;
        }
        self.rules.store(Arc::new(rules));
        self.note();
        Ok(())
    }

    fn begin_record(&self) -> Result<(), PolicyError> {
        if self.audit.get().is_none() {
            let opened = Audit::open(&self.audit_file, &self.audit_settings);
            let audit = opened.map_err(|error| PolicyError::Audit(Arc::new(error)))?;
            // Whoever replaces rules takes turns.
            let _ = self.audit.set(Arc::new(audit));
        }
        Ok(())
    }

    fn note(&self) {
        let rules = self.rules.load();
        let guarded = !rules.tenants.is_empty() || self.audit.get().is_some();
        self.guarded.store(guarded, Ordering::Release);
        let recovers = !rules.recovery.is_empty();
        self.recovers.store(recovers, Ordering::Release);
    }

    /// The rules that hold now. They are not dropped before the guard is; nobody waits for it.
    pub(crate) fn rules(&self) -> Guard<Arc<Rules>> {
        self.rules.load()
    }

    /// How many instances a tenant may have.
    pub(super) fn most_instances(&self, tenant: &str) -> Option<NonZeroUsize> {
        let rules = self.rules.load();
        rules.tenants.of(tenant)?.settings().max_instances
    }

    pub(crate) fn audit(&self) -> Option<&Arc<Audit>> {
        self.audit.get()
    }

    /// Has all that is on record written.
    pub(crate) fn flush(&self) {
        if let Some(audit) = self.audit() {
            // Where it cannot be, whoever calls next is told.
            let _ = audit.flush();
        }
    }

    /// The roles that may read all that is on record.
    pub(crate) fn readers(&self) -> &[String] {
        &self.audit_settings.readers
    }

    /// The file that calls are put on record in, as soon as they are.
    pub(crate) fn audit_file(&self) -> &Path {
        &self.audit_file
    }

    /// A way through where there are no tenants and nothing is put on record.
    #[inline]
    pub(crate) fn open(&self) -> Option<&'static Permit> {
        (!self.guarded.load(Ordering::Acquire)).then_some(&FREE)
    }

    /// Whether anything may be done about a call that fails.
    #[inline]
    pub(crate) fn recovers(&self) -> bool {
        self.recovers.load(Ordering::Relaxed)
    }
}

static FREE: Permit = Permit(None);

/// That a call may reach a plugin.
#[derive(Clone)]
pub(crate) struct Permit(Option<Arc<Pass>>);

/// What a call was let through with.
pub(crate) struct Pass {
    caller: Arc<Caller>,
    /// None where there are no tenants.
    tenant: Option<Arc<Tenant>>,
    /// The words of the rule that allows it.
    decision: Option<Arc<str>>,
    /// The kind of the plugin that was asked for.
    kind: Kind,
    /// The build that it came to.
    reached: Mutex<Option<Arc<Slot>>>,
    /// Its place among the tenant's calls: until the last thread has come back that is in it.
    inside: OnceLock<Inside>,
}

impl Permit {
    /// Asks the rules for a way to an executor of a plugin of some kind.
    pub(super) fn ask(
        law: Law<'_>,
        is_recorded: bool,
        caller: &Arc<Caller>,
        node_type: &str,
        kind: &Kind,
    ) -> Result<Self, Denial> {
        law.know(caller, node_type)?;
        let decision = match law.tenant {
            Some(tenant) => Some(tenant.authorize(node_type, kind)?.clone()),
            None if is_recorded => None,
            None => return Ok(FREE.clone()),
        };
        Ok(Self(Some(Arc::new(Pass {
            caller: caller.clone(),
            tenant: law.tenant.cloned(),
            decision,
            kind: kind.clone(),
            reached: Mutex::new(None),
            inside: OnceLock::new(),
        }))))
    }

    /// Whether it is of a call that was looked at.
    pub(super) const fn is_guarded(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn tenant(&self) -> Option<&Arc<Tenant>> {
        self.0.as_ref()?.tenant.as_ref()
    }

    /// Takes a place among the tenant's calls.
    pub(super) fn enter(&self) -> Result<(), Denial> {
        if let Some(pass) = &self.0
            && let Some(tenant) = &pass.tenant
        {
            let inside = tenant.enter()?;
            // One is entered once.
            let _ = pass.inside.set(inside);
        }
        Ok(())
    }

    /// Which rule allows it, in a few words.
    pub(super) fn decision(&self) -> Option<&Arc<str>> {
        self.0.as_ref()?.decision.as_ref()
    }

    /// Whether it is for a build: another one, of another kind, may answer by now.
    pub(super) fn is_for(&self, slot: &Slot) -> bool {
        self.0
            .as_ref()
            .is_none_or(|pass| pass.kind == slot.id().kind)
    }

    /// The tenancy that an instance of a build must be of to be used, if of any.
    pub(super) fn tenancy(&self, slot: &Slot) -> Option<&Arc<Tenancy>> {
        own_in(self.tenant()?.tenancy(), slot)
    }

    /// For whom an instance must be to be used.
    pub(super) fn lodging(&self, asked: &Lodging, slot: &Slot) -> Lodging {
        Lodging {
            tenant: self.tenancy(slot).cloned(),
            ..asked.clone()
        }
    }

    /// Takes note of the build that answers.
    pub(super) fn reaches(&self, slot: &Arc<Slot>) {
        if let Some(pass) = &self.0 {
            *pass.reached.lock() = Some(slot.clone());
        }
    }

    /// The build that answered.
    pub(super) fn reached(&self) -> Option<Arc<Slot>> {
        self.0.as_ref()?.reached.lock().clone()
    }

    /// Makes what is called on this thread be called by the same caller, until it is dropped.
    pub(super) fn stand_in(&self) -> Option<StandIn> {
        let pass = self.0.as_ref()?;
        Some(StandIn::of(pass.caller.clone()))
    }
}

/// Who calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    /// The tenant, the user and the execution, one behind the other: one piece of memory for each call.
    words: Box<str>,
    /// How long the tenant and the user are.
    tenant: usize,
    user: usize,
    /// Whether it is a plugin, in a call that was let through.
    pub(crate) within: bool,
}

thread_local! {
    /// For whom this thread is in a plugin.
    static CURRENT: RefCell<Option<Arc<Caller>>> = const { RefCell::new(None) };
}

/// That a thread is in a plugin for somebody.
pub(super) struct StandIn(Option<Arc<Caller>>);

impl StandIn {
    /// Makes this thread's calls those of a caller.
    pub(super) fn of(caller: Arc<Caller>) -> Self {
        Self(CURRENT.replace(Some(caller)))
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

impl Caller {
    /// For whom this thread is in a plugin.
    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Who a host says that it calls for.
    pub(super) fn of(options: &CallOptions) -> Self {
        let context = options.context();
        Self::new(
            context.tenant(),
            options.caller_user(),
            context.execution_id(),
        )
    }

    fn new(tenant: &str, user: &str, execution_id: &str) -> Self {
        let mut words = String::with_capacity(tenant.len() + user.len() + execution_id.len());
        words.push_str(tenant);
        words.push_str(user);
        words.push_str(execution_id);
        Self {
            words: words.into(),
            tenant: tenant.len(),
            user: user.len(),
            within: false,
        }
    }

    pub(super) fn tenant(&self) -> &str {
        self.words.get(..self.tenant).unwrap_or_default()
    }

    pub(super) fn user(&self) -> &str {
        let rest = self.words.get(self.tenant..).unwrap_or_default();
        rest.get(..self.user).unwrap_or_default()
    }

    pub(super) fn execution_id(&self) -> &str {
        let start = self.tenant + self.user;
        self.words.get(start..).unwrap_or_default()
    }

    /// For whom a plugin calls: whose its instance is, whatever it says. One that is shared calls for
    /// whom its thread was let through, and for nobody on its own threads.
    pub(super) fn of_plugin(instance_of: Option<&str>) -> Self {
        let current = Self::current();
        let current =
            current.filter(|caller| instance_of.is_none_or(|tenant| tenant == caller.tenant()));
        match (current, instance_of) {
            (Some(caller), _) => Self {
                within: true,
                ..Self::clone(&caller)
            },
            (None, tenant) => Self::new(tenant.unwrap_or_default(), "", ""),
        }
    }
}

impl From<Denial> for CallError {
    fn from(denial: Denial) -> Self {
        Self::Denied(Box::new(denial.into()))
    }
}
