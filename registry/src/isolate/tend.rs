//! Looks after workers that nobody waits for: reads what they say, stops the idle ones, and buries the dead.
//!
//! One thread for all of a process's workers, there while there are any.

use std::process::Child;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use floe_plugin_api::abi::contain;
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::end::How;
use super::process::{Request, Worker};

/// How often all are looked at, if none of them has anything to say.
const TICK: Duration = Duration::from_millis(50);

/// How long the thread stays where there is nothing to look after.
const KEPT: Duration = Duration::from_secs(2);

/// How long a worker without a call keeps the memory that its last large value was passed in.
const SPARE: Duration = Duration::from_secs(1);

/// How long an idle worker may take to stop where no deadline is set: who calls it next waits for that.
const LONGEST_STOP: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Desk {
    workers: Vec<Weak<Worker>>,
    /// Processes that were killed and had not ended when they were last looked at.
    dying: Vec<Child>,
    attended: bool,
}

static DESK: Mutex<Desk> = Mutex::new(Desk {
    workers: Vec::new(),
    dying: Vec::new(),
    attended: false,
});

/// Looks after a worker from now on.
pub(super) fn watch(worker: &Arc<Worker>) {
    let mut desk = DESK.lock();
    desk.workers.push(Arc::downgrade(worker));
    attend(&mut desk);
}

/// Waits, some time, for a process that was killed.
pub(super) fn bury(child: Child) {
    let mut desk = DESK.lock();
    desk.dying.push(child);
    attend(&mut desk);
}

fn attend(desk: &mut Desk) {
    if !desk.attended {
        let started = thread::Builder::new()
            .name("floe-tender".to_owned())
            .spawn(tend);
        // Without the thread whoever calls a worker reads what it says; the idle ones stay.
        desk.attended = started.is_ok();
    }
}

fn tend() {
    let mut busy = Instant::now();
    loop {
        let workers: Vec<Arc<Worker>> = {
            let mut desk = DESK.lock();
            desk.dying
                .retain_mut(|child| matches!(child.try_wait(), Ok(None)));
            desk.workers.retain(|worker| worker.strong_count() > 0);
            if !desk.workers.is_empty() || !desk.dying.is_empty() {
                busy = Instant::now();
            } else if busy.elapsed() > KEPT {
                desk.attended = false;
                return;
            }
            desk.workers.iter().filter_map(Weak::upgrade).collect()
        };
        wait(&workers);
        for worker in &workers {
            // A subscriber of the log that panics must not end the one who looks after all.
            let _ = contain(|| look_at(worker));
        }
    }
}

/// Waits until one of them has something to say, for a tick at most.
fn wait(workers: &[Arc<Worker>]) {
    let outputs: Vec<_> = workers
        .iter()
        .filter(|worker| worker.ended().is_none())
        .map(|worker| (worker, worker.output.descriptors()))
        .collect();
    let mut descriptors = Vec::new();
    for (worker, output) in &outputs {
        descriptors.extend(worker.socket_to_watch());
        for stream in output {
            descriptors.push(std::os::fd::AsFd::as_fd(stream));
        }
    }
    let mut polled: Vec<PollFd<'_>> = descriptors
        .iter()
        .map(|descriptor| PollFd::new(descriptor, PollFlags::IN))
        .collect();
    let tick = Timespec::try_from(TICK).ok();
    // An error is a signal, or a system without memory: the next look is in a tick.
    if poll(&mut polled, tick.as_ref()).is_err() {
        thread::sleep(TICK);
    }
}

fn look_at(worker: &Arc<Worker>) {
    if worker.ended().is_some() {
        return;
    }
    worker.output.read(&worker.log);
    worker.log.settle();
    if worker.is_read() {
        return;
    }
    worker.read_for_others();
    if worker.has_exited() {
        worker.conclude(How::Status(None));
        return;
    }
    if worker.idle_for() >= SPARE {
        worker.rest();
    }
    let Some(idle) = worker.recipe.idle else {
        return;
    };
    if worker.is_kept() && worker.idle_for() >= idle && worker.close_if_empty() {
        let own = worker.clone();
        let stopping = thread::Builder::new()
            .name("floe-idle".to_owned())
            .spawn(move || {
                // What it says of its end is heard by nobody.
                let allowed = own.recipe.stop.unwrap_or(LONGEST_STOP);
                let _ = own.ask(&Request::Stop, Some(allowed));
                own.conclude(How::Stopped);
            });
        if stopping.is_err() {
            worker.conclude(How::Stopped);
        }
    }
}
