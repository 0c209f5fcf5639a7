//! Doors: nobody gets in where it was closed, and what was behind goes once, when nobody is inside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use shuttle::thread;

use crate::door::{Door, Doors};
use crate::{in_every_order, in_many_orders};

// What the checks themselves count is none of the checker's business: it would be one more place to
// change threads, and there would be many more orders to look at.

/// What is closed: an instance, with what a test knows of it.
struct Room {
    doors: Doors<Way>,
    known: Arc<Known>,
}

/// What is known of a room, also when it is gone.
#[derive(Default)]
struct Known {
    /// A `close` has come back.
    closed: AtomicBool,
    /// How many are inside.
    inside: AtomicUsize,
    gone: AtomicUsize,
}

impl Drop for Room {
    fn drop(&mut self) {
        assert_eq!(
            self.known.inside.load(Ordering::SeqCst),
            0,
            "it goes under a caller"
        );
        self.known.gone.fetch_add(1, Ordering::SeqCst);
    }
}

/// What is behind a door.
struct Way(Arc<Room>);

impl Room {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            doors: Doors::new(),
            known: Arc::default(),
        })
    }

    fn open(self: &Arc<Self>, door: &Arc<Door<Way>>) {
        self.doors.open(door, Arc::new(Way(self.clone())));
    }

    fn close(&self) -> bool {
        let did = self
            .doors
            .close(|way| std::ptr::eq(Arc::as_ptr(&way.0), self));
        assert!(self.doors.is_closed());
        // Whoever did it: it is closed when any of them comes back.
        self.known.closed.store(true, Ordering::SeqCst);
        did
    }

    #[track_caller]
    fn is_behind(self: &Arc<Self>, door: &Door<Way>) -> bool {
        let inside = door.enter();
        inside.as_ref().is_some_and(|way| Arc::ptr_eq(&way.0, self))
    }
}

/// Goes in and comes out, as a caller does.
fn visit(door: &Door<Way>, rooms: &[Arc<Known>]) {
    let closed: Vec<bool> = rooms
        .iter()
        .map(|known| known.closed.load(Ordering::SeqCst))
        .collect();
    let inside = door.enter();
    let Some(way) = inside.as_ref() else { return };
    let known = &way.0.known;
    for (room, closed) in rooms.iter().zip(closed) {
        assert!(
            !(closed && Arc::ptr_eq(room, known)),
            "it was closed before this caller came"
        );
    }
    known.inside.fetch_add(1, Ordering::SeqCst);
    // Others go on while it is inside.
    thread::yield_now();
    assert_eq!(
        known.gone.load(Ordering::SeqCst),
        0,
        "it goes while a caller is inside"
    );
    known.inside.fetch_sub(1, Ordering::SeqCst);
}

fn door() -> Arc<Door<Way>> {
    Arc::new(Door::new())
}

#[track_caller]
fn is_gone(known: &Known) {
    assert_eq!(known.gone.load(Ordering::SeqCst), 1, "times that it went");
}

type Act = Box<dyn FnOnce() + Send>;

