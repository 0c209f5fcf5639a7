//! Directories that only the user of the process may write to, and files in them that are whole or
//! not there.
//!
//! Every file is written under a temporary name, which its writer holds locked, and renamed: any
//! number of processes may share such a directory, none ever sees half of a file, and what a writer
//! left behind that was killed can be told from what another one is writing still.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// What the names of temporary files begin with.
const TEMPORARY: &str = ".tmp-";

/// Why a private directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateError {
    /// A file or directory in it could not be read or written.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it did not work.
        source: io::Error,
    },
    /// Others than the user of the process may write there, or on the way there.
    #[error("the directory `{}` is not private: {found}", path.display())]
    NotPrivate {
        /// The directory.
        path: PathBuf,
        /// Whose it is, or its mode; of it or of a directory above it.
        found: String,
        /// With which command it would be.
        remedy: String,
    },
    /// The system's loader would take a part of the path for a variable.
    #[error("the path `{}` holds a `$`, which the system's loader replaces", path.display())]
    Path {
        /// The directory.
        path: PathBuf,
    },
}

impl PrivateError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// What to do about it, in a sentence, where the environment's `variable` names another directory.
    #[must_use]
    pub fn remedy(&self, variable: &str) -> String {
        match self {
            Self::NotPrivate { remedy, .. } => {
                format!("`{remedy}`, or set `{variable}` to another directory")
            }
            _ => format!("free or mend it, or set `{variable}` to another directory"),
        }
    }

    /// What is wrong, with the system's own words, on one line.
    pub(crate) fn found(&self) -> String {
        match self {
            Self::Io { source, .. } => format!("that floe {self}: `{source}`"),
            _ => format!("that {self}"),
        }
    }
}

/// A directory that only the user of the process may write to, nor anybody on the way there.
///
/// It is made when it is first needed. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct PrivateDirectory {
    given: PathBuf,
    /// Where it truly is, once that was found private. Whatever becomes of links that led there, this
    /// is what is used.
    checked: Arc<OnceLock<PathBuf>>,
}

impl PrivateDirectory {
    pub(crate) fn new(given: impl Into<PathBuf>) -> Self {
        Self {
            given: given.into(),
            checked: Arc::default(),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.checked.get().unwrap_or(&self.given)
    }

    /// Makes it where it is missing, with what is above it, and checks that it is private.
    pub(crate) fn prepare(&self) -> Result<(), PrivateError> {
        match self.check() {
            Err(PrivateError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                // What is missing above it is made for this user alone too.
                let mut builder = private_builder();
                builder.recursive(true);
                builder
                    .create(&self.given)
                    .map_err(PrivateError::io("create", &self.given))?;
                self.check()
            }
            checked => checked,
        }
    }

    /// Checks that it is there and private: the way there once, itself always.
    pub(crate) fn check(&self) -> Result<(), PrivateError> {
        check_itself(self.path())?;
        if self.checked.get().is_none() {
            let real =
                fs::canonicalize(&self.given).map_err(PrivateError::io("read", &self.given))?;
            check_above(&self.given, &real)?;
            // Somebody else may have been quicker.
            let _ = self.checked.set(real);
        }
        Ok(())
    }
}

fn private_builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Makes a directory for the user of the process alone, if it is not there.
pub(crate) fn make(directory: &Path) -> Result<(), PrivateError> {
    match private_builder().create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(PrivateError::io("create", directory)(error))
        }
        _ => Ok(()),
    }
}

