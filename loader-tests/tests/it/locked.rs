//! The lock file: what it has is loaded, and nothing else is, whatever becomes of it.

use std::fs;
use std::path::{Path, PathBuf};

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::refusal::{Refused, check_words};
use floe_loader_tests::scene::{GOOD, Scene, check_answers, check_unreachable, set_mode, write};
use floe_loader_tests::vouch::{build_of, build_with, digest, lock, lock_libraries};
use floe_loader_tests::wait::for_event;
use floe_plugin_api::{Value, value};
use floe_registry::{
    CallError, Event, LockFile, Platform, Registry, Rejection, State, Trust, TrustSettings,
};

fn probe(name: &str) -> Library {
    Library::of(Fixture::Probe).named(name)
}

/// A scene in which only what is locked is loaded: the good plugin is.
struct Locked {
    scene: Scene,
    good: Library,
    file: PathBuf,
}

impl Locked {
    fn new() -> Self {
        let mut scene = Scene::empty();
        let good = probe(GOOD);
        scene.install("m-good", &good);
        let file = scene.root().join("floe.lock");
        scene.trust(TrustSettings::new(Trust::Locked).lock(&file));
        let locked = Self { scene, good, file };
        locked.lock(&[]);
        locked
    }

    /// Locks the good plugin and these.
    fn lock(&self, others: &[&Library]) {
        lock_libraries(&self.file, &[&[&self.good], others].concat());
    }
}

/// The refusal of a call.
#[track_caller]
fn refusal(registry: &Registry, node_type: &str) -> Box<Rejection> {
    match registry.call(node_type, &Value::Null) {
        Err(CallError::Rejected(refusal)) => {
            check_words(&refusal);
            refusal
        }
        other => panic!("expected a refusal, found {other:?}"),
    }
}

#[test]
fn what_is_locked_answers() {
    let locked = Locked::new();
    locked.scene.install("other", &probe("other"));
    let registry = locked.scene.registry();
    locked.scene.check_good(&registry);
    let refused = Refused::admit("locked")
        .found("`compute/other` 1.0.0")
        .expected("a plugin that")
        .remedy("`floe lock other`");
    let path = locked.scene.path("other");
    locked.scene.check_refused(&registry, &path, &refused);
    check_unreachable(&registry, "other.echo");
}

#[test]
fn what_the_registry_finds_can_be_locked() {
    let locked = Locked::new();
    let other = probe("other");
    locked.scene.install("other", &other);
    locked.scene.write("broken", b"no library at all");
    let registry = locked.scene.registry();
    let lockable = registry.lockable();
    let mut wanted = vec![build_of(&locked.good), build_of(&other)];
    wanted.sort();
    let mut found = lockable.builds.clone();
    found.sort();
    assert_eq!(found, wanted);
    assert_eq!(lockable.refused.len(), 1, "{lockable:?}");
    lock(&locked.file, lockable.builds);
    assert_eq!(registry.rescan().unwrap().added.len(), 1);
    check_answers(&registry, "other");
}

/// Checks that nothing that the lock file is asked of is loaded, and that all else is.
#[track_caller]
fn check_unusable(prepare: impl FnOnce(&Locked), set: bool, refused: &Refused) {
    let locked = Locked::new();
    let free = locked.scene.root().join("free");
    fs::create_dir(&free).unwrap();
    write(&free.join("free.so"), probe("free").bytes());
    prepare(&locked);
    let mut trust = TrustSettings::new(Trust::Locked).directory(&free, Trust::Owner);
    if set {
        trust = trust.lock(&locked.file);
    }
    let builder = locked.scene.builder().directory(free.as_path());
    let registry = builder.trust(trust).build().unwrap();
    let path = locked.scene.path("m-good");
    refused.check(&locked.scene.refusal(&registry, &path));
    check_unreachable(&registry, "good.echo");
    assert_eq!(registry.list().len(), 1);
    check_answers(&registry, "free");
}

#[test]
fn no_lock_file_is_set() {
    let refused = Refused::admit("lock-file")
        .found("no lock file is set")
        .expected("trust is `locked`")
        .remedy("`[trust]`");
    check_unusable(|_| (), false, &refused);
}

