//! What a worker does.
//!
//! ```text
//! started ─ alone ─ hello ─ sandbox ─ welcome ─ load ─ threads: take a frame, do it, answer
//! ```
//!
//! Before it maps a plugin's code it gives up all that is not needed for that. Afterwards nothing here is
//! believed by the host: the plugin may do to this process what it likes.
//!
//! A thread takes a frame from the socket and does what it asks. It sees to it first that another one waits for
//! the next frame, so that a call can be cancelled, and others made, while it is in the plugin.

mod alone;
mod asking;
mod rest;

use std::collections::HashMap;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use floe_plugin_api::abi::contain;
use floe_plugin_api::{CallOptions, Error, ErrorKind, HealthState, Value, value};
use parking_lot::{Mutex, RwLock};

use self::asking::Host;
use super::errors;
use super::process::NESTED;
use super::sandbox;
use super::spawn::PARENT;
use super::wire::channel::{Buffer, Channel, Received};
use super::wire::frame::{FromWorker, MAGIC, PROTOCOL, RELEASE, Saying, ToWorker, shortened};
use super::wire::mapped::Shared;
use super::wire::packet::{Came, Memory, Packet, Values};
use super::wire::value::Malformed;
use crate::admit::Stored;
use crate::error::Rejection;
use crate::host::{Image, Instance, Said, Waited};

/// How many threads wait for frames or are in the plugin at most: as many as calls, and a few that listen.
const THREADS: usize = NESTED + 4;

/// What a worker works with.
pub(super) struct Server {
    channel: Channel,
    image: Image,
    instance: RwLock<Option<Instance>>,
    /// The calls that are inside, and whether they are still waited for.
    calls: Mutex<HashMap<u64, Arc<Given>>>,
    /// What the plugin has asked of the host, and who waits for it.
    asked: Mutex<HashMap<u64, mpsc::Sender<Told>>>,
    asks: AtomicU64,
    /// The most detailed level that the host's log wants.
    level: AtomicU8,
    callsites: Mutex<Vec<u8>>,
    /// The host's memory that the last large call was passed in, mapped for the next one.
    kept: Mutex<Option<Shared>>,
    /// How many threads there are, and how many of them wait for a frame.
    threads: AtomicUsize,
    listening: AtomicUsize,
}

/// What is told of something that the plugin has asked.
enum Told {
    Progress(f64, String),
    Answer(Result<Value, Error>),
}

/// Whether a call is given up.
struct Given {
    up: AtomicBool,
}

#[derive(Clone)]
struct Waiting(Arc<Given>);

impl Waited for Waiting {
    fn is_given_up(&self) -> bool {
        self.0.up.load(Ordering::Acquire)
    }
}

/// Why a worker ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Over {
    /// It was not started by a host.
    #[error(
        "this program is started by a floe host, which speaks to it through its standard input; to call a plugin, use `floe call`"
    )]
    NoHost,
    /// The host is there no more.
    #[error("the host is gone")]
    HostGone,
    /// The host is another release's.
    #[error("the host is of release `{0}`, this worker of `{RELEASE}`")]
    OtherRelease(String),
    /// The host says what cannot be understood.
    #[error("the host sent {0}")]
    Malformed(#[from] Malformed),
    /// The system does not give what is needed.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl From<rustix::io::Errno> for Over {
    fn from(error: rustix::io::Errno) -> Self {
        Self::System(error.into())
    }
}

