//! Where each node of a run is: told what became of nodes, it says which may run next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use floe_plugin_api::{Map, Value};

use super::note::Fault;
use super::outcome::{Failure, NodeStatus};
use crate::document::{OnError, Port, Workflow};
use crate::plan::Plan;

/// What became of a node.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It gave an output, and took one of its outputs where it has several.
    Done {
        output: Arc<Value>,
        taken: Option<u32>,
        status: NodeStatus,
    },
    /// It failed for good.
    Failed(Failure),
    /// Its condition does not hold.
    Skipped,
    /// It was called off.
    Cancelled,
    /// What happens in it cannot be put on record, so nothing is said of it.
    Unrecorded(Fault),
}

/// Why a run begins no other node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// A node failed.
    Failed(usize),
    /// Somebody stopped it.
    Stopped,
    /// Its time is over.
    TimedOut,
    /// What it does cannot be put on record.
    Unrecorded,
}

/// A node of a run.
#[derive(Debug, Default)]
pub(super) struct Cell {
    /// How many of the arrows to it are undecided.
    undecided: usize,
    /// Whether one of those that are decided was taken.
    is_reached: bool,
    pub(super) status: Option<NodeStatus>,
    pub(super) output: Option<Arc<Value>>,
    pub(super) failure: Option<Failure>,
    /// How many nodes may still ask for its output.
    uses: usize,
}

/// All nodes of a run.
#[derive(Debug)]
pub(super) struct Board<'w> {
    plan: &'w Plan,
    workflow: &'w Workflow,
    /// Whose outputs each node asks for.
    asks: Vec<&'w [usize]>,
    /// The place of each node in the plan's order: what comes first, of those that may, begins first.
    ranks: Vec<usize>,
    pub(super) cells: Vec<Cell>,
    ready: BinaryHeap<Reverse<(usize, usize)>>,
    /// Ready, and of a node type of which as many run as may.
    held: BTreeMap<String, Vec<usize>>,
    running_by_type: BTreeMap<String, u32>,
    running: u32,
    /// How many have not ended.
    left: usize,
    halt: Option<Halt>,
    keep: bool,
}

impl<'w> Board<'w> {
    /// A run that has not begun. `asks` says of each node whose outputs it asks for.
    pub(super) fn new(
        workflow: &'w Workflow,
        plan: &'w Plan,
        asks: Vec<&'w [usize]>,
        keep: bool,
    ) -> Self {
        let mut uses = vec![0; plan.len()];
        for &asked in asks.iter().copied().flatten() {
            uses[asked] += 1;
        }
        let mut ranks = vec![0; plan.len()];
        for (rank, &node) in plan.order().iter().enumerate() {
            ranks[node] = rank;
        }
        let cells: Vec<Cell> = (0..plan.len())
            .map(|node| Cell {
                undecided: plan.arriving(node).count(),
                uses: uses[node],
                ..Cell::default()
            })
            .collect();
        let mut board = Self {
            plan,
            workflow,
            asks,
            ranks,
            left: cells.len(),
            cells,
            ready: BinaryHeap::new(),
            held: BTreeMap::new(),
            running_by_type: BTreeMap::new(),
            running: 0,
            halt: None,
            keep,
        };
        let first: Vec<usize> = (0..plan.len())
            .filter(|&node| board.cells[node].undecided == 0)
            .collect();
        for node in first {
            board.cells[node].is_reached = true;
            board.decide(node);
        }
        board
    }

    /// Takes over what became of nodes at an earlier time. `kept` gives what there is of one that could begin now;
    /// nothing where it is to be run.
    pub(super) fn replay<E>(
        &mut self,
        mut kept: impl FnMut(usize) -> Result<Option<Outcome>, E>,
    ) -> Result<(), E> {
        let mut open = Vec::new();
        while let Some(Reverse((rank, node))) = self.ready.pop() {
            match kept(node)? {
                Some(outcome) => self.settle(node, outcome),
                None => open.push(Reverse((rank, node))),
            }
        }
        self.ready.extend(open);
        Ok(())
    }

    /// Whether nothing runs and nothing will.
    pub(super) fn is_over(&self) -> bool {
        self.running == 0 && (self.left == 0 || self.halt.is_some())
    }

    /// Why no other node is begun, where none is.
    pub(super) const fn halt(&self) -> Option<Halt> {
        self.halt
    }

    /// Whether every node has ended.
    pub(super) const fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Begins no other node. The first reason counts.
    pub(super) fn stop(&mut self, why: Halt) {
        self.halt.get_or_insert(why);
    }

    /// Whether a node could begin now.
    pub(super) fn has_next(&self) -> bool {
        self.halt.is_none()
            && !self.ready.is_empty()
            && self.running < self.workflow.settings.max_concurrency
    }

    /// Begins the next node that may.
    pub(super) fn next(&mut self) -> Option<usize> {
        while self.has_next() {
            let Reverse((_, node)) = self.ready.pop()?;
            let node_type = type_of(self.workflow, node);
            let limit = self
                .workflow
                .settings
                .max_concurrency_by_type
                .get(node_type);
            if let Some(&limit) = limit {
                let running = self
                    .running_by_type
                    .entry(node_type.to_owned())
                    .or_default();
                if *running >= limit {
                    self.held
                        .entry(node_type.to_owned())
                        .or_default()
                        .push(node);
                    continue;
                }
                *running += 1;
            }
            self.running += 1;
            return Some(node);
        }
        None
    }

