//! Whether the loader would find all that a library needs of others.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::rc::Rc;

use object::elf;

use super::hazard::{Hazard, Severity};
use super::image::{Image, Reader, Symbol};
use super::search::{Library, RunPaths, Search};
use super::symbols::{Exports, NeededVersion, needed_versions};
use super::{Findings, GlibcNeed, Needed, listed, shown};

/// The most libraries that are looked at for one plugin.
const MOST_LIBRARIES: usize = 256;

/// The symbol by which a library is a floe plugin.
const ROOT: &[u8] = b"floe_plugin_root";

/// How versions of glibc are named.
const GLIBC: &str = "GLIBC_";

/// What a library needs, and what of it was found.
#[derive(Debug, Default)]
pub(super) struct Linking {
    pub(super) needed: Vec<Needed>,
    pub(super) glibc: Option<GlibcNeed>,
}

/// Everything that would be loaded along with a library.
#[derive(Debug, Default)]
struct Closure {
    /// By the name under which another library needs it; none where it is missing.
    libraries: HashMap<Vec<u8>, Option<Rc<Library>>>,
    /// Those that were found, the nearest first.
    found: Vec<(Vec<u8>, Rc<Library>)>,
    complete: bool,
}

/// Goes through all that a library needs.
pub(super) fn examine(
    image: &Image,
    reader: &Reader<'_>,
    exports: &Exports,
    path: &Path,
    findings: &mut Findings,
) -> Linking {
    let mut search = Search::new(image.platform);
    let closure = close(image, path, &mut search, findings);
    let needs = needed_versions(image, reader);
    check_versions(None, &needs, &closure, findings);
    for (name, library) in &closure.found {
        check_versions(Some(name), &library.needs, &closure, findings);
    }
    if closure.complete {
        check_symbols(image, exports, &closure, &search, findings);
    }
    for (name, library) in &closure.found {
        if library.defines(ROOT) {
            let found = format!("needs `{}`, which is a floe plugin itself", shown(name));
            findings.worse(Hazard::ForeignEntry, Severity::Error, found);
        }
    }
    Linking {
        needed: image
            .names(elf::DT_NEEDED)
            .take(MOST_LIBRARIES)
            .map(|name| Needed {
                name: shown(name),
                found: closure
                    .libraries
                    .get(name)
                    .and_then(|library| Some(library.as_ref()?.path.clone())),
            })
            .collect(),
        glibc: highest(needs.iter().map(|need| need.name.as_slice())).map(|needed| {
            let libc = closure.libraries.get(b"libc.so.6".as_slice());
            let versions = libc.and_then(|libc| libc.as_ref()?.versions.as_deref());
            GlibcNeed {
                needed,
                host: versions.and_then(|versions| highest(versions.iter().map(Vec::as_slice))),
            }
        }),
    }
}

/// A library that is to be found yet.
struct Wanted {
    name: Vec<u8>,
    /// What needs it, unless the plugin itself does.
    by: Option<Vec<u8>>,
    /// The run paths of what needs it.
    paths: Rc<RunPaths>,
}

/// Finds all libraries that a library needs, those first that it needs itself.
fn close(image: &Image, path: &Path, search: &mut Search, findings: &mut Findings) -> Closure {
    let directory = path.parent().unwrap_or(Path::new("."));
    let paths = Rc::new(RunPaths::of(image, directory, true, &RunPaths::default()));
    let mut closure = Closure {
        complete: true,
        ..Closure::default()
    };
    let mut queue: VecDeque<Wanted> = image
        .names(elf::DT_NEEDED)
        .take(MOST_LIBRARIES)
        .map(|name| Wanted {
            name: name.to_vec(),
            by: None,
            paths: Rc::clone(&paths),
        })
        .collect();
    while let Some(Wanted { name, by, paths }) = queue.pop_front() {
        if closure.libraries.contains_key(&name) || closure.libraries.len() >= MOST_LIBRARIES {
            continue;
        }
        // What has the name already is not looked for again.
        let known = closure
            .found
            .iter()
            .find(|(_, library)| library.known_as() == Some(name.as_slice()));
        if let Some((_, library)) = known {
            let library = Rc::clone(library);
            closure.libraries.insert(name, Some(library));
            continue;
        }
        // A path that starts with a variable leads to no file of a private copy.
        let found = search.find(&name, &paths);
        if let Some(library) = &found {
            let directory = library.path.parent().unwrap_or(Path::new("/"));
            let inherited = Rc::new(RunPaths::of(&library.image, directory, false, &paths));
            for next in library.image.names(elf::DT_NEEDED).take(MOST_LIBRARIES) {
                queue.push_back(Wanted {
                    name: next.to_vec(),
                    by: Some(name.clone()),
                    paths: Rc::clone(&inherited),
                });
            }
            closure.found.push((name.clone(), Rc::clone(library)));
        } else {
            closure.complete = false;
            if !search.is_mapped(&name) {
                let original = Search::unreachable(&name, &paths, directory);
                findings.add(
                    Hazard::MissingLibrary,
                    missing(&name, by.as_deref(), original.as_deref()),
                );
            }
        }
        closure.libraries.insert(name, found);
    }
    closure
}

