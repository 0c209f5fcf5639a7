//! Names, fields, subscripts and slices, and what is said where there is none.

use floe_plugin_api::Value;
use minijinja::Value as Jinja;
use minijinja::value::ValueKind;

use super::budget::ITEM;
use super::evaluator::{Evaluated, Evaluator};
use super::held::{Held, Node};
use super::scope::{Steps, Variable};
use super::tree::Expr;
use super::{ExpressionError, text};

impl<'a> Evaluator<'a> {
    pub(super) fn name(&self, name: &str, expr: &Expr) -> Evaluated<Held> {
        if let Some(held) = self.local(name) {
            return Ok(held.clone());
        }
        if let Some(value) = self.scope().value(name) {
            return Ok(Held::Scope(Node::new(value.clone())));
        }
        match name {
            "steps" if self.scope().steps.is_some() => Ok(Held::Steps),
            "env" => Ok(Held::Env),
            _ => {
                let error = ExpressionError::missing(format!("`{name}` is undefined"), expr.start);
                Err(error.with_nearest(name, self.known_names()))
            }
        }
    }

    /// A field of what `of` gave.
    pub(super) fn field(&self, held: Held, name: &str, of: &Expr, expr: &Expr) -> Evaluated<Held> {
        match held {
            Held::Scope(node) => self.field_of_node(&node, name, of, expr),
            Held::Made(value) => self.field_of_made(&value, name, of, expr),
            Held::Steps => self.step(name, expr),
            Held::Step(id) => self.part_of_step(&id, name, expr),
            Held::Env => self.variable(name, expr),
            Held::Loop(place, length) => Ok(Held::Made(match name {
                "index" => (place + 1).into(),
                "index0" => place.into(),
                "first" => (place == 0).into(),
                "last" => (place + 1 == length).into(),
                "length" => length.into(),
                _ => {
                    let known = ["index", "index0", "first", "last", "length"];
                    return Err(self.undefined(expr, name, known));
                }
            })),
        }
    }

    fn field_of_node(&self, node: &Node, name: &str, of: &Expr, expr: &Expr) -> Evaluated<Held> {
        if let Some(field) = node.field(name) {
            return Ok(Held::Scope(field));
        }
        match node.get() {
            Value::Map(map) => {
                let known = map.iter().map(|entry| entry.key.as_str());
                Err(self.undefined(expr, name, known))
            }
            other => Err(self.no_fields(other.type_name(), other.is_null(), of, expr)),
        }
    }

    fn field_of_made(&self, value: &Jinja, name: &str, of: &Expr, expr: &Expr) -> Evaluated<Held> {
        if value.kind() != ValueKind::Map {
            return Err(self.no_fields(text::type_name(value), value.is_none(), of, expr));
        }
        match value.get_attr(name) {
            Ok(found) if !found.is_undefined() => Ok(Held::of(found)),
            _ => {
                let names: Vec<Jinja> = text::items(value, expr.start)?.take(1000).collect();
                let known = names.iter().filter_map(Jinja::as_str);
                Err(self.undefined(expr, name, known))
            }
        }
    }

    fn step(&self, id: &str, expr: &Expr) -> Evaluated<Held> {
        match self.scope().steps {
            Some(steps) if steps.status(id).is_some() => Ok(Held::Step(id.into())),
            steps => {
                let ids = steps.map(Steps::ids).unwrap_or_default();
                let message = format!("found step `{id}`, which there is not");
                let error = ExpressionError::new(message, expr.start);
                Err(error.with_nearest(id, ids.iter().map(String::as_str)))
            }
        }
    }

