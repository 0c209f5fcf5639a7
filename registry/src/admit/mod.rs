//! Decides which candidates may be loaded, without running them.
//!
//! ```text
//! Candidate ─ admit ─▶ Admitted ─ Store::keep ─▶ Stored
//! ```
//!
//! - `verdict` holds the list of checks, runs them all, and is the only way to an [`Admitted`].
//! - `compat` and `trust` are the checks; `store` keeps verified copies of what was admitted.
//!
//! Nothing here maps a file. There is no warning: a file is admitted or refused.

mod compat;
mod store;
mod trust;
mod verdict;

pub use compat::Compatibility;
pub use store::Store;
pub(crate) use store::{LayoutChecked, Stored};
pub use trust::Trust;
pub use verdict::{Admission, Admitted, Check, Verdict, judge};
pub(crate) use verdict::{admit, user};
