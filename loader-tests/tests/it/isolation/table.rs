//! What becomes of each fault, in process and in a worker; `docs/faults.md` is made of it.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use floe_loader_tests::child::{Ended, Host};
use floe_loader_tests::fixtures::{Fixture, workspace};
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_loader_tests::wait;
use floe_plugin_api::{CallOptions, ErrorKind, value};
use floe_registry::{Begun, CallError};
use rustix::process::{Pid, Signal, kill_process};

use super::{crash, number, patient, process, process_of, scene, workers};

const SEGV: i32 = 11;
const ABRT: i32 = 6;
const KILL: i32 = 9;

/// One kind of misbehaviour.
struct Fault {
    /// The word for it in an order.
    what: &'static str,
    /// The same for a reader.
    title: &'static str,
    here: Here,
    there: There,
}

/// What it does to the host where the plugin is in its process.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Here {
    /// It ends by this signal.
    Signal(i32),
    /// It ends with this status, as if all were well.
    Status(i32),
    /// The call ends at its deadline; its thread goes on.
    Abandoned,
    /// Not tried.
    Spared,
    Closes,
    Scribbles,
    Forks,
    Stops,
    Prints,
    /// The call ends with an error.
    Panics,
}

/// What becomes of the call where the plugin is in a worker.
#[derive(Clone, Copy, Debug, PartialEq)]
enum There {
    Signal(i32),
    Status(i32),
    /// The worker is killed at the deadline.
    Killed,
    /// The worker is killed for what it sent.
    Garbage,
    Panics,
    Answers,
}

/// The deadline of what does not end by itself.
const SHORT: Duration = Duration::from_millis(300);

const MEMORY: u64 = 256 << 20;

const FAULTS: [Fault; 13] = [
    fault(
        "segfault",
        "writes to memory that is not there",
        Here::Signal(SEGV),
        There::Signal(SEGV),
    ),
    fault(
        "abort",
        "calls `abort`",
        Here::Signal(ABRT),
        There::Signal(ABRT),
    ),
    fault("exit", "calls `exit(0)`", Here::Status(0), There::Status(0)),
    fault(
        "exit-at-once",
        "calls `_exit(7)`",
        Here::Status(7),
        There::Status(7),
    ),
    fault(
        "overflow",
        "recurses without end",
        Here::Signal(ABRT),
        There::Signal(ABRT),
    ),
    fault(
        "loop",
        "loops without end, with a deadline of 300 ms",
        Here::Abandoned,
        There::Killed,
    ),
    fault(
        "allocate",
        "allocates without end, in a worker that may have 256 MiB",
        Here::Spared,
        There::Signal(ABRT),
    ),
    fault(
        "close",
        "closes the descriptors 0 to 255",
        Here::Closes,
        There::Signal(KILL),
    ),
    fault(
        "garbage",
        "writes to the descriptors 3 to 63",
        Here::Scribbles,
        There::Garbage,
    ),
    fault(
        "fork",
        "forks, and the fork lingers",
        Here::Forks,
        There::Answers,
    ),
    fault(
        "stop",
        "stops its process by SIGSTOP, with a deadline of 300 ms",
        Here::Stops,
        There::Killed,
    ),
    fault(
        "print",
        "prints to its output and errors",
        Here::Prints,
        There::Answers,
    ),
    fault("panic", "panics", Here::Panics, There::Panics),
];

const fn fault(what: &'static str, title: &'static str, here: Here, there: There) -> Fault {
    Fault {
        what,
        title,
        here,
        there,
    }
}

impl Fault {
    fn is_endless(&self) -> bool {
        self.there == There::Killed
    }

    fn order(&self) -> String {
        format!("hostile.do {{\"what\":\"{}\"}}", self.what)
    }

