//! What needs what: orders in which everything comes after, or before, what it needs.
//!
//! Plugins start after those that they need and stop before them; the nodes of a workflow run after
//! those whose outputs they read. Both are the same question, and it is answered here once, by
//! Kahn's algorithm: take what needs nothing, strike it out of what the others need, repeat.
//!
//! ```
//! use floe_registry::graph::Graph;
//!
//! let mut graph = Graph::from_iter(["report", "load", "clean"]);
//! graph.need(&"report", &"clean")?;
//! graph.need(&"clean", &"load")?;
//! assert_eq!(graph.order().unwrap(), ["load", "clean", "report"]);
//!
//! graph.need(&"load", &"report")?;
//! let cycle = graph.order().unwrap_err();
//! assert_eq!(cycle.to_string(), "report → clean → load → report");
//! # Ok::<(), floe_registry::graph::UnknownNode<&str>>(())
//! ```

use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::hash::Hash;

/// Nodes, and which of them needs which.
///
/// Every answer depends on the order of insertion alone, so the same graph gives the same answer in
/// every process. Each takes time in proportion to nodes and edges, [`dismantling`](Self::dismantling)
/// also the logarithm of the nodes; none recurses, so a long chain is as good as a broad graph.
#[derive(Clone, Debug)]
pub struct Graph<N> {
    nodes: Vec<N>,
    /// The place of each node in `nodes`, by which everything else names it.
    places: HashMap<N, usize>,
    /// What each node needs.
    needs: Vec<Vec<usize>>,
    /// What needs each node.
    needed_by: Vec<Vec<usize>>,
    /// Every edge, so that one that is given twice is there once.
    edges: HashSet<(usize, usize)>,
}

impl<N> Default for Graph<N> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            places: HashMap::new(),
            needs: Vec::new(),
            needed_by: Vec::new(),
            edges: HashSet::new(),
        }
    }
}

/// A graph of these nodes without edges. A node that comes twice is there once, in its first place.
impl<N: Clone + Eq + Hash> FromIterator<N> for Graph<N> {
    fn from_iter<I: IntoIterator<Item = N>>(nodes: I) -> Self {
        let mut graph = Self::default();
        nodes.into_iter().for_each(|node| graph.insert(node));
        graph
    }
}

impl<N: Clone + Eq + Hash> Graph<N> {
    /// A graph without nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node that needs nothing yet. One that is there already stays as it is.
    pub fn insert(&mut self, node: N) {
        let place = self.nodes.len();
        if let std::collections::hash_map::Entry::Vacant(vacant) = self.places.entry(node.clone()) {
            vacant.insert(place);
            self.nodes.push(node);
            self.needs.push(Vec::new());
            self.needed_by.push(Vec::new());
        }
    }

    /// Says that `node` needs `dependency`. To say it twice is to say it once.
    ///
    /// # Errors
    ///
    /// One of the two is not in the graph; nothing is changed then.
    pub fn need(&mut self, node: &N, dependency: &N) -> Result<(), UnknownNode<N>> {
        let from = self.place(node)?;
        let to = self.place(dependency)?;
        if self.edges.insert((from, to)) {
            self.needs[from].push(to);
            self.needed_by[to].push(from);
        }
        Ok(())
    }

    fn place(&self, node: &N) -> Result<usize, UnknownNode<N>> {
        let place = self.places.get(node).copied();
        place.ok_or_else(|| UnknownNode(node.clone()))
    }

    /// The nodes in the order of insertion.
    #[must_use]
    pub fn nodes(&self) -> &[N] {
        &self.nodes
    }

    /// What a node needs itself, in the order in which that was said; nothing for an unknown node.
    pub fn dependencies(&self, node: &N) -> impl Iterator<Item = &N> {
        let place = self.places.get(node);
        let needs = place.map_or(&[][..], |place| &self.needs[*place]);
        needs.iter().map(|place| &self.nodes[*place])
    }

