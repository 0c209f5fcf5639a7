//! `floe watch`.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time;

use floe_registry::{Event, Received, StartOptions, Subscription};
use jiff::Timestamp;
use serde::Serialize;

use crate::arguments::Watch;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Audience, Output};
use crate::report::text;
use crate::session::Session;

/// How long the last lines are waited for, where a reader does not take them.
const PATIENCE: time::Duration = time::Duration::from_secs(1);

/// Why it ends.
enum End {
    /// Somebody asked for it.
    Asked,
    /// Nobody reads standard output any more.
    Unheard,
    /// All is printed that there will be, or cannot be.
    Printed(Result<(), Failure>),
}

/// A line of the output.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Present {
        event: &'static str,
        plugins: usize,
        rejected: usize,
    },
    Event {
        number: u64,
        #[serde(flatten)]
        event: &'a Event,
    },
    Missed {
        missed: u64,
    },
}

pub(crate) fn run(arguments: &Watch, session: &Session, output: &Output) -> Result<Exit, Failure> {
    let (ends, end) = mpsc::channel();
    let asked = ends.clone();
    // Whoever asks again asks for the same.
    ctrlc::set_handler(move || drop(asked.send(End::Asked))).map_err(|error| {
        Failure::failed("signals that ask for an end cannot be received").caused_by(&error)
    })?;
    let registry = session.registry()?;
    let present = Content::Present {
        event: "watching",
        plugins: registry.list().iter().filter(|each| each.active).count(),
        rejected: registry.rejected().len(),
    };
    print(&Line::of(present), output)?;
    print_all(registry.events(), *output, ends.clone())?;
    notice_the_reader_leave(ends)?;
    if arguments.start {
        // What became of it is told by events.
        let _ = registry.start(StartOptions::new());
    }
    let watch = registry.watch()?;
    let ended = match arguments.time {
        Some(time) => end.recv_timeout(time.0).ok(),
        None => end.recv().ok(),
    };
    drop(watch);
    // What is live is stopped, and the events of that are the last.
    drop(registry);
    match ended {
        Some(End::Printed(printed)) => printed?,
        Some(End::Unheard) => {}
        Some(End::Asked) | None => printed(&end)?,
    }
    Ok(Exit::Done)
}

/// Waits for the last lines.
fn printed(end: &Receiver<End>) -> Result<(), Failure> {
    while let Ok(end) = end.recv_timeout(PATIENCE) {
        match end {
            End::Printed(printed) => return printed,
            End::Unheard => return Ok(()),
            End::Asked => {}
        }
    }
    Ok(())
}

/// Prints events on a thread of its own: one that waits for a slow reader keeps nothing from ending.
fn print_all(
    events: Subscription<Event>,
    output: Output,
    ends: Sender<End>,
) -> Result<(), Failure> {
    let print_all = move || {
        for received in events {
            let printed = match &received {
                Received::Event(number, event) => print(
                    &Line::of(Content::Event {
                        number: *number,
                        event,
                    }),
                    &output,
                ),
                Received::Missed(missed) => {
                    print(&Line::of(Content::Missed { missed: *missed }), &output)
                }
            };
            match printed {
                Ok(Audience::There) => {}
                Ok(Audience::Gone) => return drop(ends.send(End::Unheard)),
                Err(failure) => return drop(ends.send(End::Printed(Err(failure)))),
            }
        }
        drop(ends.send(End::Printed(Ok(()))));
    };
    spawn("floe-print", print_all)
}

fn print(line: &Line<'_>, output: &Output) -> Result<Audience, Failure> {
    if output.is_json() {
        return output.json_line(line);
    }
    let said = match &line.content {
        Content::Present {
            plugins, rejected, ..
        } => format!(
            "watching {}; {} refused",
            text::count(*plugins, "plugin"),
            text::count(*rejected, "file")
        ),
        Content::Event { event, .. } => text::plain(&event.to_string()),
        Content::Missed { missed } => format!("{missed} events came too fast and were missed"),
    };
    output.line(&format!("{}  {said}", line.time))
}

impl<'a> Line<'a> {
    /// A line of now.
    fn of(content: Content<'a>) -> Self {
        Self {
            time: format!("{:.3}", Timestamp::now()),
            content,
        }
    }
}

/// Tells when nobody reads standard output any more, also while there is nothing to be written.
#[cfg(unix)]
fn notice_the_reader_leave(ends: Sender<End>) -> Result<(), Failure> {
    use rustix::event::{PollFd, PollFlags, poll};

    let wait = move || {
        let out = io::stdout();
        // Nothing but what is told unasked: an error or a hang-up.
        let mut polled = [PollFd::new(&out, PollFlags::empty())];
        loop {
            match poll(&mut polled, None) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return drop(ends.send(End::Unheard)),
                // It is noticed at the next line, then.
                Err(_) => return,
            }
        }
    };
    spawn("floe-reader", wait)
}

/// Where that cannot be asked, it is noticed at the next line.
#[cfg(not(unix))]
fn notice_the_reader_leave(_: Sender<End>) -> Result<(), Failure> {
    Ok(())
}

/// A thread that the program does not wait for.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let spawned: io::Result<_> = thread::Builder::new().name(name.to_owned()).spawn(work);
    let failed =
        |error: io::Error| Failure::failed("there is no thread to watch with").caused_by(&error);
    spawned.map(drop).map_err(failed)
}
