//! What the cache of instances costs and saves.

use std::hint::black_box;
use std::num::NonZeroUsize;

use criterion::Criterion;
use floe_registry::api::Value;
use floe_registry::{Handle, InstanceLimits, Registry, Scope};
use lru::LruCache;

use crate::{fixture, memory};

/// How many executors are called: the same one for so many scopes, each with an instance of its own.
const EXECUTORS: usize = 1_000;

pub(crate) fn benches(criterion: &mut Criterion) {
    let (directory, store) = (fixture::directory(), fixture::directory());
    fixture::copy(directory.path());
    let with_room_for = |capacity| {
        fixture::builder(directory.path(), store.path())
            .instances(InstanceLimits::default().capacity(capacity))
            .build()
            .unwrap()
    };
    let input = Value::from(7);
    let mut group = criterion.benchmark_group("instances");

    let registry = fixture::registry(directory.path(), store.path());
    let [one] = scoped(&registry, "bench.echo");
    one.call(&input).unwrap();
    group.bench_function("hit", |bencher| {
        bencher.iter(|| one.call(black_box(&input)));
    });

    // Each call starts an instance; the one that gives way is stopped beside it.
    let registry = with_room_for(1);
    let [one, other] = scoped(&registry, "bench.echo");
    let mut turn = false;
    group.bench_function("miss_create", |bencher| {
        bencher.iter(|| {
            turn = !turn;
            let handle = if turn { &one } else { &other };
            handle.call(black_box(&input)).unwrap()
        });
    });

    let mut is_told = false;
    group.bench_function("zipf_1000_capacity_256", |bencher| {
        if !std::mem::replace(&mut is_told, true) {
            tell_hit_rates(&with_room_for);
        }
        let registry = with_room_for(256);
        let handles: [Handle; EXECUTORS] = scoped(&registry, "bench.echo");
        let mut zipf = Zipf::new();
        for _ in 0..warm_up() {
            handles[zipf.draw()].call(&input).unwrap();
        }
        bencher.iter(|| handles[zipf.draw()].call(black_box(&input)).unwrap());
    });
    let mut is_told = false;
    group.sample_size(10);
    group.bench_function("start_1000", |bencher| {
        if !std::mem::replace(&mut is_told, true) {
            fixture::alone(memory::ALONE);
        }
        let registry = with_room_for(EXECUTORS);
        let handles: [Handle; EXECUTORS] = scoped(&registry, "bench.echo");
        bencher.iter_batched(
            || registry.stop(),
            |_| {
                for handle in &handles {
                    handle.call(&input).unwrap();
                }
            },
            criterion::BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Handles to one executor, each on an instance of its own.
pub(crate) fn scoped<const N: usize>(registry: &Registry, executor: &str) -> [Handle; N] {
    let executor = registry.get(executor).unwrap();
    std::array::from_fn(|index| executor.scoped(&Scope::new(&format!("scope-{index}"))))
}

fn warm_up() -> usize {
    if fixture::is_smoke() { 100 } else { 20_000 }
}

fn measured() -> usize {
    if fixture::is_smoke() { 100 } else { 100_000 }
}

/// Prints how many calls of the workload find a live instance.
fn tell_hit_rates(with_room_for: &impl Fn(usize) -> Registry) {
    /// What is asked.
    const WANTED: f64 = 0.95;
    let tell = |capacity| {
        let rate = hit_rate(&with_room_for(capacity));
        let exact = exact_lru(capacity);
        eprintln!(
            "instances/zipf_{EXECUTORS}: capacity {capacity}: {:.1} % hits (an exact LRU: {:.1} %)",
            rate * 100.0,
            exact * 100.0
        );
        rate
    };
    tell(256);
    tell(EXECUTORS);
    if fixture::is_smoke() {
        return;
    }
    if let Some(capacity) = (256..EXECUTORS)
        .step_by(16)
        .find(|capacity| exact_lru(*capacity) >= WANTED - 0.01)
    {
        // Near to where the simulation says; then by the real one.
        let enough = (capacity..=EXECUTORS)
            .step_by(16)
            .find(|capacity| tell(*capacity) >= WANTED);
        eprintln!(
            "instances/zipf_{EXECUTORS}: the least capacity for {} % hits: {enough:?}",
            WANTED * 100.0
        );
    }
}

/// The hit rate of a registry, after a time to warm up.
fn hit_rate(registry: &Registry) -> f64 {
    let handles: [Handle; EXECUTORS] = scoped(registry, "bench.echo");
    let mut zipf = Zipf::new();
    let mut call = |count| {
        for _ in 0..count {
            handles[zipf.draw()].call(&Value::Null).unwrap();
        }
        registry.cache().stats()
    };
    let before = call(warm_up());
    let after = call(measured());
    let (hits, misses) = (after.hits - before.hits, after.misses - before.misses);
    assert_eq!(hits + misses, measured() as u64);
    hits as f64 / (hits + misses) as f64
}

/// The hit rate of a cache that knows the order of all uses.
fn exact_lru(capacity: usize) -> f64 {
    let mut cache = LruCache::new(NonZeroUsize::new(capacity).unwrap());
    let mut zipf = Zipf::new();
    let mut hits = |count: usize| {
        (0..count)
            .filter(|_| cache.put(zipf.draw(), ()).is_some())
            .count()
    };
    hits(warm_up());
    hits(measured()) as f64 / measured() as f64
}

/// Executors as they are called: the second half as often as the first, the third a third as often.
/// The same ones at each run.
struct Zipf {
    /// How often each and those before it are called.
    sums: Vec<f64>,
    random: u64,
}

impl Zipf {
    fn new() -> Self {
        let mut sum = 0.0;
        let sums = (1..=EXECUTORS).map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        });
        Self {
            sums: sums.collect(),
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    fn draw(&mut self) -> usize {
        // Marsaglia's xorshift; the upper 53 bits are a fraction.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let fraction = (self.random >> 11) as f64 / (1_u64 << 53) as f64;
        let place = fraction * self.sums[EXECUTORS - 1];
        self.sums.partition_point(|sum| *sum <= place)
    }
}
