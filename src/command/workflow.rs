//! `floe validate` and `floe run`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use floe_registry::Registry;
use floe_workflow::{
    Checked, Document, Executors, Format, Interrupted, Journal, JournalError, Limits, Problem,
    Problems, Run, RunOptions, RunStatus, Runner, Stop, Validator, WorkflowDirectories,
    new_execution_id,
};
use serde::Serialize;

use super::runs;
use crate::arguments::{RunWorkflow, ValidateWorkflow};
use crate::command::argument::Argument;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::nodes::Showing;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::table::Table;
use crate::report::{text, value};
use crate::session::Session;

/// What is wrong with a workflow.
#[derive(Serialize)]
pub(super) struct Checkup {
    file: String,
    valid: bool,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

pub(crate) fn validate(
    arguments: &ValidateWorkflow,
    session: &Session,
    output: &Output,
) -> Result<Exit, Failure> {
    let registry = session.calling_registry()?;
    let file = text::path(&arguments.file);
    let given = arguments.library.workflow_dir.iter().cloned();
    let library = library(given, Some(&arguments.file), session);
    let checkup = match read(&arguments.file, &session.limits())?
        .and_then(|document| check(document, &registry, library))
    {
        Ok(checked) => Checkup::new(file, Vec::new(), checked.warnings().to_vec()),
        Err(problems) => Checkup::new(file, problems.errors, problems.warnings),
    };
    output.report(&checkup)?;
    Ok(if checkup.valid {
        Exit::Done
    } else {
        Exit::Usage
    })
}

impl Checkup {
    pub(super) fn new(file: String, errors: Vec<Problem>, warnings: Vec<Problem>) -> Self {
        Self {
            file,
            valid: errors.is_empty(),
            errors,
            warnings,
        }
    }
}

pub(crate) fn run(
    arguments: &RunWorkflow,
    session: &Session,
    output: &Output,
) -> Result<Exit, Failure> {
    match &arguments.resume {
        Some(execution) => resume(arguments, execution, session, output),
        None => begin(arguments, session, output),
    }
}

/// A new run.
fn begin(arguments: &RunWorkflow, session: &Session, output: &Output) -> Result<Exit, Failure> {
    let Some(file) = &arguments.file else {
        return Err(Failure::usage("no workflow is named"));
    };
    let input = Argument::input(&arguments.input).read("--input")?;
    let registry = session.calling_registry()?;
    let directories = absolute(&arguments.library.workflow_dir);
    let library = library(directories.iter().cloned(), Some(file), session);
    let checked = match read(file, &session.limits())?
        .and_then(|document| check(document, &registry, library))
    {
        Ok(checked) => checked,
        Err(problems) => return refused(&text::path(file), problems, output),
    };
    warn(&checked);
    let journal = match arguments.no_journal {
        true => None,
        false => {
            let journal = Journal::open(&runs::settings(session));
            Some(journal.map_err(|error| {
                runs::unusable(&error)
                    .hint("`--no-journal` runs it without one, `runs` in `[workflows]` of floe.toml says where it is")
            })?)
        }
    };
    let caller = &arguments.caller;
    let execution = caller.execution_id.clone();
    let mut options = RunOptions::new()
        .execution_id(execution.unwrap_or_else(new_execution_id))
        .user(caller.user.clone().unwrap_or_default())
        .env(arguments.env.iter().cloned())
        .directories(directories);
    if let Some(tenant) = &caller.tenant {
        options = options.tenant(tenant);
    }
    if arguments.keep_outputs {
        options = options.keep_outputs();
    }
    let showing = Showing::new(arguments.quiet, output);
    let options = watched(options, &showing)?;
    let runner = Runner::new(registry.clone(), checked);
    let run = match &journal {
        None => Ok(runner.run(input, &options)),
        Some(journal) => runner.record(input, &options, journal),
    };
    conclude(run, &showing, &registry, journal.is_some(), output)
}

/// A run that was begun before.
fn resume(
    arguments: &RunWorkflow,
    execution: &str,
    session: &Session,
    output: &Output,
) -> Result<Exit, Failure> {
    let journal =
        Journal::find(&runs::settings(session)).map_err(|error| runs::unusable(&error))?;
    runs::get(journal.as_ref(), execution)?;
    let Some(journal) = journal else {
        return Err(Failure::refused("no runs are on record"));
    };
    let interrupted = journal
        .interrupted(execution)
        .map_err(|error| runs::unusable(&error))?;
    let registry = session.calling_registry()?;
    let origin = interrupted.file();
    let given = arguments.library.workflow_dir.iter().cloned();
    let all = given.chain(interrupted.directories().iter().cloned());
    let library = library(all, arguments.file.as_deref().or(origin), session);
    let read = match &arguments.file {
        Some(file) => read(file, &session.limits())?,
        None => Document::read(interrupted.text(), interrupted.format(), &session.limits()).map(
            |document| match origin {
                Some(file) => document.in_file(file),
                None => document,
            },
        ),
    };
    let checked = match read.and_then(|document| check(document, &registry, library)) {
        Ok(checked) => checked,
        Err(problems) => {
            let of = format!("the workflow of `{execution}`");
            return refused(&of, problems, output);
        }
    };
    warn(&checked);
    if !arguments.repeat {
        may_repeat(&interrupted, &checked, &registry)?;
    }
    let showing = Showing::new(arguments.quiet, output);
    let options = watched(RunOptions::new(), &showing)?;
    let run = Runner::new(registry.clone(), checked).resume(interrupted, &options);
    conclude(run, &showing, &registry, true, output)
}

/// Refuses to repeat what had begun where it says of itself that twice is not once.
fn may_repeat(
    interrupted: &Interrupted,
    checked: &Checked,
    registry: &Registry,
) -> Result<(), Failure> {
    let repeated = interrupted
        .repeated(checked)
        .map_err(|error| runs::unusable(&error))?;
    let is_once = |node_type: &str| {
        let facts = Executors::resolve(registry, node_type);
        facts.is_ok_and(|facts| facts.idempotent == Some(false))
    };
    let twice: Vec<String> = repeated
        .iter()
        .filter(|repeated| is_once(&repeated.node_type))
        .map(|repeated| {
            let of = match repeated.execution_id == interrupted.execution_id() {
                true => String::new(),
                false => format!(" of `{}`", repeated.execution_id),
            };
            format!("`{}`{of} ({})", repeated.node, repeated.node_type)
        })
        .collect();
    if twice.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{} had begun in the run `{}`, and may have done what it does: calling it twice is not calling it once",
        twice.join(", "),
        interrupted.execution_id(),
    );
    Err(Failure::refused(message).hint("look at what it did; `--repeat` calls it again"))
}