#[test]
fn there_is_no_lock_file() {
    let missing = Refused::admit("lock-file").remedy("`floe lock`");
    let gone = missing.found("there is no lock file");
    check_unusable(|locked| fs::remove_file(&locked.file).unwrap(), true, &gone);
    let unreadable = Refused::admit("lock-file")
        .found("cannot be read")
        .remedy("version control");
    let directory = |locked: &Locked| {
        fs::remove_file(&locked.file).unwrap();
        fs::create_dir(&locked.file).unwrap();
    };
    check_unusable(directory, true, &unreadable);
}

#[test]
fn the_lock_file_is_damaged() {
    let damaged = Refused::admit("lock-file")
        .found("is damaged")
        .expected("can be relied on")
        .remedy("version control");
    let change = |change: fn(Vec<u8>) -> Vec<u8>, refused: Refused| {
        let prepare = |locked: &Locked| {
            let bytes = fs::read(&locked.file).unwrap();
            write(&locked.file, &change(bytes));
        };
        check_unusable(prepare, true, &refused);
    };
    change(|bytes| bytes[..bytes.len() - 2].to_vec(), damaged);
    change(|bytes| bytes[..bytes.len() - 70].to_vec(), damaged);
    change(|_| Vec::new(), damaged.found("version"));
    change(
        |bytes| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace("version = 1", "version = 2").into_bytes()
        },
        damaged
            .found("is of format `2`, this floe reads format `1`")
            .remedy("update this floe"),
    );
    // A bit of a digest: not hexadecimal any more.
    change(
        |mut bytes| {
            let last = bytes.len() - 3;
            bytes[last] ^= 0x40;
            bytes
        },
        damaged,
    );
    change(|_| vec![0xff; 100], damaged);
    change(|_| vec![b'#'; (16 << 20) + 1], damaged.found("longer"));
}

#[test]
fn everybody_may_write_to_the_lock_file() {
    let exposed = Refused::admit("lock-file")
        .found("is not safe: its mode is `0646`")
        .remedy("let nobody else write");
    check_unusable(|locked| set_mode(&locked.file, 0o646), true, &exposed);
    let exposed = Refused::admit("lock-file").found("where it is, has mode `0777`");
    let prepare = |locked: &Locked| {
        // The way to the plugins must not be what is refused.
        let open = locked.scene.root().join("open");
        fs::create_dir(&open).unwrap();
        fs::rename(&locked.file, open.join("floe.lock")).unwrap();
        set_mode(&open, 0o777);
        std::os::unix::fs::symlink(open.join("floe.lock"), &locked.file).unwrap();
    };
    check_unusable(prepare, true, &exposed);
}

#[test]
fn everybody_may_replace_the_way_to_the_lock_file() {
    // Above its directory: another directory could be put in its place, with all in it.
    let above = Refused::admit("lock-file")
        .found("open`, where it is, has mode `0777`")
        .remedy("let nobody else write");
    let put = |locked: &Locked| {
        let open = locked.scene.root().join("open");
        let moved = open.join("project/floe.lock");
        fs::create_dir_all(moved.parent().unwrap()).unwrap();
        fs::rename(&locked.file, &moved).unwrap();
        std::os::unix::fs::symlink(moved, &locked.file).unwrap();
        set_mode(&open, 0o777);
    };
    check_unusable(put, true, &above);
    // A link could be made to lead to another's file, in a directory of their own.
    let linked = Locked::new();
    let open = linked.scene.root().join("open");
    fs::create_dir(&open).unwrap();
    std::os::unix::fs::symlink(&linked.file, open.join("link")).unwrap();
    set_mode(&open, 0o777);
    let trust = TrustSettings::new(Trust::Locked).lock(open.join("link"));
    let registry = linked.scene.builder().trust(trust).build().unwrap();
    let on_the_way = Refused::admit("lock-file")
        .found("open`, on the way to it, has mode `0777`")
        .remedy("let nobody else write");
    on_the_way.check(
        &linked
            .scene
            .refusal(&registry, &linked.scene.path("m-good")),
    );
    // Where nobody but its owner may replace it, it is as good as any.
    set_mode(&open, 0o1777);
    registry.rescan().unwrap();
    linked.scene.check_good(&registry);
}