    /// Has a host of its own do it in process; tells what became of the host.
    #[track_caller]
    fn in_process(&self) -> String {
        if self.here == Here::Spared {
            return "not tried: it would take the machine's memory".to_owned();
        }
        let scene = Scene::new();
        scene.install("hostile", &Library::of(Fixture::Hostile));
        let told = scene.root().join("told");
        let order = match self.is_endless() {
            true => format!("within:{} {}", SHORT.as_millis(), self.order()),
            false => format!("with:{}", self.order()),
        };
        let host = Host::new(crate::HOST, &scene)
            .command("call:good.echo")
            .command(order)
            .command("call:good.echo");
        let mut running = host.start();
        let outcome = match self.here {
            Here::Spared => String::new(),
            Here::Signal(signal) => {
                let ended = running.end();
                assert_eq!(
                    ended.status.signal(),
                    Some(signal),
                    "{}: {ended:?}",
                    self.what
                );
                assert_eq!(ended.told.len(), 1, "{ended:?}");
                format!("the host ends by {}", name(signal))
            }
            Here::Status(status) => {
                let ended = running.end();
                assert_eq!(
                    ended.status.code(),
                    Some(status),
                    "{}: {ended:?}",
                    self.what
                );
                assert_eq!(ended.told.len(), 1, "{ended:?}");
                format!("the host ends with status {status}")
            }
            Here::Abandoned => {
                let text = error_of_one_that_lives(running.end());
                assert!(text.contains("its thread was abandoned"), "{text}");
                "an error; the thread computes on until the host ends".to_owned()
            }
            Here::Panics => {
                let text = error_of_one_that_lives(running.end());
                assert!(text.contains("panicked at"), "{text}");
                "an error".to_owned()
            }
            Here::Closes => {
                let ended = running.end();
                assert!(!ended.status.success(), "{ended:?}");
                assert_eq!(ended.told.len(), 1, "{ended:?}");
                "the host's files and connections are closed".to_owned()
            }
            Here::Scribbles => {
                let ended = running.end();
                let is_garbage = |line: &String| line.starts_with("this is no frame");
                assert!(ended.told.iter().any(is_garbage), "{ended:?}");
                "it is written into the host's files and connections".to_owned()
            }
            Here::Stops => {
                let id = running.id();
                wait::until(|| process::is_stopped(id));
                assert_eq!(running.kill().told.len(), 1);
                "the host stops, with all that it does".to_owned()
            }
            Here::Prints => {
                assert_eq!(running.line(), "printed to the output");
                let ended = running.end();
                assert!(ended.errors.contains("printed to the errors"), "{ended:?}");
                assert!(ended.status.success(), "{ended:?}");
                "among what the host prints".to_owned()
            }
            Here::Forks => {
                wait::until(|| !running.is_alive());
                let told = fs::read_to_string(&told).unwrap();
                let fork = told.lines().nth(1).unwrap().rsplit_once(" = ").unwrap().1;
                let fork: u32 = fork.parse().unwrap();
                assert!(process::is_there(fork), "it outlives the host");
                let pid = Pid::from_raw(i32::try_from(fork).unwrap()).unwrap();
                kill_process(pid, Signal::KILL).unwrap();
                assert!(running.end().status.success());
                "the fork outlives the host".to_owned()
            }
        };
        // The next host is as well as ever.
        let after = Host::new(crate::HOST, &scene)
            .command("with:hostile.do {\"what\":\"wait\",\"path\":\"/\"}");
        let after = after.command("call:good.echo").run().good();
        assert_eq!(after[1], "call:good.echo = null");
        outcome
    }

