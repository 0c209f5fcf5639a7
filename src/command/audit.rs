//! `floe audit`.

use std::path::{Path, PathBuf};

use floe_registry::{
    AuditError, AuditFilter, AuditRecord, AuditReport, Flaw, read_audit, verify_audit,
};
use serde::Serialize;

use crate::arguments::{AuditAction, AuditArguments, AuditTail, AuditVerify};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::table::Table;
use crate::report::text;
use crate::session::Session;

#[derive(Serialize)]
struct Verified {
    path: PathBuf,
    #[serde(flatten)]
    report: AuditReport,
}

#[derive(Serialize)]
struct Shown {
    path: PathBuf,
    records: Vec<AuditRecord>,
}

pub(crate) fn run(
    arguments: &AuditArguments,
    session: &Session,
    output: &Output,
) -> Result<Exit, Failure> {
    match &arguments.action {
        AuditAction::Verify(arguments) => verify(&arguments.own, session, output),
        AuditAction::Tail(arguments) => tail(&arguments.own, session, output),
    }
}

fn verify(arguments: &AuditVerify, session: &Session, output: &Output) -> Result<Exit, Failure> {
    let path = log(arguments.file.as_deref(), session)?;
    let report = verify_audit(&path, arguments.expect).map_err(|error| unusable(&error))?;
    let is_whole = report.verdict.is_none();
    output.report(&Verified { path, report })?;
    Ok(if is_whole { Exit::Done } else { Exit::Failed })
}

fn tail(arguments: &AuditTail, session: &Session, output: &Output) -> Result<Exit, Failure> {
    let path = log(arguments.file.as_deref(), session)?;
    let mut filter = AuditFilter::default();
    filter.tenant.clone_from(&arguments.tenant);
    filter.node_type.clone_from(&arguments.node_type);
    filter.status = arguments.status;
    let newest_first = read_audit(&path, filter).map_err(|error| unusable(&error))?;
    let mut records = Vec::new();
    for record in newest_first {
        match record {
            Ok(record) => records.push(record),
            // The others are there still.
            Err(error @ AuditError::Malformed { .. }) => tracing::warn!("{error}"),
            Err(error) => return Err(unusable(&error)),
        }
        if records.len() == arguments.lines.get() {
            break;
        }
    }
    records.reverse();
    output.report(&Shown { path, records })?;
    Ok(Exit::Done)
}

/// The log that is named, or that of the settings.
fn log(named: Option<&Path>, session: &Session) -> Result<PathBuf, Failure> {
    let file = named.map(Path::to_owned).or_else(|| session.audit_file());
    file.ok_or_else(|| {
        Failure::usage("no audit log is named, and floe.toml has none")
            .hint("name its file, or add `[audit]` to floe.toml")
    })
}

fn unusable(error: &AuditError) -> Failure {
    Failure::failed("the audit log cannot be read").caused_by(error)
}

impl Report for Verified {
    fn render(&self, page: &mut Page) {
        let report = &self.report;
        let maybe = |text: Option<String>| text.unwrap_or_default();
        page.fields(
            0,
            &[
                ("log", text::path(&self.path)),
                ("files", report.files.to_string()),
                ("records", report.records.to_string()),
                (
                    "from",
                    maybe(report.first_time.map(|time| time.to_string())),
                ),
                ("to", maybe(report.last_time.map(|time| time.to_string()))),
                ("last", maybe(report.last.map(|last| last.to_string()))),
            ],
        );
        page.blank();
        let Some(verdict) = report.verdict else {
            page.verdict(true, "whole");
            return;
        };
        let mut table = Table::new(["", "file", "line", "record", "found", "expected"]);
        for finding in &report.findings {
            table.row([
                finding.flaw.to_string(),
                text::path(&finding.file),
                match finding.line {
                    0 => String::new(),
                    line => line.to_string(),
                },
                maybe(finding.seq.map(|seq| seq.to_string())),
                text::plain(&finding.found),
                text::plain(&finding.expected),
            ]);
        }
        page.table(table);
        let told = report.findings.len() as u64;
        if report.flaws > told {
            page.line(&format!("and {} more", report.flaws - told));
        }
        page.blank();
        page.verdict(
            false,
            match verdict {
                Flaw::Cut => "cut: records at the end are missing",
                _ => "tampered: it is not as it was written",
            },
        );
    }
}

impl Report for Shown {
    fn render(&self, page: &mut Page) {
        if self.records.is_empty() {
            page.line("No record.");
            return;
        }
        let mut table = Table::new([
            "record", "time", "tenant", "user", "what", "plugin", "status", "decision", "took",
        ]);
        for record in &self.records {
            let maybe = |text: &Option<String>| text::plain(text.as_deref().unwrap_or_default());
            let status = record.status.map(|status| status.to_string());
            let words = [status.as_deref(), record.error.as_deref()];
            let words: Vec<&str> = words.into_iter().flatten().collect();
            let plugin = [record.plugin.as_deref(), record.version.as_deref()];
            let plugin: Vec<&str> = plugin.into_iter().flatten().collect();
            table.row([
                record.seq.to_string(),
                format!("{:.3}", record.time),
                maybe(&record.tenant),
                maybe(&record.user),
                text::plain(record.node_type.as_deref().unwrap_or(&record.action)),
                text::plain(&plugin.join(" ")),
                text::plain(&words.join(": ")),
                maybe(&record.decision),
                text::maybe_time(record.duration_us.map(std::time::Duration::from_micros)),
            ]);
        }
        page.table(table);
    }
}
