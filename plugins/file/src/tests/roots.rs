use floe_plugin_api::HealthState;

use super::*;
use crate::whole::{read, write};

#[test]
fn a_configuration_needs_roots_that_are_there_and_have_names_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = text(directory.path());
    let check = |roots: Value, reason: &str| {
        let error = start(&value!({"roots": roots})).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains(reason), "{error:?}");
    };
    check(value!([]), "`roots` is empty, expected at least one");
    check(
        value!([{"path": format!("{path}/absent")}]),
        "expected a directory that can be opened",
    );
    fs::write(directory.path().join("file"), "").unwrap();
    check(
        value!([{"path": format!("{path}/file")}]),
        "expected a directory that can be opened",
    );
    check(
        value!([{"path": path}, {"path": path}]),
        "give each a `name` of its own",
    );
    check(value!([{"path": path, "name": ""}]), "expected a name");
}

#[test]
fn a_root_is_named_where_there_are_several() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = value!({"roots": [
        {"name": "one", "path": text(one.path())},
        {"name": "two", "path": text(two.path()), "write": true},
    ]});
    let files = start(&config).unwrap();
    fs::write(one.path().join("a"), "1").unwrap();
    fs::write(two.path().join("a"), "2").unwrap();
    let read_text = |input: &Value| {
        let given = run(&files, read, input).unwrap();
        given
            .get("text")
            .and_then(Value::as_str)
            .unwrap()
            .to_owned()
    };
    assert_eq!(read_text(&value!({"path": "a", "root": "one"})), "1");
    assert_eq!(read_text(&value!({"path": "a", "root": "two"})), "2");
    // An absolute path says where it is.
    assert_eq!(
        read_text(&value!({"path": text(&two.path().join("a"))})),
        "2"
    );

    refused(
        &files,
        read,
        &value!({"path": "a"}),
        ErrorKind::InvalidParameters,
        "set `root` to one of `one`, `two`",
    );
    refused(
        &files,
        read,
        &value!({"path": "a", "root": "three"}),
        ErrorKind::InvalidParameters,
        "`root` is `\"three\"`, expected one of `one`, `two`",
    );
    refused(
        &files,
        read,
        &value!({"path": text(&two.path().join("a")), "root": "one"}),
        ErrorKind::ValidationFailed,
        "is outside the root `one`",
    );
    let error = refused(
        &files,
        write,
        &value!({"path": "a", "root": "one", "text": "x", "mode": "replace"}),
        ErrorKind::ValidationFailed,
        "the root may only be read; set `write = true`",
    );
    assert_eq!(error.details().get("root"), Some(&"one".into()));
    assert_eq!(fs::read(one.path().join("a")).unwrap(), b"1");
}

#[test]
fn a_path_with_dots_or_a_nul_or_that_begins_elsewhere_is_refused() {
    let (directory, files) = in_directory();
    fs::write(directory.path().join("a"), "in").unwrap();
    let invalid = ErrorKind::ValidationFailed;
    for path in ["../a", "..", "x/../../a", "x/../a", "a/.."] {
        let error = refused(&files, read, &value!({"path": path}), invalid, "holds `..`");
        assert!(
            error.message().contains("from the root `data`"),
            "{error:?}"
        );
        refused(
            &files,
            write,
            &value!({"path": path, "text": ""}),
            invalid,
            "holds `..`",
        );
    }
    for path in ["/etc/passwd", "/", "//a"] {
        refused(
            &files,
            read,
            &value!({"path": path}),
            invalid,
            "is outside the root `data`",
        );
    }
    refused(
        &files,
        read,
        &value!({"path": "a\0b"}),
        ErrorKind::InvalidParameters,
        "holds a nul",
    );
    // A name that only begins as the root's does is another directory.
    let beside = format!("{}x/a", text(directory.path()));
    refused(
        &files,
        read,
        &value!({"path": beside}),
        invalid,
        "is outside",
    );
    for path in ["./a", "a/", ".//./a"] {
        run(&files, read, &value!({"path": path})).unwrap();
    }
}

#[test]
fn errors_name_the_path_as_given_and_not_where_the_root_is() {
    let (directory, files) = in_directory();
    fs::create_dir(directory.path().join("d")).unwrap();
    for path in ["absent", "d", "", "d/x/y", "../x"] {
        let error = run(&files, read, &value!({"path": path})).unwrap_err();
        let whole = format!("{error:?} {:?}", error.details());
        assert!(whole.contains("`data`"), "{whole}");
        assert!(!whole.contains(text(directory.path())), "{whole}");
        assert_eq!(error.details().get("path"), Some(&path.into()));
    }
}

#[test]
fn a_root_that_was_removed_is_no_longer_healthy() {
    let (directory, files) = in_directory();
    assert_eq!(files.health().state, HealthState::Healthy);
    drop(directory);
    let health = files.health();
    assert_eq!(health.state, HealthState::Unhealthy);
    assert!(health.message.contains("`data` was removed"));
}
