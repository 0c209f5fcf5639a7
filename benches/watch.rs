//! How long it takes until a file can be called that was put beside running plugins.

use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};
use floe_registry::Registry;
use floe_registry::api::Value;

use crate::fixture;

pub(crate) fn benches(criterion: &mut Criterion) {
    let (directory, elsewhere, store) = (
        fixture::directory(),
        fixture::directory(),
        fixture::directory(),
    );
    let registry = fixture::registry(directory.path(), store.path());
    let _watch = registry.watch().unwrap();
    let mut group = criterion.benchmark_group("watch");
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(20)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_millis(30));
    let mut number = 0;
    let mut all = Vec::new();
    group.bench_function("hot_add", |bencher| {
        bencher.iter_custom(|iterations| {
            let added = (0..iterations).map(|_| {
                number += 1;
                let name = format!("b{number:04}");
                // Whole before it is there, as installers do.
                let file = fixture::copy_named(elsewhere.path(), &name);
                fixture::settle();
                let place = directory.path().join(file.file_name().unwrap());
                let start = Instant::now();
                std::fs::rename(&file, place).unwrap();
                await_answer(&registry, &format!("{name}.echo"));
                let took = start.elapsed();
                all.push(took);
                took
            });
            added.sum()
        });
    });
    group.finish();
    all.sort_unstable();
    if let (Some(median), Some(worst)) = (all.get(all.len() / 2), all.last()) {
        eprintln!(
            "watch/hot_add: from the rename to the first answer: median {median:?}, worst {worst:?} of {}",
            all.len()
        );
    }
}

fn await_answer(registry: &Registry, executor: &str) {
    while !registry.has(executor) {
        std::thread::sleep(Duration::from_micros(200));
    }
    registry.call(executor, &Value::Null).unwrap();
}