#[test]
fn another_content_of_the_same_version() {
    let locked = Locked::new();
    let (known, other) = (probe("changed"), probe("changed"));
    locked.lock(&[&known]);
    let path = locked.scene.install("changed", &other);
    let refused = Refused::load("locked-digest")
        .found("a content with the SHA-256")
        .expected("floe.lock")
        .remedy("`floe lock changed`");
    locked
        .scene
        .check_refused_at_load("changed.echo", &path, &refused);
    let registry = locked.scene.registry();
    let refusal = refusal(&registry, "changed.echo");
    let [found, expected] = [&other, &known].map(|library| digest(library.bytes()).to_string());
    assert!(refusal.found.contains(&found), "{refusal}");
    assert!(refusal.expected.contains(&expected), "{refusal}");
    // To look at it, without loading it, tells the same.
    let inspection = registry.inspect(&path).unwrap();
    assert!(!inspection.verdict.admitted);
    let check = |wanted: &str| {
        let checks = &inspection.verdict.checks;
        checks.iter().find(|check| check.check == wanted).unwrap()
    };
    assert!(check("locked").passed && !check("locked-digest").passed);
    assert!(check("locked-digest").found.contains(&found));
    // It is asked of the bytes: put back, the file is loaded.
    locked.scene.install("changed", &known);
    registry.rescan().unwrap();
    check_answers(&registry, "changed");
}

#[test]
fn a_copy_that_another_host_trusted_is_not_for_one_that_does_not() {
    let locked = Locked::new();
    let (known, other) = (probe("changed"), probe("changed"));
    locked.lock(&[&known]);
    locked.scene.install("changed", &other);
    // It is in the store, and mapped in this very process.
    let trusting = locked.scene.builder().trust(Trust::Owner).build().unwrap();
    check_answers(&trusting, "changed");
    let registry = locked.scene.registry();
    let refusal = refusal(&registry, "changed.echo");
    Refused::load("locked-digest").check(&refusal);
    check_answers(&trusting, "changed");
}

#[test]
fn another_version_than_is_locked() {
    let locked = Locked::new();
    locked.lock(&[&probe("moved").version("1.2.0")]);
    let refused = Refused::admit("locked")
        .expected("version `1.2.0`, which")
        .remedy("`floe lock moved`");
    for (version, found) in [
        ("1.1.9", "`compute/moved` 1.1.9, below the version"),
        ("1.2.0-rc.1", "1.2.0-rc.1, below the version"),
        ("1.2.1", "`compute/moved` 1.2.1"),
        ("2.0.0", "`compute/moved` 2.0.0"),
    ] {
        let path = locked
            .scene
            .install("moved", &probe("moved").version(version));
        let registry = locked.scene.registry();
        locked
            .scene
            .check_refused(&registry, &path, &refused.found(found));
        let downgrade = locked.scene.refusal(&registry, &path).found;
        let is_below = downgrade.contains("below");
        assert_eq!(
            is_below,
            version.starts_with("1.1") || version.contains("rc")
        );
        check_unreachable(&registry, "moved.echo");
    }
}

#[test]
fn the_digest_of_another_platform() {
    let locked = Locked::new();
    let library = probe("ported");
    let path = locked.scene.install("ported", &library);
    locked.lock(&[&library]);
    let mut text = fs::read_to_string(&locked.file).unwrap();
    let here = build_of(&library).platform;
    let at = text.find("name = \"ported\"").unwrap();
    let rest = text
        .split_off(at)
        .replace(&here, "elf-64-bit-big-endian-s390x");
    assert!(!rest.contains(&here) && text.contains(&here));
    write(&locked.file, (text + &rest).as_bytes());
    let refused = Refused::admit("locked")
        .found("`compute/ported` 1.0.0 for `")
        .expected("a build for `elf-64-bit-big-endian-s390x`")
        .remedy("`floe lock ported`");
    let registry = locked.scene.registry();
    locked.scene.check_refused(&registry, &path, &refused);
    // Locked for this one as well, each has its own.
    let lock = LockFile::read(&locked.file).unwrap();
    let both = lock.updated([build_of(&library)], Platform::host(), |plugin| {
        plugin.name == "ported"
    });
    assert_eq!(both.builds().count(), 3);
    both.write(&locked.file).unwrap();
    registry.rescan().unwrap();
    check_answers(&registry, "ported");
}

