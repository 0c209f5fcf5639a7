//! Platforms without inodes, owners and modes: the full path tells files apart.

use std::fs::{File, FileType, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Owner;
use crate::discover::FileIdentity;

pub(super) fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

pub(super) fn identity(path: &Path, metadata: &Metadata) -> FileIdentity {
    let mut hasher = DefaultHasher::new();
    std::fs::canonicalize(path)
        .unwrap_or_else(|_| path.to_owned())
        .hash(&mut hasher);
    let nanoseconds = |time: io::Result<SystemTime>| {
        let since = time.ok()?.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_nanos()).ok()
    };
    FileIdentity {
        device: 0,
        inode: hasher.finish(),
        size: metadata.len(),
        mtime_ns: nanoseconds(metadata.modified()).unwrap_or_default(),
        ctime_ns: nanoseconds(metadata.created()).unwrap_or_default(),
    }
}

pub(super) fn owner(metadata: &Metadata) -> Owner {
    // The read-only flag is all that is known here.
    let mode = if metadata.permissions().readonly() {
        0o500
    } else {
        0o700
    };
    Owner { uid: 0, mode }
}

pub(super) fn user() -> u32 {
    0
}

pub(super) fn is_loop(_error: &io::Error) -> bool {
    false
}

pub(super) fn special(_kind: FileType) -> &'static str {
    "a file that is not a regular one"
}

pub(super) fn reader() -> String {
    "this user".to_owned()
}

pub(super) fn read_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    file.read(buffer)
}
