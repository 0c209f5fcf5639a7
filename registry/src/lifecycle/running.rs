//! An instance that callers use, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use floe_plugin_api::abi::RawCallRef;
use floe_plugin_api::{Error, ErrorKind, HealthState, Value};
use tracing::level_filters::LevelFilter;

use super::door::{Door, Doors};
use super::ending::{self, Ended, Remains};
use super::gate::Permit;
use super::probe::Probe;
use super::slot::Slot;
use super::voice::Voice;
use crate::error::{Begun, CallError, OverrunError, PluginError};
use crate::event::{Ending, Event};
use crate::host::Instance;
use crate::id::Scope;
use crate::isolation::Isolation;
use crate::policy::Tenancy;
use crate::schema::Secrets;
use crate::stats::Recorder;

/// Which instance it is: of which generation, for whom, and configured how.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) generation: u64,
    pub(crate) lodging: Lodging,
}

/// For whom an instance is, and how it is configured otherwise than its plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Lodging {
    /// The tenant whose it is, where there are tenants and it is not shared.
    pub(crate) tenant: Option<Arc<Tenancy>>,
    pub(crate) scope: Scope,
    /// The digest of what a caller configured, and that itself.
    pub(crate) config: Option<Override>,
}

impl Lodging {
    /// Nobody in particular's, configured as its plugin is.
    pub(crate) const NOBODY: Self = Self {
        tenant: None,
        scope: Scope::NOBODY,
        config: None,
    };

    /// The same, of an instance of this build for a tenancy, unless it is shared.
    pub(crate) fn of_tenancy(mut self, tenancy: Option<&Arc<Tenancy>>, slot: &Slot) -> Self {
        self.tenant = tenancy.and_then(|tenancy| own_in(tenancy, slot)).cloned();
        self
    }

    /// The tenant's name, where it is a tenant's.
    pub(crate) fn tenant(&self) -> Option<&str> {
        self.tenant.as_ref().map(|tenancy| &*tenancy.name)
    }

    /// For whom it is, in one word: a tenant's own scopes are below its name.
    pub(crate) fn whose(&self) -> Scope {
        match self.tenant() {
            None => self.scope.clone(),
            Some(tenant) if self.scope.is_default() => Scope::new(tenant),
            Some(tenant) => Scope::new(&format!("{tenant}/{}", self.scope)),
        }
    }
}

/// A tenancy, where instances of a build are its own: they are shared where the plugin and the tenant say so, and
/// nothing holds them otherwise than others'.
pub(crate) fn own_in<'t>(tenancy: &'t Arc<Tenancy>, slot: &Slot) -> Option<&'t Arc<Tenancy>> {
    let is_shared = tenancy.shares && slot.manifest().stateless && {
        let isolation = slot.ground().isolation.load();
        !isolation.tenants.contains_key(&*tenancy.name)
    };
    (!is_shared).then_some(tenancy)
}

/// What a caller configured on top of what its plugin is configured with.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    digest: crate::id::Digest,
    value: Arc<Value>,
}

impl Override {
    pub(crate) fn new(value: Value) -> Self {
        let given = crate::config::Given::default().with(value.clone());
        Self {
            digest: given.digest(),
            value: Arc::new(value),
        }
    }

    pub(crate) fn value(&self) -> &Value {
        &self.value
    }
}

