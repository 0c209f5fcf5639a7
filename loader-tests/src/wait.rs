//! Waits for what happens on another thread.

use std::time::{Duration, Instant};

use floe_registry::{Event, Received, Subscription};

/// How long to wait at most: a bound on hanging, not on speed.
const LIMIT: Duration = Duration::from_secs(180);

/// Waits until something is so.
#[track_caller]
pub fn until(mut so: impl FnMut() -> bool) {
    until_some(|| so().then_some(()));
}

/// Waits until something is there.
#[track_caller]
pub fn until_some<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < LIMIT, "waited too long");
        std::thread::yield_now();
    }
}

/// Waits for an event that is wanted; those before it are passed over.
#[track_caller]
pub fn for_event<T>(events: &mut Subscription<Event>, wanted: impl Fn(&Event) -> Option<T>) -> T {
    let began = Instant::now();
    let mut seen = Vec::new();
    loop {
        let left = LIMIT.saturating_sub(began.elapsed());
        match events.recv_timeout(left) {
            Some(Received::Event(_, event)) => match wanted(&event) {
                Some(found) => return found,
                None => seen.push(event.to_string()),
            },
            Some(Received::Missed(count)) => panic!("{count} events were missed"),
            None => panic!("it did not come; what came: {seen:#?}"),
        }
    }
}
