//! `floe validate` and `floe run`.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use floe_registry::Registry;
use floe_workflow::{
    Checked, Document, Format, Limits, Problem, Problems, Run, RunOptions, RunStatus, Runner, Stop,
    Validator,
};
use serde::Serialize;

use crate::arguments::{RunWorkflow, ValidateWorkflow};
use crate::command::argument::Argument;
use crate::exit::Exit;
use crate::failure::Failure;
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
    let (checkup, exit) = match check(&arguments.file, &registry)? {
        Ok(checked) => {
            let warnings = checked.warnings().to_vec();
            (Checkup::new(file, Vec::new(), warnings), Exit::Done)
        }
        Err(problems) => {
            let found = Checkup::new(file, problems.errors, problems.warnings);
            (found, Exit::Usage)
        }
    };
    output.report(&checkup)?;
    Ok(exit)
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
    let input = Argument::input(&arguments.input).read("--input")?;
    let registry = session.calling_registry()?;
    let checked = match check(&arguments.file, &registry)? {
        Ok(checked) => checked,
        Err(problems) => {
            let file = text::path(&arguments.file);
            output.report(&Checkup::new(file, problems.errors, problems.warnings))?;
            return Ok(Exit::Usage);
        }
    };
    for warning in checked.warnings() {
        tracing::warn!("{warning}");
    }
    let stop = Stop::new();
    listen(&stop)?;
    let caller = &arguments.caller;
    let mut options = RunOptions::new()
        .execution_id(caller.execution_id.clone().unwrap_or_else(new_id))
        .user(caller.user.clone().unwrap_or_default())
        .env(arguments.env.iter().cloned())
        .stop(stop)
        .listener(|told| tracing::info!("{told}"));
    if let Some(tenant) = &caller.tenant {
        options = options.tenant(tenant);
    }
    if arguments.keep_outputs {
        options = options.keep_outputs();
    }
    let run = Runner::new(registry.clone(), checked).run(input, &options);
    registry.stop();
    let exit = match run.status {
        RunStatus::Success => Exit::Done,
        RunStatus::TimedOut => Exit::Contained,
        _ => Exit::Failed,
    };
    if output.is_json() || exit != Exit::Done {
        output.report(&Ran(run))?;
    } else {
        value::print(&run.output, output)?;
    }
    Ok(exit)
}

/// Reads a workflow and holds it against what there is.
fn check(path: &Path, registry: &Registry) -> Result<Result<Checked, Problems>, Failure> {
    let validate = |document| Validator::new(registry.clone()).validate(document);
    Ok(read(path)?.and_then(validate))
}

/// Reads a workflow, whatever is wrong with it but that it is none.
pub(super) fn read(path: &Path) -> Result<Result<Document, Problems>, Failure> {
    let format = Format::of(path).unwrap_or(Format::Json);
    let content = fs::read_to_string(path).map_err(|error| {
        Failure::failed(format!("cannot read `{}`", text::path(path))).caused_by(&error)
    })?;
    Ok(Document::read(&content, format, &Limits::default()))
}

/// Has Ctrl-C stop the run, and a second one call off what runs.
fn listen(stop: &Stop) -> Result<(), Failure> {
    let (stop, twice) = (stop.clone(), AtomicBool::new(false));
    let interrupted = move || {
        if twice.swap(true, Ordering::Relaxed) {
            stop.now();
        } else {
            stop.gracefully();
        }
    };
    ctrlc::set_handler(interrupted)
        .map_err(|error| Failure::failed("Ctrl-C cannot be heard").caused_by(&error))
}

/// A name for a run that has none: when it was begun, and by which process.
fn new_id() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let milliseconds = since.unwrap_or_default().as_millis();
    format!("{milliseconds:x}-{:x}", std::process::id())
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
#[serde(transparent)]
struct Ran(Run);

impl Report for Ran {
    fn render(&self, page: &mut Page) {
        let run = &self.0;
        let mut table = Table::new(["node", "status", "attempts", "took", "error"]);
        for (id, node) in &run.nodes {
            let error = node.error.as_ref().map(ToString::to_string);
            table.row([
                text::plain(id),
                node.status.to_string(),
                node.attempts.to_string(),
                format!("{:.1?}", node.duration),
                text::plain(&error.unwrap_or_default()),
            ]);
        }
        page.table(table);
        page.blank();
        let failed = run
            .failed
            .as_ref()
            .map(|node| format!(" at `{}`", text::plain(node)));
        let status = serde_json::to_value(run.status).unwrap_or_default();
        let status = status.as_str().unwrap_or_default();
        page.verdict(
            run.status == RunStatus::Success,
            &format!(
                "{status}{} after {:.1?}",
                failed.unwrap_or_default(),
                run.duration
            ),
        );
    }
}
