//! Opens a file and reads its manifest: the only way to make a [`Candidate`].

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use floe_plugin_api::Manifest;

use super::bytes::{Buffers, Source};
use super::candidate::{Candidate, FileIdentity, Ownership};
use super::defect::Defect;
use super::note::{check_loadable as check_bytes, read_note};
use super::open::{self, Owner};
use super::refusal::{broken_link, not_regular, unopened};
use crate::error::{Rejection, Stage};

/// Reads one file, wherever it is; an ordinary library gives nothing.
pub(crate) fn read_file(path: &Path) -> Result<Option<Candidate>, Rejection> {
    let looked = fs::symlink_metadata(path).map_err(|error| unopened(path, &error))?;
    let target = if looked.file_type().is_symlink() {
        Some(fs::canonicalize(path).map_err(|error| broken_link(path, &error))?)
    } else {
        None
    };
    let mut reading = Reading::default();
    let opened = Opened::new(path, target, 0)?;
    opened.read(&mut reading)
}

/// Reads the manifest's text from an open file; `path` names it in a refusal.
pub(crate) fn read_note_of(file: &File, path: &Path) -> Result<Option<Arc<[u8]>>, Rejection> {
    let metadata = file.metadata().map_err(|error| unopened(path, &error))?;
    check_regular(path, &metadata)?;
    let mut buffers = Buffers::default();
    let found = read_note(file, metadata.len(), &mut buffers);
    let note = found.map_err(|defect| defect.reject(path))?.note;
    Ok(note.map(Arc::from))
}

/// Refuses a file that would end the process if the system's loader were given it.
pub(crate) fn check_loadable(file: &File, path: &Path) -> Result<(), Rejection> {
    let metadata = file.metadata().map_err(|error| unopened(path, &error))?;
    check_bytes(file, metadata.len()).map_err(|defect| Rejection {
        stage: Stage::Load,
        ..defect.reject(path)
    })
}

/// Opens a regular file, so that its content can be copied or hashed. A link is not followed.
pub(crate) fn open_library(path: &Path) -> io::Result<File> {
    is_regular(&fs::symlink_metadata(path)?)?;
    let file = open::open(path)?;
    is_regular(&file.metadata()?)?;
    Ok(file)
}

fn is_regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let found = open::kind(metadata.file_type());
    let reason = format!("it is {found}, not a regular file");
    Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
}

/// Reads a regular file that is small; nothing where it is longer than that. A link is not followed.
///
/// It is opened without a look before: nobody waits for the reader of a FIFO beside a plugin, and a
/// look costs as much as the rest.
pub(crate) fn read_small(path: &Path, longest: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match open::open(path) {
        // What a link is called by the system is not what people call it.
        Err(error) if open::is_loop(&error) => {
            is_regular(&fs::symlink_metadata(path)?)?;
            return Err(error);
        }
        opened => opened?,
    };
    let metadata = file.metadata()?;
    is_regular(&metadata)?;
    let Some(length) = usize::try_from(metadata.len())
        .ok()
        .filter(|length| *length as u64 <= longest)
    else {
        return Ok(None);
    };
    let mut bytes = vec![0; length];
    let read = read_at(&file, 0, &mut bytes)?;
    // It may have been cut meanwhile.
    bytes.truncate(read);
    Ok(Some(bytes))
}

/// What a path leads to looks like, if that is a regular file and no link.
pub(crate) fn identity_of(path: &Path) -> io::Result<FileIdentity> {
    let metadata = fs::symlink_metadata(path)?;
    Ok(open::identity(path, &metadata))
}

/// Reads from an open file, wherever others are in it.
pub(crate) fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    Source::read_at(file, offset, buffer)
}

/// What is kept from one file to the next: memory, and the last directory's owner.
#[derive(Debug, Default)]
pub(super) struct Reading {
    buffers: Buffers,
    /// Whose the search directory is, where files are found in one.
    root: Option<u32>,
    directory: Option<(PathBuf, Directory)>,
    /// What was found of directories above those, by their true paths.
    above: HashMap<PathBuf, Option<Arc<(PathBuf, u32)>>>,
}

