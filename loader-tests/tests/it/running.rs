//! What a plugin may do in a call.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use floe_loader_tests::child::Host;
use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::{Scene, check_answers};
use floe_plugin_api::{CallOptions, Cancellation, ErrorKind, Value, value};
use floe_registry::{CallError, Stage, State, Subject};

#[test]
fn an_error_outlives_the_registry_and_all_that_made_it() {
    let scene = Scene::new();
    let registry = scene.registry();
    let error = registry.call("good.fail", &Value::Null).unwrap_err();
    let starting = {
        let config = value!({"refuses": "the far side is asleep ".repeat(20)});
        let registry = scene.builder().config("good", config).build().unwrap();
        registry.call("good.echo", &Value::Null).unwrap_err()
    };
    drop(registry);
    drop(scene);
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert!(error.to_string().ends_with("cannot answer"), "{error}");
    let CallError::Executor(told) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(told.node_type.as_deref(), Some("good.fail"));
    assert_eq!(told.details.get("page"), Some(&Value::I64(3)));
    let long = told.details.get("text").and_then(Value::as_str);
    assert_eq!(
        long,
        Some("a text that is too long to be kept in place by a value")
    );
    let mut chain = Vec::new();
    let mut next: Option<&dyn Error> = error.source();
    while let Some(cause) = next {
        chain.push(cause.to_string());
        next = cause.source();
    }
    assert_eq!(chain.len(), 2, "{chain:?}");
    assert_eq!(chain[0], "cannot read the third page");
    assert_eq!(chain[1], "the far side is asleep ".repeat(40));
    let CallError::Start(told) = &starting else {
        panic!("{starting:?}");
    };
    assert!(
        told.causes()
            .any(|cause| cause.contains("the far side is asleep"))
    );
}

#[test]
fn a_value_outlives_the_registry_and_can_be_changed() {
    let scene = Scene::new();
    let registry = scene.registry();
    let text = "a text that is too long to be kept in place by a value";
    let mut value = registry
        .call("good.echo", &value!({"list": [1, 2], "text": text}))
        .unwrap();
    drop(registry);
    drop(scene);
    let Value::Map(map) = &mut value else {
        panic!("{value:?}");
    };
    for number in 0..100 {
        map.insert(
            format!("a key that is too long to be kept in place: {number}"),
            number,
        );
    }
    if let Some(Value::List(list)) = map.get_mut("list") {
        list.extend((0..1_000).map(Value::from));
    }
    map.remove("text");
    let copy = value.clone();
    assert_eq!(copy, std::thread::spawn(move || value).join().unwrap());
    assert_eq!(
        copy.get("list")
            .and_then(Value::as_list)
            .map(<[Value]>::len),
        Some(1_002)
    );
}

#[test]
fn sixty_four_megabytes() {
    let scene = Scene::new();
    let registry = scene.registry();
    let length = 64 << 20;
    let output = registry
        .call("good.bytes", &value!({"length": length}))
        .unwrap();
    let Value::Bytes(bytes) = &output else {
        panic!("not bytes");
    };
    assert_eq!(bytes.len(), length);
    assert!(bytes.iter().all(|byte| *byte == 0xa5));
    // And back, through a call that the plugin makes.
    let output = registry
        .call(
            "good.call",
            &value!({"node_type": "good.echo", "input": output}),
        )
        .unwrap();
    assert!(matches!(&output, Value::Bytes(bytes) if bytes.len() == length));
    scene.check_good(&registry);
}

