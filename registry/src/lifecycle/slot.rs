//! One build of one plugin, and its generation.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use floe_plugin_api::{ExecutorMetadata, Manifest, PanicStrategy};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;

use super::StartKey;
use super::circuit::{self, Circuit};
use super::ground::Ground;
use super::start::overran;
use super::turn::{Circle, Taken};
use super::workers::Task;
use crate::admit::{Admitted, Cause, Quarantined, Stored, Subject};
use crate::config::{Effective, Given};
use crate::error::{CallError, PluginError, Rejection, Stage};
use crate::event::{CircuitState, Ending, Event};
use crate::host::Image;
use crate::id::{Build, Digest, PluginId, Scope};
use crate::isolate::Places;
use crate::isolation::Held;
use crate::schema::{self, Schemas};

/// How far a build has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum State {
    /// It may be loaded, and has not been needed yet.
    Admitted,
    /// Its code is mapped.
    Loaded,
    /// An instance of it is live.
    Ready,
    /// It could not be loaded or started the last time; the next use tries again.
    Failed,
    /// It panicked, or ran out of time, too often: it is left alone for a while.
    Resting,
    /// Its content failed time and again, perhaps in another process: it is left alone for longer.
    Quarantined,
    /// Another build answers in its place.
    Shadowed,
    /// It was to take the place of the build that answers, and does not: it did not start, would break
    /// another plugin, or was rolled back.
    HeldBack,
    /// It no longer answers; calls that are inside of it end on it.
    Draining,
    /// Its last instance has ended; only its code is still mapped.
    Retired,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Admitted => "admitted",
            Self::Loaded => "loaded",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Resting => "resting",
            Self::Quarantined => "quarantined",
            Self::Shadowed => "shadowed",
            Self::HeldBack => "held-back",
            Self::Draining => "draining",
            Self::Retired => "retired",
        })
    }
}

/// Why a slot failed the last time.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) reason: String,
}

/// Where the code comes from.
#[derive(Clone)]
enum Source {
    /// From a file.
    Library(Arc<Admitted>),
    /// From this program.
    InProcess,
}

/// How long a build's last load and start took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Took {
    pub(crate) load: Option<Duration>,
    pub(crate) start: Option<Duration>,
}

/// One generation of a plugin: one build of it, with one configuration, from its admission until the
/// last of its instances has ended.
pub(crate) struct Slot {
    build: Build,
    manifest: Arc<Manifest>,
    source: Source,
    given: Arc<Given>,
    ground: Arc<Ground>,
    image: OnceLock<Arc<Image>>,
    /// The verified copy, where it is for workers.
    copy: Mutex<Option<Arc<Stored>>>,
    /// The places in its source that log, as workers tell them.
    places: Arc<Places>,
    schemas: OnceLock<Arc<Schemas>>,
    /// What it is configured with where no caller says otherwise, once that was found to fit.
    effective: OnceLock<Arc<Effective>>,
    circuit: Circuit,
    failure: Mutex<Option<Failure>>,
    took: Mutex<Took>,
    /// Whether it waits for its publication: its calls see what will be published with it.
    staged: AtomicBool,
    /// Whether it no longer answers. Set, for good, under the lock of the cache of instances.
    retired: AtomicBool,
    /// Why its file was refused by a later scan. What runs already goes on for who holds it.
    refused: OnceLock<Rejection>,
    /// Its instances that have not ended.
    alive: AtomicU64,
    /// Whether its end was told. An instance that was started too late may end after that.
    told_retired: AtomicBool,
}

impl Slot {
    /// A slot of an admitted file. Nothing is loaded.
    pub(crate) fn of_library(admitted: Admitted, given: Given, ground: Arc<Ground>) -> Self {
        let manifest = admitted.candidate().manifest().clone();
        let source = Source::Library(Arc::new(admitted));
        Self::new(manifest, source, Arc::new(given), ground)
    }

    /// A slot of a function of this program.
    pub(crate) fn in_process(manifest: Manifest, ground: Arc<Ground>) -> Self {
        let given = Arc::new(Given::default());
        Self::new(Arc::new(manifest), Source::InProcess, given, ground)
    }

    /// The same build as a new generation, configured as given.
    pub(crate) fn again(&self, given: Given) -> Self {
        let slot = Self::new(
            self.manifest.clone(),
            self.source.clone(),
            Arc::new(given),
            self.ground.clone(),
        );
        if let Some(image) = self.image.get() {
            let _ = slot.image.set(image.clone());
        }
        slot.copy.lock().clone_from(&self.copy.lock());
        if let Some(schemas) = self.schemas.get() {
            let _ = slot.schemas.set(schemas.clone());
        }
        slot
    }

