//! What it costs to put a call on record, beside a bare write of as many bytes, and to verify a log.

use std::fs::{self, File, OpenOptions};
use std::io::Write;

use criterion::{Criterion, Throughput};
use floe_registry::__bench::appender;
use floe_registry::{AuditSync, verify_audit};

const RECORDS: u64 = 1_000_000;

pub(crate) fn benches(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let mut group = criterion.benchmark_group("audit");
    let mut length = 0;
    for (name, sync) in [
        ("append", AuditSync::default()),
        ("append_never_synced", AuditSync::Never),
    ] {
        let file = directory.path().join(name);
        let append = appender(file.clone(), sync).unwrap();
        append();
        length = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
        group.bench_function(name, |bencher| bencher.iter(&append));
        drop(append);
        fs::remove_file(&file).unwrap();
    }

    let line = vec![b'x'; length];
    let path = directory.path().join("floor");
    let open = || -> File {
        let mut options = OpenOptions::new();
        options.append(true).create(true).open(&path).unwrap()
    };
    let mut file = open();
    group.bench_function("write_floor", |bencher| {
        bencher.iter(|| file.write(&line).unwrap());
    });
    drop(file);
    fs::remove_file(&path).unwrap();

    let log = directory.path().join("audit.jsonl");
    let mut is_made = false;
    group
        .throughput(Throughput::Elements(RECORDS))
        .sample_size(10);
    group.bench_function("verify_1M", |bencher| {
        if !is_made {
            let append = appender(log.clone(), AuditSync::Never).unwrap();
            for _ in 0..RECORDS {
                append();
            }
            // The last one may be held back until here.
            drop(append);
            is_made = true;
        }
        bencher.iter(|| {
            let report = verify_audit(&log, None).unwrap();
            assert_eq!(report.verdict, None);
            assert_eq!(report.records, RECORDS);
        });
    });
    group.finish();
}
