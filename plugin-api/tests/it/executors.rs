//! Executors, called as a host calls them: through the objects that cross.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use floe_plugin_api::abi::{RawPluginBox, in_process, instance};
use floe_plugin_api::{
    CallOptions, Cancellation, Error, ErrorKind, Health, HealthState, HostRef, Result, Value, value,
};

use crate::sample::{Sample, journal, operation};

#[track_caller]
fn start(config: &Value) -> RawPluginBox {
    instance::<Sample>(config, HostRef::unconnected()).unwrap()
}

fn execute(plugin: &RawPluginBox, operation: u32, input: &Value) -> Result<Value> {
    execute_with(plugin, operation, input, &CallOptions::new())
}

fn execute_with(
    plugin: &RawPluginBox,
    operation: u32,
    input: &Value,
    options: &CallOptions,
) -> Result<Value> {
    let mut output = Value::Null;
    let failed = plugin.execute(operation, input, options.raw(), &mut output);
    failed.map_or(Ok(output), |error| Err(error.into()))
}

/// The kind, the message and where it was.
#[track_caller]
fn refused(result: Result<Value>) -> (ErrorKind, String, Option<String>) {
    let error = result.unwrap_err();
    let path = error.details().get("path").and_then(Value::as_str);
    (
        error.kind(),
        error.message().to_owned(),
        path.map(str::to_owned),
    )
}

#[test]
fn a_typed_executor() {
    let plugin = start(&value!({"name": "typed", "weight": 7}));
    let input =
        value!({"people": [{"name": "Ada"}, {"name": "Eve", "age": 30, "more": 1}], "times": 2});
    let lines = value!({"lines": ["Ada", "Ada", "Eve (30)", "Eve (30)"]});
    assert_eq!(execute(&plugin, operation::GREET, &input).unwrap(), lines);
    let weight = execute(&plugin, operation::WEIGH, &value!({})).unwrap();
    assert_eq!(weight, Value::I64(7));
}

#[test]
fn an_untyped_executor_gets_what_was_given() {
    let plugin = start(&value!({"name": "untyped"}));
    let bytes = Value::Bytes(vec![0, 255].into());
    for input in [
        value!({"a": [null, u64::MAX, 0.5], "b": bytes}),
        Value::Null,
        Value::F64(f64::INFINITY),
    ] {
        assert_eq!(execute(&plugin, operation::ECHO, &input).unwrap(), input);
    }
}

#[test]
fn an_input_that_does_not_fit_says_where() {
    let plugin = start(&value!({"name": "misfit"}));
    let refuse = |input: Value| refused(execute(&plugin, operation::GREET, &input));
    for (input, path, message) in [
        (
            value!({"people": [{"name": "Ada"}, {"name": "Eve", "age": 300}]}),
            "people[1].age",
            "the input does not fit at `people[1].age`: invalid value: integer `300`, expected u8",
        ),
        (
            value!({"people": [{"age": 1}]}),
            "people[0]",
            "the input does not fit at `people[0]`: missing field `name`",
        ),
        (
            value!({"people": [], "times": -1}),
            "times",
            "the input does not fit at `times`: invalid value: integer `-1`, expected u8",
        ),
        (
            value!({"people": [], "time": 1}),
            "time",
            "the input does not fit at `time`: unknown field `time`, expected `people` or `times`",
        ),
        (
            value!({"people": {"name": "Ada"}}),
            "people",
            "the input does not fit at `people`: invalid type: map, expected a sequence",
        ),
    ] {
        let expected = (
            ErrorKind::InvalidParameters,
            message.to_owned(),
            Some(path.to_owned()),
        );
        assert_eq!(refuse(input), expected);
    }
    for (input, message) in [
        (value!({}), "the input does not fit: missing field `people`"),
        (
            Value::Null,
            "the input does not fit: invalid type: unit value, expected struct Greeting",
        ),
    ] {
        let expected = (
            ErrorKind::InvalidParameters,
            message.to_owned(),
            Some(String::new()),
        );
        assert_eq!(refuse(input), expected);
    }
}

#[test]
fn a_configuration_that_does_not_fit_says_where() {
    let refuse = |config: Value| {
        let refused = instance::<Sample>(&config, HostRef::unconnected());
        let error = refused.map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let path = error.details().get("path").and_then(Value::as_str);
        (error.message().to_owned(), path.map(str::to_owned))
    };
    let (message, path) = refuse(value!({"name": "x", "weight": 300}));
    assert_eq!(
        message,
        "the configuration does not fit at `weight`: invalid value: integer `300`, expected u8"
    );
    assert_eq!(path.as_deref(), Some("weight"));
    let (message, path) = refuse(value!({"name": "x", "panics_in": ["start", "nowhere"]}));
    assert_eq!(
        message,
        "the configuration does not fit at `panics_in[1]`: unknown variant `nowhere`, expected one of `start`, `health`, `stop`, `drop`"
    );
    assert_eq!(path.as_deref(), Some("panics_in[1]"));
    let (message, _) = refuse(Value::Null);
    assert_eq!(
        message,
        "the configuration does not fit: invalid type: unit value, expected struct Config"
    );
}

