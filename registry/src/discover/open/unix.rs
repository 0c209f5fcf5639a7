//! Unix: device and inode tell files apart, and every file has an owner and a mode.

use std::fs::{File, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::Owner;
use crate::discover::FileIdentity;

pub(super) fn open(path: &Path) -> io::Result<File> {
    // The kind of the file was looked at before. Should it be another by now, NONBLOCK keeps a
    // FIFO from waiting for its writer, and NOFOLLOW a link from leading elsewhere.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?;
    Ok(file.into())
}

pub(super) fn identity(_path: &Path, metadata: &Metadata) -> FileIdentity {
    // Whoever owns a file may set its mtime to any number of seconds.
    let nanoseconds =
        |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    FileIdentity {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    }
}

pub(super) fn owner(metadata: &Metadata) -> Owner {
    Owner {
        uid: metadata.uid(),
        mode: metadata.mode(),
    }
}

/// The number of the user of this process.
pub(super) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

pub(super) fn is_loop(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::LOOP)
}

pub(super) fn special(kind: FileType) -> &'static str {
    if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_block_device() {
        "a block device"
    } else if kind.is_char_device() {
        "a character device"
    } else {
        "a file of an unknown kind"
    }
}

pub(super) fn reader() -> String {
    format!(
        "the user with the number {}",
        rustix::process::geteuid().as_raw()
    )
}

pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}
