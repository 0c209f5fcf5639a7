//! Turns: one thread at a time starts a thing, the others share what came of it, and none waits for
//! itself.
//!
//! A plugin may call others while it starts, and these start at their first call. Two plugins that
//! need each other would wait for ever, each holding its own start. So it is written down who starts
//! what and who waits for what, and a wait that would close a circle is refused.
//!
//! Who starts and waits is not a thread but an *actor*: work that is handed to another thread to be
//! bounded by a deadline is an actor of its own, and belongs to who handed it on for as long as that one
//! waits for it.

use std::cell::Cell;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::sync::{Condvar, Mutex, thread_local};

/// Who starts or waits: a thread, or a piece of work that a thread was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Actor(u64);

thread_local! {
    static ACTOR: Cell<Option<Actor>> = const { Cell::new(None) };
}

impl Actor {
    /// A new one.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The one that this thread is.
    pub(crate) fn current() -> Self {
        ACTOR.with(|actor| {
            let current = actor.get().unwrap_or_else(Self::new);
            actor.set(Some(current));
            current
        })
    }

    /// Makes this thread another one, until the guard is dropped.
    pub(crate) fn play(self) -> Played {
        Played(ACTOR.with(|actor| actor.replace(Some(self))))
    }
}

/// A thread that is another actor than its own.
pub(crate) struct Played(Option<Actor>);

impl Drop for Played {
    fn drop(&mut self) {
        ACTOR.with(|actor| actor.set(self.0));
    }
}

/// One start, and what came of it.
struct Flight<E> {
    starter: Actor,
    /// Set when it has ended: with the failure, if it was one.
    ended: Mutex<Option<Option<E>>>,
}

struct Waits<K, E> {
    starting: HashMap<K, Arc<Flight<E>>>,
    /// The start that each actor waits for.
    waiting: HashMap<Actor, K>,
    /// Who waits for the work that an actor does.
    handed_on_by: HashMap<Actor, Actor>,
}

impl<K: Hash + Eq + Clone, E> Waits<K, E> {
    /// Whether one actor does work for another, by way of others or not, or is it.
    fn is_for(&self, actor: Actor, other: Actor) -> bool {
        let mut next = Some(actor);
        // Nobody hands on to who handed on to them: each is made when it is handed something.
        while let Some(actor) = next {
            if actor == other {
                return true;
            }
            next = self.handed_on_by.get(&actor).copied();
        }
        false
    }

    /// Whether `actor` would wait, in the end, for itself, if it waited for `key`.
    fn would_close_circle(&self, actor: Actor, key: &K) -> bool {
        let mut seen: HashSet<&K> = HashSet::new();
        let mut open = vec![key];
        while let Some(key) = open.pop() {
            let Some(flight) = self.starting.get(key).filter(|_| seen.insert(key)) else {
                continue;
            };
            if self.is_for(actor, flight.starter) {
                return true;
            }
            let waits = self.waiting.iter();
            open.extend(
                waits
                    .filter(|(waiter, _)| self.is_for(**waiter, flight.starter))
                    .map(|(_, key)| key),
            );
        }
        false
    }
}

/// Who starts what, and who waits for whom. `K` names what is started, `E` is why it failed.
pub(crate) struct Turns<K, E> {
    waits: Mutex<Waits<K, E>>,
    ended: Condvar,
}

/// What came of asking for a turn.
pub(crate) enum Taken<'a, K: Hash + Eq + Clone, E: Clone> {
    /// It is one's own.
    Mine(Turn<'a, K, E>),
    /// Another one had it, and has ended: with this failure, or without one.
    Theirs(Option<E>),
}

/// To wait would be to wait for oneself.
#[derive(Debug)]
pub(crate) struct Circle;

impl<K: Hash + Eq + Clone, E: Clone> Turns<K, E> {
    pub(crate) fn new() -> Self {
        Self {
            waits: Mutex::new(Waits {
                starting: HashMap::new(),
                waiting: HashMap::new(),
                handed_on_by: HashMap::new(),
            }),
            ended: Condvar::new(),
        }
    }

    /// Takes the right to start something; where another one has it, waits until that one has ended,
    /// and gives what came of it.
    pub(crate) fn take(&self, key: K) -> Result<Taken<'_, K, E>, Circle> {
        let me = Actor::current();
        let mut waits = self.waits.lock();
        if waits.would_close_circle(me, &key) {
            return Err(Circle);
        }
        let flight = match waits.starting.entry(key.clone()) {
            Entry::Vacant(place) => {
                place.insert(Arc::new(Flight {
                    starter: me,
                    ended: Mutex::new(None),
                }));
                return Ok(Taken::Mine(Turn {
                    turns: self,
                    key,
                    failure: None,
                }));
            }
            Entry::Occupied(place) => place.get().clone(),
        };
        waits.waiting.insert(me, key);
        loop {
            let ended = flight.ended.lock().clone();
            if let Some(failure) = ended {
                waits.waiting.remove(&me);
                return Ok(Taken::Theirs(failure));
            }
            self.ended.wait(&mut waits);
        }
    }

    /// How many starts and how many waits are under way.
    #[cfg(test)]
    pub(crate) fn under_way(&self) -> (usize, usize) {
        let waits = self.waits.lock();
        (waits.starting.len(), waits.waiting.len())
    }

    /// Says that another actor does work for this one, until the guard is dropped. To be said before
    /// that one begins.
    pub(crate) fn hand_on(self: &Arc<Self>, to: Actor) -> HandedOn<K, E> {
        let me = Actor::current();
        self.waits.lock().handed_on_by.insert(to, me);
        HandedOn {
            turns: self.clone(),
            to,
        }
    }
}

/// The right to start something. Ends when it is dropped.
pub(crate) struct Turn<'a, K: Hash + Eq + Clone, E: Clone> {
    turns: &'a Turns<K, E>,
    key: K,
    failure: Option<E>,
}

impl<K: Hash + Eq + Clone, E: Clone> Turn<'_, K, E> {
    /// Ends it with a failure, which those who waited are told.
    pub(crate) fn fail(mut self, failure: E) {
        self.failure = Some(failure);
    }
}

impl<K: Hash + Eq + Clone, E: Clone> Drop for Turn<'_, K, E> {
    fn drop(&mut self) {
        let mut waits = self.turns.waits.lock();
        if let Some(flight) = waits.starting.remove(&self.key) {
            *flight.ended.lock() = Some(self.failure.take());
        }
        self.turns.ended.notify_all();
    }
}

/// Another actor does work for this one.
pub(crate) struct HandedOn<K: Hash + Eq + Clone, E: Clone> {
    turns: Arc<Turns<K, E>>,
    to: Actor,
}

impl<K: Hash + Eq + Clone, E: Clone> Drop for HandedOn<K, E> {
    fn drop(&mut self) {
        self.turns.waits.lock().handed_on_by.remove(&self.to);
    }
}
