//! What is wrong with a workflow, and where in its text.

use std::fmt;

use serde::Serialize;

use crate::source::Place;

/// One thing that is wrong with a workflow, or looks as if it were.
///
/// It displays as one line, with its place, what was found and what to do:
///
/// ```text
/// line 7, column 14: error in node `clean` at `/nodes/1/needs/0`: `fetc` is no node of this workflow; did you mean `fetch`?
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// Whether the workflow is refused for it.
    pub severity: Severity,
    /// The check that found it.
    pub rule: Rule,
    /// The id of the node that it is about, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Where in the document, as a JSON pointer; empty for the whole.
    pub pointer: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What was found, and what was expected.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(rule: Rule, pointer: &str, place: Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            rule,
            node: None,
            pointer: pointer.to_owned(),
            line: place.line,
            column: place.column,
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Asks whether a known name was meant; says something else where none is like it.
    pub(crate) fn meant(self, nearest: Option<String>, otherwise: impl Into<String>) -> Self {
        match nearest {
            Some(nearest) => self.hint(format!("did you mean `{nearest}`?")),
            None => self.hint(otherwise),
        }
    }

    pub(crate) fn of_node(mut self, id: &str) -> Self {
        self.node = Some(id.to_owned());
        self
    }

    pub(crate) const fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, .. } = self;
        write!(f, "line {line}, column {column}: {}", self.severity)?;
        if let Some(node) = &self.node {
            write!(f, " in node `{}`", node.escape_debug())?;
        }
        if !self.pointer.is_empty() {
            write!(f, " at `{}`", self.pointer.escape_debug())?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// The workflow is refused.
    Error,
    /// The workflow runs, though probably not as it was meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// The check that found a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// It is neither JSON nor YAML.
    Syntax,
    /// It is larger or deeper than is allowed.
    Limit,
    /// A field is unknown, missing, or not of its form.
    Format,
    /// Two things have one id.
    Duplicate,
    /// A connection names no node, or one that several have.
    UnknownNode,
    /// A connection leaves a node by an output that it does not have, or never uses.
    Port,
    /// A node needs itself.
    SelfEdge,
    /// Nodes need each other in a circle.
    Cycle,
    /// A node is connected with nothing, or never runs.
    Unreachable,
    /// A node is disabled and others need it.
    Disabled,
    /// No plugin offers a node type, or in no version that will do.
    NodeType,
    /// The tenant may not call a node type.
    Tenant,
    /// A configuration does not fit the plugin's schema.
    Config,
    /// Parameters do not fit the executor's schema.
    Parameters,
    /// A workflow that is called is not there, cannot run, or calls back.
    Call,
    /// An expression cannot be read, or is where none is evaluated.
    Expression,
    /// An expression names what is not there, or not there yet.
    Reference,
    /// A recovery cannot do anything, or falls back to what is not there.
    Recovery,
    /// A node runs once for each item of what is no list.
    Foreach,
    /// A time or a number of which there has to be some is zero.
    Zero,
}

/// How many problems of a document are told. One that has as many is not what it was meant to be, and
/// each costs a look into the text.
pub(crate) const MOST: usize = 500;

/// All that is wrong with a workflow: errors and warnings apart, each in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problems {
    /// What the workflow is refused for.
    pub errors: Vec<Problem>,
    /// What it is not refused for.
    pub warnings: Vec<Problem>,
}

impl Problems {
    /// Whether nothing is wrong, and nothing looks so.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.errors.is_empty() && self.warnings.is_empty()
    }

    /// The errors, then the warnings.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.errors.iter().chain(&self.warnings)
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self::from_iter([problem])
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(problems: I) -> Self {
        let mut sorted: Vec<Problem> = problems.into_iter().collect();
        if sorted.len() >= MOST {
            // An error, whatever they are: what was not looked at may be one.
            let message = format!("there are {MOST} problems or more, of which the first are told");
            let problem = Problem::new(Rule::Limit, "", Place::START, message);
            sorted.push(problem.hint("mend those and check again"));
        }
        sorted.sort_by_key(|problem| (problem.line, problem.column));
        let is_error = |problem: &Problem| problem.severity == Severity::Error;
        let (errors, warnings) = sorted.into_iter().partition(is_error);
        Self { errors, warnings }
    }
}

/// One problem a line, the errors first.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(f, "{line}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
