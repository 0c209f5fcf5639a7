//! What a handle holds: an executor that is asked for by name, and what answers to it now.

use std::sync::Arc;

use floe_plugin_api::Value;
use parking_lot::Mutex;

use super::catalog::Catalog;
use super::door::Door;
use super::running::{Bound, Lodging, Override};
use super::supervisor::Supervisor;
use super::target::Target;
use super::waves::Owner;
use crate::id::{Reference, Scope};

/// An executor that was asked for by name. It follows what answers to the name: from one generation of
/// a plugin to the next, and from one version to a higher one. Where nothing answers any more, it goes
/// on with what answered last.
pub(crate) struct Line {
    owner: Arc<Owner>,
    reference: Reference,
    lodging: Lodging,
    target: Mutex<Arc<Target>>,
    /// Leads to an instance of the target; changed under the target's lock alone, or to nowhere.
    door: Arc<Door<Bound>>,
}

impl Line {
    /// The line of a reference, known to its supervisor.
    pub(crate) fn new(
        owner: Arc<Owner>,
        reference: Reference,
        lodging: Lodging,
        target: Arc<Target>,
    ) -> Arc<Self> {
        let line = Arc::new(Self {
            owner,
            reference,
            lodging,
            target: Mutex::new(target),
            door: Arc::new(Door::new()),
        });
        line.supervisor().know(&line);
        line
    }

    /// The same for another scope.
    pub(crate) fn scoped(&self, scope: Scope) -> Arc<Self> {
        self.with(Lodging {
            scope,
            config: self.lodging.config.clone(),
        })
    }

    /// The same with another configuration.
    pub(crate) fn configured(&self, config: Value) -> Arc<Self> {
        self.with(Lodging {
            scope: self.lodging.scope.clone(),
            config: Some(Override::new(config)),
        })
    }

    fn with(&self, lodging: Lodging) -> Arc<Self> {
        Self::new(
            self.owner.clone(),
            self.reference.clone(),
            lodging,
            self.target(),
        )
    }

    #[inline]
    pub(crate) fn supervisor(&self) -> &Arc<Supervisor> {
        self.owner.supervisor()
    }

    pub(crate) const fn reference(&self) -> &Reference {
        &self.reference
    }

    pub(crate) const fn lodging(&self) -> &Lodging {
        &self.lodging
    }

    #[inline]
    pub(crate) const fn door(&self) -> &Arc<Door<Bound>> {
        &self.door
    }

    /// What answers now.
    pub(crate) fn target(&self) -> Arc<Target> {
        self.target.lock().clone()
    }

    /// Does something to its door, if it is still this target's.
    pub(crate) fn if_still(&self, target: &Arc<Target>, act: impl FnOnce(&Arc<Door<Bound>>)) {
        let current = self.target.lock();
        if Arc::ptr_eq(&current, target) {
            act(&self.door);
        }
    }

    /// Takes what answers in a new catalog, if anything does.
    pub(crate) fn follow(&self, catalog: &Catalog) {
        let Ok(answers) = catalog.resolve(&self.reference) else {
            return;
        };
        let mut target = self.target.lock();
        let same =
            Arc::ptr_eq(target.slot(), answers.slot()) && target.operation() == answers.operation();
        if !same {
            *target = answers.clone();
            self.door.shut();
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.supervisor().forget(self);
    }
}
