//! `floe start`.

use std::num::NonZeroUsize;

use floe_registry::{CallError, Rejection, StartOptions, StartOutcome, StartReport};
use serde::Serialize;

use crate::arguments::Start;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::table::Table;
use crate::report::{progress, text};
use crate::session::Session;

#[derive(Serialize)]
struct Started {
    #[serde(flatten)]
    report: StartReport,
    rejected: Vec<Rejection>,
}

pub(crate) fn run(arguments: &Start, session: &Session, output: &Output) -> Result<Exit, Failure> {
    let registry = session.registry()?;
    let mut options = StartOptions::new();
    if let Some(parallel) = arguments.parallel.map(NonZeroUsize::get) {
        options = options.parallel(parallel);
    }
    if arguments.fail_fast {
        options = options.fail_fast();
    }
    let report = progress::start(&registry, options, output);
    let exit = exit(&report);
    // A reader has the outcome before what is live is stopped, which may take its time.
    output.report(&Started {
        report,
        rejected: registry.rejected(),
    })?;
    registry.stop();
    Ok(exit)
}

/// What the start of all comes to.
fn exit(report: &StartReport) -> Exit {
    let failures = report.plugins().filter_map(|plugin| match &plugin.outcome {
        StartOutcome::Failed { error } => Some(error),
        _ => None,
    });
    exit_of(failures, report.is_complete())
}

/// A contained fault where nothing else kept a plugin from starting.
fn exit_of<'a>(mut failures: impl Iterator<Item = &'a CallError>, complete: bool) -> Exit {
    let is_contained = |error: &CallError| Failure::from(error.clone()).exit == Exit::Contained;
    if complete {
        Exit::Done
    } else if failures.all(is_contained) {
        Exit::Contained
    } else {
        Exit::Refused
    }
}

/// What became of a plugin, in a word.
pub(crate) const fn word(outcome: &StartOutcome) -> &'static str {
    match outcome {
        StartOutcome::Started => "started",
        StartOutcome::Running => "running",
        StartOutcome::Failed { .. } => "failed",
        StartOutcome::Skipped { .. } => "skipped",
        _ => "unknown",
    }
}

/// Why a plugin is not live, in words; nothing where it is.
pub(crate) fn reason(outcome: &StartOutcome) -> Option<String> {
    match outcome {
        StartOutcome::Failed { error } => Some(text::plain(&error.with_causes())),
        StartOutcome::Skipped { because_of } => Some(format!(
            "not tried because of `{}`, which failed",
            text::plain(because_of)
        )),
        _ => None,
    }
}

impl Report for Started {
    fn render(&self, page: &mut Page) {
        let plugins = self.report.plugins().count();
        if plugins == 0 {
            page.line(
                "There is no plugin to start; `floe list` shows where plugins are looked for.",
            );
        } else {
            self.render_waves(page);
        }
        if !self.rejected.is_empty() {
            page.blank();
            let refused = text::count(self.rejected.len(), "file");
            page.line(&format!("Refused: {refused}; `floe list` shows why."));
        }
    }
}

impl Started {
    fn render_waves(&self, page: &mut Page) {
        let mut table = Table::new(["wave", "plugin", "version", "outcome", "load", "start"]);
        for (number, wave) in self.report.waves.iter().enumerate() {
            for plugin in wave {
                table.row([
                    (number + 1).to_string(),
                    plugin.build.plugin.to_string(),
                    plugin.build.version.to_string(),
                    word(&plugin.outcome).to_owned(),
                    text::maybe_time(plugin.load),
                    text::maybe_time(plugin.start),
                ]);
            }
        }
        for column in [0, 4, 5] {
            table.align_right(column);
        }
        page.table(table);
        for plugin in self.report.plugins() {
            if let Some(reason) = reason(&plugin.outcome) {
                page.blank();
                let build = format!("{} {}", plugin.build.plugin, plugin.build.version);
                page.paragraph(0, &format!("{build}: {reason}"));
            }
        }
        let live = self.report.plugins().filter(|plugin| {
            matches!(
                plugin.outcome,
                StartOutcome::Started | StartOutcome::Running
            )
        });
        let (live, all) = (live.count(), self.report.plugins().count());
        page.blank();
        page.verdict(
            live == all,
            &format!(
                "{live} of {} live, after {}",
                text::count(all, "plugin"),
                text::time(self.report.took)
            ),
        );
    }
}
