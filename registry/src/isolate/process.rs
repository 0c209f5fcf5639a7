//! The host's side of one worker: a process, what is asked of it, and its end.
//!
//! Whoever waits for an answer reads the socket itself, if nobody else does: an answer then comes without a
//! change of thread. Of many who wait, one reads for all. When nobody waits, `tend` reads.
//!
//! - `hear` takes what it says and acts on it, `conclude` is its end.

mod conclude;
mod hear;

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use floe_plugin_api::abi::RawCallRef;
use floe_plugin_api::{Error, ErrorKind, Value};
use parking_lot::{Condvar, Mutex};
use rustix::process::Pid;

use self::hear::{Hearing, Listener, Step};
use super::asked;
use super::end::{End, How};
use super::log::Log;
use super::output::Output;
use super::recipe::Recipe;
use super::wire::channel::{Buffer, Channel, Received};
use super::wire::frame::{FromWorker, Saying, ToWorker};
use super::wire::packet::{Came, Memory, Packet};

/// How often whoever waits looks at the time, at whether the caller has cancelled, and at the process.
const TICK: Duration = Duration::from_millis(5);

/// How long after its deadline an answer still counts. Less than whoever set the deadline waits.
const GRACE: Duration = Duration::from_millis(5);

/// How many calls from outside are in one worker at most; more wait until one is done.
const AT_ONCE: usize = 64;

/// How many calls are in one worker at most, those included that plugins in workers make: who waits for such a
/// one may be in the way of it, so it is refused and does not wait.
pub(super) const NESTED: usize = 1_024;

/// How many bytes memory may have that is kept for the next call.
const LARGEST_SPARE: u64 = 32 << 20;

/// The bit that says that nobody may begin anything any more.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// A worker's process.
pub(crate) struct Worker {
    pub(super) recipe: Arc<Recipe>,
    channel: Channel,
    pid: Pid,
    child: Mutex<Option<Child>>,
    pub(super) output: Output,
    pub(super) log: Log,
    /// Held by whoever reads the socket.
    reading: Mutex<()>,
    waiting: Mutex<HashMap<u64, Arc<Waiter>>>,
    /// Memory that a call and its answer were passed in, for the next one.
    spare: Mutex<Option<Memory>>,
    requests: AtomicU64,
    /// How many requests are in it, and whether it is closed.
    inside: AtomicUsize,
    /// How many threads read what it says, or wait to: those that make a call for its plugin do not.
    hearing: AtomicUsize,
    /// How many calls are made for threads of its plugin's own.
    pub(super) apart: AtomicUsize,
    /// When it was used last, in milliseconds after it began.
    used: AtomicU64,
    pub(super) began: Instant,
    kept: AtomicBool,
    ended: OnceLock<Arc<End>>,
}

/// Somebody who waits for an answer.
#[derive(Default)]
struct Waiter {
    came: Mutex<VecDeque<Forwarded>>,
    told: Condvar,
}

/// A message that another one has read.
struct Forwarded {
    message: Vec<u8>,
    file: Option<File>,
}

/// That a request is in a worker.
pub(super) struct Inside<'w>(&'w Worker);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.note_use();
        self.0.inside.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a request is.
