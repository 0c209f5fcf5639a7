//! What a plugin in a worker logs and prints reaches the host's subscriber, which is the process's.
#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_loader_tests::wait;
use floe_plugin_api::{ErrorKind, Value, value};
use floe_registry::Isolation;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber, span};

/// An event, as the subscriber saw it.
#[derive(Clone, Debug, Default)]
struct Seen {
    level: String,
    target: String,
    file: String,
    fields: BTreeMap<String, String>,
}

impl Seen {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields
            .insert(field.name().to_owned(), format!("{value:?}"));
    }
}

static SEEN: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

struct Recorder;

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= LevelFilter::INFO
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut seen = Seen {
            level: metadata.level().to_string(),
            target: metadata.target().to_owned(),
            file: metadata.file().unwrap_or_default().to_owned(),
            fields: BTreeMap::new(),
        };
        event.record(&mut seen);
        all().push(seen);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn all() -> std::sync::MutexGuard<'static, Vec<Seen>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Those that are wanted of what was seen so far.
fn seen(wanted: impl Fn(&Seen) -> bool) -> Vec<Seen> {
    all().iter().filter(|seen| wanted(seen)).cloned().collect()
}

fn is_told_of_a_flood(seen: &Seen) -> bool {
    seen.field("message").contains("left out")
}

/// One test, as there is one subscriber.
#[test]
fn events_and_lines_reach_the_host_as_many_as_it_can_bear() {
    tracing::subscriber::set_global_default(Recorder).unwrap();
    let mut scene = Scene::new();
    scene.install("hostile", &Library::of(Fixture::Hostile));
    scene.install("flood", &Library::of(Fixture::Hostile).named("flood"));
    scene.install("abort", &Library::of(Fixture::Abort).named("abort"));
    scene.isolation(Isolation::Worker);
    let registry = scene.registry();

    // An event is as it was, and there when the call has ended.
    let formatted = registry.call("good.log", &Value::Null).unwrap();
    assert_eq!(formatted, value!(1), "what is not wanted is not formatted");
    let events = seen(|seen| seen.file.ends_with("probe.rs"));
    let [error, warning, info] = &events[..] else {
        panic!("{events:#?}");
    };
    assert_eq!(
        (&*error.level, &*error.target),
        ("ERROR", "probe::elsewhere")
    );
    assert_eq!(
        (error.field("code"), error.field("message")),
        ("-7", "an error")
    );
    assert_eq!((&*warning.level, &*warning.target), ("WARN", "probe"));
    assert_eq!(warning.field("message"), "a warning of 4");
    assert_eq!((warning.field("ok"), warning.field("rows")), ("true", "3"));
    assert_eq!(info.field("costly"), "costly");

    // What is printed is there a moment later.
    registry
        .call("hostile.do", &value!({"what": "print"}))
        .unwrap();
    for (level, line) in [
        ("INFO", "printed to the output"),
        ("WARN", "printed to the errors"),
    ] {
        let is_line = |seen: &Seen| seen.field("message") == line;
        wait::until(|| !seen(is_line).is_empty());
        let [told] = &seen(is_line)[..] else {
            panic!("`{line}` was told more than once");
        };
        assert_eq!((&*told.level, &*told.target), (level, "floe::output"));
        assert_eq!(told.field("plugin"), "hostile 1.0.0");
    }

    // A panic that ends its process is told before.
    let aborted = registry.call("abort.panic", &value!({})).unwrap_err();
    assert_eq!(aborted.kind(), ErrorKind::Crashed);
    let is_panic = |seen: &Seen| {
        let text = seen
            .fields
            .values()
            .any(|text| text.contains("a plain panic"));
        text && seen.level == "ERROR"
    };
    assert!(!seen(is_panic).is_empty(), "{:#?}", seen(|_| true));

    // Who floods is heard as far as it goes, and others are heard all the same.
    assert!(seen(is_told_of_a_flood).is_empty());
    registry
        .call("flood.do", &value!({"what": "log", "count": 100_000}))
        .unwrap();
    let many = seen(|seen| seen.field("message") == "one of many").len();
    let floods = seen(is_told_of_a_flood);
    assert!((1_000..50_000).contains(&many), "{many}");
    assert!(!floods.is_empty());
    assert!(
        floods
            .iter()
            .all(|told| told.field("plugin") == "flood 1.0.0")
    );
    registry.call("good.log", &Value::Null).unwrap();
    assert_eq!(
        seen(|seen| seen.file.ends_with("probe.rs") && seen.level == "WARN").len(),
        2
    );
}
