//! How much, how long and how often.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::admit::QuarantineSettings;

/// How many plugins are started at once where nothing else is set.
pub(crate) const PARALLEL: usize = 5;

/// How long a plugin may take; `None` is as long as it likes.
///
/// ```
/// use std::time::Duration;
/// use floe_registry::Deadlines;
///
/// let deadlines = Deadlines::default().call(Duration::from_secs(10)).stop(None);
/// assert_eq!(deadlines.create, Some(Duration::from_secs(30)));
/// assert_eq!(deadlines.stop, None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deadlines {
    /// To start an instance; 30 s by default.
    pub create: Option<Duration>,
    /// To say how it is; 5 s by default.
    pub health: Option<Duration>,
    /// To end its work; 30 s by default.
    pub stop: Option<Duration>,
    /// To answer a call, where the call's own deadline is not shorter; none by default.
    pub call: Option<Duration>,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            create: Some(Duration::from_secs(30)),
            health: Some(Duration::from_secs(5)),
            stop: Some(Duration::from_secs(30)),
            call: None,
        }
    }
}

impl Deadlines {
    /// Sets how long a start may take.
    #[must_use]
    pub fn create(mut self, create: impl Into<Option<Duration>>) -> Self {
        self.create = create.into();
        self
    }

    /// Sets how long a plugin may take to say how it is.
    #[must_use]
    pub fn health(mut self, health: impl Into<Option<Duration>>) -> Self {
        self.health = health.into();
        self
    }

    /// Sets how long a plugin may take to end its work.
    #[must_use]
    pub fn stop(mut self, stop: impl Into<Option<Duration>>) -> Self {
        self.stop = stop.into();
        self
    }

    /// Sets how long a call may take at most; its own deadline may be shorter.
    #[must_use]
    pub fn call(mut self, call: impl Into<Option<Duration>>) -> Self {
        self.call = call.into();
        self
    }
}

/// How many instances may live at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceLimits {
    /// How many; 1000 by default, never 0.
    pub capacity: usize,
    /// What they may weigh together; `None`, the default, is as much as they like.
    pub weight: Option<u64>,
}

impl Default for InstanceLimits {
    fn default() -> Self {
        Self {
            capacity: 1000,
            weight: None,
        }
    }
}

impl InstanceLimits {
    /// Sets how many instances there may be; 0 is taken as 1.
    #[must_use]
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity.max(1);
        self
    }

    /// Sets what all instances may weigh together.
    #[must_use]
    pub fn weight(mut self, weight: impl Into<Option<u64>>) -> Self {
        self.weight = weight.into();
        self
    }
}

/// When a plugin that panics again and again is let be for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CircuitSettings {
    /// After how many panics; 5 by default, never 0.
    pub panics: u32,
    /// Within which time; 60 s by default.
    pub window: Duration,
    /// For how long; 30 s by default.
    pub rest: Duration,
}

impl Default for CircuitSettings {
    fn default() -> Self {
        Self {
            panics: 5,
            window: Duration::from_secs(60),
            rest: Duration::from_secs(30),
        }
    }
}

impl CircuitSettings {
    /// Sets after how many panics; 0 is taken as 1.
    #[must_use]
    pub fn panics(mut self, panics: u32) -> Self {
        self.panics = panics.max(1);
        self
    }

    /// Sets within which time the panics count together.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Sets for how long the plugin is let be.
    #[must_use]
    pub fn rest(mut self, rest: Duration) -> Self {
        self.rest = rest;
        self
    }
}

/// The table `[deadlines]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DeadlinesTable {
    create: Option<Limit>,
    health: Option<Limit>,
    stop: Option<Limit>,
    call: Option<Limit>,
}

impl From<DeadlinesTable> for Deadlines {
    fn from(table: DeadlinesTable) -> Self {
        let standard = Self::default();
        let or = |limit: Option<Limit>, standard| limit.map_or(standard, |Limit(limit)| limit);
        Self {
            create: or(table.create, standard.create),
            health: or(table.health, standard.health),
            stop: or(table.stop, standard.stop),
            call: or(table.call, standard.call),
        }
    }
}

