//! The chain as its writers and its verifier have it.

#![expect(
    clippy::disallowed_methods,
    reason = "a process that is killed is another one"
)]

#[cfg(unix)]
mod failing;
#[cfg(unix)]
mod processes;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use floe_plugin_api::{ErrorKind, Value, value};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A log that is open, in a directory of its own.
fn open(directory: &TempDir, settings: &AuditSettings) -> Audit {
    Audit::open(&file(directory), settings).unwrap()
}

fn file(directory: &TempDir) -> PathBuf {
    directory.path().join("audit.jsonl")
}

fn call(id: &str) -> Entry<'_> {
    Entry {
        tenant: "acme",
        execution_id: id,
        node_type: "text.upper",
        decision: "allowed",
        attempts: 1,
        ..Entry::new("call", AuditStatus::Success)
    }
}

fn append(audit: &Audit, count: usize) {
    for number in 0..count {
        audit.append(&call(&format!("run-{number}"))).unwrap();
    }
}

#[track_caller]
fn whole(path: &Path, records: u64) -> AuditReport {
    let report = verify_audit(path, None).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(report.verdict, None);
    assert_eq!(report.records, records);
    assert_eq!(report.last.map(|last| last.seq), Some(records));
    report
}

fn records(path: &Path) -> Vec<AuditRecord> {
    let records = read_audit(path, AuditFilter::default()).unwrap();
    let mut records: Vec<_> = records.map(Result::unwrap).collect();
    records.reverse();
    records
}

#[test]
fn a_record_says_all_that_is_known_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let audit = open(&directory, &AuditSettings::default());
    let plugin = crate::id::PluginId {
        kind: floe_plugin_api::Kind::COMPUTE,
        name: "text".to_owned(),
    };
    let digest = crate::id::Digest::from_bytes([7; 32]);
    let origin = Origin::new(&plugin, &semver::Version::new(1, 2, 3), Some(&digest));
    let input = value!({"text": "line\nbreak \u{2028} \"quoted\""});
    let long = "é".repeat(1_000_000);
    let big: Value = long.clone().into();
    let full = Entry {
        tenant: "a\"},\n{\"seq\":9",
        user: &long,
        execution_id: "run",
        node_type: "text.upper",
        origin: Some(&origin),
        status: AuditStatus::Recovered,
        error: Some(ErrorKind::ExecutionTimeout),
        decision: "retried",
        attempts: 3,
        answered_by: Some("text.lower"),
        duration: Duration::from_micros(120),
        input: Some(&input),
        output: Some(&big),
        ..Entry::new("call", AuditStatus::Success)
    };
    assert_eq!(audit.append(&full).unwrap(), Some(1));
    let bare = Entry::new("call", AuditStatus::Denied);
    assert_eq!(audit.append(&bare).unwrap(), Some(2));
    let hostile = "\u{1}".repeat(5_000);
    let deep = (0..200).fold(Value::Null, |inner, _| Value::from(vec![inner]));
    let worst = Entry {
        tenant: &hostile,
        user: &hostile,
        execution_id: &hostile,
        node_type: &hostile,
        decision: &hostile,
        answered_by: Some(&hostile),
        input: Some(&deep),
        output: Some(&big),
        ..Entry::new(&hostile, AuditStatus::Failed)
    };
    assert_eq!(audit.append(&worst).unwrap(), Some(3));
    drop(audit);

    let path = file(&directory);
    whole(&path, 3);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.lines().all(|line| line.len() < record::LONGEST_LINE));
    let first = text.lines().next().unwrap();
    let zeros = "0".repeat(64);
    assert!(
        first.starts_with(&format!("{{\"seq\":1,\"prev\":\"{zeros}\",\"time\":\"20")),
        "{first}"
    );
    let [one, two, three] = &records(&path)[..] else {
        panic!("three records");
    };
    assert_eq!(one.tenant.as_deref(), Some(full.tenant));
    let user = one.user.as_deref().unwrap();
    assert!(user.len() < 1_100 && user.ends_with("… (1998976 bytes more)"));
    assert_eq!(one.plugin.as_deref(), Some("compute/text"));
    assert_eq!(one.version.as_deref(), Some("1.2.3"));
    assert_eq!(one.error.as_deref(), Some("execution-timeout"));
    assert_eq!(one.duration_us, Some(120));
    assert_eq!(one.input.as_ref(), Some(&input));
    assert_eq!(one.output, Some(value!({"omitted_bytes": 2_000_002})));
    assert_eq!(two.prev, mark::hash(first.as_bytes()));
    assert_eq!(
        (&two.tenant, &two.plugin, &two.input),
        (&None, &None, &None)
    );
    assert_eq!(three.input, Some(value!({"omitted_bytes": 404})));
}

