//! A directory that is open, and what may be done below it: no path, link or name leads out of it.
//!
//! On Unix a directory is a descriptor, and everything is named from it, so that nothing that is
//! swapped in between changes where a name leads. Elsewhere it is a path, and what is opened is
//! checked before and after.

#[cfg(any(not(unix), test))]
pub(crate) mod canonical;
#[cfg(unix)]
pub(crate) mod unix;

use std::fmt;
use std::io;

#[cfg(not(unix))]
pub(crate) use self::canonical::Directory;
#[cfg(unix)]
pub(crate) use self::unix::Directory;

/// What a name stands for. A link is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Link,
    /// A device, a pipe or a socket.
    Other,
}

/// What is known of a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) kind: Kind,
    pub(crate) bytes: u64,
    /// When it was last changed, in milliseconds since 1970.
    pub(crate) modified_ms: i64,
}

/// Why a directory does not give what it was asked for.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The path leads out of the directory, through a link.
    Outside,
    /// The path has a link where none is followed.
    Link,
    /// It is something that is not read or written as a file.
    Not(Kind),
    Io(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Refused {
    /// Whether there is nothing of that name.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl Kind {
    /// Refuses what is no file.
    fn file(self) -> Result<(), Refused> {
        match self {
            Self::File => Ok(()),
            Self::Link => Err(Refused::Link),
            other => Err(Refused::Not(other)),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Link => "a symbolic link",
            Self::Other => "a device, a pipe or a socket",
        })
    }
}