/// What matters of the directory that a file is in.
#[derive(Clone, Debug)]
struct Directory {
    owner: Owner,
    exposed: Option<Arc<(PathBuf, u32)>>,
}

impl Reading {
    /// Begins with another search directory.
    pub(super) fn enter(&mut self, root: &Path, metadata: &Metadata) {
        let owner = open::owner(metadata).uid;
        // Who laid a link to a directory of their own has not been asked to install anything.
        let named = fs::symlink_metadata(root).map(|link| open::owner(&link).uid);
        let user = open::user();
        self.root = Some(match named {
            Ok(named) if named == owner || named == 0 || named == user => owner,
            _ => user,
        });
    }

    /// Whom the directory of a file belongs to, and whether it can be replaced.
    fn directory_of(&mut self, file: &Path) -> Result<Directory, Rejection> {
        let directory = match file.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => file,
        };
        match &self.directory {
            Some((last, found)) if last.as_os_str() == directory.as_os_str() => Ok(found.clone()),
            _ => {
                let unopened = |error: io::Error| unopened(directory, &error);
                let metadata = fs::metadata(directory).map_err(unopened)?;
                let real = fs::canonicalize(directory).map_err(unopened)?;
                let exposed = real.parent().and_then(|above| self.exposed(above));
                let found = Directory {
                    owner: open::owner(&metadata),
                    exposed: exposed.or_else(|| exposed_link(directory, &real)),
                };
                self.directory = Some((directory.to_owned(), found.clone()));
                Ok(found)
            }
        }
    }

    /// The nearest directory, from this one upward, that everybody may write to and that is not sticky.
    fn exposed(&mut self, directory: &Path) -> Option<Arc<(PathBuf, u32)>> {
        if let Some(found) = self.above.get(directory) {
            return found.clone();
        }
        let found = match open_to_all(directory) {
            Some(mode) => Some(Arc::new((directory.to_owned(), mode))),
            None => directory.parent().and_then(|above| self.exposed(above)),
        };
        self.above.insert(directory.to_owned(), found.clone());
        found
    }
}

/// The mode of a directory that everybody may write to and that is not sticky.
fn open_to_all(directory: &Path) -> Option<u32> {
    const WRITABLE_BY_ALL: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    let mode = fs::metadata(directory).map_or(0, |metadata| open::owner(&metadata).mode);
    (mode & WRITABLE_BY_ALL != 0 && mode & STICKY == 0).then_some(mode)
}

/// The same of the directory that a file is in, for what is no library.
pub(crate) fn exposed_way(file: &Path, real: &Path) -> Option<(PathBuf, u32)> {
    exposed_link(file, real).map(|found| (*found).clone())
}

/// The first directory on a way as it is written, if links on it lead elsewhere, in which everybody may
/// replace the next part of the way: by a link to a directory of their own, say.
fn exposed_link(written: &Path, real: &Path) -> Option<Arc<(PathBuf, u32)>> {
    let written = std::path::absolute(written).ok()?;
    if written == real {
        return None;
    }
    let mut way = PathBuf::new();
    for part in written.components() {
        if let Component::Normal(_) = part
            && let Some(mode) = open_to_all(&way)
        {
            return Some(Arc::new((way, mode)));
        }
        way.push(part);
    }
    None
}

/// A regular file that has been opened, and not yet read.
#[derive(Debug)]
pub(super) struct Opened {
    file: File,
    path: PathBuf,
    target: Option<PathBuf>,
    identity: FileIdentity,
    owner: Owner,
    position: usize,
}

impl Opened {
    /// Opens a file; `target` is where `path` leads, if that is a link.
    pub(super) fn new(
        path: &Path,
        target: Option<PathBuf>,
        position: usize,
    ) -> Result<Self, Rejection> {
        let real = target.as_deref().unwrap_or(path);
        // Opening can act on what is no regular file: a FIFO's writer wakes, a tape rewinds.
        let looked = fs::symlink_metadata(real).map_err(|error| unopened(path, &error))?;
        check_regular(path, &looked)?;
        let file = open::open(real).map_err(|error| unopened(path, &error))?;
        Self::of(file, path, target, position)
    }

