//! Turns, taken by threads of the system. `tests/model` takes them in every order.

use std::sync::{Arc, Barrier};
use std::thread;

use super::turn::*;

type Numbered = Turns<u32, &'static str>;

fn mine<'a>(turns: &'a Numbered, key: u32) -> Option<Turn<'a, u32, &'static str>> {
    match turns.take(key) {
        Ok(Taken::Mine(turn)) => Some(turn),
        Ok(Taken::Theirs(_)) | Err(Circle) => None,
    }
}

#[test]
fn a_thread_does_not_wait_for_itself() {
    let turns = Numbered::new();
    let _first = mine(&turns, 1).unwrap();
    assert!(turns.take(1).is_err());
    let _other = mine(&turns, 2).unwrap();
    assert!(turns.take(1).is_err());
}

#[test]
fn two_that_need_each_other_are_told_and_do_not_hang() {
    let turns = Numbered::new();
    let both = Barrier::new(2);
    let start = |own, needed| {
        let _own = mine(&turns, own).unwrap();
        both.wait();
        turns.take(needed).is_ok()
    };
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(|| start(11, 12));
        let second = scope.spawn(|| start(12, 11));
        (first.join().unwrap(), second.join().unwrap())
    });
    // One is refused; then it ends its own, and the other goes on.
    assert!(first != second, "{first} {second}");
}

#[test]
fn work_that_was_handed_on_does_not_wait_for_who_handed_it_on() {
    let turns = Arc::new(Numbered::new());
    let own = mine(&turns, 1).unwrap();
    let work = Actor::new();
    let waits = turns.hand_on(work);
    let refused = || {
        let _played = work.play();
        turns.take(1).is_err()
    };
    assert!(thread::scope(|scope| scope.spawn(refused).join().unwrap()));
    // Nobody waits for it any more: it may wait for the start.
    drop(waits);
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let _played = work.play();
            matches!(turns.take(1), Ok(Taken::Theirs(Some("late"))))
        });
        while turns.under_way().1 == 0 {
            thread::yield_now();
        }
        own.fail("late");
        assert!(waits.join().unwrap());
    });
}

#[test]
fn those_who_waited_share_the_failure_and_those_who_come_later_do_not() {
    let turns = Numbered::new();
    let turn = mine(&turns, 7).unwrap();
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| matches!(turns.take(7), Ok(Taken::Theirs(Some("no"))))))
            .collect();
        while turns.under_way().1 < 8 {
            thread::yield_now();
        }
        turn.fail("no");
        for waiter in waiters {
            assert!(waiter.join().unwrap());
        }
    });
    assert!(mine(&turns, 7).is_some());
    assert_eq!(turns.under_way(), (0, 0));
}
