//! A directory by its path, where there are no descriptors of directories.
//!
//! A path is resolved, compared with the directory's own, and opened. Whoever can put a link in its
//! place between these steps can lead it out: it is weaker than descriptors are.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{Kind, Refused, Seen};

/// A directory that is known by its real path.
#[derive(Debug)]
pub(crate) struct Directory {
    /// That nothing may lead out of.
    root: PathBuf,
    path: PathBuf,
}

impl Directory {
    /// Opens a directory by a path that is trusted.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        if !path.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            root: path.clone(),
            path,
        })
    }

    /// Opens a directory below this one; of an empty path, itself.
    pub(crate) fn directory(&self, relative: &Path) -> Result<Self, Refused> {
        let path = self.resolve(relative)?;
        if !path.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory).into());
        }
        Ok(Self {
            root: self.root.clone(),
            path,
        })
    }

    /// Opens a directory in this one, where the name is not a link.
    pub(crate) fn child(&self, name: &OsStr) -> Result<Self, Refused> {
        match self.look(name)? {
            Some(seen) if seen.kind == Kind::Link => Err(Refused::Link),
            _ => self.directory(Path::new(name)),
        }
    }

    /// Opens a file below this one to read it.
    pub(crate) fn read(&self, relative: &Path) -> Result<File, Refused> {
        let path = self.resolve(relative)?;
        kind(&fs::metadata(&path)?).file()?;
        let file = File::open(path)?;
        kind(&file.metadata()?).file()?;
        // Once more: what was opened is where it was.
        self.resolve(relative)?;
        Ok(file)
    }

    /// Opens a file in this directory to write at its end; makes it where it is not there.
    pub(crate) fn append(&self, name: &OsStr) -> Result<File, Refused> {
        if let Some(seen) = self.look(name)? {
            seen.kind.file()?;
        }
        let path = self.path.join(name);
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        kind(&file.metadata()?).file()?;
        Ok(file)
    }

    /// Makes a file in this directory that was not there.
    pub(crate) fn create(&self, name: &OsStr) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .open(self.path.join(name))
    }

    /// What a name in this directory stands for, if it does for anything.
    pub(crate) fn look(&self, name: &OsStr) -> io::Result<Option<Seen>> {
        match fs::symlink_metadata(self.path.join(name)) {
            Ok(metadata) => Ok(Some(seen(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names in this directory, but those of itself and of the one above.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        fs::read_dir(&self.path)?
            .map(|entry| Ok(entry?.file_name()))
            .collect()
    }

    /// Gives a file what the one of a name allows.
    pub(crate) fn allow_as(&self, name: &OsStr, file: &File) -> io::Result<()> {
        file.set_permissions(fs::metadata(self.path.join(name))?.permissions())
    }

    /// Gives a file of this directory another name, in the place of what had it.
    pub(crate) fn replace(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    /// Gives a file of this directory another name, which nothing has.
    pub(crate) fn name_anew(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        fs::hard_link(self.path.join(from), self.path.join(to))?;
        self.remove(from)
    }

    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    /// Nothing: such systems write down names by themselves.
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the signature that both kinds of directories have"
    )]
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// Whether it was removed since it was opened.
    pub(crate) fn is_gone(&self) -> bool {
        !self.path.is_dir()
    }

    fn resolve(&self, relative: &Path) -> Result<PathBuf, Refused> {
        let path = self.path.join(relative).canonicalize()?;
        if path.starts_with(&self.root) {
            Ok(path)
        } else {
            Err(Refused::Outside)
        }
    }
}

fn kind(metadata: &Metadata) -> Kind {
    let file_type = metadata.file_type();
    if file_type.is_file() {
        Kind::File
    } else if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_symlink() {
        Kind::Link
    } else {
        Kind::Other
    }
}

fn seen(metadata: &Metadata) -> Seen {
    let since = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Seen {
        kind: kind(metadata),
        bytes: metadata.len(),
        modified_ms: since.map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        }),
    }
}
