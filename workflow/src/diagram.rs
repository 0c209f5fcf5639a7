//! A workflow as a diagram, for people to look at.
//!
//! What is drawn is worked out here, once; `mermaid` and `dot` only write it. In a diagram nodes are
//! called `n0`, `n1` and so on, by their place in the document. What the document says is only ever in
//! labels, where each of the two forms has its own way to write any character.

mod dot;
mod label;
mod mermaid;
mod palette;

use std::collections::BTreeMap;
use std::fmt;

use self::palette::Palette;
use crate::control::Control;
use crate::document::{Node, Port, Workflow};
use crate::plan::{Edge, Names, Wiring};
use crate::run::NodeStatus;

/// A workflow as a diagram.
///
/// It need not be able to run: an arrow from or to what is no node is left out, and so is one by an
/// output that a node does not have.
///
/// ```
/// use floe_workflow::{Diagram, Document, Format, Limits};
///
/// let text = "
/// id: greet
/// nodes:
///   - { id: hello, node_type: made.greet }
///   - { id: end, node_type: noop, needs: [hello] }
/// ";
/// let document = Document::read(text, Format::Yaml, &Limits::default())?;
/// assert_eq!(
///     Diagram::new(document.workflow()).mermaid().to_string(),
///     "flowchart TD
///     n0[\"hello<br/>made.greet\"]
///     n1((\"end<br/>noop\"))
///     n0 --> n1
/// "
/// );
/// # Ok::<(), floe_workflow::Problems>(())
/// ```
#[derive(Clone, Debug)]
pub struct Diagram<'a> {
    nodes: Vec<Drawn<'a>>,
    arrows: Vec<Arrow>,
}

/// A node in a diagram.
#[derive(Clone, Debug)]
struct Drawn<'a> {
    node: &'a Node,
    shape: Shape,
    status: Option<NodeStatus>,
}

/// What a node looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A node that a plugin answers, or that nothing is known of.
    Call,
    /// One of several ways is taken.
    Choice,
    /// Values are given.
    Data,
    /// Several ways become one.
    Join,
    /// Time passes.
    Wait,
    /// The run ends.
    End,
    /// Nothing is done.
    Dot,
    /// Another workflow is run.
    Workflow,
}

impl Shape {
    fn of(node: &Node) -> Self {
        match Control::of(&node.node_type) {
            None => Self::Call,
            Some(Control::Condition | Control::Switch) => Self::Choice,
            Some(Control::Set) => Self::Data,
            Some(Control::Merge) => Self::Join,
            Some(Control::Wait) => Self::Wait,
            Some(Control::Fail) => Self::End,
            Some(Control::Noop) => Self::Dot,
            Some(Control::Call) => Self::Workflow,
        }
    }
}

/// An arrow in a diagram, between nodes by their places.
#[derive(Clone, Debug)]
struct Arrow {
    from: usize,
    to: usize,
    /// By which way it leaves, where that is not the main one.
    label: Option<String>,
    /// Whether it is the way of an error.
    error: bool,
}

impl<'a> Diagram<'a> {
    /// The diagram of a workflow.
    #[must_use]
    pub fn new(workflow: &'a Workflow) -> Self {
        let wiring = Wiring::of(workflow, &Names::of(workflow));
        let nodes = workflow.nodes.iter().map(|node| Drawn {
            node,
            shape: Shape::of(node),
            status: None,
        });
        let arrows = wiring.edges.iter().map(|edge| Arrow {
            from: edge.from,
            to: edge.to,
            label: way(&workflow.nodes[edge.from], *edge),
            error: edge.port == Port::Error,
        });
        Self {
            nodes: nodes.collect(),
            arrows: arrows.collect(),
        }
    }

    /// The same with what became of the nodes, by their ids: in colours, and in words. A node that has
    /// no status stays as it is.
    #[must_use]
    pub fn statuses(mut self, statuses: &BTreeMap<String, NodeStatus>) -> Self {
        for drawn in &mut self.nodes {
            drawn.status = statuses.get(&drawn.node.id).copied();
        }
        self
    }

    /// The diagram in the language of [Mermaid](https://mermaid.js.org), a flowchart, which many sites
    /// show where it stands in Markdown.
    ///
    /// Mermaid draws at most 500 arrows and 50,000 characters, where its `maxEdges` and `maxTextSize`
    /// are not set; Graphviz has no such bounds.
    #[must_use]
    pub fn mermaid(&self) -> impl fmt::Display {
        mermaid::Mermaid(self)
    }

    /// The diagram in the language of [Graphviz](https://graphviz.org), for its program `dot`.
    #[must_use]
    pub fn dot(&self) -> impl fmt::Display {
        dot::Dot(self)
    }
}

impl Drawn<'_> {
    /// What is written in it, line by line.
    fn lines(&self) -> Vec<String> {
        let node = self.node;
        let name = match node.name.is_empty() {
            true => &node.id,
            false => &node.name,
        };
        let mut lines = Vec::with_capacity(4);
        lines.extend([name, &node.node_type].map(|text| label::shown(text)));
        if let Some(foreach) = &node.foreach {
            lines.push(format!("for each {}", label::shown(&foreach.name)));
        }
        let is_told = self.status == Some(NodeStatus::Disabled);
        if node.disabled && !is_told {
            lines.push("disabled".to_owned());
        }
        if let Some(status) = self.status {
            lines.push(status.to_string());
        }
        lines.retain(|line| !line.is_empty());
        if lines.is_empty() {
            lines.push("?".to_owned());
        }
        lines
    }

    /// Its colours, where it has some of its own.
    fn palette(&self) -> Option<&'static Palette> {
        let disabled = self.node.disabled.then_some(NodeStatus::Disabled);
        self.status.or(disabled).map(Palette::of)
    }
}

/// The way that an arrow leaves a node by, where that is not the main one.
fn way(from: &Node, edge: Edge) -> Option<String> {
    let output = match edge.port {
        Port::Main => return None,
        Port::Error => return Some(edge.port.to_string()),
        Port::Output(output) => output,
    };
    let said = match (Control::of(&from.node_type), output) {
        (Some(Control::Condition), 0) => Some("true".to_owned()),
        (Some(Control::Condition), 1) => Some("false".to_owned()),
        (Some(Control::Switch), _) => case(from, output),
        _ => None,
    };
    Some(said.unwrap_or_else(|| edge.port.to_string()))
}

/// The case of a switch by which an output is taken; `None` where its cases are not known yet.
fn case(switch: &Node, output: u32) -> Option<String> {
    let cases = switch.parameters.get("cases")?.as_list()?;
    match cases.get(usize::try_from(output).ok()?) {
        None => Some("otherwise".to_owned()),
        Some(case) => match case.as_str() {
            // An empty label is none.
            Some(text) if !text.is_empty() => Some(label::shown(text)),
            _ => case.to_json().ok().map(|json| label::shown(&json)),
        },
    }
}
