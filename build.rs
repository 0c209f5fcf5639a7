//! Stamps the target, the compiler and the commit into the program. It builds no plugin.
#![expect(
    clippy::disallowed_methods,
    reason = "a build script asks the compiler and git"
)]

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

const UNKNOWN: &str = "unknown";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    stamp("FLOE_TARGET", env::var("TARGET").ok().as_deref());
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    stamp("FLOE_COMPILER", answer(&compiler, ["--version"]).as_deref());
    stamp("FLOE_COMMIT", commit().as_deref());
}

fn stamp(name: &str, text: Option<&str>) {
    println!("cargo::rustc-env={name}={}", text.unwrap_or(UNKNOWN));
}

/// The commit that is checked out, where the source is a git work tree of its own.
fn commit() -> Option<String> {
    let source = env::var_os("CARGO_MANIFEST_DIR")?;
    let git = |arguments: &[&str]| {
        let directory = [OsStr::new("-C"), &source];
        answer(
            OsStr::new("git"),
            directory
                .into_iter()
                .chain(arguments.iter().map(OsStr::new)),
        )
    };
    // An unpacked archive may lie in somebody else's work tree, whose commit says nothing of it.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != Path::new(&source).canonicalize().ok()? {
        return None;
    }
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    // Each of these changes when another commit is checked out or made; none when a file is edited.
    // A file that is not there would make cargo run this script every time.
    for name in ["HEAD", "logs/HEAD"].into_iter().chain(branch.as_deref()) {
        if let Some(file) = git(&["rev-parse", "--git-path", name]) {
            let file = Path::new(&source).join(file);
            if file.is_file() {
                println!("cargo::rerun-if-changed={}", file.display());
            }
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

/// The first line that a program prints; nothing where it cannot be run or fails.
fn answer(
    program: &OsStr,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout))?
        .ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}
