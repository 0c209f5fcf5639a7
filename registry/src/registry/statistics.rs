//! What was counted and timed, put together.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use floe_plugin_api::Kind;
use serde::Serialize;

use super::Registry;
use crate::event::CircuitState;
use crate::id::{Build, PluginId};
use crate::lifecycle::{Abandoned, CacheStats, State, WorkersStats, maybe_nanoseconds};
use crate::stats::CallStats;

/// What was counted and timed since the registry was made.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// All calls.
    pub calls: CallStats,
    /// Each build that is listed, in that order.
    pub plugins: Vec<PluginStats>,
    /// Each executor that was called, by its node type.
    pub executors: Vec<ExecutorStats>,
    /// The calls of each category.
    pub categories: BTreeMap<String, CallStats>,
    /// The calls of each kind of plugin.
    pub kinds: BTreeMap<Kind, CallStats>,
    /// The cache of live instances.
    pub instances: CacheStats,
    /// The code that is mapped.
    pub memory: MemoryStats,
    /// The processes that plugins run in.
    pub workers: WorkersStats,
    /// Each tenant, by its name.
    pub tenants: BTreeMap<String, TenantStats>,
    /// Threads that are in a plugin still, though its deadline has passed.
    pub abandoned: Vec<Abandoned>,
}

/// What a tenant has at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TenantStats {
    /// How many of its calls are under way.
    pub in_flight: usize,
    /// How many instances are its own.
    pub instances: usize,
}

/// What was counted and timed of a build.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PluginStats {
    /// The build.
    #[serde(flatten)]
    pub build: Build,
    /// How far it has come.
    pub state: State,
    /// Its circuit.
    pub circuit: CircuitState,
    /// Its live instances.
    pub live: usize,
    /// How long its code took to load the last time, in nanoseconds.
    #[serde(rename = "load_ns", serialize_with = "maybe_nanoseconds")]
    pub load: Option<Duration>,
    /// How long it took to start the last time, in nanoseconds.
    #[serde(rename = "start_ns", serialize_with = "maybe_nanoseconds")]
    pub start: Option<Duration>,
    /// The calls of its plugin, whichever generation answered.
    pub calls: CallStats,
}

/// What was counted and timed of an executor.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ExecutorStats {
    /// The node type.
    pub node_type: String,
    /// The plugin that answered.
    pub plugin: PluginId,
    /// Its heading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Its calls.
    pub calls: CallStats,
}

/// The code that is mapped. None of it is ever unmapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemoryStats {
    /// The bytes of all libraries that this registry has mapped.
    pub mapped_bytes: u64,
    /// The generations that have ended.
    pub retired_generations: usize,
    /// The bytes of the libraries that only those had use for.
    pub retired_bytes: u64,
}

impl Registry {
    /// What was counted and timed since the registry was made. Takes some microseconds for each
    /// executor; calls are not kept waiting.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let ground = self.supervisor().ground();
        let catalog = self.supervisor().catalog();
        let mut categories_of: HashMap<(PluginId, String), String> = HashMap::new();
        for entry in catalog.entries() {
            for executor in &entry.slot.manifest().executors {
                if let Some(category) = &executor.category {
                    let key = (entry.slot.id().clone(), executor.node_type.clone());
                    categories_of.insert(key, category.clone());
                }
            }
        }
        let in_process: HashSet<&PluginId> = catalog
            .entries()
            .iter()
            .filter(|entry| !entry.slot.is_library())
            .map(|entry| entry.slot.id())
            .collect();
        let mut calls = CallStats::default();
        let mut of_plugin: HashMap<PluginId, CallStats> = HashMap::new();
        let mut categories: BTreeMap<String, CallStats> = BTreeMap::new();
        let mut kinds: BTreeMap<Kind, CallStats> = BTreeMap::new();
        let mut executors = Vec::new();
        let mut uses = 0;
        for (plugin, node_type, recorder) in ground.recorders.all() {
            let own = recorder.read();
            calls.merge(&own);
            if !in_process.contains(&plugin) {
                uses += own.calls;
            }
            of_plugin.entry(plugin.clone()).or_default().merge(&own);
            kinds.entry(plugin.kind.clone()).or_default().merge(&own);
            let category = categories_of.remove(&(plugin.clone(), node_type.clone()));
            if let Some(category) = &category {
                categories.entry(category.clone()).or_default().merge(&own);
            }
            executors.push(ExecutorStats {
                node_type,
                plugin,
                category,
                calls: own,
            });
        }
        executors.sort_by(|a, b| (&a.node_type, &a.plugin).cmp(&(&b.node_type, &b.plugin)));
        let mut live: HashMap<u64, usize> = HashMap::new();
        for running in ground.instances.all() {
            *live.entry(running.slot().generation()).or_default() += 1;
        }
        let plugins = catalog.entries().iter().map(|entry| {
            let slot = &entry.slot;
            let took = slot.took();
            PluginStats {
                build: slot.build().clone(),
                state: crate::info::state_of(entry),
                circuit: slot.circuit_state(),
                live: live.get(&slot.generation()).copied().unwrap_or_default(),
                load: took.load,
                start: took.start,
                calls: of_plugin.get(slot.id()).cloned().unwrap_or_default(),
            }
        });
        let plugins = plugins.collect();
        let used = catalog
            .entries()
            .iter()
            .filter_map(|entry| entry.slot.digest());
        let (mapped_bytes, retired_generations, retired_bytes) = ground.memory(&used.collect());
        Stats {
            calls,
            plugins,
            executors,
            categories,
            kinds,
            instances: ground.instances.stats(uses),
            memory: MemoryStats {
                mapped_bytes,
                retired_generations,
                retired_bytes,
            },
            workers: ground.roster.read(),
            tenants: self.tenants(),
            abandoned: ground.workers.abandoned(),
        }
    }

    fn tenants(&self) -> BTreeMap<String, TenantStats> {
        let ground = self.supervisor().ground();
        let rules = ground.gate.rules();
        let mut stats: BTreeMap<String, TenantStats> = BTreeMap::new();
        for name in rules.settings.tenants.keys() {
            let tenant = rules.tenants.of(name);
            let in_flight = tenant.map_or(0, |tenant| tenant.under_way());
            stats.insert(
                name.clone(),
                TenantStats {
                    in_flight,
                    ..TenantStats::default()
                },
            );
        }
        for running in ground.instances.all() {
            // One whose tenant is there no more has calls in it still.
            if let Some(tenant) = running.key().lodging.tenant() {
                stats.entry(tenant.to_string()).or_default().instances += 1;
            }
        }
        stats
    }
}