    /// All that needs a node, itself or through others, in the order of insertion. The node is
    /// among them only where it is in a cycle.
    #[must_use]
    pub fn dependents(&self, node: &N) -> Vec<N> {
        let Some(start) = self.places.get(node) else {
            return Vec::new();
        };
        let mut found = vec![false; self.nodes.len()];
        let mut open = vec![*start];
        while let Some(place) = open.pop() {
            for &dependent in &self.needed_by[place] {
                if !std::mem::replace(&mut found[dependent], true) {
                    open.push(dependent);
                }
            }
        }
        let found = found.iter().zip(&self.nodes).filter(|(found, _)| **found);
        found.map(|(_, node)| node.clone()).collect()
    }

    /// The nodes in waves: each needs only what is in waves before its own, and is in the first wave
    /// that allows it. Within a wave they are in the order of insertion.
    ///
    /// # Errors
    ///
    /// Nodes need each other in a cycle.
    pub fn waves(&self) -> Result<Vec<Vec<N>>, Cycle<N>> {
        let mut missing: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let mut wave: Vec<usize> = (0..self.nodes.len())
            .filter(|place| missing[*place] == 0)
            .collect();
        let mut waves = Vec::new();
        let mut reached = 0;
        while !wave.is_empty() {
            reached += wave.len();
            let mut next = Vec::new();
            for &dependent in wave.iter().flat_map(|place| &self.needed_by[*place]) {
                missing[dependent] -= 1;
                if missing[dependent] == 0 {
                    next.push(dependent);
                }
            }
            next.sort_unstable();
            waves.push(self.named(&wave));
            wave = next;
        }
        match self.cycle() {
            Some(cycle) if reached < self.nodes.len() => Err(cycle),
            _ => Ok(waves),
        }
    }

    /// The nodes of all [`waves`](Self::waves), one after another: each comes after all it needs.
    ///
    /// # Errors
    ///
    /// Nodes need each other in a cycle.
    pub fn order(&self) -> Result<Vec<N>, Cycle<N>> {
        Ok(self.waves()?.into_iter().flatten().collect())
    }

    /// Every node once, each after all that needs it: the order in which to take things down.
    ///
    /// Of those that may come next, the one with the highest priority does, and of equal ones the
    /// one inserted last. Nodes that need each other in a cycle cannot all come after each other:
    /// where only such are left, the one with the highest priority breaks the cycle. What is in no
    /// cycle comes after all that needs it even then.
    pub fn dismantling(&self, priority: impl Fn(&N) -> u64) -> Vec<N> {
        let cycles = self.cycles();
        let together = |a: usize, b: usize| cycles[a] == cycles[b];
        // How many dependents each node waits for, and how many of those not in a cycle with it.
        let mut waiting: Vec<usize> = self.needed_by.iter().map(Vec::len).collect();
        let mut outside: Vec<usize> = (0..self.nodes.len())
            .map(|place| {
                let dependents = self.needed_by[place].iter();
                dependents.filter(|from| !together(**from, place)).count()
            })
            .collect();
        let ranked = |place: usize| (priority(&self.nodes[place]), place);
        let heap_of = |counts: &[usize]| -> BinaryHeap<_> {
            let places = 0..self.nodes.len();
            places
                .filter(|place| counts[*place] == 0)
                .map(ranked)
                .collect()
        };
        let (mut free, mut breakers) = (heap_of(&waiting), heap_of(&outside));
        let mut done = vec![false; self.nodes.len()];
        let mut order = Vec::with_capacity(self.nodes.len());
        while let Some((_, place)) = free.pop().or_else(|| breakers.pop()) {
            if std::mem::replace(&mut done[place], true) {
                continue;
            }
            order.push(place);
            for &needed in &self.needs[place] {
                waiting[needed] -= 1;
                if waiting[needed] == 0 {
                    free.push(ranked(needed));
                }
                if !together(place, needed) {
                    outside[needed] -= 1;
                    if outside[needed] == 0 {
                        breakers.push(ranked(needed));
                    }
                }
            }
        }
        self.named(&order)
    }

