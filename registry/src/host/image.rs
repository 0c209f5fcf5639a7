//! What a mapped library exports, checked.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use floe_plugin_api::abi::{RootModuleRef, contain};
use floe_plugin_api::{Error, Value};
use parking_lot::Mutex;

use super::bridge::{HostHandle, Masks, Route, host_for};
use super::instance::Instance;
use super::library::{self, OpenError};
use super::program;
use crate::admit::{Admitted, Store, Stored};
use crate::discover::{self, Finding};
use crate::error::{Rejection, Stage};
use crate::id::Digest;
use crate::schema::Secrets;

/// A library that is mapped, whose layout is this host's and whose manifest is the one in the file.
///
/// There is one per content in a process, whatever the number of files, registries and threads.
pub(crate) struct Image {
    /// What is mapped: while this is kept, it is not collected.
    stored: Stored,
    root: RootModuleRef,
    masks: Arc<Masks>,
}

/// One content's place among the images: filled once, by whoever comes first.
type Place = Arc<Mutex<Option<Arc<Image>>>>;

/// The images of this process. Never emptied, as nothing is unmapped.
static IMAGES: Mutex<Option<HashMap<Digest, Place>>> = Mutex::new(None);

impl Image {
    /// Maps the verified copy of an admitted file, or gives the image that its content has already.
    pub(crate) fn map(
        admitted: &Admitted,
        stored: Stored,
        store: &Store,
    ) -> Result<Arc<Self>, Box<Rejection>> {
        let place = IMAGES
            .lock()
            .get_or_insert_default()
            .entry(stored.digest())
            .or_default()
            .clone();
        let mut place = place.lock();
        if let Some(image) = &*place {
            return Ok(image.clone());
        }
        // A refusal is not kept: the library that was missing may be there the next time.
        let candidate = admitted.candidate();
        let (path, note) = (candidate.path(), candidate.note());
        let image = Arc::new(Self::open(path, note, stored, Some(store))?);
        Ok(place.insert(image).clone())
    }

    /// Maps the one library of a process that has no other. `path` is the file that it is a copy of.
    pub(crate) fn alone(path: &Path, note: &[u8], stored: Stored) -> Result<Self, Box<Rejection>> {
        Self::open(path, note, stored, None)
    }

    fn open(
        path: &Path,
        note: &[u8],
        stored: Stored,
        store: Option<&Store>,
    ) -> Result<Self, Box<Rejection>> {
        let refuse = |check, found: String, expected: &str, remedy: &str| {
            Box::new(Rejection::new(
                Stage::Load,
                check,
                path,
                found,
                expected,
                remedy,
            ))
        };
        let header = library::open(&stored).map_err(|error| match error {
            OpenError::Refused(said) => explained(&stored, path).unwrap_or_else(|| {
                refuse(
                    "map",
                    format!("that the system's loader says `{}`", said.escape_debug()),
                    "a library whose needs this machine meets",
                    "install the library or symbol that is named, or a build of the plugin for this system",
                )
            }),
            OpenError::NoRoot => refuse(
                "root-symbol",
                format!("no symbol `{}`", floe_plugin_api::abi::ROOT_SYMBOL),
                "the header that `export_plugin!` exports",
                "rebuild the plugin with `export_plugin!`, and do not strip its dynamic symbols",
            ),
            OpenError::Header(said) => refuse(
                "root-header",
                format!("a header that cannot be used: {}", first_line(&said)),
                "a header made by this host's `abi_stable`",
                "rebuild the plugin against this host's `floe-plugin-api`",
            ),
        })?;
        // Without one, `init_root_module` would take the library's functions on trust.
        if header.layout().is_none() {
            return Err(refuse(
                "layout",
                "a header that does not tell its layout".to_owned(),
                "this host's layout of every type that crosses",
                "rebuild the plugin with `export_plugin!`",
            ));
        }
        let digest = stored.digest();
        let host = program::identity();
        let checked = host
            .zip(store)
            .and_then(|(host, store)| store.layout_checked(digest, host));
        let known = checked.is_some();
        let root = contain(|| match checked {
            Some(checked) => library::root_of_known_layout(header, checked),
            None => header.init_root_module::<RootModuleRef>(),
        });
        let root = match root {
            Ok(Ok(root)) => root,
            Ok(Err(error)) => {
                let said = error.to_string();
                tracing::debug!(path = %path.display(), "{said}");
                return Err(refuse(
                    "layout",
                    format!("types laid out otherwise: {}", first_line(&said)),
                    "this host's layout of every type that crosses",
                    "rebuild the plugin against this host's `floe-plugin-api`",
                ));
            }
            Err(panicked) => {
                return Err(refuse(
                    "layout",
                    format!("that the layout check panicked: {}", panicked.message),
                    "this host's layout of every type that crosses",
                    "rebuild the plugin against this host's `floe-plugin-api`",
                ));
            }
        };
        if let Some((host, store)) = host.zip(store).filter(|_| !known) {
            // Only a help for the next time: without it that one checks again.
            let _ = store.remember_layout(digest, host);
        }
        let live = root.manifest()();
        if live.as_str().as_bytes() != note {
            return Err(refuse(
                "live-manifest",
                "code that says another manifest than the file's note".to_owned(),
                "the same manifest, byte for byte",
                "do not edit a built library: rebuild the plugin",
            ));
        }
        Ok(Self {
            stored,
            root,
            masks: Arc::default(),
        })
    }

    /// The SHA-256 of the library.
    pub(crate) const fn digest(&self) -> Digest {
        self.stored.digest()
    }

    /// The schemas of the plugin, as JSON text.
    pub(crate) fn describe(&self) -> Result<String, Error> {
        match self.root.describe()().into_result() {
            Ok(text) => Ok(text.into_string()),
            Err(error) => Err(error.into()),
        }
    }

    /// Starts an instance. What is secret of its configuration is masked in what it logs.
    pub(crate) fn start(
        &self,
        config: &Value,
        secrets: &Secrets,
        route: Arc<dyn Route>,
    ) -> Result<Instance, Error> {
        self.masks.add(secrets);
        self.start_with(config, host_for(route, self.masks.clone()))
    }

    /// Starts an instance that has this host.
    pub(crate) fn start_with(&self, config: &Value, host: HostHandle) -> Result<Instance, Error> {
        match self.root.create()(config, host).into_result() {
            Ok(plugin) => Ok(Instance::new(plugin)),
            Err(error) => Err(error.into()),
        }
    }
}

/// Why the system's loader refuses a library, in better words than its own: the first thing that is
/// missing on this machine.
fn explained(stored: &Stored, path: &Path) -> Option<Box<Rejection>> {
    let preflight = discover::preflight(stored.file(), path).ok()?;
    let finding = preflight.findings.into_iter().find(Finding::prevents)?;
    Some(Box::new(Rejection::new(
        Stage::Load,
        finding.hazard.name(),
        path,
        finding.found,
        "a library whose needs this machine meets",
        finding.remedy,
    )))
}

/// The first line that says something of a long text, with its unprintable characters written out.
fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or("no reason given")
        .chars()
        .take(200)
        .flat_map(char::escape_debug)
        .collect()
}
