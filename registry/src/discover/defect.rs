//! What can be wrong with the bytes of a file, and what to tell about it.

use std::io;
use std::path::Path;

use floe_plugin_api::ManifestError;
use floe_plugin_api::manifest::{MAX_MANIFEST_BYTES, NOTE_OWNER};

use super::platform::Platform;
use crate::error::{Rejection, Stage};

/// What is wrong with the bytes of a file.
#[derive(Debug)]
pub(super) enum Defect {
    /// The bytes could not be read.
    Read(io::Error),
    /// There are no bytes.
    Empty,
    /// The file ends before something that it says it has.
    Incomplete { have: u64, need: u64 },
    /// The file is no library at all.
    NotALibrary { found: String, remedy: &'static str },
    /// The file is a library, of a format whose manifest is not read.
    Format { found: String, remedy: String },
    /// The file is of a library's format, but not a shared library.
    NotShared { found: &'static str },
    /// A header, a table or a note contradicts itself.
    Malformed {
        found: String,
        expected: &'static str,
    },
    /// The manifest is there twice.
    TwoManifests { first: u64, second: u64 },
    /// The manifest is longer than any that is read.
    TooLong { length: u64 },
    /// What must be read to find the manifest is too long, or too far apart.
    OutOfReach { length: u64 },
    /// The manifest was found, and is not a good one.
    Manifest(ManifestError),
}

impl Defect {
    /// The refusal of the file for this reason.
    pub(super) fn reject(self, path: &Path) -> Rejection {
        let refuse = |check, found: String, expected: String, remedy: String| {
            Rejection::new(Stage::Discover, check, path, found, expected, remedy)
        };
        match self {
            Self::Read(error) => refuse(
                "unreadable",
                format!("`{error}` while its bytes were read"),
                "a file that can be read".to_owned(),
                "check the disk or the network share that it lies on, and scan again".to_owned(),
            ),
            Self::Empty => refuse(
                "empty",
                "an empty file".to_owned(),
                a_library(),
                format!("copy the plugin again; {AFTER_THE_COPY}"),
            ),
            Self::Incomplete { have, need } => refuse(
                "incomplete",
                format!("{have} of {need} bytes"),
                "a whole file".to_owned(),
                format!("copy the plugin again; {AFTER_THE_COPY}"),
            ),
            Self::NotALibrary { found, remedy } => {
                refuse("not-a-library", found, a_library(), remedy.to_owned())
            }
            Self::Format { found, remedy } => refuse("format", found, a_library(), remedy),
            Self::NotShared { found } => refuse(
                "library-type",
                found.to_owned(),
                "a shared library".to_owned(),
                "build the plugin with `crate-type = [\"cdylib\"]` and copy that library"
                    .to_owned(),
            ),
            Self::Malformed { found, expected } => refuse(
                "malformed",
                found,
                expected.to_owned(),
                "the file is damaged: build or download the plugin again".to_owned(),
            ),
            Self::TwoManifests { first, second } => refuse(
                "two-manifests",
                format!("two `{NOTE_OWNER}` manifests, at offsets {first:#x} and {second:#x}"),
                "one manifest".to_owned(),
                "keep one `export_plugin!` per library: no dependency of a plugin may hold another"
                    .to_owned(),
            ),
            Self::TooLong { length } => refuse(
                "manifest-size",
                format!("a manifest of {length} bytes"),
                format!("at most {MAX_MANIFEST_BYTES} bytes"),
                "shorten the descriptions and tags of the plugin's executors".to_owned(),
            ),
            Self::OutOfReach { length } => refuse(
                "out-of-reach",
                format!("headers or notes that take {length} bytes to read"),
                format!(
                    "a manifest within {} bytes of the other notes",
                    super::bytes::REACH_BYTES
                ),
                "link the plugin without a linker script that moves its notes apart".to_owned(),
            ),
            Self::Manifest(error @ ManifestError::UnknownFormat { .. }) => refuse(
                "manifest-format",
                printable(&error.to_string()),
                format!("manifest format `{}`", floe_plugin_api::manifest::FORMAT),
                "update floe to a version that reads this format".to_owned(),
            ),
            Self::Manifest(error) => refuse(
                "manifest",
                printable(&error.to_string()),
                "a manifest as `export_plugin!` writes it".to_owned(),
                "build the plugin again with `export_plugin!` of a current floe-plugin-api"
                    .to_owned(),
            ),
        }
    }
}

/// What to do about a copy that may still be under way.
const AFTER_THE_COPY: &str =
    "if a copy is under way, the plugin is found by the next scan once the file is whole";

fn a_library() -> String {
    format!("a shared library for `{}`", Platform::host())
}

/// A text from outside, with all that would break its line or act on a terminal escaped.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Harmless, and common in messages.
            '"' | '\'' | '\\' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_told_in_full() {
        let defects = [
            Defect::Read(io::Error::from_raw_os_error(5)),
            Defect::Empty,
            Defect::Incomplete {
                have: 4096,
                need: 700_000,
            },
            Defect::NotALibrary {
                found: "an HTML page".to_owned(),
                remedy: "download it again",
            },
            Defect::Format {
                found: "a `PE (Windows)` library".to_owned(),
                remedy: "build it for this host".to_owned(),
            },
            Defect::NotShared {
                found: "an ELF object file",
            },
            Defect::Malformed {
                found: "a note of 0xffffffff bytes".to_owned(),
                expected: "a note inside its segment",
            },
            Defect::TwoManifests {
                first: 0x2e0,
                second: 0x5c0,
            },
            Defect::TooLong { length: 1 << 21 },
            Defect::OutOfReach { length: 1 << 30 },
            Defect::Manifest(ManifestError::UnknownFormat { found: 2 }),
            Defect::Manifest(ManifestError::NotUtf8 { offset: 17 }),
        ];
        let mut checks = Vec::new();
        for defect in defects {
            let rejection = defect.reject(Path::new("/p/libx.so"));
            assert_eq!(rejection.stage, Stage::Discover);
            let name = rejection.check;
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{name}"
            );
            for text in [&rejection.found, &rejection.expected, &rejection.remedy] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{name}: {text}");
                assert!(!text.contains('\n'), "{name}: {text}");
            }
            checks.push(name);
        }
        let all = checks.len();
        checks.sort_unstable();
        checks.dedup();
        assert_eq!(checks.len(), all, "each reason has a name of its own");
    }

    #[test]
    fn a_hostile_text_stays_on_its_line() {
        assert_eq!(
            printable("a\nb\u{1b}[2J\u{202e}"),
            "a\\nb\\u{1b}[2J\\u{202e}"
        );
        assert_eq!(printable("it's \"é\""), "it's \"é\"");
    }
}
