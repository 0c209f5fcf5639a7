//! Filters and tests: those of minijinja that are pure, and the bounds that it does not keep.

use std::sync::OnceLock;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, UndefinedBehavior, Value as Jinja};

use super::budget::{ITEM, OUTPUT};
use super::evaluator::{Evaluated, Evaluator};
use super::held::{Held, Node};
use super::parser::known;
use super::text::Places;
use super::tree::{Arguments, Expr};
use super::{ExpressionError, text};

/// The filters that there are.
///
/// Those that are left out: `safe`, `escape` (nothing here is HTML), `format`, `indent`, `pprint`
/// (their output is as large as a number in them says), `attr` (a subscript does it).
pub(super) const FILTERS: &[&str] = &[
    "abs",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "groupby",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "zip",
];

/// The tests that there are.
pub(super) const TESTS: &[&str] = &[
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
    "upper",
];

/// How many parts `batch` and `slice` may be asked for.
const PARTS: i64 = 10_000;

/// What minijinja's filters and tests run in. There is no template and no loader in it.
fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment
    })
}

/// Arguments that have their values.
struct Given {
    by_place: Vec<Jinja>,
    by_name: Vec<(Box<str>, Jinja)>,
}

impl Given {
    fn named(&self, name: &str) -> Option<&Jinja> {
        self.by_name
            .iter()
            .find(|(known, _)| **known == *name)
            .map(|(_, value)| value)
    }

    /// The value, and after it the arguments, as minijinja takes them.
    fn after(&self, value: Jinja) -> Vec<Jinja> {
        let mut all = vec![value];
        all.extend(self.by_place.iter().cloned());
        if !self.by_name.is_empty() {
            let named = self
                .by_name
                .iter()
                .map(|(name, value)| (&**name, value.clone()));
            all.push(named.collect::<Kwargs>().into());
        }
        all
    }
}

impl<'a> Evaluator<'a> {
    pub(super) fn filter(
        &mut self,
        name: &str,
        of: &'a Expr,
        arguments: &'a Arguments,
        expr: &'a Expr,
    ) -> Evaluated<Held> {
        if matches!(name, "default" | "d") {
            return self.default(of, arguments, expr);
        }
        let held = self.expression(of)?;
        // Of a place in a run's value, these look at no more than they need.
        if let Held::Scope(node) = &held
            && let Some(list) = node.get().as_list()
            && arguments.by_place.is_empty()
        {
            let last = list.len().saturating_sub(1);
            match name {
                "length" | "count" => return Ok(Held::Made(list.len().into())),
                "first" if !list.is_empty() => return Ok(Held::Scope(node.child(0))),
                "last" if !list.is_empty() => return Ok(Held::Scope(node.child(last))),
                _ => {}
            }
        }
        let given = self.given(arguments)?;
        let value = self.jinja(held, of)?;
        let made = self.apply(name, value, &given, expr)?;
        if made.is_undefined() {
            let message = format!("`{}` is undefined", self.written(expr));
            let error = ExpressionError::missing(message, expr.start);
            return Err(error.with_hint("write `| default(…)` after it"));
        }
        Ok(Held::of(made))
    }

    /// `default(value)`: in place of what is undefined or null, and with `true` after it, of what is
    /// empty, zero or false.
    fn default(
        &mut self,
        of: &'a Expr,
        arguments: &'a Arguments,
        expr: &'a Expr,
    ) -> Evaluated<Held> {
        let (value, empty) = match arguments.by_place.as_slice() {
            [value] => (value, None),
            [value, empty] => (value, Some(empty)),
            _ => {
                let message = "found other arguments of `default`, expected a value";
                let error = ExpressionError::new(message, expr.start);
                return Err(error.with_hint("write `default(value)`"));
            }
        };
        let named = arguments
            .by_name
            .iter()
            .find(|(name, _)| **name == *"boolean");
        let empty = match empty.or(named.map(|(_, expr)| expr)) {
            Some(empty) => self.expression(empty)?.holds(),
            None => false,
        };
        match self.expression(of) {
            Err(error) if error.missing => self.expression(value),
            Err(error) => Err(error),
            Ok(held) if held.is_null() || empty && !held.holds() => self.expression(value),
            Ok(held) => Ok(held),
        }
    }

    fn given(&mut self, arguments: &'a Arguments) -> Evaluated<Given> {
        let mut given = Given {
            by_place: Vec::with_capacity(arguments.by_place.len()),
            by_name: Vec::with_capacity(arguments.by_name.len()),
        };
        for argument in &arguments.by_place {
            let held = self.expression(argument)?;
            given.by_place.push(self.jinja(held, argument)?);
        }
        for (name, argument) in &arguments.by_name {
            let held = self.expression(argument)?;
            given
                .by_name
                .push((name.clone(), self.jinja(held, argument)?));
        }
        Ok(given)
    }