/// Serves the host that has started this process, until it is gone.
pub(crate) fn serve(arguments: impl IntoIterator<Item = OsString>) -> Result<Infallible, Over> {
    let mut arguments = arguments.into_iter();
    let parent = (arguments.next() == Some(PARENT.into()))
        .then(|| arguments.next())
        .flatten()
        .and_then(|parent| parent.to_str()?.parse().ok())
        .ok_or(Over::NoHost)?;
    let channel = alone::become_worker(parent)?;
    let mut buffer = Buffer::take();

    let (length, _) = next(&channel, &mut buffer)?;
    let (head, _) = Came::new(buffer.message(length), None)?.open::<ToWorker<'_>>()?;
    let ToWorker::Hello {
        magic: MAGIC,
        protocol,
        release,
        sandbox,
        library,
    } = head
    else {
        return Err(Malformed::new("no greeting").into());
    };
    let library = PathBuf::from(OsStr::from_bytes(library));
    let fits = protocol == PROTOCOL && release == RELEASE;
    let missing = if fits {
        sandbox::apply(&sandbox, &library)
    } else {
        Vec::new()
    };
    let welcome = FromWorker::Welcome {
        magic: MAGIC,
        protocol: PROTOCOL,
        release: RELEASE,
        missing: missing.into_iter().map(Into::into).collect(),
    };
    send(&channel, &welcome, None)?;
    if !fits {
        return Err(Over::OtherRelease(release.to_owned()));
    }

    let (length, file) = next(&channel, &mut buffer)?;
    let came = Came::new(buffer.message(length), file)?;
    let (head, values) = came.open::<ToWorker<'_>>()?;
    let (ToWorker::Load { original, note }, Some(file)) = (head, values.into_file()) else {
        return Err(Malformed::new("no library").into());
    };
    let original = Path::new(OsStr::from_bytes(original));
    let image = match load(original, note, library, file) {
        Ok(image) => image,
        Err(rejection) => {
            let refused = FromWorker::Refused {
                check: rejection.check,
                found: &rejection.found,
                expected: &rejection.expected,
                remedy: &rejection.remedy,
            };
            send(&channel, &refused, None)?;
            // The host ends it.
            let _ = next(&channel, &mut buffer);
            return Err(Over::HostGone);
        }
    };
    send(&channel, &FromWorker::Loaded, None)?;
    drop(buffer);

    let server = Arc::new(Server {
        channel,
        image,
        instance: RwLock::default(),
        calls: Mutex::default(),
        asked: Mutex::default(),
        asks: AtomicU64::new(0),
        level: AtomicU8::new(0),
        callsites: Mutex::default(),
        kept: Mutex::default(),
        threads: AtomicUsize::new(1),
        listening: AtomicUsize::new(0),
    });
    // Not on the first thread: the C library gives the memory of that one back to the system after each
    // large value.
    let own = server.clone();
    let first = thread::Builder::new()
        .name("floe-serve".to_owned())
        .spawn(move || own.listen());
    match first.map(thread::JoinHandle::join) {
        Ok(Ok(over)) => Err(over),
        Ok(Err(_)) => Err(Over::HostGone),
        Err(_) => Err(server.listen()),
    }
}

/// Maps the copy that the host has verified: what is under its path must be what the host has open.
fn load(original: &Path, note: &[u8], path: PathBuf, file: File) -> Result<Image, Box<Rejection>> {
    let copy = Stored::handed_over(path, file, original)?;
    Image::alone(original, note, copy)
}

/// The next message.
fn next(channel: &Channel, buffer: &mut Buffer) -> Result<(usize, Option<File>), Over> {
    match channel.receive(buffer)? {
        Received::Message(length, file) => Ok((length, file)),
        Received::Nothing => Err(Malformed::new("nothing").into()),
        Received::End => Err(Over::HostGone),
    }
}

fn send(channel: &Channel, head: &FromWorker<'_>, value: Option<&Value>) -> Result<(), Over> {
    let packet =
        Packet::new(head, value).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(channel.send(&packet)?)
}

impl Server {
    /// Takes frames and does what they ask, until the host is gone.
    fn listen(self: &Arc<Self>) -> Over {
        let mut buffer = Buffer::take();
        loop {
            self.listening.fetch_add(1, Ordering::AcqRel);
            let next = self.next(&mut buffer);
            self.listening.fetch_sub(1, Ordering::AcqRel);
            let heard = next.and_then(|(length, file)| {
                let came = Came::new(buffer.message(length), file)?;
                let (head, values) = came.open::<ToWorker<'_>>()?;
                self.hear(head, values)
            });
            if let Err(over) = heard {
                alone::end();
                return over;
            }
        }
    }

