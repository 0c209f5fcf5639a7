//! The one use of a plugin that is tried again after a rest.

use std::sync::Arc;
use std::time::Instant;

use super::slot::Slot;

/// The one use of a plugin that is tried again. What came of it is told once; where nobody tells, it
/// failed.
pub(crate) struct Probe(Option<Arc<Slot>>);

impl Probe {
    pub(crate) const fn of(slot: Arc<Slot>) -> Self {
        Self(Some(slot))
    }

    /// The plugin was not reached: the next use is the probe.
    pub(crate) fn abandoned(mut self) {
        if let Some(slot) = self.0.take() {
            slot.circuit().probe_abandoned();
        }
    }

    /// It gave an answer.
    pub(crate) fn succeeded(mut self) {
        if let Some(slot) = self.0.take() {
            let change = slot.circuit().probe_succeeded();
            slot.tell_circuit(change);
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            let change = slot.circuit().probe_failed(Instant::now());
            slot.tell_circuit(change);
        }
    }
}
