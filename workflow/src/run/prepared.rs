//! The expressions of a workflow's nodes, read once for all runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use floe_plugin_api::Value;

use crate::control::Control;
use crate::document::Node;
use crate::expression::{ExpressionError, Parameters, Reference, Root, Template};
use crate::validate::Checked;

/// A node's expressions.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) control: Option<Control>,
    pub(super) when: Option<Template>,
    pub(super) items: Option<Parameters>,
    pub(super) parameters: Option<Parameters>,
    pub(super) config: Option<Parameters>,
    /// The nodes whose outputs it asks for.
    pub(super) asks: Vec<usize>,
    /// Which of them could not be read, and why.
    pub(super) fault: Option<String>,
}

/// All nodes' expressions.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) steps: Vec<Step>,
    pub(super) variables: Arc<Value>,
}

impl Prepared {
    pub(super) fn new(checked: &Checked) -> Self {
        let (workflow, plan) = (checked.workflow(), checked.plan());
        let places: std::collections::HashMap<&str, usize> = workflow
            .nodes
            .iter()
            .enumerate()
            .map(|(index, node)| (node.id.as_str(), index))
            .collect();
        let mut steps = Vec::with_capacity(workflow.nodes.len());
        for (index, node) in workflow.nodes.iter().enumerate() {
            let mut step = Step::new(node);
            let mut asks: BTreeSet<usize> = step
                .references()
                .filter_map(|reference| match reference.root {
                    Root::Steps => places.get(reference.path.first()?.as_str()).copied(),
                    _ => None,
                })
                .collect();
            // What leads to a merge is its input.
            if step.control == Some(Control::Merge) || step.control == Some(Control::Wait) {
                asks.extend(plan.arriving(index).map(|edge| edge.from));
            }
            step.asks = asks.into_iter().collect();
            steps.push(step);
        }
        Self {
            steps,
            variables: Arc::new(Value::Map(workflow.variables.clone())),
        }
    }
}

impl Prepared {
    /// Whose outputs each node asks for.
    pub(super) fn asks(&self) -> Vec<&[usize]> {
        self.steps.iter().map(|step| step.asks.as_slice()).collect()
    }
}

impl Step {
    fn new(node: &Node) -> Self {
        let mut reading = Reading::default();
        let when = node.when.as_deref();
        Self {
            control: Control::of(&node.node_type),
            when: when.and_then(|when| {
                let read = Template::parse_condition(when);
                read.map_err(|error| reading.failed("when", &error)).ok()
            }),
            items: (node.foreach.as_ref())
                .and_then(|each| reading.all("foreach.items", &each.items)),
            parameters: reading.all("parameters", &Value::Map(node.parameters.clone())),
            config: reading.all("config", &Value::Map(node.config.clone())),
            asks: Vec::new(),
            fault: reading.fault,
        }
    }

    fn references(&self) -> impl Iterator<Item = &Reference> {
        let all = [
            self.parameters.as_ref(),
            self.config.as_ref(),
            self.items.as_ref(),
        ];
        let parameters = all
            .into_iter()
            .flatten()
            .flat_map(|each| each.references().map(|(_, reference)| reference));
        let when = self.when.iter().flat_map(Template::references);
        parameters.chain(when)
    }
}

/// Reads a node's expressions. A workflow that was checked has none that cannot be read; one that has fails
/// the node that it is in.
#[derive(Default)]
struct Reading {
    fault: Option<String>,
}

impl Reading {
    fn all(&mut self, of: &str, value: &Value) -> Option<Parameters> {
        Parameters::parse(value)
            .map_err(|errors| {
                for (pointer, error) in errors {
                    self.failed(&format!("{of}{pointer}"), &error);
                }
            })
            .ok()
    }

    fn failed(&mut self, place: &str, error: &ExpressionError) {
        self.fault
            .get_or_insert_with(|| format!("`{place}`: {error}"));
    }
}
