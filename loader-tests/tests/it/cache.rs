//! Live instances: how many there are, who gives way, and how they end.

use std::fs;
use std::thread;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::gate::Gate;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_loader_tests::wait::{self, for_event};
use floe_plugin_api::{Value, value};
use floe_registry::{Ending, Event, Handle, InstanceLimits, Scope};

#[track_caller]
fn instance(handle: &Handle) -> i64 {
    let counts = handle.call(&Value::Null).unwrap();
    counts.get("instance").and_then(Value::as_i64).unwrap()
}

fn scope(name: &str) -> Scope {
    Scope::new(name)
}

#[test]
fn each_scope_has_an_instance_of_its_own() {
    let scene = Scene::new();
    let registry = scene.registry();
    let nobody = registry.get("good.counts").unwrap();
    let ada = nobody.scoped(&scope("ada"));
    let bob = nobody.scoped(&scope("bob"));
    assert_eq!(
        (instance(&nobody), instance(&ada), instance(&bob)),
        (1, 2, 3)
    );
    assert_eq!(
        (instance(&bob), instance(&nobody), instance(&ada)),
        (3, 1, 2)
    );
    // Another handle of the same scope, by another way, meets the same one.
    let again = registry
        .get("good.counts@^1")
        .unwrap()
        .scoped(&scope("ada"));
    assert_eq!(instance(&again), 2);
    assert_eq!(again.scope().as_str(), "ada");
    assert_eq!(
        registry
            .call("good.counts", &Value::Null)
            .unwrap()
            .get("instance"),
        Some(&value!(1))
    );
    let mut scopes: Vec<String> = registry
        .cache()
        .list()
        .iter()
        .map(|live| live.scope.to_string())
        .collect();
    scopes.sort();
    assert_eq!(scopes, ["", "ada", "bob"]);
}

#[test]
fn handles_that_are_configured_alike_share_an_instance() {
    let scene = Scene::new();
    let registry = scene
        .builder()
        .config("good", value!({"limit": 2}))
        .build()
        .unwrap();
    let counts = registry.get("good.counts").unwrap();
    let own = counts.configured(value!({"limit": 5}));
    let alike = registry
        .get("good.counts")
        .unwrap()
        .configured(value!({"limit": 5}));
    assert_eq!(
        (instance(&counts), instance(&own), instance(&alike)),
        (1, 2, 2)
    );
    let told = |handle: &Handle| handle.call(&Value::Null).unwrap();
    let configured = registry.get("good.configured").unwrap();
    let inner = configured.configured(value!({"inner": {"on": true}}));
    assert_eq!(
        told(&configured),
        value!({"limit": 2, "size": 7, "on": false})
    );
    assert_eq!(told(&inner), value!({"limit": 2, "size": 7, "on": true}));
    let refused = configured
        .configured(value!({"limit": 50}))
        .call(&Value::Null)
        .unwrap_err();
    assert!(refused.to_string().contains("/limit"), "{refused}");
}

#[test]
fn the_least_recently_used_gives_way() {
    let scene = Scene::new();
    let limits = InstanceLimits::default().capacity(3);
    let registry = scene.builder().instances(limits).build().unwrap();
    let mut events = registry.events();
    let all: Vec<Handle> = ["a", "b", "c", "d"]
        .iter()
        .map(|name| registry.get("good.counts").unwrap().scoped(&scope(name)))
        .collect();
    for handle in &all[..3] {
        instance(handle);
    }
    // What a new one looks at when it needs room is put in order: none was used since it came.
    assert_eq!(instance(&all[3]), 4);
    let evicted = for_event(&mut events, |event| match event {
        Event::Evicted { scope, .. } => Some(scope.clone()),
        _ => None,
    });
    assert_eq!(evicted.as_str(), "a");
    let ending = for_event(&mut events, |event| match event {
        Event::Stopped {
            scope,
            why,
            failure,
            ..
        } => Some((scope.clone(), *why, failure.clone())),
        _ => None,
    });
    assert_eq!(ending, (scope("a"), Ending::Evicted, None));
    // `b` is used; then it is `c` that gives way to `a`.
    instance(&all[1]);
    assert_eq!(instance(&all[0]), 5);
    assert!(registry.cache().peek(&all[2]).is_none());
    assert!(registry.cache().peek(&all[1]).is_some());
    let stats = registry.cache().stats();
    assert_eq!(
        (stats.live, stats.capacity, stats.evictions, stats.misses),
        (3, 3, 2, 5)
    );
    assert_eq!(stats.hits, 1);
}

