//! Plugins in workers: what a worker is made of, and what becomes of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

use super::slot::Slot;
use crate::admit::Admitted;
use crate::config::Effective;
use crate::error::{Begun, CallError, OverrunError, PluginError, Stage};
use crate::event::{Event, nanoseconds};
use crate::host::{Instance, Route};
use crate::id::{Build, Scope};
use crate::isolate::{self, End, Keeper, Pool, Recipe, Unmade, Worker};
use crate::isolation::WorkerTerms;

/// A process that a plugin runs in.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// The build.
    #[serde(flatten)]
    pub build: Build,
    /// For whom the instance in it is.
    #[serde(skip_serializing_if = "Scope::is_default")]
    pub scope: Scope,
    /// The number of the process.
    pub process: u32,
    /// How many bytes of memory it has, where the system tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// How many calls are in it.
    pub calls: usize,
    /// How long ago it was started, in nanoseconds.
    #[serde(rename = "age_ns", serialize_with = "nanoseconds")]
    pub age: Duration,
}

/// The processes that plugins run in.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkersStats {
    /// Those that are there.
    pub live: Vec<WorkerInfo>,
    /// How many bytes of memory they have together, where the system tells.
    pub memory_bytes: u64,
    /// How many were started.
    pub started: u64,
    /// How many crashed, or were killed as they did not come back or sent what is no answer.
    pub crashed: u64,
    /// How many bytes of memory those had that are there no more, when they were last looked at: all of it was
    /// given back.
    pub returned_bytes: u64,
}

/// The workers of a registry.
#[derive(Default)]
pub(crate) struct Roster {
    workers: Mutex<Vec<Entry>>,
    started: AtomicU64,
    crashed: AtomicU64,
    returned: AtomicU64,
}

struct Entry {
    worker: Weak<Worker>,
    process: u32,
    build: Build,
    scope: Scope,
    /// How many bytes of memory it had when it was last looked at.
    memory: u64,
}

impl Roster {
    /// What there is, and was.
    pub(crate) fn read(&self) -> WorkersStats {
        // Dropped after the lock: the last to hold a worker ends it, and that is told here.
        let mut held = Vec::new();
        let mut workers = self.workers.lock();
        let mut live = Vec::new();
        for entry in workers.iter_mut() {
            let Some(worker) = entry.worker.upgrade() else {
                continue;
            };
            held.push(worker.clone());
            let memory = worker.memory();
            entry.memory = memory.unwrap_or(entry.memory);
            live.push(WorkerInfo {
                build: entry.build.clone(),
                scope: entry.scope.clone(),
                process: worker.process(),
                memory_bytes: memory,
                calls: worker.load(),
                age: worker.age(),
            });
        }
        WorkersStats {
            memory_bytes: live.iter().filter_map(|each| each.memory_bytes).sum(),
            live,
            started: self.started.load(Ordering::Relaxed),
            crashed: self.crashed.load(Ordering::Relaxed),
            returned_bytes: self.returned.load(Ordering::Relaxed),
        }
    }

    fn add(&self, worker: &Arc<Worker>, build: Build, scope: Scope) {
        self.started.fetch_add(1, Ordering::Relaxed);
        self.workers.lock().push(Entry {
            worker: Arc::downgrade(worker),
            process: worker.process(),
            build,
            scope,
            memory: worker.memory().unwrap_or_default(),
        });
    }

    fn remove(&self, process: u32, is_fault: bool) {
        if is_fault {
            self.crashed.fetch_add(1, Ordering::Relaxed);
        }
        let mut workers = self.workers.lock();
        if let Some(at) = workers.iter().position(|entry| entry.process == process) {
            let entry = workers.swap_remove(at);
            self.returned.fetch_add(entry.memory, Ordering::Relaxed);
        }
    }
}

/// Tells what becomes of the workers of an instance.
struct Minder {
    slot: Arc<Slot>,
    scope: Scope,
}

impl Keeper for Minder {
    fn started(&self, worker: &Arc<Worker>, took: Duration) {
        let ground = self.slot.ground();
        let build = self.slot.build().clone();
        ground.roster.add(worker, build.clone(), self.scope.clone());
        tracing::debug!(plugin = %self.slot.id(), process = worker.process(), ?took, "a worker was started");
        ground.events.publish_with(|| Event::WorkerStarted {
            build,
            scope: self.scope.clone(),
            process: worker.process(),
            took,
        });
    }

