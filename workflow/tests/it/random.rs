//! Random graphs, held against an interpreter that runs one node after the other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use floe_registry::api::{Value, value};
use floe_workflow::{NodeStatus, RunOptions, Stop};
use proptest::prelude::*;

use crate::fake::runner;

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    needs: Vec<(usize, &'static str)>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Echo,
    SkippedByWhen,
    FailsAndGoesOn,
    FailsToPort,
    Disabled,
}

/// A node as it is drawn: any index stands for one before it.
type Drawn = (Kind, Vec<(prop::sample::Index, &'static str)>);

pub(crate) fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let kind = prop_oneof![
        6 => Just(Kind::Echo),
        1 => Just(Kind::SkippedByWhen),
        1 => Just(Kind::FailsAndGoesOn),
        1 => Just(Kind::FailsToPort),
        1 => Just(Kind::Disabled),
    ];
    let port = prop::sample::select(vec!["main", "main", "main", "error"]);
    let node = (
        kind,
        prop::collection::vec((any::<prop::sample::Index>(), port), 0..4),
    );
    prop::collection::vec(node, 1..14).prop_map(|nodes| {
        let shape = |(at, (kind, needs)): (usize, Drawn)| {
            let mut needs: Vec<(usize, &str)> = match at {
                0 => Vec::new(),
                _ => needs
                    .into_iter()
                    .map(|(index, port)| (index.index(at), port))
                    .collect(),
            };
            needs.sort_unstable();
            needs.dedup();
            Shape { needs, kind }
        };
        nodes.into_iter().enumerate().map(shape).collect()
    })
}

pub(crate) fn text(shapes: &[Shape], concurrency: u32) -> String {
    let mut text = format!("id: w\nsettings: {{ max_concurrency: {concurrency} }}\nnodes:\n");
    for (at, shape) in shapes.iter().enumerate() {
        let needs: Vec<String> = shape
            .needs
            .iter()
            .map(|(node, port)| format!("{{ node: n{node}, port: {port} }}"))
            .collect();
        let (node_type, more) = match shape.kind {
            Kind::Echo => ("test.echo", ""),
            Kind::SkippedByWhen => ("test.echo", ", when: 1 > 2"),
            Kind::FailsAndGoesOn => ("test.fail", ", on_error: continue"),
            Kind::FailsToPort => ("test.fail", ", on_error: error-port"),
            Kind::Disabled => ("test.echo", ", disabled: true"),
        };
        let seen: Vec<String> = shape
            .needs
            .iter()
            .map(|(node, _)| format!("'{{{{ steps.n{node}.status }}}}'"))
            .collect();
        text += &format!(
            "  - {{ id: n{at}, node_type: {node_type}{more}, needs: [{}], parameters: {{ own: {at}, seen: [{}] }} }}\n",
            needs.join(", "),
            seen.join(", ")
        );
    }
    text
}

/// What becomes of each node: its status, and its output where it gives one.
pub(crate) fn interpret(shapes: &[Shape]) -> Vec<(&'static str, Option<Value>)> {
    let mut ended: Vec<(&'static str, Option<Value>)> = Vec::new();
    for (at, shape) in shapes.iter().enumerate() {
        let is_taken = |(node, port): &(usize, &str)| {
            let goes_on = matches!(shapes[*node].kind, Kind::FailsAndGoesOn);
            match (ended[*node].0, *port) {
                ("success", "main") => true,
                ("failed", "main") => goes_on,
                ("failed", "error") => !goes_on,
                _ => false,
            }
        };
        let is_reached = shape.needs.is_empty() || shape.needs.iter().any(is_taken);
        let seen: Vec<Value> = shape
            .needs
            .iter()
            .map(|(node, _)| Value::from(ended[*node].0))
            .collect();
        ended.push(match shape.kind {
            _ if !is_reached => ("skipped", None),
            Kind::Disabled => ("disabled", None),
            Kind::SkippedByWhen => ("skipped", None),
            Kind::FailsAndGoesOn => ("failed", Some(Value::Null)),
            Kind::FailsToPort => ("failed", None),
            Kind::Echo => (
                "success",
                Some(value!({"own": at, "seen": (Value::from(seen))})),
            ),
        });
    }
    ended
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_run_is_what_one_node_after_the_other_gives(shapes in shapes(), concurrency in 1_u32..6) {
        let expected = interpret(&shapes);
        let runner = runner(&text(&shapes, concurrency));
        let options = RunOptions::new().keep_outputs();
        let run = runner.run(Value::Null, &options);
        let found: BTreeMap<&str, (&str, Option<Value>)> = run
            .nodes
            .iter()
            .map(|(id, node)| (id.as_str(), (node.status.as_str(), node.output.as_deref().cloned())))
            .collect();
        for (at, (status, output)) in expected.iter().enumerate() {
            let (found_status, found_output) = &found[format!("n{at}").as_str()];
            prop_assert_eq!(found_status, status, "n{}", at);
            prop_assert_eq!(found_output, output, "n{}", at);
        }
        // Each that ran ran once, and after what leads to it.
        let calls = runner.caller().calls.lock().unwrap().clone();
        let places: BTreeMap<&str, usize> =
            calls.iter().enumerate().map(|(place, (node, _))| (node.as_str(), place)).collect();
        prop_assert_eq!(places.len(), calls.len(), "{:?}", calls);
        for (at, shape) in shapes.iter().enumerate() {
            let Some(own) = places.get(format!("n{at}").as_str()) else { continue };
            for (before, _) in &shape.needs {
                let before = places.get(format!("n{before}").as_str());
                prop_assert!(before.is_none_or(|before| before < own), "{:?}", calls);
            }
        }
        // Again, to the last bit.
        let again = runner.run(Value::Null, &options);
        let outputs = |run: &floe_workflow::Run| run.nodes.values().map(|node| node.output.clone()).collect::<Vec<_>>();
        prop_assert_eq!(outputs(&run), outputs(&again));
    }

    #[test]
    fn a_run_that_is_stopped_somewhere_leaves_nothing_running(
        shapes in shapes(),
        concurrency in 1_u32..6,
        after in 0_usize..12,
        now in any::<bool>(),
    ) {
        let runner = runner(&text(&shapes, concurrency));
        let (stop, seen) = (Stop::new(), AtomicUsize::new(0));
        let switch = stop.clone();
        let options = RunOptions::new().keep_outputs().stop(stop.clone()).listener(move |_| {
            if seen.fetch_add(1, Ordering::SeqCst) == after {
                if now { switch.now() } else { switch.gracefully() }
            }
        });
        let run = runner.run(Value::Null, &options);
        prop_assert_eq!(runner.caller().inside(), 0);
        let called = runner.caller().calls.lock().unwrap().len();
        std::thread::yield_now();
        prop_assert_eq!(runner.caller().calls.lock().unwrap().len(), called);
        // What ended is what would have become of it; the rest did not begin, or was called off.
        let expected = interpret(&shapes);
        for (at, (status, output)) in expected.iter().enumerate() {
            let node = &run.nodes[&format!("n{at}")];
            match node.status {
                NodeStatus::NotRun | NodeStatus::Cancelled => prop_assert!(stop.is_on()),
                ended => {
                    prop_assert_eq!(ended.as_str(), *status, "n{}", at);
                    prop_assert_eq!(node.output.as_deref(), output.as_ref(), "n{}", at);
                }
            }
        }
    }
}
