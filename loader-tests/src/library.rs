//! Copies of built libraries with other manifests and numbers in them; and libraries of C.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::{Value as Json, json};

use crate::elf;
use crate::fixtures::Fixture;

/// What stands in the probe for the number that tells one copy from another.
const TAG: &[u8] = b"floe-fixture-tag:00000000";

/// The first bytes of the header that `abi_stable` lays out, before its two version numbers.
const ABI_MAGIC: &[u8] = b"abi stable library for Rust";

/// The bytes of a library, to be changed and written.
#[derive(Clone, Debug)]
pub struct Library {
    bytes: Vec<u8>,
    original: Arc<Original>,
    manifest: Json,
}

/// A library as it was built, and where in it the manifest stands.
#[derive(Debug)]
struct Original {
    bytes: Vec<u8>,
    note: usize,
    length: usize,
    /// Every place of the manifest, the note's included.
    places: Vec<usize>,
    tag: Option<usize>,
}

impl Original {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let note = elf::manifest_of(&bytes);
        let places = find_all(&bytes, &bytes[note.clone()]);
        Self {
            note: note.start,
            length: note.len(),
            tag: find_all(&bytes, TAG).first().copied(),
            places,
            bytes,
        }
    }

    /// The original of a file, which is read and searched once.
    fn of(path: &Path) -> Arc<Self> {
        static READ: OnceLock<Mutex<HashMap<PathBuf, Arc<Original>>>> = OnceLock::new();
        let mut read = READ
            .get_or_init(Mutex::default)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        read.entry(path.to_owned())
            .or_insert_with(|| Arc::new(Self::read(path)))
            .clone()
    }
}

fn find_all(bytes: &[u8], wanted: &[u8]) -> Vec<usize> {
    let first = wanted[0];
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(next) = bytes[from..].iter().position(|byte| *byte == first) {
        let at = from + next;
        if bytes[at..].starts_with(wanted) {
            found.push(at);
        }
        from = at + 1;
    }
    found
}

impl Library {
    /// A copy of a fixture. Each copy of the probe has another content: its code is mapped anew,
    /// with counters of its own.
    pub fn of(fixture: Fixture) -> Self {
        Self::read(&fixture.path())
    }

    /// A copy of a library with a manifest.
    pub fn read(path: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let original = Original::of(path);
        let text = &original.bytes[original.note..original.note + original.length];
        let mut library = Self {
            bytes: original.bytes.clone(),
            manifest: serde_json::from_slice(text).expect("a fixture has a good manifest"),
            original,
        };
        if library.original.tag.is_some() {
            // Threads of one process count, processes differ by their number.
            let number = NEXT.fetch_add(1, Ordering::Relaxed) << 16 | std::process::id() & 0xffff;
            library = library.tag(&format!("{number:08x}"));
        }
        library
    }

    /// Sets the eight bytes that the executor `probe.tag` gives.
    #[must_use]
    #[track_caller]
    pub fn tag(mut self, tag: &str) -> Self {
        assert_eq!(tag.len(), 8, "a tag is eight bytes");
        let at = self.original.tag.expect("the probe has a tag") + TAG.len() - 8;
        self.bytes[at..at + 8].copy_from_slice(tag.as_bytes());
        self
    }

    /// The manifest.
    pub fn manifest(&self) -> &Json {
        &self.manifest
    }

    /// Writes another manifest into the note and into the code.
    #[must_use]
    #[track_caller]
    pub fn with_manifest(mut self, change: impl FnOnce(&mut Json)) -> Self {
        change(&mut self.manifest);
        let text = self.manifest_text();
        for place in self.original.places.clone() {
            self.bytes[place..place + text.len()].copy_from_slice(text.as_bytes());
        }
        self
    }

    /// Writes another manifest into the note alone: the code goes on saying the old one.
    #[must_use]
    #[track_caller]
    pub fn with_note(mut self, change: impl FnOnce(&mut Json)) -> Self {
        change(&mut self.manifest);
        let text = self.manifest_text();
        let note = self.original.note;
        self.bytes[note..note + text.len()].copy_from_slice(text.as_bytes());
        self
    }

    /// The manifest as text of the length that there is room for; its description makes room.
    #[track_caller]
    fn manifest_text(&mut self) -> String {
        let room = self.original.length;
        if self.manifest.to_string().len() > room
            && let Some(Json::String(description)) = self.manifest.get_mut("description")
        {
            description.truncate(22);
        }
        let mut text = self.manifest.to_string();
        assert!(
            text.len() <= room,
            "the manifest is {} bytes too long",
            text.len() - room
        );
        while text.len() < room {
            text.push(' ');
        }
        text
    }

