//! Why an audit log cannot be used.

use std::io;
use std::path::{Path, PathBuf};

/// Why an audit log could not be opened, written, verified or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The system said no.
    #[error("cannot {action} `{}`; free or mend it, or set `file` of `[audit]` to another", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it did not work.
        source: io::Error,
    },
    /// Others than the user of the process could write to it.
    #[error("the audit log `{}` is not safe: found {found}, expected a file of this user that nobody else may write to; {remedy}", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// What it is, whose, or its mode.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// Its end is nothing that a record can follow.
    #[error("nothing is appended to `{}`: found {found}, expected {expected}; see `floe audit verify`, and move the log away with its `.head`", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What its end is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// Another process has held it for too long.
    #[error("another process holds the audit log `{}` and does not let go of it; end that, or set `file` of `[audit]` to another", path.display())]
    Held {
        /// The file.
        path: PathBuf,
    },
    /// Neither the file is there nor any of those before it.
    #[error("there is no audit log `{}`; name its file, as `[audit]` of `floe.toml` does", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The caller may not read it.
    #[error(
        "{} may not read the audit log{}, expected one of `readers` of `[audit]`, or of its tenant's `audit`",
        whose(tenant),
        with(roles)
    )]
    Unreadable {
        /// On whose behalf it was to be read.
        tenant: String,
        /// In which roles.
        roles: Vec<String>,
    },
    /// What was read is not a record.
    #[error("found {found} in `{}`, expected a record; see `floe audit verify`", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was found, and why it is no record.
        found: String,
    },
}

impl AuditError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

fn whose(tenant: &str) -> String {
    match tenant {
        "" => "a caller without a tenant".to_owned(),
        tenant => format!("tenant `{}`", tenant.escape_debug()),
    }
}

fn with(roles: &[String]) -> String {
    match roles {
        [] => " without a role".to_owned(),
        roles => format!(" with `{}`", roles.join("`, `").escape_debug()),
    }
}