#[test]
fn a_plugin_that_does_not_start_says_why() {
    let config = value!({"name": "no start", "fails_in": ["start"]});
    let refused = instance::<Sample>(&config, HostRef::unconnected());
    let error = refused.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert_eq!(error.message(), "failed in start");
}

#[test]
fn errors_of_every_kind_cross() {
    let plugin = start(&value!({"name": "kinds"}));
    for (number, &kind) in ErrorKind::ALL.iter().enumerate() {
        let error = execute(&plugin, operation::FAIL, &value!({"kind": number})).unwrap_err();
        // That of a plugin which this one called, it would be: this one has not panicked.
        let expected = match kind {
            ErrorKind::Panicked => ErrorKind::ExecutionError,
            kind => kind,
        };
        assert_eq!(error.kind(), expected);
        assert_eq!(error.message(), format!("failed as {kind}"));
        assert_eq!(error.details(), &Value::Null);
        assert_eq!(error.causes().count(), 0);
    }
}

#[test]
fn causes_and_details_cross() {
    let plugin = start(&value!({"name": "causes"}));
    let error = execute(&plugin, operation::EXPLAIN, &value!({})).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "resource-exhausted: while explaining: layer 2: layer 1: layer 0"
    );
    assert_eq!(error.details(), &value!({"limit": 7, "used": [1, 2]}));
    let error = execute(&plugin, operation::OWN_ERROR, &value!({})).unwrap_err();
    assert_eq!(format!("{error:?}"), "execution-error: layer 1: layer 0");
}

#[test]
fn an_output_that_cannot_cross_is_an_error() {
    let plugin = start(&value!({"name": "output"}));
    let error = execute(&plugin, operation::NOT_A_NUMBER, &value!({})).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "execution-error: the output cannot be given to the host: the integer `340282366920938463463374607431768211455` does not fit 64 bits"
    );
}

#[test]
fn an_unknown_operation_is_an_error() {
    let plugin = start(&value!({"name": "unknown"}));
    for number in [operation::COUNT, u32::MAX] {
        let (kind, message, _) = refused(execute(&plugin, number, &Value::Null));
        assert_eq!(kind, ErrorKind::NodeTypeNotFound);
        assert_eq!(
            message,
            format!("the plugin has no operation `{number}`, or was stopped")
        );
    }
}

#[test]
fn the_call_is_seen_as_the_caller_set_it() {
    let plugin = start(&value!({"name": "call"}));
    let (sender, received) = mpsc::channel();
    let cancellation = Cancellation::new();
    cancellation.cancel();
    let options = CallOptions::new()
        .execution_id("run-7")
        .node_id("step-é")
        .tenant("acme")
        .attempt(3)
        .timeout(Duration::from_secs(3600))
        .cancellation(cancellation)
        .on_progress(move |told| {
            sender
                .send((told.fraction, told.message.to_owned()))
                .unwrap();
        });
    let seen = execute_with(&plugin, operation::LOOK, &value!({}), &options).unwrap();
    let expected = value!({
        "execution_id": "run-7", "node_id": "step-é", "tenant": "acme", "attempt": 3,
        "has_deadline": true, "cancelled": true,
    });
    assert_eq!(seen, expected);
    drop(options);
    let told: Vec<_> = received.iter().collect();
    assert_eq!(
        told,
        [(Some(0.5), "half".to_owned()), (None, "on".to_owned())]
    );

    let seen = execute(&plugin, operation::LOOK, &value!({})).unwrap();
    let expected = value!({
        "execution_id": "", "node_id": "", "tenant": "", "attempt": 1,
        "has_deadline": false, "cancelled": false,
    });
    assert_eq!(seen, expected);
}

#[test]
fn a_checkpoint_ends_a_call_that_nobody_waits_for() {
    let plugin = start(&value!({"name": "checkpoint"}));
    let input = value!({"people": [{"name": "Ada"}]});
    let call = |options: CallOptions| {
        execute_with(&plugin, operation::GREET, &input, &options)
            .unwrap_err()
            .kind()
    };
    let cancelled = Cancellation::new();
    cancelled.cancel();
    assert_eq!(
        call(CallOptions::new().cancellation(cancelled)),
        ErrorKind::Cancelled
    );
    assert_eq!(
        call(CallOptions::new().deadline(Instant::now())),
        ErrorKind::ExecutionTimeout
    );
}

