//! What is counted and timed of calls.
//!
//! - `histogram` counts durations as they are recorded; `times` is what was read of it.

mod histogram;
mod times;

pub use times::Times;
