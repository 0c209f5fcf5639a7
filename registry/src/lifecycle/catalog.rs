//! Which build answers to which name.
//!
//! A catalog is a pure function of the slots, given in search-path order. It is never changed: a
//! scan or a registration makes a new one, which replaces the old one at once, for all readers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use foldhash::fast::FixedState;
use semver::Version;
use serde::Serialize;

use super::{Slot, Target};
use crate::error::{LookupError, Rejection, Stage};
use crate::id::{PluginId, Reference};

/// What becomes of a node type that two plugins claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// The first plugin in search-path order has it. Files that are refused are listed, and the
    /// rest is used.
    #[default]
    Loose,
    /// Both plugins are refused; and any file that is refused is an error of the whole.
    Strict,
}

/// Whether a build answers for its plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Standing {
    /// It answers.
    Active,
    /// A newer build answers; this one does where its version is asked for.
    Older {
        /// The version of the one that answers.
        active: Version,
    },
    /// A build of the same version comes first in the search path; this one is never used.
    Duplicate {
        /// The file of the one that comes first.
        first: PathBuf,
    },
}

impl Standing {
    /// Why it does not answer, in words; `None` where it does.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Active => None,
            Self::Older { active } => Some(format!(
                "version `{active}` is active; this one answers where its version is asked for"
            )),
            Self::Duplicate { first } => Some(format!(
                "`{}` has the same version and comes first in the search path",
                first.to_string_lossy().escape_debug()
            )),
        }
    }
}

/// A slot and its place among the others.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) slot: Arc<Slot>,
    pub(crate) standing: Standing,
    /// The plugins that have a node type which this one claims too, by the executor's number.
    pub(crate) lost: Vec<(usize, PluginId)>,
}

/// All that can be called.
pub(crate) struct Catalog {
    entries: Vec<Entry>,
    /// The targets of each node type: the default first, then the others from the newest on.
    targets: HashMap<Box<str>, Vec<Arc<Target>>, FixedState>,
    rejected: Vec<Rejection>,
}

