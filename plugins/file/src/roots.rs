//! The directories that an operator allows, and paths in them.

use std::io;
use std::path::{Component, Path, PathBuf};

use floe_plugin_api::{Error, ErrorKind, Result, data};

use crate::directory::{Directory, Refused};

/// A directory that callers may use.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct RootConfig {
    /// What callers and errors call it; the last part of the path when not given.
    #[serde(default)]
    name: Option<String>,
    /// The directory, which must be there.
    #[schemars(with = "String", length(min = 1))]
    path: PathBuf,
    /// Whether files in it may be made and changed.
    #[serde(default)]
    write: bool,
}

#[derive(Debug)]
pub(crate) struct Root {
    name: String,
    /// As it was given, made absolute; and as it really is. A caller may write either.
    paths: [PathBuf; 2],
    write: bool,
    directory: Directory,
}

/// The directories, at least one, in the order of the configuration.
#[derive(Debug)]
pub(crate) struct Roots(Vec<Root>);

impl Roots {
    pub(crate) fn open(configured: Vec<RootConfig>) -> Result<Self> {
        if configured.is_empty() {
            return Err(misconfigured("`roots` is empty, expected at least one"));
        }
        let mut roots: Vec<Root> = Vec::with_capacity(configured.len());
        for (index, RootConfig { name, path, write }) in configured.into_iter().enumerate() {
            let shown = path.display();
            let refused = |error: io::Error| {
                Error::from(error)
                    .with_kind(ErrorKind::Configuration)
                    .context(format!(
                        "`roots[{index}].path` is `{shown}`, expected a directory that can be opened"
                    ))
            };
            let directory = Directory::open(&path).map_err(refused)?;
            let real = path.canonicalize().map_err(refused)?;
            let given = std::path::absolute(&path).map_err(refused)?;
            let name = match name {
                Some(name) => name,
                None => real
                    .file_name()
                    .map_or_else(|| "root".to_owned(), |name| name.to_string_lossy().into()),
            };
            if name.is_empty() || name.contains(char::is_control) {
                return Err(misconfigured(format!(
                    "`roots[{index}].name` is `{}`, expected a name",
                    name.escape_debug()
                )));
            }
            if roots.iter().any(|earlier| earlier.name == name) {
                return Err(misconfigured(format!(
                    "two of `roots` are named `{name}`; give each a `name` of its own"
                )));
            }
            roots.push(Root {
                name,
                paths: [given, real],
                write,
                directory,
            });
        }
        Ok(Self(roots))
    }

    /// The name of a root whose directory was removed.
    pub(crate) fn gone(&self) -> Option<&str> {
        let gone = self.0.iter().find(|root| root.directory.is_gone());
        gone.map(|root| root.name.as_str())
    }

    /// Finds out where a path is. It is below the root that is named, or below the only one; an
    /// absolute path is below the root that it begins with.
    pub(crate) fn place(&self, path: &str, root: Option<&str>) -> Result<Place<'_>> {
        let named = root.map(|name| self.named(name)).transpose()?;
        let refused = |kind: ErrorKind, why: String| {
            let shown = path.escape_debug();
            Err(Error::new(kind, format!("`{shown}` {why}")).with_detail("path", path))
        };
        if path.contains('\0') {
            return refused(
                ErrorKind::InvalidParameters,
                "holds a nul, which no path does".to_owned(),
            );
        }
        let given = Path::new(path);
        if given
            .components()
            .any(|component| component == Component::ParentDir)
        {
            return refused(
                ErrorKind::ValidationFailed,
                format!(
                    "holds `..`, which is refused wherever it leads; write the path from the root{}",
                    self.which(named)
                ),
            );
        }
        let (root, relative) = if given.has_root() || !is_plain(given) {
            let candidates = self
                .0
                .iter()
                .filter(|root| named.is_none_or(|named| named.name == root.name));
            let below = |root: &'_ Root| -> Option<(usize, PathBuf)> {
                root.paths.iter().find_map(|prefix| {
                    let rest = given.strip_prefix(prefix).ok()?;
                    Some((prefix.components().count(), rest.to_owned()))
                })
            };
            let nearest = candidates
                .filter_map(|root| below(root).map(|(depth, rest)| (root, depth, rest)))
                .max_by_key(|(_, depth, _)| *depth);
            match nearest {
                Some((root, _, rest)) => (root, rest),
                None => {
                    return refused(
                        ErrorKind::ValidationFailed,
                        format!(
                            "is outside the root{}; write the path from the root, without a `/` before it",
                            self.which(named)
                        ),
                    );
                }
            }
        } else {
            match (named, self.0.as_slice()) {
                (Some(root), _) | (None, [root]) => (root, given.to_owned()),
                (None, _) => {
                    return refused(
                        ErrorKind::InvalidParameters,
                        format!(
                            "may be in more than one root; set `root` to one of{}",
                            self.names()
                        ),
                    );
                }
            }
        };
        Ok(Place {
            root,
            relative: relative
                .components()
                .filter(|component| matches!(component, Component::Normal(_)))
                .collect(),
            given: path.to_owned(),
        })
    }

    fn named(&self, name: &str) -> Result<&Root> {
        self.0.iter().find(|root| root.name == name).ok_or_else(|| {
            Error::invalid("root", &format!("one of{}", self.names()), name)
                .with_kind(ErrorKind::InvalidParameters)
        })
    }

    fn which(&self, named: Option<&Root>) -> String {
        match (named, self.0.as_slice()) {
            (Some(root), _) | (None, [root]) => format!(" `{}`", root.name),
            _ => format!("s{}", self.names()),
        }
    }

    fn names(&self) -> String {
        let names: Vec<_> = self
            .0
            .iter()
            .map(|root| format!(" `{}`", root.name))
            .collect();
        names.join(",")
    }
}

