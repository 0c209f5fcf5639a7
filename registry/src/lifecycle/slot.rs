//! One build of one plugin, and its generation.

mod code;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use floe_plugin_api::{ExecutorMetadata, Manifest};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;

use super::circuit::{self, Circuit};
use super::ground::Ground;
use super::running::Lodging;
use crate::admit::{Admitted, Cause, Quarantined, Stored, Subject};
use crate::config::{Effective, Given};
use crate::error::{CallError, Rejection, Stage};
use crate::event::{CircuitState, Ending, Event};
use crate::host::Image;
use crate::id::{Build, Digest, PluginId};
use crate::isolate::Places;
use crate::isolation::Held;
use crate::policy::Origin;
use crate::schema::Schemas;

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
    /// What records say of it, once its code is mapped.
    origin: OnceLock<Arc<Origin>>,
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
            origin: OnceLock::new(),
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

    /// What records of its calls say of it.
    pub(crate) fn origin(&self) -> Arc<Origin> {
        let version = &self.manifest.version;
        let make =
            |digest: Option<Digest>| Arc::new(Origin::new(self.id(), version, digest.as_ref()));
        match self.image.get() {
            // What is mapped stays.
            Some(image) => {
                let kept = self.origin.get_or_init(|| make(Some(image.digest())));
                Arc::clone(kept)
            }
            None => make(self.digest()),
        }
    }

    /// Where an instance of it runs for somebody.
    pub(crate) fn held(&self, lodging: &Lodging) -> Held {
        let settings = self.ground.isolation.load();
        let tenancy = lodging.tenant.as_ref();
        let tenant = tenancy.map_or("", |tenancy| &*tenancy.name);
        let own = tenancy.and_then(|tenancy| tenancy.isolation.as_ref());
        settings.held(self.id(), &[tenant, lodging.scope.as_str()], own)
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
}
