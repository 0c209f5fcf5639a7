//! What is denied and what still works, each in a process of its own, as it cannot be undone.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, socket};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, getpid, getppid, getrlimit, kill_process,
    pidfd_open, set_parent_process_death_signal, setrlimit, test_kill_current_process_group,
    test_kill_process,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use super::{Offer, Sandbox, apply, missing, offers};
use crate::isolation::{Profile, WorkerTerms};

/// Set in the process that is restricted: the directory of its scene.
const SCENE: &str = "FLOE_SANDBOX_SCENE";

/// What each line of a report begins with, among those of the test harness.
const MARK: &str = "floe: ";

/// A directory with something to read, something to write to, and a file that is mapped later; and what a
/// worker has open before it is restricted.
struct Scene {
    root: PathBuf,
    socket: (UnixStream, UnixStream),
}

impl Scene {
    fn lay(root: &Path) {
        fs::create_dir(root.join("readable")).unwrap();
        fs::create_dir(root.join("writable")).unwrap();
        for file in [
            "readable/file",
            "readable/other",
            "writable/old",
            "library",
            "neighbour",
        ] {
            fs::write(root.join(file), file).unwrap();
        }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Restricts this process and tells what could not be done.
    fn restrict(&self, asked: Sandbox) {
        let asked = Sandbox {
            read: vec![self.at("readable")],
            write: vec![self.at("writable")],
            ..asked
        };
        for offer in apply(&asked, &self.at("library")) {
            tell(format!("not applied: {}", offer.name));
        }
    }
}

fn tell(line: impl std::fmt::Display) {
    // The harness does not end its own line first.
    println!("\n{MARK}{line}");
}

/// What a restricted process told, and how it ended.
struct Report {
    lines: Vec<String>,
    status: ExitStatus,
}

impl Report {
    /// Runs `child` in a process of its own, which is this program once more with a single test. In that
    /// process nothing comes back.
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "a test, and its own program")]
    fn of(test: &str, child: impl FnOnce(&Scene)) -> Option<Self> {
        if let Some(root) = env::var_os(SCENE) {
            let root = root.into();
            let socket = UnixStream::pair().unwrap();
            child(&Scene { root, socket });
            return None;
        }
        let root = tempfile::tempdir().unwrap();
        Scene::lay(root.path());
        let module = module_path!().split_once("::").unwrap().1;
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .arg(format!("{module}::{test}"))
            .env(SCENE, root.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let lines = text.lines().filter_map(|line| line.strip_prefix(MARK));
        Some(Self {
            lines: lines.map(str::to_owned).collect(),
            status: output.status,
        })
    }

    /// What it told, of a process that came to a good end.
    #[track_caller]
    fn good(self) -> Vec<String> {
        assert!(self.status.success(), "{:?}, {:?}", self.status, self.lines);
        self.lines
    }
}

/// What a plugin tries, and what comes of it: without a profile, with a network, and strictly.
struct Attempt {
    what: &'static str,
    attempt: fn(&Scene) -> io::Result<()>,
    /// The offer without which it is not denied.
    by: &'static str,
    /// Under `none`, `network` and `strict`.
    answers: [Result<(), Errno>; 3],
}

const FILES: &str = "file access";
const TRUNCATION: &str = "truncation";
const CALLS: &str = "system calls";
const PRIVILEGES: &str = "privileges";

const fn denied(errno: Errno) -> [Result<(), Errno>; 3] {
    [Ok(()), Err(errno), Err(errno)]
}

const WORKS: [Result<(), Errno>; 3] = [Ok(()); 3];
const DENIED: [Result<(), Errno>; 3] = denied(Errno::PERM);
const CLOSED: [Result<(), Errno>; 3] = denied(Errno::ACCESS);
const NETWORK: [Result<(), Errno>; 3] = [Ok(()), Ok(()), Err(Errno::PERM)];

const fn attempt(
    what: &'static str,
    by: &'static str,
    answers: [Result<(), Errno>; 3],
    attempt: fn(&Scene) -> io::Result<()>,
) -> Attempt {
    Attempt {
        what,
        attempt,
        by,
        answers,
    }
}

fn open(path: impl AsRef<Path>) -> io::Result<()> {
    File::open(path).map(drop)
}

fn signal(pid: Option<Pid>, signal: Signal) -> io::Result<()> {
    Ok(kill_process(pid.unwrap(), signal)?)
}

#[expect(clippy::disallowed_methods, reason = "a test that it is denied")]
fn command(program: &str) -> Command {
    Command::new(program)
}

