//! Files that are written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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

/// Writes a file.
pub(super) fn write(
    path: &Path,
    content: &[u8],
    readers: Readers,
    present: Present,
) -> Result<(), Failure> {
    let written = match present {
        Present::Stays => create(path, content, readers),
        Present::Replaced => replace(path, content, readers),
    };
    written.map_err(|error| {
        let shown = text::path(path);
        Failure::failed(format!("cannot write `{shown}`"))
            .caused_by(&error)
            .hint("make its directory writable for this user, with room for it")
    })
}

/// Writes a new file; one that cannot be written to its end is removed.
fn create(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = readers;
    let mut file = options.open(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

fn replace(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    let temporary = temporary(path);
    create(&temporary, content, readers)?;
    let renamed = fs::rename(&temporary, path);
    if renamed.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    renamed?;
    // The name survives a loss of power too, where directories can be synced.
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}

/// A name in the same directory, as a file can be renamed only within its file system.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".tmp-{}", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
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
