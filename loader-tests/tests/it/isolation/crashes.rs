//! One crash after another, and what others have of them.

use std::fs;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_loader_tests::vouch::digest;
use floe_loader_tests::wait;
use floe_plugin_api::{CallOptions, ErrorKind, Value, value};
use floe_registry::{Begun, CallError, Cause, CircuitSettings, QuarantineSettings, Stage, State};
use rustix::process::{Pid, Signal, kill_process};

use super::{crash, number, order, patient, process_of, scene, workers};

const NEVER: Duration = Duration::from_secs(3_600);
const SEGV: Option<i64> = Some(11);

fn never() -> QuarantineSettings {
    QuarantineSettings::default()
        .openings(0)
        .failed_starts(0)
        .crashes(0)
}

#[test]
fn a_hundred_open_the_circuit() {
    let scene = scene(workers());
    let circuit = CircuitSettings::default()
        .panics(4)
        .window(NEVER)
        .rest(NEVER);
    let builder = scene.builder().circuit(circuit).quarantine(never());
    let registry = builder.build().unwrap();
    let (mut crashed, mut open) = (0, 0);
    for _ in 0..100 {
        match order(&registry, "segfault") {
            Err(CallError::CircuitOpen(_)) => open += 1,
            other => {
                assert_eq!(number(&crash(other), "signal"), SEGV);
                crashed += 1;
            }
        }
    }
    assert_eq!((crashed, open), (4, 96));
    let stats = registry.stats().workers;
    assert_eq!((stats.started, stats.crashed), (4, 4), "{stats:?}");
    scene.check_good(&registry);
}

#[test]
fn each_keeps_the_next_worker_waiting_longer() {
    let scene = scene(workers());
    let registry = patient(&scene).build().unwrap();
    process_of(&registry);
    let soon = CallOptions::new().timeout(Duration::from_millis(10));
    let input = value!({"what": "segfault"});
    for _ in 0..100 {
        let error = registry.call_with("hostile.do", &input, &soon).unwrap_err();
        let kinds = [ErrorKind::Crashed, ErrorKind::ExecutionTimeout];
        assert!(kinds.contains(&error.kind()), "{error:?}");
    }
    let stats = registry.stats().workers;
    // 100 calls are over before so many waits are, of which each is twice as long as the one before.
    assert!(stats.started < 30, "{stats:?}");
    scene.check_good(&registry);
    // Who has the time gets its answer.
    process_of(&registry);
}

#[test]
fn a_hundred_end_in_quarantine() {
    let scene = Scene::new();
    let library = Library::of(Fixture::Hostile);
    let path = scene.install("hostile", &library);
    let mut scene = scene;
    scene.isolation(workers());
    let circuit = CircuitSettings::default()
        .panics(2)
        .window(NEVER)
        .rest(Duration::from_millis(1));
    let quarantine = never().openings(2).first(NEVER).longest(NEVER);
    let builder = || scene.builder().circuit(circuit).quarantine(quarantine);
    let registry = builder().build().unwrap();
    let (mut crashed, mut left_alone) = (0, 0);
    for _ in 0..100 {
        match order(&registry, "abort") {
            Err(CallError::CircuitOpen(_)) => {}
            Err(CallError::Rejected(refusal)) => {
                assert_eq!((refusal.stage, refusal.check), (Stage::Admit, "quarantine"));
                assert_eq!(refusal.path, path);
                left_alone += 1;
            }
            other => {
                crash(other);
                crashed += 1;
            }
        }
    }
    // Most of them find the circuit open: it opens again whenever a call finds the quarantine.
    assert!(crashed < 10 && left_alone > 0, "{crashed} {left_alone}");
    let quarantined = registry.quarantine().list().unwrap();
    let [left] = &quarantined[..] else {
        panic!("{quarantined:?}");
    };
    assert_eq!(
        (left.digest, left.cause),
        (digest(library.bytes()), Cause::Panics)
    );
    assert!(registry.stats().workers.started < 10);
    scene.check_good(&registry);
    // The next host knows it by its content, and makes no worker for it.
    drop(registry);
    let registry = builder().build().unwrap();
    let refused = order(&registry, "nothing").unwrap_err();
    assert!(matches!(refused, CallError::Rejected(_)), "{refused:?}");
    assert_eq!(registry.stats().workers.started, 0);
}

#[test]
fn fifty_who_call_while_the_next_worker_is_made_have_answers() {
    for many in [1, 3] {
        let scene = scene(workers().workers(many));
        let registry = patient(&scene).build().unwrap();
        let barrier = Barrier::new(51);
        process_of(&registry);
        thread::scope(|scope| {
            let call = || {
                barrier.wait();
                process_of(&registry)
            };
            let calls: Vec<_> = (0..50).map(|_| scope.spawn(call)).collect();
            crash(order(&registry, "segfault"));
            barrier.wait();
            for call in calls {
                call.join().unwrap();
            }
        });
        let stats = registry.stats().workers;
        assert_eq!(stats.crashed, 1, "{stats:?}");
        assert!(stats.started <= 1 + many as u64, "{stats:?}");
    }
}

