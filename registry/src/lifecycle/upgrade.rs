//! New builds beside running ones: scans, upgrades, rollbacks, other configurations.
//!
//! What a scan finds in place of a running build is a new generation of its plugin. It is started
//! beside the old one, for all for whom the old one runs, and published when all of that has gone
//! well. Where it has not, the old one stays, and the new one is *held back*: it is listed with the
//! reason, and not tried again until its file changes.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use floe_plugin_api::{Kind, Value};

use super::StartKey;
use super::catalog::{Catalog, HeldBack, Need};
use super::depend::Needs;
use super::publish::Files;
use super::slot::Slot;
use super::start::Refusal;
use super::supervisor::Supervisor;
use super::turn::{Circle, Taken, Turn};
use crate::admit::Judge;
use crate::config::Given;
use crate::discover::{self, Candidate, Outcome, Scanned};
use crate::error::{CallError, Rejection, Stage, UpgradeError};
use crate::event::{Ending, Event};
use crate::id::PluginId;
use crate::info::{Change, Changes};
use crate::isolation::{IsolationRule, IsolationSettings};

/// The checks that a file fails while it is written over.
const BEING_WRITTEN: [&str; 2] = ["incomplete", "empty"];

/// How many earlier generations of a plugin can be rolled back to.
const REMEMBERED: usize = 8;

/// What is remembered of upgrades.
#[derive(Default)]
pub(crate) struct Upgrades {
    /// The generations that answered before, the latest last.
    history: HashMap<PluginId, Vec<Arc<Slot>>>,
}

impl Upgrades {
    /// Remembers the generations that answered in one catalog and do not in the next.
    fn remember(&mut self, old: &Catalog, new: &Catalog) {
        for slot in old.active_slots().filter(|slot| slot.is_library()) {
            let replaced = new
                .active(slot.id())
                .is_some_and(|now| !Arc::ptr_eq(now, slot));
            if replaced {
                let history = self.history.entry(slot.id().clone()).or_default();
                if history.len() == REMEMBERED {
                    history.remove(0);
                }
                history.push(slot.clone());
            }
        }
    }
}

/// Whether a generation is one of these.
fn holds(slots: &[Arc<Slot>], slot: &Arc<Slot>) -> bool {
    slots.iter().any(|other| Arc::ptr_eq(slot, other))
}

/// A build that is to answer in place of another.
struct Succession {
    old: Arc<Slot>,
    new: Arc<Slot>,
}

/// What a walk over the search path found.
struct Survey {
    files: Files,
    changes: Changes,
}

impl Supervisor {
    /// Scans the search path for the first time.
    pub(crate) fn scan_first(self: &Arc<Self>) {
        let _upgrading = self.upgrades.lock();
        let survey = self.survey();
        self.publish(&survey.files);
    }

    /// Scans the search path again, starts what takes the place of running builds beside them, and
    /// publishes it all. With the changes comes what a strict registry refuses them for.
    pub(crate) fn rescan(self: &Arc<Self>) -> Result<Changes, Vec<Rejection>> {
        let Some(_turn) = self.upgrade_turn() else {
            tracing::warn!(
                "a scan that waits for its caller finds what there is; this one finds nothing"
            );
            return Ok(Changes::default());
        };
        let mut upgrades = self.upgrades.lock();
        let Survey { files, mut changes } = self.survey();
        if self.mode == super::Mode::Strict {
            let whole = self.catalog_of(&files, &self.publishing.lock().in_process);
            if !whole.rejected().is_empty() {
                return Err(whole.rejected().to_vec());
            }
        }
        let refused = self.replace(&mut upgrades, files, None);
        changes.held_back = refused
            .into_iter()
            .map(|held| crate::info::Held {
                change: Change::of(&held.slot),
                reason: held.reason,
            })
            .collect();
        Ok(changes)
    }

