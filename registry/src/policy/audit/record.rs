//! What one line of the log says.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;
use std::time::Duration;

use floe_plugin_api::{ErrorKind, Value};
use jiff::Timestamp;
use semver::Version;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::mark::{AuditMark, hash, hex};
use crate::id::{Digest, PluginId};

/// How long a line is at most, in bytes, with its line break.
pub(super) const LONGEST_LINE: usize = 64 << 10;

/// How long a text of the caller's is at most, in bytes: nine of them fit a line, whatever has to be escaped.
const LONGEST_TEXT: usize = 1 << 10;

/// How deep an input or output is at most: readers of JSON stop at 128.
const DEEPEST: usize = 100;

/// What begins each line.
const SEQ: &[u8] = b"{\"seq\":";
const PREV: &[u8] = b",\"prev\":\"";
const TIME: &[u8] = b"\",\"time\":\"";

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AuditStatus {
    /// It was answered.
    Success,
    /// It failed, and was answered after all: by another attempt or by somebody else.
    Recovered,
    /// It failed, and that was let pass.
    Skipped,
    /// It failed.
    Failed,
    /// It was not allowed.
    Denied,
}

impl AuditStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [
        Self::Success,
        Self::Recovered,
        Self::Skipped,
        Self::Failed,
        Self::Denied,
    ];

    /// The word for it in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Recovered => "recovered",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Denied => "denied",
        }
    }
}

impl fmt::Display for AuditStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is not an [`AuditStatus`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found `{0}`, expected `success`, `recovered`, `skipped`, `failed` or `denied`")]
pub struct ParseAuditStatusError(String);

impl FromStr for AuditStatus {
    type Err = ParseAuditStatusError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| ParseAuditStatusError(text.to_owned()))
    }
}

/// What is to be recorded of a call. An empty text is nobody, or nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) user: &'a str,
    pub(crate) execution_id: &'a str,
    pub(crate) action: &'a str,
    pub(crate) node_type: &'a str,
    pub(crate) origin: Option<&'a Origin>,
    pub(crate) status: AuditStatus,
    pub(crate) error: Option<ErrorKind>,
    /// What was decided about it, in words.
    pub(crate) decision: &'a str,
    pub(crate) attempts: u32,
    pub(crate) answered_by: Option<&'a str>,
    /// What else was let through for it: node type, plugin, version and digest.
    pub(crate) fallbacks: &'a [String],
    pub(crate) duration: Duration,
    /// Already masked.
    pub(crate) input: Option<&'a Value>,
    pub(crate) output: Option<&'a Value>,
}

impl<'a> Entry<'a> {
    /// One of which no more is known.
    pub(crate) const fn new(action: &'a str, status: AuditStatus) -> Self {
        Self {
            tenant: "",
            user: "",
            execution_id: "",
            action,
            node_type: "",
            origin: None,
            status,
            error: None,
            decision: "",
            attempts: 0,
            answered_by: None,
            fallbacks: &[],
            duration: Duration::ZERO,
            input: None,
            output: None,
        }
    }

    /// Has somebody look at the end of its line, after the time: that is known before its place in the chain is.
    pub(super) fn with_body<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        thread_local! {
            /// What the last body was written to.
            static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
        }
        // A thread that ends has none.
        let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
        buffer.clear();
        let body = self.body(Body(buffer));
        let seen = look(&body);
        if body.capacity() <= LONGEST_LINE {
            let _ = BUFFER.try_with(|buffer| buffer.set(body));
        }
        seen
    }

    fn body(&self, mut body: Body) -> Vec<u8> {
        body.text(b",\"tenant\":", self.tenant);
        body.text(b",\"user\":", self.user);
        body.text(b",\"execution_id\":", self.execution_id);
        body.text(b",\"action\":", self.action);
        body.text(b",\"node_type\":", self.node_type);
        if let Some(Origin(text)) = self.origin {
            body.raw(text);
        }
        body.text(b",\"status\":", self.status.as_str());
        body.text(b",\"error\":", self.error.map_or("", ErrorKind::as_str));
        body.text(b",\"decision\":", self.decision);
        body.number(b",\"attempts\":", self.attempts.into());
        body.text(b",\"answered_by\":", self.answered_by.unwrap_or_default());
        if !self.fallbacks.is_empty() {
            body.raw(b",\"fallbacks\":");
            // Nothing that is written to memory fails.
            let _ = serde_json::to_writer(&mut body.0, self.fallbacks);
        }
        let duration = u64::try_from(self.duration.as_micros());
        body.number(b",\"duration_us\":", duration.unwrap_or(u64::MAX));
        body.value(b",\"input\":", self.input);
        body.value(b",\"output\":", self.output);
        body.end()
    }
}

