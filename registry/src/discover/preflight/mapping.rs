//! How a library asks to be mapped: its run paths, its stack, its code, its processor.

use std::fs;
use std::path::Path;

use object::elf;

use super::super::open;
use super::hazard::Hazard;
use super::image::{Image, Reader};
use super::{Findings, listed, shown};
use crate::discover::Machine;

/// The most directories and libraries that are looked at.
const MOST_ENTRIES: usize = 64;

/// Everybody may write.
const BY_ALL: u32 = 0o002;

/// Only its owner may rename or remove what is in the directory.
const STICKY: u32 = 0o1000;

/// Says what is unusual about how the library is mapped.
pub(super) fn examine(image: &Image, findings: &mut Findings) {
    let flags = image.value(elf::DT_FLAGS).unwrap_or_default();
    if image.value(elf::DT_TEXTREL).is_some() || elf::DynamicFlags(flags).contains(elf::DF_TEXTREL)
    {
        findings.add(
            Hazard::TextRelocations,
            "has relocations in its code (`DT_TEXTREL`)".to_owned(),
        );
    }
    let stack = image
        .segments
        .iter()
        .find(|it| it.kind == elf::PT_GNU_STACK);
    match stack {
        Some(stack) if stack.flags.contains(elf::PF_X) => findings.add(
            Hazard::ExecutableStack,
            "asks for an executable stack (`PT_GNU_STACK`)".to_owned(),
        ),
        Some(_) => {}
        None => findings.add(
            Hazard::ExecutableStack,
            "does not say that its stack need not be executable (no `PT_GNU_STACK`)".to_owned(),
        ),
    }
    run_paths(image, findings);
}

fn run_paths(image: &Image, findings: &mut Findings) {
    let mut entries: Vec<&[u8]> = Vec::new();
    for tag in [elf::DT_RPATH, elf::DT_RUNPATH] {
        entries.extend(image.run_path(tag));
    }
    if !entries.is_empty() {
        let text = format!("has its libraries looked for in {}", listed(&entries));
        findings.add(Hazard::RunPath, text);
    }
    for entry in entries {
        if let Some(why) = insecurity(entry) {
            let text = format!("has its libraries looked for in `{}`, {why}", shown(entry));
            findings.add(Hazard::InsecureRunPath, text);
        }
    }
    for name in image.names(elf::DT_NEEDED).take(MOST_ENTRIES) {
        // A name with a slash is a path, and is not searched for.
        let is_path = name.contains(&b'/') && !name.starts_with(b"$");
        if is_path && !name.starts_with(b"/") {
            let text = format!(
                "needs `{}`, which is relative to the working directory",
                shown(name)
            );
            findings.add(Hazard::InsecureRunPath, text);
        }
    }
}

/// Why others may put libraries where an entry of a run path leads.
fn insecurity(entry: &[u8]) -> Option<&'static str> {
    if entry.is_empty() {
        return Some("an empty entry, which is the working directory");
    }
    // It leads to where the private copy is.
    if entry.starts_with(b"$ORIGIN") || entry.starts_with(b"${ORIGIN}") {
        return None;
    }
    let text = String::from_utf8_lossy(entry);
    let path = Path::new(text.as_ref());
    if !path.has_root() {
        return Some("which is relative to the working directory");
    }
    let mode = |path: &Path| Some(open::owner(&fs::metadata(path).ok()?).mode);
    let own = mode(path);
    if own.is_some_and(|mode| mode & BY_ALL != 0) {
        return Some("a directory that everybody may write to");
    }
    let nearest = path.ancestors().skip(1).find_map(mode);
    if own.is_none() && nearest.is_some_and(|mode| mode & BY_ALL != 0) {
        return Some("which is not there, and which everybody may create");
    }
    let replaceable =
        |path: &Path| mode(path).is_some_and(|mode| mode & BY_ALL != 0 && mode & STICKY == 0);
    let above = path.ancestors().skip(1).take(MOST_ENTRIES);
    above
        .into_iter()
        .any(replaceable)
        .then_some("below a directory in which everybody may replace it")
}