#[test]
fn a_configuration_of_the_wrong_shape_is_told_place_by_place() {
    /// Where, by which rule and with what a value does not fit.
    type Place = (&'static str, &'static str, &'static str);
    let cases: &[(Value, &[Place])] = &[
        (value!({"limit": 11}), &[("/limit", "maximum", "11")]),
        (value!({"limit": 0}), &[("/limit", "minimum", "0")]),
        (value!({"limit": "many"}), &[("/limit", "type", "\"many\"")]),
        (value!({"inner": {"on": 3}}), &[("/inner/on", "type", "3")]),
        (
            value!({"inner": {"off": true}}),
            &[("/inner/off", "additionalProperties", "***")],
        ),
        (
            value!({"unknown": 1}),
            &[("/unknown", "additionalProperties", "***")],
        ),
        (value!([1]), &[("", "type", "[\"***\"]")]),
        (
            value!({"limit": 99, "inner": {"on": "yes"}}),
            &[
                ("/inner/on", "type", "\"yes\""),
                ("/limit", "maximum", "99"),
            ],
        ),
    ];
    for (config, expected) in cases {
        let scene = Scene::new();
        scene.install("bad", &Library::of(Fixture::Probe).named("bad"));
        let registry = scene
            .builder()
            .config("bad", config.clone())
            .build()
            .unwrap();
        let error = registry.call("bad.echo", &Value::Null).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let CallError::Invalid(invalid) = &error else {
            panic!("{error:?}");
        };
        assert_eq!(invalid.subject, Subject::Configuration);
        assert_eq!(invalid.of, "bad 1.0.0");
        let mut found: Vec<(&str, &str, &str)> = invalid
            .violations
            .iter()
            .map(|violation| (&*violation.path, &*violation.rule, &*violation.value))
            .collect();
        // One rule may be broken by way of several schemas.
        found.sort_unstable();
        found.dedup();
        for place in *expected {
            assert!(
                found.iter().any(|found| found.0 == place.0
                    && found.2 == place.2
                    && (found.1 == place.1 || found.1 == "anyOf")),
                "{place:?} in {found:?}"
            );
        }
        let plugin = registry
            .list()
            .into_iter()
            .find(|plugin| plugin.name == "bad")
            .unwrap();
        assert_eq!(
            (plugin.state, plugin.failed_at),
            (State::Failed, Some(Stage::Start))
        );
        scene.check_good(&registry);
    }
}

#[test]
fn a_plugin_whose_configuration_does_not_fit_is_not_started() {
    let scene = Scene::new();
    let epitaph = scene.root().join("epitaph");
    let path = epitaph.to_str().unwrap();
    let registry = scene
        .builder()
        .config("good", value!({"limit": 11, "epitaph": path}))
        .build()
        .unwrap();
    registry.call("good.echo", &Value::Null).unwrap_err();
    let other = scene.registry();
    let counts = other.call("good.counts", &Value::Null).unwrap();
    assert_eq!(
        counts.get("starts"),
        Some(&Value::I64(1)),
        "the other registry's alone"
    );
    assert!(!epitaph.exists());
}

#[test]
fn an_input_of_the_wrong_shape() {
    let scene = Scene::new();
    // By its own name, as the schemas that the code tells are by node type.
    scene.install("probe", &Library::of(Fixture::Probe));
    let registry = scene.registry();
    let handle = registry.get("probe.add").unwrap();
    assert_eq!(
        handle.call(&value!({"a": 200, "b": 100})).unwrap(),
        value!(300)
    );
    assert_eq!(
        handle
            .call_typed::<_, u16>(&serde_json::json!({"a": 1, "b": 2}))
            .unwrap(),
        3
    );
    for (input, path) in [
        (value!({"a": 256, "b": 1}), "a"),
        (value!({"a": 1}), ""),
        (value!({"a": 1, "b": 2, "c": 3}), ""),
        (value!({"a": -1, "b": 2}), "a"),
        (value!({"a": 1.5, "b": 2}), "a"),
        (value!("text"), ""),
        (Value::Null, ""),
    ] {
        let error = handle.call(&input).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidParameters, "{error}");
        if !path.is_empty() {
            assert!(
                error.to_string().contains(&format!("at `{path}`")),
                "{error}"
            );
        }
        let validated = handle.validate(&input);
        assert!(
            matches!(validated, Err(CallError::Invalid(_))),
            "{input:?}: {validated:?}"
        );
    }
    assert!(handle.validate(&value!({"a": 1, "b": 10})).is_ok());
    let CallError::Invalid(invalid) = handle.validate(&value!({"a": 1, "b": 11})).unwrap_err()
    else {
        panic!();
    };
    assert_eq!(
        (&*invalid.violations[0].path, &*invalid.violations[0].rule),
        ("/b", "maximum")
    );
    scene.check_good(&registry);
}

