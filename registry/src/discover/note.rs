//! Finds the manifest in the bytes of a library.

use super::bytes::{Buffers, Source, Window};
use super::defect::Defect;
use super::platform::Platform;
use super::{elf, macho, sniff};

/// What the bytes of a library say.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// What it was built for.
    pub(super) platform: Platform,
    /// Its manifest as JSON text; an ordinary library has none.
    pub(super) note: Option<&'a [u8]>,
}

/// Finds the manifest in a file of this size.
///
/// It reads at most twice, never past the size, and never panics, whatever the bytes are. The
/// manifest is not yet parsed.
pub(super) fn read_note<'a>(
    source: &'a dyn Source,
    size: u64,
    buffers: &'a mut Buffers,
) -> Result<Found<'a>, Defect> {
    let mut window = Window::open(source, size, buffers)?;
    let head = window.head();
    if head.starts_with(&elf::MAGIC) {
        elf::read(&mut window)
    } else if let Some(endian) = macho::endian(head) {
        macho::read(&mut window, endian)
    } else {
        Err(sniff::sniff(head, size))
    }
}

/// Whether the system's loader can be given a file of this size: what it believes without a look
/// is there.
pub(super) fn check_loadable(source: &dyn Source, size: u64) -> Result<(), Defect> {
    elf::check_dynamic(source, size, &mut Buffers::default())
}

/// Reads bytes as a library and its manifest, for fuzzing: whatever they are, it must not panic.
#[doc(hidden)]
pub fn fuzz_read(bytes: &[u8]) {
    let loadable = check_loadable(&bytes, bytes.len() as u64);
    drop(loadable.map_err(|defect| defect.reject(std::path::Path::new("fuzz.so"))));
    let mut buffers = Buffers::default();
    let found = read_note(&bytes, bytes.len() as u64, &mut buffers);
    let outcome = found.and_then(|found| match found.note {
        Some(note) => floe_plugin_api::Manifest::from_json(note)
            .map(drop)
            .map_err(Defect::Manifest),
        None => Ok(()),
    });
    if let Err(defect) = outcome {
        let text = defect.reject(std::path::Path::new("fuzz.so")).to_string();
        assert!(!text.contains('\n'), "a refusal is one line: {text}");
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io;

    use proptest::prelude::*;

    use super::super::elf_builder::{self, Elf};
    use super::*;

    /// Counts the reads, and refuses one that reaches past the end.
    struct Counted<'a> {
        bytes: &'a [u8],
        reads: Cell<usize>,
    }

    impl Source for Counted<'_> {
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            self.reads.set(self.reads.get() + 1);
            assert!(
                offset + buffer.len() as u64 <= self.bytes.len() as u64,
                "a read past the end"
            );
            self.bytes.read_at(offset, buffer)
        }
    }

    fn survives(bytes: &[u8]) {
        let source = Counted {
            bytes,
            reads: Cell::new(0),
        };
        let mut buffers = Buffers::default();
        let _ = read_note(&source, bytes.len() as u64, &mut buffers);
        assert!(source.reads.get() <= 2, "{} reads", source.reads.get());
        fuzz_read(bytes);
    }

    fn any_library() -> impl Strategy<Value = Vec<u8>> {
        (
            0..6usize,
            prop_oneof![Just(0), Just(9_000usize), Just(40_000)],
        )
            .prop_map(|(which, gap)| match which {
                4 | 5 => elf_builder::mach_o(which == 4, gap, b"{}"),
                _ => Elf::new(which & 1 == 0, which & 2 == 0)
                    .gap(gap)
                    .note(b"{}")
                    .build(),
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            survives(&bytes);
        }

        #[test]
        fn a_library_with_changed_numbers(
            mut bytes in any_library(),
            changes in prop::collection::vec(
                (0..600usize, prop_oneof![
                    any::<u8>().prop_map(u64::from),
                    Just(u64::MAX), Just(1 << 63), Just(u64::from(u32::MAX)), Just(0x7fff_ffff), any::<u64>(),
                ], 1..9usize, any::<bool>()),
                1..5,
            ),
            cut in prop::option::of(0..60_000usize),
        ) {
            for (at, number, width, big) in changes {
                let number = if big { number.to_be_bytes() } else { number.to_le_bytes() };
                let at = at % bytes.len();
                for (byte, new) in bytes[at..].iter_mut().zip(&number[..width.min(8)]) {
                    *byte = *new;
                }
            }
            bytes.truncate(cut.unwrap_or(usize::MAX));
            survives(&bytes);
        }
    }
}
