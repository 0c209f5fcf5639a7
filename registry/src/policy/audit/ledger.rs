//! Appends to the chain: under one lock of the process, and one between processes.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::error::AuditError;
use super::file::{self, Tail};
use super::head::Head;
use super::mark::{AuditMark, hash};
use super::record::{Clock, compose, notice};
use super::settings::{AuditSettings, AuditSync};

/// How many records are kept at most that could not be written.
const MOST_KEPT: usize = 10_000;

/// How many bytes they are at most.
const MOST_KEPT_BYTES: usize = 32 << 20;

/// How soon after the one before a record comes in a burst, in microseconds.
const SOON: i64 = 20;

/// How many come so soon before one is held back.
const BURST: u32 = 64;

/// How long other processes are let in that wait.
const COURTESY: Duration = Duration::from_millis(2);

/// The end of the log, and what is to be put there.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    rotate: u64,
    is_synced: bool,
    head: Head,
    file: Arc<File>,
    /// How long the file is, with nothing but whole lines.
    length: u64,
    last: AuditMark,
    /// Whether this process holds the lock.
    is_held: bool,
    /// Until when others are let in.
    courtesy: Option<Instant>,
    /// Whether a part of a line may be behind the last one.
    is_ragged: bool,
    /// Whether the file has to be looked for anew.
    is_stale: bool,
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    lost: u64,
    /// How many lines this process has appended.
    written: u64,
    /// What is composed and not written: the line of the record that is held back.
    lines: Vec<u8>,
    held: Option<Held>,
    /// Whether one may be held back.
    holds: bool,
    /// When the last record came, in microseconds, and how many before it came soon after each other.
    came: i64,
    streak: u32,
    clock: Clock,
}

/// A record that is written with the next one.
#[derive(Debug)]
struct Held {
    /// What was the last one before it.
    before: AuditMark,
    own: AuditMark,
    time: Timestamp,
    /// Where its body begins, and where its line ends.
    body: Range<usize>,
}

/// A record that could not be written: it has its place in the chain when it is.
#[derive(Debug)]
struct Kept {
    time: Timestamp,
    body: Vec<u8>,
    /// What it was to be in the chain, if it may have been written in spite of what was said.
    tried: Option<AuditMark>,
}

impl Ledger {
    /// Opens the log, and looks at its end.
    pub(super) fn open(path: &Path, settings: &AuditSettings) -> Result<Self, AuditError> {
        file::prepare(path)?;
        let head = Head::open(path)?;
        let mut ledger = Self {
            path: path.to_owned(),
            rotate: settings.rotate,
            is_synced: settings.sync != AuditSync::Never,
            file: Arc::new(file::open(path, true)?),
            head,
            length: 0,
            last: AuditMark::START,
            is_held: false,
            courtesy: None,
            is_ragged: false,
            is_stale: true,
            kept: VecDeque::new(),
            kept_bytes: 0,
            lost: 0,
            written: 0,
            lines: Vec::new(),
            held: None,
            holds: settings.sync != AuditSync::Always,
            came: i64::MIN,
            streak: 0,
            clock: Clock::default(),
        };
        ledger.hold()?;
        ledger.settle()?;
        Ok(ledger)
    }

    /// Appends a record, after those that could not be written before; or keeps it. In a burst it may be held back
    /// until the next one comes, or until somebody writes it.
    pub(super) fn append(&mut self, body: &[u8]) -> Result<u64, AuditError> {
        self.append_at(Timestamp::now(), body)
    }

    fn append_at(&mut self, time: Timestamp, body: &[u8]) -> Result<u64, AuditError> {
        let may_be_held = self.is_in_a_burst(time) && self.holds;
        let written = self
            .hold()
            .and_then(|()| self.settle())
            .and_then(|()| self.write(time, body, may_be_held));
        if written.is_err() {
            let body = body.to_vec();
            self.keep(Kept {
                time,
                body,
                tried: None,
            });
        }
        written?;
        Ok(self.last.seq)
    }

    /// Takes note of when a record comes; whether many have come soon after each other.
    fn is_in_a_burst(&mut self, time: Timestamp) -> bool {
        let before = std::mem::replace(&mut self.came, time.as_microsecond());
        let is_soon = (0..=SOON).contains(&self.came.saturating_sub(before));
        self.streak = if is_soon {
            self.streak.saturating_add(1)
        } else {
            0
        };
        self.streak >= BURST
    }

