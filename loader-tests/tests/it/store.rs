//! The private copies: whatever becomes of the directory that they are in, what runs is what was
//! asked for, or nothing.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use floe_loader_tests::child::Host;
use floe_loader_tests::elf::manifest;
use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::{Library, compile_c, note_in_c};
use floe_loader_tests::refusal::Refused;
use floe_loader_tests::scene::{GOOD, Scene, check_answers, set_mode, write};
use floe_loader_tests::vouch::{Signer, digest};
use floe_loader_tests::wait;
use floe_plugin_api::{Value, value};
use floe_registry::{CallError, Registry, Store};

fn probe(name: &str) -> Library {
    Library::of(Fixture::Probe).named(name)
}

fn host(scene: &Scene) -> Host {
    Host::new(crate::HOST, scene)
}

/// The files of a directory of the store.
#[track_caller]
fn files(scene: &Scene, directory: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(scene.store().join(directory)) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The place of the copy of a library.
fn copy_of(scene: &Scene, library: &Library) -> PathBuf {
    let name = format!("{}.so", digest(library.bytes()));
    scene.store().join("objects").join(name)
}

/// Whether the store remembers which content a file has.
fn is_remembered(scene: &Scene, path: &Path) -> bool {
    let path = fs::canonicalize(path).unwrap();
    let path = path.to_str().unwrap();
    let mut records = files(scene, "seen").into_iter();
    records.any(|record| fs::read_to_string(record).is_ok_and(|text| text.contains(path)))
}

/// Has other processes load a plugin until the store remembers it: a file that was changed only just
/// now is not known by its looks.
#[track_caller]
fn warm(scene: &Scene, host: &Host, name: &str) {
    let command = format!("call:{name}.echo");
    wait::until(|| {
        let told = host.clone().command(&command).run().good();
        assert_eq!(told, [format!("{command} = null")]);
        is_remembered(scene, &scene.path(name))
    });
}

/// Checks that a call is refused for the store.
#[track_caller]
fn check_unusable(registry: &Registry, node_type: &str, refused: &Refused) {
    match registry.call(node_type, &Value::Null) {
        Err(CallError::Rejected(refusal)) => refused.check(&refusal),
        other => panic!("expected a refusal, found {other:?}"),
    }
}

/// Whether a file is one that somebody is writing, or was.
fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap();
    name.as_encoded_bytes().starts_with(b".")
}

