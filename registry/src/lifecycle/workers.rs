//! Threads for work that a deadline bounds.
//!
//! A thread cannot be killed. So what must not be waited for without end (a plugin's start, health and
//! stop, and a call with a deadline) is done on a thread of its own, and whoever asked for it waits
//! for that until the deadline. A thread that has not come back by then is *abandoned*: it is counted
//! and named, another one takes its place, and it is welcome back when it returns.
//!
//! Threads are kept for the next work, a while; there are as many as work that is done at once, up to
//! a limit. Work that comes from such a thread itself (a plugin that calls another) is not held to the
//! limit, as those who wait for it hold it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use floe_plugin_api::abi::contain;
use parking_lot::{Condvar, Mutex, MutexGuard};
use serde::Serialize;

use super::turn::{Actor, HandedOn, Turns};
use super::{StartKey, running::Running};
use crate::error::{Begun, CallError};
use crate::isolation::Isolation;

/// How much work that comes from outside is done at once.
const LIMIT: usize = 64;

/// How long a thread without work is kept.
const KEPT: Duration = Duration::from_secs(10);

/// How long after its deadline an answer still counts, so that a plugin that heeds its deadline can
/// say so. Far below the 50 ms within which a caller is promised its answer.
const GRACE: Duration = Duration::from_millis(20);

thread_local! {
    /// How many deadlines this thread's work is inside of.
    static DEPTH: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// What is done, for whom: the words by which an abandoned thread is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Task {
    /// The plugin, and the build of it.
    pub(crate) plugin: String,
    /// What was asked of it: `start`, `stop`, `health`, or `call NODE_TYPE`.
    pub(crate) doing: String,
    /// Where the plugin runs that it is done with, as far as that is known before.
    pub(crate) isolation: Isolation,
}

/// A thread that did not come back from a plugin when its deadline passed.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Abandoned {
    /// The thread's name.
    pub thread: String,
    /// The plugin that it is in, and the build of it.
    pub plugin: String,
    /// What was asked of the plugin: `start`, `stop`, `health`, `describe`, `load` or `call NODE_TYPE`.
    pub doing: String,
    /// How long it had been given, in nanoseconds.
    #[serde(rename = "deadline_ns", serialize_with = "crate::event::nanoseconds")]
    pub deadline: Duration,
    /// How long ago that passed, in nanoseconds.
    #[serde(rename = "overdue_ns", serialize_with = "crate::event::nanoseconds")]
    pub overdue: Duration,
}

/// How far a piece of work is.
enum Phase {
    Queued,
    /// A thread does it, inside of this instance or not yet inside of any.
    Running(Option<Arc<Running>>),
    Abandoned,
    Ended,
}

/// A piece of work, as both sides see it.
pub(crate) struct Ticket {
    task: Task,
    actor: Actor,
    allowed: Duration,
    deadline: Instant,
    thread: Mutex<String>,
    /// Whether it comes from outside, and has or waits for a place.
    limited: bool,
    phase: Mutex<Phase>,
    /// Nobody waits for it any more.
    given_up: AtomicBool,
    /// How much of its progress has not been heard.
    unheard: AtomicUsize,
}

impl Ticket {
    /// Says that a plugin's code is entered now, through this instance. False where nobody waits any
    /// more: then it must not be.
    pub(crate) fn enter(&self, running: &Arc<Running>) -> bool {
        let mut phase = self.phase.lock();
        match *phase {
            Phase::Running(_) => {
                *phase = Phase::Running(Some(running.clone()));
                true
            }
            Phase::Queued | Phase::Abandoned | Phase::Ended => false,
        }
    }

    /// Tells who waits of the progress; some of it is left out where that one hears more slowly than it
    /// is told.
    pub(crate) fn tell_progress<T>(
        &self,
        sender: &Sender<Message<T>>,
        fraction: f64,
        message: &str,
    ) {
        const AHEAD: usize = 32;
        if self.unheard.fetch_add(1, Ordering::Relaxed) < AHEAD {
            let _ = sender.send(Message::Progress(fraction, message.to_owned()));
        } else {
            self.unheard.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether nobody waits for it any more.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }
}

/// What a piece of work sends to who waits for it.
pub(crate) enum Message<T> {
    Progress(f64, String),
    Done(T),
}

/// Why there is no answer.
pub(crate) struct Overrun {
    /// The instance that the thread is inside of.
    pub(crate) inside: Option<Arc<Running>>,
    /// Where the plugin runs, as far as that was known before.
    pub(crate) isolation: Isolation,
    /// How long had been given.
    pub(crate) allowed: Duration,
    /// What became of it.
    pub(crate) how: Lost,
}

/// What became of a piece of work that gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// No thread was free to begin it.
    NotBegun,
    /// A thread does it still.
    Abandoned,
    /// It panicked on this side of the boundary.
    Panicked,
}

