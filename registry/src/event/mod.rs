//! What happens to plugins, told to whoever listens.
//!
//! - `kind` is what can happen; `bus` carries it to any number of listeners and waits for none.

mod bus;
mod kind;

pub(crate) use bus::Bus;
pub use bus::{Received, Subscription};
pub(crate) use kind::nanoseconds;
pub use kind::{CircuitState, Ending, Event};
