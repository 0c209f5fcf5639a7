//! Follows the chain through all files of the log.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::error::AuditError;
use super::file;
use super::head;
use super::mark::{AuditMark, hash, hex};
use super::record::{LONGEST_LINE, beginning, is_json, time};
use crate::id::lossy;

/// How many findings are told one by one.
const MOST_FINDINGS: usize = 100;

/// How much is read at once, in bytes.
const BUFFER: usize = 1 << 20;

/// What is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Flaw {
    /// Its end is missing: by a loss of power, or because somebody has removed it.
    Cut,
    /// It is not as it was written.
    Tampered,
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cut => "cut",
            Self::Tampered => "tampered",
        })
    }
}

/// Where a log is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditFinding {
    /// What it comes to.
    pub flaw: Flaw,
    /// The file.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: u64,
    /// The number of the record, where the line has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What was found there.
    pub found: String,
    /// What should have been.
    pub expected: String,
}

/// What came of following the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditReport {
    /// How many files there are.
    pub files: usize,
    /// How many records.
    pub records: u64,
    /// The number of the first one.
    pub first_seq: Option<u64>,
    /// When it was appended.
    pub first_time: Option<Timestamp>,
    /// When the last one was.
    pub last_time: Option<Timestamp>,
    /// The last one's number and hash: kept elsewhere, they show later that nothing up to it was changed.
    pub last: Option<AuditMark>,
    /// What is wrong, the first hundred places.
    pub findings: Vec<AuditFinding>,
    /// How many places there are.
    pub flaws: u64,
    /// The worst of what is wrong; nothing where the log is whole.
    pub verdict: Option<Flaw>,
}

impl AuditReport {
    fn add(&mut self, finding: AuditFinding) {
        self.flaws += 1;
        self.verdict = self.verdict.max(Some(finding.flaw));
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        }
    }
}

/// Verifies the log in this file and those that were completed before it; with a record that is known from
/// elsewhere, where one is.
///
/// # Errors
///
/// There is no log, or it cannot be read. What is wrong in it is no error: the report tells that.
pub fn verify_audit(path: &Path, expected: Option<AuditMark>) -> Result<AuditReport, AuditError> {
    // The head first: what is appended meanwhile it does not know of.
    let head = read_head(path)?;
    let files = open_all(path)?;
    if files.is_empty() && head.is_none() {
        return Err(AuditError::Missing {
            path: path.to_owned(),
        });
    }
    let mut walk = Walk {
        report: AuditReport {
            files: files.len(),
            ..AuditReport::default()
        },
        last: AuditMark::START,
        head: None,
        expected,
        place: (path.to_owned(), 0),
    };
    match head {
        Some(text) => match head::parse(&text) {
            Some(mark) => walk.head = Some(mark),
            // One that was just made is empty, and so is the log.
            None if text.is_empty() && files.iter().all(|(_, _, length)| *length == 0) => {}
            None => walk.add_to_head("no number and hash of a record"),
        },
        None => walk.add_to_head("no such file"),
    }
    let count = files.len();
    for (index, (path, file, length)) in files.into_iter().enumerate() {
        walk.file(&path, file, length, index + 1 == count)?;
    }
    walk.end();
    Ok(walk.report)
}

fn read_head(path: &Path) -> Result<Option<Vec<u8>>, AuditError> {
    let path = head::path(path);
    let mut text = Vec::new();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(AuditError::io("read", &path)(error)),
    };
    let read = file.take(1 << 10).read_to_end(&mut text);
    read.map_err(AuditError::io("read", &path))?;
    Ok(Some(text))
}

type Opened = (PathBuf, File, u64);

/// All files of the log as they are at one moment, in their order.
pub(super) fn open_all(path: &Path) -> Result<Vec<Opened>, AuditError> {
    let open = |path: PathBuf| -> Result<Opened, AuditError> {
        let file = File::open(&path).map_err(AuditError::io("read", &path))?;
        let length = file
            .metadata()
            .map_err(AuditError::io("read", &path))?
            .len();
        Ok((path, file, length))
    };
    loop {
        let segments = file::segments(path)?;
        let current = match fs::symlink_metadata(path) {
            Ok(_) => Some(open(path.to_owned())),
            Err(_) => None,
        };
        if file::segments(path)? != segments {
            // One was completed in between.
            continue;
        }
        let mut files = segments
            .into_iter()
            .map(|(_, path)| open(path))
            .collect::<Result<Vec<_>, _>>()?;
        files.extend(current.transpose()?);
        return Ok(files);
    }
}

struct Walk {
    report: AuditReport,
    /// The line before.
    last: AuditMark,
    head: Option<AuditMark>,
    expected: Option<AuditMark>,
    place: (PathBuf, u64),
}

impl Walk {
    fn add(&mut self, flaw: Flaw, seq: Option<u64>, found: String, expected: String) {
        let (file, line) = self.place.clone();
        self.report.add(AuditFinding {
            flaw,
            file,
            line,
            seq,
            found,
            expected,
        });
    }

