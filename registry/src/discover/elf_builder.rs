//! Builds small libraries byte by byte, for tests.

/// A manifest that is accepted.
pub(super) const MANIFEST: &[u8] = br#"{"format":1,"floe_api_version":"1.0","boundary":"abi_stable 0.11","panic":"unwind","kind":"storage","name":"sqlite","version":"0.1.0","executors":[{"node_type":"sqlite.query"}]}"#;

/// An ELF shared library in the making: headers, one note segment, some content, a section table.
#[derive(Clone, Debug)]
pub(super) struct Elf {
    wide: bool,
    big: bool,
    pub(super) kind: u16,
    pub(super) machine: u16,
    pub(super) note_align: u64,
    pub(super) interpreter: bool,
    pub(super) dynamic: bool,
    pub(super) sections: bool,
    /// Bytes between the headers and the notes.
    gap: usize,
    /// Whether the program headers come last.
    pub(super) table_last: bool,
    pub(super) notes: Vec<u8>,
}

impl Elf {
    pub(super) fn new(wide: bool, big: bool) -> Self {
        Self {
            wide,
            big,
            kind: 3,
            machine: 62,
            note_align: 4,
            interpreter: false,
            dynamic: true,
            sections: true,
            gap: 0,
            table_last: false,
            notes: Vec::new(),
        }
    }

    /// A little-endian 64-bit plugin with [`MANIFEST`].
    pub(super) fn plugin() -> Self {
        Self::new(true, false).note(MANIFEST)
    }

    pub(super) fn gap(mut self, bytes: usize) -> Self {
        self.gap = bytes;
        self
    }

    /// Adds a floe note.
    pub(super) fn note(self, content: &[u8]) -> Self {
        self.any_note(b"floe\0", 1, content)
    }

    /// Adds a note, as an assembler would.
    pub(super) fn any_note(self, name: &[u8], kind: u32, content: &[u8]) -> Self {
        let sizes = (name.len() as u32, content.len() as u32);
        self.note_of_sizes(sizes, name, kind, content)
    }

    /// Adds a note that says it has these sizes.
    pub(super) fn note_of_sizes(
        mut self,
        (name_size, content_size): (u32, u32),
        name: &[u8],
        kind: u32,
        content: &[u8],
    ) -> Self {
        let mut notes = std::mem::take(&mut self.notes);
        let align = if self.note_align == 8 { 8 } else { 4 };
        self.u32(&mut notes, name_size);
        self.u32(&mut notes, content_size);
        self.u32(&mut notes, kind);
        notes.extend_from_slice(name);
        pad(&mut notes, align);
        notes.extend_from_slice(content);
        pad(&mut notes, align);
        self.notes = notes;
        self
    }

    pub(super) fn build(&self) -> Vec<u8> {
        let (header, entry, section) = if self.wide {
            (64, 56, 64)
        } else {
            (52, 32, 40)
        };
        let count = 2 + usize::from(self.interpreter) + usize::from(self.dynamic);
        let table = entry * count;
        let notes_at = header + if self.table_last { 0 } else { table } + self.gap;
        let notes_at = notes_at.next_multiple_of(8);
        let content_at = (notes_at + self.notes.len()).next_multiple_of(8);
        let content_end = content_at + 64;
        let table_at = if self.table_last { content_end } else { header };
        let loaded = if self.table_last {
            content_end + table
        } else {
            content_end
        };
        let sections_at = loaded.next_multiple_of(8);
        let section_count = 3;

        let mut out = vec![0x7f, b'E', b'L', b'F'];
        out.extend([1 + u8::from(self.wide), 1 + u8::from(self.big), 1]);
        out.resize(16, 0);
        self.u16(&mut out, self.kind);
        self.u16(&mut out, self.machine);
        self.u32(&mut out, 1);
        self.word(&mut out, 0);
        self.word(&mut out, table_at);
        self.word(&mut out, if self.sections { sections_at } else { 0 });
        self.u32(&mut out, 0);
        let (section, section_count) = if self.sections {
            (section, section_count)
        } else {
            (0, 0)
        };
        for number in [header, entry, count, section, section_count, 0] {
            self.u16(&mut out, number as u16);
        }
        assert_eq!(out.len(), header);

        let mut entries = Vec::new();
        self.entry(&mut entries, 1, 0, loaded, 4096);
        if self.interpreter {
            self.entry(&mut entries, 3, content_at, 16, 1);
        }
        if self.dynamic {
            self.entry(&mut entries, 2, content_at + 16, 32, 8);
        }
        self.entry(
            &mut entries,
            4,
            notes_at,
            self.notes.len(),
            self.note_align as usize,
        );
        if !self.table_last {
            out.extend_from_slice(&entries);
        }
        out.resize(notes_at, 0x11);
        out.extend_from_slice(&self.notes);
        out.resize(content_end, 0x22);
        if self.table_last {
            out.extend_from_slice(&entries);
        }
        if self.sections {
            out.resize(sections_at + section * section_count, 0);
        }
        out
    }