/// Checks every copy that a process may come to map, and gives how many there are.
#[track_caller]
fn check_objects(scene: &Scene) -> usize {
    let mut count = 0;
    for path in files(scene, "objects") {
        if is_temporary(&path) {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let content = digest(&fs::read(&path).unwrap());
        assert_eq!(name, format!("{content}.so"));
        count += 1;
    }
    count
}

#[test]
fn a_store_that_cannot_be_written() {
    let scene = Scene::empty();
    scene.install(GOOD, &probe(GOOD));
    // The superuser may write everywhere, so another user looks.
    let program = scene.root().join("host");
    fs::copy(crate::HOST, &program).unwrap();
    set_mode(&program, 0o755);
    set_mode(scene.root(), 0o1777);
    let mut host = Host::new(&program, &scene);
    if rustix::process::geteuid().is_root() {
        host = host.user(65_534);
    }
    warm(&scene, &host, GOOD);
    let cold = probe("cold");
    scene.install("cold", &cold);
    let directories = ["", "objects", "seen", "layouts"].map(|name| scene.store().join(name));
    // The layouts are not remembered of a host that was changed only just now.
    let directories: Vec<_> = directories.iter().filter(|it| it.exists()).collect();
    for directory in &directories {
        set_mode(directory, 0o500);
    }
    let calls = host.command("call:cold.echo").command("call:good.echo");
    let told = calls.run().good();
    assert!(told[0].contains("was refused at load"), "{told:?}");
    assert!(told[0].contains("Permission denied"), "{told:?}");
    assert!(told[0].contains("`FLOE_STORE`"), "{told:?}");
    // What is in it already is loaded.
    assert_eq!(told[1], "call:good.echo = null");
    for directory in &directories {
        set_mode(directory, 0o700);
    }
    let told = calls.run().good();
    assert_eq!(told, ["call:cold.echo = null", "call:good.echo = null"]);
}

#[test]
fn a_store_in_whose_place_is_something_else() {
    let scene = Scene::new();
    let store = scene.store();
    write(&store, b"a file");
    let registry = scene.registry();
    let refused = Refused::load("store")
        .expected("a private directory")
        .remedy("`FLOE_STORE`");
    check_unusable(
        &registry,
        "good.echo",
        &refused.found("it is not a directory"),
    );
    fs::remove_file(&store).unwrap();
    let elsewhere = scene.root().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    set_mode(&elsewhere, 0o700);
    symlink(&elsewhere, &store).unwrap();
    check_unusable(&registry, "good.echo", &refused.found("it is a link"));
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    fs::remove_file(&store).unwrap();
    let unusual = scene.root().join("$ORIGIN");
    let registry = scene.builder().store(unusual).build().unwrap();
    check_unusable(&registry, "good.echo", &refused.found("a `$`"));
    scene.check_good(&scene.registry());
}

#[test]
fn a_store_that_is_full() {
    let scene = Scene::new();
    warm_good(&scene);
    let big = probe("big");
    assert!(big.bytes().len() > 1 << 20);
    scene.install("big", &big);
    // No file may become larger than that: it is as if there were no room.
    let told = host(&scene)
        .limited()
        .command("files:1")
        .command("call:big.echo")
        .command("call:good.echo")
        .command("call:big.echo")
        .run()
        .good();
    for told in [&told[1], &told[3]] {
        assert!(told.contains("was refused at load"), "{told}");
        assert!(
            told.contains("cannot write") && told.contains("`FLOE_STORE`"),
            "{told}"
        );
        assert!(told.contains("File too large"), "{told}");
    }
    assert_eq!(told[2], "call:good.echo = null");
    // Nothing is left of what did not fit.
    assert_eq!(files(&scene, "objects").len(), 1);
    let told = host(&scene).command("call:big.echo").run().good();
    assert_eq!(told, ["call:big.echo = null"]);
    assert_eq!(check_objects(&scene), 2);
}

/// The good plugin is installed as `m-good`.
#[track_caller]
fn warm_good(scene: &Scene) {
    wait::until(|| {
        let told = host(scene).command("call:good.echo").run().good();
        assert_eq!(told, ["call:good.echo = null"]);
        is_remembered(scene, &scene.path("m-good"))
    });
}

#[test]
fn a_store_that_others_may_read_or_write() {
    let scene = Scene::new();
    scene.install("bad", &probe("bad"));
    let registry = scene.registry();
    scene.check_good(&registry);
    let refused = Refused::load("store")
        .expected("a private directory")
        .remedy("`chmod ");
    for (mode, found) in [
        (0o750, "its mode is `0750`, expected `0700`"),
        (0o701, "its mode is `0701`"),
        (0o777, "its mode is `0777`"),
        (0o1777, "its mode is `1777`"),
    ] {
        set_mode(&scene.store(), mode);
        // By one that used it when it was private, and by one that did not.
        check_unusable(&registry, "bad.echo", &refused.found(found));
        check_unusable(&scene.registry(), "bad.echo", &refused.found(found));
    }
    set_mode(&scene.store(), 0o700);
    check_answers(&registry, "bad");
}

#[test]
fn a_store_that_others_may_replace() {
    let scene = Scene::new();
    let above = scene.root().join("above");
    fs::create_dir(&above).unwrap();
    let registry = || {
        scene
            .builder()
            .store(above.join("x/store"))
            .build()
            .unwrap()
    };
    let refused = Refused::load("store").remedy("`chmod ");
    for (mode, found) in [
        (0o775, "above` above it has mode `0775`"),
        (0o757, "above` above it has mode `0757`"),
    ] {
        set_mode(&above, mode);
        check_unusable(&registry(), "good.echo", &refused.found(found));
    }
    set_mode(&above, 0o1777);
    scene.check_good(&registry());
    if !rustix::process::geteuid().is_root() {
        println!("not run: only root can give a directory away");
        return;
    }
    set_mode(&above, 0o755);
    std::os::unix::fs::chown(&above, Some(65_534), None).unwrap();
    let refused = Refused::load("store").remedy("`chown ");
    let refused = refused.found("above` above it belongs to user `65534`");
    check_unusable(&registry(), "good.echo", &refused);
    let own = scene.root().join("own");
    fs::create_dir(&own).unwrap();
    set_mode(&own, 0o700);
    std::os::unix::fs::chown(&own, Some(65_534), None).unwrap();
    let registry = scene.builder().store(own).build().unwrap();
    let refused = refused.found("it belongs to user `65534`, this process runs as `0`");
    check_unusable(&registry, "good.echo", &refused);
}

#[test]
fn a_copy_that_was_damaged() {
    let scene = Scene::new();
    let library = probe("mended").tag("the-true");
    let path = scene.install("mended", &library);
    let other = probe("mended").tag("the-fake");
    let copy = copy_of(&scene, &library);
    let call = || {
        let told = host(&scene).command("call:mended.tag").run().good();
        assert_eq!(told, ["call:mended.tag = \"the-true\""]);
        assert_eq!(fs::read(&copy).unwrap(), library.bytes());
    };
    let in_place = |bytes: &[u8], at: u64| {
        set_mode(&copy, 0o700);
        let file = File::options().write(true).open(&copy).unwrap();
        file.write_all_at(bytes, at).unwrap();
        file
    };
    let differ = |at: &usize| library.bytes()[*at] != other.bytes()[*at];
    let first = (0..library.bytes().len()).find(differ).unwrap();
    let damages: [&dyn Fn(); 8] = [
        &|| (),
        // Cut, empty, a bit flipped, and the build that it must not be.
        &|| {
            in_place(&[], 0)
                .set_len(library.bytes().len() as u64 / 2)
                .unwrap();
        },
        &|| in_place(&[], 0).set_len(0).unwrap(),
        &|| drop(in_place(&[library.bytes()[70_000] ^ 1], 70_000)),
        &|| drop(in_place(&other.bytes()[first..], first as u64)),
        &|| {
            fs::remove_file(&copy).unwrap();
            fs::write(&copy, other.bytes()).unwrap();
        },
        &|| {
            let aside = scene.root().join("aside");
            fs::write(&aside, other.bytes()).unwrap();
            fs::remove_file(&copy).unwrap();
            symlink(&aside, &copy).unwrap();
        },
        &|| fs::remove_file(&copy).unwrap(),
    ];
    call();
    for damage in damages {
        // Both where the store remembers what the copy looked like and where it does not.
        wait::until(|| {
            call();
            is_remembered(&scene, &path)
        });
        damage();
        call();
        for record in files(&scene, "seen") {
            fs::remove_file(record).unwrap();
        }
        damage();
        call();
    }
    scene.check_good(&scene.registry());
}

#[test]
fn processes_that_share_a_store_in_which_all_is_signed() {
    let scene = Scene::new();
    let signer = Signer::new();
    let (signed, forged) = (probe("signed"), probe("forged"));
    signer.vouch(&scene.install("signed", &signed), &signed);
    signer.vouch(&scene.install("forged", &forged), &probe("forged"));
    let key = format!("signed:{}", signer.key());
    thread::scope(|scope| {
        for number in 0..8 {
            let (scene, key) = (&scene, &key);
            scope.spawn(move || {
                let told = scene.root().join(format!("told-{number}"));
                let told = host(scene)
                    .telling(told)
                    .command(key)
                    .command("call:signed.echo")
                    .command("call:forged.echo")
                    .run()
                    .good();
                assert_eq!(told[1], "call:signed.echo = null");
                assert!(told[2].contains("than was signed"), "{told:?}");
            });
        }
    });
    // One copy, of what was signed, and nothing half-made.
    assert_eq!(files(&scene, "objects"), [copy_of(&scene, &signed)]);
    assert_eq!(check_objects(&scene), 1);
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

/// How far the copy has come that a process is making: its length, or that it is done.
fn progress(scene: &Scene, copy: &Path) -> u64 {
    if copy.exists() {
        return u64::MAX;
    }
    let files = files(scene, "objects").into_iter();
    let sizes = files.filter_map(|path| fs::metadata(path).ok());
    sizes.map(|found| found.len()).max().unwrap_or(0)
}

#[test]
fn a_process_that_is_killed_while_it_makes_a_copy() {
    let scene = Scene::new();
    let big = probe("big").tag("all-here").padded(8 << 20);
    scene.install("big", &big);
    let copy = copy_of(&scene, &big);
    let length = big.bytes().len() as u64;
    let mut numbers = Numbers(7);
    let mut halves = 0;
    let mut kill = |until: u64| {
        let told = scene.root().join("told-killed");
        let mut running = host(&scene).telling(told).command("call:big.tag").start();
        wait::until(|| progress(&scene, &copy) >= until || !running.is_alive());
        running.kill();
        if !copy.exists() {
            halves += 1;
        }
    };
    for round in 0..50 {
        // Before it begins, at any length, once it is all there, and once it has its name.
        kill(match round % 5 {
            0 => 0,
            1 => length,
            2 => u64::MAX,
            _ => 1 + numbers.below(length - 1),
        });
        check_objects(&scene);
        let told = host(&scene).command("call:big.tag").run().good();
        assert_eq!(told, ["call:big.tag = \"all-here\""]);
        assert_eq!(check_objects(&scene), 1);
        // Who comes after sweeps what it left behind.
        assert_eq!(files(&scene, "objects"), std::slice::from_ref(&copy));
        fs::remove_file(&copy).unwrap();
    }
    // What is left behind last, nobody who loads anything sweeps.
    wait::until(|| {
        kill(1);
        let _ = fs::remove_file(&copy);
        !files(&scene, "objects").is_empty()
    });
    assert!(halves > 10, "{halves} were killed in the middle");
    // The system may take its time to let go of what a process held that is gone. What was killed while
    // it wrote a record is in its directory still.
    let mut unfinished = 0;
    wait::until(|| {
        unfinished += Store::new(scene.store()).collect().unwrap().unfinished;
        let left = ["objects", "seen", "layouts"].map(|name| files(&scene, name));
        left.iter().flatten().all(|path| !is_temporary(path))
    });
    assert!(unfinished > 0);
    assert!(files(&scene, "objects").is_empty());
    let told = host(&scene).command("call:big.tag").run().good();
    assert_eq!(told, ["call:big.tag = \"all-here\""]);
}

#[test]
fn what_another_process_maps_is_not_collected() {
    let scene = Scene::new();
    let library = probe("held");
    let path = scene.install("held", &library);
    let copy = copy_of(&scene, &library);
    let (go, again) = (scene.root().join("go"), scene.root().join("again"));
    let mut running = host(&scene)
        .command("call:held.echo")
        .command(format!("hold:{}", go.display()))
        .command("call:held.echo")
        .command("collect")
        .command(format!("hold:{}", again.display()))
        .command("call:held.echo")
        .start();
    assert_eq!(running.line(), "holding");
    fs::remove_file(&path).unwrap();
    let store = Store::new(scene.store());
    let listed = store.objects().unwrap();
    assert_eq!(listed.len(), 1);
    assert!(
        listed[0].in_use && listed[0].originals.is_empty(),
        "{listed:?}"
    );
    assert_eq!(listed[0].plugin.as_ref().unwrap().name, "held");
    for _ in 0..3 {
        let collected = store.collect().unwrap();
        assert_eq!((collected.removed.len(), collected.kept), (0, 1));
        assert!(copy.exists());
    }
    // Nor by the process itself.
    write(&go, b"");
    assert_eq!(running.line(), "holding");
    assert!(copy.exists());
    write(&again, b"");
    let told = running.end().good();
    assert_eq!(told[3], "collect = 0 removed, 1 kept");
    for call in [0, 2, 5] {
        assert_eq!(told[call], "call:held.echo = null");
    }
    // When it is gone nobody needs it.
    let collected = store.collect().unwrap();
    assert_eq!((collected.removed.len(), collected.kept), (1, 0));
    assert_eq!(collected.removed[0].digest, digest(library.bytes()));
    assert_eq!(collected.bytes, library.bytes().len() as u64);
    assert!(!copy.exists());
}

#[test]
fn what_is_killed_holds_nothing() {
    let scene = Scene::new();
    let library = probe("held");
    let path = scene.install("held", &library);
    let mut running = host(&scene)
        .command("call:held.echo")
        .command(format!("hold:{}", scene.root().join("never").display()))
        .start();
    assert_eq!(running.line(), "holding");
    fs::remove_file(path).unwrap();
    running.kill();
    let collected = Store::new(scene.store()).collect().unwrap();
    assert_eq!((collected.removed.len(), collected.kept), (1, 0));
}

#[test]
fn what_this_process_maps_is_not_collected() {
    let scene = Scene::new();
    let library = probe("kept");
    let path = scene.install("kept", &library);
    let registry = scene.registry();
    check_answers(&registry, "kept");
    fs::remove_file(path).unwrap();
    let collected = registry.store().collect().unwrap();
    assert_eq!(collected.removed.len(), 0, "{collected:?}");
    registry.cache().invalidate("kept");
    check_answers(&registry, "kept");
    // Its code stays mapped, so the copy stays.
    drop(registry);
    let collected = Store::new(scene.store()).collect().unwrap();
    assert_eq!(collected.removed.len(), 0, "{collected:?}");
    assert!(copy_of(&scene, &library).exists());
}

#[test]
fn a_copy_is_kept_while_the_file_is_there_that_it_was_made_of() {
    let scene = Scene::new();
    let library = probe("there");
    let path = scene.install("there", &library);
    let store = Store::new(scene.store());
    let nothing = store.collect().unwrap();
    assert_eq!((nothing.removed.len(), nothing.kept), (0, 0));
    assert!(!scene.store().exists(), "there is no store to be made");
    warm(&scene, &host(&scene), "there");
    for _ in 0..3 {
        let collected = store.collect().unwrap();
        assert_eq!((collected.removed.len(), collected.kept), (0, 1));
    }
    assert_eq!(store.objects().unwrap()[0].originals.len(), 1);
    // It is another one by now.
    let other = probe("there");
    scene.install("there", &other);
    let collected = store.collect().unwrap();
    assert_eq!((collected.removed.len(), collected.kept), (1, 0));
    warm(&scene, &host(&scene), "there");
    fs::remove_file(&path).unwrap();
    let collected = store.collect().unwrap();
    assert_eq!((collected.removed.len(), collected.kept), (1, 0));
    for directory in ["objects", "seen", "layouts"] {
        assert_eq!(files(&scene, directory), [] as [PathBuf; 0], "{directory}");
    }
}

#[test]
fn no_call_fails_while_others_collect() {
    let scene = Scene::new();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let store = Store::new(scene.store());
                while !is_over.load(Ordering::Relaxed) {
                    store.collect().unwrap();
                }
            });
        }
        // New contents, so that there is something to be collected until it is mapped.
        for round in 0..30 {
            let tag = format!("round-{round:02}");
            scene.install("new", &probe("new").tag(&tag));
            let registry = scene.registry();
            let found = registry.call("new.tag", &Value::Null);
            if found.is_err() {
                is_over.store(true, Ordering::Relaxed);
            }
            assert_eq!(found.unwrap(), value!(tag));
            let told = host(&scene).command("call:good.echo").run();
            if !told.status.success() {
                is_over.store(true, Ordering::Relaxed);
            }
            assert_eq!(told.good(), ["call:good.echo = null"]);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    scene.check_good(&scene.registry());
}