    fn new(
        manifest: Arc<Manifest>,
        source: Source,
        given: Arc<Given>,
        ground: Arc<Ground>,
    ) -> Self {
        Self {
            build: Build {
                plugin: PluginId {
                    kind: manifest.kind.clone(),
                    name: manifest.name.clone(),
                },
                version: manifest.version.clone(),
                generation: ground.next_generation(),
            },
            manifest,
            source,
            given,
            image: OnceLock::new(),
            copy: Mutex::default(),
            places: Arc::default(),
            schemas: OnceLock::new(),
            effective: OnceLock::new(),
            circuit: Circuit::new(
                ground.circuit.panics,
                ground.circuit.window,
                ground.circuit.rest,
            ),
            ground,
            failure: Mutex::new(None),
            took: Mutex::default(),
            staged: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            refused: OnceLock::new(),
            alive: AtomicU64::new(0),
            told_retired: AtomicBool::new(false),
        }
    }

    pub(crate) const fn build(&self) -> &Build {
        &self.build
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.build.generation
    }

    pub(crate) const fn id(&self) -> &PluginId {
        &self.build.plugin
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(crate) const fn ground(&self) -> &Arc<Ground> {
        &self.ground
    }

    pub(crate) const fn given(&self) -> &Arc<Given> {
        &self.given
    }

    /// What is known of an executor without running it.
    pub(crate) fn executor(&self, operation: u32) -> Option<&ExecutorMetadata> {
        let index = usize::try_from(operation).ok()?;
        self.manifest.executors.get(index)
    }

    /// The file; nothing for a function of this program.
    pub(crate) fn admitted(&self) -> Option<&Admitted> {
        match &self.source {
            Source::Library(admitted) => Some(admitted),
            Source::InProcess => None,
        }
    }

    pub(crate) const fn is_library(&self) -> bool {
        matches!(self.source, Source::Library(_))
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.admitted().map(|admitted| admitted.candidate().path())
    }

    /// The content's digest, once it is known.
    pub(crate) fn digest(&self) -> Option<Digest> {
        let image = self.image.get().map(|image| image.digest());
        image.or_else(|| self.copy.lock().as_ref().map(|copy| copy.digest()))
    }

    /// Where an instance of it runs for somebody.
    pub(crate) fn held(&self, scope: &Scope) -> Held {
        self.ground.isolation.load().held(self.id(), scope)
    }

    pub(crate) const fn places(&self) -> &Arc<Places> {
        &self.places
    }

    /// Whether it has been loaded: its code is mapped, or its verified copy is there for workers.
    fn is_loaded(&self) -> bool {
        self.image.get().is_some() || self.copy.lock().is_some()
    }

    /// How many bytes of code it has mapped.
    pub(crate) fn mapped_bytes(&self) -> u64 {
        match self.image.get() {
            Some(_) => self
                .admitted()
                .map_or(0, |admitted| admitted.candidate().identity().size),
            None => 0,
        }
    }

    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure.lock().clone()
    }

    pub(crate) fn took(&self) -> Took {
        *self.took.lock()
    }

    /// The state, whoever may answer in this build's place.
    pub(crate) fn state(&self) -> State {
        if self.is_retired() {
            return match self.alive.load(Ordering::Acquire) {
                0 => State::Retired,
                _ => State::Draining,
            };
        }
        if self.quarantined().is_some() {
            State::Quarantined
        } else if self.circuit_state() == CircuitState::Open {
            State::Resting
        } else if self.ground.instances.has(self.generation()) {
            State::Ready
        } else if self.failure.lock().is_some() {
            State::Failed
        } else if self.is_loaded() {
            State::Loaded
        } else {
            State::Admitted
        }
    }

    /// The content's digest, where it can be known without reading it.
    fn known_digest(&self) -> Option<Digest> {
        self.digest().or_else(|| {
            let identity = self.admitted()?.candidate().identity();
            self.ground.store.digest_by_looks(identity)
        })
    }

    /// That its content is left alone, as far as that can be known without reading it.
    pub(crate) fn quarantined(&self) -> Option<Quarantined> {
        let quarantine = &self.ground.quarantine;
        if quarantine.is_empty() {
            return None;
        }
        quarantine.active(self.known_digest()?, Timestamp::now())
    }

