//! The directories of systems without descriptors of them, which work here too.

use std::io::{Read, Write};

use super::*;
use crate::directory::canonical::Directory;
use crate::directory::{Kind, Refused};

#[test]
fn files_are_made_read_and_renamed() {
    let root = tempfile::tempdir().unwrap();
    let directory = Directory::open(root.path()).unwrap();
    fs::create_dir(root.path().join("d")).unwrap();
    let inner = directory.directory(Path::new("d")).unwrap();

    let temporary = "t".as_ref();
    inner.create(temporary).unwrap().write_all(b"1").unwrap();
    assert!(inner.create(temporary).is_err());
    inner.name_anew(temporary, "a".as_ref()).unwrap();
    inner.append("a".as_ref()).unwrap().write_all(b"2").unwrap();
    let file = inner.create(temporary).unwrap();
    inner.allow_as("a".as_ref(), &file).unwrap();
    drop(file);
    assert!(inner.name_anew(temporary, "a".as_ref()).is_err());
    inner.replace(temporary, "b".as_ref()).unwrap();
    inner.sync().unwrap();
    assert_eq!(names(&root.path().join("d")), ["a", "b"]);
    assert_eq!(inner.names().unwrap().len(), 2);
    inner.remove("b".as_ref()).unwrap();

    let mut text = String::new();
    let mut file = directory.read(Path::new("d/a")).unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "12");
    let seen = inner.look("a".as_ref()).unwrap().unwrap();
    assert_eq!((seen.kind, seen.bytes), (Kind::File, 2));
    assert!(seen.modified_ms > 0);
    assert!(inner.look("b".as_ref()).unwrap().is_none());
    assert!(matches!(
        directory.read(Path::new("d")),
        Err(Refused::Not(Kind::Directory))
    ));
    assert!(directory.directory(Path::new("d/a")).is_err());
    assert!(Directory::open(&root.path().join("d/a")).is_err());
    assert!(!inner.is_gone());
    drop(root);
    assert!(inner.is_gone());
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_out_is_refused() {
    use std::os::unix::fs::symlink;

    let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let directory = Directory::open(root.path()).unwrap();
    fs::write(outside.path().join("f"), "out").unwrap();
    fs::create_dir(root.path().join("d")).unwrap();
    symlink(outside.path(), root.path().join("out")).unwrap();
    symlink("d", root.path().join("within")).unwrap();
    assert!(matches!(
        directory.read(Path::new("out/f")),
        Err(Refused::Outside)
    ));
    assert!(matches!(
        directory.directory(Path::new("out")),
        Err(Refused::Outside)
    ));
    assert!(matches!(
        directory.append("out".as_ref()),
        Err(Refused::Link)
    ));
    assert!(matches!(
        directory.child("within".as_ref()),
        Err(Refused::Link)
    ));
    directory.child("d".as_ref()).unwrap();
    // What is inside is not left from a directory below either.
    let inner = directory.directory(Path::new("within")).unwrap();
    symlink(outside.path(), root.path().join("d/out")).unwrap();
    assert!(matches!(
        inner.read(Path::new("out/f")),
        Err(Refused::Outside)
    ));
}
