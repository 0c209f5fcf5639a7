//! How large a document may be.

/// How large a document may be. What is larger is refused before it is understood.
///
/// ```
/// use floe_workflow::Limits;
///
/// let limits = Limits::default().bytes(64 * 1024);
/// assert_eq!(limits.nodes, 10_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The size of the text in bytes; 8 MiB by default.
    pub bytes: usize,
    /// How many nodes a workflow may have; 10,000 by default.
    pub nodes: usize,
    /// How deep lists and maps may be in each other; 128 by default, and never more.
    pub depth: usize,
    /// How many values there may be, the copies that YAML's aliases make included; a long text counts
    /// as one for every 64 bytes. 1,000,000 by default.
    pub values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 8 * 1024 * 1024,
            nodes: 10_000,
            depth: Self::DEEPEST,
            values: 1_000_000,
        }
    }
}

impl Limits {
    /// What the readers, which recurse, are made for; also what `serde_json` allows.
    const DEEPEST: usize = 128;

    /// Sets how large the text may be.
    #[must_use]
    pub const fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets how many nodes a workflow may have.
    #[must_use]
    pub const fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// Sets how deep lists and maps may be in each other; more than 128 is taken as that.
    #[must_use]
    pub fn depth(mut self, depth: usize) -> Self {
        self.depth = depth.min(Self::DEEPEST);
        self
    }

    /// Sets how many values there may be.
    #[must_use]
    pub const fn values(mut self, values: usize) -> Self {
        self.values = values;
        self
    }
}
