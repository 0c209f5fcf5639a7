//! A plugin's panic, wherever it happens, is an error value in the host.

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::{Scene, check_answers};
use floe_plugin_api::{ErrorKind, Value, value};
use floe_registry::{CallError, CircuitSettings, Registry, Stage, State};

/// What to panic with, and what is told of it.
const PAYLOADS: [(&str, &str); 4] = [
    ("str", "a plain panic"),
    ("string", "a panic with "),
    ("other", "not text"),
    ("bomb", "not text"),
];

#[track_caller]
fn number(registry: &Registry, plugin: &str, what: &str) -> i64 {
    let counts = registry
        .call(&format!("{plugin}.counts"), &Value::Null)
        .unwrap();
    counts.get(what).and_then(Value::as_i64).unwrap()
}

/// Panics as often as it likes and is not left alone for it.
fn patient() -> CircuitSettings {
    CircuitSettings::default().panics(u32::MAX)
}

#[track_caller]
fn check_panicked(error: &CallError, node_type: Option<&str>, said: &str) {
    assert_eq!(error.kind(), ErrorKind::Panicked, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("panicked at ") && text.contains("probe.rs:"),
        "{text}"
    );
    assert!(text.contains(said), "{text}");
    let (CallError::Executor(told) | CallError::Start(told)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(told.node_type.as_deref(), node_type);
    let location = told
        .details
        .get("location")
        .and_then(Value::as_str)
        .unwrap();
    assert!(location.contains("probe.rs:"), "{location}");
}

#[test]
fn in_an_executor() {
    let scene = Scene::new();
    scene.install("bad", &Library::of(Fixture::Probe).named("bad"));
    let registry = scene.builder().circuit(patient()).build().unwrap();
    let handle = registry.get("bad.panic").unwrap();
    let echo = registry.get("bad.echo").unwrap();
    echo.call(&Value::Null).unwrap();
    let mut instance = 1;
    for (payload, said) in PAYLOADS {
        for by_name in [true, false] {
            assert_eq!(number(&registry, "bad", "instance"), instance);
            let input = value!({"payload": payload});
            let result = if by_name {
                registry.call("bad.panic", &input)
            } else {
                handle.call(&input)
            };
            check_panicked(&result.unwrap_err(), Some("bad.panic"), said);
            instance += 1;
            // The next use, by whichever way, gets a new instance.
            assert_eq!(echo.call(&value!(7)).unwrap(), value!(7));
            assert_eq!(number(&registry, "bad", "instance"), instance);
            assert_eq!(number(&registry, "bad", "starts"), instance);
            scene.check_good(&registry);
        }
    }
    assert_eq!(number(&registry, "good", "starts"), 1);
}

#[test]
fn while_it_starts() {
    for (payload, said) in PAYLOADS {
        let scene = Scene::new();
        scene.install("bad", &Library::of(Fixture::Probe).named("bad"));
        let config = value!({"panics_in": "start", "payload": payload});
        let registry = scene.builder().config("bad", config).build().unwrap();
        for _ in 0..2 {
            let error = registry.call("bad.echo", &Value::Null).unwrap_err();
            check_panicked(&error, None, said);
            let plugin = registry
                .list()
                .into_iter()
                .find(|plugin| plugin.name == "bad")
                .unwrap();
            assert_eq!(
                (plugin.state, plugin.failed_at),
                (State::Failed, Some(Stage::Start))
            );
            assert!(plugin.reason.unwrap().contains(said));
            scene.check_good(&registry);
        }
    }
}

#[test]
fn while_it_is_dropped() {
    for (payload, _) in PAYLOADS {
        let scene = Scene::new();
        scene.install("bad", &Library::of(Fixture::Probe).named("bad"));
        let epitaph = scene.root().join("epitaph");
        let config =
            value!({"panics_in": "drop", "payload": payload, "epitaph": epitaph.to_str().unwrap()});
        let registry = scene.builder().config("bad", config).build().unwrap();
        check_answers(&registry, "bad");
        drop(registry);
        assert!(epitaph.exists(), "the destructor ran");
        scene.check_good(&scene.registry());
    }
}

#[test]
fn while_it_stops() {
    for (payload, _) in PAYLOADS {
        let scene = Scene::new();
        scene.install("bad", &Library::of(Fixture::Probe).named("bad"));
        let epitaph = scene.root().join("epitaph");
        let config =
            value!({"panics_in": "stop", "payload": payload, "epitaph": epitaph.to_str().unwrap()});
        let registry = scene.builder().config("bad", config).build().unwrap();
        check_answers(&registry, "bad");
        drop(registry);
        assert!(
            epitaph.exists(),
            "what panicked in stop is dropped all the same"
        );
        assert!(!epitaph.with_extension("stopped").exists());
        scene.check_good(&scene.registry());
    }
}

#[test]
fn a_poisoned_instance_is_dropped_and_not_stopped() {
    let scene = Scene::new();
    scene.install("bad", &Library::of(Fixture::Probe).named("bad"));
    let epitaph = scene.root().join("epitaph");
    let config = value!({"epitaph": epitaph.to_str().unwrap()});
    let registry = scene.builder().config("bad", config).build().unwrap();
    registry
        .call("bad.panic", &value!({"payload": "str"}))
        .unwrap_err();
    drop(registry);
    assert!(epitaph.exists());
    assert!(!epitaph.with_extension("stopped").exists());
}

#[test]
fn while_it_is_replaced_and_dropped() {
    // A poisoned instance, whose destructor panics too, gives way to a new one.
    let scene = Scene::new();
    scene.install("bad", &Library::of(Fixture::Probe).named("bad"));
    let config = value!({"panics_in": "drop", "payload": "bomb"});
    let registry = scene.builder().config("bad", config).build().unwrap();
    for instance in 1..5 {
        assert_eq!(number(&registry, "bad", "instance"), instance);
        registry
            .call("bad.panic", &value!({"payload": "bomb"}))
            .unwrap_err();
    }
    registry.rescan().unwrap();
    assert_eq!(number(&registry, "bad", "instance"), 5);
    scene.check_good(&registry);
}

#[test]
fn while_it_describes_itself() {
    let scene = Scene::new();
    scene.install("bad", &Library::of(Fixture::Undescribed));
    let registry = scene.registry();
    for _ in 0..2 {
        let error = registry.describe("undescribed.answer").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked, "{error}");
        let text = format!(
            "{error}: {}",
            std::error::Error::source(&error)
                .map(ToString::to_string)
                .unwrap_or_default()
        );
        assert!(text.contains("cannot describe itself"), "{text}");
        let CallError::Start(told) = &error else {
            panic!("{error:?}");
        };
        assert!(
            told.causes().any(|cause| cause.contains("no words for it")),
            "{:?}",
            told.causes().collect::<Vec<_>>()
        );
        scene.check_good(&registry);
    }
    // It can be called all the same.
    assert_eq!(
        registry.call("undescribed.answer", &Value::Null).unwrap(),
        value!("here")
    );
}