#[test]
fn no_copy_is_lost_to_those_who_collect_before_it_is_whole_or_used() {
    let scene = Scene::new();
    let c = scene.root().join("c");
    fs::create_dir(&c).unwrap();
    // Small, so that much happens at once: no plugin, which is found when it is mapped.
    let manifest = manifest("compute", "small", "1.0.0", &["small.go"]);
    let built = compile_c(&c, "small", &note_in_c(&manifest), &[]);
    let small = fs::read(built).unwrap();
    let is_over = AtomicBool::new(false);
    let others: Vec<Result<(), String>> = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let store = Store::new(scene.store());
                while !is_over.load(Ordering::Relaxed) {
                    store.collect().unwrap();
                }
            });
        }
        let load = |round: u64| {
            let mut bytes = small.clone();
            bytes.extend_from_slice(&round.to_le_bytes());
            scene.write("small", &bytes);
            match scene.registry().load("small.go") {
                Err(CallError::Rejected(refusal)) if refusal.check == "root-symbol" => Ok(()),
                other => Err(format!("{round}: {other:?}")),
            }
        };
        let results = (0..300).map(load).collect();
        is_over.store(true, Ordering::Relaxed);
        results
    });
    let failed: Vec<_> = others.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    scene.check_good(&scene.registry());
}