/// Which build answered, as each record of it says: made into text once.
#[derive(Debug)]
pub(crate) struct Origin(Box<[u8]>);

impl Origin {
    /// A build of a plugin: its version, and the digest of its content where that is known.
    pub(crate) fn new(plugin: &PluginId, version: &Version, digest: Option<&Digest>) -> Self {
        let PluginId { kind, name } = plugin;
        // Letters, digits and signs that need no escape.
        let mut text = format!(r#","plugin":"{kind}/{name}","version":"{version}""#).into_bytes();
        if let Some(digest) = digest {
            text.extend_from_slice(b",\"digest\":\"");
            text.extend_from_slice(&hex(digest));
            text.push(b'"');
        }
        Self(text.into())
    }
}

/// The end of a line of which the log itself is the author.
pub(super) fn notice(action: &str, amount: u64, words: &str) -> Vec<u8> {
    let mut body = Body(Vec::new());
    body.text(b",\"action\":", action);
    body.text(b",\"decision\":", words);
    body.number(b",\"amount\":", amount);
    body.end()
}

/// The end of a line in the making: each key with a comma before it and a colon behind.
struct Body(Vec<u8>);

impl Body {
    fn raw(&mut self, text: &[u8]) {
        self.0.extend_from_slice(text);
    }

    fn text(&mut self, key: &[u8], text: &str) {
        if text.is_empty() {
            return;
        }
        self.raw(key);
        if text.len() > LONGEST_TEXT {
            self.escaped(&cut(text));
        } else if text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
            self.0.push(b'"');
            self.raw(text.as_bytes());
            self.0.push(b'"');
        } else {
            self.escaped(text);
        }
    }

    fn escaped(&mut self, text: &str) {
        // Nothing that is written to memory fails.
        let _ = serde_json::to_writer(&mut self.0, text);
    }

    fn number(&mut self, key: &[u8], number: u64) {
        self.raw(key);
        push_number(&mut self.0, number);
    }

    fn value(&mut self, key: &[u8], value: Option<&Value>) {
        /// What else the line takes: number, hash and time before it, and its end.
        const REST: usize = 256;
        let Some(value) = value else {
            return;
        };
        self.raw(key);
        let start = self.0.len();
        let mut sink = Sink {
            room: LONGEST_LINE.saturating_sub(REST + start),
            buffer: &mut self.0,
            size: 0,
        };
        let is_whole = serde_json::to_writer(&mut sink, value).is_ok();
        let (size, room) = (sink.size, sink.room);
        if !is_whole || size > room || is_deeper(value, DEEPEST) {
            self.0.truncate(start);
            self.raw(b"{\"omitted_bytes\":");
            push_number(&mut self.0, size as u64);
            self.0.push(b'}');
        }
    }

    fn end(mut self) -> Vec<u8> {
        self.raw(b"}\n");
        self.0
    }
}

/// Whether a byte of a text stands in JSON as it is. Without a branch, so that many are looked at at once.
const fn is_plain(byte: u8) -> bool {
    (byte >= b' ') & (byte != b'"') & (byte != b'\\')
}

/// A text that is too long, up to where it is, with how much is missing.
fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST_TEXT);
    let (start, rest) = text.split_at(end);
    format!("{start}… ({} bytes more)", rest.len())
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    let next = levels.checked_sub(1);
    match value {
        Value::List(items) => {
            next.is_none_or(|next| items.iter().any(|item| is_deeper(item, next)))
        }
        Value::Map(map) => {
            next.is_none_or(|next| map.iter().any(|entry| is_deeper(&entry.value, next)))
        }
        _ => false,
    }
}

