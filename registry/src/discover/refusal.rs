//! What to tell about a file or directory that the system does not let be read.

use std::fs;
use std::io;
use std::path::Path;

use super::defect::printable;
use super::open;
use crate::error::{Rejection, Stage};

fn refuse(
    check: &'static str,
    path: &Path,
    found: String,
    expected: &str,
    remedy: &str,
) -> Rejection {
    Rejection::new(Stage::Discover, check, path, found, expected, remedy)
}

/// The refusal of what has a library's name and is no file.
pub(super) fn not_regular(path: &Path, found: &str) -> Rejection {
    refuse(
        "file-type",
        path,
        found.to_owned(),
        "a regular file",
        "rename it or move it out of the search path: it was not opened",
    )
}

/// The refusal of a file or directory that could not be looked at.
pub(super) fn unopened(path: &Path, error: &io::Error) -> Rejection {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => refuse(
            "not-found",
            path,
            "nothing of that name".to_owned(),
            "a file or directory of that name",
            "check the path; if it was removed while the directory was read, there is nothing to do",
        ),
        io::ErrorKind::PermissionDenied => refuse(
            "permission",
            path,
            format!("`{error}`"),
            &format!("a file or directory that {} may read", open::reader()),
            "give that user the right to read it, and to pass through each directory above it",
        ),
        _ if open::is_loop(error) => refuse(
            "file-type",
            path,
            "a link".to_owned(),
            "a regular file",
            "it became a link while it was looked at: scan again",
        ),
        _ => refuse(
            "unreadable",
            path,
            format!("`{}`", printable(&error.to_string())),
            "a file or directory that can be read",
            "check the disk or the network share that it lies on, and scan again",
        ),
    }
}

/// The refusal of a link that leads nowhere.
pub(super) fn broken_link(path: &Path, error: &io::Error) -> Rejection {
    let target = || match fs::read_link(path) {
        Ok(target) => format!("a link to `{}`", printable(&target.to_string_lossy())),
        Err(_) => "a link".to_owned(),
    };
    let remedy = "point the link at a library in the same search directory, or remove it";
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => refuse(
            "link-dangling",
            path,
            format!("{}, which does not exist", target()),
            "a link to a regular file",
            remedy,
        ),
        _ if open::is_loop(error) => refuse(
            "link-loop",
            path,
            format!("{}, which leads in a circle", target()),
            "a link to a regular file",
            remedy,
        ),
        _ => unopened(path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The superuser may read everything, so the system's answers are put in its mouth.
    #[test]
    fn each_answer_of_the_system_has_a_refusal() {
        let path = Path::new("/p/a\nb.so");
        let check = |kind: io::ErrorKind, check: &str, expected: &str| {
            let rejection = unopened(path, &kind.into());
            assert_eq!(rejection.check, check);
            assert!(rejection.expected.contains(expected), "{rejection}");
            assert!(!rejection.to_string().contains('\n'), "{rejection}");
        };
        check(io::ErrorKind::NotFound, "not-found", "of that name");
        check(io::ErrorKind::PermissionDenied, "permission", "may read");
        check(io::ErrorKind::TimedOut, "unreadable", "can be read");
    }
}
