//! Programs that are no worker.

use std::fs;
use std::path::Path;

use floe_loader_tests::refusal::check_words;
use floe_loader_tests::scene::set_mode;
use floe_plugin_api::Value;
use floe_registry::{CallError, IsolationSettings, Rejection, Stage};

use super::{scene, workers};

/// Checks that a program is refused as a worker; gives what is said.
#[track_caller]
fn refusal(program: &Path) -> Box<Rejection> {
    let scene = scene(workers());
    let isolation = IsolationSettings::new(workers()).program(program);
    let registry = scene.builder().isolation(isolation).build().unwrap();
    assert!(registry.has("hostile.do"));
    let refused = |node_type: &str| match registry.call(node_type, &Value::Null) {
        Err(CallError::Rejected(refusal)) => {
            check(&refusal, program);
            refusal
        }
        other => panic!("expected a refusal, found {other:?}"),
    };
    refused("good.echo");
    refused("good.echo");
    let refusal = refused("hostile.do");
    assert_eq!(refusal.path, scene.path("hostile"));
    assert!(registry.stats().workers.live.is_empty());
    // It was nothing that the plugins did.
    scene.check_good(&scene.registry());
    refusal
}

#[track_caller]
fn check(refusal: &Rejection, program: &Path) {
    check_words(refusal);
    assert_eq!(
        (refusal.stage, refusal.check),
        (Stage::Start, "worker-program"),
        "{refusal}"
    );
    assert!(
        refusal.found.contains(&program.display().to_string()),
        "{refusal}"
    );
    assert!(refusal.remedy.contains("FLOE_WORKER"), "{refusal}");
}

#[test]
fn none() {
    let directory = tempfile::tempdir().unwrap();
    let refusal = refusal(&directory.path().join("floe-worker"));
    assert!(refusal.found.contains("No such file"), "{refusal}");
}

#[test]
fn one_that_may_not_be_run() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("floe-worker");
    fs::write(&path, "#!/bin/sh\n").unwrap();
    set_mode(&path, 0o644);
    let refusal = refusal(&path);
    assert!(refusal.found.contains("ermission denied"), "{refusal}");
}

#[test]
fn another_program() {
    let refusal = refusal(Path::new("/bin/true"));
    assert!(
        refusal.found.contains("does not answer as a worker"),
        "{refusal}"
    );
    assert!(
        refusal.found.contains("it ended itself with status 0"),
        "{refusal}"
    );
}

#[test]
fn one_that_says_that_it_is_another() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("floe-worker");
    fs::write(&path, "#!/bin/sh\necho 'of another release' >&2\nexit 2\n").unwrap();
    set_mode(&path, 0o755);
    let refusal = refusal(&path);
    assert!(
        refusal.found.contains("it ended itself with status 2"),
        "{refusal}"
    );
    assert!(
        refusal.found.contains("it said `of another release`"),
        "{refusal}"
    );
}

#[test]
fn one_that_talks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("floe-worker");
    // Its input is the socket, which goes both ways.
    fs::write(&path, "#!/bin/sh\necho 'hello there' >&0\nexec sleep 30\n").unwrap();
    set_mode(&path, 0o755);
    let refusal = refusal(&path);
    assert!(refusal.found.contains("and was killed"), "{refusal}");
}
