//! A private directory of verified copies, named by their content.
//!
//! ```text
//! ROOT/                     0700, owned by the user of the process
//!   objects/DIGEST.so       0500, a copy whose SHA-256 is DIGEST
//!   schemas/DIGEST.json     what the plugin's `describe` answered
//!   layouts/DIGEST-…        which host found the layout of its types right
//!   seen/DEVICE-INODE       which content a file had when it looked so and so
//! ```
//!
//! Only copies are mapped: whatever happens to the original, truncation included, cannot hurt a
//! host that runs the copy. Every file is written under a temporary name, synced and renamed, so
//! that any number of processes may share a store and none ever sees half of a file.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Admitted;
use crate::discover::{self, Candidate, FileIdentity};
use crate::error::{Rejection, Stage};
use crate::id::Digest;
use crate::private::{self, PrivateError, Temporary};

/// How long a file must have been left alone before its looks are trusted to tell its content: a
/// file system's clock ticks every few milliseconds, and two writes in one tick look the same.
const SETTLED: Duration = Duration::from_millis(100);

/// A directory of verified copies.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// A verified copy of an admitted file, ready to be mapped.
#[derive(Debug)]
pub(crate) struct Stored {
    path: PathBuf,
    digest: Digest,
}

impl Stored {
    /// Where the copy is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of its content.
    pub(crate) const fn digest(&self) -> Digest {
        self.digest
    }
}

/// That the layout of a content's types was found right by this very program. Only the store says so.
pub(crate) struct LayoutChecked(());

/// Which content a file had, by its looks, and what its copy looked like when it was verified.
#[derive(Serialize, Deserialize)]
struct Seen {
    original: FileIdentity,
    copy: FileIdentity,
    digest: String,
}

impl Store {
    /// A store in this directory, which is made when it is first needed.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The store's directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Keeps a verified copy of a file; once per content.
    ///
    /// The bytes that are hashed are the bytes that are written, and the manifest of the copy must
    /// be the one that was admitted.
    pub(crate) fn keep(&self, admitted: &Admitted) -> Result<Stored, Box<Rejection>> {
        let candidate = admitted.candidate();
        let path = candidate.path();
        let mut original = discover::open_library(candidate.file_path())
            .map_err(|error| Box::new(unreadable(path, &error)))?;
        let looks = FileIdentity::of(&original, path)
            .map_err(|error| Box::new(unreadable(path, &error)))?;
        let refuse = |error: PrivateError| Box::new(unusable(path, &error));
        if looks == candidate.identity()
            && private::check(&self.root).is_ok()
            && let Some(stored) = self.remembered(looks)
        {
            return Ok(stored);
        }
        if looks != candidate.identity() {
            // Whom it belongs to and who may write to it was asked when it was scanned.
            let again = discover::read_file(path).map_err(Box::new)?;
            let same = |again: &Candidate| {
                again.identity() == looks && again.ownership() == candidate.ownership()
            };
            if !again.as_ref().is_some_and(same) {
                return Err(Box::new(changed(path)));
            }
        }
        self.prepare().map_err(refuse)?;

        let temporary = Temporary::new(&self.objects()).map_err(refuse)?;
        let digest = copy(&mut original, &temporary, path)?;
        let after = FileIdentity::of(&original, path)
            .map_err(|error| Box::new(unreadable(path, &error)))?;
        let note = discover::read_note_of(temporary.file(), path)?;
        if after != looks || note.as_deref() != Some(&**candidate.note()) {
            return Err(Box::new(changed(path)));
        }
        discover::check_loadable(temporary.file(), path)?;
        let stored = Stored {
            path: self.object(digest),
            digest,
        };
        if !self.holds(&stored) {
            temporary.publish(&stored.path, 0o500).map_err(refuse)?;
        }
        // Only a help for the next time: without it that one hashes again.
        let _ = self.remember(looks, &stored);
        Ok(stored)
    }