#[test]
fn while_it_describes_itself_tells_where() {
    let scene = Scene::new();
    // A content of its own: nothing of it has run in this process.
    scene.install("bad", &Library::of(Fixture::Undescribed).version("0.1.1"));
    let registry = scene.registry();
    let error = registry.describe("undescribed.answer").unwrap_err();
    let CallError::Start(told) = &error else {
        panic!("{error:?}");
    };
    let told: Vec<&str> = told.causes().collect();
    assert!(
        told.iter().any(|cause| cause.contains("undescribed.rs:")),
        "{told:?}"
    );
}

#[test]
fn in_a_call_that_another_plugin_made() {
    let scene = Scene::of_good_needing(&["bad"]);
    scene.install("bad", &Library::of(Fixture::Probe).named("bad"));
    let registry = scene.builder().circuit(patient()).build().unwrap();
    for (payload, said) in PAYLOADS {
        let before = number(&registry, "bad", "instance");
        let input = value!({"node_type": "bad.panic", "input": {"payload": payload}});
        // The plugin in between may look at the error ...
        let told = registry.call("good.attempt", &input).unwrap();
        let text = told.get("error").and_then(Value::as_str).unwrap();
        assert!(text.contains(said), "{text}");
        let kind = told.get("kind").and_then(Value::as_str);
        assert_eq!(kind, Some("panicked"));
        assert_eq!(number(&registry, "bad", "instance"), before + 1);
        // ... or pass it on.
        let error = registry.call("good.call", &input).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.to_string().contains("bad.panic"), "{error}");
        assert_eq!(
            error.kind(),
            ErrorKind::ExecutionError,
            "it did not panic itself"
        );
        scene.check_good(&registry);
    }
}