#[test]
fn fifty_who_are_in_the_worker_are_told() {
    let scene = scene(workers());
    let registry = patient(&scene).build().unwrap();
    process_of(&registry);
    let began = |number: usize| scene.root().join(format!("began-{number}"));
    thread::scope(|scope| {
        let calls: Vec<_> = (0..50)
            .map(|number| {
                let begun = began(number);
                let registry = &registry;
                scope.spawn(move || {
                    let input = value!({
                        "what": "wait", "path": "/none/such", "begun": (begun.to_str().unwrap())
                    });
                    registry.call("hostile.do", &input)
                })
            })
            .collect();
        wait::until(|| (0..50).all(|number| began(number).exists()));
        let culprit = crash(order(&registry, "segfault"));
        assert_eq!(number(&culprit, "signal"), SEGV);
        for call in calls {
            let told = crash(call.join().unwrap());
            assert_eq!(number(&told, "signal"), SEGV);
            assert_eq!(number(&told, "worker"), number(&culprit, "worker"));
        }
    });
    // One fault, however many it hit.
    assert_eq!(registry.stats().workers.crashed, 1);
    process_of(&registry);
}

#[test]
fn the_call_that_another_plugin_is_in_is_not_lost() {
    let scene = scene(workers());
    scene.install("other", &Library::of(Fixture::Probe).named("other"));
    let registry = patient(&scene).build().unwrap();
    let (go, begun) = (scene.root().join("go"), scene.root().join("begun"));
    let input = value!({"path": (go.to_str().unwrap()), "begun": (begun.to_str().unwrap())});
    thread::scope(|scope| {
        let call = scope.spawn(|| registry.call("other.wait", &input));
        wait::until(|| begun.exists());
        crash(order(&registry, "segfault"));
        crash(order(&registry, "exit"));
        assert!(!call.is_finished());
        fs::write(&go, "").unwrap();
        assert_eq!(call.join().unwrap().unwrap(), value!(false));
    });
    assert_eq!(registry.stats().workers.crashed, 2);
}

#[test]
fn a_build_whose_panics_abort() {
    let mut scene = Scene::new();
    scene.install("abort", &Library::of(Fixture::Abort).named("abort"));
    let here = scene.registry();
    assert!(!here.has("abort.echo"), "in process it is refused");
    scene.isolation(workers());
    let registry = patient(&scene).build().unwrap();
    assert_eq!(
        registry.call("abort.echo", &value!([1, "b"])).unwrap(),
        value!([1, "b"])
    );
    let told = crash(registry.call("abort.panic", &value!({})));
    assert_eq!(number(&told, "signal"), Some(6));
    assert_eq!(registry.call("abort.echo", &value!(7)).unwrap(), value!(7));
    let listed = registry.list();
    let plugin = listed.iter().find(|plugin| plugin.name == "abort").unwrap();
    assert_eq!(plugin.state, State::Ready);
    scene.check_good(&registry);
    assert!(registry.call("abort.fail", &Value::Null).is_err());
}

#[test]
fn one_that_is_killed_or_stopped_in_a_large_value_takes_that_call_alone() {
    let mut scene = Scene::new();
    scene.install("there", &Library::of(Fixture::Probe).named("there"));
    scene.isolation(workers());
    let input = Value::Bytes(vec![7; 16 << 20].into());
    for round in 0..12 {
        let registry = patient(&scene).build().unwrap();
        // What comes after it finds memory that is kept.
        assert!(registry.call("there.echo", &input).unwrap() == input);
        let worker = registry.stats().workers.live[0].process;
        let worker = Pid::from_raw(i32::try_from(worker).unwrap()).unwrap();
        let signal = [Signal::KILL, Signal::STOP][round % 2];
        let soon = CallOptions::new().timeout(Duration::from_secs(1));
        let called = thread::scope(|scope| {
            let called = scope.spawn(|| registry.call_with("there.echo", &input, &soon));
            // Another moment of it each time.
            let moment = Duration::from_micros(500).saturating_mul(round.try_into().unwrap());
            let began = Instant::now();
            wait::until(|| began.elapsed() >= moment);
            kill_process(worker, signal).unwrap();
            called.join().unwrap()
        });
        match called {
            Ok(output) => assert!(output == input),
            Err(CallError::Overrun(told)) => assert_eq!(told.begun, Begun::Killed),
            other => assert_eq!(number(&crash(other), "signal"), Some(9)),
        }
    }
}
