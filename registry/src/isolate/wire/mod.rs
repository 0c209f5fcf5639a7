//! How a host and its worker speak: frames over a socket pair.
//!
//! - `frame` is what they say, `value` a value as bytes, `packet` both of it in one message and the file beside
//!   it, `channel` an end of the socket pair.
//!
//! Neither side believes the other: a frame that is cut, too long, or none ends the worker and not the host.

pub(crate) mod channel;
pub(crate) mod frame;
pub(crate) mod packet;
pub(crate) mod value;