    /// Opens a file that the directory lists as a regular one.
    pub(super) fn listed(path: &Path, position: usize) -> Result<Self, Rejection> {
        let file = open::open(path).map_err(|error| unopened(path, &error))?;
        Self::of(file, path, None, position)
    }

    fn of(
        file: File,
        path: &Path,
        target: Option<PathBuf>,
        position: usize,
    ) -> Result<Self, Rejection> {
        let metadata = file.metadata().map_err(|error| unopened(path, &error))?;
        check_regular(path, &metadata)?;
        Ok(Self {
            identity: open::identity(target.as_deref().unwrap_or(path), &metadata),
            owner: open::owner(&metadata),
            path: path.to_owned(),
            file,
            target,
            position,
        })
    }

    pub(super) fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// Reads the manifest; an ordinary library gives nothing.
    pub(super) fn read(self, reading: &mut Reading) -> Result<Option<Candidate>, Rejection> {
        let found = read_note(&self.file, self.identity.size, &mut reading.buffers)
            .map_err(|defect| defect.reject(&self.path))?;
        let Some(note) = found.note else {
            return Ok(None);
        };
        let manifest = Manifest::from_json(note)
            .map_err(|error| Defect::Manifest(error).reject(&self.path))?;
        let (platform, note) = (found.platform, Arc::from(note));
        let real = self.target.as_deref().unwrap_or(&self.path);
        let directory = reading.directory_of(real)?;
        Ok(Some(Candidate {
            identity: self.identity,
            ownership: Ownership {
                file_uid: self.owner.uid,
                file_mode: self.owner.mode,
                directory_uid: directory.owner.uid,
                directory_mode: directory.owner.mode,
                root_uid: reading.root.unwrap_or(directory.owner.uid),
            },
            exposed: directory.exposed,
            platform,
            manifest: Arc::new(manifest),
            note,
            position: self.position,
            path: self.path,
            target: self.target,
        }))
    }
}

