//! What is done when a call fails, as it is done.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_plugin_api::{
    CallOptions, Cancellation, Error, ErrorKind, ExecutorMetadata, Value, value,
};
use floe_registry::{
    AnsweredBy, CallError, CircuitSettings, Deadlines, Fallback, Isolation, Mapping, Policy,
    QuarantineSettings, Recovery, RecoverySettings, Registry, Retry, Status, Substitute,
};

use super::{by, governed, may, records, two};

/// What an executor of the test's own was called with: the attempt, and the input.
type Calls = Arc<Mutex<Vec<(u32, Value)>>>;

/// Registers an executor that fails so often, and then gives its input.
fn failing(registry: &Registry, node_type: &str, times: usize, kind: ErrorKind) -> Calls {
    failing_as(registry, node_type, times, move || {
        Error::new(kind, "not now")
    })
}

fn failing_as(
    registry: &Registry,
    node_type: &str,
    times: usize,
    error: impl Fn() -> Error + Send + Sync + 'static,
) -> Calls {
    let calls = Calls::default();
    let noted = calls.clone();
    let metadata = ExecutorMetadata::new(node_type).unwrap();
    let function = move |input: &Value, call: &floe_plugin_api::CallContext<'_>| {
        let mut noted = noted.lock().unwrap();
        noted.push((call.attempt(), input.clone()));
        match noted.len() <= times {
            true => Err(error()),
            false => Ok(input.clone()),
        }
    };
    registry.register(metadata, function).unwrap();
    calls
}

/// Retries at once.
fn retry(attempts: u32) -> Retry {
    Retry::default().attempts(attempts).initial(Duration::ZERO)
}

fn to(node_type: &str) -> Fallback {
    Fallback::new(node_type.parse().unwrap())
}

#[track_caller]
fn registry(recovery: RecoverySettings) -> (Scene, Registry) {
    let scene = Scene::new();
    let policy = Policy::default().recovery(recovery);
    let registry = scene.builder().policy(policy).build().unwrap();
    (scene, registry)
}

fn of(recovery: Recovery) -> RecoverySettings {
    RecoverySettings::default().executor("own.do", recovery)
}

#[test]
fn a_call_is_made_again_until_it_is_answered() {
    let (_scene, registry) = registry(of(Recovery::none().then(retry(3))));
    let calls = failing(&registry, "own.do", 2, ErrorKind::Transient);
    let answer = registry.answer("own.do", &value!(7), &CallOptions::new(), None);
    assert_eq!(answer.output.unwrap(), value!(7));
    assert_eq!(answer.status, Status::Recovered);
    assert_eq!(answer.answered_by, AnsweredBy::Retry);
    let kinds: Vec<_> = answer
        .attempts
        .iter()
        .map(|attempt| (attempt.number, attempt.error.as_ref().map(CallError::kind)))
        .collect();
    let transient = Some(ErrorKind::Transient);
    assert_eq!(kinds, [(1, transient), (2, transient), (3, None)]);
    let attempts: Vec<_> = calls
        .lock()
        .unwrap()
        .iter()
        .map(|(attempt, _)| *attempt)
        .collect();
    assert_eq!(attempts, [1, 2, 3]);
}

#[test]
fn every_way_to_call_is_recovered_from() {
    let calls = |call: &dyn Fn(&Registry) -> Result<Value, CallError>| {
        let (_scene, registry) = registry(of(Recovery::none().then(retry(2))));
        let calls = failing(&registry, "own.do", 1, ErrorKind::Transient);
        assert_eq!(call(&registry).unwrap(), value!(7));
        assert_eq!(calls.lock().unwrap().len(), 2);
    };
    let seven = value!(7);
    let far = || CallOptions::new().timeout(Duration::from_secs(60));
    calls(&|registry| registry.call("own.do", &seven));
    calls(&|registry| registry.call_with("own.do", &seven, &CallOptions::new()));
    calls(&|registry| registry.call_with("own.do", &seven, &far()));
    calls(&|registry| registry.get("own.do").unwrap().call(&seven));
    calls(&|registry| registry.get("own.do").unwrap().call_typed(&seven));
    calls(&|registry| registry.get("own.do").unwrap().call_with(&seven, &far()));
}

