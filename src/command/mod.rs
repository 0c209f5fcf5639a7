//! The commands: each makes a report of what it found or did.

mod argument;
mod audit;
mod call;
mod completions;
mod describe;
mod doctor;
pub(crate) mod duration;
mod graph;
mod health;
mod inspect;
mod keygen;
mod list;
mod lock;
mod new;
mod quarantine;
mod runs;
mod search;
mod secret_key;
mod sign;
mod start;
mod stats;
mod store;
mod verify;
mod watch;
mod whole_file;
mod why;
mod workflow;

use crate::arguments::{Command, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::Output;
use crate::session::Session;

/// Does what a command says.
pub(crate) fn run(command: &Command, global: &Global, output: &Output) -> Result<Exit, Failure> {
    let session = || Session::new(global);
    match command {
        Command::New(arguments) => new::run(&arguments.own, output),
        Command::Lock(arguments) => lock::run(&arguments.own, &session()?, output),
        Command::Store(arguments) => store::run(&arguments.own, &session()?, output),
        Command::Quarantine(arguments) => quarantine::run(&arguments.own, &session()?, output),
        Command::Audit(arguments) => audit::run(arguments, &session()?, output),
        Command::Keygen(arguments) => keygen::run(&arguments.own, output),
        Command::Sign(arguments) => sign::run(&arguments.own, &session()?, output),
        Command::Verify(arguments) => verify::run(&arguments.own, &session()?, output),
        Command::Completions(arguments) => completions::run(&arguments.own, output),
        Command::List(arguments) => list::run(&arguments.own, &session()?, output),
        Command::Search(arguments) => search::run(&arguments.own, &session()?, output),
        Command::Inspect(arguments) => inspect::run(&arguments.own, &session()?, output),
        Command::Describe(arguments) => describe::run(&arguments.own, &session()?, output),
        Command::Call(arguments) => call::run(&arguments.own, &session()?, output),
        Command::Why(arguments) => why::run(&arguments.own, &session()?, output),
        Command::Doctor(_) => doctor::run(&session()?, output),
        Command::Start(arguments) => start::run(&arguments.own, &session()?, output),
        Command::Health(_) => health::run(&session()?, output),
        Command::Stats(arguments) => stats::run(&arguments.own, &session()?, output),
        Command::Watch(arguments) => watch::run(&arguments.own, &session()?, output),
        Command::Validate(arguments) => workflow::validate(&arguments.own, &session()?, output),
        Command::Run(arguments) => workflow::run(&arguments.own, &session()?, output),
        Command::Runs(arguments) => runs::run(arguments, &session()?, output),
        Command::Graph(arguments) => graph::run(&arguments.own, session, output),
    }
}
