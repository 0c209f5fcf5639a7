//! Counts and times the calls of one executor, for a few nanoseconds a call.
//!
//! Each thread counts in cells of its own, so that threads do not slow each other and no instruction
//! is locked; who reads adds the cells up. A thread's cells outlive it, and a later thread goes on
//! with them, so nothing is lost and there are as many as threads called at one time.
//!
//! # Which calls are timed
//!
//! To read the clock twice costs up to 60 ns, several times what a quick call does. So:
//!
//! * While the call timed last, of this executor on this thread, took a microsecond or more, every
//!   call is timed.
//! * Otherwise one in 16 is, on average. Between two timed calls lie gaps of a random length, each
//!   from 1 to 31 as likely, so that no rhythm in the calls can hide from the clock.
//!
//! A timed call counts for itself and for those since the last timed one. So the counts of the
//! histogram come to the number of calls, less the few that no timed call has followed yet; and where
//! a call's duration has nothing to do with its place among the others, each duration is counted as
//! often, on average, as it occurred. What that does not give: among quick calls a rare slow one is
//! seen by one chance in 16 and then counts for several, and the longest duration is the longest that
//! was timed.
//!
//! A call within a call is counted and timed like any other.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use floe_plugin_api::ErrorKind;
use thread_local::ThreadLocal;

use super::CallStats;
use super::histogram::Histogram;

/// From this duration on, reading the clock is small beside a call.
const SLOW: Duration = Duration::from_micros(1);
/// The longest gap between timed calls; 16 on average.
const LONGEST_GAP: u64 = 31;

/// Counts and times the calls of one executor.
#[derive(Default)]
pub(crate) struct Recorder {
    cells: ThreadLocal<Cells>,
    /// By the place of the kind in [`ErrorKind::ALL`]. Failed calls are slow anyway, so the threads
    /// share these.
    errors: [AtomicU64; ErrorKind::ALL.len()],
}

/// One thread's part. Only that thread writes. (Aligned to cache lines, so that the cells of another
/// do not slow it.)
#[repr(align(64))]
struct Cells {
    begun: AtomicU64,
    ended: AtomicU64,
    /// The number of the call that is timed next, counted as `begun` is.
    next: AtomicU64,
    /// The number of the call timed last.
    last: AtomicU64,
    /// The state of the random numbers.
    random: AtomicU64,
    times: Histogram,
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            // The first call is timed, as it may be the only one.
            next: AtomicU64::new(1),
            last: AtomicU64::new(0),
            // Any number but 0.
            random: AtomicU64::new(0x9e37_79b9_7f4a_7c15),
            times: Histogram::default(),
        }
    }
}

impl Recorder {
    /// Counts a call that begins now, on this thread.
    #[inline]
    pub(crate) fn begin(&self) -> Entry<'_> {
        let cells = self.cells.get().or_else(|| self.first());
        Entry {
            recorder: self,
            timed: cells.and_then(Cells::begin),
            cells,
            on_this_thread: PhantomData,
        }
    }

    /// The cells of a thread that has not called yet. `None` on one that is ending and has dropped
    /// what it kept for itself: its calls, from destructors, are not counted.
    #[cold]
    fn first(&self) -> Option<&Cells> {
        struct Ending;
        impl Drop for Ending {
            fn drop(&mut self) {}
        }
        thread_local!(static ENDING: Ending = const { Ending });
        // The thread's number among the cells is kept likewise, and asking for it later would panic.
        ENDING
            .try_with(|_| ())
            .is_ok()
            .then(|| self.cells.get_or_default())
    }

    /// Counts an error of a call that was given up, which may not have begun and has not ended.
    pub(crate) fn count_error(&self, kind: ErrorKind) {
        if let Some(count) = self.errors.get(kind as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was counted so far.
    pub(crate) fn read(&self) -> CallStats {
        let mut stats = CallStats::default();
        for cells in &self.cells {
            // Ended ones first: a call whose end is seen must be seen to have begun.
            let ended = cells.ended.load(Ordering::Acquire);
            let begun = cells.begun.load(Ordering::Relaxed);
            stats.calls += begun;
            stats.in_flight += begun.saturating_sub(ended);
            cells.times.read_into(&mut stats.times);
        }
        for (kind, count) in ErrorKind::ALL.iter().zip(&self.errors) {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                stats.errors.insert(*kind, count);
            }
        }
        stats
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

/// That a call is timed: since when, and how many it counts for.
type Timed = (Instant, u64);

impl Cells {
    #[inline]
    fn begin(&self) -> Option<Timed> {
        let number = self.begun.load(Ordering::Relaxed) + 1;
        self.begun.store(number, Ordering::Relaxed);
        let is_timed = number >= self.next.load(Ordering::Relaxed);
        is_timed.then(|| self.begin_timed(number))
    }

    #[inline(never)]
    fn begin_timed(&self, number: u64) -> Timed {
        let last = self.last.load(Ordering::Relaxed);
        // The next one is as far off as this one was, until it is known how long this one took.
        let gap = self.next.load(Ordering::Relaxed).saturating_sub(last);
        self.last.store(number, Ordering::Relaxed);
        self.next.store(number + gap, Ordering::Relaxed);
        (Instant::now(), number - last)
    }

    #[inline]
    fn end(&self) {
        let ended = self.ended.load(Ordering::Relaxed) + 1;
        self.ended.store(ended, Ordering::Release);
    }

    /// Records a timed call, and chooses which is timed next.
    fn record(&self, took: Duration, weight: u64) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.times.record(nanos, weight);
        let last = self.last.load(Ordering::Relaxed);
        if took < SLOW {
            let next = last + self.random_gap();
            self.next.store(next, Ordering::Relaxed);
        } else if last == self.begun.load(Ordering::Relaxed) {
            self.next.store(last + 1, Ordering::Relaxed);
        }
        // Else calls within this one await the call that will count for them too. It must not be the
        // one after this, which would make them all as slow as that is.
    }

    fn random_gap(&self) -> u64 {
        // Marsaglia's xorshift, 64 bits wide.
        let mut random = self.random.load(Ordering::Relaxed);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random.store(random, Ordering::Relaxed);
        // The upper half, spread over the gaps by its size.
        1 + (((random >> 32) * LONGEST_GAP) >> 32)
    }
}

/// A call that has begun. It ends when this is dropped, on the thread on which it began.
#[must_use = "a call ends when its entry is dropped"]
pub(crate) struct Entry<'a> {
    recorder: &'a Recorder,
    cells: Option<&'a Cells>,
    timed: Option<Timed>,
    /// Another thread must not write this one's cells.
    on_this_thread: PhantomData<*const ()>,
}

impl Entry<'_> {
    /// Ends a call that gave an output.
    #[inline]
    pub(crate) fn done(self) {}

    /// Ends a call that gave an error.
    #[cold]
    pub(crate) fn failed(self, kind: ErrorKind) {
        self.recorder.count_error(kind);
    }

    /// Ends a call that took so long.
    #[cfg(test)]
    fn done_after(mut self, took: Duration) {
        if let (Some((_, weight)), Some(cells)) = (self.timed.take(), self.cells) {
            cells.record(took, weight);
        }
    }
}

impl Drop for Entry<'_> {
    #[inline]
    fn drop(&mut self) {
        let Some(cells) = self.cells else { return };
        if let Some((since, weight)) = self.timed {
            end_timed(cells, since, weight);
        }
        cells.end();
    }
}

#[inline(never)]
fn end_timed(cells: &Cells, since: Instant, weight: u64) {
    cells.record(since.elapsed(), weight);
}

#[cfg(test)]
mod tests;
