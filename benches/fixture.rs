//! The plugin that is loaded and called, and copies of it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use floe_registry::api::Value;
use floe_registry::{Registry, RegistryBuilder, Trust};
use tempfile::TempDir;

/// Names the directory of plugins whose copies another process is to put in the store.
const WARM: &str = "FLOE_BENCH_WARM";
/// Names what is to be told of a process of its own.
const ALONE: &str = "FLOE_BENCH_ALONE";
/// Names the store.
const WARM_STORE: &str = "FLOE_BENCH_WARM_STORE";

/// The library, built as vendors build theirs.
pub(crate) fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-plugin");
        let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/plugin"))
            .args(["build", "--release", "--quiet", "--target-dir"])
            .arg(&target);
        let built = cargo.status().unwrap().success();
        assert!(built, "the bench plugin does not build");
        let name = format!("libfloe_bench_plugin{}", std::env::consts::DLL_SUFFIX);
        target.join("release").join(name)
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "builds the plugin, and runs this program again"
)]
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// A directory for copies, on the disk that holds the build.
pub(crate) fn directory() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A copy of the library in `directory` with a content of its own: mapping it maps it anew.
pub(crate) fn copy(directory: &Path) -> PathBuf {
    write_anew(directory, fs::read(library()).unwrap())
}

/// The same, of another plugin: `name` is as long as `bench`, and stands in its place, also in the
/// node types.
pub(crate) fn copy_named(directory: &Path, name: &str) -> PathBuf {
    let mut bytes = fs::read(library()).unwrap();
    rename(&mut bytes, name);
    write_anew(directory, bytes)
}

/// Gives the plugin in these bytes another name, as long as its own.
fn rename(bytes: &mut [u8], name: &str) {
    const NAME: &[u8] = b"bench";
    assert_eq!(name.len(), NAME.len());
    // In the manifest, which stands in the note and in the code, names are between quotes.
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|byte| *byte == b'"') {
        at += next + 1;
        let (end, rest) = (at + NAME.len(), &bytes[at..]);
        if rest.starts_with(NAME) && matches!(rest.get(NAME.len()), Some(b'"' | b'.')) {
            bytes[at..end].copy_from_slice(name.as_bytes());
        }
    }
}

fn write_anew(directory: &Path, mut bytes: Vec<u8>) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = directory.join(format!("libcopy{count}.so"));
    // What follows the section table belongs to nothing.
    write!(bytes, "{}-{count}", std::process::id()).unwrap();
    // Written from memory and synced, as floe's own copies are: mapping what is on the disk alone, or
    // is on its way there, would measure the disk.
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(&bytes).unwrap();
    file.sync_all().unwrap();
    path
}

/// Makes a library as long as a larger one, if it is not yet. What follows the section table belongs to
/// nothing, and is written to the disk like the rest.
pub(crate) fn pad(path: &Path, size: u64) {
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    let missing = usize::try_from(size.saturating_sub(length)).unwrap();
    let noise: Vec<u8> = (0..missing).map(|at| (at * 31 % 251) as u8).collect();
    file.write_all(&noise).unwrap();
    file.sync_all().unwrap();
}

/// A file that looks like the library to all that does not map it, and takes little room.
pub(crate) fn hollow(path: &Path) {
    hollow_named(path, "bench");
}

/// The same of another plugin: `name` is as long as `bench`.
pub(crate) fn hollow_named(path: &Path, name: &str) {
    const HEAD: usize = 64 * 1024;
    let library = fs::read(library()).unwrap();
    let mut head = library[..HEAD].to_vec();
    rename(&mut head, name);
    let mut file = fs::File::create(path).unwrap();
    file.write_all(&head).unwrap();
    file.set_len(library.len() as u64).unwrap();
}

/// A registry of the files in a directory.
pub(crate) fn registry(directory: &Path, store: &Path) -> Registry {
    builder(directory, store).build().unwrap()
}

/// The same, to be set up otherwise.
pub(crate) fn builder(directory: &Path, store: &Path) -> RegistryBuilder {
    Registry::builder()
        .directory(directory)
        .store(store.join("store"))
        .trust(Trust::Owner)
}

/// Whether each bench is only run once, to see that it runs: what is printed beside them may be of
/// less then.
pub(crate) fn is_smoke() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

/// The resident memory of this process in bytes, where the system tells.
pub(crate) fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Waits until files that were just written are old enough for their content to be remembered, and
/// until the disk has taken them, so that what is measured next is measured alike.
pub(crate) fn settle() {
    // Or whoever syncs next waits for all that the set-up has written.
    #[cfg(unix)]
    rustix::fs::sync();
    std::thread::sleep(Duration::from_millis(300));
}

/// Uses all plugins below a directory for the first time, which fills a store, from another process: in
/// this one they are not to be mapped yet.
pub(crate) fn warm_store(directories: &Path, store: &Path) {
    let status = command(std::env::current_exe().unwrap())
        .env(WARM, directories)
        .env(WARM_STORE, store)
        .status()
        .unwrap();
    assert!(status.success(), "the store cannot be filled");
}

/// Runs this program again for something that is told of a process that has done nothing else yet.
pub(crate) fn alone(what: &str) {
    let status = command(std::env::current_exe().unwrap())
        .env(ALONE, what)
        .status()
        .unwrap();
    assert!(status.success(), "{what} cannot be told");
}

/// What this process was run for by [`alone`].
pub(crate) fn is_alone_for() -> Option<String> {
    std::env::var(ALONE).ok()
}

/// Does what the other process of [`warm_store`] is there for.
pub(crate) fn warm_store_if_asked() -> bool {
    let (Some(directories), Some(store)) = (std::env::var_os(WARM), std::env::var_os(WARM_STORE))
    else {
        return false;
    };
    for directory in fs::read_dir(directories).unwrap() {
        let registry = registry(&directory.unwrap().path(), Path::new(&store));
        for plugin in registry.list() {
            let executor = format!("{}.echo", plugin.name);
            registry.call(&executor, &Value::Null).unwrap();
        }
    }
    true
}
