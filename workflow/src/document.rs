//! A workflow as it is written.
//!
//! ```text
//! text ─ source ─▶ tree ─ read ─▶ Document ─ Validator ─▶ Checked
//! ```
//!
//! Reading goes on after a mistake, so that all of them are told at once; what could not be read has
//! its default in the [`Workflow`] then, and the document has a problem.

mod connection;
mod fields;
mod form;
mod node;
mod reader;
mod recovery;
mod span;
mod workflow;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::connection::{Connection, ParsePortError, Port};
pub use self::form::schema;
pub use self::node::{Foreach, Need, Node, OnError};
use self::reader::Reader;
pub use self::workflow::{Settings, Trigger, Workflow};
use crate::problem::{Problem, Problems};
use crate::source::{Branch, Format, Limits, Source};

/// A workflow that was read, with its text, and with what is wrong with its form.
///
/// ```
/// use floe_workflow::{Document, Format, Limits};
///
/// let text = "
/// id: greet
/// nodes:
///   - id: shout
///     node_type: text.upper@^1
///     parameters: { text: hello }
/// ";
/// let document = Document::read(text, Format::Yaml, &Limits::default())?;
/// assert!(document.problems().is_empty());
/// assert_eq!(document.workflow().nodes[0].node_type, "text.upper@^1");
/// # Ok::<(), floe_workflow::Problems>(())
/// ```
#[derive(Clone, Debug)]
pub struct Document {
    workflow: Workflow,
    source: Arc<Source>,
    file: Option<PathBuf>,
    problems: Vec<Problem>,
}

impl Document {
    /// Reads a workflow.
    ///
    /// # Errors
    ///
    /// The text is not of its format, is over a limit, or is no map at all. What else is wrong is in
    /// [`Document::problems`].
    pub fn read(text: &str, format: Format, limits: &Limits) -> Result<Self, Problems> {
        let source =
            Source::read(text, format, limits).map_err(|problem| Problems::from(*problem))?;
        let mut reader = Reader::default();
        let workflow = workflow::read(&mut reader, source.root(), limits);
        let problems = reader.problems;
        match workflow {
            Some(workflow) => Ok(Self {
                workflow,
                source: Arc::new(source),
                file: None,
                problems,
            }),
            None => Err(problems.into_iter().collect()),
        }
    }

    /// The workflow; where there are [problems](Self::problems), as far as it could be read.
    #[must_use]
    pub const fn workflow(&self) -> &Workflow {
        &self.workflow
    }

    /// What is wrong with the form, in the order in which it was met. Nothing has been looked up yet:
    /// a [`Validator`](crate::Validator) does.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The text that it was read from, without a byte order mark.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        self.source.text()
    }

    /// What the text is written in.
    #[must_use]
    pub fn format(&self) -> Format {
        self.source.format()
    }

    /// The file that it is from, where one was [named](Self::in_file).
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Names the file that it is from, for who reads what is wrong with it. No file is read.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Whether it is meant to be a workflow: it has an id, and a list of nodes.
    pub(crate) fn is_workflow(&self) -> bool {
        let nodes = self.source.tree("/nodes").map(|nodes| &nodes.branch);
        !self.workflow.id.is_empty() && matches!(nodes, Some(Branch::List(_)))
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn into_parts(self) -> (Workflow, Arc<Source>, Option<PathBuf>) {
        (self.workflow, self.source, self.file)
    }
}
