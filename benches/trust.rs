//! What it costs to be sure of a file: to admit it, to keep a verified copy, to look for hazards.
//!
//! `admit/…` is what the first use of a plugin spends to be sure of its content where that is remembered,
//! under each policy: from the admitted file to the verified copy that is mapped. `load/first_use_cold_store_…` is that of a file never seen, under
//! `locked+signed`; beside it stand the parts that it cannot do without.

use std::fs;
use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, SamplingMode, measurement::WallTime};
use floe_registry::api::Value;
use floe_registry::{
    Claims, LockFile, Platform, PublicKey, Registry, SearchDirectory, Signature, Store, Trust,
    TrustSettings, TrustedKey,
};
use minisign::KeyPair;
use sha2::{Digest, Sha256};

use crate::fixture;

/// The sizes of libraries that are loaded: that of a small plugin in Rust, and that of a large one.
const SIZES: [(&str, u64); 2] = [("600KB", 600_000), ("20MB", 20_000_000)];

/// How many plugins are listed.
const PLUGINS: usize = 1_000;

pub(crate) fn benches(criterion: &mut Criterion) {
    let vendor = Vendor::new();
    admit(criterion, &vendor);
    load(criterion, &vendor);
    preflight(criterion);
    list(criterion, &vendor);
}

/// Who signs, and who trusts that.
struct Vendor {
    pair: KeyPair,
    key: PublicKey,
}

impl Vendor {
    fn new() -> Self {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let key = pair.pk.to_base64().parse().unwrap();
        Self { pair, key }
    }

    /// Writes the signature of a plugin beside it.
    fn sign(&self, path: &Path) {
        let registry = Registry::builder().build().unwrap();
        let manifest = registry.inspect(path).unwrap().manifest;
        let comment = Claims::of(&manifest).to_comment(1_700_000_000, "libplugin.so");
        let content = fs::File::open(path).unwrap();
        let (public, secret) = (Some(&self.pair.pk), &self.pair.sk);
        let signature = minisign::sign(public, secret, content, Some(&comment), None).unwrap();
        fs::write(Signature::path_of(path), signature.into_string()).unwrap();
    }

    /// What is asked of the files in a directory, with all that the policy needs.
    fn trust(&self, policy: Trust, directory: &Path) -> TrustSettings {
        TrustSettings::new(policy)
            .lock(directory.join("floe.lock"))
            .key(TrustedKey::new("vendor", self.key.clone()))
    }
}

/// Writes the lock file of a directory.
fn lock(directory: &Path, store: &Path) {
    let registry = fixture::registry(directory, store);
    let lock = LockFile::default();
    let lock = lock.updated(registry.lockable().builds, Platform::host(), |_| true);
    lock.write(&directory.join("floe.lock")).unwrap();
}

/// A directory with one plugin of its own content, signed and locked.
fn install(vendor: &Vendor, directory: &Path, store: &Path, size: u64) -> PathBuf {
    fs::create_dir(directory).unwrap();
    let path = fixture::copy(directory);
    fixture::pad(&path, size);
    vendor.sign(&path);
    lock(directory, store);
    path
}

fn admit(criterion: &mut Criterion, vendor: &Vendor) {
    let (files, store_at) = (fixture::directory(), fixture::directory());
    let directory = files.path().join("plugins");
    let path = install(vendor, &directory, store_at.path(), 0);
    fixture::settle();
    let store = Store::new(store_at.path().join("store"));
    let mut group = criterion.benchmark_group("admit");
    for (name, policy) in [
        ("any", Trust::Any),
        ("owner", Trust::Owner),
        ("locked", Trust::Locked),
        ("signed", Trust::Signed),
        ("locked+signed", Trust::LockedAndSigned),
    ] {
        let trust = vendor.trust(policy, &directory);
        let admitted = floe_registry::__bench::admit(&path, trust).unwrap();
        // The first time, it is copied and verified, and that is remembered.
        floe_registry::__bench::keep(&store, &admitted).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter(|| floe_registry::__bench::keep(&store, black_box(&admitted)).unwrap());
        });
    }
    group.finish();
}

fn load(criterion: &mut Criterion, vendor: &Vendor) {
    let mut group = few(criterion, "load");
    for (name, size) in SIZES {
        group.bench_function(format!("first_use_cold_store_{name}"), |bencher| {
            bencher.iter_custom(|iterations| {
                let (files, store) = (fixture::directory(), fixture::directory());
                let directories = installed(vendor, &files, store.path(), iterations, size);
                fixture::settle();
                let each = directories.iter().map(|directory| {
                    let trust = vendor.trust(Trust::LockedAndSigned, directory);
                    first_use(directory, store.path(), trust)
                });
                each.sum()
            });
        });
        parts(&mut group, name, size);
        // Without loading and starting it: from the admitted file to its verified copy.
        group.bench_function(format!("keep_cold_{name}"), |bencher| {
            bencher.iter_custom(|iterations| {
                let (files, store_at) = (fixture::directory(), fixture::directory());
                let directories = installed(vendor, &files, store_at.path(), iterations + 1, size);
                let store = Store::new(store_at.path().join("store"));
                let mut each = directories.iter().map(|directory| {
                    let trust = vendor.trust(Trust::LockedAndSigned, directory);
                    let path = the_library(directory);
                    let admitted = floe_registry::__bench::admit(&path, trust).unwrap();
                    let start = Instant::now();
                    floe_registry::__bench::keep(&store, &admitted).unwrap();
                    start.elapsed()
                });
                // The first makes the store's directories; the rest is what each content costs.
                each.next();
                fixture::settle();
                each.sum()
            });
        });
    }
    group.finish();
}

