//! What happens to plugins, told to whoever listens.
//!
//! - `bus` carries events to any number of listeners and waits for none.

mod bus;

pub(crate) use bus::Bus;
pub use bus::{Received, Subscription};