    fn ended(&self, worker: &Worker, end: &End) {
        let ground = self.slot.ground();
        ground.roster.remove(worker.process(), end.is_fault());
        let reason = end.is_fault().then(|| end.words());
        if let Some(reason) = &reason {
            tracing::warn!(plugin = %self.slot.id(), version = %self.slot.manifest().version, process = end.process, calls = end.inside, %reason, "a worker is there no more");
        }
        ground.events.publish_with(|| Event::WorkerEnded {
            build: self.slot.build().clone(),
            scope: self.scope.clone(),
            process: end.process,
            failure: reason,
        });
        if end.is_fault() {
            self.slot.fault();
        }
    }
}

/// Nobody answers a plugin that is only asked what it is.
struct Nobody;

impl Route for Nobody {
    fn route(
        &self,
        node_type: &str,
        _input: &floe_plugin_api::Value,
        _call: floe_plugin_api::abi::RawCallRef<'_>,
    ) -> floe_plugin_api::Result<floe_plugin_api::Value> {
        Err(floe_plugin_api::Error::new(
            floe_plugin_api::ErrorKind::NotReady,
            format!("`{node_type}` cannot be called by a plugin that was not started"),
        ))
    }
}

impl Slot {
    /// What a worker for an instance of it is made of. In work that is bounded.
    fn recipe(
        self: &Arc<Self>,
        terms: &WorkerTerms,
        scope: &Scope,
        effective: &Effective,
        route: Arc<dyn Route>,
    ) -> Result<Recipe, CallError> {
        let copy = self.copy()?;
        let ground = self.ground();
        let candidate = self.admitted().map(Admitted::candidate);
        let candidate = candidate.ok_or_else(|| self.registry_gone())?;
        let named = ground.isolation.load().program.clone();
        Ok(Recipe {
            title: self.title(),
            program: isolate::program(named.as_deref(), candidate.path())?,
            sandbox: terms.into(),
            required: terms.required,
            original: candidate.path().to_owned(),
            note: candidate.note().to_vec().into(),
            copy,
            config: effective.value.clone(),
            secrets: effective.secrets.clone(),
            create: ground.deadlines.create,
            health: ground.deadlines.health,
            stop: ground.deadlines.stop,
            idle: terms.idle,
            route,
            keeper: Arc::new(Minder {
                slot: self.clone(),
                scope: scope.clone(),
            }),
            places: self.places().clone(),
        })
    }

    /// Starts an instance of it in workers. In work that is bounded.
    pub(crate) fn start_isolated(
        self: &Arc<Self>,
        terms: &WorkerTerms,
        scope: &Scope,
        effective: &Effective,
        route: Arc<dyn Route>,
    ) -> Result<Result<Instance, floe_plugin_api::Error>, CallError> {
        let recipe = Arc::new(self.recipe(terms, scope, effective, route)?);
        match Pool::start(recipe, terms.workers.get()) {
            Ok(plugin) => Ok(Ok(Instance::new(plugin))),
            Err(Unmade::Said(error)) => Ok(Err(error)),
            Err(unmade) => Err(self.unmade(unmade, "start")),
        }
    }

    /// Has it describe itself in a worker. In work that is bounded.
    pub(crate) fn describe_isolated(
        self: &Arc<Self>,
        terms: &WorkerTerms,
    ) -> Result<Result<String, floe_plugin_api::Error>, CallError> {
        let effective = Effective::default();
        let recipe = self.recipe(terms, &Scope::NOBODY, &effective, Arc::new(Nobody))?;
        match Arc::new(recipe).describe() {
            Ok(text) => Ok(Ok(text)),
            Err(Unmade::Said(error)) => Ok(Err(error)),
            Err(unmade) => Err(self.unmade(unmade, "describe")),
        }
    }

    fn unmade(&self, unmade: Unmade, doing: &str) -> CallError {
        match unmade {
            Unmade::Rejected(rejection) => {
                if rejection.stage == Stage::Load {
                    self.give_up_copy();
                }
                rejection.into()
            }
            Unmade::Ended(end) => match end.overran() {
                Some(_) => {
                    // From when it was asked for, not from when the process was there.
                    let allowed = self.ground().deadlines.create.unwrap_or_default();
                    CallError::Overrun(Box::new(OverrunError::new(
                        self.title(),
                        doing,
                        allowed,
                        Begun::Killed,
                    )))
                }
                None => CallError::Start(Box::new(PluginError::new(
                    self.title(),
                    None,
                    &end.error(None),
                ))),
            },
            Unmade::Said(error) => {
                CallError::Start(Box::new(PluginError::new(self.title(), None, &error)))
            }
        }
    }
}