pub(super) enum Request<'a, 'c> {
    Describe,
    Create(&'a Value),
    Call {
        operation: u32,
        input: &'a Value,
        call: &'a RawCallRef<'c>,
    },
    Health,
    Stop,
}

impl Worker {
    pub(super) fn new(recipe: Arc<Recipe>, channel: Channel, mut child: Child) -> io::Result<Self> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("a process without a number"))?;
        let output = Output::of(&mut child)?;
        channel.set_patience(TICK)?;
        Ok(Self {
            log: Log::new(recipe.clone()),
            recipe,
            channel,
            pid,
            child: Mutex::new(Some(child)),
            output,
            reading: Mutex::new(()),
            waiting: Mutex::default(),
            spare: Mutex::default(),
            requests: AtomicU64::new(0),
            inside: AtomicUsize::new(0),
            hearing: AtomicUsize::new(0),
            apart: AtomicUsize::new(0),
            used: AtomicU64::new(0),
            began: Instant::now(),
            kept: AtomicBool::new(false),
            ended: OnceLock::new(),
        })
    }

    pub(crate) fn process(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn ended(&self) -> Option<&Arc<End>> {
        self.ended.get()
    }

    /// How many requests are in it.
    pub(crate) fn load(&self) -> usize {
        self.inside.load(Ordering::Relaxed) & !CLOSED
    }

    /// Whether there is somebody who reads what it sends.
    pub(super) fn is_read(&self) -> bool {
        self.hearing.load(Ordering::Acquire) > 0
    }

    /// How long nothing has been asked of it.
    pub(super) fn idle_for(&self) -> Duration {
        if self.load() > 0 {
            return Duration::ZERO;
        }
        let used = Duration::from_millis(self.used.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(used)
    }

    fn note_use(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.used.store(now, Ordering::Relaxed);
    }

    /// How many calls there may be in one worker, as far as this thread is concerned.
    pub(super) fn limit() -> usize {
        if asked::is_asking() { NESTED } else { AT_ONCE }
    }

    /// Begins a request; nothing where it is closed, or full.
    pub(super) fn begin(&self) -> Option<Inside<'_>> {
        let before = self.inside.fetch_add(1, Ordering::AcqRel);
        let inside = Inside(self);
        if before & CLOSED != 0 || before >= Self::limit() || self.ended.get().is_some() {
            return None;
        }
        Some(inside)
    }

    /// Lets nobody begin anything, if nobody is in it. True for the one that closed it.
    pub(super) fn close_if_empty(&self) -> bool {
        self.inside
            .compare_exchange(0, CLOSED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Lets nobody begin anything.
    pub(super) fn close(&self) {
        self.inside.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// How many bytes of memory the process has.
    pub(crate) fn memory(&self) -> Option<u64> {
        resident(self.process())
    }

    /// Sends a frame, however long the worker takes to make room, until a time.
    fn send(self: &Arc<Self>, packet: &Packet<'_>, until: Option<Instant>) -> Result<(), How> {
        loop {
            match self.channel.send(packet) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.ended.get().is_some() {
                        return Err(How::Status(None));
                    }
                    if until.is_some_and(|until| Instant::now() >= until) {
                        return Err(How::Overran {
                            request: u64::MAX,
                            allowed: Duration::ZERO,
                        });
                    }
                    // What it has to say may be why it does not listen.
                    self.read_for_others();
                    if self.has_exited() {
                        return Err(How::Status(None));
                    }
                }
                // The other end is gone.
                Err(_) => return Err(How::Status(None)),
            }
        }
    }

    /// Sends a word that nobody waits for.
    pub(super) fn say(self: &Arc<Self>, packet: &Packet<'_>) {
        if let Err(how) = self.send(packet, Some(Instant::now() + Duration::from_secs(5))) {
            self.conclude(how);
        }
    }

    /// Asks something, and waits for what comes of it, as long as is allowed.
    pub(super) fn ask(
        self: &Arc<Self>,
        what: &Request<'_, '_>,
        allowed: Option<Duration>,
    ) -> Result<Value, Error> {
        let request = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let level = super::log::level();
        let packet = match what {
            Request::Describe => Packet::new(&ToWorker::Describe { request }, []),
            Request::Create(config) => Packet::new(&ToWorker::Create { request, level }, [*config]),
            Request::Call {
                operation,
                input,
                call,
            } => Packet::in_memory(
                || Memory::for_call(self.spare.lock().take()),
                &ToWorker::Call {
                    request,
                    operation: *operation,
                    level,
                    said: Saying {
                        execution_id: call.execution_id().into(),
                        node_id: call.node_id().into(),
                        tenant: call.tenant().into(),
                        attempt: call.attempt(),
                        remaining_ns: allowed.map_or(u64::MAX, |allowed| {
                            u64::try_from(allowed.as_nanos()).unwrap_or(u64::MAX - 1)
                        }),
                        cancelled: call.is_cancelled(),
                    },
                },
                [*input],
            ),
            Request::Health => Packet::new(&ToWorker::Health { request }, []),
            Request::Stop => Packet::new(&ToWorker::Stop { request }, []),
        };
        let mut packet = packet.map_err(|error| {
            Error::new(
                ErrorKind::InvalidParameters,
                format!("the input cannot be passed to a worker: {error}"),
            )
        })?;
        let began = Instant::now();
        let until = allowed.and_then(|allowed| began.checked_add(allowed));
        let until = until.and_then(|until| until.checked_add(GRACE));
        let waiter = Arc::new(Waiter::default());
        self.waiting.lock().insert(request, waiter.clone());
        let answer = self.converse(request, &waiter, &mut packet, what, allowed, until);
        self.waiting.lock().remove(&request);
        self.hand_on();
        if self.ended.get().is_none()
            && let Some(memory) = packet.memory.take()
        {
            self.keep_spare(memory);
        }
        answer
    }

    /// Keeps memory for the next call. The worker has answered, so it needs it no more.
    fn keep_spare(&self, memory: Memory) {
        if memory
            .length()
            .is_some_and(|length| length <= LARGEST_SPARE)
        {
            let before = self.spare.lock().replace(memory);
            drop(before);
        }
    }

    /// Gives the memory back that is kept for the next call.
    pub(super) fn rest(&self) {
        let spare = self.spare.lock().take();
        drop(spare);
    }

    fn converse(
        self: &Arc<Self>,
        request: u64,
        waiter: &Waiter,
        packet: &mut Packet<'_>,
        what: &Request<'_, '_>,
        allowed: Option<Duration>,
        until: Option<Instant>,
    ) -> Result<Value, Error> {
        let lost = |how: How| Err(self.conclude(how).error(Some(request)));
        let overran = || How::Overran {
            request,
            allowed: allowed.unwrap_or_default(),
        };
        match self.send(packet, until) {
            Ok(()) => {}
            Err(How::Overran { .. }) => return lost(overran()),
            Err(how) => return lost(how),
        }
        // Where it is given up, whoever waits finds why below.
        packet.pour(&mut || !self.is_over(until)).tell();
        let call = match what {
            Request::Call { call, .. } => Some(*call),
            _ => None,
        };
        let listener = Listener {
            request: Some(request),
            call,
            memory: packet.memory.as_ref().and_then(Memory::shared),
            until,
        };
        let _hearing = Hearing::begin(self);
        let mut cancelled = false;
        let mut buffer = Buffer::take();
        loop {
            match self.step(waiter, &mut buffer, &listener) {
                Ok(Step::Answer(answer)) => return answer,
                Ok(Step::Again) => {}
                Ok(Step::Nothing) => {
                    if self.ended.get().is_none() && self.has_exited() {
                        self.conclude(How::Status(None));
                    }
                }
                // What had come for it before is looked at below.
                Err(how) => drop(self.conclude(how)),
            }
            if !cancelled && call.is_some_and(RawCallRef::is_cancelled) {
                let packet = Packet::new(&ToWorker::Cancel { request }, []);
                // Said again where there was no room for it.
                cancelled = packet.is_ok_and(|packet| self.channel.send(&packet).is_ok());
            }
            if let Some(end) = self.ended.get() {
                // An answer that came before the end counts.
                if waiter.came.lock().is_empty() {
                    return Err(end.error(Some(request)));
                }
            } else if until.is_some_and(|until| Instant::now() >= until) {
                return lost(overran());
            }
        }
    }

    /// The first words, of which each has one answer: says one, and reads what comes.
    pub(super) fn first_words<T>(
        &self,
        packet: &Packet<'_>,
        file: Option<BorrowedFd<'_>>,
        until: Option<Instant>,
        read: impl FnOnce(FromWorker<'_>) -> Result<T, How>,
    ) -> Result<T, Arc<End>> {
        let late = || How::Overran {
            request: 0,
            allowed: self.began.elapsed(),
        };
        // Until it is there, nobody else reads what it says.
        let _reading = self.reading.lock();
        if self.channel.send_with(packet, file).is_err() {
            return Err(self.conclude(How::Status(None)));
        }
        let mut buffer = Buffer::take();
        loop {
            match self.channel.receive(&mut buffer) {
                Ok(Received::Message(length, _)) => {
                    let message = buffer.message(length);
                    let opened = Came::new(message, None).and_then(Came::open::<FromWorker<'_>>);
                    let read = match opened {
                        Ok((head, _)) => read(head),
                        Err(found) => Err(How::Garbage(found.to_string())),
                    };
                    return read.map_err(|how| self.conclude(how));
                }
                Ok(Received::Nothing) => {
                    if self.has_exited() {
                        return Err(self.conclude(How::Status(None)));
                    }
                    if until.is_some_and(|until| Instant::now() >= until) {
                        return Err(self.conclude(late()));
                    }
                }
                Ok(Received::End) | Err(_) => return Err(self.conclude(How::Status(None))),
            }
        }
    }

    /// The socket, where nobody reads it who waits for something.
    pub(super) fn socket_to_watch(&self) -> Option<BorrowedFd<'_>> {
        /// Who has called just now may call again, and would wake whoever looks at the socket.
        const QUIET: Duration = Duration::from_millis(20);

        let is_quiet = self.load() > 0 || self.idle_for() > QUIET;
        (!self.is_read() && is_quiet).then(|| self.channel.as_fd())
    }

    /// Whether it waits for calls, and has not only been asked what it is.
    pub(super) fn is_kept(&self) -> bool {
        self.kept.load(Ordering::Relaxed)
    }

    /// Says that it waits for calls from now on.
    pub(super) fn keep(&self) {
        self.note_use();
        self.kept.store(true, Ordering::Relaxed);
    }

    /// Whether nobody may begin anything in it.
    pub(super) fn is_closed(&self) -> bool {
        self.inside.load(Ordering::Acquire) & CLOSED != 0 || self.ended.get().is_some()
    }
}

/// How many bytes of memory a process has.
#[cfg(target_os = "linux")]
pub(crate) fn resident(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn resident(_process: u32) -> Option<u64> {
    None
}
