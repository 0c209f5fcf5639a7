//! Starts a process as a worker.
//!
//! The worker's end of the socket pair is its standard input, its output and errors are pipes, and it is
//! the first of a process group of its own. What else it is held to it does to itself, before it has any of
//! a plugin's code (see `serve`).

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;

use parking_lot::Mutex;

use crate::config::variable;
use crate::error::{Rejection, Stage};

/// The variable that names the program to be started as a worker.
pub const WORKER_VARIABLE: &str = "FLOE_WORKER";

/// The program that is looked for beside this one.
const PROGRAM: &str = "floe-worker";

/// What is running now, whatever was put in the place of its file.
pub(super) const RUNNING: &str = "/proc/self/exe";

/// The argument after which a worker is told who started it.
pub(super) const PARENT: &str = "--parent";

/// With which arguments this very program is a worker, where it can be one.
static OWN: OnceLock<Vec<OsString>> = OnceLock::new();

/// Says that this program, started with these arguments, is a worker.
pub(crate) fn this_program_with(arguments: Vec<OsString>) {
    // The first to say so is the program's own beginning.
    let _ = OWN.set(arguments);
}

/// A program that can be started as a worker.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    arguments: Vec<OsString>,
}

/// The program that is started as a worker: the one that is named, by the program or the settings and then by
/// `FLOE_WORKER`; or this program, where it says that it can be one; or `floe-worker` beside it.
///
/// # Errors
///
/// None is there.
pub(crate) fn program(named: Option<&Path>, plugin: &Path) -> Result<Program, Box<Rejection>> {
    let plain = |path: PathBuf| Program {
        path,
        arguments: Vec::new(),
    };
    let named = named
        .map(Path::to_owned)
        .or_else(|| variable(WORKER_VARIABLE).map(PathBuf::from));
    if let Some(path) = named {
        return Ok(plain(path));
    }
    let own = env::current_exe().unwrap_or_default();
    if let Some(arguments) = OWN.get() {
        let running = Path::new(RUNNING);
        let path = if cfg!(target_os = "linux") && running.exists() {
            running.to_owned()
        } else {
            own
        };
        return Ok(Program {
            path,
            arguments: arguments.clone(),
        });
    }
    // Also above: tests and examples are built one level below the programs.
    let places: Vec<PathBuf> = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|directory| directory.join(PROGRAM))
        .collect();
    match places.iter().find(|place| place.is_file()) {
        Some(path) => Ok(plain(path.clone())),
        None => {
            let places: Vec<String> = places
                .iter()
                .map(|place| format!("`{}`", place.display()))
                .collect();
            Err(refused(plugin, format!("no {}", places.join(" and no "))))
        }
    }
}

/// A refusal because of the program.
pub(super) fn refused(plugin: &Path, found: String) -> Box<Rejection> {
    Box::new(Rejection::new(
        Stage::Start,
        "worker-program",
        plugin,
        found,
        format!("a `{PROGRAM}` of this release to run the plugin in"),
        format!(
            "install `{PROGRAM}` beside this program, or name it in `program` of `[isolation]` or in `{WORKER_VARIABLE}`"
        ),
    ))
}

/// Starts a worker, whose standard input is this end of a socket pair.
pub(super) fn start(program: &Program, end: OwnedFd) -> io::Result<Child> {
    let mut command = command(program);
    command
        .stdin(Stdio::from(end))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    // What is said of other plugins is none of this one's business, and may be secret.
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("FLOE_") {
            command.env_remove(name);
        }
    }
    spawner(command)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a process is started"
)]
fn command(program: &Program) -> Command {
    let mut command = Command::new(&program.path);
    command
        .args(&program.arguments)
        .arg(PARENT)
        .arg(std::process::id().to_string());
    command
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Has a process started by a thread that lives as long as this process.
///
/// A worker asks the system to be killed with its parent, and to Linux that is the thread that started it.
fn spawner(command: Command) -> io::Result<Child> {
    static SPAWNER: Mutex<Option<mpsc::Sender<Order>>> = Mutex::new(None);

    let gone = || io::Error::other("the thread that starts workers is gone");
    let (sender, started) = mpsc::channel();
    let mut orders = SPAWNER.lock();
    if orders.is_none() {
        let (orders_to, taken) = mpsc::channel::<Order>();
        thread::Builder::new()
            .name("floe-spawner".to_owned())
            .spawn(move || {
                for (mut command, sender) in taken {
                    let _ = sender.send(command.spawn());
                }
            })?;
        *orders = Some(orders_to);
    }
    if let Some(orders) = &*orders {
        orders.send((command, sender)).map_err(|_| gone())?;
    }
    drop(orders);
    started.recv().map_err(|_| gone())?
}