fn check_regular(path: &Path, metadata: &Metadata) -> Result<(), Rejection> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(not_regular(path, open::kind(metadata.file_type())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::candidate::FileIdentity;
    use super::super::elf_builder::{Elf, MANIFEST};
    use super::*;

    /// A directory with one file.
    fn with_file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        (directory, path)
    }

    #[test]
    fn a_plugin_is_read_wherever_it_is_and_whatever_its_name() {
        let (_directory, path) = with_file("built", &Elf::plugin().build());
        let candidate = read_file(&path).unwrap().unwrap();
        assert_eq!(candidate.path(), path);
        assert_eq!(candidate.file_path(), path);
        assert_eq!(&**candidate.note(), MANIFEST);
        assert_eq!(candidate.manifest().name, "sqlite");
        assert_eq!(candidate.position(), 0);
        assert_eq!(
            candidate.platform().to_string(),
            "ELF 64-bit little-endian x86-64"
        );
        let file = File::open(&path).unwrap();
        assert_eq!(
            candidate.identity(),
            FileIdentity::of(&file, &path).unwrap()
        );
        let note = read_note_of(&file, &path).unwrap();
        assert_eq!(note.as_ref(), Some(candidate.note()));
    }

    #[test]
    fn a_file_that_changed_has_another_identity() {
        let (_directory, path) = with_file("x.so", &Elf::plugin().build());
        let before = read_file(&path).unwrap().unwrap().identity();
        fs::write(&path, Elf::plugin().gap(8).build()).unwrap();
        let after = read_file(&path).unwrap().unwrap().identity();
        assert_ne!(before, after);
        assert_eq!((before.device, before.inode), (after.device, after.inode));
    }

    #[test]
    fn an_ordinary_library_gives_nothing() {
        let (_directory, path) = with_file("libm.so", &Elf::new(true, false).build());
        assert!(read_file(&path).unwrap().is_none());
        let file = File::open(&path).unwrap();
        assert!(read_note_of(&file, &path).unwrap().is_none());
    }

    #[track_caller]
    fn refuses(result: Result<Option<Candidate>, Rejection>, check: &str, found: &str) {
        let rejection = result.unwrap_err();
        assert_eq!(rejection.check, check, "{rejection}");
        assert!(rejection.found.contains(found), "{rejection}");
        assert!(!rejection.to_string().contains('\n'), "{rejection}");
    }

    #[test]
    fn a_manifest_that_is_no_good_says_why() {
        let check = |manifest: &[u8], name: &str, found: &str| {
            let (_directory, path) =
                with_file("x.so", &Elf::new(true, false).note(manifest).build());
            refuses(read_file(&path), name, found);
        };
        check(b"\xff{}", "manifest", "not UTF-8 at its byte 0");
        check(b"not json", "manifest", "malformed");
        check(b"", "manifest", "malformed");
        check(b"{\"format\":1}", "manifest", "missing field");
        check(b"{\"format\":2}", "manifest-format", "format `2`");
        let text = std::str::from_utf8(MANIFEST).unwrap();
        let changed = |from: &str, to: &str| text.replacen(from, to, 1).into_bytes();
        let twice = changed("[{", "[{\"node_type\":\"sqlite.query\"},{");
        check(&twice, "manifest", "executors[1].node_type");
        let hostile = changed("\"sqlite\"", "\"\\u001b[2J\\n\"");
        check(&hostile, "manifest", "`name` is `\\u{1b}[2J\\n`");
        let later = changed("{", "{\"a field of the future\":[1],");
        let (_directory, path) = with_file("x.so", &Elf::new(true, false).note(&later).build());
        assert!(read_file(&path).unwrap().is_some());
    }

    #[test]
    fn a_half_copied_file_is_refused_and_then_accepted() {
        let whole = Elf::plugin().gap(30_000).build();
        let (_directory, path) = with_file("x.so", &whole[..20_000]);
        let found = format!("20000 of {} bytes", whole.len());
        refuses(read_file(&path), "incomplete", &found);
        fs::write(&path, &whole).unwrap();
        assert!(read_file(&path).unwrap().is_some());
    }

    #[test]
    fn what_cannot_be_opened_says_why() {
        let (directory, path) = with_file("x.so", b"");
        refuses(read_file(&path), "empty", "an empty file");
        refuses(
            read_file(&path.join("y.so")),
            "not-found",
            "nothing of that name",
        );
        refuses(
            read_file(&directory.path().join("y")),
            "not-found",
            "nothing of that name",
        );
        refuses(
            read_file(Path::new("")),
            "not-found",
            "nothing of that name",
        );
        refuses(read_file(directory.path()), "file-type", "a directory");
    }

    #[test]
    #[cfg(unix)]
    fn a_link_is_followed_and_its_file_is_the_one_to_open() {
        let (directory, path) = with_file("x.so", &Elf::plugin().build());
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("x.so", &link).unwrap();
        let candidate = read_file(&link).unwrap().unwrap();
        assert_eq!(candidate.path(), link);
        assert_eq!(candidate.file_path(), fs::canonicalize(&path).unwrap());

        // What is a link by the time that it is opened is not followed.
        let raced = Opened::listed(&link, 0).unwrap_err();
        assert_eq!((raced.check, &*raced.found), ("file-type", "a link"));
    }

    #[test]
    #[cfg(unix)]
    fn who_may_write_is_noted() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};

        let (directory, path) = with_file("x.so", &Elf::plugin().build());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o646)).unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let ownership = read_file(&path).unwrap().unwrap().ownership();
        assert_eq!(ownership.file_mode & 0o7777, 0o646);
        assert_eq!(ownership.directory_mode & 0o7777, 0o777);
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(ownership.file_uid, metadata.uid());
        assert_eq!(ownership.directory_uid, metadata.uid());
    }

    #[test]
    #[cfg(unix)]
    fn only_a_regular_file_is_opened_to_be_copied() {
        let (directory, path) = with_file("x.so", &Elf::plugin().build());
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("x.so", &link).unwrap();
        assert!(open_library(&path).is_ok());
        for (path, reason) in [
            (link.as_path(), "is a link, not a regular file"),
            (directory.path(), "is a directory, not a regular file"),
        ] {
            let refused = open_library(path).unwrap_err().to_string();
            assert!(refused.contains(reason), "{refused}");
        }
    }
}
