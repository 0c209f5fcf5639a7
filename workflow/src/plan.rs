//! The order in which the nodes of a workflow run.

mod bits;
mod wiring;

use std::sync::OnceLock;

use floe_registry::graph::Graph;

use self::bits::Bits;
pub(crate) use self::wiring::{Fault, FaultKind, Names, Wiring};
use crate::document::Port;
#[cfg(doc)]
use crate::document::Workflow;

/// How many circles are told at once.
const CIRCLES: usize = 20;

/// The order in which the nodes of a workflow run, each named by its index in [`Workflow::nodes`].
///
/// A node that several others lead to runs once, after all of them. Nothing here recurses, so a long
/// chain is as good as a broad graph.
#[derive(Clone, Debug)]
pub struct Plan {
    edges: Vec<Edge>,
    order: Vec<usize>,
    /// The indices in `edges` of what arrives at each node.
    arriving: Vec<Vec<usize>>,
    /// The same of what leaves it.
    leaving: Vec<Vec<usize>>,
    /// What each node comes after, far or near. Worked out when it is first asked for.
    upstream: OnceLock<Vec<Bits>>,
}

/// An arrow from a node to one that comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Edge {
    /// Where it leaves.
    pub from: usize,
    /// By which port. It is never [`Port::Output`] of a node that has one output.
    pub port: Port,
    /// Where it arrives.
    pub to: usize,
}

impl Plan {
    /// The plan of some nodes; where there is none, circles that the nodes are in, each node needing
    /// the one after it, the first one again at the end.
    pub(crate) fn new(nodes: usize, edges: Vec<Edge>) -> Result<Self, Vec<Vec<usize>>> {
        let order = order(nodes, &edges)?;
        let (arriving, leaving) = ends(nodes, &edges);
        Ok(Self {
            edges,
            order,
            arriving,
            leaving,
            upstream: OnceLock::new(),
        })
    }

    /// How many nodes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is no node.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The nodes, each after all that it needs; of those that may come next, the first of the document.
    #[must_use]
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// All arrows, each once, in the order of the document.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The arrows that arrive at a node.
    pub fn arriving(&self, node: usize) -> impl Iterator<Item = Edge> {
        let edges = self.arriving.get(node).map_or(&[][..], Vec::as_slice);
        edges.iter().map(|edge| self.edges[*edge])
    }

    /// The arrows that leave a node.
    pub fn leaving(&self, node: usize) -> impl Iterator<Item = Edge> {
        let edges = self.leaving.get(node).map_or(&[][..], Vec::as_slice);
        edges.iter().map(|edge| self.edges[*edge])
    }

    /// Whether a node comes before another one, however far.
    #[must_use]
    pub fn is_upstream(&self, before: usize, after: usize) -> bool {
        let upstream = self.all_upstream().get(after);
        upstream.is_some_and(|upstream| upstream.contains(before))
    }

    /// All that a node comes after, however far, in the order of the document.
    pub fn upstream(&self, node: usize) -> impl Iterator<Item = usize> {
        let upstream = self.all_upstream().get(node);
        upstream.into_iter().flat_map(Bits::iter)
    }

    fn all_upstream(&self) -> &[Bits] {
        self.upstream.get_or_init(|| {
            let mut all = vec![Bits::default(); self.len()];
            for &node in &self.order {
                let mut own = Bits::new(self.len());
                for edge in self.arriving(node) {
                    own.insert(edge.from);
                    own.add(&all[edge.from]);
                }
                all[node] = own;
            }
            all
        })
    }
}

/// The arrows that arrive at each node, and those that leave it.
type Ends = (Vec<Vec<usize>>, Vec<Vec<usize>>);

fn ends(nodes: usize, edges: &[Edge]) -> Ends {
    let mut arriving = vec![Vec::new(); nodes];
    let mut leaving = vec![Vec::new(); nodes];
    for (index, edge) in edges.iter().enumerate() {
        arriving[edge.to].push(index);
        leaving[edge.from].push(index);
    }
    (arriving, leaving)
}

fn order(nodes: usize, edges: &[Edge]) -> Result<Vec<usize>, Vec<Vec<usize>>> {
    let mut circles: Vec<Vec<usize>> = Vec::new();
    let mut left: Vec<bool> = vec![true; nodes];
    loop {
        let mut graph: Graph<usize> = (0..nodes).filter(|node| left[*node]).collect();
        for edge in edges.iter().filter(|edge| left[edge.from] && left[edge.to]) {
            // Both are in the graph, which is all that can go wrong.
            let _ = graph.need(&edge.to, &edge.from);
        }
        match graph.order() {
            Ok(order) if circles.is_empty() => return Ok(order),
            Ok(_) => return Err(circles),
            Err(circle) => {
                // Without it, for those that have none of its nodes.
                for node in circle.path() {
                    left[*node] = false;
                }
                circles.push(circle.path().to_vec());
                if circles.len() == CIRCLES {
                    return Err(circles);
                }
            }
        }
    }
}
