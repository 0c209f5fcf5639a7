use std::path::Path;

use super::super::bytes::Buffers;
use super::super::elf_builder::{Elf, MANIFEST};
use super::super::note::read_note;
use super::*;
use crate::error::Rejection;

/// Where the program headers begin in a 64-bit file that the builder makes, and their size.
const TABLE: usize = 64;
const ENTRY: usize = 56;

/// What a file's bytes say: its platform and its manifest, or the refusal.
fn read_bytes(bytes: &[u8]) -> Result<(Platform, Option<Vec<u8>>), Rejection> {
    let mut buffers = Buffers::default();
    read_note(&bytes, bytes.len() as u64, &mut buffers)
        .map(|found| (found.platform, found.note.map(<[u8]>::to_vec)))
        .map_err(|defect| defect.reject(Path::new("x.so")))
}

#[track_caller]
fn accepts(bytes: &[u8], manifest: Option<&[u8]>) -> Platform {
    let (platform, note) = read_bytes(bytes).unwrap();
    assert_eq!(note.as_deref(), manifest);
    platform
}

#[track_caller]
fn refuses(bytes: &[u8], check: &str, found: &str) {
    let rejection = read_bytes(bytes).unwrap_err();
    assert_eq!(rejection.check, check, "{rejection}");
    assert!(rejection.found.contains(found), "{rejection}");
}

/// A plugin with a number of its header, or of its program headers, changed.
fn changed(at: usize, number: &[u8]) -> Vec<u8> {
    let mut bytes = Elf::plugin().build();
    bytes[at..at + number.len()].copy_from_slice(number);
    bytes
}

fn four_shapes() -> impl Iterator<Item = Elf> {
    [(true, false), (true, true), (false, false), (false, true)]
        .into_iter()
        .map(|(wide, big)| Elf::new(wide, big))
}

#[test]
fn both_word_sizes_and_byte_orders_are_read() {
    let shown: Vec<_> = four_shapes()
        .zip([62, 22, 3, 20])
        .map(|(mut elf, machine)| {
            elf.machine = machine;
            accepts(&elf.note(MANIFEST).build(), Some(MANIFEST)).to_string()
        })
        .collect();
    assert_eq!(
        shown,
        [
            "ELF 64-bit little-endian x86-64",
            "ELF 64-bit big-endian s390x",
            "ELF 32-bit little-endian x86",
            "ELF 32-bit big-endian powerpc",
        ]
    );
}

#[test]
fn an_ordinary_library_is_no_error() {
    for elf in four_shapes() {
        accepts(&elf.build(), None);
        accepts(&elf.clone().any_note(b"GNU\0", 3, &[7; 20]).build(), None);
        // The owner's name alone, or the type alone, makes no manifest.
        accepts(&elf.clone().any_note(b"floe\0", 2, b"{}").build(), None);
        accepts(&elf.clone().any_note(b"flow\0", 1, b"{}").build(), None);
        accepts(&elf.clone().any_note(b"floes\0", 1, b"{}").build(), None);
        accepts(&elf.clone().any_note(b"", 1, b"{}").build(), None);
        // libc and the loader itself can be run.
        let mut program = elf.clone();
        program.interpreter = true;
        accepts(&program.build(), None);
    }
}

#[test]
fn the_manifest_is_found_among_other_notes() {
    for elf in four_shapes() {
        let elf =
            elf.any_note(b"GNU\0", 3, &[7; 19])
                .note(MANIFEST)
                .any_note(b"stapsdt\0", 3, &[1; 50]);
        accepts(&elf.build(), Some(MANIFEST));
    }
    // An owner's name without its zero byte, and one that is padded with several.
    for name in [&b"floe"[..], b"floe\0\0\0\0"] {
        let elf = Elf::new(true, false).any_note(name, 1, MANIFEST);
        accepts(&elf.build(), Some(MANIFEST));
    }
}

#[test]
fn notes_are_padded_as_their_segment_says() {
    for (align, content) in [
        (8, &b"{ }"[..]),
        (8, b"{}  {}  "),
        (4, b"{ }"),
        (1, b"{ }"),
        (0, b"{}"),
    ] {
        for mut elf in four_shapes() {
            elf.note_align = align;
            let elf = elf
                .any_note(b"GNU\0", 5, &[1; 17])
                .note(content)
                .any_note(b"A\0", 9, &[]);
            accepts(&elf.build(), Some(content));
        }
    }
}

