//! Many threads, calls inside calls, and what is dropped meanwhile.

use std::fs;
use std::sync::{Arc, Barrier};
use std::thread;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::gate::Gate;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_plugin_api::{ErrorKind, ExecutorMetadata, Value, value};
use floe_registry::{CallError, QuarantineSettings, Registry};

fn count(counts: &Value, what: &str) -> i64 {
    counts.get(what).and_then(Value::as_i64).unwrap()
}

fn text<'a>(value: &'a Value, what: &str) -> &'a str {
    value.get(what).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn a_thousand_threads_on_first_use_load_once_and_start_once() {
    let scene = Scene::new();
    let registry = scene
        .builder()
        .config("good", value!({"calls": "gate.start"}))
        .build()
        .unwrap();
    let mut gate = Gate::register(&registry, "gate.start");
    let all = Barrier::new(1_001);
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for number in 0..1_000 {
            let (registry, all) = (&registry, &all);
            threads.push(scope.spawn(move || {
                let node_type = if number % 2 == 0 {
                    "good.counts"
                } else {
                    "good.counts@^1"
                };
                all.wait();
                match number % 3 {
                    0 => registry.get(node_type).unwrap().call(&Value::Null).unwrap(),
                    1 => {
                        registry.load(node_type).unwrap();
                        registry.call(node_type, &Value::Null).unwrap()
                    }
                    _ => registry.call(node_type, &Value::Null).unwrap(),
                }
            }));
        }
        all.wait();
        // One of them starts it, and is kept there while the others come.
        gate.wait_until_entered();
        gate.open();
        for thread in threads {
            let counts = thread.join().unwrap();
            assert_eq!(
                (count(&counts, "starts"), count(&counts, "instance")),
                (1, 1)
            );
        }
    });
    assert_eq!(gate.entered(), 0, "it was started once");
    let objects = fs::read_dir(scene.store().join("objects")).unwrap();
    assert_eq!(objects.count(), 1, "one copy, and no temporary file");
}

#[test]
fn a_thousand_threads_on_a_plugin_that_does_not_start() {
    let scene = Scene::new();
    scene.install("bad", &Library::of(Fixture::Probe).named("bad"));
    let config = value!({"refuses": "no"});
    // Those who come after a failure try again, and how many do is the machine's to say.
    let never = QuarantineSettings::default().failed_starts(0);
    let builder = scene.builder().config("bad", config).quarantine(never);
    let registry = builder.build().unwrap();
    thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| {
                let error = registry.call("bad.echo", &Value::Null).unwrap_err();
                assert!(matches!(error, CallError::Start(_)), "{error}");
                registry.call("good.echo", &Value::Null).unwrap();
            });
        }
    });
    scene.check_good(&registry);
}

/// Keeps a call inside the good plugin, does something to the registry, and lets it go.
#[track_caller]
fn check_inside(act: impl FnOnce(&Scene, &mut Option<Registry>)) {
    let scene = Scene::new();
    let epitaph = scene.root().join("epitaph");
    let told = || fs::read_to_string(&epitaph).unwrap_or_default();
    let config = value!({"epitaph": epitaph.to_str().unwrap()});
    let registry = scene.builder().config("good", config).build().unwrap();
    let mut gate = Gate::register(&registry, "gate.inside");
    let handle = registry.get("good.call").unwrap();
    let caller = thread::spawn(move || handle.call(&value!({"node_type": "gate.inside"})));
    gate.wait_until_entered();
    let mut registry = Some(registry);
    act(&scene, &mut registry);
    assert!(
        !told().contains("instance 1\n"),
        "dropped with a call inside"
    );
    gate.open();
    assert_eq!(caller.join().unwrap().unwrap(), value!("through"));
    drop(registry);
    assert!(told().contains("instance 1\n"), "nothing keeps it any more");
}

#[test]
fn the_registry_is_dropped_while_a_call_is_inside() {
    check_inside(|_, registry| drop(registry.take()));
}

#[test]
fn handles_are_dropped_while_a_call_is_inside() {
    check_inside(|_, registry| {
        let registry = registry.as_ref().unwrap();
        for _ in 0..10 {
            drop(registry.get("good.call").unwrap());
        }
    });
}

#[test]
fn the_file_is_gone_for_a_scan_while_a_call_is_inside() {
    check_inside(|scene, registry| {
        let registry = registry.as_ref().unwrap();
        fs::remove_file(scene.path("m-good")).unwrap();
        assert_eq!(registry.rescan().unwrap().removed.len(), 1);
        assert!(!registry.has("good.call"));
    });
}

