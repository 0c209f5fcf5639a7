//! What the commands on workflows and their runs are told.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use serde::Serialize;

use super::{Caller, Global, With};
use crate::command::duration::Duration;

/// What `floe validate` is told.
#[derive(Debug, Args)]
pub(crate) struct ValidateWorkflow {
    /// The workflow: JSON, or YAML where its name ends in .yaml or .yml
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) library: Library,
}

/// Where the workflows are that a workflow calls.
#[derive(Debug, Args)]
pub(crate) struct Library {
    /// A directory of workflows that may be called by their ids, beside that of the file itself and those in
    /// floe.toml. May be given many times
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) workflow_dir: Vec<PathBuf>,
}

/// What `floe runs` is told.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RunsArguments {
    /// How many of the last runs are listed, the newest first
    #[arg(long, short = 'n', value_name = "N", default_value = "20")]
    pub(crate) lines: NonZeroUsize,
    /// Lists also the runs that other runs called
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(super) after: Global,
    #[command(subcommand)]
    pub(crate) action: Option<RunsAction>,
}

/// What is done with the runs on record.
#[derive(Debug, Subcommand)]
pub(crate) enum RunsAction {
    /// Shows what became of each node of a run, and when
    Show(With<RunsShow>),
    /// Writes what a node of a run gave
    Output(With<RunsOutput>),
    /// Takes runs out, with the runs that they called. What runs now stays
    Forget(With<RunsForget>),
}

/// What `floe runs show` is told.
#[derive(Debug, Args)]
pub(crate) struct RunsShow {
    /// The run
    #[arg(value_name = "EXECUTION")]
    pub(crate) execution: String,
}

/// What `floe runs output` is told.
#[derive(Debug, Args)]
pub(crate) struct RunsOutput {
    /// The run
    #[arg(value_name = "EXECUTION")]
    pub(crate) execution: String,
    /// The id of the node
    #[arg(value_name = "NODE")]
    pub(crate) node: String,
}

/// What `floe runs forget` is told.
#[derive(Debug, Args)]
pub(crate) struct RunsForget {
    /// These
    #[arg(value_name = "EXECUTION", required_unless_present = "older_than")]
    pub(crate) executions: Vec<String>,
    /// All that were begun so long ago, such as 30d or 12h
    #[arg(long, value_name = "TIME", conflicts_with = "executions")]
    pub(crate) older_than: Option<Duration>,
}

/// What `floe run` is told.
#[derive(Debug, Args)]
pub(crate) struct RunWorkflow {
    /// The workflow: JSON, or YAML where its name ends in .yaml or .yml. With --resume, that of the run
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "resume")]
    pub(crate) file: Option<PathBuf>,
    /// What its expressions call `input`: JSON, @FILE with JSON in it, or - for standard input
    #[arg(
        long,
        value_name = "JSON|@FILE|-",
        default_value = "{}",
        allow_negative_numbers = true
    )]
    pub(crate) input: String,
    /// A variable of the environment that its expressions may read. May be given many times
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Vec<String>,
    /// Tells what all nodes gave, also those that no other node needs any more
    #[arg(long)]
    pub(crate) keep_outputs: bool,
    /// Goes on with this run, with its own workflow, input, user, tenant and variables
    #[arg(
        long,
        value_name = "EXECUTION",
        conflicts_with_all = ["input", "env", "keep_outputs", "tenant", "user", "execution_id", "no_journal"]
    )]
    pub(crate) resume: Option<String>,
    /// Goes on although nodes that had begun say that calling them twice is not calling them once
    #[arg(long, requires = "resume")]
    pub(crate) repeat: bool,
    /// Puts nothing on record: such a run cannot be gone on with
    #[arg(long)]
    pub(crate) no_journal: bool,
    #[command(flatten)]
    pub(crate) library: Library,
    /// Does not tell how far it is
    #[arg(long, short)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) caller: Caller,
}

/// What `floe graph` is told.
#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// The workflow: JSON, or YAML where its name ends in .yaml or .yml [default: with --run, that of the run]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "run")]
    pub(crate) file: Option<PathBuf>,
    /// A run that is on record: its nodes are coloured by what became of them
    #[arg(long, value_name = "EXECUTION")]
    pub(crate) run: Option<String>,
    /// In which language
    #[arg(long, default_value = "mermaid")]
    pub(crate) format: GraphFormat,
}

/// The language of a diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum GraphFormat {
    /// A flowchart of Mermaid, which many sites show where it stands in Markdown
    Mermaid,
    /// For Graphviz: floe graph FILE --format dot | dot -Tsvg
    Dot,
}