/// Takes as much as there is room for, and counts the rest.
struct Sink<'a> {
    buffer: &'a mut Vec<u8>,
    room: usize,
    size: usize,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.size += bytes.len();
        if self.size <= self.room {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn push_number(buffer: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        // A digit fits a byte.
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    buffer.extend_from_slice(&digits[start..]);
}

/// Writes times, most of which are within one second of the one before.
#[derive(Debug, Default)]
pub(super) struct Clock {
    second: i64,
    text: String,
}

impl Clock {
    fn push(&mut self, buffer: &mut Vec<u8>, time: Timestamp) {
        let micros = time.as_microsecond();
        let (second, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        if self.text.is_empty() || second != self.second {
            let whole = Timestamp::from_second(second).unwrap_or(time);
            self.text = format!("{whole:.0}");
            self.second = second;
        }
        // `2026-11-28T08:17:23Z`: the fraction goes before the letter.
        let text = self.text.strip_suffix('Z').unwrap_or(&self.text);
        buffer.extend_from_slice(text.as_bytes());
        buffer.push(b'.');
        let mut place = 100_000;
        while place > 0 {
            buffer.push(b'0' + (fraction / place % 10) as u8);
            place /= 10;
        }
        buffer.push(b'Z');
    }
}

/// Writes the whole line of the record that follows one, behind what the buffer holds.
pub(super) fn compose(
    buffer: &mut Vec<u8>,
    clock: &mut Clock,
    before: &AuditMark,
    time: Timestamp,
    body: &[u8],
) {
    buffer.extend_from_slice(SEQ);
    push_number(buffer, before.seq + 1);
    buffer.extend_from_slice(PREV);
    buffer.extend_from_slice(&hex(&before.hash));
    buffer.extend_from_slice(TIME);
    clock.push(buffer, time);
    buffer.push(b'"');
    buffer.extend_from_slice(body);
}

/// The number of a line and the digits of the hash in it, if it begins as a record does.
pub(super) fn beginning(line: &[u8]) -> Option<(u64, &[u8; 64])> {
    let rest = line.strip_prefix(SEQ)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at(digits);
    // No other text is the same number.
    let is_plain = matches!(number, [b'1'..=b'9', ..]) && digits < 20;
    let seq = number
        .iter()
        .take(19)
        .fold(0, |seq, digit| seq * 10 + u64::from(digit - b'0'));
    let (prev, rest) = rest.strip_prefix(PREV)?.split_first_chunk::<64>()?;
    (is_plain && rest.starts_with(TIME)).then_some((seq, prev))
}

/// The place of a line in the chain, if it is a record.
pub(super) fn mark(line: &[u8]) -> Option<AuditMark> {
    let (seq, _) = beginning(line)?;
    is_json(line).then(|| AuditMark {
        seq,
        hash: hash(line),
    })
}

/// Whether a line is whole JSON.
pub(super) fn is_json(line: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

/// The time of a line.
pub(super) fn time(line: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Timed {
        time: Timestamp,
    }

    serde_json::from_slice::<Timed>(line)
        .ok()
        .map(|timed| timed.time)
}

/// A record, as it is read from the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditRecord {
    /// Its number: the first is 1, and none is left out.
    pub seq: u64,
    /// The SHA-256 of the line before it.
    pub prev: Digest,
    /// When it was appended.
    pub time: Timestamp,
    /// For which tenant the call was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// By which user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// In which execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<String>,
    /// What was done: `call`; or what the log says of itself, such as `audit.cut` and `audit.lost`.
    pub action: String,
    /// What was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_type: Option<String>,
    /// The plugin, with its kind: `kind/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The SHA-256 of its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AuditStatus>,
    /// The kind of the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was decided about it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// How often it was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u64>,
    /// Who answered, where it was not what was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// What else was asked for it: node type, plugin, version and digest of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<String>,
    /// How long it took, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// Of what the log says of itself: how many bytes or records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<u64>,
    /// The input, where it is recorded; `{"omitted_bytes":N}` in place of one that is too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// The output, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}
