//! What may be written on the command line.

mod workflow;

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use anstream::ColorChoice;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};
use floe_registry::api::{CallOptions, Kind};
use floe_registry::{AuditMark, AuditStatus, Isolation, Trust};

pub(crate) use self::workflow::{
    Graph, GraphFormat, RunWorkflow, RunsAction, RunsArguments, RunsForget, ValidateWorkflow,
};
use crate::command::duration::Duration;
use crate::stamp::{STAMP, VERSION};

macro_rules! exit_codes {
    () => {
        "\
Exit codes:
  0  done
  1  the executor returned an error, a plugin is unhealthy, this machine has a problem, or a file
     could not be read or written
  2  usage: an argument, JSON, a setting, an input or a configuration does not fit
  3  not found, rejected, incompatible or not allowed; of many plugins, one that could not be started
  4  a contained fault of the plugin: panic, crash or time-out"
    };
}

const AFTER_HELP: &str = concat!(
    exit_codes!(),
    "

Where plugins are looked for, in this order:
  1. each --plugin-dir
  2. FLOE_PLUGIN_PATH, separated as PATH is
  3. [search] of the nearest floe.toml, from the working directory upward
  4. plugins beside the program
  5. lib/floe/plugins under the program's prefix
  6. floe/plugins in the user's data directory

What a plugin is configured with, the first counts most:
  1. --config of `floe call`
  2. FLOE_PLUGINS__NAME__KEY
  3. [plugins.NAME] of floe.toml
  4. the defaults of its schema

Environment:
  FLOE_PLUGIN_PATH         more directories with plugins
  FLOE_PLUGINS__NAME__KEY  one key of a plugin's configuration, such as FLOE_PLUGINS__SQLITE__PATH
  FLOE_STORE               where private, verified copies of plugins are kept
  FLOE_STATE               where schemas, what is quarantined, and runs of workflows are remembered
  FLOE_WORKER              the program that plugins run in, where they run in processes of their own
  FLOE_KEY_PASSWORD        the password of a secret key, where nobody can type it
  FLOE_LOG                 the log's filter, such as debug or warn,floe_registry=debug
  NO_COLOR                 no colour, whatever the terminal

With --json, standard output is one line of JSON (of `floe watch`, one for each event), which is
{\"error\":{…}} where the command failed. The log is on standard error, always.

Examples:
  floe list
  floe --plugin-dir target/release list --json
  floe inspect target/release/libacme.so
  floe describe sqlite.query
  floe call text.upper --input '{\"text\":\"hello\"}'
  floe call sqlite.query@^0.1 --config '{\"path\":\"weather.db\"}' --input @query.json
  floe call text.upper --isolation worker --input '{\"text\":\"hello\"}'
  floe why sqlite.query
  floe doctor
  floe start && floe health
  floe stats --call text.upper --input '{\"text\":\"hello\"}' --repeat 100000
  floe watch --json
  floe new acme && cd floe-plugin-acme && cargo build --release
  floe lock && floe --trust locked list
  floe quarantine clear sqlite
  floe store gc
  floe audit verify
  floe keygen
  floe sign target/release/libacme.so --key floe.key
  floe verify target/release/libacme.so --key floe.pub"
);

/// Finds, checks and calls native plugins.
///
/// A plugin is a shared library in a directory of the search path. Listing and inspecting run none
/// of its code; it is loaded when it is first called or described.
#[derive(Debug, Parser)]
#[command(
    name = "floe",
    version = VERSION,
    long_version = STAMP_TEXT.as_str(),
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = exit_codes!(),
    after_long_help = AFTER_HELP,
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    before: Global,
    #[command(subcommand)]
    command: Command,
}

impl Arguments {
    /// The command, and the global arguments before and after it.
    pub(crate) fn into_parts(self) -> (Command, Global) {
        let global = self.before.and(self.command.after());
        (self.command, global)
    }
}

static STAMP_TEXT: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| STAMP.long());

