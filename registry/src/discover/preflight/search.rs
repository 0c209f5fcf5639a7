//! Where the system's loader looks for a library, as glibc's `ld.so(8)` describes it.
//!
//! In this order: the run paths of what needs it where those are of the older kind (`DT_RPATH`),
//! `LD_LIBRARY_PATH`, the run path of the newer kind (`DT_RUNPATH`), the list that `ldconfig`
//! writes, and the directories that the loader was built with. What the process has mapped already
//! needs no search.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use object::elf;

use super::super::open;
use super::super::platform::Platform;
use super::cache::{self, Cache};
use super::image::{Image, Reader};
use super::symbols::{Exports, NeededVersion, defined_versions, needed_versions};

/// The list that `ldconfig` writes.
const CACHE: &str = "/etc/ld.so.cache";

/// The variable whose directories the loader searches.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// What this process has mapped.
const MAPPED: &str = "/proc/self/maps";

/// The most of [`MAPPED`] that is read.
const LONGEST_MAPPED: u64 = 4 << 20;

/// The most mapped files that are looked at.
const MOST_MAPPED: usize = 256;

/// The directories that loaders are built with, in whichever order a distribution has them.
const DIRECTORIES: &[&str] = &["/lib64", "/usr/lib64", "/lib", "/usr/lib"];

/// The directories beside them for one machine each, as Debian and its relatives have them.
const MULTIARCH: Option<&str> = if cfg!(target_arch = "x86_64") {
    Some("x86_64-linux-gnu")
} else if cfg!(target_arch = "aarch64") {
    Some("aarch64-linux-gnu")
} else if cfg!(target_arch = "x86") {
    Some("i386-linux-gnu")
} else if cfg!(target_arch = "arm") {
    Some("arm-linux-gnueabihf")
} else if cfg!(target_arch = "riscv64") {
    Some("riscv64-linux-gnu")
} else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
    Some("powerpc64le-linux-gnu")
} else if cfg!(target_arch = "s390x") {
    Some("s390x-linux-gnu")
} else {
    None
};

/// A directory of a run path.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) directory: PathBuf,
    /// Whether the loader gets there: not from a plugin's own directory, as its copy is elsewhere.
    pub(super) reachable: bool,
}

/// The run paths of a library, and those that it has from what needs it.
#[derive(Clone, Debug, Default)]
pub(super) struct RunPaths {
    /// `DT_RUNPATH`, which is for the library's own needs alone.
    pub(super) own: Option<Rc<[Place]>>,
    /// `DT_RPATH` of the library and of all that led to it.
    pub(super) inherited: Vec<Rc<[Place]>>,
}

impl RunPaths {
    /// Those of a library in a directory; `private` where the file that is loaded is a copy elsewhere.
    pub(super) fn of(image: &Image, directory: &Path, private: bool, before: &Self) -> Self {
        let places = |tag| -> Option<Rc<[Place]>> {
            image.value(tag)?;
            let entries = image.run_path(tag);
            Some(
                entries
                    .flat_map(|entry| expand(entry, directory, private))
                    .collect(),
            )
        };
        let own = places(elf::DT_RUNPATH);
        let mut inherited = before.inherited.clone();
        // The older kind is ignored where the newer one is there.
        if own.is_none()
            && let Some(places) = places(elf::DT_RPATH)
        {
            inherited.insert(0, places);
        }
        Self { own, inherited }
    }

    /// In the order of the search, with whatever comes between the two kinds.
    fn before(&self) -> impl Iterator<Item = &Place> {
        let inherited = self.own.is_none().then_some(&self.inherited);
        inherited
            .into_iter()
            .flatten()
            .flat_map(|places| places.iter())
    }

    fn after(&self) -> impl Iterator<Item = &Place> {
        self.own.iter().flat_map(|places| places.iter())
    }
}

/// An entry of a run path, with what the loader replaces in it.
fn expand(entry: &[u8], directory: &Path, private: bool) -> Vec<Place> {
    let text = String::from_utf8_lossy(entry)
        .replace("${", "$")
        .replace('}', "");
    let of_origin = text.contains("$ORIGIN");
    let text = text
        .replace("$ORIGIN", &directory.to_string_lossy())
        .replace("$PLATFORM", std::env::consts::ARCH);
    // What stands for it depends on how the loader was built.
    let variants = if text.contains("$LIB") {
        let multiarch = MULTIARCH.map(|machine| format!("lib/{machine}"));
        let all = ["lib64".to_owned(), "lib".to_owned()].into_iter();
        all.chain(multiarch)
            .map(|lib| text.replace("$LIB", &lib))
            .collect()
    } else {
        vec![text]
    };
    variants
        .into_iter()
        .map(|text| Place {
            directory: if text.is_empty() {
                PathBuf::from(".")
            } else {
                text.into()
            },
            reachable: !(of_origin && private),
        })
        .collect()
}

