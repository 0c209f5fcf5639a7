//! A file that is swapped all the time is loaded as what may be loaded, or not at all.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::{GOOD, Scene, set_mode, write};
use floe_loader_tests::vouch::{Signer, lock_libraries};
use floe_plugin_api::{Value, value};
use floe_registry::{CallError, Registry, Trust, TrustSettings};
use rustix::fs::{CWD, RenameFlags, renameat_with};

/// How often the file is swapped at least.
const SWAPS: usize = 2_000;

/// How often it is looked at, scanned and loaded at least.
const ROUNDS: usize = 60;

const TRUE_TAG: &str = "the-true";
const FALSE_TAG: &str = "the-fake";

/// A scene with a plugin that may be loaded, and the bytes of one that may not and says the same.
struct Contest {
    scene: Scene,
    path: PathBuf,
    fake: Library,
}

impl Contest {
    fn new(trust: Trust) -> Self {
        let mut scene = Scene::empty();
        let signer = Signer::new();
        let good = Library::of(Fixture::Probe).named(GOOD);
        let library = Library::of(Fixture::Probe).named("x").tag(TRUE_TAG);
        let fake = Library::of(Fixture::Probe).named("x").tag(FALSE_TAG);
        for (name, library) in [("m-good", &good), ("x", &library)] {
            signer.vouch(&scene.install(name, library), library);
        }
        let lock = scene.root().join("floe.lock");
        lock_libraries(&lock, &[&good, &library]);
        scene.trust(TrustSettings::new(trust).lock(lock).key(signer.trusted()));
        Self {
            path: scene.path("x"),
            scene,
            fake,
        }
    }

    /// Looks at the file while it is swapped: scans, with a new registry or again, loads and asks which
    /// build it is. It is the one that may be loaded, or none.
    #[track_caller]
    fn run(&self, mut swap: impl FnMut() + Send) {
        let swaps = AtomicUsize::new(0);
        let is_over = AtomicBool::new(false);
        let (begin, begun) = mpsc::sync_channel::<usize>(0);
        let (mut answered, mut refused, mut rounds) = (0, 0, 0);
        thread::scope(|scope| {
            let (swaps, is_over) = (&swaps, &is_over);
            scope.spawn(move || {
                // So many at each look, at whatever moments: one more leaves it the other way round.
                for count in begun {
                    for _ in 0..count {
                        swap();
                        swaps.fetch_add(1, Ordering::Relaxed);
                        if is_over.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                }
            });
            let mut registry = self.scene.registry();
            while rounds < ROUNDS || swaps.load(Ordering::Relaxed) < SWAPS {
                // The last ones of the loads before may go on while this one begins.
                begin.send(rounds * 7 % 90).unwrap();
                if rounds % 3 == 0 {
                    let _ = registry.rescan().unwrap();
                } else {
                    registry = self.scene.registry();
                }
                match registry.call("x.tag", &Value::Null) {
                    Ok(tag) => {
                        assert_eq!(tag, value!(TRUE_TAG), "after {swaps:?} swaps");
                        answered += 1;
                    }
                    Err(CallError::Rejected(_) | CallError::Lookup(_)) => refused += 1,
                    Err(error) => panic!("{error}"),
                }
                rounds += 1;
            }
            is_over.store(true, Ordering::Relaxed);
            drop(begin);
            self.scene.check_good(&registry);
        });
        assert!(answered > 0 && refused > 0, "{answered} and {refused}");
        self.check_settled();
    }

    /// Checks that what is there in the end is judged as what it is.
    #[track_caller]
    fn check_settled(&self) {
        let there = fs::read(&self.path).unwrap();
        let is_fake = there == self.fake.bytes();
        let registry = self.scene.registry();
        match registry.call("x.tag", &Value::Null) {
            Ok(tag) => assert!(!is_fake && tag == value!(TRUE_TAG)),
            Err(error) => assert!(is_fake, "{error}"),
        }
    }

    /// Another file takes the file's place, and the other way round.
    fn check_renames(&self) {
        let other = self.scene.root().join("other");
        write(&other, self.fake.bytes());
        self.run(|| exchange(&self.path, &other));
    }

    /// The file is written over: the two differ in a few bytes alone.
    fn check_overwrites(&self) {
        let known = fs::read(&self.path).unwrap();
        let fake = self.fake.bytes();
        let differ = |at: &usize| known[*at] != fake[*at];
        let first = (0..known.len()).find(differ).unwrap();
        let last = (0..known.len()).rfind(differ).unwrap();
        let place = first..last + 1;
        let file = File::options().write(true).open(&self.path).unwrap();
        let mut is_fake = false;
        self.run(|| {
            is_fake = !is_fake;
            let bytes = if is_fake { fake } else { &known[..] };
            let bytes = &bytes[place.clone()];
            file.write_all_at(bytes, place.start as u64).unwrap();
        });
    }
}

fn exchange(one: &Path, other: &Path) {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
}

#[test]
fn what_is_not_locked_never_runs_whoever_renames_it() {
    Contest::new(Trust::Locked).check_renames();
}

#[test]
fn what_is_not_locked_never_runs_whoever_writes_it() {
    Contest::new(Trust::Locked).check_overwrites();
}

#[test]
fn what_is_not_signed_never_runs_whoever_renames_it() {
    Contest::new(Trust::Signed).check_renames();
}

#[test]
fn what_is_not_signed_never_runs_whoever_writes_it() {
    Contest::new(Trust::Signed).check_overwrites();
}

#[test]
fn whatever_becomes_of_the_file_no_call_fails() {
    let contest = Contest::new(Trust::LockedAndSigned);
    let registry = contest.scene.registry();
    let calls = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    registry.load("x.tag").unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    call(&registry);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let wait_for_calls = || {
            let before = calls.load(Ordering::Relaxed);
            floe_loader_tests::wait::until(|| calls.load(Ordering::Relaxed) > before + 100);
        };
        let path = &contest.path;
        let known = fs::read(path).unwrap();
        for round in 0..20 {
            fs::write(path, vec![0xcc; known.len()]).unwrap();
            wait_for_calls();
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(round)
                .unwrap();
            wait_for_calls();
            let aside = contest.scene.root().join("aside");
            write(&aside, contest.fake.bytes());
            fs::rename(&aside, path).unwrap();
            wait_for_calls();
            fs::remove_file(path).unwrap();
            wait_for_calls();
            write(path, &known);
            set_mode(path, 0o644);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    contest.scene.check_good(&registry);
}

#[track_caller]
fn call(registry: &Registry) {
    let tag = registry.call("x.tag", &Value::Null);
    assert_eq!(tag.unwrap(), value!(TRUE_TAG));
    let bytes = registry.call("x.bytes", &value!({"length": 10_000}));
    assert_eq!(bytes.unwrap(), Value::Bytes(vec![0xa5_u8; 10_000].into()));
}
