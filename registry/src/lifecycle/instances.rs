//! The cache of live instances.
//!
//! An instance costs memory, so a host keeps as many as it has room for: the least recently used gives
//! way. A use must not cost a lock, so it only leaves a mark on the instance, and the order is put
//! right when there is something to evict: of the candidates at the end, one that was marked since goes
//! to the front without its mark, and one that was not is evicted. That is an LRU whose uses are seen in
//! the order of looking, not of using.
//!
//! What is evicted is closed: no new caller gets in, and the last one to come out has it stopped.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;
use lru::LruCache;
use parking_lot::Mutex;
use serde::Serialize;

use super::running::{Key, Running};
use super::slot::Slot;
use crate::config::InstanceLimits;
use crate::event::{Ending, Event};

/// What the cache of live instances holds, and how well it serves.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CacheStats {
    /// How many instances it may hold.
    pub capacity: usize,
    /// How many it holds.
    pub live: usize,
    /// The weight that it may hold in all, if that is bounded.
    pub capacity_weight: Option<u64>,
    /// The weight that it holds.
    pub weight: u64,
    /// Uses that found a live instance. Counted where statistics are on.
    pub hits: u64,
    /// Uses that had to start one.
    pub misses: u64,
    /// Hits of all uses, from 0 to 1; nothing where there was no use.
    pub hit_rate: Option<f64>,
    /// Instances that gave way to others.
    pub evictions: u64,
}

pub(crate) struct Instances {
    held: Mutex<Held>,
    limits: InstanceLimits,
    misses: AtomicU64,
    evictions: AtomicU64,
}

struct Held {
    cache: LruCache<Key, Arc<Running>, RandomState>,
    weight: u64,
    /// Those of functions of this program, which cannot be started again.
    pinned: HashMap<u64, Arc<Running>>,
    /// How many there are of each generation.
    of: HashMap<u64, usize>,
    /// Nothing is kept any more.
    shut: bool,
}

impl Held {
    fn remove(&mut self, key: &Key) -> Option<Arc<Running>> {
        let running = self.cache.pop(key)?;
        self.weight = self.weight.saturating_sub(running.weight());
        if let Some(count) = self.of.get_mut(&key.generation) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&key.generation);
            }
        }
        Some(running)
    }

    /// The one that gives way. It is the last to be looked at if all have been used since.
    fn give_way(&mut self) -> Option<Arc<Running>> {
        for _ in 0..self.cache.len() {
            let (key, running) = self.cache.peek_lru()?;
            let key = key.clone();
            if !running.was_touched() {
                return self.remove(&key);
            }
            self.cache.promote(&key);
        }
        let (key, _) = self.cache.peek_lru()?;
        let key = key.clone();
        self.remove(&key)
    }
}

impl Held {
    /// How many are a tenant's.
    fn count_of(&self, tenant: &str) -> usize {
        let own = |key: &Key| key.lodging.tenant() == Some(tenant);
        self.cache.iter().filter(|(key, _)| own(key)).count()
    }

    /// The one of a tenant's that gives way.
    fn give_way_of(&mut self, tenant: &str) -> Option<Arc<Running>> {
        let own = |key: &Key| key.lodging.tenant() == Some(tenant);
        let mut oldest_first = self.cache.iter().rev().filter(|(key, _)| own(key));
        let unused = oldest_first
            .clone()
            .find(|(_, running)| !running.was_touched());
        let (key, _) = unused.or_else(|| oldest_first.next())?;
        let key = key.clone();
        self.remove(&key)
    }
}

/// Its generation has ended: what was to be kept must not be.
pub(crate) struct Retired;

impl Instances {
    pub(crate) fn new(limits: InstanceLimits) -> Self {
        Self {
            held: Mutex::new(Held {
                // Its own bound is not used, as weight bounds it too.
                cache: LruCache::unbounded_with_hasher(RandomState::default()),
                weight: 0,
                pinned: HashMap::new(),
                of: HashMap::new(),
                shut: false,
            }),
            limits,
            misses: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
        }
    }

