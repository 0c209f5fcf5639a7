//! A call that is made more than once, or for somebody whom its caller does not name himself.

use floe_plugin_api::abi::abi_stable::sabi_trait::TD_Opaque;
use floe_plugin_api::abi::abi_stable::sabi_types::RRef;
use floe_plugin_api::abi::abi_stable::std_types::RStr;
use floe_plugin_api::abi::{RawCall, RawCall_TO, RawCallRef, RawWatchArc};

/// A call as it is made once: all that its caller said, but for which attempt it is and whose.
pub(crate) struct Attempting<'a, 'c> {
    pub(crate) call: &'a RawCallRef<'c>,
    pub(crate) attempt: u32,
    pub(crate) tenant: &'a str,
    pub(crate) execution_id: &'a str,
}

impl Attempting<'_, '_> {
    /// The call as it crosses the boundary.
    pub(crate) fn raw(&self) -> RawCallRef<'_> {
        RawCall_TO::from_ptr(RRef::new(self), TD_Opaque)
    }
}

impl RawCall for Attempting<'_, '_> {
    fn execution_id(&self) -> RStr<'_> {
        self.execution_id.into()
    }

    fn node_id(&self) -> RStr<'_> {
        self.call.node_id()
    }

    fn tenant(&self) -> RStr<'_> {
        self.tenant.into()
    }

    fn attempt(&self) -> u32 {
        self.attempt
    }

    fn remaining_ns(&self) -> u64 {
        self.call.remaining_ns()
    }

    fn is_cancelled(&self) -> bool {
        self.call.is_cancelled()
    }

    fn watch(&self) -> RawWatchArc {
        self.call.watch()
    }

    fn progress(&self, fraction: f64, message: RStr<'_>) {
        self.call.progress(fraction, message);
    }
}