impl PartialEq for Override {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Override {}

impl std::hash::Hash for Override {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

/// An instance that callers use.
///
/// Everything that leads to it is a pointer that counts: the cache's, those behind [`Door`]s, those of
/// callers inside. It is *closed* once, by whoever evicts, replaces or poisons it, and no new caller
/// gets in; the last to come out drops it, and only then is it stopped, on a thread of its own.
pub(crate) struct Running {
    /// Taken when it is dropped.
    instance: Option<Instance>,
    isolation: Isolation,
    key: Key,
    slot: Arc<Slot>,
    voice: Arc<Voice>,
    /// What is secret of its configuration, and must not be in what it says.
    secrets: Secrets,
    /// Which start of this registry it was: the later, the earlier it is stopped.
    number: u64,
    since: Instant,
    /// Used since the cache last looked.
    touched: AtomicBool,
    /// Whether nobody can vouch for its state: it is dropped, and not stopped.
    poisoned: AtomicBool,
    doors: Doors<Bound>,
    /// What it said of its health the last time.
    health: parking_lot::Mutex<HealthState>,
    why: parking_lot::Mutex<Option<Ending>>,
    /// That it is used once, to see whether its plugin is well again.
    probe: parking_lot::Mutex<Option<Probe>>,
    ended: Arc<Ended>,
}

impl Running {
    pub(crate) fn new(
        instance: Instance,
        isolation: Isolation,
        key: Key,
        slot: Arc<Slot>,
        voice: Arc<Voice>,
        secrets: Secrets,
        number: u64,
    ) -> Self {
        slot.count_begun();
        Self {
            instance: Some(instance),
            isolation,
            key,
            slot,
            voice,
            secrets,
            number,
            since: Instant::now(),
            touched: AtomicBool::new(true),
            poisoned: AtomicBool::new(false),
            doors: Doors::new(),
            health: parking_lot::Mutex::default(),
            why: parking_lot::Mutex::new(None),
            probe: parking_lot::Mutex::new(None),
            ended: Arc::default(),
        }
    }

    /// Tells when it has ended, also when it is there no more.
    pub(crate) fn ended(&self) -> Arc<Ended> {
        self.ended.clone()
    }

    pub(crate) const fn key(&self) -> &Key {
        &self.key
    }

    pub(crate) const fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    pub(crate) const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) const fn since(&self) -> Instant {
        self.since
    }

    /// Whether it runs in workers.
    pub(crate) fn is_isolated(&self) -> bool {
        self.isolation == Isolation::Worker
    }

    /// Where it runs.
    pub(crate) const fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// What it takes of the cache's capacity by weight.
    pub(crate) fn weight(&self) -> u64 {
        u64::from(self.slot.manifest().weight)
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.doors.is_closed()
    }

