//! Each executor as a host calls it, by its node type: JSON in, JSON or an error out.

mod convert;
mod dict;
mod document;
mod list;
mod logic;
mod math;
mod string;

use std::sync::LazyLock;

use floe_plugin_api::__private::Exported;
use floe_plugin_api::ErrorKind::{InvalidParameters, ResourceExhausted, ValidationFailed};
use floe_plugin_api::{
    CallOptions, Cancellation, Error, ErrorKind, HostRef, Manifest, NoConfig, Plugin, Result, Value,
};

use crate::Std;

static MANIFEST: LazyLock<Manifest> =
    LazyLock::new(|| Manifest::from_json(Std::MANIFEST.as_bytes()).unwrap());

static STD: LazyLock<Std> =
    LazyLock::new(|| Std::start(NoConfig {}, HostRef::unconnected()).unwrap());

/// An executor, an input and the output.
type Case = (&'static str, &'static str, &'static str);

/// An executor, an input, and the kind and a part of the message of the error.
type Refusal = (&'static str, &'static str, ErrorKind, &'static str);

fn call(node_type: &str, input: &Value) -> Result<Value> {
    call_with(&CallOptions::new(), node_type, input)
}

fn call_with(options: &CallOptions, node_type: &str, input: &Value) -> Result<Value> {
    let operation = MANIFEST.operation(node_type).expect("an executor");
    let mut output = Value::Null;
    STD.dispatch(operation, input, &options.context(), &mut output)
        .expect("an executor")?;
    Ok(output)
}

#[track_caller]
fn check_all(cases: &[Case]) {
    for (node_type, input, expected) in cases {
        let input = Value::from_json(input).unwrap();
        let expected = Value::from_json(expected).unwrap();
        match call(node_type, &input) {
            Ok(found) => assert_eq!(found, expected, "{node_type} of {input:?}"),
            Err(error) => panic!("{node_type} of {input:?}: {error:?}"),
        }
    }
}

#[track_caller]
fn refuse_all(refusals: &[Refusal]) {
    for (node_type, input, kind, reason) in refusals {
        refused(node_type, &Value::from_json(input).unwrap(), *kind, reason);
    }
}

#[track_caller]
fn refused(node_type: &str, input: &Value, kind: ErrorKind, reason: &str) -> Error {
    let error = match call(node_type, input) {
        Ok(found) => {
            let found = format!("{found:?}");
            panic!("{node_type} gives {found:.200}, expected: {reason}")
        }
        Err(error) => error,
    };
    assert_eq!(error.kind(), kind, "{node_type}: {error:?}");
    assert!(error.message().contains(reason), "{node_type}: {error:?}");
    error
}

#[test]
fn every_executor_has_a_case_and_every_family_a_refusal() {
    let cases = [
        string::CASES,
        math::CASES,
        logic::CASES,
        list::CASES,
        dict::CASES,
        convert::CASES,
    ]
    .concat();
    for executor in &MANIFEST.executors {
        let name = executor.node_type.as_str();
        let mut called = cases.iter().map(|(case, ..)| *case);
        let mut gives_bytes = convert::BYTES.iter().map(|(case, ..)| *case);
        assert!(
            called.any(|case| case == name) || gives_bytes.any(|case| case == name),
            "{name}"
        );
    }
    let refusals = [
        string::REFUSALS,
        math::REFUSALS,
        logic::REFUSALS,
        list::REFUSALS,
        dict::REFUSALS,
        convert::REFUSALS,
    ];
    assert!(refusals.iter().all(|refusals| !refusals.is_empty()));
}

#[test]
fn no_executor_takes_what_it_does_not_know() {
    for executor in &MANIFEST.executors {
        let error = call(
            &executor.node_type,
            &floe_plugin_api::value!({"no such field": 1}),
        )
        .unwrap_err();
        assert_eq!(error.kind(), InvalidParameters, "{error:?}");
        assert!(
            error.message().contains("unknown field `no such field`"),
            "{}: {error:?}",
            executor.node_type
        );
    }
}