    /// The digest of a file's content: remembered where the file still looks the same, computed
    /// otherwise. Changes nothing.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn digest_of(&self, path: &Path) -> io::Result<Digest> {
        let mut file = discover::open_library(path)?;
        let looks = FileIdentity::of(&file, path)?;
        if let Some(stored) = self.remembered(looks) {
            return Ok(stored.digest);
        }
        hash(&mut file, |_| Ok(()))
    }

    /// What a plugin's `describe` answered, if that is known of this content.
    pub(crate) fn schemas(&self, digest: Digest) -> Option<String> {
        fs::read_to_string(self.schema_file(digest)).ok()
    }

    /// Remembers what a plugin's `describe` answered.
    pub(crate) fn remember_schemas(&self, digest: Digest, text: &str) -> Result<(), PrivateError> {
        self.prepare()?;
        let directory = self.root.join("schemas");
        private::make(&directory)?;
        let temporary = Temporary::new(&directory)?;
        temporary.write(text.as_bytes())?;
        // Not synced: what is lost, or left empty, when the power is, is asked for again.
        temporary.publish_unsynced(&self.schema_file(digest), 0o600)
    }

    /// Whether this host program, as it looks now, has found the layout of a content's types right.
    ///
    /// The check compares two constants, one of the library's bytes and one of the program's: what
    /// came of it once comes of it again.
    pub(crate) fn layout_checked(
        &self,
        digest: Digest,
        host: FileIdentity,
    ) -> Option<LayoutChecked> {
        let text = fs::read(self.layout_file(digest, host)).ok()?;
        let found: FileIdentity = serde_json::from_slice(&text).ok()?;
        (found == host).then_some(LayoutChecked(()))
    }

    /// Remembers that this host program has found the layout of a content's types right.
    pub(crate) fn remember_layout(
        &self,
        digest: Digest,
        host: FileIdentity,
    ) -> Result<(), PrivateError> {
        if !settled(host) {
            return Ok(());
        }
        let directory = self.root.join("layouts");
        private::make(&directory)?;
        let text = serde_json::to_vec(&host)
            .map_err(|error| PrivateError::io("write", &directory)(error.into()))?;
        let temporary = Temporary::new(&directory)?;
        temporary.write(&text)?;
        temporary.publish_unsynced(&self.layout_file(digest, host), 0o600)
    }

    fn layout_file(&self, digest: Digest, host: FileIdentity) -> PathBuf {
        let name = format!("{digest}-{:x}-{:x}", host.device, host.inode);
        self.root.join("layouts").join(name)
    }

    fn schema_file(&self, digest: Digest) -> PathBuf {
        self.root.join("schemas").join(format!("{digest}.json"))
    }

    fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    fn object(&self, digest: Digest) -> PathBuf {
        self.objects()
            .join(format!("{digest}{}", std::env::consts::DLL_SUFFIX))
    }

    fn seen(&self, looks: FileIdentity) -> PathBuf {
        self.root
            .join("seen")
            .join(format!("{:x}-{:x}", looks.device, looks.inode))
    }

    /// Makes the store's directories where they are missing, and checks that it is private.
    fn prepare(&self) -> Result<(), PrivateError> {
        if self.root.as_os_str().as_encoded_bytes().contains(&b'$') {
            return Err(PrivateError::Path {
                path: self.root.clone(),
            });
        }
        private::prepare(&self.root)?;
        private::make(&self.objects())?;
        private::make(&self.root.join("seen"))
    }

    /// The verified copy of a file that looks as it did when it was copied.
    fn remembered(&self, looks: FileIdentity) -> Option<Stored> {
        let text = fs::read(self.seen(looks)).ok()?;
        let seen: Seen = serde_json::from_slice(&text).ok()?;
        let digest: Digest = seen.digest.parse().ok()?;
        let path = self.object(digest);
        let copy = FileIdentity::of(&discover::open_library(&path).ok()?, &path).ok()?;
        (seen.original == looks && seen.copy == copy).then_some(Stored { path, digest })
    }

    fn remember(&self, looks: FileIdentity, stored: &Stored) -> Result<(), PrivateError> {
        let path = &stored.path;
        let copy = discover::open_library(path)
            .and_then(|file| FileIdentity::of(&file, path))
            .map_err(PrivateError::io("read", path))?;
        if !settled(looks) {
            return Ok(());
        }
        let seen = Seen {
            original: looks,
            copy,
            digest: stored.digest.to_string(),
        };
        let text = serde_json::to_vec(&seen)
            .map_err(|error| PrivateError::io("write", path)(error.into()))?;
        let temporary = Temporary::new(&self.root.join("seen"))?;
        temporary.write(&text)?;
        temporary.publish_unsynced(&self.seen(looks), 0o600)
    }

    /// Whether the store has this content already, undamaged.
    fn holds(&self, stored: &Stored) -> bool {
        discover::open_library(&stored.path)
            .and_then(|mut file| hash(&mut file, |_| Ok(())))
            .is_ok_and(|digest| digest == stored.digest)
    }
}

/// Whether enough time has passed since the file's last change for its looks to tell its content.
fn settled(looks: FileIdentity) -> bool {
    let Ok(now) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) else {
        return false;
    };
    let changed = looks.ctime_ns.max(looks.mtime_ns);
    let whole_seconds = changed % 1_000_000_000 == 0;
    let wait = if whole_seconds {
        Duration::from_secs(2)
    } else {
        SETTLED
    };
    u64::try_from(changed)
        .is_ok_and(|changed| now.checked_sub(wait) > Some(Duration::from_nanos(changed)))
}

fn hash(file: &mut File, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Digest::from_bytes(hasher.finalize().into())),
            Ok(read) => {
                let bytes = buffer.get(..read).unwrap_or_default();
                hasher.update(bytes);
                each(bytes)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Copies a file and hashes what it copies; tells a fault of the original from one of the store.
fn copy(original: &mut File, temporary: &Temporary, path: &Path) -> Result<Digest, Box<Rejection>> {
    let mut unwritten = None;
    let hashed = hash(original, |bytes| {
        temporary.file().write_all(bytes).map_err(|error| {
            let kind = error.kind();
            unwritten = Some(PrivateError::io("write", temporary.path())(error));
            kind.into()
        })
    });
    match (hashed, unwritten) {
        (Ok(digest), _) => Ok(digest),
        (Err(_), Some(error)) => Err(Box::new(unusable(path, &error))),
        (Err(error), None) => Err(Box::new(unreadable(path, &error))),
    }
}

fn unusable(path: &Path, error: &PrivateError) -> Rejection {
    Rejection::new(
        Stage::Load,
        "store",
        path,
        error.found(),
        "a private directory with room for a copy of the plugin",
        match error {
            PrivateError::Io { .. } => "free or mend it, or set `FLOE_STORE` to another directory",
            _ => "`chmod 700` and `chown` it, or set `FLOE_STORE` to another directory",
        },
    )
}

fn unreadable(path: &Path, error: &io::Error) -> Rejection {
    Rejection::new(
        Stage::Load,
        "readable",
        path,
        format!("`{error}`"),
        "the file that was admitted",
        "put it back, or scan again",
    )
}

fn changed(path: &Path) -> Rejection {
    Rejection::new(
        Stage::Load,
        "unchanged",
        path,
        "another content, or another owner or mode, than was admitted",
        "the file as it was when the directory was scanned",
        "scan again once the file is no longer being written",
    )
}
