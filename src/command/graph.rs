//! `floe graph`.

use floe_workflow::{Diagram, Document, Problems};
use serde::Serialize;

use crate::arguments::{Graph, GraphFormat};
use crate::command::workflow::{Checkup, read};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::Output;
use crate::report::text;

/// A diagram, in the language that was asked for.
#[derive(Serialize)]
struct Drawing {
    format: GraphFormat,
    diagram: String,
}

pub(crate) fn run(arguments: &Graph, output: &Output) -> Result<Exit, Failure> {
    let document = match read(&arguments.file)?.and_then(well_formed) {
        Ok(document) => document,
        Err(problems) => {
            let file = text::path(&arguments.file);
            output.report(&Checkup::new(file, problems.errors, problems.warnings))?;
            return Ok(Exit::Usage);
        }
    };
    let drawing = Drawing::new(&Diagram::new(document.workflow()), arguments.format);
    match output.is_json() {
        true => output.json(&drawing)?,
        false => output.data(drawing.diagram.as_bytes())?,
    }
    Ok(Exit::Done)
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
