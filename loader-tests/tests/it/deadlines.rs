//! Deadlines that bound: whoever waits for a plugin has an answer, whatever the plugin does.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_loader_tests::wait::{self, for_event};
use floe_plugin_api::{CallOptions, Cancellation, ErrorKind, Value, value};
use floe_registry::{
    Begun, CallError, CircuitSettings, Deadlines, Ending, Event, OverrunError, Registry,
    RegistryBuilder, Stage, StartOptions, State,
};

/// Short for a plugin that never comes back; what comes back in time takes far less.
const SHORT: Duration = Duration::from_millis(200);
/// Longer than any machine needs.
const LONG: Duration = Duration::from_secs(120);

/// A scene with a file that is not there until it is made, for plugins to wait for.
struct Waiting {
    scene: Scene,
    file: PathBuf,
}

impl Waiting {
    fn new() -> Self {
        let scene = Scene::new();
        scene.install("slow", &Library::of(Fixture::Probe).named("slow"));
        let file = scene.root().join("go");
        Self { scene, file }
    }

    fn builder(&self, place: Option<&str>, deadlines: Deadlines) -> RegistryBuilder {
        let mut config = value!({"waits_for": self.file.to_str().unwrap()});
        if let (Value::Map(config), Some(place)) = (&mut config, place) {
            config.insert("waits_in", place);
        }
        self.scene
            .builder()
            .config("slow", config)
            .deadlines(deadlines)
    }

    /// Has the code mapped and described, so that what is measured against a short deadline later is not
    /// the disk.
    fn warm(&self) {
        let registry = self.scene.registry();
        registry.describe("slow.echo").unwrap();
    }

    fn let_go(&self) {
        fs::write(&self.file, "").unwrap();
    }

    fn wait(&self) -> Value {
        value!({"path": self.file.to_str().unwrap()})
    }
}

#[track_caller]
fn overrun(error: CallError) -> OverrunError {
    assert_eq!(error.kind(), ErrorKind::ExecutionTimeout, "{error}");
    match error {
        CallError::Overrun(error) => *error,
        other => panic!("{other:?}"),
    }
}

/// Checks that one thread is named as abandoned, where it can be seen, until it comes back.
#[track_caller]
fn check_abandoned(waiting: &Waiting, registry: &Registry, doing: &str) {
    let abandoned = registry.stats().abandoned;
    assert_eq!(abandoned.len(), 1, "{abandoned:?}");
    assert_eq!(abandoned[0].plugin, "slow 1.0.0");
    assert_eq!(abandoned[0].doing, doing);
    assert!(
        abandoned[0].thread.starts_with("floe-worker-"),
        "{abandoned:?}"
    );
    let listed = registry.list();
    let plugin = listed.iter().find(|plugin| plugin.name == "slow").unwrap();
    assert_eq!(plugin.abandoned.len(), 1);
    assert!(
        listed
            .iter()
            .all(|plugin| plugin.name == "slow" || plugin.abandoned.is_empty())
    );
    waiting.scene.check_good(registry);
    waiting.let_go();
    wait::until(|| registry.stats().abandoned.is_empty());
}

#[test]
fn a_call() {
    let waiting = Waiting::new();
    let registry = waiting.builder(None, Deadlines::default()).build().unwrap();
    registry.call("slow.echo", &Value::Null).unwrap();
    let mut events = registry.events();
    let handle = registry.get("slow.wait").unwrap();
    let options = CallOptions::new().timeout(SHORT);
    let error = overrun(handle.call_with(&waiting.wait(), &options).unwrap_err());
    assert_eq!(
        (error.plugin.as_str(), error.begun),
        ("slow 1.0.0", Begun::Yes)
    );
    assert_eq!(error.what, "the call of `slow.wait`");
    for_event(&mut events, |event| {
        matches!(event, Event::Abandoned { .. }).then_some(())
    });
    for_event(&mut events, |event| {
        matches!(event, Event::Poisoned { .. }).then_some(())
    });
    // It is replaced at the next use, while the old one is still inside.
    let counts = registry.call("slow.counts", &Value::Null).unwrap();
    assert_eq!(counts.get("instance"), Some(&value!(2)));
    assert_eq!(
        counts.get("drops"),
        Some(&value!(0)),
        "never dropped with a call inside"
    );
    let stats = registry.stats();
    let executor = stats
        .executors
        .iter()
        .find(|executor| executor.node_type == "slow.wait")
        .unwrap();
    assert_eq!(executor.calls.in_flight, 1);
    assert_eq!(
        executor.calls.errors.get(&ErrorKind::ExecutionTimeout),
        Some(&1)
    );
    check_abandoned(&waiting, &registry, "call slow.wait");
    // Then it is dropped, and not stopped, as nobody can vouch for it.
    let why = for_event(&mut events, |event| match event {
        Event::Stopped { why, .. } => Some(*why),
        _ => None,
    });
    assert_eq!(why, Ending::Poisoned);
    wait::until(|| {
        let counts = registry.call("slow.counts", &Value::Null).unwrap();
        counts.get("drops") == Some(&value!(1))
    });
}

