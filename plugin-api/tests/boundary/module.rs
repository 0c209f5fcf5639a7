//! The functions that a library exports.

use floe_plugin_api::abi::Exported;
use floe_plugin_api::{
    CallContext, Error, ErrorKind, HostRef, Manifest, NoConfig, Plugin, Result, Value, value,
};

use crate::host::{HOST, create, execute, module};
use crate::strict::Strict;

#[test]
fn the_manifest_is_the_one_in_the_note() {
    let text = module::<Strict>().manifest()();
    assert_eq!(text.as_str(), Strict::MANIFEST);
    let manifest = Manifest::from_json(text.as_bytes()).unwrap();
    // The name of the package, without the prefix that plugins' packages have.
    assert_eq!(env!("CARGO_PKG_NAME"), "floe-plugin-api");
    assert_eq!(manifest.name, "api");
    assert_eq!(manifest.version.to_string(), env!("CARGO_PKG_VERSION"));
    assert_eq!(manifest.description, env!("CARGO_PKG_DESCRIPTION"));
}

#[test]
fn the_schemas_are_described() {
    let text = module::<Strict>().describe()().into_result();
    let text = text.map_err(Error::from).unwrap();
    assert_eq!(text.as_str(), Strict::describe());
}

#[test]
fn executors_answer() {
    assert_eq!(execute(0, &value!({"inner": "One"})).unwrap(), value!(1.0));
    assert_eq!(
        execute(0, &value!({"inner": {"Two": 2}})).unwrap(),
        value!(2.0)
    );
    let three = value!({"inner": {"Three": {"x": 3}}});
    assert_eq!(execute(0, &three).unwrap(), value!(3.0));
    assert_eq!(execute(7, &value!(0)).unwrap(), value!(2));
}

#[test]
fn executors_call_others_through_the_host() {
    let input = value!({"node_type": "host.echo"});
    assert_eq!(execute(1, &input).unwrap(), value!([7, "acme", 2]));
    let error = execute(1, &value!({"node_type": "host.none"})).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "dependency-not-loaded: no `host.none`"
    );
    assert_eq!(error.details(), &value!({"node_type": "host.none"}));
    let error = execute(2, &input).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ExecutionError);
    assert_eq!(
        error.message(),
        "the output of `host.echo` is not what this plugin expects"
    );
    let cause = error.causes().next().unwrap();
    assert!(
        cause.ends_with(
            "the value does not fit at `[0]`: invalid type: integer `7`, expected a boolean"
        ),
        "{cause}"
    );
}

#[test]
fn a_configuration_that_does_not_fit_is_refused() {
    let error = create::<Strict>(&value!({"panics": true}))
        .map(|_| ())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert_eq!(
        error.message(),
        "the configuration does not fit at `panics`: unknown field `panics`, expected `panic`"
    );
}

#[track_caller]
fn check_panic(error: &Error, file: &str, message: &str) {
    assert_eq!(error.kind(), ErrorKind::Panicked);
    let location = error
        .details()
        .get("location")
        .and_then(Value::as_str)
        .unwrap();
    assert!(location.contains(file), "{location}");
    let expected = format!("panicked at {location}: {message}");
    assert_eq!(error.message(), expected);
    // The host's log has it too.
    let logged = value!({"message": message, "location": location});
    let events = HOST.events("panic");
    let event = events.iter().find(|event| event.fields == logged).unwrap();
    assert_eq!((event.callsite.level, &*event.callsite.name), (1, "panic"));
    assert_eq!(event.formatted, ["message", "location"]);
}

#[test]
fn a_panic_says_where_it_was() {
    let error = create::<Strict>(&value!({"panic": true}))
        .map(|_| ())
        .unwrap_err();
    check_panic(&error, "strict.rs:", "start as told");
    let error = execute(6, &Value::Null).unwrap_err();
    check_panic(&error, "strict.rs:", "executor as told");
    // Not where what it was thrown with panicked in turn.
    let thrown = execute(8, &Value::Null).unwrap_err();
    let text = "(a payload that is not text)";
    check_panic(&thrown, "strict.rs:", text);
    let location = thrown.details().get("location").and_then(Value::as_str);
    let line = |marker: &str| {
        let source = include_str!("strict.rs");
        source
            .lines()
            .position(|line| line.contains(marker))
            .unwrap()
            + 1
    };
    let expected = format!("strict.rs:{}:", line("panic_any(Bomb)"));
    assert!(location.unwrap().contains(&expected), "{location:?}");
}

/// A plugin whose parts are not the macro's: a hand that wrote them could let anything panic.
#[derive(Debug)]
struct Broken;

impl Plugin for Broken {
    type Config = NoConfig;

    fn start(_: NoConfig, _: HostRef) -> Result<Self> {
        Ok(Self)
    }
}

impl Exported for Broken {
    const MANIFEST: &'static str = "";

    fn dispatch(
        &self,
        _: u32,
        _: &Value,
        _: &CallContext<'_>,
        _: &mut Value,
    ) -> Option<Result<()>> {
        None
    }

    fn describe() -> String {
        panic!("no schemas")
    }
}

#[test]
fn a_panic_in_a_schema_is_contained() {
    // The first to be started installs the hook.
    assert!(create::<Broken>(&value!({})).is_ok());
    let described = module::<Broken>().describe()().into_result();
    let error = Error::from(described.map(|_| ()).unwrap_err());
    check_panic(&error, "module.rs:", "no schemas");
}
