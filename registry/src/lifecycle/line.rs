//! What a handle holds: an executor that is asked for by name, and what answers to it now.

use std::sync::{Arc, Weak};

use floe_plugin_api::Value;
use parking_lot::Mutex;

use super::catalog::Catalog;
use super::door::Door;
use super::entrance::Entrance;
use super::running::{Bound, Lodging, Override};
use super::supervisor::Supervisor;
use super::target::Target;
use super::waves::Owner;
use crate::error::LookupError;
use crate::id::{Reference, Scope};

/// An executor that was asked for by name. It follows what answers to the name: from one generation of
/// a plugin to the next, and from one version to a higher one. Where nothing answers any more, it goes
/// on with what answered last.
pub(crate) struct Line {
    owner: Arc<Owner>,
    track: Arc<Track>,
}

/// The part of a line that a call on another thread may keep: it keeps no registry at work.
pub(crate) struct Track {
    reference: Reference,
    lodging: Lodging,
    current: Mutex<Current>,
    /// Leads to instances of the target; changed under the target's lock alone, or to nowhere.
    entrance: Entrance,
}

/// What a track leads to.
struct Current {
    target: Arc<Target>,
    /// The catalog that says so: where it is the same still, nothing is to be looked up.
    catalog: Weak<Catalog>,
}

impl Line {
    /// The line of a reference, known to its supervisor.
    pub(crate) fn new(
        owner: Arc<Owner>,
        reference: Reference,
        lodging: Lodging,
        target: Arc<Target>,
    ) -> Arc<Self> {
        let track = Arc::new(Track {
            reference,
            lodging,
            current: Mutex::new(Current {
                target,
                catalog: Weak::new(),
            }),
            entrance: Entrance::new(),
        });
        let supervisor = owner.supervisor();
        supervisor.know(&track);
        // What was published before it was known has not been told to it.
        track.follow(supervisor);
        Arc::new(Self { owner, track })
    }

    /// The same for another scope.
    pub(crate) fn scoped(&self, scope: Scope) -> Arc<Self> {
        self.with(Lodging {
            tenant: None,
            scope,
            config: self.track.lodging.config.clone(),
        })
    }

    /// The same with another configuration.
    pub(crate) fn configured(&self, config: Value) -> Arc<Self> {
        self.with(Lodging {
            tenant: None,
            scope: self.track.lodging.scope.clone(),
            config: Some(Override::new(config)),
        })
    }

    fn with(&self, lodging: Lodging) -> Arc<Self> {
        Self::new(
            self.owner.clone(),
            self.track.reference.clone(),
            lodging,
            self.track.target(),
        )
    }

    #[inline]
    pub(crate) fn supervisor(&self) -> &Arc<Supervisor> {
        self.owner.supervisor()
    }

    #[inline]
    pub(crate) const fn track(&self) -> &Arc<Track> {
        &self.track
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.supervisor().forget(&self.track);
    }
}

impl Track {
    pub(crate) const fn reference(&self) -> &Reference {
        &self.reference
    }

    pub(crate) const fn lodging(&self) -> &Lodging {
        &self.lodging
    }

    #[inline]
    pub(crate) const fn door(&self) -> &Arc<Door<Bound>> {
        self.entrance.anybodys()
    }

    pub(crate) const fn entrance(&self) -> &Entrance {
        &self.entrance
    }

    /// What answers now.
    pub(crate) fn target(&self) -> Arc<Target> {
        self.current.lock().target.clone()
    }

    /// What answers to it, or why nothing does: what it led to last has ended too.
    pub(crate) fn answer(&self, supervisor: &Supervisor) -> Result<Arc<Target>, LookupError> {
        let target = self.follow(supervisor);
        if target.slot().is_retired() {
            // Followed once more by way of the name, for its reason.
            return supervisor.catalog().resolve(&self.reference).cloned();
        }
        Ok(target)
    }

    /// Does something to its doors, if they are still this target's.
    pub(crate) fn if_still(&self, target: &Arc<Target>, act: impl FnOnce(&Entrance)) {
        let current = self.current.lock();
        if Arc::ptr_eq(&current.target, target) {
            act(&self.entrance);
        }
    }

    /// Takes what answers now, if anything does, and gives what it leads to then.
    pub(crate) fn follow(&self, supervisor: &Supervisor) -> Arc<Target> {
        // Read under the lock, so that of two who follow the later reads what is published later.
        let mut current = self.current.lock();
        let catalog = supervisor.catalog.load();
        if !std::ptr::eq(current.catalog.as_ptr(), Arc::as_ptr(&catalog))
            && let Ok(answers) = catalog.resolve(&self.reference)
        {
            let before = &current.target;
            let same = Arc::ptr_eq(before.slot(), answers.slot())
                && before.operation() == answers.operation();
            if !same {
                current.target = answers.clone();
                self.entrance.shut();
            }
            current.catalog = Arc::downgrade(&catalog);
        }
        current.target.clone()
    }
}