/// A library that was found, with what others may need of it.
#[derive(Debug)]
pub(super) struct Library {
    pub(super) path: PathBuf,
    pub(super) image: Image,
    pub(super) exports: Exports,
    /// The versions that it defines; none where it has no versions.
    pub(super) versions: Option<Vec<Vec<u8>>>,
    /// The versions that it needs of others.
    pub(super) needs: Vec<NeededVersion>,
}

impl Library {
    /// Opens a library for a platform; anything else is none.
    fn open(path: &Path, platform: Platform) -> Option<Self> {
        // What is a link is followed by hand, as no other is followed when it is opened.
        let real = fs::canonicalize(path).ok()?;
        if !fs::symlink_metadata(&real).ok()?.is_file() {
            return None;
        }
        let file = open::open(&real).ok()?;
        Self::read(&file, path, platform)
    }

    fn read(file: &File, path: &Path, platform: Platform) -> Option<Self> {
        let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
        let reader = Reader::new(file, metadata.len());
        let image = Image::read(&reader).ok()??;
        if image.platform != platform {
            return None;
        }
        Some(Self {
            exports: Exports::read(&image, &reader),
            versions: defined_versions(&image, &reader),
            needs: needed_versions(&image, &reader),
            path: path.to_owned(),
            image,
        })
    }

    /// The name that others know it by.
    pub(super) fn known_as(&self) -> Option<&[u8]> {
        self.image.names(elf::DT_SONAME).next()
    }

    /// Whether a symbol of this name is in it.
    pub(super) fn defines(&self, name: &[u8]) -> bool {
        self.exports.defines(&self.image, name)
    }
}

/// Looks for libraries, and remembers for one examination what it has read.
#[derive(Debug)]
pub(super) struct Search {
    platform: Platform,
    library_path: Vec<PathBuf>,
    cache: OnceCell<Cache>,
    mapped: OnceCell<Vec<Library>>,
    program: OnceCell<Vec<Rc<[Place]>>>,
    opened: HashMap<PathBuf, Option<Rc<Library>>>,
}

impl Search {
    pub(super) fn new(platform: Platform) -> Self {
        let variable = std::env::var_os(LIBRARY_PATH).filter(|text| !text.is_empty());
        Self {
            platform,
            // An empty entry is the working directory, as it is to the loader.
            library_path: variable
                .iter()
                .flat_map(|text| std::env::split_paths(text))
                .collect(),
            cache: OnceCell::new(),
            mapped: OnceCell::new(),
            program: OnceCell::new(),
            opened: HashMap::new(),
        }
    }

    /// Finds a library that one with these run paths needs.
    pub(super) fn find(&mut self, name: &[u8], paths: &RunPaths) -> Option<Rc<Library>> {
        let text = String::from_utf8_lossy(name).into_owned();
        if text.contains('/') {
            return self.open(PathBuf::from(text));
        }
        let reachable = |place: &Place| place.reachable.then(|| place.directory.join(&text));
        let before: Vec<PathBuf> = paths.before().filter_map(reachable).collect();
        let program: Vec<PathBuf> = if paths.own.is_none() {
            let places = self.program().iter().flat_map(|places| places.iter());
            places.filter_map(reachable).collect()
        } else {
            Vec::new()
        };
        let variable = self.library_path.iter().map(|it| it.join(&text));
        let after = paths.after().filter_map(reachable);
        let listed = self
            .cache()
            .paths(name)
            .into_iter()
            .map(|path| PathBuf::from(String::from_utf8_lossy(path).into_owned()));
        let candidates: Vec<PathBuf> = before
            .into_iter()
            .chain(program)
            .chain(variable)
            .chain(after)
            .chain(listed)
            .collect();
        let found = candidates.into_iter().find_map(|path| self.open(path));
        found.or_else(|| {
            let directories = DIRECTORIES.iter().flat_map(|directory| {
                let directory = Path::new(directory);
                let multiarch = MULTIARCH.map(|machine| directory.join(machine));
                multiarch.into_iter().chain([directory.to_owned()])
            });
            let candidates: Vec<PathBuf> = directories.map(|it| it.join(&text)).collect();
            candidates.into_iter().find_map(|path| self.open(path))
        })
    }

