//! Says of a library, without loading it, whether the system could load it and what is hazardous
//! about it.
//!
//! - `image` reads an ELF file's tables, bounded; `symbols` finds names and versions in them.
//! - `search` looks for libraries where the system's loader would, with the list in `cache`.
//! - `linking` asks whether all that the library needs is there.
//! - `startup` asks what runs when it is mapped, `mapping` how it is mapped, and `exports` what it
//!   offers to the process.
//! - `hazard` names what can be found.
//!
//! Files are read; nothing is mapped or run. Nothing is remembered between two libraries.

mod cache;
mod exports;
mod hazard;
mod image;
mod linking;
mod mapping;
mod search;
mod startup;
mod symbols;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::bytes::{Buffers, Source};
use super::defect::{Defect, printable};
use super::file::open_library;
use super::platform::Platform;
use super::refusal::unopened;
use crate::error::Rejection;

pub use self::hazard::{Hazard, ParseHazardError, Severity};
use self::image::{Image, Reader};
use self::symbols::Exports;

/// The longest text from a file that is shown, in characters.
const LONGEST_SHOWN: usize = 80;

/// The most names that are shown in one finding.
const MOST_SHOWN: usize = 5;

/// The most findings of one hazard.
const MOST_FINDINGS: usize = 16;

/// What is known of a library without loading it, beyond its manifest.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Preflight {
    /// Whether the file's format is one that is examined: ELF. Otherwise the rest is empty.
    pub examined: bool,
    /// The compiler that made it, as it names itself: `rustc version 1.95.0 (59807616e 2026-04-14)`.
    pub compiler: Option<String>,
    /// The libraries that it says it needs, in its order; empty where it is for another machine, and
    /// on systems whose loader is not glibc's.
    pub needed: Vec<Needed>,
    /// The versions of glibc that it needs and that there are; `None` where it needs none.
    pub glibc: Option<GlibcNeed>,
    /// The level of instructions that it says it needs: `x86-64-v3`. Most libraries say nothing.
    pub instruction_set: Option<String>,
    /// What is hazardous about it, the worst first.
    pub findings: Vec<Finding>,
    /// Why the system's loader could not read it, in one line. Then nothing else is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed: Option<String>,
}

/// A library that another one needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Needed {
    /// The name by which it is looked for.
    pub name: String,
    /// Where the system's loader finds it.
    #[serde(serialize_with = "crate::id::lossy_option")]
    pub found: Option<PathBuf>,
}

/// The version of glibc that a library needs at least.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GlibcNeed {
    /// The one that it needs, as `2.34`.
    pub needed: String,
    /// The one that this host has, where its `libc.so.6` was found.
    pub host: Option<String>,
}

/// One thing that is hazardous about a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What sort of hazard it is.
    pub hazard: Hazard,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, in one line: ``needs `libfoo.so.3`, which is nowhere the loader looks``.
    pub found: String,
    /// Why it matters.
    pub why: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

impl Preflight {
    /// Why the system's loader could not load it here, in one line, if it could not.
    #[must_use]
    pub fn unloadable(&self) -> Option<&str> {
        let found = self.findings.iter().find(|finding| finding.prevents());
        let found = found.map(|finding| finding.found.as_str());
        self.malformed.as_deref().or(found)
    }
}

impl Finding {
    /// Whether the system cannot load a library of which this was found.
    pub(crate) fn prevents(&self) -> bool {
        self.severity == Severity::Error && !self.opens()
    }

    /// Whether it lets others have code run in the host, that nobody has admitted.
    pub(crate) fn opens(&self) -> bool {
        let way_in = matches!(self.hazard, Hazard::InsecureRunPath | Hazard::ForeignEntry);
        way_in && self.severity == Severity::Error
    }
}

/// Findings, so many of each hazard at most.
#[derive(Debug, Default)]
struct Findings {
    all: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, hazard: Hazard, found: String) {
        self.worse(hazard, hazard.severity(), found);
    }

    fn worse(&mut self, hazard: Hazard, severity: Severity, found: String) {
        let before = self.all.iter().filter(|it| it.hazard == hazard).count();
        if before < MOST_FINDINGS {
            self.all.push(Finding {
                hazard,
                severity,
                found,
                why: hazard.why(),
                remedy: hazard.remedy(),
            });
        }
    }

    fn into_sorted(mut self) -> Vec<Finding> {
        self.all
            .sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.hazard));
        self.all
    }
}

