//! Documents, plans and checks, as a host meets them.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod called;
mod calling;
mod diagram;
mod edges;
mod fake;
mod forms;
mod garbage;
mod hostile;
mod journal;
mod library;
mod limits;
mod order;
mod outside;
mod problems;
mod random;
mod registry;
mod running;
mod schema;
mod wiring;