/// The table `[instances]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct InstancesTable {
    capacity: Option<NonZeroUsize>,
    weight: Option<NonZeroU64>,
}

impl From<InstancesTable> for InstanceLimits {
    fn from(table: InstancesTable) -> Self {
        Self {
            capacity: table.capacity.map_or(Self::default().capacity, Into::into),
            weight: table.weight.map(Into::into),
        }
    }
}

/// The table `[circuit]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CircuitTable {
    panics: Option<NonZeroU32>,
    window: Option<Span>,
    rest: Option<Span>,
}

impl From<CircuitTable> for CircuitSettings {
    fn from(table: CircuitTable) -> Self {
        let standard = Self::default();
        let or = |span: Option<Span>, standard| span.map_or(standard, |Span(span)| span);
        Self {
            panics: table.panics.map_or(standard.panics, Into::into),
            window: or(table.window, standard.window),
            rest: or(table.rest, standard.rest),
        }
    }
}

/// The table `[quarantine]`: a count of 0 is never.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct QuarantineTable {
    failed_starts: Option<u32>,
    openings: Option<u32>,
    crashes: Option<u32>,
    first: Option<Span>,
    longest: Option<Span>,
}

impl From<QuarantineTable> for QuarantineSettings {
    fn from(table: QuarantineTable) -> Self {
        let standard = Self::default();
        let or = |span: Option<Span>, standard| span.map_or(standard, |Span(span)| span);
        standard
            .failed_starts(table.failed_starts.unwrap_or(standard.failed_starts))
            .openings(table.openings.unwrap_or(standard.openings))
            .crashes(table.crashes.unwrap_or(standard.crashes))
            .first(or(table.first, standard.first))
            .longest(or(table.longest, standard.longest))
    }
}

/// The table `[start]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StartTable {
    parallel: Option<NonZeroUsize>,
}

impl StartTable {
    pub(super) fn parallel(&self) -> usize {
        self.parallel.map_or(PARALLEL, Into::into)
    }
}

/// A duration.
pub(super) struct Span(pub(super) Duration);

/// A duration, or `none`.
pub(super) struct Limit(pub(super) Option<Duration>);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(DurationVisitor { or_none: false })
            .and_then(|span| span.map(Self).ok_or_else(|| de::Error::custom(EXPECTED)))
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(DurationVisitor { or_none: true })
            .map(Self)
    }
}

const EXPECTED: &str = "a duration such as `500ms`, `30s`, `2m` or `1h`";

struct DurationVisitor {
    or_none: bool,
}

impl Visitor<'_> for DurationVisitor {
    type Value = Option<Duration>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)?;
        match self.or_none {
            true => f.write_str(", or `none`"),
            false => Ok(()),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if self.or_none && text == "none" {
            return Ok(None);
        }
        match duration(text) {
            Some(duration) => Ok(Some(duration)),
            None => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }
}

/// Reads a whole number above 0 with its unit.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(60 * 60),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, milliseconds) in [
            ("1ms", 1),
            ("500ms", 500),
            ("30s", 30_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "30",
            "s",
            "0s",
            "-1s",
            "1.5s",
            "1 s",
            " 1s",
            "1S",
            "1d",
            "1s1ms",
            "none",
            "é",
            "18446744073709551616ms",
            "18446744073709551615h",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn when_a_content_is_quarantined() {
        let read = |text| toml::from_str::<QuarantineTable>(text).map(QuarantineSettings::from);
        let standard = QuarantineSettings::default();
        assert_eq!(read("").unwrap(), standard);
        let text =
            "failed_starts = 5\nopenings = 3\ncrashes = 3\nfirst = \"1m\"\nlongest = \"24h\"";
        assert_eq!(read(text).unwrap(), standard);
        assert_eq!(
            read("openings = 0\nfirst = \"5s\"").unwrap(),
            standard.openings(0).first(Duration::from_secs(5))
        );
        for text in ["first = \"none\"", "crashes = -1", "panics = 1"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn none_of_anything_would_stop_everything() {
        assert_eq!(InstanceLimits::default().capacity(0).capacity, 1);
        assert_eq!(CircuitSettings::default().panics(0).panics, 1);
    }
}