/// What may be written before and after the command.
///
/// Not clap's own global arguments: of those that are given before the command, they forget the ones
/// that are given after it too.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Global {
    /// Looks for plugins in this directory too, before all others. May be given many times
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help_heading = "Plugins"
    )]
    pub(crate) plugin_dir: Vec<PathBuf>,

    /// Fails when any file of the search path is refused, instead of going on without it
    #[arg(long, help_heading = "Plugins")]
    pub(crate) strict: bool,

    /// What files must show to be loaded [default: that of floe.toml, or owner]
    ///
    /// It counts instead of the policy of floe.toml, and of those that it has for directories. What
    /// floe.toml asks of kinds is asked in addition.
    #[arg(
        long,
        value_name = "POLICY",
        value_parser = PossibleValuesParser::new(Trust::ALL.map(policy)).try_map(|name| name.parse::<Trust>()),
        help_heading = "Plugins"
    )]
    pub(crate) trust: Option<Trust>,

    /// Keeps the private, verified copies of plugins here, instead of in FLOE_STORE or the user's cache directory
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help_heading = "Plugins"
    )]
    pub(crate) store: Option<PathBuf>,

    /// Where plugins run [default: that of floe.toml, or in-process]
    ///
    /// It counts instead of `default` in [isolation] of floe.toml. What that says of kinds, plugins and
    /// tenants stays.
    #[arg(
        long,
        value_name = "WHERE",
        value_parser = PossibleValuesParser::new([Isolation::InProcess, Isolation::Worker].map(isolation)).try_map(|name| name.parse::<Isolation>()),
        help_heading = "Plugins"
    )]
    pub(crate) isolation: Option<Isolation>,

    /// Reads this settings file, instead of the nearest floe.toml upward
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help_heading = "Plugins"
    )]
    pub(crate) settings: Option<PathBuf>,

    /// Prints one line of JSON instead of text for people
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    /// When to use colour [default: auto]
    #[arg(long, value_name = "WHEN", help_heading = "Output")]
    pub(crate) color: Option<ColorWhen>,

    /// Logs more: -v what happens, -vv how, -vvv all. Takes the place of FLOE_LOG
    #[arg(
        short,
        long,
        action = ArgAction::Count,
        help_heading = "Output"
    )]
    pub(crate) verbose: u8,
}

/// What a policy asks, for people.
fn policy(trust: Trust) -> PossibleValue {
    let asks = match trust {
        Trust::Any => "Nothing",
        Trust::Owner => {
            "That nobody but its directory's owner, root or you can have written the file"
        }
        Trust::Locked => "The same, and that floe.lock has its content, see `floe lock`",
        Trust::Signed => {
            "The same as owner, and a signature beside it of a key in [trust.keys] of floe.toml, see `floe sign`"
        }
        _ => "All of that",
    };
    PossibleValue::new(trust.name()).help(asks)
}

/// Where plugins run, for people.
fn isolation(isolation: Isolation) -> PossibleValue {
    let what = match isolation {
        Isolation::InProcess => "In this process: a crash of one ends it",
        _ => "Each in a process of its own: a crash ends that, and a call that hangs is killed",
    };
    PossibleValue::new(isolation.as_str()).help(what)
}

impl Global {
    /// These and those that are given after them, which count more.
    fn and(self, after: &Self) -> Self {
        let after = after.clone();
        Self {
            plugin_dir: [self.plugin_dir, after.plugin_dir].concat(),
            strict: self.strict || after.strict,
            trust: after.trust.or(self.trust),
            store: after.store.or(self.store),
            isolation: after.isolation.or(self.isolation),
            settings: after.settings.or(self.settings),
            json: self.json || after.json,
            color: after.color.or(self.color),
            verbose: self.verbose.saturating_add(after.verbose),
        }
    }
}

/// When to use colour.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

