//! What there is to call, and the state that each plugin is in.
//!
//! - `slot` is one build of one plugin: its states, its image, its live instance.
//! - `turn` lets one thread at a time start a slot, and sees who waits for whom.
//! - `catalog` is which slot answers to which name: a pure function of the slots, and never changed
//!   but replaced.
//! - `circuit` leaves alone for a while what faults again and again.
//! - `target` is an executor of a slot, resolved: a call through it looks nothing up.

mod catalog;
#[allow(dead_code, unreachable_pub, reason = "wired up by the life cycle")]
mod circuit;
mod slot;
mod target;
mod turn;

pub(crate) use catalog::{Catalog, Entry};
pub use catalog::{Mode, Standing};
pub use slot::State;
pub(crate) use slot::{Ground, Slot};
pub(crate) use target::Target;
