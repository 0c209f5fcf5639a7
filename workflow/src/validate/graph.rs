//! Whether what the nodes need is there, and can come before them.

use std::collections::HashMap;

use super::Check;
use crate::document::{OnError, Port};
use crate::executors::Executors;
use crate::nearest::listed;
use crate::plan::{Edge, Fault, FaultKind, Plan};
use crate::problem::{Problem, Rule};

/// How many nodes of a circle are told.
const TOLD: usize = 20;

impl<E: Executors> Check<'_, E> {
    /// Ids that several things have.
    pub(super) fn duplicates(&mut self) {
        let mut nodes = HashMap::new();
        let mut triggers = HashMap::new();
        for (index, node) in self.workflow.nodes.iter().enumerate() {
            self.twice(&mut nodes, &node.id, "node", format!("/nodes/{index}/id"));
        }
        for (index, trigger) in self.workflow.triggers.iter().enumerate() {
            self.twice(
                &mut triggers,
                &trigger.id,
                "trigger",
                format!("/triggers/{index}/id"),
            );
        }
    }

    fn twice<'i>(
        &mut self,
        known: &mut HashMap<&'i str, String>,
        id: &'i str,
        what: &str,
        pointer: String,
    ) {
        if id.is_empty() {
            return;
        }
        let Some(first) = known.get(id) else {
            known.insert(id, pointer);
            return;
        };
        let line = self.source.place(first).line;
        let message = format!(
            "another {what} is `{}` already, at line {line}",
            id.escape_debug()
        );
        let problem = self
            .problem(Rule::Duplicate, &pointer, message)
            .hint("give one of them another id");
        self.push(match what {
            "node" => problem.of_node(id),
            _ => problem,
        });
    }

    /// Arrows from or to what is no node.
    pub(super) fn faults(&mut self) {
        for fault in std::mem::take(&mut self.wiring.faults) {
            let problem = self.fault(&fault);
            self.push(match fault.node {
                Some(node) => problem.of_node(self.id(node)),
                None => problem,
            });
        }
    }

    fn fault(&self, fault: &Fault) -> Problem {
        let pointer = &fault.pointer;
        // The key of `connections` stands for the node that is left.
        let is_key = pointer.starts_with("/connections/") && pointer.matches('/').count() == 2;
        let unknown = |message: String| match is_key && fault.node.is_none() {
            true => self.problem_at_key(Rule::UnknownNode, pointer, message),
            false => self.problem(Rule::UnknownNode, pointer, message),
        };
        match &fault.kind {
            FaultKind::Unknown { name } => {
                let message = format!("`{}` is no node of this workflow", name.escape_debug());
                unknown(message).meant(self.nearest_node(name), "add it, or take this out")
            }
            FaultKind::Ambiguous { name, ids } => {
                let message = format!("{} nodes are called `{}`", ids.len(), name.escape_debug());
                let ids = listed(ids.iter().map(String::as_str));
                unknown(message).hint(format!("write the id of one of them: {ids}"))
            }
            FaultKind::Itself { node } => {
                let message = format!("`{}` needs itself", self.id(*node).escape_debug());
                self.problem(Rule::SelfEdge, pointer, message)
                    .hint("take this out")
            }
            FaultKind::Output {
                from,
                output,
                outputs,
            } => {
                let has = match outputs {
                    1 => "one output".to_owned(),
                    several => format!("{several} outputs, from `main:0`"),
                };
                let id = self.id(*from).escape_debug().to_string();
                let message = format!("found `main:{output}`, but `{id}` has {has}");
                let hint = match outputs {
                    1 => "only `condition` and `switch` have several",
                    _ => "take one of those",
                };
                self.problem(Rule::Port, pointer, message).hint(hint)
            }
        }
    }

    /// Puts the nodes in order, or tells the circles that they are in.
    pub(super) fn order(&mut self) {
        match Plan::new(self.workflow.nodes.len(), self.wiring.edges.clone()) {
            Ok(plan) => self.plan = Some(plan),
            Err(circles) => {
                for circle in circles {
                    self.circle(&circle);
                }
            }
        }
    }

    fn circle(&mut self, circle: &[usize]) {
        let [first, next, ..] = circle else {
            return;
        };
        let mut edges = self.wiring.edges.iter();
        let edge = edges.position(|edge| edge.to == *first && edge.from == *next);
        let pointer = edge.and_then(|edge| self.wiring.pointers.get(edge));
        let pointer = pointer.cloned().unwrap_or_default();
        let mut path: Vec<&str> = circle
            .iter()
            .take(TOLD)
            .map(|node| self.id(*node))
            .collect();
        let more;
        if circle.len() > TOLD {
            more = format!("… {} more …", circle.len() - TOLD - 1);
            path.push(&more);
            path.push(self.id(*first));
        }
        let message = format!("nodes need each other in a circle: {}", path.join(" → "));
        let problem = self.problem(Rule::Cycle, &pointer, message);
        let problem = problem.of_node(self.id(*first));
        self.push(problem.hint("take one of these connections out"));
    }

    /// Nodes that cannot run, or not as it seems.
    pub(super) fn reach(&mut self) {
        let workflow = self.workflow;
        let edges = std::mem::take(&mut self.wiring.edges);
        let mut joined = vec![false; workflow.nodes.len()];
        let mut has_error_port = joined.clone();
        for (index, edge) in edges.iter().enumerate() {
            joined[edge.from] = true;
            joined[edge.to] = true;
            has_error_port[edge.from] |= edge.port == Port::Error;
            let pointer = self.wiring.pointers.get(index).cloned().unwrap_or_default();
            self.edge(*edge, &pointer);
        }
        for (index, node) in workflow.nodes.iter().enumerate() {
            if !joined[index] && node.needs.is_empty() && !edges.is_empty() && !node.disabled {
                let pointer = format!("/nodes/{index}");
                let message =
                    "it is connected with no other node, so it runs at the start, on its own";
                let problem = self.problem(Rule::Unreachable, &pointer, message).warning();
                self.push(problem.of_node(&node.id).hint("connect it, or take it out"));
            }
            if node.on_error == OnError::ErrorPort && !has_error_port[index] {
                let pointer = format!("/nodes/{index}/on_error");
                let message = "nothing comes after its port `error`, so that its error is lost";
                let problem = self.problem(Rule::Port, &pointer, message).warning();
                self.push(
                    problem
                        .of_node(&node.id)
                        .hint("connect it, or write `continue`"),
                );
            }
        }
        self.wiring.edges = edges;
        self.dead();
    }

    fn edge(&mut self, edge: Edge, pointer: &str) {
        let workflow = self.workflow;
        let (from, to) = (&workflow.nodes[edge.from], &workflow.nodes[edge.to]);
        if from.disabled && !to.disabled {
            let message = format!("it needs `{}`, which is disabled", from.id.escape_debug());
            let problem = self.problem(Rule::Disabled, pointer, message).warning();
            self.push(
                problem
                    .of_node(&to.id)
                    .hint("enable that one, or disable this one too"),
            );
        }
        if edge.port == Port::Error && from.on_error != OnError::ErrorPort {
            let message = format!(
                "`{}` is never left by its port `error`, as its `on_error` is not `error-port`",
                from.id.escape_debug()
            );
            let problem = self.problem(Rule::Port, pointer, message).warning();
            self.push(
                problem
                    .of_node(&to.id)
                    .hint("write `on_error: error-port` on that node"),
            );
        }
    }

    /// Nodes that come only after what never happens.
    fn dead(&mut self) {
        let workflow = self.workflow;
        let Some(plan) = &self.plan else {
            return;
        };
        let mut dead = vec![false; plan.len()];
        let mut found = Vec::new();
        for &node in plan.order() {
            let never = |edge: Edge| {
                let from = &workflow.nodes[edge.from];
                dead[edge.from] || edge.port == Port::Error && from.on_error != OnError::ErrorPort
            };
            let mut arriving = plan.arriving(node).peekable();
            if arriving.peek().is_some() && arriving.all(never) {
                dead[node] = true;
                found.push(node);
            }
        }
        for node in found {
            let message = "it never runs, as nothing that leads to it ever does";
            let problem = self.problem(Rule::Unreachable, &format!("/nodes/{node}"), message);
            let problem = problem.warning().of_node(&workflow.nodes[node].id);
            self.push(problem.hint("connect it to a port that is used, or take it out"));
        }
    }
}
