use std::time::Duration;

use floe_plugin_api::{ErrorKind, Kind, value};
use proptest::prelude::*;

use super::kinds::{NEVER_RECOVERED, NEVER_RETRIED};
use super::*;
use crate::error::{Begun, CallError, CircuitOpen, OverrunError, PluginError};
use crate::id::PluginId;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn failure(kind: ErrorKind) -> Failure {
    Failure {
        kind,
        innocent: false,
        began: true,
        retry_after: None,
        idempotent: None,
    }
}

/// A retry that waits 100 ms, and a value.
fn recovery(retry: Retry) -> Recovery {
    let last = Substitute::new("instead").into_value();
    Recovery::none().then(retry.jitter(Jitter::None)).then(last)
}

/// What is expected of the first step.
enum Expected {
    After(u64),
    /// The retry is passed over, for a reason with these words, and the value answers.
    Not(&'static str),
    /// All is passed over.
    Fails(&'static str),
}

#[test]
fn decisions() {
    use ErrorKind::{
        Cancelled, Crashed, DisabledForTenant, ExecutionTimeout, Panicked, Transient,
        ValidationFailed,
    };
    use Expected::{After, Fails, Not};

    const SILENT: &str = "the executor does not say that it is idempotent";
    const ONCE: &str = "the executor says that it is not idempotent";
    // kind, idempotent, not_idempotent, left, hint
    for (kind, idempotent, anyway, left, hint, expected) in [
        (Transient, None, false, None, None, After(100)),
        (Transient, Some(false), false, None, None, After(100)),
        (Crashed, None, false, None, None, Not(SILENT)),
        (Crashed, Some(false), false, None, None, Not(ONCE)),
        (Crashed, Some(true), false, None, None, After(100)),
        (Crashed, None, true, None, None, After(100)),
        (Crashed, Some(false), true, None, None, After(100)),
        (ExecutionTimeout, None, false, None, None, After(100)),
        (ExecutionTimeout, Some(true), false, None, None, After(100)),
        (ExecutionTimeout, Some(false), false, None, None, Not(ONCE)),
        (ExecutionTimeout, Some(false), true, None, None, After(100)),
        (Transient, None, false, Some(101), None, After(100)),
        (
            Transient,
            None,
            false,
            Some(100),
            None,
            Not("`100.0ms` before a retry does not fit in the `100.0ms`"),
        ),
        (Transient, None, false, Some(0), None, Not("does not fit")),
        (Transient, None, false, None, Some(20), After(100)),
        (Transient, None, false, None, Some(9_000), After(9_000)),
        (
            Transient,
            None,
            false,
            Some(8_000),
            Some(9_000),
            Not("`9.0s`"),
        ),
        (
            Transient,
            None,
            false,
            None,
            Some(3_600_001),
            Not("without a deadline"),
        ),
        (
            Transient,
            None,
            false,
            Some(9_000_000),
            Some(3_600_001),
            After(3_600_001),
        ),
        (
            Panicked,
            None,
            false,
            None,
            None,
            Not("`retry` is not for `panicked`"),
        ),
        (
            ValidationFailed,
            Some(true),
            true,
            None,
            None,
            Not("not for `validation-failed`"),
        ),
        (
            Cancelled,
            Some(true),
            true,
            None,
            None,
            Fails("`cancelled` is never recovered from"),
        ),
        (
            DisabledForTenant,
            Some(true),
            true,
            None,
            None,
            Fails("never recovered from"),
        ),
    ] {
        let retry = Retry {
            not_idempotent: anyway,
            ..Retry::default()
        };
        let recovery = recovery(retry);
        let mut course = Course::new(&recovery);
        let failure = Failure {
            idempotent,
            retry_after: hint.map(ms),
            ..failure(kind)
        };
        let step = course.next(&failure, left.map(ms), 0.5);
        let case = format!(
            "{failure:?} {anyway} {left:?}: {step:?} {:?}",
            course.passed_over()
        );
        match expected {
            After(wait) => {
                let after = ms(wait);
                assert_eq!(step, Step::Retry { after, attempt: 2 }, "{case}");
                assert!(course.passed_over().is_empty(), "{case}");
            }
            Not(reason) => {
                assert_eq!(step, Step::Value(&value!("instead")), "{case}");
                assert_eq!(course.passed_over().len(), 1, "{case}");
                assert!(course.passed_over()[0].contains(reason), "{case}");
            }
            Fails(reason) => {
                assert_eq!(step, Step::Fail, "{case}");
                assert!(course.passed_over()[0].contains(reason), "{case}");
            }
        }
    }
}

#[test]
fn what_did_not_begin_has_had_no_effect() {
    let recovery = recovery(Retry::default());
    let failure = Failure {
        began: false,
        idempotent: Some(false),
        ..failure(ErrorKind::Crashed)
    };
    let step = Course::new(&recovery).next(&failure, None, 0.0);
    assert!(matches!(step, Step::Retry { .. }), "{step:?}");
    let failure = Failure {
        began: true,
        innocent: true,
        ..failure
    };
    let mut course = Course::new(&recovery);
    assert!(matches!(course.next(&failure, None, 0.0), Step::Value(_)));
    assert!(course.passed_over()[0].contains("through no fault of its own"));
}

#[test]
fn kinds_that_are_never_retried_are_not_though_they_are_listed() {
    for kind in NEVER_RETRIED.into_iter().chain(NEVER_RECOVERED) {
        let recovery = Recovery::none().then(Retry::default().on([kind]).not_idempotent());
        let mut course = Course::new(&recovery);
        assert_eq!(course.next(&failure(kind), None, 0.0), Step::Fail, "{kind}");
        assert_eq!(course.passed_over().len(), 1, "{kind}");
    }
}

#[test]
fn strategies_come_in_order_and_none_twice() {
    let recovery = Recovery::none()
        .then(Retry::default().attempts(2))
        .then(Fallback::new("b.y".parse().unwrap()))
        .then(Fallback::new("c.z".parse().unwrap()).on([ErrorKind::NotReady]))
        .then(Substitute::new(1).into_skip());
    let mut course = Course::new(&recovery);
    let transient = failure(ErrorKind::Transient);
    let mut next = |failure: &Failure, left| course.next(failure, left, 0.0);
    assert!(matches!(
        next(&transient, None),
        Step::Retry { attempt: 2, .. }
    ));
    assert!(matches!(next(&transient, None), Step::Fallback(to) if to.to.node_type() == "b.y"));
    let late = failure(ErrorKind::NotReady);
    assert_eq!(next(&late, Some(Duration::ZERO)), Step::Skip(&value!(1)));
    assert_eq!(next(&transient, None), Step::Fail);
    assert_eq!(
        course.passed_over(),
        [
            "`retry` allows no call after `2`",
            "no time is left to call the fallback `c.z`"
        ]
    );
    let none = Recovery::none();
    let mut course = Course::new(&none);
    assert_eq!(
        course.next(&failure(ErrorKind::Cancelled), None, 0.0),
        Step::Fail
    );
    assert!(course.passed_over().is_empty());
}

#[test]
fn waits_grow_up_to_the_longest() {
    let retry = Retry::default().jitter(Jitter::None);
    let waits: Vec<_> = (1..=8).map(|n| retry.wait(n, 0.0).as_millis()).collect();
    assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    for n in [9, 1_000, 1_000_000, u32::MAX] {
        assert_eq!(retry.wait(n, 0.0), ms(5_000));
    }
    for factor in [1e300, f64::MAX, f64::INFINITY, f64::NAN] {
        assert_eq!(retry.clone().factor(factor).wait(1_000_000, 0.0), ms(5_000));
    }
    let longest = retry.longest(Duration::MAX).factor(1e300);
    assert_eq!(longest.wait(9, 0.0), Duration::MAX);
    let full = longest.jitter(Jitter::Full);
    assert!(full.wait(9, 0.999_999_999_999_999_9) <= Duration::MAX);
    assert_eq!(full.wait(9, f64::NAN), Duration::MAX);
    assert_eq!(full.initial(Duration::ZERO).wait(9, 0.5), Duration::ZERO);
    assert_eq!(Retry::default().wait(2, 0.25), ms(50));
    assert_eq!(Retry::default().factor(1.0).wait(7, 0.5), ms(50));
}

proptest! {
    #[test]
    fn a_course_of_retries_is_bounded(
        attempts in 1_u32..50,
        initial in 1_u64..1_000,
        factor in 1.0_f64..1e9,
        longest in 1_000_u64..100_000,
        hint in proptest::option::of(0_u64..200_000),
        left in proptest::option::of(0_u64..200_000),
        randoms in proptest::collection::vec(0.0_f64..1.0, 50),
    ) {
        let retry = Retry::default()
            .attempts(attempts)
            .initial(ms(initial))
            .factor(factor)
            .longest(ms(longest));
        let recovery = Recovery::none().then(retry);
        let mut course = Course::new(&recovery);
        let failure = Failure { retry_after: hint.map(ms), ..failure(ErrorKind::Transient) };
        let mut calls = 1;
        let mut cap = ms(initial);
        for random in randoms {
            let Step::Retry { after, attempt } = course.next(&failure, left.map(ms), random) else {
                break;
            };
            calls += 1;
            prop_assert_eq!(attempt, calls);
            prop_assert!(after <= cap.max(hint.map(ms).unwrap_or_default()));
            prop_assert!(after >= hint.map(ms).unwrap_or_default());
            prop_assert!(left.is_none_or(|left| after < ms(left)));
            // One nanosecond for the rounding of each multiplication.
            cap = Duration::try_from_secs_f64(cap.as_secs_f64() * factor * (1.0 + 1e-9))
                .map_or(ms(longest), |grown| grown.min(ms(longest)));
        }
        match left {
            // Nobody waits so long who has not said so.
            None if hint.is_some_and(|hint| hint > 60_000) => prop_assert_eq!(calls, 1),
            None => prop_assert_eq!(calls, attempts),
            Some(_) => prop_assert!(calls <= attempts),
        }
        prop_assert_eq!(course.next(&failure, left.map(ms), 0.0), Step::Fail);
    }
}

#[test]
fn what_an_error_says() {
    let of = |error: &CallError| Failure::of(error, Some(true));
    let said = floe_plugin_api::Error::new(ErrorKind::Crashed, "gone")
        .with_detail("innocent", true)
        .retry_after(ms(70));
    let said = PluginError::new("a 1.0.0".to_owned(), Some("a.x"), &said);
    let expected = Failure {
        kind: ErrorKind::Crashed,
        innocent: true,
        began: true,
        retry_after: Some(ms(70)),
        idempotent: Some(true),
    };
    assert_eq!(of(&CallError::Executor(Box::new(said.clone()))), expected);
    let start = of(&CallError::Start(Box::new(said)));
    assert!(!start.began && !start.innocent && start.retry_after == Some(ms(70)));
    for (begun, began) in [
        (Begun::No, false),
        (Begun::Yes, true),
        (Begun::Killed, true),
    ] {
        let overrun = OverrunError::new("a".to_owned(), "call a.x", ms(1), begun);
        let failure = of(&CallError::Overrun(Box::new(overrun)));
        assert_eq!(failure.kind, ErrorKind::ExecutionTimeout);
        assert_eq!(failure.began, began);
    }
    let open = CallError::CircuitOpen(Box::new(CircuitOpen {
        plugin: "a".to_owned(),
        faults: 5,
        retry_after: ms(30_000),
    }));
    let failure = of(&open);
    assert_eq!(failure.retry_after, Some(ms(30_000)));
    // Only where `not-ready` is asked for, and then without a word on effects.
    let standard = recovery(Retry::default());
    let step = Course::new(&standard).next(&failure, None, 0.0);
    assert!(matches!(step, Step::Value(_)));
    let asked = recovery(Retry::default().on([ErrorKind::NotReady]));
    let step = Course::new(&asked).next(&failure, None, 0.0);
    assert!(matches!(step, Step::Retry { after, .. } if after == ms(30_000)));
}

#[test]
fn mappings() {
    let input = value!({"url": "u", "list": [{"a/b": 1}], "none": null});
    let mapping = Mapping::new()
        .from_input("key", "/url")
        .from_input("deep", "/list/0/a~1b")
        .from_input("none", "/none")
        .from_input("all", "")
        .literal("mode", "fresh")
        .literal("mode", "stale");
    assert_eq!(
        mapping.apply(&input).unwrap(),
        value!({"key": "u", "deep": 1, "none": null, "all": (input.clone()), "mode": "stale"})
    );
    let refused = Mapping::new().from_input("key", "/uri").apply(&input);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the fallback's `key` is taken from `/uri`, where the input has nothing; take it from where every input has a value, or give it one"
    );
    let fallback = Fallback::new("b.y".parse().unwrap());
    assert_eq!(fallback.input_of(&input).unwrap(), input);
}

#[test]
fn the_nearest_word_counts() {
    let list = |output: i64| Recovery::none().then(Substitute::new(output).into_value());
    let settings = RecoverySettings::new(list(0))
        .plugin("http", list(1))
        .plugin("compute/http", list(2))
        .executor("http.get", list(3));
    let id = |kind: &str, name: &str| PluginId {
        kind: kind.parse::<Kind>().unwrap(),
        name: name.to_owned(),
    };
    assert_eq!(settings.of("http.get", &id("compute", "http")), &list(3));
    assert_eq!(settings.of("http.put", &id("compute", "http")), &list(2));
    assert_eq!(settings.of("http.put", &id("storage", "http")), &list(1));
    assert_eq!(settings.of("ftp.get", &id("storage", "ftp")), &list(0));
    assert_eq!(settings.of_fallback("http.put"), &list(0));
    assert_eq!(settings.of_fallback("http.get"), &list(3));
}

#[test]
fn circles_are_spelled_out() {
    let to = |target: &str| Recovery::none().then(Fallback::new(target.parse().unwrap()));
    #[track_caller]
    fn check(settings: RecoverySettings, parts: &[&str]) {
        let refused = settings.check().unwrap_err().to_string();
        for part in parts {
            assert!(refused.contains(part), "{part} in {refused}");
        }
    }
    let none = RecoverySettings::default;
    let two = none().executor("a.x", to("b.y")).executor("b.y", to("a.x"));
    check(
        two,
        &[
            "`recovery.executors.\"a.x\"`, strategy 1",
            "`a.x -> b.y -> a.x`; take one",
        ],
    );
    check(none().executor("a.x", to("a.x@^1")), &["`a.x -> a.x`"]);
    let own = [
        "`c.z -> c.z`",
        "`c.z` has the default recovery",
        "`\"c.z\" = [\"fail\"]`",
    ];
    check(RecoverySettings::new(to("c.z")), &own);
    let through = RecoverySettings::new(to("a.x")).executor("a.x", to("b.y"));
    check(
        through,
        &["`a.x -> b.y -> a.x`", "`b.y` has the default recovery"],
    );
    check(
        RecoverySettings::new(to("c.z")).plugin("http", to("d.d")),
        &["`c.z -> c.z`"],
    );

    let chain = RecoverySettings::new(to("c.z"))
        .executor("a.x", to("b.y"))
        .executor("b.y", to("c.z"))
        .executor("c.z", Recovery::none())
        .plugin("a", to("a.x"));
    assert_eq!(chain.check(), Ok(()));
}

fn outcome(node_type: &str, kind: ErrorKind, status: Status) -> RecoveryOutcome {
    RecoveryOutcome {
        time: jiff::Timestamp::UNIX_EPOCH,
        node_type: node_type.to_owned(),
        kind,
        status,
        answered_by: AnsweredBy::Retry,
        attempts: 2,
        took: ms(1),
    }
}

#[test]
fn a_history_is_bounded_and_counts_all() {
    let history = History::default();
    assert_eq!(history.snapshot().recovery_rate, None);
    history.record(outcome("a.x", ErrorKind::Transient, Status::Success));
    assert_eq!(history.snapshot().total, RecoveryCounts::default());
    for (status, kind) in [
        (Status::Recovered, ErrorKind::Transient),
        (Status::Skipped, ErrorKind::Crashed),
        (Status::Failed, ErrorKind::Crashed),
        (Status::Failed, ErrorKind::Cancelled),
    ] {
        history.record(outcome("a.x", kind, status));
    }
    let told = history.snapshot();
    assert_eq!(told.recovery_rate, Some(0.5));
    assert_eq!(told.by_kind[&ErrorKind::Crashed].rate(), Some(0.5));
    assert_eq!(told.by_kind[&ErrorKind::Transient].rate(), Some(1.0));
    assert_eq!(told.by_node_type["a.x"], told.total);

    for number in 0..1_500 {
        let node_type = format!("n.{number}");
        history.record(outcome(&node_type, ErrorKind::Transient, Status::Recovered));
    }
    let told = history.snapshot();
    assert_eq!(told.last.len(), 1_000);
    assert_eq!(told.last[0].node_type, "n.500");
    assert_eq!(told.last[999].node_type, "n.1499");
    assert_eq!(told.total.recovered, 1_501);
    assert_eq!(told.by_node_type.len(), 1_000);
    assert_eq!(told.other_node_types.recovered, 501);
    let json = serde_json::to_value(&told).unwrap();
    assert_eq!(json["last"][0]["took_ns"], 1_000_000);
    assert_eq!(json["by_kind"]["transient"]["recovered"], 1_501);
}

#[test]
fn an_answer_for_programs() {
    let replaced = CallError::Replaced { plugin: "a".into() };
    let attempt = |number, error| Attempt {
        node_type: "a.x".to_owned(),
        number,
        error,
        waited: ms(1),
        took: ms(2),
    };
    let answer = Answer {
        status: Status::Recovered,
        output: Ok(value!(1)),
        attempts: vec![attempt(1, Some(replaced.clone())), attempt(2, None)],
        answered_by: AnsweredBy::Fallback("b.y".to_owned()),
        passed_over: vec!["why".to_owned()],
    };
    insta::assert_json_snapshot!(answer);
    let failed = Answer {
        status: Status::Failed,
        output: Err(replaced),
        answered_by: AnsweredBy::Nobody,
        ..answer
    };
    let json = serde_json::to_value(&failed).unwrap();
    assert_eq!(json["error"]["kind"], "not-ready");
    assert_eq!(
        (&json["status"], &json["answered_by"]),
        (&"failed".into(), &"nobody".into())
    );
}
