//! What the state machines of this folder are built from.
//!
//! They name these through `super::sync` alone, so that a model checker can put its own in their
//! place and look at every order in which threads may go (see `tests/model/`).

use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};

pub(super) use parking_lot::{Condvar, Mutex};
pub(super) use std::sync::atomic::{AtomicBool, Ordering};
pub(super) use std::thread_local;

/// A pointer, or none, that is read without a lock and kept alive by whoever reads it.
pub(super) struct Place<T>(ArcSwapOption<T>);

impl<T> Place<T> {
    pub(super) const fn empty() -> Self {
        Self(ArcSwapOption::const_empty())
    }

    /// What is there; it is not dropped before the guard is.
    #[inline]
    pub(super) fn load(&self) -> Guard<Option<Arc<T>>> {
        self.0.load()
    }

    pub(super) fn store(&self, value: Option<Arc<T>>) {
        self.0.store(value);
    }
}
