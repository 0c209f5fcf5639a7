//! What came of a scan.

use std::fmt;
use std::path::PathBuf;

use super::candidate::Candidate;
use super::defect::printable;
use crate::error::Rejection;

/// What came of looking through the search path: one result per file, in a fixed order.
///
/// The order is that of the search path, and within a directory that of the levels below it, then
/// of the files' paths, byte by byte, so that two scans of the same files agree on every machine.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Scan {
    /// The results.
    pub files: Vec<Scanned>,
}

impl Scan {
    /// The files whose manifest could be read.
    pub fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.files.iter().filter_map(|file| match &file.outcome {
            Outcome::Candidate(candidate) => Some(candidate),
            _ => None,
        })
    }

    /// The files and directories that were refused.
    pub fn rejections(&self) -> impl Iterator<Item = &Rejection> {
        self.files.iter().filter_map(|file| match &file.outcome {
            Outcome::Rejected(rejection) => Some(rejection),
            _ => None,
        })
    }
}

/// What came of one file; or of a directory, where it could not be looked through.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Scanned {
    /// The path as it was found, below the search directory as it was given.
    pub path: PathBuf,
    /// The place of the search directory in the search path, from 0.
    pub position: usize,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of one file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// Its manifest could be read.
    Candidate(Candidate),
    /// It is no plugin, and nothing is wrong with that.
    Ignored(Ignored),
    /// It may be meant as a plugin, and something is wrong with it.
    Rejected(Rejection),
}

/// Why a file was passed over in silence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ignored {
    /// A shared library without a manifest.
    NotAPlugin,
    /// The file was met before: by another name, through a link, or in an earlier directory.
    SameFile {
        /// The path by which it was met first.
        first: PathBuf,
    },
    /// Its name begins with a dot, as that of a file that is still being written may.
    Hidden,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPlugin => f.write_str("an ordinary library, without a floe manifest"),
            Self::SameFile { first } => {
                write!(
                    f,
                    "the same file as `{}`",
                    printable(&first.to_string_lossy())
                )
            }
            Self::Hidden => f.write_str("hidden: its name begins with a dot"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_says_why_on_one_line() {
        assert_eq!(
            Ignored::NotAPlugin.to_string(),
            "an ordinary library, without a floe manifest"
        );
        let first = PathBuf::from("/p/a\nb.so");
        assert_eq!(
            Ignored::SameFile { first }.to_string(),
            "the same file as `/p/a\\nb.so`"
        );
        assert_eq!(
            Ignored::Hidden.to_string(),
            "hidden: its name begins with a dot"
        );
    }
}
