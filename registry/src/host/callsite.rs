//! Plugins' log callsites, made into this process's own.
//!
//! `tracing` wants the name, target, level and fields of a callsite for ever. A plugin's are known
//! at run time, so they are leaked: there are as many as the plugin's source has places that log,
//! and the plugin's code stays mapped as long as they do.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use floe_plugin_api::Value;
use floe_plugin_api::abi::{RawCallsite, RawField};
use parking_lot::RwLock;
use tracing_core::callsite::{Callsite, Identifier};
use tracing_core::field::{FieldSet, display};
use tracing_core::metadata::Kind;
use tracing_core::subscriber::Interest;
use tracing_core::{Event, Level, Metadata, dispatcher};

static CALLSITES: RwLock<Vec<&'static BridgedCallsite>> = RwLock::new(Vec::new());

struct BridgedCallsite {
    metadata: OnceLock<Metadata<'static>>,
    interest: AtomicU8,
}

const NEVER: u8 = 0;
const SOMETIMES: u8 = 1;
const ALWAYS: u8 = 2;

impl Callsite for BridgedCallsite {
    fn set_interest(&self, interest: Interest) {
        let interest = if interest.is_never() {
            NEVER
        } else if interest.is_always() {
            ALWAYS
        } else {
            SOMETIMES
        };
        self.interest.store(interest, Ordering::Relaxed);
    }

    #[expect(
        clippy::expect_used,
        reason = "`register` sets it before anything can see the callsite"
    )]
    fn metadata(&self) -> &Metadata<'_> {
        self.metadata.get().expect("set when it was registered")
    }
}

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

/// Makes a callsite known to this process's subscriber; the number stands for it.
pub(crate) fn register(raw: RawCallsite<'_>) -> u64 {
    let callsite: &'static BridgedCallsite = Box::leak(Box::new(BridgedCallsite {
        metadata: OnceLock::new(),
        interest: AtomicU8::new(SOMETIMES),
    }));
    let fields: Vec<&'static str> = raw.fields.iter().map(|name| leak(name)).collect();
    let fields = FieldSet::new(Box::leak(fields.into_boxed_slice()), Identifier(callsite));
    let level = match raw.level {
        1 => Level::ERROR,
        2 => Level::WARN,
        3 => Level::INFO,
        4 => Level::DEBUG,
        _ => Level::TRACE,
    };
    callsite.metadata.get_or_init(|| {
        Metadata::new(
            leak(&raw.name),
            leak(&raw.target),
            level,
            raw.file.into_option().map(|file| leak(&file)),
            raw.line.into_option(),
            raw.module_path.into_option().map(|path| leak(&path)),
            fields,
            Kind::EVENT,
        )
    });
    // Outside the lock: a subscriber may log, and may load a plugin, from in there.
    tracing_core::callsite::register(callsite);
    let mut callsites = CALLSITES.write();
    callsites.push(callsite);
    callsites.len() as u64
}

fn find(number: u64) -> Option<&'static BridgedCallsite> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    CALLSITES.read().get(index).copied()
}

/// Whether this process's subscriber wants events of a callsite now.
pub(crate) fn enabled(number: u64) -> bool {
    let Some(callsite) = find(number) else {
        return false;
    };
    let metadata = callsite.metadata();
    if *metadata.level() > tracing_core::LevelFilter::current() {
        return false;
    }
    match callsite.interest.load(Ordering::Relaxed) {
        NEVER => false,
        ALWAYS => true,
        _ => dispatcher::get_default(|dispatch| dispatch.enabled(metadata)),
    }
}

/// Gives this process's subscriber an event.
pub(crate) fn event(number: u64, raw: &[RawField]) {
    let Some(callsite) = find(number) else { return };
    let metadata = callsite.metadata();
    let owned: Vec<(usize, Box<dyn tracing_core::field::Value + '_>)> = raw
        .iter()
        .filter_map(|field| Some((usize::try_from(field.index).ok()?, field_value(field))))
        .collect();
    let mut values: Vec<Option<&dyn tracing_core::field::Value>> =
        vec![None; metadata.fields().len()];
    for (index, value) in &owned {
        if let Some(place) = values.get_mut(*index) {
            *place = Some(&**value);
        }
    }
    Event::dispatch(metadata, &metadata.fields().value_set_all(&values));
}

fn field_value(field: &RawField) -> Box<dyn tracing_core::field::Value + '_> {
    match &field.value {
        Value::Bool(value) => Box::new(*value),
        Value::I64(value) => Box::new(*value),
        Value::U64(value) => Box::new(*value),
        Value::F64(value) => Box::new(*value),
        Value::String(text) if field.formatted => Box::new(display(text)),
        Value::String(text) => Box::new(text.as_str()),
        other => Box::new(tracing_core::field::debug(other)),
    }
}