    /// Where a library is to which no way leads from a private copy, though one does from the original.
    pub(super) fn unreachable(name: &[u8], paths: &RunPaths, beside: &Path) -> Option<PathBuf> {
        let text = String::from_utf8_lossy(name);
        let name = Path::new(text.as_ref()).file_name()?;
        paths
            .before()
            .chain(paths.after())
            .filter(|place| !place.reachable)
            .map(|place| place.directory.as_path())
            .chain([beside])
            .map(|directory| directory.join(name))
            .find(|path| path.is_file())
    }

    /// The library that this process has mapped under a name.
    pub(super) fn is_mapped(&self, name: &[u8]) -> bool {
        self.mapped().iter().any(|library| {
            let file = library.path.file_name().map(|it| it.to_string_lossy());
            library.known_as() == Some(name) || file.is_some_and(|file| file.as_bytes() == name)
        })
    }

    /// Whether the program or a library that this process has mapped defines a symbol.
    pub(super) fn is_defined_here(&self, name: &[u8]) -> bool {
        self.mapped().iter().any(|library| library.defines(name))
    }

    fn open(&mut self, path: PathBuf) -> Option<Rc<Library>> {
        let platform = self.platform;
        let entry = self.opened.entry(path);
        let path = entry.key().clone();
        entry
            .or_insert_with(|| Library::open(&path, platform).map(Rc::new))
            .clone()
    }

    fn cache(&self) -> &Cache {
        self.cache.get_or_init(|| {
            let bytes = start_of(Path::new(CACHE), cache::LONGEST);
            Cache::new(bytes.unwrap_or_default())
        })
    }

    fn mapped(&self) -> &[Library] {
        self.mapped.get_or_init(|| {
            let bytes = start_of(Path::new(MAPPED), LONGEST_MAPPED).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let mut paths: Vec<&str> = text
                .lines()
                .filter_map(|line| Some(&line[line.find('/')?..]))
                .collect();
            paths.sort_unstable();
            paths.dedup();
            paths
                .into_iter()
                .take(MOST_MAPPED)
                .filter_map(|path| Library::open(Path::new(path), self.platform))
                .collect()
        })
    }

    /// The run path of this program, which is for all that it loads where it is of the older kind.
    fn program(&self) -> &[Rc<[Place]>] {
        self.program.get_or_init(|| {
            let paths = std::env::current_exe().ok().and_then(|path| {
                let file = open::open(&path).ok()?;
                let reader = Reader::new(&file, file.metadata().ok()?.len());
                let image = Image::read(&reader).ok()??;
                let directory = path.parent()?;
                Some(RunPaths::of(&image, directory, false, &RunPaths::default()))
            });
            paths.map(|paths| paths.inherited).unwrap_or_default()
        })
    }
}

/// The first bytes of a file.
fn start_of(path: &Path, most: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(entry: &str, private: bool, expected: &[(&str, bool)]) {
        let found = expand(entry.as_bytes(), Path::new("/p"), private);
        let found: Vec<_> = found
            .iter()
            .map(|place| (place.directory.to_str().unwrap(), place.reachable))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_stands_for_a_directory_is_replaced() {
        check("/opt/lib", true, &[("/opt/lib", true)]);
        check("$ORIGIN/../lib", false, &[("/p/../lib", true)]);
        check("${ORIGIN}/lib", true, &[("/p/lib", false)]);
        check("", true, &[(".", true)]);
        let machine = format!("/opt/{}", std::env::consts::ARCH);
        check("/opt/$PLATFORM", false, &[(&machine, true)]);
        let variants = expand(b"/opt/$LIB", Path::new("/p"), false);
        assert!(variants.len() >= 2, "{variants:?}");
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn the_systems_own_library_is_found_and_has_what_it_is_known_for() {
        let mut search = Search::new(Platform::host());
        let library = search.find(b"libc.so.6", &RunPaths::default()).unwrap();
        assert_eq!(library.known_as(), Some(b"libc.so.6".as_slice()));
        assert!(library.defines(b"malloc") && library.defines(b"printf"));
        assert!(!library.defines(b"no_such_function"));
        let versions = library.versions.as_ref().unwrap();
        assert!(versions.contains(&b"GLIBC_2.17".to_vec()), "{versions:?}");
        assert!(search.is_mapped(b"libc.so.6"));
        assert!(search.is_defined_here(b"malloc"));
        assert!(
            search
                .find(b"libno-such.so.9", &RunPaths::default())
                .is_none()
        );
    }
}