#[test]
fn the_file_is_another_build_while_a_call_is_inside() {
    check_inside(|scene, registry| {
        let registry = registry.as_ref().unwrap();
        let path = scene.path("m-good");
        fs::remove_file(&path).unwrap();
        scene.install(
            "m-good",
            &Library::of(Fixture::Probe).named("good").version("2.0.0"),
        );
        assert_eq!(registry.rescan().unwrap().changed.len(), 1);
        scene.check_good(registry);
        assert_eq!(
            registry.get("good.call").unwrap().version().to_string(),
            "2.0.0"
        );
    });
}

#[test]
fn the_function_is_unregistered_while_a_call_is_inside() {
    check_inside(|_, registry| {
        let registry = registry.as_ref().unwrap();
        registry.unregister("gate.inside").unwrap();
        assert!(!registry.has("gate.inside"));
        registry
            .register(ExecutorMetadata::new("gate.inside").unwrap(), |_, _| {
                Ok(value!("another"))
            })
            .unwrap();
        let another = registry.call("good.call", &value!({"node_type": "gate.inside"}));
        assert_eq!(another.unwrap(), value!("another"));
    });
}

#[test]
fn the_instance_is_replaced_while_a_call_is_inside() {
    check_inside(|_, registry| {
        let registry = registry.as_ref().unwrap();
        for instance in 2..5 {
            registry.call("good.panic", &value!({})).unwrap_err();
            let counts = registry.call("good.counts", &Value::Null).unwrap();
            assert_eq!(count(&counts, "instance"), instance);
        }
    });
}

#[test]
fn a_plugin_calls_itself_and_others() {
    let scene = Scene::of_good_needing(&["other"]);
    scene.install("other", &Library::of(Fixture::Probe).named("other"));
    let registry = scene.registry();
    let nested = value!({"node_type": "good.call", "input": {
        "node_type": "other.call", "input": { "node_type": "other.echo", "input": [1, "two"] }
    }});
    assert_eq!(
        registry.call("good.call", &nested).unwrap(),
        value!([1, "two"])
    );
    let missing = registry
        .call("good.attempt", &value!({"node_type": "nobody.home"}))
        .unwrap();
    assert_eq!(text(&missing, "kind"), "node-type-not-found");
    scene.check_good(&registry);
}

#[test]
fn a_plugin_that_calls_itself_while_it_starts_is_told() {
    let scene = Scene::new();
    scene.install("selfish", &Library::of(Fixture::Probe).named("selfish"));
    let registry = scene
        .builder()
        .config("selfish", value!({"calls": "selfish.echo"}))
        .build()
        .unwrap();
    let told = registry.call("selfish.started", &Value::Null).unwrap();
    assert_eq!(text(&told, "kind"), "not-ready");
    assert!(text(&told, "error").contains("it is starting"), "{told:?}");
    scene.check_good(&registry);
}

/// A function of this program that calls an executor, whoever calls it.
fn pass_to(registry: &Registry, name: &str, node_type: &'static str) {
    let own = registry.clone();
    let call = move |input: &Value, _: &floe_plugin_api::CallContext<'_>| {
        own.call(node_type, input)
            .map_err(|error| floe_plugin_api::Error::new(error.kind(), error.to_string()))
    };
    let metadata = ExecutorMetadata::new(name).unwrap();
    registry.register(metadata, call).unwrap();
}

