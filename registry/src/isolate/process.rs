//! The host's side of one worker: a process, what is asked of it, and its end.
//!
//! Whoever waits for an answer reads the socket itself, if nobody else does: an answer then comes without a
//! change of thread. Of many who wait, one reads for all. When nobody waits, `tend` reads.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, ChildStderr, ChildStdout};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use floe_plugin_api::abi::{RawCallRef, contain};
use floe_plugin_api::{Error, ErrorKind, Value};
use parking_lot::{Condvar, Mutex, MutexGuard};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::asked::{self, Asking};
use super::end::{End, How};
use super::errors;
use super::log::{Log, Stream};
use super::recipe::Recipe;
use super::tend;
use super::wire::channel::{Buffer, Channel, Received};
use super::wire::frame::{FromWorker, Saying, ToWorker};
use super::wire::packet::{Came, Packet};
use super::wire::value::Malformed;

/// How often whoever waits looks at the time, at whether the caller has cancelled, and at the process.
const TICK: Duration = Duration::from_millis(5);

/// How long after its deadline an answer still counts. Less than whoever set the deadline waits.
const GRACE: Duration = Duration::from_millis(5);

/// How many calls from outside are in one worker at most; more wait until one is done.
const AT_ONCE: usize = 64;

/// How many calls are in one worker at most, those included that plugins in workers make: who waits for such a
/// one may be in the way of it, so it is refused and does not wait.
pub(super) const NESTED: usize = 1_024;

/// How many messages are kept for one caller that is busy with what it has heard.
const AHEAD: usize = 256;

thread_local! {
    /// Whether this thread reads for others.
    static READS: Cell<bool> = const { Cell::new(false) };
}

/// How long a process that closed its connection may take to end.
const LEAVING: Duration = Duration::from_millis(200);

/// How many bytes a file may have that is kept for the next call.
const LARGEST_SPARE: u64 = 32 << 20;

