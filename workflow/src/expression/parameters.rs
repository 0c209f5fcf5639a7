//! The expressions of a nested value, read once.

use std::sync::Arc;

use floe_plugin_api::{List, Map, Value};

use super::budget::Budget;
use super::{ExpressionError, Reference, Scope, Template, UnknownName};

/// How deep parameters may be nested, which are read by recursion.
const DEPTH: usize = 128;

/// A value with expressions in its strings, read once and evaluated as often as needed.
///
/// The names of its maps are never expressions. A part without any is kept as it is.
#[derive(Clone, Debug)]
pub struct Parameters {
    root: Arc<Part>,
    /// Each template with the JSON pointer of its place.
    templates: Arc<[(String, Template)]>,
}

#[derive(Debug)]
enum Part {
    Constant(Arc<Value>),
    /// The place of a template in the list of them.
    Template(usize),
    List(Vec<Part>),
    Map(Vec<(String, Part)>),
}

impl Parameters {
    /// Reads every string of a value.
    ///
    /// # Errors
    ///
    /// Each string that cannot be read, with the JSON pointer of its place.
    pub fn parse(value: &Value) -> Result<Self, Vec<(String, ExpressionError)>> {
        let mut reader = Reader::default();
        let root = Reader::or_constant(reader.read(value, 0), value);
        if !reader.errors.is_empty() {
            return Err(reader.errors);
        }
        Ok(Self {
            root: Arc::new(root),
            templates: reader.templates.into(),
        })
    }

    /// What all templates look up, with the JSON pointer of each.
    pub fn references(&self) -> impl Iterator<Item = (&str, &Reference)> {
        self.templates.iter().flat_map(|(pointer, template)| {
            let references = template.references().iter();
            references.map(move |reference| (pointer.as_str(), reference))
        })
    }

    /// The names that are neither roots nor set by a template itself, with the JSON pointer of each.
    pub fn unknown_names(&self) -> impl Iterator<Item = (&str, &UnknownName)> {
        self.templates.iter().flat_map(|(pointer, template)| {
            let names = template.unknown_names().iter();
            names.map(move |name| (pointer.as_str(), name))
        })
    }

    /// The texts that have expressions, with the JSON pointer of each.
    pub fn templates(&self) -> impl Iterator<Item = (&str, &Template)> {
        self.templates
            .iter()
            .map(|(pointer, template)| (pointer.as_str(), template))
    }

    /// Whether there is no expression at a JSON pointer, nor below it, nor a template above it that
    /// makes what will be there.
    #[must_use]
    pub fn is_constant_at(&self, pointer: &str) -> bool {
        let within = |outer: &str, inner: &str| {
            let rest = inner.strip_prefix(outer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut templates = self.templates.iter();
        !templates.any(|(place, _)| within(place, pointer) || within(pointer, place))
    }

    /// The value, in a run. All templates together are bound as one is alone.
    ///
    /// # Errors
    ///
    /// The first template that has no value, with the JSON pointer of its place.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, (String, ExpressionError)> {
        self.part(&self.root, scope, &mut Budget::new())
    }

    /// The value, in a run, and no copy of it where it is constant, or is all of a step's output.
    ///
    /// # Errors
    ///
    /// As [`Parameters::evaluate`].
    pub fn evaluate_shared(
        &self,
        scope: &Scope<'_>,
    ) -> Result<Arc<Value>, (String, ExpressionError)> {
        match (&*self.root, &*self.templates) {
            (Part::Constant(constant), _) => Ok(Arc::clone(constant)),
            (Part::Template(_), [(pointer, template)]) => template
                .evaluate_shared(scope)
                .map_err(|error| (pointer.clone(), error)),
            _ => self.evaluate(scope).map(Arc::new),
        }
    }

    fn part(
        &self,
        part: &Part,
        scope: &Scope<'_>,
        budget: &mut Budget,
    ) -> Result<Value, (String, ExpressionError)> {
        Ok(match part {
            Part::Constant(value) => Value::clone(value),
            Part::Template(place) => match self.templates.get(*place) {
                Some((pointer, template)) => template
                    .evaluate_within(scope, budget)
                    .map_err(|error| (pointer.clone(), error))?,
                None => Value::Null,
            },
            Part::List(parts) => {
                let mut list = List::with_capacity(parts.len());
                for part in parts {
                    list.push(self.part(part, scope, budget)?);
                }
                Value::List(list)
            }
            Part::Map(parts) => {
                let mut map = Map::with_capacity(parts.len());
                for (name, part) in parts {
                    map.push(name.as_str(), self.part(part, scope, budget)?);
                }
                Value::Map(map)
            }
        })
    }
}

#[derive(Default)]
struct Reader {
    pointer: String,
    templates: Vec<(String, Template)>,
    errors: Vec<(String, ExpressionError)>,
}

impl Reader {
    /// What there is to evaluate in a value, or none where it is constant.
    fn read(&mut self, value: &Value, depth: usize) -> Option<Part> {
        if depth > DEPTH {
            let message = format!("found parameters nested deeper than `{DEPTH}`, expected less");
            let error = ExpressionError::new(message, 0).with_hint("pass the value as an input");
            self.errors.push((self.pointer.clone(), error));
            return None;
        }
        match value {
            Value::String(text) => self.text(text),
            Value::List(list) => {
                let mut parts = Vec::with_capacity(list.len());
                for (place, item) in list.iter().enumerate() {
                    parts.push(self.below(&place.to_string(), item, depth));
                }
                parts.iter().any(Option::is_some).then(|| {
                    let parts = parts.into_iter().zip(list);
                    Part::List(
                        parts
                            .map(|(part, item)| Self::or_constant(part, item))
                            .collect(),
                    )
                })
            }
            Value::Map(map) => {
                let mut parts = Vec::with_capacity(map.len());
                for entry in map {
                    let name = entry.key.replace('~', "~0").replace('/', "~1");
                    parts.push(self.below(&name, &entry.value, depth));
                }
                parts.iter().any(Option::is_some).then(|| {
                    let parts = parts.into_iter().zip(map.iter());
                    let named = parts.map(|(part, entry)| {
                        (entry.key.to_string(), Self::or_constant(part, &entry.value))
                    });
                    Part::Map(named.collect())
                })
            }
            _ => None,
        }
    }

    fn or_constant(part: Option<Part>, value: &Value) -> Part {
        part.unwrap_or_else(|| Part::Constant(Arc::new(value.clone())))
    }

    fn text(&mut self, text: &str) -> Option<Part> {
        match Template::parse(text) {
            Ok(template) if template.is_constant() => None,
            Ok(template) => {
                self.templates.push((self.pointer.clone(), template));
                Some(Part::Template(self.templates.len() - 1))
            }
            Err(error) => {
                self.errors.push((self.pointer.clone(), error));
                None
            }
        }
    }

    /// Reads what is one level down, by its name in a pointer.
    fn below(&mut self, name: &str, value: &Value, depth: usize) -> Option<Part> {
        let above = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(name);
        let part = self.read(value, depth + 1);
        self.pointer.truncate(above);
        part
    }
}
