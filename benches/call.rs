//! What a call costs, beside one through a trait object of this program; with statistics and without;
//! and of two threads, beside one.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Bencher, Criterion};
use floe_registry::Statistics;
use floe_registry::api::{CallContext, CallOptions, Result, Value};

use crate::fixture;
use crate::work::{self, Record};

/// What a host would write that has the executor in its own program.
trait Executor {
    fn execute(&self, operation: u32, input: &Value, call: &CallContext<'_>) -> Result<Value>;
}

struct Direct;

impl Executor for Direct {
    fn execute(&self, _operation: u32, input: &Value, _call: &CallContext<'_>) -> Result<Value> {
        work::echo(input)
    }
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let (directory, store) = (fixture::directory(), fixture::directory());
    fixture::copy(directory.path());
    fixture::copy_named(directory.path(), "other");
    // The bare call. What hosts have, who set nothing, is the other registry.
    let bare = fixture::builder(directory.path(), store.path())
        .statistics(Statistics::Off)
        .build()
        .unwrap();
    let registry = fixture::registry(directory.path(), store.path());
    let bare_echo = bare.get("bench.echo").unwrap();
    let echo = registry.get("bench.echo").unwrap();
    let typed = bare.get("bench.record").unwrap();
    let input = Value::from(7);
    bare_echo.call(&input).unwrap();
    echo.call(&input).unwrap();

    let mut group = criterion.benchmark_group("call");
    let direct: Box<dyn Executor> = black_box(Box::new(Direct));
    let options = CallOptions::new();
    group.bench_function("direct_dyn", |bencher| {
        bencher.iter(|| direct.execute(0, black_box(&input), &options.context()));
    });
    group.bench_function("handle_value", |bencher| {
        bencher.iter(|| bare_echo.call(black_box(&input)));
    });
    group.bench_function("handle_value_with_stats", |bencher| {
        bencher.iter(|| echo.call(black_box(&input)));
    });
    let in_time = CallOptions::new().timeout(Duration::from_secs(60));
    group.bench_function("handle_deadline", |bencher| {
        bencher.iter(|| echo.call_with(black_box(&input), &in_time));
    });
    let record = record();
    let answer: Record = typed.call_typed(&record).unwrap();
    assert_eq!(answer, work::record(record.clone()));
    group.bench_function("handle_typed", |bencher| {
        bencher.iter(|| typed.call_typed::<_, Record>(black_box(&record)).unwrap());
    });
    group.bench_function("by_name", |bencher| {
        bencher.iter(|| bare.call(black_box("bench.echo"), black_box(&input)));
    });
    group.bench_function("by_name_with_stats", |bencher| {
        bencher.iter(|| registry.call(black_box("bench.echo"), black_box(&input)));
    });
    group.finish();

    // With statistics. A thread of its own, also where there is one: each bench is of fresh threads.
    let mut group = criterion.benchmark_group("call");
    for executor in ["bench.echo", "bench.copy", "other.echo"] {
        registry.call(executor, &input).unwrap();
    }
    let calls = |executor: &'static str| {
        let handle = registry.get(executor).unwrap();
        let input = input.clone();
        move || drop(black_box(handle.call(black_box(&input))))
    };
    group.bench_function("one_thread", |bencher| {
        on_threads(bencher, [calls("bench.echo")]);
    });
    group.bench_function("two_threads_distinct_executors", |bencher| {
        on_threads(bencher, [calls("bench.echo"), calls("bench.copy")]);
    });
    group.bench_function("two_threads_distinct_plugins", |bencher| {
        on_threads(bencher, [calls("bench.echo"), calls("other.echo")]);
    });
    let mut is_told = false;
    group.bench_function("two_threads_same_executor", |bencher| {
        let one = calls("bench.echo");
        if !std::mem::replace(&mut is_told, true) {
            tell_scaling("the same executor", &[&one, &calls("bench.echo")]);
            tell_scaling("distinct executors", &[&one, &calls("bench.copy")]);
            tell_scaling("distinct plugins", &[&one, &calls("other.echo")]);
        }
        on_threads(bencher, [one, calls("bench.echo")]);
    });
    // What this machine's two cores are worth, without anything of floe's.
    let direct = || drop(black_box(work::echo(black_box(&input))));
    group.bench_function("direct_one_thread", |bencher| {
        on_threads(bencher, [direct]);
    });
    group.bench_function("direct_two_threads", |bencher| {
        on_threads(bencher, [direct, direct]);
    });
    group.finish();

    let mut group = criterion.benchmark_group("lookup");
    group.bench_function("by_name", |bencher| {
        bencher.iter(|| registry.has(black_box("bench.echo")));
    });
    group.bench_function("by_name_2_threads", |bencher| {
        let look_up = || {
            black_box(registry.has(black_box("bench.echo")));
        };
        on_threads(bencher, [look_up, look_up]);
    });
    group.finish();
}

/// Times what each of some threads does, all of them at the same time.
fn on_threads<const N: usize>(bencher: &mut Bencher<'_>, acts: [impl Fn() + Sync; N]) {
    let acts: [&(dyn Fn() + Sync); N] = std::array::from_fn(|index| &acts[index] as _);
    bencher.iter_custom(|iterations| time_on_threads(iterations, &acts));
}

fn time_on_threads(iterations: u64, acts: &[&(dyn Fn() + Sync)]) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for act in acts {
            scope.spawn(move || (0..iterations).for_each(|_| act()));
        }
    });
    start.elapsed()
}

/// Prints how many times what one thread does two do in a time. One and two take turns, so that a
/// machine that is slow for a while is so for both.
fn tell_scaling(what: &str, acts: &[&(dyn Fn() + Sync); 2]) {
    let (rounds, iterations) = if fixture::is_smoke() {
        (1, 100)
    } else {
        (31, 200_000)
    };
    let mut ratios: Vec<f64> = (0..rounds)
        .map(|_| {
            let one = time_on_threads(iterations, &acts[..1]);
            let two = time_on_threads(iterations, acts);
            2.0 * one.as_secs_f64() / two.as_secs_f64()
        })
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    eprintln!(
        "call/two_threads: {what}: {:.2} × what one thread does (median of {rounds})",
        ratios[rounds / 2]
    );
}

pub(crate) fn record() -> Record {
    Record {
        id: 1_461,
        name: "Seattle".to_owned(),
        amount: 16.4,
        active: true,
        note: Some("days of weather".to_owned()),
    }
}
