//! Who a plugin is when it asks its host.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use floe_plugin_api::abi::RawCallRef;
use floe_plugin_api::{Error, ErrorKind, Result, Value};

use super::Supervisor;
use super::slot::Slot;
use crate::host::Route;
use crate::policy::Tenancy;

/// An instance's way to ask its host: it says which build it is, as what a build may call depends on
/// the dependencies that it declares.
pub(crate) struct Voice {
    /// Weak, so that an instance that keeps its host does not keep the registry that keeps it.
    supervisor: Weak<Supervisor>,
    slot: Arc<Slot>,
    /// The tenant whose the instance is.
    tenant: Option<Arc<Tenancy>>,
    silent: AtomicBool,
}

impl Voice {
    pub(crate) const fn new(
        supervisor: Weak<Supervisor>,
        slot: Arc<Slot>,
        tenant: Option<Arc<Tenancy>>,
    ) -> Self {
        Self {
            supervisor,
            slot,
            tenant,
            silent: AtomicBool::new(false),
        }
    }

    /// Refuses all calls from now on: the instance was stopped, though a thread of it may go on.
    pub(crate) fn silence(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    fn refused(&self, node_type: &str, why: &str) -> Error {
        let title = self.slot.title();
        Error::new(
            ErrorKind::NotReady,
            format!("plugin `{title}` cannot call `{node_type}`: {why}"),
        )
    }
}

impl Route for Voice {
    fn route(&self, node_type: &str, input: &Value, call: RawCallRef<'_>) -> Result<Value> {
        if self.silent.load(Ordering::Relaxed) {
            return Err(self.refused(node_type, "this instance of it was stopped"));
        }
        let Some(supervisor) = self.supervisor.upgrade() else {
            return Err(self.refused(node_type, "the registry that started it is gone"));
        };
        let tenant = self.tenant.as_ref().map(|tenancy| &*tenancy.name);
        supervisor
            .call_for(&self.slot, tenant, node_type, input, call)
            .map_err(|error| error.to_api())
    }
}
