//! Several processes, some of which are killed.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::*;

const DIRECTORY: &str = "FLOE_AUDIT_TEST_DIRECTORY";
const WORD: &str = "FLOE_AUDIT_TEST_WORD";

/// Where a child works and what it is told, if this is one.
pub(super) fn is_child() -> Option<(PathBuf, String)> {
    Some((env::var_os(DIRECTORY)?.into(), env::var(WORD).ok()?))
}

/// This test in a process of its own, after some words to the shell.
pub(super) fn child(test: &str, directory: &Path, word: &str, before: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{before}\nexec \"$0\" \"$@\"")])
        .arg(env::current_exe().unwrap())
        .args(["--exact", &format!("policy::audit::tests::{test}")])
        .args(["--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(WORD, word);
    command
}

/// Appends without end, and says each time which record it was.
fn append_for_ever(directory: &Path, apart: Duration) -> ! {
    let path = directory.join("audit.jsonl");
    let audit = Audit::open(&path, &AuditSettings::default()).unwrap();
    loop {
        let seq = audit.append(&call("looping")).unwrap().unwrap();
        let begun = Instant::now();
        // Straight to its reader, past all that the test may buffer.
        let line = format!("{seq}\n");
        rustix::io::write(rustix::stdio::stderr(), line.as_bytes()).unwrap();
        while begun.elapsed() < apart {
            std::hint::spin_loop();
        }
    }
}

/// Kills processes that append, and says of how many records at most it was said that they were appended, and they
/// were not there.
fn most_lost(test: &str) -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory);
    let mut most = 0;
    for round in 0..5 {
        let mut child = child(test, directory.path(), "", "")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        for _ in 0..500 + 37 * round {
            lines.next().unwrap().unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let rest = lines.map_while(Result::ok);
        let acknowledged = rest.filter_map(|line| line.parse::<u64>().ok()).last();
        let report = verify_audit(&path, None).unwrap();
        assert_ne!(report.verdict, Some(Flaw::Tampered), "{report:?}");
        let last = report.last.unwrap().seq;
        most = most.max(acknowledged.unwrap_or(0).saturating_sub(last));
    }
    drop(open(&directory, &AuditSettings::default()));
    assert_eq!(verify_audit(&path, None).unwrap().verdict, None);
    most
}

#[test]
fn a_kill_loses_nothing_that_was_appended() {
    if let Some((directory, _)) = is_child() {
        append_for_ever(&directory, Duration::from_micros(50));
    }
    let test = "processes::a_kill_loses_nothing_that_was_appended";
    assert_eq!(most_lost(test), 0);
}

#[test]
fn a_kill_in_a_burst_loses_one_at_most() {
    if let Some((directory, _)) = is_child() {
        append_for_ever(&directory, Duration::ZERO);
    }
    assert!(most_lost("processes::a_kill_in_a_burst_loses_one_at_most") <= 1);
}

#[test]
fn processes_take_turns() {
    if let Some((directory, word)) = is_child() {
        let path = directory.join("audit.jsonl");
        let audit = Audit::open(&path, &AuditSettings::default().rotate(200_000)).unwrap();
        for number in 0..2_000 {
            audit.append(&call(&format!("{word}-{number}"))).unwrap();
        }
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let test = "processes::processes_take_turns";
    let children = ["a", "b", "c"].map(|word| {
        let mut child = child(test, directory.path(), word, "");
        child.stdout(Stdio::null()).spawn().unwrap()
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let report = whole(&file(&directory), 6_000);
    assert!(report.files > 3);
    let records = records(&file(&directory)).into_iter();
    let mut ids: Vec<_> = records.filter_map(|record| record.execution_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6_000);
}
