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

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::Output;

fn main() -> ExitCode {
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
