//! The expressions of a workflow's nodes, read once for all runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use floe_plugin_api::Value;

use super::RunOptions;
use crate::control::Control;
use crate::document::Node;
use crate::expression::{ExpressionError, Parameters, Reference, Root, Template};
use crate::journal::{Begun, CalledBy, Interrupted, JournalError};
use crate::validate::Checked;

/// A workflow that was checked, with its expressions read, and the workflows that it calls.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) checked: Arc<Checked>,
    pub(super) prepared: Prepared,
    /// By the index of the node that calls.
    pub(super) calls: BTreeMap<usize, Arc<Program>>,
}

impl Program {
    pub(super) fn new(checked: Arc<Checked>) -> Arc<Self> {
        Self::of(&checked, &mut HashMap::new())
    }

    /// Each workflow is made ready once, however often it is called. They call each other so deep only as a
    /// check allows.
    fn of(checked: &Arc<Checked>, made: &mut HashMap<*const Checked, Arc<Self>>) -> Arc<Self> {
        let key = Arc::as_ptr(checked);
        if let Some(made) = made.get(&key) {
            return made.clone();
        }
        let calls = checked
            .calls()
            .iter()
            .map(|(node, called)| (*node, Self::of(called, made)))
            .collect();
        let program = Arc::new(Self {
            prepared: Prepared::new(checked),
            checked: checked.clone(),
            calls,
        });
        made.insert(key, program.clone());
        program
    }

    /// What a run of it is, for a journal.
    pub(super) fn begun<'a>(
        &'a self,
        input: &'a Value,
        options: &'a RunOptions,
        called_by: Option<&'a CalledBy<'a>>,
    ) -> Begun<'a> {
        let workflow = self.checked.workflow();
        Begun {
            execution_id: &options.execution_id,
            called_by,
            workflow: &workflow.id,
            version: workflow.version.as_deref(),
            text: self.checked.text(),
            format: self.checked.format(),
            file: self.checked.file(),
            input,
            tenant: options.tenant.as_deref(),
            user: &options.user,
            env: &options.env,
            directories: &options.directories,
            keep_outputs: options.keep_outputs,
            began: jiff::Timestamp::now(),
        }
    }

    /// Refuses the run of another workflow.
    pub(super) fn is_of(&self, interrupted: &Interrupted) -> Result<(), JournalError> {
        if interrupted.text() == &**self.checked.text() {
            return Ok(());
        }
        Err(JournalError::OtherWorkflow {
            execution_id: interrupted.execution_id().to_owned(),
            workflow: interrupted.workflow().to_owned(),
        })
    }
}

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
        let places: HashMap<&str, usize> = workflow
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
