//! What the system's loader believes without a look: a library's dynamic section.
//!
//! glibc reads the string and symbol tables that the section names before it could say that they
//! are not there, and ends the process. So they are looked for before a file is mapped. This is no
//! part of a scan, which reads less of a file.

use super::super::bytes::{Buffers, Fields, Source, Window};
use super::super::defect::Defect;
use super::{Header, MAGIC, PT_DYNAMIC, PT_LOAD, Segment};
use crate::discover::Bits;

const DT_NULL: u64 = 0;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_SONAME: u64 = 14;

/// The longest name that a library may have for itself.
const LONGEST_NAME: usize = 512;

/// The longest dynamic section that is looked at; a library has some dozens of entries of 16 bytes.
const LONGEST: u64 = 64 << 10;

/// Whether a library's dynamic section names the tables that a loader needs, inside what it loads.
pub(in crate::discover) fn check(
    source: &dyn Source,
    size: u64,
    buffers: &mut Buffers,
) -> Result<(), Defect> {
    let mut window = Window::open(source, size, buffers)?;
    if !window.head().starts_with(&MAGIC) {
        return Ok(());
    }
    let header = Header::read(&window)?;
    let segments: Vec<Segment> = header.table(&mut window)?.segments().collect();
    let dynamic = segments.iter().find(|segment| segment.kind == PT_DYNAMIC);
    let Some(dynamic) = dynamic.filter(|dynamic| dynamic.length <= LONGEST) else {
        return Err(malformed("no dynamic section of a usual size"));
    };
    let mut bytes = vec![0; usize::try_from(dynamic.length).unwrap_or_default()];
    let count = source
        .read_at(dynamic.offset, &mut bytes)
        .map_err(Defect::Read)?;
    if count < bytes.len() {
        return Err(malformed("a dynamic section that the file cuts off"));
    }

    let loaded = |address: u64| {
        segments.iter().any(|segment| {
            let end = segment.address.saturating_add(segment.memory);
            segment.kind == PT_LOAD && (segment.address..end).contains(&address)
        })
    };
    let value = |wanted| {
        entries(&bytes, &header)
            .find(|(tag, _)| *tag == wanted)
            .map(|(_, value)| value)
    };
    for (tag, what) in [(DT_STRTAB, "string"), (DT_SYMTAB, "symbol")] {
        match value(tag) {
            Some(address) if loaded(address) => {}
            Some(_) => return Err(malformed(&format!("a {what} table outside what is loaded"))),
            None => {
                return Err(malformed(&format!(
                    "no {what} table in the dynamic section"
                )));
            }
        }
    }
    // The loader reads the strings with no other bound than this.
    let end = value(DT_STRTAB).zip(value(DT_STRSZ));
    let end = end.and_then(|(start, length)| start.checked_add(length.checked_sub(1)?));
    match end {
        Some(last) if loaded(last) => {}
        _ => {
            return Err(malformed(
                "a string table whose end is outside what is loaded",
            ));
        }
    }
    // A library that has a path for a name answers for whatever is mapped from that path later.
    let name = value(DT_STRTAB).zip(value(DT_SONAME));
    let place = name.and_then(|(strings, name)| offset_of(&segments, strings.checked_add(name)?));
    if let Some(place) = place {
        let mut name = [0; LONGEST_NAME];
        let count = source.read_at(place, &mut name).map_err(Defect::Read)?;
        let read = name.get(..count).unwrap_or_default();
        let name = read.split(|byte| *byte == 0).next().unwrap_or_default();
        if name.contains(&b'/') || name.len() == LONGEST_NAME {
            return Err(malformed("a name of its own (`DT_SONAME`) that is a path"));
        }
    }
    Ok(())
}

/// Where in the file lies what is loaded at an address.
fn offset_of(segments: &[Segment], address: u64) -> Option<u64> {
    let mut loaded = segments.iter().filter(|segment| segment.kind == PT_LOAD);
    loaded.find_map(|segment| {
        let within = address.checked_sub(segment.address)?;
        (within < segment.length).then_some(segment.offset.checked_add(within)?)
    })
}

/// The entries before the one that ends the section.
fn entries(bytes: &[u8], header: &Header) -> impl Iterator<Item = (u64, u64)> {
    let (endian, wide) = (header.endian, header.bits == Bits::B64);
    bytes
        .chunks_exact(if wide { 16 } else { 8 })
        .filter_map(move |entry| {
            let fields = Fields::new(entry, endian);
            if wide {
                Some((fields.u64(0)?, fields.u64(8)?))
            } else {
                Some((fields.u32(0)?.into(), fields.u32(4)?.into()))
            }
        })
        .take_while(|(tag, _)| *tag != DT_NULL)
}

fn malformed(found: &str) -> Defect {
    Defect::Malformed {
        found: found.to_owned(),
        expected: "a shared library that a loader can read",
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::elf_builder::Elf;
    use super::*;

    #[test]
    fn a_section_that_names_nothing_is_refused_before_the_loader_sees_it() {
        for (wide, big) in [(false, false), (false, true), (true, false), (true, true)] {
            let bytes = Elf::new(wide, big).note(b"{}").build();
            let refused = check(
                &bytes.as_slice(),
                bytes.len() as u64,
                &mut Buffers::default(),
            );
            let refused = refused.unwrap_err().reject("x.so".as_ref());
            assert_eq!(refused.check, "malformed");
            assert!(refused.found.contains("string table"), "{refused}");
        }
    }

    #[test]
    fn a_library_that_a_linker_made_passes() {
        // This test is such a file, whatever else it is: it is position-independent.
        let program = std::env::current_exe().unwrap();
        let file = std::fs::File::open(&program).unwrap();
        let size = file.metadata().unwrap().len();
        if cfg!(target_os = "linux") {
            check(&file, size, &mut Buffers::default()).unwrap();
        }
    }
}