    fn named(&self, places: &[usize]) -> Vec<N> {
        let nodes = places.iter().map(|place| self.nodes[*place].clone());
        nodes.collect()
    }

    /// A number for each node that it shares with those it is in a cycle with, and with no other
    /// (Kosaraju's algorithm, as it needs no recursion to be plain).
    fn cycles(&self) -> Vec<usize> {
        let count = self.nodes.len();
        // Places in the order in which a walk along the needs leaves them for good.
        let mut left = Vec::with_capacity(count);
        let mut seen = vec![false; count];
        for start in 0..count {
            if std::mem::replace(&mut seen[start], true) {
                continue;
            }
            let mut path = vec![(start, 0)];
            while let Some((place, tried)) = path.last_mut() {
                match self.needs[*place].get(*tried) {
                    Some(&next) => {
                        *tried += 1;
                        if !std::mem::replace(&mut seen[next], true) {
                            path.push((next, 0));
                        }
                    }
                    None => {
                        left.push(*place);
                        path.pop();
                    }
                }
            }
        }
        let mut cycles = vec![usize::MAX; count];
        for &start in left.iter().rev() {
            let mut open = vec![start];
            while let Some(place) = open.pop() {
                if cycles[place] == usize::MAX {
                    cycles[place] = start;
                    open.extend(&self.needed_by[place]);
                }
            }
        }
        cycles
    }

    /// Of the cycles through the first node that is in one, a shortest.
    fn cycle(&self) -> Option<Cycle<N>> {
        let cycles = self.cycles();
        let is_closed = |place: &usize| {
            let mut needs = self.needs[*place].iter();
            needs.any(|needed| cycles[*needed] == cycles[*place])
        };
        let start = (0..self.nodes.len()).find(is_closed)?;
        // Breadth first, and never out of the nodes that lead back.
        let mut from = vec![None; self.nodes.len()];
        let mut open = VecDeque::from([start]);
        'search: while let Some(place) = open.pop_front() {
            for &next in &self.needs[place] {
                if cycles[next] == cycles[start] && from[next].is_none() {
                    from[next] = Some(place);
                    open.push_back(next);
                    if next == start {
                        break 'search;
                    }
                }
            }
        }
        let mut path = vec![start];
        let mut place = from[start]?;
        while place != start {
            path.push(place);
            place = from[place]?;
        }
        path.push(start);
        path.reverse();
        Some(Cycle(self.named(&path)))
    }
}

/// Nodes that need each other in a circle, so that none of them can come first.
///
/// It displays as `a → b → a`, each node needing the one after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle<N>(Vec<N>);

impl<N> Cycle<N> {
    /// The nodes, each needing the one after it. The first, which of them was inserted first, is
    /// repeated at the end; no other comes twice.
    #[must_use]
    pub fn path(&self) -> &[N] {
        &self.0
    }
}

impl<N: fmt::Display> fmt::Display for Cycle<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.0.iter().enumerate() {
            let arrow = if index == 0 { "" } else { " → " };
            write!(f, "{arrow}{node}")?;
        }
        Ok(())
    }
}

impl<N: fmt::Debug + fmt::Display> std::error::Error for Cycle<N> {}

/// A node that an edge names and the graph does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownNode<N>(N);

impl<N> UnknownNode<N> {
    /// The node.
    #[must_use]
    pub const fn node(&self) -> &N {
        &self.0
    }
}

impl<N: fmt::Display> fmt::Display for UnknownNode<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not in the graph; insert it first", self.0)
    }
}

impl<N: fmt::Debug + fmt::Display> std::error::Error for UnknownNode<N> {}

#[cfg(test)]
mod tests;
