//! What it costs to tell that something happened.

use criterion::Criterion;
use floe_registry::__bench::publisher;

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("events");
    for (name, listeners) in [
        ("publish", 1),
        ("publish_0_subscribers", 0),
        ("publish_4_subscribers", 4),
    ] {
        // They lag: none of them is asleep, so that what is measured is not the system's waking.
        let (publish, subscriptions) = publisher(listeners);
        group.bench_function(name, |bencher| bencher.iter(&publish));
        drop(subscriptions);
    }
    let (publish, mut subscriptions) = publisher(1);
    let listener = subscriptions.pop().unwrap();
    let listening = std::thread::spawn(move || listener.count());
    group.bench_function("publish_1_listening", |bencher| bencher.iter(&publish));
    drop(publish);
    listening.join().unwrap();
    group.finish();
}
