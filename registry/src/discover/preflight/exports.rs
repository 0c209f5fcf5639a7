//! What a library offers to every other one in the process, though it should not.

use super::hazard::Hazard;
use super::image::Image;
use super::symbols::Exports;
use super::{Findings, listed};

/// The functions of C's allocator: who defines one of them defines it for all.
const ALLOCATOR: &[&[u8]] = &[
    b"malloc",
    b"free",
    b"calloc",
    b"realloc",
    b"reallocarray",
    b"aligned_alloc",
    b"memalign",
    b"posix_memalign",
    b"valloc",
    b"pvalloc",
    b"malloc_usable_size",
    b"cfree",
];

/// The symbols by which other systems know their plugins, and what those systems are.
const ENTRIES: &[(&[u8], &str)] = &[
    (b"clap_entry", "CLAP"),
    (b"GetPluginFactory", "VST 3"),
    (b"VSTPluginMain", "VST 2"),
    (b"qt_plugin_instance", "Qt"),
    (b"napi_register_module_v1", "Node.js"),
    (b"JNI_OnLoad", "Java"),
    (b"sqlite3_extension_init", "SQLite"),
];

/// The same, where the name goes on or has something before its end.
const FAMILIES: &[(&[u8], &[u8], &str)] = &[
    (b"PyInit_", b"", "Python"),
    (b"gst_plugin_", b"_register", "GStreamer"),
    (b"Java_", b"", "Java"),
];

/// Says what the library defines that others would take for theirs.
pub(super) fn examine(image: &Image, exports: &Exports, findings: &mut Findings) {
    let mut allocator: Vec<&[u8]> = Vec::new();
    let mut foreign: Vec<(&[u8], &str)> = Vec::new();
    for (_, name) in exports.exported(image) {
        if ALLOCATOR.contains(&name) {
            allocator.push(name);
        }
        foreign.extend(system_of(name).map(|system| (name, system)));
    }
    if !allocator.is_empty() {
        let text = format!("defines {} for the whole process", listed(&allocator));
        findings.add(Hazard::ExportedAllocator, text);
    }
    if let Some((_, system)) = foreign.first() {
        let names: Vec<&[u8]> = foreign
            .iter()
            .filter(|(_, other)| other == system)
            .map(|(name, _)| *name)
            .collect();
        let text = format!(
            "defines {}: it is a plugin for {system} too",
            listed(&names)
        );
        findings.add(Hazard::ForeignEntry, text);
    }
}

/// The system whose plugins have this symbol.
fn system_of(name: &[u8]) -> Option<&'static str> {
    let one = ENTRIES.iter().find(|(entry, _)| *entry == name);
    let family = || {
        FAMILIES.iter().find(|(start, end, _)| {
            name.len() > start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        })
    };
    one.map(|(_, system)| *system)
        .or_else(|| family().map(|(_, _, system)| *system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_known_by_their_names() {
        for (name, system) in [
            ("clap_entry", Some("CLAP")),
            ("PyInit_numpy", Some("Python")),
            ("PyInit_", None),
            ("gst_plugin_flac_register", Some("GStreamer")),
            ("gst_plugin_register", None),
            ("Java_org_sqlite_open", Some("Java")),
            ("floe_plugin_root", None),
        ] {
            assert_eq!(system_of(name.as_bytes()), system, "{name}");
        }
    }
}
