//! How much an evaluation may do and make.

use super::ExpressionError;

/// How many steps an evaluation may take: a row of a large table takes about ten, a hostile
/// template ends within seconds.
pub(super) const FUEL: u64 = 10_000_000;

/// How many bytes a text may have that an evaluation makes.
pub(super) const OUTPUT: usize = 16 << 20;

/// How many bytes all values may have together that an evaluation makes, those between included.
const MADE: usize = 4 * OUTPUT;

/// How deep a value may be nested that is compared, sorted or made: as deep as JSON is read.
pub(super) const DEPTH: usize = 128;

/// How many bytes an item of a list or map is taken to need besides what it holds.
pub(super) const ITEM: usize = 32;

/// How many bytes are walked for one step.
pub(super) const WALKED: usize = 1024;

/// What is left.
#[derive(Debug)]
pub(super) struct Budget {
    fuel: u64,
    made: usize,
}

impl Budget {
    pub(super) const fn new() -> Self {
        Self {
            fuel: FUEL,
            made: MADE,
        }
    }

    /// Takes steps off.
    pub(super) fn step(&mut self, steps: usize, offset: usize) -> Result<(), ExpressionError> {
        match self.fuel.checked_sub(steps as u64) {
            Some(left) => {
                self.fuel = left;
                Ok(())
            }
            None => Err(ExpressionError::new(
                format!("found more than `{FUEL}` steps, expected fewer"),
                offset,
            )
            .with_hint("loop over fewer values, or leave the work to a step")),
        }
    }

    /// Takes bytes off, before they are made.
    pub(super) fn make(&mut self, bytes: usize, offset: usize) -> Result<(), ExpressionError> {
        match self.made.checked_sub(bytes) {
            Some(left) => {
                self.made = left;
                Ok(())
            }
            None => Err(too_large(MADE, offset)),
        }
    }

    /// How many bytes may still be made.
    pub(super) const fn left(&self) -> usize {
        self.made
    }
}

#[cold]
pub(super) fn too_large(limit: usize, offset: usize) -> ExpressionError {
    let limit = limit >> 20;
    ExpressionError::new(
        format!("found more than `{limit}` MiB made by one expression, expected less"),
        offset,
    )
    .with_hint("leave the work to a step")
}