    /// A filter of a value that is there.
    fn apply(&mut self, name: &str, value: Jinja, given: &Given, expr: &Expr) -> Evaluated<Jinja> {
        let offset = expr.start;
        match name {
            "map" => return self.map(&value, given, expr),
            "join" => return self.join(&value, given, expr),
            "replace" => return self.replace(&value, given, expr),
            "string" => {
                if value.as_str().is_some() {
                    return Ok(value);
                }
                let value = text::from_jinja(&value, self.budget, offset)?;
                let mut made = String::new();
                text::write(&value, &mut made, offset)?;
                self.budget.make(made.len(), offset)?;
                return Ok(made.into());
            }
            "tojson" => {
                let value = text::from_jinja(&value, self.budget, offset)?;
                let made = text::json(&value, offset)?;
                self.budget.make(made.len(), offset)?;
                return Ok(made.into());
            }
            "batch" | "slice" => {
                let parts = given.by_place.first().and_then(Jinja::as_i64).unwrap_or(0);
                if !(1..=PARTS).contains(&parts) {
                    let message = format!("found `{parts}` in `{name}`, expected `1` to `{PARTS}`");
                    return Err(ExpressionError::new(message, offset).with_hint("make fewer"));
                }
                self.budget
                    .make(usize::try_from(parts).unwrap_or(0) * ITEM, offset)?;
            }
            "capitalize" | "lines" | "lower" | "split" | "title" | "trim" | "upper"
                if value.as_str().is_none() =>
            {
                let (found, written) = (text::type_name(&value), self.written(expr));
                let message =
                    format!("found {found} before `{name}` in `{written}`, expected a string");
                return Err(
                    ExpressionError::new(message, offset).with_hint("make it one by `| string`")
                );
            }
            "sum" if given.by_place.len() > 1 || given.named("start").is_some() => {
                let message = "found a start in `sum`, expected none";
                return Err(ExpressionError::new(message, offset).with_hint("add it after, by `+`"));
            }
            _ => {}
        }
        if !matches!(name, "length" | "count" | "first" | "last") {
            let named = given.by_name.iter().map(|(_, value)| value);
            for argument in given.by_place.iter().chain(named).chain([&value]) {
                self.weigh(argument, offset)?;
            }
        }
        if let Some(text) = value.as_str() {
            let parts = parts_of(name, text, given);
            self.budget.make(parts.saturating_mul(ITEM), offset)?;
        }
        let mut state = environment().empty_state();
        let made = state
            .apply_filter(name, &given.after(value))
            .map_err(|error| self.failed(name, &error, expr))?;
        let size = match made.kind() {
            // It is a view, and holds nothing yet.
            ValueKind::Iterable => ITEM,
            _ => {
                let left = self.budget.left();
                text::walk(&made, Places::Held, left, self.budget, offset)?
            }
        };
        self.budget.make(size, offset)?;
        Ok(made)
    }

    /// Counts what a filter may copy: a list of the run's is not amplified, one that was made may hold
    /// the same text many times.
    fn weigh(&mut self, value: &Jinja, offset: usize) -> Evaluated<()> {
        if value.downcast_object_ref::<Node>().is_some() {
            return self.budget.step(value.len().unwrap_or(0), offset);
        }
        if let Some(text) = value.as_str() {
            return self.budget.make(text.len(), offset);
        }
        let left = self.budget.left();
        text::walk(value, Places::Walked, left, self.budget, offset).map(drop)
    }

    #[cold]
    fn failed(&self, name: &str, error: &minijinja::Error, expr: &Expr) -> ExpressionError {
        let explained = text::explain(error, expr.start);
        let written = self.written(expr);
        let message = format!("`{name}` fails in `{written}`: {}", explained.message);
        ExpressionError::new(message, expr.start).with_hint("look at what the filter is of")
    }

    /// `map("filter", …)` and `map(attribute="a.b", default=…)`.
    fn map(&mut self, value: &Jinja, given: &Given, expr: &Expr) -> Evaluated<Jinja> {
        let offset = expr.start;
        let inner = given.by_place.first().and_then(Jinja::as_str);
        if let Some(inner) = inner {
            known(inner, FILTERS, "filter", offset)?;
            if matches!(inner, "default" | "d" | "map") {
                let message = format!("found filter `{inner}` in `map`, expected one of a value");
                let error = ExpressionError::new(message, offset);
                return Err(error.with_hint("write `map(attribute=\"…\", default=…)`, or a `for`"));
            }
        }
        let attribute = given.named("attribute").filter(|_| inner.is_none());
        let rest = Given {
            by_place: given.by_place.iter().skip(1).cloned().collect(),
            by_name: match inner {
                Some(_) => given.by_name.clone(),
                None => Vec::new(),
            },
        };
        let mut made = Vec::new();
        for item in text::items(value, offset)? {
            self.budget.step(1, offset)?;
            self.budget.make(ITEM, offset)?;
            made.push(match (inner, attribute) {
                (Some(inner), _) => self.apply(inner, item, &rest, expr)?,
                (None, Some(path)) => {
                    let found = attribute_of(&item, path);
                    match (found, given.named("default")) {
                        (Some(found), _) => {
                            let copied = found.as_str().map_or(0, str::len);
                            self.budget.make(copied, offset)?;
                            found
                        }
                        (None, Some(default)) => default.clone(),
                        (None, None) => {
                            let (place, written) = (made.len(), self.written(expr));
                            let message = format!("item `{place}` has no `{path}` in `{written}`");
                            let error = ExpressionError::missing(message, offset);
                            return Err(error.with_hint("write `default=…` after the attribute"));
                        }
                    }
                }
                (None, None) => {
                    let message = "found no filter in `map`, expected one or an attribute";
                    let error = ExpressionError::new(message, offset);
                    return Err(
                        error.with_hint("write `map(\"upper\")` or `map(attribute=\"name\")`")
                    );
                }
            });
        }
        Ok(made.into())
    }

