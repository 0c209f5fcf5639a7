//! Good and hostile plugins, found, refused, loaded and called through a registry.
#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking, and tell what they did not run"
)]

mod admission;
mod bytes;
mod cache;
mod catalog;
mod changes;
mod circuit;
mod concurrency;
mod constructors;
mod deadlines;
mod depend;
mod files;
mod health;
mod in_process;
mod isolation;
mod laziness;
mod loading;
mod lock;
mod locked;
mod order;
mod panics;
mod policy;
mod preflight_load;
mod privileged;
mod quarantine;
mod race;
mod remembered;
mod running;
mod signed;
mod store;
mod telling;
mod trust;
mod unsafety;
mod upgrade;
mod watch;
mod ways;

/// The program of the host that a test runs as a process of its own.
const HOST: &str = env!("CARGO_BIN_EXE_loader-tests-host");
