//! What it costs to know of 1,000 plugins.

use std::fs;
use std::path::Path;

use criterion::Criterion;
use floe_registry::{SearchDirectory, scan};

use crate::fixture;

const PLUGINS: usize = 1_000;

pub(crate) fn benches(criterion: &mut Criterion) {
    let directory = fixture::directory();
    for index in 0..PLUGINS {
        fixture::hollow(&directory.path().join(format!("libplugin{index:04}.so")));
    }
    let search = [SearchDirectory::new(directory.path())];
    assert_eq!(scan(&search).candidates().count(), PLUGINS);
    tell_memory(directory.path());

    let mut group = criterion.benchmark_group("scan/1000");
    group.sample_size(50);
    group.bench_function("readdir_stat", |bencher| {
        bencher.iter(|| {
            let entries = fs::read_dir(directory.path()).unwrap();
            entries
                .map(|entry| entry.unwrap().metadata().unwrap().len())
                .sum::<u64>()
        });
    });
    group.bench_function("floe", |bencher| bencher.iter(|| scan(&search)));
    group.finish();
}

/// Prints what a registry of them adds to the memory of this process.
fn tell_memory(directory: &Path) {
    let Some(before) = fixture::resident() else {
        return;
    };
    let store = fixture::directory();
    let registry = fixture::registry(directory, store.path());
    assert_eq!(registry.list().len(), PLUGINS);
    if let Some(after) = fixture::resident() {
        let kib = after.saturating_sub(before) / 1024;
        eprintln!("scan/1000/resident: {kib} KiB for {PLUGINS} plugins");
    }
    drop(registry);
}
