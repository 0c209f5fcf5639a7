//! No worker outlives its host.

use std::time::{Duration, Instant};

use floe_loader_tests::child::Host;
use floe_plugin_api::value;

use super::{process, scene, workers};

/// How long after its host a worker may be there still. The system ends it at once; this is for the system.
const SOON: Duration = Duration::from_secs(1);

/// Checks that a worker that does as it is told goes with its host, once it is as it is to be.
#[track_caller]
fn check_goes(what: &str, is_so: impl Fn(u32) -> bool) {
    let scene = scene(workers());
    let begun = scene.root().join("begun");
    let order = value!({"what": what, "path": "/none/such", "begun": (begun.to_str().unwrap())});
    let host = Host::new(crate::HOST, &scene)
        .command("isolated")
        .command("call:good.echo")
        .command(format!("with:hostile.do {}", order.to_json().unwrap()));
    let mut running = host.start();
    let worker = process::told_in(&begun);
    assert_ne!(worker, running.id(), "it is a process of its own");
    floe_loader_tests::wait::until(|| is_so(worker));
    assert!(running.is_alive());
    let ended = running.kill();
    let killed = Instant::now();
    while process::is_there(worker) {
        assert!(
            killed.elapsed() < SOON,
            "`{what}`: the worker is there still"
        );
        std::thread::yield_now();
    }
    assert_eq!(ended.told.len(), 2, "{ended:?}");
    assert_eq!(ended.told[1], "call:good.echo = null");
}

#[test]
fn one_in_a_call() {
    check_goes("wait", process::is_there);
}

#[test]
fn one_that_computes_without_end() {
    check_goes("loop", process::is_there);
}

#[test]
fn one_that_has_stopped_itself() {
    check_goes("stop", process::is_stopped);
}
