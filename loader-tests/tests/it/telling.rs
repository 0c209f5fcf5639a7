//! What a registry tells: events, statistics, decisions, and nothing that is secret.

use floe_loader_tests::elf::{Elf, manifest};
use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_loader_tests::wait;
use floe_plugin_api::{ErrorKind, Kind, Value, value};
use floe_registry::{CallError, Event, Received, Standing, Statistics, UpgradeError};

fn probe(name: &str) -> Library {
    Library::of(Fixture::Probe).named(name)
}

#[test]
fn what_happens_is_told_in_its_order() {
    let scene = Scene::empty();
    let registry = scene.registry();
    let mut events = registry.events();
    let mut others = registry.events();
    scene.install("good", &probe("good"));
    scene.write("bad", b"rubbish");
    registry.rescan().unwrap();
    registry.call("good.echo", &Value::Null).unwrap();
    registry.call("good.panic", &value!({})).unwrap_err();
    registry.call("good.echo", &Value::Null).unwrap();
    std::fs::remove_file(scene.path("good")).unwrap();
    registry.rescan().unwrap();
    wait::until(|| registry.stats().memory.retired_generations == 1);
    drop(registry);
    let name = |event: &Event| {
        let told = serde_json::to_value(event).unwrap();
        told["event"].as_str().unwrap().to_owned()
    };
    let told: Vec<(u64, String)> = std::iter::from_fn(|| events.recv())
        .map(|received| match received {
            Received::Event(number, event) => (number, name(&event)),
            Received::Missed(count) => panic!("{count} were missed"),
        })
        .collect();
    let names: Vec<&str> = told.iter().map(|(_, name)| name.as_str()).collect();
    // The end of the poisoned one comes when its thread comes to it.
    let ordered: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| *name != "stopped")
        .collect();
    assert_eq!(
        ordered,
        [
            "admitted", "rejected", "scanned", "loaded", "started", "poisoned", "started",
            "removed", "scanned", "retired"
        ],
        "{names:?}"
    );
    assert_eq!(names.iter().filter(|name| **name == "stopped").count(), 2);
    assert!(
        told.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1),
        "{told:?}"
    );
    assert_eq!(std::iter::from_fn(|| others.recv()).count(), told.len());
}

#[test]
fn a_slow_listener_is_told_how_much_it_missed_and_keeps_nobody_waiting() {
    let scene = Scene::new();
    const KEPT: usize = 16;
    const SCANS: u64 = 50;
    let registry = scene.builder().events(KEPT).build().unwrap();
    let mut slow = registry.events();
    for _ in 0..SCANS {
        registry.rescan().unwrap();
    }
    let Some(Received::Missed(missed)) = slow.recv() else {
        panic!("nothing was missed");
    };
    let mut rest = 0;
    while let Some(received) = slow.try_recv() {
        match received {
            Received::Event(number, _) => {
                rest += 1;
                assert_eq!(number, missed + rest);
            }
            Received::Missed(_) => panic!("once is enough"),
        }
    }
    assert_eq!((missed + rest, rest), (SCANS, KEPT as u64));
    // Nothing of the state is lost: it is there to be asked for.
    assert_eq!(registry.list().len(), 1);
}

#[test]
fn calls_are_counted_by_executor_plugin_category_and_kind() {
    let scene = Scene::new();
    let storage = probe("other").with_manifest(|manifest| manifest["kind"] = "storage".into());
    scene.install("other", &storage);
    let registry = scene.registry();
    let handle = registry.get("good.echo").unwrap();
    for number in 0..10 {
        registry.call("good.echo", &value!(number)).unwrap();
        handle.call(&value!(number)).unwrap();
    }
    for _ in 0..3 {
        registry.call("good.fail", &Value::Null).unwrap_err();
        registry.call("other.add", &value!({"a": "x"})).unwrap_err();
    }
    registry.call("good.panic", &value!({})).unwrap_err();
    let stats = registry.stats();
    let executor = |node_type: &str| {
        let mut executors = stats.executors.iter();
        &executors
            .find(|executor| executor.node_type == node_type)
            .unwrap()
            .calls
    };
    assert_eq!(
        (
            executor("good.echo").calls,
            executor("good.echo").error_count()
        ),
        (20, 0)
    );
    assert_eq!(
        executor("good.fail").errors,
        [(ErrorKind::Transient, 3)].into()
    );
    assert_eq!(
        executor("other.add").errors,
        [(ErrorKind::InvalidParameters, 3)].into()
    );
    assert_eq!(
        executor("good.panic").errors,
        [(ErrorKind::Panicked, 1)].into()
    );
    let plugin = |name: &str| {
        let mut plugins = stats.plugins.iter();
        plugins
            .find(|plugin| plugin.build.plugin.name == name)
            .unwrap()
    };
    assert_eq!(
        (
            plugin("good").calls.calls,
            plugin("good").calls.error_count()
        ),
        (24, 4)
    );
    assert!(plugin("good").load.is_some() && plugin("good").start.is_some());
    assert_eq!((plugin("good").live, plugin("other").live), (0, 1));
    assert_eq!(stats.kinds[&Kind::COMPUTE].calls, 24);
    assert_eq!(stats.kinds[&Kind::STORAGE].calls, 3);
    assert_eq!(stats.categories["faults"].calls, 4);
    assert_eq!(stats.calls.calls, 27);
    assert_eq!(stats.calls.in_flight, 0);
    let times = &executor("good.echo").times;
    assert!(times.count() > 0 && times.p50() <= times.p99() && times.p99() <= times.max());
    // One use had to start each plugin; the panic was the end of one, which nobody has needed since.
    assert_eq!((stats.instances.misses, stats.instances.hits), (2, 25));
    assert!(stats.instances.hit_rate.unwrap() > 0.9);
    assert!(stats.memory.mapped_bytes > 0);
    let told = serde_json::to_value(&stats).unwrap();
    assert!(told["executors"][0]["calls"]["times"]["p50_ns"].is_u64());
    // They go on from one generation to the next.
    scene.install("m-good", &probe("good").version("1.1.0"));
    registry.rescan().unwrap();
    registry.call("good.echo", &Value::Null).unwrap();
    let stats = registry.stats();
    let echo = stats
        .executors
        .iter()
        .find(|executor| executor.node_type == "good.echo")
        .unwrap();
    assert_eq!(echo.calls.calls, 21);
}

