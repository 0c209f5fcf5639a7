use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier};
use std::thread;

use super::*;

const QUICK: Duration = Duration::from_nanos(100);

#[test]
fn kinds_of_errors_are_told_apart() {
    let recorder = Recorder::default();
    for (times, kind) in (1..).zip(ErrorKind::ALL) {
        for _ in 0..times {
            recorder.begin().failed(*kind);
        }
    }
    let stats = recorder.read();
    let expected = ErrorKind::ALL.iter().copied().zip(1..);
    assert_eq!(stats.errors, expected.collect());
    assert_eq!(stats.error_count(), stats.calls);
    assert_eq!(stats.in_flight, 0);
}

#[test]
fn counts_of_many_threads_are_exact() {
    let recorder = Recorder::default();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for call in 0..10_000 {
                    let entry = recorder.begin();
                    if call % 100 == 0 {
                        entry.failed(ErrorKind::Transient);
                    } else {
                        entry.done();
                    }
                }
            });
        }
    });
    // The threads are gone, and what they counted is not.
    let stats = recorder.read();
    assert_eq!((stats.calls, stats.in_flight), (80_000, 0));
    assert_eq!(stats.errors, [(ErrorKind::Transient, 800)].into());
}

#[test]
fn threads_one_after_another_go_on_with_the_same_cells() {
    let recorder = Recorder::default();
    for _ in 0..50 {
        thread::scope(|scope| {
            scope.spawn(|| recorder.begin().done());
        });
    }
    assert_eq!(recorder.read().calls, 50);
}

#[test]
fn calls_are_in_flight_until_they_end() {
    let recorder = Recorder::default();
    let [inside, read] = [Barrier::new(3), Barrier::new(3)];
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let entry = recorder.begin();
                inside.wait();
                read.wait();
                entry.done();
            });
        }
        inside.wait();
        let stats = recorder.read();
        assert_eq!((stats.calls, stats.in_flight), (2, 2));
        assert_eq!(stats.times.count(), 0);
        read.wait();
    });
    assert_eq!(recorder.read().in_flight, 0);
}

#[test]
fn a_panic_ends_the_call() {
    let recorder = Recorder::default();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _entry = recorder.begin();
        panic!("within a call");
    }));
    assert!(result.is_err());
    let stats = recorder.read();
    assert_eq!((stats.calls, stats.in_flight), (1, 0));
    assert_eq!(stats.times.count(), 1);
}

#[test]
fn quick_calls_are_timed_now_and_then_and_count_for_the_others() {
    const CALLS: u64 = 100_000;
    let recorder = Recorder::default();
    let mut timed = 0;
    for _ in 0..CALLS {
        let entry = recorder.begin();
        timed += u64::from(entry.timed.is_some());
        entry.done_after(QUICK);
    }
    let stats = recorder.read();
    assert_eq!(stats.calls, CALLS);
    let missing = CALLS - stats.times.count();
    assert!(missing < LONGEST_GAP, "{missing}");
    assert!((CALLS / 18..CALLS / 14).contains(&timed), "{timed}");
    assert_eq!(stats.times.mean(), QUICK);
}

#[test]
fn a_slow_call_is_timed_each_time() {
    let recorder = Recorder::default();
    for _ in 0..1_000 {
        recorder.begin().done_after(SLOW);
    }
    let times = recorder.read().times;
    assert_eq!(times.count(), 1_000);
    assert_eq!((times.min(), times.mean(), times.max()), (SLOW, SLOW, SLOW));
}

/// How much of what is recorded of `calls` took longer than [`QUICK`].
#[track_caller]
fn check_share_of_slow(calls: impl Iterator<Item = Duration>, expected: f64) {
    let recorder = Recorder::default();
    calls.for_each(|took| recorder.begin().done_after(took));
    let times = recorder.read().times;
    let step = 1e-4;
    let slow =
        (0..10_000).filter(|part| times.quantile((f64::from(*part) + 0.5) * step) > QUICK * 2);
    let share = slow.count() as f64 * step;
    assert!((share - expected).abs() < 0.02, "{share}, not {expected}");
}