    /// Does it in a worker; tells what the caller has of it.
    #[track_caller]
    fn in_a_worker(&self) -> String {
        let rule = match self.what {
            "allocate" => workers().memory(MEMORY),
            _ => workers(),
        };
        let scene = scene(rule);
        let registry = patient(&scene).build().unwrap();
        scene.check_good(&registry);
        let before = process_of(&registry);
        let options = match self.is_endless() {
            true => CallOptions::new().timeout(SHORT),
            false => CallOptions::new(),
        };
        let result = registry.call_with("hostile.do", &value!({"what": (self.what)}), &options);
        scene.check_good(&registry);
        let outcome = match self.there {
            There::Signal(_) | There::Status(_) | There::Garbage => {
                let told = crash(result);
                let (signal, status) = (number(&told, "signal"), number(&told, "status"));
                let expected = match self.there {
                    There::Signal(signal) => (Some(i64::from(signal)), None),
                    There::Status(status) => (None, Some(i64::from(status))),
                    _ => (None, None),
                };
                assert_eq!((signal, status), expected, "{}: {told:?}", self.what);
                assert_eq!(number(&told, "worker"), Some(i64::from(before)));
                assert_eq!(told.details.get("innocent"), Some(&value!(false)));
                let stderr = told
                    .details
                    .get("stderr")
                    .map(|lines| lines.to_json().unwrap());
                let stderr = stderr.unwrap_or_default();
                match self.what {
                    "overflow" => assert!(stderr.contains("overflowed its stack"), "{stderr}"),
                    "allocate" => assert!(stderr.contains("memory allocation of"), "{stderr}"),
                    _ => {}
                }
                format!("`crashed`: {}", told.message)
            }
            There::Killed => match result {
                Err(CallError::Overrun(told)) => {
                    assert_eq!(told.begun, Begun::Killed);
                    wait::until(|| registry.stats().abandoned.is_empty());
                    format!("`{}`: {}", ErrorKind::ExecutionTimeout, told)
                }
                other => panic!("expected an overrun, found {other:?}"),
            },
            There::Panics => match result {
                Err(CallError::Executor(told)) if told.kind == ErrorKind::Panicked => {
                    format!("`{}`", told.kind)
                }
                other => panic!("expected a panic, found {other:?}"),
            },
            There::Answers if self.what == "fork" => {
                let fork = u32::try_from(result.unwrap().as_u64().unwrap()).unwrap();
                assert!(process::group(before).contains(&fork));
                "an answer; the fork is killed with the worker".to_owned()
            }
            There::Answers => {
                result.unwrap();
                "an answer; the lines are in the host's log".to_owned()
            }
        };
        let after = process_of(&registry);
        // A panic costs the instance, and with it the worker.
        let replaced = self.there != There::Answers;
        assert_eq!(before != after, replaced, "{}", self.what);
        let crashed = replaced && self.there != There::Panics;
        let stats = registry.stats().workers;
        assert_eq!(
            stats.crashed,
            u64::from(crashed),
            "{}: {stats:?}",
            self.what
        );
        drop(registry);
        wait::until(|| process::group(before).is_empty() && process::group(after).is_empty());
        outcome
    }
}

fn name(signal: i32) -> &'static str {
    match signal {
        SEGV => "SIGSEGV",
        ABRT => "SIGABRT",
        _ => "SIGKILL",
    }
}

/// What the call gave in a host that went on well.
#[track_caller]
fn error_of_one_that_lives(ended: Ended) -> String {
    let told = ended.good();
    assert_eq!(told[2], "call:good.echo = null");
    told[1].clone()
}

const HEAD: &str = "\
<!-- Made by the test `isolation::table` of `loader-tests`, which sees all of it happen. Do not edit: run the
test with `FLOE_WRITE_DOCS=1`. -->

# What becomes of faults

What a plugin's executor does, and what becomes of it where the plugin runs in the process of the host and
where it runs in a worker. In every row of the last column the host lives, other plugins answer, and the same
plugin answers the next call.

| it | in process | in a worker |
| --- | --- | --- |
";

#[test]
fn each_fault_has_its_outcome() {
    let mut text = HEAD.to_owned();
    for fault in &FAULTS {
        let (here, there) = (fault.in_process(), fault.in_a_worker());
        let there = there.replace('|', "\\|");
        writeln!(text, "| {} | {here} | {there} |", fault.title).unwrap();
    }
    let path = workspace().join("docs/faults.md");
    if std::env::var_os("FLOE_WRITE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == text,
        "`docs/faults.md` is not what happens; `FLOE_WRITE_DOCS=1` writes it anew:\n{text}"
    );
}
