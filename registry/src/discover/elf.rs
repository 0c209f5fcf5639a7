//! Reads ELF shared libraries of both word sizes and both byte orders.
//!
//! Field offsets and constants are those of the System V ABI, <https://gabi.xinuos.com>, chapters
//! 4 and 5. Nothing is taken on trust: each range is checked against the size of the file before
//! it is read, and each sum for overflow.

use floe_plugin_api::manifest::{MAX_MANIFEST_BYTES, NOTE_OWNER, NOTE_TYPE};

use super::bytes::{Extent, Fields, REACH_BYTES, Window};
use super::defect::Defect;
use super::note::Found;
use super::platform::{Bits, Endian, Platform};

mod dynamic;

pub(super) use dynamic::check as check_dynamic;

/// The first bytes of every ELF file.
pub(super) const MAGIC: [u8; 4] = *b"\x7fELF";

const ET_REL: u16 = 1;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const ET_CORE: u16 = 4;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;

/// Stands for a number of program headers that does not fit the header (`PN_XNUM`).
const COUNT_ELSEWHERE: u16 = 0xffff;

/// The length of the three numbers before a note's name.
const NOTE_HEADER: u64 = 12;

/// Reads a file that begins with [`MAGIC`].
pub(super) fn read<'a>(window: &mut Window<'a>) -> Result<Found<'a>, Defect> {
    let header = Header::read(window)?;
    let mut extent = Extent::default();
    header.cover(&mut extent)?;
    extent.check(window.size())?;

    let table = header.table(window)?;
    let mut seen = Segments::default();
    for segment in table.segments() {
        seen.add(&segment, &mut extent, window)?;
    }
    extent.check(window.size())?;
    if !seen.loadable {
        return Err(Defect::Malformed {
            found: "no loadable segment".to_owned(),
            expected: "a shared library with something to load",
        });
    }

    seen.reach_notes(window)?;
    let mut note = None;
    for segment in table.segments() {
        if segment.kind == PT_NOTE {
            segment.find_manifest(window, header.endian, &mut note)?;
        }
    }
    // A library without a manifest may be odd; libc itself can be run as a program.
    if note.is_some() && seen.interpreter {
        return Err(Defect::NotShared {
            found: "an ELF executable (it names an interpreter)",
        });
    }
    if note.is_some() && !seen.dynamic {
        return Err(Defect::NotShared {
            found: "an ELF file without dynamic linking information, such as split debug symbols",
        });
    }
    Ok(Found {
        platform: header.platform,
        note: note.map(|(_, manifest)| manifest),
    })
}

/// What is needed of a file's header.
struct Header {
    platform: Platform,
    bits: Bits,
    endian: Endian,
    program_offset: u64,
    program_count: u16,
    section_offset: u64,
    section_length: u64,
}

impl Header {
    fn read(window: &Window<'_>) -> Result<Self, Defect> {
        let head = window.head();
        let cut = |need| Defect::Incomplete {
            have: window.size(),
            need,
        };
        let &[class, data, version] = head.get(4..7).and_then(<[u8]>::as_array).ok_or(cut(52))?;
        let bits = match class {
            1 => Bits::B32,
            2 => Bits::B64,
            _ => {
                return Err(unknown(
                    "class",
                    class.into(),
                    "class 1 (32-bit) or 2 (64-bit)",
                ));
            }
        };
        let endian = match data {
            1 => Endian::Little,
            2 => Endian::Big,
            _ => {
                return Err(unknown(
                    "byte order",
                    data.into(),
                    "order 1 (little) or 2 (big)",
                ));
            }
        };
        if version != 1 {
            return Err(unknown("version", version.into(), "ELF version 1"));
        }
        let wide = bits == Bits::B64;
        let length = if wide { 64 } else { 52 };
        let fields = Fields::new(head.get(..length).ok_or(cut(length as u64))?, endian);
        let numbers = || {
            let kind = fields.u16(16)?;
            let machine = fields.u16(18)?;
            let (program_offset, section_offset, counts) = if wide {
                (fields.u64(32)?, fields.u64(40)?, 54)
            } else {
                (fields.u32(28)?.into(), fields.u32(32)?.into(), 42)
            };
            let program_size = fields.u16(counts)?;
            let program_count = fields.u16(counts + 2)?;
            let section_size = u64::from(fields.u16(counts + 4)?);
            // With more sections than fit, the count is in the first of them; it, at least, is there.
            let section_count = u64::from(fields.u16(counts + 6)?).max(1);
            let header = Self {
                platform: Platform::elf(bits, endian, machine),
                bits,
                endian,
                program_offset,
                program_count,
                section_offset,
                section_length: section_size * section_count,
            };
            Some((kind, program_size, header))
        };
        let (kind, program_size, header) = numbers().ok_or(cut(length as u64))?;
        header.check(kind, program_size)?;
        Ok(header)
    }

