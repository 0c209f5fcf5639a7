use std::sync::Arc;

use floe_plugin_api::Cancellation;

use super::*;
use crate::whole::{read, write};

#[test]
fn what_is_written_is_read() {
    let (directory, files) = in_directory();
    let written = run(&files, write, &value!({"path": "a.txt", "text": "åre"})).unwrap();
    assert_eq!(
        written,
        value!({"root": "data", "path": "a.txt", "bytes": 4})
    );
    assert_eq!(
        run(&files, read, &value!({"path": "a.txt"})).unwrap(),
        value!({"text": "åre", "size": 4})
    );
    let bytes = Value::Bytes(Bytes::from(&[0, 255][..]));
    run(
        &files,
        write,
        &value!({"path": "b", "bytes": bytes.clone()}),
    )
    .unwrap();
    assert_eq!(
        run(&files, read, &value!({"path": "b", "as": "bytes"})).unwrap(),
        value!({"bytes": bytes, "size": 2})
    );
    // As JSON says bytes.
    run(&files, write, &value!({"path": "c", "bytes": [1, 2]})).unwrap();
    assert_eq!(fs::read(directory.path().join("c")).unwrap(), [1, 2]);
    // Nothing else was left.
    assert_eq!(names(directory.path()), ["a.txt", "b", "c"]);
}

#[test]
fn modes() {
    let (directory, files) = in_directory();
    let put = |mode: &str, text: &str| {
        run(
            &files,
            write,
            &value!({"path": "a", "mode": mode, "text": text}),
        )
    };
    put("append", "1").unwrap();
    put("append", "2").unwrap();
    assert_eq!(fs::read(directory.path().join("a")).unwrap(), b"12");
    let error = put("create", "3").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ValidationFailed);
    assert!(
        error
            .message()
            .contains("is there already; write it with the mode `replace`")
    );
    assert_eq!(fs::read(directory.path().join("a")).unwrap(), b"12");
    put("replace", "3").unwrap();
    assert_eq!(fs::read(directory.path().join("a")).unwrap(), b"3");
    fs::remove_file(directory.path().join("a")).unwrap();
    put("replace", "4").unwrap();
    assert_eq!(names(directory.path()), ["a"]);
}

#[test]
fn of_two_who_create_one_succeeds() {
    let (_directory, files) = in_directory();
    let files = Arc::new(files);
    let barrier = Arc::new(std::sync::Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let (files, barrier) = (Arc::clone(&files), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                run(
                    &files,
                    write,
                    &value!({"path": "a", "text": number.to_string()}),
                )
                .is_ok()
            })
        })
        .collect();
    let made = threads.into_iter().filter_map(|thread| thread.join().ok());
    assert_eq!(made.filter(|made| *made).count(), 1);
}

#[test]
fn a_reader_never_sees_half_a_file() {
    let (_directory, files) = in_directory();
    let (a, b) = ("a".repeat(900), "b".repeat(900));
    let put = |text: &str| {
        let input = value!({"path": "x", "mode": "replace", "text": text});
        run(&files, write, &input).unwrap();
    };
    put(&a);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..50 {
                put(&b);
                put(&a);
            }
        });
        while !writer.is_finished() {
            let given = run(&files, read, &value!({"path": "x"})).unwrap();
            let text = given.get("text").and_then(Value::as_str).unwrap();
            assert!(text == a || text == b, "{text}");
        }
    });
}

#[test]
fn bounds() {
    let (directory, files) = in_directory();
    let exhausted = ErrorKind::ResourceExhausted;
    let long = "x".repeat(1001);
    let error = refused(
        &files,
        write,
        &value!({"path": "a", "text": long.as_str()}),
        exhausted,
        "would be `1001` bytes long, more than `1000`",
    );
    assert_eq!(error.details().get("max_bytes"), Some(&1000.into()));
    fs::write(directory.path().join("a"), &long).unwrap();
    refused(
        &files,
        read,
        &value!({"path": "a"}),
        exhausted,
        "is `1001` bytes long",
    );
    fs::write(directory.path().join("a"), &long[1..]).unwrap();
    run(&files, read, &value!({"path": "a"})).unwrap();
}

#[test]
fn what_is_not_there_or_no_file_is_refused() {
    let (directory, files) = in_directory();
    let invalid = ErrorKind::ValidationFailed;
    fs::create_dir(directory.path().join("d")).unwrap();
    fs::write(directory.path().join("latin1"), b"\xe5re").unwrap();
    refused(
        &files,
        read,
        &value!({"path": "x"}),
        invalid,
        "`x` in the root `data` is not there",
    );
    refused(
        &files,
        read,
        &value!({"path": "d"}),
        invalid,
        "is a directory, expected a file",
    );
    refused(
        &files,
        read,
        &value!({"path": ""}),
        invalid,
        "is a directory, expected a file",
    );
    refused(
        &files,
        read,
        &value!({"path": "latin1/x"}),
        invalid,
        "passes something that is not a directory",
    );
    refused(
        &files,
        read,
        &value!({"path": "latin1"}),
        invalid,
        "is not utf-8 at its byte `0`",
    );
    for mode in ["replace", "append"] {
        refused(
            &files,
            write,
            &value!({"path": "d", "text": "", "mode": mode}),
            invalid,
            "is a directory, expected a file",
        );
    }
    refused(
        &files,
        write,
        &value!({"path": ".", "text": ""}),
        invalid,
        "is the root itself",
    );
    refused(
        &files,
        write,
        &value!({"path": "no/x", "text": ""}),
        invalid,
        "is in a directory that is not there; make that first",
    );
    for input in [
        value!({"path": "x"}),
        value!({"path": "x", "text": "", "bytes": []}),
    ] {
        refused(
            &files,
            write,
            &input,
            ErrorKind::InvalidParameters,
            "give one of them",
        );
    }
    assert_eq!(names(directory.path()), ["d", "latin1"]);
}

#[test]
fn a_call_that_nobody_waits_for_changes_nothing() {
    let (directory, files) = in_directory();
    let cancellation = Cancellation::new();
    cancellation.cancel();
    let options = CallOptions::new().cancellation(cancellation);
    for mode in ["create", "replace"] {
        let input = value!({"path": "a", "text": "x", "mode": mode});
        let error = write
            .execute(&files, &input, &options.context())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
    assert!(names(directory.path()).is_empty());
    fs::write(directory.path().join("a"), "x").unwrap();
    let error = read
        .execute(&files, &value!({"path": "a"}), &options.context())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
