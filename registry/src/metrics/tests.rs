//! What arrives at a recorder.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ::metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder as MetricsRecorder,
    with_local_recorder,
};
use floe_plugin_api::{ErrorKind, Kind};
use semver::Version;

use super::*;
use crate::id::{Build, PluginId};
use crate::lifecycle::{Abandoned, CacheStats};
use crate::registry::{MemoryStats, PluginStats};
use crate::stats::{CallStats, Recorder};

/// Keeps what it is told.
#[derive(Default)]
struct Kept {
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    gauges: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    units: Mutex<BTreeMap<String, Option<Unit>>>,
}

/// `name{label=value,…}`.
fn written(key: &Key) -> String {
    let labels: Vec<String> = key
        .labels()
        .map(|label| format!("{}={}", label.key(), label.value()))
        .collect();
    if labels.is_empty() {
        return key.name().to_owned();
    }
    format!("{}{{{}}}", key.name(), labels.join(","))
}

impl Kept {
    fn describe(&self, name: &KeyName, unit: Option<Unit>) {
        let mut units = self.units.lock().unwrap();
        units.insert(name.as_str().to_owned(), unit);
    }

    #[track_caller]
    fn counter(&self, name: &str) -> u64 {
        let counters = self.counters.lock().unwrap();
        let value = counters.get(name);
        value
            .unwrap_or_else(|| panic!("no {name} among {:?}", counters.keys()))
            .load(Ordering::Relaxed)
    }

    #[track_caller]
    fn gauge(&self, name: &str) -> f64 {
        let gauges = self.gauges.lock().unwrap();
        let value = gauges.get(name);
        let value = value.unwrap_or_else(|| panic!("no {name} among {:?}", gauges.keys()));
        f64::from_bits(value.load(Ordering::Relaxed))
    }
}

impl MetricsRecorder for Kept {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, unit);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("histogram {name:?}");
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut counters = self.counters.lock().unwrap();
        Counter::from_arc(counters.entry(written(key)).or_default().clone())
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let mut gauges = self.gauges.lock().unwrap();
        Gauge::from_arc(gauges.entry(written(key)).or_default().clone())
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("histogram {key:?}");
    }
}

fn plugin() -> PluginId {
    PluginId {
        kind: Kind::COMPUTE,
        name: "text".to_owned(),
    }
}

fn build(generation: u64, state: State, circuit: CircuitState) -> PluginStats {
    PluginStats {
        build: Build {
            plugin: plugin(),
            version: Version::new(1, 2, 0),
            generation,
        },
        state,
        circuit,
        live: 0,
        load: None,
        start: None,
        calls: CallStats::default(),
    }
}

fn stats() -> Stats {
    let recorder = Recorder::default();
    for _ in 0..3 {
        recorder.begin().done();
    }
    recorder.begin().failed(ErrorKind::Panicked);
    std::mem::forget(recorder.begin());
    let calls = recorder.read();
    Stats {
        calls: calls.clone(),
        plugins: vec![
            build(1, State::Ready, CircuitState::Closed),
            build(2, State::Shadowed, CircuitState::Closed),
        ],
        executors: vec![ExecutorStats {
            node_type: "text.upper".to_owned(),
            plugin: plugin(),
            category: None,
            calls,
        }],
        categories: BTreeMap::new(),
        kinds: BTreeMap::new(),
        instances: CacheStats {
            capacity: 10,
            live: 3,
            capacity_weight: Some(100),
            weight: 30,
            hits: 7,
            misses: 4,
            hit_rate: Some(7.0 / 11.0),
            evictions: 1,
        },
        workers: crate::lifecycle::WorkersStats::default(),
        memory: MemoryStats {
            mapped_bytes: 5_000,
            retired_generations: 2,
            retired_bytes: 1_000,
        },
        tenants: BTreeMap::new(),
        abandoned: vec![Abandoned {
            thread: "floe-worker-1".to_owned(),
            plugin: "text 1.2.0".to_owned(),
            doing: "start".to_owned(),
            deadline: Duration::from_secs(30),
            overdue: Duration::from_secs(1),
        }],
    }
}

#[test]
fn every_name_and_value_arrives() {
    let (kept, stats) = (Kept::default(), stats());
    with_local_recorder(&kept, || stats.export());

    let of = "plugin=compute/text,node_type=text.upper";
    assert_eq!(kept.counter(&format!("floe_calls_total{{{of}}}")), 5);
    let panicked = format!(
        "floe_call_errors_total{{{of},kind={}}}",
        ErrorKind::Panicked
    );
    assert_eq!(kept.counter(&panicked), 1);
    let times = &stats.executors[0].calls.times;
    assert!(times.count() > 0);
    let mean = times.mean().as_secs_f64();
    let expected = [
        (format!("floe_calls_in_flight{{{of}}}"), 1.0),
        (
            format!("floe_call_seconds{{{of},quantile=0.5}}"),
            times.p50().as_secs_f64(),
        ),
        (
            format!("floe_call_seconds{{{of},quantile=0.95}}"),
            times.p95().as_secs_f64(),
        ),
        (
            format!("floe_call_seconds{{{of},quantile=0.99}}"),
            times.p99().as_secs_f64(),
        ),
        (format!("floe_call_seconds_mean{{{of}}}"), mean),
        ("floe_instances_live".to_owned(), 3.0),
        ("floe_instances_capacity".to_owned(), 10.0),
        ("floe_instances_weight".to_owned(), 30.0),
        ("floe_instances_capacity_weight".to_owned(), 100.0),
        ("floe_mapped_bytes".to_owned(), 5_000.0),
        ("floe_retired_bytes".to_owned(), 1_000.0),
        ("floe_retired_generations".to_owned(), 2.0),
        ("floe_abandoned_threads".to_owned(), 1.0),
    ];
    for (name, value) in &expected {
        assert_eq!(kept.gauge(name).to_bits(), value.to_bits(), "{name}");
    }
    for (name, value) in [("hits", 7), ("misses", 4), ("evictions", 1)] {
        assert_eq!(kept.counter(&format!("floe_instances_{name}_total")), value);
    }
    let of_build = "plugin=compute/text,version=1.2.0";
    for state in STATES {
        let value = kept.gauge(&format!("floe_plugin_state{{{of_build},state={state}}}"));
        let is_in = matches!(state, State::Ready | State::Shadowed);
        assert_eq!(value > 0.0, is_in, "{state}");
    }
    let closed = format!("floe_plugin_circuit{{{of_build},state=closed}}");
    assert_eq!(kept.gauge(&closed).to_bits(), 2.0_f64.to_bits());

    // Nothing else arrives, and all of it is described.
    let counters = kept.counters.lock().unwrap();
    assert_eq!(counters.len(), 2 + 3);
    let gauges = kept.gauges.lock().unwrap();
    assert_eq!(gauges.len(), expected.len() + STATES.len() + CIRCUITS.len());
    let units = kept.units.lock().unwrap();
    for key in counters.keys().chain(gauges.keys()) {
        let name = key.split('{').next().unwrap_or_default();
        let unit = units.get(name).copied().flatten();
        let wanted = match name {
            name if name.contains("seconds") => Unit::Seconds,
            name if name.ends_with("bytes") => Unit::Bytes,
            _ => Unit::Count,
        };
        assert_eq!(unit, Some(wanted), "{name}");
    }
}

#[test]
fn to_export_twice_counts_nothing_twice() {
    let (kept, stats) = (Kept::default(), stats());
    with_local_recorder(&kept, || {
        stats.export();
        stats.export();
    });
    assert_eq!(kept.counter("floe_instances_hits_total"), 7);
}
