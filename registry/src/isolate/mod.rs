//! The same instance in a process of its own.
//!
//! ```text
//! host                                        worker
//! Instance ─ pool ─ process ═ socket pair ═ serve ─ Image ─ Instance
//! ```
//!
//! - `recipe` is what a worker is made of, `spawn` starts the process, `greet` is the first words with it, `process`
//!   is the host's side of it, `end` how it ended, `pool` the workers of one instance, and `tend` looks after those
//!   that nobody waits for.
//! - `log` and `asked` are what a plugin asks of its host from there, `output` what it prints.
//! - `wire` is how the two sides speak, `serve` what the worker does, `sandbox` what it is held to.
//!
//! A worker maps the copy that the host has verified, and the host maps nothing of it.

mod asked;
mod end;
mod errors;
mod greet;
mod log;
mod output;
mod pool;
mod process;
mod recipe;
pub(crate) mod sandbox;
mod serve;
mod spawn;
mod tend;
pub(crate) mod wire;
pub mod worker;

pub(crate) use self::end::End;
pub(crate) use self::log::Places;
pub(crate) use self::pool::Pool;
pub(crate) use self::process::Worker;
pub(crate) use self::recipe::{Keeper, Recipe, Unmade};
pub(crate) use self::spawn::program;
