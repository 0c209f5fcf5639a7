//! Makes a copy and finds out what it is: its digest, and whether it is what was signed.
//!
//! What takes long goes on at once: the copy is written to the disk while it is hashed, once for its
//! digest and once for its signature. All read the copy, which nobody else can write to.

use std::fs::File;
use std::io;
use std::path::Path;
use std::thread;

use sha2::{Digest as _, Sha256};

use super::super::content::{Examined, Terms, Verified};
use super::{unreadable, unusable};
use crate::discover;
use crate::error::Rejection;
use crate::id::Digest;
use crate::private::{PrivateError, Temporary};

/// How much is read at once.
const CHUNK: usize = 256 << 10;

/// What a copy was found to be.
pub(super) struct Copied {
    pub(super) digest: Digest,
    /// Whether it is what was signed, where that was asked.
    pub(super) signature: Option<Verified>,
    /// Whether it has a hazard for which it is refused.
    pub(super) findings: Result<(), Box<Rejection>>,
}

/// Copies a file and finds out what was copied; tells a fault of the original from one of the store.
/// When it returns, the copy survives a loss of power.
pub(super) fn copy(
    original: &mut File,
    temporary: &Temporary,
    terms: &Terms,
    path: &Path,
) -> Result<Copied, Box<Rejection>> {
    let store = |error: PrivateError| unusable(path, &error);
    io::copy(original, &mut temporary.file()).map_err(|error| {
        // Both files are in it; the original's would be met again.
        match read_on(original) {
            Ok(()) => store(PrivateError::io("write", temporary.path())(error)),
            Err(error) => unreadable(path, &error),
        }
    })?;
    let file = temporary.file();
    let (digest, signature, findings, synced) = thread::scope(|scope| {
        let syncing = scope.spawn(|| temporary.sync());
        let verifying = terms
            .signature()
            .map(|_| scope.spawn(|| verify(terms, file)));
        let digest = hash(file);
        // The system's loader is not the only one that trips over what is no library.
        let findings = discover::check_loadable(file, path)
            .map_err(Box::new)
            .and_then(|()| terms.check_findings(file, path, Examined::Never));
        (digest, verifying.map(joined), findings, joined(syncing))
    });
    synced.map_err(store)?;
    let digest =
        digest.map_err(|error| store(PrivateError::io("read", temporary.path())(error)))?;
    Ok(Copied {
        digest,
        signature,
        findings,
    })
}

/// Whether more can be read of a file.
fn read_on(file: &File) -> io::Result<()> {
    let end = file.metadata()?.len();
    discover::read_at(file, end.saturating_sub(1), &mut [0]).map(drop)
}

fn joined<T>(handle: thread::ScopedJoinHandle<'_, T>) -> T {
    handle
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The SHA-256 of a file, from its beginning.
pub(super) fn hash(file: &File) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    each_chunk(file, |bytes| hasher.update(bytes))?;
    Ok(Digest::from_bytes(hasher.finalize().into()))
}

/// Whether a file is what was signed.
pub(super) fn verify(terms: &Terms, file: &File) -> Verified {
    terms.verify(|each| each_chunk(file, each))
}

/// Reads a file from its beginning to its end, wherever others are in it.
fn each_chunk(file: &File, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut offset = 0;
    loop {
        let read = discover::read_at(file, offset, &mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        each(buffer.get(..read).unwrap_or_default());
        offset += read as u64;
    }
}
