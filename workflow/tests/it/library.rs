//! Workflows that call others: how those are found, and what is told of them.

use std::fs;

use floe_workflow::{Library, LibraryError, NoLibrary, WorkflowDirectories};
use tempfile::TempDir;

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(directory.path().join(name), content).unwrap();
    }
    directory
}

fn library(directory: &TempDir) -> WorkflowDirectories {
    WorkflowDirectories::new().directory(directory.path())
}

/// A message without the directory that is another one each time.
fn told(directory: &TempDir, text: impl ToString) -> String {
    let path = directory.path().display().to_string();
    let text = text.to_string().replace(&path, "DIR");
    text.replace("DIR\\", "DIR/")
}

#[track_caller]
fn found(library: &impl Library, id: &str, range: Option<&str>) -> Option<String> {
    let range = range.map(|range| range.parse().unwrap());
    let document = library.find(id, range.as_ref());
    let document = document.unwrap_or_else(|error| panic!("{error}"));
    document.workflow().version.clone()
}

fn missing(library: &impl Library, id: &str, range: Option<&str>) -> LibraryError {
    let range = range.map(|range| range.parse().unwrap());
    library.find(id, range.as_ref()).unwrap_err()
}

const EMPTY: &str = "nodes: [{ id: a, node_type: noop }] }";

#[test]
fn versions() {
    let of = |version: &str| format!("{{ id: w, version: {version}, {EMPTY}");
    let directory = directory(&[
        ("a.yaml", &of("1.2.0")),
        (
            "b.json",
            "{\"id\": \"w\", \"version\": \"1.10.0\", \"nodes\": []}",
        ),
        ("c.yml", &of("2.0.0")),
        ("d.YAML", &of("3.0.0-rc.1")),
        ("e.yaml", &of("draft")),
        ("f.yaml", &format!("{{ id: loose, version: draft, {EMPTY}")),
        ("g.yaml", &format!("{{ id: bare, {EMPTY}")),
        (
            "h.yaml",
            &format!("{{ id: early, version: 1.0.0-rc.1, {EMPTY}"),
        ),
        ("i.txt", &format!("{{ id: text, {EMPTY}")),
    ]);
    fs::create_dir(directory.path().join("below.yaml")).unwrap();
    fs::write(directory.path().join("below.yaml/w.yaml"), of("9.0.0")).unwrap();
    let library = library(&directory);
    let of = |id: &str, range| found(&library, id, range);
    assert_eq!(of("w", None).as_deref(), Some("2.0.0"));
    assert_eq!(of("w", Some("*")).as_deref(), Some("2.0.0"));
    assert_eq!(of("w", Some("^1")).as_deref(), Some("1.10.0"));
    assert_eq!(of("w", Some("~1.2")).as_deref(), Some("1.2.0"));
    assert_eq!(of("w", Some("3.0.0-rc.1")).as_deref(), Some("3.0.0-rc.1"));
    assert_eq!(of("loose", None).as_deref(), Some("draft"));
    assert_eq!(of("bare", None), None);
    assert_eq!(of("early", None).as_deref(), Some("1.0.0-rc.1"));
    let table = [
        (
            missing(&library, "w", Some("^4")),
            "workflow `w` is there in no version of `^4`, only in `2.0.0`, `1.10.0`, `1.2.0`, `3.0.0-rc.1`, `draft`; ask for one that is there, or write another",
        ),
        (
            missing(&library, "loose", Some("*")),
            "workflow `loose` is there in no version of `*`, only in `draft`; ask for one that is there, or write another",
        ),
        (
            missing(&library, "bare", Some("^1")),
            "workflow `bare` is there in no version of `^1`, only without one; ask for one that is there, or write another",
        ),
        (
            missing(&library, "text", None),
            "no workflow has the id `text`; write it, or call another one",
        ),
    ];
    for (error, expected) in table {
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(library.nearest("losse").as_deref(), Some("loose"));
    assert!(library.left_out().is_empty(), "{:?}", library.left_out());
}

#[test]
fn two_files_of_one_workflow() {
    let of = |version: &str| format!("{{ id: w, version: {version}, {EMPTY}");
    let directory = directory(&[
        ("1.yaml", &of("1.0.0")),
        ("2.yaml", &of("1.0.0")),
        ("3.yaml", &of("2.0.0")),
        ("4.yaml", &format!("{{ id: loose, {EMPTY}")),
        ("5.yaml", &format!("{{ id: loose, version: draft, {EMPTY}")),
    ]);
    // Each is looked at once, however often its directory is named.
    let library = library(&directory).directory(directory.path().join("."));
    assert_eq!(found(&library, "w", None).as_deref(), Some("2.0.0"));
    let twice = missing(&library, "w", Some("^1"));
    assert_eq!(
        told(&directory, twice),
        "`DIR/1.yaml` and `DIR/2.yaml` are both workflow `w`, in version `1.0.0`; take one of them out, or give it a version of its own"
    );
    let loose = missing(&library, "loose", None);
    assert_eq!(
        told(&directory, loose),
        "`DIR/4.yaml` and `DIR/5.yaml` are both workflow `loose`, in no version that can be compared; take one of them out, or give it a version of its own"
    );
}

#[test]
fn a_directory_that_is_not_there() {
    let directory = directory(&[("good.yaml", &format!("{{ id: good, {EMPTY}"))]);
    let library = WorkflowDirectories::new()
        .directory(directory.path().join("none"))
        .directory(directory.path());
    assert_eq!(found(&library, "good", None), None);
    // What is asked for may be in it.
    let error = missing(&library, "else", None);
    assert_eq!(
        told(&directory, &error),
        "cannot read `DIR/none`; see that it is there and may be read"
    );
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn no_library() {
    assert_eq!(
        missing(&NoLibrary, "sub", None).to_string(),
        "there is no library to find workflow `sub` in; say where workflows are"
    );
}
