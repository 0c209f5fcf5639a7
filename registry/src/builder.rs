//! How a registry is set up.

use std::collections::HashMap;
use std::path::PathBuf;

use floe_plugin_api::{ApiVersion, Value};

use crate::admit::{Admission, Store, Trust};
use crate::config::default_store;
use crate::discover::SearchDirectory;
use crate::error::Rejection;
use crate::lifecycle::Mode;
use crate::registry::Registry;

/// How a registry is set up. Made by [`Registry::builder`].
#[derive(Debug)]
#[must_use = "nothing is scanned before `build`"]
pub struct RegistryBuilder {
    pub(crate) directories: Vec<SearchDirectory>,
    pub(crate) admission: Admission,
    pub(crate) mode: Mode,
    pub(crate) store: Option<PathBuf>,
    pub(crate) configs: HashMap<String, Value>,
}

impl RegistryBuilder {
    pub(crate) fn new() -> Self {
        Self {
            directories: Vec::new(),
            admission: Admission::host(),
            mode: Mode::Loose,
            store: None,
            configs: HashMap::new(),
        }
    }

    /// Adds a directory at the end of the search path: a path, or a [`SearchDirectory`].
    pub fn directory(mut self, directory: impl Into<SearchDirectory>) -> Self {
        self.directories.push(directory.into());
        self
    }

    /// Adds directories at the end of the search path.
    pub fn directories(mut self, directories: impl IntoIterator<Item = SearchDirectory>) -> Self {
        self.directories.extend(directories);
        self
    }

    /// Sets what becomes of refused files and of node types that two plugins claim.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the oldest version of the boundary that is accepted. By default it is the first of this
    /// host's major version.
    pub fn minimum_api(mut self, minimum: ApiVersion) -> Self {
        self.admission.compatibility = self.admission.compatibility.minimum(minimum);
        self
    }

    /// Sets which files are trusted.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.admission.trust = trust;
        self
    }

    /// Sets the directory of the private copies. By default it is `floe/store` in the user's cache
    /// directory, or `$FLOE_STORE`.
    pub fn store(mut self, directory: impl Into<PathBuf>) -> Self {
        self.store = Some(directory.into());
        self
    }

    /// Sets the configuration that the plugin of this name is started with. By default it is empty.
    pub fn config(mut self, plugin: impl Into<String>, config: Value) -> Self {
        self.configs.insert(plugin.into(), config);
        self
    }

    /// Scans the search path. No plugin is loaded.
    ///
    /// # Errors
    ///
    /// In strict mode, when anything was refused. In loose mode, never.
    pub fn build(self) -> Result<Registry, BuildError> {
        Registry::new(self)
    }

    pub(crate) fn make_store(&self) -> Store {
        Store::new(self.store.clone().unwrap_or_else(default_store))
    }
}

/// Why a strict scan gave no registry.
#[derive(Clone, Debug, thiserror::Error)]
#[error("discovery is strict and {} refused: {}", count(rejections.len()), list(rejections))]
pub struct BuildError {
    /// All that was refused.
    pub rejections: Vec<Rejection>,
}

fn count(refused: usize) -> String {
    match refused {
        1 => "1 file was".to_owned(),
        _ => format!("{refused} files were"),
    }
}

fn list(rejections: &[Rejection]) -> String {
    const SHOWN: usize = 5;
    let mut text: Vec<String> = rejections
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    if rejections.len() > SHOWN {
        text.push(format!("and {} more", rejections.len() - SHOWN));
    }
    text.join("; ")
}
