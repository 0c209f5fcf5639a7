//! What is counted and timed of calls.
//!
//! - `histogram` counts durations as they are recorded; `times` is what was read of it.
//! - `recorder` counts and times an executor's calls; `calls` is what was read of it.

mod calls;
mod histogram;
mod recorder;
mod times;

pub use calls::CallStats;
pub(crate) use recorder::Recorder;
pub use times::Times;
