//! Calls into a worker, and from it: the same as in process.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_loader_tests::wait;
use floe_plugin_api::{
    CallOptions, Cancellation, ErrorKind, ExecutorMetadata, List, Map, Value, value,
};
use floe_registry::{Begun, CallError, Deadlines, Isolation, Registry};

use super::{patient, workers};

const LONG: Duration = Duration::from_secs(3_600);

/// A registry with a copy of the probe in process and one in a worker.
struct Both {
    scene: Scene,
    registry: Registry,
}

const PLUGINS: [&str; 2] = ["here", "there"];

impl Both {
    #[track_caller]
    fn new() -> Self {
        let mut scene = Scene::new();
        for plugin in PLUGINS {
            scene.install(plugin, &Library::of(Fixture::Probe).named(plugin));
        }
        let isolation = floe_registry::IsolationSettings::new(workers());
        scene.isolation(isolation.plugin("here", Isolation::InProcess));
        let registry = patient(&scene).build().unwrap();
        Self { scene, registry }
    }

    /// Calls both, and checks that both say the same.
    #[track_caller]
    fn same(&self, executor: &str, input: &Value) -> Value {
        let [here, there] = PLUGINS.map(|plugin| {
            let called = self.registry.call(&format!("{plugin}.{executor}"), input);
            called.unwrap_or_else(|error| panic!("{plugin}: {error}"))
        });
        assert_eq!(here, there, "{executor}");
        there
    }
}

#[test]
fn values_of_every_type_come_back_as_they_were() {
    let both = Both::new();
    let long = "a text that is too long to be kept in place by a value";
    let mut map = Map::new();
    map.insert("one", 1);
    map.insert("", Value::Null);
    map.insert(long, long);
    let values = [
        Value::Null,
        Value::from(true),
        Value::from(false),
        Value::I64(i64::MIN),
        Value::I64(-1),
        Value::I64(i64::MAX),
        Value::U64(u64::MAX),
        Value::F64(0.1),
        Value::F64(-0.0),
        Value::F64(f64::INFINITY),
        Value::F64(f64::MIN_POSITIVE),
        Value::from(""),
        Value::from("ï\0ñ"),
        Value::from(long.repeat(10_000)),
        Value::Bytes(vec![].into()),
        Value::Bytes((0..=255).collect::<Vec<u8>>().into()),
        Value::List(List::new()),
        Value::Map(Map::new()),
        Value::Map(map),
    ];
    for value in &values {
        assert_eq!(both.same("echo", value), *value);
    }
    let all = Value::List(values.iter().cloned().collect::<List>());
    let deep = (0..50).fold(all, |inner, _| value!([inner]));
    assert_eq!(both.same("echo", &deep), deep);
    let number = both
        .registry
        .call("there.echo", &Value::F64(f64::NAN))
        .unwrap();
    assert!(number.as_f64().unwrap().is_nan());
}

#[test]
fn sixty_four_megabytes_come_back() {
    const LENGTH: usize = 64_000_000;
    let both = Both::new();
    let bytes = both
        .registry
        .call("there.bytes", &value!({"length": LENGTH}))
        .unwrap();
    match &bytes {
        Value::Bytes(bytes) => {
            assert_eq!(bytes.len(), LENGTH);
            assert!(bytes.iter().all(|byte| *byte == 0xa5));
        }
        other => panic!("{other:?}"),
    }
    assert!(both.registry.call("there.echo", &bytes).unwrap() == bytes);
    both.scene.check_good(&both.registry);
}

#[test]
fn errors_say_the_same() {
    let both = Both::new();
    let [here, there] =
        PLUGINS.map(
            |plugin| match both.registry.call(&format!("{plugin}.fail"), &Value::Null) {
                Err(CallError::Executor(told)) => {
                    let causes: Vec<String> = told.causes().map(str::to_owned).collect();
                    (
                        told.kind,
                        told.message.clone(),
                        causes,
                        told.details.clone(),
                    )
                }
                other => panic!("{other:?}"),
            },
        );
    assert_eq!(here, there);
    assert_eq!(there.0, ErrorKind::Transient);
    for plugin in PLUGINS {
        let input = value!({"payload": "str"});
        let panicked = both
            .registry
            .call(&format!("{plugin}.panic"), &input)
            .unwrap_err();
        assert_eq!(panicked.kind(), ErrorKind::Panicked);
        let text = panicked.to_string();
        assert!(
            text.contains("panicked at ") && text.contains("probe.rs:"),
            "{text}"
        );
        assert!(text.contains("a plain panic"), "{text}");
        both.registry
            .call(&format!("{plugin}.echo"), &Value::Null)
            .unwrap();
    }
}