impl From<ColorWhen> for ColorChoice {
    fn from(when: ColorWhen) -> Self {
        match when {
            ColorWhen::Auto => Self::Auto,
            ColorWhen::Always => Self::Always,
            ColorWhen::Never => Self::Never,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the plugins of the search path, and the files that were refused
    ///
    /// No plugin is loaded. Refused files do not change the exit code, unless --strict is given.
    List(With<List>),
    /// Finds executors by words in their names, tags and descriptions
    Search(With<Search>),
    /// Shows what a file says of itself and whether it would be admitted, without running it
    ///
    /// The file is read and never mapped: none of its code runs. All that a file must show is asked, of
    /// its content too, and what is hazardous about loading it is told. The exit code is 3 where it would
    /// be refused, or could not be loaded here.
    Inspect(With<Inspect>),
    /// Shows what an executor takes and gives, and what its plugin can be configured with
    ///
    /// The plugin is loaded for it, unless its schemas are remembered from an earlier time. With --json
    /// the JSON Schemas are printed as the plugin gives them.
    Describe(With<Describe>),
    /// Calls an executor and prints its output
    ///
    /// The input is checked against the executor's schema before anything of the plugin is started.
    /// On standard output: a table, where the output is rows; a string as it is; JSON otherwise. With
    /// --json always one line of JSON. The log is on standard error.
    Call(With<Call>),
    /// Tells why a plugin or an executor answers or does not: every candidate, every check
    ///
    /// Every build that might answer is shown with every check that was made of it, what it needs and
    /// what it would be configured with, secrets masked; and the refused files that say that they are
    /// it. Nothing is run. The exit code is 3 where nothing answers.
    Why(With<Why>),
    /// Examines this machine, and says what is wrong with it and what to do
    ///
    /// It looks at the worker program, what a sandbox holds a worker to, the store, the state, the search
    /// path, trust and the environment. The worker program is started and ended again; no plugin is run. Problems are listed at the end,
    /// each with what to do, and the exit code is 1 where there are any. What a sandbox cannot give here
    /// is a problem only where floe.toml asks for it.
    Doctor(With<Doctor>),
    /// Starts all plugins in the order of what they need, shows the waves, and stops them again
    ///
    /// The exit code is 3 where one could not be started, and 4 where contained faults alone were the
    /// reason. Refused files do not change it, unless --strict is given.
    Start(With<Start>),
    /// Starts all plugins and asks each how it is
    ///
    /// The exit code is 1 where one is unhealthy or could not be started; one that is degraded still
    /// answers, and does not change it.
    Health(With<Health>),
    /// Shows what there is and what was counted and timed: plugins, calls, instances, memory
    ///
    /// Without --start or --call nothing is run. Where a call fails, the exit code is that of the first
    /// one that did; the rest is called and shown all the same.
    Stats(With<Stats>),
    /// Watches the search path and prints what happens to the plugins, until it is ended
    ///
    /// Ended by Ctrl-C, by SIGTERM, or when nobody reads standard output any more: what is live is
    /// stopped and the exit code is 0. With --json each line is an object with `time` (UTC, as RFC 3339
    /// has it), `number` and `event`; the first tells how many plugins there are, and `missed` tells how
    /// many events came too fast.
    Watch(With<Watch>),
    /// Checks a workflow without running it: every problem at once, each with its line and column
    ///
    /// No plugin is started. Where the schemas of one are not remembered, it is mapped to tell them.
    Validate(With<ValidateWorkflow>),
    /// Checks a workflow and runs it, or goes on with a run that was cut off
    ///
    /// What it does is put on record as it happens, with what each node gave, for its owner alone: a run that
    /// was killed, failed or was stopped goes on with --resume, and nothing that had ended is done again.
    ///
    /// Ctrl-C begins no other node and waits for those that run; a second one calls these off.
    Run(With<RunWorkflow>),
    /// Shows the runs of workflows that are on record, one of them, or takes them out
    Runs(RunsArguments),
    /// Prints the graph of a workflow as a diagram, in the language of Mermaid or of Graphviz
    ///
    /// Nothing is run and no plugin is looked for: what `floe validate` refuses is drawn too, if its
    /// form is right. An arrow from or to what is no node is left out. With --run, the nodes are coloured
    /// by what became of them in a run that is on record.
    Graph(With<Graph>),
    /// Makes a new plugin: a crate that builds, is admitted and answers
    New(With<New>),
    /// Writes which builds may be loaded here into floe.lock, or checks it
    ///
    /// Each plugin of the search path is locked by the digest of its content, unless it would be refused
    /// in any case; one that is gone is taken out, and what is locked for other platforms stays. It is
    /// loaded by that where the trust policy is locked or locked+signed. Nothing is run.
    ///
    /// With --check nothing is written, and the exit code is 3 where something would be. A lock file that
    /// is damaged is never overwritten: the exit code is 1.
    Lock(With<Lock>),
    /// Shows the store of private copies, or removes from it what nobody needs
    ///
    /// A plugin is loaded from a copy of its verified content that nobody else can change. The copy is
    /// needed while its file is there, unchanged, and while a process has it loaded. One that is removed
    /// is made again when its plugin is loaded the next time.
    Store(With<StoreArguments>),
    /// Shows which contents are left alone because they failed time and again, or lets them out
    ///
    /// It goes by the content of a file, wherever that is: a new build of a plugin is tried at once. How
    /// often a content may fail, and for how long it is left alone, `quarantine` in floe.toml says.
    /// The exit code is 3 where nothing is quarantined that is known by a name that was given.
    Quarantine(With<QuarantineArguments>),
    /// Verifies the audit log of calls, or shows its last records
    ///
    /// With verify, each record is checked to follow the one before, through all files of the log, and up to
    /// the last one that its .head knows of. The exit code is 1 where the log is cut or was tampered with.
    Audit(AuditArguments),
    /// Makes a key pair to sign plugins with
    ///
    /// The files are minisign's: its tools can use them too. The secret one is written for you alone, and
    /// encrypted with a password that is asked for, or taken from FLOE_KEY_PASSWORD.
    Keygen(With<Keygen>),
    /// Signs plugins: writes FILE.minisig beside each FILE
    ///
    /// The signature says which plugin and version the file is, as its manifest does, and is one of
    /// minisign: `minisign -V` verifies it. Where a file is no plugin, nothing is signed.
    Sign(With<Sign>),
    /// Verifies the signatures beside plugins: the key, the content, and which plugin it was made for
    ///
    /// None of a plugin's code is run. The exit code is 3 where one is not verified.
    Verify(With<Verify>),
    /// Prints the completions of a shell
    ///
    /// For bash, for example: floe completions bash > ~/.local/share/bash-completion/completions/floe
    Completions(With<Completions>),
}

/// A command's own arguments, and global ones.
#[derive(Debug, Args)]
pub(crate) struct With<A: Args> {
    #[command(flatten)]
    pub(crate) own: A,
    #[command(flatten)]
    after: Global,
}

impl Command {
    fn after(&self) -> &Global {
        match self {
            Self::List(With { after, .. })
            | Self::Search(With { after, .. })
            | Self::Inspect(With { after, .. })
            | Self::Describe(With { after, .. })
            | Self::Call(With { after, .. })
            | Self::Why(With { after, .. })
            | Self::Doctor(With { after, .. })
            | Self::Start(With { after, .. })
            | Self::Health(With { after, .. })
            | Self::Stats(With { after, .. })
            | Self::Watch(With { after, .. })
            | Self::New(With { after, .. })
            | Self::Lock(With { after, .. })
            | Self::Store(With { after, .. })
            | Self::Quarantine(With { after, .. })
            | Self::Audit(AuditArguments {
                action:
                    AuditAction::Verify(With { after, .. }) | AuditAction::Tail(With { after, .. }),
            })
            | Self::Keygen(With { after, .. })
            | Self::Sign(With { after, .. })
            | Self::Verify(With { after, .. })
            | Self::Validate(With { after, .. })
            | Self::Run(With { after, .. })
            | Self::Runs(
                RunsArguments {
                    action:
                        Some(
                            RunsAction::Show(With { after, .. })
                            | RunsAction::Output(With { after, .. })
                            | RunsAction::Forget(With { after, .. }),
                        ),
                    ..
                }
                | RunsArguments { after, .. },
            )
            | Self::Graph(With { after, .. })
            | Self::Completions(With { after, .. }) => after,
        }
    }
}

/// What `floe list` is told.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only plugins of this kind, such as storage or alert-channel
    #[arg(long)]
    pub(crate) kind: Option<Kind>,
    /// Only executors listed under this heading
    #[arg(long)]
    pub(crate) category: Option<String>,
    /// Only executors with this tag
    #[arg(long)]
    pub(crate) tag: Option<String>,
}

/// What `floe search` is told.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// What to look for in node types, tags, plugins, categories and descriptions
    #[arg(required = true, value_name = "WORDS")]
    pub(crate) words: Vec<String>,
}

