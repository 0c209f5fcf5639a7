//! The program in which isolated plugins run. A host starts it; by hand it only says so.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    floe_registry::worker::main(std::env::args_os().skip(1))
}
