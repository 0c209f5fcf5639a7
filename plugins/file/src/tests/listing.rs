use super::*;
use crate::listing::list;

fn paths(files: &Files, input: &Value) -> Vec<String> {
    let given = run(files, list, input).unwrap();
    let entries = given.get("entries").and_then(Value::as_list).unwrap();
    let path = |entry: &Value| {
        entry
            .get("path")
            .and_then(Value::as_str)
            .unwrap()
            .to_owned()
    };
    entries.iter().map(path).collect()
}

fn tree() -> (TempDir, Files) {
    let (directory, files) = in_directory();
    fs::create_dir_all(directory.path().join("b/deep")).unwrap();
    for (path, content) in [
        ("c.csv", "1"),
        ("a.csv", "22"),
        ("b/x.csv", ""),
        ("b/deep/y.csv", ""),
    ] {
        fs::write(directory.path().join(path), content).unwrap();
    }
    (directory, files)
}

#[test]
fn one_level_or_all_sorted() {
    let (_directory, files) = tree();
    assert_eq!(paths(&files, &value!({})), ["a.csv", "b", "c.csv"]);
    assert_eq!(
        paths(&files, &value!({"recursive": true})),
        ["a.csv", "b", "b/deep", "b/deep/y.csv", "b/x.csv", "c.csv"]
    );
    assert_eq!(
        paths(&files, &value!({"recursive": true, "max_depth": 2})),
        ["a.csv", "b", "b/deep", "b/x.csv", "c.csv"]
    );
    assert_eq!(
        paths(&files, &value!({"path": "b", "recursive": true})),
        ["b/deep", "b/deep/y.csv", "b/x.csv"]
    );
    let given = run(&files, list, &value!({})).unwrap();
    assert_eq!(given.pointer("/entries/0/kind"), Some(&"file".into()));
    assert_eq!(given.pointer("/entries/0/bytes"), Some(&2.into()));
    assert_eq!(given.pointer("/entries/1/kind"), Some(&"directory".into()));
    assert_eq!(given.pointer("/entries/1/bytes"), None);
    let modified = given
        .pointer("/entries/0/modified_ms")
        .and_then(Value::as_i64);
    assert!(modified.unwrap() > 1_600_000_000_000);
}

#[test]
fn patterns_and_limits() {
    let (_directory, files) = tree();
    assert_eq!(
        paths(&files, &value!({"pattern": "*.csv", "recursive": true})),
        ["a.csv", "b/deep/y.csv", "b/x.csv", "c.csv"]
    );
    assert_eq!(
        paths(
            &files,
            &value!({"path": "b", "pattern": "*/*.csv", "recursive": true})
        ),
        ["b/deep/y.csv"]
    );
    let given = run(&files, list, &value!({"limit": 2})).unwrap();
    assert_eq!(given.get("truncated"), Some(&true.into()));
    assert_eq!(given.get("count"), Some(&2.into()));
    let given = run(&files, list, &value!({"limit": 3})).unwrap();
    assert_eq!(given.get("truncated"), Some(&false.into()));
}

#[test]
fn what_is_no_directory_is_refused() {
    let (_directory, files) = tree();
    let invalid = ErrorKind::ValidationFailed;
    refused(
        &files,
        list,
        &value!({"path": "a.csv"}),
        invalid,
        "is not a directory",
    );
    refused(
        &files,
        list,
        &value!({"path": "x"}),
        invalid,
        "is not there",
    );
    refused(
        &files,
        list,
        &value!({"path": "b/.."}),
        invalid,
        "holds `..`",
    );
}
