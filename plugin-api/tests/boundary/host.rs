//! A host that keeps what it is told.

use std::sync::{Arc, LazyLock, Mutex};

use abi_stable::library::LibHeader;
use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RArc, RResult, RSlice, RStr};
use floe_plugin_api::abi::{
    Exported, RawCallRef, RawCallsite, RawError, RawField, RawHost, RawHost_TO, RawHostArc,
    RawPluginBox, RootModuleRef, header,
};
use floe_plugin_api::{CallContext, CallOptions, Error, ErrorKind, Result, Value, value};

use crate::strict::Strict;

/// The host of all tests here: a library's log goes to the first that started it.
pub(crate) static HOST: LazyLock<Host> = LazyLock::new(Host::default);

#[derive(Clone, Default)]
pub(crate) struct Host(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    callsites: Vec<Callsite>,
    events: Vec<Event>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Callsite {
    pub(crate) name: String,
    pub(crate) target: String,
    pub(crate) level: u8,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) module_path: Option<String>,
    pub(crate) fields: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) callsite: Callsite,
    /// The values of the fields in a map, and which of them were formatted.
    pub(crate) fields: Value,
    pub(crate) formatted: Vec<String>,
}

impl Host {
    /// The events of a target.
    pub(crate) fn events(&self, target: &str) -> Vec<Event> {
        let kept = self.0.lock().unwrap();
        let events = kept.events.iter();
        let wanted = events.filter(|event| event.callsite.target == target);
        wanted.cloned().collect()
    }

    pub(crate) fn raw(&self) -> RawHostArc {
        RawHost_TO::from_ptr(RArc::new(self.clone()), TD_Opaque)
    }

    fn callsite(&self, number: u64) -> Callsite {
        let kept = self.0.lock().unwrap();
        kept.callsites[usize::try_from(number).unwrap()].clone()
    }
}

impl RawHost for Host {
    fn log_callsite(&self, callsite: RawCallsite<'_>) -> u64 {
        let mut kept = self.0.lock().unwrap();
        kept.callsites.push(Callsite {
            name: callsite.name.into(),
            target: callsite.target.into(),
            level: callsite.level,
            file: callsite.file.map(Into::into).into_option(),
            line: callsite.line.into_option(),
            module_path: callsite.module_path.map(Into::into).into_option(),
            fields: callsite.fields.iter().map(ToString::to_string).collect(),
        });
        u64::try_from(kept.callsites.len() - 1).unwrap()
    }

    fn log_enabled(&self, callsite: u64) -> bool {
        let callsite = self.callsite(callsite);
        callsite.level <= 4 && !callsite.target.ends_with("off")
    }

    fn log_event(&self, callsite: u64, fields: RSlice<'_, RawField>) {
        let callsite = self.callsite(callsite);
        let name = |field: &RawField| callsite.fields[field.index as usize].clone();
        let event = Event {
            fields: Value::Map(fields.iter().map(|f| (name(f), f.value.clone())).collect()),
            formatted: fields.iter().filter(|f| f.formatted).map(name).collect(),
            callsite,
        };
        if event.callsite.target == "panic" {
            // The plugin's panic hook is this program's, so that a test that fails would be silent.
            println!("{:?}", event.fields);
        }
        let told = event.callsite.target == "told";
        self.0.lock().unwrap().events.push(event);
        if told {
            // A host that gives its log to a plugin.
            execute(10, &Value::Null).unwrap();
        }
    }

    fn call(
        &self,
        node_type: RStr<'_>,
        input: &Value,
        call: RawCallRef<'_>,
    ) -> RResult<Value, RawError> {
        let call = CallContext::from(call);
        let called = match node_type.as_str() {
            "host.echo" => Ok(value!([input.clone(), call.tenant(), call.attempt()])),
            _ => Err(
                Error::new(ErrorKind::DependencyNotLoaded, format!("no `{node_type}`"))
                    .with_detail("node_type", node_type.as_str()),
            ),
        };
        called.map_err(Into::into).into()
    }
}

/// The functions of `P`'s library, after the layout check.
pub(crate) fn module<P: Exported>() -> RootModuleRef {
    let header: &'static LibHeader = Box::leak(Box::new(header::<P>()));
    header.init_root_module::<RootModuleRef>().unwrap()
}

pub(crate) fn create<P: Exported>(config: &Value) -> Result<RawPluginBox> {
    let created = module::<P>().create()(config, HOST.raw());
    created.into_result().map_err(Error::from)
}

pub(crate) fn execute(operation: u32, input: &Value) -> Result<Value> {
    let plugin = create::<Strict>(&value!({})).unwrap();
    let options = CallOptions::new().tenant("acme").attempt(2);
    let mut output = Value::Null;
    let failed = plugin.execute(operation, input, options.raw(), &mut output);
    failed.map_or(Ok(output), |error| Err(error.into()))
}
