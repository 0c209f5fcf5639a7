//! The file of the records: a line that says of which format it is and what its content sums up to,
//! then JSON for people to read.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::records::Records;
use crate::discover::{self, FileIdentity};
use crate::id::Digest;
use crate::private::PrivateError;

/// The format that is written, and the only one that is read.
const FORMAT: u32 = 1;

/// How long a file may be, in bytes.
pub(super) const LIMIT: usize = 8 << 20;

/// How long the first line may be.
const HEADER_LIMIT: usize = 256;

/// How many damaged files are kept beside the file.
const KEPT_ASIDE: u32 = 9;

/// What the headers of all formats have in common.
#[derive(Deserialize)]
struct AnyHeader {
    format: u32,
}

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// It was written by a newer floe.
    Newer(u32),
    /// It is not as it was written, for this reason.
    Broken(String),
}

impl Damage {
    /// What the name of the file ends in once it was moved aside.
    fn suffix(&self) -> String {
        match self {
            Self::Newer(format) => format!("format-{format}"),
            Self::Broken(_) => "damaged".to_owned(),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(format) => write!(
                f,
                "it is of format `{format}`, this floe reads format `{FORMAT}`"
            ),
            Self::Broken(reason) => f.write_str(reason),
        }
    }
}

/// A file as it was found.
pub(super) struct Found {
    /// Held open: once it is gone, another file may get its number, and look the same.
    pub(super) file: Option<File>,
    pub(super) looks: FileIdentity,
    /// The sum of its content, as far as it was read.
    pub(super) sum: Digest,
    pub(super) records: Result<Records, Damage>,
}

/// Reads the file at a path; none where there is none.
///
/// Fails where that says nothing of the file itself, as when too many files are open.
pub(super) fn read(path: &Path) -> io::Result<Option<Found>> {
    let looks = match FileIdentity::at(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        looks => looks?,
    };
    let opened = discover::open_library(path).and_then(|file| {
        let looks = FileIdentity::of(&file, path)?;
        let mut bytes = Vec::new();
        (&file).take(LIMIT as u64 + 1).read_to_end(&mut bytes)?;
        Ok((file, looks, bytes))
    });
    Ok(Some(match opened {
        Ok((file, looks, bytes)) => Found {
            file: Some(file),
            looks,
            sum: sum(&bytes),
            records: parse(&bytes),
        },
        // Moved away just now, by one that found it damaged.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if is_of_the_file(&error) => Found {
            file: None,
            looks,
            sum: sum(&[]),
            records: Err(Damage::Broken(format!("it cannot be read: {error}"))),
        },
        Err(error) => return Err(error),
    }))
}

fn is_of_the_file(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput
    )
}

/// Reads what [`render`] wrote.
pub(super) fn parse(bytes: &[u8]) -> Result<Records, Damage> {
    let broken = |reason: &str| Damage::Broken(reason.to_owned());
    if bytes.len() > LIMIT {
        let reason = format!("it is longer than {LIMIT} bytes");
        return Err(Damage::Broken(reason));
    }
    let end = bytes.iter().take(HEADER_LIMIT).position(|b| *b == b'\n');
    let Some((line, [_, rest @ ..])) = end.and_then(|end| bytes.split_at_checked(end)) else {
        return Err(broken("it is cut, or does not begin with a header"));
    };
    let format = serde_json::from_slice(line).map(|AnyHeader { format }| format);
    match format {
        Ok(FORMAT) => {}
        Ok(newer) if newer > FORMAT => return Err(Damage::Newer(newer)),
        _ => return Err(broken("its first line is not a header")),
    }
    // The whole line, so that there is no bit of the file that nobody would miss.
    if line != header(rest).as_bytes() {
        return Err(broken(
            "its content is not what its first line says: it is cut, or was changed",
        ));
    }
    Records::from_json(rest)
        .map_err(|error| Damage::Broken(format!("it holds no records: {error}")))
}

/// Writes records, no more of them than can be read again.
pub(super) fn render(records: &mut Records) -> serde_json::Result<Vec<u8>> {
    records
        .render(LIMIT - HEADER_LIMIT)
        .map(|text| headed(&text))
}

/// A text with its header.
pub(super) fn headed(text: &[u8]) -> Vec<u8> {
    let mut bytes = header(text).into_bytes();
    bytes.push(b'\n');
    bytes.extend(text);
    bytes
}

fn header(rest: &[u8]) -> String {
    let sum = sum(rest);
    format!(r#"{{"format":{FORMAT},"sha256":"{sum}"}}"#)
}

fn sum(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

/// Gives a file that cannot be used another name, and says which.
pub(super) fn move_aside(path: &Path, damage: &Damage) -> Result<PathBuf, PrivateError> {
    let name = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}", damage.suffix()));
        if number > 1 {
            name.push(format!("-{number}"));
        }
        PathBuf::from(name)
    };
    let is_free = |name: &PathBuf| fs::symlink_metadata(name).is_err();
    // The last one is written over: what is damaged again and again must not fill the disk.
    let free = (1..KEPT_ASIDE).map(name).find(is_free);
    let aside = free.unwrap_or_else(|| name(KEPT_ASIDE));
    fs::rename(path, &aside).map_err(PrivateError::io("move aside", path))?;
    Ok(aside)
}

/// For the fuzz target: any bytes are read, as a file and as what stands below a good header.
pub fn fuzz_quarantine(bytes: &[u8]) {
    for bytes in [bytes, &headed(bytes)] {
        match parse(bytes) {
            Err(damage) => assert!(!damage.to_string().is_empty()),
            Ok(mut records) => {
                let written = render(&mut records).map_err(|error| error.to_string());
                let again = written.map(|written| parse(&written));
                assert_eq!(again, Ok(Ok(records)), "what is written is read again");
            }
        }
    }
}
