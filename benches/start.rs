//! What it costs to start many plugins for the first time.

use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use floe_registry::StartOptions;

use crate::fixture;

const PLUGINS: usize = 100;

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start");
    // Few iterations: each leaves that many libraries mapped.
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_millis(30));
    let mut is_told = false;
    group.bench_function("100_plugins_parallel", |bencher| {
        if !std::mem::replace(&mut is_told, true) && !fixture::is_smoke() {
            tell_beside_one_by_one();
        }
        bencher.iter_custom(|iterations| {
            let started = (0..iterations).map(|_| start(StartOptions::new()));
            started.sum()
        });
    });
    group.finish();
}

/// Prints what it is worth to start several at once.
fn tell_beside_one_by_one() {
    let median = |options| {
        let mut took: Vec<Duration> = (0..3).map(|_| start(options)).collect();
        took.sort_unstable();
        took[1]
    };
    let (parallel, one_by_one) = (
        median(StartOptions::new()),
        median(StartOptions::new().parallel(1)),
    );
    eprintln!(
        "start/{PLUGINS}_plugins: 5 at once {parallel:?}, one by one {one_by_one:?}: {:.2} × as fast",
        one_by_one.as_secs_f64() / parallel.as_secs_f64()
    );
}

/// Starts plugins that were never seen before by this process, of a warm store.
fn start(options: StartOptions) -> Duration {
    let (files, store) = (fixture::directory(), fixture::directory());
    let directory = files.path().join("plugins");
    std::fs::create_dir(&directory).unwrap();
    for number in 0..PLUGINS {
        fixture::copy_named(&directory, &format!("b{number:04}"));
    }
    fixture::settle();
    fixture::warm_store(files.path(), store.path());
    let registry = fixture::registry(&directory, store.path());
    let report = registry.start(options);
    assert!(report.is_complete() && report.plugins().count() == PLUGINS);
    report.took
}