/// The bit that says that nobody may begin anything any more.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// A worker's process.
pub(crate) struct Worker {
    pub(super) recipe: Arc<Recipe>,
    channel: Channel,
    pid: Pid,
    child: Mutex<Option<Child>>,
    output: Mutex<Output>,
    pub(super) log: Log,
    /// Held by whoever reads the socket.
    reading: Mutex<()>,
    waiting: Mutex<HashMap<u64, Arc<Waiter>>>,
    /// A file that a call and its answer were passed in, for the next one.
    spare: Mutex<Option<File>>,
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

/// What a worker writes to its standard output and errors.
struct Output {
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    partial: [Vec<u8>; 2],
    last: VecDeque<String>,
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
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let streams = stdout.iter().map(AsFd::as_fd);
        for stream in streams.chain(stderr.iter().map(AsFd::as_fd)) {
            rustix::io::ioctl_fionbio(stream, true)?;
        }
        channel.set_patience(TICK)?;
        Ok(Self {
            log: Log::new(recipe.clone()),
            recipe,
            channel,
            pid,
            child: Mutex::new(Some(child)),
            output: Mutex::new(Output {
                stdout,
                stderr,
                partial: Default::default(),
                last: VecDeque::new(),
            }),
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
            } => Packet::in_place_of(
                || self.spare.lock().take(),
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
        let answer = self.converse(request, &waiter, &packet, what, allowed, until);
        self.waiting.lock().remove(&request);
        self.hand_on();
        if self.ended.get().is_none()
            && let Some(file) = packet.file.take()
        {
            self.keep_spare(file.into());
        }
        answer
    }

    /// Keeps a file for the next call. The worker has answered, so it needs it no more.
    fn keep_spare(&self, file: File) {
        let length = file.metadata().map(|metadata| metadata.len());
        if length.is_ok_and(|length| length <= LARGEST_SPARE) {
            *self.spare.lock() = Some(file);
        }
    }

    /// Gives the memory back that is kept for the next call.
    pub(super) fn drop_spare(&self) {
        drop(self.spare.lock().take());
    }

    fn converse(
        self: &Arc<Self>,
        request: u64,
        waiter: &Waiter,
        packet: &Packet<'_>,
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
        let call = match what {
            Request::Call { call, .. } => Some(*call),
            _ => None,
        };
        let listener = Listener {
            request: Some(request),
            call,
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

    /// Hears what comes next for a request, or for others; waits a tick at most.
    fn step(
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
                let value = values.one().map_err(garbage)?;
                return Ok(Step::of(to == request, Ok(value)));
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
                if self.log.wants(callsite) && !values.are_in_a_file() {
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
    pub(super) fn say_now(&self, packet: &Packet<'_>) -> Result<(), How> {
        self.channel
            .send(packet)
            .map_err(|_| How::Garbage("more calls than it hears the answers of".to_owned()))
    }

    /// Has another one who waits read from now on.
    fn hand_on(&self) {
        if self.load() > 1 {
            let waiting = self.waiting.lock();
            if let Some(next) = waiting.values().next() {
                next.told.notify_one();
            }
        }
    }

    /// Hears all that is there, where nobody reads.
    pub(super) fn read_for_others(self: &Arc<Self>) {
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

    /// Whether the process has ended, though a process that it made may hold its connection open.
    pub(super) fn has_exited(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.pid), options) {
            Ok(status) => status.is_some(),
            // Somebody else in this program has waited for it.
            Err(error) => error == Errno::CHILD,
        }
    }

    /// Ends it, if that was not done: kills what is left of it, and tells all who wait.
    pub(super) fn conclude(&self, how: How) -> Arc<End> {
        let mut child = self.child.lock();
        if let Some(end) = self.ended.get() {
            return end.clone();
        }
        let how = match how {
            How::Status(_) if self.leaves() => How::Status(None),
            How::Status(_) => How::Closed,
            how => how,
        };
        // Before it is waited for: until then nobody else has its number.
        let _ = kill_process_group(self.pid, Signal::KILL);
        let inside = self.load();
        self.close();
        let status = child.take().and_then(|mut child| {
            let until = Instant::now() + LEAVING;
            loop {
                match child.try_wait() {
                    Ok(Some(status)) => return Some(status),
                    Ok(None) if Instant::now() < until => {
                        thread::sleep(Duration::from_micros(200));
                    }
                    Ok(None) => {
                        tend::bury(child);
                        return None;
                    }
                    Err(_) => return None,
                }
            }
        });
        self.read_output();
        // Nothing is believed that comes after what is no frame.
        if !matches!(how, How::Garbage(_)) {
            self.deliver_answers();
        }
        let end = Arc::new(End {
            how: match how {
                How::Status(_) => How::Status(status),
                how => how,
            },
            process: self.process(),
            last_lines: self.output.lock().last.iter().cloned().collect(),
            inside,
        });
        // Nobody else sets it, as the child is locked.
        let _ = self.ended.set(end.clone());
        drop(child);
        for waiter in self.waiting.lock().values() {
            waiter.told.notify_all();
        }
        // One that was only asked what it is was not told of either, unless it did harm.
        if self.is_kept() || end.is_fault() {
            // Who listens to the log or the events may panic, and must not end who looks after workers.
            let _ = contain(|| self.recipe.keeper.ended(self, &end));
        }
        end
    }

    /// Gives answers that came before the end to whom they are for.
    fn deliver_answers(&self) {
        /// More than a socket takes.
        const MOST: usize = 1_000;

        // Whoever reads lets go of it each tick.
        let Some(_reading) = self.reading.try_lock_for(4 * TICK) else {
            return;
        };
        let mut buffer = Buffer::take();
        for _ in 0..MOST {
            let Ok(Received::Message(length, file)) = self.channel.take(&mut buffer) else {
                return;
            };
            let message = buffer.message(length);
            let opened = Came::new(message, file).and_then(Came::open::<FromWorker<'_>>);
            if let Ok((FromWorker::Done { request } | FromWorker::Failed { request }, values)) =
                opened
                && let Some(waiter) = self.waiting.lock().get(&request)
            {
                let (message, file) = (message.to_vec(), values.into_values_file());
                waiter.came.lock().push_back(Forwarded { message, file });
            }
        }
    }

    /// Whether the process, whose connection is closed, ends.
    fn leaves(&self) -> bool {
        let until = Instant::now() + LEAVING;
        while !self.has_exited() {
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(Duration::from_micros(200));
        }
        true
    }

    /// The socket, where nobody reads it who waits for something.
    pub(super) fn socket_to_watch(&self) -> Option<BorrowedFd<'_>> {
        /// Who has called just now may call again, and would wake whoever looks at the socket.
        const QUIET: Duration = Duration::from_millis(20);

        let is_quiet = self.load() > 0 || self.idle_for() > QUIET;
        (!self.is_read() && is_quiet).then(|| self.channel.as_fd())
    }

    /// What it writes its output and errors to.
    pub(super) fn output_descriptors(&self) -> Vec<OwnedFd> {
        let output = self.output.lock();
        let streams = output.stdout.iter().map(AsFd::as_fd);
        let streams = streams.chain(output.stderr.iter().map(AsFd::as_fd));
        streams
            .filter_map(|stream| stream.try_clone_to_owned().ok())
            .collect()
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

    /// Takes what it has written to its standard output and errors into the log.
    pub(super) fn read_output(&self) {
        let mut output = self.output.lock();
        let Output {
            stdout,
            stderr,
            partial: [out, err],
            last,
        } = &mut *output;
        let mut lines = Vec::new();
        if let Some(stream) = stdout
            && !take_lines(stream, out, |line| lines.push((Stream::Out, line)))
        {
            *stdout = None;
        }
        if let Some(stream) = stderr
            && !take_lines(stream, err, |line| lines.push((Stream::Err, line)))
        {
            *stderr = None;
        }
        for (stream, line) in &lines {
            if *stream == Stream::Err {
                if last.len() == KEPT_LINES {
                    last.pop_front();
                }
                last.push_back(self.recipe.secrets.mask(line));
            }
        }
        drop(output);
        for (stream, line) in lines {
            self.log.line(stream, &line);
        }
    }
}

/// Who hears: a request, whose call it is, and when it is over.
struct Listener<'a, 'c> {
    request: Option<u64>,
    call: Option<&'a RawCallRef<'c>>,
    until: Option<Instant>,
}

impl Listener<'_, '_> {
    /// Who hears for others.
    const NOBODY: Self = Self {
        request: None,
        call: None,
        until: None,
    };
}

/// That a thread hears, or does not for a while; undone when it is dropped.
struct Hearing<'w> {
    hearing: &'w AtomicUsize,
    begun: bool,
}

impl<'w> Hearing<'w> {
    fn begin(worker: &'w Worker) -> Self {
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
enum Step {
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

/// How many of the last lines of a worker's errors are kept.
const KEPT_LINES: usize = 10;

/// The longest line of a worker's output that is kept whole, in bytes.
const LONGEST_LINE: usize = 4 << 10;

/// How much of a worker's output is taken at once, so that none has a host read for ever.
const AT_A_TIME: usize = 256 << 10;

/// Takes whole lines from a stream; false where it has ended.
fn take_lines(stream: &mut impl Read, partial: &mut Vec<u8>, mut each: impl FnMut(String)) -> bool {
    let mut chunk = [0; 8 << 10];
    let mut taken = 0;
    let open = loop {
        match stream.read(&mut chunk) {
            Ok(0) => break false,
            Ok(count) => {
                taken += count;
                for &byte in chunk.get(..count).unwrap_or_default() {
                    if byte == b'\n' || partial.len() == LONGEST_LINE {
                        each(String::from_utf8_lossy(partial).into_owned());
                        partial.clear();
                    }
                    if byte != b'\n' {
                        partial.push(byte);
                    }
                }
                if taken >= AT_A_TIME {
                    break true;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break error.kind() == io::ErrorKind::WouldBlock,
        }
    };
    if !open && !partial.is_empty() {
        each(String::from_utf8_lossy(partial).into_owned());
        partial.clear();
    }
    open
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.conclude(How::Stopped);
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
