//! Functions of the host as executors.

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_plugin_api::{CallOptions, Error, ErrorKind, ExecutorMetadata, Value, value};
use floe_registry::{CallError, RegisterError, Registry, State};

fn metadata(node_type: &str) -> ExecutorMetadata {
    ExecutorMetadata::new(node_type).unwrap()
}

#[track_caller]
fn register(registry: &Registry, node_type: &str) -> Result<(), RegisterError> {
    let own = node_type.to_owned();
    registry.register(metadata(node_type), move |_, _| {
        Ok(Value::from(own.as_str()))
    })
}

#[test]
fn a_function_is_listed_found_and_called_as_any_other() {
    let scene = Scene::new();
    let registry = scene.registry();
    let full = metadata("math.double").description("Doubles an integer.");
    registry
        .register(full, |input, call| {
            let number = input
                .as_i64()
                .ok_or_else(|| Error::invalid("input", "an integer", input.clone()))?;
            Ok(value!({"number": number * 2, "run": call.execution_id()}))
        })
        .unwrap();
    let options = CallOptions::new().execution_id("run-1");
    let expected = value!({"number": 42, "run": "run-1"});
    assert_eq!(
        registry
            .call_with("math.double", &value!(21), &options)
            .unwrap(),
        expected
    );
    let handle = registry.get("math.double@*").unwrap();
    assert_eq!(handle.call_with(&value!(21), &options).unwrap(), expected);
    // By a plugin.
    let nested = value!({"node_type": "math.double", "input": 4});
    assert_eq!(
        registry.call("good.call", &nested).unwrap().get("number"),
        Some(&value!(8))
    );

    let info = registry.metadata("math.double").unwrap();
    assert_eq!(
        (&*info.node_type, &*info.description),
        ("math.double", "Doubles an integer.")
    );
    assert_eq!(
        registry.search("doubles integer")[0].node_type,
        "math.double"
    );
    assert!(
        registry
            .executors()
            .iter()
            .any(|executor| executor.node_type == "math.double")
    );
    let listed = registry.list();
    let plugin = listed.iter().find(|plugin| plugin.path.is_none()).unwrap();
    assert_eq!(
        (plugin.kind.as_str(), plugin.state, plugin.active),
        ("in-process", State::Ready, true)
    );
    assert!(registry.load("math.double").is_ok());
    assert!(
        registry
            .describe("math.double")
            .unwrap()
            .executors
            .contains_key("math.double")
    );
    assert!(handle.validate(&value!("anything")).is_ok());

    let error = registry.call("math.double", &value!("x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ValidationFailed);
    assert!(error.to_string().contains("`math.double`"), "{error}");
    scene.check_good(&registry);
}

#[test]
fn a_name_is_taken_once() {
    let scene = Scene::new();
    let registry = scene.registry();
    register(&registry, "x.y").unwrap();
    for (taken, by) in [("x.y", "in-process/x-y"), ("good.echo", "compute/good")] {
        let error = register(&registry, taken).unwrap_err();
        assert!(
            matches!(&error, RegisterError::Duplicate { by: found, .. } if found == by),
            "{error}"
        );
        assert!(error.to_string().contains(taken));
    }
    assert_eq!(registry.call("x.y", &Value::Null).unwrap(), value!("x.y"));
    scene.check_good(&registry);
}

#[test]
fn a_function_that_was_taken_back_works_for_who_has_it() {
    let scene = Scene::new();
    let registry = scene.registry();
    register(&registry, "x.y").unwrap();
    let handle = registry.get("x.y").unwrap();
    registry.unregister("x.y").unwrap();
    assert!(!registry.has("x.y"));
    assert_eq!(handle.call(&Value::Null).unwrap(), value!("x.y"));
    let error = registry.unregister("x.y").unwrap_err();
    assert!(
        matches!(error, RegisterError::NotRegistered { .. }),
        "{error}"
    );
    assert!(
        registry.unregister("good.echo").is_err(),
        "it is a plugin's"
    );
    scene.check_good(&registry);
    drop(registry);
    assert_eq!(handle.call(&Value::Null).unwrap(), value!("x.y"));
}

#[test]
fn functions_survive_a_scan_and_come_before_files() {
    let scene = Scene::new();
    let registry = scene.registry();
    register(&registry, "later.echo").unwrap();
    scene.install("later", &Library::of(Fixture::Probe).named("later"));
    let changes = registry.rescan().unwrap();
    assert_eq!(changes.added.len(), 1);
    assert_eq!(
        registry.call("later.echo", &Value::Null).unwrap(),
        value!("later.echo")
    );
    // The plugin's others answer; the one that it lost says to whom.
    assert!(registry.call("later.tag", &Value::Null).is_ok());
    let plugin = registry
        .list()
        .into_iter()
        .find(|plugin| plugin.name == "later")
        .unwrap();
    let lost = plugin
        .executors
        .iter()
        .find(|executor| executor.node_type == "later.echo")
        .unwrap();
    assert_eq!(
        lost.shadowed_by.as_ref().unwrap().to_string(),
        "in-process/later-echo"
    );
    registry.unregister("later.echo").unwrap();
    assert_eq!(registry.call("later.echo", &value!(3)).unwrap(), value!(3));
    scene.check_good(&registry);
}

#[test]
fn every_node_type_can_be_registered_beside_every_other() {
    let scene = Scene::new();
    let registry = scene.registry();
    let long = "A".repeat(128);
    let node_types = [
        "a", "A", "uA", "u_a", "a.b", "a-b", "a_b", "a_-b", "a--b", "a__b", "aB", "a_uB", "UA",
        "a.B", "a.b.c", "x9", &long,
    ];
    for node_type in node_types {
        register(&registry, node_type).unwrap_or_else(|error| panic!("{node_type}: {error}"));
    }
    for node_type in node_types {
        match registry.call(node_type, &Value::Null) {
            Ok(answer) => assert_eq!(answer, value!(node_type)),
            Err(error) => panic!("{node_type}: {error}"),
        }
    }
    scene.check_good(&registry);
}

#[test]
fn a_function_may_use_the_registry() {
    let scene = Scene::new();
    let registry = scene.registry();
    let own = registry.clone();
    registry
        .register(metadata("host.twice"), move |input, _| {
            let once = own
                .call("good.echo", input)
                .map_err(|error| Error::execution(error.to_string()))?;
            let scanned = own.rescan().is_ok();
            let inner = own
                .register(metadata("host.made"), |_, _| Ok(Value::Null))
                .is_ok();
            Ok(value!([once, scanned, inner]))
        })
        .unwrap();
    let output = registry.call(
        "good.call",
        &value!({"node_type": "host.twice", "input": 5}),
    );
    assert_eq!(output.unwrap(), value!([5, true, true]));
    assert!(registry.has("host.made"));
    // It keeps the registry that keeps it.
    registry.unregister("host.twice").unwrap();
}

#[test]
fn a_function_whose_destructor_panics() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in the destructor");
        }
    }
    let scene = Scene::new();
    let registry = scene.registry();
    let bomb = Bomb;
    registry
        .register(metadata("host.bomb"), move |_, _| {
            let _ = &bomb;
            Ok(Value::Null)
        })
        .unwrap();
    registry.call("host.bomb", &Value::Null).unwrap();
    registry.unregister("host.bomb").unwrap();
    scene.check_good(&registry);
}

#[test]
fn no_lookup_is_an_error_that_says_what_to_do() {
    let scene = Scene::new();
    let registry = scene.registry();
    let told = |reference: &str| {
        registry
            .call(reference, &Value::Null)
            .unwrap_err()
            .to_string()
    };
    assert!(
        told("good.ehco").contains("did you mean `good.echo`"),
        "{}",
        told("good.ehco")
    );
    assert!(told("zzz").contains("install one"), "{}", told("zzz"));
    assert!(
        told("good.echo@^2").contains("only in `1.0.0`"),
        "{}",
        told("good.echo@^2")
    );
    assert!(
        told("good.echo@newest").contains("`sqlite.read@^1.2`"),
        "{}",
        told("good.echo@newest")
    );
    for malformed in ["", "@", "@^1"] {
        let error = registry.call(malformed, &Value::Null).unwrap_err();
        assert!(matches!(error, CallError::Lookup(_)), "{error}");
    }
}
