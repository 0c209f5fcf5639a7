//! Workflows of a registry's executors.

use floe_registry::Registry;
use floe_registry::api::{CallContext, Error, ErrorKind, ExecutorMetadata, Value, value};
use floe_workflow::{
    Document, Format, Limits, NodeStatus, RunOptions, RunStatus, Runner, Validator,
};

fn registry() -> Registry {
    let registry = Registry::builder().build().unwrap();
    let metadata = |name: &str| ExecutorMetadata::new(name).unwrap();
    let double = |input: &Value, _: &CallContext<'_>| {
        let n = input.get("n").and_then(Value::as_i64);
        let n = n.ok_or_else(|| Error::new(ErrorKind::InvalidParameters, "no `n`"))?;
        Ok(Value::from(n * 2))
    };
    registry.register(metadata("math.double"), double).unwrap();
    let flaky = |_: &Value, call: &CallContext<'_>| match call.attempt() {
        3.. => Ok(Value::from("at last")),
        _ => Err(Error::new(ErrorKind::Transient, "not yet")),
    };
    registry.register(metadata("test.flaky"), flaky).unwrap();
    registry
}

#[track_caller]
fn run(yaml: &str) -> floe_workflow::Run {
    let registry = registry();
    let document = Document::read(yaml, Format::Yaml, &Limits::default()).unwrap();
    let checked = Validator::new(registry.clone()).validate(document);
    let checked = checked.unwrap_or_else(|problems| panic!("{problems}"));
    Runner::new(registry, checked).run(value!({"n": 4}), &RunOptions::default())
}

#[test]
fn executors_are_called() {
    let run = run("
id: w
nodes:
  - { id: a, node_type: math.double, parameters: { n: '{{ input.n }}' } }
  - { id: b, node_type: math.double, needs: [a], parameters: { n: '{{ steps.a.output + 1 }}' } }
");
    assert_eq!(run.status, RunStatus::Success);
    assert_eq!(run.output, value!(18));
}

#[test]
fn a_nodes_own_recovery_holds() {
    let run = run("
id: w
nodes:
  - id: a
    node_type: test.flaky
    recovery: [{ retry: { attempts: 3, initial: 1ms } }]
  - id: told
    node_type: set
    needs: [a]
    parameters:
      values: { gave: '{{ steps.a.output }}', attempts: '{{ steps.a.attempts }}', by: '{{ steps.a.recovered_by }}' }
");
    assert_eq!(run.status, RunStatus::Success);
    let node = &run.nodes["a"];
    assert_eq!(node.status, NodeStatus::Recovered);
    assert_eq!(
        (node.attempts, node.recovered_by.as_deref()),
        (3, Some("retry"))
    );
    let told = value!({"gave": "at last", "attempts": 3, "by": "retry"});
    assert_eq!(run.output, told);
}
