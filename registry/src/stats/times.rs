//! How long calls took.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::histogram::{Place, middle_of};

/// How long calls took: how many there were, the mean, and any quantile to within 1.6 %.
///
/// It keeps counts for ranges of durations, so that [merging](Self::merge) several loses nothing: the
/// quantiles of the whole are what they would have been, had all been recorded in one. Where
/// nothing was recorded, every duration is zero.
///
/// Serialized it is `count`, `mean_ns`, `min_ns`, `p50_ns`, `p95_ns`, `p99_ns` and `max_ns`, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The ranges that something is in.
    buckets: BTreeMap<Place, u64>,
    count: u64,
    /// All durations together, in nanoseconds, as are those below.
    sum: u128,
    /// The shortest and the longest, once there is one.
    bounds: Option<(u64, u64)>,
}

impl Times {
    /// How many durations this is of.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> Duration {
        let mean = self.sum.checked_div(u128::from(self.count));
        Duration::from_nanos(mean.map_or(0, |mean| u64::try_from(mean).unwrap_or(u64::MAX)))
    }

    /// The shortest, exactly.
    #[must_use]
    pub fn min(&self) -> Duration {
        Duration::from_nanos(self.bounds.unwrap_or_default().0)
    }

    /// The longest, exactly.
    #[must_use]
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.bounds.unwrap_or_default().1)
    }

    /// The median.
    #[must_use]
    pub fn p50(&self) -> Duration {
        self.quantile(0.5)
    }

    /// What 95 % took no longer than.
    #[must_use]
    pub fn p95(&self) -> Duration {
        self.quantile(0.95)
    }

    /// What 99 % took no longer than.
    #[must_use]
    pub fn p99(&self) -> Duration {
        self.quantile(0.99)
    }

    /// What this part of all took no longer than, to within 1.6 %. A part below 0 is taken for 0, one
    /// above 1 for 1, and these give the shortest and the longest.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Duration {
        let Some((shortest, longest)) = self.bounds else {
            return Duration::ZERO;
        };
        if part >= 1.0 {
            return Duration::from_nanos(longest);
        }
        // A float that is negative or no number becomes 0.
        let rank = (part * self.count as f64).ceil() as u64;
        if rank == 0 {
            return Duration::from_nanos(shortest);
        }
        let mut below = 0;
        let reached = |(_, count): &(&Place, &u64)| {
            below += **count;
            below >= rank
        };
        let bucket = self.buckets.iter().find(reached);
        let nanos = bucket.map_or(longest, |(place, _)| middle_of(*place));
        Duration::from_nanos(nanos.clamp(shortest, longest))
    }

    /// Adds others, as if all had been recorded in one.
    pub fn merge(&mut self, other: &Self) {
        for (place, count) in &other.buckets {
            *self.buckets.entry(*place).or_default() += count;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.widen(other.bounds);
    }

    fn widen(&mut self, bounds: Option<(u64, u64)>) {
        self.bounds = match (self.bounds, bounds) {
            (Some((shortest, longest)), Some((low, high))) => {
                Some((shortest.min(low), longest.max(high)))
            }
            (own, other) => own.or(other),
        };
    }

    pub(super) fn add(&mut self, place: Place, count: u64) {
        if count > 0 {
            *self.buckets.entry(place).or_default() += count;
            self.count += count;
        }
    }

    /// The rest of what is read of a histogram, of which the shortest is above the longest when
    /// nothing was recorded in it.
    pub(super) fn add_bounds(&mut self, sum: u64, shortest: u64, longest: u64) {
        self.sum += u128::from(sum);
        self.widen((shortest <= longest).then_some((shortest, longest)));
    }
}

impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let mut fields = serializer.serialize_struct("Times", 7)?;
        fields.serialize_field("count", &self.count)?;
        fields.serialize_field("mean_ns", &nanos(self.mean()))?;
        fields.serialize_field("min_ns", &nanos(self.min()))?;
        fields.serialize_field("p50_ns", &nanos(self.p50()))?;
        fields.serialize_field("p95_ns", &nanos(self.p95()))?;
        fields.serialize_field("p99_ns", &nanos(self.p99()))?;
        fields.serialize_field("max_ns", &nanos(self.max()))?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::histogram::Histogram;
    use super::*;

    fn times(nanos: impl IntoIterator<Item = u64>) -> Times {
        let histogram = Histogram::default();
        for nanos in nanos {
            histogram.record(nanos, 1);
        }
        let mut times = Times::default();
        histogram.read_into(&mut times);
        times
    }

    #[test]
    fn nothing_recorded_is_zero() {
        let times = times([]);
        assert_eq!(times, Times::default());
        assert_eq!(
            serde_json::to_value(&times).unwrap(),
            serde_json::json!({
                "count": 0, "mean_ns": 0, "min_ns": 0,
                "p50_ns": 0, "p95_ns": 0, "p99_ns": 0, "max_ns": 0,
            })
        );
    }

    #[test]
    fn quantiles() {
        let times = times(1..=20);
        let quantile = |part| times.quantile(part).as_nanos();
        for (part, expected) in [
            (f64::NAN, 1),
            (-1.0, 1),
            (0.0, 1),
            (0.05, 1),
            (0.051, 2),
            (0.5, 10),
            (0.95, 19),
            (0.99, 20),
            (1.0, 20),
            (2.0, 20),
        ] {
            assert_eq!(quantile(part), expected, "{part}");
        }
        assert_eq!(
            serde_json::to_value(&times).unwrap(),
            serde_json::json!({
                "count": 20, "mean_ns": 10, "min_ns": 1,
                "p50_ns": 10, "p95_ns": 19, "p99_ns": 20, "max_ns": 20,
            })
        );
    }

    #[test]
    fn a_single_duration_is_every_quantile_exactly() {
        // Not the middle of its bucket: nothing lies outside of what was seen.
        let times = times([1_000_003]);
        assert_eq!(times.p50(), Duration::from_nanos(1_000_003));
        assert_eq!(times.mean(), times.max());
    }

    proptest! {
        #[test]
        fn merged_is_as_if_recorded_in_one(
            first in prop::collection::vec(0..1u64 << 42, 0..50),
            second in prop::collection::vec(0..1u64 << 20, 0..50),
            part in 0.0..1.0f64,
        ) {
            let mut merged = times(first.iter().copied());
            merged.merge(&times(second.iter().copied()));
            let mut all = [first, second].concat();
            prop_assert_eq!(&merged, &times(all.iter().copied()));
            if all.is_empty() {
                return Ok(());
            }
            all.sort_unstable();
            let rank = (part * all.len() as f64).ceil() as usize;
            let exact = all[rank.saturating_sub(1)];
            let found = merged.quantile(part).as_nanos() as u64;
            prop_assert!(found.abs_diff(exact) * 64 <= exact, "{found} for {exact}");
        }
    }
}
