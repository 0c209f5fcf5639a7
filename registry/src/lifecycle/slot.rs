//! One build of one plugin.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwapOption;
use floe_plugin_api::Manifest;
use floe_plugin_api::abi::RawPluginBox;
use parking_lot::Mutex;
use serde::Serialize;

use super::turn::Turn;
use crate::admit::{Admitted, Store};
use crate::config::{Effective, Given};
use crate::error::{CallError, PluginError, Rejection, Stage};
use crate::host::{Image, Instance, Route, host_for};
use crate::id::{Digest, PluginId};
use crate::schema::{self, Schemas};

/// How far a build has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// It may be loaded, and has not been needed yet.
    Admitted,
    /// Its code is mapped.
    Loaded,
    /// An instance of it has been started.
    Ready,
    /// It could not be loaded or started the last time; the next use tries again.
    Failed,
    /// Another build answers in its place.
    Shadowed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Admitted => "admitted",
            Self::Loaded => "loaded",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Shadowed => "shadowed",
        })
    }
}

/// What every slot of a registry stands on.
pub(crate) struct Ground {
    pub(crate) store: Store,
    pub(crate) route: Weak<dyn Route>,
}

/// Why a slot failed the last time.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) reason: String,
}

/// Where the code comes from.
enum Source {
    /// From a file.
    Library(Box<Admitted>),
    /// From this program.
    InProcess,
}

/// One build of one plugin, from its admission on.
pub(crate) struct Slot {
    id: PluginId,
    manifest: Arc<Manifest>,
    source: Source,
    given: Arc<Given>,
    ground: Arc<Ground>,
    image: OnceLock<Arc<Image>>,
    schemas: OnceLock<Arc<Schemas>>,
    live: ArcSwapOption<Instance>,
    failure: Mutex<Option<Failure>>,
}

impl Slot {
    /// A slot of an admitted file. Nothing is loaded.
    pub(crate) fn of_library(admitted: Admitted, given: Arc<Given>, ground: Arc<Ground>) -> Self {
        let manifest = admitted.candidate().manifest().clone();
        Self::new(manifest, Source::Library(Box::new(admitted)), given, ground)
    }

    /// A slot of a function of this program, which is ready at once.
    pub(crate) fn in_process(
        manifest: Manifest,
        plugin: RawPluginBox,
        ground: Arc<Ground>,
    ) -> Self {
        let slot = Self::new(
            Arc::new(manifest),
            Source::InProcess,
            Arc::default(),
            ground,
        );
        slot.live.store(Some(Arc::new(Instance::new(plugin))));
        slot
    }

    fn new(
        manifest: Arc<Manifest>,
        source: Source,
        given: Arc<Given>,
        ground: Arc<Ground>,
    ) -> Self {
        Self {
            id: PluginId {
                kind: manifest.kind.clone(),
                name: manifest.name.clone(),
            },
            manifest,
            source,
            given,
            ground,
            image: OnceLock::new(),
            schemas: OnceLock::new(),
            live: ArcSwapOption::empty(),
            failure: Mutex::new(None),
        }
    }

