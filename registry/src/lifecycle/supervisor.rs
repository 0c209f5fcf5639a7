//! The registry's engine: finds, starts, calls, replaces and ends what it was asked for.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;

use super::catalog::{Catalog, Mode};
use super::gate::Gate;
use super::ground::Ground;
use super::line::Track;
use super::slot::Slot;
use super::upgrade::Upgrades;
use crate::admit::Admission;
use crate::config::Sources;
use crate::discover::SearchDirectory;

/// What a registry does its work with.
pub(crate) struct Supervisor {
    pub(super) directories: Vec<SearchDirectory>,
    pub(super) admission: Admission,
    pub(super) mode: Mode,
    pub(super) sources: Mutex<Sources>,
    pub(super) ground: Arc<Ground>,
    /// What answers. Replaced at once, for all; its replacement is published under `publishing`.
    pub(super) catalog: ArcSwap<Catalog>,
    /// What will answer, to builds that are started for that.
    pub(super) staged: ArcSwapOption<Catalog>,
    pub(super) publishing: Mutex<Published>,
    /// Held by whoever changes what answers for which plugin, which may take as long as starts do.
    pub(super) upgrades: Mutex<Upgrades>,
    /// The handles that are there, by their place.
    pub(super) lines: Mutex<HashMap<usize, Weak<Track>>>,
    pub(super) parallel: usize,
}

/// What is published besides the catalog.
#[derive(Default)]
pub(super) struct Published {
    /// The executors of this program.
    pub(super) in_process: Vec<Arc<Slot>>,
    /// Builds that no longer answer by name, but to handles.
    pub(super) lingering: Vec<Arc<Slot>>,
}

/// What a supervisor is made of.
pub(crate) struct Parts {
    pub(crate) directories: Vec<SearchDirectory>,
    pub(crate) admission: Admission,
    pub(crate) mode: Mode,
    pub(crate) sources: Sources,
    pub(crate) parallel: usize,
}

impl Supervisor {
    /// A supervisor of nothing yet.
    pub(crate) fn new(parts: Parts, ground: Ground) -> Arc<Self> {
        Arc::new(Self {
            directories: parts.directories,
            admission: parts.admission,
            mode: parts.mode,
            sources: Mutex::new(parts.sources),
            ground: Arc::new(ground),
            catalog: ArcSwap::from_pointee(Catalog::new(
                Vec::new(),
                Vec::new(),
                Vec::new(),
                parts.mode,
            )),
            staged: ArcSwapOption::empty(),
            publishing: Mutex::default(),
            upgrades: Mutex::default(),
            lines: Mutex::default(),
            parallel: parts.parallel,
        })
    }

    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    pub(crate) const fn ground(&self) -> &Arc<Ground> {
        &self.ground
    }

    /// What every call passes.
    #[inline]
    pub(crate) fn gate(&self) -> &Gate {
        &self.ground.gate
    }

    /// The search path.
    pub(crate) fn directories(&self) -> &[SearchDirectory] {
        &self.directories
    }

    pub(crate) const fn admission(&self) -> &Admission {
        &self.admission
    }

    /// What answers, as a build sees it.
    pub(super) fn catalog_for(&self, slot: &Slot) -> Arc<Catalog> {
        let staged = slot.is_staged().then(|| self.staged.load_full()).flatten();
        staged.unwrap_or_else(|| self.catalog())
    }
}