#[test]
fn threads_lose_and_double_none() {
    let directory = tempfile::tempdir().unwrap();
    let audit = open(&directory, &AuditSettings::default().rotate(4 << 20));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let audit = &audit;
            scope.spawn(move || {
                for number in 0..25_000 {
                    audit.append(&call(&format!("{thread}-{number}"))).unwrap();
                }
            });
        }
    });
    drop(audit);
    let report = whole(&file(&directory), 100_000);
    assert!(report.files > 2, "{}", report.files);
    let records = records(&file(&directory));
    let mut ids: Vec<_> = records.iter().map(|r| r.execution_id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 100_000);
    assert!(records.is_sorted_by_key(|record| record.time));
}

#[test]
fn what_is_held_back_is_written_soon() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory);
    let audit = open(&directory, &AuditSettings::default());
    for round in 1..=20 {
        append(&audit, 500);
        // By nobody but the keeper.
        while verify_audit(&path, None).unwrap().records < round * 500 {
            std::thread::yield_now();
        }
    }
    append(&audit, 500);
    audit.flush().unwrap();
    whole(&path, 10_500);
}

#[test]
fn each_record_is_synced_for_all_who_wait() {
    let directory = tempfile::tempdir().unwrap();
    let audit = open(
        &directory,
        &AuditSettings::default().sync(AuditSync::Always),
    );
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| append(&audit, 25));
        }
    });
    let head = fs::read(head::path(&file(&directory))).unwrap();
    assert_eq!(head::parse(&head).unwrap().seq, 100);
    drop(audit);
    whole(&file(&directory), 100);
}

#[test]
fn the_chain_goes_on_when_it_is_opened_again_and_from_file_to_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory);
    let settings = AuditSettings::default().rotate(1_000);
    for _ in 0..5 {
        append(&open(&directory, &settings), 4);
    }
    let report = whole(&path, 20);
    assert!(report.files > 3);
    // Killed between the completion of one file and the making of the next.
    let segments = file::segments(&path).unwrap();
    let next = segments.last().unwrap().0 + 1;
    fs::rename(&path, file::segment(&path, next)).unwrap();
    whole(&path, 20);
    append(&open(&directory, &settings), 4);
    whole(&path, 24);
    // A file of the middle that is gone is missed.
    fs::remove_file(file::segment(&path, 2)).unwrap();
    let report = verify_audit(&path, None).unwrap();
    assert_eq!(report.verdict, Some(Flaw::Tampered));
    assert_eq!(report.findings[0].file, file::segment(&path, 3));
}

#[test]
fn what_a_kill_left_is_cut_off_and_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory);
    append(&open(&directory, &AuditSettings::default()), 3);
    let mut text = fs::read(&path).unwrap();
    text.extend_from_slice(b"{\"seq\":4,\"pr");
    fs::write(&path, &text).unwrap();
    let report = verify_audit(&path, None).unwrap();
    assert_eq!(report.verdict, Some(Flaw::Cut));
    assert_eq!(report.findings[0].line, 4);
    append(&open(&directory, &AuditSettings::default()), 1);
    whole(&path, 5);
    let told = &records(&path)[3];
    assert_eq!(told.action, "audit.cut");
    assert_eq!(told.amount, Some(12));
}

#[test]
fn records_that_are_cut_off_are_missed_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory);
    append(&open(&directory, &AuditSettings::default()), 5);
    let text = fs::read_to_string(&path).unwrap();
    let kept: Vec<_> = text.split_inclusive('\n').take(3).collect();
    fs::write(&path, kept.concat()).unwrap();
    let report = verify_audit(&path, None).unwrap();
    assert_eq!(report.verdict, Some(Flaw::Cut));
    assert!(report.findings[0].expected.starts_with("record 5"));
    append(&open(&directory, &AuditSettings::default()), 1);
    let report = verify_audit(&path, None).unwrap();
    assert_eq!(report.verdict, Some(Flaw::Cut));
    let finding = &report.findings[0];
    assert_eq!((finding.line, finding.seq), (4, Some(6)));
    assert_eq!(finding.expected, "record 4");
}

#[test]
fn a_record_that_is_known_from_elsewhere_must_be_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory);
    append(&open(&directory, &AuditSettings::default()), 3);
    let known = whole(&path, 3).last.unwrap();
    append(&open(&directory, &AuditSettings::default()), 3);
    assert_eq!(verify_audit(&path, Some(known)).unwrap().verdict, None);
    assert_eq!(known.to_string().parse(), Ok(known));
    let other = AuditMark { seq: 4, ..known };
    let report = verify_audit(&path, Some(other)).unwrap();
    assert_eq!(report.verdict, Some(Flaw::Tampered));
    assert_eq!(report.findings[0].seq, Some(4));
    let later = AuditMark { seq: 9, ..known };
    let report = verify_audit(&path, Some(later)).unwrap();
    assert_eq!(report.verdict, Some(Flaw::Cut));
}