#[test]
fn never_more_often_than_it_says() {
    for attempts in [1, 2, 5] {
        let (_scene, registry) = registry(of(Recovery::none().then(retry(attempts))));
        let calls = failing(&registry, "own.do", 100, ErrorKind::Transient);
        let answer = registry.answer("own.do", &Value::Null, &CallOptions::new(), None);
        assert_eq!(answer.status, Status::Failed);
        assert_eq!(answer.answered_by, AnsweredBy::Nobody);
        assert_eq!(answer.output.unwrap_err().kind(), ErrorKind::Transient);
        assert_eq!(calls.lock().unwrap().len(), attempts as usize);
    }
}

#[test]
fn what_would_fail_again_is_not_retried() {
    for &kind in ErrorKind::ALL {
        let retried = matches!(
            kind,
            ErrorKind::Transient | ErrorKind::ExecutionTimeout | ErrorKind::ResourceExhausted
        );
        let (_scene, registry) = registry(of(Recovery::none().then(retry(2))));
        let calls = failing(&registry, "own.do", 100, kind);
        let answer = registry.answer("own.do", &Value::Null, &CallOptions::new(), None);
        // Of a panic or a crash only the host can tell; what an executor says it is, is retried alike.
        assert_eq!(
            calls.lock().unwrap().len(),
            1 + usize::from(retried),
            "{kind}"
        );
        assert_eq!(
            answer.passed_over.len(),
            1,
            "{kind} {:?}",
            answer.passed_over
        );
    }
}

#[test]
fn another_executor_answers_with_an_input_of_its_own() {
    let mapping = Mapping::new()
        .from_input("key", "/url")
        .literal("mode", "stale");
    let recovery = Recovery::none()
        .then(retry(2))
        .then(to("own.cache").input(mapping));
    let (_scene, registry) = registry(of(recovery));
    let calls = failing(&registry, "own.do", 100, ErrorKind::Transient);
    let others = failing(&registry, "own.cache", 0, ErrorKind::Transient);
    let input = value!({"url": "u", "retries": 1});
    let answer = registry.answer("own.do", &input, &CallOptions::new(), None);
    assert_eq!(
        answer.output.unwrap(),
        value!({"key": "u", "mode": "stale"})
    );
    assert_eq!(answer.status, Status::Recovered);
    assert_eq!(
        answer.answered_by,
        AnsweredBy::Fallback("own.cache".to_owned())
    );
    assert_eq!(
        (calls.lock().unwrap().len(), others.lock().unwrap().len()),
        (2, 1)
    );
    assert_eq!(calls.lock().unwrap()[0].1, input, "the input is as it was");
}

#[test]
fn strategies_are_taken_in_their_order() {
    let recovery = Recovery::none()
        .then(retry(2))
        .then(to("own.a"))
        .then(to("own.b"))
        .then(Substitute::new(value!([])).into_skip());
    let (_scene, registry) = registry(of(recovery));
    failing(&registry, "own.do", 100, ErrorKind::Transient);
    failing(&registry, "own.a", 100, ErrorKind::ExecutionError);
    // There is no `own.b`.
    let answer = registry.answer("own.do", &Value::Null, &CallOptions::new(), None);
    assert_eq!(answer.output.unwrap(), value!([]));
    assert_eq!(answer.status, Status::Skipped);
    assert_eq!(answer.answered_by, AnsweredBy::Skip);
    let asked: Vec<_> = answer
        .attempts
        .iter()
        .map(|attempt| {
            let kind = attempt.error.as_ref().unwrap().kind();
            (attempt.node_type.as_str(), kind)
        })
        .collect();
    assert_eq!(
        asked,
        [
            ("own.do", ErrorKind::Transient),
            ("own.do", ErrorKind::Transient),
            ("own.a", ErrorKind::ExecutionError),
            ("own.b", ErrorKind::NodeTypeNotFound),
        ]
    );
}

#[test]
fn a_value_is_an_answer() {
    let recovery = Recovery::none().then(Substitute::new(value!(0)).into_value());
    let (_scene, registry) = registry(of(recovery));
    failing(&registry, "own.do", 100, ErrorKind::ExecutionError);
    let answer = registry.answer("own.do", &Value::Null, &CallOptions::new(), None);
    assert_eq!(answer.output.unwrap(), value!(0));
    assert_eq!(answer.status, Status::Recovered);
    assert_eq!(answer.answered_by, AnsweredBy::Value);
}