    /// The right to change what answers; nothing where the one that has it waits for this.
    fn upgrade_turn(&self) -> Option<Turn<'_, StartKey, CallError>> {
        loop {
            match self.ground.turns.take(StartKey::Upgrade) {
                Ok(Taken::Mine(turn)) => return Some(turn),
                Ok(Taken::Theirs(_)) => {}
                Err(Circle) => return None,
            }
        }
    }

    /// Finds what is in the search path, and what of it is known.
    fn survey(self: &Arc<Self>) -> Survey {
        let span = tracing::debug_span!("discover");
        let _entered = span.enter();
        let began = Instant::now();
        let old = self.catalog();
        let mut known: HashMap<PathBuf, Arc<Slot>> = HashMap::new();
        // More than one may have been held back in one place, one after another.
        let mut held: HashMap<PathBuf, Vec<HeldBack>> = HashMap::new();
        for each in old.held_back() {
            let path = each.slot.path().map(PathBuf::from).unwrap_or_default();
            held.entry(path).or_default().push(each.clone());
        }
        for slot in old.entries().iter().map(|entry| &entry.slot) {
            if let Some(path) = slot.path().filter(|_| old.holds(slot)) {
                known.insert(path.to_owned(), slot.clone());
            }
        }
        let mut files = Files {
            slots: Vec::new(),
            held_back: Vec::new(),
            rejected: Vec::new(),
        };
        let mut changes = Changes::default();
        let judge = Judge::new(&self.admission);
        let scanned = discover::scan(&self.directories).files;
        let contested = if self.admission.trust.asks_content() {
            contested(&scanned)
        } else {
            HashSet::new()
        };
        for file in scanned {
            let candidate = match file.outcome {
                Outcome::Candidate(candidate) => candidate,
                Outcome::Ignored(_) => continue,
                Outcome::Rejected(rejection) => {
                    // While it is written over in its place, the running build goes on.
                    if BEING_WRITTEN.contains(&rejection.check)
                        && let Some(slot) = known.get(&rejection.path)
                        && self.ground.instances.has(slot.generation())
                    {
                        files.slots.extend(known.remove(&rejection.path));
                    }
                    files.rejected.push(rejection);
                    continue;
                }
            };
            let before = known.remove(candidate.path());
            let held = held.remove(candidate.path()).unwrap_or_default();
            let admitted = {
                let manifest = candidate.manifest();
                let span = tracing::debug_span!("admit", plugin = %manifest.name, version = %manifest.version);
                let _entered = span.enter();
                judge.admit(candidate)
            };
            // One that cannot be loaded is not to take the place of one that can.
            let admitted = admitted.and_then(|admitted| {
                let known = before.as_ref().and_then(|slot| slot.admitted());
                let is_known = known.is_some_and(|known| known.is_as(&admitted));
                if !is_known && contested.contains(admitted.candidate().path()) {
                    Judge::check_content(&admitted, &self.ground.store)?;
                }
                Ok(admitted)
            });
            match admitted {
                Ok(admitted) => {
                    // The same file of which something else is asked is another build too.
                    let is_it =
                        |slot: &Slot| slot.admitted().is_some_and(|its| its.is_as(&admitted));
                    // Only now: a file that looks as it did may lie in a directory that does not.
                    if let Some(held) = held.into_iter().find(|held| is_it(&held.slot)) {
                        files.slots.extend(before);
                        files.held_back.push(held);
                        continue;
                    }
                    if let Some(slot) = before.as_ref().filter(|slot| is_it(slot)) {
                        files.slots.push(slot.clone());
                        continue;
                    }
                    let given = self
                        .sources
                        .lock()
                        .of(&admitted.candidate().manifest().name);
                    let slot = Slot::of_library(admitted, given, self.ground.clone());
                    let slot = Arc::new(slot);
                    match before {
                        Some(_) => changes.changed.extend(change(&slot)),
                        None => changes.added.extend(change(&slot)),
                    }
                    self.tell_admitted(&slot);
                    files.slots.push(slot);
                }
                Err(rejection) => {
                    changes.removed.extend(before.as_ref().and_then(change));
                    for slot in before.iter().chain(held.iter().map(|held| &held.slot)) {
                        slot.refuse((*rejection).clone());
                    }
                    files.rejected.push(*rejection);
                }
            }
        }
        // What answers in the place of one that is held back does so whatever becomes of its own file, but
        // that it is refused.
        let (held_back, freed): (Vec<HeldBack>, Vec<HeldBack>) = files
            .held_back
            .into_iter()
            .partition(|held| held.instead.is_refused().is_none());
        files.held_back = held_back;
        files.slots.extend(freed.into_iter().map(|held| held.slot));
        for held in &files.held_back {
            let instead = &held.instead;
            let there = |slot: &Arc<Slot>| Arc::ptr_eq(slot, instead);
            if old.holds(instead) && !files.slots.iter().any(there) {
                files.slots.push(instead.clone());
                known.retain(|_, slot| !there(slot));
            }
        }
        changes.removed.extend(known.values().filter_map(change));
        changes.removed.sort_by(|a, b| a.path.cmp(&b.path));
        self.tell_survey(&old, &files, began);
        let in_process = self.publishing.lock().in_process.clone();
        changes.rejected = self.catalog_of(&files, &in_process).rejected().to_vec();
        Survey { files, changes }
    }

    fn tell_admitted(&self, slot: &Slot) {
        self.ground.events.publish_with(|| Event::Admitted {
            build: slot.build().clone(),
            path: slot.path().map(PathBuf::from).unwrap_or_default(),
        });
    }

    fn tell_survey(&self, old: &Catalog, files: &Files, began: Instant) {
        let events = &self.ground.events;
        let known: HashSet<(&Path, &str, &str)> =
            old.rejected().iter().map(Rejection::essence).collect();
        for rejection in &files.rejected {
            if !known.contains(&rejection.essence()) {
                events.publish_with(|| Event::Rejected {
                    rejection: rejection.clone(),
                });
            }
        }
        let held = files.held_back.iter().map(|held| &held.slot);
        let slots = files.slots.iter().chain(held);
        let there: HashSet<Option<&Path>> = slots.map(|slot| slot.path()).collect();
        for entry in old.entries() {
            if entry.slot.is_library() && !there.contains(&entry.slot.path()) {
                events.publish_with(|| Event::Removed {
                    build: entry.slot.build().clone(),
                });
            }
        }
        events.publish_with(|| Event::Scanned {
            plugins: files.slots.len(),
            rejected: files.rejected.len(),
            took: began.elapsed(),
        });
    }

    /// Makes these files what answers. Builds that take the place of running ones are started beside
    /// those first, and held back where that does not go well. Gives those that were.
    ///
    /// What is `wanted` is started also where it answered before.
    fn replace(
        self: &Arc<Self>,
        upgrades: &mut Upgrades,
        mut files: Files,
        wanted: Option<&Arc<Slot>>,
    ) -> Vec<HeldBack> {
        let old = self.catalog();
        let mut refused = Vec::new();
        loop {
            let in_process = self.publishing.lock().in_process.clone();
            let new = Arc::new(self.catalog_of(&files, &in_process));
            for slot in &files.slots {
                slot.stage(!old.holds(slot));
            }
            self.staged.store(Some(new.clone()));
            let failed = self.breaking(&old, &new).or_else(|| {
                let mut successions = self.successions(&old, &new, wanted).into_iter();
                successions.find_map(|succession| {
                    let reason = self.prepare(&succession).err()?;
                    // It may run for some; nothing will lead there.
                    let instances = &self.ground.instances;
                    instances.close_all_of(succession.new.generation(), Ending::Unused);
                    Some((succession, reason))
                })
            });
            let Some((succession, reason)) = failed else {
                break;
            };
            let held = HeldBack {
                slot: succession.new.clone(),
                reason,
                instead: succession.old.clone(),
            };
            self.tell_held_back(&held);
            hold_back(&mut files, held.clone());
            refused.push(held);
        }
        self.publish(&files);
        self.staged.store(None);
        upgrades.remember(&old, &self.catalog());
        refused
    }

    fn tell_held_back(&self, held: &HeldBack) {
        tracing::warn!(plugin = %held.slot.id(), version = %held.slot.manifest().version, reason = %held.reason, "held back");
        self.ground.events.publish_with(|| Event::HeldBack {
            build: held.slot.build().clone(),
            active: Some(held.instead.manifest().version.clone()),
            reason: held.reason.clone(),
        });
    }

    /// The running builds that others are to take the place of, what they need first.
    fn successions(
        &self,
        old: &Catalog,
        new: &Catalog,
        wanted: Option<&Arc<Slot>>,
    ) -> Vec<Succession> {
        let mut found: Vec<Succession> = Vec::new();
        for entry in old.entries() {
            let slot = &entry.slot;
            // What is refused by now does not go on, whatever becomes of what takes its place.
            let runs = slot.is_library()
                && entry.standing.is_usable()
                && slot.is_refused().is_none()
                && self.ground.instances.has(slot.generation());
            if !runs {
                continue;
            }
            let successor = if new.holds(slot) {
                // It is there still, and another one is to answer for the plugin.
                let was_active = entry.standing == super::Standing::Active;
                new.active(slot.id()).filter(|_| was_active)
            } else {
                new.at_path_of(slot).or_else(|| new.active(slot.id()))
            };
            let is_wanted =
                |slot: &Arc<Slot>| wanted.is_some_and(|wanted| Arc::ptr_eq(wanted, slot));
            let successor = successor.filter(|new| !Arc::ptr_eq(new, slot));
            if let Some(successor) = successor.filter(|new| is_wanted(new) || !old.reaches(new)) {
                found.push(Succession {
                    old: slot.clone(),
                    new: successor.clone(),
                });
            }
        }
        // What others need comes first, so that they start beside what they will run with.
        let needs = Needs::of(new, found.iter().map(|each| each.new.clone()));
        let order = needs.order();
        let place = |slot: &Slot| order.iter().position(|each| *each == slot.generation());
        found.sort_by_key(|each| place(&each.new));
        found
    }

    /// A build that would take the place of one that a running plugin needs, in a version that this
    /// plugin does not take.
    fn breaking(&self, old: &Catalog, new: &Catalog) -> Option<(Succession, String)> {
        for entry in new.entries() {
            let dependent = &entry.slot;
            let runs = entry.standing.is_usable()
                && old.reaches(dependent)
                && self.ground.instances.has(dependent.generation());
            let needs = dependent.manifest().dependencies.iter();
            for dependency in needs.filter(|dependency| runs && !dependency.optional) {
                let (Need::Met(from), Need::Incompatible(_)) =
                    (old.need(dependency), new.need(dependency))
                else {
                    continue;
                };
                let to = new.at_path_of(&from).or_else(|| new.active(from.id()));
                let stays = from.is_refused().is_none();
                if let Some(to) = to.filter(|to| stays && !old.reaches(to)) {
                    let reason = format!(
                        "plugin `{}`, which is running, needs plugin `{}` `{}`; install a build of it that takes `{}`, or put this one beside the one that it needs",
                        dependent.title(),
                        to.id(),
                        dependency.version,
                        to.manifest().version
                    );
                    let new = to.clone();
                    return Some((Succession { old: from, new }, reason));
                }
            }
        }
        None
    }

    /// Sees to it that a build runs for all for whom the one runs that it takes the place of.
    fn prepare(self: &Arc<Self>, succession: &Succession) -> Result<(), String> {
        let Succession { old: from, new: to } = succession;
        for running in self.ground.instances.of_generation(from.generation()) {
            let lodging = running.key().lodging.clone();
            let occupied = self.occupy(to, lodging).map_err(|refusal| match refusal {
                Refusal::Retired => "it was retired before it started".to_owned(),
                Refusal::Error(error) => error.with_causes(),
            })?;
            occupied.keep();
        }
        Ok(())
    }

    /// Makes the generation that answered before answer again.
    pub(crate) fn rollback(self: &Arc<Self>, plugin: &str) -> Result<Change, UpgradeError> {
        let _turn = self.upgrade_turn().ok_or(UpgradeError::Busy)?;
        let mut upgrades = self.upgrades.lock();
        let catalog = self.catalog();
        let current = self.named(&catalog, plugin)?;
        let Some(earlier) = upgrades.history.get_mut(current.id()).and_then(Vec::pop) else {
            return Err(UpgradeError::NothingBefore {
                plugin: current.id().clone(),
                version: current.manifest().version.clone(),
            });
        };
        let mut files = self.present_files();
        // What is retired stays so: its build is taken into use as a new generation.
        let again = if catalog.holds(&earlier) {
            earlier.clone()
        } else {
            Arc::new(earlier.again((**earlier.given()).clone()))
        };
        let held = HeldBack {
            slot: current.clone(),
            reason: format!(
                "it was rolled back to version `{}`; another file in its place is tried",
                earlier.manifest().version
            ),
            instead: again.clone(),
        };
        hold_back(&mut files, held.clone());
        let lost = self.not_again(&again).map(|reason| HeldBack {
            slot: again.clone(),
            reason,
            instead: current.clone(),
        });
        let refused = match lost {
            Some(lost) => Some(lost),
            None => {
                let refused = self.replace(&mut upgrades, files, Some(&again));
                let is_it = |held: &HeldBack| Arc::ptr_eq(&held.slot, &again);
                refused.into_iter().find(is_it)
            }
        };
        if let Some(refused) = refused {
            let history = upgrades.history.entry(current.id().clone()).or_default();
            history.push(earlier);
            return Err(UpgradeError::HeldBack {
                plugin: again.id().clone(),
                version: again.manifest().version.clone(),
                reason: refused.reason,
            });
        }
        // Back and forth is not further back.
        if let Some(history) = upgrades.history.get_mut(current.id()) {
            history.retain(|slot| !Arc::ptr_eq(slot, &current));
        }
        self.tell_held_back(&held);
        Ok(change(&again).unwrap_or_else(|| Change::of(&again)))
    }

    /// Why an earlier generation cannot answer again: it is held against what is asked of files now, not
    /// when it answered.
    fn not_again(&self, again: &Slot) -> Option<String> {
        if again.is_lost() {
            return Some(
                "its code was never loaded, and its file is no longer what it was".to_owned(),
            );
        }
        let earlier = again.admitted()?;
        let judged = Judge::new(&self.admission).admit_again(earlier);
        let refused = judged.and_then(|admitted| match again.digest() {
            Some(content) => admitted.check_digest(content),
            // It would be loaded as it was admitted then.
            None if admitted.is_as(earlier) => Ok(()),
            None => Err(Box::new(Rejection::new(
                Stage::Admit,
                "unchanged",
                earlier.candidate().path(),
                "a file that was never loaded, of which something else is asked by now",
                "the file as it was admitted",
                "scan again",
            ))),
        });
        refused.err().map(|rejection| rejection.to_string())
    }

    /// Configures a plugin otherwise. Where it runs, it runs with that from now on, or goes on as it
    /// did.
    pub(crate) fn configure(
        self: &Arc<Self>,
        plugin: &str,
        config: Value,
    ) -> Result<(), UpgradeError> {
        let _turn = self.upgrade_turn().ok_or(UpgradeError::Busy)?;
        let mut upgrades = self.upgrades.lock();
        let mut files = self.present_files();
        let mut sources = self.sources.lock().clone();
        sources.set_program(plugin, config);
        let given: Given = sources.of(plugin);
        let mut again = Vec::new();
        for slot in &mut files.slots {
            if slot.manifest().name == plugin {
                *slot = Arc::new(slot.again(given.clone()));
                again.push(slot.clone());
            }
        }
        if let Some(refused) = again.iter().find_map(|slot| {
            // What does not fit is told also where nothing runs, if that can be told without running.
            let schemas = slot.known_schemas()?;
            given.resolve(&schemas.config, &slot.title()).err()
        }) {
            return Err(UpgradeError::Invalid(refused));
        }
        for slot in &again {
            slot.reconfigured();
        }
        match self.replace_by(&mut upgrades, files, &again) {
            None => {
                *self.sources.lock() = sources;
                Ok(())
            }
            Some(held) => {
                let given = self.sources.lock().of(plugin);
                Err(self.put_back(&mut upgrades, held, &again, |_| given.clone()))
            }
        }
    }

    /// Has a plugin run elsewhere. Where it runs, it runs there from now on, or goes on where it did.
    pub(crate) fn isolate(
        self: &Arc<Self>,
        plugin: &str,
        rule: IsolationRule,
    ) -> Result<(), UpgradeError> {
        let _turn = self.upgrade_turn().ok_or(UpgradeError::Busy)?;
        let mut upgrades = self.upgrades.lock();
        let named = self.named(&self.catalog(), plugin)?;
        let before = self.ground.isolation.load_full();
        let settings = IsolationSettings::clone(&before).plugin(named.id().to_string(), rule);
        self.ground.isolation.store(Arc::new(settings));
        let mut files = self.present_files();
        let mut again = Vec::new();
        for slot in &mut files.slots {
            if slot.id() == named.id() {
                *slot = Arc::new(slot.again(Given::clone(slot.given())));
                again.push(slot.clone());
            }
        }
        let Some(held) = self.replace_by(&mut upgrades, files, &again) else {
            return Ok(());
        };
        self.ground.isolation.store(before);
        let as_before = |slot: &Slot| Given::clone(slot.given());
        Err(self.put_back(&mut upgrades, held, &again, as_before))
    }

    /// Has these generations take the place of those before them; gives the first that does not.
    fn replace_by(
        self: &Arc<Self>,
        upgrades: &mut Upgrades,
        files: Files,
        again: &[Arc<Slot>],
    ) -> Option<HeldBack> {
        let refused = self.replace(upgrades, files, None);
        refused.into_iter().find(|held| holds(again, &held.slot))
    }

    /// Makes their builds new generations once more, after what they were to be was refused. It is that
    /// which was refused, not the builds.
    fn put_back(
        self: &Arc<Self>,
        upgrades: &mut Upgrades,
        refused: HeldBack,
        again: &[Arc<Slot>],
        given: impl Fn(&Slot) -> Given,
    ) -> UpgradeError {
        let mut files = self.present_files();
        files.held_back.retain(|other| !holds(again, &other.slot));
        for slot in files.slots.iter_mut().filter(|slot| holds(again, slot)) {
            *slot = Arc::new(slot.again(given(slot)));
        }
        self.replace(upgrades, files, None);
        UpgradeError::HeldBack {
            plugin: refused.slot.id().clone(),
            version: refused.slot.manifest().version.clone(),
            reason: refused.reason,
        }
    }

    /// The build that answers for the plugin of a name.
    fn named(&self, catalog: &Catalog, plugin: &str) -> Result<Arc<Slot>, UpgradeError> {
        let active = catalog.active_slots();
        let mut named = active.filter(|slot| {
            slot.is_library() && (slot.manifest().name == plugin || slot.id().to_string() == plugin)
        });
        match (named.next(), named.next()) {
            (Some(slot), None) => Ok(slot.clone()),
            (None, _) => Err(UpgradeError::NotFound {
                plugin: plugin.to_owned(),
            }),
            (Some(one), Some(other)) => Err(UpgradeError::Ambiguous {
                plugin: plugin.to_owned(),
                one: one.id().clone(),
                other: other.id().clone(),
            }),
        }
    }
}

