//! What the tests of the loader are written with.
//!
//! ```text
//! fixtures  the libraries of `fixtures/`, built by cargo once and shared by all test processes
//! library   a copy of one, with another manifest or other numbers in it; or one of C
//! elf       small ELF files made byte by byte, and the place of a manifest in a real one
//! scene     a plugin directory, a store, and a good plugin that must answer whatever else happens
//! vouch     what speaks for a library: a lock file, a signature
//! refusal   what every refusal must tell
//! gate      an executor of the test that keeps a call inside a plugin until it is let go
//! wait      waits for what happens on another thread
//! child     another process that uses a registry, for what must not happen in this one
//! ```
//!
//! Everything here fails by panicking, as it is used by tests alone.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "only tests use this crate, and they fail by panicking"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "tests start cargo, the C compiler and hosts"
)]

pub mod child;
pub mod elf;
pub mod fixtures;
pub mod gate;
pub mod library;
pub mod refusal;
pub mod scene;
pub mod source;
pub mod vouch;
pub mod wait;
