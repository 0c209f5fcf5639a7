//! The value of a tree, in a run.

use minijinja::Value as Jinja;
use minijinja::machinery::ast::BinOpKind;

use floe_plugin_api::Value;

use super::budget::{Budget, ITEM, WALKED};
use super::held::Held;
use super::scope::Scope;
use super::tree::{Expr, Kind};
use super::{ExpressionError, operators, text};

/// What an evaluation, or a step of it, gives.
pub(super) type Evaluated<T> = Result<T, ExpressionError>;

/// One evaluation of one template.
pub(super) struct Evaluator<'a> {
    pub(super) text: &'a str,
    scope: &'a Scope<'a>,
    /// What the template has set, the innermost last.
    pub(super) locals: Vec<(&'a str, Held)>,
    pub(super) budget: &'a mut Budget,
}

impl<'a> Evaluator<'a> {
    pub(super) const fn new(text: &'a str, scope: &'a Scope<'a>, budget: &'a mut Budget) -> Self {
        Self {
            text,
            scope,
            locals: Vec::new(),
            budget,
        }
    }

    /// An expression as it is written, or its beginning.
    pub(super) fn written(&self, expr: &Expr) -> String {
        const SHOWN: usize = 120;
        let written = self.text.get(expr.start..expr.end).unwrap_or("…").trim();
        match written.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", written.get(..end).unwrap_or_default()),
            None => written.to_owned(),
        }
    }

    /// What an expression gave, as a value of its own.
    pub(super) fn value(&mut self, held: Held, expr: &Expr) -> Evaluated<Value> {
        match held {
            // It is there already, so it is as large as the run allowed; a copy recurses, though.
            Held::Scope(node) => {
                text::measure(node.get(), usize::MAX, expr.start)?;
                Ok(node.get().clone())
            }
            held => {
                let value = self.jinja(held, expr)?;
                text::from_jinja(&value, self.budget, expr.start)
            }
        }
    }

    /// What an expression gave, as minijinja's filters and operators take it.
    pub(super) fn jinja(&mut self, held: Held, expr: &Expr) -> Evaluated<Jinja> {
        let (found, hint) = match held {
            Held::Made(value) => return Ok(value),
            Held::Scope(node) => {
                match node.get() {
                    Value::String(text) => self.budget.make(text.len(), expr.start)?,
                    Value::Bytes(bytes) => self.budget.make(bytes.len(), expr.start)?,
                    // minijinja compares and sorts by recursion.
                    deep @ (Value::List(_) | Value::Map(_)) => {
                        let size = text::measure(deep, usize::MAX, expr.start)?;
                        self.budget.step(size / WALKED, expr.start)?;
                    }
                    _ => {}
                }
                return Ok(node.to_jinja());
            }
            Held::Steps => (
                "steps",
                "write the step's id after it, as in `steps.fetch.output`",
            ),
            Held::Step(_) => (
                "a step",
                "write `output`, `status`, `error`, `attempts` or `recovered_by` after it",
            ),
            Held::Env => ("env", "write a variable's name after it, as in `env.HOME`"),
            Held::Loop(..) => (
                "loop",
                "write `index`, `index0`, `first`, `last` or `length` after it",
            ),
        };
        let written = self.written(expr);
        let error = ExpressionError::new(
            format!("found {found} in `{written}`, expected a value"),
            expr.start,
        );
        Err(error.with_hint(hint))
    }

    /// The value of an expression.
    pub(super) fn expression(&mut self, expr: &'a Expr) -> Evaluated<Held> {
        self.budget.step(1, expr.start)?;
        match &expr.kind {
            Kind::Constant(value) => Ok(Held::Made(value.clone())),
            Kind::Name(name) => self.name(name, expr),
            Kind::Field(of, name) => {
                let held = self.expression(of)?;
                self.field(held, name, of, expr)
            }
            Kind::Index(of, subscript) => self.index(of, subscript, expr),
            Kind::Slice(of, bounds) => self.slice(of, bounds),
            Kind::Not(of) => Ok(Held::Made((!self.expression(of)?.holds()).into())),
            Kind::Negative(of) => {
                let held = self.expression(of)?;
                let value = self.jinja(held, of)?;
                let found = text::type_name(&value);
                let negative = operators::negative(value);
                negative.map(Held::Made).ok_or_else(|| {
                    let message = format!("found {found} after `-`, expected a number");
                    ExpressionError::new(message, expr.start)
                })
            }
            Kind::Binary(BinOpKind::ScAnd, both) => {
                let left = self.expression(&both.0)?;
                if left.holds() {
                    self.expression(&both.1)
                } else {
                    Ok(left)
                }
            }
            Kind::Binary(BinOpKind::ScOr, both) => {
                let left = self.expression(&both.0)?;
                if left.holds() {
                    Ok(left)
                } else {
                    self.expression(&both.1)
                }
            }
            Kind::Binary(op, both) => {
                let left = self.expression(&both.0)?;
                let left = self.jinja(left, &both.0)?;
                let right = self.expression(&both.1)?;
                let right = self.jinja(right, &both.1)?;
                self.binary(*op, left, right, expr).map(Held::Made)
            }
            Kind::Compare(first, others) => self.compare(first, others, expr),
            Kind::Choice(choice) => {
                let (condition, body, otherwise) = &**choice;
                if self.expression(condition)?.holds() {
                    return self.expression(body);
                }
                match otherwise {
                    Some(otherwise) => self.expression(otherwise),
                    None => Err(ExpressionError::missing(
                        format!(
                            "found no value in `{}`, as the condition is false",
                            self.written(expr)
                        ),
                        expr.start,
                    )
                    .with_hint("write `else …` after it")),
                }
            }
            Kind::Filter(name, of, arguments) => self.filter(name, of, arguments, expr),
            Kind::Test(name, of, arguments) => self.test(name, of, arguments, expr),
            Kind::Range(bounds) => self.range(bounds, expr),
            Kind::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    let held = self.expression(item)?;
                    self.budget.make(ITEM, item.start)?;
                    list.push(self.jinja(held, item)?);
                }
                Ok(Held::Made(Jinja::from(list)))
            }
            Kind::Map(entries) => {
                let mut pairs = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let held = self.expression(key)?;
                    let name = self.jinja(held, key)?;
                    let Some(name) = name.as_str().map(str::to_owned) else {
                        let found = text::type_name(&name);
                        let message = format!("found {found} as a map's name, expected a string");
                        let error = ExpressionError::new(message, key.start);
                        return Err(error.with_hint("write the name in quotes"));
                    };
                    let held = self.expression(value)?;
                    self.budget.make(ITEM + name.len(), value.start)?;
                    pairs.push((name, self.jinja(held, value)?));
                }
                Ok(Held::Made(Jinja::from_pairs(pairs)))
            }
        }
    }

    pub(super) fn local(&self, name: &str) -> Option<&Held> {
        self.locals
            .iter()
            .rev()
            .find(|(known, _)| *known == name)
            .map(|(_, held)| held)
    }

    pub(super) fn known_names(&self) -> impl Iterator<Item = &'a str> {
        let locals: Vec<&'a str> = self.locals.iter().map(|(name, _)| *name).collect();
        locals.into_iter().chain(self.scope.names())
    }

    pub(super) const fn scope(&self) -> &'a Scope<'a> {
        self.scope
    }
}
