//! Stops instances, on threads of their own.
//!
//! Whoever comes out of an instance last drops it, and must not have to wait for what the plugin does
//! to end itself. So it hands over what remains; a thread, the warden, has that stopped by workers, a
//! few at a time, each bounded by the deadline for stops.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::slot::Slot;
use super::voice::Voice;
use super::workers::{Lost, NEVER, Overrun, Pending, Task, far};
use crate::event::{Ending, Event};
use crate::host::Instance;
use crate::id::Scope;
use crate::isolation::Isolation;
use crate::schema::Secrets;

/// How many stops go on at once.
const AT_ONCE: usize = 8;

/// How long the warden waits for more to do before it goes.
const KEPT: Duration = Duration::from_secs(1);

/// What remains of an instance that nobody uses any more.
pub(crate) struct Remains {
    pub(crate) instance: Instance,
    /// Where it runs.
    pub(crate) isolation: Isolation,
    pub(crate) slot: Arc<Slot>,
    pub(crate) scope: Scope,
    pub(crate) voice: Arc<Voice>,
    /// What is secret of its configuration.
    pub(crate) secrets: Secrets,
    /// Whether it is only to be dropped, as nobody can vouch for its state.
    pub(crate) poisoned: bool,
    pub(crate) why: Ending,
    pub(crate) ended: Arc<Ended>,
}

/// Whether an instance has ended, to be waited for.
#[derive(Default)]
pub(crate) struct Ended {
    ended: Mutex<bool>,
    told: Condvar,
}

impl Ended {
    fn tell(&self) {
        *self.ended.lock() = true;
        self.told.notify_all();
    }

    /// Waits until it has ended, or until a time; whether it has.
    pub(crate) fn wait_until(&self, end: Option<Instant>) -> bool {
        let mut ended = self.ended.lock();
        while !*ended {
            match end {
                None => self.told.wait(&mut ended),
                Some(end) => {
                    if self.told.wait_until(&mut ended, end).timed_out() {
                        break;
                    }
                }
            }
        }
        *ended
    }
}

/// Has instances stopped. Its thread is there while there is something to stop.
#[derive(Default)]
pub(crate) struct Warden {
    desk: Mutex<Desk>,
    changed: Condvar,
}

#[derive(Default)]
struct Desk {
    waiting: VecDeque<Remains>,
    /// The numbers of the stops that have ended.
    stopped: Vec<u64>,
    /// How many stops go on.
    stopping: usize,
    /// Whether the thread is there.
    attended: bool,
}

/// Has an instance stopped, on another thread.
pub(crate) fn bury(remains: Remains) {
    let warden = remains.slot.ground().warden.clone();
    let mut desk = warden.desk.lock();
    desk.waiting.push_back(remains);
    warden.changed.notify_all();
    if desk.attended {
        return;
    }
    let own = warden.clone();
    let started = thread::Builder::new()
        .name("floe-warden".to_owned())
        .spawn(move || own.attend());
    desk.attended = started.is_ok();
    let left = if desk.attended {
        VecDeque::new()
    } else {
        std::mem::take(&mut desk.waiting)
    };
    drop(desk);
    // A system that gives no thread any more: better on this one than not at all.
    for remains in left {
        let (ended, slot) = (remains.ended.clone(), remains.slot.clone());
        let (scope, why) = (remains.scope.clone(), remains.why);
        let (took, result) = remains.stop();
        told(&slot, scope, why, took, result.err());
        ended.tell();
    }
}

impl Remains {
    /// Stops it, or only drops it.
    fn stop(self) -> (Duration, Result<(), String>) {
        let began = Instant::now();
        let result = if self.poisoned {
            drop(self.instance);
            Ok(())
        } else {
            let stopped = self.instance.stop();
            stopped.map_err(|error| self.secrets.mask(error.message()))
        };
        self.voice.silence();
        (began.elapsed(), result)
    }
}

/// A stop that goes on.
struct Stopping {
    pending: Pending<(Duration, Result<(), String>)>,
    deadline: Instant,
    slot: Arc<Slot>,
    scope: Scope,
    why: Ending,
    voice: Arc<Voice>,
    ended: Arc<Ended>,
}

