//! The host as a plugin in a worker sees it.

use std::cell::Cell;
use std::sync::{Arc, Weak, mpsc};

use floe_plugin_api::abi::abi_stable::sabi_trait::TD_Opaque;
use floe_plugin_api::abi::abi_stable::std_types::{RArc, RErr, ROk, RResult, RSlice, RStr};
use floe_plugin_api::abi::{
    RawCallRef, RawCallsite, RawError, RawField, RawHost, RawHost_TO, RawHostArc,
};
use floe_plugin_api::{Error, List, Value};

use super::super::errors;
use super::super::wire::frame::{FromWorker, Saying};
use super::super::wire::packet::Packet;
use super::{Server, Told, quietly, send};

thread_local! {
    /// The call that this thread is in.
    static DURING: Cell<Option<u64>> = const { Cell::new(None) };
}

/// That this thread is in a call.
pub(super) struct During(Option<u64>);

impl During {
    pub(super) fn enter(request: u64) -> Self {
        Self(DURING.replace(Some(request)))
    }
}

impl Drop for During {
    fn drop(&mut self) {
        DURING.set(self.0);
    }
}

/// The host, at the other end of the socket. Everything in here runs on a plugin's stack: no panic may leave it.
#[derive(Clone)]
pub(super) struct Host(Weak<Server>);

impl Host {
    pub(super) fn handle(server: &Arc<Server>) -> RawHostArc {
        RawHost_TO::from_ptr(RArc::new(Self(Arc::downgrade(server))), TD_Opaque)
    }

    fn ask(&self, node_type: &str, input: &Value, call: &RawCallRef<'_>) -> Result<Value, Error> {
        let gone = || errors::lost("the host is gone");
        let server = self.0.upgrade().ok_or_else(gone)?;
        let ask = server
            .asks
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
            + 1;
        let head = FromWorker::Ask {
            ask,
            during: DURING.get(),
            node_type,
            said: Saying {
                execution_id: call.execution_id().into(),
                node_id: call.node_id().into(),
                tenant: call.tenant().into(),
                attempt: call.attempt(),
                remaining_ns: call.remaining_ns(),
                cancelled: call.is_cancelled(),
            },
        };
        let packet = Packet::new(&head, [input]).map_err(|error| {
            Error::new(
                floe_plugin_api::ErrorKind::InvalidParameters,
                format!("the input cannot be passed to the host: {error}"),
            )
        })?;
        let (sender, answered) = mpsc::channel();
        server.asked.lock().insert(ask, sender);
        server.channel.send(&packet).map_err(|_| gone())?;
        loop {
            match answered.recv().map_err(|_| gone())? {
                Told::Progress(fraction, message) => {
                    call.progress(fraction, message.as_str().into());
                }
                Told::Answer(answer) => return answer,
            }
        }
    }

    fn tell(&self, head: &FromWorker<'_>, value: Option<&Value>) {
        if let Some(server) = self.0.upgrade() {
            // What is not heard of a log is lost with whoever would hear it.
            let _ = send(&server.channel, head, value);
        }
    }
}

impl RawHost for Host {
    fn log_callsite(&self, raw: RawCallsite<'_>) -> u64 {
        fn text(text: RStr<'_>) -> &str {
            text.into()
        }

        let registered = quietly(|| {
            let server = self.0.upgrade()?;
            let number = {
                let mut callsites = server.callsites.lock();
                callsites.push(raw.level);
                callsites.len() as u64
            };
            let head = FromWorker::Callsite {
                number,
                level: raw.level,
                name: text(raw.name),
                target: text(raw.target),
                file: raw.file.into_option().map(text),
                line: raw.line.into_option(),
                module_path: raw.module_path.into_option().map(text),
                fields: raw.fields.iter().map(|field| text(*field)).collect(),
            };
            self.tell(&head, None);
            Some(number)
        });
        registered.flatten().unwrap_or(0)
    }

    fn log_enabled(&self, number: u64) -> bool {
        let enabled = quietly(|| {
            let server = self.0.upgrade()?;
            let index = usize::try_from(number).ok()?.checked_sub(1)?;
            let level = *server.callsites.lock().get(index)?;
            Some(level <= server.level.load(std::sync::atomic::Ordering::Relaxed))
        });
        enabled.flatten().unwrap_or(false)
    }

    fn log_event(&self, callsite: u64, fields: RSlice<'_, RawField>) {
        quietly(|| {
            let head = FromWorker::Event {
                callsite,
                fields: fields
                    .iter()
                    .map(|field| (field.index, field.formatted))
                    .collect(),
            };
            let values: List = fields.iter().map(|field| field.value.clone()).collect();
            self.tell(&head, Some(&Value::List(values)));
        });
    }

    fn call(
        &self,
        node_type: RStr<'_>,
        input: &Value,
        call: RawCallRef<'_>,
    ) -> RResult<Value, RawError> {
        match quietly(|| self.ask(&node_type, input, &call)) {
            Some(Ok(output)) => ROk(output),
            Some(Err(error)) => RErr(error.into()),
            None => RErr(errors::lost("the call could not be made").into()),
        }
    }
}