    /// Lets records be held back, or not: where nobody would write them soon.
    pub(super) const fn let_hold(&mut self, holds: bool) {
        self.holds = holds;
    }

    /// Whether a record is held back.
    pub(super) const fn is_holding(&self) -> bool {
        self.held.is_some()
    }

    /// Writes the record that is held back, or keeps it.
    pub(super) fn flush(&mut self) -> Result<(), AuditError> {
        match self.held {
            Some(_) => self.put(0),
            None => Ok(()),
        }
    }

    /// Writes what could not be written before.
    pub(super) fn retry(&mut self) -> Result<(), AuditError> {
        self.hold()?;
        self.settle()
    }

    /// Whether there is something that could not be written.
    pub(super) fn is_behind(&self) -> bool {
        !self.kept.is_empty() || self.lost > 0 || self.is_stale || self.is_ragged
    }

    pub(super) const fn is_held(&self) -> bool {
        self.is_held
    }

    /// How many lines this process has appended.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    /// The last record, and the file that it is in.
    pub(super) fn end(&self) -> (AuditMark, Arc<File>) {
        (self.last, Arc::clone(&self.file))
    }

    /// Lets the head say that records up to this one are there.
    pub(super) fn write_head(&mut self, last: AuditMark) -> Result<(), AuditError> {
        self.head.write(last)
    }

    /// Gives the lock up, and lets others in that wait. Nothing is held back any more.
    pub(super) fn release(&mut self) {
        debug_assert!(!self.is_holding(), "it would be written without the lock");
        if self.is_held {
            self.is_held = false;
            self.courtesy = self.head.unlock().then(|| Instant::now() + COURTESY);
        }
    }

    /// Takes the lock, and makes sure that the end of the log is known and whole.
    fn hold(&mut self) -> Result<(), AuditError> {
        if !self.is_held {
            if let Some(until) = self.courtesy.take() {
                std::thread::sleep(until.saturating_duration_since(Instant::now()));
            }
            self.head.lock()?;
            self.is_held = true;
            let length = self.file.metadata().map(|metadata| metadata.len());
            self.is_stale |= !length.is_ok_and(|length| length == self.length)
                || !file::is_there(&self.file, &self.path);
        }
        if self.is_stale {
            self.refresh()?;
        }
        if self.is_ragged {
            self.trim()?;
        }
        Ok(())
    }

    /// Looks anew for the file and the end of the chain, and cuts off what is no whole record.
    fn refresh(&mut self) -> Result<(), AuditError> {
        let file = file::open(&self.path, true)?;
        let tail = Tail::of(&file, &self.path)?;
        let mut last = tail.last;
        if last.is_none()
            && let Some((_, path)) = file::segments(&self.path)?.pop()
        {
            // Somebody was killed who had just completed it.
            let completed = File::open(&path).map_err(AuditError::io("read", &path))?;
            last = Tail::of(&completed, &path)?.last;
        }
        let found = last.unwrap_or(AuditMark::START);
        let known = match self.head.read() {
            Some(head) if head.seq > self.last.seq => head,
            _ => self.last,
        };
        if known.seq == found.seq && known.hash != found.hash {
            return Err(AuditError::Foreign {
                path: self.path.clone(),
                found: format!("`{found}` as the last record"),
                expected: format!("`{known}`, as its head says"),
            });
        }
        if tail.rest > 0 {
            file.set_len(tail.whole)
                .map_err(AuditError::io("cut", &self.path))?;
        }
        self.file = Arc::new(file);
        self.length = tail.whole;
        self.is_ragged = false;
        self.is_stale = false;
        self.last = found;
        // Of two lines that were written at once, the first may be there whole.
        if self
            .kept
            .front()
            .is_some_and(|kept| kept.tried == Some(found))
            && let Some(kept) = self.kept.pop_front()
        {
            self.kept_bytes -= kept.body.len();
            self.written += 1;
        }
        let mut notices = Vec::new();
        if known.seq > found.seq {
            // Numbered on from what is missing: that it is, shows for ever.
            self.last = known;
            let missing = known.seq - found.seq;
            let words = format!("{missing} records after record {} are missing", found.seq);
            notices.push(notice("audit.cut", missing, &words));
        }
        if tail.rest > 0 {
            let words = format!("cut off {} bytes of an incomplete record", tail.rest);
            notices.push(notice("audit.cut", tail.rest, &words));
        }
        for body in notices.into_iter().rev() {
            self.kept_bytes += body.len();
            self.kept.push_front(Kept {
                time: Timestamp::now(),
                body,
                tried: None,
            });
        }
        Ok(())
    }

