//! An executor of a build, resolved.

use std::sync::{Arc, OnceLock};

use floe_plugin_api::abi::RawCallRef;
use floe_plugin_api::{ExecutorMetadata, Value};

use super::door::Door;
use super::entrance::Entrance;
use super::gate::Permit;
use super::running::Bound;
use super::slot::Slot;
use crate::error::CallError;
use crate::stats::Recorder;

/// An executor of a build. A call through it looks nothing up.
pub(crate) struct Target {
    slot: Arc<Slot>,
    operation: u32,
    entrance: Entrance,
    /// What counts its calls, as soon as one is made.
    recorder: OnceLock<Option<Arc<Recorder>>>,
}

impl Target {
    pub(crate) fn new(slot: Arc<Slot>, operation: u32) -> Self {
        Self {
            slot,
            operation,
            entrance: Entrance::new(),
            recorder: OnceLock::new(),
        }
    }

    pub(crate) const fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    pub(crate) const fn operation(&self) -> u32 {
        self.operation
    }

    #[inline]
    pub(crate) const fn door(&self) -> &Arc<Door<Bound>> {
        self.entrance.anybodys()
    }

    pub(crate) const fn entrance(&self) -> &Entrance {
        &self.entrance
    }

    /// What is known of the executor without running it.
    pub(crate) fn metadata(&self) -> Option<&ExecutorMetadata> {
        self.slot.executor(self.operation)
    }

    /// What counts its calls; nothing where none are counted.
    pub(crate) fn recorder(&self) -> Option<&Arc<Recorder>> {
        let recorder = self.recorder.get_or_init(|| {
            let recorders = &self.slot.ground().recorders;
            recorders.of(self.slot.id(), self.node_type())
        });
        recorder.as_ref()
    }

    pub(crate) fn node_type(&self) -> &str {
        self.metadata().map_or("", |metadata| &metadata.node_type)
    }
}

/// Calls what is behind a door, if anything is.
#[inline]
pub(crate) fn through(
    permit: &Permit,
    door: &Door<Bound>,
    input: &Value,
    call: RawCallRef<'_>,
    output: &mut Value,
) -> Option<Result<(), CallError>> {
    let inside = door.enter();
    let bound = inside.as_ref()?;
    if bound.running.is_closed() {
        return None;
    }
    Some(bound.call(permit, input, call, output))
}

/// The same for a call that was let through to a target: by the door of whom it is made for, as long as that
/// leads to the target's build.
pub(crate) fn through_own(
    permit: &Permit,
    entrance: &Entrance,
    target: &Target,
    input: &Value,
    call: RawCallRef<'_>,
    output: &mut Value,
) -> Option<Result<(), CallError>> {
    let slot = target.slot();
    if !permit.is_for(slot) {
        return None;
    }
    entrance.by(permit.tenancy(slot), |door| {
        let inside = door.enter();
        let bound = inside.as_ref()?;
        if bound.running.is_closed() || !Arc::ptr_eq(bound.running.slot(), slot) {
            return None;
        }
        let _caller = permit.stand_in();
        permit.reaches(slot);
        Some(bound.call(permit, input, call, output))
    })
}
