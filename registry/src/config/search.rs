//! Where plugins are looked for, and where their private copies are kept.

use std::env;
use std::path::{Path, PathBuf};

use super::Settings;
use crate::discover::SearchDirectory;

/// The variable that holds directories of the search path, separated as in `PATH`.
pub const PATH_VARIABLE: &str = "FLOE_PLUGIN_PATH";

/// The variable that names the directory of the private copies.
pub const STORE_VARIABLE: &str = "FLOE_STORE";

/// The standard search path: the directories given, those of `FLOE_PLUGIN_PATH`, those of the
/// settings, `plugins` beside the program, `lib/floe/plugins` under its prefix, and `floe/plugins` in
/// the user's data directory. Only the last three may be missing.
#[must_use]
pub fn search_path(given: &[SearchDirectory], settings: Option<&Settings>) -> Vec<SearchDirectory> {
    let mut path = given.to_vec();
    if let Some(variable) = env::var_os(PATH_VARIABLE) {
        let named =
            env::split_paths(&variable).filter(|directory| !directory.as_os_str().is_empty());
        path.extend(named.map(SearchDirectory::new));
    }
    if let Some(settings) = settings {
        path.extend(settings.directories.iter().cloned());
    }
    let program = env::current_exe().ok();
    if let Some(beside) = program.as_deref().and_then(Path::parent) {
        path.push(SearchDirectory::new(beside.join("plugins")).optional());
        if let Some(prefix) = beside.parent() {
            path.push(SearchDirectory::new(prefix.join("lib/floe/plugins")).optional());
        }
    }
    if let Some(user) = directories::ProjectDirs::from("", "", "floe") {
        path.push(SearchDirectory::new(user.data_dir().join("plugins")).optional());
    }
    path
}

/// The directory of the private copies where none is set: `$FLOE_STORE`, or `floe/store` in the user's
/// cache directory, or, for a user without one, a directory of their own among the temporary ones.
pub(crate) fn default_store() -> PathBuf {
    if let Some(store) = env::var_os(STORE_VARIABLE).filter(|store| !store.is_empty()) {
        return store.into();
    }
    match directories::ProjectDirs::from("", "", "floe") {
        Some(user) => user.cache_dir().join("store"),
        None => env::temp_dir().join(format!("floe-store-{}", crate::admit::user())),
    }
}

macro_rules! from_path {
    ($($path:ty),*) => {
        $(impl From<$path> for SearchDirectory {
            fn from(path: $path) -> Self {
                Self::new(path)
            }
        })*
    };
}

from_path!(&Path, PathBuf, &PathBuf, &str, String);
