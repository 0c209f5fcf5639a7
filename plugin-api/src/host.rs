//! What a plugin may ask of its host.

use std::fmt;

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RArc, RErr, RResult, RSlice, RStr};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::abi::{RawCallRef, RawCallsite, RawError, RawField, RawHost, RawHost_TO, RawHostArc};
use crate::{CallContext, Error, ErrorKind, Result, Value};

/// The host, as a plugin sees it.
///
/// A clone is a pointer and a count. It may be kept for as long as the plugin likes and used on any
/// thread, also after the plugin was stopped: calls are refused then, and logging still works.
///
/// Logging needs no method: what the plugin says through [`tracing`](crate::tracing) reaches the
/// host's subscriber.
#[derive(Clone)]
pub struct HostRef(RawHostArc);

impl HostRef {
    /// A host that offers no executor and wants no log: for a vendor's own tests.
    ///
    /// ```
    /// use floe_plugin_api::{CallOptions, ErrorKind, HostRef, Value};
    ///
    /// let host = HostRef::unconnected();
    /// let refused = host.call("sqlite.query", &Value::Null, &CallOptions::new().context());
    /// assert_eq!(refused.unwrap_err().kind(), ErrorKind::NodeTypeNotFound);
    /// ```
    #[must_use]
    pub fn unconnected() -> Self {
        Self(RawHost_TO::from_ptr(RArc::new(Unconnected), TD_Opaque))
    }

    /// Calls an executor of another plugin, on this thread.
    ///
    /// `call` is the call that is being answered: its run, tenant, deadline and cancellation hold
    /// for the inner call too.
    ///
    /// # Errors
    ///
    /// Whatever the executor says; [`ErrorKind::NodeTypeNotFound`] when there is none.
    pub fn call(&self, node_type: &str, input: &Value, call: &CallContext<'_>) -> Result<Value> {
        self.0
            .call(node_type.into(), input, call.raw().sabi_reborrow())
            .into_result()
            .map_err(Error::from)
    }

    /// [`HostRef::call`] with an input and an output of one's own types.
    ///
    /// # Errors
    ///
    /// As [`HostRef::call`]; also when a value does not fit the type.
    pub fn call_typed<I: Serialize, O: DeserializeOwned>(
        &self,
        node_type: &str,
        input: &I,
        call: &CallContext<'_>,
    ) -> Result<O> {
        let input = Value::from_serialize(input)?;
        let output = self.call(node_type, &input, call)?;
        crate::plugin::read(&output, ErrorKind::ExecutionError).map_err(|error| {
            error.context(format!(
                "the output of `{node_type}` is not what this plugin expects"
            ))
        })
    }

    pub(crate) fn raw(&self) -> &RawHostArc {
        &self.0
    }
}

impl From<RawHostArc> for HostRef {
    fn from(raw: RawHostArc) -> Self {
        Self(raw)
    }
}

impl fmt::Debug for HostRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostRef")
    }
}

#[derive(Clone)]
struct Unconnected;

impl RawHost for Unconnected {
    fn log_callsite(&self, _callsite: RawCallsite<'_>) -> u64 {
        0
    }

    fn log_enabled(&self, _callsite: u64) -> bool {
        false
    }

    fn log_event(&self, _callsite: u64, _fields: RSlice<'_, RawField>) {}

    fn call(
        &self,
        node_type: RStr<'_>,
        _input: &Value,
        _call: RawCallRef<'_>,
    ) -> RResult<Value, RawError> {
        let error = Error::new(
            ErrorKind::NodeTypeNotFound,
            format!("no plugin offers `{node_type}`: this host is unconnected"),
        );
        RErr(error.into())
    }
}
