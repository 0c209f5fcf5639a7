//! A plugin that panics again and again is left alone for a while.

use std::time::Duration;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_loader_tests::wait::for_event;
use floe_plugin_api::{ErrorKind, Value, value};
use floe_registry::{
    CallError, CircuitSettings, CircuitState, Event, QuarantineSettings, Registry, Scope, State,
};

const NEVER: Duration = Duration::from_secs(3_600);

fn registry(scene: &Scene, rest: Duration) -> Registry {
    scene.install("bad", &Library::of(Fixture::Probe).named("bad"));
    let circuit = CircuitSettings::default()
        .panics(3)
        .window(NEVER)
        .rest(rest);
    let builder = scene.builder().circuit(circuit);
    builder.quarantine(never()).build().unwrap()
}

/// What fails here fails more often than is borne of a content.
fn never() -> QuarantineSettings {
    QuarantineSettings::default().openings(0).failed_starts(0)
}

#[track_caller]
fn blow(registry: &Registry) {
    let error = registry.call("bad.panic", &value!({})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked, "{error}");
}

fn state(registry: &Registry) -> State {
    let listed = registry.list();
    listed
        .iter()
        .find(|plugin| plugin.name == "bad")
        .unwrap()
        .state
}

#[track_caller]
fn check_told(events: &mut floe_registry::Subscription<Event>, expected: CircuitState) {
    let state = for_event(events, |event| match event {
        Event::Circuit { state, .. } => Some(*state),
        _ => None,
    });
    assert_eq!(state, expected);
}

#[test]
fn it_is_refused_without_being_asked() {
    let scene = Scene::new();
    let registry = registry(&scene, NEVER);
    let mut events = registry.events();
    let ada = registry.get("bad.echo").unwrap().scoped(&Scope::new("ada"));
    ada.call(&Value::Null).unwrap();
    for _ in 0..3 {
        blow(&registry);
    }
    check_told(&mut events, CircuitState::Open);
    for _ in 0..5 {
        let error = registry.call("bad.echo", &Value::Null).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotReady);
        let CallError::CircuitOpen(open) = &error else {
            panic!("{error:?}");
        };
        assert_eq!((open.plugin.as_str(), open.faults), ("bad 1.0.0", 3));
        assert!(open.retry_after <= NEVER && open.retry_after > Duration::from_secs(3_000));
    }
    // It is the code that is ill, so others' instances rest too.
    assert!(matches!(
        ada.call(&Value::Null),
        Err(CallError::CircuitOpen(_))
    ));
    assert_eq!(state(&registry), State::Resting);
    let stats = registry.stats();
    let plugin = stats
        .plugins
        .iter()
        .find(|plugin| plugin.build.plugin.name == "bad")
        .unwrap();
    assert_eq!(plugin.circuit, CircuitState::Open);
    assert_eq!(
        registry.health().state,
        floe_plugin_api::HealthState::Unhealthy
    );
    // A plugin that calls it is told when to try again.
    scene.check_good(&registry);
}

#[test]
fn a_probe_that_does_well_closes_it() {
    let scene = Scene::new();
    let registry = registry(&scene, Duration::ZERO);
    let mut events = registry.events();
    for _ in 0..3 {
        blow(&registry);
    }
    check_told(&mut events, CircuitState::Open);
    let counts = registry.call("bad.counts", &Value::Null).unwrap();
    assert_eq!(counts.get("instance"), Some(&value!(4)));
    check_told(&mut events, CircuitState::HalfOpen);
    check_told(&mut events, CircuitState::Closed);
    // The one that was tried is the one that is kept.
    let counts = registry.call("bad.counts", &Value::Null).unwrap();
    assert_eq!(counts.get("instance"), Some(&value!(4)));
    // And the panics of before are forgotten.
    blow(&registry);
    blow(&registry);
    assert_eq!(registry.call("bad.echo", &value!(1)).unwrap(), value!(1));
    assert_eq!(state(&registry), State::Ready);
}

#[test]
fn a_probe_that_panics_opens_it_again() {
    let scene = Scene::new();
    let registry = registry(&scene, Duration::ZERO);
    let mut events = registry.events();
    for _ in 0..3 {
        blow(&registry);
    }
    check_told(&mut events, CircuitState::Open);
    for _ in 0..3 {
        blow(&registry);
        check_told(&mut events, CircuitState::HalfOpen);
        check_told(&mut events, CircuitState::Open);
    }
    scene.check_good(&registry);
}

#[test]
fn a_probe_that_does_not_come_back_has_failed() {
    let scene = Scene::new();
    let registry = registry(&scene, Duration::ZERO);
    let mut events = registry.events();
    for _ in 0..3 {
        blow(&registry);
    }
    check_told(&mut events, CircuitState::Open);
    let go = scene.root().join("go");
    let input = value!({"path": go.to_str().unwrap()});
    let options = floe_plugin_api::CallOptions::new().timeout(Duration::from_millis(200));
    let error = registry
        .call_with("bad.wait", &input, &options)
        .unwrap_err();
    assert!(matches!(error, CallError::Overrun(_)), "{error:?}");
    check_told(&mut events, CircuitState::HalfOpen);
    check_told(&mut events, CircuitState::Open);
    // Another one is tried, while the first is inside still.
    assert_eq!(registry.call("bad.echo", &value!(1)).unwrap(), value!(1));
    check_told(&mut events, CircuitState::HalfOpen);
    check_told(&mut events, CircuitState::Closed);
    std::fs::write(&go, "").unwrap();
}

#[test]
fn panics_of_starts_count_and_refusals_do_not() {
    let scene = Scene::new();
    scene.install("refuses", &Library::of(Fixture::Probe).named("refuses"));
    let circuit = CircuitSettings::default()
        .panics(3)
        .window(NEVER)
        .rest(NEVER);
    scene.install("bad", &Library::of(Fixture::Probe).named("bad"));
    let registry = scene
        .builder()
        .circuit(circuit)
        .quarantine(never())
        .config("bad", value!({"panics_in": "start"}))
        .config("refuses", value!({"refuses": "not today"}))
        .build()
        .unwrap();
    for _ in 0..3 {
        let error = registry.call("bad.echo", &Value::Null).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked);
    }
    let error = registry.call("bad.echo", &Value::Null).unwrap_err();
    assert!(matches!(error, CallError::CircuitOpen(_)), "{error:?}");
    for _ in 0..10 {
        let error = registry.call("refuses.echo", &Value::Null).unwrap_err();
        assert!(matches!(error, CallError::Start(_)), "{error:?}");
    }
    scene.check_good(&registry);
}

#[test]
fn a_new_build_is_not_blamed_for_the_old_one() {
    let scene = Scene::new();
    let registry = registry(&scene, NEVER);
    for _ in 0..3 {
        blow(&registry);
    }
    scene.install(
        "bad",
        &Library::of(Fixture::Probe).named("bad").version("1.0.1"),
    );
    registry.rescan().unwrap();
    assert_eq!(registry.call("bad.echo", &value!(1)).unwrap(), value!(1));
}