#[test]
fn a_deadline_bounds_the_waits_too() {
    let hour = Duration::from_secs(3600);
    let long = Retry::default()
        .attempts(3)
        .initial(hour)
        .longest(hour)
        .jitter(floe_registry::Jitter::None);
    let (_scene, registry) = registry(of(Recovery::none().then(long)));
    let calls = failing(&registry, "own.do", 100, ErrorKind::Transient);
    let options = CallOptions::new().timeout(Duration::from_secs(60));
    let answer = registry.answer("own.do", &Value::Null, &options, None);
    assert_eq!(answer.output.unwrap_err().kind(), ErrorKind::Transient);
    assert_eq!(calls.lock().unwrap().len(), 1);
    assert!(
        answer.passed_over[0].contains("does not fit"),
        "{:?}",
        answer.passed_over
    );
}

#[test]
fn a_server_says_when_to_come_again() {
    let (_scene, registry) = registry(of(Recovery::none().then(retry(2))));
    let calls = failing_as(&registry, "own.do", 100, || {
        Error::new(ErrorKind::Transient, "busy").retry_after(Duration::from_secs(3600))
    });
    let options = CallOptions::new().timeout(Duration::from_secs(60));
    registry
        .answer("own.do", &Value::Null, &options, None)
        .output
        .unwrap_err();
    assert_eq!(calls.lock().unwrap().len(), 1, "no sooner than it said");
}

#[test]
fn who_waits_can_be_called_off() {
    let hour = Duration::from_secs(3600);
    let long = Retry::default()
        .initial(hour)
        .longest(hour)
        .jitter(floe_registry::Jitter::None);
    let (_scene, registry) = registry(of(Recovery::none().then(long)));
    let calls = failing(&registry, "own.do", 100, ErrorKind::Transient);
    let switch = Cancellation::new();
    let options = CallOptions::new().cancellation(switch.clone());
    std::thread::scope(|scope| {
        let called = scope.spawn(|| registry.call_with("own.do", &Value::Null, &options));
        floe_loader_tests::wait::until(|| calls.lock().unwrap().len() == 1);
        switch.cancel();
        let error = called.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient);
    });
    assert_eq!(calls.lock().unwrap().len(), 1);
}

#[test]
fn each_attempt_has_the_registrys_deadline_and_all_of_them_the_callers() {
    let scene = Scene::new();
    let policy = Policy::default().recovery(of(Recovery::none().then(retry(3))));
    let registry = scene
        .builder()
        .policy(policy)
        .deadlines(Deadlines::default().call(Duration::from_millis(20)))
        .build()
        .unwrap();
    let gate = floe_loader_tests::gate::Gate::register(&registry, "own.do");
    let answer = registry.answer("own.do", &Value::Null, &CallOptions::new(), None);
    assert_eq!(
        answer.output.unwrap_err().kind(),
        ErrorKind::ExecutionTimeout
    );
    assert_eq!(answer.attempts.len(), 3);
    let options = CallOptions::new().timeout(Duration::from_millis(5));
    let answer = registry.answer("own.do", &Value::Null, &options, None);
    assert_eq!(answer.attempts.len(), 1, "{:?}", answer.passed_over);
    drop(gate);
}

#[test]
fn the_nearest_rule_holds() {
    let of = |value: i64| Recovery::none().then(Substitute::new(value).into_value());
    let settings = RecoverySettings::new(of(1))
        .plugin("m-good", of(2))
        .executor("own.b", of(3));
    let (_scene, registry) = registry(settings);
    for (node_type, expected) in [("own.a", 1), ("own.b", 3)] {
        failing(&registry, node_type, 100, ErrorKind::ExecutionError);
        assert_eq!(
            registry.call(node_type, &Value::Null).unwrap(),
            Value::from(expected)
        );
    }
    // What the caller says is nearer yet.
    let own = of(4);
    let answer = registry.answer("own.b", &Value::Null, &CallOptions::new(), Some(&own));
    assert_eq!(answer.output.unwrap(), value!(4));
    let none = Recovery::none();
    let answer = registry.answer("own.b", &Value::Null, &CallOptions::new(), Some(&none));
    assert_eq!(answer.status, Status::Failed);
}

