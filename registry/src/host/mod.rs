//! Maps admitted libraries and calls what is in them.
//!
//! ```text
//! Stored ─ Image::map ─▶ Image ─ Instance::start ─▶ Instance ─ execute ─▶ Value
//! ```
//!
//! - `library` opens a shared library, `image` checks what it exports, `instance` is one started
//!   plugin, `bridge` is what a plugin may ask of this host, `relay` is a call that is made on another
//!   thread than its caller's, `attempt` one that is made more than once, and `program` tells this host from others.
//!
//! All unsafe code of the crate is here, in `library`. Nothing here is ever unmapped: the code of a
//! library may be reached by threads, destructors and layouts that nobody can count.

mod attempt;
mod bridge;
mod callsite;
mod image;
mod instance;
#[expect(
    unsafe_code,
    reason = "maps foreign code and reads the symbol that it exports"
)]
mod library;
mod program;
mod relay;

/// The host's log, to those that are given a plugin's events.
pub(crate) mod log {
    pub(crate) use super::callsite::{enabled, event, register};
}

pub(crate) use attempt::Attempting;
pub(crate) use bridge::Route;
pub(crate) use image::Image;
pub(crate) use instance::Instance;
pub(crate) use relay::{Said, Waited};