static ATTEMPTS: [Attempt; 44] = [
    // What a plugin needs.
    attempt("create a thread", "", WORKS, |_| {
        thread::Builder::new().spawn(|| ())?.join().unwrap();
        Ok(())
    }),
    attempt("share memory", "", WORKS, |_| {
        let memory = File::from(memfd_create("floe", MemfdFlags::CLOEXEC)?);
        memory.set_len(4096)?;
        (&memory).write_all(b"shared")
    }),
    attempt("use the socket that is there", "", WORKS, |scene| {
        let (mut host, mut worker) = (&scene.socket.0, &scene.socket.1);
        worker.write_all(b"answer")?;
        host.read_exact(&mut [0; 6])
    }),
    attempt("open the library", "", WORKS, |scene| {
        open(scene.at("library"))
    }),
    attempt("list the system's libraries", "", WORKS, |_| {
        fs::read_dir("/usr/lib").map(drop)
    }),
    attempt("write to the null device", "", WORKS, |_| {
        fs::write("/dev/null", "nothing")
    }),
    attempt("signal itself", "", WORKS, |_| {
        signal(Some(getpid()), Signal::CONT)
    }),
    // Files that are named.
    attempt("read a readable file", "", WORKS, |scene| {
        fs::read(scene.at("readable/file")).map(drop)
    }),
    attempt("list a readable directory", "", WORKS, |scene| {
        fs::read_dir(scene.at("readable")).map(drop)
    }),
    attempt("create a file to write", "", WORKS, |scene| {
        fs::write(scene.at("writable/new"), "new")
    }),
    attempt("create a directory to write", "", WORKS, |scene| {
        fs::create_dir(scene.at("writable/directory"))
    }),
    attempt("move a file between them", "", WORKS, |scene| {
        fs::rename(
            scene.at("writable/new"),
            scene.at("writable/directory/moved"),
        )
    }),
    attempt("write over a file", "", WORKS, |scene| {
        fs::write(scene.at("writable/old"), "changed")
    }),
    attempt("remove a file", "", WORKS, |scene| {
        fs::remove_file(scene.at("writable/old"))
    }),
    // Files that are not, or not for that.
    attempt("open /etc/passwd", FILES, CLOSED, |_| open("/etc/passwd")),
    attempt("open /proc/self/maps", FILES, CLOSED, |_| {
        open("/proc/self/maps")
    }),
    attempt("open another library of the store", FILES, CLOSED, |s| {
        open(s.at("neighbour"))
    }),
    attempt("list the store", FILES, CLOSED, |scene| {
        fs::read_dir(scene.at("")).map(drop)
    }),
    attempt("write to the library", FILES, CLOSED, |scene| {
        OpenOptions::new()
            .append(true)
            .open(scene.at("library"))
            .map(drop)
    }),
    attempt("write to a readable file", FILES, CLOSED, |scene| {
        let file = scene.at("readable/file");
        OpenOptions::new().write(true).open(file).map(drop)
    }),
    attempt(
        "create a file in a readable directory",
        FILES,
        CLOSED,
        |s| fs::write(s.at("readable/new"), "new"),
    ),
    attempt("remove a readable file", FILES, CLOSED, |scene| {
        fs::remove_file(scene.at("readable/other"))
    }),
    attempt("empty a readable file", TRUNCATION, CLOSED, |scene| {
        let mut options = OpenOptions::new();
        // Nothing is written through it, but it is empty then.
        options.read(true).custom_flags(libc::O_TRUNC);
        options.open(scene.at("readable/file")).map(drop)
    }),
    attempt("lead others astray by a link", FILES, CLOSED, |scene| {
        symlink("/etc/passwd", scene.at("writable/link"))
    }),
    attempt("change who may what of a file", CALLS, DENIED, |scene| {
        fs::set_permissions(scene.at("library"), fs::Permissions::from_mode(0o755))
    }),
    attempt(
        "open what looks up names",
        FILES,
        [Ok(()), Ok(()), Err(Errno::ACCESS)],
        |_| open("/etc/hosts"),
    ),
    // The network.
    attempt("listen and connect over TCP", CALLS, NETWORK, |_| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        TcpStream::connect(listener.local_addr()?).map(drop)
    }),
    attempt("make a TCP socket of IPv6", CALLS, NETWORK, |_| {
        match socket(AddressFamily::INET6, SocketType::STREAM, None) {
            // Not every machine has IPv6, and that is no answer of a sandbox.
            Ok(_) | Err(Errno::AFNOSUPPORT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }),
    attempt("make a UDP socket", CALLS, NETWORK, |_| {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map(drop)
    }),
    attempt("make a pair of streams", CALLS, NETWORK, |_| {
        UnixStream::pair().map(drop)
    }),
    attempt("make a pair for datagrams", CALLS, DENIED, |_| {
        UnixDatagram::pair().map(drop)
    }),
    attempt("make a Unix socket", CALLS, DENIED, |_| {
        Ok(socket(AddressFamily::UNIX, SocketType::STREAM, None).map(drop)?)
    }),
    attempt("make a netlink socket", CALLS, DENIED, |_| {
        Ok(socket(AddressFamily::NETLINK, SocketType::RAW, None).map(drop)?)
    }),
    // Other processes.
    attempt("start a program", CALLS, DENIED, |_| {
        command("/bin/true").status().map(drop)
    }),
    attempt("fork and start a program", CALLS, DENIED, |_| {
        // Another directory keeps std from `posix_spawn` with some C libraries.
        let mut command = command("/bin/true");
        command
            .current_dir("/")
            .uid(rustix::process::getuid().as_raw());
        command.status().map(drop)
    }),
    attempt(
        "become another program",
        CALLS,
        [Err(Errno::NOENT), Err(Errno::PERM), Err(Errno::PERM)],
        |_| Err(command("/nowhere/program").exec()),
    ),
    attempt("signal the parent", CALLS, DENIED, |_| {
        signal(getppid(), Signal::CONT)
    }),
    attempt("see whether the parent is there", CALLS, DENIED, |_| {
        Ok(test_kill_process(getppid().unwrap())?)
    }),
    attempt("signal its group", CALLS, DENIED, |_| {
        Ok(test_kill_current_process_group()?)
    }),
    attempt("hold the parent", CALLS, DENIED, |_| {
        let parent = getppid().unwrap();
        Ok(pidfd_open(parent, PidfdFlags::empty()).map(drop)?)
    }),
    attempt("limit the parent", CALLS, DENIED, |_| {
        let same = getrlimit(Resource::Stack);
        let parent = getppid();
        Ok(rustix::process::prlimit(parent, Resource::Stack, same).map(drop)?)
    }),
    attempt("outlive the host", CALLS, DENIED, |_| {
        Ok(set_parent_process_death_signal(None)?)
    }),
    attempt("leave the host's group", CALLS, DENIED, |_| {
        Ok(rustix::process::setpgid(None, None)?)
    }),
    // Limits hold under each profile, and for root, too.
    attempt("lift a limit", PRIVILEGES, [Err(Errno::PERM); 3], |_| {
        let limit = Rlimit {
            current: Some(1),
            maximum: Some(1),
        };
        Ok(setrlimit(Resource::Core, limit)?)
    }),
];

fn answer(result: io::Result<()>) -> String {
    match result {
        Ok(()) => "works".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn check(test: &str, profile: Profile) {
    let report = Report::of(test, |scene| {
        scene.restrict(Sandbox {
            profile,
            ..Sandbox::default()
        });
        for Attempt { what, attempt, .. } in &ATTEMPTS {
            tell(format!("{what}: {}", answer(attempt(scene))));
        }
    });
    let Some(report) = report else {
        return;
    };
    let missing = missing(&Sandbox {
        profile,
        ..Sandbox::default()
    });
    let is_missing = |name: &str| missing.iter().any(|offer| offer.name == name);
    let mut expected: Vec<_> = missing
        .iter()
        .map(|offer| format!("not applied: {}", offer.name))
        .collect();
    let mut found = report.good();
    for attempt in &ATTEMPTS {
        let line = format!("{}: ", attempt.what);
        if is_missing(attempt.by) {
            // Nothing can deny it here, and whoever asked was told.
            found.retain(|told| !told.starts_with(&line));
            continue;
        }
        let result = attempt.answers[profile as usize].map_err(io::Error::from);
        expected.push(line + &answer(result));
    }
    assert_eq!(found, expected, "under `{profile}`");
}

#[test]
fn without_a_profile_all_but_a_lifted_limit_works() {
    check(
        "without_a_profile_all_but_a_lifted_limit_works",
        Profile::None,
    );
}

#[test]
fn a_plugin_with_a_network_reaches_nothing_else() {
    check(
        "a_plugin_with_a_network_reaches_nothing_else",
        Profile::Network,
    );
}

#[test]
fn a_plugin_that_is_held_strictly_reaches_what_is_named() {
    check(
        "a_plugin_that_is_held_strictly_reaches_what_is_named",
        Profile::Strict,
    );
}

#[test]
fn memory_and_files_are_given_up_to_their_limits() {
    let report = Report::of("memory_and_files_are_given_up_to_their_limits", |scene| {
        scene.restrict(Sandbox {
            memory: Some(256 << 20),
            files: Some(32),
            ..Sandbox::default()
        });
        let mut bytes: Vec<u8> = Vec::new();
        tell(bytes.try_reserve_exact(1 << 30).is_err());
        tell(bytes.try_reserve_exact(1 << 20).is_ok());
        bytes.resize(1 << 20, 1);
        black_box(&bytes);
        let files = (0..64).map(|_| File::open("/dev/null"));
        let (open, refused): (Vec<_>, Vec<_>) = files.partition(Result::is_ok);
        tell(open.len() < 32);
        let refused = refused.into_iter().next().map(|refused| refused.map(drop));
        tell(answer(refused.unwrap()));
        tell(format!("{:?}", getrlimit(Resource::Core)));
    });
    let Some(report) = report else {
        return;
    };
    assert_eq!(
        report.good(),
        [
            "true",
            "true",
            "true",
            "Too many open files (os error 24)",
            "Rlimit { current: Some(0), maximum: Some(0) }",
        ]
    );
}

#[test]
fn a_worker_that_computes_too_long_is_ended() {
    let report = Report::of("a_worker_that_computes_too_long_is_ended", |scene| {
        scene.restrict(Sandbox {
            cpu_seconds: Some(1),
            ..Sandbox::default()
        });
        tell("computes");
        let mut turns = 0_u64;
        loop {
            turns = black_box(turns.wrapping_add(1));
        }
    });
    let Some(report) = report else {
        return;
    };
    assert_eq!(report.lines, ["computes"]);
    assert_eq!(report.status.signal(), Some(Signal::XCPU.as_raw()));
}

#[test]
fn a_stricter_limit_that_was_there_stays() {
    let report = Report::of("a_stricter_limit_that_was_there_stays", |scene| {
        let limit = Rlimit {
            current: Some(32),
            maximum: Some(64),
        };
        setrlimit(Resource::Nofile, limit).unwrap();
        scene.restrict(Sandbox {
            files: Some(4096),
            ..Sandbox::default()
        });
        tell(format!("{:?}", getrlimit(Resource::Nofile)));
    });
    let Some(report) = report else {
        return;
    };
    assert_eq!(
        report.good(),
        ["Rlimit { current: Some(64), maximum: Some(64) }"]
    );
}

#[test]
fn a_path_that_is_not_there_is_named_before_and_after() {
    let asked = Sandbox {
        profile: Profile::Strict,
        read: vec!["/nowhere/to/read".into()],
        write: vec!["/nowhere/to/write".into()],
        ..Sandbox::default()
    };
    let paths = |offers: Vec<Offer>| {
        let paths = offers.into_iter().filter(|o| o.detail.starts_with('`'));
        let paths = paths.map(|offer| format!("{}: {}", offer.name, offer.detail));
        paths.collect::<Vec<_>>()
    };
    let report = Report::of("a_path_that_is_not_there_is_named_before_and_after", |_| {
        let lacking = apply(&asked, Path::new("/nowhere/library"));
        paths(lacking).into_iter().for_each(tell);
    });
    let Some(report) = report else {
        return;
    };
    let why = "cannot be granted: No such file or directory (os error 2)";
    let named = [
        format!("readable path: `/nowhere/to/read` {why}"),
        format!("writable path: `/nowhere/to/write` {why}"),
    ];
    assert_eq!(paths(missing(&asked)), named);
    if missing(&asked).iter().any(|offer| offer.name == FILES) {
        return;
    }
    let library = format!("library: `/nowhere/library` {why}");
    assert_eq!(report.good(), [&[library][..], &named].concat());
}

/// What a container allows, set up for the rest of a process: these calls are answered so.
fn answer_calls(calls: &[libc::c_long], errno: i32) {
    let calls = calls.iter().map(|call| (*call, Vec::new())).collect();
    let filter = SeccompFilter::new(
        calls,
        SeccompAction::Allow,
        SeccompAction::Errno(errno.unsigned_abs()),
        env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}

#[track_caller]
fn check_gap(test: &str, calls: &[libc::c_long], errno: i32, expected: &[&str]) {
    let report = Report::of(test, |scene| {
        answer_calls(calls, errno);
        let strict = Sandbox {
            profile: Profile::Strict,
            ..Sandbox::default()
        };
        for Offer { name, detail, .. } in missing(&strict) {
            tell(format!("{name}: {detail}"));
        }
        scene.restrict(strict);
        tell(format!("open: {}", answer(open("/etc/passwd"))));
        tell(format!(
            "signal: {}",
            answer(signal(getppid(), Signal::CONT))
        ));
    });
    let Some(report) = report else {
        return;
    };
    assert_eq!(report.good(), expected);
}

#[test]
fn a_kernel_without_landlock_is_told_of() {
    check_gap(
        "a_kernel_without_landlock_is_told_of",
        &[
            libc::SYS_landlock_create_ruleset,
            libc::SYS_landlock_add_rule,
            libc::SYS_landlock_restrict_self,
        ],
        libc::ENOSYS,
        &[
            "file access: landlock lacks it here: a worker can open whatever its user may",
            "truncation: landlock lacks it here: a worker can empty files of its user",
            "not applied: file access",
            "not applied: truncation",
            "open: works",
            "signal: Operation not permitted (os error 1)",
        ],
    );
}

#[test]
fn a_container_that_forbids_landlock_is_told_of() {
    check_gap(
        "a_container_that_forbids_landlock_is_told_of",
        &[libc::SYS_landlock_restrict_self],
        libc::EPERM,
        &[
            "file access: landlock cannot be used: Operation not permitted (os error 1)",
            "not applied: file access",
            "open: works",
            "signal: Operation not permitted (os error 1)",
        ],
    );
}

#[test]
fn a_container_that_forbids_filters_is_told_of() {
    check_gap(
        "a_container_that_forbids_filters_is_told_of",
        &[libc::SYS_seccomp],
        libc::EPERM,
        &[
            "system calls: seccomp cannot be used: Operation not permitted (os error 1)",
            "not applied: system calls",
            "open: Permission denied (os error 13)",
            // By landlock, where it has that.
            "signal: Operation not permitted (os error 1)",
        ],
    );
}

#[test]
fn to_ask_what_is_offered_changes_nothing() {
    let before = rustix::thread::no_new_privs().unwrap();
    let _ = offers();
    let _ = missing(&Sandbox {
        profile: Profile::Strict,
        ..Sandbox::default()
    });
    assert_eq!(rustix::thread::no_new_privs().unwrap(), before);
    open("/etc/passwd").unwrap();
    assert!(command("/bin/true").status().unwrap().success());
    // The second time as the first, as nothing is left of it.
    assert_eq!(offers(), offers());
}

#[test]
fn each_offer_says_what_it_holds_to_or_what_to_do() {
    for offer in offers() {
        assert!(!offer.detail.is_empty(), "{offer:?}");
        assert_eq!(offer.given, offer.remedy.is_empty(), "{offer:?}");
    }
    let names: Vec<_> = offers().iter().map(|offer| offer.name).collect();
    assert_eq!(
        names,
        [
            "privileges",
            "core dumps",
            "memory",
            "processor time",
            "open files",
            "file access",
            "truncation",
            "devices",
            "TCP ports",
            "scopes",
            "system calls",
        ]
    );
}

#[test]
fn a_part_of_a_second_is_a_whole_one() {
    let seconds = |cpu| {
        let terms = WorkerTerms {
            cpu,
            ..WorkerTerms::default()
        };
        Sandbox::from(&terms).cpu_seconds
    };
    assert_eq!(seconds(None), None);
    assert_eq!(seconds(Some(Duration::from_millis(1))), Some(1));
    assert_eq!(seconds(Some(Duration::from_secs(2))), Some(2));
    assert_eq!(seconds(Some(Duration::from_millis(2001))), Some(3));
    assert_eq!(seconds(Some(Duration::MAX)), Some(u64::MAX));
}

#[test]
fn a_sandbox_crosses_to_the_worker() {
    let sandbox = Sandbox {
        profile: Profile::Network,
        read: vec!["/srv/models".into()],
        write: vec!["/srv/cache".into()],
        memory: Some(1 << 30),
        cpu_seconds: None,
        files: Some(64),
    };
    let bytes = postcard::to_stdvec(&sandbox).unwrap();
    assert_eq!(postcard::from_bytes::<Sandbox>(&bytes).unwrap(), sandbox);
}
