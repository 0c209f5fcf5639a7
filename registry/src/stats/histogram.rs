//! A histogram of durations that one thread writes and any may read.
//!
//! Durations are counted in nanoseconds, in 32 equal buckets for each power of two, so that the
//! middle of a bucket is off by 1/64 of any duration in it at most (1.6 %); below 32 ns each has its
//! own. That reaches from 0 to 2⁴² ns (73 minutes), and what is longer counts as that. The buckets of
//! a power of two are allocated when the first duration falls into them, so that an idle histogram
//! has 632 bytes and one in use about 256 more for each doubling that it has seen.
//!
//! (The crate `hdrhistogram` has buckets like these. It allocates all of them at once, 37 KB for two
//! digits of this range, and recording by several threads takes one such for each. There is one
//! histogram here for each executor and thread that calls it.)

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::times::Times;

/// How many buckets a page has. Each page but the first spans a power of two.
const PAGE: usize = 32;
const PAGE_BITS: u32 = PAGE.trailing_zeros();
/// Durations in nanoseconds are below two to the power of this.
const LONGEST_BITS: u32 = 42;
const PAGES: usize = (LONGEST_BITS - PAGE_BITS + 1) as usize;

/// A page and a bucket on it.
pub(super) type Place = (u8, u8);

/// The bucket of a duration.
#[inline]
pub(super) fn place_of(nanos: u64) -> Place {
    let nanos = nanos.min((1 << LONGEST_BITS) - 1);
    // How many bits a duration has more than the numbers below 64: its page is of buckets so wide.
    let shift = (nanos | (PAGE as u64)).ilog2() - PAGE_BITS;
    let in_page = nanos >> shift;
    if in_page < PAGE as u64 {
        (0, in_page as u8)
    } else {
        (shift as u8 + 1, (in_page - PAGE as u64) as u8)
    }
}

/// The middle of a bucket, in nanoseconds.
pub(super) fn middle_of((page, bucket): Place) -> u64 {
    if page == 0 {
        return u64::from(bucket);
    }
    let shift = page - 1;
    let lowest = (PAGE as u64 + u64::from(bucket)) << shift;
    lowest + ((1 << shift) >> 1)
}

type Page = [AtomicU64; PAGE];

/// Counts of durations. Nothing is lost only if one thread at a time records.
pub(super) struct Histogram {
    pages: [OnceLock<Box<Page>>; PAGES],
    sum: AtomicU64,
    shortest: AtomicU64,
    longest: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            pages: [const { OnceLock::new() }; PAGES],
            sum: AtomicU64::new(0),
            shortest: AtomicU64::new(u64::MAX),
            longest: AtomicU64::new(0),
        }
    }
}

/// Adds without a locked instruction: there is one writer.
#[inline]
fn add(counter: &AtomicU64, amount: u64) {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(amount);
    counter.store(sum, Ordering::Relaxed);
}

impl Histogram {
    /// Counts a duration as often as `weight` says.
    pub(super) fn record(&self, nanos: u64, weight: u64) {
        let (page, bucket) = place_of(nanos);
        let page = self.pages[usize::from(page)].get_or_init(Box::default);
        add(&page[usize::from(bucket)], weight);
        add(&self.sum, nanos.saturating_mul(weight));
        if nanos < self.shortest.load(Ordering::Relaxed) {
            self.shortest.store(nanos, Ordering::Relaxed);
        }
        if nanos > self.longest.load(Ordering::Relaxed) {
            self.longest.store(nanos, Ordering::Relaxed);
        }
    }

    /// Adds what was recorded to `times`. What is recorded meanwhile may be in it by half.
    pub(super) fn read_into(&self, times: &mut Times) {
        for (number, page) in (0..).zip(&self.pages) {
            for (bucket, count) in (0..).zip(page.get().into_iter().flat_map(|page| page.iter())) {
                times.add((number, bucket), count.load(Ordering::Relaxed));
            }
        }
        times.add_bounds(
            self.sum.load(Ordering::Relaxed),
            self.shortest.load(Ordering::Relaxed),
            self.longest.load(Ordering::Relaxed),
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(nanos: u64, place: Place, middle: u64) {
        assert_eq!(place_of(nanos), place);
        assert_eq!(middle_of(place), middle);
    }

    #[test]
    fn buckets() {
        check(0, (0, 0), 0);
        check(31, (0, 31), 31);
        check(32, (1, 0), 32);
        check(63, (1, 31), 63);
        check(64, (2, 0), 65);
        check(65, (2, 0), 65);
        check(66, (2, 1), 67);
        check(1 << 41, (37, 0), (1 << 41) + (1 << 35));
        check((1 << 42) - 1, (37, 31), (1 << 42) - (1 << 36) + (1 << 35));
        assert_eq!(place_of(1 << 42), (37, 31));
        assert_eq!(place_of(u64::MAX), (37, 31));
        assert_eq!(PAGES, 38);
    }

    proptest! {
        #[test]
        fn a_bucket_is_near_all_that_is_in_it(bits in 1..=LONGEST_BITS, number in any::<u64>()) {
            let nanos = number >> (u64::BITS - bits);
            let place = place_of(nanos);
            prop_assert!(usize::from(place.0) < PAGES && usize::from(place.1) < PAGE);
            prop_assert!(middle_of(place).abs_diff(nanos) * 64 <= nanos);
            // A longer duration is in no earlier bucket.
            prop_assert!(place_of(nanos + 1) >= place);
            prop_assert_eq!(place_of(middle_of(place)), place);
        }
    }

    #[test]
    fn an_idle_histogram_is_small() {
        assert!(size_of::<Histogram>() < 1024, "{}", size_of::<Histogram>());
        let histogram = Histogram::default();
        histogram.record(1_000, 1);
        histogram.record(1_001, 1);
        let pages = histogram.pages.iter().filter(|page| page.get().is_some());
        assert_eq!(pages.count(), 1);
    }

    #[test]
    fn what_was_recorded_is_read() {
        let histogram = Histogram::default();
        histogram.record(10, 3);
        histogram.record(70, 1);
        let mut times = Times::default();
        histogram.read_into(&mut times);
        assert_eq!(times.count(), 4);
        assert_eq!(times.mean().as_nanos(), 25);
        assert_eq!(times.min().as_nanos(), 10);
        assert_eq!(times.max().as_nanos(), 70);
    }
}