/// What stands for no bound: some decades.
pub(crate) const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

/// When a bound that begins now is over.
pub(crate) fn far(bound: Option<Duration>) -> Instant {
    let now = Instant::now();
    now.checked_add(bound.map_or(NEVER, |bound| bound.min(NEVER)))
        .unwrap_or(now)
}

impl Overrun {
    /// Whether a thread began it.
    pub(crate) fn begun(&self) -> Begun {
        match self.how {
            Lost::NotBegun => Begun::No,
            Lost::Abandoned if self.is_in_a_worker() => Begun::Killed,
            Lost::Abandoned => Begun::Yes,
            Lost::Panicked => Begun::Failed,
        }
    }

    /// Whether it is in a process that is killed at the same deadline: by the thread that was not waited
    /// for long enough to say so, and that comes back then.
    pub(crate) fn is_in_a_worker(&self) -> bool {
        let inside = self.inside.as_ref();
        let isolation = inside.map_or(self.isolation, |running| running.isolation());
        isolation == Isolation::Worker
    }
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    /// What the next thread does that has nothing else to do.
    queue: VecDeque<Job>,
    /// Work from outside that waits for a place.
    waiting: VecDeque<Job>,
    /// How much work from outside has a place, the abandoned one not counted.
    places: usize,
    /// Threads that wait for work.
    idle: usize,
    /// Threads that do work or wait for it, the abandoned ones not counted.
    threads: usize,
    /// How many threads there ever were.
    ever: u64,
    abandoned: Vec<Arc<Ticket>>,
    closed: bool,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    turns: Arc<Turns<StartKey, CallError>>,
}

/// The threads. A clone is a pointer.
#[derive(Clone)]
pub(crate) struct Workers(Arc<Shared>);

