//! Starts all plugins in order, and stops them in the reverse.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Serialize, Serializer};

use super::catalog::Need;
use super::depend::Needs;
use super::running::{Lodging, Running};
use super::slot::Slot;
use super::start::Refusal;
use super::supervisor::Supervisor;
use super::workers::is_worker;
use crate::error::CallError;
use crate::event::{Ending, nanoseconds};
use crate::graph::Graph;
use crate::id::{Build, Scope};

/// How all plugins are started.
///
/// ```
/// use floe_registry::StartOptions;
///
/// let one_by_one = StartOptions::new().parallel(1).fail_fast();
/// # let _ = one_by_one;
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct StartOptions {
    parallel: Option<usize>,
    fail_fast: bool,
}

impl StartOptions {
    /// As many at once as the registry is set up for, 5 by default; what can be started is.
    pub const fn new() -> Self {
        Self {
            parallel: None,
            fail_fast: false,
        }
    }

    /// Sets how many are started at once; 1 starts one after another.
    pub fn parallel(mut self, plugins: usize) -> Self {
        self.parallel = Some(plugins.max(1));
        self
    }

    /// Begins no other start once one has failed.
    pub const fn fail_fast(mut self) -> Self {
        self.fail_fast = true;
        self
    }
}

/// What became of one plugin's start.
#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StartOutcome {
    /// It was started.
    Started,
    /// It was live before.
    Running,
    /// It could not be loaded or started.
    Failed {
        /// Why.
        #[serde(serialize_with = "text")]
        error: CallError,
    },
    /// It was not tried, as a plugin that it needs failed, or as another one did and the start was to
    /// fail fast.
    Skipped {
        /// The plugin at which it began.
        because_of: String,
    },
}

fn text<S: Serializer>(error: &CallError, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&error.with_causes())
}

/// One plugin's start.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct PluginStart {
    /// The build.
    #[serde(flatten)]
    pub build: Build,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: StartOutcome,
    /// How long loading took, in nanoseconds; nothing where it was loaded before.
    #[serde(rename = "load_ns", serialize_with = "maybe_nanoseconds")]
    pub load: Option<Duration>,
    /// How long the plugin's own start took, in nanoseconds; nothing where it was not started now.
    #[serde(rename = "start_ns", serialize_with = "maybe_nanoseconds")]
    pub start: Option<Duration>,
}

#[expect(
    clippy::ref_option,
    reason = "the signature that serde's serialize_with asks for"
)]
pub(crate) fn maybe_nanoseconds<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => nanoseconds(duration, serializer),
        None => serializer.serialize_none(),
    }
}

/// What became of the start of all plugins.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct StartReport {
    /// The plugins in waves: each needs only those of earlier waves.
    pub waves: Vec<Vec<PluginStart>>,
    /// How long it all took, in nanoseconds.
    #[serde(rename = "took_ns", serialize_with = "nanoseconds")]
    pub took: Duration,
}

impl StartReport {
    /// The plugins, in the order of their waves.
    pub fn plugins(&self) -> impl Iterator<Item = &PluginStart> {
        self.waves.iter().flatten()
    }

    /// Whether every plugin is live.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.plugins().all(|plugin| {
            matches!(
                plugin.outcome,
                StartOutcome::Started | StartOutcome::Running
            )
        })
    }
}

/// One instance's end.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct InstanceStop {
    /// The build.
    #[serde(flatten)]
    pub build: Build,
    /// For whom it was.
    #[serde(skip_serializing_if = "Scope::is_default")]
    pub scope: Scope,
    /// Whether it has ended. One that has not has calls inside that do not end, or does not heed its
    /// deadline.
    pub ended: bool,
}

impl Supervisor {
    /// Starts all plugins that answer, and what they need, in order.
    pub(crate) fn start_all(self: &Arc<Self>, options: StartOptions) -> StartReport {
        let began = Instant::now();
        let catalog = self.catalog();
        let active: Vec<Arc<Slot>> = catalog
            .active_slots()
            .filter(|slot| slot.is_library())
            .cloned()
            .collect();
        let needs = Needs::of(&catalog, active);
        // Those in a circle, and what needs those, fail each by itself; the others are started.
        let (waves, circular) = needs.waves();
        let parallel = options.parallel.unwrap_or(self.parallel).max(1);
        let failed: Mutex<HashMap<u64, String>> = Mutex::default();
        let broken = AtomicBool::new(false);
        let first_failure: Mutex<Option<String>> = Mutex::new(None);
        let mut report = Vec::new();
        for wave in waves
            .iter()
            .chain([&circular].into_iter().filter(|rest| !rest.is_empty()))
        {
            let results: Vec<Mutex<Option<PluginStart>>> =
                wave.iter().map(|_| Mutex::new(None)).collect();
            let next = AtomicUsize::new(0);
            let work = || {
                while let Some((slot, result)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    wave.get(index).zip(results.get(index))
                } {
                    // Those in a circle each say so themselves.
                    let because = if circular.iter().any(|other| Arc::ptr_eq(other, slot)) {
                        None
                    } else {
                        self.because_of(&catalog, slot, &failed.lock())
                    };
                    let because = because.or_else(|| {
                        (options.fail_fast && broken.load(Ordering::Acquire))
                            .then(|| first_failure.lock().clone())
                            .flatten()
                    });
                    let started = self.start_one(slot, because);
                    match &started.outcome {
                        StartOutcome::Failed { .. } => {
                            failed.lock().insert(slot.generation(), slot.title());
                            first_failure.lock().get_or_insert_with(|| slot.title());
                            broken.store(true, Ordering::Release);
                        }
                        StartOutcome::Skipped { because_of } => {
                            failed.lock().insert(slot.generation(), because_of.clone());
                        }
                        StartOutcome::Started | StartOutcome::Running => {}
                    }
                    *result.lock() = Some(started);
                }
            };
            std::thread::scope(|scope| {
                for _ in 1..parallel.min(wave.len()) {
                    // A system that gives no thread leaves the work to the others.
                    drop(
                        std::thread::Builder::new()
                            .name("floe-start".to_owned())
                            .spawn_scoped(scope, work),
                    );
                }
                work();
            });
            report.push(results.into_iter().filter_map(Mutex::into_inner).collect());
        }
        StartReport {
            waves: report,
            took: began.elapsed(),
        }
    }