#[test]
fn a_fallback_may_have_a_fallback() {
    let settings = RecoverySettings::default()
        .executor("own.a", Recovery::none().then(to("own.b")))
        .executor("own.b", Recovery::none().then(to("own.c")));
    let (_scene, registry) = registry(settings);
    failing(&registry, "own.a", 100, ErrorKind::ExecutionError);
    failing(&registry, "own.b", 100, ErrorKind::ExecutionError);
    failing(&registry, "own.c", 0, ErrorKind::ExecutionError);
    let answer = registry.answer("own.a", &value!(1), &CallOptions::new(), None);
    assert_eq!(answer.output.unwrap(), value!(1));
    assert_eq!(answer.attempts.len(), 3);
}

#[test]
fn a_caller_cannot_make_fallbacks_go_in_a_circle() {
    let settings =
        RecoverySettings::default().executor("own.b", Recovery::none().then(to("own.a")));
    let (_scene, registry) = registry(settings);
    let a = failing(&registry, "own.a", 100, ErrorKind::ExecutionError);
    let b = failing(&registry, "own.b", 100, ErrorKind::ExecutionError);
    let own = Recovery::none().then(to("own.b"));
    let answer = registry.answer("own.a", &Value::Null, &CallOptions::new(), Some(&own));
    assert_eq!(answer.status, Status::Failed);
    assert_eq!((a.lock().unwrap().len(), b.lock().unwrap().len()), (1, 1));
}

#[test]
fn a_fallback_is_asked_for_permission_too() {
    let scene = Scene::new();
    let recovery = Recovery::none()
        .then(to("other.do"))
        .then(Substitute::new(value!("skipped")).into_skip());
    let policy = two(&may(&["own.*"])).recovery(of(recovery));
    let registry = governed(&scene, &policy).build().unwrap();
    failing(&registry, "own.do", 100, ErrorKind::ExecutionError);
    let others = failing(&registry, "other.do", 0, ErrorKind::ExecutionError);
    let answer = registry.answer("own.do", &Value::Null, &by("acme"), None);
    assert_eq!(answer.output.unwrap(), value!("skipped"));
    let denied = answer.attempts[1].error.as_ref().unwrap();
    assert_eq!(denied.kind(), ErrorKind::DisabledForTenant);
    assert_eq!(others.lock().unwrap().len(), 0);
    // What is denied itself is not skipped.
    let error = registry
        .call_with("other.do", &Value::Null, &by("acme"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DisabledForTenant);
    assert_eq!(records(&scene).len(), 2);
}

#[test]
fn a_crash_is_retried_where_that_does_no_harm() {
    for (manifest, told, attempts) in [
        (None, false, 1),
        (None, true, 3),
        (Some(true), false, 3),
        (Some(false), false, 1),
    ] {
        let mut scene = Scene::empty();
        let library = Library::of(Fixture::Hostile).with_manifest(|manifest_json| {
            if let Some(idempotent) = manifest {
                manifest_json["executors"][0]["idempotent"] = idempotent.into();
            }
        });
        scene.install("hostile", &library);
        scene.isolation(Isolation::Worker);
        let again = if told {
            retry(3).not_idempotent()
        } else {
            retry(3)
        };
        let recovery = RecoverySettings::default().plugin("hostile", Recovery::none().then(again));
        let registry = scene
            .builder()
            .policy(Policy::default().recovery(recovery))
            .circuit(CircuitSettings::default().panics(u32::MAX))
            .quarantine(
                QuarantineSettings::default()
                    .openings(0)
                    .failed_starts(0)
                    .crashes(0),
            )
            .build()
            .unwrap();
        let order = value!({"what": "abort"});
        let answer = registry.answer("hostile.do", &order, &CallOptions::new(), None);
        let tried = answer.attempts.len();
        assert_eq!(
            tried, attempts,
            "{manifest:?} {told}: {:?}",
            answer.passed_over
        );
        assert_eq!(answer.output.unwrap_err().kind(), ErrorKind::Crashed);
    }
}

#[test]
fn what_became_of_failures_is_counted() {
    let settings = RecoverySettings::default()
        .executor("own.retried", Recovery::none().then(retry(2)))
        .executor(
            "own.skipped",
            Recovery::none().then(Substitute::new(Value::Null).into_skip()),
        );
    let (_scene, registry) = registry(settings);
    failing(&registry, "own.retried", 1, ErrorKind::Transient);
    failing(&registry, "own.skipped", 100, ErrorKind::ExecutionError);
    failing(&registry, "own.failed", 100, ErrorKind::ExecutionError);
    failing(&registry, "own.good", 0, ErrorKind::ExecutionError);
    for node_type in ["own.retried", "own.skipped", "own.failed", "own.good"] {
        let _output = registry.call(node_type, &Value::Null);
    }
    let stats = registry.recoveries();
    assert_eq!(stats.last.len(), 3, "{stats:?}");
    assert_eq!(stats.recovery_rate, Some(2.0 / 3.0));
}

#[test]
fn who_waits_to_call_again_keeps_no_thread_of_the_registrys() {
    /// More than there are threads for calls with a deadline.
    const WAITING: usize = 80;
    let hour = Duration::from_secs(3600);
    let long = Retry::default()
        .initial(hour)
        .longest(hour)
        .jitter(floe_registry::Jitter::None);
    let (_scene, registry) = registry(of(Recovery::none().then(long)));
    let calls = failing(&registry, "own.do", usize::MAX, ErrorKind::Transient);
    failing(&registry, "own.good", 0, ErrorKind::Transient);
    let switch = Cancellation::new();
    let day = CallOptions::new().timeout(24 * hour);
    let options = day.clone().cancellation(switch.clone());
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| scope.spawn(|| registry.call_with("own.do", &Value::Null, &options)))
            .collect();
        floe_loader_tests::wait::until(|| calls.lock().unwrap().len() == WAITING);
        let good = registry.call_with("own.good", &value!(1), &day);
        assert_eq!(good.unwrap(), value!(1));
        switch.cancel();
        for call in waiting {
            call.join().unwrap().unwrap_err();
        }
    });
}

