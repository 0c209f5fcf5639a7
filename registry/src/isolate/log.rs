//! What a worker's plugin logs and prints, in the host's log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use floe_plugin_api::Value;
use floe_plugin_api::abi::abi_stable::std_types::{ROption, RStr};
use floe_plugin_api::abi::{RawCallsite, RawField, contain};
use parking_lot::Mutex;
use tracing::level_filters::LevelFilter;

use super::recipe::Recipe;
use super::wire::frame::FromWorker;
use crate::host::log as host;

/// How many events and lines a second one worker may log, and as many at once.
const A_SECOND: u32 = 1_000;

/// How many places that log one plugin may have. Each is kept for ever.
const PLACES: usize = 4_096;

/// How many fields such a place may have, and how long its texts may be together: as many as `tracing` takes, and
/// more than any that a compiler has made.
const FIELDS: usize = 32;
const LONGEST: usize = 8 << 10;

/// What a place in a plugin's source is told from others by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    level: u8,
    name: String,
    target: String,
    file: Option<String>,
    line: Option<u32>,
    fields: Vec<String>,
}

/// Which of the host's numbers a plugin's places have, whatever worker they are in.
pub(crate) type Places = Mutex<HashMap<Place, u64>>;

/// Which stream a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// The log of one worker.
pub(crate) struct Log {
    recipe: Arc<Recipe>,
    /// The host's number of each of the worker's places.
    numbers: Mutex<HashMap<u64, u64>>,
    allowance: Mutex<Allowance>,
}

/// The most detailed level that the host's log wants now: 0 none, 1 error, and so on to 5 trace.
pub(super) fn level() -> u8 {
    match LevelFilter::current() {
        LevelFilter::OFF => 0,
        LevelFilter::ERROR => 1,
        LevelFilter::WARN => 2,
        LevelFilter::INFO => 3,
        LevelFilter::DEBUG => 4,
        _ => 5,
    }
}

impl Log {
    pub(super) fn new(recipe: Arc<Recipe>) -> Self {
        Self {
            recipe,
            numbers: Mutex::default(),
            allowance: Mutex::new(Allowance::new(Instant::now())),
        }
    }

    /// Takes note of a place that logs.
    pub(super) fn callsite(&self, said: &FromWorker<'_>) {
        let FromWorker::Callsite {
            number,
            level,
            name,
            target,
            file,
            line,
            module_path,
            fields,
        } = said
        else {
            return;
        };
        // What is kept for ever is little.
        let texts = [*name, *target]
            .into_iter()
            .chain(*file)
            .chain(*module_path);
        let length: usize = texts.chain(fields.iter().copied()).map(str::len).sum();
        if fields.len() > FIELDS || length > LONGEST {
            return;
        }
        let place = Place {
            level: *level,
            name: (*name).to_owned(),
            target: (*target).to_owned(),
            file: file.map(str::to_owned),
            line: *line,
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        };
        let known = {
            let places = self.recipe.places.lock();
            let known = places.get(&place).copied();
            if known.is_none() && places.len() >= PLACES {
                return;
            }
            known
        };
        let own = match known {
            Some(own) => own,
            // Not under the lock: a subscriber may log from in there, and call plugins.
            None => {
                let fields: Vec<RStr<'_>> = fields.iter().map(|&field| field.into()).collect();
                let registered = contain(|| {
                    host::register(RawCallsite {
                        name: (*name).into(),
                        target: (*target).into(),
                        level: *level,
                        file: optional(*file),
                        line: (*line).into(),
                        module_path: optional(*module_path),
                        fields: fields.as_slice().into(),
                    })
                });
                let Ok(own) = registered else { return };
                *self.recipe.places.lock().entry(place).or_insert(own)
            }
        };
        let mut numbers = self.numbers.lock();
        if numbers.len() < PLACES {
            numbers.insert(*number, own);
        }
    }