    /// The live instance of a key.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Running>> {
        let mut held = self.held.lock();
        if let Some(running) = held.pinned.get(&key.generation) {
            return Some(running.clone());
        }
        held.cache.get(key).cloned()
    }

    /// The same, without using it.
    pub(crate) fn peek(&self, key: &Key) -> Option<Arc<Running>> {
        let held = self.held.lock();
        held.cache.peek(key).cloned()
    }

    /// Whether there is one of a generation.
    pub(crate) fn has(&self, generation: u64) -> bool {
        let held = self.held.lock();
        held.of.contains_key(&generation) || held.pinned.contains_key(&generation)
    }

    /// The live instances of a generation.
    pub(crate) fn of_generation(&self, generation: u64) -> Vec<Arc<Running>> {
        self.select(|key| key.generation == generation)
    }

    /// All that are live, those of functions of this program not counted.
    pub(crate) fn all(&self) -> Vec<Arc<Running>> {
        self.select(|_| true)
    }

    fn select(&self, wanted: impl Fn(&Key) -> bool) -> Vec<Arc<Running>> {
        let held = self.held.lock();
        let live = held.cache.iter().filter(|(key, _)| wanted(key));
        live.map(|(_, running)| running.clone()).collect()
    }

    /// Counts a call that had to start an instance.
    pub(crate) fn count_miss(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps an instance; others give way.
    pub(crate) fn insert(&self, running: &Arc<Running>) -> Result<(), Retired> {
        let mut evicted = Vec::new();
        let tenant = running.key().lodging.tenant();
        let most = tenant.and_then(|tenant| running.slot().ground().gate.most_instances(tenant));
        {
            let mut held = self.held.lock();
            // Whoever retires it does so under this lock.
            if held.shut || running.slot().is_retired() || running.is_closed() {
                return Err(Retired);
            }
            let key = running.key();
            evicted.extend(held.remove(key));
            let weight = running.weight();
            let full = |held: &Held| {
                held.cache.len() >= self.limits.capacity.max(1)
                    || self
                        .limits
                        .weight
                        .is_some_and(|limit| held.weight.saturating_add(weight) > limit)
            };
            // One that is heavier than all that is allowed is kept alone.
            while !held.cache.is_empty() && full(&held) {
                evicted.extend(held.give_way());
            }
            while let (Some(tenant), Some(most)) = (tenant, most)
                && held.count_of(tenant) >= most.get()
            {
                evicted.extend(held.give_way_of(tenant));
            }
            *held.of.entry(key.generation).or_default() += 1;
            held.weight = held.weight.saturating_add(weight);
            held.cache.put(key.clone(), running.clone());
        }
        for gone in evicted {
            self.evictions.fetch_add(1, Ordering::Relaxed);
            let ground = gone.slot().ground();
            ground.events.publish_with(|| Event::Evicted {
                build: gone.slot().build().clone(),
                scope: gone.key().lodging.whose(),
            });
            gone.close(Ending::Evicted);
        }
        Ok(())
    }

    /// Keeps the instance of a function of this program until its slot retires.
    pub(crate) fn pin(&self, running: &Arc<Running>) {
        let mut held = self.held.lock();
        held.pinned
            .insert(running.slot().generation(), running.clone());
    }

    /// Forgets an instance that was closed.
    pub(crate) fn remove(&self, running: &Arc<Running>) {
        let mut held = self.held.lock();
        let same = held
            .cache
            .peek(running.key())
            .is_some_and(|found| Arc::ptr_eq(found, running));
        // Dropped outside of the lock: the caller has another one.
        let _gone = same.then(|| held.remove(running.key()));
        drop(held);
    }

    /// Ends a generation: none of its instances is used any more, and none will be kept.
    pub(crate) fn retire(&self, slot: &Arc<Slot>) {
        let gone = {
            let mut held = self.held.lock();
            slot.retire();
            let mut gone = take(&mut held, |key| key.generation == slot.generation());
            gone.extend(held.pinned.remove(&slot.generation()));
            gone
        };
        close(&gone, Ending::Retired);
        drop(gone);
        if slot.is_empty() {
            slot.tell_retired();
        }
    }

    /// Closes all instances of a generation; the next use starts another.
    pub(crate) fn close_all_of(&self, generation: u64, why: Ending) -> usize {
        self.close_all(why, |key| key.generation == generation)
    }

    /// Closes the instances that are wanted gone, and tells how many those were.
    pub(crate) fn close_all(&self, why: Ending, wanted: impl Fn(&Key) -> bool) -> usize {
        let gone = take(&mut self.held.lock(), wanted);
        close(&gone, why);
        gone.len()
    }

    /// Whether nothing is kept any more.
    pub(crate) fn is_shut(&self) -> bool {
        self.held.lock().shut
    }

    /// Keeps nothing any more.
    pub(crate) fn shut(&self) {
        self.held.lock().shut = true;
    }

    /// Lets the functions of this program go.
    pub(crate) fn unpin_all(&self) {
        let pinned: Vec<Arc<Running>> = {
            let mut held = self.held.lock();
            held.pinned.drain().map(|(_, running)| running).collect()
        };
        close(&pinned, Ending::Stopped);
    }

    /// What it holds; `uses` are those of all plugins.
    pub(crate) fn stats(&self, uses: u64) -> CacheStats {
        let (live, weight) = {
            let held = self.held.lock();
            (held.cache.len(), held.weight)
        };
        let misses = self.misses.load(Ordering::Relaxed);
        let hits = uses.saturating_sub(misses);
        #[expect(clippy::cast_precision_loss, reason = "a rate, for people")]
        let hit_rate = (hits + misses > 0).then(|| hits as f64 / (hits + misses) as f64);
        CacheStats {
            capacity: self.limits.capacity,
            live,
            capacity_weight: self.limits.weight,
            weight,
            hits,
            misses,
            hit_rate,
            evictions: self.evictions.load(Ordering::Relaxed),
        }
    }
}

fn take(held: &mut Held, wanted: impl Fn(&Key) -> bool) -> Vec<Arc<Running>> {
    let keys: Vec<Key> = held
        .cache
        .iter()
        .filter(|(key, _)| wanted(key))
        .map(|(key, _)| key.clone())
        .collect();
    keys.iter().filter_map(|key| held.remove(key)).collect()
}

fn close(gone: &[Arc<Running>], why: Ending) {
    for running in gone {
        running.close(why);
    }
}