    /// A later scan refuses its file: nothing of it is mapped or started any more.
    pub(crate) fn refuse(&self, rejection: Rejection) {
        // The first reason is as good as any.
        let _ = self.refused.set(rejection);
    }

    pub(crate) fn is_refused(&self) -> Option<&Rejection> {
        self.refused.get()
    }

    /// Refuses to start what a later scan refused, and a content that is left alone.
    pub(crate) fn check_startable(&self) -> Result<(), CallError> {
        if let Some(rejection) = self.is_refused() {
            return Err(Box::new(rejection.clone()).into());
        }
        let Some((digest, path)) = self.digest().zip(self.path()) else {
            return Ok(());
        };
        self.ground
            .quarantine
            .refuse(digest, path)
            .map_err(|rejection| {
                self.fail(Stage::Admit, rejection.reason());
                rejection.into()
            })
    }

    /// Its content could not be started, or its circuit opened: told to the quarantine.
    pub(crate) fn fault_of_content(&self, cause: Cause, reason: &str) {
        let Some(digest) = self.digest() else { return };
        let subject = Subject {
            digest,
            plugin: self.id(),
            version: &self.manifest.version,
        };
        let quarantine = &self.ground.quarantine;
        let Some(left) = quarantine.fault(subject, cause, reason, Timestamp::now()) else {
            return;
        };
        tracing::warn!(plugin = %self.id(), version = %self.manifest.version, until = %left.until, "quarantined: it failed time and again");
        self.ground.events.publish_with(|| Event::Quarantined {
            build: self.build.clone(),
            digest,
            cause: left.cause,
            reason: left.reason,
            count: left.count,
            until: left.until,
        });
    }

    /// An operator has changed how it is configured.
    pub(crate) fn reconfigured(&self) {
        if let Some(digest) = self.known_digest() {
            self.ground.quarantine.reconfigured(digest);
        }
    }

