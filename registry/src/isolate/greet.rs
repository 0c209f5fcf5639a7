//! The first words between a host and a worker, by which a program shows that it is one.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::end::{End, How};
use super::sandbox::Sandbox;
use super::spawn::{self, Program};
use super::wire::channel::{Buffer, Channel, Received};
use super::wire::frame::{FromWorker, MAGIC, Missing, PROTOCOL, RELEASE, ToWorker};
use super::wire::packet::{Came, Packet};
use crate::error::Rejection;

/// How long a program that is only tried may take to greet.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much is read of what a program that does not greet says on its standard error, in bytes.
const SAID: u64 = 4 << 10;

/// The host's first word.
pub(super) const fn hello(sandbox: Sandbox, library: &[u8]) -> ToWorker<'_> {
    ToWorker::Hello {
        magic: MAGIC,
        protocol: PROTOCOL,
        release: RELEASE,
        sandbox,
        library,
    }
}

/// What the worker's first word says: what its system could not hold it to; or, in words, that it is of
/// another release.
pub(super) fn welcome(
    word: FromWorker<'_>,
    program: &Program,
) -> Result<Result<Vec<Missing>, String>, How> {
    match word {
        FromWorker::Welcome {
            magic: MAGIC,
            protocol: PROTOCOL,
            release: RELEASE,
            missing,
        } => Ok(Ok(missing)),
        FromWorker::Welcome {
            magic: MAGIC,
            protocol,
            release,
            ..
        } => Ok(Err(format!(
            "that `{}` is of release `{release}` and speaks protocol `{protocol}`, this host is `{RELEASE}` and speaks `{PROTOCOL}`",
            program.path.display()
        ))),
        _ => Err(How::Garbage("what is no greeting".to_owned())),
    }
}

/// That a program cannot be started, in words.
pub(super) fn unstartable(program: &Program, error: &io::Error) -> String {
    format!(
        "that `{}` cannot be started: {error}",
        program.path.display()
    )
}

/// Why a program that was started is no worker, in words.
pub(super) fn unwelcome(program: &Program, end: &End) -> String {
    let mut text = format!(
        "that `{}` does not answer as a worker: {}",
        program.path.display(),
        end.words()
    );
    if let Some(line) = end.last_lines.last() {
        text.push_str(&format!("; it said `{}`", line.escape_debug()));
    }
    text
}

/// Starts the program that would be a worker, greets it, and ends it. Gives its file.
pub(super) fn check(named: Option<&Path>) -> Result<PathBuf, Box<Rejection>> {
    let own = std::env::current_exe().unwrap_or_default();
    let program = spawn::program(named, &own)?;
    let is_own = program.path == Path::new(spawn::RUNNING);
    let file = if is_own { own } else { program.path.clone() };
    let refused = |found: String| spawn::refused(&file, found);
    let unstartable = |error: io::Error| refused(unstartable(&program, &error));
    let packet = Packet::new(&hello(Sandbox::default(), b""), [])
        .map_err(|error| refused(error.to_string()))?;
    let (channel, other) = Channel::pair().map_err(unstartable)?;
    channel
        .set_patience(Duration::from_millis(100))
        .map_err(unstartable)?;
    let child = spawn::start(&program, other).map_err(unstartable)?;
    let greeted = greet(&channel, &packet, &program);
    let end = |how| bury(child, how);
    match greeted {
        Ok(welcome) => {
            end(How::Stopped);
            welcome.map(|_| file.clone()).map_err(refused)
        }
        Err(how) => Err(refused(unwelcome(&program, &end(how)))),
    }
}

/// Says the first word, and waits for the answer.
fn greet(
    channel: &Channel,
    packet: &Packet<'_>,
    program: &Program,
) -> Result<Result<Vec<Missing>, String>, How> {
    let began = Instant::now();
    if channel.send(packet).is_err() {
        return Err(How::Status(None));
    }
    let mut buffer = Buffer::take();
    loop {
        match channel.receive(&mut buffer) {
            Ok(Received::Message(length, _)) => {
                let came = Came::new(buffer.message(length), None);
                let opened = came.and_then(Came::open::<FromWorker<'_>>);
                let (word, _) = opened.map_err(|found| How::Garbage(found.to_string()))?;
                return welcome(word, program);
            }
            Ok(Received::Nothing) if began.elapsed() < PATIENCE => {}
            Ok(Received::Nothing) => {
                return Err(How::Overran {
                    request: 0,
                    allowed: PATIENCE,
                });
            }
            Ok(Received::End) | Err(_) => return Err(How::Status(None)),
        }
    }
}

/// Ends a process that was only tried, and says how it ended.
fn bury(mut child: Child, how: How) -> End {
    let process = child.id();
    let how = match how {
        // One that closes its connection is about to end, and says why; it is not waited for longer.
        How::Status(_) => match leave(&mut child) {
            Some(status) => How::Status(Some(status)),
            None => How::Closed,
        },
        how => how,
    };
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    // What it has made holds its standard error open.
    if let Some(pid) = pid {
        let _ = kill_process_group(pid, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
    End {
        how,
        process,
        last_lines: child.stderr.take().map(lines).unwrap_or_default(),
        inside: 0,
    }
}

/// Waits a short time for a process to end by itself.
fn leave(child: &mut Child) -> Option<std::process::ExitStatus> {
    let until = Instant::now() + Duration::from_millis(200);
    loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(status) => return status,
            Err(_) => return None,
        }
    }
}

fn lines(stderr: impl Read + std::os::fd::AsFd) -> Vec<String> {
    // A process that has left the group may hold it open.
    if rustix::io::ioctl_fionbio(&stderr, true).is_err() {
        return Vec::new();
    }
    let mut said = Vec::new();
    let _ = stderr.take(SAID).read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said);
    said.lines().map(str::to_owned).collect()
}
