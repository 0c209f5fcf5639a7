//! What `needs` and `connections` say, as arrows between nodes by index.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use super::{Edge, Ends, ends};
use crate::control::Control;
use crate::document::{Port, Workflow};
use crate::source::escaped;

/// The arrows of a workflow, and what is wrong with what says them.
#[derive(Debug, Default)]
pub(crate) struct Wiring {
    /// Each once, in the order of the document.
    pub(crate) edges: Vec<Edge>,
    /// Where each is said, as a JSON pointer.
    pub(crate) pointers: Vec<String>,
    pub(crate) faults: Vec<Fault>,
    ends: OnceCell<Ends>,
}

/// An end of an arrow that is no node, or a way out that a node does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where it is said.
    pub(crate) pointer: String,
    /// The node that says it, where one does.
    pub(crate) node: Option<usize>,
    pub(crate) kind: FaultKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// No node has that id or name.
    Unknown { name: String },
    /// Several nodes have that name.
    Ambiguous { name: String, ids: Vec<String> },
    /// A node needs itself.
    Itself { node: usize },
    /// A node has no such output.
    Output {
        from: usize,
        output: u32,
        outputs: u32,
    },
}

/// The nodes by id and by name.
pub(crate) struct Names<'a> {
    ids: HashMap<&'a str, usize>,
    names: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Names<'a> {
    pub(crate) fn of(workflow: &'a Workflow) -> Self {
        let mut names = Self {
            ids: HashMap::with_capacity(workflow.nodes.len()),
            names: HashMap::with_capacity(workflow.nodes.len()),
        };
        for (index, node) in workflow.nodes.iter().enumerate() {
            if !node.id.is_empty() {
                names.ids.entry(&node.id).or_insert(index);
            }
            names.names.entry(&node.name).or_default().push(index);
        }
        names
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<usize> {
        self.ids.get(id).copied()
    }

    /// The only node of a name.
    pub(crate) fn by_name(&self, name: &str) -> Option<usize> {
        match self.names.get(name)?.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }

    /// A node by its id, or else by its name.
    fn find(&self, name: &str, workflow: &Workflow) -> Result<usize, FaultKind> {
        if let Some(index) = self.by_id(name).or_else(|| self.by_name(name)) {
            return Ok(index);
        }
        let name = name.to_owned();
        match self.names.get(name.as_str()) {
            Some(several) => {
                let ids = several
                    .iter()
                    .map(|index| workflow.nodes[*index].id.clone());
                let ids = ids.collect();
                Err(FaultKind::Ambiguous { name, ids })
            }
            None => Err(FaultKind::Unknown { name }),
        }
    }
}

impl Wiring {
    pub(crate) fn of(workflow: &Workflow, names: &Names<'_>) -> Self {
        let mut wiring = Self::default();
        let mut known = HashSet::new();
        for (to, node) in workflow.nodes.iter().enumerate() {
            for (place, need) in node.needs.iter().enumerate() {
                if need.node.is_empty() {
                    // It could not be read, which has been told.
                    continue;
                }
                let pointer = format!("/nodes/{to}/needs/{place}");
                match names.find(&need.node, workflow) {
                    Ok(from) => wiring.join(
                        workflow,
                        &mut known,
                        (from, need.port, to),
                        pointer,
                        Some(to),
                    ),
                    Err(kind) => wiring.fault(pointer, Some(to), kind),
                }
            }
        }
        let mut strangers = HashSet::new();
        for connection in &workflow.connections {
            let from = names.find(&connection.from, workflow);
            let to = names.find(&connection.to, workflow);
            if let Err(kind) = &from
                && strangers.insert(&connection.from)
            {
                let pointer = format!("/connections/{}", escaped(&connection.from));
                wiring.fault(pointer, None, kind.clone());
            }
            let pointer = connection.pointer.clone();
            match (from, to) {
                (Ok(from), Ok(to)) => {
                    let edge = (from, connection.port, to);
                    wiring.join(workflow, &mut known, edge, pointer, Some(from));
                }
                (from, Err(kind)) => wiring.fault(pointer, from.ok(), kind),
                (Err(_), Ok(_)) => {}
            }
        }
        wiring
    }

    /// What a node comes after, also where nodes are in circles.
    pub(crate) fn upstream(&self, nodes: usize, after: usize) -> HashSet<usize> {
        let (arriving, _) = self.ends.get_or_init(|| ends(nodes, &self.edges));
        let mut upstream = HashSet::new();
        let mut open = vec![after];
        while let Some(node) = open.pop() {
            for edge in arriving.get(node).into_iter().flatten() {
                let from = self.edges[*edge].from;
                if upstream.insert(from) {
                    open.push(from);
                }
            }
        }
        upstream
    }

    fn fault(&mut self, pointer: String, node: Option<usize>, kind: FaultKind) {
        self.faults.push(Fault {
            pointer,
            node,
            kind,
        });
    }

    fn join(
        &mut self,
        workflow: &Workflow,
        known: &mut HashSet<Edge>,
        (from, port, to): (usize, Port, usize),
        pointer: String,
        said_by: Option<usize>,
    ) {
        if from == to {
            return self.fault(pointer, said_by, FaultKind::Itself { node: from });
        }
        let node = &workflow.nodes[from];
        let outputs = Control::of(&node.node_type).map_or(Some(1), |control| control.outputs(node));
        let port = match port {
            Port::Output(output) => match outputs {
                // Its only output is its main port.
                Some(1) if output == 0 => Port::Main,
                Some(outputs) if output >= outputs => {
                    let kind = FaultKind::Output {
                        from,
                        output,
                        outputs,
                    };
                    return self.fault(pointer, said_by, kind);
                }
                _ => port,
            },
            Port::Main | Port::Error => port,
        };
        let edge = Edge { from, port, to };
        if known.insert(edge) {
            self.edges.push(edge);
            self.pointers.push(pointer);
        }
    }
}
