//! Files that are written whole or not at all.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::report::text;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    /// Those whom the user's umask allows.
    Usual,
    /// The user alone.
    Owner,
}

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Present {
    /// It stays, and nothing is written.
    Stays,
    /// The new one takes its place at once: nobody sees half of it.
    Replaced,
}

/// A file that is written and has not got its name yet. Without that, it is removed.
pub(super) struct Written {
    temporary: NamedTempFile,
    path: PathBuf,
}

/// Writes a file.
pub(super) fn write(
    path: &Path,
    content: &[u8],
    readers: Readers,
    present: Present,
) -> Result<(), Failure> {
    prepare(path, content, readers)?.name(present)
}

/// Writes a file that is to get its name later.
pub(super) fn prepare(path: &Path, content: &[u8], readers: Readers) -> Result<Written, Failure> {
    let written = create(directory_of(path), content, readers);
    let temporary = written.map_err(|error| unwritten(path, &error))?;
    Ok(Written {
        temporary,
        path: path.to_owned(),
    })
}

impl Written {
    /// Gives the file its name, at once: nobody sees half of it.
    pub(super) fn name(self, present: Present) -> Result<(), Failure> {
        let Self { temporary, path } = self;
        let named = match present {
            Present::Stays => temporary.persist_noclobber(&path),
            Present::Replaced => temporary.persist(&path),
        };
        named.map_err(|error| unwritten(&path, &error.error))?;
        // The name survives a loss of power too, where directories can be synced.
        let _ = File::open(directory_of(&path)).and_then(|directory| directory.sync_all());
        Ok(())
    }
}

/// A new file in a directory, whose name nobody can guess.
fn create(directory: &Path, content: &[u8], readers: Readers) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".floe-");
    #[cfg(unix)]
    {
        let mode = match readers {
            Readers::Usual => 0o666,
            Readers::Owner => 0o600,
        };
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = readers;
    let mut temporary = builder.tempfile_in(directory)?;
    temporary.write_all(content)?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::failed(format!("cannot write `{}`", text::path(path))).caused_by(error);
    failure.hint("make its directory writable for this user, with room for it")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_is_there_stays_or_is_replaced_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        write(&path, b"old", Readers::Usual, Present::Stays).unwrap();
        let failure = write(&path, b"new", Readers::Usual, Present::Stays).unwrap_err();
        assert!(failure.message.contains("cannot write"), "{failure:?}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        write(&path, b"new", Readers::Owner, Present::Replaced).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &fs::metadata(&path).unwrap().permissions(),
            );
            assert_eq!(mode & 0o777, 0o600);
        }
        // A directory is in the way: what was written for it is gone again.
        let occupied = directory.path().join("occupied");
        fs::create_dir(&occupied).unwrap();
        write(&occupied, b"new", Readers::Usual, Present::Replaced).unwrap_err();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