    /// Sets the name, and with it the first word of every node type.
    #[must_use]
    #[track_caller]
    pub fn named(self, name: &str) -> Self {
        self.with_manifest(|manifest| {
            let old = manifest["name"].as_str().unwrap_or_default().to_owned();
            manifest["name"] = json!(name);
            for executor in manifest["executors"].as_array_mut().into_iter().flatten() {
                let node_type = executor["node_type"].as_str().unwrap_or_default();
                if let Some(rest) = node_type.strip_prefix(&format!("{old}.")) {
                    executor["node_type"] = json!(format!("{name}.{rest}"));
                }
            }
        })
    }

    /// Says that it needs another plugin of its kind, in these versions.
    #[must_use]
    #[track_caller]
    pub fn needing(self, name: &str, range: &str) -> Self {
        self.with_need(name, range, false)
    }

    /// The same, and that it can do without.
    #[must_use]
    #[track_caller]
    pub fn wanting(self, name: &str, range: &str) -> Self {
        self.with_need(name, range, true)
    }

    #[track_caller]
    fn with_need(self, name: &str, range: &str, optional: bool) -> Self {
        self.with_manifest(|manifest| {
            let need = json!({
                "kind": manifest["kind"], "name": name, "version": range, "optional": optional
            });
            match manifest["dependencies"].as_array_mut() {
                Some(needs) => needs.push(need),
                None => manifest["dependencies"] = json!([need]),
            }
        })
    }

    /// Sets the version.
    #[must_use]
    #[track_caller]
    pub fn version(self, version: &str) -> Self {
        self.with_manifest(|manifest| manifest["version"] = json!(version))
    }

    /// Says that the header was laid out by another version of `abi_stable`.
    #[must_use]
    #[track_caller]
    pub fn with_abi_version(mut self, minor: u32) -> Self {
        let headers = find_all(&self.bytes, ABI_MAGIC);
        assert!(!headers.is_empty(), "the library has no header");
        for at in headers {
            self.bytes[at + 36..at + 40].copy_from_slice(&minor.to_le_bytes());
        }
        self
    }

    /// Makes the file so many bytes longer, with bytes that nobody maps.
    #[must_use]
    pub fn padded(mut self, more: usize) -> Self {
        self.bytes.resize(self.bytes.len() + more, 0x5a);
        self
    }

    /// Replaces bytes wherever they stand.
    #[must_use]
    #[track_caller]
    pub fn replaced(mut self, from: &[u8], to: &[u8]) -> Self {
        assert_eq!(from.len(), to.len(), "a library keeps its length");
        let places = find_all(&self.bytes, from);
        assert!(!places.is_empty(), "nothing to replace");
        for at in places {
            self.bytes[at..at + to.len()].copy_from_slice(to);
        }
        self
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Compiles a shared library of C; `arguments` are the compiler's.
#[track_caller]
pub fn compile_c(directory: &Path, name: &str, source: &str, arguments: &[&str]) -> PathBuf {
    let output = directory.join(format!("{name}{}", std::env::consts::DLL_SUFFIX));
    run_compiler(
        &output,
        source,
        &[&["-shared", "-fPIC"], arguments].concat(),
    );
    output
}

/// Runs the C compiler on a source, with arguments; the source is put beside the output.
#[track_caller]
pub fn run_compiler(output: &Path, source: &str, arguments: &[&str]) {
    let file = output.with_extension("c");
    fs::write(&file, source).expect("a source file can be written");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(&compiler);
    command.args(["-w", "-O0", "-o"]);
    command.arg(output).arg(&file).args(arguments);
    let done = command
        .output()
        .unwrap_or_else(|error| panic!("no C compiler `{}`: {error}", compiler.display()));
    assert!(
        done.status.success(),
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// The C source of a floe note with this manifest.
pub fn note_in_c(manifest: &str) -> String {
    let text: String = manifest.bytes().map(|byte| format!("{byte},")).collect();
    let length = manifest.len();
    format!(
        "__attribute__((section(\".note.floe.plugin\"), used, aligned(4)))\n\
         static const struct {{ unsigned n, d, t; char owner[8]; unsigned char text[{length}]; }}\n\
         floe_note = {{ 5, {length}, 1, \"floe\", {{ {text} }} }};\n"
    )
}
