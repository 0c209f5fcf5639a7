//! Whether the workflows that a workflow calls are there, and can run.

use std::collections::HashMap;
use std::sync::Arc;

use semver::VersionReq;

use super::expressions::Template;
use super::{Check, Checked};
use crate::document::{Document, Node, Workflow};
use crate::executors::Executors;
use crate::library::{LibraryError, shown};
use crate::problem::{Problem, Problems, Rule};

/// How deep workflows may call each other: each call of a run waits for those below it.
const DEEPEST: usize = 16;

/// What tells workflows apart: an id and a version.
type Key = (String, Option<String>);

fn key(workflow: &Workflow) -> Key {
    (workflow.id.clone(), workflow.version.clone())
}

/// What one validation knows of the workflows that are called, however deep.
#[derive(Debug)]
pub(super) struct Session {
    /// On whose behalf all of them are called.
    pub(super) tenant: Option<String>,
    /// Those that are being checked, each called by the one before it.
    open: Vec<Key>,
    /// What was found for an id and a range.
    asked: HashMap<(String, Option<String>), Result<Key, LibraryError>>,
    /// What came of each that was checked.
    known: HashMap<Key, Result<Arc<Checked>, Refusal>>,
}

impl Session {
    pub(super) fn new(workflow: &Workflow) -> Self {
        Self {
            tenant: workflow.tenant.clone(),
            open: vec![key(workflow)],
            asked: HashMap::new(),
            known: HashMap::new(),
        }
    }

    /// The circle that a call of an open workflow closes.
    fn circle(&self, from: usize) -> Refusal {
        let open = self.open.get(from..).unwrap_or_default();
        let again = open.first();
        let ids = open.iter().chain(again).map(|(id, _)| quoted(id));
        Refusal::Circle(ids.collect::<Vec<_>>().join(" calls "))
    }
}

fn quoted(id: &str) -> String {
    format!("`{}`", id.escape_debug())
}

/// Why a workflow cannot be called.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// It is not found.
    Library(Box<LibraryError>),
    /// It has errors, in a file where one is known.
    Errors(Arc<Problems>, Option<String>),
    /// It is for this tenant, and the caller is not.
    Tenant(String),
    /// It calls itself, however far.
    Circle(String),
    /// It is too deep, or what it calls is.
    Deep,
}

