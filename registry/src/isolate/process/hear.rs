//! What a worker says: read by whoever waits for it, and given to whom it is for.

use std::cell::Cell;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use floe_plugin_api::abi::{RawCallRef, contain};
use floe_plugin_api::{Error, Value};
use parking_lot::MutexGuard;

use super::{Forwarded, TICK, Waiter, Worker};
use crate::isolate::asked::{self, Asking};
use crate::isolate::end::How;
use crate::isolate::errors;
use crate::isolate::wire::channel::{Buffer, Received};
use crate::isolate::wire::frame::FromWorker;
use crate::isolate::wire::mapped::Shared;
use crate::isolate::wire::packet::{Came, Packet};
use crate::isolate::wire::value::Malformed;

/// How many messages are kept for one caller that is busy with what it has heard.
const AHEAD: usize = 256;

thread_local! {
    /// Whether this thread reads for others.
    static READS: Cell<bool> = const { Cell::new(false) };
}

impl Worker {
    /// Hears what comes next for a request, or for others; waits a tick at most.
    pub(super) fn step(
        self: &Arc<Self>,
        waiter: &Waiter,
        buffer: &mut Buffer,
        listener: &Listener<'_, '_>,
    ) -> Result<Step, How> {
        let forwarded = waiter.came.lock().pop_front();
        if let Some(Forwarded { message, file }) = forwarded {
            return self.hear(listener, &message, file, None);
        }
        let Some(reading) = self.reading.try_lock() else {
            let mut came = waiter.came.lock();
            if came.is_empty() {
                waiter.told.wait_for(&mut came, TICK);
            }
            return Ok(if came.is_empty() {
                Step::Nothing
            } else {
                Step::Again
            });
        };
        // It may have come by way of whoever read before.
        if !waiter.came.lock().is_empty() {
            return Ok(Step::Again);
        }
        match self.channel.receive(buffer) {
            Ok(Received::Message(length, file)) => {
                let message = buffer.message(length);
                self.hear(listener, message, file, Some(reading))
            }
            Ok(Received::Nothing) => Ok(Step::Nothing),
            Ok(Received::End) | Err(_) => Err(How::Status(None)),
        }
    }

