//! Plugins in processes of their own, and what becomes of these.

mod calls;
mod crashes;
mod idle;
mod inherited;
mod moved;
mod orphans;
mod process;
mod programs;
mod sandbox;
mod table;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_plugin_api::{ErrorKind, Value, value};
use floe_registry::{
    CallError, CircuitSettings, Isolation, IsolationRule, PluginError, QuarantineSettings,
    Registry, RegistryBuilder,
};

/// A rule that says to run plugins in workers, and nothing else.
fn workers() -> IsolationRule {
    IsolationRule::new(Isolation::Worker)
}

/// A scene with a hostile plugin in it, all in workers.
#[track_caller]
fn scene(rule: IsolationRule) -> Scene {
    let mut scene = Scene::new();
    scene.install("hostile", &Library::of(Fixture::Hostile));
    scene.isolation(rule);
    scene
}

/// Crashes as often as it likes and is not left alone for it.
fn patient(scene: &Scene) -> RegistryBuilder {
    let never = QuarantineSettings::default();
    scene
        .builder()
        .circuit(CircuitSettings::default().panics(u32::MAX))
        .quarantine(never.openings(0).failed_starts(0).crashes(0))
}

/// Gives the hostile plugin an order.
fn order(registry: &Registry, what: &str) -> Result<Value, CallError> {
    registry.call("hostile.do", &value!({"what": what}))
}

/// The number of the process that the hostile plugin is in, which answers.
#[track_caller]
fn process_of(registry: &Registry) -> u32 {
    let process = order(registry, "nothing").unwrap();
    u32::try_from(process.as_u64().unwrap()).unwrap()
}

/// What is told of a crash.
#[track_caller]
fn crash(result: Result<Value, CallError>) -> Box<PluginError> {
    match result {
        Err(CallError::Executor(told)) if told.kind == ErrorKind::Crashed => told,
        other => panic!("expected a crash, found {other:?}"),
    }
}

/// A number in the details of a crash.
fn number(told: &PluginError, name: &str) -> Option<i64> {
    told.details.get(name).and_then(Value::as_i64)
}
