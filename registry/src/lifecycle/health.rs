//! How the plugins are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use floe_plugin_api::{ErrorKind, HealthState, Value};
use serde::Serialize;

use super::catalog::{Catalog, Need};
use super::depend::Needs;
use super::ending::overran;
use super::running::Running;
use super::slot::Slot;
use super::supervisor::Supervisor;
use super::workers::{NEVER, Task};
use crate::event::{CircuitState, Event, nanoseconds};
use crate::id::{Build, PluginId, Scope};

/// How a plugin is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PluginHealth {
    /// The build.
    #[serde(flatten)]
    pub build: Build,
    /// For whom the instance is that was asked.
    #[serde(skip_serializing_if = "Scope::is_default")]
    pub scope: Scope,
    /// How well it can do its work: the worse of what it says itself and what the plugins that it
    /// needs make of it.
    pub state: HealthState,
    /// Why, in words; empty where there is nothing to say.
    pub message: String,
    /// More for programs, as the plugin gave it.
    pub details: Value,
    /// The plugins that it needs and that are not well, which is why it is not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because_of: Vec<PluginId>,
    /// How long its answer took, in nanoseconds; 0 where it was not asked.
    #[serde(rename = "took_ns", serialize_with = "nanoseconds")]
    pub took: Duration,
}

/// How all live plugins are, and those that should be and are not.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HealthReport {
    /// The worst of them; healthy where there are none.
    pub state: HealthState,
    /// Each of them, in the order of their names.
    pub plugins: Vec<PluginHealth>,
}

/// What was asked of one instance, or known of one build.
struct Answer {
    slot: Arc<Slot>,
    health: PluginHealth,
}

impl Supervisor {
    /// Asks all live instances how they are, all at once, each within the deadline for that.
    pub(crate) fn health(self: &Arc<Self>) -> HealthReport {
        let catalog = self.catalog();
        let asked: Vec<_> = self
            .ground
            .instances
            .all()
            .into_iter()
            .map(|running| {
                let pending = self.ask(&running);
                (running, pending)
            })
            .collect();
        let mut answers: Vec<Answer> = asked
            .into_iter()
            .map(|(running, pending)| self.answer(&running, pending))
            .collect();
        for slot in catalog.active_slots().filter(|slot| slot.is_library()) {
            if !answers.iter().any(|answer| Arc::ptr_eq(&answer.slot, slot)) {
                answers.extend(unwell(slot));
            }
        }
        degrade(&catalog, &mut answers);
        let mut plugins: Vec<PluginHealth> =
            answers.into_iter().map(|answer| answer.health).collect();
        plugins.sort_by(|a, b| {
            (&a.build.plugin, &a.build.version, &a.scope).cmp(&(
                &b.build.plugin,
                &b.build.version,
                &b.scope,
            ))
        });
        let state = plugins.iter().map(|plugin| plugin.state).max();
        HealthReport {
            state: state.unwrap_or_default(),
            plugins,
        }
    }

    fn ask(
        &self,
        running: &Arc<Running>,
    ) -> super::workers::Pending<
        Option<(
            Result<floe_plugin_api::Health, floe_plugin_api::Error>,
            Duration,
        )>,
    > {
        let task = Task {
            plugin: running.slot().title(),
            doing: "health".to_owned(),
            isolation: running.isolation(),
        };
        let asked = running.clone();
        // As many as there are instances, and each bounded.
        self.ground.workers.begin_unlimited(
            task,
            self.ground.deadlines.health.unwrap_or(NEVER),
            move |ticket, _| {
                let began = Instant::now();
                ticket
                    .enter(&asked)
                    .then(|| (asked.health(), began.elapsed()))
            },
            drop,
        )
    }

    fn answer(
        &self,
        running: &Arc<Running>,
        pending: super::workers::Pending<
            Option<(
                Result<floe_plugin_api::Health, floe_plugin_api::Error>,
                Duration,
            )>,
        >,
    ) -> Answer {
        let slot = running.slot().clone();
        let mut health = PluginHealth {
            build: slot.build().clone(),
            scope: running.key().lodging.whose(),
            state: HealthState::Unhealthy,
            message: String::new(),
            details: Value::Null,
            because_of: Vec::new(),
            took: Duration::ZERO,
        };
        match pending.wait(|_, _| ()) {
            Ok(Some((Ok(said), took))) => {
                health.state = said.state;
                health.message = running.secrets().mask(&said.message);
                health.details = running.secrets().mask_value(&said.details);
                health.took = took;
            }
            Ok(Some((Err(error), took))) => {
                health.message = running.secrets().mask(error.message());
                health.took = took;
                if error.kind() == ErrorKind::Panicked {
                    running.poison(&health.message);
                }
            }
            Ok(None) => "it was not asked in time".clone_into(&mut health.message),
            Err(overrun) => {
                health.message = overran(&overrun, "answer");
                health.took = overrun.allowed;
                self.ground.tell_overrun(&slot, "health", &overrun);
            }
        }
        if running.says_another_state(health.state) {
            self.ground.events.publish_with(|| Event::Health {
                build: slot.build().clone(),
                state: health.state,
                message: health.message.clone(),
            });
        }
        Answer { slot, health }
    }
}

/// What is known of a build that has no live instance and should have one.
fn unwell(slot: &Arc<Slot>) -> Option<Answer> {
    let message = match (slot.circuit_state(), slot.failure()) {
        (CircuitState::Open, _) => {
            "it is left alone for a while: it panicked, crashed or ran out of time too often"
                .to_owned()
        }
        (_, Some(failure)) => format!("it failed at {}: {}", failure.stage, failure.reason),
        (_, None) => return None,
    };
    Some(Answer {
        health: PluginHealth {
            build: slot.build().clone(),
            scope: Scope::default(),
            state: HealthState::Unhealthy,
            message,
            details: Value::Null,
            because_of: Vec::new(),
            took: Duration::ZERO,
        },
        slot: slot.clone(),
    })
}

/// Makes plugins that need others as ill as those make them: what needs one that is not well is
/// degraded at least.
fn degrade(catalog: &Catalog, answers: &mut [Answer]) {
    let needs = Needs::of(catalog, answers.iter().map(|answer| answer.slot.clone()));
    let mut states: HashMap<u64, HealthState> = HashMap::new();
    for answer in answers.iter() {
        let state = states.entry(answer.slot.generation()).or_default();
        *state = answer.health.state.max(*state);
    }
    // Those in a circle come last, in no order: none of them runs.
    let (waves, rest) = needs.waves();
    let order = waves.iter().flatten().chain(&rest);
    for generation in order.map(|slot| slot.generation()) {
        for answer in answers
            .iter_mut()
            .filter(|answer| answer.slot.generation() == generation)
        {
            let required = answer.slot.manifest().dependencies.iter();
            for dependency in required.filter(|dependency| !dependency.optional) {
                let Need::Met(needed) = catalog.need(dependency) else {
                    continue;
                };
                let state = states.get(&needed.generation()).copied();
                if state.is_some_and(|state| state != HealthState::Healthy) {
                    answer.health.because_of.push(needed.id().clone());
                }
            }
            if let Some(first) = answer.health.because_of.first()
                && answer.health.state == HealthState::Healthy
            {
                answer.health.state = HealthState::Degraded;
                if answer.health.message.is_empty() {
                    answer.health.message =
                        format!("plugin `{first}`, which it needs, is not well");
                }
            }
            let state = states.entry(generation).or_default();
            *state = answer.health.state.max(*state);
        }
    }
}
