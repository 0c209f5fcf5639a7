//! What `floe.toml` says.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::admit::Trust;
use crate::discover::SearchDirectory;
use crate::lifecycle::Mode;

/// The name of the settings file.
pub const SETTINGS_FILE: &str = "floe.toml";

/// What a `floe.toml` says.
///
/// ```toml
/// [search]
/// paths = ["plugins", { path = "target/release", depth = 1 }]
/// strict = false
///
/// [store]
/// path = ".floe/store"
///
/// [trust]
/// policy = "owner"    # or "any"
/// ```
///
/// Paths are taken from the file's own directory.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Settings {
    /// The file.
    pub file: PathBuf,
    /// Its directories of the search path.
    pub directories: Vec<SearchDirectory>,
    /// What becomes of refused files.
    pub mode: Mode,
    /// The directory of the private copies.
    pub store: Option<PathBuf>,
    /// Which files are trusted.
    pub trust: Trust,
}

/// Why a `floe.toml` could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not TOML, or not of the right shape.
    #[error("`{}` is not a floe settings file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where, and what is wrong.
        reason: String,
    },
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Document {
    search: Search,
    store: StoreTable,
    trust: TrustTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Search {
    paths: Vec<SearchEntry>,
    strict: bool,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a path, or a table of `path` and `depth`")]
enum SearchEntry {
    Path(PathBuf),
    Table(SearchTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchTable {
    path: PathBuf,
    depth: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StoreTable {
    path: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TrustTable {
    policy: Policy,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Policy {
    #[default]
    Owner,
    Any,
}

impl Settings {
    /// Reads the nearest `floe.toml` from a directory upward; `None` where there is none.
    ///
    /// # Errors
    ///
    /// There is one that cannot be read or is not of the right shape.
    pub fn find(from: &Path) -> Result<Option<Self>, SettingsError> {
        for directory in from.ancestors() {
            let path = directory.join(SETTINGS_FILE);
            if path.is_file() {
                return Self::read(&path).map(Some);
            }
        }
        Ok(None)
    }

    /// Reads a settings file.
    ///
    /// # Errors
    ///
    /// It cannot be read or is not of the right shape.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = fs::read_to_string(path).map_err(|source| SettingsError::Read {
            path: path.to_owned(),
            source,
        })?;
        let document: Document =
            toml::from_str(&text).map_err(|error| SettingsError::Malformed {
                path: path.to_owned(),
                reason: error.to_string().trim_end().to_owned(),
            })?;
        let base = path.parent().unwrap_or(Path::new(""));
        let directories = document.search.paths.into_iter().map(|entry| match entry {
            SearchEntry::Path(path) => SearchDirectory::new(base.join(path)),
            SearchEntry::Table(SearchTable { path, depth }) => {
                let directory = SearchDirectory::new(base.join(path));
                match depth {
                    Some(depth) => directory.depth(depth),
                    None => directory,
                }
            }
        });
        Ok(Self {
            directories: directories.collect(),
            mode: if document.search.strict {
                Mode::Strict
            } else {
                Mode::Loose
            },
            store: document.store.path.map(|path| base.join(path)),
            trust: match document.trust.policy {
                Policy::Owner => Trust::Owner,
                Policy::Any => Trust::Any,
            },
            file: path.to_owned(),
        })
    }
}
