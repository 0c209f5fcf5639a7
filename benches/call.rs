//! What a call costs, beside one through a trait object of this program.

use std::hint::black_box;
use std::time::Instant;

use criterion::Criterion;
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
    let registry = fixture::registry(directory.path(), store.path());
    let echo = registry.get("bench.echo").unwrap();
    let typed = registry.get("bench.record").unwrap();
    let input = Value::from(7);
    echo.call(&input).unwrap();

    let mut group = criterion.benchmark_group("call");
    let direct: Box<dyn Executor> = black_box(Box::new(Direct));
    let options = CallOptions::new();
    group.bench_function("direct_dyn", |bencher| {
        bencher.iter(|| direct.execute(0, black_box(&input), &options.context()));
    });
    group.bench_function("handle_value", |bencher| {
        bencher.iter(|| echo.call(black_box(&input)));
    });
    let record = record();
    let answer: Record = typed.call_typed(&record).unwrap();
    assert_eq!(answer, work::record(record.clone()));
    group.bench_function("handle_typed", |bencher| {
        bencher.iter(|| typed.call_typed::<_, Record>(black_box(&record)).unwrap());
    });
    group.bench_function("by_name", |bencher| {
        bencher.iter(|| registry.call(black_box("bench.echo"), black_box(&input)));
    });
    group.finish();

    let mut group = criterion.benchmark_group("lookup");
    group.bench_function("by_name", |bencher| {
        bencher.iter(|| registry.has(black_box("bench.echo")));
    });
    group.bench_function("by_name_2_threads", |bencher| {
        bencher.iter_custom(|iterations| {
            let look_up = || {
                for _ in 0..iterations {
                    black_box(registry.has(black_box("bench.echo")));
                }
            };
            let start = Instant::now();
            std::thread::scope(|scope| {
                scope.spawn(look_up);
                look_up();
            });
            start.elapsed()
        });
    });
    group.finish();
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
