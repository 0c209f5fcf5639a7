//! How a worker ended.

use std::process::ExitStatus;
use std::time::Duration;

use floe_plugin_api::{Error, ErrorKind, List, Value};

/// How a worker ended.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) how: How,
    /// The number of its process.
    pub(crate) process: u32,
    /// The last lines that it wrote to its standard error.
    pub(crate) last_lines: Vec<String>,
    /// How many calls were in it.
    pub(crate) inside: usize,
}

/// Why a worker is there no more.
#[derive(Clone, Debug)]
pub(crate) enum How {
    /// It ended by itself, or by the system.
    Status(Option<ExitStatus>),
    /// It was killed, as it sent what is no frame.
    Garbage(String),
    /// It was killed, as it closed its end of the connection.
    Closed,
    /// It was killed, as a request had not ended in the time that it had.
    Overran {
        /// Which request.
        request: u64,
        allowed: Duration,
    },
    /// The host ended it.
    Stopped,
}

impl End {
    /// Whether the plugin is to be blamed for it.
    pub(crate) const fn is_fault(&self) -> bool {
        !matches!(self.how, How::Stopped)
    }

    /// How long it had, where it was killed as it had not ended what it was asked.
    pub(crate) const fn overran(&self) -> Option<Duration> {
        match self.how {
            How::Overran { allowed, .. } => Some(allowed),
            _ => None,
        }
    }

    /// The same in words.
    pub(crate) fn words(&self) -> String {
        match &self.how {
            How::Status(None) => "it ended".to_owned(),
            How::Status(Some(status)) => match (signal(*status), status.code()) {
                (Some(number), _) => match name(number) {
                    Some((name, what)) => format!("it was ended by {name}, {what}"),
                    None => format!("it was ended by signal {number}"),
                },
                (None, Some(code)) => format!("it ended itself with status {code}"),
                (None, None) => "it ended".to_owned(),
            },
            How::Garbage(found) => format!("it sent {found}, and was killed"),
            How::Closed => "it closed its connection, and was killed".to_owned(),
            How::Overran { allowed, .. } => {
                format!("a request had not ended after {allowed:.1?}, and it was killed")
            }
            How::Stopped => "it was stopped".to_owned(),
        }
    }

    /// The error of a request that was in it.
    pub(crate) fn error(&self, request: Option<u64>) -> Error {
        if let How::Overran {
            request: culprit,
            allowed,
        } = self.how
            && request == Some(culprit)
        {
            return Error::new(
                ErrorKind::ExecutionTimeout,
                format!("it had not ended after {allowed:.1?}, and its worker was killed"),
            )
            .with_detail(
                "allowed_ns",
                u64::try_from(allowed.as_nanos()).unwrap_or(u64::MAX),
            );
        }
        // Who is alone in a worker that crashes has crashed it; of many, nobody knows who.
        let innocent = matches!(self.how, How::Overran { .. } | How::Stopped);
        let mut error = Error::new(
            ErrorKind::Crashed,
            format!("its worker is there no more: {}", self.words()),
        )
        .with_detail("worker", u64::from(self.process))
        .with_detail("innocent", innocent);
        if let How::Status(Some(status)) = self.how {
            if let Some(number) = signal(status) {
                error = error.with_detail("signal", i64::from(number));
            }
            if let Some(code) = status.code() {
                error = error.with_detail("status", i64::from(code));
            }
        }
        if !self.last_lines.is_empty() {
            let lines: List = self
                .last_lines
                .iter()
                .map(|line| Value::from(line.as_str()))
                .collect();
            error = error.with_detail("stderr", Value::List(lines));
        }
        error
    }
}

fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// What a signal is called and what it means.
fn name(number: i32) -> Option<(&'static str, &'static str)> {
    Some(match number {
        libc::SIGSEGV => ("SIGSEGV", "an access to memory that is not there"),
        libc::SIGABRT => ("SIGABRT", "an abort of its own"),
        libc::SIGBUS => ("SIGBUS", "an access to memory that cannot be had"),
        libc::SIGILL => ("SIGILL", "an instruction that this machine does not have"),
        libc::SIGFPE => ("SIGFPE", "a division by zero or the like"),
        libc::SIGTRAP => ("SIGTRAP", "a trap"),
        libc::SIGSYS => ("SIGSYS", "a system call that is not allowed"),
        libc::SIGKILL => ("SIGKILL", "a kill from outside, or for want of memory"),
        libc::SIGTERM => ("SIGTERM", "a request from outside"),
        libc::SIGXCPU => ("SIGXCPU", "the end of the computing time that it had"),
        libc::SIGPIPE => ("SIGPIPE", "a pipe that nobody reads"),
        _ => return None,
    })
}