#[test]
fn plugins_that_call_each_other_while_they_start_are_told() {
    let scene = Scene::new();
    for name in ["left", "right"] {
        scene.install(name, &Library::of(Fixture::Probe).named(name));
    }
    // They may not call each other, as they do not declare that; but by way of this program.
    let registry = || {
        let registry = scene
            .builder()
            .config("left", value!({"calls": "host.right"}))
            .config("right", value!({"calls": "host.left"}))
            .build()
            .unwrap();
        pass_to(&registry, "host.left", "left.echo");
        pass_to(&registry, "host.right", "right.echo");
        registry
    };
    let end = |registry: &Registry| {
        registry.unregister("host.left").unwrap();
        registry.unregister("host.right").unwrap();
    };
    // By one thread: the left one starts the right one, and that is told.
    let one = registry();
    let left = one.call("left.started", &Value::Null).unwrap();
    assert_eq!(text(&left, "kind"), "", "{left:?}");
    let right = one.call("right.started", &Value::Null).unwrap();
    assert_eq!(text(&right, "kind"), "not-ready", "{right:?}");
    assert!(text(&right, "error").contains("left 1.0.0"), "{right:?}");

    // By two threads at once, again and again: whatever happens, nobody waits for ever.
    for _ in 0..20 {
        let both = Arc::new(Barrier::new(2));
        let two = registry();
        let threads = ["left.started", "right.started"].map(|node_type| {
            let (two, both) = (two.clone(), both.clone());
            thread::spawn(move || {
                both.wait();
                two.call(node_type, &Value::Null)
            })
        });
        let results = threads.map(|thread| thread.join().unwrap().unwrap());
        let told = results
            .iter()
            .filter(|result| text(result, "kind") == "not-ready")
            .count();
        assert_eq!(told, 1, "{results:?}");
        end(&two);
    }
    scene.check_good(&one);
    end(&one);
}

#[test]
fn a_handle_keeps_its_registry_at_work() {
    let scene = Scene::new();
    let registry = scene.registry();
    let mut gate = Gate::register(&registry, "gate.inside");
    let join = registry.get("good.join").unwrap();
    let errands = value!({"node_types": ["gate.inside", "good.echo", "gate.inside"]});
    registry.call("good.spawn", &errands).unwrap();
    gate.wait_until_entered();
    drop(registry);
    gate.open();
    let results = join.call(&Value::Null).unwrap();
    let results = results.as_list().unwrap();
    assert_eq!(results[0].get("ok"), Some(&value!("through")));
    assert_eq!(results[1].get("ok"), Some(&Value::Null));
    assert_eq!(results[2].get("ok"), Some(&value!("through")));
}

/// Has a thread of the good plugin call things after `end` has ended it, and gives what it was told.
fn called_late(end: impl FnOnce(&Scene, Registry)) -> Value {
    let scene = Scene::new();
    let report = scene.root().join("report");
    let registry = scene.registry();
    let mut gate = Gate::register(&registry, "gate.inside");
    let errands = value!({
        "node_types": ["gate.inside", "good.echo"],
        "report": report.to_str().unwrap(),
    });
    registry.call("good.spawn", &errands).unwrap();
    gate.wait_until_entered();
    end(&scene, registry);
    gate.open();
    let told = floe_loader_tests::wait::until_some(|| {
        let text = fs::read_to_string(&report).ok()?;
        Value::from_json(&text).ok()
    });
    let told = told.as_list().unwrap();
    assert_eq!(told[0].get("ok"), Some(&value!("through")), "{told:?}");
    told[1].clone()
}

#[test]
fn a_thread_that_calls_the_host_after_its_plugin_was_stopped() {
    let late = called_late(|_, registry| {
        let stopped = registry.stop();
        assert!(stopped.iter().all(|instance| instance.ended), "{stopped:?}");
        // The call that it is inside of keeps the registry's function, not the registry.
        std::mem::forget(registry);
    });
    assert_eq!(text(&late, "kind"), "not-ready", "{late:?}");
    assert!(text(&late, "error").contains("was stopped"), "{late:?}");
}

#[test]
fn a_thread_that_calls_the_host_when_its_registry_is_gone() {
    let late = called_late(|_, registry| drop(registry));
    assert_eq!(text(&late, "kind"), "not-ready", "{late:?}");
    let error = text(&late, "error");
    assert!(
        error.contains("is gone") || error.contains("was stopped"),
        "{error}"
    );
}

#[test]
fn a_thread_that_outlives_the_instance() {
    let scene = Scene::new();
    let registry = scene.registry();
    let epitaph = scene.root().join("epitaph");
    let config = value!({"epitaph": epitaph.to_str().unwrap()});
    let short = scene.builder().config("good", config).build().unwrap();
    let mut gate = Gate::register(&short, "gate.inside");
    short
        .call(
            "good.spawn",
            &value!({"node_types": ["gate.inside", "good.echo"]}),
        )
        .unwrap();
    gate.wait_until_entered();
    // The call that the thread is inside of is the last that keeps the registry.
    drop(short);
    gate.open();
    scene.check_good(&registry);
    assert_eq!(
        registry
            .call("good.counts", &Value::Null)
            .map(|counts| count(&counts, "starts"))
            .unwrap(),
        2
    );
}