    /// Whether the host's log wants events of a place.
    pub(super) fn wants(&self, callsite: u64) -> bool {
        let own = self.numbers.lock().get(&callsite).copied();
        own.is_some_and(host::enabled)
    }

    /// Tells what was left out since that was told last, if some time has passed.
    pub(super) fn settle(&self) {
        let dropped = self.allowance.lock().settle(Instant::now());
        self.tell(dropped);
    }

    /// Gives the host's log an event that it wants.
    pub(super) fn event(&self, callsite: u64, fields: &[(u32, bool)], values: Value) {
        let own = self.numbers.lock().get(&callsite).copied();
        let Some(own) = own.filter(|_| self.may_log()) else {
            return;
        };
        let Value::List(values) = values else { return };
        let fields: Vec<RawField> = fields
            .iter()
            .zip(values)
            .map(|(&(index, formatted), value)| RawField {
                index,
                formatted,
                value: self.recipe.secrets.mask_value(&value),
            })
            .collect();
        // A subscriber that panics has told its own panic hook.
        let _ = contain(|| host::event(own, &fields));
    }

    /// A text without what is secret of the plugin's configuration.
    pub(super) fn mask(&self, text: &str) -> String {
        self.recipe.secrets.mask(text)
    }

    /// Gives the host's log a line that the plugin printed, which was masked.
    pub(super) fn line(&self, stream: Stream, line: &str) {
        if line.is_empty() || !self.may_log() {
            return;
        }
        let plugin = &self.recipe.title;
        let _ = contain(|| match stream {
            Stream::Out => tracing::info!(target: "floe::output", %plugin, "{line}"),
            Stream::Err => tracing::warn!(target: "floe::output", %plugin, "{line}"),
        });
    }

    fn may_log(&self) -> bool {
        let (may, dropped) = self.allowance.lock().take(Instant::now());
        self.tell(dropped);
        may
    }

    fn tell(&self, dropped: Option<u64>) {
        if let Some(dropped) = dropped {
            let plugin = &self.recipe.title;
            let _ = contain(|| {
                tracing::warn!(%plugin, dropped, "logs more than {A_SECOND} lines a second: what was above was left out");
            });
        }
    }
}

fn optional(text: Option<&str>) -> ROption<RStr<'_>> {
    text.map(RStr::from).into()
}

/// How much may be logged still.
struct Allowance {
    left: u32,
    since: Instant,
    /// Whether something was left out since then.
    floods: bool,
    /// How much was left out that was not told.
    dropped: u64,
}

impl Allowance {
    const fn new(now: Instant) -> Self {
        Self {
            left: A_SECOND,
            since: now,
            floods: false,
            dropped: 0,
        }
    }

    /// Whether one more may be logged; and how many were not, when that can be told.
    fn take(&mut self, now: Instant) -> (bool, Option<u64>) {
        let told = self.settle(now);
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                (true, told)
            }
            // At once, and then once a second: who floods may never stop.
            None if !self.floods => {
                self.floods = true;
                (false, Some(1))
            }
            None => {
                self.dropped += 1;
                (false, told)
            }
        }
    }

    /// How many were left out that was not told, when a second is over.
    fn settle(&mut self, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.since) < Duration::from_secs(1) {
            return None;
        }
        self.since = now;
        self.left = A_SECOND;
        self.floods = false;
        match std::mem::take(&mut self.dropped) {
            0 => None,
            dropped => Some(dropped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_told() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        for _ in 0..A_SECOND {
            assert_eq!(allowance.take(start), (true, None));
        }
        assert_eq!(allowance.take(start), (false, Some(1)));
        assert_eq!(allowance.take(start), (false, None));
        assert_eq!(allowance.take(start), (false, None));
        // Each is told once, also where nothing comes after it.
        let later = start + Duration::from_secs(1);
        assert_eq!(allowance.settle(later), Some(2));
        assert_eq!(allowance.settle(later), None);
        assert_eq!(allowance.take(later), (true, None));
    }
}
