//! Turns: one at a time starts a thing, the others share what came of it, and none waits for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use shuttle::thread;

use crate::in_many_orders;
use crate::turn::{Actor, Circle, Taken, Turns};

type Numbered = Turns<u32, usize>;

#[track_caller]
fn nothing_is_left(turns: &Numbered) {
    assert_eq!(turns.under_way(), (0, 0), "starts and waits that are left");
}

/// One start, as the test knows it.
#[derive(Default)]
struct Start {
    begun: AtomicBool,
    /// It has ended; set after that, so that it may have ended where this is false.
    over: AtomicBool,
}

/// How it went, by who asked.
struct Record {
    turns: Numbered,
    starting: AtomicUsize,
    /// Each asker's own start.
    starts: Vec<Start>,
}

/// One asks for a turn. Every other one of those that get it fails.
fn ask(record: &Record, number: usize) {
    let was_over: Vec<bool> = record
        .starts
        .iter()
        .map(|start| start.over.load(Ordering::SeqCst))
        .collect();
    match record.turns.take(7) {
        Err(Circle) => panic!("nobody waits for another here"),
        Ok(Taken::Mine(turn)) => {
            let before = record.starting.fetch_add(1, Ordering::SeqCst);
            assert_eq!(before, 0, "two start at once");
            record.starts[number].begun.store(true, Ordering::SeqCst);
            thread::yield_now();
            record.starting.fetch_sub(1, Ordering::SeqCst);
            if fails(number) {
                turn.fail(number);
            } else {
                drop(turn);
            }
            record.starts[number].over.store(true, Ordering::SeqCst);
        }
        Ok(Taken::Theirs(told)) => {
            // It had begun when this one came back, and was not over when this one came.
            let waited_for = |number: usize| {
                record.starts[number].begun.load(Ordering::SeqCst) && !was_over[number]
            };
            match told {
                Some(failure) => {
                    assert!(fails(failure), "a failure of one that did not fail");
                    assert!(waited_for(failure), "the failure of another start");
                }
                None => assert!(
                    (0..record.starts.len()).any(|other| !fails(other) && waited_for(other)),
                    "all that it may have waited for failed"
                ),
            }
        }
    }
}

const fn fails(number: usize) -> bool {
    number.is_multiple_of(2)
}

/// Some ask for the same, each as often as is said.
fn asking(askers: usize) {
    let record = Arc::new(Record {
        turns: Numbered::new(),
        starting: AtomicUsize::new(0),
        starts: (0..askers).map(|_| Start::default()).collect(),
    });
    let threads: Vec<_> = (0..askers)
        .map(|number| {
            let record = record.clone();
            thread::spawn(move || ask(&record, number))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(
        record
            .starts
            .iter()
            .any(|start| start.begun.load(Ordering::SeqCst))
    );
    nothing_is_left(&record.turns);
}

#[test]
fn one_at_a_time_starts_and_the_others_are_told_what_came_of_it() {
    in_many_orders(|| asking(2));
    in_many_orders(|| asking(4));
}

/// Takes a turn, and within it another. False where that was refused.
fn start(turns: &Numbered, own: u32, needed: u32) -> bool {
    let _own = loop {
        match turns.take(own) {
            Ok(Taken::Mine(turn)) => break turn,
            // Whoever needs this one starts it too.
            Ok(Taken::Theirs(_)) => {}
            Err(Circle) => return false,
        }
    };
    loop {
        match turns.take(needed) {
            Ok(Taken::Mine(_needed)) => return true,
            Ok(Taken::Theirs(_)) => {}
            Err(Circle) => return false,
        }
    }
}

/// Each of some needs the next, and the last the first.
fn needing_each_other(count: u32) {
    let turns = Arc::new(Numbered::new());
    let threads: Vec<_> = (0..count)
        .map(|own| {
            let turns = turns.clone();
            thread::spawn(move || start(&turns, own, (own + 1) % count))
        })
        .collect();
    let refused = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .filter(|went_well| !went_well)
        .count();
    assert!(refused < count as usize, "all were refused; one is enough");
    nothing_is_left(&turns);
}

#[test]
fn those_that_need_each_other_do_not_hang() {
    in_many_orders(|| needing_each_other(2));
    in_many_orders(|| needing_each_other(3));
}

/// One starts a thing by work that is handed to another thread, which needs what a third starts, and
/// that needs the first.
fn handed_on() {
    let turns = Arc::new(Numbered::new());
    let first = {
        let turns = turns.clone();
        thread::spawn(move || {
            let Ok(Taken::Mine(_own)) = turns.take(1) else {
                return false;
            };
            let work = Actor::new();
            let waits = turns.hand_on(work);
            let handed = {
                let turns = turns.clone();
                thread::spawn(move || {
                    let _played = work.play();
                    !matches!(turns.take(2), Err(Circle))
                })
            };
            let went_well = handed.join().unwrap();
            drop(waits);
            went_well
        })
    };
    let third = {
        let turns = turns.clone();
        thread::spawn(move || start(&turns, 2, 1))
    };
    let (first, third) = (first.join().unwrap(), third.join().unwrap());
    assert!(first || third, "both were refused; one is enough");
    nothing_is_left(&turns);
}

#[test]
fn work_that_was_handed_on_is_waited_for_as_its_thread_is() {
    in_many_orders(handed_on);
}
