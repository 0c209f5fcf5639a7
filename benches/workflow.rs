//! What a run of a workflow costs beside what its nodes do: they call an executor that gives back its input.
//!
//! `direct_1000` is as many calls by a handle, without a workflow.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use floe_registry::Registry;
use floe_registry::api::Value;
use floe_workflow::{
    Checked, Document, Format, Journal, JournalSettings, Limits, RunOptions, RunStatus, Runner,
    Validator, new_execution_id,
};

use crate::fixture;

/// How many nodes there are, where nothing else is said.
const NODES: usize = 1000;

/// A node that gives back its input.
fn node(text: &mut String, id: &str, needs: &[String]) {
    let needs = needs.join(", ");
    writeln!(
        text,
        "  - {{ id: {id}, node_type: bench.echo, needs: [{needs}], parameters: {{ n: 1 }} }}"
    )
    .unwrap();
}

fn head(id: &str) -> String {
    format!("id: {id}\nnodes:\n")
}

/// One node after the other.
fn chain(nodes: usize) -> String {
    let mut text = head("chain");
    for at in 0..nodes {
        let needs: Vec<String> = at
            .checked_sub(1)
            .map(|at| format!("n{at}"))
            .into_iter()
            .collect();
        node(&mut text, &format!("n{at}"), &needs);
    }
    text
}

/// One node, and many after it.
fn fan_out(nodes: usize) -> String {
    let mut text = head("fan-out");
    node(&mut text, "first", &[]);
    for at in 0..nodes {
        node(&mut text, &format!("n{at}"), &["first".to_owned()]);
    }
    text
}

/// Nodes that come together in one, again and again.
fn diamonds(count: usize, width: usize) -> String {
    let mut text = head("diamonds");
    node(&mut text, "j0", &[]);
    for at in 0..count {
        let wide: Vec<String> = (0..width).map(|n| format!("w{at}x{n}")).collect();
        for id in &wide {
            node(&mut text, id, &[format!("j{at}")]);
        }
        node(&mut text, &format!("j{}", at + 1), &wide);
    }
    text
}

fn document(text: &str) -> Document {
    Document::read(text, Format::Yaml, &Limits::default().nodes(20_000)).unwrap()
}

fn checked(validator: &Validator<Registry>, text: &str) -> Checked {
    validator.validate(document(text)).unwrap()
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let (directory, store) = (fixture::directory(), fixture::directory());
    fixture::copy(directory.path());
    let registry = fixture::registry(directory.path(), store.path());
    let validator = Validator::new(registry.clone());
    let runner = |text: &str| Runner::new(registry.clone(), checked(&validator, text));
    let mut group = criterion.benchmark_group("workflow");

    let echo = registry.get("bench.echo").unwrap();
    let input = Value::Null;
    group.throughput(Throughput::Elements(NODES as u64));
    group.bench_function("direct_1000", |bencher| {
        bencher.iter(|| {
            for _ in 0..NODES {
                echo.call(black_box(&input)).unwrap();
            }
        });
    });

    for (name, text, nodes) in [
        ("chain_1000", chain(NODES), NODES),
        ("fan_out_1000", fan_out(NODES), NODES + 1),
        ("diamond_100x100", diamonds(100, 100), 10_101),
    ] {
        let runner = runner(&text);
        group.sample_size(if nodes > NODES * 2 { 20 } else { 100 });
        group.throughput(Throughput::Elements(nodes as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let run = runner.run(Value::Null, &RunOptions::new());
                assert_eq!(run.status, RunStatus::Success);
                run
            });
        });
    }

    let text = chain(NODES);
    group.throughput(Throughput::Elements(NODES as u64));
    group.bench_function("validate_1000_nodes", |bencher| {
        bencher.iter(|| checked(&validator, black_box(&text)));
    });
    group.finish();

    journal(criterion, &runner);
}

/// The same runs put on record, and not.
fn journal(criterion: &mut Criterion, runner: &dyn Fn(&str) -> Runner<Registry>) {
    let directory = fixture::directory();
    let journal = Journal::open(&JournalSettings::new(directory.path())).unwrap();
    let mut group = criterion.benchmark_group("workflow/journal_on_vs_off");
    group.sample_size(30);
    for (shape, text) in [("chain", chain(NODES)), ("fan_out", fan_out(NODES))] {
        let runner = runner(&text);
        group.throughput(Throughput::Elements(NODES as u64));
        group.bench_function(format!("{shape}_off"), |bencher| {
            bencher.iter(|| runner.run(Value::Null, &RunOptions::new()));
        });
        group.bench_function(format!("{shape}_on"), |bencher| {
            bencher.iter(|| {
                let options = RunOptions::new().execution_id(new_execution_id());
                let run = runner.record(Value::Null, &options, &journal).unwrap();
                assert_eq!((run.status, run.fault), (RunStatus::Success, None));
            });
        });
    }
    group.finish();
}
