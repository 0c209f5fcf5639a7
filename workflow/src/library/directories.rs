//! Workflows in the files of directories.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use semver::{Version, VersionReq};

use super::{Library, LibraryError};
use crate::document::Document;
use crate::nearest::nearest;
use crate::problem::Problems;
use crate::source::{Format, Limits};

/// The workflows in the files of some directories, each found by its `id`, whatever its file is called.
///
/// The files that end in `.json`, `.yaml` or `.yml` are read when a workflow is first asked for, and not
/// again: what is written later is for a new one of these. Directories in a directory are not looked
/// into. A file that cannot be read, or is no workflow, is left out and hides no other one;
/// [`left_out`](Self::left_out) names them.
///
/// Of several versions of one id, the newest that fits is found; where no range is asked for, a
/// pre-release only where there is no release. A version that is no semantic version, such as `draft`, is in
/// no range, and found where none is asked for and there is no other.
///
/// ```
/// use floe_registry::Registry;
/// use floe_workflow::{Document, Format, Limits, Validator, WorkflowDirectories};
///
/// # let directory = std::env::temp_dir().join(format!("floe-workflows-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// std::fs::write(
///     directory.join("pause.yaml"),
///     "{ id: pause, version: 1.2.0, nodes: [{ id: p, node_type: wait, parameters: { duration: 5s } }] }",
/// )?;
/// let text = "
/// id: main
/// nodes:
///   - id: rest
///     node_type: workflow.call
///     parameters: { workflow: pause, version: ^1 }
/// ";
/// let document = Document::read(text, Format::Yaml, &Limits::default())?;
/// let library = WorkflowDirectories::new().directory(&directory);
/// let validator = Validator::new(Registry::builder().build()?).library(library);
/// let checked = validator.validate(document)?;
/// assert_eq!(checked.calls()[&0].workflow().version.as_deref(), Some("1.2.0"));
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct WorkflowDirectories {
    directories: Vec<PathBuf>,
    limits: Limits,
    index: OnceLock<Index>,
}

impl WorkflowDirectories {
    /// No directories yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory. One that was added before is looked at once.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directories.push(directory.into());
        self.index = OnceLock::new();
        self
    }

    /// Sets how large each file may be.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self.index = OnceLock::new();
        self
    }

    /// The directories and files that were left out, and why, in the order of their names within each
    /// directory. Each is [`LibraryError::Unreadable`] or [`LibraryError::Problems`].
    #[must_use]
    pub fn left_out(&self) -> &[LibraryError] {
        &self.index().left_out
    }

    fn index(&self) -> &Index {
        self.index
            .get_or_init(|| Index::read(&self.directories, &self.limits))
    }
}

impl Library for WorkflowDirectories {
    fn find(&self, id: &str, version: Option<&VersionReq>) -> Result<Document, LibraryError> {
        let index = self.index();
        let Some(all) = index.workflows.get(id) else {
            return Err(index.missing(id));
        };
        let fits = |found: &&Found| match (version, &found.version) {
            (Some(range), Some(version)) => range.matches(version),
            (Some(_), None) => false,
            (None, _) => true,
        };
        let mut fitting = all.iter().filter(fits);
        let Some(first) = fitting.next() else {
            let range = version.map(ToString::to_string).unwrap_or_default();
            let versions = all
                .iter()
                .filter_map(|found| found.document.workflow().version.clone());
            return Err(LibraryError::NoVersion {
                id: id.to_owned(),
                range,
                versions: versions.collect(),
            });
        };
        match fitting.next() {
            Some(second) if second.version == first.version => Err(LibraryError::Twice {
                id: id.to_owned(),
                version: first.version.as_ref().map(ToString::to_string),
                files: [first.file.clone(), second.file.clone()],
            }),
            _ => Ok(first.document.clone()),
        }
    }

    fn nearest(&self, id: &str) -> Option<String> {
        nearest(id, self.index().workflows.keys().map(String::as_str))
    }
}