    pub(crate) const fn id(&self) -> &PluginId {
        &self.id
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The file; nothing for a function of this program.
    pub(crate) fn admitted(&self) -> Option<&Admitted> {
        match &self.source {
            Source::Library(admitted) => Some(admitted),
            Source::InProcess => None,
        }
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.admitted().map(|admitted| admitted.candidate().path())
    }

    /// The content's digest, once it is known.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.image.get().map(|image| image.digest())
    }

    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure.lock().clone()
    }

    /// The state, whoever may answer in this build's place.
    pub(crate) fn state(&self) -> State {
        if self.live.load().is_some() {
            State::Ready
        } else if self.failure.lock().is_some() {
            State::Failed
        } else if self.image.get().is_some() {
            State::Loaded
        } else {
            State::Admitted
        }
    }

    /// `sqlite 1.2.0`.
    fn title(&self) -> String {
        format!("{} {}", self.manifest.name, self.manifest.version)
    }

    fn turn(&self) -> Result<Turn, CallError> {
        Turn::take(std::ptr::from_ref(self).addr()).map_err(|_| CallError::StartCycle {
            plugin: self.title().into(),
        })
    }

    /// Maps the code, if that has not been done.
    pub(crate) fn load(&self) -> Result<(), CallError> {
        if self.image.get().is_some() || matches!(self.source, Source::InProcess) {
            return Ok(());
        }
        let _turn = self.turn()?;
        self.image()?;
        Ok(())
    }

    /// The image. To be called in one's turn.
    fn image(&self) -> Result<&Arc<Image>, Box<Rejection>> {
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
            )));
        };
        match Image::map(admitted, &self.ground.store) {
            Ok(image) => {
                tracing::debug!(plugin = %self.id, version = %self.manifest.version, digest = %image.digest(), "loaded");
                self.failure.lock().take();
                Ok(self.image.get_or_init(|| image))
            }
            Err(rejection) => {
                self.fail(Stage::Load, rejection.reason());
                Err(rejection)
            }
        }
    }

    fn fail(&self, stage: Stage, reason: String) {
        tracing::warn!(plugin = %self.id, version = %self.manifest.version, %stage, %reason, "failed");
        *self.failure.lock() = Some(Failure { stage, reason });
    }

    /// The live instance; one is started where there is none, or where a panic has poisoned it.
    ///
    /// However many threads ask, one starts it and the others wait for that.
    pub(crate) fn instance(&self) -> Result<Arc<Instance>, CallError> {
        if let Some(instance) = self.healthy() {
            return Ok(instance);
        }
        let _turn = self.turn()?;
        if let Some(instance) = self.healthy() {
            return Ok(instance);
        }
        let image = self.image()?;
        let effective = self.effective()?;
        let host = host_for(self.ground.route.clone());
        match image.start(&effective.value, host) {
            Ok(instance) => {
                let instance = Arc::new(instance);
                self.live.store(Some(instance.clone()));
                self.failure.lock().take();
                Ok(instance)
            }
            Err(error) => {
                let error = PluginError::new(self.title(), None, &error);
                let error = error.masked(&effective.secrets);
                self.fail(Stage::Start, error.to_string());
                Err(CallError::Start(Box::new(error)))
            }
        }
    }

    /// What an instance is started with. To be called in one's turn.
    fn effective(&self) -> Result<Effective, CallError> {
        let schemas = match self.schemas_in_turn() {
            Ok(schemas) => schemas,
            // What was given cannot be judged; nothing need not be.
            Err(_) if self.given.is_empty() => return Ok(Effective::default()),
            Err(error) => return Err(error),
        };
        let resolved = self.given.resolve(&schemas.config, &self.title());
        resolved.map_err(|invalid| {
            self.fail(Stage::Start, invalid.to_string());
            CallError::Invalid(invalid)
        })
    }

    fn healthy(&self) -> Option<Arc<Instance>> {
        match &self.source {
            // A function of this program has no other instance to offer.
            Source::InProcess => self.live.load_full(),
            Source::Library(_) => self
                .live
                .load_full()
                .filter(|instance| !instance.is_poisoned()),
        }
    }

    /// The schemas: remembered from an earlier time, or asked of the code, which is mapped for that.
    pub(crate) fn schemas(&self) -> Result<Arc<Schemas>, CallError> {
        if let Some(schemas) = self.schemas.get() {
            return Ok(schemas.clone());
        }
        if let Source::Library(admitted) = &self.source
            && self.image.get().is_none()
            && let Some(schemas) = self.remembered_schemas(admitted)
        {
            return Ok(self.schemas.get_or_init(|| Arc::new(schemas)).clone());
        }
        let _turn = self.turn()?;
        self.schemas_in_turn()
    }

    fn remembered_schemas(&self, admitted: &Admitted) -> Option<Schemas> {
        let candidate = admitted.candidate();
        let digest = self.ground.store.digest_of(candidate.file_path()).ok()?;
        let text = self.ground.store.schemas(digest)?;
        Schemas::from_json(&text).ok()
    }

    fn schemas_in_turn(&self) -> Result<Arc<Schemas>, CallError> {
        if let Some(schemas) = self.schemas.get() {
            return Ok(schemas.clone());
        }
        if matches!(self.source, Source::InProcess) {
            let executors = self.manifest.executors.iter();
            let schemas = Schemas {
                config: serde_json::json!({ "type": "object", "additionalProperties": false }),
                executors: executors
                    .map(|each| (each.node_type.clone(), schema::ExecutorSchemas::anything()))
                    .collect(),
            };
            return Ok(self.schemas.get_or_init(|| Arc::new(schemas)).clone());
        }
        let image = self.image()?;
        if let Some(text) = self.ground.store.schemas(image.digest())
            && let Ok(schemas) = Schemas::from_json(&text)
        {
            return Ok(self.schemas.get_or_init(|| Arc::new(schemas)).clone());
        }
        let described = image.describe().and_then(|text| {
            let schemas = Schemas::from_json(&text)?;
            Ok((text, schemas))
        });
        match described {
            Ok((text, schemas)) => {
                if let Err(error) = self.ground.store.remember_schemas(image.digest(), &text) {
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
