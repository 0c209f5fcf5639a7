//! Looks through the search path.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::defect::printable;
use super::file::{Opened, Reading};
use super::open;
use super::outcome::{Ignored, Outcome, Scan, Scanned};
use super::refusal::{broken_link, not_regular, unopened};
use super::search::{Presence, SearchDirectory};
use crate::error::{Rejection, Stage};

/// Looks through the search path, and gives one result per file with a library's name.
///
/// It runs nothing, waits for nothing, and does not fail: what is wrong with one file or
/// directory is that file's or directory's result. Links are followed inside their search
/// directory only, and a file that was met before is not read again.
///
/// ```
/// use floe_registry::{SearchDirectory, scan};
///
/// let directory = std::env::temp_dir().join("no-plugins-here");
/// assert!(scan(&[SearchDirectory::new(&directory).optional()]).files.is_empty());
///
/// let scan = scan(&[SearchDirectory::new(&directory)]);
/// let missing = scan.rejections().next().map(|rejection| rejection.check);
/// assert_eq!(missing, Some("search-path"));
/// ```
#[must_use]
pub fn scan(directories: &[SearchDirectory]) -> Scan {
    let mut scanner = Scanner::default();
    for (position, directory) in directories.iter().enumerate() {
        scanner.directory(position, directory);
    }
    Scan {
        files: scanner.files,
    }
}

/// Something that a walk met, before it is looked at.
struct Entry {
    /// How many levels below the search directory it is.
    depth: usize,
    path: PathBuf,
    kind: Result<FileType, io::Error>,
}

#[derive(Default)]
struct Scanner {
    files: Vec<Scanned>,
    /// Device and inode of every file that was opened, with its place in `files`.
    met: HashMap<(u64, u64), usize>,
    reading: Reading,
}

impl Scanner {
    fn directory(&mut self, position: usize, directory: &SearchDirectory) {
        let path = directory.path();
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => self.reading.enter(path, &found),
            Ok(found) => {
                let found = open::kind(found.file_type());
                return self.missing(position, directory, found);
            }
            Err(error) if is_missing(&error) => {
                return self.missing(position, directory, "nothing of that name");
            }
            Err(error) => {
                return self.push(
                    position,
                    path.to_owned(),
                    Outcome::Rejected(unopened(path, &error)),
                );
            }
        }
        self.look_at(position, &Root::new(path), entries(directory));
    }

    fn look_at(&mut self, position: usize, root: &Root<'_>, entries: Vec<Entry>) {
        self.files.reserve_exact(entries.len());
        for Entry { path, kind, .. } in entries {
            let outcome = match kind {
                Ok(kind) => self.file(position, root, &path, kind),
                Err(error) => Outcome::Rejected(unopened(&path, &error)),
            };
            self.push(position, path, outcome);
        }
    }

    fn missing(&mut self, position: usize, directory: &SearchDirectory, found: &str) {
        if directory.presence() == Presence::Optional {
            return;
        }
        let rejection = Rejection::new(
            Stage::Discover,
            "search-path",
            directory.path(),
            found,
            "a directory",
            "create the directory, or take it out of the search path",
        );
        self.push(
            position,
            directory.path().to_owned(),
            Outcome::Rejected(rejection),
        );
    }

    fn push(&mut self, position: usize, path: PathBuf, outcome: Outcome) {
        self.files.push(Scanned {
            path,
            position,
            outcome,
        });
    }

    fn file(&mut self, position: usize, root: &Root<'_>, path: &Path, kind: FileType) -> Outcome {
        let hidden = |name: &OsStr| name.as_encoded_bytes().starts_with(b".");
        if path.file_name().is_some_and(hidden) {
            return Outcome::Ignored(Ignored::Hidden);
        }
        let opened = if kind.is_file() {
            Opened::listed(path, position)
        } else if kind.is_symlink() {
            root.resolve(path)
                .and_then(|target| Opened::new(path, Some(target), position))
        } else {
            Err(not_regular(path, open::kind(kind)))
        };
        opened
            .and_then(|opened| self.read(opened))
            .unwrap_or_else(Outcome::Rejected)
    }

    fn read(&mut self, opened: Opened) -> Result<Outcome, Rejection> {
        let identity = opened.identity();
        let next = self.files.len();
        let first = *self
            .met
            .entry((identity.device, identity.inode))
            .or_insert(next);
        if let Some(first) = self.files.get(first) {
            let first = first.path.clone();
            return Ok(Outcome::Ignored(Ignored::SameFile { first }));
        }
        Ok(match opened.read(&mut self.reading)? {
            Some(candidate) => Outcome::Candidate(candidate),
            None => Outcome::Ignored(Ignored::NotAPlugin),
        })
    }
}

