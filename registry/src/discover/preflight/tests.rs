//! What is found in libraries that a C compiler made, and in this test itself, which Rust made.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;

use super::*;

/// A directory for libraries, and what makes them.
struct Workshop {
    directory: tempfile::TempDir,
}

impl Workshop {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file with this text.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A shared library with this source.
    #[track_caller]
    fn library(&self, name: &str, source: &str, arguments: &[&OsStr]) -> PathBuf {
        let output = self.path(name);
        let source = self.file(&format!("{name}.c"), source);
        let mut command = compiler_command("cc");
        command.args(["-shared", "-fPIC", "-w", "-o"]).arg(&output);
        command.arg(source).args(arguments);
        run(command);
        output
    }

    #[track_caller]
    fn examined(&self, source: &str, arguments: &[&str]) -> Preflight {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        examined(&self.library("libx.so", source, &arguments))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the libraries of these tests are compiled"
)]
fn compiler_command(program: &str) -> Command {
    Command::new(program)
}

#[track_caller]
fn run(mut command: Command) {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?} failed:\n{said}");
}

#[track_caller]
fn examined(path: &Path) -> Preflight {
    let found = preflight(&File::open(path).unwrap(), path).unwrap();
    assert!(found.examined);
    for finding in &found.findings {
        assert!(!finding.found.contains('\n'), "{finding:?}");
    }
    found
}

/// What was found of a hazard.
fn found(preflight: &Preflight, hazard: Hazard) -> Vec<(Severity, &str)> {
    let of_it = preflight.findings.iter().filter(|it| it.hazard == hazard);
    of_it.map(|it| (it.severity, it.found.as_str())).collect()
}

/// That these and no others were found.
#[track_caller]
fn finds(preflight: &Preflight, expected: &[(Hazard, &str)]) {
    let found: Vec<_> = preflight
        .findings
        .iter()
        .map(|finding| (finding.hazard, finding.found.as_str()))
        .collect();
    assert_eq!(found, expected);
}

const PLAIN: &str = "int x(void) { return 1; }";

#[test]
#[cfg(target_os = "linux")]
fn real() {
    for path in std::env::var("PF_LIBS")
        .unwrap_or_default()
        .split(' ')
        .filter(|it| !it.is_empty())
    {
        let path = Path::new(path);
        let file = File::open(path).unwrap();
        let mut best = std::time::Duration::MAX;
        for _ in 0..200 {
            let t = std::time::Instant::now();
            let _ = preflight(&file, path);
            best = best.min(t.elapsed());
        }
        println!("== {path:?} {best:?} {:#?}", preflight(&file, path));
    }
}
