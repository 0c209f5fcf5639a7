//! Links, devices, and what is swapped while a path is followed.

use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, FileType, Mode, OFlags, RenameFlags};

use super::*;
use crate::directory::unix::{Directory, walk};
use crate::directory::{Kind, Refused};
use crate::listing::list;
use crate::whole::{read, write};

const INVALID: ErrorKind = ErrorKind::ValidationFailed;

/// A root with a link out of it, to a directory that holds the file `f`; and one within.
fn with_links() -> (TempDir, TempDir, Files) {
    let (directory, files) = in_directory();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("f"), "out").unwrap();
    fs::create_dir(directory.path().join("d")).unwrap();
    fs::write(directory.path().join("d/f"), "in").unwrap();
    let link = |to: PathBuf, from: &str| symlink(to, directory.path().join(from)).unwrap();
    link(outside.path().to_owned(), "out");
    link(outside.path().join("f"), "out_file");
    link("../../../../../../etc/passwd".into(), "up");
    link("d".into(), "within");
    link("d/f".into(), "within_file");
    link("loop".into(), "loop");
    link("/proc/self/root".into(), "magic");
    (directory, outside, files)
}

#[test]
fn a_link_that_leads_out_is_refused_and_one_within_is_followed() {
    let (directory, outside, files) = with_links();
    for path in ["out/f", "out_file", "up", "magic/etc/passwd"] {
        let error = refused(
            &files,
            read,
            &value!({"path": path}),
            INVALID,
            "leads out of the root",
        );
        let whole = format!("{error:?}");
        assert!(!whole.contains(text(outside.path())), "{whole}");
    }
    refused(
        &files,
        read,
        &value!({"path": "loop"}),
        INVALID,
        "symbolic link that is not followed",
    );
    for path in ["within/f", "within_file"] {
        let given = run(&files, read, &value!({"path": path})).unwrap();
        assert_eq!(given.get("text"), Some(&"in".into()));
    }
    refused(
        &files,
        list,
        &value!({"path": "out"}),
        INVALID,
        "leads out of the root",
    );

    for (path, mode) in [
        ("out/new", "create"),
        ("out/f", "replace"),
        ("out/f", "append"),
    ] {
        let input = value!({"path": path, "mode": mode, "text": "x"});
        refused(&files, write, &input, INVALID, "leads out of the root");
    }
    // What is written is never written through a link, wherever it leads.
    for mode in ["replace", "append"] {
        for path in ["out_file", "within_file"] {
            let input = value!({"path": path, "mode": mode, "text": "x"});
            refused(
                &files,
                write,
                &input,
                INVALID,
                "symbolic link that is not followed",
            );
        }
    }
    assert_eq!(fs::read(outside.path().join("f")).unwrap(), b"out");
    assert_eq!(names(outside.path()), ["f"]);
    assert_eq!(fs::read(directory.path().join("d/f")).unwrap(), b"in");
    run(&files, write, &value!({"path": "within/new", "text": "x"})).unwrap();
    assert_eq!(names(&directory.path().join("d")), ["f", "new"]);
}

#[test]
fn links_are_listed_and_not_entered() {
    let (_directory, _outside, files) = with_links();
    let given = run(&files, list, &value!({"recursive": true})).unwrap();
    let entries = given.get("entries").and_then(Value::as_list).unwrap();
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| {
            let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap();
            (text("path"), text("kind"))
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("d", "directory"),
            ("d/f", "file"),
            ("loop", "link"),
            ("magic", "link"),
            ("out", "link"),
            ("out_file", "link"),
            ("up", "link"),
            ("within", "link"),
            ("within_file", "link"),
        ]
    );
}

