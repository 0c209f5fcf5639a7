//! A call that another thread makes on behalf of its caller.

use std::time::Instant;

use floe_plugin_api::abi::abi_stable::sabi_trait::TD_Opaque;
use floe_plugin_api::abi::abi_stable::sabi_types::RRef;
use floe_plugin_api::abi::abi_stable::std_types::{RArc, RStr};
use floe_plugin_api::abi::{RawCall, RawCall_TO, RawCallRef, RawWatch, RawWatch_TO, RawWatchArc};

/// Whether nobody waits for the call any more; asked on any thread, also when it is over.
pub(crate) trait Waited: Clone + Send + Sync + 'static {
    /// Whether it was given up.
    fn is_given_up(&self) -> bool;
}

/// What the relayed call tells of its progress, on the thread that makes it.
type Progress = Box<dyn Fn(f64, &str) + Send + Sync>;

/// What a caller said of its call, copied so that it may outlive the caller.
pub(crate) struct Said {
    execution_id: String,
    node_id: String,
    tenant: String,
    attempt: u32,
    deadline: Option<Instant>,
    watch: RawWatchArc,
}

impl Said {
    /// What somebody says of a call, who has not made it in this process.
    pub(crate) fn saying(
        execution_id: &str,
        node_id: &str,
        tenant: &str,
        attempt: u32,
        deadline: Option<Instant>,
        watch: RawWatchArc,
    ) -> Self {
        Self {
            execution_id: execution_id.to_owned(),
            node_id: node_id.to_owned(),
            tenant: tenant.to_owned(),
            attempt,
            deadline,
            watch,
        }
    }

    /// Copies what a caller said; the call is to end by `deadline`.
    pub(crate) fn of(call: &RawCallRef<'_>, deadline: Instant) -> Self {
        Self {
            execution_id: call.execution_id().into(),
            node_id: call.node_id().into(),
            tenant: call.tenant().into(),
            attempt: call.attempt(),
            deadline: Some(deadline),
            watch: call.watch(),
        }
    }

    /// The call as it is made now.
    pub(crate) fn relayed<W: Waited>(self, waited: W, progress: Progress) -> Relayed<W> {
        Relayed {
            told: Watching {
                deadline: self.deadline,
                watch: self.watch.clone(),
                waited,
            },
            said: self,
            progress,
        }
    }
}

/// A call, relayed.
pub(crate) struct Relayed<W> {
    said: Said,
    told: Watching<W>,
    progress: Progress,
}

impl<W: Waited> Relayed<W> {
    /// The call as it crosses the boundary.
    pub(crate) fn raw(&self) -> RawCallRef<'_> {
        RawCall_TO::from_ptr(RRef::new(self), TD_Opaque)
    }
}

impl<W: Waited> RawCall for Relayed<W> {
    fn execution_id(&self) -> RStr<'_> {
        self.said.execution_id.as_str().into()
    }

    fn node_id(&self) -> RStr<'_> {
        self.said.node_id.as_str().into()
    }

    fn tenant(&self) -> RStr<'_> {
        self.said.tenant.as_str().into()
    }

    fn attempt(&self) -> u32 {
        self.said.attempt
    }

    fn remaining_ns(&self) -> u64 {
        self.told.remaining_ns()
    }

    fn is_cancelled(&self) -> bool {
        self.told.is_cancelled()
    }

    fn watch(&self) -> RawWatchArc {
        RawWatch_TO::from_ptr(RArc::new(self.told.clone()), TD_Opaque)
    }

    fn progress(&self, fraction: f64, message: RStr<'_>) {
        (self.progress)(fraction, message.into());
    }
}

/// Whether anybody waits for a relayed call.
#[derive(Clone)]
struct Watching<W> {
    deadline: Option<Instant>,
    watch: RawWatchArc,
    waited: W,
}

impl<W: Waited> RawWatch for Watching<W> {
    fn remaining_ns(&self) -> u64 {
        let own = self.deadline.map_or(u64::MAX, |deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            u64::try_from(left.as_nanos()).unwrap_or(u64::MAX - 1)
        });
        own.min(self.watch.remaining_ns())
    }

    fn is_cancelled(&self) -> bool {
        self.waited.is_given_up() || self.watch.is_cancelled()
    }
}