/// What is in the files.
#[derive(Debug, Default)]
struct Index {
    /// By id, the one to take first at the front.
    workflows: BTreeMap<String, Vec<Found>>,
    left_out: Vec<LibraryError>,
}

#[derive(Debug)]
struct Found {
    /// `None` where it has none, or one that cannot be compared.
    version: Option<Version>,
    file: PathBuf,
    document: Document,
}

impl Index {
    fn read(directories: &[PathBuf], limits: &Limits) -> Self {
        let mut index = Self::default();
        let mut known = HashSet::new();
        for directory in directories {
            let own = fs::canonicalize(directory).unwrap_or_else(|_| directory.clone());
            if !known.insert(own) {
                continue;
            }
            match files(directory) {
                Ok(files) => {
                    for (file, format) in files {
                        index.add(file, format, limits);
                    }
                }
                Err(error) => index.left_out.push(unreadable(directory, error)),
            }
        }
        for found in index.workflows.values_mut() {
            found.sort_by_cached_key(|found| {
                let version = found.version.clone();
                let is_release = version.as_ref().map(|version| version.pre.is_empty());
                Reverse((is_release, version))
            });
        }
        index
    }

    fn add(&mut self, file: PathBuf, format: Format, limits: &Limits) {
        let document = match text(&file, limits) {
            Ok(Some(text)) => Document::read(&text, format, limits),
            // A directory, or what no text is read from.
            Ok(None) => return,
            Err(error) => return self.left_out.push(unreadable(&file, error)),
        };
        let document = match document {
            Ok(document) if document.is_workflow() => document.in_file(&file),
            Ok(document) => {
                let problems: Problems = document.problems().iter().cloned().collect();
                return self.left_out.push(LibraryError::Problems(file, problems));
            }
            Err(problems) => return self.left_out.push(LibraryError::Problems(file, problems)),
        };
        let workflow = document.workflow();
        let version = workflow.version.as_deref();
        let found = Found {
            version: version.and_then(|version| version.parse().ok()),
            file,
            document: document.clone(),
        };
        self.workflows
            .entry(workflow.id.clone())
            .or_default()
            .push(found);
    }

    /// Why no workflow has an id: a file of its name is broken, or a directory was not looked into.
    fn missing(&self, id: &str) -> LibraryError {
        let of_its_name = |error: &&LibraryError| match error {
            LibraryError::Unreadable { file, .. } | LibraryError::Problems(file, _) => {
                file.file_stem().is_some_and(|stem| stem == id) && Format::of(file).is_some()
            }
            _ => false,
        };
        let is_directory = |error: &&LibraryError| match error {
            LibraryError::Unreadable { file, .. } => Format::of(file).is_none(),
            _ => false,
        };
        let mut left_out = self.left_out.iter();
        let found = left_out.clone().find(of_its_name);
        let found = found.or_else(|| left_out.find(is_directory));
        found
            .cloned()
            .unwrap_or_else(|| LibraryError::NotFound { id: id.to_owned() })
    }
}

/// The files of a directory that may be workflows, in the order of their names.
fn files(directory: &Path) -> io::Result<Vec<(PathBuf, Format)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let file = entry?.path();
        if let Some(format) = Format::of(&file) {
            files.push((file, format));
        }
    }
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(files)
}

/// The text of a file; `None` where it is no file.
fn text(path: &Path, limits: &Limits) -> io::Result<Option<String>> {
    // Asked before it is opened: opening a pipe waits for who writes to it.
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(limits.bytes).unwrap_or(u64::MAX);
    File::open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() > limits.bytes {
        let message = format!("it has more than {most} bytes, which is the limit");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    let text = String::from_utf8(bytes);
    text.map(Some)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

fn unreadable(file: &Path, error: io::Error) -> LibraryError {
    LibraryError::Unreadable {
        file: file.to_owned(),
        why: Arc::new(error),
    }
}