    /// The next message. Who had a large value and nothing to do since gives back first what that has left behind.
    fn next(&self, buffer: &mut Buffer) -> Result<(usize, Option<File>), Over> {
        while let Some(left) = rest::left() {
            if !self.channel.waits_for(left)? {
                let kept = self.kept.lock().take();
                drop(kept);
                rest::rest();
                break;
            }
            match self.channel.take(buffer)? {
                Received::Message(length, file) => return Ok((length, file)),
                // It came to another thread.
                Received::Nothing => {}
                Received::End => return Err(Over::HostGone),
            }
        }
        next(&self.channel, buffer)
    }

    /// Sees to it that somebody waits for the next frame while this thread is in the plugin.
    fn have_another_listen(self: &Arc<Self>) {
        if self.listening.load(Ordering::Acquire) > 0 {
            return;
        }
        if self.threads.fetch_add(1, Ordering::AcqRel) >= THREADS {
            self.threads.fetch_sub(1, Ordering::AcqRel);
            return;
        }
        let own = self.clone();
        let started = thread::Builder::new()
            .name("floe-serve".to_owned())
            .spawn(move || drop(own.listen()));
        if started.is_err() {
            self.threads.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn hear(self: &Arc<Self>, head: ToWorker<'_>, values: Values<'_>) -> Result<(), Over> {
        if !values.are_in_the_message() {
            rest::had_large();
        }
        match head {
            ToWorker::Call {
                request,
                operation,
                level,
                said,
            } => {
                self.level.store(level, Ordering::Relaxed);
                if !values.are_in_the_message() {
                    // It may be a while until all is there.
                    self.have_another_listen();
                }
                let (input, memory) = values.one_and_memory(|| self.kept.lock().take())?;
                let given = Arc::new(Given {
                    up: AtomicBool::new(said.cancelled),
                });
                self.calls.lock().insert(request, given.clone());
                self.have_another_listen();
                let answer = self.call(request, operation, &input, said, given);
                self.calls.lock().remove(&request);
                self.answer_in(memory, request, answer)
            }
            ToWorker::Cancel { request } => {
                if let Some(given) = self.calls.lock().get(&request) {
                    given.up.store(true, Ordering::Release);
                }
                Ok(())
            }
            ToWorker::Answer { ask, failed } => {
                let value = values.one()?;
                let answer = if failed {
                    Err(errors::read(&value))
                } else {
                    Ok(value)
                };
                if let Some(waits) = self.asked.lock().remove(&ask) {
                    let _ = waits.send(Told::Answer(answer));
                }
                Ok(())
            }
            ToWorker::Progress {
                ask,
                fraction,
                message,
            } => {
                if let Some(waits) = self.asked.lock().get(&ask) {
                    let _ = waits.send(Told::Progress(fraction, message.to_owned()));
                }
                Ok(())
            }
            ToWorker::Create { request, level } => {
                self.level.store(level, Ordering::Relaxed);
                let config = values.one()?;
                self.have_another_listen();
                let _inside = asking::During::enter(request);
                let created = self.image.start_with(&config, Host::handle(self));
                let answer = created.map(|instance| {
                    *self.instance.write() = Some(instance);
                    Value::Null
                });
                self.answer(request, answer)
            }
            ToWorker::Describe { request } => {
                self.have_another_listen();
                let _inside = asking::During::enter(request);
                self.answer(request, self.image.describe().map(Value::from))
            }
            ToWorker::Health { request } => {
                self.have_another_listen();
                let _inside = asking::During::enter(request);
                let said = match &*self.instance.read() {
                    Some(instance) => instance.health(),
                    None => Err(not_started()),
                };
                let answer = said.map(|health| {
                    let state = match health.state {
                        HealthState::Healthy => 0_u64,
                        HealthState::Degraded => 1,
                        _ => 2,
                    };
                    value!({"state": state, "message": (health.message), "details": (health.details)})
                });
                self.answer(request, answer)
            }
            ToWorker::Stop { request } => {
                self.have_another_listen();
                let _inside = asking::During::enter(request);
                let instance = self.instance.write().take();
                let answer = match instance {
                    Some(instance) => instance.stop().map(|()| Value::Null),
                    None => Ok(Value::Null),
                };
                self.answer(request, answer)
            }
            ToWorker::Hello { .. } | ToWorker::Load { .. } => {
                Err(Malformed::new("a word out of its turn").into())
            }
        }
    }

    fn call(
        self: &Arc<Self>,
        request: u64,
        operation: u32,
        input: &Value,
        said: Saying<'_>,
        given: Arc<Given>,
    ) -> Result<Value, Error> {
        let instance = self.instance.read();
        let instance = instance.as_ref().ok_or_else(not_started)?;
        let none = CallOptions::new();
        let deadline = (said.remaining_ns != u64::MAX)
            .then(|| Instant::now().checked_add(Duration::from_nanos(said.remaining_ns)))
            .flatten();
        let said = Said::saying(
            said.execution_id,
            said.node_id,
            said.tenant,
            said.attempt,
            deadline,
            none.raw().watch(),
        );
        let own = self.clone();
        let call = said.relayed(
            Waiting(given),
            Box::new(move |fraction, message| own.tell_progress(request, fraction, message)),
        );
        let _inside = asking::During::enter(request);
        let mut output = Value::Null;
        instance.execute(operation, input, call.raw(), &mut output)?;
        Ok(output)
    }

    fn tell_progress(&self, request: u64, fraction: f64, message: &str) {
        let progress = FromWorker::Progress {
            request,
            fraction,
            message: shortened(message),
        };
        // Who waits is gone, and so will this process be.
        let _ = send(&self.channel, &progress, None);
    }

    fn answer(&self, request: u64, answer: Result<Value, Error>) -> Result<(), Over> {
        self.answer_in(None, request, answer)
    }

    /// Answers; in the memory that the input was in, where memory is needed.
    fn answer_in(
        &self,
        mut memory: Option<Memory>,
        request: u64,
        answer: Result<Value, Error>,
    ) -> Result<(), Over> {
        let value = match answer {
            Ok(value) => value,
            Err(error) => {
                self.keep(memory);
                return self.fail(request, error);
            }
        };
        let done = FromWorker::Done { request };
        let packet = Packet::in_memory(|| memory.take(), &done, [&value]);
        if packet.as_ref().is_ok_and(|packet| packet.memory.is_some()) {
            rest::had_large();
        }
        self.keep(memory);
        match packet {
            // Kept before the host has all of it: its next call may come to another thread.
            Ok(mut packet) if packet.is_whole() => {
                self.keep(packet.memory.take_if(|used| used.shared().is_some()));
                Ok(self.channel.send(&packet)?)
            }
            Ok(mut packet) => {
                self.channel.send(&packet)?;
                // Who does not read any more ends this process.
                let poured = packet.pour(&mut || true);
                self.keep(packet.memory.take());
                poured.tell();
                Ok(())
            }
            Err(error) => self.fail(
                request,
                Error::new(
                    ErrorKind::ResourceExhausted,
                    format!("the output cannot be passed from a worker: {error}"),
                ),
            ),
        }
    }

    /// Keeps the host's memory mapped for the next call.
    fn keep(&self, memory: Option<Memory>) {
        if let Some(Memory::Theirs(shared)) = memory {
            let before = self.kept.lock().replace(shared);
            drop(before);
        }
    }

    fn fail(&self, request: u64, error: Error) -> Result<(), Over> {
        let failed = FromWorker::Failed { request };
        let error = errors::write(error);
        match Packet::new(&failed, [&error]) {
            Ok(packet) => Ok(self.channel.send(&packet)?),
            Err(found) => {
                let error = errors::write(errors::lost(format!(
                    "an error that cannot be passed from a worker: {found}"
                )));
                send(&self.channel, &failed, Some(&error))
            }
        }
    }
}

fn not_started() -> Error {
    errors::lost("the plugin is not started in this worker")
}

/// Does something that must not end this process by a panic.
fn quietly<T>(act: impl FnOnce() -> T) -> Option<T> {
    contain(act).ok()
}