impl Workers {
    pub(crate) fn new(turns: Arc<Turns<StartKey, CallError>>) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            turns,
        }))
    }

    /// Lets the threads go as soon as they have nothing to do.
    pub(crate) fn close(&self) {
        self.0.state.lock().closed = true;
        self.0.work.notify_all();
    }

    /// The threads that are abandoned now.
    pub(crate) fn abandoned(&self) -> Vec<Abandoned> {
        let now = Instant::now();
        let state = self.0.state.lock();
        let told = state.abandoned.iter().map(|ticket| Abandoned {
            thread: ticket.thread.lock().clone(),
            plugin: ticket.task.plugin.clone(),
            doing: ticket.task.doing.clone(),
            deadline: ticket.allowed,
            overdue: now.saturating_duration_since(ticket.deadline),
        });
        told.collect()
    }

    /// Begins a piece of work. `late` gets what it gave where nobody waits for that any more.
    pub(crate) fn begin<T: Send + 'static>(
        &self,
        task: Task,
        allowed: Duration,
        body: impl FnOnce(&Arc<Ticket>, &Sender<Message<T>>) -> T + Send + 'static,
        late: impl FnOnce(T) + Send + 'static,
    ) -> Pending<T> {
        let limited = DEPTH.get() == 0;
        self.begin_as(limited, task, allowed, body, late)
    }

    /// Begins a piece of work that is not held to the limit, as its number is bounded otherwise.
    pub(crate) fn begin_unlimited<T: Send + 'static>(
        &self,
        task: Task,
        allowed: Duration,
        body: impl FnOnce(&Arc<Ticket>, &Sender<Message<T>>) -> T + Send + 'static,
        late: impl FnOnce(T) + Send + 'static,
    ) -> Pending<T> {
        self.begin_as(false, task, allowed, body, late)
    }

    fn begin_as<T: Send + 'static>(
        &self,
        limited: bool,
        task: Task,
        allowed: Duration,
        body: impl FnOnce(&Arc<Ticket>, &Sender<Message<T>>) -> T + Send + 'static,
        late: impl FnOnce(T) + Send + 'static,
    ) -> Pending<T> {
        let ticket = Arc::new(Ticket {
            task,
            actor: Actor::new(),
            allowed,
            deadline: far(Some(allowed)),
            thread: Mutex::default(),
            limited,
            phase: Mutex::new(Phase::Queued),
            given_up: AtomicBool::new(false),
            unheard: AtomicUsize::new(0),
        });
        // Before it can begin, so that nobody sees it wait for who waits for it.
        let handed_on = self.0.turns.hand_on(ticket.actor);
        let (sender, receiver) = mpsc::channel();
        let depth = DEPTH.get();
        let job = {
            let (ticket, shared) = (ticket.clone(), Arc::downgrade(&self.0));
            Box::new(move || do_work(&ticket, &shared, depth, sender, body, late))
        };
        self.submit(job, limited);
        Pending {
            ticket,
            receiver,
            workers: self.clone(),
            depth,
            _handed_on: handed_on,
        }
    }

    fn submit(&self, job: Job, limited: bool) {
        let mut state = self.0.state.lock();
        if limited && state.places >= LIMIT {
            state.waiting.push_back(job);
            if state.threads == 0 {
                // Those that have the places are there no more, or no thread could be made for them.
                self.add(state, None);
            }
            return;
        }
        state.places += usize::from(limited);
        self.hand_out(state, job);
    }

    /// Has work done by a thread that has nothing to do, or by a new one.
    fn hand_out(&self, mut state: MutexGuard<'_, State>, job: Job) {
        if state.idle > state.queue.len() {
            state.queue.push_back(job);
            self.0.work.notify_one();
        } else {
            self.add(state, Some(job));
        }
    }

    /// Adds a thread, which does this first and then what is in the queue.
    fn add(&self, mut state: MutexGuard<'_, State>, job: Option<Job>) {
        state.threads += 1;
        state.ever += 1;
        let name = format!("floe-worker-{}", state.ever);
        drop(state);
        let shared = self.0.clone();
        // Kept where a thread that could not be made leaves it.
        let job = Arc::new(Mutex::new(job));
        let first = job.clone();
        let spawned = thread::Builder::new().name(name).spawn(move || {
            let job = first.lock().take();
            if let Some(job) = job {
                job();
            }
            drop(first);
            serve(&shared);
        });
        if spawned.is_err() {
            // Whoever does other work may find time for it before its deadline.
            let mut state = self.0.state.lock();
            state.threads -= 1;
            state.queue.extend(job.lock().take());
            self.0.work.notify_one();
        }
    }
}

/// Does one piece of work on this thread.
fn do_work<T: Send + 'static>(
    ticket: &Arc<Ticket>,
    shared: &Weak<Shared>,
    depth: u32,
    sender: Sender<Message<T>>,
    body: impl FnOnce(&Arc<Ticket>, &Sender<Message<T>>) -> T,
    late: impl FnOnce(T),
) {
    thread::current()
        .name()
        .unwrap_or_default()
        .clone_into(&mut ticket.thread.lock());
    {
        let mut phase = ticket.phase.lock();
        if !matches!(*phase, Phase::Queued) {
            drop(phase);
            if let Some(shared) = shared.upgrade() {
                shared.leave_place(ticket);
            }
            return;
        }
        *phase = Phase::Running(None);
    }
    let done = {
        let _played = ticket.actor.play();
        let _inner = Depth::enter(depth + 1);
        contain(|| body(ticket, &sender))
    };
    let inside;
    let wanted = {
        let mut phase = ticket.phase.lock();
        let before = std::mem::replace(&mut *phase, Phase::Ended);
        let wanted = !matches!(before, Phase::Abandoned);
        inside = before;
        if wanted && let Ok(done) = done {
            // Under the lock: who waits takes the end for the end of it all.
            if let Err(mpsc::SendError(Message::Done(done))) = sender.send(Message::Done(done)) {
                drop(phase);
                // A panic of it must not keep the place.
                let _ = contain(|| late(done));
            }
            true
        } else {
            drop(phase);
            if let Ok(done) = done {
                let _ = contain(|| late(done));
            }
            wanted
        }
    };
    // The last to hold an instance has it stopped; not under a lock.
    let _ = contain(|| drop(inside));
    let Some(shared) = shared.upgrade() else {
        return;
    };
    if wanted {
        shared.leave_place(ticket);
    } else {
        let mut state = shared.state.lock();
        let before = state.abandoned.len();
        state.abandoned.retain(|other| !Arc::ptr_eq(other, ticket));
        // It was written off, and is back.
        state.threads += before - state.abandoned.len();
    }
}

