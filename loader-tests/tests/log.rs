//! What a plugin logs reaches the host's subscriber, which is the process's.
#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking, and tell what they did not run"
)]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_plugin_api::{Value, value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber, span};

/// An event, as the subscriber saw it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    level: String,
    target: String,
    file: String,
    fields: BTreeMap<String, String>,
}

impl Visit for Seen {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields
            .insert(field.name().to_owned(), format!("integer {value}"));
    }

    // The boundary's integers are numbers, whatever their type was.
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields
            .insert(field.name().to_owned(), format!("integer {value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields
            .insert(field.name().to_owned(), format!("f64 {value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields
            .insert(field.name().to_owned(), format!("bool {value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields
            .insert(field.name().to_owned(), format!("str {value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields
            .insert(field.name().to_owned(), format!("{value:?}"));
    }
}

/// Whether the subscriber panics.
static PANICS: AtomicBool = AtomicBool::new(false);

static SEEN: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

/// The spans that were made: what for, and the plugin and its version.
static SPANS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The most verbose level that is wanted: 1 for errors, 5 for everything.
static WANTED: AtomicUsize = AtomicUsize::new(0);

const LEVELS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
];

struct Recorder;

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= LEVELS[WANTED.load(Ordering::SeqCst)]
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LEVELS[WANTED.load(Ordering::SeqCst)])
    }

    fn register_callsite(
        &self,
        metadata: &'static Metadata<'static>,
    ) -> tracing::subscriber::Interest {
        if self.enabled(metadata) {
            tracing::subscriber::Interest::always()
        } else {
            tracing::subscriber::Interest::never()
        }
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        assert!(!PANICS.load(Ordering::SeqCst), "the subscriber panics");
        let mut seen = Seen {
            level: metadata.level().to_string(),
            target: metadata.target().to_owned(),
            file: metadata.file().unwrap_or_default().to_owned(),
            fields: BTreeMap::new(),
        };
        event.record(&mut seen);
        SEEN.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(seen);
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut seen = Seen::default();
        attributes.record(&mut seen);
        let plugin = seen.fields.get("plugin").cloned().unwrap_or_default();
        let version = seen.fields.get("version").cloned().unwrap_or_default();
        let told = format!("{} {plugin} {version}", attributes.metadata().name());
        SPANS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(told.trim().to_owned());
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Sets what is wanted, as a subscriber does whose filter is reloaded.
fn want(level: usize) {
    WANTED.store(level, Ordering::SeqCst);
    tracing_core::callsite::rebuild_interest_cache();
}

/// What was seen of the plugin since it was last asked.
fn seen() -> Vec<Seen> {
    let all = std::mem::take(&mut *SEEN.lock().unwrap_or_else(PoisonError::into_inner));
    all.into_iter()
        .filter(|seen| !seen.target.starts_with("floe_registry"))
        .collect()
}

/// One test, as there is one subscriber.
#[test]
fn events_reach_the_host_and_only_those_that_it_wants_are_formatted() {
    tracing::subscriber::set_global_default(Recorder).unwrap();
    want(0);
    let scene = Scene::new();
    scene.install("other", &Library::of(Fixture::Probe).named("other"));
    let registry = scene.registry();
    let log = |plugin: &str| {
        let formatted = registry
            .call(&format!("{plugin}.log"), &Value::Null)
            .unwrap();
        (formatted.as_i64().unwrap(), seen())
    };

    // Nothing is wanted: nothing is formatted, nothing is seen.
    assert_eq!(log("good"), (0, vec![]));

    want(2);
    let (formatted, events) = log("good");
    assert_eq!(formatted, 0, "what is not wanted is not formatted");
    let [error, warning] = &events[..] else {
        panic!("{events:#?}");
    };
    assert_eq!(
        (&*error.level, &*error.target),
        ("ERROR", "probe::elsewhere")
    );
    assert!(error.file.ends_with("probe.rs"), "{}", error.file);
    let fields = |seen: &Seen| -> Vec<String> {
        seen.fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    };
    assert_eq!(fields(error), ["code=integer -7", "message=an error"]);
    assert_eq!((&*warning.level, &*warning.target), ("WARN", "probe"));
    assert_eq!(
        fields(warning),
        [
            "message=a warning of 4",
            "name=str Lund",
            "ok=bool true",
            "ratio=f64 0.5",
            "rows=integer 3"
        ]
    );

    want(3);
    let (formatted, events) = log("good");
    assert_eq!((formatted, events.len()), (1, 3));
    assert_eq!(fields(&events[2]), ["costly=costly", "message=an info"]);

    want(5);
    let (formatted, events) = log("good");
    assert_eq!((formatted, events.len()), (4, 5));
    let levels: Vec<&str> = events.iter().map(|event| &*event.level).collect();
    assert_eq!(levels, ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"]);

    // Another copy of the library has callsites of its own, on any thread.
    let (formatted, events) =
        std::thread::scope(|scope| scope.spawn(|| log("other")).join().unwrap());
    assert_eq!((formatted, events.len()), (3, 5));

    want(1);
    assert_eq!(log("other").1.len(), 1);

    // A panic is told by the hook, with its place.
    registry
        .call("good.panic", &value!({"payload": "string"}))
        .unwrap_err();
    let events = seen();
    let [panic] = &events[..] else {
        panic!("{events:#?}");
    };
    assert_eq!((&*panic.level, &*panic.target), ("ERROR", "panic"));
    assert!(
        panic.fields["message"].contains("a panic with"),
        "{panic:?}"
    );
    assert!(panic.fields["location"].contains("probe.rs:"), "{panic:?}");
    assert_eq!(Level::ERROR.to_string(), panic.level);

    // What is secret of a configuration is masked, also where the plugin's first instance had none.
    let config = value!({"secret": "hunter2-and-more"});
    let told = scene.builder().config("good", config).build().unwrap();
    told.call("good.blab", &Value::Null).unwrap_err();
    let events = seen();
    let [blab] = &events[..] else {
        panic!("{events:#?}");
    };
    assert_eq!(
        fields(blab),
        ["message=it is ***", "secret=str ***"],
        "{blab:?}"
    );
    drop(told);

    // A subscriber that panics costs its event, and neither the call nor the plugin.
    want(1);
    PANICS.store(true, Ordering::SeqCst);
    assert!(registry.call("good.log", &Value::Null).is_ok());
    registry.call("good.panic", &value!({})).unwrap_err();
    PANICS.store(false, Ordering::SeqCst);
    assert_eq!(log("good").1.len(), 1);

    // What is logged when the registry is gone is logged all the same.
    let handle = scene.registry().get("good.log").unwrap();
    handle.call(&Value::Null).unwrap();
    assert_eq!(seen().len(), 1);

    // What floe itself does is in spans that say of which plugin.
    want(5);
    let traced = Scene::empty();
    traced.install("traced", &Library::of(Fixture::Probe).named("traced"));
    SPANS.lock().unwrap().clear();
    traced.registry().call("traced.echo", &Value::Null).unwrap();
    let spans = std::mem::take(&mut *SPANS.lock().unwrap());
    assert_eq!(
        spans,
        [
            "discover",
            "admit traced 1.0.0",
            "load traced 1.0.0",
            "start traced 1.0.0",
            "call traced 1.0.0"
        ]
    );

    want(0);
    assert_eq!(log("good").1, vec![]);
    scene.check_good(&registry);
}
