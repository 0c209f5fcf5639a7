//! `floe inspect`.

use floe_registry::api::Manifest;
use floe_registry::{Finding, Inspection, Preflight};
use serde::Serialize;

use crate::arguments::Inspect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::table::Table;
use crate::report::{checks, text};
use crate::session::Session;

#[derive(Serialize)]
#[serde(transparent)]
struct Inspected(Inspection);

pub(crate) fn run(
    arguments: &Inspect,
    session: &Session,
    output: &Output,
) -> Result<Exit, Failure> {
    let inspection = session.registry_of_nothing()?.inspect(&arguments.file)?;
    let loads = inspection.verdict.admitted && inspection.preflight.unloadable().is_none();
    output.report(&Inspected(inspection))?;
    Ok(if loads { Exit::Done } else { Exit::Refused })
}

impl Report for Inspected {
    fn render(&self, page: &mut Page) {
        let Inspection {
            path,
            size,
            digest,
            platform,
            manifest,
            verdict,
            preflight,
            ..
        } = &self.0;
        page.fields(
            0,
            &[
                ("file", text::path(path)),
                ("size", text::bytes(*size)),
                ("sha256", digest.to_string()),
                ("platform", platform.to_string()),
            ],
        );
        page.blank();
        page.heading("Manifest");
        page.fields(2, &said(manifest));
        page.blank();
        page.heading("Executors");
        page.table(executors(manifest));
        page.blank();
        page.heading("Checks");
        page.table(checks::table(&verdict.checks));
        if preflight.examined {
            page.blank();
            page.heading("Preflight");
            page.fields(2, &examined(preflight));
            for finding in &preflight.findings {
                page.blank();
                page.fields(2, &found(finding));
            }
        }
        page.blank();
        match preflight.unloadable() {
            Some(reason) if verdict.admitted => {
                page.verdict(false, "admitted, and cannot be loaded here");
                page.paragraph(2, &text::plain(reason));
            }
            _ => page.verdict(verdict.admitted, &verdict.to_string()),
        }
        for check in &verdict.checks {
            if let Some(remedy) = &check.remedy {
                page.paragraph(2, &format!("{}: {}", check.check, text::plain(remedy)));
            }
        }
    }
}

/// What a manifest says, apart from its executors.
fn said(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("name", manifest.name.clone()),
        ("version", manifest.version.to_string()),
        ("kind", manifest.kind.to_string()),
        ("floe api", manifest.floe_api_version.to_string()),
        ("boundary", text::plain(&manifest.boundary)),
        ("panic", manifest.panic.to_string()),
    ];
    let mut optional = |name, value: &str| {
        if !value.is_empty() {
            fields.push((name, text::plain(value)));
        }
    };
    optional("description", &manifest.description);
    optional("authors", &manifest.authors.join(", "));
    for (name, value) in [
        ("license", &manifest.license),
        ("homepage", &manifest.homepage),
        ("repository", &manifest.repository),
    ] {
        optional(name, value.as_deref().unwrap_or_default());
    }
    let needs: Vec<String> = manifest
        .dependencies
        .iter()
        .map(|needed| {
            let optional = if needed.optional { " (optional)" } else { "" };
            format!(
                "{}/{} {}{optional}",
                needed.kind, needed.name, needed.version
            )
        })
        .collect();
    optional("needs", &needs.join(", "));
    if manifest.stateless {
        optional("stateless", "no answer depends on the calls before it");
    }
    fields
}

/// What is known of a library without loading it, apart from what is hazardous.
fn examined(preflight: &Preflight) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if let Some(compiler) = &preflight.compiler {
        fields.push(("compiler", text::plain(compiler)));
    }
    if let Some(glibc) = &preflight.glibc {
        let host = match &glibc.host {
            Some(host) => format!(", this host has {}", text::plain(host)),
            None => String::new(),
        };
        fields.push((
            "glibc",
            format!("needs {}{host}", text::plain(&glibc.needed)),
        ));
    }
    if let Some(level) = &preflight.instruction_set {
        fields.push(("instructions", text::plain(level)));
    }
    let mut name = "libraries";
    for needed in &preflight.needed {
        let found = match &needed.found {
            Some(path) => text::path(path),
            None => "not found".to_owned(),
        };
        fields.push((name, format!("{}: {found}", text::plain(&needed.name))));
        name = "";
    }
    let findings = preflight.findings.len();
    if findings == 0 {
        fields.push(("hazards", "none found".to_owned()));
    } else {
        fields.push(("hazards", findings.to_string()));
    }
    fields
}

fn found(finding: &Finding) -> Vec<(&'static str, String)> {
    vec![
        (
            "hazard",
            format!("`{}`, {}", finding.hazard, finding.severity),
        ),
        ("found", text::plain(&finding.found)),
        ("why", text::plain(finding.why)),
        ("to do", text::plain(finding.remedy)),
    ]
}

fn executors(manifest: &Manifest) -> Table {
    let mut table = Table::new(["node type", "category", "tags", "description"]);
    for executor in &manifest.executors {
        table.row([
            executor.node_type.clone(),
            text::plain(executor.category.as_deref().unwrap_or_default()),
            text::plain(&executor.tags.join(" ")),
            text::plain(&executor.description),
        ]);
    }
    table
}
