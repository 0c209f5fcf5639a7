//! The program in which the tests' isolated plugins run.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    floe_registry::worker::main(std::env::args_os().skip(1))
}
