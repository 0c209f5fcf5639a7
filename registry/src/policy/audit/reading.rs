//! Reads the log, the newest records first.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::error::AuditError;
use super::record::{AuditRecord, AuditStatus, LONGEST_LINE};
use super::verify::open_all;

/// How much is read at once, in bytes.
const BLOCK: u64 = 64 << 10;

/// Which records are read: those that fit all that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditFilter {
    /// Of this tenant.
    pub tenant: Option<String>,
    /// Of calls to this node type.
    pub node_type: Option<String>,
    /// With this status.
    pub status: Option<AuditStatus>,
    /// From this time on.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

impl AuditFilter {
    /// Sets the tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Sets the node type.
    #[must_use]
    pub fn node_type(mut self, node_type: impl Into<String>) -> Self {
        self.node_type = Some(node_type.into());
        self
    }

    /// Sets the status.
    #[must_use]
    pub fn status(mut self, status: AuditStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Sets the first time.
    #[must_use]
    pub fn since(mut self, since: Timestamp) -> Self {
        self.since = Some(since);
        self
    }

    /// Sets the time before which records are read.
    #[must_use]
    pub fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    fn fits(&self, record: &AuditRecord) -> bool {
        let is = |asked: &Option<String>, found: &Option<String>| {
            asked.is_none() || asked.as_deref() == Some(found.as_deref().unwrap_or_default())
        };
        is(&self.tenant, &record.tenant)
            && is(&self.node_type, &record.node_type)
            && (self.status.is_none() || self.status == record.status)
            && self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time < until)
    }
}

/// Reads the log in this file and those that were completed before it, as it is now.
///
/// # Errors
///
/// There is no log, or it cannot be read.
pub fn read_audit(path: &Path, filter: AuditFilter) -> Result<AuditRecords, AuditError> {
    let files = open_all(path)?;
    if files.is_empty() {
        return Err(AuditError::Missing {
            path: path.to_owned(),
        });
    }
    Ok(AuditRecords {
        filter,
        files,
        current: None,
    })
}

/// The records of a log, the newest first. What is left of one that was not completed is passed over.
#[derive(Debug)]
pub struct AuditRecords {
    filter: AuditFilter,
    /// Those that are still to be read, the newest last.
    files: Vec<(PathBuf, File, u64)>,
    current: Option<Backward>,
}

impl Iterator for AuditRecords {
    type Item = Result<AuditRecord, AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(current) = &mut self.current else {
                let (path, file, length) = self.files.pop()?;
                self.current = Some(Backward::new(path, file, length));
                continue;
            };
            match current.line() {
                Ok(Some(line)) => match serde_json::from_slice::<AuditRecord>(&line) {
                    Ok(record) if self.filter.fits(&record) => return Some(Ok(record)),
                    Ok(_) => {}
                    Err(error) => {
                        return Some(Err(AuditError::Malformed {
                            path: current.path.clone(),
                            found: format!("a line that is none: {error}"),
                        }));
                    }
                },
                Ok(None) => self.current = None,
                Err(error) => {
                    self.current = None;
                    self.files.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}

/// Reads a file's lines, the last one first.
#[derive(Debug)]
struct Backward {
    path: PathBuf,
    file: File,
    /// How much of the file is before what is in the buffer.
    before: u64,
    buffer: Vec<u8>,
    /// Whether what is behind the last line break was passed over.
    is_begun: bool,
}

impl Backward {
    const fn new(path: PathBuf, file: File, length: u64) -> Self {
        Self {
            path,
            file,
            before: length,
            buffer: Vec::new(),
            is_begun: false,
        }
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, AuditError> {
        loop {
            if let Some(at) = self.buffer.iter().rposition(|byte| *byte == b'\n') {
                let line = self.buffer.split_off(at + 1);
                self.buffer.truncate(at);
                if std::mem::replace(&mut self.is_begun, true) {
                    return Ok(Some(line));
                }
            } else if self.before > 0 {
                if self.buffer.len() > 2 * LONGEST_LINE {
                    return Err(AuditError::Malformed {
                        path: self.path.clone(),
                        found: "a line that is too long".to_owned(),
                    });
                }
                self.fill()?;
            } else {
                let rest = std::mem::take(&mut self.buffer);
                return Ok((self.is_begun && !rest.is_empty()).then_some(rest));
            }
        }
    }

    fn fill(&mut self) -> Result<(), AuditError> {
        let start = self.before.saturating_sub(BLOCK);
        let read = AuditError::io("read", &self.path);
        let count = usize::try_from(self.before - start).unwrap_or_default();
        let mut block = vec![0; count];
        self.file
            .seek(SeekFrom::Start(start))
            .and_then(|_| self.file.read_exact(&mut block))
            .map_err(read)?;
        block.append(&mut self.buffer);
        self.buffer = block;
        self.before = start;
        Ok(())
    }
}
