//! What was found out about files, remembered by their looks.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{Store, Stored};
use crate::discover::{self, Candidate, FileIdentity};
use crate::id::Digest;
use crate::private::{self, PrivateError, Temporary};

/// How long a file must have been left alone before its looks are trusted to tell its content: a
/// file system's clock ticks every few milliseconds, and two writes in one tick look the same.
const SETTLED: Duration = Duration::from_millis(100);

/// How long a record may be, in bytes.
const LONGEST: u64 = 64 << 10;

/// How many signatures of one content are remembered.
const SIGNATURES: usize = 8;

/// That the layout of a content's types was found right by this very program. Only the store says so.
pub(crate) struct LayoutChecked(());

/// Which content a file had, by its looks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) original: FileIdentity,
    /// What its copy looked like when it was verified; nothing where none was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) copy: Option<FileIdentity>,
    pub(super) digest: Digest,
    /// Where the original was; nothing where that cannot be written as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<PathBuf>,
    /// Whether its copy was found to have no hazard for which a careful host refuses it.
    #[serde(default)]
    pub(super) harmless: bool,
    /// The signatures of this content that were verified, each with its key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) signed: Vec<Digest>,
}

impl Seen {
    pub(super) fn new(original: FileIdentity, path: &Path, digest: Digest) -> Self {
        let path = fs::canonicalize(path).ok();
        Self {
            original,
            copy: None,
            digest,
            path: path.filter(|path| path.to_str().is_some()),
            harmless: false,
            signed: Vec::new(),
        }
    }

    /// The same of a file of which there is a verified copy.
    pub(super) fn copied(mut self, stored: &Stored) -> Self {
        self.copy = Some(stored.looks);
        self
    }

    /// What a record says.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let text = discover::read_small(path, LONGEST).ok()??;
        serde_json::from_slice(&text).ok()
    }

    /// Takes note of a verified signature, in place of the oldest.
    pub(super) fn sign(&mut self, mark: Digest) {
        if self.signed.len() == SIGNATURES {
            self.signed.remove(0);
        }
        self.signed.push(mark);
    }
}

impl Store {
    /// What is remembered of a file that looks so.
    pub(super) fn remembered(&self, looks: FileIdentity) -> Option<Seen> {
        // What others could have written is not believed.
        self.directory.check().ok()?;
        let seen = Seen::read(&self.seen(looks))?;
        (seen.original == looks).then_some(seen)
    }

    /// Remembers what was found out of a file of which no copy was made.
    pub(super) fn remember_content(&self, file: &Candidate, digest: Digest, mark: Option<Digest>) {
        let looks = file.identity();
        let known = self.remembered(looks);
        let is_known = known.is_some();
        let mut seen = known.unwrap_or_else(|| Seen::new(looks, file.file_path(), digest));
        match mark.filter(|mark| !seen.signed.contains(mark)) {
            Some(mark) => seen.sign(mark),
            None if is_known => return,
            None => {}
        }
        // Only a help for the next time.
        let _ = self.prepare().and_then(|()| self.remember(&seen));
    }

    pub(super) fn remember(&self, seen: &Seen) -> Result<(), PrivateError> {
        if !settled(seen.original) {
            return Ok(());
        }
        let path = self.seen(seen.original);
        let text = serde_json::to_vec(seen)
            .map_err(|error| PrivateError::io("write", &path)(error.into()))?;
        let temporary = Temporary::new(&self.root().join("seen"))?;
        temporary.write(&text)?;
        temporary.publish(&path, 0o600)
    }

    fn seen(&self, looks: FileIdentity) -> PathBuf {
        self.root()
            .join("seen")
            .join(format!("{:x}-{:x}", looks.device, looks.inode))
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
        self.directory.check().ok()?;
        let text = discover::read_small(&self.layout_file(digest, host), LONGEST).ok()??;
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
        let directory = self.root().join("layouts");
        private::make(&directory)?;
        let text = serde_json::to_vec(&host)
            .map_err(|error| PrivateError::io("write", &directory)(error.into()))?;
        let temporary = Temporary::new(&directory)?;
        temporary.write(&text)?;
        temporary.publish(&self.layout_file(digest, host), 0o600)
    }

    fn layout_file(&self, digest: Digest, host: FileIdentity) -> PathBuf {
        let name = format!("{digest}-{:x}-{:x}", host.device, host.inode);
        self.root().join("layouts").join(name)
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
