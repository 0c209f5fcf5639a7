//! The libraries of `fixtures/`, built by cargo.
//!
//! Whichever test process comes first builds them; the others wait for its file lock and see from a
//! stamp that nothing has changed since. The stamp is the size and the time of every source file, so
//! that hundreds of test processes need not start cargo to find out.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

/// A library of `fixtures/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fixture {
    /// Does as its caller says. Most tests use this.
    Probe,
    /// The same with an allocator of its own, which counts what it is given and never gave out.
    Allocator,
    /// The same without unwinding.
    Abort,
    /// The same, optimized and without assertions.
    Optimized,
    /// The same, with a narrower rule for its configuration: `limit` is at most 3 instead of 10.
    Narrow,
    /// Its constructor tells that it ran, and does as the environment says.
    Constructor,
    /// Does what no plugin may: its one executor `hostile.do` crashes, hangs and so on.
    Hostile,
    /// Tells one tenant what it was told by another, by every way that it finds.
    Spy,
    /// Panics when it is to describe itself.
    Undescribed,
    /// Its root module is laid out otherwise.
    Layout,
    /// Its header asks the host not to look at the layout.
    Unchecked,
}

impl Fixture {
    const fn example(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Allocator => "allocator",
            Self::Abort => "probe_abort",
            Self::Optimized => "probe_optimized",
            Self::Narrow => "probe_narrow",
            Self::Constructor => "constructor",
            Self::Hostile => "hostile",
            Self::Spy => "spy",
            Self::Undescribed => "undescribed",
            Self::Layout => "layout",
            Self::Unchecked => "unchecked",
        }
    }

    /// The built library.
    pub fn path(self) -> PathBuf {
        let name = format!(
            "{}{}{}",
            std::env::consts::DLL_PREFIX,
            self.example(),
            std::env::consts::DLL_SUFFIX
        );
        built().join("debug/examples").join(name)
    }
}

/// Built with the flags of the package alone.
const PLAIN: &[Fixture] = &[
    Fixture::Probe,
    Fixture::Allocator,
    Fixture::Constructor,
    Fixture::Hostile,
    Fixture::Spy,
    Fixture::Undescribed,
    Fixture::Layout,
    Fixture::Unchecked,
];

/// Built with flags of their own.
const FLAGGED: &[(Fixture, &[&str])] = &[
    (Fixture::Abort, &["-Cpanic=abort"]),
    (Fixture::Narrow, &["--cfg", "narrow"]),
    (
        Fixture::Optimized,
        &[
            "-Copt-level=3",
            "-Cdebug-assertions=off",
            "-Coverflow-checks=off",
        ],
    ),
];

/// The root of the workspace that this crate is in.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The directory of the fixtures' own workspace.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The directory in which cargo builds, whatever it was told to call it.
fn target() -> PathBuf {
    let program = std::env::current_exe().expect("a test has a program");
    let tagged = |directory: &&Path| directory.join("CACHEDIR.TAG").is_file();
    // Cargo tags only a directory that it has made; a test is in `debug/deps` below it.
    let tagged = program.ancestors().skip(1).find(tagged);
    let target = tagged.or_else(|| program.ancestors().nth(3));
    target.map_or_else(|| workspace().join("target"), Path::to_owned)
}

/// The target directory of the fixtures, in which every fixture is built.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let directory = target().join("fixtures");
        once(&directory, "fixtures.stamp", || {
            let mut plain = cargo(&directory);
            plain.args(["build", "--locked"]);
            for fixture in PLAIN {
                plain.args(["--example", fixture.example()]);
            }
            run(&mut plain);
            for (fixture, flags) in FLAGGED {
                let mut flagged = cargo(&directory);
                flagged.args(["rustc", "--locked", "--example", fixture.example(), "--"]);
                run(flagged.args(*flags));
            }
        });
        directory
    })
}

/// The probe as another compiler builds it; nothing where that compiler is not installed.
pub fn probe_of_toolchain(toolchain: &str) -> Option<PathBuf> {
    let mut version = Command::new("rustup");
    version.args(["run", toolchain, "rustc", "--version"]);
    if !version.output().is_ok_and(|output| output.status.success()) {
        return None;
    }
    let directory = target().join(format!("fixtures-{toolchain}"));
    once(&directory, "fixtures.stamp", || {
        let mut build = Command::new("rustup");
        build.args([
            "run",
            toolchain,
            "cargo",
            "build",
            "--locked",
            "--example",
            "probe",
        ]);
        run(set_up(&mut build, &directory));
    });
    let name = format!("libprobe{}", std::env::consts::DLL_SUFFIX);
    Some(directory.join("debug/examples").join(name))
}

/// Builds, unless it was done since the sources last changed; one process at a time.
fn once(directory: &Path, stamp: &str, build: impl FnOnce()) {
    fs::create_dir_all(directory).expect("the target directory can be written");
    let lock = File::create(directory.join("fixtures.lock")).expect("a lock file can be made");
    lock.lock().expect("a lock file can be locked");
    let stamp = directory.join(stamp);
    let wanted = state_of_sources();
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return;
    }
    build();
    fs::write(&stamp, wanted).expect("the target directory can be written");
}

fn cargo(target: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    set_up(&mut cargo, target);
    cargo
}

/// Gives a nested cargo its directories, and takes from it what the outer one has set: flags that
/// would make the fixtures other libraries, and what the outer one says of its own package.
fn set_up<'a>(cargo: &'a mut Command, target: &Path) -> &'a mut Command {
    const KEPT: &[&str] = &["CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR"];
    const REMOVED: &[&str] = &["RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "RUSTDOCFLAGS"];
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let outer = name.starts_with("CARGO_") && !KEPT.iter().any(|kept| name.starts_with(kept));
        if outer || REMOVED.contains(&&*name) {
            cargo.env_remove(&*name);
        }
    }
    cargo
        .current_dir(sources())
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_TERM_COLOR", "never")
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().expect("cargo can be started");
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The size and time of every file that the fixtures are built from, and of the compiler.
fn state_of_sources() -> String {
    let mut files = Vec::new();
    collect(&sources(), &mut files).expect("the fixtures can be read");
    collect(&workspace().join("plugin-api"), &mut files).expect("the plugin api can be read");
    files.push(workspace().join("Cargo.toml"));
    files.push(sources().join("Cargo.lock"));
    files.sort();
    let mut state = format!(
        "{:?} {:?}\n",
        std::env::var_os("CARGO"),
        std::env::var_os("RUSTUP_TOOLCHAIN")
    );
    for file in files {
        let metadata = fs::metadata(&file).expect("a source file can be read");
        let changed = metadata.modified().expect("files have times");
        let changed = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
        state.push_str(&format!(
            "{} {} {}\n",
            file.display(),
            metadata.len(),
            changed.as_nanos()
        ));
    }
    state
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if path.file_name() != Some(OsStr::new("target")) {
                collect(&path, files)?;
            }
        } else if path
            .extension()
            .is_some_and(|extension| extension == "rs" || extension == "toml")
        {
            files.push(path);
        }
    }
    Ok(())
}