#[test]
fn weight_bounds_what_lives_too() {
    let scene = Scene::empty();
    let heavy = |name: &str, weight: u32| {
        Library::of(Fixture::Probe)
            .named(name)
            .with_manifest(|manifest| manifest["weight"] = weight.into())
    };
    for (name, weight) in [("light", 10), ("heavy", 90), ("giant", 500)] {
        scene.install(name, &heavy(name, weight));
    }
    let limits = InstanceLimits::default().weight(100);
    let registry = scene.builder().instances(limits).build().unwrap();
    let call = |name: &str| {
        registry
            .call(&format!("{name}.echo"), &Value::Null)
            .unwrap()
    };
    call("light");
    call("heavy");
    let stats = registry.cache().stats();
    assert_eq!((stats.live, stats.weight), (2, 100));
    // One that is heavier than all that is allowed is kept alone.
    call("giant");
    let live = registry.cache().list();
    assert_eq!(live.len(), 1, "{live:?}");
    assert_eq!(
        (live[0].build.plugin.name.as_str(), live[0].weight),
        ("giant", 500)
    );
    call("light");
    assert_eq!(registry.cache().stats().weight, 10);
}

#[test]
fn an_instance_that_gives_way_during_a_call_is_not_stopped_before_the_call_is_over() {
    let scene = Scene::new();
    let epitaph = scene.root().join("epitaph");
    let limits = InstanceLimits::default().capacity(1);
    let config = value!({"epitaph": epitaph.to_str().unwrap()});
    let registry = scene
        .builder()
        .instances(limits)
        .config("good", config)
        .build()
        .unwrap();
    let mut gate = Gate::register(&registry, "gate.inside");
    let call = registry.get("good.call").unwrap();
    let caller = {
        let call = call.clone();
        thread::spawn(move || call.call(&value!({"node_type": "gate.inside"})))
    };
    gate.wait_until_entered();
    // Others take its place, one after another; those that no call is inside of are stopped.
    for name in ["a", "b", "c"] {
        let counts = registry.get("good.counts").unwrap().scoped(&scope(name));
        assert!(instance(&counts) > 1);
    }
    let told = || fs::read_to_string(&epitaph).unwrap_or_default();
    wait::until(|| told().contains("instance 2\n") && told().contains("instance 3\n"));
    assert!(
        !told().contains("instance 1\n"),
        "stopped with a call inside"
    );
    // The plugin is still there for who calls it by name: another instance.
    assert_eq!(
        call.call(&value!({"node_type": "good.echo", "input": 5}))
            .unwrap(),
        value!(5)
    );
    assert!(
        !told().contains("instance 1\n"),
        "stopped with a call inside"
    );
    gate.open();
    assert_eq!(caller.join().unwrap().unwrap(), value!("through"));
    wait::until(|| told().contains("instance 1\n"));
}

#[test]
fn what_is_invalidated_is_stopped_and_started_anew() {
    let scene = Scene::new();
    scene.install("other", &Library::of(Fixture::Probe).named("other"));
    let registry = scene.registry();
    let good = registry.get("good.counts").unwrap();
    let other = registry.get("other.counts").unwrap();
    assert_eq!(
        (
            instance(&good),
            instance(&good.scoped(&scope("ada"))),
            instance(&other)
        ),
        (1, 2, 1)
    );
    assert_eq!(registry.cache().invalidate("compute/good"), 2);
    assert_eq!(registry.cache().invalidate("good"), 0);
    assert!(registry.cache().peek(&good).is_none());
    assert_eq!((instance(&good), instance(&other)), (3, 1));
    assert_eq!(registry.cache().clear(), 2);
    assert_eq!(registry.cache().list(), []);
    assert_eq!((instance(&good), instance(&other)), (4, 2));
    assert_eq!(registry.cache().invalidate("nobody"), 0);
}

#[test]
fn functions_of_this_program_do_not_give_way() {
    let scene = Scene::new();
    let limits = InstanceLimits::default().capacity(1);
    let registry = scene.builder().instances(limits).build().unwrap();
    let metadata = floe_plugin_api::ExecutorMetadata::new("host.now").unwrap();
    registry
        .register(metadata, |_, _| Ok(value!("now")))
        .unwrap();
    for name in ["a", "b", "c"] {
        instance(&registry.get("good.counts").unwrap().scoped(&scope(name)));
        assert_eq!(
            registry.call("host.now", &Value::Null).unwrap(),
            value!("now")
        );
    }
    assert_eq!(registry.cache().clear(), 1);
    assert_eq!(registry.stop().len(), 0);
    assert_eq!(
        registry.call("host.now", &Value::Null).unwrap(),
        value!("now")
    );
}
