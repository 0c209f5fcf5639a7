//! Statements: what they add to a text, and what they set.

use floe_plugin_api::Value;
use minijinja::Value as Jinja;
use minijinja::value::ValueKind;

use super::budget::ITEM;
use super::evaluator::{Evaluated, Evaluator};
use super::held::{Held, Node};
use super::tree::{Expr, Statement};
use super::{ExpressionError, text};

impl<'a> Evaluator<'a> {
    pub(super) fn text(&mut self, statements: &'a [Statement]) -> Evaluated<String> {
        let mut output = String::new();
        self.statements(statements, &mut output)?;
        self.budget.make(output.len(), 0)?;
        Ok(output)
    }

    fn statements(&mut self, statements: &'a [Statement], output: &mut String) -> Evaluated<()> {
        for statement in statements {
            self.statement(statement, output)?;
        }
        Ok(())
    }

    fn statement(&mut self, statement: &'a Statement, output: &mut String) -> Evaluated<()> {
        match statement {
            Statement::Raw(raw) => {
                self.budget.step(1, 0)?;
                text::append(raw, output, 0)
            }
            Statement::Emit(expr) => self.emit(expr, output),
            Statement::Set(names, expr) => {
                let held = self.expression(expr)?;
                self.set(names, held, expr)
            }
            Statement::If {
                condition,
                body,
                otherwise,
            } => {
                let holds = self.expression(condition)?.holds();
                self.statements(if holds { body } else { otherwise }, output)
            }
            Statement::With(values, body) => {
                let outside = self.locals.len();
                for (names, expr) in values {
                    let held = self.expression(expr)?;
                    self.set(names, held, expr)?;
                }
                self.statements(body, output)?;
                self.locals.truncate(outside);
                Ok(())
            }
            Statement::For {
                names,
                over,
                only,
                body,
                otherwise,
            } => self.each(names, over, only.as_ref(), (body, otherwise), output),
        }
    }

    fn emit(&mut self, expr: &'a Expr, output: &mut String) -> Evaluated<()> {
        let held = self.expression(expr)?;
        if held.is_null() {
            let message = format!("found null in `{}`, expected text", self.written(expr));
            let error = ExpressionError::missing(message, expr.start);
            return Err(
                error.with_hint("write `| default(\"…\")` after it, or the expression alone")
            );
        }
        match &held {
            Held::Scope(node) => text::write(node.get(), output, expr.start),
            Held::Made(value) if value.as_str().is_some() => {
                text::append(value.as_str().unwrap_or_default(), output, expr.start)
            }
            _ => {
                let value = self.value(held, expr)?;
                text::write(&value, output, expr.start)
            }
        }
    }

    /// Sets one name to a value, or names to its items.
    fn set(&mut self, names: &'a [Box<str>], held: Held, expr: &Expr) -> Evaluated<()> {
        if let [name] = names {
            self.locals.push((name, held));
            return Ok(());
        }
        let items = self.items(held, expr)?;
        let (found, expected) = (items.len(), names.len());
        if found != expected {
            let written = self.written(expr);
            return Err(ExpressionError::new(
                format!("found `{found}` items in `{written}`, expected `{expected}`"),
                expr.start,
            )
            .with_hint("write a name for each item"));
        }
        for (place, name) in names.iter().enumerate() {
            let item = items.get(place);
            self.locals.push((name, item));
        }
        Ok(())
    }

    fn each(
        &mut self,
        names: &'a [Box<str>],
        over: &'a Expr,
        only: Option<&'a Expr>,
        (body, otherwise): (&'a [Statement], &'a [Statement]),
        output: &mut String,
    ) -> Evaluated<()> {
        let held = self.expression(over)?;
        let mut items = self.items(held, over)?;
        let outside = self.locals.len();
        if let Some(only) = only {
            let mut kept = Vec::new();
            for place in 0..items.len() {
                self.budget.step(1, over.start)?;
                self.set(names, items.get(place), over)?;
                let keep = self.expression(only)?.holds();
                self.locals.truncate(outside);
                if keep {
                    kept.push(items.get(place));
                }
            }
            items = Items::Held(kept);
        }
        let length = items.len();
        for place in 0..length {
            self.budget.step(1, over.start)?;
            self.set(names, items.get(place), over)?;
            self.locals.push(("loop", Held::Loop(place, length)));
            self.statements(body, output)?;
            self.locals.truncate(outside);
        }
        if length == 0 {
            self.statements(otherwise, output)?;
            self.locals.truncate(outside);
        }
        Ok(())
    }

    /// The items of a list, or the names of a map.
    pub(super) fn items(&mut self, held: Held, expr: &Expr) -> Evaluated<Items> {
        if let Held::Scope(node) = &held {
            match node.get() {
                Value::List(list) => return Ok(Items::Node(node.clone(), list.len())),
                Value::Map(map) => {
                    let name =
                        |entry: &floe_plugin_api::Entry| Held::Made(entry.key.as_str().into());
                    return Ok(Items::Held(map.iter().map(name).collect()));
                }
                _ => {}
            }
        }
        let value = self.jinja(held, expr)?;
        let mut items = Vec::new();
        if !matches!(
            value.kind(),
            ValueKind::Seq | ValueKind::Iterable | ValueKind::Map
        ) {
            let message = format!(
                "found {} in `{}`, expected a list",
                text::type_name(&value),
                self.written(expr)
            );
            return Err(ExpressionError::new(message, expr.start).with_hint("refer to a list"));
        }
        if let (ValueKind::Seq, Some(length)) = (value.kind(), value.len()) {
            return Ok(Items::Made(value, length));
        }
        for item in text::items(&value, expr.start)? {
            self.budget.step(1, expr.start)?;
            self.budget.make(ITEM, expr.start)?;
            items.push(Held::of(item));
        }
        Ok(Items::Held(items))
    }
}

/// The items of what is looped over: places where it is the run's.
pub(super) enum Items {
    Node(Node, usize),
    Made(Jinja, usize),
    Held(Vec<Held>),
}

impl Items {
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Node(_, length) | Self::Made(_, length) => *length,
            Self::Held(items) => items.len(),
        }
    }

    pub(super) fn get(&self, place: usize) -> Held {
        match self {
            Self::Node(node, _) => Held::Scope(node.child(place)),
            Self::Made(list, _) => Held::of(list.get_item_by_index(place).unwrap_or_default()),
            Self::Held(items) => match items.get(place) {
                Some(held) => held.clone(),
                None => Held::Made(Jinja::UNDEFINED),
            },
        }
    }
}