/// What `floe inspect` is told.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The plugin's file, wherever it is
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

/// What `floe describe` is told.
#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// The executor, such as sqlite.query or sqlite.query@^1.2
    #[arg(value_name = "NODE_TYPE[@RANGE]")]
    pub(crate) reference: String,
}

/// What `floe call` is told.
#[derive(Debug, Args)]
pub(crate) struct Call {
    /// The executor, such as sqlite.query or sqlite.query@^1.2
    #[arg(value_name = "NODE_TYPE[@RANGE]")]
    pub(crate) reference: String,
    /// The plugin's configuration, over that of floe.toml and the environment: JSON, or @FILE with JSON in it
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) config: Option<String>,
    /// The executor's input: JSON, @FILE with JSON in it, or - for standard input
    #[arg(
        long,
        value_name = "JSON|@FILE|-",
        default_value = "{}",
        allow_negative_numbers = true
    )]
    pub(crate) input: String,
    /// How long the answer is waited for, such as 500ms, 5s, 2m or 1h
    ///
    /// The executor is told. When the time is over the command ends with exit code 4, whatever the
    /// executor does. `deadlines.call` in floe.toml bounds it too: the shorter counts.
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) caller: Caller,
}

/// Who calls.
#[derive(Debug, Args)]
pub(crate) struct Caller {
    /// On whose behalf; needed where floe.toml has tenants
    #[arg(long, value_name = "TENANT", help_heading = "Caller")]
    pub(crate) tenant: Option<String>,
    /// Who calls, for the audit log
    #[arg(long, value_name = "USER", help_heading = "Caller")]
    pub(crate) user: Option<String>,
    /// The run that the call belongs to, for the plugin and the audit log
    #[arg(long, value_name = "ID", help_heading = "Caller")]
    pub(crate) execution_id: Option<String>,
}