impl Catalog {
    /// Builds the catalog of these slots, which come in search-path order, and of what was refused
    /// before.
    pub(crate) fn new(slots: Vec<Arc<Slot>>, mut rejected: Vec<Rejection>, mode: Mode) -> Self {
        let mut slots = slots;
        if mode == Mode::Strict {
            slots = refuse_colliding(slots, &mut rejected);
        }
        let standings = standings(&slots);
        let owners = owners(&slots, &standings);
        let mut targets: HashMap<Box<str>, Vec<Arc<Target>>, FixedState> = HashMap::default();
        let mut entries = Vec::with_capacity(slots.len());
        for (slot, standing) in slots.iter().zip(standings.iter().cloned()) {
            let mut lost = Vec::new();
            for (index, executor) in slot.manifest().executors.iter().enumerate() {
                let owner = owners.get(executor.node_type.as_str()).copied();
                if let Some(owner) = owner.filter(|owner| *owner != slot.id()) {
                    lost.push((index, owner.clone()));
                    continue;
                }
                let usable = !matches!(standing, Standing::Duplicate { .. });
                if usable && let Ok(operation) = u32::try_from(index) {
                    targets
                        .entry(executor.node_type.as_str().into())
                        .or_default()
                        .push(Arc::new(Target::new(slot.clone(), operation)));
                }
            }
            entries.push(Entry {
                slot: slot.clone(),
                standing,
                lost,
            });
        }
        for targets in targets.values_mut() {
            targets.sort_by_key(|target| Reverse(rank(&target.slot().manifest().version)));
        }
        Self {
            entries,
            targets,
            rejected,
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn rejected(&self) -> &[Rejection] {
        &self.rejected
    }

    /// The target of a node type, in its default version.
    #[inline]
    pub(crate) fn default_target(&self, node_type: &str) -> Option<&Arc<Target>> {
        self.targets.get(node_type)?.first()
    }

    /// The target of each node type, in its default version, in no order.
    pub(crate) fn default_targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.targets.values().filter_map(|targets| targets.first())
    }

    /// The target that answers to a reference: of the versions that will do, the highest.
    pub(crate) fn resolve(&self, reference: &Reference) -> Result<&Arc<Target>, LookupError> {
        let Some(targets) = self.targets.get(reference.node_type()) else {
            return Err(self.not_found(reference.node_type()));
        };
        let found = match reference.range() {
            None => targets.first(),
            Some(range) => targets
                .iter()
                .find(|target| range.matches(&target.slot().manifest().version)),
        };
        found.ok_or_else(|| LookupError::NoVersion {
            reference: reference.to_string(),
            versions: targets
                .iter()
                .map(|target| target.slot().manifest().version.to_string())
                .collect(),
        })
    }

    pub(crate) fn not_found(&self, node_type: &str) -> LookupError {
        const ALIKE: f64 = 0.8;
        let alike = self
            .targets
            .keys()
            .map(|known| (strsim::jaro_winkler(known, node_type), known));
        let nearest = alike
            .filter(|(likeness, _)| *likeness >= ALIKE)
            .max_by(|(a, known_a), (b, known_b)| a.total_cmp(b).then(known_b.cmp(known_a)));
        LookupError::NotFound {
            node_type: node_type.to_owned(),
            nearest: nearest.map(|(_, known)| known.to_string()),
        }
    }
}

/// The order in which versions are preferred: releases before pre-releases, then the higher.
fn rank(version: &Version) -> (bool, Version) {
    let mut plain = version.clone();
    // Builds of one version are one version.
    plain.build = semver::BuildMetadata::EMPTY;
    (version.pre.is_empty(), plain)
}

/// The standing of each slot.
fn standings(slots: &[Arc<Slot>]) -> Vec<Standing> {
    // For each plugin, its versions, and the slot of each that comes first.
    let mut plugins: HashMap<&PluginId, BTreeMap<(bool, Version), usize>> = HashMap::new();
    for (index, slot) in slots.iter().enumerate() {
        let versions = plugins.entry(slot.id()).or_default();
        versions
            .entry(rank(&slot.manifest().version))
            .or_insert(index);
    }
    let standing = |(index, slot): (usize, &Arc<Slot>)| {
        let versions = plugins.get(slot.id());
        let own = versions.and_then(|versions| versions.get(&rank(&slot.manifest().version)));
        let active = versions.and_then(|versions| versions.last_key_value());
        match (own, active) {
            (Some(&first), _) if first != index => Standing::Duplicate {
                first: slots.get(first).map(|slot| place(slot)).unwrap_or_default(),
            },
            (_, Some((_, &active))) if active != index => match slots.get(active) {
                Some(slot) => Standing::Older {
                    active: slot.manifest().version.clone(),
                },
                None => Standing::Active,
            },
            _ => Standing::Active,
        }
    };
    slots.iter().enumerate().map(standing).collect()
}

/// The file of a slot, or what stands for it.
fn place(slot: &Slot) -> PathBuf {
    slot.path()
        .map_or_else(|| PathBuf::from("(this program)"), PathBuf::from)
}

/// The plugin that has each node type: the first that claims it in a build that is used at all.
fn owners<'a>(slots: &'a [Arc<Slot>], standings: &[Standing]) -> HashMap<&'a str, &'a PluginId> {
    let mut owners = HashMap::new();
    for (slot, standing) in slots.iter().zip(standings) {
        if matches!(standing, Standing::Duplicate { .. }) {
            continue;
        }
        for executor in &slot.manifest().executors {
            owners
                .entry(executor.node_type.as_str())
                .or_insert_with(|| slot.id());
        }
    }
    owners
}

/// Takes out the plugins that claim one node type, and says so.
fn refuse_colliding(slots: Vec<Arc<Slot>>, rejected: &mut Vec<Rejection>) -> Vec<Arc<Slot>> {
    let mut claims: BTreeMap<&str, Vec<&PluginId>> = BTreeMap::new();
    for slot in &slots {
        for executor in &slot.manifest().executors {
            let claimants = claims.entry(&executor.node_type).or_default();
            if !claimants.contains(&slot.id()) {
                claimants.push(slot.id());
            }
        }
    }
    claims.retain(|_, claimants| claimants.len() > 1);
    let colliding: HashSet<&PluginId> = claims.values().flatten().copied().collect();
    for slot in &slots {
        if !colliding.contains(slot.id()) {
            continue;
        }
        let found: Vec<String> = claims
            .iter()
            .filter(|(_, claimants)| claimants.contains(&slot.id()))
            .map(|(node_type, claimants)| {
                let names: Vec<String> = claimants.iter().map(|id| format!("`{id}`")).collect();
                format!(
                    "the node type `{node_type}` claimed by {}",
                    names.join(" and ")
                )
            })
            .collect();
        rejected.push(Rejection::new(
            Stage::Admit,
            "node-type",
            &place(slot),
            found.join(", "),
            "node types that one plugin alone claims, as discovery is strict",
            "remove one of the plugins, or scan loosely, where the first in the search path wins",
        ));
    }
    let colliding: HashSet<PluginId> = colliding.into_iter().cloned().collect();
    slots
        .into_iter()
        .filter(|slot| !colliding.contains(slot.id()))
        .collect()
}