#[test]
fn a_call_by_name_and_one_by_the_registrys_own_deadline() {
    let waiting = Waiting::new();
    let deadlines = Deadlines::default().call(SHORT);
    let registry = waiting.builder(None, deadlines).build().unwrap();
    assert!(registry.start(StartOptions::new()).is_complete());
    let error = registry.call("slow.wait", &waiting.wait()).unwrap_err();
    overrun(error);
    // The shorter one counts.
    let options = CallOptions::new().timeout(LONG);
    let error = registry
        .call_with("slow.wait", &waiting.wait(), &options)
        .unwrap_err();
    overrun(error);
    let error = registry
        .get("slow.wait")
        .unwrap()
        .call(&waiting.wait())
        .unwrap_err();
    overrun(error);
    assert_eq!(registry.stats().abandoned.len(), 3);
    wait::until(|| registry.call("slow.echo", &value!(1)).is_ok());
    waiting.let_go();
    wait::until(|| registry.stats().abandoned.is_empty());
}

#[test]
fn a_call_that_tells_of_progress_without_end() {
    let waiting = Waiting::new();
    let registry = waiting.builder(None, Deadlines::default()).build().unwrap();
    registry.call("slow.echo", &Value::Null).unwrap();
    let input = value!({"path": waiting.file.to_str().unwrap(), "chatty": true});
    let options = CallOptions::new().timeout(SHORT).on_progress(|_| ());
    overrun(
        registry
            .call_with("slow.wait", &input, &options)
            .unwrap_err(),
    );
    check_abandoned(&waiting, &registry, "call slow.wait");
}

#[test]
fn more_calls_that_hang_than_there_are_threads() {
    const CALLS: usize = 100;
    let waiting = Waiting::new();
    let patient = CircuitSettings::default().panics(u32::MAX);
    let builder = waiting.builder(None, Deadlines::default());
    let registry = builder.circuit(patient).build().unwrap();
    thread::scope(|scope| {
        for _ in 0..CALLS {
            scope.spawn(|| {
                let options = CallOptions::new().timeout(SHORT);
                let call = registry.call_with("slow.wait", &waiting.wait(), &options);
                overrun(call.unwrap_err());
            });
        }
        // One that is patient has its turn when the others are given up.
        let options = CallOptions::new().timeout(LONG);
        let good = registry.call_with("good.echo", &value!(1), &options);
        assert_eq!(good.unwrap(), value!(1));
    });
    waiting.let_go();
    wait::until(|| registry.stats().abandoned.is_empty());
}

#[test]
fn a_call_that_was_given_up_keeps_no_registry_at_work() {
    let waiting = Waiting::new();
    let diary = waiting.scene.root().join("diary");
    let config = value!({"diary": diary.to_str().unwrap(), "diarist": "good"});
    let builder = waiting.builder(None, Deadlines::default());
    let registry = builder.config("good", config).build().unwrap();
    waiting.scene.check_good(&registry);
    let handle = registry.get("slow.wait").unwrap();
    let options = CallOptions::new().timeout(SHORT);
    overrun(handle.call_with(&waiting.wait(), &options).unwrap_err());
    drop(registry);
    drop(handle);
    let told = fs::read_to_string(&diary).unwrap();
    assert_eq!(told, "start good\nstop good\n");
    waiting.let_go();
}

#[test]
fn a_call_whose_deadline_has_passed_is_not_made() {
    let waiting = Waiting::new();
    let registry = waiting.builder(None, Deadlines::default()).build().unwrap();
    registry.call("slow.echo", &Value::Null).unwrap();
    let begun = waiting.scene.root().join("begun");
    let input = value!({"path": waiting.file.to_str().unwrap(), "begun": begun.to_str().unwrap()});
    let options = CallOptions::new().timeout(Duration::ZERO);
    let error = overrun(
        registry
            .call_with("slow.wait", &input, &options)
            .unwrap_err(),
    );
    assert_eq!(error.begun, Begun::No);
    assert!(!begun.exists());
    assert!(registry.stats().abandoned.is_empty());
    let counts = registry.call("slow.counts", &Value::Null).unwrap();
    assert_eq!(
        counts.get("instance"),
        Some(&value!(1)),
        "it did nothing wrong"
    );
}

