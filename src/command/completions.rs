//! `floe completions`.

use clap::CommandFactory;

use crate::arguments::{Arguments, Completions};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::Output;

pub(crate) fn run(arguments: &Completions, output: &Output) -> Result<Exit, Failure> {
    if output.is_json() {
        return Err(Failure::usage(
            "completions are a shell's script, which `--json` cannot make JSON of",
        ));
    }
    let mut script = Vec::new();
    let mut command = Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "floe", &mut script);
    output.data(&script)?;
    Ok(Exit::Done)
}
