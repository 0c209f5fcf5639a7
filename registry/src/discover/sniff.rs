//! Says what a file is that is not a library, so that its owner need not guess.

use std::fmt::Write as _;

use super::defect::{Defect, printable};
use super::elf;
use super::platform::{Format, Platform};

/// How much of an unknown file is quoted.
const QUOTED_TEXT: usize = 40;
const QUOTED_BYTES: usize = 16;

const COPY_THE_LIBRARY: &str =
    "copy the library that the build made (`target/release/*.so`, for one) in its place";
const DOWNLOAD_AGAIN: &str =
    "a download may have failed: open the address in a browser, and download the library again";
const UNPACK: &str = "unpack it, and put the library that is inside in its place";

/// Files that are known by their first bytes.
const KNOWN: &[(&[u8], &str, &str)] = &[
    (
        b"!<arch>\n",
        "a static library (an ar archive)",
        "build the plugin with `crate-type = [\"cdylib\"]`",
    ),
    (
        b"!<thin>\n",
        "a static library (a thin ar archive)",
        "build the plugin with `crate-type = [\"cdylib\"]`",
    ),
    (b"\x1f\x8b", "a gzip archive", UNPACK),
    (b"\xfd7zXZ\0", "an xz archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", UNPACK),
    (b"BZh", "a bzip2 archive", UNPACK),
    (b"PK\x03\x04", "a zip archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (
        b"\0asm",
        "a WebAssembly module",
        "floe loads native libraries: build the plugin for this host",
    ),
    (b"BC\xc0\xde", "LLVM bitcode", COPY_THE_LIBRARY),
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the file that it points to",
        "fetch the file with `git lfs pull`",
    ),
    (b"#!", "a script", COPY_THE_LIBRARY),
    (
        b"/* GNU ld script",
        "a linker script",
        "copy the library that it names in its place",
    ),
    (
        b"INPUT(",
        "a linker script",
        "copy the library that it names in its place",
    ),
    (
        b"INPUT (",
        "a linker script",
        "copy the library that it names in its place",
    ),
    (
        b"GROUP (",
        "a linker script",
        "copy the library that it names in its place",
    ),
];

/// What a file is, seen from its first bytes, that begins neither as ELF nor as 64-bit Mach-O.
pub(super) fn sniff(head: &[u8], size: u64) -> Defect {
    if head.is_empty() {
        return Defect::Empty;
    }
    if elf::MAGIC.starts_with(head) {
        return Defect::Incomplete {
            have: size,
            need: 52,
        };
    }
    if let Some(found) = other_library(head) {
        return found;
    }
    let known = KNOWN.iter().find(|(magic, ..)| head.starts_with(magic));
    if let Some((_, found, remedy)) = known {
        return not_a_library(*found, remedy);
    }
    if head.get(257..262) == Some(b"ustar") {
        return not_a_library("a tar archive", UNPACK);
    }
    if head.iter().all(|byte| *byte == 0) {
        let found = format!("{size} bytes that begin with nothing but zeros");
        return not_a_library(
            found,
            "the copy was not written to disk: copy the plugin again",
        );
    }
    match text(head) {
        Some(text) => sniff_text(text),
        None => not_a_library(quote_bytes(head), COPY_THE_LIBRARY),
    }
}

fn not_a_library(found: impl Into<String>, remedy: &'static str) -> Defect {
    Defect::NotALibrary {
        found: found.into(),
        remedy,
    }
}

/// Libraries of formats whose manifest is not read.
fn other_library(head: &[u8]) -> Option<Defect> {
    let format = |found: &str, remedy: &str| {
        Some(Defect::Format {
            found: found.to_owned(),
            remedy: remedy.to_owned(),
        })
    };
    let this_host = "build the plugin for this host, and copy that library";
    if head.starts_with(b"MZ") {
        return format(&format!("a {} file", Format::Pe), this_host);
    }
    match head.first_chunk()? {
        [0xca, 0xfe, 0xba, 0xbe] | [0xca, 0xfe, 0xba, 0xbf] => {
            let count = u32::from_be_bytes(*head.get(4..)?.first_chunk()?);
            // Java's class files share the number; their version, from 45 on, stands here.
            if count >= 45 {
                return Some(not_a_library("a Java class file", COPY_THE_LIBRARY));
            }
            format(
                &format!("a universal Mach-O file for {count} machines"),
                if Platform::host().format == Format::MachO {
                    "take this host's part from it with `lipo -thin`, and copy that"
                } else {
                    this_host
                },
            )
        }
        [0xce, 0xfa, 0xed, 0xfe] | [0xfe, 0xed, 0xfa, 0xce] => {
            format("a 32-bit Mach-O file", this_host)
        }
        _ => None,
    }
}

/// The head as text, if it is text; its last character may be cut.
fn text(head: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(head.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let plain = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}');
    text.chars().all(plain).then_some(text)
}

