//! A directory by its descriptor.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::{Kind, Refused, Seen};

/// What a new file allows before the process's mask, as of any program.
const NEW_FILE: Mode = Mode::from_raw_mode(0o666);

/// What keeps an open from waiting for another process or taking over a terminal.
const AT_ONCE: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

/// A directory that is open.
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

impl Directory {
    /// Opens a directory by a path that is trusted.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Opens a directory below this one; of an empty path, itself.
    pub(crate) fn directory(&self, relative: &Path) -> Result<Self, Refused> {
        beneath(&self.0, relative, OFlags::RDONLY | OFlags::DIRECTORY).map(Self)
    }

    /// Opens a directory in this one, where the name is not a link.
    pub(crate) fn child(&self, name: &OsStr) -> Result<Self, Refused> {
        step(&self.0, name, OFlags::RDONLY | OFlags::DIRECTORY).map(Self)
    }

    /// Opens a file below this one to read it.
    pub(crate) fn read(&self, relative: &Path) -> Result<File, Refused> {
        // Before it is opened in earnest: the mere open of a device may do something.
        #[cfg(target_os = "linux")]
        kind_of(beneath(&self.0, relative, OFlags::PATH)?)?.file()?;
        opened(beneath(&self.0, relative, OFlags::RDONLY | AT_ONCE))
    }

    /// Opens a file in this directory to write at its end; makes it where it is not there.
    pub(crate) fn append(&self, name: &OsStr) -> Result<File, Refused> {
        if let Some(seen) = self.look(name)? {
            seen.kind.file()?;
        }
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | AT_ONCE;
        opened(step(&self.0, name, flags))
    }

    /// Makes a file in this directory that was not there.
    pub(crate) fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::WRONLY
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::NOFOLLOW
            | OFlags::CLOEXEC
            | AT_ONCE;
        Ok(rustix::fs::openat(&self.0, name, flags, NEW_FILE)?.into())
    }

    /// What a name in this directory stands for, if it does for anything.
    pub(crate) fn look(&self, name: &OsStr) -> io::Result<Option<Seen>> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(seen(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The names in this directory, but those of itself and of the one above.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        Ok(names)
    }

    /// Gives a file what the one of a name allows, but not to run as who owns it.
    pub(crate) fn allow_as(&self, name: &OsStr, file: &File) -> io::Result<()> {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let everybody = Mode::RWXU | Mode::RWXG | Mode::RWXO;
        let mode = Mode::from_raw_mode(stat.st_mode) & everybody;
        Ok(rustix::fs::fchmod(file, mode)?)
    }

    /// Gives a file of this directory another name, in the place of what had it.
    pub(crate) fn replace(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }

    /// Gives a file of this directory another name, which nothing has.
    pub(crate) fn name_anew(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        rustix::fs::linkat(&self.0, from, &self.0, to, AtFlags::empty())?;
        self.remove(from)
    }

    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Waits until what was named here would be found after a loss of power.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    /// Whether it was removed since it was opened.
    pub(crate) fn is_gone(&self) -> bool {
        rustix::fs::fstat(&self.0).is_ok_and(|stat| stat.st_nlink == 0)
    }
}

/// The file that was opened, if it is one.
fn opened(opened: Result<OwnedFd, Refused>) -> Result<File, Refused> {
    let file = match opened {
        // A pipe that nobody reads, or a socket.
        Err(Refused::Io(error)) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
            return Err(Refused::Not(Kind::Other));
        }
        opened => opened?,
    };
    kind_of(&file)?.file()?;
    Ok(file.into())
}

fn kind_of(file: impl AsFd) -> Result<Kind, Refused> {
    Ok(seen(&rustix::fs::fstat(file).map_err(io::Error::from)?).kind)
}

fn seen(stat: &Stat) -> Seen {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    };
    let seconds = stat.st_mtime;
    let nanoseconds = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
    Seen {
        kind,
        bytes: u64::try_from(stat.st_size).unwrap_or(0),
        modified_ms: seconds
            .saturating_mul(1000)
            .saturating_add(nanoseconds / 1_000_000),
    }
}

/// Opens what a path leads to below a directory.
fn beneath(directory: &OwnedFd, relative: &Path, flags: OFlags) -> Result<OwnedFd, Refused> {
    #[cfg(target_os = "linux")]
    if let Some(opened) = in_one_call(directory.as_fd(), relative, flags) {
        return opened;
    }
    walk(directory.as_fd(), relative, flags)
}

/// Opens it as the kernel guards it: links are followed, but never out. `None` where the kernel, or a
/// filter before it, has no such call.
#[cfg(target_os = "linux")]
fn in_one_call(
    directory: BorrowedFd<'_>,
    relative: &Path,
    flags: OFlags,
) -> Option<Result<OwnedFd, Refused>> {
    use rustix::fs::ResolveFlags;

    /// A rename anywhere while the path has a `..` in a link makes the kernel give up.
    const ATTEMPTS: usize = 128;

    let path = if relative.as_os_str().is_empty() {
        Path::new(".")
    } else {
        relative
    };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..ATTEMPTS {
        let opened = rustix::fs::openat2(
            directory,
            path,
            flags | OFlags::CLOEXEC,
            Mode::empty(),
            resolve,
        );
        return Some(match opened {
            Ok(file) => Ok(file),
            Err(Errno::AGAIN) => continue,
            Err(Errno::NOSYS | Errno::PERM) => return None,
            Err(Errno::XDEV) => Err(Refused::Outside),
            Err(Errno::LOOP) => Err(Refused::Link),
            Err(error) => Err(io::Error::from(error).into()),
        });
    }
    Some(Err(io::Error::from(Errno::AGAIN).into()))
}

/// Opens it name by name, and follows no link at all.
pub(crate) fn walk(
    directory: BorrowedFd<'_>,
    relative: &Path,
    flags: OFlags,
) -> Result<OwnedFd, Refused> {
    let mut names = Vec::new();
    for component in relative.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(Refused::Outside);
            }
        }
    }
    let Some((last, before)) = names.split_last() else {
        return step(directory, OsStr::new("."), flags);
    };
    let mut inner: Option<OwnedFd> = None;
    for name in before {
        let from = inner.as_ref().map_or(directory, AsFd::as_fd);
        inner = Some(step(from, name, OFlags::RDONLY | OFlags::DIRECTORY)?);
    }
    step(inner.as_ref().map_or(directory, AsFd::as_fd), last, flags)
}

/// Opens a name in a directory that is not a link.
fn step(directory: impl AsFd, name: &OsStr, flags: OFlags) -> Result<OwnedFd, Refused> {
    let directory = directory.as_fd();
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let error = match rustix::fs::openat(directory, name, flags, NEW_FILE) {
        Ok(file) => return Ok(file),
        Err(error) => error,
    };
    // Systems do not agree on what they say of a link.
    let link = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
    if link {
        return Err(Refused::Link);
    }
    Err(io::Error::from(error).into())
}