fn refused(file: &str, problems: Problems, output: &Output) -> Result<Exit, Failure> {
    output.report(&Checkup::new(
        file.to_owned(),
        problems.errors,
        problems.warnings,
    ))?;
    Ok(Exit::Usage)
}

fn warn(checked: &Checked) {
    for warning in checked.warnings() {
        tracing::warn!("{warning}");
    }
}

/// The options with what is told of the run, and with Ctrl-C.
fn watched(options: RunOptions, showing: &Arc<Showing>) -> Result<RunOptions, Failure> {
    let stop = Stop::new();
    listen(&stop, showing)?;
    let told = showing.clone();
    Ok(options.stop(stop).listener(move |news| told.tell(news)))
}

/// Tells what came of a run.
fn conclude(
    run: Result<Run, JournalError>,
    showing: &Showing,
    registry: &Registry,
    is_on_record: bool,
    output: &Output,
) -> Result<Exit, Failure> {
    showing.end();
    registry.stop();
    let run = run.map_err(|error| runs::unusable(&error))?;
    let exit = match run.status {
        RunStatus::Success if run.fault.is_none() => Exit::Done,
        RunStatus::TimedOut => Exit::Contained,
        _ => Exit::Failed,
    };
    if output.is_json() || exit != Exit::Done {
        output.report(&Ran { is_on_record, run })?;
    } else {
        value::print(&run.output, output)?;
    }
    Ok(exit)
}