/// Lets all go at once, and waits for them.
fn together(acts: impl IntoIterator<Item = Act>) {
    let threads: Vec<_> = acts.into_iter().map(thread::spawn).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Who is at work around a room.
#[derive(Clone, Copy)]
struct Crew {
    doors: usize,
    /// Whether the doors are open from the beginning.
    open: bool,
    /// Who opens each door.
    openers: usize,
    /// How often somebody goes in by each door.
    visits: usize,
    closers: usize,
}

/// A room, some doors, and threads that open each, go in by each, and close the room.
fn closing(crew: Crew) {
    let room = Room::new();
    let known = room.known.clone();
    let doors: Vec<_> = (0..crew.doors).map(|_| door()).collect();
    let did = Arc::new(AtomicUsize::new(0));
    let mut acts: Vec<Act> = Vec::new();
    for door in &doors {
        if crew.open {
            room.open(door);
        }
        for _ in 0..crew.openers {
            let (room, own) = (room.clone(), door.clone());
            acts.push(Box::new(move || room.open(&own)));
        }
        if crew.visits > 0 {
            let (known, own) = (known.clone(), door.clone());
            acts.push(Box::new(move || {
                for _ in 0..crew.visits {
                    visit(&own, std::slice::from_ref(&known));
                }
            }));
        }
    }
    for _ in 0..crew.closers {
        let (room, did) = (room.clone(), did.clone());
        acts.push(Box::new(move || {
            if room.close() {
                did.fetch_add(1, Ordering::SeqCst);
            }
        }));
    }
    together(acts);
    for door in &doors {
        assert!(!room.is_behind(door), "a door leads to what was closed");
    }
    assert_eq!(
        did.load(Ordering::SeqCst),
        1,
        "closers that were told that they did it"
    );
    // The doors are there still, and nothing but they could keep it.
    drop(room);
    is_gone(&known);
}

/// One door.
const SMALL: Crew = Crew {
    doors: 1,
    open: false,
    openers: 0,
    visits: 0,
    closers: 1,
};

#[test]
fn nobody_gets_in_where_it_was_closed() {
    in_every_order(|| {
        closing(Crew {
            openers: 1,
            ..SMALL
        });
    });
    in_every_order(|| {
        closing(Crew {
            open: true,
            visits: 2,
            ..SMALL
        });
    });
    in_many_orders(|| {
        closing(Crew {
            doors: 2,
            openers: 2,
            visits: 2,
            ..SMALL
        });
    });
}

#[test]
fn one_of_several_closers_did_it() {
    in_every_order(|| {
        closing(Crew {
            open: true,
            closers: 2,
            ..SMALL
        });
    });
    in_many_orders(|| {
        closing(Crew {
            doors: 2,
            openers: 1,
            visits: 1,
            closers: 3,
            open: false,
        });
    });
}

/// A door to one room that is led to a second, while the first is closed and somebody goes in.
///
/// `belated` found the first before it was closed, and comes to open the door now.
fn succession(belated: bool, visits: usize) {
    let (first, second) = (Room::new(), Room::new());
    let known = [first.known.clone(), second.known.clone()];
    let door = door();
    first.open(&door);
    let mut acts: Vec<Act> = Vec::new();
    let room = first.clone();
    acts.push(Box::new(move || {
        room.close();
    }));
    let (room, own) = (second.clone(), door.clone());
    acts.push(Box::new(move || room.open(&own)));
    if belated {
        let (room, own) = (first.clone(), door.clone());
        acts.push(Box::new(move || room.open(&own)));
    }
    if visits > 0 {
        let (own, known) = (door.clone(), known.clone());
        acts.push(Box::new(move || {
            for _ in 0..visits {
                visit(&own, &known);
            }
        }));
    }
    together(acts);
    assert!(!first.is_behind(&door), "it leads to what was closed");
    let nowhere = door.enter().is_none();
    assert!(nowhere || second.is_behind(&door));
    if nowhere {
        // Whoever finds it shut opens it again.
        second.open(&door);
        assert!(second.is_behind(&door));
    }
    drop(first);
    is_gone(&known[0]);
    second.close();
    drop(second);
    is_gone(&known[1]);
}

#[test]
fn a_door_that_is_led_elsewhere_never_leads_back() {
    in_every_order(|| succession(false, 0));
    in_many_orders(|| succession(true, 2));
}

/// A door that a new catalog shuts, while the room is closed and the door opened.
fn shutting(closes: bool) {
    let room = Room::new();
    let known = room.known.clone();
    let door = door();
    room.open(&door);
    let mut acts: Vec<Act> = Vec::new();
    let own = door.clone();
    acts.push(Box::new(move || own.shut()));
    let (opener, own) = (room.clone(), door.clone());
    acts.push(Box::new(move || opener.open(&own)));
    if closes {
        let closer = room.clone();
        acts.push(Box::new(move || {
            closer.close();
        }));
    }
    together(acts);
    room.close();
    assert!(door.enter().is_none());
    drop(room);
    is_gone(&known);
}

#[test]
fn a_door_may_be_shut_at_any_time() {
    in_every_order(|| shutting(false));
    in_many_orders(|| shutting(true));
}

/// Handles come and go, and every third stays.
fn coming_and_going(room: &Arc<Room>, count: usize) -> Vec<Arc<Door<Way>>> {
    let come = |number: usize| {
        let door = door();
        room.open(&door);
        number.is_multiple_of(3).then_some(door)
    };
    (0..count).filter_map(come).collect()
}

/// So many doors that those that are gone are taken off the list, also while it is closed.
fn many_doors() {
    let room = Room::new();
    let known = room.known.clone();
    let mut kept = coming_and_going(&room, 120);
    assert!(kept.iter().all(|door| room.is_behind(door)));
    let opener = room.clone();
    let opening = thread::spawn(move || coming_and_going(&opener, 60));
    let closer = room.clone();
    let closing = thread::spawn(move || closer.close());
    kept.extend(opening.join().unwrap());
    assert!(closing.join().unwrap());
    assert!(kept.iter().all(|door| door.enter().is_none()));
    drop(room);
    is_gone(&known);
}

#[test]
fn doors_that_stay_are_shut_however_many_are_gone() {
    shuttle::check_random(many_doors, 150);
}
