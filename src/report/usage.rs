//! What clap says: help, the version, and arguments that do not fit.

use std::env;

use clap::error::ErrorKind;

use super::output::Output;
use crate::exit::Exit;
use crate::failure::Failure;

/// Prints what clap says, and gives its exit code.
pub(crate) fn print(error: &clap::Error) -> Exit {
    let asked_for = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if !asked_for && json_is_asked_for() {
        let text = error.render().to_string();
        let message = text.split("\n\n").next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message).trim();
        return super::failure::print(&Failure::usage(message), &Output::new(true));
    }
    // Help goes to standard output, the rest to standard error; a reader that is gone wants neither.
    let _ = error.print();
    if asked_for { Exit::Done } else { Exit::Usage }
}

/// Whether `--json` is among arguments that could not be read.
fn json_is_asked_for() -> bool {
    env::args_os()
        .skip(1)
        .take_while(|argument| argument != "--")
        .any(|argument| argument == "--json")
}
