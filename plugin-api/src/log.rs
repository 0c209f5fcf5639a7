//! The log bridge, on the plugin's side.
//!
//! A shared library has its own copy of `tracing` and so its own, empty, dispatcher. When the host
//! starts the library's first instance, that dispatcher is pointed at the host: an event is asked
//! for by its callsite before any of its fields is formatted, and crosses as values. Spans do not
//! cross.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::sync::{OnceLock, RwLock};

use abi_stable::std_types::{RSlice, RStr};
use tracing_core::callsite::Identifier;
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_core::{Dispatch, Event, Level, Metadata, Subscriber};

use crate::abi::{RawCallsite, RawField, Text};
use crate::{HostRef, Value};

static HOST: OnceLock<HostRef> = OnceLock::new();

/// Points this library's `tracing` at `host`. The first host stays: the hosts of one process share
/// their subscriber anyway.
pub(crate) fn bridge(host: &HostRef) {
    if HOST.set(host.clone()).is_ok() {
        let bridge = Bridge {
            host: host.clone(),
            callsites: RwLock::default(),
        };
        // A vendor who has set a dispatcher of their own has chosen where their log goes.
        let _ = tracing::dispatcher::set_global_default(Dispatch::new(bridge));
    }
}

/// Tells the host of a panic, past any subscriber; nothing when no host is known.
pub(crate) fn report_panic(message: &str, location: Option<&str>) {
    static CALLSITE: OnceLock<u64> = OnceLock::new();
    let Some(host) = HOST.get() else { return };
    let host = host.raw();
    let callsite = *CALLSITE.get_or_init(|| {
        host.log_callsite(RawCallsite {
            name: "panic".into(),
            target: "panic".into(),
            level: number(Level::ERROR),
            file: None.into(),
            line: None.into(),
            module_path: None.into(),
            fields: RSlice::from_slice(&["message".into(), "location".into()]),
        })
    });
    if host.log_enabled(callsite) {
        let field = |index, text: &str| RawField {
            index,
            formatted: true,
            value: Value::String(Text::from(text)),
        };
        let fields = [field(0, message), field(1, location.unwrap_or("unknown"))];
        host.log_event(callsite, RSlice::from_slice(&fields));
    }
}

thread_local! {
    /// Whether this thread is inside the host on behalf of the log.
    static TELLING: Cell<bool> = const { Cell::new(false) };
}

/// Tells the host something, unless that is what this thread is doing already: a host that gives its
/// log to a plugin would otherwise be told what that plugin logs of it, and so on without end.
fn once<T>(tell: impl FnOnce() -> T) -> Option<T> {
    struct Told;

    impl Drop for Told {
        fn drop(&mut self) {
            TELLING.set(false);
        }
    }

    if TELLING.replace(true) {
        return None;
    }
    let _told = Told;
    Some(tell())
}

struct Bridge {
    host: HostRef,
    /// The host's numbers of the callsites met so far.
    callsites: RwLock<HashMap<Identifier, u64>>,
}

impl Bridge {
    fn callsite(&self, metadata: &Metadata<'_>) -> u64 {
        let identifier = metadata.callsite();
        let known = match self.callsites.read() {
            Ok(callsites) => callsites.get(&identifier).copied(),
            Err(poisoned) => poisoned.into_inner().get(&identifier).copied(),
        };
        known.unwrap_or_else(|| self.register(metadata))
    }

    #[cold]
    fn register(&self, metadata: &Metadata<'_>) -> u64 {
        let fields: Vec<RStr<'_>> = metadata
            .fields()
            .iter()
            .map(|field| field.name().into())
            .collect();
        let callsite = self.host.raw().log_callsite(RawCallsite {
            name: metadata.name().into(),
            target: metadata.target().into(),
            level: number(*metadata.level()),
            file: metadata.file().map(RStr::from).into(),
            line: metadata.line().into(),
            module_path: metadata.module_path().map(RStr::from).into(),
            fields: RSlice::from_slice(&fields),
        });
        let mut callsites = match self.callsites.write() {
            Ok(callsites) => callsites,
            Err(poisoned) => poisoned.into_inner(),
        };
        callsites.insert(metadata.callsite(), callsite);
        callsite
    }
}

fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

impl Subscriber for Bridge {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Not a span: an event, or the question whether there would be one.
        if !metadata.is_span() {
            // The host's filter may change at any time, so it is asked each time.
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.is_span()
            && once(|| self.host.raw().log_enabled(self.callsite(metadata))).unwrap_or_default()
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(Vec::with_capacity(event.metadata().fields().len()));
        event.record(&mut fields);
        once(|| {
            self.host.raw().log_event(
                self.callsite(event.metadata()),
                RSlice::from_slice(&fields.0),
            );
        });
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

struct Fields(Vec<RawField>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>, formatted: bool) {
        if let Ok(index) = u32::try_from(field.index()) {
            self.0.push(RawField {
                index,
                formatted,
                value: value.into(),
            });
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value, false);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value, false);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        // Unsigned for the subscriber too, where a value of this crate would be signed if it fits.
        self.add(field, Value::U64(value), false);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value, false);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value, false);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"), true);
    }
}