/// The levels of instructions of x86-64 processors, as the System V ABI names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    V1,
    V2,
    V3,
    V4,
}

impl Level {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V1 => "x86-64",
            Self::V2 => "x86-64-v2",
            Self::V3 => "x86-64-v3",
            Self::V4 => "x86-64-v4",
        }
    }
}

/// The level of instructions that the library says it needs.
pub(super) fn instruction_set(
    image: &Image,
    reader: &Reader<'_>,
    findings: &mut Findings,
) -> Option<Level> {
    if !matches!(image.platform.machine, Machine::X86_64 | Machine::X86) {
        return None;
    }
    let bits = image.property(reader, elf::GNU_PROPERTY_X86_ISA_1_NEEDED)?;
    let levels = [Level::V4, Level::V3, Level::V2, Level::V1];
    let place = levels.iter().zip((0..4).rev());
    let level = place
        .into_iter()
        .find_map(|(level, bit)| (bits >> bit & 1 == 1).then_some(*level))?;
    let lacking = lacking(level);
    if !lacking.is_empty() {
        let text = format!(
            "needs a processor of level `{}`, and this one lacks {}",
            level.name(),
            listed(&lacking)
        );
        findings.add(Hazard::InstructionSet, text);
    }
    Some(level)
}

/// The instructions of a level that this processor does not have.
#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
pub(super) fn lacking(level: Level) -> Vec<&'static [u8]> {
    macro_rules! detected {
        ($level:ident: $($feature:tt),*) => {
            [$((Level::$level, $feature, std::is_x86_feature_detected!($feature))),*]
        };
    }
    let v2 = detected!(V2: "cmpxchg16b", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3");
    let v3 = detected!(V3: "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave");
    let v4 = detected!(V4: "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl");
    v2.into_iter()
        .chain(v3)
        .chain(v4)
        .filter(|(of, _, there)| *of as u8 <= level as u8 && !there)
        .map(|(_, feature, _)| feature.as_bytes())
        .collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "x86")))]
pub(super) fn lacking(_level: Level) -> Vec<&'static [u8]> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(entry: &str, expected: Option<&str>) {
        assert_eq!(insecurity(entry.as_bytes()), expected, "{entry}");
    }

    #[test]
    fn a_path_of_the_working_directory_is_anybodys() {
        check("", Some("an empty entry, which is the working directory"));
        check("lib", Some("which is relative to the working directory"));
        check("./lib", Some("which is relative to the working directory"));
        check("$ORIGIN/lib", None);
        check("${ORIGIN}", None);
    }

    #[test]
    #[cfg(unix)]
    fn a_directory_that_all_may_write_to_is_anybodys() {
        use std::os::unix::fs::PermissionsExt;

        check("/usr/lib", None);
        check("/no/such/directory", None);
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let (below, inner) = (inner.join("lib"), inner.to_str().unwrap().to_owned());
        let allow = |mode| {
            fs::set_permissions(&inner, fs::Permissions::from_mode(mode)).unwrap();
        };
        allow(0o755);
        check(&inner, None);
        check(below.to_str().unwrap(), None);
        for mode in [0o777, 0o1777] {
            allow(mode);
            check(&inner, Some("a directory that everybody may write to"));
            let absent = "which is not there, and which everybody may create";
            check(below.to_str().unwrap(), Some(absent));
        }
        fs::create_dir(&below).unwrap();
        check(below.to_str().unwrap(), None);
        allow(0o777);
        let replaced = "below a directory in which everybody may replace it";
        check(below.to_str().unwrap(), Some(replaced));
    }

    #[test]
    fn a_level_has_what_the_ones_below_it_have() {
        assert!(lacking(Level::V1).is_empty());
        let (v3, v4) = (lacking(Level::V3), lacking(Level::V4));
        assert!(v3.iter().all(|feature| v4.contains(feature)));
    }
}