/// Takes a build out of what answers, and puts the one back that it was to take the place of.
fn hold_back(files: &mut Files, held: HeldBack) {
    let old = held.instead.clone();
    let is = |one: &Arc<Slot>| {
        let one = one.clone();
        move |other: &Arc<Slot>| Arc::ptr_eq(&one, other)
    };
    files.held_back.retain(|other| !is(&old)(&other.slot));
    let there = files.slots.iter().any(is(&old));
    match files.slots.iter().position(is(&held.slot)) {
        Some(place) if there => drop(files.slots.remove(place)),
        // In its place, as the order is that of the search path.
        Some(place) => {
            if let Some(slot) = files.slots.get_mut(place) {
                *slot = old;
            }
        }
        None if there => {}
        None => files.slots.push(old),
    }
    files.held_back.push(held);
}

/// The files that offer what another one offers too: a version of the same plugin, or a node type.
fn contested(scanned: &[Scanned]) -> HashSet<PathBuf> {
    let mut plugins: HashMap<(&Kind, &str), Vec<&Candidate>> = HashMap::new();
    let mut node_types: HashMap<&str, Vec<&Candidate>> = HashMap::new();
    for file in scanned {
        let Outcome::Candidate(candidate) = &file.outcome else {
            continue;
        };
        let manifest = candidate.manifest();
        let plugin = (&manifest.kind, manifest.name.as_str());
        plugins.entry(plugin).or_default().push(candidate);
        for executor in &manifest.executors {
            let offers = node_types.entry(&executor.node_type).or_default();
            offers.push(candidate);
        }
    }
    let many = plugins.into_values().chain(node_types.into_values());
    let many = many.filter(|offers| offers.len() > 1).flatten();
    many.map(|candidate| candidate.path().to_owned()).collect()
}

fn change(slot: &Arc<Slot>) -> Option<Change> {
    slot.path().map(|_| Change::of(slot))
}