    fn join(&mut self, value: &Jinja, given: &Given, expr: &Expr) -> Evaluated<Jinja> {
        let offset = expr.start;
        let between = given.by_place.first().or_else(|| given.named("d"));
        let between = between.and_then(Jinja::as_str).unwrap_or_default();
        let attribute = given.by_place.get(1).or_else(|| given.named("attribute"));
        let mut joined = String::new();
        for (place, item) in text::items(value, offset)?.enumerate() {
            self.budget.step(1, offset)?;
            let item = match attribute {
                Some(path) => attribute_of(&item, path).unwrap_or(Jinja::UNDEFINED),
                None => item,
            };
            if item.is_none() || item.is_undefined() {
                let written = self.written(expr);
                let found = text::type_name(&item);
                let message = format!("found item `{place}` {found} in `{written}`, expected text");
                let error = ExpressionError::new(message, offset);
                return Err(error.with_hint("leave such items out, as by `| select`"));
            }
            if place > 0 {
                text::append(between, &mut joined, offset)?;
            }
            match item.as_str() {
                Some(part) => text::append(part, &mut joined, offset)?,
                None => {
                    let value = text::from_jinja(&item, self.budget, offset)?;
                    text::write(&value, &mut joined, offset)?;
                }
            }
        }
        self.budget.make(joined.len(), offset)?;
        Ok(joined.into())
    }

    fn replace(&mut self, value: &Jinja, given: &Given, expr: &Expr) -> Evaluated<Jinja> {
        let offset = expr.start;
        let (Some(text), [from, to]) = (value.as_str(), given.by_place.as_slice()) else {
            let found = text::type_name(value);
            let message = format!(
                "found {found} and other arguments of `replace`, expected a string and two"
            );
            let error = ExpressionError::new(message, offset);
            return Err(error.with_hint("write `| replace(\"old\", \"new\")`"));
        };
        let (Some(from), Some(to)) = (from.as_str(), to.as_str()) else {
            let error = ExpressionError::new("found no strings in `replace`, expected two", offset);
            return Err(error.with_hint("write `| replace(\"old\", \"new\")`"));
        };
        let more = text.matches(from).count().saturating_mul(to.len());
        let size = text.len().saturating_add(more);
        if size > OUTPUT && more > 0 {
            return Err(super::budget::too_large(OUTPUT, offset));
        }
        self.budget.make(size, offset)?;
        Ok(text.replace(from, to).into())
    }

    pub(super) fn test(
        &mut self,
        name: &str,
        of: &'a Expr,
        arguments: &'a Arguments,
        expr: &'a Expr,
    ) -> Evaluated<Held> {
        let held = match self.expression(of) {
            Err(error) if error.missing && matches!(name, "defined" | "undefined") => {
                return Ok(Held::Made((name == "undefined").into()));
            }
            Err(error) => return Err(error),
            Ok(_) if matches!(name, "defined" | "undefined") => {
                return Ok(Held::Made((name == "defined").into()));
            }
            Ok(held) => held,
        };
        let given = self.given(arguments)?;
        let value = self.jinja(held, of)?;
        for argument in given.by_place.iter().chain([&value]) {
            self.weigh(argument, expr.start)?;
        }
        let mut state = environment().empty_state();
        let holds = state
            .perform_test(name, &given.after(value))
            .map_err(|error| self.failed(name, &error, expr))?;
        Ok(Held::Made(holds.into()))
    }
}

/// What is at a path of names and indices, `a.b.0`, or none.
fn attribute_of(item: &Jinja, path: &Jinja) -> Option<Jinja> {
    let Some(path) = path.as_str() else {
        return item
            .get_item(path)
            .ok()
            .filter(|found| !found.is_undefined());
    };
    let mut at = item.clone();
    for name in path.split('.') {
        at = match name.parse::<usize>() {
            Ok(place) if at.kind() == ValueKind::Seq => at.get_item_by_index(place),
            _ => at.get_attr(name),
        }
        .ok()
        .filter(|found| !found.is_undefined())?;
    }
    Some(at)
}

/// How many items a filter makes of a text, at most.
fn parts_of(name: &str, text: &str, given: &Given) -> usize {
    match name {
        "abs" | "bool" | "capitalize" | "count" | "first" | "float" | "int" | "last" | "length"
        | "lower" | "reverse" | "round" | "title" | "trim" | "upper" => 0,
        "lines" => text.matches('\n').count(),
        "split" => match given.by_place.first().and_then(Jinja::as_str) {
            Some(between) => text.matches(between).count(),
            None => text.matches(char::is_whitespace).count(),
        },
        _ => text.len(),
    }
}
