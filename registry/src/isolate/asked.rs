//! What a worker's plugin asks of the host: calls of other executors.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use floe_plugin_api::abi::{RawCallRef, contain};
use floe_plugin_api::{CallOptions, Error, ErrorKind, Value};

use super::end::How;
use super::errors;
use super::process::Worker;
use super::wire::frame::{Saying, ToWorker, shortened};
use super::wire::packet::Packet;
use crate::host::{Said, Waited};

/// How many calls are made at once for threads of plugins' own: for all workers, and for one.
const APART: usize = 64;
const APART_EACH: usize = 8;

/// How deep calls of workers' plugins may be within each other on one thread: each takes some of its stack.
const DEEPEST: u32 = 48;

static BUSY: AtomicUsize = AtomicUsize::new(0);

/// What a plugin says of a call that it makes.
pub(super) struct Asking {
    ask: u64,
    node_type: String,
    execution_id: String,
    node_id: String,
    tenant: String,
    attempt: u32,
    deadline: Option<Instant>,
    cancelled: bool,
}

impl Asking {
    pub(super) fn of(ask: u64, node_type: &str, said: Saying<'_>) -> Self {
        Self {
            ask,
            node_type: node_type.to_owned(),
            execution_id: said.execution_id.to_owned(),
            node_id: said.node_id.to_owned(),
            tenant: said.tenant.to_owned(),
            attempt: said.attempt,
            cancelled: said.cancelled,
            deadline: (said.remaining_ns != u64::MAX)
                .then(|| Instant::now().checked_add(Duration::from_nanos(said.remaining_ns)))
                .flatten(),
        }
    }

    /// Has it be over when what it is made for is.
    pub(super) fn end_by(&mut self, until: Option<Instant>) {
        self.deadline = self.deadline.into_iter().chain(until).min();
    }
}

/// One of the calls that may be made at once for threads of plugins' own.
pub(super) struct Place(Arc<Worker>);

impl Place {
    /// A place for one more call; nothing where there are as many as may be.
    pub(super) fn take(worker: &Arc<Worker>) -> Option<Self> {
        let all = BUSY.fetch_add(1, Ordering::AcqRel);
        let own = worker.apart.fetch_add(1, Ordering::AcqRel);
        // Given back where it is too many.
        let place = Self(worker.clone());
        (all < APART && own < APART_EACH).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.apart.fetch_sub(1, Ordering::AcqRel);
        BUSY.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whether its caller had given it up when it was made; later, nobody does but the outer call's.
#[derive(Clone)]
struct Kept {
    is_given_up: bool,
    worker: Weak<Worker>,
}

impl Waited for Kept {
    fn is_given_up(&self) -> bool {
        // Nobody is left to hear of it, either, when the worker has ended.
        let ended = |worker: Arc<Worker>| worker.ended().is_some();
        self.is_given_up || self.worker.upgrade().is_none_or(ended)
    }
}

thread_local! {
    /// How many calls of workers' plugins this thread is in.
    static ASKING: Cell<u32> = const { Cell::new(0) };
}

/// Whether this thread makes a call for a worker's plugin.
pub(super) fn is_asking() -> bool {
    ASKING.get() > 0
}

/// Makes a call for a worker's plugin on this thread, which waits for that plugin.
pub(super) fn answer(
    worker: &Arc<Worker>,
    input: &Value,
    asking: &Asking,
    outer: Option<&RawCallRef<'_>>,
) {
    let ask = asking.ask;
    if ASKING.get() >= DEEPEST {
        let error = Error::new(
            ErrorKind::ResourceExhausted,
            format!("plugins in workers call each other more than {DEEPEST} deep"),
        );
        return give(worker, ask, Err(error));
    }
    let route = &worker.recipe.route;
    ASKING.set(ASKING.get() + 1);
    let answered = contain(|| {
        let none = CallOptions::new();
        let watch = match outer {
            Some(outer) => outer.watch(),
            None => none.raw().watch(),
        };
        let said = Said::saying(
            &asking.execution_id,
            &asking.node_id,
            &asking.tenant,
            asking.attempt,
            asking.deadline,
            watch,
        );
        let kept = Kept {
            is_given_up: asking.cancelled,
            worker: Arc::downgrade(worker),
        };
        let asking_worker = worker.clone();
        let told = move |fraction: f64, message: &str| {
            let progress = ToWorker::Progress {
                ask,
                fraction,
                message: shortened(message),
            };
            if let Ok(packet) = Packet::new(&progress, []) {
                asking_worker.say(&packet);
            }
        };
        let call = said.relayed(kept, Box::new(told));
        route.route(&asking.node_type, input, call.raw())
    });
    ASKING.set(ASKING.get().saturating_sub(1));
    let answered = answered.unwrap_or_else(|panicked| {
        Err(Error::new(
            ErrorKind::Panicked,
            format!("the host panicked: {}", panicked.message),
        ))
    });
    give(worker, ask, answered);
}

/// The same on a thread of its own: nobody waits for the plugin that asks.
pub(super) fn answer_apart(place: Place, input: Value, asking: Asking) {
    let (worker, ask) = (place.0.clone(), asking.ask);
    let started = thread::Builder::new()
        .name("floe-asked".to_owned())
        .spawn(move || answer(&place.0, &input, &asking, None));
    if started.is_err() {
        let error = Error::new(
            ErrorKind::ResourceExhausted,
            "the host has no thread to make the call",
        );
        give(&worker, ask, Err(error));
    }
}

/// Refuses a call for which there is no place. Whoever hears for others does not wait for one that does not.
pub(super) fn refuse(worker: &Worker, ask: u64) -> Result<(), How> {
    let error = errors::write(Error::new(
        ErrorKind::ResourceExhausted,
        format!(
            "the plugin makes {APART_EACH} calls from threads of its own already, or all plugins {APART}"
        ),
    ));
    let head = ToWorker::Answer { ask, failed: true };
    match Packet::new(&head, [&error]) {
        Ok(packet) => worker.say_now(&packet),
        Err(_) => Ok(()),
    }
}

fn give(worker: &Arc<Worker>, ask: u64, answered: Result<Value, Error>) {
    let failed = answered.is_err();
    let value = answered.unwrap_or_else(errors::write);
    let head = ToWorker::Answer { ask, failed };
    match Packet::new(&head, [&value]) {
        Ok(packet) => worker.say(&packet),
        Err(error) => {
            let error = errors::write(errors::lost(format!(
                "the output cannot be passed: {error}"
            )));
            let head = ToWorker::Answer { ask, failed: true };
            if let Ok(packet) = Packet::new(&head, [&error]) {
                worker.say(&packet);
            }
        }
    }
}