impl<E: Executors> Check<'_, E> {
    /// A node that calls a workflow, which its schema has been held against already.
    pub(super) fn call(&mut self, index: usize, node: &Node, pointer: &str) {
        if self.is_full() {
            return;
        }
        let at = format!("{pointer}/parameters/workflow");
        let id = self.constant(node, "workflow", |check| {
            let message = "found an expression, expected the id of a workflow";
            let problem = check.problem(Rule::Call, &at, message);
            problem.hint(
                "write the id itself, as what is called is checked before a run begins; \
                 to choose between workflows, call each in a node of its own after a `switch`",
            )
        });
        let (Ok(range), Some(id)) = (self.range(node, pointer), id) else {
            return;
        };
        match self.called(id, range.as_ref()) {
            Ok(checked) => {
                self.calls.insert(index, checked);
            }
            Err(refusal) => {
                let problem = self.refused(id, &at, &refusal);
                self.push(problem);
                if let Refusal::Circle(_) | Refusal::Deep = refusal {
                    self.chain.get_or_insert(refusal);
                }
            }
        }
    }

    /// The range of versions that a call is for, where it is for one.
    fn range(&mut self, node: &Node, pointer: &str) -> Result<Option<VersionReq>, ()> {
        if node.parameters.get("version").is_none() {
            return Ok(None);
        }
        let at = format!("{pointer}/parameters/version");
        let version = self.constant(node, "version", |check| {
            let message = "found an expression, expected a range of versions";
            let problem = check.problem(Rule::Call, &at, message);
            problem.hint("write the range itself, such as `^1.2`, as what is called is checked before a run begins")
        });
        let version = version.ok_or(())?;
        version.parse().map(Some).map_err(|error| {
            let shown = version.escape_debug();
            let message = format!("`{shown}` is no range of versions: {error}");
            let problem = self.problem(Rule::Call, &at, message);
            self.push(problem.hint("write one such as `^1.2`, or take it out"));
        })
    }

    /// A parameter that is a text without an expression. One that is not there, is empty or no text is at
    /// fault for its schema already.
    fn constant<'n>(
        &mut self,
        node: &'n Node,
        name: &str,
        problem: impl FnOnce(&Self) -> Problem,
    ) -> Option<&'n str> {
        let text = node.parameters.get(name)?.as_str()?;
        if Template::parse(text).is_ok_and(|template| template.is_constant()) {
            return Some(text).filter(|text| !text.is_empty());
        }
        let problem = problem(self);
        self.push(problem);
        None
    }

    /// The workflow that a call leads to, checked.
    fn called(&mut self, id: &str, range: Option<&VersionReq>) -> Result<Arc<Checked>, Refusal> {
        let library = &self.validator.library;
        let asked = (id.to_owned(), range.map(ToString::to_string));
        let mut document = None;
        let found = match self.session.asked.get(&asked) {
            Some(found) => found.clone(),
            None => {
                let found = library.find(id, range).map(|found| {
                    let key = key(found.workflow());
                    document = Some(found);
                    key
                });
                self.session.asked.insert(asked, found.clone());
                found
            }
        };
        let key = match found {
            Ok(key) => key,
            Err(error) => {
                // The first of all need not be in the library.
                let missing = matches!(
                    error,
                    LibraryError::NotFound { .. } | LibraryError::NoLibrary { .. }
                );
                let mut open = self.session.open.iter();
                let open = open.position(|(open, _)| missing && open == id);
                return Err(match open {
                    Some(open) => self.session.circle(open),
                    None => Refusal::Library(Box::new(error)),
                });
            }
        };
        if let Some(open) = self.session.open.iter().position(|open| *open == key) {
            return Err(self.session.circle(open));
        }
        let verdict = match self.session.known.get(&key) {
            Some(verdict) => verdict.clone(),
            None => {
                let document = match document {
                    Some(document) => Ok(document),
                    None => library.find(id, range),
                };
                let document = document.map_err(|error| Refusal::Library(Box::new(error)))?;
                let verdict = self.accept(document, &key);
                self.session.known.insert(key, verdict.clone());
                verdict
            }
        };
        // What was checked before may be deeper from here.
        let depth = |checked: &Arc<Checked>| self.session.open.len() + checked.depth;
        match verdict {
            Ok(checked) if depth(&checked) > DEEPEST => Err(Refusal::Deep),
            verdict => verdict,
        }
    }

    /// Checks a workflow that is called, with those that it calls itself.
    fn accept(&mut self, document: Document, key: &Key) -> Result<Arc<Checked>, Refusal> {
        if self.session.open.len() > DEEPEST {
            return Err(Refusal::Deep);
        }
        if let Some(tenant) = &document.workflow().tenant
            && self.session.tenant.as_ref() != Some(tenant)
        {
            return Err(Refusal::Tenant(tenant.clone()));
        }
        let file = document.file().map(shown);
        self.session.open.push(key.clone());
        let outcome = self.validator.run(&document, self.session);
        self.session.open.pop();
        match outcome.chain {
            Some(chain) => Err(chain),
            None => match outcome.checked(document) {
                Ok(checked) => Ok(Arc::new(checked)),
                Err(problems) => Err(Refusal::Errors(Arc::new(problems), file)),
            },
        }
    }

    fn refused(&self, id: &str, at: &str, refusal: &Refusal) -> Problem {
        let problem = |message: String| self.problem(Rule::Call, at, message);
        let id = quoted(id);
        match refusal {
            Refusal::Library(error) => {
                let message = match error.cause() {
                    Some(cause) => format!("{}: {cause}", error.found()),
                    None => error.found(),
                };
                let near = match &**error {
                    LibraryError::NotFound { id } => self.validator.library.nearest(id),
                    _ => None,
                };
                problem(message).meant(near, error.advice())
            }
            Refusal::Errors(problems, file) => {
                let (errors, first) = match problems.errors.len() {
                    1 => ("1 error".to_owned(), ""),
                    several => (format!("{several} errors"), ", the first"),
                };
                let place = match file {
                    Some(file) if first.is_empty() => format!(", in {file}"),
                    Some(file) => format!("{first} in {file}"),
                    None => first.to_owned(),
                };
                let mut message = format!("workflow {id} has {errors}{place}");
                let mut hint = None;
                if let Some(mut first) = problems.errors.first().cloned() {
                    hint = first.hint.take();
                    message = format!("{message}: {first}");
                }
                problem(message).hint(hint.unwrap_or_else(|| "mend it".to_owned()))
            }
            Refusal::Tenant(tenant) => {
                let tenant = tenant.escape_debug();
                let expected = match &self.session.tenant {
                    Some(own) => format!(
                        "tenant `{}`, on whose behalf it is called",
                        own.escape_debug()
                    ),
                    None => "no tenant, as its caller names none".to_owned(),
                };
                let message =
                    format!("workflow {id} is for tenant `{tenant}`, expected one for {expected}");
                let problem = self.problem(Rule::Tenant, at, message);
                problem.hint(format!("take its tenant out, or call it for `{tenant}`"))
            }
            Refusal::Circle(circle) => {
                problem(format!("workflows call each other in a circle: {circle}"))
                    .hint("take one of these calls out")
            }
            Refusal::Deep => {
                let from = self.session.open.first().map(|(id, _)| quoted(id));
                problem(format!(
                    "workflows call each other more than {DEEPEST} deep, from {} on",
                    from.unwrap_or_default()
                ))
                .hint("make one workflow of several of them")
            }
        }
    }
}