    fn entry(&self, out: &mut Vec<u8>, kind: u32, offset: usize, length: usize, align: usize) {
        self.u32(out, kind);
        if self.wide {
            self.u32(out, 4);
        }
        for number in [offset, offset, offset, length, length] {
            self.word(out, number);
        }
        if !self.wide {
            self.u32(out, 4);
        }
        self.word(out, align);
    }

    fn u16(&self, out: &mut Vec<u8>, number: u16) {
        out.extend(if self.big {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        });
    }

    fn u32(&self, out: &mut Vec<u8>, number: u32) {
        out.extend(if self.big {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        });
    }

    fn word(&self, out: &mut Vec<u8>, number: usize) {
        if !self.wide {
            self.u32(out, number as u32);
        } else if self.big {
            out.extend((number as u64).to_be_bytes());
        } else {
            out.extend((number as u64).to_le_bytes());
        }
    }
}

fn pad(out: &mut Vec<u8>, align: usize) {
    out.resize(out.len().next_multiple_of(align), 0);
}

/// A Mach-O library with the sections `__data` and `__floe`; the latter lies `gap` bytes on.
pub(super) fn mach_o(big: bool, gap: usize, manifest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let u32 = |out: &mut Vec<u8>, numbers: &[u32]| {
        for number in numbers {
            out.extend(if big {
                number.to_be_bytes()
            } else {
                number.to_le_bytes()
            });
        }
    };
    let u64 = |out: &mut Vec<u8>, numbers: &[usize]| {
        for number in numbers {
            let number = *number as u64;
            out.extend(if big {
                number.to_be_bytes()
            } else {
                number.to_le_bytes()
            });
        }
    };
    let name = |out: &mut Vec<u8>, name: &[u8]| {
        out.extend_from_slice(name);
        out.resize(out.len() + 16 - name.len(), 0);
    };
    let commands = 16 + 72 + 2 * 80;
    let manifest_at = 32 + commands + gap;
    let end = manifest_at + manifest.len();
    u32(
        &mut out,
        &[0xfeed_facf, 0x0100_000c, 0, 6, 2, commands as u32, 0, 0],
    );
    // Some other command first: LC_UUID would be 24 bytes, this is its shape only.
    u32(&mut out, &[0x1b, 16, 1, 2]);
    u32(&mut out, &[0x19, 72 + 2 * 80]);
    name(&mut out, b"__DATA");
    u64(&mut out, &[0, end, 0, end]);
    u32(&mut out, &[3, 3, 2, 0]);
    for (section, at, length) in [
        (&b"__data"[..], 32 + commands, gap),
        (&b"__floe"[..], manifest_at, manifest.len()),
    ] {
        name(&mut out, section);
        name(&mut out, b"__DATA");
        u64(&mut out, &[at, length]);
        u32(&mut out, &[at as u32, 0, 0, 0, 0, 0, 0, 0]);
    }
    assert_eq!(out.len(), 32 + commands);
    out.resize(manifest_at, 0x33);
    out.extend_from_slice(manifest);
    out
}