#[test]
fn what_it_calls_answers() {
    let both = Both::new();
    let metadata = ExecutorMetadata::new("host.double").unwrap();
    both.registry
        .register(metadata, |input, call| {
            assert_eq!(call.execution_id(), "run-7");
            Ok(Value::from(input.as_i64().unwrap_or_default() * 2))
        })
        .unwrap();
    let options = CallOptions::new().execution_id("run-7");
    for plugin in PLUGINS {
        let call = |input: &Value| {
            let called = both
                .registry
                .call_with(&format!("{plugin}.call"), input, &options);
            called.unwrap_or_else(|error| panic!("{plugin}: {error}"))
        };
        let input = value!({"node_type": "host.double", "input": 21});
        assert_eq!(call(&input), value!(42));
        // There and back again.
        let nested = value!({"node_type": (format!("{plugin}.call")), "input": input});
        assert_eq!(call(&nested), value!(42));
        let through = value!({"node_type": (format!("{plugin}.echo")), "input": [1, "two"]});
        assert_eq!(call(&through), value!([1, "two"]));
    }
    let none = value!({"node_type": "none.such"});
    let told = both.same("attempt", &none);
    assert!(told.get("error").is_some(), "{told:?}");
    // From a thread of its own.
    for plugin in PLUGINS {
        let errands = value!({"node_types": [(format!("{plugin}.echo")), "none.such"]});
        both.registry
            .call(&format!("{plugin}.spawn"), &errands)
            .unwrap();
    }
    let told = both.same("join", &Value::Null);
    assert_eq!(told.as_list().unwrap()[0], value!({"ok": null}));
}

#[test]
fn it_sees_the_call() {
    let both = Both::new();
    for plugin in PLUGINS {
        let (sender, progress) = mpsc::channel();
        let options = CallOptions::new()
            .execution_id("run-7")
            .node_id("step-2")
            .tenant("acme")
            .attempt(3)
            .timeout(LONG)
            .on_progress(move |progress| {
                let told = (progress.fraction, progress.message.to_owned());
                sender.send(told).unwrap();
            });
        let called = both
            .registry
            .call_with(&format!("{plugin}.context"), &Value::Null, &options);
        let expected = value!({
            "execution_id": "run-7", "node_id": "step-2", "tenant": "acme", "attempt": 3,
            "cancelled": false, "deadline": true
        });
        assert_eq!(called.unwrap(), expected, "{plugin}");
        drop(options);
        let told: Vec<_> = progress.iter().collect();
        assert_eq!(told, [(Some(0.5), "half".to_owned())], "{plugin}");
        let plain = both
            .registry
            .call(&format!("{plugin}.context"), &Value::Null)
            .unwrap();
        assert_eq!(plain.get("execution_id"), Some(&value!("")));
    }
}

#[test]
fn it_heeds_who_cancels() {
    let both = Both::new();
    for plugin in PLUGINS {
        let begun = both.scene.root().join(format!("begun-{plugin}"));
        let input = value!({
            "path": "/none/such", "begun": (begun.to_str().unwrap()), "heeds": true
        });
        let switch = Cancellation::new();
        let options = CallOptions::new()
            .cancellation(switch.clone())
            .timeout(LONG);
        let wait = format!("{plugin}.wait");
        thread::scope(|scope| {
            let call = scope.spawn(|| both.registry.call_with(&wait, &input, &options));
            wait::until(|| begun.exists());
            switch.cancel();
            let error = call.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Cancelled, "{plugin}: {error}");
        });
    }
    // Nobody had to be killed for it.
    assert_eq!(both.registry.stats().workers.crashed, 0);
}

/// What a plugin calls while it starts is over when the start is: a function that does not come back keeps
/// nobody from killing the worker.
#[test]
fn a_start_that_calls_what_does_not_come_back() {
    let mut scene = Scene::new();
    scene.install("caller", &Library::of(Fixture::Probe).named("caller"));
    scene.isolation(workers());
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let registry = scene
        .builder()
        .config("caller", value!({"calls": "host.wait"}))
        .deadlines(Deadlines::default().create(Duration::from_millis(500)))
        .build()
        .unwrap();
    let wait = ExecutorMetadata::new("host.wait").unwrap();
    registry
        .register(wait, move |_, _| {
            let _ = released.lock().unwrap().recv();
            Ok(Value::Null)
        })
        .unwrap();
    let error = registry.call("caller.echo", &Value::Null).unwrap_err();
    let CallError::Overrun(overrun) = error else {
        panic!("{error}");
    };
    assert_eq!(overrun.begun, Begun::Killed);
    scene.check_good(&registry);
    drop(release);
}
