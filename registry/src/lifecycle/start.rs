//! How an instance comes to be: found in the cache, or started, with what it needs before it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use floe_plugin_api::abi::RawCallRef;
use floe_plugin_api::{ErrorKind, Value};

use super::StartKey;
use super::circuit::Admit;
use super::depend::{self, Necessity};
use super::door::Door;
use super::ending;
use super::gate::{Caller, Permit, StandIn};
use super::probe::Probe;
use super::running::{Bound, Key, Lodging, Override, Running};
use super::slot::Slot;
use super::supervisor::Supervisor;
use super::target::Target;
use super::turn::{Circle, Taken};
use super::voice::Voice;
use super::workers::{Lost, Overrun, Task};
use crate::admit::Cause;
use crate::error::{
    Begun, CallError, CircuitOpen, DependencyError, OverrunError, PluginError, Stage,
};
use crate::event::Event;
use crate::host::Instance;
use crate::isolation::{Held, Isolation};
use crate::schema::Secrets;

/// Why there is no instance.
pub(crate) enum Refusal {
    /// The build no longer answers: another one may.
    Retired,
    Error(CallError),
}

impl<E: Into<CallError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// An instance to be used.
pub(crate) struct Occupied {
    running: Arc<Running>,
    came: Came,
}

/// How an instance came to be used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    /// It was there.
    Found,
    /// It was started for this.
    Started,
    /// It was started to see whether its plugin is well again, and is used once.
    Tried,
}

impl Occupied {
    pub(crate) const fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// Opens a door to it, unless it is only tried.
    pub(crate) fn open(&self, door: &Arc<Door<Bound>>, target: &Target) {
        if self.came != Came::Tried {
            let recorder = target.recorder().cloned();
            self.running.open(door, target.operation(), recorder);
        }
    }

    /// Calls one of its executors.
    pub(crate) fn call(
        self,
        permit: &Permit,
        target: &Target,
        input: &Value,
        call: RawCallRef<'_>,
        output: &mut Value,
    ) -> Result<(), CallError> {
        permit.reaches(target.slot());
        let called = self.running.execute(
            permit,
            target.operation(),
            target.recorder().map(Arc::as_ref),
            input,
            call,
            output,
        );
        if self.running.is_isolated() && called.as_ref().is_err_and(cost_a_worker) {
            // The instance is there still, but what was tried did not do well.
            drop(self.running.settle());
        }
        self.keep();
        called
    }

    /// Whether it had to be started.
    pub(crate) fn is_new(&self) -> bool {
        self.came != Came::Found
    }

    /// Keeps it for others, if it was tried and did well.
    pub(crate) fn keep(self) {
        if self.came == Came::Tried
            && !self.running.is_closed()
            && let Some(probe) = self.running.settle()
        {
            probe.succeeded();
            // A generation that has ended meanwhile keeps nothing.
            let instances = &self.running.slot().ground().instances;
            let _ = instances.insert(&self.running);
        }
    }
}

/// An instance that was started just now.
struct Started {
    instance: Instance,
    secrets: Secrets,
    took: Duration,
}

impl Supervisor {
    /// The instance of a build for somebody: the live one, or one that is started now. However many
    /// ask, one starts it, and the others wait for that and share what came of it.
    pub(crate) fn occupy(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        lodging: Lodging,
    ) -> Result<Occupied, Refusal> {
        let key = Key {
            generation: slot.generation(),
            lodging,
        };
        let ground = self.ground();
        loop {
            if let Some(running) = ground.instances.get(&key) {
                let came = Came::Found;
                return Ok(Occupied { running, came });
            }
            if ground.instances.is_shut() {
                return Err(slot.registry_gone().into());
            }
            if slot.is_retired() || !slot.is_library() {
                return Err(Refusal::Retired);
            }
            match ground.turns.take(StartKey::Instance(key.clone())) {
                Err(Circle) => return Err(slot.circle().into()),
                Ok(Taken::Theirs(None)) => {}
                Ok(Taken::Theirs(Some(failure))) => return Err(failure.into()),
                Ok(Taken::Mine(turn)) => {
                    // It may have come and gone since this thread looked.
                    if ground.instances.peek(&key).is_some() || slot.is_retired() {
                        continue;
                    }
                    return match self.start_new(slot, &key) {
                        Ok(occupied) => Ok(occupied),
                        Err(Refusal::Retired) => Err(Refusal::Retired),
                        Err(Refusal::Error(failure)) => {
                            turn.fail(failure.clone());
                            Err(Refusal::Error(failure))
                        }
                    };
                }
            }
        }
    }

