//! Turns: one thread at a time starts a plugin, and none waits for itself.
//!
//! A plugin may call others while it starts, and these start at their first call. Two plugins that
//! need each other would wait for ever, each holding its own start. So it is written down which
//! thread starts what and what it waits for, and a wait that would close a circle is refused.

use std::collections::HashMap;
use std::thread::{self, ThreadId};

use parking_lot::{Condvar, Mutex};

/// Names what is started: its address.
pub(super) type Key = usize;

#[derive(Default)]
struct Waits {
    /// The thread that starts each.
    starting: HashMap<Key, ThreadId>,
    /// What each thread waits for.
    waiting: HashMap<ThreadId, Key>,
}

impl Waits {
    /// Whether `thread` would wait, in the end, for itself, if it waited for `key`.
    fn would_close_circle(&self, thread: ThreadId, key: Key) -> bool {
        let mut next = Some(key);
        while let Some(key) = next {
            match self.starting.get(&key) {
                Some(starter) if *starter == thread => return true,
                Some(starter) => next = self.waiting.get(starter).copied(),
                None => return false,
            }
        }
        false
    }
}

static WAITS: Mutex<Option<Waits>> = Mutex::new(None);
static ENDED: Condvar = Condvar::new();

/// The right to start something. Ends when it is dropped.
pub(super) struct Turn(Key);

/// To wait would be to wait for oneself.
#[derive(Debug)]
pub(super) struct Circle;

impl Turn {
    /// Waits until nobody else starts it.
    pub(super) fn take(key: Key) -> Result<Self, Circle> {
        let me = thread::current().id();
        let mut guard = WAITS.lock();
        loop {
            let waits = guard.get_or_insert_default();
            if waits.would_close_circle(me, key) {
                return Err(Circle);
            }
            if let std::collections::hash_map::Entry::Vacant(place) = waits.starting.entry(key) {
                place.insert(me);
                return Ok(Self(key));
            }
            waits.waiting.insert(me, key);
            ENDED.wait(&mut guard);
            guard.get_or_insert_default().waiting.remove(&me);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        WAITS
            .lock()
            .get_or_insert_default()
            .starting
            .remove(&self.0);
        ENDED.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn a_thread_does_not_wait_for_itself() {
        let _first = Turn::take(1).unwrap();
        assert!(Turn::take(1).is_err());
        let _other = Turn::take(2).unwrap();
        assert!(Turn::take(1).is_err());
    }

    #[test]
    fn two_that_need_each_other_are_told_and_do_not_hang() {
        let both = Barrier::new(2);
        let start = |own, needed| {
            let _own = Turn::take(own).unwrap();
            both.wait();
            Turn::take(needed).is_ok()
        };
        let (first, second) = thread::scope(|scope| {
            let first = scope.spawn(|| start(11, 12));
            let second = scope.spawn(|| start(12, 11));
            (first.join().unwrap(), second.join().unwrap())
        });
        // One is refused; then it ends its own, and the other goes on.
        assert!(first != second, "{first} {second}");
    }
}
