//! What a worker is made of, and how it is made.

use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use floe_plugin_api::{Error, Value};

use super::end::{End, How};
use super::greet;
use super::log::Places;
use super::process::{Request, Worker};
use super::sandbox::{self, Sandbox};
use super::spawn::{self, Program};
use super::tend;
use super::wire::channel::Channel;
use super::wire::frame::{FromWorker, Missing, ToWorker};
use super::wire::packet::Packet;
use crate::admit::Stored;
use crate::error::{Rejection, Stage};
use crate::host::Route;
use crate::schema::Secrets;

/// Who is told what becomes of workers.
pub(crate) trait Keeper: Send + Sync {
    /// One is there, and its plugin has started.
    fn started(&self, worker: &Arc<Worker>, took: Duration);
    /// One is there no more.
    fn ended(&self, worker: &Worker, end: &End);
}

/// What a worker is made of.
pub(crate) struct Recipe {
    /// The plugin, and the build of it.
    pub(crate) title: String,
    pub(crate) program: Program,
    pub(crate) sandbox: Sandbox,
    /// Whether it is not made where the system cannot hold it to that.
    pub(crate) required: bool,
    /// The file that was admitted.
    pub(crate) original: PathBuf,
    /// Its manifest.
    pub(crate) note: Arc<[u8]>,
    /// Its verified copy.
    pub(crate) copy: Arc<Stored>,
    pub(crate) config: Value,
    pub(crate) secrets: Secrets,
    /// How long it may take to start, to say how it is, and to stop.
    pub(crate) create: Option<Duration>,
    pub(crate) health: Option<Duration>,
    pub(crate) stop: Option<Duration>,
    /// After which time without a call it is stopped.
    pub(crate) idle: Option<Duration>,
    /// Who answers when the plugin calls others.
    pub(crate) route: Arc<dyn Route>,
    pub(crate) keeper: Arc<dyn Keeper>,
    /// The places in the plugin's source that log.
    pub(crate) places: Arc<Places>,
}

/// Why there is no worker.
#[derive(Debug)]
pub(crate) enum Unmade {
    /// The program, or the library, is not what it must be.
    Rejected(Box<Rejection>),
    /// The plugin's code said that it cannot start.
    Said(Error),
    /// The process ended on the way.
    Ended(Arc<End>),
}

impl From<Box<Rejection>> for Unmade {
    fn from(rejection: Box<Rejection>) -> Self {
        Self::Rejected(rejection)
    }
}

impl Unmade {
    /// The same as the plugin interface says it.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Rejected(rejection) => super::errors::lost(rejection.to_string()),
            Self::Said(error) => error,
            Self::Ended(end) => end.error(Some(0)),
        }
    }
}

impl Recipe {
    /// A process that has the library mapped, and nothing started.
    pub(crate) fn open(self: &Arc<Self>) -> Result<Arc<Worker>, Unmade> {
        let until = self
            .create
            .and_then(|create| Instant::now().checked_add(create));
        let missing = sandbox::missing(&self.sandbox).into_iter();
        self.check_sandbox(missing.map(Missing::from).collect())?;
        let refused = |found: String| spawn::refused(&self.original, found);
        let unstartable =
            |error: std::io::Error| refused(greet::unstartable(&self.program, &error));
        let (own, other) = Channel::pair().map_err(unstartable)?;
        let child = spawn::start(&self.program, other).map_err(unstartable)?;
        let worker = Worker::new(self.clone(), own, child).map_err(unstartable)?;
        let worker = Arc::new(worker);
        tend::watch(&worker);

        let library = self.copy.path().as_os_str().as_bytes();
        let hello = greet::hello(self.sandbox.clone(), library);
        let packet = Packet::new(&hello, []).map_err(|error| refused(error.to_string()))?;
        let welcome = worker
            .first_words(&packet, None, until, |word| {
                greet::welcome(word, &self.program)
            })
            .map_err(|end| refused(greet::unwelcome(&self.program, &end)))?;
        let missing = welcome.map_err(refused)?;
        self.check_sandbox(missing)?;

        let load = ToWorker::Load {
            original: self.original.as_os_str().as_bytes(),
            note: &self.note,
        };
        let packet = Packet::new(&load, []).map_err(|error| refused(error.to_string()))?;
        let copy = Some(self.copy.file().as_fd());
        let loaded = worker.first_words(&packet, copy, until, |word| match word {
            FromWorker::Loaded => Ok(Ok(())),
            FromWorker::Refused {
                check,
                found,
                expected,
                remedy,
            } => Ok(Err(Box::new(Rejection::new(
                Stage::Load,
                known(check),
                &self.original,
                found,
                expected,
                remedy,
            )))),
            _ => Err(How::Garbage("a word out of its turn".to_owned())),
        });
        loaded.map_err(Unmade::Ended)??;
        Ok(worker)
    }

    /// A process with the plugin started.
    pub(crate) fn make(self: &Arc<Self>) -> Result<Arc<Worker>, Unmade> {
        let began = Instant::now();
        let worker = self.open()?;
        let left = self
            .create
            .map(|create| create.saturating_sub(began.elapsed()));
        match worker.ask(&Request::Create(&self.config), left) {
            Ok(_) => {
                worker.keep();
                self.keeper.started(&worker, began.elapsed());
                Ok(worker)
            }
            Err(error) => match worker.ended() {
                Some(end) => Err(Unmade::Ended(end.clone())),
                None => {
                    worker.conclude(How::Stopped);
                    Err(Unmade::Said(error))
                }
            },
        }
    }

    /// The schemas of the plugin, as JSON text, by a process that is made for that.
    pub(crate) fn describe(self: &Arc<Self>) -> Result<String, Unmade> {
        let worker = self.open()?;
        let answer = worker.ask(&Request::Describe, self.create);
        let ended = worker.ended().cloned();
        worker.conclude(How::Stopped);
        match (answer, ended) {
            (Ok(Value::String(text)), _) => Ok(text.as_str().to_owned()),
            (Ok(_), _) => Err(Unmade::Said(super::errors::lost(
                "it described itself with what is no text",
            ))),
            (Err(_), Some(end)) => Err(Unmade::Ended(end)),
            (Err(error), None) => Err(Unmade::Said(error)),
        }
    }

    /// Refuses what the system cannot hold to its sandbox, where that is required, and says so where it is
    /// not.
    fn check_sandbox(&self, missing: Vec<Missing>) -> Result<(), Box<Rejection>> {
        let Some(first) = missing.into_iter().next() else {
            return Ok(());
        };
        if !self.required {
            tracing::warn!(plugin = %self.title, missing = %first.name, detail = %first.detail, "runs with less of a sandbox than was asked; `required = true` would refuse it");
            return Ok(());
        }
        Err(Box::new(Rejection::new(
            Stage::Start,
            "sandbox",
            &self.original,
            format!("a system without {}: {}", first.name, first.detail),
            "one that can hold the plugin to its sandbox, as `required` says",
            first.remedy,
        )))
    }
}

/// The name of a check that a worker makes.
fn known(check: &str) -> &'static str {
    const CHECKS: &[&str] = &[
        "map",
        "root-symbol",
        "root-header",
        "layout",
        "live-manifest",
    ];
    CHECKS
        .iter()
        .find(|known| **known == check)
        .copied()
        .unwrap_or("load")
}

impl From<sandbox::Offer> for Missing {
    fn from(offer: sandbox::Offer) -> Self {
        Self {
            name: offer.name.to_owned(),
            detail: offer.detail,
            remedy: offer.remedy,
        }
    }
}