#[test]
fn of_another_plugin_does_not_cost_the_instance_that_passes_it_on() {
    let scene = Scene::of_good_needing(&["bad"]);
    scene.install("bad", &Library::of(Fixture::Probe).named("bad"));
    let registry = scene.registry();
    let input = value!({"node_type": "bad.panic", "input": {}});
    registry.call("good.call", &input).unwrap_err();
    assert_eq!(number(&registry, "bad", "instance"), 2);
    assert_eq!(number(&registry, "good", "instance"), 1, "it did not panic");
}

#[test]
fn of_this_program_in_a_call_that_a_plugin_made() {
    let scene = Scene::new();
    let registry = scene.registry();
    let metadata = floe_plugin_api::ExecutorMetadata::new("host.panic").unwrap();
    registry
        .register(metadata, |_, _| panic!("in the host"))
        .unwrap();
    let direct = registry.call("host.panic", &Value::Null).unwrap_err();
    assert_eq!(direct.kind(), ErrorKind::Panicked);
    let told = registry
        .call("good.attempt", &value!({"node_type": "host.panic"}))
        .unwrap();
    assert!(
        told.get("error")
            .and_then(Value::as_str)
            .unwrap()
            .contains("in the host")
    );
    let passed_on = registry
        .call("good.call", &value!({"node_type": "host.panic"}))
        .unwrap_err();
    assert!(passed_on.to_string().contains("in the host"), "{passed_on}");
    // A function has no other instance to offer, and is still there.
    assert!(
        registry
            .call("host.panic", &Value::Null)
            .unwrap_err()
            .to_string()
            .contains("in the host")
    );
    scene.check_good(&registry);
}

#[test]
fn on_a_thread_of_the_plugins_own() {
    let scene = Scene::new();
    scene.install("bad", &Library::of(Fixture::Probe).named("bad"));
    let registry = scene.registry();
    let errands = value!({"node_types": ["bad.panic", "good.echo", "bad.echo"]});
    registry.call("bad.spawn", &errands).unwrap();
    let mut results = registry.call("bad.join", &Value::Null);
    if let Err(error) = &results {
        // The instance with the thread was replaced before it could be asked.
        assert!(error.to_string().contains("no thread"), "{error}");
        results = Ok(Value::Null);
    }
    drop(results);
    check_answers(&registry, "bad");
    scene.check_good(&registry);
}

#[test]
fn of_a_hundred_threads_at_once() {
    let scene = Scene::new();
    scene.install("bad", &Library::of(Fixture::Probe).named("bad"));
    let registry = scene.builder().circuit(patient()).build().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..100 {
            let registry = &registry;
            scope.spawn(move || {
                for turn in 0..20 {
                    if (thread + turn) % 5 == 0 {
                        let error = registry
                            .call("bad.panic", &value!({"payload": "bomb"}))
                            .unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::Panicked, "{error}");
                    } else {
                        assert_eq!(
                            registry.call("bad.echo", &value!(turn)).unwrap(),
                            value!(turn)
                        );
                    }
                }
            });
        }
    });
    check_answers(&registry, "bad");
    scene.check_good(&registry);
}
