//! What it costs to publish a generation, and what callers notice of it.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use criterion::Criterion;
use floe_registry::api::{Value, value};
use floe_registry::{Handle, Registry};

use crate::{fixture, instances};

pub(crate) fn benches(criterion: &mut Criterion) {
    let (directory, store) = (fixture::directory(), fixture::directory());
    fixture::copy(directory.path());
    fixture::copy_named(directory.path(), "other");
    let registry = fixture::registry(directory.path(), store.path());
    let mut group = criterion.benchmark_group("upgrade");
    let mut number = 0_u64;
    // Nothing runs: a catalog, and no start. The code is mapped, and its schemas are known.
    registry.load("bench.echo").unwrap();
    registry.describe("bench.echo").unwrap();
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
            let others: [Handle; 999] = instances::scoped(&registry, "other.echo");
            for other in &others {
                other.call(&Value::Null).unwrap();
            }
            eprintln!(
                "upgrade/publish: beside {} more live instances:",
                others.len()
            );
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
        // What was replaced is stopped meanwhile. (Slept through, it would be the time of a core that
        // wakes up.)
        spin(Duration::from_millis(2));
        first.push(timed(echo, &input));
        second.push(timed(echo, &input));
    }
    tell("first call after a publication", &mut first);
    tell("second call", &mut second);
}

/// Prints how long the calls of a thread take that does nothing but call: all of them, and the longest
/// during each publication; and the same without any, during times as long.
fn tell_latencies(registry: &Registry, echo: &Handle, number: &mut u64) {
    let input = Value::from(7);
    let mut length = Duration::ZERO;
    for publishing in [true, false] {
        // Odd during a publication.
        let (window, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
        let mut latencies = Vec::with_capacity(20_000_000);
        let mut longest = vec![Duration::ZERO; publishes() as usize];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let start = Instant::now();
                for _ in 0..publishes() {
                    window.fetch_add(1, Ordering::SeqCst);
                    if publishing {
                        publish(registry, number);
                    } else {
                        spin(length);
                    }
                    window.fetch_add(1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(2));
                }
                if publishing {
                    let pauses = Duration::from_millis(2) * publishes();
                    length = start.elapsed().saturating_sub(pauses) / publishes();
                }
                ended.store(true, Ordering::SeqCst);
            });
            while !ended.load(Ordering::SeqCst) {
                let before = window.load(Ordering::SeqCst);
                let latency = timed(echo, &input);
                latencies.push(latency);
                for number in [before, window.load(Ordering::SeqCst)] {
                    if number % 2 == 1 {
                        let longest = &mut longest[number / 2];
                        *longest = latency.max(*longest);
                    }
                }
            }
        });
        let beside = if publishing { "publishing" } else { "not" };
        tell(&format!("{beside}: all calls"), &mut latencies);
        tell(&format!("{beside}: the longest of each time"), &mut longest);
    }
}

fn spin(length: Duration) {
    let start = Instant::now();
    while start.elapsed() < length {
        std::hint::spin_loop();
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
