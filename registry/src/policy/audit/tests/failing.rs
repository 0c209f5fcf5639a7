//! What is no log, and what cannot be written.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::processes::{child, is_child};
use super::*;

/// Before a child that cannot write long files. The limit is in kilobytes or half ones, as the shell has
/// it; a signal that the shell ignores stays so.
const LIMITED: &str = "trap '' XFSZ; ulimit -S -f 16";

#[track_caller]
fn refused(path: &Path, parts: &[&str]) {
    let error = Audit::open(path, &AuditSettings::default()).unwrap_err();
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn what_others_could_write_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory);
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, "").unwrap();
    symlink(&elsewhere, &path).unwrap();
    refused(&path, &["found a link", "rm "]);
    fs::remove_file(&path).unwrap();
    append(&open(&directory, &AuditSettings::default()), 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&head::path(&path)), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
    refused(&path, &["found mode `0620`", "`chmod 600 "]);
    let nested = directory.path().join("a/b/audit.jsonl");
    drop(Audit::open(&nested, &AuditSettings::default()).unwrap());
    assert_eq!(mode(nested.parent().unwrap()), 0o700);
    refused(directory.path(), &["cannot open"]);
}

#[test]
fn nothing_is_appended_to_what_is_no_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory);
    for text in [
        "hello\n",
        "{\"seq\":1}\n",
        "{\"seq\":1,\"prev\":\"x\n{\"seq\":2,\n",
    ] {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        refused(
            &path,
            &[
                "nothing is appended",
                "as its last line",
                "floe audit verify",
            ],
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    fs::write(&path, "").unwrap();
    append(&open(&directory, &AuditSettings::default()), 3);
    let text = fs::read_to_string(&path).unwrap();
    let at = text.rfind("allowed").unwrap();
    let mut edited = text.into_bytes();
    edited[at] = b'A';
    fs::write(&path, edited).unwrap();
    refused(&path, &["as its head says"]);
}

/// Lets this process write long files again.
fn lift() {
    let maximum = getrlimit(Resource::Fsize).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Fsize, limit).unwrap();
}

/// Appends more than can be written, and then can.
fn fill(directory: &Path, on_failure: OnFailure) {
    let path = directory.join("audit.jsonl");
    let settings = AuditSettings::default().on_failure(on_failure);
    let audit = Audit::open(&path, &settings).unwrap();
    let mut refused = 0;
    for number in 0..200 {
        if let Err(error) = audit.append(&call(&format!("run-{number}"))) {
            assert!(error.to_string().starts_with("cannot write"), "{error}");
            refused += 1;
        }
    }
    // No half of a line is left.
    assert!(fs::read_to_string(&path).unwrap().ends_with("}\n"));
    assert_eq!(audit.ready().is_err(), on_failure == OnFailure::Refuse);
    assert_eq!(refused > 100, on_failure == OnFailure::Refuse);
    lift();
    audit.ready().unwrap();
    assert_eq!(audit.append(&call("after")).unwrap(), Some(201));
}

#[test]
fn what_cannot_be_written_is_written_when_it_can() {
    if let Some((directory, word)) = is_child() {
        let on_failure = match word.as_str() {
            "refuse" => OnFailure::Refuse,
            _ => OnFailure::Continue,
        };
        return fill(&directory, on_failure);
    }
    for word in ["refuse", "continue"] {
        let directory = tempfile::tempdir().unwrap();
        let test = "failing::what_cannot_be_written_is_written_when_it_can";
        let ended = child(test, directory.path(), word, LIMITED).output();
        let ended = ended.unwrap();
        assert!(ended.status.success(), "{ended:?}");
        whole(&file(&directory), 201);
        let ids = records(&file(&directory)).into_iter();
        let ids: Vec<_> = ids.filter_map(|record| record.execution_id).collect();
        let expected = (0..200).map(|number| format!("run-{number}"));
        let expected: Vec<_> = expected.chain(["after".to_owned()]).collect();
        assert_eq!(ids, expected);
    }
}

#[test]
fn how_many_are_lost_is_recorded() {
    if let Some((directory, _)) = is_child() {
        let path = directory.join("audit.jsonl");
        let settings = AuditSettings::default().on_failure(OnFailure::Continue);
        let audit = Audit::open(&path, &settings).unwrap();
        append(&audit, 10_200);
        lift();
        audit.append(&call("after")).unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let test = "failing::how_many_are_lost_is_recorded";
    let ended = child(test, directory.path(), "", LIMITED).output();
    let ended = ended.unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let records = records(&file(&directory));
    let lost = records.iter().find(|record| record.action == "audit.lost");
    let lost = lost.unwrap().amount.unwrap();
    assert!(lost > 0);
    // All others are there, and the one that tells of them.
    whole(&file(&directory), 10_200 - lost + 2);
    let last = records.last().unwrap();
    assert_eq!(last.execution_id.as_deref(), Some("after"));
}