#[test]
fn pipes_sockets_and_devices_are_no_files() {
    let (directory, files) = in_directory();
    let pipe = directory.path().join("pipe");
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
    for path in ["pipe", "socket"] {
        let reason = "is a device, a pipe or a socket, expected a file";
        refused(&files, read, &value!({"path": path}), INVALID, reason);
        for mode in ["replace", "append"] {
            let input = value!({"path": path, "mode": mode, "text": "x"});
            refused(&files, write, &input, INVALID, reason);
        }
    }
    let devices = start(&value!({"roots": [{"name": "dev", "path": "/dev"}]})).unwrap();
    let reason = "is a device, a pipe or a socket";
    refused(&devices, read, &value!({"path": "zero"}), INVALID, reason);
}

#[test]
fn what_a_file_allows_is_kept() {
    let (directory, files) = in_directory();
    let path = directory.path().join("a");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4711)).unwrap();
    run(
        &files,
        write,
        &value!({"path": "a", "mode": "replace", "text": "x"}),
    )
    .unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o711);
}

/// What is done while another thread swaps `x`, a directory in the root, with a link out of it.
fn while_swapped(mut done: impl FnMut(&Files)) -> TempDir {
    let (directory, outside, files) = with_links();
    let (x, y) = (directory.path().join("d"), directory.path().join("out"));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                rustix::fs::renameat_with(CWD, &x, CWD, &y, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..2_000 {
                done(&files);
            }
        }));
        over.store(true, Ordering::Release);
        ended.unwrap();
    });
    outside
}

#[test]
fn a_directory_that_is_swapped_with_a_link_lets_nothing_be_read_outside() {
    let (mut within, mut refusals) = (0, 0);
    while_swapped(|files| match run(files, read, &value!({"path": "d/f"})) {
        Ok(given) => {
            assert_eq!(given.get("text"), Some(&"in".into()));
            within += 1;
        }
        Err(error) => {
            assert!(
                error.message().contains("leads out of the root"),
                "{error:?}"
            );
            refusals += 1;
        }
    });
    assert!(within + refusals == 2_000);
}

#[test]
fn nor_be_written_outside() {
    let outside = while_swapped(|files| {
        for mode in ["replace", "append"] {
            let input = value!({"path": "d/f", "mode": mode, "text": ""});
            let _ = run(files, write, &input);
        }
        let _ = run(files, write, &value!({"path": "d/new", "text": ""}));
    });
    assert_eq!(names(outside.path()), ["f"]);
    assert_eq!(fs::read(outside.path().join("f")).unwrap(), b"out");
}

#[test]
fn nor_be_listed_outside() {
    while_swapped(|files| {
        let given = run(files, list, &value!({"recursive": true, "pattern": "*/f"})).unwrap();
        let bytes = given.pointer("/entries/0/bytes");
        // `in` has two bytes, `out` three.
        assert!(bytes.is_none_or(|bytes| *bytes == 2.into()), "{given:?}");
    });
}

#[test]
fn without_the_kernels_help_no_link_is_followed_at_all() {
    let (directory, _outside, _files) = with_links();
    let opened = rustix::fs::open(
        directory.path(),
        OFlags::RDONLY | OFlags::DIRECTORY,
        Mode::empty(),
    )
    .unwrap();
    let walk = |path: &str| walk(opened.as_fd(), Path::new(path), OFlags::RDONLY);
    walk("d/f").unwrap();
    walk("").unwrap();
    walk("./d").unwrap();
    for path in ["out/f", "within/f", "within_file", "loop", "up"] {
        assert!(matches!(walk(path), Err(Refused::Link)), "{path}");
    }
    for path in ["../x", "d/../d/f", "/etc/passwd"] {
        assert!(matches!(walk(path), Err(Refused::Outside)), "{path}");
    }
    assert!(walk("d/x").unwrap_err().is_not_found());

    let directory = Directory::open(directory.path()).unwrap();
    assert!(matches!(
        directory.child("within".as_ref()),
        Err(Refused::Link)
    ));
    assert_eq!(
        directory.look("out".as_ref()).unwrap().unwrap().kind,
        Kind::Link
    );
}
