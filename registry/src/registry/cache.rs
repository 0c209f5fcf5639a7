//! The live instances, as a host sees them.

use std::time::Duration;

use serde::Serialize;

use super::Registry;
use crate::event::{Ending, nanoseconds};
use crate::handle::Handle;
use crate::id::{Build, Scope};
use crate::isolation::Isolation;
use crate::lifecycle::{CacheStats, Running};

/// The live instances of a registry. Made by [`Registry::cache`].
#[derive(Clone, Copy, Debug)]
pub struct Cache<'a>(&'a Registry);

/// A live instance.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct InstanceInfo {
    /// The build.
    #[serde(flatten)]
    pub build: Build,
    /// For whom it is.
    #[serde(skip_serializing_if = "Scope::is_default")]
    pub scope: Scope,
    /// Where it runs.
    pub isolation: Isolation,
    /// What it takes of the capacity by weight.
    pub weight: u64,
    /// How long ago it was started, in nanoseconds.
    #[serde(rename = "age_ns", serialize_with = "nanoseconds")]
    pub age: Duration,
}

impl InstanceInfo {
    fn of(running: &Running) -> Self {
        Self {
            build: running.slot().build().clone(),
            scope: running.key().lodging.whose(),
            isolation: running.isolation(),
            weight: running.weight(),
            age: running.since().elapsed(),
        }
    }
}

impl Registry {
    /// The live instances.
    #[must_use]
    pub const fn cache(&self) -> Cache<'_> {
        Cache(self)
    }
}

impl Cache<'_> {
    /// How many there are and may be, and how often one was there when it was needed.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.0.stats().instances
    }

    /// All of them.
    #[must_use]
    pub fn list(&self) -> Vec<InstanceInfo> {
        let instances = self.0.supervisor().ground().instances.all();
        instances
            .iter()
            .map(|running| InstanceInfo::of(running))
            .collect()
    }

    /// The one that a handle's next call will use, if it is live; to look is not to use. Where there are
    /// tenants, a handle has none: whose it is, the call says.
    #[must_use]
    pub fn peek(&self, handle: &Handle) -> Option<InstanceInfo> {
        let key = handle.key();
        let running = self.0.supervisor().ground().instances.peek(&key)?;
        Some(InstanceInfo::of(&running))
    }

    /// Gives up the instances of a plugin, whose name this is, and tells how many that were. Each is
    /// stopped once no call is inside; the next call starts another.
    #[expect(
        clippy::must_use_candidate,
        reason = "the count is told, not asked for"
    )]
    pub fn invalidate(&self, plugin: &str) -> usize {
        let instances = &self.0.supervisor().ground().instances;
        let all = instances.all();
        let mut count = 0;
        for running in all {
            let id = running.slot().id();
            if (id.name == plugin || id.to_string() == plugin) && running.close(Ending::Stopped) {
                instances.remove(&running);
                count += 1;
            }
        }
        count
    }

    /// Gives up all instances, as [`Cache::invalidate`] does those of one plugin.
    #[expect(
        clippy::must_use_candidate,
        reason = "the count is told, not asked for"
    )]
    pub fn clear(&self) -> usize {
        let instances = &self.0.supervisor().ground().instances;
        instances.close_all(Ending::Stopped, |_| true)
    }
}