#[test]
fn a_panic_in_an_executor_is_an_error_value() {
    let plugin = start(&value!({"name": "panics"}));
    for (input, message) in [
        (value!("literal"), "a literal"),
        (value!("formatted"), "formatted 7"),
        (value!("payload"), "(a payload that is not text)"),
        (value!({"bomb": 0}), "(a payload that is not text)"),
        (value!({"bomb": 1}), "(a payload that is not text)"),
        (value!({"bomb": 3}), "(a payload that is not text)"),
    ] {
        let (kind, found, _) = refused(execute(&plugin, operation::PANIC, &input));
        assert_eq!(kind, ErrorKind::Panicked);
        assert!(found.starts_with("panicked"), "{found}");
        assert!(found.ends_with(message), "{found}");
    }
    // What the host makes of it is the host's: the object itself still answers and can be ended.
    let input = value!([1]);
    assert_eq!(execute(&plugin, operation::ECHO, &input).unwrap(), input);
    assert!(plugin.stop().is_ok());
    assert_eq!(journal("panics"), ["start", "stop", "drop"]);
}

#[test]
fn health_crosses() {
    let health = |plugin: &RawPluginBox| plugin.health().into_result().map(Health::from);
    let plugin = start(&value!({"name": "health"}));
    let expected = Health::degraded("so so").with_details(value!({"load": 0.5}));
    assert_eq!(health(&plugin).unwrap(), expected);

    let plugin = start(&value!({"name": "ill", "fails_in": ["health"]}));
    let told = health(&plugin).unwrap();
    assert_eq!(told, Health::unhealthy("failed in health"));
    assert_eq!(told.state, HealthState::Unhealthy);

    let plugin = start(&value!({"name": "panics in health", "panics_in": ["health"]}));
    let error = Error::from(health(&plugin).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert!(error.message().ends_with("panic in health"), "{error}");
}

#[test]
fn a_plugin_is_stopped_once_and_dropped_once() {
    let plugin = start(&value!({"name": "stopped"}));
    assert!(plugin.stop().is_ok());
    assert_eq!(journal("stopped"), ["start", "stop", "drop"]);

    let plugin = start(&value!({"name": "dropped"}));
    drop(plugin);
    assert_eq!(journal("dropped"), ["start", "drop"]);
}

#[test]
fn a_stop_that_fails_says_so_and_drops_the_plugin() {
    let plugin = start(&value!({"name": "stop fails", "fails_in": ["stop"]}));
    let error = Error::from(plugin.stop().unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert_eq!(error.message(), "failed in stop");
    assert_eq!(journal("stop fails"), ["start", "stop", "drop"]);

    let plugin = start(&value!({"name": "stop panics", "panics_in": ["stop"]}));
    let error = Error::from(plugin.stop().unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert!(error.message().ends_with("panic in stop"), "{error}");
    assert_eq!(journal("stop panics"), ["start", "stop"]);
}

#[test]
fn a_panic_in_a_destructor_is_contained() {
    let plugin = start(&value!({"name": "drop panics", "panics_in": ["drop"]}));
    drop(plugin);
    assert_eq!(journal("drop panics"), ["start", "drop"]);

    // After a stop, the destructor runs inside the stop.
    let plugin = start(&value!({"name": "stop drops", "panics_in": ["drop"]}));
    let error = Error::from(plugin.stop().unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert!(error.message().ends_with("panic in drop"), "{error}");
    assert_eq!(journal("stop drops"), ["start", "stop", "drop"]);
}

#[test]
fn a_function_of_the_host_is_called_as_a_plugin_is() {
    let plugin = in_process(|input, call| match input.as_str() {
        Some("panic") => panic!("in the host"),
        Some(text) => Ok(value!([text, call.tenant()])),
        None => Err(Error::invalid("", "a text", input.clone())),
    });
    let options = CallOptions::new().tenant("acme");
    assert_eq!(
        execute_with(&plugin, 0, &value!("x"), &options).unwrap(),
        value!(["x", "acme"])
    );
    let (kind, message, _) = refused(execute(&plugin, 0, &value!("panic")));
    assert_eq!(kind, ErrorKind::Panicked);
    assert!(message.ends_with("in the host"), "{message}");
    let (kind, message, _) = refused(execute(&plugin, 0, &value!(7)));
    assert_eq!(kind, ErrorKind::ValidationFailed);
    assert_eq!(message, "`` is `7`, expected a text");
    let (kind, ..) = refused(execute(&plugin, 1, &value!("x")));
    assert_eq!(kind, ErrorKind::NodeTypeNotFound);
    let health = plugin.health().into_result().map(Health::from).unwrap();
    assert_eq!(health, Health::healthy());
    assert!(plugin.stop().is_ok());
}

#[test]
fn one_instance_answers_many_threads() {
    let plugin = start(&value!({"name": "threads"}));
    std::thread::scope(|scope| {
        for thread in 0..8_i64 {
            let plugin = &plugin;
            scope.spawn(move || {
                for n in 0..200_i64 {
                    let input = value!([thread, n, ("x".repeat(60))]);
                    assert_eq!(execute(plugin, operation::ECHO, &input).unwrap(), input);
                    let panicked = execute(plugin, operation::FAIL, &value!({"kind": 99}));
                    assert_eq!(panicked.unwrap_err().kind(), ErrorKind::Panicked);
                }
            });
        }
    });
}
