//! Which plugins need which.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::catalog::{Catalog, Need};
use super::slot::Slot;
use crate::error::DependencyError;
use crate::graph::Graph;

/// The builds that a build needs to start, each with whether it can do without: those that are there.
pub(crate) fn needs(
    catalog: &Catalog,
    slot: &Slot,
) -> Result<Vec<(Arc<Slot>, Necessity)>, Box<DependencyError>> {
    let mut needs = Vec::new();
    for dependency in &slot.manifest().dependencies {
        let plugin = || crate::id::PluginId {
            kind: dependency.kind.clone(),
            name: dependency.name.clone(),
        };
        match catalog.need(dependency) {
            Need::Met(found) => needs.push((
                found,
                if dependency.optional {
                    Necessity::Optional
                } else {
                    Necessity::Required
                },
            )),
            // What is optional and not there, or not as it should be, is done without.
            Need::Missing | Need::Incompatible(_) if dependency.optional => {}
            Need::Missing => {
                return Err(Box::new(DependencyError::Missing {
                    plugin: slot.title(),
                    dependency: plugin(),
                    range: dependency.version.clone(),
                }));
            }
            Need::Incompatible(versions) => {
                return Err(Box::new(DependencyError::Incompatible {
                    plugin: slot.title(),
                    dependency: plugin(),
                    range: dependency.version.clone(),
                    versions,
                }));
            }
        }
    }
    Ok(needs)
}

/// Whether a build can do without what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Necessity {
    Required,
    Optional,
}

/// Builds, and which of them need which, found from some of them on.
pub(crate) struct Needs {
    slots: HashMap<u64, Arc<Slot>>,
    graph: Graph<u64>,
}

impl Needs {
    /// Follows what these builds need. What is not there is left out; whoever starts them finds that.
    pub(crate) fn of(catalog: &Catalog, from: impl IntoIterator<Item = Arc<Slot>>) -> Self {
        let mut slots: HashMap<u64, Arc<Slot>> = HashMap::new();
        let mut graph = Graph::new();
        let mut edges = Vec::new();
        let mut open: VecDeque<Arc<Slot>> = from.into_iter().collect();
        while let Some(slot) = open.pop_front() {
            let generation = slot.generation();
            if slots.insert(generation, slot.clone()).is_some() {
                continue;
            }
            graph.insert(generation);
            for dependency in &slot.manifest().dependencies {
                if let Need::Met(needed) = catalog.need(dependency) {
                    edges.push((generation, needed.generation()));
                    open.push_back(needed);
                }
            }
        }
        for (slot, needed) in edges {
            // Both were inserted.
            let _ = graph.need(&slot, &needed);
        }
        Self { slots, graph }
    }

    /// The generations in an order in which each comes after what it needs; none where there is none.
    pub(crate) fn order(&self) -> Vec<u64> {
        self.graph.order().unwrap_or_default()
    }

    fn slots(&self, generations: &[u64]) -> Vec<Arc<Slot>> {
        let slots = generations.iter().filter_map(|each| self.slots.get(each));
        slots.cloned().collect()
    }

    /// The builds in waves, each of which needs only those of earlier ones; and those that have no
    /// place in any, as they need each other in a circle or need such.
    pub(crate) fn waves(&self) -> (Vec<Vec<Arc<Slot>>>, Vec<Arc<Slot>>) {
        let mut graph = self.graph.clone();
        let mut rest: Vec<u64> = Vec::new();
        loop {
            match graph.waves() {
                Ok(waves) => {
                    let waves = waves.iter().map(|wave| self.slots(wave)).collect();
                    return (waves, self.slots(&rest));
                }
                Err(cycle) => {
                    let mut out: Vec<u64> = cycle.path().to_vec();
                    if let Some(first) = cycle.path().first() {
                        out.extend(graph.dependents(first));
                    }
                    let left = graph.nodes().iter().filter(|node| !out.contains(node));
                    let mut smaller: Graph<u64> = left.copied().collect();
                    for node in smaller.nodes().to_vec() {
                        for needed in graph.dependencies(&node) {
                            // Of what is left; nothing of it needs what is out.
                            let _ = smaller.need(&node, needed);
                        }
                    }
                    let out = graph.nodes().iter().filter(|node| out.contains(node));
                    rest.extend(out.copied());
                    graph = smaller;
                }
            }
        }
    }

    /// The circle in which builds need each other, if they do.
    pub(crate) fn circle(&self) -> Option<DependencyError> {
        let cycle = self.graph.waves().err()?;
        let path = self.slots(cycle.path());
        Some(DependencyError::Cycle {
            path: path
                .iter()
                .map(|slot| slot.manifest().name.clone())
                .collect(),
        })
    }
}

/// Refuses a build that needs itself, or what needs itself, by way of others.
pub(crate) fn refuse_circle(
    catalog: &Catalog,
    slot: &Arc<Slot>,
) -> Result<(), Box<DependencyError>> {
    match Needs::of(catalog, [slot.clone()]).circle() {
        Some(circle) => Err(Box::new(circle)),
        None => Ok(()),
    }
}