impl Shared {
    /// Gives the place of work that this thread has done to what waits for one: this thread looks for it next.
    fn leave_place(&self, ticket: &Ticket) {
        if ticket.limited {
            let mut state = self.state.lock();
            let next = state.next_with_a_place();
            state.queue.extend(next);
        }
    }
}

impl State {
    /// What has the place next that is free now.
    fn next_with_a_place(&mut self) -> Option<Job> {
        let next = self.waiting.pop_front();
        if next.is_none() {
            self.places -= 1;
        }
        next
    }
}

/// Does what is in the queue, until there has been nothing in it for a while.
fn serve(shared: &Arc<Shared>) {
    let mut state = shared.state.lock();
    loop {
        if let Some(job) = state.queue.pop_front() {
            drop(state);
            job();
            state = shared.state.lock();
            continue;
        }
        if state.closed {
            break;
        }
        state.idle += 1;
        let woken = shared.work.wait_for(&mut state, KEPT);
        state.idle -= 1;
        if woken.timed_out() && state.queue.is_empty() {
            break;
        }
    }
    state.threads -= 1;
}

/// Whether this thread does work for others, which wait for it or have given it up.
pub(crate) fn is_worker() -> bool {
    DEPTH.get() > 0
}

/// This thread's work is inside of deadlines, this many.
struct Depth(u32);

impl Depth {
    fn enter(depth: u32) -> Self {
        Self(DEPTH.replace(depth))
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        DEPTH.set(self.0);
    }
}

/// A piece of work that was begun.
pub(crate) struct Pending<T> {
    ticket: Arc<Ticket>,
    receiver: Receiver<Message<T>>,
    workers: Workers,
    depth: u32,
    _handed_on: HandedOn<StartKey, CallError>,
}

impl<T> Pending<T> {
    /// Waits for the end of it, until its deadline and a little longer.
    pub(crate) fn wait(self, mut progress: impl FnMut(f64, &str)) -> Result<T, Overrun> {
        // The inner one of two that end at once is heard first, and so are its reasons.
        let grace = GRACE / 2_u32.saturating_pow(self.depth.min(5));
        let end = self.ticket.deadline.checked_add(grace);
        loop {
            let left = end.map_or(Duration::MAX, |end| {
                end.saturating_duration_since(Instant::now())
            });
            match self.receiver.recv_timeout(left) {
                Ok(Message::Progress(fraction, message)) if !left.is_zero() => {
                    self.ticket.unheard.fetch_sub(1, Ordering::Relaxed);
                    progress(fraction, &message);
                }
                Ok(Message::Done(done)) => return Ok(done),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.overrun(Lost::Panicked, None));
                }
                // Also where there is progress without end.
                Ok(Message::Progress(..)) | Err(RecvTimeoutError::Timeout) => {
                    match self.give_up() {
                        Some(overrun) => return Err(overrun),
                        // It ended at this moment: what it gave is there.
                        None => {
                            for message in self.receiver.try_iter() {
                                if let Message::Done(done) = message {
                                    return Ok(done);
                                }
                            }
                            return Err(self.overrun(Lost::Panicked, None));
                        }
                    }
                }
            }
        }
    }

    fn overrun(&self, how: Lost, inside: Option<Arc<Running>>) -> Overrun {
        Overrun {
            inside,
            isolation: self.ticket.task.isolation,
            allowed: self.ticket.allowed,
            how,
        }
    }

    fn give_up(&self) -> Option<Overrun> {
        let mut phase = self.ticket.phase.lock();
        let (how, inside) = match &*phase {
            Phase::Ended => return None,
            Phase::Queued => (Lost::NotBegun, None),
            Phase::Running(inside) => (Lost::Abandoned, inside.clone()),
            Phase::Abandoned => (Lost::Abandoned, None),
        };
        *phase = Phase::Abandoned;
        self.ticket.given_up.store(true, Ordering::Release);
        if how == Lost::Abandoned {
            let mut state = self.workers.0.state.lock();
            state.threads = state.threads.saturating_sub(1);
            state.abandoned.push(self.ticket.clone());
            if self.ticket.limited
                && let Some(next) = state.next_with_a_place()
            {
                self.workers.hand_out(state, next);
            }
        }
        drop(phase);
        Some(self.overrun(how, inside))
    }
}

#[cfg(test)]
mod tests;
