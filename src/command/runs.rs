//! `floe runs`: what is on record of the runs of workflows.

use floe_workflow::{
    Journal, JournalError, JournalSettings, JournalSync, NodeRecord, RecordStatus, RunRecord,
    RunStatus, RunSummary,
};
use jiff::{Timestamp, Unit};
use serde::Serialize;

use crate::arguments::{RunsAction, RunsArguments, RunsForget};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::table::Table;
use crate::report::{text, value};
use crate::session::Session;

#[derive(Serialize)]
struct Listed {
    runs: Vec<RunSummary>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(RunRecord);

#[derive(Serialize)]
struct Forgotten {
    /// How many runs, with those that they called.
    forgotten: usize,
}

pub(crate) fn run(
    arguments: &RunsArguments,
    session: &Session,
    output: &Output,
) -> Result<Exit, Failure> {
    let journal = Journal::find(&settings(session)).map_err(|error| unusable(&error))?;
    match &arguments.action {
        None => list(journal.as_ref(), arguments, output)?,
        Some(RunsAction::Show(arguments)) => {
            let record = get(journal.as_ref(), &arguments.own.execution)?;
            output.report(&Shown(record))?;
        }
        Some(RunsAction::Output(arguments)) => {
            let (execution, node) = (&arguments.own.execution, &arguments.own.node);
            let record = get(journal.as_ref(), execution)?;
            let gave = journal
                .as_ref()
                .and_then(|journal| journal.output(execution, node).transpose());
            let Some(gave) = gave else {
                return Err(nothing(&record, node));
            };
            value::print(&gave.map_err(|error| unusable(&error))?, output)?;
        }
        Some(RunsAction::Forget(arguments)) => forget(journal.as_ref(), &arguments.own, output)?,
    }
    Ok(Exit::Done)
}

/// The journal that the settings say.
pub(super) fn settings(session: &Session) -> JournalSettings {
    let settings = JournalSettings::new(session.runs());
    match session.workflows().always_synced {
        true => settings.sync(JournalSync::Always),
        false => settings,
    }
}

/// A failure of the journal's, as the command reports it.
pub(super) fn unusable(error: &JournalError) -> Failure {
    let failure = match error {
        JournalError::Unknown { .. }
        | JournalError::Held { .. }
        | JournalError::Ended { .. }
        | JournalError::Called { .. } => Failure::refused(error.to_string()),
        JournalError::Exists { .. }
        | JournalError::OtherWorkflow { .. }
        | JournalError::Name { .. } => Failure::usage(error.to_string()),
        _ => Failure::failed(error.to_string()),
    };
    failure.caused_by(error)
}

/// What is on record of a run.
pub(super) fn get(journal: Option<&Journal>, execution: &str) -> Result<RunRecord, Failure> {
    let Some(journal) = journal else {
        return Err(unusable(&unknown(execution)));
    };
    journal.run(execution).map_err(|error| unusable(&error))
}

/// Says that there is no such run, where there is none at all.
fn unknown(execution: &str) -> JournalError {
    JournalError::Unknown {
        execution_id: execution.to_owned(),
        known: Vec::new(),
    }
}

fn list(
    journal: Option<&Journal>,
    arguments: &RunsArguments,
    output: &Output,
) -> Result<(), Failure> {
    let most = arguments.lines.get();
    let runs = match journal {
        Some(journal) if arguments.all => journal.all_runs(most),
        Some(journal) => journal.runs(most),
        None => Ok(Vec::new()),
    };
    let runs = runs.map_err(|error| unusable(&error))?;
    output.report(&Listed { runs })
}

/// Says what there is of a node that gave nothing.
fn nothing(record: &RunRecord, node: &str) -> Failure {
    let run = &record.summary.execution_id;
    let found = record.nodes.iter().find(|known| known.id == node);
    match found {
        Some(NodeRecord {
            status: Some(status),
            ..
        }) => Failure::refused(format!(
            "`{node}` gave nothing in the run `{run}`: it is {status}"
        )),
        Some(_) => Failure::refused(format!("`{node}` has not ended in the run `{run}`")),
        None => Failure::refused(format!("no node `{node}` is on record of the run `{run}`"))
            .hint(format!("`floe runs show {run}` shows those that are")),
    }
}

fn forget(
    journal: Option<&Journal>,
    arguments: &RunsForget,
    output: &Output,
) -> Result<(), Failure> {
    let mut forgotten = 0;
    if let Some(age) = &arguments.older_than {
        let before = Timestamp::now()
            .checked_sub(age.0)
            .unwrap_or(Timestamp::MIN);
        if let Some(journal) = journal {
            let done = journal.forget_before(before);
            forgotten += done.map_err(|error| unusable(&error))?;
        }
    }
    for execution in &arguments.executions {
        let Some(journal) = journal else {
            return Err(unusable(&unknown(execution)));
        };
        match journal.forget(execution) {
            Ok(count) => forgotten += count,
            Err(error) if forgotten == 0 => return Err(unusable(&error)),
            Err(error) => {
                let so_far = text::count(forgotten, "run");
                return Err(unusable(&error).hint(format!("{so_far} before it: taken out")));
            }
        }
    }
    output.report(&Forgotten { forgotten })
}

impl Report for Listed {
    fn render(&self, page: &mut Page) {
        if self.runs.is_empty() {
            page.line("No runs are on record.");
            return;
        }
        let mut table = Table::new([
            "execution",
            "workflow",
            "status",
            "began",
            "took",
            "attempt",
        ]);
        for run in &self.runs {
            table.row([
                text::plain(&run.execution_id),
                text::plain(&run.workflow),
                run.status.as_str().to_owned(),
                seconds(run.began),
                run.ended
                    .map_or_else(String::new, |ended| between(run.began, ended)),
                run.attempt.to_string(),
            ]);
        }
        page.table(table);
    }
}

impl Report for Shown {
    fn render(&self, page: &mut Page) {
        let RunRecord { summary, nodes, .. } = &self.0;
        let mut fields = vec![
            ("execution", text::plain(&summary.execution_id)),
            ("workflow", text::plain(&summary.workflow)),
            ("began", seconds(summary.began)),
            ("attempt", summary.attempt.to_string()),
        ];
        let maybe = [
            ("version", &summary.version),
            ("called by", &summary.called_by),
            ("tenant", &summary.tenant),
        ];
        for (label, value) in maybe {
            if let Some(value) = value {
                fields.push((label, text::plain(value)));
            }
        }
        if !summary.user.is_empty() {
            fields.push(("user", text::plain(&summary.user)));
        }
        page.fields(0, &fields);
        page.blank();
        let mut table = Table::new(["node", "status", "at", "took", "attempts", "gave", "error"]);
        for node in nodes {
            let error = node.error.as_ref().map(ToString::to_string);
            let status = match (node.status, &node.recovered_by) {
                (Some(status), Some(by)) => format!("{status} by {}", text::plain(by)),
                (Some(status), None) => status.to_string(),
                (None, _) if summary.status == RecordStatus::Running => "running".to_owned(),
                (None, _) => "unfinished".to_owned(),
            };
            let has_run = node.began.is_some();
            let when = node
                .began
                .map(|began| format!("+{}", between(summary.began, began)));
            table.row([
                text::plain(&node.id),
                status,
                when.unwrap_or_default(),
                if has_run {
                    text::time(node.duration)
                } else {
                    String::new()
                },
                if has_run {
                    node.attempts.to_string()
                } else {
                    String::new()
                },
                node.output_bytes.map_or_else(String::new, text::bytes),
                text::plain(&error.unwrap_or_default()),
            ]);
        }
        page.table(table);
        page.blank();
        let is_good = matches!(
            summary.status,
            RecordStatus::Running | RecordStatus::Ended(RunStatus::Success)
        );
        let took = summary
            .ended
            .map(|ended| format!(" after {}", between(summary.began, ended)));
        let verdict = format!("{}{}", summary.status.as_str(), took.unwrap_or_default());
        page.verdict(is_good, &verdict);
        if !is_good {
            page.line(&text::plain(&format!(
                "`floe run --resume {}` goes on with it.",
                summary.execution_id
            )));
        }
    }
}

impl Report for Forgotten {
    fn render(&self, page: &mut Page) {
        page.line(&format!(
            "{} taken out.",
            text::count(self.forgotten, "run")
        ));
    }
}

/// A time to the second.
fn seconds(time: Timestamp) -> String {
    time.round(Unit::Second).unwrap_or(time).to_string()
}

fn between(from: Timestamp, to: Timestamp) -> String {
    let took = to.duration_since(from);
    text::time(took.try_into().unwrap_or_default())
}