#[test]
fn a_plugin_that_heeds_its_deadline_keeps_its_instance() {
    let waiting = Waiting::new();
    let registry = waiting.builder(None, Deadlines::default()).build().unwrap();
    registry.call("slow.echo", &Value::Null).unwrap();
    let input = value!({"path": waiting.file.to_str().unwrap(), "heeds": true});
    let options = CallOptions::new().timeout(SHORT);
    let error = registry
        .call_with("slow.wait", &input, &options)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ExecutionTimeout);
    // On a machine that is very busy it may be late all the same.
    if let CallError::Executor(told) = &error {
        assert!(told.message.contains("deadline"), "{told}");
        let counts = registry.call("slow.counts", &Value::Null).unwrap();
        assert_eq!(counts.get("instance"), Some(&value!(1)));
        assert!(registry.stats().abandoned.is_empty());
    }
}

#[test]
fn a_call_that_is_given_up_sees_that_it_is_cancelled() {
    let waiting = Waiting::new();
    let registry = waiting.builder(None, Deadlines::default()).build().unwrap();
    let begun = waiting.scene.root().join("begun");
    let input = value!({
        "path": waiting.file.to_str().unwrap(),
        "begun": begun.to_str().unwrap(),
        "heeds": true,
    });
    // By the caller: the plugin sees its switch.
    let switch = Cancellation::new();
    let options = CallOptions::new()
        .cancellation(switch.clone())
        .timeout(LONG);
    thread::scope(|scope| {
        let call = scope.spawn(|| registry.call_with("slow.wait", &input, &options));
        wait::until(|| begun.exists());
        switch.cancel();
        let error = call.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    });
    // By the deadline, where nobody cancels: it comes back when it is let go.
    let errands = value!({"path": waiting.file.to_str().unwrap()});
    let options = CallOptions::new().timeout(SHORT);
    overrun(
        registry
            .call_with("slow.wait", &errands, &options)
            .unwrap_err(),
    );
    waiting.let_go();
    wait::until(|| registry.stats().abandoned.is_empty());
}

#[test]
fn progress_reaches_the_caller_of_a_call_with_a_deadline_on_its_own_thread() {
    let scene = Scene::new();
    let registry = scene.registry();
    let (sender, told) = std::sync::mpsc::channel();
    let options = CallOptions::new()
        .execution_id("run-7")
        .node_id("step-2")
        .tenant("acme")
        .attempt(3)
        .timeout(LONG)
        .on_progress(move |progress| {
            let told = (
                progress.fraction,
                progress.message.to_owned(),
                thread::current().id(),
            );
            sender.send(told).unwrap();
        });
    let seen = registry
        .call_with("good.context", &Value::Null, &options)
        .unwrap();
    let expected = value!({
        "execution_id": "run-7", "node_id": "step-2", "tenant": "acme", "attempt": 3,
        "cancelled": false, "deadline": true,
    });
    assert_eq!(seen, expected);
    let own = thread::current().id();
    assert_eq!(told.recv(), Ok((Some(0.5), "half".to_owned(), own)));
}

#[test]
fn of_calls_within_calls_the_one_that_hangs_is_blamed() {
    let waiting = Waiting::new();
    let outer = Library::of(Fixture::Probe).named("outer");
    waiting.scene.install("outer", &outer.needing("slow", "*"));
    let registry = waiting.builder(None, Deadlines::default()).build().unwrap();
    registry.call("outer.echo", &Value::Null).unwrap();
    let input =
        value!({"node_type": "slow.wait", "input": {"path": waiting.file.to_str().unwrap()}});
    let options = CallOptions::new().timeout(SHORT);
    let told = registry.call_with("outer.attempt", &input, &options);
    match told {
        Ok(told) => {
            assert_eq!(
                told.get("kind"),
                Some(&value!("execution-timeout")),
                "{told:?}"
            );
            let counts = registry.call("outer.counts", &Value::Null).unwrap();
            assert_eq!(
                counts.get("instance"),
                Some(&value!(1)),
                "it passed on what it was told"
            );
            check_abandoned(&waiting, &registry, "call slow.wait");
        }
        // On a machine that is very busy the outer one may be late too.
        Err(error) => {
            overrun(error);
            waiting.let_go();
            wait::until(|| registry.stats().abandoned.is_empty());
        }
    }
}