#[test]
fn what_is_inside_is_in_flight_and_without_statistics_nothing_is_counted() {
    let scene = Scene::new();
    let registry = scene.registry();
    let mut gate = floe_loader_tests::gate::Gate::register(&registry, "gate.inside");
    std::thread::scope(|scope| {
        let inside =
            scope.spawn(|| registry.call("good.call", &value!({"node_type": "gate.inside"})));
        gate.wait_until_entered();
        let stats = registry.stats();
        assert_eq!(stats.calls.in_flight, 2, "the plugin's and the function's");
        let good = stats
            .plugins
            .iter()
            .find(|plugin| plugin.build.plugin.name == "good")
            .unwrap();
        assert_eq!(good.calls.in_flight, 1);
        gate.open();
        inside.join().unwrap().unwrap();
    });
    assert_eq!(registry.stats().calls.in_flight, 0);
    let quiet = scene.builder().statistics(Statistics::Off).build().unwrap();
    quiet.call("good.echo", &Value::Null).unwrap();
    let stats = quiet.stats();
    assert_eq!((stats.calls.calls, stats.executors.len()), (0, 0));
    assert_eq!(stats.instances.live, 1);
}

#[test]
fn why_a_name_is_answered_as_it_is() {
    let scene = Scene::new();
    scene.install("z-other", &probe("good"));
    scene.install(
        "m2",
        &probe("good").version("1.4.0").needing("nobody", "^1"),
    );
    scene.install("m3", &probe("good").version("2.0.0-rc.1"));
    let mut bad = Elf::plugin(manifest("compute", "good", "9.0.0", &["good.echo"]));
    bad.machine = 0;
    let bad = bad.build();
    let refused = scene.write("refused", &bad);
    let registry = scene.registry();
    let why = registry.why("good").unwrap();
    assert_eq!(why.winner.as_ref().unwrap().version.to_string(), "1.4.0");
    assert!(
        why.because
            .contains("`good 1.4.0` is the first choice of 4 candidates"),
        "{}",
        why.because
    );
    let by_version = |version: &str| {
        let mut candidates = why.candidates.iter();
        candidates
            .find(|candidate| candidate.build.version.to_string() == version)
            .unwrap()
    };
    let winner = by_version("1.4.0");
    assert!(winner.answers);
    assert_eq!(winner.dependencies[0].outcome, "missing");
    assert!(winner.checks.iter().all(|check| check.passed));
    assert!(
        winner
            .checks
            .iter()
            .any(|check| check.check == "floe-api-version")
    );
    assert!(
        by_version("1.0.0")
            .because
            .contains("version `1.4.0` is active")
    );
    assert!(
        by_version("2.0.0-rc.1").because.contains("is active"),
        "a pre-release"
    );
    let duplicate = why
        .candidates
        .iter()
        .find(|candidate| matches!(candidate.standing, Standing::Duplicate { .. }));
    assert!(
        duplicate
            .unwrap()
            .because
            .contains("comes first in the search path")
    );
    assert_eq!(why.refused.len(), 1);
    assert_eq!(why.refused[0].rejection.path, refused);
    let failed: Vec<&str> = why.refused[0]
        .checks
        .iter()
        .filter(|check| !check.passed)
        .map(|check| check.check)
        .collect();
    assert_eq!(failed, ["platform"]);

    let in_range = registry.why("good.echo@~1.0").unwrap();
    assert_eq!(in_range.winner.unwrap().version.to_string(), "1.0.0");
    let outside = in_range
        .candidates
        .iter()
        .find(|candidate| candidate.build.version.to_string() == "1.4.0");
    assert_eq!(outside.unwrap().because, "version `1.4.0` is not in `~1.0`");
    let none = registry.why("good.echo@^7").unwrap();
    assert!(none.winner.is_none());
    assert_eq!(none.because, "no candidate fits what was asked for");
    assert!(registry.why("nobody").is_none());
    // Nothing of it ran.
    assert_eq!(registry.stats().memory.mapped_bytes, 0);
    // What failed is told too.
    registry.call("good.echo", &Value::Null).unwrap_err();
    let why = registry.why("good.echo").unwrap();
    let winner = why
        .candidates
        .iter()
        .find(|candidate| candidate.answers)
        .unwrap();
    assert!(
        winner
            .failure
            .as_ref()
            .unwrap()
            .1
            .contains("which is not there")
    );
}

