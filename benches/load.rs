//! What a plugin's first use costs, beside mapping it and looking up a symbol.
//!
//! Nothing is ever unmapped, so each iteration maps a file of its own.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, SamplingMode, measurement::WallTime};
use floe_registry::api::Value;

use crate::fixture;

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    // Few iterations: every one leaves a library mapped.
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(20)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_millis(30));
    // The store's own copies: what is compared is what is done with a file, not where it lies.
    each_anew(
        &mut group,
        "dlopen_dlsym",
        Store::Warm,
        |index, _, store| {
            let library = object(store, index);
            let start = Instant::now();
            bare::open(&library);
            start.elapsed()
        },
    );
    each_anew(&mut group, "first_use", Store::Cold, first_use);
    each_anew(&mut group, "first_use_warm_store", Store::Warm, first_use);
    group.finish();
}

/// From a registry that has scanned the file to the first answer.
fn first_use(_index: usize, directory: &Path, store: &Path) -> Duration {
    let registry = fixture::registry(directory, store);
    let echo = registry.get("bench.echo").unwrap();
    let start = Instant::now();
    let output = echo.call(&Value::Null).unwrap();
    let elapsed = start.elapsed();
    assert!(output.is_null());
    elapsed
}

#[derive(Clone, Copy, PartialEq)]
enum Store {
    Cold,
    Warm,
}

/// Times `once` over directories that hold one file each, never seen before.
fn each_anew(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    state: Store,
    once: impl Fn(usize, &Path, &Path) -> Duration,
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let (files, store) = (fixture::directory(), fixture::directory());
            let directories: Vec<PathBuf> = (0..iterations)
                .map(|index| {
                    let directory = files.path().join(index.to_string());
                    std::fs::create_dir(&directory).unwrap();
                    fixture::copy(&directory);
                    directory
                })
                .collect();
            fixture::settle();
            if state == Store::Warm {
                fixture::warm_store(files.path(), store.path());
            }
            let numbered = directories.iter().enumerate();
            numbered
                .map(|(index, directory)| once(index, directory, store.path()))
                .sum()
        });
    });
}

/// One of the copies in a store.
fn object(store: &Path, index: usize) -> PathBuf {
    let mut objects = std::fs::read_dir(store.join("store/objects")).unwrap();
    objects.nth(index).unwrap().unwrap().path()
}

/// The least that loading a plugin can be.
#[expect(unsafe_code, reason = "the call that floe is compared with")]
mod bare {
    use std::path::Path;

    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

    pub(super) fn open(path: &Path) {
        // SAFETY: the library is the bench's own, and its constructors are those of Rust's std.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.unwrap();
        // SAFETY: only the address is looked at.
        let symbol = unsafe { library.get::<*const u8>("floe_plugin_root") }.unwrap();
        assert!(!symbol.is_null());
        // As floe does: it stays.
        let _ = library.into_raw();
    }
}
