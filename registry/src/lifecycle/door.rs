//! How callers reach an instance that may be given up under them.
//!
//! A handle, and an executor's entry in the catalog, is a [`Door`]: a place that leads to a live
//! instance, or nowhere. An instance keeps the list of the doors that lead to it, its [`Doors`], and is
//! closed once: from then on no door leads to it, and none will.
//!
//! Whoever goes through a door holds what is behind it until it comes out (the guard), so that closing
//! never waits for callers and callers never wait for closing. What is behind is dropped by whoever
//! comes out last.

use std::sync::{Arc, Weak};

use super::sync::{AtomicBool, Mutex, Ordering, Place};

/// A way to something that may be closed. `B` is what is behind it.
pub(crate) struct Door<B>(Place<B>);

impl<B> Door<B> {
    pub(crate) const fn new() -> Self {
        Self(Place::empty())
    }

    /// What is behind it, if anything; held until the guard is dropped.
    #[inline]
    pub(crate) fn enter(&self) -> impl std::ops::Deref<Target = Option<Arc<B>>> + '_ {
        self.0.load()
    }

    /// Makes it lead nowhere: the next caller has to look again.
    pub(crate) fn shut(&self) {
        self.0.store(None);
    }
}

/// The doors that lead to one thing, until it is closed.
pub(crate) struct Doors<B> {
    closed: AtomicBool,
    open: Mutex<Vec<Weak<Door<B>>>>,
}

/// Below how many doors nobody looks for those that are gone.
const FEW: usize = 64;

impl<B> Doors<B> {
    pub(crate) const fn new() -> Self {
        Self {
            closed: AtomicBool::new(false),
            open: Mutex::new(Vec::new()),
        }
    }

    /// Whether it was closed. A caller that is on its way in may have seen that it was not.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Makes a door lead to `behind`, which is of these doors' owner. Does nothing once it is closed.
    pub(crate) fn open(&self, door: &Arc<Door<B>>, behind: Arc<B>) {
        let mut open = self.open.lock();
        if self.closed.load(Ordering::Relaxed) {
            return;
        }
        // Handles come and go; the list is as long as those that are there, or twice that.
        if open.len() >= FEW && open.len() == open.capacity() {
            open.retain(|door| door.strong_count() > 0);
            let wanted = open.len() * 2;
            open.shrink_to(wanted.max(FEW));
        }
        open.push(Arc::downgrade(door));
        door.0.store(Some(behind));
    }

    /// Shuts every door that leads to what is `mine`, for good. True for the one caller that did it.
    pub(crate) fn close(&self, mine: impl Fn(&B) -> bool) -> bool {
        let mut open = self.open.lock();
        if self.closed.swap(true, Ordering::Relaxed) {
            return false;
        }
        let doors = std::mem::take(&mut *open);
        for door in doors.iter().filter_map(Weak::upgrade) {
            // A door may lead elsewhere by now; if it is led elsewhere at this moment, the next caller
            // finds it shut and opens it again.
            let leads_here = door.0.load().as_ref().is_some_and(|behind| mine(behind));
            if leads_here {
                door.0.store(None);
            }
        }
        true
    }
}
