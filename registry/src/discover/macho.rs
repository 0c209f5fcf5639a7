//! Reads 64-bit Mach-O libraries of both byte orders.
//!
//! Field offsets and constants are those of Apple's `<mach-o/loader.h>`. A file for several
//! machines at once (a universal binary) is refused elsewhere, before it comes here.

use floe_plugin_api::manifest::MAX_MANIFEST_BYTES;

use super::bytes::{Extent, Fields, REACH_BYTES, Window};
use super::defect::Defect;
use super::note::Found;
use super::platform::{Endian, Platform};

/// The section that holds the manifest, in whichever segment.
const SECTION: &[u8] = b"__floe";

const MH_DYLIB: u32 = 6;
const MH_BUNDLE: u32 = 8;
const LC_SEGMENT_64: u32 = 0x19;

const HEADER: usize = 32;
const SEGMENT: usize = 72;
const SECTION_ENTRY: usize = 80;

/// The byte order of a 64-bit Mach-O file, or nothing for another file.
pub(super) fn endian(head: &[u8]) -> Option<Endian> {
    match head.first_chunk()? {
        [0xcf, 0xfa, 0xed, 0xfe] => Some(Endian::Little),
        [0xfe, 0xed, 0xfa, 0xcf] => Some(Endian::Big),
        _ => None,
    }
}

/// Reads a file whose [`endian`] is known.
pub(super) fn read<'a>(window: &mut Window<'a>, endian: Endian) -> Result<Found<'a>, Defect> {
    let header = Header::read(window, endian)?;
    let mut extent = Extent::default();
    extent.cover(
        "a table of Mach-O load commands",
        HEADER as u64,
        header.length,
    )?;
    extent.check(window.size())?;

    if !window.holds(HEADER as u64, header.length) {
        // The commands are longer than the head. The section is found where it lies behind them.
        window.reach(0, window.size().min(REACH_BYTES))?;
    }
    let length = header.length;
    let bytes = window
        .get(HEADER as u64, length)
        .ok_or(Defect::OutOfReach { length })?;
    let commands = Commands {
        rest: bytes,
        left: header.count,
        endian,
    };

    let mut place: Option<(u64, u64)> = None;
    for command in commands {
        let command = command?;
        if Fields::new(command, endian).u32(0) == Some(LC_SEGMENT_64) {
            read_segment(command, endian, &mut extent, &mut place)?;
        }
    }
    extent.check(window.size())?;

    let note = match place {
        None => None,
        Some((_, length)) if length > MAX_MANIFEST_BYTES as u64 => {
            return Err(Defect::TooLong { length });
        }
        Some((offset, length)) => {
            if !window.holds(offset, length) {
                window.reach(offset, length)?;
            }
            Some(
                window
                    .get(offset, length)
                    .ok_or(Defect::OutOfReach { length })?,
            )
        }
    };
    Ok(Found {
        platform: header.platform,
        note,
    })
}

struct Header {
    platform: Platform,
    count: u32,
    length: u64,
}

impl Header {
    fn read(window: &Window<'_>, endian: Endian) -> Result<Self, Defect> {
        let fields = Fields::new(window.head(), endian);
        let numbers = || {
            let header = Self {
                platform: Platform::mach_o(endian, fields.u32(4)?),
                count: fields.u32(16)?,
                length: fields.u32(20)?.into(),
            };
            Some((fields.u32(12)?, header))
        };
        let cut = Defect::Incomplete {
            have: window.size(),
            need: HEADER as u64,
        };
        let (kind, header) = numbers().ok_or(cut)?;
        let found = match kind {
            MH_DYLIB | MH_BUNDLE => return Ok(header),
            1 => "a Mach-O object file",
            2 => "a Mach-O executable",
            4 => "a Mach-O core dump",
            9 => "a Mach-O library stub",
            10 => "a Mach-O file of split debug symbols",
            _ => {
                return Err(Defect::Malformed {
                    found: format!("a Mach-O type of {kind}"),
                    expected: "type 6 (dynamic library) or 8 (bundle)",
                });
            }
        };
        Err(Defect::NotShared { found })
    }
}

/// The load commands, one after another.
struct Commands<'a> {
    rest: &'a [u8],
    left: u32,
    endian: Endian,
}

impl<'a> Iterator for Commands<'a> {
    type Item = Result<&'a [u8], Defect>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let split = || {
            let length = usize::try_from(Fields::new(self.rest, self.endian).u32(4)?).ok()?;
            // Each has a kind and a length of four bytes.
            if length < 8 {
                return None;
            }
            self.rest.split_at_checked(length)
        };
        let Some((command, rest)) = split() else {
            self.left = 0;
            return Some(Err(Defect::Malformed {
                found: "a Mach-O load command that ends outside the table".to_owned(),
                expected: "as many whole load commands as the header counts",
            }));
        };
        self.rest = rest;
        Some(Ok(command))
    }
}

