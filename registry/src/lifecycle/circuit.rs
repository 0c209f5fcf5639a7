//! Circuits: what faults again and again is left alone for a while.
//!
//! ```text
//! closed ─ so many faults in a window ─▶ open ─ the rest is over ─▶ half-open: one probe goes through
//!   ▲                                     ▲                           │ │
//!   │                                     └──────── it faults ────────┘ │
//!   └──────────────────────────── it succeeds ──────────────────────────┘
//! ```
//!
//! A circuit does not look at the clock: it is told what time it is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::event::CircuitState;

/// What a circuit became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Opened,
    HalfOpen,
    Closed,
}

/// Whether a call may go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admit {
    /// It may, like any other.
    Closed,
    /// It may, and what comes of it must be told: succeeded, failed or abandoned, once.
    Probe {
        /// [`Change::HalfOpen`] for the first probe after a rest.
        change: Option<Change>,
    },
    /// It may not.
    Open {
        /// How long the rest still lasts. Zero while a probe is under way, whose end decides.
        retry_after: Duration,
        /// How many faults led to this.
        faults: u32,
    },
}

/// Counts faults, and says whether calls may go through.
#[derive(Debug)]
pub(crate) struct Circuit {
    /// How many faults open it; none do where this is zero.
    limit: u32,
    window: Duration,
    rest: Duration,
    phase: Mutex<Phase>,
}

#[derive(Debug)]
enum Phase {
    /// With the times of the faults in the window.
    Closed(VecDeque<Instant>),
    /// With the time at which the rest began.
    Open {
        since: Instant,
        faults: u32,
    },
    HalfOpen {
        is_probed: bool,
        faults: u32,
    },
}

impl Default for Phase {
    fn default() -> Self {
        Self::Closed(VecDeque::new())
    }
}

impl Circuit {
    /// A closed circuit. So many panics within the window open it for the rest; with a limit of zero
    /// it never opens.
    pub(crate) fn new(panics: u32, window: Duration, rest: Duration) -> Self {
        Self {
            limit: panics,
            window,
            rest,
            phase: Mutex::default(),
        }
    }

    /// Whether a call may go through now.
    pub(crate) fn admit(&self, now: Instant) -> Admit {
        let mut phase = self.phase.lock();
        match &mut *phase {
            Phase::Closed(_) => Admit::Closed,
            Phase::Open { since, faults } => {
                let (retry_after, faults) = (self.rest_left(*since, now), *faults);
                if !retry_after.is_zero() {
                    return Admit::Open {
                        retry_after,
                        faults,
                    };
                }
                *phase = Phase::HalfOpen {
                    is_probed: true,
                    faults,
                };
                Admit::Probe {
                    change: Some(Change::HalfOpen),
                }
            }
            Phase::HalfOpen { is_probed, faults } => {
                if std::mem::replace(is_probed, true) {
                    return Admit::Open {
                        retry_after: Duration::ZERO,
                        faults: *faults,
                    };
                }
                Admit::Probe { change: None }
            }
        }
    }

    /// A call that went through like any other panicked or overran. One that ends late, when the
    /// circuit is closed no more, changes nothing: it tells of the time before.
    pub(crate) fn fault(&self, now: Instant) -> Option<Change> {
        let mut phase = self.phase.lock();
        let Phase::Closed(times) = &mut *phase else {
            return None;
        };
        if self.limit == 0 {
            return None;
        }
        times.retain(|time| now.saturating_duration_since(*time) < self.window);
        times.push_back(now);
        let faults = u32::try_from(times.len()).unwrap_or(u32::MAX);
        if faults < self.limit {
            return None;
        }
        *phase = Phase::Open { since: now, faults };
        Some(Change::Opened)
    }

    /// The probe gave an answer, be it an error: the faults are forgotten.
    pub(crate) fn probe_succeeded(&self) -> Option<Change> {
        let mut phase = self.phase.lock();
        probed(&phase)?;
        *phase = Phase::default();
        Some(Change::Closed)
    }

    /// The probe panicked or overran: another rest begins.
    pub(crate) fn probe_failed(&self, now: Instant) -> Option<Change> {
        let mut phase = self.phase.lock();
        let faults = probed(&phase)?.saturating_add(1);
        *phase = Phase::Open { since: now, faults };
        Some(Change::Opened)
    }

    /// The probe never reached the plugin, so nothing is known; the next call is a probe.
    pub(crate) fn probe_abandoned(&self) {
        let mut phase = self.phase.lock();
        if let Phase::HalfOpen { is_probed, .. } = &mut *phase {
            *is_probed = false;
        }
    }

    /// The state. It is half-open from the end of a rest on, before there is a probe.
    pub(crate) fn state(&self, now: Instant) -> CircuitState {
        match &*self.phase.lock() {
            Phase::Closed(_) => CircuitState::Closed,
            Phase::Open { since, .. } if !self.rest_left(*since, now).is_zero() => {
                CircuitState::Open
            }
            Phase::Open { .. } | Phase::HalfOpen { .. } => CircuitState::HalfOpen,
        }
    }

    fn rest_left(&self, since: Instant, now: Instant) -> Duration {
        self.rest
            .saturating_sub(now.saturating_duration_since(since))
    }
}

/// How many faults led to the probe that is under way, if one is.
fn probed(phase: &Phase) -> Option<u32> {
    match phase {
        Phase::HalfOpen {
            is_probed: true,
            faults,
        } => Some(*faults),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