    fn check(&self, kind: u16, program_size: u16) -> Result<(), Defect> {
        match kind {
            ET_DYN => {}
            ET_EXEC => {
                return Err(Defect::NotShared {
                    found: "an ELF executable",
                });
            }
            ET_REL => {
                return Err(Defect::NotShared {
                    found: "an ELF object file",
                });
            }
            ET_CORE => {
                return Err(Defect::NotShared {
                    found: "an ELF core dump",
                });
            }
            _ => return Err(unknown("type", kind, "type 3, a shared library")),
        }
        if self.program_count == 0 || self.program_count == COUNT_ELSEWHERE {
            return Err(Defect::Malformed {
                found: format!("an ELF program header count of {}", self.program_count),
                expected: "from 1 to 65534 program headers",
            });
        }
        if u64::from(program_size) != self.program_size() {
            return Err(unknown(
                "program header size",
                program_size,
                "56 bytes in a 64-bit file, 32 in a 32-bit one",
            ));
        }
        Ok(())
    }

    fn program_size(&self) -> u64 {
        match self.bits {
            Bits::B32 => 32,
            Bits::B64 => 56,
        }
    }

    fn program_length(&self) -> u64 {
        self.program_size() * u64::from(self.program_count)
    }

    /// Both tables must lie in the file. A section table at offset 0 has been stripped.
    fn cover(&self, extent: &mut Extent) -> Result<(), Defect> {
        extent.cover(
            "an ELF program header table",
            self.program_offset,
            self.program_length(),
        )?;
        if self.section_offset != 0 {
            extent.cover(
                "an ELF section header table",
                self.section_offset,
                self.section_length,
            )?;
        }
        Ok(())
    }

    /// The program headers, for which the second read is spent when they are far from the start.
    fn table<'a>(&self, window: &mut Window<'a>) -> Result<Table<'a>, Defect> {
        let length = self.program_length();
        if !window.holds(self.program_offset, length) {
            // What moves the table (patchelf) moves the notes next to it: take both.
            let rest = window.size().saturating_sub(self.program_offset);
            window.reach(self.program_offset, rest.min(REACH_BYTES).max(length))?;
        }
        let bytes = window
            .get(self.program_offset, length)
            .ok_or(Defect::OutOfReach { length })?;
        Ok(Table {
            bytes,
            bits: self.bits,
            endian: self.endian,
        })
    }
}

fn unknown(what: &str, found: u16, expected: &'static str) -> Defect {
    Defect::Malformed {
        found: format!("an ELF {what} of {found}"),
        expected,
    }
}

/// The program headers.
struct Table<'a> {
    bytes: &'a [u8],
    bits: Bits,
    endian: Endian,
}

impl<'a> Table<'a> {
    fn segments(&self) -> impl Iterator<Item = Segment> + use<'a> {
        let (bits, endian) = (self.bits, self.endian);
        let size = if bits == Bits::B64 { 56 } else { 32 };
        self.bytes
            .chunks_exact(size)
            .filter_map(move |entry| Segment::read(Fields::new(entry, endian), bits))
    }
}

struct Segment {
    kind: u32,
    offset: u64,
    length: u64,
    align: u64,
    /// Where it is loaded, from the start of the library, and how much memory it takes there.
    address: u64,
    memory: u64,
}

impl Segment {
    fn read(fields: Fields<'_>, bits: Bits) -> Option<Self> {
        let kind = fields.u32(0)?;
        Some(match bits {
            Bits::B64 => Self {
                kind,
                offset: fields.u64(8)?,
                length: fields.u64(32)?,
                align: fields.u64(48)?,
                address: fields.u64(16)?,
                memory: fields.u64(40)?,
            },
            Bits::B32 => Self {
                kind,
                offset: fields.u32(4)?.into(),
                length: fields.u32(16)?.into(),
                align: fields.u32(28)?.into(),
                address: fields.u32(8)?.into(),
                memory: fields.u32(20)?.into(),
            },
        })
    }

