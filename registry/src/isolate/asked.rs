//! What a worker's plugin asks of the host: calls of other executors.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use floe_plugin_api::abi::{RawCallRef, contain};
use floe_plugin_api::{CallOptions, Error, ErrorKind, Value};

use super::errors;
use super::process::Worker;
use super::wire::frame::{Saying, ToWorker};
use super::wire::packet::Packet;
use crate::host::{Said, Waited};

/// How many calls of all workers' own threads are made at once.
const APART: usize = 64;

static BUSY: AtomicUsize = AtomicUsize::new(0);

/// What a plugin says of a call that it makes.
pub(super) struct Asking {
    execution_id: String,
    node_id: String,
    tenant: String,
    attempt: u32,
    deadline: Option<Instant>,
}

impl Asking {
    pub(super) fn of(said: Saying<'_>) -> Self {
        Self {
            execution_id: said.execution_id.to_owned(),
            node_id: said.node_id.to_owned(),
            tenant: said.tenant.to_owned(),
            attempt: said.attempt,
            deadline: (said.remaining_ns != u64::MAX)
                .then(|| Instant::now().checked_add(Duration::from_nanos(said.remaining_ns)))
                .flatten(),
        }
    }
}

/// That nobody gives up such a call but its caller.
#[derive(Clone)]
struct Kept;

impl Waited for Kept {
    fn is_given_up(&self) -> bool {
        false
    }
}

/// Makes a call for a worker's plugin on this thread, which waits for that plugin.
pub(super) fn answer(
    worker: &Arc<Worker>,
    ask: u64,
    node_type: &str,
    input: &Value,
    asking: &Asking,
    outer: Option<&RawCallRef<'_>>,
) {
    let route = &worker.recipe.route;
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
        let call = said.relayed(Kept, Box::new(|_, _| ()));
        route.route(node_type, input, call.raw())
    });
    let answered = answered.unwrap_or_else(|panicked| {
        Err(Error::new(
            ErrorKind::Panicked,
            format!("the host panicked: {}", panicked.message),
        ))
    });
    give(worker, ask, answered);
}

/// The same on a thread of its own: nobody waits for the plugin that asks.
pub(super) fn answer_apart(
    worker: &Arc<Worker>,
    ask: u64,
    node_type: &str,
    input: Value,
    asking: Asking,
) {
    let full = BUSY.fetch_add(1, Ordering::AcqRel) >= APART;
    let (own, node_type) = (worker.clone(), node_type.to_owned());
    let started = !full
        && thread::Builder::new()
            .name("floe-asked".to_owned())
            .spawn(move || {
                answer(&own, ask, &node_type, &input, &asking, None);
                BUSY.fetch_sub(1, Ordering::AcqRel);
            })
            .is_ok();
    if !started {
        BUSY.fetch_sub(1, Ordering::AcqRel);
        let error = Error::new(
            ErrorKind::ResourceExhausted,
            format!("workers make {APART} calls from threads of their own already"),
        );
        give(worker, ask, Err(error));
    }
}

fn give(worker: &Arc<Worker>, ask: u64, answered: Result<Value, Error>) {
    let failed = answered.is_err();
    let value = answered.unwrap_or_else(errors::write);
    let head = ToWorker::Answer { ask, failed };
    match Packet::new(&head, [&value]) {
        Ok(packet) => worker.say(&packet),
        Err(error) => {
            let error = errors::write(errors::lost(format!("the output cannot be passed: {error}")));
            let head = ToWorker::Answer { ask, failed: true };
            if let Ok(packet) = Packet::new(&head, [&error]) {
                worker.say(&packet);
            }
        }
    }
}