#[test]
fn who_is_gone_gets_nothing_in_place_of_an_answer() {
    let recovery = Recovery::none()
        .then(to("own.other"))
        .then(Substitute::new(value!("instead")).into_skip());
    let (_scene, registry) = registry(of(recovery));
    let switch = Cancellation::new();
    let options = CallOptions::new().cancellation(switch.clone());
    failing_as(&registry, "own.do", 100, move || {
        switch.cancel();
        Error::execution("while its caller goes")
    });
    let others = failing(&registry, "own.other", 0, ErrorKind::Transient);
    let answer = registry.answer("own.do", &Value::Null, &options, None);
    assert_eq!(answer.status, Status::Failed);
    assert_eq!(others.lock().unwrap().len(), 0);
    assert_eq!(answer.passed_over, ["the caller cancelled the call"]);
}

#[test]
fn attempts_count_on_from_the_callers() {
    let (_scene, registry) = registry(of(Recovery::none().then(retry(3))));
    let calls = failing(&registry, "own.do", 2, ErrorKind::Transient);
    let options = CallOptions::new().attempt(3);
    registry
        .call_with("own.do", &Value::Null, &options)
        .unwrap();
    let attempts: Vec<_> = calls
        .lock()
        .unwrap()
        .iter()
        .map(|(attempt, _)| *attempt)
        .collect();
    assert_eq!(attempts, [3, 4, 5]);
}

#[test]
fn what_is_not_there_has_others_in_its_place() {
    let (_scene, registry) = registry(of(Recovery::none().then(retry(3)).then(to("own.other"))));
    failing(&registry, "own.other", 0, ErrorKind::Transient);
    let answer = registry.answer("own.do", &value!(1), &CallOptions::new(), None);
    assert_eq!(answer.output.unwrap(), value!(1));
    assert_eq!(answer.status, Status::Recovered);
    assert_eq!(registry.recoveries().total.recovered, 1);
}

#[test]
fn what_was_passed_over_is_told_of_an_answer_too() {
    let recovery = Recovery::none()
        .then(retry(3))
        .then(Substitute::new(value!("instead")).into_skip());
    let (_scene, registry) = registry(of(recovery));
    failing(&registry, "own.do", 100, ErrorKind::ExecutionError);
    let answer = registry.answer("own.do", &Value::Null, &CallOptions::new(), None);
    assert_eq!(answer.status, Status::Skipped);
    assert_eq!(answer.passed_over, ["`retry` is not for `execution-error`"]);
}
