//! What is in the store, and what nobody needs of it.
//!
//! A copy is needed while a process maps it, which the lock on it tells, and while a file is there that
//! it was made of, which the records tell.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use floe_plugin_api::Manifest;
use semver::Version;
use serde::Serialize;

use super::Store;
use super::record::Seen;
use crate::discover;
use crate::id::{Digest, PluginId};
use crate::private::{self, PrivateError};

/// A copy in the store.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct StoredObject {
    /// The SHA-256 of its content.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The plugin that it is a build of; nothing where it is damaged.
    pub plugin: Option<PluginId>,
    /// The plugin's version.
    pub version: Option<Version>,
    /// The files that it was made of and that are there still, unchanged.
    pub originals: Vec<PathBuf>,
    /// Whether a process maps it now.
    pub in_use: bool,
}

/// What a collection removed.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Collected {
    /// The copies that are gone.
    pub removed: Vec<StoredObject>,
    /// How many bytes they had.
    pub bytes: u64,
    /// How many copies are left.
    pub kept: usize,
    /// How many files were removed that killed writers had left behind, unfinished.
    pub unfinished: usize,
}

/// The files of which each copy was made.
type Originals = BTreeMap<Digest, Vec<PathBuf>>;

impl Store {
    /// The copies in the store, by digest. None where there is no store yet.
    ///
    /// # Errors
    ///
    /// The store is there, and is not private or cannot be read.
    pub fn objects(&self) -> Result<Vec<StoredObject>, PrivateError> {
        if !self.root().exists() {
            return Ok(Vec::new());
        }
        self.directory.check()?;
        let (mut originals, _) = self.originals()?;
        let mut objects = Vec::new();
        for (digest, path) in self.named_objects()? {
            let originals = originals.remove(&digest).unwrap_or_default();
            // Somebody else may have collected it.
            objects.extend(object(digest, &path, originals));
        }
        Ok(objects)
    }

    /// Removes the copies that no process maps and whose originals are gone or have changed, and what is
    /// remembered of those. Any number of processes may use the store meanwhile.
    ///
    /// # Errors
    ///
    /// The store is not private, or cannot be read or written.
    pub fn collect(&self) -> Result<Collected, PrivateError> {
        let mut collected = Collected::default();
        if !self.root().exists() {
            return Ok(collected);
        }
        self.directory.check()?;
        let (mut originals, stale) = self.originals()?;
        for path in stale {
            let _ = fs::remove_file(path);
        }
        let mut left = HashSet::new();
        for (digest, path) in self.named_objects()? {
            let needed = originals.remove(&digest).unwrap_or_default();
            let Some(found) = object(digest, &path, needed) else {
                continue;
            };
            if !found.originals.is_empty() || !remove_unused(&path)? {
                left.insert(digest);
                collected.kept += 1;
                continue;
            }
            collected.bytes += found.size;
            collected.removed.push(found);
        }
        for path in list(&self.root().join("layouts"))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let digest = name.split('-').next().unwrap_or_default().parse();
            if !digest.is_ok_and(|digest| left.contains(&digest)) {
                let _ = fs::remove_file(&path);
            }
        }
        for directory in ["objects", "seen", "layouts"] {
            collected.unfinished += private::sweep(&self.root().join(directory));
        }
        Ok(collected)
    }

    /// The files of which each copy was made that are as they were, and the records of files that are
    /// not.
    fn originals(&self) -> Result<(Originals, Vec<PathBuf>), PrivateError> {
        let mut originals = Originals::new();
        let mut stale = Vec::new();
        for path in list(&self.root().join("seen"))? {
            if is_hidden(&path) {
                continue;
            }
            let live = Seen::read(&path).and_then(|seen| {
                let original = seen.path?;
                let same = discover::identity_of(&original).ok()? == seen.original;
                same.then_some((seen.digest, original))
            });
            match live {
                Some((digest, original)) => originals.entry(digest).or_default().push(original),
                None => stale.push(path),
            }
        }
        Ok((originals, stale))
    }

    fn named_objects(&self) -> Result<Vec<(Digest, PathBuf)>, PrivateError> {
        let mut named: Vec<(Digest, PathBuf)> = list(&self.copies())?
            .into_iter()
            .filter_map(|path| {
                let stem = path.file_stem()?.to_str()?;
                Some((stem.parse().ok()?, path))
            })
            .collect();
        named.sort();
        Ok(named)
    }
}

fn object(digest: Digest, path: &Path, originals: Vec<PathBuf>) -> Option<StoredObject> {
    let file = discover::open_library(path).ok()?;
    let size = file.metadata().ok()?.len();
    let note = discover::read_note_of(&file, path).ok().flatten();
    let manifest = note.and_then(|note| Manifest::from_json(&note).ok());
    let (plugin, version) = match manifest {
        Some(Manifest {
            kind,
            name,
            version,
            ..
        }) => (Some(PluginId { kind, name }), Some(version)),
        None => (None, None),
    };
    Some(StoredObject {
        digest,
        size,
        plugin,
        version,
        originals,
        in_use: is_locked(&file),
    })
}

fn is_locked(file: &File) -> bool {
    // Given back at once: who comes meanwhile waits for as long as that takes.
    match file.try_lock() {
        Ok(()) => file.unlock().is_err(),
        Err(_) => true,
    }
}

/// Removes a copy that nobody maps; false where somebody does.
fn remove_unused(path: &Path) -> Result<bool, PrivateError> {
    let Ok(file) = discover::open_library(path) else {
        return Ok(false);
    };
    if file.try_lock().is_err() {
        return Ok(false);
    }
    // Who opened it before, and waits for its lock, finds that it is gone.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(PrivateError::io("remove", path)(error))
        }
        _ => Ok(true),
    }
}

/// The files of a directory; none where it is not there.
fn list(directory: &Path) -> Result<Vec<PathBuf>, PrivateError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(PrivateError::io("read", directory))?,
    };
    let paths: io::Result<Vec<PathBuf>> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    paths.map_err(PrivateError::io("read", directory))
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b".")
}
