//! Libraries whose constructors misbehave.
//!
//! A constructor runs while the library is mapped, in the host's process, and nothing there can hold
//! it: what is promised is that it runs at the first use and not earlier, so that a host that lists,
//! inspects and calls others is not hurt. Holding it takes a process of its own.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use floe_loader_tests::child::{Ended, Host};
use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;

const UNHURT: [&str; 4] = [
    "list",
    "search:constructed",
    "call:good.echo",
    "has:constructor.answer",
];

fn scene() -> Scene {
    let scene = Scene::new();
    scene.install("constructor", &Library::of(Fixture::Constructor));
    scene
}

fn host(scene: &Scene, behaviour: &str) -> Host {
    let mut host = Host::new(crate::HOST, scene)
        .env("FLOE_FIXTURE_WITNESS", scene.root().join("witness"))
        .env("FLOE_FIXTURE_BEHAVIOUR", behaviour);
    for command in UNHURT {
        host = host.command(command);
    }
    host.command(format!("inspect:{}", scene.path("constructor").display()))
}

/// Checks that all went well until the library was first needed, and that it was then mapped.
#[track_caller]
fn check_unhurt_until_needed(scene: &Scene, ended: &Ended, needed: bool) {
    assert_eq!(
        ended.told[0], "list = constructor admitted, good admitted",
        "{ended:?}"
    );
    assert_eq!(ended.told[1], "search:constructed = 1");
    assert_eq!(ended.told[2], "call:good.echo = null");
    assert_eq!(ended.told[3], "has:constructor.answer = true");
    assert!(ended.told[4].starts_with("inspect:"));
    assert_eq!(scene.root().join("witness").exists(), needed);
}

#[track_caller]
fn check_does_harm_when_needed(behaviour: &str, check: impl FnOnce(&Ended)) {
    let scene = scene();
    let ended = host(&scene, behaviour).run();
    assert!(ended.status.success(), "{ended:?}");
    check_unhurt_until_needed(&scene, &ended, false);

    let mut host = host(&scene, behaviour);
    if behaviour == "allocate" {
        host = host.command("memory:768");
    }
    let ended = host
        .command("call:constructor.answer")
        .command("call:good.echo")
        .run();
    check_unhurt_until_needed(&scene, &ended, true);
    check(&ended);
    // The next process is as well as ever, and so are the store and its copies.
    let told = Host::new(crate::HOST, &scene)
        .command("call:constructor.answer")
        .command("call:good.echo")
        .run()
        .good();
    assert_eq!(
        told,
        [
            "call:constructor.answer = \"here\"",
            "call:good.echo = null"
        ]
    );
    let objects = fs::read_dir(scene.store().join("objects")).unwrap();
    let left: Vec<_> = objects.flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn one_that_crashes() {
    check_does_harm_when_needed("crash", |ended| {
        assert_eq!(ended.status.signal(), Some(11), "{ended:?}");
        assert_eq!(ended.told.len(), UNHURT.len() + 1);
    });
}

#[test]
fn one_that_ends_the_process() {
    check_does_harm_when_needed("exit", |ended| {
        assert_eq!(ended.status.code(), Some(0));
        assert_eq!(ended.told.len(), UNHURT.len() + 1, "it ended in the middle");
    });
}

#[test]
fn one_that_allocates_without_end() {
    check_does_harm_when_needed("allocate", |ended| {
        assert!(!ended.status.success(), "{ended:?}");
        assert_eq!(ended.told.len(), UNHURT.len() + 2);
    });
}

#[test]
fn one_that_hangs() {
    let scene = scene();
    let ended = host(&scene, "hang").run();
    assert!(ended.status.success(), "{ended:?}");
    check_unhurt_until_needed(&scene, &ended, false);
    let (line, ended) = host(&scene, "hang")
        .command("call:constructor.answer")
        .command("call:good.echo")
        .run_until_line();
    assert_eq!(line, "hanging");
    assert_eq!(ended.status.signal(), Some(9));
    assert_eq!(ended.told.len(), UNHURT.len() + 1, "it hung in the middle");
    check_unhurt_until_needed(&scene, &ended, true);
    let told = Host::new(crate::HOST, &scene)
        .command("call:constructor.answer")
        .run()
        .good();
    assert_eq!(told, ["call:constructor.answer = \"here\""]);
}

#[test]
fn one_that_starts_threads() {
    let scene = scene();
    let ended = host(&scene, "threads")
        .command("call:constructor.answer")
        .command("call:good.echo")
        .command("list")
        .run();
    check_unhurt_until_needed(&scene, &ended, true);
    let told = ended.good();
    assert_eq!(
        told[5..],
        [
            "call:constructor.answer = \"here\"",
            "call:good.echo = null",
            "list = constructor ready, good ready"
        ]
    );
}

#[test]
fn one_that_closes_the_standard_descriptors() {
    let scene = scene();
    scene.install("other", &Library::of(Fixture::Probe).named("other"));
    let ended = Host::new(crate::HOST, &scene)
        .env("FLOE_FIXTURE_WITNESS", scene.root().join("witness"))
        .env("FLOE_FIXTURE_BEHAVIOUR", "close")
        .command("call:constructor.answer")
        .command("rescan")
        // The copies of these are made with the descriptors that were closed.
        .command("call:good.echo")
        .command("call:other.panic")
        .command("call:other.echo")
        .command("list")
        .run();
    let told = ended.good();
    assert_eq!(told[0], "call:constructor.answer = \"here\"");
    assert_eq!(told[1], "rescan = true");
    assert_eq!(told[2], "call:good.echo = null");
    assert!(
        told[3].contains("error: ") && told[3].contains("other.panic"),
        "{}",
        told[3]
    );
    assert_eq!(told[4], "call:other.echo = null");
    // What was kept is what was read.
    for entry in fs::read_dir(scene.store().join("objects"))
        .unwrap()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let kept = fs::read(entry.path()).unwrap();
        let same = fs::read_dir(scene.plugins())
            .unwrap()
            .flatten()
            .any(|file| fs::read(file.path()).unwrap() == kept);
        assert!(same, "`{name}` is a copy of no plugin");
    }
}

#[test]
fn a_process_that_is_short_of_memory_calls_others() {
    let scene = scene();
    let ended = host(&scene, "allocate")
        .command("memory:768")
        .command("list")
        .command("call:good.counts")
        .run();
    check_unhurt_until_needed(&scene, &ended, false);
    assert!(ended.status.success(), "{ended:?}");
}
