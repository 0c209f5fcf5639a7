//! Who runs a run: one at a time.
//!
//! A lock of a file, which goes with the process that has it, however that ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often it is tried to have it, and how long each time.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_millis(2);

/// A run that nobody else runs.
#[derive(Debug)]
pub(super) struct Lease {
    path: PathBuf,
    file: File,
}

impl Lease {
    /// Takes it; nothing where somebody has it.
    pub(super) fn take(directory: &Path, number: i64) -> io::Result<Option<Self>> {
        let path = path(directory, number);
        let mut looks = 0;
        loop {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false);
            #[cfg(unix)]
            {
                use std::os::unix::fs::OpenOptionsExt;
                options.mode(0o600).custom_flags(super::open::NO_LINK);
            }
            let file = options.open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                // Who only looks whether it is held holds it for a moment.
                Err(TryLockError::WouldBlock) if looks < LOOKS => {
                    looks += 1;
                    std::thread::sleep(LOOK);
                    continue;
                }
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had it before may have taken it away meanwhile.
            if is_at(&file, &path) {
                return Ok(Some(Self { path, file }));
            }
        }
    }

    /// Whether somebody has it.
    pub(super) fn is_held(directory: &Path, number: i64) -> bool {
        let file = File::open(path(directory, number));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Before the lock goes, so that nobody has locked what is taken away; and not another one's.
        if is_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn path(directory: &Path, number: i64) -> PathBuf {
    directory.join(format!("{number}.run"))
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let of = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(there)) => of(held) == of(there),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!Lease::is_held(directory.path(), 7));
        let lease = Lease::take(directory.path(), 7).unwrap().unwrap();
        assert!(Lease::take(directory.path(), 7).unwrap().is_none());
        assert!(Lease::is_held(directory.path(), 7));
        assert!(Lease::take(directory.path(), 8).unwrap().is_some());
        drop(lease);
        assert!(!Lease::is_held(directory.path(), 7));
        assert!(Lease::take(directory.path(), 7).unwrap().is_some());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn of_many_who_want_it_one_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let (inside, most) = (parking_lot::Mutex::new(0), parking_lot::Mutex::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut had = 0;
                    while had < 20 {
                        let Some(lease) = Lease::take(directory.path(), 1).unwrap() else {
                            std::thread::yield_now();
                            continue;
                        };
                        had += 1;
                        *inside.lock() += 1;
                        let now = *inside.lock();
                        let mut most = most.lock();
                        *most = now.max(*most);
                        drop(most);
                        *inside.lock() -= 1;
                        drop(lease);
                    }
                });
            }
        });
        assert_eq!(*most.lock(), 1);
    }
}
