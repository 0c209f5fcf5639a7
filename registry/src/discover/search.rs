//! Where to look for plugins.

use std::path::{Path, PathBuf};

/// A directory in which plugins are looked for, with the directories below it.
///
/// Only files whose name ends as a library's does on this platform (`.so` on Linux) are looked
/// at, and no directory whose name begins with a dot is entered.
///
/// ```
/// use floe_registry::SearchDirectory;
///
/// let shipped = SearchDirectory::new("/usr/lib/floe/plugins");
/// let own = SearchDirectory::new("/home/ada/.floe/plugins").optional().depth(1);
/// assert_eq!(own.max_depth(), 1);
/// # let _ = shipped;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchDirectory {
    path: PathBuf,
    depth: usize,
    presence: Presence,
}

/// Whether a search directory must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// That it is missing, or no directory, is reported.
    Required,
    /// That it is missing, or no directory, is as good as its being empty.
    Optional,
}

impl SearchDirectory {
    /// How many levels of directories are looked through unless [`depth`](Self::depth) says
    /// otherwise: enough for `vendor/plugin/version/libplugin.so`.
    pub const DEFAULT_DEPTH: usize = 4;

    /// A directory that must be there, looked through to [`DEFAULT_DEPTH`](Self::DEFAULT_DEPTH).
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            depth: Self::DEFAULT_DEPTH,
            presence: Presence::Required,
        }
    }

    /// Makes it no error for the directory to be missing.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.presence = Presence::Optional;
        self
    }

    /// Sets how many levels are looked through: 1 is the directory's own files alone, 0 nothing.
    #[must_use]
    pub fn depth(mut self, levels: usize) -> Self {
        self.depth = levels;
        self
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many levels are looked through.
    #[must_use]
    pub fn max_depth(&self) -> usize {
        self.depth
    }

    /// Whether it must be there.
    #[must_use]
    pub fn presence(&self) -> Presence {
        self.presence
    }
}
