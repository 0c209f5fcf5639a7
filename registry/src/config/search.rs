//! Where plugins are looked for, and where their private copies are kept.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::Settings;
use crate::discover::SearchDirectory;

/// The variable that holds directories of the search path, separated as in `PATH`.
pub const PATH_VARIABLE: &str = "FLOE_PLUGIN_PATH";

/// The variable that names the directory of the private copies.
pub const STORE_VARIABLE: &str = "FLOE_STORE";

/// The variable that names the directory of what is remembered of contents.
pub const STATE_VARIABLE: &str = "FLOE_STATE";

/// The standard search path: the directories given, those of `FLOE_PLUGIN_PATH`, those of the
/// settings, `plugins` beside the program, `lib/floe/plugins` under its prefix, and `floe/plugins` in
/// the user's data directory. Only the last three may be missing.
///
/// Where the process has rights that its caller has not (see [`is_privileged`]), nothing that the caller
/// could set counts: neither `FLOE_PLUGIN_PATH` nor the user's data directory.
#[must_use]
pub fn search_path(given: &[SearchDirectory], settings: Option<&Settings>) -> Vec<SearchDirectory> {
    let mut path = given.to_vec();
    if let Some(variable) = variable(PATH_VARIABLE) {
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
    if let Some(user) = user_directories() {
        path.push(SearchDirectory::new(user.data_dir().join("plugins")).optional());
    }
    path
}

/// The directory of the private copies where none is set: `$FLOE_STORE`, or `floe/store` in the user's
/// cache directory, or, for a user without one, a directory of their own among the temporary ones.
pub(crate) fn default_store() -> PathBuf {
    if let Some(store) = variable(STORE_VARIABLE) {
        return store.into();
    }
    match user_directories() {
        Some(user) => user.cache_dir().join("store"),
        None => own_temporary("store"),
    }
}

/// The directory of what is remembered of contents where none is set: `$FLOE_STATE`, or `state` in the
/// store that the program set, or `floe` in the user's state directory.
pub(crate) fn default_state(store: Option<&Path>) -> PathBuf {
    if let Some(state) = variable(STATE_VARIABLE) {
        return state.into();
    }
    if let Some(store) = store {
        return store.join("state");
    }
    match user_directories() {
        Some(user) => match user.state_dir() {
            Some(state) => state.to_owned(),
            None => user.data_local_dir().join("state"),
        },
        None => own_temporary("state"),
    }
}

/// A directory of the user's own among the temporary ones; it is not used unless it is private.
fn own_temporary(what: &str) -> PathBuf {
    let temporary = if is_privileged() {
        PathBuf::from("/tmp")
    } else {
        env::temp_dir()
    };
    temporary.join(format!("floe-{what}-{}", crate::admit::user()))
}

/// The user's directories, which the environment tells.
fn user_directories() -> Option<directories::ProjectDirs> {
    if is_privileged() {
        return None;
    }
    directories::ProjectDirs::from("", "", "floe")
}

/// A variable of the environment that is set to something, if its word counts.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    if is_privileged() {
        return None;
    }
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether this process has rights that whoever started it has not: a set-user-ID or set-group-ID
/// program, or one with file capabilities. What the environment says then counts for nothing.
#[must_use]
pub fn is_privileged() -> bool {
    static PRIVILEGED: LazyLock<bool> = LazyLock::new(system_says_privileged);
    *PRIVILEGED
}

#[cfg(unix)]
fn system_says_privileged() -> bool {
    use rustix::process::{getegid, geteuid, getgid, getuid};

    getuid() != geteuid() || getgid() != getegid() || kernel_says_privileged()
}

/// What the kernel tells the system's loader, which ignores `LD_LIBRARY_PATH` then; file capabilities
/// are not to be seen from the numbers of users.
#[cfg(target_os = "linux")]
fn kernel_says_privileged() -> bool {
    /// `AT_SECURE` of `getauxval(3)`.
    const AT_SECURE: usize = 23;
    const WORD: usize = size_of::<usize>();

    // What cannot be read is taken for a yes: whoever started the process could see to that, by leaving
    // it no descriptor, say.
    let vector = std::fs::read("/proc/self/auxv").unwrap_or_default();
    let word = |bytes: Option<&[u8]>| Some(usize::from_ne_bytes(bytes?.try_into().ok()?));
    let said = vector
        .chunks_exact(2 * WORD)
        .find(|entry| word(entry.get(..WORD)) == Some(AT_SECURE))
        .and_then(|entry| word(entry.get(WORD..)));
    said != Some(0)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn kernel_says_privileged() -> bool {
    false
}

#[cfg(not(unix))]
fn system_says_privileged() -> bool {
    false
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