#[test]
fn a_start() {
    let waiting = Waiting::new();
    waiting.warm();
    let deadlines = Deadlines::default().create(SHORT);
    let patient = CircuitSettings::default().panics(u32::MAX);
    let builder = waiting.builder(Some("start"), deadlines);
    let registry = builder.circuit(patient).build().unwrap();
    let error = overrun(registry.call("slow.echo", &Value::Null).unwrap_err());
    assert_eq!(error.what, "the start");
    let listed = registry.list();
    let plugin = listed.iter().find(|plugin| plugin.name == "slow").unwrap();
    assert_eq!(
        (plugin.state, plugin.failed_at),
        (State::Failed, Some(Stage::Start))
    );
    assert!(
        plugin
            .reason
            .as_ref()
            .unwrap()
            .contains("had not ended after 200ms"),
        "{plugin:?}"
    );
    check_abandoned(&waiting, &registry, "start");
    wait::until(|| registry.call("slow.echo", &value!(1)).is_ok());
}

#[test]
fn who_waits_for_another_ones_start_shares_what_came_of_it() {
    let waiting = Waiting::new();
    waiting.warm();
    let deadlines = Deadlines::default().create(SHORT);
    let patient = CircuitSettings::default().panics(u32::MAX);
    let builder = waiting.builder(Some("start"), deadlines);
    let registry = builder.circuit(patient).build().unwrap();
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| overrun(registry.call("slow.echo", &Value::Null).unwrap_err()));
        }
    });
    // Were each to try by itself, there would be fifty, one after another.
    let starts = registry.stats().abandoned.len();
    assert!((1..10).contains(&starts), "{starts}");
    waiting.let_go();
    wait::until(|| registry.stats().abandoned.is_empty());
}

#[test]
fn a_call_with_a_deadline_does_not_wait_longer_for_a_start() {
    let waiting = Waiting::new();
    let deadlines = Deadlines::default().create(LONG);
    let registry = waiting.builder(Some("start"), deadlines).build().unwrap();
    let options = CallOptions::new().timeout(SHORT);
    overrun(
        registry
            .call_with("slow.echo", &Value::Null, &options)
            .unwrap_err(),
    );
    // The start itself goes on, and serves who comes next.
    waiting.let_go();
    let counts = registry.call("slow.counts", &Value::Null).unwrap();
    assert_eq!(counts.get("starts"), Some(&value!(1)));
}

#[test]
fn a_question_for_health() {
    let waiting = Waiting::new();
    let deadlines = Deadlines::default().health(SHORT);
    let registry = waiting.builder(Some("health"), deadlines).build().unwrap();
    registry.call("slow.echo", &Value::Null).unwrap();
    waiting.scene.check_good(&registry);
    let report = registry.health();
    let health = report
        .plugins
        .iter()
        .find(|plugin| plugin.build.plugin.name == "slow")
        .unwrap();
    assert_eq!(health.state, floe_plugin_api::HealthState::Unhealthy);
    assert!(
        health.message.contains("had not ended after 200ms"),
        "{health:?}"
    );
    let good = report
        .plugins
        .iter()
        .find(|plugin| plugin.build.plugin.name == "good")
        .unwrap();
    assert_eq!(good.state, floe_plugin_api::HealthState::Healthy);
    check_abandoned(&waiting, &registry, "health");
    let counts = registry.call("slow.counts", &Value::Null).unwrap();
    assert_eq!(counts.get("instance"), Some(&value!(2)), "it was replaced");
}

#[test]
fn a_stop() {
    let waiting = Waiting::new();
    let deadlines = Deadlines::default().stop(SHORT);
    let registry = waiting.builder(Some("stop"), deadlines).build().unwrap();
    let mut events = registry.events();
    registry.call("slow.echo", &Value::Null).unwrap();
    assert_eq!(registry.cache().invalidate("slow"), 1);
    let failure = for_event(&mut events, |event| match event {
        Event::Stopped { failure, .. } => Some(failure.clone()),
        _ => None,
    });
    assert_eq!(failure.as_deref(), Some("it had not stopped after 200ms"));
    check_abandoned(&waiting, &registry, "stop");
}

#[test]
fn the_end_of_a_registry() {
    let waiting = Waiting::new();
    let deadlines = Deadlines::default().stop(SHORT);
    let registry = waiting.builder(Some("stop"), deadlines).build().unwrap();
    waiting.scene.check_good(&registry);
    registry.call("slow.echo", &Value::Null).unwrap();
    let options = CallOptions::new().timeout(SHORT);
    overrun(
        registry
            .call_with("slow.wait", &waiting.wait(), &options)
            .unwrap_err(),
    );
    registry.call("slow.echo", &Value::Null).unwrap();
    // One whose call was given up and is inside still, and one that does not stop: this comes back.
    drop(registry);
    waiting.let_go();
}
