//! What it costs to publish a generation, and what callers notice of it.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use criterion::Criterion;
use floe_registry::api::{Value, value};
use floe_registry::{Handle, Registry};

use crate::fixture;

pub(crate) fn benches(criterion: &mut Criterion) {
    let (directory, store) = (fixture::directory(), fixture::directory());
    fixture::copy(directory.path());
    let registry = fixture::registry(directory.path(), store.path());
    let mut group = criterion.benchmark_group("upgrade");
    let mut number = 0_u64;
    // Nothing runs: a catalog, and no start.
    group.bench_function("publish_idle", |bencher| {
        bencher.iter(|| publish(&registry, &mut number));
    });
    let echo = registry.get("bench.echo").unwrap();
    let mut is_told = false;
    group.bench_function("publish", |bencher| {
        // Each generation is started beside the last, and that one stopped.
        echo.call(&Value::Null).unwrap();
        bencher.iter(|| publish(&registry, &mut number));
        if !std::mem::replace(&mut is_told, true) {
            tell_first_calls(&registry, &echo, &mut number);
            tell_latencies(&registry, &echo, &mut number);
        }
    });
    group.finish();
}

/// Configures the plugin otherwise: its next generation is the same build.
fn publish(registry: &Registry, number: &mut u64) {
    *number += 1;
    registry
        .configure("bench", value!({ "number": *number }))
        .unwrap();
}

fn publishes() -> u32 {
    if fixture::is_smoke() { 2 } else { 200 }
}

fn timed(echo: &Handle, input: &Value) -> Duration {
    let start = Instant::now();
    black_box(echo.call(black_box(input)).unwrap());
    start.elapsed()
}

/// Prints how long the first call takes that finds its generation ended, beside the second. Nothing
/// else goes on then, so that this is what a publication costs a caller, whatever the system does.
fn tell_first_calls(registry: &Registry, echo: &Handle, number: &mut u64) {
    let input = Value::from(7);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..publishes() {
        publish(registry, number);
        // What was replaced is stopped meanwhile.
        std::thread::sleep(Duration::from_millis(2));
        first.push(timed(echo, &input));
        second.push(timed(echo, &input));
    }
    tell("first call after a publication", &mut first);
    tell("second call", &mut second);
}

/// Prints how long the calls of a thread take that does nothing but call, while generations are
/// published and while none is.
fn tell_latencies(registry: &Registry, echo: &Handle, number: &mut u64) {
    const PAUSE: Duration = Duration::from_millis(2);
    let input = Value::from(7);
    for publishing in [false, true] {
        let ended = AtomicBool::new(false);
        let mut latencies = Vec::with_capacity(20_000_000);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let start = Instant::now();
                for _ in 0..publishes() {
                    if publishing {
                        publish(registry, number);
                    }
                    std::thread::sleep(PAUSE);
                }
                // As long with as without.
                std::thread::sleep((PAUSE * publishes() * 3 / 2).saturating_sub(start.elapsed()));
                ended.store(true, Ordering::Relaxed);
            });
            while !ended.load(Ordering::Relaxed) {
                latencies.push(timed(echo, &input));
            }
        });
        let what = if publishing {
            "calls during publications"
        } else {
            "calls without any"
        };
        tell(what, &mut latencies);
    }
}

fn tell(what: &str, latencies: &mut [Duration]) {
    latencies.sort_unstable();
    let count = latencies.len();
    let at = |part: f64| latencies[((count - 1) as f64 * part) as usize];
    let long = latencies
        .iter()
        .filter(|latency| **latency > Duration::from_micros(10))
        .count();
    eprintln!(
        "upgrade/publish: {what}: {count}, median {:?}, 99.9 % {:?}, 99.99 % {:?}, worst {:?}; {long} above 10 µs",
        at(0.5),
        at(0.999),
        at(0.9999),
        at(1.0)
    );
}