impl Caller {
    /// The options of a call of theirs.
    pub(crate) fn options(&self) -> CallOptions {
        let text = |said: &Option<String>| said.clone().unwrap_or_default();
        CallOptions::new()
            .tenant(text(&self.tenant))
            .user(text(&self.user))
            .execution_id(text(&self.execution_id))
    }
}

/// What `floe why` is told.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// A plugin, such as sqlite or storage/sqlite, or an executor, such as sqlite.query@^1.2
    #[arg(value_name = "NAME|NODE_TYPE[@RANGE]")]
    pub(crate) asked: String,
}

/// What `floe doctor` is told.
#[derive(Debug, Args)]
pub(crate) struct Doctor {}

/// What `floe start` is told.
#[derive(Debug, Args)]
pub(crate) struct Start {
    /// How many plugins are started at once [default: `start.parallel` in floe.toml, or 5]
    #[arg(long, value_name = "N")]
    pub(crate) parallel: Option<NonZeroUsize>,
    /// Begins no other start once one has failed
    #[arg(long)]
    pub(crate) fail_fast: bool,
}

/// What `floe health` is told.
#[derive(Debug, Args)]
pub(crate) struct Health {}

/// What `floe stats` is told.
#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// Starts all plugins first
    #[arg(long)]
    pub(crate) start: bool,
    /// Calls this executor first, again and again
    #[arg(long, value_name = "NODE_TYPE[@RANGE]")]
    pub(crate) call: Option<String>,
    /// The executor's input: JSON, @FILE with JSON in it, or - for standard input
    #[arg(
        long,
        value_name = "JSON|@FILE|-",
        default_value = "{}",
        allow_negative_numbers = true,
        requires = "call"
    )]
    pub(crate) input: String,
    /// How often the executor is called
    #[arg(long, value_name = "N", default_value = "1000", requires = "call")]
    pub(crate) repeat: NonZeroU64,
    #[command(flatten)]
    pub(crate) caller: Caller,
}

/// What `floe watch` is told.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Starts all plugins first, so that a new build has to take the place of a live one
    #[arg(long)]
    pub(crate) start: bool,
    /// Ends by itself after this time, such as 500ms, 5s, 2m or 1h
    #[arg(long = "for", value_name = "DURATION")]
    pub(crate) time: Option<Duration>,
}

/// What `floe new` is told.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// The plugin's name: lower-case letters, digits, - and _. The crate is floe-plugin-NAME
    pub(crate) name: String,
    /// Where to make it [default: floe-plugin-NAME in the working directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) path: Option<PathBuf>,
    /// Builds against the floe-plugin-api in this directory, instead of the published one
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) api_path: Option<PathBuf>,
    /// What the plugin is for
    #[arg(long, default_value = "compute")]
    pub(crate) kind: Kind,
}