fn missing(name: &[u8], by: Option<&[u8]>, original: Option<&Path>) -> String {
    let name = shown(name);
    let mut text = match by {
        Some(by) => format!("needs `{}`, which needs `{name}`, which", shown(by)),
        None => format!("needs `{name}`, which"),
    };
    text.push_str(" is nowhere the loader looks");
    if let Some(original) = original {
        let original = shown(original.to_string_lossy().as_bytes());
        text.push_str(&format!(
            "; `{original}` is not, as a plugin is loaded from a private copy in another directory"
        ));
    }
    text
}

/// Compares the versions that a library needs with those that were found.
fn check_versions(
    by: Option<&[u8]>,
    needs: &[NeededVersion],
    closure: &Closure,
    findings: &mut Findings,
) {
    let mut lacking: Vec<Lacking<'_>> = Vec::new();
    for need in needs {
        let Some(Some(library)) = closure.libraries.get(&need.library) else {
            continue;
        };
        // The loader takes a library that has no versions for any of them.
        let Some(defined) = &library.versions else {
            continue;
        };
        if need.weak || defined.contains(&need.name) {
            continue;
        }
        match lacking.iter_mut().find(|it| it.library == need.library) {
            Some(known) => known.versions.push(&need.name),
            None => lacking.push(Lacking {
                library: &need.library,
                versions: vec![&need.name],
                defined,
            }),
        }
    }
    for Lacking {
        library,
        versions,
        defined,
    } in lacking
    {
        let mut text = format!("needs {} of `{}`", listed(&versions), shown(library));
        if let Some(by) = by {
            text = format!("needs `{}`, which {text}", shown(by));
        }
        let family = versions.iter().find_map(|version| family(version));
        let has = family.and_then(|family| highest_of(family, defined.iter().map(Vec::as_slice)));
        text.push_str(&match has {
            Some(has) => format!(", host has up to `{}`", shown(has.as_bytes())),
            None => ", which the one that is found does not define".to_owned(),
        });
        findings.add(Hazard::MissingSymbolVersion, text);
    }
}

/// Versions that a library was found not to define.
struct Lacking<'a> {
    library: &'a [u8],
    versions: Vec<&'a [u8]>,
    defined: &'a [Vec<u8>],
}

/// Looks for the symbols that the library has from others.
fn check_symbols(
    image: &Image,
    exports: &Exports,
    closure: &Closure,
    search: &Search,
    findings: &mut Findings,
) {
    let mut undefined: Vec<&[u8]> = Vec::new();
    for symbol in exports.symbols.iter().filter(Symbol::is_required) {
        let Some(name) = image.string(symbol.name.into()).filter(|it| !it.is_empty()) else {
            continue;
        };
        let is_found = closure
            .found
            .iter()
            .any(|(_, library)| library.defines(name))
            || exports.defines(image, name)
            || search.is_defined_here(name);
        if !is_found {
            undefined.push(name);
        }
    }
    if !undefined.is_empty() {
        let text = format!(
            "needs {}, which no library that it needs defines",
            listed(&undefined)
        );
        findings.add(Hazard::UndefinedSymbol, text);
    }
}

/// What a version's name has before its numbers, as `GLIBC_` in `GLIBC_2.38`.
fn family(version: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(version).ok()?;
    let end = text.find(|c: char| c.is_ascii_digit())?;
    text.get(..end)
}

/// The numbers of a version of a family, as 2, 38 in `GLIBC_2.38`.
fn numbers(family: &str, version: &[u8]) -> Option<Vec<u32>> {
    let text = std::str::from_utf8(version).ok()?.strip_prefix(family)?;
    text.split('.').map(|number| number.parse().ok()).collect()
}

/// The name of the highest version of a family.
fn highest_of<'a>(family: &str, versions: impl Iterator<Item = &'a [u8]>) -> Option<&'a str> {
    let numbered = versions.filter_map(|version| Some((numbers(family, version)?, version)));
    let (_, version) = numbered.max()?;
    std::str::from_utf8(version).ok()
}

/// The highest version of glibc, without the family's name.
fn highest<'a>(versions: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let version = highest_of(GLIBC, versions)?.strip_prefix(GLIBC)?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let versions: [&[u8]; 5] = [
            b"GLIBC_2.9",
            b"GLIBC_2.34",
            b"GLIBC_2.3.4",
            b"GLIBC_PRIVATE",
            b"GCC_3.0",
        ];
        assert_eq!(highest(versions.into_iter()).as_deref(), Some("2.34"));
        assert_eq!(highest([b"GCC_3.0".as_slice()].into_iter()), None);
        assert_eq!(family(b"GLIBCXX_3.4.30"), Some("GLIBCXX_"));
        assert_eq!(family(b"\xff1"), None);
    }
}
