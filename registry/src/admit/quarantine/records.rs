//! What is known of each content, and what becomes of it: no clock and no file is looked at here.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::{Cause, QuarantineSettings, Quarantined};
use crate::discover::printable;
use crate::id::Digest;

/// How many contents are known at most; the oldest are forgotten for new ones.
pub(super) const CAPACITY: usize = 10_000;

/// How many faults of one cause are remembered: a higher count in the settings is taken as this.
pub(super) const MOST_STRIKES: u32 = 100;

/// How long a reason may be, in characters.
pub(super) const REASON_LIMIT: usize = 500;

/// What happens to a content.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    Fault {
        digest: Digest,
        plugin: String,
        version: Version,
        cause: Cause,
        reason: String,
        now: Timestamp,
    },
    Started(Digest),
    Recovered(Digest),
    Reconfigured(Digest),
    /// Everything is forgotten of one content, or of all.
    Clear(Option<Digest>),
}

/// What came of an [`Edit`].
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Whether anything is different now.
    pub(super) has_changed: bool,
    /// What is quarantined by a fault, or was forgotten.
    pub(super) entries: Vec<Quarantined>,
}

/// What is known of all contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Records(BTreeMap<Digest, Record>);

/// What is known of a content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    #[serde(deserialize_with = "digest")]
    digest: Digest,
    plugin: String,
    version: Version,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quarantine: Option<Entry>,
    #[serde(default, skip_serializing_if = "Strikes::is_empty")]
    strikes: Strikes,
}

/// That it is left alone, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    cause: Cause,
    reason: String,
    count: u32,
    since: Timestamp,
    until: Timestamp,
}

/// When it faulted, as far as that counts still.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Strikes {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed_starts: Vec<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    openings: Vec<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    crashes: Vec<Timestamp>,
}

impl Entry {
    /// Whether it was over too long ago, or, as a clock that was wrong had it, begins too far ahead.
    fn is_forgotten(&self, longest: Duration, now: Timestamp) -> bool {
        if self.until > now {
            self.since > now && !is_near(self.since, longest, now)
        } else {
            !is_near(self.until, longest, now)
        }
    }
}

/// Whether a time is no longer ago than this, and, as a clock that was wrong may have had it, no
/// further ahead.
fn is_near(time: Timestamp, longest: Duration, now: Timestamp) -> bool {
    now.duration_since(time).unsigned_abs() <= longest
}

impl Strikes {
    fn of(&mut self, cause: Cause) -> &mut Vec<Timestamp> {
        match cause {
            Cause::FailedStarts => &mut self.failed_starts,
            Cause::Panics => &mut self.openings,
            Cause::Crashes => &mut self.crashes,
        }
    }

    fn all(&self) -> impl Iterator<Item = Timestamp> {
        let all = [&self.failed_starts, &self.openings, &self.crashes];
        all.into_iter().flatten().copied()
    }

    fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    fn retain(&mut self, counts: impl Fn(Timestamp) -> bool) {
        for times in [
            &mut self.failed_starts,
            &mut self.openings,
            &mut self.crashes,
        ] {
            times.retain(|time| counts(*time));
        }
    }
}

impl Record {
    fn entry(&self) -> Option<Quarantined> {
        let entry = self.quarantine.as_ref()?;
        Some(Quarantined {
            digest: self.digest,
            plugin: self.plugin.clone(),
            version: self.version.to_string(),
            cause: entry.cause,
            reason: entry.reason.clone(),
            count: entry.count,
            since: entry.since,
            until: entry.until,
        })
    }

    fn is_empty(&self) -> bool {
        self.quarantine.is_none() && self.strikes.is_empty()
    }

    /// Up to when it matters: what is left alone still outlives what only faulted.
    fn latest(&self) -> Option<Timestamp> {
        let until = self.quarantine.as_ref().map(|entry| entry.until);
        self.strikes.all().chain(until).max()
    }
}

impl Records {
    /// Of these contents; of two that are the same, the later.
    fn new(records: Vec<Record>) -> Self {
        let by_digest = records.into_iter().map(|record| (record.digest, record));
        Self(by_digest.collect())
    }