/// What `floe lock` is told.
#[derive(Debug, Args)]
pub(crate) struct Lock {
    /// Only these plugins, such as sqlite or storage/sqlite [default: all]
    #[arg(value_name = "PLUGIN")]
    pub(crate) plugins: Vec<String>,
    /// Writes nothing, and says what would change
    #[arg(long)]
    pub(crate) check: bool,
}

/// What `floe store` is told.
#[derive(Debug, Args)]
pub(crate) struct StoreArguments {
    /// What to do with it
    #[arg(default_value = "show")]
    pub(crate) action: StoreAction,
}

/// What is done with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreAction {
    /// Shows each copy, its size, and who needs it
    Show,
    /// Removes the copies whose files are gone or have changed, but for those that a process maps
    Gc,
}

/// What `floe quarantine` is told.
#[derive(Debug, Args)]
pub(crate) struct QuarantineArguments {
    /// What to do with them
    #[arg(default_value = "list")]
    pub(crate) action: QuarantineAction,
    /// Only these: plugins, such as sqlite or storage/sqlite, or the beginnings of digests [default: all]
    #[arg(value_name = "PLUGIN|SHA256")]
    pub(crate) of: Vec<String>,
}

/// What is done with what is quarantined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum QuarantineAction {
    /// Shows each content, why it is left alone, and until when
    List,
    /// Lets them out, and forgets how often they failed
    Clear,
}

/// What `floe audit` is told.
#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    #[command(subcommand)]
    pub(crate) action: AuditAction,
}

/// What is done with the audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditAction {
    /// Checks that no record was changed, taken out or put in
    Verify(With<AuditVerify>),
    /// Shows the last records, the newest last
    Tail(With<AuditTail>),
}

/// What `floe audit verify` is told.
#[derive(Debug, Args)]
pub(crate) struct AuditVerify {
    /// The log [default: that of floe.toml]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// A record that is known from an earlier verification: it must be there, unchanged
    #[arg(long, value_name = "SEQ:HASH")]
    pub(crate) expect: Option<AuditMark>,
}

/// What `floe audit tail` is told.
#[derive(Debug, Args)]
pub(crate) struct AuditTail {
    /// The log [default: that of floe.toml]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// How many records are shown at most
    #[arg(long, value_name = "N", default_value = "20")]
    pub(crate) lines: NonZeroUsize,
    /// Only those of this tenant
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Only calls to this executor, such as sqlite.query
    #[arg(long)]
    pub(crate) node_type: Option<String>,
    /// Only those that ended so: success, recovered, skipped, failed or denied
    #[arg(long, value_parser = PossibleValuesParser::new(AuditStatus::ALL.map(AuditStatus::as_str)).try_map(|word| word.parse::<AuditStatus>()))]
    pub(crate) status: Option<AuditStatus>,
}

/// What `floe keygen` is told.
#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Where to write the key that signs
    #[arg(long, value_name = "FILE", default_value = "floe.key", value_hint = ValueHint::FilePath)]
    pub(crate) secret: PathBuf,
    /// Where to write the key that verifies
    #[arg(long, value_name = "FILE", default_value = "floe.pub", value_hint = ValueHint::FilePath)]
    pub(crate) public: PathBuf,
    /// Does not encrypt the secret key: whoever can read the file can sign with it
    #[arg(long)]
    pub(crate) no_password: bool,
    /// Puts the new key in the place of one that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// What `floe sign` is told.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The plugins' files, wherever they are
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// The file of the secret key, as `floe keygen` or `minisign -G` wrote it
    #[arg(long, value_name = "SECRET", value_hint = ValueHint::FilePath)]
    pub(crate) key: PathBuf,
}

/// What `floe verify` is told.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The plugins' files, wherever they are
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// A public key that is trusted: the line that begins with RW, or a file. May be given many times [default: those of floe.toml]
    #[arg(long = "key", value_name = "PUBLIC", value_hint = ValueHint::FilePath)]
    pub(crate) keys: Vec<String>,
}

/// What `floe completions` is told.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    pub(crate) shell: clap_complete::Shell,
}