    fn part_of_step(&self, id: &str, name: &str, expr: &Expr) -> Evaluated<Held> {
        let Some(steps) = self.scope().steps else {
            return self.step(id, expr);
        };
        let status = steps.status(id).unwrap_or_default();
        match name {
            "status" => Ok(Held::Made(status.into())),
            "error" => Ok(match steps.error(id) {
                Some(error) => Held::Scope(Node::new(error)),
                None => Held::Made(().into()),
            }),
            "attempts" => Ok(Held::Made(steps.attempts(id).into())),
            "recovered_by" => Ok(Held::Made(steps.recovered_by(id).into())),
            "output" => match steps.output(id) {
                Some(output) => Ok(Held::Scope(Node::new(output))),
                None => Err(ExpressionError::missing(
                    format!(
                        "`{}` is undefined: the step is `{status}`",
                        self.written(expr)
                    ),
                    expr.start,
                )
                .with_hint("let this step depend on it, or write `| default(…)`")),
            },
            _ => Err(ExpressionError {
                missing: false,
                ..self.undefined(
                    expr,
                    name,
                    ["output", "status", "error", "attempts", "recovered_by"],
                )
            }),
        }
    }

    fn variable(&self, name: &str, expr: &Expr) -> Evaluated<Held> {
        match self.scope().variable(name) {
            Variable::Set(value) => Ok(Held::Scope(Node::new(value.clone()))),
            Variable::Unset => Err(ExpressionError::missing(
                format!("the environment variable `{name}` is not set"),
                expr.start,
            )
            .with_hint("set it, or write `| default(…)`")),
            // No `default` takes its place: it would hide that the name was never allowed.
            Variable::Refused => {
                let allowed: Vec<String> = self
                    .scope()
                    .allowed()
                    .map(|name| format!("`{name}`"))
                    .collect();
                let allowed = match allowed.is_empty() {
                    true => "none".to_owned(),
                    false => allowed.join(", "),
                };
                Err(ExpressionError::new(
                    format!("found the environment variable `{name}`, expected one that is allowed: {allowed}"),
                    expr.start,
                )
                .with_hint("allow it, or pass its value as an input"))
            }
        }
    }

    pub(super) fn index(
        &mut self,
        of: &'a Expr,
        subscript: &'a Expr,
        expr: &'a Expr,
    ) -> Evaluated<Held> {
        let held = self.expression(of)?;
        let key = self.expression(subscript)?;
        let key = self.jinja(key, subscript)?;
        if let Some(name) = key.as_str() {
            return self.field(held, name, of, expr);
        }
        let length = match &held {
            Held::Scope(node) => node.get().as_list().map(<[Value]>::len),
            Held::Made(value) if value.kind() == ValueKind::Seq => value.len(),
            _ => None,
        };
        let index = key.as_i64().filter(|_| key.is_integer());
        let (Some(length), Some(index)) = (length, index) else {
            let (found, of_what) = (text::type_name(&key), held.type_name());
            let written = self.written(expr);
            let missing = held.is_null();
            let message = format!(
                "found {found} as a subscript of {of_what} in `{written}`, expected an index of a list or a name of a map"
            );
            return Err(ExpressionError {
                missing,
                ..ExpressionError::new(message, expr.start).with_hint("look at what it is of")
            });
        };
        let place = usize::try_from(index).ok().or_else(|| {
            let back = usize::try_from(index.unsigned_abs()).ok()?;
            length.checked_sub(back)
        });
        match (place.filter(|place| *place < length), held) {
            (Some(place), Held::Scope(node)) => Ok(Held::Scope(node.child(place))),
            (Some(place), Held::Made(value)) => {
                let item = value.get_item_by_index(place);
                item.map(Held::of)
                    .map_err(|error| text::explain(&error, expr.start))
            }
            _ => {
                let message = format!("`{}` is undefined", self.written(expr));
                let error = ExpressionError::missing(message, expr.start);
                Err(error.with_hint(format!("the list has `{length}` items, counted from `0`")))
            }
        }
    }