/// Whether a path names nothing but what is below where it begins: on some systems one may begin with a
/// drive, or name a stream of a file.
fn is_plain(path: &Path) -> bool {
    path.components().all(|component| match component {
        Component::Normal(name) => cfg!(unix) || !name.to_string_lossy().contains(':'),
        Component::CurDir => true,
        _ => false,
    })
}

fn misconfigured(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

/// A path in a root.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    root: &'a Root,
    /// Names alone.
    relative: PathBuf,
    /// As the caller wrote it.
    given: String,
}

impl Place<'_> {
    pub(crate) fn directory(&self) -> &Directory {
        &self.root.directory
    }

    pub(crate) fn relative(&self) -> &Path {
        &self.relative
    }

    pub(crate) fn given(&self) -> &str {
        &self.given
    }

    pub(crate) fn root_name(&self) -> &str {
        &self.root.name
    }

    /// Refuses a root in which nothing may be changed.
    pub(crate) fn writable(&self) -> Result<()> {
        if self.root.write {
            return Ok(());
        }
        Err(self.refused(
            ErrorKind::ValidationFailed,
            "cannot be written: the root may only be read; set `write = true` for it in the configuration",
        ))
    }

    /// An error that names the path and the root.
    pub(crate) fn refused(&self, kind: ErrorKind, what: &str) -> Error {
        let message = format!(
            "`{}` in the root `{}` {what}",
            self.given.escape_debug(),
            self.root.name
        );
        Error::new(kind, message)
            .with_detail("path", self.given.as_str())
            .with_detail("root", self.root.name.as_str())
    }

    /// What a refusal of the directory means to a caller.
    pub(crate) fn failed(&self, refused: Refused) -> Error {
        use io::ErrorKind as Io;

        let invalid = ErrorKind::ValidationFailed;
        let error = match refused {
            Refused::Outside => {
                return self.refused(
                    invalid,
                    "leads out of the root through a symbolic link; name a root that holds what it leads to",
                );
            }
            Refused::Link => {
                return self.refused(
                    invalid,
                    "is or passes a symbolic link that is not followed; give the path that it leads to",
                );
            }
            Refused::Not(kind) => {
                return self.refused(invalid, &format!("is {kind}, expected a file"));
            }
            Refused::Io(error) => error,
        };
        let (kind, what) = match error.kind() {
            Io::NotFound => (invalid, "is not there; `file.list` tells what is"),
            Io::AlreadyExists => (
                invalid,
                "is there already; write it with the mode `replace` or `append`, or to another path",
            ),
            Io::PermissionDenied => (
                invalid,
                "may not be opened by this process; change who may use it",
            ),
            Io::ReadOnlyFilesystem => (invalid, "is on a file system that may only be read"),
            Io::NotADirectory => (invalid, "passes something that is not a directory"),
            Io::IsADirectory => (invalid, "is a directory, expected a file"),
            Io::InvalidFilename => (invalid, "holds a name that is too long"),
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => (
                ErrorKind::ResourceExhausted,
                "cannot be written: no room is left",
            ),
            Io::ResourceBusy | Io::ExecutableFileBusy | Io::Interrupted | Io::WouldBlock => {
                (ErrorKind::Transient, "is in use; try again")
            }
            _ => (ErrorKind::ExecutionError, "cannot be read or written"),
        };
        let named = self.refused(kind, what);
        let details = named.details().clone();
        let mut whole = Error::from(error)
            .with_kind(kind)
            .context(named.message().to_owned());
        if let Some(details) = details.as_map() {
            for entry in details {
                whole = whole.with_detail(&entry.key, entry.value.clone());
            }
        }
        whole
    }
}
