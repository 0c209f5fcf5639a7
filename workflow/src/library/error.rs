//! Why a library has no answer.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::nearest::listed;
use crate::problem::Problems;

/// Why a [`Library`](crate::Library) has no workflow to give.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// There is no library to look in.
    NoLibrary {
        /// The id that was asked for.
        id: String,
    },
    /// No workflow has the id.
    NotFound {
        /// The id that was asked for.
        id: String,
    },
    /// A workflow has the id, but in no version that will do.
    NoVersion {
        /// The id that was asked for.
        id: String,
        /// The range that was asked for.
        range: String,
        /// The versions that there are, the newest first; those that are no semantic version are last,
        /// and one without a version is not named.
        versions: Vec<String>,
    },
    /// Two files have the workflow that was asked for, so that it cannot be told which is meant.
    Twice {
        /// The id that was asked for.
        id: String,
        /// The version of both; `None` where theirs cannot be compared.
        version: Option<String>,
        /// Two of the files, in the order of their names.
        files: [PathBuf; 2],
    },
    /// A directory, or the file that has the id for a name, cannot be read.
    Unreadable {
        /// The directory or the file.
        file: PathBuf,
        /// Why it cannot be read.
        #[source]
        why: Arc<std::io::Error>,
    },
    /// The file that has the id for a name is no workflow.
    Problems(
        /// The file.
        PathBuf,
        /// What is wrong with it.
        #[source]
        Problems,
    ),
    /// The library cannot answer now.
    Unavailable {
        /// The id that was asked for.
        id: String,
        /// Why it cannot, and what to do.
        why: String,
    },
}

impl LibraryError {
    /// What was found, and what was expected.
    pub(crate) fn found(&self) -> String {
        match self {
            Self::NoLibrary { id } => {
                format!(
                    "there is no library to find workflow `{}` in",
                    id.escape_debug()
                )
            }
            Self::NotFound { id } => format!("no workflow has the id `{}`", id.escape_debug()),
            Self::NoVersion {
                id,
                range,
                versions,
            } => {
                let there = match versions.as_slice() {
                    [] => "without one".to_owned(),
                    versions => format!("in {}", listed(versions.iter().map(String::as_str))),
                };
                let id = id.escape_debug();
                format!("workflow `{id}` is there in no version of `{range}`, only {there}")
            }
            Self::Twice { id, version, files } => {
                let [one, other] = files.each_ref().map(|file| shown(file));
                let which = match version {
                    Some(version) => format!("in version `{}`", version.escape_debug()),
                    None => "in no version that can be compared".to_owned(),
                };
                let id = id.escape_debug();
                format!("{one} and {other} are both workflow `{id}`, {which}")
            }
            Self::Unreadable { file, .. } => format!("cannot read {}", shown(file)),
            Self::Problems(file, _) => format!("{} is no workflow", shown(file)),
            Self::Unavailable { id, .. } => {
                format!("workflow `{}` cannot be looked for", id.escape_debug())
            }
        }
    }

    /// What to do.
    pub(crate) fn advice(&self) -> &str {
        match self {
            Self::NoLibrary { .. } => "say where workflows are",
            Self::NotFound { .. } => "write it, or call another one",
            Self::NoVersion { .. } => "ask for one that is there, or write another",
            Self::Twice { .. } => "take one of them out, or give it a version of its own",
            Self::Unreadable { .. } => "see that it is there and may be read",
            Self::Problems(..) => "mend it",
            Self::Unavailable { why, .. } => why,
        }
    }

    /// What lies behind it, in one line.
    pub(crate) fn cause(&self) -> Option<String> {
        match self {
            Self::Unreadable { why, .. } => Some(why.to_string()),
            Self::Problems(_, problems) => problems.iter().next().map(ToString::to_string),
            _ => None,
        }
    }
}

/// What was found and what to do; what lies behind it is its source.
impl fmt::Display for LibraryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.found(), self.advice())
    }
}

/// A file as it stands in a message.
pub(crate) fn shown(file: &Path) -> String {
    let file = file.display().to_string();
    // Not the `\` of Windows.
    match file.contains(char::is_control) {
        true => format!("`{}`", file.escape_debug()),
        false => format!("`{file}`"),
    }
}
