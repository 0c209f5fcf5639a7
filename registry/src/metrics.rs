//! Statistics for the recorder of the `metrics` crate, whichever a host has installed.
//!
//! Nothing is recorded as it happens: a call counts in cells of its own thread (see `stats`), and what
//! these come to is handed on when the host asks for that, as often as its recorder is read.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use ::metrics::{Label, SharedString, Unit, counter, describe_counter, describe_gauge, gauge};

use crate::event::CircuitState;
use crate::lifecycle::State;
use crate::registry::{ExecutorStats, Stats};

/// The quantiles of durations, and how they are written.
const QUANTILES: [(f64, &str); 3] = [(0.5, "0.5"), (0.95, "0.95"), (0.99, "0.99")];

/// The states that a listed build can be in.
const STATES: [State; 9] = [
    State::Admitted,
    State::Loaded,
    State::Ready,
    State::Failed,
    State::Resting,
    State::Shadowed,
    State::HeldBack,
    State::Draining,
    State::Retired,
];

const CIRCUITS: [CircuitState; 3] = [
    CircuitState::Closed,
    CircuitState::Open,
    CircuitState::HalfOpen,
];

impl Stats {
    /// Hands all of it to the current recorder of the [`metrics`](::metrics) crate; does nothing where
    /// none is installed. (With the feature `metrics`.)
    ///
    /// ```
    /// use floe_registry::Registry;
    ///
    /// let registry = Registry::builder().build()?;
    /// // As often as the recorder is read: before each answer to a scrape, or every some seconds.
    /// registry.stats().export();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// | name | labels | unit |
    /// |---|---|---|
    /// | `floe_calls_total` | `plugin`, `node_type` | |
    /// | `floe_call_errors_total` | `plugin`, `node_type`, `kind` | |
    /// | `floe_calls_in_flight` | `plugin`, `node_type` | |
    /// | `floe_call_seconds` | `plugin`, `node_type`, `quantile` (`0.5`, `0.95`, `0.99`) | seconds |
    /// | `floe_call_seconds_mean` | `plugin`, `node_type` | seconds |
    /// | `floe_instances_live`, `floe_instances_capacity` | | |
    /// | `floe_instances_weight`, `floe_instances_capacity_weight` (if bounded) | | |
    /// | `floe_instances_hits_total`, `_misses_total`, `_evictions_total` | | |
    /// | `floe_mapped_bytes`, `floe_retired_bytes` | | bytes |
    /// | `floe_retired_generations` | | |
    /// | `floe_abandoned_threads` | | |
    /// | `floe_plugin_state` | `plugin`, `version`, `state` | |
    /// | `floe_plugin_circuit` | `plugin`, `version`, `state` | |
    ///
    /// What ends in `_total` is a counter, the rest are gauges. `plugin` is `kind/name`. The durations
    /// are of all calls since the registry was made. `floe_plugin_state` is, for each version of a
    /// plugin, how many builds of it are in the state, and zero for the states that none is in;
    /// `floe_plugin_circuit` likewise. Of what is no longer listed, a recorder keeps the last values
    /// until it forgets what is not set any more.
    ///
    /// Counters are set to what was counted, so that to export twice counts nothing twice. Those of two
    /// registries with executors of the same names would take each other's place.
    pub fn export(&self) {
        describe();
        for executor in &self.executors {
            export_executor(executor);
        }
        self.export_instances();
        gauge!("floe_mapped_bytes").set(float(self.memory.mapped_bytes));
        gauge!("floe_retired_bytes").set(float(self.memory.retired_bytes));
        gauge!("floe_retired_generations").set(float_of(self.memory.retired_generations));
        gauge!("floe_abandoned_threads").set(float_of(self.abandoned.len()));
        self.export_plugins();
    }

    fn export_instances(&self) {
        let instances = &self.instances;
        gauge!("floe_instances_live").set(float_of(instances.live));
        gauge!("floe_instances_capacity").set(float_of(instances.capacity));
        gauge!("floe_instances_weight").set(float(instances.weight));
        if let Some(weight) = instances.capacity_weight {
            gauge!("floe_instances_capacity_weight").set(float(weight));
        }
        counter!("floe_instances_hits_total").absolute(instances.hits);
        counter!("floe_instances_misses_total").absolute(instances.misses);
        counter!("floe_instances_evictions_total").absolute(instances.evictions);
    }