    fn start_new(self: &Arc<Self>, slot: &Arc<Slot>, key: &Key) -> Result<Occupied, Refusal> {
        let probe = match slot.circuit().admit(Instant::now()) {
            Admit::Closed => None,
            Admit::Probe { change } => {
                slot.tell_circuit(change);
                Some(Probe::of(slot.clone()))
            }
            Admit::Open {
                retry_after,
                faults,
            } => {
                return Err(Refusal::Error(CallError::CircuitOpen(Box::new(
                    CircuitOpen {
                        plugin: slot.title(),
                        faults,
                        retry_after,
                    },
                ))));
            }
        };
        let running = match self.start(slot, key) {
            Ok(running) => running,
            Err(error) => {
                // Of itself it has not been asked then.
                if let (true, Some(probe)) = (is_anothers(&error), probe) {
                    probe.abandoned();
                }
                return Err(error.into());
            }
        };
        let came = match probe {
            Some(probe) => {
                running.try_out(probe);
                Came::Tried
            }
            None if self.ground().instances.insert(&running).is_err() => {
                return Err(Refusal::Retired);
            }
            None => Came::Started,
        };
        Ok(Occupied { running, came })
    }

    /// Starts an instance, after what it needs.
    fn start(self: &Arc<Self>, slot: &Arc<Slot>, key: &Key) -> Result<Arc<Running>, CallError> {
        self.start_needs(slot, key)?;
        // Once for all for whom it is started at the same time.
        let held = slot.held(&key.lodging);
        let isolation = held.isolation();
        slot.make_ready(&held)?;
        slot.check_startable()?;
        let ground = self.ground();
        let voice = Arc::new(Voice::new(
            Arc::downgrade(self),
            slot.clone(),
            key.lodging.tenant.clone(),
        ));
        let own = key.lodging.config.clone();
        let host = voice.clone();
        let scope = key.lodging.whose();
        let caller = Caller::current();
        let body = move |slot: &Arc<Slot>| -> Result<Started, CallError> {
            // What it calls while it starts is part of the call that it is started for.
            let _caller = caller.map(StandIn::of);
            let span = tracing::debug_span!("start", plugin = %slot.manifest().name, version = %slot.manifest().version);
            let _entered = span.enter();
            let effective = slot.configure(own.as_ref().map(Override::value))?;
            let began = Instant::now();
            let started = match &held {
                Held::InProcess => {
                    let image = slot.image()?.clone();
                    image.start(&effective.value, &effective.secrets, host)
                }
                Held::Worker(terms) => slot
                    .start_isolated(terms, &scope, &effective, host)
                    .inspect_err(|error| slot.fail(Stage::Start, error.to_string()))?,
            };
            match started {
                Ok(instance) => Ok(Started {
                    instance,
                    secrets: effective.secrets.clone(),
                    took: began.elapsed(),
                }),
                Err(error) => {
                    let faulty = error.kind() == ErrorKind::Panicked;
                    let error = PluginError::new(slot.title(), None, &error);
                    let error = error.masked(&effective.secrets);
                    slot.fail(Stage::Start, error.to_string());
                    if faulty {
                        slot.fault();
                    }
                    Err(CallError::Start(Box::new(error)))
                }
            }
        };
        let Started {
            instance,
            secrets,
            took,
        } = self
            .start_bounded(slot, isolation, body)
            .inspect_err(|error| {
                // With a configuration of its own, a caller could have it quarantined for all.
                if key.lodging.config.is_none() {
                    tell_failed_start(slot, error);
                }
            })?;
        let running = Arc::new(Running::new(
            instance,
            isolation,
            key.clone(),
            slot.clone(),
            voice,
            secrets,
            ground.next_start(),
        ));
        slot.recovered(took);
        tracing::debug!(plugin = %slot.id(), version = %slot.manifest().version, ?took, "started");
        ground.events.publish_with(|| Event::Started {
            build: slot.build().clone(),
            scope: key.lodging.whose(),
            took,
        });
        Ok(running)
    }