#[test]
fn the_newest_are_read_first_and_filtered() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory);
    let audit = open(&directory, &AuditSettings::default().rotate(2_000));
    append(&audit, 30);
    let denied = Entry {
        tenant: "other",
        ..Entry::new("call", AuditStatus::Denied)
    };
    audit.append(&denied).unwrap();
    append(&audit, 30);
    drop(audit);
    let mut text = fs::read(&path).unwrap();
    text.extend_from_slice(b"{\"seq\":99");
    fs::write(&path, &text).unwrap();
    let seqs = |filter| {
        let records = read_audit(&path, filter).unwrap();
        records
            .map(|record| record.unwrap().seq)
            .collect::<Vec<_>>()
    };
    let all: Vec<u64> = (1..=61).rev().collect();
    assert_eq!(seqs(AuditFilter::default()), all);
    assert_eq!(seqs(AuditFilter::default().tenant("other")), [31]);
    let denied = AuditFilter::default().status(AuditStatus::Denied);
    assert_eq!(seqs(denied.clone()), [31]);
    assert!(seqs(denied.tenant("acme")).is_empty());
    assert_eq!(
        seqs(AuditFilter::default().node_type("text.upper")).len(),
        60
    );
    let times: Vec<_> = records(&path).iter().map(|record| record.time).collect();
    let between = AuditFilter::default().since(times[10]).until(times[20]);
    let expected = times.iter().filter(|t| **t >= times[10] && **t < times[20]);
    assert_eq!(seqs(between).len(), expected.count());
    let missing = read_audit(&directory.path().join("none"), AuditFilter::default());
    assert!(matches!(missing, Err(AuditError::Missing { .. })));
}

/// What was done to a log.
#[derive(Clone, Debug)]
enum Damage {
    Flip { at: prop::sample::Index, bit: u8 },
    Delete(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Insert(prop::sample::Index, prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (index(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip { at, bit }),
        1 => index().prop_map(Damage::Delete),
        1 => (index(), index()).prop_map(|(one, other)| Damage::Swap(one, other)),
        1 => (index(), index()).prop_map(|(from, to)| Damage::Insert(from, to)),
    ]
}

/// A log of twelve records, and its bytes.
fn twelve() -> (TempDir, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    append(&open(&directory, &AuditSettings::default()), 12);
    let text = fs::read(file(&directory)).unwrap();
    (directory, text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_edit_is_found_where_it_is(damages in prop::collection::vec(damage(), 8)) {
        let (directory, text) = twelve();
        let path = file(&directory);
        whole(&path, 12);
        for damage in damages {
            let mut lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
            let mut flipped = text.clone();
            // The first line that is not what it was.
            let (edited, line) = match damage {
                Damage::Flip { at, bit } => {
                    let at = at.index(text.len());
                    flipped[at] ^= 1 << bit;
                    let line = text[..at].iter().filter(|byte| **byte == b'\n').count();
                    (flipped, line)
                }
                Damage::Delete(at) => {
                    let at = at.index(12);
                    lines.remove(at);
                    (lines.concat(), at)
                }
                Damage::Swap(one, other) => {
                    let (one, other) = (one.index(12), other.index(12));
                    lines.swap(one, other);
                    if one == other {
                        continue;
                    }
                    (lines.concat(), one.min(other))
                }
                Damage::Insert(from, to) => {
                    let (from, to) = (from.index(12), to.index(13));
                    lines.insert(to, lines[from]);
                    // A copy before or behind itself: the second one is too many.
                    (lines.concat(), if from == to { to + 1 } else { to })
                }
            };
            fs::write(&path, &edited).unwrap();
            let report = verify_audit(&path, None).unwrap();
            let first = report.findings.first();
            prop_assert!(first.is_some(), "{damage:?}");
            // Where the hash of a line is wrong, the next one tells.
            let found = usize::try_from(first.unwrap().line).unwrap();
            let expected = line + 1;
            prop_assert!(
                (expected..=expected + 1).contains(&found) || found == 11 && expected == 12,
                "{damage:?}: line {found}, expected {expected}: {first:?}"
            );
        }
    }
}

#[test]
fn every_cut_is_found() {
    let (directory, text) = twelve();
    let path = file(&directory);
    let lines: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let kept: usize = lines[..10].iter().map(|line| line.len()).sum();
    for length in kept..text.len() {
        fs::write(&path, &text[..length]).unwrap();
        let report = verify_audit(&path, None).unwrap();
        assert_eq!(report.verdict, Some(Flaw::Cut), "{length}");
        let place = report.findings[0].line;
        assert!((10..=12).contains(&place), "{length}: {place}");
    }
}
