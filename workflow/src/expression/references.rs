//! What a template looks up, as far as its text alone tells.
//!
//! minijinja's own `undeclared_variables(nested = true)` gives a set of texts: without places, and
//! without what is behind a subscript, as `steps["a"].output` is `steps` to it. So the tree is walked
//! here.

use super::tree::{Expr, Kind, Statement};

/// The names of a loop over items.
const ITEMS: [&str; 2] = ["item", "index"];

/// Where a look-up begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Root {
    /// `steps`: what the steps gave.
    Steps,
    /// `input`: what the run was started with.
    Input,
    /// `variables`: the workflow's own values.
    Variables,
    /// `workflow`: its id, name and version.
    Workflow,
    /// `context`: tenant, execution and attempt.
    Context,
    /// `env`: the environment variables that are allowed.
    Env,
    /// `item` or `index`: the turn of a loop over items.
    Item(String),
}

impl Root {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "steps" => Self::Steps,
            "input" => Self::Input,
            "variables" => Self::Variables,
            "workflow" => Self::Workflow,
            "context" => Self::Context,
            "env" => Self::Env,
            _ if ITEMS.contains(&name) => Self::Item(name.to_owned()),
            _ => return None,
        })
    }
}

/// One look-up: `steps.fetch.output.rows[0]` is `steps` and the path `fetch`, `output`, `rows`, `0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Where it begins.
    pub root: Root,
    /// The names and indices after it, up to the first that only a run tells.
    pub path: Vec<String>,
    /// Where in the text it is, in bytes.
    pub offset: usize,
}

/// A name that is neither a root nor set by the template itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    /// The name.
    pub name: String,
    /// The names and indices after it, as in [`Reference`].
    pub path: Vec<String>,
    /// Where in the text it is, in bytes.
    pub offset: usize,
}

#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) references: Vec<Reference>,
    pub(super) unknown: Vec<UnknownName>,
}

pub(super) fn of_expression(expr: &Expr) -> Found {
    let mut walk = Walk::default();
    walk.expr(expr);
    walk.finish()
}

pub(super) fn of_statements(statements: &[Statement]) -> Found {
    let mut walk = Walk::default();
    walk.statements(statements);
    walk.finish()
}

#[derive(Default)]
struct Walk<'a> {
    /// What the template has set, the innermost last.
    locals: Vec<&'a str>,
    found: Found,
}

impl<'a> Walk<'a> {
    fn finish(mut self) -> Found {
        self.found.references.sort_by_key(|found| found.offset);
        self.found.unknown.sort_by_key(|found| found.offset);
        self.found
    }

    fn set(&mut self, names: &'a [Box<str>]) {
        self.locals.extend(names.iter().map(|name| &**name));
    }

    fn statements(&mut self, statements: &'a [Statement]) {
        for statement in statements {
            match statement {
                Statement::Raw(_) => {}
                Statement::Emit(expr) => self.expr(expr),
                Statement::If {
                    condition,
                    body,
                    otherwise,
                } => {
                    self.expr(condition);
                    // What either sets is known after it, as it may be.
                    self.statements(body);
                    self.statements(otherwise);
                }
                Statement::For {
                    names,
                    over,
                    only,
                    body,
                    otherwise,
                } => {
                    self.expr(over);
                    let outside = self.locals.len();
                    self.set(names);
                    if let Some(only) = only {
                        self.expr(only);
                    }
                    self.locals.push("loop");
                    self.statements(body);
                    self.locals.truncate(outside);
                    self.statements(otherwise);
                    self.locals.truncate(outside);
                }
                Statement::With(values, body) => {
                    let outside = self.locals.len();
                    for (names, expr) in values {
                        self.expr(expr);
                        self.set(names);
                    }
                    self.statements(body);
                    self.locals.truncate(outside);
                }
                Statement::Set(names, expr) => {
                    self.expr(expr);
                    self.set(names);
                }
            }
        }
    }

    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            Kind::Name(_) | Kind::Field(..) | Kind::Index(..) => self.look_up(expr),
            Kind::Constant(_) => {}
            Kind::Slice(of, bounds) => {
                self.expr(of);
                for bound in bounds.iter().flatten() {
                    self.expr(bound);
                }
            }
            Kind::Not(of) | Kind::Negative(of) => self.expr(of),
            Kind::Binary(_, both) => {
                self.expr(&both.0);
                self.expr(&both.1);
            }
            Kind::Compare(first, others) => {
                self.expr(first);
                for (_, other) in others {
                    self.expr(other);
                }
            }
            Kind::Choice(choice) => {
                self.expr(&choice.0);
                self.expr(&choice.1);
                if let Some(otherwise) = &choice.2 {
                    self.expr(otherwise);
                }
            }
            Kind::Filter(_, of, arguments) | Kind::Test(_, of, arguments) => {
                self.expr(of);
                for argument in arguments.iter() {
                    self.expr(argument);
                }
            }
            Kind::Range(items) | Kind::List(items) => {
                for item in items {
                    self.expr(item);
                }
            }
            Kind::Map(entries) => {
                for (key, value) in entries {
                    self.expr(key);
                    self.expr(value);
                }
            }
        }
    }

    /// Follows fields and constant subscripts down to the name at the root.
    fn look_up(&mut self, expr: &'a Expr) {
        let mut path = Vec::new();
        let mut at = expr;
        loop {
            at = match &at.kind {
                Kind::Field(of, name) => {
                    path.push(name.to_string());
                    of
                }
                Kind::Index(of, subscript) => {
                    if let Some(constant) = constant(subscript) {
                        path.push(constant);
                    } else {
                        self.expr(subscript);
                        // It ends the path: what is behind it is behind any of many.
                        path.clear();
                    }
                    of
                }
                Kind::Name(name) => {
                    path.reverse();
                    self.name(name, path, at.start);
                    return;
                }
                _ => return self.expr(at),
            };
        }
    }

    fn name(&mut self, name: &str, path: Vec<String>, offset: usize) {
        if self.locals.contains(&name) {
            return;
        }
        match Root::of(name) {
            Some(root) => self.found.references.push(Reference { root, path, offset }),
            None => self.found.unknown.push(UnknownName {
                name: name.to_owned(),
                path,
                offset,
            }),
        }
    }
}

/// A subscript that the text alone tells.
fn constant(subscript: &Expr) -> Option<String> {
    match &subscript.kind {
        Kind::Constant(constant) => Some(constant.to_string()),
        Kind::Negative(of) => match &of.kind {
            Kind::Constant(constant) if constant.is_integer() => Some(format!("-{constant}")),
            _ => None,
        },
        _ => None,
    }
}
