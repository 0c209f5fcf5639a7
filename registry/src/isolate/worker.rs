//! How a program becomes a worker.
//!
//! A plugin that is isolated runs in a process of its own, a *worker*. The program that is started for that is
//! `floe-worker`, which is installed beside the host's program; or the host's program itself, if it begins with
//! [`enter`]:
//!
//! ```no_run
//! // Does not return where this process was started as a worker.
//! floe_registry::worker::enter();
//! // What the program does otherwise.
//! ```

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{greet, serve, spawn};

pub use super::spawn::WORKER_VARIABLE;
use crate::error::Rejection;

/// The argument that makes a program with [`enter`] a worker.
const ARGUMENT: &str = "--floe-worker";

/// Serves a host, if this process was started as a worker, and does not return then. Otherwise this program is
/// the one that is started as a worker from now on, unless another one is named.
///
/// To be called before the program has threads, or opens anything: all that is open is closed.
pub fn enter() {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == ARGUMENT) {
        let code = main(arguments);
        // What runs here has nothing to clean up.
        std::process::exit(if code == ExitCode::SUCCESS { 0 } else { 2 });
    }
    spawn::this_program_with(vec![ARGUMENT.into()]);
}

/// The same for a program that has an argument of its own for it: started with these arguments, it calls
/// [`main`] with those that come after them.
pub fn this_program_with(arguments: impl IntoIterator<Item = impl Into<OsString>>) {
    spawn::this_program_with(arguments.into_iter().map(Into::into).collect());
}

/// Starts the program that plugins would run in, exchanges greetings with it, and ends it. No plugin is needed.
/// Gives the program's file.
///
/// `named` is the one that the settings name, if they do: see
/// [`IsolationSettings::program`](crate::IsolationSettings::program).
///
/// # Errors
///
/// There is none, it cannot be started, or it does not answer as a worker of this release.
pub fn check(named: Option<&Path>) -> Result<PathBuf, Box<Rejection>> {
    greet::check(named)
}

/// What a worker's program does: serves the host that has started it, and ends with it. `arguments` are those
/// that the host has given.
#[expect(
    clippy::print_stderr,
    reason = "whoever starts it by hand reads why it does not go on"
)]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match serve::serve(arguments) {
        Ok(never) => match never {},
        Err(serve::Over::HostGone) => ExitCode::SUCCESS,
        Err(over) => {
            eprintln!("floe-worker: {over}");
            ExitCode::from(2)
        }
    }
}