    /// A part of a list or of a text, by the rules of Python.
    pub(super) fn slice(
        &mut self,
        of: &'a Expr,
        bounds: &'a [Option<Box<Expr>>; 3],
    ) -> Evaluated<Held> {
        let held = self.expression(of)?;
        let mut numbers = [None; 3];
        for (number, bound) in numbers.iter_mut().zip(bounds) {
            let Some(bound) = bound else { continue };
            let held = self.expression(bound)?;
            let value = self.jinja(held, bound)?;
            if value.is_none() {
                continue;
            }
            *number = Some(
                value
                    .as_i64()
                    .filter(|_| value.is_integer())
                    .ok_or_else(|| {
                        let message = format!(
                            "found {} in a slice, expected an integer",
                            text::type_name(&value)
                        );
                        ExpressionError::new(message, bound.start)
                            .with_hint("make it one by `| int`")
                    })?,
            );
        }
        let value = match held {
            Held::Made(value) if value.as_str().is_some() => Some(value),
            Held::Scope(node) if node.get().as_str().is_some() => {
                Some(self.jinja(Held::Scope(node), of)?)
            }
            held => {
                let items = self.items(held, of)?;
                let mut list = Vec::new();
                for place in places(items.len(), numbers, of.start)? {
                    self.budget.step(1, of.start)?;
                    self.budget.make(ITEM, of.start)?;
                    list.push(self.jinja(items.get(place), of)?);
                }
                return Ok(Held::Made(list.into()));
            }
        };
        let letters: Vec<char> = match value.as_ref().and_then(Jinja::as_str) {
            Some(text) => {
                self.budget
                    .make(text.len().saturating_mul(size_of::<char>()), of.start)?;
                text.chars().collect()
            }
            None => Vec::new(),
        };
        let places = places(letters.len(), numbers, of.start)?;
        let slice: String = places.filter_map(|place| letters.get(place)).collect();
        Ok(Held::Made(slice.into()))
    }

    #[cold]
    fn undefined<'n>(
        &self,
        expr: &Expr,
        name: &str,
        known: impl IntoIterator<Item = &'n str>,
    ) -> ExpressionError {
        let message = format!("`{}` is undefined", self.written(expr));
        ExpressionError::missing(message, expr.start).with_nearest(name, known)
    }

    #[cold]
    fn no_fields(&self, found: &str, null: bool, of: &Expr, expr: &Expr) -> ExpressionError {
        let (of, written) = (self.written(of), self.written(expr));
        let hint = match found {
            "list" => format!("write `{of}[0]` for its first item"),
            "null" => "write `| default(…)` where it may be null".to_owned(),
            _ => format!("write `{of}` alone"),
        };
        let message = format!("`{written}` is undefined: found {found} in `{of}`, expected a map");
        let error = ExpressionError::new(message, expr.start).with_hint(hint);
        ExpressionError {
            missing: null,
            ..error
        }
    }
}

/// The places of a slice, in its order.
fn places(
    length: usize,
    [start, stop, step]: [Option<i64>; 3],
    offset: usize,
) -> Evaluated<Box<dyn Iterator<Item = usize>>> {
    let step = step.unwrap_or(1);
    let Ok(width) = usize::try_from(step) else {
        let message = format!("found the step `{step}` in a slice, expected one above `0`");
        let error = ExpressionError::new(message, offset);
        return Err(error.with_hint("turn it round by `| reverse`"));
    };
    if width == 0 {
        let error = ExpressionError::new(
            "found the step `0` in a slice, expected one above it",
            offset,
        );
        return Err(error.with_hint("leave the step out"));
    }
    let place = |bound: i64| match usize::try_from(bound) {
        Ok(bound) => bound.min(length),
        Err(_) => {
            let back = usize::try_from(bound.unsigned_abs()).unwrap_or(usize::MAX);
            length.saturating_sub(back)
        }
    };
    let start = start.map_or(0, place);
    let stop = stop.map_or(length, place).max(start);
    Ok(Box::new((start..stop).step_by(width)))
}