    /// Reads what [`render`](Self::render) wrote.
    pub(super) fn from_json(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text).map(Self::new)
    }

    /// JSON that people can read, no longer than so many bytes: the oldest are left out for it.
    pub(super) fn render(&mut self, limit: usize) -> Result<Vec<u8>, serde_json::Error> {
        loop {
            let records: Vec<_> = self.0.values().collect();
            let mut text = serde_json::to_vec_pretty(&records)?;
            text.push(b'\n');
            if text.len() <= limit || self.0.is_empty() {
                return Ok(text);
            }
            // More than one at a time, so that it takes a few turns and not thousands.
            self.shrink(self.0.len() - self.0.len().div_ceil(10));
        }
    }

    /// Whether nothing is or was left alone.
    pub(super) fn is_empty(&self) -> bool {
        !self.0.values().any(|record| record.quarantine.is_some())
    }

    /// The content's entry, if it is left alone now.
    pub(super) fn active(
        &self,
        digest: Digest,
        settings: &QuarantineSettings,
        now: Timestamp,
    ) -> Option<Quarantined> {
        let record = self.0.get(&digest)?;
        let entry = record.quarantine.as_ref()?;
        let is_active = entry.until > now && !entry.is_forgotten(settings.longest, now);
        is_active.then(|| record.entry()).flatten()
    }

    /// All that are or were left alone, by plugin and version.
    pub(super) fn list(&self) -> Vec<Quarantined> {
        let mut records: Vec<_> = self.0.values().collect();
        records.sort_by(|a, b| (&a.plugin, &a.version).cmp(&(&b.plugin, &b.version)));
        records.into_iter().filter_map(Record::entry).collect()
    }

    /// Whether this would change anything. A fault of what is left alone already does not: it tells
    /// of an instance from before.
    pub(super) fn is_changed_by(&self, edit: &Edit, settings: &QuarantineSettings) -> bool {
        let strikes = |digest, of: fn(&Strikes) -> &Vec<Timestamp>| {
            let record = self.0.get(digest);
            record.is_some_and(|record| !of(&record.strikes).is_empty())
        };
        match edit {
            Edit::Fault {
                digest, cause, now, ..
            } => settings.limit(*cause) > 0 && self.active(*digest, settings, *now).is_none(),
            Edit::Started(digest) => strikes(digest, |strikes| &strikes.failed_starts),
            Edit::Recovered(digest) => strikes(digest, |strikes| &strikes.openings),
            Edit::Reconfigured(digest) => {
                let record = self.0.get(digest);
                let entry = record.and_then(|record| record.quarantine.as_ref());
                entry.is_some_and(|entry| entry.cause == Cause::FailedStarts)
                    || strikes(digest, |strikes| &strikes.failed_starts)
            }
            Edit::Clear(Some(digest)) => self.0.contains_key(digest),
            Edit::Clear(None) => !self.0.is_empty(),
        }
    }

    /// Lets it happen.
    pub(super) fn apply(&mut self, edit: &Edit, settings: &QuarantineSettings) -> Outcome {
        if !self.is_changed_by(edit, settings) {
            return Outcome::default();
        }
        let mut entries = Vec::new();
        match edit {
            Edit::Fault { digest, now, .. } => {
                self.forget(settings.longest, *now);
                self.insert(edit, settings);
                // Until this fault it was not left alone.
                entries.extend(self.active(*digest, settings, *now));
                self.shrink(CAPACITY);
            }
            Edit::Started(digest) => self.edit(*digest, |record| {
                record.strikes.failed_starts.clear();
            }),
            Edit::Recovered(digest) => self.edit(*digest, |record| record.strikes.openings.clear()),
            Edit::Reconfigured(digest) => self.edit(*digest, |record| {
                record.strikes.failed_starts.clear();
                record
                    .quarantine
                    .take_if(|entry| entry.cause == Cause::FailedStarts);
            }),
            Edit::Clear(Some(digest)) => {
                entries.extend(self.0.remove(digest).and_then(|record| record.entry()));
            }
            Edit::Clear(None) => {
                entries = self.list();
                self.0.clear();
            }
        }
        Outcome {
            has_changed: true,
            entries,
        }
    }

    /// Counts a fault, and does no more.
    pub(super) fn insert(&mut self, edit: &Edit, settings: &QuarantineSettings) {
        let Edit::Fault {
            digest,
            plugin,
            version,
            cause,
            reason,
            now,
        } = edit
        else {
            return;
        };
        let record = self.0.entry(*digest).or_insert_with(|| Record {
            digest: *digest,
            plugin: plugin.clone(),
            version: version.clone(),
            quarantine: None,
            strikes: Strikes::default(),
        });
        record.fault(*cause, reason, settings, *now);
    }

    fn edit(&mut self, digest: Digest, edit: impl FnOnce(&mut Record)) {
        if let Some(record) = self.0.get_mut(&digest) {
            edit(record);
            if record.is_empty() {
                self.0.remove(&digest);
            }
        }
    }

    /// Forgets what was too long ago.
    fn forget(&mut self, longest: Duration, now: Timestamp) {
        self.0.retain(|_, record| {
            record.strikes.retain(|time| is_near(time, longest, now));
            record
                .quarantine
                .take_if(|entry| entry.is_forgotten(longest, now));
            !record.is_empty()
        });
    }

    /// Leaves so many, the newest.
    fn shrink(&mut self, count: usize) {
        let Some(excess @ 1..) = self.0.len().checked_sub(count) else {
            return;
        };
        let mut by_age: Vec<_> = self.0.values().map(|r| (r.latest(), r.digest)).collect();
        by_age.sort();
        for (_, digest) in by_age.into_iter().take(excess) {
            self.0.remove(&digest);
        }
    }
}

impl Record {
    /// Counts a fault of what is not left alone now, and leaves it alone if it was one too many.
    fn fault(&mut self, cause: Cause, reason: &str, settings: &QuarantineSettings, now: Timestamp) {
        let count = match &self.quarantine {
            // It was tried again, and once is enough now.
            Some(entry) => entry.count.saturating_add(1),
            None => {
                let times = self.strikes.of(cause);
                times.push(now);
                let limit = settings.limit(cause).min(MOST_STRIKES);
                if times.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
                    return;
                }
                1
            }
        };
        self.strikes = Strikes::default();
        self.quarantine = Some(Entry {
            cause,
            reason: reason.to_owned(),
            count,
            since: now,
            until: now
                .checked_add(settings.rest(count))
                .unwrap_or(Timestamp::MAX),
        });
    }
}

/// A reason on one line, shortened, with all that would act on a terminal escaped.
pub(super) fn line(reason: &str) -> String {
    // Escaped texts are not shorter, so the rest of a long one need not be looked at.
    let start: String = reason.trim().chars().take(REASON_LIMIT + 1).collect();
    let escaped = printable(&start);
    if escaped.chars().count() <= REASON_LIMIT {
        return escaped;
    }
    escaped
        .chars()
        .take(REASON_LIMIT - 1)
        .chain(['…'])
        .collect()
}

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(de::Error::custom)
}
