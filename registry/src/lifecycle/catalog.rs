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

use floe_plugin_api::Dependency;

use super::slot::Slot;
use super::target::Target;
use crate::error::{CallError, DependencyError, LookupError, Rejection, Stage};
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
    /// It was to answer, and does not.
    HeldBack {
        /// Why, in words.
        reason: String,
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
            Self::HeldBack { reason } => Some(reason.clone()),
        }
    }

    /// Whether calls reach it.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        matches!(self, Self::Active | Self::Older { .. })
    }
}

/// A build that was to answer, and why it does not.
#[derive(Clone)]
pub(crate) struct HeldBack {
    pub(crate) slot: Arc<Slot>,
    pub(crate) reason: String,
    /// The build that goes on answering in its place, whatever becomes of that one's file.
    pub(crate) instead: Arc<Slot>,
}

/// What there is of a plugin that another one needs.
pub(crate) enum Need {
    /// A build that will do.
    Met(Arc<Slot>),
    /// No build of that plugin.
    Missing,
    /// Builds of it, in none of the versions that will do.
    Incompatible(Vec<Version>),
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
    /// The places of each plugin's builds among the entries, and of each generation.
    by_plugin: HashMap<PluginId, Vec<usize>>,
    by_generation: HashMap<u64, usize>,
    held_back: Vec<HeldBack>,
    /// All that was refused; the first of them by the scan.
    rejected: Vec<Rejection>,
    by_scan: usize,
}

