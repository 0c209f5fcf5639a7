//! What a vendor and a host may rely on, from outside the crate.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "executors own their inputs, and tables read better without references"
)]

mod compile_errors;
mod executors;
mod manifest;
mod map;
mod numbers;
mod roundtrip;
mod sample;
mod strategy;