    fn export_plugins(&self) {
        // Several files may be of one version.
        let mut states: BTreeMap<[String; 2], Vec<(State, CircuitState)>> = BTreeMap::new();
        for plugin in &self.plugins {
            let build = &plugin.build;
            states
                .entry([build.plugin.to_string(), build.version.to_string()])
                .or_default()
                .push((plugin.state, plugin.circuit));
        }
        for ([plugin, version], builds) in states {
            let labels = |state: &dyn Display| {
                labels([
                    ("plugin", plugin.clone()),
                    ("version", version.clone()),
                    ("state", state.to_string()),
                ])
            };
            for state in STATES {
                let count = builds.iter().filter(|(own, _)| *own == state).count();
                gauge!("floe_plugin_state", labels(&state)).set(float_of(count));
            }
            for state in CIRCUITS {
                let count = builds.iter().filter(|(_, own)| *own == state).count();
                gauge!("floe_plugin_circuit", labels(&state)).set(float_of(count));
            }
        }
    }
}

fn export_executor(executor: &ExecutorStats) {
    let own = [
        ("plugin", executor.plugin.to_string()),
        ("node_type", executor.node_type.clone()),
    ];
    let plain = || labels(own.clone());
    let with = |name, value: &str| {
        let mut labels = plain();
        labels.push(Label::new(name, value.to_owned()));
        labels
    };
    let calls = &executor.calls;
    counter!("floe_calls_total", plain()).absolute(calls.calls);
    for (kind, count) in &calls.errors {
        counter!("floe_call_errors_total", with("kind", kind.as_str())).absolute(*count);
    }
    gauge!("floe_calls_in_flight", plain()).set(float(calls.in_flight));
    for (part, name) in QUANTILES {
        gauge!("floe_call_seconds", with("quantile", name))
            .set(seconds(calls.times.quantile(part)));
    }
    gauge!("floe_call_seconds_mean", plain()).set(seconds(calls.times.mean()));
}

fn labels<const N: usize>(labels: [(&'static str, String); N]) -> Vec<Label> {
    labels
        .into_iter()
        .map(|(name, value)| Label::new(name, SharedString::from(value)))
        .collect()
}

fn describe() {
    describe_counter!(
        "floe_calls_total",
        Unit::Count,
        "calls, with those that have not ended"
    );
    describe_counter!(
        "floe_call_errors_total",
        Unit::Count,
        "calls that failed, by the kind of error"
    );
    describe_gauge!(
        "floe_calls_in_flight",
        Unit::Count,
        "calls that have not ended"
    );
    describe_gauge!(
        "floe_call_seconds",
        Unit::Seconds,
        "how long calls took, by quantile"
    );
    describe_gauge!(
        "floe_call_seconds_mean",
        Unit::Seconds,
        "how long calls took on average"
    );
    describe_gauge!("floe_instances_live", Unit::Count, "live instances");
    describe_gauge!(
        "floe_instances_capacity",
        Unit::Count,
        "instances that may live at once"
    );
    describe_gauge!(
        "floe_instances_weight",
        Unit::Count,
        "the weight of the live instances"
    );
    describe_gauge!(
        "floe_instances_capacity_weight",
        Unit::Count,
        "the weight that live instances may have"
    );
    describe_counter!(
        "floe_instances_hits_total",
        Unit::Count,
        "uses that found a live instance"
    );
    describe_counter!(
        "floe_instances_misses_total",
        Unit::Count,
        "uses that had to start an instance"
    );
    describe_counter!(
        "floe_instances_evictions_total",
        Unit::Count,
        "instances that gave way to others"
    );
    describe_gauge!(
        "floe_mapped_bytes",
        Unit::Bytes,
        "libraries that were mapped"
    );
    describe_gauge!(
        "floe_retired_bytes",
        Unit::Bytes,
        "libraries that only ended generations had use for"
    );
    describe_gauge!(
        "floe_retired_generations",
        Unit::Count,
        "generations that have ended"
    );
    describe_gauge!(
        "floe_abandoned_threads",
        Unit::Count,
        "threads that are in a plugin though its deadline has passed"
    );
    describe_gauge!(
        "floe_plugin_state",
        Unit::Count,
        "builds of a version of a plugin that are in a state"
    );
    describe_gauge!(
        "floe_plugin_circuit",
        Unit::Count,
        "builds of a version of a plugin whose circuit is in a state"
    );
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "gauges are floats, and these are for people"
)]
const fn float(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "gauges are floats, and these are for people"
)]
const fn float_of(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests;
