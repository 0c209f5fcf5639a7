//! The state machines of the life cycle, in many or all of the orders in which threads may go.
//!
//! These are the files of the crate themselves, with the checker's primitives in place of the system's:
//! at each use of one, any thread may go on. Two threads at one door are run in every order; what has more
//! in thousands of orders chosen by chance, half of them with few changes of thread, which is what
//! most faults need. A deadlock fails a test like a wrong answer does.
//!
//! What this does not show: all memory is taken to be the same for all threads at all times. The one
//! place that reads shared memory without a lock and without `arc-swap` is the flag of
//! `Doors::is_closed`, of which an old value is allowed.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a check fails by panicking"
)]

#[path = "../../src/lifecycle/door.rs"]
mod door;
#[path = "../../src/lifecycle/turn.rs"]
mod turn;

mod doors;
mod turns;

/// What the crate has in `lifecycle/sync.rs`, made of the checker's.
mod sync {
    use std::ops::{Deref, DerefMut};
    use std::sync::{Arc, PoisonError};

    pub(super) use shuttle::sync::atomic::{AtomicBool, Ordering};
    pub(super) use shuttle::thread_local;

    /// A lock without poisoning.
    pub(super) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(super) const fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(super) fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
        }
    }

    /// The lock, held. Empty while it is waited for.
    pub(super) struct MutexGuard<'a, T>(Option<shuttle::sync::MutexGuard<'a, T>>);

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_ref().unwrap()
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().unwrap()
        }
    }

    pub(super) struct Condvar(shuttle::sync::Condvar);

    impl Condvar {
        pub(super) const fn new() -> Self {
            Self(shuttle::sync::Condvar::new())
        }

        pub(super) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            let held = guard.0.take().unwrap();
            let held = self.0.wait(held).unwrap_or_else(PoisonError::into_inner);
            guard.0 = Some(held);
        }

        pub(super) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// A pointer, or none. Loads and stores are single steps, and whoever loads keeps what it finds, as
    /// with `arc-swap`.
    pub(super) struct Place<T> {
        /// Looked at before each step, so that any thread may go on there.
        step: AtomicBool,
        value: std::sync::Mutex<Option<Arc<T>>>,
    }

    impl<T> Place<T> {
        pub(super) const fn empty() -> Self {
            Self {
                step: AtomicBool::new(false),
                value: std::sync::Mutex::new(None),
            }
        }

        fn step(&self) -> std::sync::MutexGuard<'_, Option<Arc<T>>> {
            self.step.load(Ordering::SeqCst);
            self.value.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(super) fn load(&self) -> Guard<T> {
            Guard(self.step().clone())
        }

        pub(super) fn store(&self, value: Option<Arc<T>>) {
            let before = std::mem::replace(&mut *self.step(), value);
            // What goes with it may do anything: not under the lock.
            drop(before);
        }
    }

    /// What was in a place, kept.
    pub(super) struct Guard<T>(Option<Arc<T>>);

    impl<T> Deref for Guard<T> {
        type Target = Option<Arc<T>>;

        fn deref(&self) -> &Self::Target {
            &self.0
        }
    }
}

/// Runs a scene in every order.
fn in_every_order(scene: impl Fn() + Send + Sync + 'static) {
    shuttle::check_dfs(scene, None);
}

/// Runs a scene in many orders.
fn in_many_orders(scene: impl Fn() + Clone + Send + Sync + 'static) {
    /// How many changes of thread the worst order needs; what goes wrong with more is rare.
    const DEPTH: usize = 4;
    shuttle::check_random(scene.clone(), 1_000);
    shuttle::check_pct(scene, 1_000, DEPTH);
}