    fn start_bounded(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        isolation: Isolation,
        body: impl FnOnce(&Arc<Slot>) -> Result<Started, CallError> + Send + 'static,
    ) -> Result<Started, CallError> {
        let ground = self.ground();
        let Some(allowed) = ground.deadlines.create else {
            return body(slot);
        };
        let task = Task {
            plugin: slot.title(),
            doing: "start".to_owned(),
            isolation,
        };
        let own = slot.clone();
        let late = |started: Result<Started, CallError>| {
            // Nobody will use it; it is on a thread that was written off.
            if let Ok(started) = started {
                let _ = started.instance.stop();
            }
        };
        let pending = ground
            .workers
            .begin_unlimited(task, allowed, move |_, _| body(&own), late);
        pending
            .wait(|_, _| ())
            .unwrap_or_else(|overrun| Err(overran(slot, Stage::Start, "start", &overrun)))
    }

    /// Starts what a build needs, if it is not live.
    fn start_needs(self: &Arc<Self>, slot: &Arc<Slot>, key: &Key) -> Result<(), CallError> {
        if slot.manifest().dependencies.is_empty() {
            return Ok(());
        }
        let refuse = |error: Box<DependencyError>| {
            slot.fail(Stage::Start, error.to_string());
            CallError::from(error)
        };
        let catalog = self.catalog_for(slot);
        depend::refuse_circle(&catalog, slot).map_err(refuse)?;
        let needs = depend::needs(&catalog, slot).map_err(refuse)?;
        // What a tenant's instance calls is the tenant's too.
        let tenancy = key.lodging.tenant.as_ref();
        for (needed, necessity) in needs {
            let lodging = Lodging::NOBODY.of_tenancy(tenancy, &needed);
            let failure = match self.occupy(&needed, lodging) {
                Ok(occupied) => {
                    occupied.keep();
                    continue;
                }
                // What takes its place is started when it is called.
                Err(Refusal::Retired) => continue,
                Err(Refusal::Error(failure)) => failure,
            };
            if necessity == Necessity::Required {
                return Err(refuse(Box::new(DependencyError::because_of(
                    slot.title(),
                    needed.title(),
                    failure,
                ))));
            }
            tracing::debug!(plugin = %slot.id(), needed = %needed.id(), error = %failure, "starts without what it can do without");
        }
        Ok(())
    }
}

/// Whether a start failed before the plugin itself was asked.
fn is_anothers(error: &CallError) -> bool {
    match error {
        CallError::Dependency(_) => true,
        CallError::Overrun(overrun) => overrun.begun == Begun::No,
        _ => false,
    }
}

/// Whether a call ended with the worker that it was in.
fn cost_a_worker(error: &CallError) -> bool {
    match error {
        CallError::Executor(error) => error.kind == ErrorKind::Crashed,
        CallError::Overrun(overrun) => overrun.begun == Begun::Killed,
        _ => false,
    }
}

/// Tells the quarantine of a start that its code failed, or did not come back from: whoever waited for it
/// does, so that it counts once.
fn tell_failed_start(slot: &Slot, error: &CallError) {
    let reason = match error {
        CallError::Start(error) => error.in_full(),
        CallError::Overrun(overrun) if matches!(overrun.begun, Begun::Yes | Begun::Killed) => {
            overrun.to_string()
        }
        _ => return,
    };
    slot.fault_of_content(Cause::FailedStarts, &reason);
}

/// Tells that a plugin's code did not come back in time.
pub(crate) fn overran(slot: &Arc<Slot>, stage: Stage, doing: &str, overrun: &Overrun) -> CallError {
    slot.ground().tell_overrun(slot, doing, overrun);
    slot.fail(stage, ending::overran(overrun, doing));
    // Of a worker, whoever kills it tells.
    if overrun.how == Lost::Abandoned && !overrun.is_in_a_worker() {
        slot.fault();
    }
    CallError::Overrun(Box::new(OverrunError::new(
        slot.title(),
        doing,
        overrun.allowed,
        overrun.begun(),
    )))
}