    /// Writes what could not be written before, in its order.
    fn settle(&mut self) -> Result<(), AuditError> {
        while let Some(kept) = self.kept.pop_front() {
            if let Err(error) = self.write(kept.time, &kept.body, false) {
                self.kept.push_front(kept);
                return Err(error);
            }
            self.kept_bytes -= kept.body.len();
        }
        if self.lost > 0 {
            let words = format!("{} records could not be written, nor kept", self.lost);
            self.write(
                Timestamp::now(),
                &notice("audit.lost", self.lost, &words),
                false,
            )?;
            self.lost = 0;
        }
        Ok(())
    }

    /// Keeps a record that could not be written, if there is room.
    fn keep(&mut self, kept: Kept) {
        let bytes = self.kept_bytes + kept.body.len();
        // After one that is lost none is kept: they would change places.
        if self.lost > 0 || self.kept.len() >= MOST_KEPT || bytes > MOST_KEPT_BYTES {
            self.lost += 1;
        } else {
            self.kept_bytes = bytes;
            self.kept.push_back(kept);
        }
    }

    /// Writes one record and what is held back before it, whole or not at all; or holds it back, if nothing is.
    fn write(&mut self, time: Timestamp, body: &[u8], may_be_held: bool) -> Result<(), AuditError> {
        let (before, start) = (self.last, self.lines.len());
        compose(&mut self.lines, &mut self.clock, &before, time, body);
        let end = self.lines.len();
        self.last = AuditMark {
            seq: before.seq + 1,
            hash: hash(&self.lines[start..end - 1]),
        };
        if may_be_held && self.held.is_none() {
            self.held = Some(Held {
                before,
                own: self.last,
                time,
                body: end - body.len()..end,
            });
            return Ok(());
        }
        let written = self.put(1);
        if written.is_err() && self.last.seq > before.seq {
            self.last = before;
        }
        written
    }

    /// Writes the lines that are composed: the one that is held back, which is kept where that fails, and so many
    /// more.
    fn put(&mut self, more: u64) -> Result<(), AuditError> {
        let written = self.put_lines();
        let held = self.held.take();
        match &written {
            Ok(()) => self.written += more + u64::from(held.is_some()),
            Err(_) => {
                if let Some(held) = held {
                    self.last = held.before;
                    self.keep(Kept {
                        time: held.time,
                        body: self.lines[held.body].to_vec(),
                        tried: Some(held.own),
                    });
                }
            }
        }
        self.lines.clear();
        written
    }

    fn put_lines(&mut self) -> Result<(), AuditError> {
        let added = self.lines.len() as u64;
        if self.length > 0 && self.length + added > self.rotate {
            self.rotate()?;
        }
        let written = loop {
            match file::append(&self.file, &self.lines, self.length) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => break written,
            }
        };
        let failed = match written {
            Ok(count) if count == self.lines.len() => {
                self.length += added;
                return Ok(());
            }
            Ok(count) => io::Error::new(
                io::ErrorKind::WriteZero,
                format!("{count} of {added} bytes were written"),
            ),
            Err(error) => error,
        };
        self.is_ragged = true;
        // Where this fails too, it is tried again before anything is written.
        let _ = self.trim();
        Err(AuditError::io("write", &self.path)(failed))
    }

    /// Cuts off what was written of a line.
    fn trim(&mut self) -> Result<(), AuditError> {
        self.file
            .set_len(self.length)
            .map_err(AuditError::io("cut", &self.path))?;
        self.is_ragged = false;
        Ok(())
    }

    /// Completes the file, and begins the next one. Whoever is killed in between leaves no file of this
    /// name, and the chain goes on from the one that was completed.
    fn rotate(&mut self) -> Result<(), AuditError> {
        if self.is_synced {
            self.file
                .sync_data()
                .map_err(AuditError::io("sync", &self.path))?;
        }
        let last = file::segments(&self.path)?.pop();
        let number = last.map_or(1, |(number, _)| number + 1);
        // Under the lock: nobody else makes one of this name.
        fs::rename(&self.path, file::segment(&self.path, number))
            .map_err(AuditError::io("rename", &self.path))?;
        // Until the next one is there.
        self.is_stale = true;
        self.file = Arc::new(file::open(&self.path, true)?);
        self.length = 0;
        self.is_stale = false;
        if self.is_synced {
            file::sync_directory(&self.path);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