/// The entries with a library's name, and the directories that could not be read, in order.
fn entries(directory: &SearchDirectory) -> Vec<Entry> {
    let mut entries = Vec::new();
    if directory.max_depth() == 0 {
        return entries;
    }
    let mut walk = WalkDir::new(directory.path())
        .min_depth(1)
        .max_depth(directory.max_depth())
        .into_iter();
    while let Some(entry) = walk.next() {
        match entry {
            Ok(entry) => {
                let kind = entry.file_type();
                // Hidden directories hold what nobody means to be looked through: a version
                // control system's files, or a store of earlier copies.
                if kind.is_dir() && entry.file_name().as_encoded_bytes().starts_with(b".") {
                    walk.skip_current_dir();
                }
                if is_library_name(entry.file_name()) {
                    entries.push(Entry {
                        depth: entry.depth(),
                        path: entry.into_path(),
                        kind: Ok(kind),
                    });
                }
            }
            Err(error) => {
                let path = error.path().unwrap_or(directory.path()).to_owned();
                entries.push(Entry {
                    depth: error.depth(),
                    path,
                    kind: Err(error.into()),
                });
            }
        }
    }
    // What lies higher comes first: of a library that a build left in `release/` and, as the same
    // file, in `release/deps/`, the one to speak of is the former. Then the order is not that of
    // `Path`, which goes by component, but that of the text, as it is printed.
    entries.sort_unstable_by(|a, b| {
        let (text_a, text_b) = (a.path.as_os_str(), b.path.as_os_str());
        let by_text = || text_a.as_encoded_bytes().cmp(text_b.as_encoded_bytes());
        a.depth.cmp(&b.depth).then_with(by_text)
    });
    entries
}

/// Whether a file of this name is looked at: on Linux, `.so` is its extension.
fn is_library_name(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.ends_with(std::env::consts::DLL_SUFFIX.as_bytes())
        // Plugins are often built as `.so` there too.
        || (cfg!(target_vendor = "apple") && name.ends_with(b".so"))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// A search directory, with its real path once a link asks for it.
struct Root<'a> {
    path: &'a Path,
    real: OnceCell<PathBuf>,
}

impl<'a> Root<'a> {
    fn new(path: &'a Path) -> Self {
        Self {
            path,
            real: OnceCell::new(),
        }
    }

    /// Where a link leads, which must be inside the directory.
    fn resolve(&self, link: &Path) -> Result<PathBuf, Rejection> {
        let target = fs::canonicalize(link).map_err(|error| broken_link(link, &error))?;
        let real = match self.real.get() {
            Some(real) => real,
            None => {
                let real =
                    fs::canonicalize(self.path).map_err(|error| unopened(self.path, &error))?;
                self.real.get_or_init(|| real)
            }
        };
        if target.starts_with(real) {
            return Ok(target);
        }
        let text = |path: &Path| printable(&path.to_string_lossy());
        Err(Rejection::new(
            Stage::Discover,
            "link-leaves-root",
            link,
            format!("a link to `{}`", text(&target)),
            format!("a link to a file below `{}`", text(real)),
            "copy the plugin there, or add its own directory to the search path",
        ))
    }
}

#[cfg(test)]
mod tests;