impl Stopping {
    fn end(self) {
        let Self {
            slot, scope, why, ..
        } = self;
        match self.pending.wait(|_, _| ()) {
            Ok((took, result)) => {
                told(&slot, scope, why, took, result.err());
            }
            Err(overrun) => {
                self.voice.silence();
                slot.ground().tell_overrun(&slot, "stop", &overrun);
                let failure = match overrun.how {
                    Lost::Panicked => "it could not be stopped".to_owned(),
                    Lost::Abandoned | Lost::NotBegun => {
                        format!("it had not stopped after {:?}", overrun.allowed)
                    }
                };
                told(&slot, scope, why, overrun.allowed, Some(failure));
            }
        }
        self.ended.tell();
    }
}

fn told(slot: &Arc<Slot>, scope: Scope, why: Ending, took: Duration, failure: Option<String>) {
    if let Some(failure) = &failure {
        tracing::warn!(plugin = %slot.id(), version = %slot.manifest().version, reason = %failure, "did not stop well");
    }
    slot.ground().events.publish_with(|| Event::Stopped {
        build: slot.build().clone(),
        scope,
        why,
        took,
        failure,
    });
    slot.count_ended();
}

impl Warden {
    /// Waits until all that it was given has been stopped, or has had its time.
    pub(crate) fn wait(&self) {
        let mut desk = self.desk.lock();
        while desk.stopping > 0 || !desk.waiting.is_empty() {
            self.changed.wait(&mut desk);
        }
    }

    fn attend(self: Arc<Self>) {
        let mut stopping: HashMap<u64, Stopping> = HashMap::new();
        let mut number = 0;
        loop {
            let mut desk = self.desk.lock();
            let stopped = std::mem::take(&mut desk.stopped);
            let free = AT_ONCE.saturating_sub(stopping.len());
            let begun: Vec<Remains> = {
                let count = free.min(desk.waiting.len());
                desk.waiting.drain(..count).collect()
            };
            desk.stopping += begun.len();
            if stopped.is_empty() && begun.is_empty() {
                let next = stopping.values().map(|each| each.deadline).min();
                let late = match next {
                    Some(next) => self.changed.wait_until(&mut desk, next).timed_out(),
                    None => self.changed.wait_for(&mut desk, KEPT).timed_out(),
                };
                if late && stopping.is_empty() && desk.waiting.is_empty() {
                    desk.attended = false;
                    return;
                }
            }
            drop(desk);
            let now = Instant::now();
            let ended: Vec<Stopping> = stopping
                .extract_if(|number, each| stopped.contains(number) || each.deadline <= now)
                .map(|(_, each)| each)
                .collect();
            let count = ended.len();
            ended.into_iter().for_each(Stopping::end);
            if count > 0 {
                self.desk.lock().stopping -= count;
                self.changed.notify_all();
            }
            for remains in begun {
                number += 1;
                stopping.insert(number, self.begin(remains, number));
            }
        }
    }

    fn begin(self: &Arc<Self>, remains: Remains, number: u64) -> Stopping {
        let slot = remains.slot.clone();
        let ground = slot.ground().clone();
        let (scope, why) = (remains.scope.clone(), remains.why);
        let (voice, ended) = (remains.voice.clone(), remains.ended.clone());
        let allowed = ground.deadlines.stop.unwrap_or(NEVER);
        let deadline = far(Some(allowed));
        let task = Task {
            plugin: slot.title(),
            doing: "stop".to_owned(),
            isolation: remains.isolation,
        };
        let own = self.clone();
        let pending = ground.workers.begin_unlimited(
            task,
            allowed,
            move |_, _| {
                let stopped = remains.stop();
                own.desk.lock().stopped.push(number);
                own.changed.notify_all();
                stopped
            },
            drop,
        );
        Stopping {
            pending,
            deadline,
            slot,
            scope,
            why,
            voice,
            ended,
        }
    }
}

/// Why a plugin did not end in its time, in words.
pub(crate) fn overran(overrun: &Overrun, doing: &str) -> String {
    match overrun.how {
        Lost::NotBegun => format!(
            "no thread was free for its {doing} within {:?}",
            overrun.allowed
        ),
        Lost::Abandoned => format!("its {doing} had not ended after {:?}", overrun.allowed),
        Lost::Panicked => format!("its {doing} could not be carried out"),
    }
}
