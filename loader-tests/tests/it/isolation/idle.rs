//! Workers without a call.

use std::time::Duration;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_loader_tests::wait::{self, for_event};
use floe_plugin_api::Value;
use floe_registry::Event;

use super::{patient, process, process_of, scene, workers};

#[test]
fn one_is_stopped_and_its_memory_given_back() {
    let scene = scene(workers().idle(Duration::from_millis(100)));
    let registry = patient(&scene).build().unwrap();
    let mut events = registry.events();
    let before = process_of(&registry);
    let failure = for_event(&mut events, |event| match event {
        Event::WorkerEnded {
            process, failure, ..
        } if *process == before => Some(failure.clone()),
        _ => None,
    });
    assert_eq!(failure, None);
    wait::until(|| !process::is_there(before));
    let stats = registry.stats().workers;
    assert!(stats.live.is_empty(), "{stats:?}");
    assert!(stats.returned_bytes > 0, "{stats:?}");
    assert_eq!(
        (stats.memory_bytes, stats.started, stats.crashed),
        (0, 1, 0),
        "{stats:?}"
    );
    // It is nothing that the next call sees.
    let after = process_of(&registry);
    assert_ne!(before, after);
    assert_eq!(registry.stats().workers.started, 2);
    scene.check_good(&registry);
}

#[test]
fn one_stays_while_it_is_called() {
    let scene = scene(workers().idle(None));
    let registry = patient(&scene).build().unwrap();
    let process = process_of(&registry);
    let live = registry.stats().workers.live;
    let [worker] = &live[..] else {
        panic!("{live:?}");
    };
    assert_eq!((worker.process, worker.calls), (process, 0));
    assert!(worker.memory_bytes.unwrap() > 0);
    drop(registry);
    wait::until(|| process::group(process).is_empty());
}

#[test]
fn what_large_values_leave_behind_is_given_back() {
    const LENGTH: usize = 24 << 20;

    let mut scene = Scene::new();
    scene.install("there", &Library::of(Fixture::Probe).named("there"));
    scene.isolation(workers().idle(None));
    let registry = patient(&scene).build().unwrap();
    let echo = |input: &Value| registry.call("there.echo", input).unwrap() == *input;
    let memory = || {
        let live = registry.stats().workers.live;
        live.first().and_then(|worker| worker.memory_bytes)
    };
    assert!(echo(&Value::Null));
    let before = memory().unwrap();
    let large = Value::Bytes(vec![7; LENGTH].into());
    // Each time it has a copy of the input, and its plugin one of that; of what it frees, it keeps what it likes.
    for _ in 0..10 {
        assert!(echo(&large));
    }
    wait::until(|| memory().is_some_and(|now| now <= before + (LENGTH / 3) as u64));
    // It is there again when it is needed.
    assert!(echo(&large));
}
