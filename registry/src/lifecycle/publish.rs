//! Makes a catalog what answers, at once and for all, and ends what no longer does.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use floe_plugin_api::Manifest;
use floe_plugin_api::abi::RawPluginBox;

use super::catalog::{Catalog, HeldBack};
use super::line::Track;
use super::running::{Key, Lodging, Running};
use super::slot::Slot;
use super::supervisor::{Published, Supervisor};
use super::voice::Voice;
use crate::error::Rejection;
use crate::event::{Ending, Event};
use crate::host::Instance;
use crate::id::PluginId;
use crate::isolation::Isolation;
use crate::schema::Secrets;

/// What the files of a search path come to.
pub(super) struct Files {
    pub(super) slots: Vec<Arc<Slot>>,
    pub(super) held_back: Vec<HeldBack>,
    pub(super) rejected: Vec<Rejection>,
}

impl Supervisor {
    /// The catalog of these files and of the functions of this program.
    pub(super) fn catalog_of(&self, files: &Files, in_process: &[Arc<Slot>]) -> Catalog {
        let slots = in_process.iter().chain(&files.slots).cloned().collect();
        Catalog::new(
            slots,
            files.held_back.clone(),
            files.rejected.clone(),
            self.mode,
        )
    }

    /// The files that the present catalog is of.
    pub(super) fn present_files(&self) -> Files {
        let catalog = self.catalog();
        let mut files = Files {
            slots: Vec::new(),
            held_back: Vec::new(),
            rejected: catalog.scan_rejected().to_vec(),
        };
        let slots = catalog.entries().iter().map(|entry| &entry.slot);
        let slots = slots.filter(|slot| slot.is_library() && catalog.holds(slot));
        files.slots.extend(slots.cloned());
        files.held_back.extend_from_slice(catalog.held_back());
        files
    }

    /// Makes these files, and the functions of this program, what answers.
    pub(super) fn publish(&self, files: &Files) {
        let mut published = self.publishing.lock();
        let catalog = Arc::new(self.catalog_of(files, &published.in_process));
        self.put_up(&mut published, catalog);
    }

    /// Makes a catalog what answers.
    ///
    /// In this order: names lead to it, handles follow it, and only then do the builds end to which
    /// neither leads. A call that is on its way to one of those finds it ended and looks again.
    pub(super) fn put_up(&self, published: &mut Published, catalog: Arc<Catalog>) {
        let before = self.catalog.swap(catalog.clone());
        let lines = self.tracks();
        for line in &lines {
            line.follow(self);
        }
        for slot in catalog.entries().iter().map(|entry| &entry.slot) {
            slot.stage(false);
        }
        for active in catalog.active_slots() {
            if let Some(old) = before.active(active.id())
                && !Arc::ptr_eq(old, active)
            {
                tracing::info!(plugin = %active.id(), version = %active.manifest().version, replaces = %old.manifest().version, "published");
                self.ground.events.publish_with(|| Event::Published {
                    build: active.build().clone(),
                    replaces: old.build().clone(),
                });
            }
        }
        let mut gone: Vec<Arc<Slot>> = std::mem::take(&mut published.lingering);
        gone.extend(before.entries().iter().map(|entry| entry.slot.clone()));
        gone.retain(|slot| !slot.is_retired() && !catalog.holds(slot));
        self.end_unused(published, gone, &lines);
        for entry in catalog
            .entries()
            .iter()
            .filter(|entry| !entry.standing.is_usable())
        {
            // Nothing leads to it, though its file is there still.
            let instances = &self.ground.instances;
            instances.close_all_of(entry.slot.generation(), Ending::Retired);
        }
    }

    /// What the handles hold that there are.
    fn tracks(&self) -> Vec<Arc<Track>> {
        let lines = self.lines.lock();
        lines.values().filter_map(Weak::upgrade).collect()
    }

    /// Ends builds that no name leads to, but for those that a handle leads to.
    fn end_unused(&self, published: &mut Published, gone: Vec<Arc<Slot>>, lines: &[Arc<Track>]) {
        if gone.is_empty() {
            return;
        }
        let held: HashSet<u64> = lines
            .iter()
            .map(|line| line.target().slot().generation())
            .collect();
        for slot in gone {
            if held.contains(&slot.generation()) {
                published.lingering.push(slot);
            } else {
                self.ground.instances.retire(&slot);
            }
        }
    }

    /// Makes a function of this program an executor; where the node type is taken, says by whom.
    pub(crate) fn register(
        &self,
        manifest: Manifest,
        plugin: RawPluginBox,
    ) -> Result<(), PluginId> {
        let mut published = self.publishing.lock();
        let catalog = self.catalog();
        let mut offered = manifest.executors.iter();
        if let Some(target) = offered.find_map(|each| catalog.default_target(&each.node_type)) {
            return Err(target.slot().id().clone());
        }
        let slot = Arc::new(Slot::in_process(manifest, self.ground.clone()));
        let key = Key {
            generation: slot.generation(),
            lodging: Lodging::NOBODY,
        };
        // It asks its host for nothing.
        let voice = Arc::new(Voice::new(Weak::new(), slot.clone(), None));
        let secrets = Secrets::default();
        let running = Running::new(
            Instance::new(plugin),
            Isolation::InProcess,
            key,
            slot.clone(),
            voice,
            secrets,
            0,
        );
        self.ground.instances.pin(&Arc::new(running));
        published.in_process.push(slot);
        self.put_up_in_process(&mut published);
        Ok(())
    }

    /// Takes the function back that is registered under a node type; false where there is none.
    pub(crate) fn unregister(&self, node_type: &str) -> bool {
        let mut published = self.publishing.lock();
        let offers = |slot: &Arc<Slot>| slot.manifest().operation(node_type).is_some();
        let Some(index) = published.in_process.iter().position(offers) else {
            return false;
        };
        published.in_process.remove(index);
        self.put_up_in_process(&mut published);
        true
    }

    /// Makes the functions of this program answer that there are now, with the files as they were.
    fn put_up_in_process(&self, published: &mut Published) {
        let files = self.present_files();
        let catalog = Arc::new(self.catalog_of(&files, &published.in_process));
        self.put_up(published, catalog);
    }

    /// Takes note of a handle.
    pub(super) fn know(&self, line: &Arc<Track>) {
        let mut lines = self.lines.lock();
        lines.insert(Arc::as_ptr(line).addr(), Arc::downgrade(line));
    }

    /// A handle is gone: what it alone led to ends.
    pub(super) fn forget(&self, line: &Arc<Track>) {
        self.lines.lock().remove(&Arc::as_ptr(line).addr());
        let slot = line.target().slot().clone();
        if slot.is_retired() || self.catalog.load().holds(&slot) {
            return;
        }
        let mut published = self.publishing.lock();
        let lingering = std::mem::take(&mut published.lingering);
        let lines = self.tracks();
        self.end_unused(&mut published, lingering, &lines);
    }
}
