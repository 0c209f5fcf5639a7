//! The command line of floe: arguments in, tables or JSON out.
//!
//! A command makes a report, which is data; `report` writes it, for people or for programs. Nothing
//! else of floe prints.
#![forbid(unsafe_code)]

mod arguments;
mod command;
mod exit;
mod failure;
mod log;
mod report;
mod session;
mod stamp;

use std::env;
use std::process::ExitCode;

use clap::Parser;
use floe_registry::worker;

use crate::arguments::Arguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::Output;

/// The argument that makes this program a worker, which another process of it starts.
const WORKER: &str = "worker";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == WORKER) {
        // Before anything is opened: all that is open is closed.
        return worker::main(arguments);
    }
    worker::this_program_with([WORKER]);
    let exit = match Arguments::try_parse() {
        Ok(arguments) => execute(arguments),
        Err(error) => report::usage::print(&error),
    };
    // No `process::exit`: what was started is dropped before the program ends.
    exit.into()
}

fn execute(arguments: Arguments) -> Exit {
    let (command, global) = arguments.into_parts();
    if let Some(color) = global.color {
        anstream::ColorChoice::from(color).write_global();
    }
    let output = Output::new(global.json);
    let ended = log::start(global.verbose).and_then(|()| command::run(&command, &global, &output));
    ended.unwrap_or_else(|failure: Failure| report::failure::print(&failure, &output))
}
