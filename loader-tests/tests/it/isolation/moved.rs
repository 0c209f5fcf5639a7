//! A plugin is moved to a worker and back while it is called.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_plugin_api::{Value, value};
use floe_registry::{Isolation, IsolationRule, IsolationSettings, UpgradeError};

#[test]
fn no_call_fails_while_a_plugin_is_moved() {
    let mut scene = Scene::new();
    scene.isolation(Isolation::InProcess);
    let registry = scene.registry();
    let handle = registry.get("good.echo").unwrap();
    let input = value!({"number": 7});
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let called: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut calls = 0_u64;
                    while !is_over.load(Ordering::Relaxed) {
                        assert_eq!(handle.call(&input).unwrap(), input);
                        assert_eq!(registry.call("good.echo", &input).unwrap(), input);
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        for _ in 0..5 {
            registry.isolate("good", Isolation::Worker).unwrap();
            assert_eq!(handle.call(&input).unwrap(), input);
            let there = registry.cache().peek(&handle).unwrap();
            assert_eq!(there.isolation, Isolation::Worker);
            assert!(!registry.stats().workers.live.is_empty());
            registry
                .isolate("compute/good", Isolation::InProcess)
                .unwrap();
            assert_eq!(handle.call(&input).unwrap(), input);
            let here = registry.cache().peek(&handle).unwrap();
            assert_eq!(here.isolation, Isolation::InProcess);
        }
        is_over.store(true, Ordering::Relaxed);
        for each in called {
            assert!(each.join().unwrap() > 0);
        }
    });
    // What runs in this process has no worker left.
    registry.stop();
    floe_loader_tests::wait::until(|| registry.stats().workers.live.is_empty());
}

#[test]
fn what_does_not_start_there_goes_on_where_it_was() {
    let scene = Scene::new();
    let settings = IsolationSettings::new(Isolation::InProcess).program("/none/such/worker");
    let registry = scene.builder().isolation(settings).build().unwrap();
    assert_eq!(
        registry.call("good.echo", &Value::Null).unwrap(),
        Value::Null
    );
    let error = registry.isolate("good", Isolation::Worker).unwrap_err();
    let UpgradeError::HeldBack { reason, .. } = error else {
        panic!("{error}");
    };
    assert!(reason.contains("/none/such/worker"), "{reason}");
    scene.check_good(&registry);
    assert_eq!(registry.stats().workers.started, 0);

    let error = registry
        .isolate("nobody", IsolationRule::new(Isolation::Worker))
        .unwrap_err();
    assert!(matches!(error, UpgradeError::NotFound { .. }), "{error}");
}

#[test]
fn what_cannot_be_contained_here_is_not_moved_here() {
    let mut scene = Scene::new();
    scene.install("abort", &Library::of(Fixture::Abort).named("abort"));
    scene.isolation(IsolationRule::new(Isolation::Worker));
    let registry = scene.registry();
    assert_eq!(
        registry.call("abort.echo", &Value::Null).unwrap(),
        Value::Null
    );
    let error = registry.isolate("abort", Isolation::InProcess).unwrap_err();
    assert!(error.to_string().contains("panic = \"abort\""), "{error}");
    assert_eq!(
        registry.call("abort.echo", &Value::Null).unwrap(),
        Value::Null
    );
}
