//! A private directory of verified copies, named by their content.
//!
//! ```text
//! ROOT/                     0700, owned by the user of the process
//!   objects/DIGEST.so       0500, a copy whose SHA-256 is DIGEST
//!   layouts/DIGEST-…        which host found the layout of its types right
//!   seen/DEVICE-INODE       which content a file had when it looked so and so, and who signed it
//! ```
//!
//! Only copies are mapped: whatever happens to the original, truncation included, cannot hurt a
//! host that runs the copy. Every file is written under a temporary name, synced and renamed, so
//! that any number of processes may share a store and none ever sees half of a file. Who maps a copy
//! holds it locked for as long as the process lives, so that it is not collected.
//!
//! - `copying` makes a copy and finds out what it is, in one go.
//! - `record` remembers what was found out, by the looks of the files.
//! - `collect` lists what is there and removes what nobody needs.

mod collect;
mod copying;
mod record;

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub use self::collect::{Collected, StoredObject};
use self::copying::Copied;
pub(crate) use self::record::LayoutChecked;
use self::record::Seen;
use super::Admitted;
use super::content::{Examined, Terms, Verified};
use crate::discover::{self, Candidate, FileIdentity};
use crate::error::{Rejection, Stage};
use crate::id::Digest;
use crate::private::{self, PrivateDirectory, PrivateError, Temporary};

/// How often a copy is made again that was collected before it could be locked.
const ATTEMPTS: usize = 3;

/// How long a copy is waited for that another process holds locked.
const PATIENCE: Duration = Duration::from_secs(2);

/// The variable that names another store.
const STORE_VARIABLE: &str = "FLOE_STORE";

/// A directory of verified copies.
#[derive(Clone, Debug)]
pub struct Store {
    directory: PrivateDirectory,
    /// Whether what killed writers left behind was swept.
    swept: Arc<AtomicBool>,
}

/// A verified copy of an admitted file, ready to be mapped: its content is what the host asks for.
///
/// It is not collected while this is kept.
#[derive(Debug)]
pub(crate) struct Stored {
    path: PathBuf,
    digest: Digest,
    /// Open and locked.
    file: File,
    /// What it looks like.
    looks: FileIdentity,
}

impl Stored {
    /// A copy that another process of this user has verified, and has handed over open and locked: under its
    /// path must be that very file.
    pub(crate) fn handed_over(
        path: PathBuf,
        file: File,
        original: &Path,
    ) -> Result<Self, Box<Rejection>> {
        let failed = |error: io::Error| unreadable(original, &error);
        let looks = FileIdentity::of(&file, &path).map_err(failed)?;
        let there = File::open(&path).map_err(failed)?;
        let there = FileIdentity::of(&there, &path).map_err(failed)?;
        if !looks.is_file_of(there) {
            return Err(changed(original));
        }
        Ok(Self {
            // Whoever verified it knows; here nothing is looked up by it.
            digest: Digest::from_bytes([0; 32]),
            path,
            file,
            looks,
        })
    }

    /// Where the copy is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of its content.
    pub(crate) const fn digest(&self) -> Digest {
        self.digest
    }

    /// The copy, to be read.
    pub(crate) const fn file(&self) -> &File {
        &self.file
    }
}