    /// Takes note of what became of a node that had begun.
    pub(super) fn end(&mut self, node: usize, outcome: Outcome) {
        self.running -= 1;
        let node_type = type_of(self.workflow, node);
        if let Some(running) = self.running_by_type.get_mut(node_type) {
            *running -= 1;
            let held = self.held.remove(node_type).unwrap_or_default();
            for held in held {
                self.ready.push(Reverse((self.ranks[held], held)));
            }
        }
        self.settle(node, outcome);
    }

    /// A node is decided as far as what leads to it is: it is ready, or skipped and with it what follows.
    fn decide(&mut self, node: usize) {
        // Not by recursion: a chain may be as long as a workflow.
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            let cell = &self.cells[node];
            if !cell.is_reached {
                open.extend(self.mark(node, Outcome::Skipped));
            } else if self.workflow.nodes[node].disabled {
                let cell = &mut self.cells[node];
                cell.status = Some(NodeStatus::Disabled);
                open.extend(self.leave(node, |_| false));
            } else {
                self.ready.push(Reverse((self.ranks[node], node)));
            }
        }
    }

    fn settle(&mut self, node: usize, outcome: Outcome) {
        for next in self.mark(node, outcome) {
            self.decide(next);
        }
    }

    /// Writes down what became of a node, and gives those that are decided by that.
    fn mark(&mut self, node: usize, outcome: Outcome) -> Vec<usize> {
        match outcome {
            Outcome::Done {
                output,
                taken,
                status,
            } => {
                let cell = &mut self.cells[node];
                cell.status = Some(status);
                cell.output = Some(output);
                self.leave(node, |port| match port {
                    Port::Main => true,
                    Port::Output(output) => taken.unwrap_or(0) == output,
                    Port::Error => false,
                })
            }
            Outcome::Skipped => {
                self.cells[node].status = Some(NodeStatus::Skipped);
                self.leave(node, |_| false)
            }
            Outcome::Cancelled | Outcome::Unrecorded(_) => {
                // It was the last one, maybe; but it has not done what it should.
                self.stop(Halt::Stopped);
                self.cells[node].status = Some(NodeStatus::Cancelled);
                self.ended(node);
                Vec::new()
            }
            Outcome::Failed(failure) => self.fail(node, failure),
        }
    }

    fn fail(&mut self, node: usize, failure: Failure) -> Vec<usize> {
        let cell = &mut self.cells[node];
        cell.status = Some(NodeStatus::Failed);
        cell.failure = Some(failure);
        match self.workflow.nodes[node].on_error {
            OnError::ErrorPort => self.leave(node, |port| port == Port::Error),
            OnError::Continue => {
                self.cells[node].output = Some(Arc::new(Value::Null));
                self.leave(node, |port| matches!(port, Port::Main | Port::Output(0)))
            }
            OnError::Stop => {
                self.stop(Halt::Failed(node));
                self.ended(node);
                Vec::new()
            }
        }
    }

    /// Decides the arrows that leave a node which has ended.
    fn leave(&mut self, node: usize, is_taken: impl Fn(Port) -> bool) -> Vec<usize> {
        self.ended(node);
        let mut decided = Vec::new();
        for edge in self.plan.leaving(node) {
            let next = &mut self.cells[edge.to];
            next.undecided -= 1;
            next.is_reached |= is_taken(edge.port);
            if next.undecided == 0 {
                decided.push(edge.to);
            }
        }
        decided
    }

    fn ended(&mut self, node: usize) {
        self.left -= 1;
        for &asked in self.asks[node] {
            self.used(asked);
        }
        self.drop_unused(node);
    }

    /// A node that asks for another one's output has ended: if it was the last, that is not kept.
    fn used(&mut self, node: usize) {
        let cell = &mut self.cells[node];
        cell.uses = cell.uses.saturating_sub(1);
        if cell.status.is_some() {
            self.drop_unused(node);
        }
    }

    /// What the last node gave; of several, a map of what each gave that gave something.
    pub(super) fn output(&self) -> Value {
        let nodes = 0..self.plan.len();
        let last: Vec<usize> = nodes
            .filter(|&node| self.plan.leaving(node).next().is_none())
            .collect();
        let output = |node: usize| self.cells[node].output.as_deref().cloned();
        match last[..] {
            [only] => output(only).unwrap_or_default(),
            _ => {
                let there = last
                    .into_iter()
                    .filter_map(|node| Some((self.workflow.nodes[node].id.clone(), output(node)?)));
                there.collect::<Map>().into()
            }
        }
    }

    fn drop_unused(&mut self, node: usize) {
        let is_last = self.plan.leaving(node).next().is_none();
        if self.cells[node].uses == 0 && !is_last && !self.keep {
            self.cells[node].output = None;
        }
    }
}

fn type_of(workflow: &Workflow, node: usize) -> &str {
    let node_type = workflow.nodes[node].node_type.as_str();
    node_type.split('@').next().unwrap_or(node_type)
}