/// The one library in a directory.
fn the_library(directory: &Path) -> PathBuf {
    let mut files = fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path());
    let is_library = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "so");
    files.find(is_library).unwrap()
}

/// What keeping a verified copy consists of, done plainly.
fn parts(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, size: u64) {
    let directory = fixture::directory();
    let path = fixture::copy(directory.path());
    fixture::pad(&path, size);
    group.bench_function(format!("sha256_{name}"), |bencher| {
        bencher.iter(|| {
            let mut file = fs::File::open(&path).unwrap();
            let mut hasher = Hasher(Sha256::new());
            io::copy(&mut file, &mut hasher).unwrap();
            black_box(hasher.0.finalize())
        });
    });
    for (what, sync) in [("copy", Sync::No), ("copy_synced", Sync::Yes)] {
        group.bench_function(format!("{what}_{name}"), |bencher| {
            bencher.iter_custom(|iterations| {
                let copies = fixture::directory();
                let mut elapsed = Duration::ZERO;
                for index in 0..iterations {
                    let to = copies.path().join("temporary");
                    let start = Instant::now();
                    fs::copy(&path, &to).unwrap();
                    if sync == Sync::Yes {
                        fs::File::open(&to).unwrap().sync_all().unwrap();
                    }
                    // As the store's own, each gets a name and stays.
                    fs::rename(&to, copies.path().join(index.to_string())).unwrap();
                    elapsed += start.elapsed();
                }
                elapsed
            });
        });
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Sync {
    Yes,
    No,
}

struct Hasher(Sha256);

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn preflight(criterion: &mut Criterion) {
    let directory = fixture::directory();
    let path = fixture::copy(directory.path());
    fixture::pad(&path, 600_000);
    let mut group = criterion.benchmark_group("preflight");
    group.bench_function("600KB", |bencher| {
        bencher.iter(|| floe_registry::__bench::preflight(black_box(&path)));
    });
    group.finish();
}

/// Plugins that are listed, and not loaded: as many different ones, each signed and locked, beside as many
/// without signatures.
fn list(criterion: &mut Criterion, vendor: &Vendor) {
    let (unsigned, directory) = (fixture::directory(), fixture::directory());
    for index in 0..PLUGINS {
        let name = format!("b{index:04}");
        fixture::hollow_named(&unsigned.path().join(format!("lib{name}.so")), &name);
        let path = directory.path().join(format!("lib{name}.so"));
        fixture::hollow_named(&path, &name);
        vendor.sign(&path);
    }
    let store = fixture::directory();
    lock(directory.path(), store.path());
    let mut group = criterion.benchmark_group("list/1000");
    group.sample_size(30);
    let search = [SearchDirectory::new(unsigned.path())];
    group.bench_function("scan", |bencher| {
        bencher.iter(|| floe_registry::scan(&search));
    });
    group.bench_function("unsigned", |bencher| {
        bencher.iter_with_large_drop(|| fixture::registry(unsigned.path(), store.path()));
    });
    for (name, policy) in [
        ("owner", Trust::Owner),
        ("locked", Trust::Locked),
        ("signed", Trust::Signed),
        ("locked+signed", Trust::LockedAndSigned),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter_with_large_drop(|| {
                let trust = vendor.trust(policy, directory.path());
                let builder = fixture::builder(directory.path(), store.path());
                let registry = builder.trust(trust).build().unwrap();
                assert_eq!(registry.rejected().len(), 0);
                registry
            });
        });
    }
    group.finish();
}

/// A group of few iterations: every one leaves a library mapped.
fn few<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(20)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_millis(30));
    group
}

fn installed(
    vendor: &Vendor,
    files: &tempfile::TempDir,
    store: &Path,
    iterations: u64,
    size: u64,
) -> Vec<PathBuf> {
    let each = (0..iterations).map(|index| {
        let directory = files.path().join(index.to_string());
        install(vendor, &directory, store, size);
        directory
    });
    each.collect()
}

/// From a registry that has scanned the file to the first answer.
fn first_use(directory: &Path, store: &Path, trust: TrustSettings) -> Duration {
    let builder = fixture::builder(directory, store);
    let registry = builder.trust(trust).build().unwrap();
    let echo = registry.get("bench.echo").unwrap();
    let start = Instant::now();
    let output = echo.call(&Value::Null).unwrap();
    let elapsed = start.elapsed();
    assert!(output.is_null());
    elapsed
}
