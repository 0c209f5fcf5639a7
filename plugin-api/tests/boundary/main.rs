//! A plugin reached as a host reaches it, through what its library exports.
//!
//! A binary of its own, because starting a plugin this way takes over the panic hook and the
//! `tracing` dispatcher of the program, as it does in a library.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says why"
)]

mod host;
mod log;
mod module;
mod strict;