    /// Looks for the manifest among the notes of this segment, which has been read.
    fn find_manifest<'a>(
        &self,
        window: &Window<'a>,
        endian: Endian,
        found: &mut Option<(u64, &'a [u8])>,
    ) -> Result<(), Defect> {
        let bytes = window
            .get(self.offset, self.length)
            .ok_or(Defect::OutOfReach {
                length: self.length,
            })?;
        // Notes are padded to 4 bytes in both word sizes; a segment aligned to 8 pads to 8.
        let align = if self.align == 8 { 8 } else { 4 };
        let mut rest = bytes;
        while !rest.is_empty() {
            // A linker may pad a segment; more than a note's header of zeros is an empty note.
            if (rest.len() as u64) < NOTE_HEADER && rest.iter().all(|byte| *byte == 0) {
                break;
            }
            let at = self.offset + (bytes.len() - rest.len()) as u64;
            let (note, after) = Note::split(rest, endian, align).ok_or_else(|| {
                let header = Fields::new(rest, endian);
                Defect::Malformed {
                    found: format!(
                        "a note at offset {at:#x} with a name of {:#x} and a content of {:#x} bytes",
                        header.u32(0).unwrap_or_default(),
                        header.u32(4).unwrap_or_default(),
                    ),
                    expected: "a note that ends inside its segment",
                }
            })?;
            rest = after;
            if !note.is_manifest() {
                continue;
            }
            if note.content.len() > MAX_MANIFEST_BYTES {
                let length = note.content.len() as u64;
                return Err(Defect::TooLong { length });
            }
            if let Some((first, _)) = *found {
                return Err(Defect::TwoManifests { first, second: at });
            }
            *found = Some((at, note.content));
        }
        Ok(())
    }
}

/// What the program headers say together.
#[derive(Default)]
struct Segments {
    loadable: bool,
    dynamic: bool,
    interpreter: bool,
    /// Where the notes outside the file's head begin and end.
    far_notes: Option<(u64, u64)>,
    note_bytes: u64,
}

impl Segments {
    fn add(
        &mut self,
        segment: &Segment,
        extent: &mut Extent,
        window: &Window<'_>,
    ) -> Result<(), Defect> {
        let &Segment {
            kind,
            offset,
            length,
            ..
        } = segment;
        let what = match kind {
            PT_LOAD => "an ELF loadable segment",
            PT_DYNAMIC => "an ELF dynamic segment",
            PT_NOTE => "an ELF note segment",
            _ => {
                self.interpreter |= kind == PT_INTERP;
                return Ok(());
            }
        };
        extent.cover(what, offset, length)?;
        self.loadable |= kind == PT_LOAD;
        self.dynamic |= kind == PT_DYNAMIC && length > 0;
        if kind == PT_NOTE && length > 0 {
            self.note_bytes = self.note_bytes.saturating_add(length);
            if !window.holds(offset, length) {
                let end = offset.saturating_add(length);
                let (from, to) = self.far_notes.unwrap_or((offset, end));
                self.far_notes = Some((from.min(offset), to.max(end)));
            }
        }
        Ok(())
    }

    /// Reads the notes that lie outside what has been read.
    fn reach_notes(&self, window: &mut Window<'_>) -> Result<(), Defect> {
        // Without this, thousands of headers could name the same long stretch.
        if self.note_bytes > REACH_BYTES {
            return Err(Defect::OutOfReach {
                length: self.note_bytes,
            });
        }
        match self.far_notes {
            Some((from, to)) => window.reach(from, to - from),
            None => Ok(()),
        }
    }
}

/// One note of a segment.
struct Note<'a> {
    name: &'a [u8],
    kind: u32,
    content: &'a [u8],
}

impl<'a> Note<'a> {
    /// Takes the first note from a segment's bytes, or nothing when it does not fit in them.
    fn split(bytes: &'a [u8], endian: Endian, align: u64) -> Option<(Self, &'a [u8])> {
        let fields = Fields::new(bytes, endian);
        let (name, content) = (u64::from(fields.u32(0)?), u64::from(fields.u32(4)?));
        // Two 32-bit numbers and some padding cannot overflow 64 bits.
        let content_at = (NOTE_HEADER + name).next_multiple_of(align);
        let end = content_at + content;
        let stretch =
            |from: u64, to: u64| bytes.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?);
        let note = Self {
            name: stretch(NOTE_HEADER, NOTE_HEADER + name)?,
            kind: fields.u32(8)?,
            content: stretch(content_at, end)?,
        };
        // The last note of a segment need not be padded.
        let after = stretch(end.next_multiple_of(align), bytes.len() as u64);
        Some((note, after.unwrap_or_default()))
    }

    /// Whether this is a manifest. The owner's name ends with a zero byte, or with several.
    fn is_manifest(&self) -> bool {
        let ended = self.name.strip_prefix(NOTE_OWNER.as_bytes());
        self.kind == NOTE_TYPE && ended.is_some_and(|end| end.iter().all(|byte| *byte == 0))
    }
}

#[cfg(test)]
mod tests;
