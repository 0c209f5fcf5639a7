//! What every slot of a registry stands on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::StartKey;
use super::ending::Warden;
use super::gate::Gate;
use super::instances::Instances;
use super::isolated::Roster;
use super::slot::Slot;
use super::turn::Turns;
use super::workers::{Lost, Overrun, Workers};
use crate::admit::{Quarantine, QuarantineSettings, State, Store};
use crate::config::{CircuitSettings, Deadlines};
use crate::error::CallError;
use crate::event::{Bus, Event};
use crate::id::{Digest, PluginId};
use crate::isolation::IsolationSettings;
use crate::stats::Recorder;

/// What every slot of a registry stands on: what they share and what they tell.
pub(crate) struct Ground {
    pub(crate) store: Store,
    pub(crate) state: State,
    pub(crate) quarantine: Quarantine,
    pub(crate) turns: Arc<Turns<StartKey, CallError>>,
    pub(crate) workers: Workers,
    pub(crate) warden: Arc<Warden>,
    pub(crate) instances: Instances,
    pub(crate) events: Bus<Event>,
    pub(crate) deadlines: Deadlines,
    pub(crate) circuit: CircuitSettings,
    pub(crate) recorders: Recorders,
    /// Where plugins run. Others see it change.
    pub(crate) isolation: Arc<ArcSwap<IsolationSettings>>,
    pub(crate) roster: Roster,
    pub(crate) gate: Gate,
    generations: AtomicU64,
    starts: AtomicU64,
    memory: Mutex<Memory>,
}

/// What a registry keeps on the disk.
pub(crate) struct Disk {
    pub(crate) store: Store,
    pub(crate) state: State,
    pub(crate) quarantine: QuarantineSettings,
}

/// What plugins are held to.
pub(crate) struct Bounds {
    pub(crate) deadlines: Deadlines,
    pub(crate) circuit: CircuitSettings,
}

/// What stays when generations go.
#[derive(Default)]
struct Memory {
    /// The bytes of each content that was mapped.
    mapped: HashMap<Digest, u64>,
    /// How many generations have retired.
    retired: usize,
    /// The contents that they had mapped.
    left: HashSet<Digest>,
}

impl Ground {
    pub(crate) fn new(
        disk: Disk,
        instances: Instances,
        bounds: Bounds,
        recorders: Recorders,
        isolation: Arc<ArcSwap<IsolationSettings>>,
        gate: Gate,
        events: usize,
    ) -> Self {
        let turns = Arc::new(Turns::new());
        Self {
            store: disk.store,
            quarantine: Quarantine::new(&disk.state, disk.quarantine),
            state: disk.state,
            workers: Workers::new(turns.clone()),
            turns,
            warden: Arc::default(),
            instances,
            events: Bus::new(events),
            deadlines: bounds.deadlines,
            circuit: bounds.circuit,
            recorders,
            isolation,
            roster: Roster::default(),
            gate,
            generations: AtomicU64::new(0),
            starts: AtomicU64::new(0),
            memory: Mutex::default(),
        }
    }

    pub(crate) fn next_generation(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The number of a start: the later, the higher.
    pub(crate) fn next_start(&self) -> u64 {
        self.starts.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn mapped(&self, digest: Digest, bytes: u64) {
        self.memory.lock().mapped.insert(digest, bytes);
    }

    pub(crate) fn retired(&self, content: Option<Digest>) {
        let mut memory = self.memory.lock();
        memory.retired += 1;
        memory.left.extend(content);
    }

    /// The bytes of code that this registry has mapped; how many generations have retired, and the
    /// bytes of what they had mapped, but for what is `used` still.
    pub(crate) fn memory(&self, used: &HashSet<Digest>) -> (u64, usize, u64) {
        let memory = self.memory.lock();
        let left = memory.left.difference(used);
        let left = left.filter_map(|digest| memory.mapped.get(digest));
        (memory.mapped.values().sum(), memory.retired, left.sum())
    }

    /// Tells of a thread that did not come back, and gives up the instance that it is inside of.
    pub(crate) fn tell_overrun(&self, slot: &Arc<Slot>, doing: &str, overrun: &Overrun) {
        if overrun.is_in_a_worker() {
            return;
        }
        if overrun.how == Lost::Abandoned {
            tracing::warn!(plugin = %slot.id(), version = %slot.manifest().version, doing, allowed = ?overrun.allowed, "a thread was abandoned");
            self.events.publish_with(|| Event::Abandoned {
                build: slot.build().clone(),
                doing: doing.to_owned(),
                allowed: overrun.allowed,
            });
        }
        if let Some(running) = &overrun.inside {
            running.poison(&format!(
                "{doing} had not ended after {:?}",
                overrun.allowed
            ));
        }
    }
}

/// Whether calls are counted and timed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Statistics {
    /// They are: some nanoseconds a call.
    #[default]
    On,
    /// They are not.
    Off,
}

/// The statistics of each executor. They go on from one generation of a plugin to the next.
pub(crate) struct Recorders {
    statistics: Statistics,
    of: Mutex<HashMap<(PluginId, String), Arc<Recorder>>>,
}

impl Recorders {
    pub(crate) fn new(statistics: Statistics) -> Self {
        Self {
            statistics,
            of: Mutex::default(),
        }
    }

    pub(crate) fn of(&self, plugin: &PluginId, node_type: &str) -> Option<Arc<Recorder>> {
        if self.statistics == Statistics::Off {
            return None;
        }
        let key = (plugin.clone(), node_type.to_owned());
        Some(self.of.lock().entry(key).or_default().clone())
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<(PluginId, String, Arc<Recorder>)> {
        let of = self.of.lock();
        of.iter()
            .map(|((plugin, node_type), recorder)| {
                (plugin.clone(), node_type.clone(), recorder.clone())
            })
            .collect()
    }
}