#[test]
fn an_unknown_key_is_told_with_the_nearest() {
    let scene = Scene::new();
    let config = value!({"limt": 3, "inner": {"onn": true}});
    let registry = scene.builder().config("good", config).build().unwrap();
    let error = registry.call("good.echo", &Value::Null).unwrap_err();
    let CallError::Invalid(invalid) = &error else {
        panic!("{error:?}");
    };
    let mut nearest: Vec<(&str, Option<&str>)> = invalid
        .violations
        .iter()
        .map(|violation| (violation.path.as_str(), violation.nearest.as_deref()))
        .collect();
    nearest.sort_unstable();
    assert_eq!(
        nearest,
        [("/inner/onn", Some("on")), ("/limt", Some("limit"))]
    );
}

#[test]
fn defaults_are_applied() {
    let scene = Scene::new();
    let registry = scene.registry();
    let configured = registry.call("good.configured", &Value::Null).unwrap();
    assert_eq!(configured, value!({"limit": null, "size": 7, "on": false}));
    let why = registry.why("good").unwrap();
    let effective = why.candidates[0].configuration.as_ref().unwrap();
    assert_eq!(effective.get("size"), Some(&value!(7)));
}

/// Checks that a text says nothing of the secret.
#[track_caller]
fn check_silent(what: &str, text: &str) {
    assert!(!text.contains("hunter2"), "{what}: {text}");
    assert!(!text.is_empty());
}

#[test]
fn a_secret_is_told_nowhere() {
    const SECRET: &str = "hunter2-and-more";
    let scene = Scene::new();
    scene.install("blabs", &probe("blabs"));
    scene.install("wrong", &probe("wrong"));
    let registry = scene
        .builder()
        .config("good", value!({"secret": SECRET}))
        .config("blabs", value!({"secret": SECRET, "blabs": true}))
        .config("wrong", value!({"secret": [SECRET], "limit": SECRET}))
        .build()
        .unwrap();
    let mut events = registry.events();
    let told = |error: &CallError| format!("{error} {error:?} {}", error.with_causes());
    // In what it says when it is called, starts, and is configured wrongly.
    let error = registry.call("good.blab", &Value::Null).unwrap_err();
    check_silent("call", &told(&error));
    assert!(
        error.to_string().contains("cannot log in with ***"),
        "{error}"
    );
    let error = registry.call("blabs.echo", &Value::Null).unwrap_err();
    check_silent("start", &told(&error));
    assert!(
        error.with_causes().contains("`***` is not accepted"),
        "{error}"
    );
    let error = registry.call("wrong.echo", &Value::Null).unwrap_err();
    check_silent("configuration", &told(&error));
    assert!(error.to_string().contains("/secret"), "{error}");
    let error = registry
        .configure("good", value!({"secret": 7, "limit": "x"}))
        .unwrap_err();
    assert!(matches!(error, UpgradeError::Invalid(_)));
    // Where it is looked at.
    let why = registry.why("good").unwrap();
    check_silent(
        "why",
        &format!("{why:?} {}", serde_json::to_string(&why).unwrap()),
    );
    let configuration = why.candidates[0].configuration.as_ref().unwrap();
    assert_eq!(configuration.get("secret"), Some(&value!("***")));
    check_silent(
        "list",
        &format!(
            "{:?} {}",
            registry.list(),
            serde_json::to_string(&registry.list()).unwrap()
        ),
    );
    check_silent("health", &format!("{:?}", registry.health()));
    check_silent(
        "registry",
        &format!("{registry:?} {:?}", registry.get("good.echo").unwrap()),
    );
    while let Some(Received::Event(_, event)) = events.try_recv() {
        check_silent(
            "event",
            &format!(
                "{event} {event:?} {}",
                serde_json::to_string(&*event).unwrap()
            ),
        );
    }
    // A plugin that calls it does not learn it either.
    scene.install("asks", &probe("asks").needing("good", "*"));
    registry.rescan().unwrap();
    let attempt = registry
        .call("asks.attempt", &value!({"node_type": "good.blab"}))
        .unwrap();
    check_silent("another plugin", &attempt.to_json().unwrap());
}
