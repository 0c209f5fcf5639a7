//! Sets of nodes, one bit for each.

/// A set of nodes by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits(Vec<u64>);

const WIDTH: usize = 64;

impl Bits {
    /// The empty set of so many nodes.
    pub(super) fn new(nodes: usize) -> Self {
        Self(vec![0; nodes.div_ceil(WIDTH)])
    }

    pub(super) fn insert(&mut self, node: usize) {
        if let Some(word) = self.0.get_mut(node / WIDTH) {
            *word |= 1 << (node % WIDTH);
        }
    }

    pub(super) fn contains(&self, node: usize) -> bool {
        let word = self.0.get(node / WIDTH);
        word.is_some_and(|word| word & (1 << (node % WIDTH)) != 0)
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    /// The nodes, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        let words = self.0.iter().enumerate();
        words.flat_map(|(index, word)| {
            let set = (0..WIDTH).filter(move |bit| word & (1 << bit) != 0);
            set.map(move |bit| index * WIDTH + bit)
        })
    }
}
