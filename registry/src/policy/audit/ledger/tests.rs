use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::policy::audit::{AuditFilter, read_audit, verify_audit};

/// A ledger in a directory of its own.
fn ledger(settings: &AuditSettings) -> (TempDir, PathBuf, Ledger) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    let ledger = Ledger::open(&path, settings).unwrap();
    (directory, path, ledger)
}

fn body(number: u64) -> Vec<u8> {
    format!(",\"action\":\"call\",\"execution_id\":\"{number}\"}}\n").into_bytes()
}

/// Appends so many records that come at such a distance from each other, in microseconds.
fn append(ledger: &mut Ledger, count: u64, apart: i64) {
    let begun = ledger.came.max(1_000_000_000_000_000);
    for (number, nth) in (ledger.last.seq..)
        .zip(1_i64..)
        .take(usize::try_from(count).unwrap())
    {
        let time = Timestamp::from_microsecond(begun + nth * apart).unwrap();
        assert_eq!(ledger.append_at(time, &body(number)).unwrap(), number + 1);
    }
}

/// How many lines the file has.
fn lines(path: &Path) -> u64 {
    let text = fs::read(path).unwrap();
    assert!(text.is_empty() || text.ends_with(b"\n"));
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The log has such records, in their order and no others.
#[track_caller]
fn whole(path: &Path, count: u64) {
    let report = verify_audit(path, None).unwrap();
    assert_eq!(
        (report.findings.as_slice(), report.records),
        (&[][..], count)
    );
    let records = read_audit(path, AuditFilter::default()).unwrap();
    let mut ids: Vec<u64> = records
        .map(|record| record.unwrap().execution_id.unwrap().parse().unwrap())
        .collect();
    ids.reverse();
    assert_eq!(ids, (0..count).collect::<Vec<_>>());
}

#[test]
fn in_a_burst_two_are_written_at_once() {
    let (_directory, path, mut ledger) = ledger(&AuditSettings::default());
    let burst = u64::from(BURST);
    append(&mut ledger, burst, SOON);
    assert_eq!((lines(&path), ledger.is_holding()), (burst, false));
    for more in 1..=9 {
        append(&mut ledger, 1, SOON);
        let held = more % 2;
        assert_eq!(
            (lines(&path), ledger.is_holding(), ledger.written()),
            (burst + more - held, held == 1, burst + more - held)
        );
    }
    // The next one comes late: both are written.
    append(&mut ledger, 1, SOON + 1);
    assert_eq!((lines(&path), ledger.is_holding()), (burst + 10, false));
    append(&mut ledger, burst - 1, 0);
    assert_eq!(lines(&path), 2 * burst + 9);
    append(&mut ledger, 1, 1);
    assert!(ledger.is_holding());
    ledger.flush().unwrap();
    assert!(!ledger.is_holding());
    ledger.flush().unwrap();
    ledger.release();
    whole(&path, 2 * burst + 10);
}

#[test]
fn where_records_come_apart_none_is_held_back() {
    let (_directory, path, mut ledger) = ledger(&AuditSettings::default());
    for more in 1..=3 * u64::from(BURST) {
        append(&mut ledger, 1, SOON + 1);
        assert_eq!((lines(&path), ledger.is_holding()), (more, false));
    }
    // Nor where the clock is set back.
    for _ in 0..3 * BURST {
        append(&mut ledger, 1, -1);
        assert!(!ledger.is_holding());
    }
}

#[test]
fn where_each_is_synced_none_is_held_back() {
    let (_directory, path, mut ledger) = ledger(&AuditSettings::default().sync(AuditSync::Always));
    for more in 1..=3 * u64::from(BURST) {
        append(&mut ledger, 1, 1);
        assert_eq!(lines(&path), more);
    }
}

#[test]
fn while_nobody_would_write_it_none_is_held_back() {
    let (_directory, path, mut ledger) = ledger(&AuditSettings::default());
    append(&mut ledger, u64::from(BURST) + 1, 1);
    assert!(ledger.is_holding());
    // Who syncs has written it before.
    ledger.flush().unwrap();
    ledger.let_hold(false);
    for _ in 0..3 {
        append(&mut ledger, 1, 1);
        assert_eq!(
            (lines(&path), ledger.is_holding()),
            (ledger.last.seq, false)
        );
    }
    ledger.let_hold(true);
    append(&mut ledger, 1, 1);
    assert!(ledger.is_holding());
}

#[test]
fn one_that_is_held_back_goes_into_the_next_file() {
    let settings = AuditSettings::default().rotate(10_000);
    let (_directory, path, mut ledger) = ledger(&settings);
    append(&mut ledger, 1_000, 1);
    ledger.flush().unwrap();
    ledger.release();
    let segments = file::segments(&path).unwrap();
    assert!(segments.len() > 5);
    for (_, path) in &segments {
        assert!(fs::metadata(path).unwrap().len() <= 10_000);
    }
    whole(&path, 1_000);
}

#[test]
fn one_that_is_held_back_and_cannot_be_written_keeps_its_place() {
    for comes_another in [true, false] {
        let (_directory, path, mut ledger) = ledger(&AuditSettings::default());
        let count = u64::from(BURST) + 1;
        append(&mut ledger, count, 1);
        assert!(ledger.is_holding());
        // A descriptor that cannot be written to, as one of a disk that is full.
        let own = std::mem::replace(&mut ledger.file, Arc::new(File::open(&path).unwrap()));
        let time = Timestamp::from_microsecond(ledger.came + 1).unwrap();
        if comes_another {
            ledger.append_at(time, &body(count)).unwrap_err();
        } else {
            ledger.flush().unwrap_err();
        }
        assert!(!ledger.is_holding() && ledger.is_behind());
        assert_eq!(lines(&path), count - 1);
        // Nor is another one held back before it.
        ledger.append_at(time, &body(count + 1)).unwrap_err();
        assert!(!ledger.is_holding());
        ledger.file = own;
        ledger.retry().unwrap();
        ledger.release();
        assert_eq!(ledger.written(), count + 1 + u64::from(comes_another));
        let report = verify_audit(&path, None).unwrap();
        assert_eq!(
            (report.verdict, report.records),
            (None, count + 1 + u64::from(comes_another))
        );
        let records = read_audit(&path, AuditFilter::default()).unwrap();
        let newest: Vec<_> = records
            .take(3)
            .map(|record| record.unwrap().execution_id.unwrap())
            .collect();
        let expected = match comes_another {
            true => [count + 1, count, count - 1],
            false => [count + 1, count - 1, count - 2],
        };
        assert_eq!(newest, expected.map(|number| number.to_string()));
    }
}

#[test]
fn of_two_that_are_written_in_part_none_is_there_twice() {
    let (_directory, path, mut ledger) = ledger(&AuditSettings::default());
    let count = u64::from(BURST) + 1;
    append(&mut ledger, count, 1);
    assert!(ledger.is_holding());
    let first = ledger.lines.clone();
    // A file that takes nothing, and cannot be cut either; and what was written of it all the same.
    let own = std::mem::replace(&mut ledger.file, Arc::new(File::open(&path).unwrap()));
    let time = Timestamp::from_microsecond(ledger.came + 1).unwrap();
    ledger.append_at(time, &body(count)).unwrap_err();
    assert!(ledger.is_ragged);
    file::append(&own, &first, ledger.length).unwrap();
    // Others are let in; then the device is well again.
    ledger.file = own;
    ledger.release();
    ledger.retry().unwrap();
    ledger.release();
    assert_eq!((ledger.written(), ledger.kept_bytes), (count + 1, 0));
    whole(&path, count + 1);
}