    /// Says that it was used. A write to shared memory only where nobody has said so yet.
    #[inline]
    pub(crate) fn touch(&self) {
        if !self.touched.load(Ordering::Relaxed) {
            self.touched.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was used since this was last asked.
    pub(crate) fn was_touched(&self) -> bool {
        self.touched.swap(false, Ordering::Relaxed)
    }

    /// Makes a door lead to it, as long as it is open.
    pub(crate) fn open(
        self: &Arc<Self>,
        door: &Arc<Door<Bound>>,
        operation: u32,
        recorder: Option<Arc<Recorder>>,
    ) {
        let bound = Bound {
            running: self.clone(),
            operation,
            recorder,
        };
        self.doors.open(door, Arc::new(bound));
    }

    /// Lets no new caller in. True for the one that closed it.
    pub(crate) fn close(&self, why: Ending) -> bool {
        let mine = std::ptr::from_ref(self);
        let closed = self
            .doors
            .close(|bound| std::ptr::eq(Arc::as_ptr(&bound.running), mine));
        if closed {
            *self.why.lock() = Some(why);
        }
        closed
    }

    /// Closes it for good and has it dropped without being stopped, as its state cannot be vouched for.
    pub(crate) fn poison(self: &Arc<Self>, reason: &str) {
        // A function of this program has no other instance to offer.
        if !self.slot.is_library() || self.poisoned.swap(true, Ordering::Relaxed) {
            return;
        }
        let ground = self.slot.ground();
        self.close(Ending::Poisoned);
        // Failed, though the thread that tried it may never come back.
        drop(self.probe.lock().take());
        ground.instances.remove(self);
        ground.events.publish_with(|| Event::Poisoned {
            build: self.slot.build().clone(),
            scope: self.key.lodging.whose(),
            reason: reason.to_owned(),
        });
        self.slot.fault();
    }

    /// How it is, as the plugin says.
    pub(crate) fn health(&self) -> Result<floe_plugin_api::Health, Error> {
        match &self.instance {
            Some(instance) => instance.health(),
            None => Err(gone()),
        }
    }

    /// Has it be a probe, to be settled by [`Running::settle`] or by its end.
    pub(crate) fn try_out(&self, probe: Probe) {
        *self.probe.lock() = Some(probe);
    }

    /// The probe that it is, if it was not settled: it did well.
    pub(crate) fn settle(&self) -> Option<Probe> {
        self.probe.lock().take()
    }

    /// Takes note of how it is, and tells whether it was otherwise before.
    pub(crate) fn says_another_state(&self, state: HealthState) -> bool {
        std::mem::replace(&mut *self.health.lock(), state) != state
    }

    /// Calls an executor, and puts what it gives in `output`.
    #[inline]
    pub(crate) fn execute(
        self: &Arc<Self>,
        _permit: &Permit,
        operation: u32,
        recorder: Option<&Recorder>,
        input: &Value,
        call: RawCallRef<'_>,
        output: &mut Value,
    ) -> Result<(), CallError> {
        let Some(instance) = &self.instance else {
            return Err(self.explain(operation, &gone()));
        };
        self.touch();
        // One load where nobody traces.
        let traced = LevelFilter::current() >= LevelFilter::TRACE;
        let _span = traced.then(|| self.span(operation).entered());
        let entry = recorder.map(Recorder::begin);
        match instance.execute(operation, input, call, output) {
            Ok(()) => {
                if let Some(entry) = entry {
                    entry.done();
                }
                Ok(())
            }
            Err(error) => {
                if let Some(entry) = entry {
                    entry.failed(error.kind());
                }
                Err(self.failed(operation, &error))
            }
        }
    }

    #[cold]
    fn span(&self, operation: u32) -> tracing::Span {
        let manifest = self.slot.manifest();
        let node_type = self.slot.executor(operation);
        let node_type = node_type.map_or("", |executor| executor.node_type.as_str());
        tracing::trace_span!("call", plugin = %manifest.name, version = %manifest.version, node_type)
    }

    #[cold]
    fn failed(self: &Arc<Self>, operation: u32, error: &Error) -> CallError {
        if error.kind() == ErrorKind::Panicked {
            self.poison(&self.secrets.mask(error.message()));
        }
        // Its worker was killed, and the instance has another one made.
        if error.kind() == ErrorKind::ExecutionTimeout
            && self.is_isolated()
            && let Some(allowed) = error.details().get("allowed_ns").and_then(Value::as_u64)
        {
            let node_type = self.slot.executor(operation);
            let node_type = node_type.map_or("", |executor| executor.node_type.as_str());
            return CallError::Overrun(Box::new(OverrunError::new(
                self.slot.title(),
                &format!("call {node_type}"),
                Duration::from_nanos(allowed),
                Begun::Killed,
            )));
        }
        self.explain(operation, error)
    }

    #[cold]
    fn explain(&self, operation: u32, error: &Error) -> CallError {
        let node_type = self.slot.executor(operation);
        let error = PluginError::new(
            self.slot.title(),
            node_type.map(|executor| executor.node_type.as_str()),
            error,
        );
        CallError::Executor(Box::new(error.masked(&self.secrets)))
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::NotReady, "the instance was stopped")
}

impl Drop for Running {
    /// Hands the plugin to a thread of its own, which stops it.
    fn drop(&mut self) {
        if let Some(instance) = self.instance.take() {
            let why = self.why.lock().take().unwrap_or(Ending::Unused);
            let poisoned = self.poisoned.load(Ordering::Relaxed);
            ending::bury(Remains {
                instance,
                isolation: self.isolation,
                slot: self.slot.clone(),
                scope: self.key.lodging.whose(),
                voice: self.voice.clone(),
                secrets: std::mem::take(&mut self.secrets),
                poisoned,
                why,
                ended: self.ended.clone(),
            });
        }
    }
}

/// What is behind a door: an instance, and which of its executors.
pub(crate) struct Bound {
    pub(crate) running: Arc<Running>,
    operation: u32,
    recorder: Option<Arc<Recorder>>,
}

impl Bound {
    #[inline]
    pub(crate) fn call(
        &self,
        permit: &Permit,
        input: &Value,
        call: RawCallRef<'_>,
        output: &mut Value,
    ) -> Result<(), CallError> {
        self.running.execute(
            permit,
            self.operation,
            self.recorder.as_deref(),
            input,
            call,
            output,
        )
    }
}
