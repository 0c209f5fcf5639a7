//! What the log's last record was, beside the log: so that records that are cut off are missed.
//!
//! The file is also what processes lock that append, as it is never renamed, and where one that waits for
//! the lock says so.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::AuditError;
use super::file;
use super::mark::AuditMark;

/// How long the text is, with spaces at its end.
const LENGTH: usize = 128;

/// How long another process is waited for. It lets go of the lock ten times a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_micros(250);

/// The file beside the log.
#[derive(Debug)]
pub(super) struct Head {
    path: PathBuf,
    file: File,
    written: AuditMark,
}

impl Head {
    /// Opens the head of the log in this file.
    pub(super) fn open(log: &Path) -> Result<Self, AuditError> {
        let path = path(log);
        let file = file::open(&path, false)?;
        Ok(Self {
            path,
            file,
            written: AuditMark::START,
        })
    }

    /// Takes the lock, for which another process may have to be waited.
    pub(super) fn lock(&mut self) -> Result<(), AuditError> {
        let begun = Instant::now();
        loop {
            match self.file.try_lock() {
                // Who removed the file would have two processes append at once.
                Ok(()) if file::is_there(&self.file, &self.path) => return self.begin(),
                Ok(()) => self.file = file::open(&self.path, false)?,
                Err(TryLockError::WouldBlock) => {
                    if begun.elapsed() > PATIENCE {
                        return Err(AuditError::Held {
                            path: self.path.clone(),
                        });
                    }
                    // Whoever holds it looks for this when it lets go.
                    let _ = self.put(LENGTH as u64, b"w");
                    std::thread::sleep(LOOK);
                }
                Err(TryLockError::Error(source)) => {
                    return Err(AuditError::io("lock", &self.path)(source));
                }
            }
        }
    }

    /// Lets a new head say that there is no record: an empty one is one that somebody has emptied.
    fn begin(&self) -> Result<(), AuditError> {
        let begun = self.file.metadata().and_then(|metadata| {
            if metadata.len() == 0 {
                self.put(0, &render(AuditMark::START))?;
            }
            Ok(())
        });
        begun.map_err(AuditError::io("write", &self.path))
    }

    /// Gives the lock up, and says whether another process waits for it.
    pub(super) fn unlock(&self) -> bool {
        let mut wish = [0];
        let mut source = &self.file;
        let read = source
            .seek(SeekFrom::Start(LENGTH as u64))
            .and_then(|_| source.read(&mut wish));
        let is_wished = read.is_ok() && wish == *b"w";
        if is_wished {
            let _ = self.put(LENGTH as u64, b"\n");
        }
        let _ = self.file.unlock();
        is_wished
    }

    /// What it says; nothing where it is empty or no head.
    pub(super) fn read(&self) -> Option<AuditMark> {
        let mut text = Vec::new();
        let mut source = &self.file;
        source.seek(SeekFrom::Start(0)).ok()?;
        source.take(LENGTH as u64).read_to_end(&mut text).ok()?;
        parse(&text)
    }

    /// Lets it say that this is the last record, if it does not know of a later one.
    pub(super) fn write(&mut self, last: AuditMark) -> Result<(), AuditError> {
        if last.seq <= self.written.seq {
            return Ok(());
        }
        if self.read().is_none_or(|there| there.seq < last.seq) {
            // In place, as it is locked; it is within one sector.
            self.put(0, &render(last))
                .map_err(AuditError::io("write", &self.path))?;
        }
        self.written = last;
        Ok(())
    }

    fn put(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut target = &self.file;
        target.seek(SeekFrom::Start(at))?;
        target.write_all(bytes)
    }
}

/// The path of the head of the log in this file.
pub(super) fn path(log: &Path) -> PathBuf {
    file::beside(log, "head")
}

/// The text of a head.
fn render(last: AuditMark) -> Vec<u8> {
    let text = last.to_string();
    format!("{text:<width$}\n", width = LENGTH - 1).into_bytes()
}

/// Reads the text of a head.
pub(super) fn parse(text: &[u8]) -> Option<AuditMark> {
    let text = std::str::from_utf8(text.get(..LENGTH)?).ok()?;
    text.strip_suffix('\n')?.trim_end_matches(' ').parse().ok()
}
