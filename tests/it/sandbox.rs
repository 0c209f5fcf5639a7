//! A place of its own for each test: nothing of the user's is seen or changed.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

pub(crate) struct Sandbox {
    directory: TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        fs::create_dir(directory.path().join("work")).unwrap();
        Self { directory }
    }

    /// The working directory.
    pub(crate) fn work(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    /// Writes a file below the working directory.
    pub(crate) fn file(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The program, in this place.
    pub(crate) fn command<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_floe"));
        let home = self.directory.path().join("home");
        command
            .args(arguments)
            .current_dir(self.work())
            .env_clear()
            .env("HOME", &home)
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("FLOE_STORE", self.directory.path().join("store"))
            .stdin(Stdio::null());
        command
    }

    /// Runs the program.
    pub(crate) fn floe<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ended {
        self.run(&mut self.command(arguments))
    }

    /// Starts the program, and leaves it running.
    pub(crate) fn begin<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Begun {
        let mut child = self
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Begun {
            child: Some(child),
            lines: Some(lines),
            work: self.work(),
        }
    }

    /// Runs the program with a text on its standard input.
    pub(crate) fn floe_with_input<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Ended {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        self.ended(child.wait_with_output().unwrap())
    }

    pub(crate) fn run(&self, command: &mut Command) -> Ended {
        self.ended(command.output().unwrap())
    }

    fn ended(&self, output: Output) -> Ended {
        Ended {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
            work: self.work(),
        }
    }
}

/// A run of the program that goes on.
pub(crate) struct Begun {
    child: Option<Child>,
    lines: Option<BufReader<ChildStdout>>,
    work: PathBuf,
}

impl Begun {
    /// Its next line; waits for it.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        let lines = self.lines.as_mut().expect("nobody has closed it");
        lines.read_line(&mut line).unwrap();
        line.strip_suffix('\n').expect("a whole line").to_owned()
    }

    /// Its next line on standard error; waits for it.
    #[track_caller]
    pub(crate) fn said(&mut self) -> String {
        let child = self.child.as_mut().expect("it has not ended");
        let stderr = child.stderr.as_mut().expect("nobody has closed it");
        let mut line = String::new();
        // No more than the line: what comes after it is read at the end.
        BufReader::with_capacity(1, stderr)
            .read_line(&mut line)
            .unwrap();
        line.strip_suffix('\n').expect("a whole line").to_owned()
    }

    /// Reads nothing more.
    pub(crate) fn close(&mut self) {
        self.lines = None;
    }

    /// Asks it to end.
    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let child = self.child.as_ref().unwrap();
        let pid = rustix::process::Pid::from_child(child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end, with what it has still to say.
    pub(crate) fn ended(mut self) -> Ended {
        let mut rest = Vec::new();
        if let Some(lines) = &mut self.lines {
            lines.read_to_end(&mut rest).unwrap();
        }
        let output = self.child.take().unwrap().wait_with_output().unwrap();
        Ended {
            code: output.status.code(),
            stdout: rest,
            stderr: String::from_utf8(output.stderr).unwrap(),
            work: self.work.clone(),
        }
    }
}

impl Drop for Begun {
    /// A test that fails leaves no program behind.
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A run of the program.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    work: PathBuf,
}

impl Ended {
    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// The one line of JSON on standard output, beside which nothing is said.
    #[track_caller]
    pub(crate) fn json(&self, code: i32) -> Json {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout(), self.stderr);
        let line = self.stdout().strip_suffix('\n').expect("a line");
        assert!(!line.contains('\n'), "{line}");
        assert_eq!(self.stderr, "");
        serde_json::from_str(line).unwrap()
    }

    /// What a person sees, with this machine's own words taken out.
    pub(crate) fn seen(&self) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_floe")).parent().unwrap();
        let root = self.work.parent().unwrap();
        let mut text = format!("exit {}\n", self.code.unwrap());
        for (name, content) in [("stdout", self.stdout()), ("stderr", &self.stderr)] {
            if !content.is_empty() {
                text.push_str(&format!("--- {name}\n{content}"));
            }
        }
        for (path, name) in [
            (program.join("plugins"), "[beside]"),
            (
                program.parent().unwrap().join("lib/floe/plugins"),
                "[prefix]",
            ),
            (root.join("home/data/floe/plugins"), "[user]"),
            (root.join("home"), "[home]"),
            (root.join("store"), "[store]"),
            (self.work.clone(), "[work]"),
        ] {
            text = text.replace(path.to_str().unwrap(), name);
        }
        let platform = floe_registry::Platform::host().to_string();
        text.replace(&platform, "[platform]")
            .replace(&platform_key(), "[platform-key]")
    }
}

/// This machine's platform, as a lock file has it.
pub(crate) fn platform_key() -> String {
    let name = floe_registry::Platform::host().to_string().to_lowercase();
    name.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

/// Compares what a person sees with a snapshot, whatever the lengths of this machine's paths.
macro_rules! assert_seen {
    ($ended:expr, @$snapshot:literal) => {
        insta::with_settings!({filters => vec![
            (r"  +(not there|no plugins|\d+ refused)", "  $1"),
            (r"\b[0-9a-f]{64}\b", "[digest]"),
            (r"\b[0-9,]+ bytes", "[size]"),
            (r"user `\d+`", "user `[uid]`"),
            (r"mode `[0-7]+`", "mode `[mode]`"),
            // The table of checks is as wide as this machine's words.
            (r"(?m)^ +check +found +expected$", "     check  found  expected"),
            (r"(?m)^─── ─+ ─+ ─+$", "───"),
            (r"(?m)^(ok|NO)  ([a-z-]+) +(.*?)  +", "$1  $2  $3  "),
        ]}, {
            insta::assert_snapshot!($ended.seen(), @$snapshot);
        });
    };
}

/// The same for tables with times in them, which are as wide as those.
macro_rules! assert_timed {
    ($ended:expr, @$snapshot:literal) => {
        insta::with_settings!({filters => vec![
            (r"  +(not there|no plugins|\d+ refused)", "  $1"),
            (r"\b[0-9,]+ bytes", "[size]"),
            (r" *\b[0-9]+(\.[0-9]+)?(ns|µs|ms|s)\b", "  [time]"),
            (r"  +(load|start|took|mean|p50|p95|p99|max)\b", "  $1"),
            // Where there is no time, there is as much room as the times of the others take.
            (r"(failed|skipped)  +([a-z`])", "$1  $2"),
            (r"(?m)^─+( ─+)+$", "───"),
        ]}, {
            insta::assert_snapshot!($ended.seen(), @$snapshot);
        });
    };
}

/// The same for tables of contents: with digests and moments, and as wide as those and paths are.
macro_rules! assert_tabled {
    ($ended:expr, @$snapshot:literal) => {
        insta::with_settings!({filters => vec![
            (r"(\S)  +", "$1  "),
            (r"(?m)^this host: floe .+$", "this host: [host]"),
            (r"(?m)^─+( ─+)+$", "───"),
            (r"\b[0-9a-f]{64}\b", "[digest]"),
            (r"\b[0-9a-f]{12}\b", "[short]"),
            (r"\b[0-9,]+ bytes", "[size]"),
            (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[time]"),
            (r"user `\d+`", "user `[uid]`"),
            (r"mode `[0-7]+`", "mode `[mode]`"),
        ]}, {
            insta::assert_snapshot!($ended.seen(), @$snapshot);
        });
    };
}

pub(crate) use {assert_seen, assert_tabled, assert_timed};
