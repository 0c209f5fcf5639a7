//! How plugins say they are.

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_loader_tests::wait::for_event;
use floe_plugin_api::{HealthState, Value, value};
use floe_registry::{Event, HealthReport, PluginHealth, Registry, Scope, StartOptions};

#[track_caller]
fn of<'a>(report: &'a HealthReport, name: &str) -> &'a PluginHealth {
    let mut plugins = report.plugins.iter();
    plugins
        .find(|plugin| plugin.build.plugin.name == name)
        .unwrap_or_else(|| panic!("{name} in {report:?}"))
}

fn probe(name: &str) -> Library {
    Library::of(Fixture::Probe).named(name)
}

fn start(registry: &Registry) {
    assert!(registry.start(StartOptions::new()).is_complete());
}

#[test]
fn it_is_good_where_nothing_else_is_said_and_nothing_where_nothing_runs() {
    let scene = Scene::new();
    let registry = scene.registry();
    let idle = registry.health();
    assert_eq!((idle.state, idle.plugins.len()), (HealthState::Healthy, 0));
    start(&registry);
    let report = registry.health();
    let good = of(&report, "good");
    assert_eq!(
        (good.state, good.message.as_str()),
        (HealthState::Healthy, "")
    );
    assert_eq!(good.details, Value::Null);
}

#[test]
fn what_a_plugin_says_is_told_and_a_change_is_an_event() {
    let scene = Scene::new();
    for name in ["ill", "weak"] {
        scene.install(name, &probe(name));
    }
    let registry = scene
        .builder()
        .config(
            "ill",
            value!({"health": {"state": "unhealthy", "message": "no disk"}}),
        )
        .config(
            "weak",
            value!({"health": {"state": "degraded", "message": "40 s behind"}}),
        )
        .build()
        .unwrap();
    let mut events = registry.events();
    start(&registry);
    let report = registry.health();
    assert_eq!(report.state, HealthState::Unhealthy);
    let ill = of(&report, "ill");
    assert_eq!(
        (ill.state, ill.message.as_str()),
        (HealthState::Unhealthy, "no disk")
    );
    assert_eq!(ill.details, value!(1));
    let weak = of(&report, "weak");
    assert_eq!(
        (weak.state, weak.message.as_str()),
        (HealthState::Degraded, "40 s behind")
    );
    assert_eq!(of(&report, "good").state, HealthState::Healthy);
    let told = for_event(&mut events, |event| match event {
        Event::Health { message, .. } => Some(message.clone()),
        _ => None,
    });
    assert!(
        ["no disk", "40 s behind"].contains(&told.as_str()),
        "{told}"
    );
    let names: Vec<&str> = report
        .plugins
        .iter()
        .map(|plugin| plugin.build.plugin.name.as_str())
        .collect();
    assert_eq!(names, ["good", "ill", "weak"]);
}

#[test]
fn what_needs_one_that_is_not_well_is_not_well() {
    let scene = Scene::new();
    scene.install("base", &probe("base"));
    scene.install("middle", &probe("middle").needing("base", "*"));
    scene.install("top", &probe("top").needing("middle", "*"));
    scene.install("loose", &probe("loose").wanting("base", "*"));
    let config = value!({"health": {"state": "unhealthy", "message": "no disk"}});
    let registry = scene.builder().config("base", config).build().unwrap();
    start(&registry);
    let report = registry.health();
    assert_eq!(of(&report, "base").state, HealthState::Unhealthy);
    let middle = of(&report, "middle");
    assert_eq!(middle.state, HealthState::Degraded);
    assert_eq!(middle.because_of[0].name, "base");
    assert_eq!(
        middle.message,
        "plugin `compute/base`, which it needs, is not well"
    );
    let top = of(&report, "top");
    assert_eq!(
        (top.state, top.because_of[0].name.as_str()),
        (HealthState::Degraded, "middle")
    );
    assert_eq!(
        of(&report, "loose").state,
        HealthState::Healthy,
        "it can do without"
    );
    assert_eq!(of(&report, "good").state, HealthState::Healthy);
}

#[test]
fn a_panic_in_the_answer_is_an_answer_and_costs_the_instance() {
    let scene = Scene::new();
    scene.install("bad", &probe("bad"));
    let config = value!({"panics_in": "health", "payload": "bomb"});
    let registry = scene.builder().config("bad", config).build().unwrap();
    start(&registry);
    let report = registry.health();
    let bad = of(&report, "bad");
    assert_eq!(bad.state, HealthState::Unhealthy);
    assert!(
        bad.message.contains("panicked at ") && bad.message.contains("probe.rs"),
        "{bad:?}"
    );
    let counts = registry.call("bad.counts", &Value::Null).unwrap();
    assert_eq!(counts.get("instance"), Some(&value!(2)));
    scene.check_good(&registry);
}

#[test]
fn one_that_did_not_start_is_told_of_and_each_scope_is_asked() {
    let scene = Scene::new();
    scene.install("bad", &probe("bad"));
    let config = value!({"refuses": "not today"});
    let registry = scene.builder().config("bad", config).build().unwrap();
    registry.call("bad.echo", &Value::Null).unwrap_err();
    let good = registry.get("good.echo").unwrap();
    good.call(&Value::Null).unwrap();
    good.scoped(&Scope::new("ada")).call(&Value::Null).unwrap();
    let report = registry.health();
    let bad = of(&report, "bad");
    assert_eq!(bad.state, HealthState::Unhealthy);
    assert!(
        bad.message.contains("failed at start") && bad.message.contains("not today"),
        "{bad:?}"
    );
    let scopes: Vec<&str> = report
        .plugins
        .iter()
        .filter(|plugin| plugin.build.plugin.name == "good")
        .map(|plugin| plugin.scope.as_str())
        .collect();
    assert_eq!(scopes, ["", "ada"]);
}
