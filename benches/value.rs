//! What it costs to bring a record over, beside JSON text.

use std::hint::black_box;

use criterion::Criterion;
use floe_registry::api::Value;

use crate::call::record;
use crate::work::Record;

pub(crate) fn benches(criterion: &mut Criterion) {
    let record = record();
    let mut group = criterion.benchmark_group("value");
    group.bench_function("json_text_roundtrip", |bencher| {
        bencher.iter(|| {
            let text = serde_json::to_string(black_box(&record)).unwrap();
            serde_json::from_str::<Record>(&text).unwrap()
        });
    });
    group.bench_function("serde_roundtrip", |bencher| {
        bencher.iter(|| {
            let value = Value::from_serialize(black_box(&record)).unwrap();
            value.to_typed::<Record>().unwrap()
        });
    });
    group.finish();
}
