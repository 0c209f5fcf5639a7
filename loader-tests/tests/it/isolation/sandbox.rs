//! What a plugin in a sandbox may ask the system for.

use std::fs;
use std::net::TcpListener;

use floe_plugin_api::{Value, value};
use floe_registry::{CallError, IsolationRule, Profile, Registry};

use super::{patient, process_of, scene, workers};

/// Whether the system gives all that a sandbox is made of.
fn is_given() -> bool {
    let offers = floe_registry::offers();
    let lacking: Vec<_> = offers.iter().filter(|offer| !offer.given).collect();
    for offer in &lacking {
        println!("not run: no {}: {}", offer.name, offer.detail);
    }
    lacking.is_empty()
}

/// What is tried: a file, a connection, a process.
#[track_caller]
fn tries(registry: &Registry) -> [Result<Value, CallError>; 3] {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let before = process_of(registry);
    let tried = [
        value!({"what": "open", "path": "/etc/passwd"}),
        value!({"what": "connect", "port": (u64::from(port))}),
        value!({"what": "start"}),
    ]
    .map(|order| registry.call("hostile.do", &order));
    assert_eq!(process_of(registry), before, "nothing of it is a crash");
    assert_eq!(registry.stats().workers.crashed, 0);
    tried
}

#[track_caller]
fn check_denied(result: &Result<Value, CallError>) {
    match result {
        Err(CallError::Executor(told)) => {
            let denied = ["ermission denied", "not permitted"];
            let text = format!("{told} {:?}", told.causes().collect::<Vec<_>>());
            assert!(denied.iter().any(|denied| text.contains(denied)), "{text}");
        }
        other => panic!("expected an error, found {other:?}"),
    }
}

#[track_caller]
fn registry(rule: IsolationRule) -> (floe_loader_tests::scene::Scene, Registry) {
    let scene = scene(rule);
    let registry = patient(&scene).build().unwrap();
    (scene, registry)
}

#[test]
fn none_may_all() {
    let (scene, registry) = registry(workers());
    for result in tries(&registry) {
        result.unwrap();
    }
    scene.check_good(&registry);
}

#[test]
fn strict_may_nothing() {
    if !is_given() {
        return;
    }
    let (scene, registry) = registry(workers().sandbox(Profile::Strict).required());
    for result in tries(&registry) {
        check_denied(&result);
    }
    scene.check_good(&registry);
}

#[test]
fn network_may_connect() {
    if !is_given() {
        return;
    }
    let (scene, registry) = registry(workers().sandbox(Profile::Network).required());
    let [file, connection, process] = tries(&registry);
    check_denied(&file);
    connection.unwrap();
    check_denied(&process);
    scene.check_good(&registry);
}

#[test]
fn strict_may_read_what_is_named() {
    if !is_given() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("named");
    fs::write(&file, "").unwrap();
    let rule = workers().sandbox(Profile::Strict).required().read(&file);
    let (_scene, registry) = registry(rule);
    let open = value!({"what": "open", "path": (file.to_str().unwrap())});
    registry.call("hostile.do", &open).unwrap();
    check_denied(&registry.call(
        "hostile.do",
        &value!({"what": "open", "path": "/etc/passwd"}),
    ));
}