impl Catalog {
    /// Builds the catalog of these slots, which come in search-path order, and of what was refused
    /// before.
    pub(crate) fn new(
        slots: Vec<Arc<Slot>>,
        held_back: Vec<HeldBack>,
        mut rejected: Vec<Rejection>,
        mode: Mode,
    ) -> Self {
        let mut slots = slots;
        let by_scan = rejected.len();
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
        entries.extend(held_back.iter().map(|held| Entry {
            slot: held.slot.clone(),
            standing: Standing::HeldBack {
                reason: held.reason.clone(),
            },
            lost: Vec::new(),
        }));
        for targets in targets.values_mut() {
            targets.sort_by_key(|target| Reverse(rank(&target.slot().manifest().version)));
        }
        let mut by_plugin: HashMap<PluginId, Vec<usize>> = HashMap::new();
        let mut by_generation = HashMap::new();
        for (place, entry) in entries.iter().enumerate() {
            match by_plugin.get_mut(entry.slot.id()) {
                Some(places) => places.push(place),
                None => drop(by_plugin.insert(entry.slot.id().clone(), vec![place])),
            }
            by_generation.insert(entry.slot.generation(), place);
        }
        Self {
            entries,
            targets,
            by_plugin,
            by_generation,
            held_back,
            rejected,
            by_scan,
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn rejected(&self) -> &[Rejection] {
        &self.rejected
    }

    /// What the scan refused, without what was refused for the company that it is in.
    pub(crate) fn scan_rejected(&self) -> &[Rejection] {
        self.rejected.get(..self.by_scan).unwrap_or_default()
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

    /// The target that answers to a reference of a plugin's: an executor of this program, of the
    /// plugin itself, or of one that it declares to need, in a version that it declares.
    pub(crate) fn resolve_for(
        &self,
        caller: &Slot,
        reference: &str,
    ) -> Result<&Arc<Target>, CallError> {
        let plain = self.targets.get_key_value(reference);
        let parsed: Reference;
        let (node_type, range) = match plain {
            Some((node_type, _)) => (&**node_type, None),
            None => {
                parsed = reference.parse().map_err(LookupError::from)?;
                (parsed.node_type(), parsed.range())
            }
        };
        let Some(targets) = self.targets.get(node_type) else {
            return Err(self.not_found(node_type).into());
        };
        let mut asked = targets.iter().filter(|target| {
            range.is_none_or(|range| range.matches(&target.slot().manifest().version))
        });
        let allowed = |target: &&Arc<Target>| {
            let slot = target.slot();
            !slot.is_library()
                || slot.id() == caller.id()
                || caller.manifest().dependencies.iter().any(|dependency| {
                    is_of(slot, dependency) && dependency.version.matches(&slot.manifest().version)
                })
        };
        if let Some(target) = asked.clone().find(allowed) {
            return Ok(target);
        }
        let Some(offered) = asked.next() else {
            // As anybody else is told.
            let reference = reference.parse::<Reference>().map_err(LookupError::from)?;
            return self.resolve(&reference).map_err(CallError::from);
        };
        let declared = caller
            .manifest()
            .dependencies
            .iter()
            .find(|dependency| is_of(offered.slot(), dependency));
        let error = match declared {
            None => DependencyError::Undeclared {
                plugin: caller.title(),
                node_type: node_type.to_owned(),
                offered_by: offered.slot().id().clone(),
                version: offered.slot().manifest().version.clone(),
            },
            Some(dependency) => DependencyError::Incompatible {
                plugin: caller.title(),
                dependency: offered.slot().id().clone(),
                range: dependency.version.clone(),
                versions: self.versions_of(dependency),
            },
        };
        Err(error.into())
    }

    /// What there is of a plugin that another one needs.
    pub(crate) fn need(&self, dependency: &Dependency) -> Need {
        let plugin = PluginId {
            kind: dependency.kind.clone(),
            name: dependency.name.clone(),
        };
        let usable = || {
            let builds = self.builds(&plugin);
            builds.filter(|entry| entry.standing.is_usable())
        };
        let fitting =
            usable().filter(|entry| dependency.version.matches(&entry.slot.manifest().version));
        match fitting.max_by_key(|entry| rank(&entry.slot.manifest().version)) {
            Some(entry) => Need::Met(entry.slot.clone()),
            None if usable().next().is_none() => Need::Missing,
            None => Need::Incompatible(self.versions_of(dependency)),
        }
    }

    fn versions_of(&self, dependency: &Dependency) -> Vec<Version> {
        let usable = self
            .entries
            .iter()
            .filter(|entry| entry.standing.is_usable() && is_of(&entry.slot, dependency));
        usable
            .map(|entry| entry.slot.manifest().version.clone())
            .collect()
    }

    /// The build that answers for a plugin.
    pub(crate) fn active(&self, plugin: &PluginId) -> Option<&Arc<Slot>> {
        let active = self
            .builds(plugin)
            .find(|entry| entry.standing == Standing::Active);
        active.map(|entry| &entry.slot)
    }

    /// The builds of a plugin, in the order of the entries.
    fn builds(&self, plugin: &PluginId) -> impl Iterator<Item = &Entry> {
        let places = self.by_plugin.get(plugin).into_iter().flatten();
        places.filter_map(|place| self.entries.get(*place))
    }

    fn entry(&self, slot: &Slot) -> Option<&Entry> {
        let place = self.by_generation.get(&slot.generation())?;
        self.entries.get(*place)
    }

    /// The builds that are held back.
    pub(crate) fn held_back(&self) -> &[HeldBack] {
        &self.held_back
    }

    /// The builds that answer for their plugins.
    pub(crate) fn active_slots(&self) -> impl Iterator<Item = &Arc<Slot>> {
        let active = self
            .entries
            .iter()
            .filter(|entry| entry.standing == Standing::Active);
        active.map(|entry| &entry.slot)
    }

    /// The build that is used of the plugin and the file of another one.
    pub(crate) fn at_path_of(&self, slot: &Slot) -> Option<&Arc<Slot>> {
        let used = self
            .builds(slot.id())
            .filter(|entry| entry.standing.is_usable());
        let mut used = used.map(|entry| &entry.slot);
        used.find(|other| other.path() == slot.path())
    }

    /// Whether a slot is in it, used or not, but for those that are held back.
    pub(crate) fn holds(&self, slot: &Arc<Slot>) -> bool {
        self.entry(slot)
            .is_some_and(|entry| !matches!(entry.standing, Standing::HeldBack { .. }))
    }

    /// Whether a slot is one of those that are reached.
    pub(crate) fn reaches(&self, slot: &Arc<Slot>) -> bool {
        self.entry(slot)
            .is_some_and(|entry| entry.standing.is_usable())
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

fn is_of(slot: &Slot, dependency: &Dependency) -> bool {
    slot.id().kind == dependency.kind && slot.id().name == dependency.name
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