/// What a registry tells of the entries of a plugin: each one's state and whether it answers.
fn entries(registry: &Registry, name: &str) -> Vec<(State, bool)> {
    let listed = registry.list();
    let of_name = listed.iter().filter(|plugin| plugin.name == name);
    of_name
        .map(|plugin| (plugin.state, plugin.active))
        .collect()
}

#[test]
fn a_lock_file_that_asks_for_another_content_does_not_end_what_runs() {
    let locked = Locked::new();
    let old = probe("moving").tag("build--1");
    locked.lock(&[&old]);
    locked.scene.install("moving", &old);
    let registry = locked.scene.registry();
    let tag = || registry.call("moving.tag", &Value::Null).unwrap();
    assert_eq!(tag(), value!("build--1"));

    // The same file, of which another content is asked: what would come is held back.
    let mut events = registry.events();
    let new = probe("moving").tag("build--2");
    locked.lock(&[&new]);
    registry.rescan().unwrap();
    let reason = for_event(&mut events, |event| match event {
        Event::HeldBack { build, reason, .. } => {
            assert_eq!(build.plugin.name, "moving");
            Some(reason.clone())
        }
        _ => None,
    });
    assert!(
        reason.contains(&digest(old.bytes()).to_string()),
        "{reason}"
    );
    assert!(
        reason.contains(&digest(new.bytes()).to_string()),
        "{reason}"
    );
    assert_eq!(tag(), value!("build--1"));
    let states = entries(&registry, "moving");
    assert!(states.contains(&(State::Ready, true)), "{states:?}");
    assert!(states.contains(&(State::HeldBack, false)), "{states:?}");
    locked.scene.check_good(&registry);

    // A new host does not load it.
    Refused::load("locked-digest").check(&refusal(&locked.scene.registry(), "moving.tag"));

    // And with the content that is asked for, that answers.
    locked.scene.install("moving", &new);
    registry.rescan().unwrap();
    assert_eq!(tag(), value!("build--2"));
}

#[test]
fn what_is_taken_out_of_the_lock_file_is_gone_after_a_scan() {
    let locked = Locked::new();
    let library = probe("fleeting");
    locked.lock(&[&library]);
    let path = locked.scene.install("fleeting", &library);
    let registry = locked.scene.registry();
    check_answers(&registry, "fleeting");
    locked.lock(&[]);
    check_answers(&registry, "fleeting");
    assert_eq!(registry.rescan().unwrap().removed.len(), 1);
    locked
        .scene
        .check_refused(&registry, &path, &Refused::admit("locked"));
    check_unreachable(&registry, "fleeting.echo");
    // Accepted, it is back.
    locked.lock(&[&library]);
    assert_eq!(registry.rescan().unwrap().added.len(), 1);
    check_answers(&registry, "fleeting");
}

#[test]
fn a_digest_that_is_mended_is_accepted_after_a_scan() {
    let locked = Locked::new();
    let library = probe("mended");
    locked.scene.install("mended", &library);
    let wrong = build_with(&library, digest(b"something else"));
    lock(&locked.file, [build_of(&locked.good), wrong]);
    let registry = locked.scene.registry();
    Refused::load("locked-digest").check(&refusal(&registry, "mended.echo"));
    locked.lock(&[&library]);
    // What was admitted under the old one is what counts until the next scan.
    Refused::load("locked-digest").check(&refusal(&registry, "mended.echo"));
    registry.rescan().unwrap();
    check_answers(&registry, "mended");
}

#[test]
fn a_lock_file_may_be_a_link() {
    let locked = Locked::new();
    let moved = locked.scene.root().join("mounted");
    fs::create_dir(&moved).unwrap();
    let target = moved.join("data");
    fs::rename(&locked.file, &target).unwrap();
    std::os::unix::fs::symlink(Path::new("mounted/data"), &locked.file).unwrap();
    let registry = locked.scene.registry();
    locked.scene.check_good(&registry);
    fs::remove_file(&target).unwrap();
    let _ = registry.rescan().unwrap();
    let refused = Refused::admit("lock-file").found("there is no lock file");
    refused.check(
        &locked
            .scene
            .refusal(&registry, &locked.scene.path("m-good")),
    );
}