#[test]
fn the_last_note_need_not_be_padded_and_a_segment_may_be() {
    let mut bytes = Elf::new(true, false).note(b"{}").build();
    let length_at = TABLE + 2 * ENTRY + 32;
    assert_eq!(bytes[length_at], 24);
    bytes[length_at] = 22;
    accepts(&bytes, Some(b"{}"));
    // Empty notes are what a run of zeros reads as; a shorter run is padding.
    for zeros in [4, 8, 12, 16, 400] {
        let mut elf = Elf::new(true, false).note(b"{}");
        elf.notes.resize(elf.notes.len() + zeros, 0);
        accepts(&elf.build(), Some(b"{}"));
    }
}

#[test]
fn a_stripped_section_table_is_fine() {
    for mut elf in four_shapes() {
        elf.sections = false;
        accepts(&elf.note(MANIFEST).build(), Some(MANIFEST));
    }
}

#[test]
fn far_notes_and_far_headers_are_reached() {
    for elf in four_shapes() {
        accepts(
            &elf.clone().gap(300_000).note(MANIFEST).build(),
            Some(MANIFEST),
        );
        // Across the end of the first read.
        accepts(
            &elf.clone().gap(3_950).note(MANIFEST).build(),
            Some(MANIFEST),
        );
        let mut moved = elf.clone();
        moved.table_last = true;
        accepts(&moved.clone().note(MANIFEST).build(), Some(MANIFEST));
        accepts(
            &moved.clone().gap(3_000).note(MANIFEST).build(),
            Some(MANIFEST),
        );
        // Table and notes are far both, and from each other: that would take a third read.
        refuses(
            &moved.gap(20_000).note(MANIFEST).build(),
            "out-of-reach",
            "bytes to read",
        );
    }
}

#[test]
fn a_library_that_is_cut_anywhere_is_incomplete() {
    for elf in four_shapes() {
        let whole = elf.note(MANIFEST).build();
        accepts(&whole, Some(MANIFEST));
        refuses(&[], "empty", "an empty file");
        for length in 1..whole.len() {
            refuses(&whole[..length], "incomplete", &format!("{length} of "));
        }
    }
    let whole = Elf::plugin().gap(20_000).build();
    let need = whole.len();
    for length in [7_000, 8_192, 9_000, 20_200, need - 1] {
        refuses(
            &whole[..length],
            "incomplete",
            &format!("{length} of {need} bytes"),
        );
    }
}

#[test]
fn a_cut_library_says_how_to_go_on() {
    let whole = Elf::plugin().build();
    let rejection = read_bytes(&whole[..300]).unwrap_err();
    assert_eq!(rejection.found, format!("300 of {} bytes", whole.len()));
    assert!(
        rejection
            .remedy
            .contains("next scan once the file is whole"),
        "{rejection}"
    );
}

#[test]
fn what_is_no_shared_library_is_named() {
    let kind = |kind: u16| changed(16, &kind.to_le_bytes());
    refuses(&kind(1), "library-type", "an ELF object file");
    refuses(&kind(2), "library-type", "an ELF executable");
    refuses(&kind(4), "library-type", "an ELF core dump");
    refuses(&kind(0xfe00), "malformed", "an ELF type of 65024");
    let mut elf = Elf::plugin();
    elf.interpreter = true;
    refuses(&elf.build(), "library-type", "names an interpreter");
    let mut elf = Elf::plugin();
    elf.dynamic = false;
    refuses(&elf.build(), "library-type", "without dynamic linking");
}

#[test]
fn each_number_of_the_header_is_checked() {
    refuses(&changed(4, &[3]), "malformed", "an ELF class of 3");
    refuses(&changed(5, &[0]), "malformed", "an ELF byte order of 0");
    refuses(&changed(6, &[2]), "malformed", "an ELF version of 2");
    refuses(
        &changed(54, &[32]),
        "malformed",
        "program header size of 32",
    );
    refuses(
        &changed(56, &[0, 0]),
        "malformed",
        "program header count of 0",
    );
    refuses(&changed(56, &[0xff, 0xff]), "malformed", "count of 65535");
    let not_loadable = changed(TABLE, &[0; 4]);
    refuses(&not_loadable, "malformed", "no loadable segment");
}

