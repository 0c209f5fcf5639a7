//! The same instance in a process of its own.
//!
//! ```text
//! host                                     worker
//! Instance ─ pool ─ seat ═ socket pair ═ serve ─ Image ─ Instance
//! ```

pub(crate) mod sandbox;
