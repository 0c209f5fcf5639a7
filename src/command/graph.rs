//! `floe graph`.

use std::collections::BTreeMap;

use floe_workflow::{Diagram, Document, Journal, Limits, NodeStatus, Problems};
use serde::Serialize;

use super::runs;
use crate::arguments::{Graph, GraphFormat};
use crate::command::workflow::{Checkup, read};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::Output;
use crate::report::text;
use crate::session::Session;

/// A diagram, in the language that was asked for.
#[derive(Serialize)]
struct Drawing {
    format: GraphFormat,
    diagram: String,
}

/// A workflow that is to be drawn, and what became of its nodes, by their ids.
struct Subject {
    of: String,
    document: Result<Document, Problems>,
    statuses: BTreeMap<String, NodeStatus>,
}

/// `session` is opened only where a run is looked up: a file is drawn whatever the settings are.
pub(crate) fn run(
    arguments: &Graph,
    session: impl FnOnce() -> Result<Session, Failure>,
    output: &Output,
) -> Result<Exit, Failure> {
    let subject = match (&arguments.file, &arguments.run) {
        (Some(file), _) => Subject {
            of: text::path(file),
            document: read(file, &Limits::default())?,
            statuses: match &arguments.run {
                Some(execution) => of_run(execution, &session()?)?.statuses,
                None => BTreeMap::new(),
            },
        },
        (None, Some(execution)) => of_run(execution, &session()?)?,
        (None, None) => return Err(Failure::usage("no workflow is named")),
    };
    let document = match subject.document.and_then(well_formed) {
        Ok(document) => document,
        Err(problems) => {
            output.report(&Checkup::new(
                subject.of,
                problems.errors,
                problems.warnings,
            ))?;
            return Ok(Exit::Usage);
        }
    };
    let mut diagram = Diagram::new(document.workflow());
    if arguments.run.is_some() {
        diagram = diagram.statuses(&subject.statuses);
    }
    let drawing = Drawing::new(&diagram, arguments.format);
    match output.is_json() {
        true => output.json(&drawing)?,
        false => output.data(drawing.diagram.as_bytes())?,
    }
    Ok(Exit::Done)
}

/// The workflow of a run, as it was begun with.
fn of_run(execution: &str, session: &Session) -> Result<Subject, Failure> {
    let journal =
        Journal::find(&runs::settings(session)).map_err(|error| runs::unusable(&error))?;
    let record = runs::get(journal.as_ref(), execution)?;
    let statuses = record.nodes.into_iter();
    Ok(Subject {
        of: format!("the workflow of `{execution}`"),
        document: Document::read(&record.text, record.format, &session.limits()),
        statuses: statuses
            .filter_map(|node| Some((node.id, node.status?)))
            .collect(),
    })
}

/// A document, if nothing is wrong with its form.
fn well_formed(document: Document) -> Result<Document, Problems> {
    let problems: Problems = document.problems().iter().cloned().collect();
    match problems.errors.is_empty() {
        true => Ok(document),
        false => Err(problems),
    }
}

impl Drawing {
    fn new(diagram: &Diagram<'_>, format: GraphFormat) -> Self {
        let drawn = match format {
            GraphFormat::Mermaid => diagram.mermaid().to_string(),
            GraphFormat::Dot => diagram.dot().to_string(),
        };
        Self {
            format,
            diagram: drawn,
        }
    }
}