#[test]
fn what_a_caller_sets_is_seen_through_every_plugin_in_between() {
    let scene = Scene::new();
    let registry = scene.registry();
    let told = Arc::new(AtomicUsize::new(0));
    let progress = told.clone();
    let switch = Cancellation::new();
    switch.cancel();
    let options = CallOptions::new()
        .execution_id("run-7")
        .node_id("step-3")
        .tenant("acme")
        .attempt(4)
        .timeout(Duration::from_secs(3_600))
        .cancellation(switch)
        .on_progress(move |at| {
            assert_eq!((at.fraction, at.message), (Some(0.5), "half"));
            progress.fetch_add(1, Ordering::SeqCst);
        });
    let expected = value!({
        "execution_id": "run-7", "node_id": "step-3", "tenant": "acme", "attempt": 4,
        "cancelled": true, "deadline": true
    });
    let direct = registry
        .call_with("good.context", &Value::Null, &options)
        .unwrap();
    assert_eq!(direct, expected);
    let nested = value!({"node_type": "good.call", "input": {"node_type": "good.context"}});
    let nested = registry.call_with("good.call", &nested, &options).unwrap();
    assert_eq!(nested, expected);
    assert_eq!(told.load(Ordering::SeqCst), 2);
}

#[test]
fn two_hundred_plugin_calls_deep() {
    let scene = Scene::new();
    let registry = scene.registry();
    let mut input = value!({"node_type": "good.echo", "input": "the bottom"});
    for _ in 0..200 {
        input = value!({"node_type": "good.call", "input": input});
    }
    assert_eq!(
        registry.call("good.call", &input).unwrap(),
        value!("the bottom")
    );
    scene.check_good(&registry);
}

/// In a process of its own: a block that is given to the wrong allocator ends it.
#[test]
fn every_block_is_freed_by_the_side_that_allocated_it() {
    let scene = Scene::new();
    let marked = Library::of(Fixture::Allocator).named("marked");
    scene.install("marked", &marked.needing("good", "^1"));
    let driver = Library::of(Fixture::Probe).named("driver");
    scene.install("driver", &driver.needing("marked", "^1"));
    let ended = Host::new(crate::HOST, &scene)
        .command("exchange:marked")
        .command("call:good.echo")
        .run();
    assert_eq!(
        ended.good(),
        [
            "exchange:marked = {\"foreign\":0,\"freed\":true}",
            "call:good.echo = null"
        ]
    );
}

#[test]
fn a_plugin_with_an_allocator_of_its_own() {
    let scene = Scene::new();
    let marked = Library::of(Fixture::Allocator).named("marked");
    scene.install("marked", &marked.needing("good", "^1"));
    let driver = Library::of(Fixture::Probe).named("driver");
    scene.install("driver", &driver.needing("marked", "^1"));
    let registry = scene.registry();
    check_answers(&registry, "marked");
    registry.call("marked.fail", &Value::Null).unwrap_err();
    registry
        .call("marked.panic", &value!({"payload": "bomb"}))
        .unwrap_err();
    registry.describe("marked.echo").unwrap();
    let counts = registry.call("marked.counts", &Value::Null).unwrap();
    assert_eq!(counts.get("foreign"), Some(&Value::I64(0)));
    assert!(counts.get("freed").and_then(Value::as_i64).unwrap() > 0);
    scene.check_good(&registry);
}
