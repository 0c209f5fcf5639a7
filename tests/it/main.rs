//! The program as its users meet it: arguments in; text, JSON and exit codes out.
#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests run the program, and cargo for the plugins that it makes"
)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what a test stands on is not there: the test fails"
)]

mod audit;
mod call;
mod configured;
mod doctor;
mod elf;
mod examples;
mod graph;
mod health;
mod inspect;
mod isolation;
mod list;
mod lock;
mod lookup;
mod new;
mod output;
mod plugins;
mod policy;
mod quarantine;
mod runs;
mod sandbox;
mod sign;
mod start;
mod stats;
mod store;
mod trust;
mod usage;
mod watch;
mod why;
mod workflow;