    /// `sqlite 1.2.0`.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.manifest.name, self.manifest.version)
    }

    pub(crate) fn is_staged(&self) -> bool {
        self.staged.load(Ordering::Acquire)
    }

    pub(crate) fn stage(&self, staged: bool) {
        self.staged.store(staged, Ordering::Release);
    }

    /// Whether it no longer answers. To be relied on under the lock of the cache alone; elsewhere, a
    /// false may be an old one.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// To be called under the lock of the cache of instances.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub(crate) fn count_begun(&self) {
        self.alive.fetch_add(1, Ordering::AcqRel);
    }

    /// One of its instances has ended.
    pub(crate) fn count_ended(self: &Arc<Self>) {
        if self.alive.fetch_sub(1, Ordering::AcqRel) == 1 && self.is_retired() {
            self.tell_retired();
        }
    }

    /// Whether none of its instances is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.alive.load(Ordering::Acquire) == 0
    }

    pub(crate) fn tell_retired(&self) {
        if self.told_retired.swap(true, Ordering::AcqRel) {
            return;
        }
        self.ground.retired(self.digest());
        self.ground.events.publish_with(|| Event::Retired {
            build: self.build.clone(),
            mapped_bytes: self.mapped_bytes(),
        });
    }

    pub(crate) const fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    pub(crate) fn circuit_state(&self) -> CircuitState {
        self.circuit.state(Instant::now())
    }

    /// A panic of its code, or an overrun.
    pub(crate) fn fault(self: &Arc<Self>) {
        let change = self.circuit.fault(Instant::now());
        self.tell_circuit(change);
    }

    pub(crate) fn tell_circuit(self: &Arc<Self>, change: Option<circuit::Change>) {
        let Some(change) = change else { return };
        if change == circuit::Change::Opened {
            tracing::warn!(plugin = %self.id(), version = %self.manifest.version, "left alone for a while: it panicked, crashed or ran out of time too often");
            // Also those for others: it is the code that is ill.
            self.ground
                .instances
                .close_all_of(self.generation(), Ending::Poisoned);
            self.fault_of_content(
                Cause::Panics,
                "it panicked, crashed or ran out of time too often",
            );
        } else if change == circuit::Change::Closed
            && let Some(digest) = self.digest()
        {
            self.ground.quarantine.recovered(digest);
        }
        self.ground.events.publish_with(|| Event::Circuit {
            build: self.build.clone(),
            state: match change {
                circuit::Change::Opened => CircuitState::Open,
                circuit::Change::HalfOpen => CircuitState::HalfOpen,
                circuit::Change::Closed => CircuitState::Closed,
            },
        });
    }

    pub(crate) fn fail(&self, stage: Stage, reason: String) {
        tracing::warn!(plugin = %self.id(), version = %self.manifest.version, %stage, %reason, "failed");
        self.ground.events.publish_with(|| Event::Failed {
            build: self.build.clone(),
            stage,
            reason: reason.clone(),
        });
        *self.failure.lock() = Some(Failure { stage, reason });
    }

    pub(crate) fn recovered(&self, start: Duration) {
        self.failure.lock().take();
        self.took.lock().start = Some(start);
        if let Some(digest) = self.digest() {
            self.ground.quarantine.started(digest);
        }
    }

    /// Does something with the plugin's code on a thread of its own, within the deadline for starts,
    /// once for all who ask at the same time; where another one does it, gives nothing when that one
    /// has ended.
    fn once<T: Send + 'static>(
        self: &Arc<Self>,
        doing: &str,
        body: impl FnOnce(&Arc<Self>) -> Result<T, CallError> + Send + 'static,
    ) -> Result<Option<T>, CallError> {
        let turns = self.ground.turns.clone();
        let turn = match turns.take(StartKey::Code(self.generation())) {
            Ok(Taken::Mine(turn)) => turn,
            Ok(Taken::Theirs(None)) => return Ok(None),
            Ok(Taken::Theirs(Some(failure))) => return Err(failure),
            Err(Circle) => return Err(self.circle()),
        };
        match self.bounded(doing, body) {
            Ok(done) => Ok(Some(done)),
            Err(error) => {
                turn.fail(error.clone());
                Err(error)
            }
        }
    }

    pub(crate) fn circle(&self) -> CallError {
        CallError::StartCycle {
            plugin: self.title().into(),
        }
    }

    fn bounded<T: Send + 'static>(
        self: &Arc<Self>,
        doing: &str,
        body: impl FnOnce(&Arc<Self>) -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        let Some(allowed) = self.ground.deadlines.create else {
            return body(self);
        };
        let task = Task {
            plugin: self.title(),
            doing: doing.to_owned(),
        };
        let slot = self.clone();
        let pending =
            self.ground
                .workers
                .begin_unlimited(task, allowed, move |_, _| body(&slot), drop);
        pending
            .wait(|_, _| ())
            .unwrap_or_else(|overrun| Err(overran(self, Stage::Load, doing, &overrun)))
    }

    /// The error of a call that found what answers replaced, time and again.
    pub(crate) fn replaced_always(&self) -> CallError {
        CallError::Replaced {
            plugin: self.title().into(),
        }
    }

    /// Maps the code, if that has not been done.
    pub(crate) fn load(self: &Arc<Self>) -> Result<(), CallError> {
        let held = self.held(&Scope::NOBODY);
        while self.is_library() && !self.is_loaded_for(&held) {
            let held = held.clone();
            self.once("load", move |slot| slot.load_for(&held))?;
        }
        Ok(())
    }

    /// Maps the code and learns its schemas, if that has not been done; once for all who ask.
    pub(crate) fn make_ready(self: &Arc<Self>, held: &Held) -> Result<(), CallError> {
        while !self.is_loaded_for(held) {
            let held = held.clone();
            self.once("load", move |slot| {
                slot.load_for(&held)?;
                // Who has a configuration to check finds out again, and says so.
                drop(slot.schemas_of_code());
                Ok(())
            })?;
        }
        Ok(())
    }

    fn is_loaded_for(&self, held: &Held) -> bool {
        match held {
            Held::InProcess => self.image.get().is_some(),
            Held::Worker(_) => self.copy.lock().is_some(),
        }
    }

    fn load_for(&self, held: &Held) -> Result<(), CallError> {
        match held {
            Held::InProcess => self.image().map(drop),
            Held::Worker(_) => self.copy().map(drop),
        }
    }

    /// The error of a call that comes when its registry is no longer at work.
    pub(crate) fn registry_gone(&self) -> CallError {
        CallError::RegistryGone {
            plugin: self.title().into(),
        }
    }

    /// The image. In work that is bounded.
    pub(crate) fn image(&self) -> Result<&Arc<Image>, CallError> {
        if let Some(image) = self.image.get() {
            return Ok(image);
        }
        let Source::Library(admitted) = &self.source else {
            return Err(Box::new(Rejection::new(
                Stage::Load,
                "in-process",
                Path::new(&self.manifest.name),
                "a function of this program",
                "a plugin of a file",
                "call it: there is nothing to load",
            ))
            .into());
        };
        if let Some(rejection) = self.is_refused() {
            return Err(Box::new(rejection.clone()).into());
        }
        // Admitted for a worker, it may be asked for here since.
        if self.manifest.panic != PanicStrategy::Unwind {
            return Err(Box::new(Rejection::new(
                Stage::Load,
                "panic-strategy",
                admitted.candidate().path(),
                format!("a build with `panic = \"{}\"`", self.manifest.panic),
                "one whose panics can be contained, or a worker to run it in",
                format!(
                    "run it in a worker: `{} = \"worker\"` in `[isolation.plugins]`",
                    self.manifest.name
                ),
            ))
            .into());
        }
        let span = tracing::debug_span!("load", plugin = %self.manifest.name, version = %self.manifest.version);
        let _entered = span.enter();
        let began = Instant::now();
        let store = &self.ground.store;
        let mapped = store.keep(admitted).and_then(|stored| {
            let path = admitted.candidate().path();
            self.ground.quarantine.refuse(stored.digest(), path)?;
            Image::map(admitted, stored, store)
        });
        match mapped {
            Ok(image) => {
                let took = began.elapsed();
                tracing::debug!(plugin = %self.id(), version = %self.manifest.version, digest = %image.digest(), "loaded");
                self.failure.lock().take();
                self.took.lock().load = Some(took);
                self.ground.events.publish_with(|| Event::Loaded {
                    build: self.build.clone(),
                    digest: image.digest(),
                    took,
                });
                self.ground
                    .mapped(image.digest(), admitted.candidate().identity().size);
                Ok(self.image.get_or_init(|| image))
            }
            Err(rejection) => {
                self.fail(rejection.stage, rejection.reason());
                Err(rejection.into())
            }
        }
    }

    /// How a worker of it is held in which it describes itself.
    fn worker_terms(&self) -> Held {
        match self.held(&Scope::NOBODY) {
            Held::InProcess => Held::Worker(Box::default()),
            held => held,
        }
    }

    /// The verified copy, for workers. In work that is bounded.
    pub(crate) fn copy(&self) -> Result<Arc<Stored>, CallError> {
        if let Some(copy) = &*self.copy.lock() {
            return Ok(copy.clone());
        }
        let Source::Library(admitted) = &self.source else {
            return Err(self.registry_gone());
        };
        if let Some(rejection) = self.is_refused() {
            return Err(Box::new(rejection.clone()).into());
        }
        let began = Instant::now();
        let kept = self.ground.store.keep(admitted).and_then(|stored| {
            let path = admitted.candidate().path();
            self.ground.quarantine.refuse(stored.digest(), path)?;
            Ok(stored)
        });
        match kept {
            Ok(stored) => {
                let took = began.elapsed();
                self.failure.lock().take();
                self.took.lock().load = Some(took);
                self.ground.events.publish_with(|| Event::Loaded {
                    build: self.build.clone(),
                    digest: stored.digest(),
                    took,
                });
                let copy = Arc::new(stored);
                *self.copy.lock() = Some(copy.clone());
                Ok(copy)
            }
            Err(rejection) => {
                self.fail(rejection.stage, rejection.reason());
                Err(rejection.into())
            }
        }
    }

    /// A worker could not map the copy: its file may be another one the next time.
    pub(crate) fn give_up_copy(&self) {
        self.copy.lock().take();
    }

    /// The configuration that an instance is started with: what was given for the plugin, what a
    /// caller put on top of that, and the schema's defaults. In work that is bounded.
    pub(crate) fn configure(
        self: &Arc<Self>,
        own: Option<&floe_plugin_api::Value>,
    ) -> Result<Arc<Effective>, CallError> {
        if let Some(own) = own {
            return self.resolve(&self.given.with(own.clone())).map(Arc::new);
        }
        // Nothing of it changes, and to check it against the schema takes longer than most starts.
        if let Some(effective) = self.effective.get() {
            return Ok(effective.clone());
        }
        let effective = Arc::new(self.resolve(&self.given)?);
        // Code that could not describe itself is asked again.
        if self.schemas.get().is_some() {
            return Ok(self.effective.get_or_init(|| effective).clone());
        }
        Ok(effective)
    }

    fn resolve(self: &Arc<Self>, given: &Given) -> Result<Effective, CallError> {
        let schemas = match self.schemas_of_code() {
            Ok(schemas) => schemas,
            // What was given cannot be judged; nothing need not be.
            Err(CallError::Start(_)) if given.is_empty() => return Ok(Effective::default()),
            Err(error) => return Err(error),
        };
        given
            .resolve(&schemas.config, &self.title())
            .map_err(|invalid| {
                self.fail(Stage::Start, invalid.to_string());
                CallError::Invalid(invalid)
            })
    }

    /// Whether its code is not mapped and its file is no longer the one that was admitted.
    pub(crate) fn is_lost(&self) -> bool {
        let Source::Library(admitted) = &self.source else {
            return false;
        };
        let candidate = admitted.candidate();
        let same = || {
            let found = crate::discover::read_file(candidate.path());
            matches!(found, Ok(Some(found)) if found.identity() == candidate.identity())
        };
        !self.is_loaded() && !same()
    }

    /// What it is configured with, secrets masked, where that can be told without running anything.
    pub(crate) fn configuration(&self) -> Option<floe_plugin_api::Value> {
        let schemas = self.known_schemas()?;
        let effective = self.given.resolve(&schemas.config, &self.title()).ok()?;
        Some(schema::secrets::masked(&schemas.config, &effective.value))
    }

    /// The schemas: remembered from an earlier time, or asked of the code, which is mapped for that.
    pub(crate) fn schemas(self: &Arc<Self>) -> Result<Arc<Schemas>, CallError> {
        loop {
            if let Some(schemas) = self.known_schemas() {
                return Ok(schemas);
            }
            if let Some(schemas) = self.once("describe", Self::schemas_of_code)? {
                return Ok(schemas);
            }
        }
    }

    /// The schemas where they can be had without running anything.
    pub(crate) fn known_schemas(&self) -> Option<Arc<Schemas>> {
        if let Some(schemas) = self.schemas.get() {
            return Some(schemas.clone());
        }
        let schemas = match &self.source {
            Source::InProcess => {
                let executors = self.manifest.executors.iter();
                Schemas {
                    config: serde_json::json!({ "type": "object", "additionalProperties": false }),
                    executors: executors
                        .map(|each| (each.node_type.clone(), schema::ExecutorSchemas::anything()))
                        .collect(),
                }
            }
            Source::Library(admitted) => self.remembered_schemas(admitted)?,
        };
        Some(self.schemas.get_or_init(|| Arc::new(schemas)).clone())
    }

    fn remembered_schemas(&self, admitted: &Admitted) -> Option<Schemas> {
        let digest = match self.digest() {
            Some(digest) => digest,
            None => {
                let candidate = admitted.candidate();
                self.ground.store.digest_of(candidate.file_path()).ok()?
            }
        };
        let text = self.ground.state.schemas(digest)?;
        Schemas::from_json(&text).ok()
    }

    /// The schemas, of the code where they are not known. In work that is bounded.
    fn schemas_of_code(self: &Arc<Self>) -> Result<Arc<Schemas>, CallError> {
        if let Some(schemas) = self.schemas.get() {
            return Ok(schemas.clone());
        }
        // What is in a worker for anybody is not mapped here to ask it.
        let for_workers = self.image.get().is_none() && self.copy.lock().is_some();
        let held = if for_workers {
            self.worker_terms()
        } else {
            self.held(&Scope::NOBODY)
        };
        self.load_for(&held)?;
        if let Some(schemas) = self.known_schemas() {
            return Ok(schemas);
        }
        let described = match &held {
            Held::InProcess => self.image()?.clone().describe(),
            Held::Worker(terms) => self
                .describe_isolated(terms)
                .inspect_err(|error| self.fail(Stage::Load, error.to_string()))?,
        };
        let described = described.and_then(|text| {
            let schemas = Schemas::from_json(&text)?;
            Ok((text, schemas))
        });
        match described {
            Ok((text, schemas)) => {
                if let Some(digest) = self.digest()
                    && let Err(error) = self.ground.state.remember_schemas(digest, &text)
                {
                    tracing::warn!(%error, "the schemas of plugin `{}` are not remembered", self.title());
                }
                Ok(self.schemas.get_or_init(|| Arc::new(schemas)).clone())
            }
            Err(error) => {
                let error =
                    PluginError::new(self.title(), None, &error.context("cannot describe itself"));
                self.fail(Stage::Load, error.to_string());
                Err(CallError::Start(Box::new(error)))
            }
        }
    }
}