/// Where a workflow's others are.
fn library(
    given: impl Iterator<Item = PathBuf>,
    file: Option<&Path>,
    session: &Session,
) -> WorkflowDirectories {
    let beside = file.map(|file| match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    });
    let all = given.chain(beside);
    let all = all.chain(session.workflows().directories.iter().cloned());
    let none = WorkflowDirectories::new().limits(session.limits());
    all.fold(none, WorkflowDirectories::directory)
}

/// The same directories from wherever they are looked for later.
fn absolute(directories: &[PathBuf]) -> Vec<PathBuf> {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    directories.iter().map(absolute).collect()
}

/// Holds a workflow against what there is.
fn check(
    document: Document,
    registry: &Registry,
    library: WorkflowDirectories,
) -> Result<Checked, Problems> {
    Validator::new(registry.clone())
        .library(library)
        .validate(document)
}

/// Reads a workflow, whatever is wrong with it but that it is none.
pub(super) fn read(path: &Path, limits: &Limits) -> Result<Result<Document, Problems>, Failure> {
    let format = Format::of(path).unwrap_or(Format::Json);
    let mut content = String::new();
    // A little more than may be, so that who reads it sees that it is too long.
    let most = limits.bytes as u64 + 1;
    fs::File::open(path)
        .and_then(|file| file.take(most).read_to_string(&mut content))
        .map_err(|error| {
            Failure::failed(format!("cannot read `{}`", text::path(path))).caused_by(&error)
        })?;
    let document = Document::read(&content, format, limits);
    let file = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    Ok(document.map(|document| document.in_file(file)))
}

/// Has Ctrl-C stop the run, and a second one call off what runs.
fn listen(stop: &Stop, showing: &Arc<Showing>) -> Result<(), Failure> {
    let (stop, showing, twice) = (stop.clone(), showing.clone(), AtomicBool::new(false));
    let interrupted = move || {
        if twice.swap(true, Ordering::Relaxed) {
            stop.now();
        } else {
            stop.gracefully();
            showing.say("stopping: no other node begins; Ctrl-C again calls off those that run");
        }
    };
    ctrlc::set_handler(interrupted)
        .map_err(|error| Failure::failed("Ctrl-C cannot be heard").caused_by(&error))
}

impl Report for Checkup {
    fn render(&self, page: &mut Page) {
        for problem in self.errors.iter().chain(&self.warnings) {
            page.line(&text::plain(&format!("{}: {problem}", self.file)));
        }
        let count = self.errors.len();
        let verdict = match count {
            0 => format!("`{}` can be run", self.file),
            _ => text::count(count, "error"),
        };
        page.verdict(self.valid, &verdict);
    }
}

#[derive(Serialize)]
struct Ran {
    #[serde(flatten)]
    run: Run,
    #[serde(skip)]
    is_on_record: bool,
}

impl Report for Ran {
    fn render(&self, page: &mut Page) {
        let run = &self.run;
        let mut table = Table::new(["node", "status", "attempts", "took", "error"]);
        for (id, node) in &run.nodes {
            let error = node.error.as_ref().map(ToString::to_string);
            table.row([
                text::plain(id),
                node.status.to_string(),
                node.attempts.to_string(),
                text::time(node.duration),
                text::plain(&error.unwrap_or_default()),
            ]);
        }
        page.table(table);
        page.blank();
        let failed = run
            .failed
            .as_ref()
            .map(|node| format!(" at `{}`", text::plain(node)));
        let verdict = format!(
            "{}{} after {}",
            run.status,
            failed.unwrap_or_default(),
            text::time(run.duration)
        );
        page.verdict(run.status == RunStatus::Success, &verdict);
        if let Some(fault) = &run.fault {
            page.line(&text::plain(fault));
        }
        if self.is_on_record && run.status != RunStatus::Success {
            page.line(&text::plain(&format!(
                "`floe run --resume {}` goes on with it.",
                run.execution_id
            )));
        }
    }
}
