//! The end of a worker, whoever finds that it has come.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use floe_plugin_api::abi::contain;
use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::{Forwarded, TICK, Worker};
use crate::isolate::end::{End, How};
use crate::isolate::tend;
use crate::isolate::wire::channel::{Buffer, Received};
use crate::isolate::wire::frame::FromWorker;
use crate::isolate::wire::packet::Came;

/// How long a process that closed its connection may take to end.
const LEAVING: Duration = Duration::from_millis(200);

impl Worker {
    /// Whether the process has ended, though a process that it made may hold its connection open.
    pub(in crate::isolate) fn has_exited(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.pid), options) {
            Ok(status) => status.is_some(),
            // Somebody else in this program has waited for it.
            Err(error) => error == Errno::CHILD,
        }
    }

    /// Whether there is nothing to wait for any more: it has ended, or the time is over.
    pub(super) fn is_over(&self, until: Option<Instant>) -> bool {
        self.ended().is_some()
            || self.has_exited()
            || until.is_some_and(|until| Instant::now() >= until)
    }

    /// Ends it, if that was not done: kills what is left of it, and tells all who wait.
    pub(in crate::isolate) fn conclude(&self, how: How) -> Arc<End> {
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
        self.output.read(&self.log);
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
            last_lines: self.output.last_lines(),
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
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.conclude(How::Stopped);
    }
}