/// Checks that a directory belongs to the user of the process, and that nobody else may even read it.
#[cfg(unix)]
fn check_itself(root: &Path) -> Result<(), PrivateError> {
    use std::os::unix::fs::MetadataExt;

    let user = rustix::process::geteuid().as_raw();
    let refuse = |found: String, command: &str| PrivateError::NotPrivate {
        path: root.to_owned(),
        found,
        remedy: format!("{command} {}", root.display()),
    };
    let metadata = fs::symlink_metadata(root).map_err(PrivateError::io("read", root))?;
    if metadata.is_symlink() {
        return Err(refuse("it is a link".to_owned(), "rm"));
    }
    if !metadata.is_dir() {
        return Err(refuse("it is not a directory".to_owned(), "rm"));
    }
    if metadata.uid() != user {
        return Err(refuse(
            format!(
                "it belongs to user `{}`, this process runs as `{user}`",
                metadata.uid()
            ),
            &format!("chown {user}"),
        ));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(refuse(
            format!(
                "its mode is `{:04o}`, expected `0700`",
                metadata.mode() & 0o7777
            ),
            "chmod 700",
        ));
    }
    Ok(())
}

/// Checks that nobody but the user of the process and root can put another directory in the place of
/// this one, which truly is `real`.
#[cfg(unix)]
fn check_above(root: &Path, real: &Path) -> Result<(), PrivateError> {
    let user = rustix::process::geteuid().as_raw();
    for above in real.ancestors().skip(1) {
        let metadata = fs::symlink_metadata(above).map_err(PrivateError::io("read", above))?;
        if let Some((found, remedy)) = exposed(&metadata, user) {
            return Err(PrivateError::NotPrivate {
                path: root.to_owned(),
                found: format!("`{}` above it {found}", above.display()),
                remedy: format!("{remedy} {}", above.display()),
            });
        }
    }
    Ok(())
}

/// Whether others than root and this user can rename what is in a directory, in words; and with which
/// command they no longer can.
#[cfg(unix)]
fn exposed(metadata: &fs::Metadata, user: u32) -> Option<(String, &'static str)> {
    use std::os::unix::fs::MetadataExt;

    const STICKY: u32 = 0o1000;
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if owner != user && owner != 0 && !is_nobody_here(owner) {
        return Some((format!("belongs to user `{owner}`"), "chown root"));
    }
    // In a sticky directory, such as `/tmp`, everybody may rename their own alone.
    (mode & 0o022 != 0 && mode & STICKY == 0).then(|| {
        let found = format!("has mode `{mode:04o}`, expected one that only its owner may write to");
        (found, "chmod go-w")
    })
}

/// Whether a number stands for all users whom the process's user namespace does not know. Nobody in it
/// can be them; outside of it, whoever made it is answerable for what is above.
#[cfg(unix)]
fn is_nobody_here(owner: u32) -> bool {
    static OVERFLOW: LazyLock<Option<u32>> = LazyLock::new(|| {
        let map = fs::read_to_string("/proc/self/uid_map").ok()?;
        let words: Vec<&str> = map.split_whitespace().collect();
        if words == ["0", "0", "4294967295"] {
            return None;
        }
        let overflow = fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?;
        overflow.trim().parse().ok()
    });
    *OVERFLOW == Some(owner)
}

#[cfg(not(unix))]
fn check_itself(root: &Path) -> Result<(), PrivateError> {
    fs::symlink_metadata(root)
        .map_err(PrivateError::io("read", root))
        .map(|_| ())
}

#[cfg(not(unix))]
fn check_above(_root: &Path, _real: &Path) -> Result<(), PrivateError> {
    Ok(())
}

/// A file that is removed unless it is published. It is locked until then.
pub(crate) struct Temporary {
    file: File,
    path: PathBuf,
    published: AtomicBool,
}