#[test]
fn scans_registrations_and_calls_at_once() {
    let scene = Scene::new();
    let registry = scene.registry();
    let library = Library::of(Fixture::Probe).named("fleeting");
    thread::scope(|scope| {
        for number in 0..4 {
            let registry = &registry;
            scope.spawn(move || {
                for turn in 0..100 {
                    assert_eq!(
                        registry.call("good.echo", &value!(turn)).unwrap(),
                        value!(turn)
                    );
                    let node_type = format!("host.n{number}");
                    registry
                        .register(ExecutorMetadata::new(&node_type).unwrap(), move |_, _| {
                            Ok(value!(turn))
                        })
                        .unwrap();
                    assert_eq!(
                        registry.call(&node_type, &Value::Null).unwrap(),
                        value!(turn)
                    );
                    registry.unregister(&node_type).unwrap();
                    match registry.call("fleeting.echo", &value!(1)) {
                        Ok(output) => assert_eq!(output, value!(1)),
                        Err(CallError::Lookup(_) | CallError::Rejected(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        let (scene, registry, library) = (&scene, &registry, &library);
        scope.spawn(move || {
            for _ in 0..20 {
                let path = scene.install("fleeting", library);
                registry.rescan().unwrap();
                fs::remove_file(path).unwrap();
                registry.rescan().unwrap();
            }
        });
    });
    assert_eq!(registry.list().len(), 1);
    assert_eq!(
        registry
            .call("good.counts", &Value::Null)
            .map(|counts| count(&counts, "starts"))
            .unwrap(),
        1
    );
    assert_eq!(
        registry.call("nobody", &Value::Null).unwrap_err().kind(),
        ErrorKind::NodeTypeNotFound
    );
}

#[test]
fn what_a_plugin_calls_while_it_starts_may_ask_about_it() {
    let scene = Scene::new();
    let registry = scene
        .builder()
        .config("good", value!({"calls": "host.asks"}))
        .build()
        .unwrap();
    let own = registry.clone();
    let asks = move |_: &Value, _: &floe_plugin_api::CallContext<'_>| {
        let listed = own.list().len();
        let scanned = own.rescan().is_ok();
        let refused = [
            own.describe("good.echo").map(drop),
            own.load("good.echo"),
            own.call("good.echo", &Value::Null).map(drop),
            own.get("good.echo").unwrap().validate(&Value::Null),
        ];
        let circles = refused
            .iter()
            .filter(|result| matches!(result, Err(CallError::StartCycle { .. })))
            .count();
        let mapped = refused.iter().filter(|result| result.is_ok()).count();
        Ok(
            value!({"listed": listed, "scanned": scanned, "answers": circles + mapped, "circles": circles}),
        )
    };
    registry
        .register(ExecutorMetadata::new("host.asks").unwrap(), asks)
        .unwrap();
    let told = registry.call("good.started", &Value::Null).unwrap();
    let told = told.get("ok").unwrap_or_else(|| panic!("{told:?}"));
    assert_eq!((count(told, "listed"), count(told, "answers")), (2, 4));
    assert!(count(told, "circles") >= 1, "{told:?}");
    registry.unregister("host.asks").unwrap();
    scene.check_good(&registry);
}

#[test]
fn the_last_registry_is_dropped_by_what_a_plugin_calls() {
    let scene = Scene::new();
    let epitaph = scene.root().join("epitaph");
    let config = value!({"epitaph": epitaph.to_str().unwrap()});
    let registry = scene.builder().config("good", config).build().unwrap();
    let last = Arc::new(std::sync::Mutex::new(None::<Registry>));
    let taken = last.clone();
    let drops = move |_: &Value, _: &floe_plugin_api::CallContext<'_>| {
        drop(taken.lock().unwrap().take());
        Ok(value!("dropped"))
    };
    registry
        .register(ExecutorMetadata::new("host.drops").unwrap(), drops)
        .unwrap();
    // By name: a handle would keep the registry at work.
    let plugin = registry.clone();
    *last.lock().unwrap() = Some(registry);
    let output = plugin
        .call("good.call", &value!({"node_type": "host.drops"}))
        .unwrap();
    assert_eq!(output, value!("dropped"));
    assert!(last.lock().unwrap().is_none());
    assert!(!epitaph.exists(), "it is the last but one");
    drop(plugin);
    assert!(epitaph.exists());
}