impl Store {
    /// A store in this directory, which is made when it is first needed.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            directory: PrivateDirectory::new(root),
            swept: Arc::default(),
        }
    }

    /// The store's directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    /// Keeps a verified copy of a file; once per content.
    ///
    /// The bytes that are hashed, and whose signature is verified, are those of the copy; its manifest
    /// must be the one that was admitted, and its content what was asked for when it was.
    pub(crate) fn keep(&self, admitted: &Admitted) -> Result<Stored, Box<Rejection>> {
        let candidate = admitted.candidate();
        let path = candidate.path();
        admitted.terms().check_key(path)?;
        for _ in 0..ATTEMPTS {
            let original = discover::open_library(candidate.file_path())
                .map_err(|error| unreadable(path, &error))?;
            let looks =
                FileIdentity::of(&original, path).map_err(|error| unreadable(path, &error))?;
            let kept = match self.kept(admitted, looks)? {
                Some(kept) => Some(kept),
                None => self.keep_anew(admitted, original, looks)?,
            };
            if let Some(stored) = kept {
                return Ok(stored);
            }
        }
        let gone = io::ErrorKind::NotFound.into();
        let error = PrivateError::io("keep a copy in", &self.copies())(gone);
        Err(unusable(path, &error))
    }

    /// The copy of a file that looks as it did when that was made and verified.
    fn kept(
        &self,
        admitted: &Admitted,
        looks: FileIdentity,
    ) -> Result<Option<Stored>, Box<Rejection>> {
        let path = admitted.candidate().path();
        if looks != admitted.candidate().identity() {
            return Ok(None);
        }
        let Some(mut seen) = self.remembered(looks) else {
            return Ok(None);
        };
        let taken = self.take(seen.digest);
        let Some(stored) = taken.map_err(|error| unusable(path, &error))? else {
            return Ok(None);
        };
        if seen.copy != Some(stored.looks) {
            return Ok(None);
        }
        // The copy may have been made for somebody who asked less.
        let terms = admitted.terms();
        terms.check_digest(stored.digest, path)?;
        let mut learnt = false;
        if let Some(mark) = terms.mark(stored.digest)
            && !seen.signed.contains(&mark)
        {
            let verified = copying::verify(terms, &stored.file);
            terms.check_signature(verified, path)?;
            seen.sign(mark);
            learnt = true;
        }
        let examined = if seen.harmless {
            Examined::Before
        } else {
            Examined::Never
        };
        terms.check_findings(&stored.file, path, examined)?;
        if terms.careful && !seen.harmless {
            seen.harmless = true;
            learnt = true;
        }
        if learnt {
            let _ = self.remember(&seen);
        }
        Ok(Some(stored))
    }

    /// A new copy of a file; nothing where it was collected before it could be locked.
    fn keep_anew(
        &self,
        admitted: &Admitted,
        mut original: File,
        looks: FileIdentity,
    ) -> Result<Option<Stored>, Box<Rejection>> {
        let candidate = admitted.candidate();
        let path = candidate.path();
        if looks != candidate.identity() {
            // Whom it belongs to and who may write to it was asked when it was scanned.
            let again = discover::read_file(path).map_err(Box::new)?;
            let same = |again: &Candidate| {
                again.identity() == looks
                    && again.ownership() == candidate.ownership()
                    && again.exposed() == candidate.exposed()
            };
            if !again.as_ref().is_some_and(same) {
                return Err(changed(path));
            }
        }
        let refuse = |error: PrivateError| unusable(path, &error);
        self.prepare().map_err(refuse)?;

        let terms = admitted.terms();
        let temporary = Temporary::new(&self.copies()).map_err(refuse)?;
        let Copied {
            digest,
            signature,
            findings,
        } = copying::copy(&mut original, &temporary, terms, path)?;
        let after = FileIdentity::of(&original, path).map_err(|error| unreadable(path, &error))?;
        let note = discover::read_note_of(temporary.file(), path)?;
        if after != looks || note.as_deref() != Some(&**candidate.note()) {
            return Err(changed(path));
        }
        terms.check_digest(digest, path)?;
        if let Some(verified) = signature {
            terms.check_signature(verified, path)?;
        }
        findings?;

        let stored = match self.take_undamaged(digest).map_err(refuse)? {
            Some(stored) => stored,
            None => {
                // It was synced. A name that a loss of power takes away is given again.
                let own = FileIdentity::of(temporary.file(), path)
                    .map_err(|error| unreadable(path, &error))?;
                temporary
                    .publish(&self.object(digest), 0o500)
                    .map_err(refuse)?;
                match self.take(digest).map_err(refuse)? {
                    // What is mapped is the very file that was hashed.
                    Some(stored) if stored.looks.is_file_of(own) => stored,
                    _ => return Ok(None),
                }
            }
        };
        // Only a help for the next time: without it that one hashes again.
        let mut seen = Seen::new(looks, candidate.file_path(), digest).copied(&stored);
        if let Some(mark) = terms.mark(digest) {
            seen.sign(mark);
        }
        seen.harmless = terms.careful;
        let _ = self.remember(&seen);
        Ok(Some(stored))
    }

    /// The digest of a file's content: remembered where the file still looks the same, computed
    /// otherwise. Changes nothing.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn digest_of(&self, path: &Path) -> io::Result<Digest> {
        let file = discover::open_library(path)?;
        let looks = FileIdentity::of(&file, path)?;
        match self.digest_by_looks(looks) {
            Some(digest) => Ok(digest),
            None => copying::hash(&file),
        }
    }

    /// The digest of a file that looks so, where that is remembered.
    pub(crate) fn digest_by_looks(&self, looks: FileIdentity) -> Option<Digest> {
        self.remembered(looks).map(|seen| seen.digest)
    }

    /// Whether the content of a file is what is asked of it, without making a copy. Whether it is loaded is
    /// decided then, of the copy.
    pub(super) fn check_content(
        &self,
        candidate: &Candidate,
        terms: &Terms,
    ) -> Result<(), Box<Rejection>> {
        let path = candidate.path();
        let unreadable = |error: io::Error| unreadable(path, &error);
        let file = discover::open_library(candidate.file_path()).map_err(unreadable)?;
        let looks = FileIdentity::of(&file, path).map_err(unreadable)?;
        let digest = match self.digest_by_looks(looks) {
            Some(digest) => digest,
            None => copying::hash(&file).map_err(unreadable)?,
        };
        terms.check_digest(digest, path)?;
        terms.check_signature(self.verify(terms, digest, &file), path)?;
        // What was read is what it looks like only if nobody wrote to it meanwhile.
        let after = FileIdentity::of(&file, path).map_err(unreadable)?;
        if looks == candidate.identity() && after == looks {
            self.remember_content(candidate, digest, terms.mark(digest));
        }
        Ok(())
    }

    /// Whether a content is what the terms' signature was made of: remembered, or found out.
    pub(super) fn verify(&self, terms: &Terms, digest: Digest, file: &File) -> Verified {
        let looks = FileIdentity::of(file, self.root()).ok();
        let seen = looks.and_then(|looks| self.remembered(looks));
        if let (Some(mark), Some(seen)) = (terms.mark(digest), seen)
            && seen.digest == digest
            && seen.signed.contains(&mark)
        {
            return Ok(());
        }
        copying::verify(terms, file)
    }

    /// Opens and locks a copy; nothing where there is none.
    fn take(&self, digest: Digest) -> Result<Option<Stored>, PrivateError> {
        let path = self.object(digest);
        let Ok(file) = discover::open_library(&path) else {
            return Ok(None);
        };
        lock_shared(&file).map_err(PrivateError::io("lock", &path))?;
        let looks = FileIdentity::of(&file, &path).map_err(PrivateError::io("read", &path))?;
        // It may have been removed, or replaced, before it was locked.
        let there = discover::identity_of(&path);
        Ok(there.is_ok_and(|there| there == looks).then_some(Stored {
            path,
            digest,
            file,
            looks,
        }))
    }

    /// Opens and locks a copy whose content is what its name says.
    fn take_undamaged(&self, digest: Digest) -> Result<Option<Stored>, PrivateError> {
        let stored = self.take(digest)?;
        Ok(stored.filter(|stored| copying::hash(&stored.file).is_ok_and(|found| found == digest)))
    }

    fn copies(&self) -> PathBuf {
        self.root().join("objects")
    }

    fn object(&self, digest: Digest) -> PathBuf {
        self.copies()
            .join(format!("{digest}{}", std::env::consts::DLL_SUFFIX))
    }

    /// Makes the store's directories where they are missing, and checks that it is private.
    fn prepare(&self) -> Result<(), PrivateError> {
        self.directory.prepare()?;
        if self.root().as_os_str().as_encoded_bytes().contains(&b'$') {
            return Err(PrivateError::Path {
                path: self.root().to_owned(),
            });
        }
        private::make(&self.copies())?;
        private::make(&self.root().join("seen"))?;
        if !self.swept.swap(true, Ordering::Relaxed) {
            private::sweep(&self.copies());
        }
        Ok(())
    }
}

/// Locks a copy, so that it is not collected. Who collects is done at once, unless stopped in the
/// middle.
fn lock_shared(file: &File) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match file.try_lock_shared() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    "another process holds it locked",
                ));
            }
            // Where there are no locks, nothing is locked for good either, and nothing collected.
            Err(TryLockError::Error(_)) => return Ok(()),
        }
    }
}

fn unusable(path: &Path, error: &PrivateError) -> Box<Rejection> {
    Box::new(Rejection::new(
        Stage::Load,
        "store",
        path,
        error.found(),
        "a private directory with room for a copy of the plugin",
        error.remedy(STORE_VARIABLE),
    ))
}

fn unreadable(path: &Path, error: &io::Error) -> Box<Rejection> {
    Box::new(Rejection::new(
        Stage::Load,
        "readable",
        path,
        format!("`{error}`"),
        "the file that was admitted",
        "put it back, or scan again",
    ))
}

fn changed(path: &Path) -> Box<Rejection> {
    Box::new(Rejection::new(
        Stage::Load,
        "unchanged",
        path,
        "another content, or another owner or mode, than was admitted",
        "the file as it was when the directory was scanned",
        "scan again once the file is no longer being written",
    ))
}