    /// The failed plugin that a build needs, by way of others or not.
    fn because_of(
        &self,
        catalog: &super::Catalog,
        slot: &Slot,
        failed: &HashMap<u64, String>,
    ) -> Option<String> {
        let required = slot
            .manifest()
            .dependencies
            .iter()
            .filter(|each| !each.optional);
        required
            .filter_map(|dependency| match catalog.need(dependency) {
                Need::Met(needed) => failed.get(&needed.generation()).cloned(),
                Need::Missing | Need::Incompatible(_) => None,
            })
            .next()
    }

    fn start_one(self: &Arc<Self>, slot: &Arc<Slot>, because: Option<String>) -> PluginStart {
        let before = slot.took();
        let outcome = if let Some(because_of) = because {
            StartOutcome::Skipped { because_of }
        } else if self.ground.instances.has(slot.generation()) {
            StartOutcome::Running
        } else {
            match self.occupy(slot, Lodging::NOBODY) {
                Ok(occupied) => {
                    occupied.keep();
                    StartOutcome::Started
                }
                Err(Refusal::Error(error)) => StartOutcome::Failed { error },
                Err(Refusal::Retired) => StartOutcome::Failed {
                    error: slot.replaced_always(),
                },
            }
        };
        let now = slot.took();
        let started = matches!(outcome, StartOutcome::Started);
        PluginStart {
            build: slot.build().clone(),
            outcome,
            load: now.load.filter(|_| before.load.is_none()),
            start: now.start.filter(|_| started),
        }
    }

    /// The live instances, in the order in which they are to be stopped: what needs others before
    /// those, and otherwise the last to be started first.
    fn dismantling(&self) -> Vec<Arc<Running>> {
        let live = self.ground.instances.all();
        let catalog = self.catalog();
        let mut graph: Graph<u64> = live.iter().map(|running| running.number()).collect();
        for running in &live {
            for dependency in &running.slot().manifest().dependencies {
                let Need::Met(needed) = catalog.need(dependency) else {
                    continue;
                };
                for other in &live {
                    if other.slot().generation() == needed.generation() {
                        // Both are live, so both are there.
                        let _ = graph.need(&running.number(), &other.number());
                    }
                }
            }
        }
        let by_number: HashMap<u64, &Arc<Running>> = live
            .iter()
            .map(|running| (running.number(), running))
            .collect();
        let order = graph.dismantling(|number| *number);
        let order = order.iter().filter_map(|number| by_number.get(number));
        order.map(|running| (*running).clone()).collect()
    }

    /// Stops all live instances, one after another, and waits for each as long as stops may take.
    pub(crate) fn stop_all(&self) -> Vec<InstanceStop> {
        let mut stopped = Vec::new();
        for running in self.dismantling() {
            let (build, scope) = (
                running.slot().build().clone(),
                running.key().lodging.whose(),
            );
            running.close(Ending::Stopped);
            self.ground.instances.remove(&running);
            let ended = running.ended();
            drop(running);
            // Once for the calls that are inside, once for the stop itself.
            let bound = self.ground.deadlines.stop;
            let bound = bound.map(|bound| bound.saturating_mul(2));
            let end = bound.and_then(|bound| Instant::now().checked_add(bound));
            stopped.push(InstanceStop {
                build,
                scope,
                ended: ended.wait_until(end),
            });
        }
        stopped
    }
}

/// Keeps a supervisor at work: a registry or a handle of it. With the last of them what is live is
/// stopped, in order, and waited for.
pub(crate) struct Owner(Arc<Supervisor>);

impl Owner {
    pub(crate) fn new(supervisor: Arc<Supervisor>) -> Arc<Self> {
        Arc::new(Self(supervisor))
    }

    #[inline]
    pub(crate) const fn supervisor(&self) -> &Arc<Supervisor> {
        &self.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // A worker that waited for all to be stopped might wait for itself.
        if is_worker() {
            let supervisor = self.0.clone();
            let ending = std::thread::Builder::new().name("floe-end".to_owned());
            if ending.spawn(move || end(&supervisor)).is_ok() {
                return;
            }
        }
        end(&self.0);
    }
}

fn end(supervisor: &Supervisor) {
    let ground = supervisor.ground();
    // From now on nothing that is started is kept: a call that was given up may be at it still.
    ground.instances.shut();
    supervisor.stop_all();
    ground.instances.unpin_all();
    // What was given up before, and is being stopped still.
    ground.warden.wait();
    ground.workers.close();
    ground.events.close();
}
