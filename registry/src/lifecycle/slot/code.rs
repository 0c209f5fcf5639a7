//! A generation's code: its image or its verified copy, and what it is configured with and says of itself.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use floe_plugin_api::PanicStrategy;

use super::super::running::Lodging;
use super::{Slot, Source};
use crate::admit::{Admitted, Stored};
use crate::config::{Effective, Given};
use crate::error::{CallError, PluginError, Rejection, Stage};
use crate::event::Event;
use crate::host::Image;
use crate::isolation::Held;
use crate::lifecycle::StartKey;
use crate::lifecycle::start::overran;
use crate::lifecycle::turn::{Circle, Taken};
use crate::lifecycle::workers::Task;
use crate::schema::{self, Schemas};

impl Slot {
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
            isolation: self.held(&Lodging::NOBODY).isolation(),
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
        let held = self.held(&Lodging::NOBODY);
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
        match self.held(&Lodging::NOBODY) {
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
            self.held(&Lodging::NOBODY)
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