fn sniff_text(text: &str) -> Defect {
    let trimmed = text.trim_start_matches('\u{feff}').trim_start();
    let begins = |word: &str| {
        trimmed
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    if begins("<!doctype html") || begins("<html") {
        return not_a_library("an HTML page", DOWNLOAD_AGAIN);
    }
    if begins("<?xml") || begins("<error") {
        return not_a_library("an XML document", DOWNLOAD_AGAIN);
    }
    if begins("{") || begins("[{") || begins("[\"") {
        return not_a_library("a JSON document", DOWNLOAD_AGAIN);
    }
    let mut quoted: String = text.chars().take(QUOTED_TEXT).collect();
    if quoted.len() < text.len() {
        quoted.push('…');
    }
    not_a_library(
        format!("a text file beginning `{}`", printable(&quoted)),
        COPY_THE_LIBRARY,
    )
}

fn quote_bytes(head: &[u8]) -> String {
    let mut out = "an unknown file beginning with the bytes `".to_owned();
    for (index, byte) in head.iter().take(QUOTED_BYTES).enumerate() {
        let space = if index == 0 { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(out, "{space}{byte:02x}");
    }
    out.push('`');
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], check: &str, found: &str, remedy: &str) {
        let rejection = sniff(bytes, bytes.len() as u64).reject(Path::new("x.so"));
        assert_eq!(rejection.check, check);
        assert_eq!(rejection.found, found);
        assert!(rejection.remedy.contains(remedy), "{}", rejection.remedy);
    }

    #[test]
    fn what_lies_in_plugin_directories_by_mistake_is_named() {
        check(b"", "empty", "an empty file", "found by the next scan");
        check(
            b"\x7f",
            "incomplete",
            "1 of 52 bytes",
            "found by the next scan",
        );
        check(
            b"\x7fEL",
            "incomplete",
            "3 of 52 bytes",
            "found by the next scan",
        );
        check(
            b"\n <!DOCTYPE HTML>\n<title>404",
            "not-a-library",
            "an HTML page",
            "download",
        );
        check(
            b"\xef\xbb\xbf<html>",
            "not-a-library",
            "an HTML page",
            "download",
        );
        check(
            b"<?xml version='1.0'?><Error>",
            "not-a-library",
            "an XML document",
            "download",
        );
        check(
            b"{\"message\":\"Not Found\"}",
            "not-a-library",
            "a JSON document",
            "download",
        );
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00";
        let found = "a Git LFS pointer, not the file that it points to";
        check(pointer, "not-a-library", found, "git lfs pull");
        check(
            b"#!/bin/sh\n",
            "not-a-library",
            "a script",
            "target/release",
        );
        check(
            b"/* GNU ld script */\n",
            "not-a-library",
            "a linker script",
            "that it names",
        );
        check(
            b"!<arch>\n",
            "not-a-library",
            "a static library (an ar archive)",
            "cdylib",
        );
        check(
            b"\x1f\x8b\x08\0",
            "not-a-library",
            "a gzip archive",
            "unpack",
        );
        check(b"\xfd7zXZ\0\0", "not-a-library", "an xz archive", "unpack");
        check(
            b"\x28\xb5\x2f\xfd",
            "not-a-library",
            "a Zstandard archive",
            "unpack",
        );
        check(
            b"PK\x03\x04\x14",
            "not-a-library",
            "a zip archive",
            "unpack",
        );
        let zeros = "4096 bytes that begin with nothing but zeros";
        check(&[0; 4096], "not-a-library", zeros, "copy the plugin again");
        check(
            b"0123456789",
            "not-a-library",
            "a text file beginning `0123456789`",
            "copy",
        );
        check(
            "é\n\u{202e}x".as_bytes(),
            "not-a-library",
            "a text file beginning `é\\n\\u{202e}x`",
            "copy",
        );
        check(
            b"\x01\x02\xff",
            "not-a-library",
            "an unknown file beginning with the bytes `01 02 ff`",
            "copy",
        );
    }

    #[test]
    fn libraries_of_other_formats_are_told_from_rubbish() {
        check(
            b"MZ\x90\0",
            "format",
            "a PE (Windows) file",
            "for this host",
        );
        let fat = b"\xca\xfe\xba\xbe\0\0\0\x02";
        check(
            fat,
            "format",
            "a universal Mach-O file for 2 machines",
            "and copy that",
        );
        let class = b"\xca\xfe\xba\xbe\0\0\0\x34";
        check(class, "not-a-library", "a Java class file", "copy");
        check(
            b"\xce\xfa\xed\xfe",
            "format",
            "a 32-bit Mach-O file",
            "for this host",
        );
    }

    #[test]
    fn a_long_text_is_cut_and_a_cut_character_is_no_obstacle() {
        let mut bytes = "wörter ".repeat(20).into_bytes();
        bytes.push(0xc3);
        let rejection = sniff(&bytes, 9_000).reject(Path::new("x.so"));
        assert_eq!(
            rejection.found,
            "a text file beginning `wörter wörter wörter wörter wörter wörte…`"
        );
    }
}