#[test]
fn offsets_and_counts_are_added_with_care() {
    let size = Elf::plugin().build().len();
    let incomplete = |at: usize, number: u64, need: u64| {
        let found = format!("{size} of {need} bytes");
        refuses(&changed(at, &number.to_le_bytes()), "incomplete", &found);
    };
    let overflows = |at: usize, number: u64, what: &str| {
        refuses(&changed(at, &number.to_le_bytes()), "malformed", what);
    };
    // The program header table holds three entries, the section table as many.
    incomplete(32, 1 << 40, (1 << 40) + 168);
    overflows(
        32,
        u64::MAX,
        "program header table at offset 0xffffffffffffffff",
    );
    incomplete(40, 1 << 62, (1 << 62) + 192);
    overflows(
        40,
        u64::MAX - 100,
        "section header table at offset 0xffffffffffffff9b",
    );
    // With an extended count, one section header must be there at the least.
    let mut bytes = changed(60, &[0, 0]);
    accepts(&bytes, Some(MANIFEST));
    bytes[40..48].copy_from_slice(&(size as u64 - 63).to_le_bytes());
    refuses(
        &bytes,
        "incomplete",
        &format!("{size} of {} bytes", size + 1),
    );

    let (load, dynamic, note) = (TABLE, TABLE + ENTRY, TABLE + 2 * ENTRY);
    overflows(
        load + 8,
        u64::MAX,
        "loadable segment at offset 0xffffffffffffffff",
    );
    overflows(dynamic + 8, u64::MAX, "dynamic segment");
    overflows(note + 8, u64::MAX, "note segment");
    incomplete(load + 32, 1 << 32, 1 << 32);
    let notes_at = u64::from_le_bytes(
        Elf::plugin().build()[note + 8..note + 16]
            .try_into()
            .unwrap(),
    );
    incomplete(note + 32, 0xffff_ffff, notes_at + 0xffff_ffff);
}

#[test]
fn a_note_must_fit_its_segment() {
    let huge = u32::MAX;
    for sizes in [
        (huge, huge),
        (huge, 2),
        (5, huge),
        (huge, 0),
        (5, 13),
        (17, 0),
    ] {
        for elf in four_shapes() {
            let bytes = elf.note_of_sizes(sizes, b"floe\0", 1, b"{}").build();
            let found = format!(
                "a name of {:#x} and a content of {:#x} bytes",
                sizes.0, sizes.1
            );
            refuses(&bytes, "malformed", &found);
        }
    }
    // Too short for the three numbers of a note, and not padding.
    let mut elf = Elf::new(true, false).note(b"{}");
    elf.notes.extend([1; 8]);
    refuses(&elf.build(), "malformed", "a note at offset");
}

#[test]
fn two_manifests_are_one_too_many() {
    for elf in four_shapes() {
        let elf = elf
            .note(MANIFEST)
            .any_note(b"GNU\0", 3, &[7; 20])
            .note(MANIFEST);
        refuses(
            &elf.build(),
            "two-manifests",
            "two `floe` manifests, at offsets 0x",
        );
    }
}

#[test]
fn a_manifest_has_a_greatest_length() {
    let longest = vec![b' '; MAX_MANIFEST_BYTES];
    accepts(
        &Elf::new(true, false).note(&longest).build(),
        Some(&longest),
    );
    let longer = vec![b' '; MAX_MANIFEST_BYTES + 1];
    refuses(
        &Elf::new(true, false).note(&longer).build(),
        "manifest-size",
        "a manifest of 1048577 bytes",
    );
    let far_longer = vec![b' '; 3 << 20];
    refuses(
        &Elf::new(true, false).note(&far_longer).build(),
        "out-of-reach",
        "headers or notes that take 3145",
    );
}

#[test]
fn many_headers_cannot_make_one_long_segment_be_read_many_times() {
    // Every header is a note segment of half a megabyte of empty notes.
    let mut bytes = Elf::new(true, false).gap(600_000).build();
    let count = 9_000_u16;
    bytes[56..58].copy_from_slice(&count.to_le_bytes());
    let note: Vec<u8> = bytes[TABLE..TABLE + ENTRY].to_vec();
    for entry in 1..usize::from(count) {
        let at = TABLE + entry * ENTRY;
        bytes[at..at + ENTRY].copy_from_slice(&note);
        bytes[at..at + 4].copy_from_slice(&PT_NOTE.to_le_bytes());
    }
    refuses(&bytes, "out-of-reach", "bytes to read");
}