/// Takes a segment into account, and notes where the manifest is, if it is here.
fn read_segment(
    command: &[u8],
    endian: Endian,
    extent: &mut Extent,
    place: &mut Option<(u64, u64)>,
) -> Result<(), Defect> {
    let malformed = |found: &str| Defect::Malformed {
        found: found.to_owned(),
        expected: "a segment with all the sections that it counts",
    };
    let fields = Fields::new(command, endian);
    let numbers = || Some((fields.u64(40)?, fields.u64(48)?, fields.u32(64)?));
    let (offset, length, count) =
        numbers().ok_or_else(|| malformed("a Mach-O segment that is cut"))?;
    extent.cover("a Mach-O segment", offset, length)?;
    let sections = usize::try_from(count)
        .ok()
        .and_then(|count| count.checked_mul(SECTION_ENTRY))
        .and_then(|length| command.get(SEGMENT..)?.get(..length))
        .ok_or_else(|| malformed("a Mach-O segment whose sections are cut"))?;
    for section in sections.chunks_exact(SECTION_ENTRY) {
        let name = section.get(..16).unwrap_or_default();
        if name
            .strip_prefix(SECTION)
            .is_none_or(|end| end.iter().any(|byte| *byte != 0))
        {
            continue;
        }
        let fields = Fields::new(section, endian);
        let numbers = || Some((u64::from(fields.u32(48)?), fields.u64(40)?));
        let (offset, length) =
            numbers().ok_or_else(|| malformed("a Mach-O section that is cut"))?;
        extent.cover("a Mach-O manifest section", offset, length)?;
        if let Some((first, _)) = *place {
            return Err(Defect::TwoManifests {
                first,
                second: offset,
            });
        }
        *place = Some((offset, length));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::bytes::Buffers;
    use super::super::elf_builder::{MANIFEST, mach_o};
    use super::super::note::read_note;
    use super::*;

    /// Where the segment command begins in a file that the builder makes.
    const COMMAND: usize = HEADER + 16;

    #[track_caller]
    fn accepts(bytes: &[u8], manifest: Option<&[u8]>) -> Platform {
        let mut buffers = Buffers::default();
        let found = read_note(&bytes, bytes.len() as u64, &mut buffers).unwrap();
        assert_eq!(found.note, manifest);
        found.platform
    }

    #[track_caller]
    fn refuses(bytes: &[u8], check: &str, found: &str) {
        let mut buffers = Buffers::default();
        let defect = read_note(&bytes, bytes.len() as u64, &mut buffers).unwrap_err();
        let rejection = defect.reject(Path::new("x.so"));
        assert_eq!(rejection.check, check, "{rejection}");
        assert!(rejection.found.contains(found), "{rejection}");
    }

    fn changed(at: usize, number: &[u8]) -> Vec<u8> {
        let mut bytes = mach_o(false, 0, MANIFEST);
        bytes[at..at + number.len()].copy_from_slice(number);
        bytes
    }

    #[test]
    fn the_section_is_found_in_both_byte_orders() {
        let little = accepts(&mach_o(false, 0, MANIFEST), Some(MANIFEST));
        assert_eq!(little.to_string(), "Mach-O 64-bit arm64");
        let big = accepts(&mach_o(true, 50_000, MANIFEST), Some(MANIFEST));
        assert_eq!(big.to_string(), "Mach-O 64-bit big-endian arm64");
        accepts(&mach_o(false, 3_800, MANIFEST), Some(MANIFEST));
    }

    #[test]
    fn a_library_without_the_section_is_an_ordinary_one() {
        let name = COMMAND + SEGMENT + SECTION_ENTRY;
        accepts(&changed(name, b"__flow"), None);
        accepts(&changed(name, b"__floe_x"), None);
        // No load commands at all.
        accepts(&changed(16, &[0; 8]), None);
    }

    #[test]
    fn a_library_that_is_cut_anywhere_is_incomplete() {
        let whole = mach_o(false, 0, MANIFEST);
        for length in 4..whole.len() {
            refuses(&whole[..length], "incomplete", &format!("{length} of "));
        }
    }

    #[test]
    fn what_is_no_library_is_named() {
        refuses(&changed(12, &[1]), "library-type", "a Mach-O object file");
        refuses(&changed(12, &[2]), "library-type", "a Mach-O executable");
        refuses(&changed(12, &[10]), "library-type", "split debug symbols");
        refuses(&changed(12, &[99]), "malformed", "a Mach-O type of 99");
        accepts(&changed(12, &[8]), Some(MANIFEST));
    }

    #[test]
    fn each_count_and_length_is_checked() {
        let all = [0xff; 8];
        refuses(
            &changed(16, &[3]),
            "malformed",
            "load command that ends outside",
        );
        refuses(
            &changed(20, &all[..4]),
            "incomplete",
            " of 4294967327 bytes",
        );
        refuses(&changed(COMMAND + 4, &[7, 0]), "malformed", "load command");
        refuses(
            &changed(COMMAND + 4, &all[..4]),
            "malformed",
            "load command",
        );
        refuses(
            &changed(COMMAND + 64, &all[..4]),
            "malformed",
            "sections are cut",
        );
        refuses(
            &changed(COMMAND + 64, &[3]),
            "malformed",
            "sections are cut",
        );
        refuses(
            &changed(COMMAND + 4, &[40, 0]),
            "malformed",
            "a Mach-O segment that is cut",
        );
        refuses(
            &changed(COMMAND + 40, &all),
            "malformed",
            "a Mach-O segment at offset",
        );
        refuses(
            &changed(COMMAND + 48, &all[..4]),
            "incomplete",
            "4294967295 bytes",
        );
        let section = COMMAND + SEGMENT + SECTION_ENTRY;
        refuses(
            &changed(section + 40, &all),
            "malformed",
            "manifest section at offset",
        );
        refuses(&changed(section + 48, &all[..4]), "incomplete", " of 42949");
    }

    #[test]
    fn two_sections_are_one_too_many() {
        let bytes = changed(COMMAND + SEGMENT, b"__floe");
        refuses(&bytes, "two-manifests", "two `floe` manifests");
    }

    #[test]
    fn a_manifest_has_a_greatest_length() {
        let longest = vec![b' '; MAX_MANIFEST_BYTES];
        accepts(&mach_o(false, 0, &longest), Some(&longest));
        let longer = vec![b' '; MAX_MANIFEST_BYTES + 1];
        refuses(&mach_o(false, 0, &longer), "manifest-size", "1048577 bytes");
    }
}