/// A text from a file, to be shown: in one line, and not too long.
fn shown(text: &[u8]) -> String {
    // No character is longer than four bytes, so this cuts nothing that would be shown.
    let text = text.get(..LONGEST_SHOWN * 4).unwrap_or(text);
    let text = String::from_utf8_lossy(text);
    let mut chars = text.chars();
    let mut cut: String = chars.by_ref().take(LONGEST_SHOWN).collect();
    if chars.next().is_some() {
        cut.push('…');
    }
    printable(&cut)
}

/// Names from a file: the first few, and how many more there are.
fn listed(names: &[&[u8]]) -> String {
    let mut parts: Vec<String> = names
        .iter()
        .take(MOST_SHOWN)
        .map(|name| format!("`{}`", shown(name)))
        .collect();
    if names.len() > MOST_SHOWN {
        parts.push(format!("{} more", names.len() - MOST_SHOWN));
    }
    match parts.pop() {
        Some(last) if parts.is_empty() => last,
        Some(last) => format!("{} and {last}", parts.join(", ")),
        None => String::new(),
    }
}

/// Examines a library that is open; `path` is where it is, and names it in a refusal.
///
/// # Errors
///
/// When it cannot be read, or when the system's loader could not read it.
pub(crate) fn preflight(file: &File, path: &Path) -> Result<Preflight, Rejection> {
    let metadata = file.metadata().map_err(|error| unopened(path, &error))?;
    examine(file, metadata.len(), path).map_err(|defect| defect.reject(path))
}

/// Examines a library to tell what is known of it; `file` is where it is.
#[must_use]
pub fn preflight_of(file: &Path) -> Preflight {
    let opened = open_library(file).map_err(|error| unopened(file, &error));
    let examined = opened.and_then(|opened| preflight(&opened, file));
    examined.unwrap_or_else(|rejection| Preflight {
        malformed: Some(rejection.reason()),
        ..Preflight::default()
    })
}

fn examine(source: &dyn Source, size: u64, path: &Path) -> Result<Preflight, Defect> {
    let reader = Reader::new(source, size);
    let Some(image) = Image::read(&reader)? else {
        return Ok(Preflight::default());
    };
    super::elf::check_dynamic(source, size, &mut Buffers::default())?;
    let sections = image.sections(&reader);
    let exports = Exports::read_all(&image, &reader, &sections);
    let compiler = sections
        .comment(&reader)
        .and_then(|comment| compiler(&comment));
    let rust = compiler.as_ref().is_some_and(|it| it.starts_with("rustc"));

    let mut findings = Findings::default();
    mapping::examine(&image, &mut findings);
    startup::examine(&image, &reader, &sections, &exports, rust, &mut findings);
    exports::examine(&image, &exports, &mut findings);
    // What is for another machine is refused for that, and none of its libraries is here.
    let here = image.platform == Platform::host();
    let linked = here && cfg!(all(target_os = "linux", target_env = "gnu"));
    let level = here.then(|| mapping::instruction_set(&image, &reader, &mut findings));
    let linking = if linked {
        linking::examine(&image, &reader, &exports, path, &mut findings)
    } else {
        linking::Linking::default()
    };
    Ok(Preflight {
        examined: true,
        compiler,
        needed: linking.needed,
        glibc: linking.glibc,
        instruction_set: level.flatten().map(|level| level.name().to_owned()),
        findings: findings.into_sorted(),
        malformed: None,
    })
}

/// The compiler among those that name themselves: Rust's before a C compiler, whose start-up code
/// every library has.
fn compiler(comment: &[u8]) -> Option<String> {
    let mut names = comment.split(|byte| *byte == 0).filter(|it| !it.is_empty());
    let first = names.clone().next()?;
    let found = names.find(|name| name.starts_with(b"rustc"));
    Some(shown(found.unwrap_or(first)))
}

/// Examines bytes as a library, for fuzzing: whatever they are, it must not panic.
#[doc(hidden)]
pub fn fuzz_preflight(bytes: &[u8]) {
    let path = Path::new("fuzz.so");
    let lines: Vec<String> = match examine(&bytes, bytes.len() as u64, path) {
        Ok(preflight) => {
            let found = preflight.findings.into_iter().map(|finding| finding.found);
            let needed = preflight.needed.into_iter().map(|needed| needed.name);
            found.chain(needed).chain(preflight.compiler).collect()
        }
        Err(defect) => vec![defect.reject(path).to_string()],
    };
    for line in lines {
        assert!(
            !line.contains(char::is_control),
            "what is told is one line: {line:?}"
        );
    }
}
