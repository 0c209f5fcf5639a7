//! A file whose manifest has been read.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use floe_plugin_api::Manifest;
use serde::{Deserialize, Serialize};

use super::open;
use super::platform::Platform;

/// A library file with a well-formed manifest. Nothing is decided about it yet.
///
/// Only the reading of a file makes one: there is no other way to get past this stage.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub(super) path: PathBuf,
    pub(super) target: Option<PathBuf>,
    pub(super) identity: FileIdentity,
    pub(super) ownership: Ownership,
    /// A directory above its own in whose place everybody may put another, and its mode.
    pub(super) exposed: Option<Arc<(PathBuf, u32)>>,
    pub(super) platform: Platform,
    pub(super) manifest: Arc<Manifest>,
    pub(super) note: Arc<[u8]>,
    pub(super) position: usize,
}

/// What tells a file from every other, and from itself after a change.
///
/// The two times are nanoseconds since 1970. On platforms without inodes, `inode` stands for the
/// file's full path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileIdentity {
    /// The device that the file is on.
    pub device: u64,
    /// The file's number on that device.
    pub inode: u64,
    /// Its size in bytes.
    pub size: u64,
    /// When its content was last changed, as far as its owner says.
    pub mtime_ns: i64,
    /// When its content or its attributes were last changed, as the system says.
    pub ctime_ns: i64,
}

impl FileIdentity {
    /// Whether it is that of the same file, whatever was done to that meanwhile.
    pub(crate) fn is_file_of(self, other: Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// The identity of an open file, so that it can be compared with an earlier one.
    pub(crate) fn of(file: &File, path: &Path) -> io::Result<Self> {
        Ok(open::identity(path, &file.metadata()?))
    }

    /// The identity of what is at a path, which is not opened; of a link, its own.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Ok(open::identity(path, &std::fs::symlink_metadata(path)?))
    }
}

/// Whom a file and its directory belong to, and who may write to them.
///
/// Modes are as `stat` gives them, with the file's kind in the upper bits. On platforms without
/// owners, each belongs to user 0, who alone may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Ownership {
    /// The number of the user that the file belongs to.
    pub file_uid: u32,
    /// The file's mode.
    pub file_mode: u32,
    /// The number of the user that the directory belongs to.
    pub directory_uid: u32,
    /// The directory's mode.
    pub directory_mode: u32,
    /// The number of the user that the search directory belongs to: whoever may install there. Of a
    /// file that was not found in one, that of its own directory.
    pub root_uid: u32,
}

impl Candidate {
    /// The path as it was found, below the search directory as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path to open: where [`path`](Self::path) is a link, the file that it leads to.
    #[must_use]
    pub fn file_path(&self) -> &Path {
        self.target.as_deref().unwrap_or(&self.path)
    }

    /// What tells the file from every other, as it was when its manifest was read.
    #[must_use]
    pub fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// Whom the file and its directory belong to.
    #[must_use]
    pub fn ownership(&self) -> Ownership {
        self.ownership
    }

    /// The nearest directory above the file's own that everybody may write to, though it is not sticky,
    /// and its mode: everybody may put another directory in the place of the one below it.
    #[must_use]
    pub fn exposed(&self) -> Option<(&Path, u32)> {
        self.exposed
            .as_deref()
            .map(|(path, mode)| (path.as_path(), *mode))
    }

    /// What the library was built for, which need not be this host.
    #[must_use]
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// What the plugin says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// The manifest as it stands in the file: JSON text.
    #[must_use]
    pub fn note(&self) -> &Arc<[u8]> {
        &self.note
    }

    /// The place of its search directory in the search path, from 0.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }
}