#[test]
fn the_shares_of_quick_and_slow_calls_are_right() {
    const CALLS: u32 = 200_000;
    // In no order: every fourth on average.
    let cells = Cells::default();
    let mixed = (0..CALLS).map(|_| {
        if cells.random_gap().is_multiple_of(4) {
            SLOW
        } else {
            QUICK
        }
    });
    check_share_of_slow(mixed, 7.0 / 31.0);
    // In rhythms that a fixed gap of 16 would fall in with.
    for rhythm in [2, 16, 32] {
        let rhythmic = (0..CALLS).map(|call| {
            let took = if call % rhythm == 0 { 5 } else { 1 };
            QUICK * took
        });
        check_share_of_slow(rhythmic, 1.0 / f64::from(rhythm));
    }
}

#[test]
fn a_call_within_a_call_is_counted_and_timed() {
    let recorder = Recorder::default();
    for _ in 0..1_000 {
        let outer = recorder.begin();
        let inner = recorder.begin();
        inner.done_after(QUICK);
        outer.done_after(SLOW);
    }
    let stats = recorder.read();
    assert_eq!((stats.calls, stats.in_flight), (2_000, 0));
    assert!(2_000 - stats.times.count() < LONGEST_GAP);
    assert!(stats.times.quantile(0.48) < SLOW);
    assert!(stats.times.quantile(0.52) >= SLOW);
}

#[test]
fn many_quick_calls_within_a_slow_one_keep_their_share() {
    let recorder = Recorder::default();
    for _ in 0..20_000 {
        let outer = recorder.begin();
        for _ in 0..9 {
            recorder.begin().done_after(QUICK);
        }
        outer.done_after(SLOW);
    }
    let times = recorder.read().times;
    // One in ten is slow.
    assert!(times.quantile(0.88) < SLOW);
    assert!(times.quantile(0.92) >= SLOW);
}

#[test]
fn a_call_from_a_destructor_of_an_ending_thread_does_no_harm() {
    struct CallsAtTheEnd(Arc<Recorder>);
    impl Drop for CallsAtTheEnd {
        fn drop(&mut self) {
            self.0.begin().done();
            self.0.begin().failed(ErrorKind::Transient);
        }
    }
    thread_local!(static KEPT: std::cell::OnceCell<CallsAtTheEnd> = const { std::cell::OnceCell::new() });
    let recorder = Arc::new(Recorder::default());
    let kept = CallsAtTheEnd(Arc::clone(&recorder));
    thread::spawn(move || {
        // Kept first, so dropped last.
        KEPT.with(|place| place.set(kept)).ok().unwrap();
        KEPT.with(|place| place.get().unwrap().0.begin().done());
    })
    .join()
    .unwrap();
    let stats = recorder.read();
    assert!(stats.calls >= 1);
    assert_eq!(stats.in_flight, 0);
}

#[test]
fn statistics_add_up() {
    let record = |calls: u64, kind| {
        let recorder = Recorder::default();
        for _ in 0..calls {
            recorder.begin().done_after(SLOW * 2);
        }
        recorder.begin().failed(kind);
        let _in_flight = recorder.begin();
        recorder.read()
    };
    let mut merged = CallStats::default();
    merged.merge(&record(3, ErrorKind::Transient));
    merged.merge(&record(5, ErrorKind::Transient));
    merged.merge(&record(0, ErrorKind::Panicked));
    assert_eq!((merged.calls, merged.in_flight), (14, 3));
    let errors = [(ErrorKind::Transient, 2), (ErrorKind::Panicked, 1)];
    assert_eq!(merged.errors, errors.into());
    assert_eq!(merged.error_count(), 3);
    assert_eq!(merged.times.count(), 11);

    let shown = serde_json::to_value(&merged).unwrap();
    assert_eq!(
        shown["errors"],
        serde_json::json!({"transient": 2, "panicked": 1})
    );
    assert_eq!(shown["times"]["count"], 11);
}
