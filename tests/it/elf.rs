//! Small libraries, made byte by byte: enough to be discovered and admitted, with no code in them.

use serde_json::{Value as Json, json};

/// A manifest that is admitted.
pub(crate) fn manifest() -> Json {
    json!({
        "format": 1,
        "floe_api_version": "1.0",
        "boundary": "abi_stable 0.11",
        "panic": "unwind",
        "kind": "storage",
        "name": "shelf",
        "version": "1.2.0",
        "description": "Keeps things.",
        "authors": ["Ada"],
        "license": "MIT",
        "executors": [
            {"node_type": "shelf.put", "category": "write", "tags": ["disk"], "description": "Puts a thing on the shelf."},
            {"node_type": "shelf.get", "category": "read", "description": "Takes a thing from the shelf."},
        ],
    })
}

/// The manifest with some fields set otherwise.
pub(crate) fn manifest_with(fields: &Json) -> Json {
    let mut manifest = manifest();
    for (name, value) in fields.as_object().unwrap() {
        manifest[name] = value.clone();
    }
    manifest
}

/// A 64-bit library for this machine with a manifest in its note.
pub(crate) fn library(manifest: &Json) -> Vec<u8> {
    let mut note = Vec::new();
    let content = manifest.to_string();
    for number in [5, u32::try_from(content.len()).unwrap(), 1] {
        note.extend(number.to_le_bytes());
    }
    note.extend(b"floe\0\0\0\0");
    note.extend(content.as_bytes());
    note.resize(note.len().next_multiple_of(4), 0);

    const HEADER: u64 = 64;
    const ENTRY: u64 = 56;
    const ENTRIES: u64 = 4;
    /// Five entries, one character of text, and one symbol: the least that a loader reads.
    const DYNAMIC: u64 = 5 * 16;
    const STRINGS: u64 = 8;
    const SYMBOL: u64 = 24;
    let note_at = HEADER + ENTRY * ENTRIES;
    let dynamic_at = (note_at + note.len() as u64).next_multiple_of(8);
    let strings_at = dynamic_at + DYNAMIC;
    let symbols_at = strings_at + STRINGS;
    let end = symbols_at + SYMBOL;

    let machine: u16 = if cfg!(target_arch = "aarch64") {
        183
    } else {
        62
    };
    let mut out = b"\x7fELF\x02\x01\x01".to_vec();
    out.resize(16, 0);
    out.extend(3_u16.to_le_bytes());
    out.extend(machine.to_le_bytes());
    out.extend(1_u32.to_le_bytes());
    for number in [0, HEADER, 0] {
        out.extend(number.to_le_bytes());
    }
    out.extend(0_u32.to_le_bytes());
    for number in [HEADER, ENTRY, ENTRIES, 0, 0, 0] {
        out.extend(u16::try_from(number).unwrap().to_le_bytes());
    }
    for (kind, offset, length, align) in [
        (1_u32, 0, end, 4096_u64),
        (2, dynamic_at, DYNAMIC, 8),
        (4, note_at, note.len() as u64, 4),
        // The stack, which is not executable.
        (0x6474_e551, 0, 0, 16),
    ] {
        out.extend(kind.to_le_bytes());
        out.extend(4_u32.to_le_bytes());
        for number in [offset, offset, offset, length, length, align] {
            out.extend(number.to_le_bytes());
        }
    }
    out.extend(note);
    out.resize(usize::try_from(dynamic_at).unwrap(), 0);
    for (tag, value) in [
        (5, strings_at),
        (10, 1),
        (6, symbols_at),
        (11, SYMBOL),
        (0, 0),
    ] {
        out.extend(u64::to_le_bytes(tag));
        out.extend(value.to_le_bytes());
    }
    out.resize(usize::try_from(end).unwrap(), 0);
    out
}