impl Temporary {
    /// A new file in a private directory.
    pub(crate) fn new(directory: &Path) -> Result<Self, PrivateError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            // Two containers that share a volume may have processes of the same number.
            let chance = RandomState::new().hash_one(count);
            let name = format!("{TEMPORARY}{}-{chance:016x}", std::process::id());
            let path = directory.join(name);
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            match options.open(&path) {
                Ok(file) => {
                    // Where there are no locks, what is left behind is not swept either.
                    let _ = file.lock();
                    // Before it was locked, it could be taken for what a killed writer left behind.
                    if is_there(&file, &path) {
                        return Ok(Self {
                            file,
                            path,
                            published: AtomicBool::new(false),
                        });
                    }
                }
                // Left by a process of the same number that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(PrivateError::io("create a file in", directory)(source)),
            }
        }
    }

    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), PrivateError> {
        (&self.file)
            .write_all(bytes)
            .map_err(PrivateError::io("write", &self.path))
    }

    /// Makes sure that what was written survives a loss of power.
    pub(crate) fn sync(&self) -> Result<(), PrivateError> {
        self.file
            .sync_all()
            .map_err(PrivateError::io("sync", &self.path))
    }

    /// Gives the file its name: no process sees half of it. What was not synced may be lost, or left
    /// empty, when the power is.
    pub(crate) fn publish(self, path: &Path, mode: u32) -> Result<(), PrivateError> {
        set_mode(&self.file, mode).map_err(PrivateError::io("set the mode of", &self.path))?;
        fs::rename(&self.path, path).map_err(PrivateError::io("create", path))?;
        self.published.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.published.load(Ordering::Relaxed) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether an open file is still what its path leads to.
#[cfg(unix)]
fn is_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let there = fs::symlink_metadata(path).and_then(|there| Ok((there, file.metadata()?)));
    there.is_ok_and(|(there, own)| there.ino() == own.ino() && there.dev() == own.dev())
}

#[cfg(not(unix))]
fn is_there(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// Removes the temporary files of a directory whose writers were killed, and says how many.
pub(crate) fn sweep(directory: &Path) -> usize {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    let temporary = entries.flatten().filter(|entry| {
        let name = entry.file_name();
        name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
    });
    temporary
        .filter(|entry| {
            // Who writes it holds it locked; who made it and has not locked it yet waits until it is gone.
            let file = File::open(entry.path());
            let is_left = file.as_ref().is_ok_and(|file| file.try_lock().is_ok());
            is_left && fs::remove_file(entry.path()).is_ok()
        })
        .count()
}

#[cfg(unix)]
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[track_caller]
    fn refused(root: &Path, said: &str) {
        let found = PrivateDirectory::new(root).prepare().unwrap_err().found();
        assert!(found.contains(said), "{found}");
    }

    #[test]
    fn a_directory_and_the_way_there_must_be_private() {
        let directory = tempfile::tempdir().unwrap();
        let above = directory.path().join("above");
        let root = above.join("root");
        let prepare = || PrivateDirectory::new(&root).prepare();
        prepare().unwrap();
        let mode = fs::metadata(&root).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
        for (mode, said) in [(0o750, "its mode is `0750`"), (0o701, "its mode is `0701`")] {
            set(&root, mode);
            refused(&root, said);
        }
        set(&root, 0o700);
        for mode in [0o775, 0o757] {
            set(&above, mode);
            refused(&root, &format!("above` above it has mode `{mode:04o}`"));
        }
        set(&above, 0o1777);
        prepare().unwrap();
        let link = above.join("link");
        std::os::unix::fs::symlink(&root, &link).unwrap();
        refused(&link, "it is a link");
        fs::write(above.join("file"), "").unwrap();
        refused(&above.join("file"), "it is not a directory");
    }

    #[test]
    fn what_was_left_behind_is_swept_and_what_is_written_is_not() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(".tmp-1-2"), "half").unwrap();
        fs::write(directory.path().join("other"), "whole").unwrap();
        let writing = Temporary::new(directory.path()).unwrap();
        assert_eq!(sweep(directory.path()), 1);
        writing.write(b"all of it").unwrap();
        let there = directory.path().join("there");
        writing.publish(&there, 0o600).unwrap();
        assert_eq!(sweep(directory.path()), 0);
        assert_eq!(fs::read(there).unwrap(), b"all of it");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
