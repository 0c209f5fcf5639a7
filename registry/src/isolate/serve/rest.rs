//! What large values leave behind in a worker, given back when the thread that had them has nothing to do.
//!
//! The C library keeps what is freed, of each thread apart, and for the next large value that is most of the time
//! saved. What lies at the end of a thread's memory, it gives back when that thread frees something, and not when
//! another one asks it to.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::super::wire::mapped;

/// How long after its last large value a thread that waits for a frame gives back what that has left behind.
const REST: Duration = Duration::from_secs(1);

thread_local! {
    static FROM: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Notes that this thread had a large value.
pub(super) fn had_large() {
    FROM.set(Instant::now().checked_add(REST));
}

/// How long this thread waits for a frame before it is to rest, if there is anything to give back; none is how long it
/// looks whether there is one.
pub(super) fn left() -> Option<Duration> {
    let from = FROM.get()?;
    Some(from.saturating_duration_since(Instant::now()))
}

/// Gives it back.
pub(super) fn rest() {
    FROM.set(None);
    mapped::give_back();
}
