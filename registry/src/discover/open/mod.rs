//! Opens files without waiting on them, following them or changing them.

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

use std::fs::{File, FileType, Metadata};
use std::io;
use std::path::Path;

#[cfg(not(unix))]
use other as system;
#[cfg(unix)]
use unix as system;

use super::bytes::Source;
use super::candidate::FileIdentity;

/// Whom a file or directory belongs to, and who may write to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) mode: u32,
}

/// Opens a file for reading. A FIFO is not waited for, and a link is not followed.
pub(super) fn open(path: &Path) -> io::Result<File> {
    system::open(path)
}

/// What tells a file from every other, and a file from itself after a change.
pub(super) fn identity(path: &Path, metadata: &Metadata) -> FileIdentity {
    system::identity(path, metadata)
}

/// Whom a file or directory belongs to.
pub(super) fn owner(metadata: &Metadata) -> Owner {
    system::owner(metadata)
}

/// The number of the user of this process.
pub(super) fn user() -> u32 {
    system::user()
}

/// Whether a path could not be resolved because its links lead in a circle.
pub(super) fn is_loop(error: &io::Error) -> bool {
    system::is_loop(error)
}

/// What a file is, with its article.
pub(super) fn kind(kind: FileType) -> &'static str {
    if kind.is_file() {
        "a file"
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_symlink() {
        "a link"
    } else {
        system::special(kind)
    }
}

/// Who runs this program, for messages.
pub(super) fn reader() -> String {
    system::reader()
}

impl Source for File {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        // One turn, but for a signal or a network file system that hands out less.
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(filled as u64);
            match system::read_at(self, rest, at) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}