    fn add_to_head(&mut self, found: &str) {
        let log = self.place.0.clone();
        self.place.0 = head::path(&log);
        let expected = "the number and the hash of the last record that was synced";
        self.add(Flaw::Tampered, None, found.to_owned(), expected.to_owned());
        self.place.0 = log;
    }

    fn file(
        &mut self,
        path: &Path,
        file: File,
        length: u64,
        is_last: bool,
    ) -> Result<(), AuditError> {
        self.place = (path.to_owned(), 0);
        let read = |source| AuditError::io("read", path)(source);
        let mut source = BufReader::with_capacity(BUFFER, file.take(length));
        let mut line = Vec::with_capacity(1 << 10);
        let mut first = None;
        let mut last_line = Vec::new();
        loop {
            line.clear();
            let mut one = source.by_ref().take(LONGEST_LINE as u64);
            if one.read_until(b'\n', &mut line).map_err(read)? == 0 {
                break;
            }
            self.place.1 += 1;
            if line.pop_if(|byte| *byte == b'\n').is_some() {
                if first.is_none() {
                    first = Some(line.clone());
                }
                self.line(&line);
                std::mem::swap(&mut line, &mut last_line);
            } else if line.len() < LONGEST_LINE && is_last {
                let grown = source.get_ref().get_ref().metadata();
                // One that is being written at this moment.
                if grown.is_ok_and(|now| now.len() == length) {
                    let found = format!("{} bytes of a record that is incomplete", line.len());
                    let whole = "a whole record, with a line break".to_owned();
                    self.add(Flaw::Cut, None, found, whole);
                }
            } else {
                let found = format!("{} bytes without a line break", line.len());
                let expected = format!("a record of at most {LONGEST_LINE} bytes");
                self.add(Flaw::Tampered, None, found, expected);
            }
        }
        if self.report.first_time.is_none() {
            self.report.first_time = first.as_deref().and_then(time);
        }
        if let Some(last) = time(&last_line) {
            self.report.last_time = Some(last);
        }
        Ok(())
    }

    /// Follows the chain by one line.
    fn line(&mut self, line: &[u8]) {
        let hash = hash(line);
        let next = self.last.seq + 1;
        let known = beginning(line).filter(|_| is_json(line));
        let Some((seq, prev)) = known else {
            let start: String = String::from_utf8_lossy(line).chars().take(60).collect();
            let found = format!("`{}`, which is no record", start.escape_debug());
            self.add(Flaw::Tampered, None, found, format!("record {next}"));
            // As if it were the one that is expected: what follows it is told by its hash.
            self.last = AuditMark { seq: next, hash };
            return;
        };
        self.report.records += 1;
        self.report.first_seq.get_or_insert(seq);
        if seq != next {
            // The log itself tells of what is missing at its end, and numbers on from there.
            let is_told = seq > next && is_notice(line);
            let flaw = if is_told { Flaw::Cut } else { Flaw::Tampered };
            let found = format!("record {seq}");
            self.add(flaw, Some(seq), found, format!("record {next}"));
        } else if *prev != hex(&self.last.hash) {
            let found = format!("`prev` `{}`", String::from_utf8_lossy(prev).escape_debug());
            let expected = format!(
                "`{}`, the hash of the line before: that line or this one was changed",
                self.last.hash
            );
            self.add(Flaw::Tampered, Some(seq), found, expected);
        }
        self.last = AuditMark { seq, hash };
        self.report.last = Some(self.last);
        self.head = self.compare(self.head, "as the head says");
        self.expected = self.compare(self.expected, "as was expected");
    }

    /// Compares a record that is known from elsewhere, once it is there.
    fn compare(&mut self, known: Option<AuditMark>, says: &str) -> Option<AuditMark> {
        let mark = known.filter(|mark| mark.seq == self.last.seq);
        let Some(AuditMark { seq, hash }) = mark else {
            return known;
        };
        if hash != self.last.hash {
            let found = format!("a record with the hash `{}`", self.last.hash);
            let expected = format!("`{hash}`, {says}");
            self.add(Flaw::Tampered, Some(seq), found, expected);
        }
        None
    }

    /// What is known from elsewhere must have been met.
    fn end(&mut self) {
        let (head, expected) = (self.head.take(), self.expected.take());
        for (mark, says) in [(head, "as the head says"), (expected, "as was expected")] {
            let Some(AuditMark { seq, hash }) = mark.filter(|mark| mark.seq > 0) else {
                continue;
            };
            let (flaw, found) = if seq > self.last.seq {
                let last = self.last.seq;
                (Flaw::Cut, format!("record {last} as the last one"))
            } else {
                (Flaw::Tampered, format!("no record {seq}"))
            };
            let expected = format!("record {seq} with the hash `{hash}`, {says}");
            self.add(flaw, Some(seq), found, expected);
        }
    }
}

/// Whether a record is the log's own, of what is missing.
fn is_notice(line: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Acted<'a> {
        action: &'a str,
    }

    serde_json::from_slice::<Acted<'_>>(line).is_ok_and(|acted| acted.action == "audit.cut")
}
