//! Another process that uses a registry, for what must not happen in this one.
//!
//! Its program is `loader-tests-host`, whose path only an integration test knows. It writes what it
//! found to a file of its own, as a plugin may close its standard output, and it is ended when it
//! takes longer than any machine needs.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::scene::Scene;

/// How long a child may take at most. It is a bound on hanging, not on speed.
const LIMIT: Duration = Duration::from_secs(180);

/// A host process in the making.
#[derive(Clone, Debug)]
pub struct Host {
    program: PathBuf,
    plugins: PathBuf,
    store: PathBuf,
    told: PathBuf,
    variables: Vec<(String, OsString)>,
    user: Option<u32>,
    is_limited: bool,
    commands: Vec<String>,
}

/// A host process that was started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
    errors: Option<thread::JoinHandle<Vec<u8>>>,
    told: PathBuf,
}

impl Running {
    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for a line of its standard output; nothing comes when it has ended.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        if let Some(out) = &mut self.out {
            let _ = out.read_line(&mut line);
        }
        line.trim().to_owned()
    }

    /// Kills it at once.
    #[track_caller]
    pub fn kill(mut self) -> Ended {
        let _ = self.child.kill();
        self.end()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let rest = self.out.take().map(drain);
        let status = wait(self.child);
        drop(rest.map(thread::JoinHandle::join));
        let errors = self.errors.and_then(|reader| reader.join().ok());
        Ended {
            status,
            told: lines(&self.told),
            errors: String::from_utf8_lossy(&errors.unwrap_or_default()).into_owned(),
        }
    }
}

/// What became of a host process.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// The lines that it told, one for each command that it came to the end of.
    pub told: Vec<String>,
    /// What it wrote to its standard error.
    pub errors: String,
}

impl Ended {
    /// What it told, of a process that came to a good end.
    #[track_caller]
    pub fn good(self) -> Vec<String> {
        assert!(self.status.success(), "{self:?}");
        self.told
    }
}

impl Host {
    /// A host of the scene's plugins and store.
    pub fn new(program: impl Into<PathBuf>, scene: &Scene) -> Self {
        Self {
            program: program.into(),
            plugins: scene.plugins(),
            store: scene.store(),
            told: scene.root().join("told"),
            variables: Vec::new(),
            user: None,
            is_limited: false,
            commands: Vec::new(),
        }
    }

    /// Has it tell what it found in another file, so that several may run in one scene.
    #[must_use]
    pub fn telling(mut self, told: impl Into<PathBuf>) -> Self {
        self.told = told.into();
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Runs it as another user.
    #[must_use]
    pub fn user(mut self, user: u32) -> Self {
        self.user = Some(user);
        self
    }

    /// Lets it go on when a file would become larger than it may: the system says so then, and does not
    /// end the process.
    #[must_use]
    pub fn limited(mut self) -> Self {
        self.is_limited = true;
        self
    }

    /// Adds a command; see the program for what there is.
    #[must_use]
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.commands.push(command.into());
        self
    }

    #[track_caller]
    fn spawn(&self) -> Child {
        let _ = fs::remove_file(&self.told);
        let mut command = if self.is_limited {
            // What is ignored is so in the program that comes after, too.
            let mut shell = Command::new("sh");
            let script = "trap '' XFSZ; exec \"$0\" \"$@\"";
            shell.args(["-c", script]).arg(&self.program);
            shell
        } else {
            Command::new(&self.program)
        };
        command
            .args([&self.told, &self.plugins, &self.store])
            .args(&self.commands)
            .env_remove("FLOE_PLUGIN_PATH")
            .env_remove("FLOE_STORE")
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(user) = self.user {
            command.uid(user);
        }
        command.spawn().expect("the host can be started")
    }

    /// Starts it.
    #[track_caller]
    pub fn start(&self) -> Running {
        let mut child = self.spawn();
        Running {
            out: child.stdout.take().map(BufReader::new),
            errors: child.stderr.take().map(drain),
            told: self.told.clone(),
            child,
        }
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(&self) -> Ended {
        self.start().end()
    }

    /// Runs it until it writes a line to its standard output, and kills it then.
    #[track_caller]
    pub fn run_until_line(&self) -> (String, Ended) {
        let mut running = self.start();
        // The fixture ends itself when nobody does, so this comes back.
        let line = running.line();
        (line, running.kill())
    }
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// Waits for a child, and kills it when it takes too long.
#[track_caller]
fn wait(mut child: Child) -> ExitStatus {
    let (ended, waits) = mpsc::channel::<()>();
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let watchdog = thread::spawn(move || {
        let late = waits.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout);
        if let Some(pid) = pid.filter(|_| late) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        late
    });
    let status = child.wait().expect("a child can be waited for");
    drop(ended);
    assert!(
        !watchdog.join().unwrap_or(true),
        "the host hung and was killed"
    );
    status
}