    /// Hears a message: acts on it, or gives it to whom it is for.
    fn hear(
        self: &Arc<Self>,
        listener: &Listener<'_, '_>,
        message: &[u8],
        file: Option<File>,
        reading: Option<MutexGuard<'_, ()>>,
    ) -> Result<Step, How> {
        let Listener {
            request,
            call,
            memory,
            until,
        } = *listener;
        let garbage = |found: Malformed| How::Garbage(found.to_string());
        let (head, values) = Came::new(message, file)
            .and_then(Came::open::<FromWorker<'_>>)
            .map_err(garbage)?;
        let to = match &head {
            FromWorker::Done { request }
            | FromWorker::Failed { request }
            | FromWorker::Progress { request, .. } => Some(*request),
            FromWorker::Ask { during, .. } => *during,
            _ => None,
        };
        if let Some(to) = to.filter(|to| Some(*to) != request) {
            let other = self.waiting.lock().get(&to).cloned();
            if let Some(other) = other {
                let message = message.to_vec();
                let file = values.into_values_file();
                let mut came = other.came.lock();
                if came.len() >= AHEAD {
                    return Err(How::Garbage(format!(
                        "more than {AHEAD} words for a caller that does not listen"
                    )));
                }
                came.push_back(Forwarded { message, file });
                drop(came);
                other.told.notify_one();
                return Ok(Step::Again);
            }
        }
        // Whoever is told below may take its time, or ask this worker.
        drop(reading);
        match head {
            FromWorker::Done { .. } => {
                let memory = memory.filter(|_| to == request);
                // Who answers a part at a time may take its time, too.
                let _apart = memory.map(|_| Hearing::pause(self));
                let mut is_over = false;
                let value = values.one_within(memory, &mut || {
                    is_over = self.is_over(until);
                    !is_over
                });
                return match value {
                    // Whoever waits for it finds why.
                    Err(_) if is_over => Ok(Step::Nothing),
                    value => Ok(Step::of(to == request, Ok(value.map_err(garbage)?))),
                };
            }
            FromWorker::Failed { .. } => {
                let value = values.one().map_err(garbage)?;
                return Ok(Step::of(to == request, Err(errors::read(&value))));
            }
            FromWorker::Progress {
                fraction, message, ..
            } => {
                // Of a call that is over, nobody is told.
                if let Some(call) = call.filter(|_| to == request) {
                    call.progress(fraction, message.into());
                }
            }
            FromWorker::Callsite { .. } => self.log.callsite(&head),
            FromWorker::Event { callsite, fields } => {
                // Who wants none of it does not pay for it, and nobody's log takes what needs a file.
                if self.log.wants(callsite) && values.are_in_the_message() {
                    let values = values.one().map_err(garbage)?;
                    self.log.event(callsite, &fields, values);
                }
            }
            FromWorker::Ask {
                ask,
                node_type,
                said,
                ..
            } => {
                let mut asking = Asking::of(ask, node_type, said);
                if to.is_some() && to == request {
                    let input = values.one().map_err(garbage)?;
                    asking.end_by(until);
                    let _apart = Hearing::pause(self);
                    asked::answer(self, &input, &asking, call);
                } else {
                    match asked::Place::take(self) {
                        Some(place) => {
                            let input = values.one().map_err(garbage)?;
                            asked::answer_apart(place, input, asking);
                        }
                        None => asked::refuse(self, ask)?,
                    }
                }
            }
            FromWorker::Welcome { .. } | FromWorker::Loaded | FromWorker::Refused { .. } => {
                return Err(How::Garbage("a word out of its turn".to_owned()));
            }
        }
        Ok(Step::Again)
    }

    /// Says a word if there is room for it now.
    pub(in crate::isolate) fn say_now(&self, packet: &Packet<'_>) -> Result<(), How> {
        self.channel
            .send(packet)
            .map_err(|_| How::Garbage("more calls than it hears the answers of".to_owned()))
    }

    /// Has another one who waits read from now on.
    pub(super) fn hand_on(&self) {
        if self.load() > 1 {
            let waiting = self.waiting.lock();
            if let Some(next) = waiting.values().next() {
                next.told.notify_one();
            }
        }
    }

    /// Hears all that is there, where nobody reads.
    pub(in crate::isolate) fn read_for_others(self: &Arc<Self>) {
        // What is heard may have to be answered, and that would read again.
        if READS.replace(true) {
            return;
        }
        let read = contain(|| self.read_all());
        READS.set(false);
        drop(read);
    }

    fn read_all(self: &Arc<Self>) {
        /// Who talks without end is not listened to without end.
        const AT_ONCE: usize = 1_000;

        let mut buffer = Buffer::take();
        for _ in 0..AT_ONCE {
            let Some(reading) = self.reading.try_lock() else {
                return;
            };
            let heard = match self.channel.take(&mut buffer) {
                Ok(Received::Message(length, file)) => self.hear(
                    &Listener::NOBODY,
                    buffer.message(length),
                    file,
                    Some(reading),
                ),
                Ok(Received::Nothing) => return,
                Ok(Received::End) | Err(_) => Err(How::Status(None)),
            };
            if let Err(how) = heard {
                self.conclude(how);
                return;
            }
        }
    }
}

/// Who hears: a request, whose call it is, what memory was made for it, and when it is over.
pub(super) struct Listener<'a, 'c> {
    pub(super) request: Option<u64>,
    pub(super) call: Option<&'a RawCallRef<'c>>,
    pub(super) memory: Option<&'a Shared>,
    pub(super) until: Option<Instant>,
}

impl Listener<'_, '_> {
    /// Who hears for others.
    const NOBODY: Self = Self {
        request: None,
        call: None,
        memory: None,
        until: None,
    };
}

/// That a thread hears, or does not for a while; undone when it is dropped.
pub(super) struct Hearing<'w> {
    hearing: &'w AtomicUsize,
    begun: bool,
}

impl<'w> Hearing<'w> {
    pub(super) fn begin(worker: &'w Worker) -> Self {
        worker.hearing.fetch_add(1, Ordering::AcqRel);
        Self {
            hearing: &worker.hearing,
            begun: true,
        }
    }

    /// Lets others hear meanwhile: one who waits, or whoever looks after workers.
    fn pause(worker: &'w Worker) -> Self {
        worker.hearing.fetch_sub(1, Ordering::AcqRel);
        worker.hand_on();
        Self {
            hearing: &worker.hearing,
            begun: false,
        }
    }
}

impl Drop for Hearing<'_> {
    fn drop(&mut self) {
        if self.begun {
            self.hearing.fetch_sub(1, Ordering::AcqRel);
        } else {
            self.hearing.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// What came of hearing once.
pub(super) enum Step {
    Answer(Result<Value, Error>),
    Again,
    Nothing,
}

impl Step {
    fn of(mine: bool, answer: Result<Value, Error>) -> Self {
        // Whoever waited for it waits no more.
        if mine {
            Self::Answer(answer)
        } else {
            Self::Again
        }
    }
}
