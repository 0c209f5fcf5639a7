//! A place in the chain.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::id::Digest;

/// A place in the chain: the number of a record and the hash of its line. Written `SEQ:HASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AuditMark {
    /// The number of the record.
    pub seq: u64,
    /// The SHA-256 of its line, without the line break.
    pub hash: Digest,
}

impl AuditMark {
    /// Before the first record.
    pub(super) const START: Self = Self {
        seq: 0,
        hash: Digest::from_bytes([0; 32]),
    };
}

/// The hash of a line without its line break.
pub(super) fn hash(line: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(line).into())
}

/// The digits of a hash, without the detour through a formatter.
pub(super) fn hex(hash: &Digest) -> [u8; 64] {
    // Reckoned and not looked up, so that many are made at once.
    const fn digit(half: u8) -> u8 {
        let letter = if half > 9 { b'a' - b'0' - 10 } else { 0 };
        b'0' + half + letter
    }
    let mut text = [0; 64];
    for (pair, byte) in text.as_chunks_mut().0.iter_mut().zip(hash.as_bytes()) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    text
}

impl fmt::Display for AuditMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// Why a text is not an [`AuditMark`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found `{0}`, expected `SEQ:HASH`, as `floe audit verify` shows the last record")]
pub struct ParseAuditMarkError(String);

impl FromStr for AuditMark {
    type Err = ParseAuditMarkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseAuditMarkError(text.chars().take(100).collect());
        let (seq, hash) = text.split_once(':').ok_or_else(refuse)?;
        Ok(Self {
            seq: seq.parse().map_err(|_| refuse())?,
            hash: hash.parse().map_err(|_| refuse())?,
        })
    }
}
