//! Small ELF files made byte by byte, and the place of a manifest in a real one.

use std::ops::Range;

/// The place of the floe note's content in a 64-bit little-endian library.
pub fn manifest_of(library: &[u8]) -> Range<usize> {
    let number = |at: usize, size: usize| -> usize {
        let bytes = &library[at..at + size];
        bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let (table, count) = (number(32, 8), number(56, 2));
    for entry in (0..count).map(|index| table + 56 * index) {
        if number(entry, 4) != 4 {
            continue;
        }
        let (mut at, length) = (number(entry + 8, 8), number(entry + 32, 8));
        let end = at + length;
        while at + 12 <= end {
            let (name, content) = (number(at, 4), number(at + 4, 4));
            let from = at + 12 + name.next_multiple_of(4);
            if library[at + 12..].starts_with(b"floe\0") {
                return from..from + content;
            }
            at = from + content.next_multiple_of(4);
        }
    }
    panic!("the library has no floe note");
}

/// A note of a library in the making.
#[derive(Clone, Debug)]
pub struct Note {
    /// What it says is the size of its name.
    pub name_size: u32,
    /// What it says is the size of its content.
    pub content_size: u32,
    /// Its name.
    pub name: Vec<u8>,
    /// Its content.
    pub content: Vec<u8>,
}

/// A shared library in the making: headers, one note segment, some content, a section table.
///
/// It can be scanned, and not loaded: there is nothing in it to load.
#[derive(Clone, Debug)]
pub struct Elf {
    /// 1 for 32 bits, 2 for 64.
    pub class: u8,
    /// 1 for little-endian, 2 for big-endian.
    pub order: u8,
    /// `e_type`: 3 for a shared library.
    pub kind: u16,
    /// `e_machine`.
    pub machine: u16,
    /// The notes, in order.
    pub notes: Vec<Note>,
    /// Bytes between the notes and the section table.
    pub content: usize,
    /// Whether there is a section table.
    pub sections: bool,
    /// Whether there is a dynamic segment.
    pub dynamic: bool,
}

impl Elf {
    /// A library for this machine, without notes.
    pub fn plain() -> Self {
        Self {
            class: if cfg!(target_pointer_width = "64") {
                2
            } else {
                1
            },
            order: if cfg!(target_endian = "little") { 1 } else { 2 },
            kind: 3,
            machine: machine(),
            notes: Vec::new(),
            content: 256,
            sections: true,
            dynamic: true,
        }
    }

    /// A library for this machine with a manifest.
    pub fn plugin(manifest: impl AsRef<[u8]>) -> Self {
        Self::plain().note(manifest)
    }

    /// Adds a floe note.
    #[must_use]
    pub fn note(self, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        let length = u32::try_from(content.len()).expect("a short note");
        self.note_that_says(5, length, b"floe\0", content)
    }

    /// Adds a note that says it has these sizes.
    #[must_use]
    pub fn note_that_says(
        mut self,
        name_size: u32,
        content_size: u32,
        name: &[u8],
        content: &[u8],
    ) -> Self {
        self.notes.push(Note {
            name_size,
            content_size,
            name: name.to_owned(),
            content: content.to_owned(),
        });
        self
    }

    /// The bytes of the file.
    pub fn build(&self) -> Vec<u8> {
        let wide = self.class == 2;
        let (header, entry, section) = if wide { (64, 56, 64) } else { (52, 32, 40) };
        let mut notes = Vec::new();
        for note in &self.notes {
            for number in [note.name_size, note.content_size, 1] {
                self.put(&mut notes, u64::from(number), 4);
            }
            for part in [&note.name, &note.content] {
                notes.extend_from_slice(part);
                notes.resize(notes.len().next_multiple_of(4), 0);
            }
        }
        let count = 2 + usize::from(self.dynamic);
        let notes_at = header + count * entry;
        let content_at = (notes_at + notes.len()).next_multiple_of(8);
        let loaded = content_at + self.content;
        let sections_at = loaded.next_multiple_of(8);

        let mut out = vec![0x7f, b'E', b'L', b'F', self.class, self.order, 1];
        out.resize(16, 0);
        let word = if wide { 8 } else { 4 };
        self.put(&mut out, u64::from(self.kind), 2);
        self.put(&mut out, u64::from(self.machine), 2);
        self.put(&mut out, 1, 4);
        self.put(&mut out, 0, word);
        self.put(&mut out, header as u64, word);
        self.put(
            &mut out,
            if self.sections { sections_at as u64 } else { 0 },
            word,
        );
        self.put(&mut out, 0, 4);
        let sections = if self.sections { [section, 3] } else { [0, 0] };
        for number in [header, entry, count, sections[0], sections[1], 0] {
            self.put(&mut out, number as u64, 2);
        }
        self.segment(&mut out, 1, 0, loaded, 4096);
        if self.dynamic {
            self.segment(&mut out, 2, content_at, 32, 8);
        }
        self.segment(&mut out, 4, notes_at, notes.len(), 4);
        assert_eq!(out.len(), notes_at);
        out.extend_from_slice(&notes);
        out.resize(loaded, 0x22);
        if self.sections {
            out.resize(sections_at + section * 3, 0);
        }
        out
    }

    fn segment(&self, out: &mut Vec<u8>, kind: u64, offset: usize, length: usize, align: u64) {
        let (offset, length) = (offset as u64, length as u64);
        let wide = self.class == 2;
        let word = if wide { 8 } else { 4 };
        self.put(out, kind, 4);
        if wide {
            self.put(out, 4, 4);
        }
        for number in [offset, offset, offset, length, length] {
            self.put(out, number, word);
        }
        if !wide {
            self.put(out, 4, 4);
        }
        self.put(out, align, word);
    }

    fn put(&self, out: &mut Vec<u8>, number: u64, size: usize) {
        if self.order == 2 {
            out.extend_from_slice(&number.to_be_bytes()[8 - size..]);
        } else {
            out.extend_from_slice(&number.to_le_bytes()[..size]);
        }
    }
}

/// The number of this machine in an ELF header.
fn machine() -> u16 {
    match std::env::consts::ARCH {
        "x86_64" => 62,
        "aarch64" => 183,
        "x86" => 3,
        "arm" => 40,
        "riscv64" => 243,
        "powerpc64" => 21,
        "s390x" => 22,
        "loongarch64" => 258,
        other => panic!("no ELF number is known for `{other}`"),
    }
}

/// A manifest as `export_plugin!` writes one, with what a test wants to vary.
pub fn manifest(kind: &str, name: &str, version: &str, node_types: &[&str]) -> String {
    let executors: Vec<_> = node_types
        .iter()
        .map(|node_type| serde_json::json!({ "node_type": node_type }))
        .collect();
    serde_json::json!({
        "format": 1,
        "floe_api_version": floe_plugin_api::ApiVersion::CURRENT.to_string(),
        "boundary": floe_plugin_api::abi::BOUNDARY,
        "panic": "unwind",
        "kind": kind,
        "name": name,
        "version": version,
        "executors": executors,
    })
    .to_string()
}
