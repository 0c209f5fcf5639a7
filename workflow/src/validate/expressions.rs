//! Whether expressions can be read, and name what is there by then.

use floe_plugin_api::Value;

use super::Check;
use crate::document::Node;
use crate::executors::Executors;
pub(super) use crate::expression::Template;
use crate::expression::{ExpressionError, Reference, Root};
use crate::nearest::{listed, nearest};
use crate::problem::{Problem, Rule};
use crate::source::escaped;

/// What every expression may name.
pub(super) const ROOTS: [&str; 6] = ["steps", "input", "variables", "workflow", "context", "env"];

/// The turn of a `foreach`, besides the item.
pub(super) const INDEX: &str = "index";

/// A text that may hold expressions.
#[derive(Clone, Copy)]
struct Text<'a> {
    node: usize,
    text: &'a str,
    pointer: &'a str,
    /// The name of the item, where there is one.
    item: Option<&'a str>,
}

impl<E: Executors> Check<'_, E> {
    pub(super) fn expressions(&mut self, index: usize, node: &Node, pointer: &str) {
        let item = node.foreach.as_ref().map(|foreach| foreach.name.as_str());
        let mut walk = Walk {
            node: index,
            item,
            pointer: format!("{pointer}/config"),
        };
        walk.map(self, &node.config);
        walk.pointer = format!("{pointer}/parameters");
        walk.map(self, &node.parameters);
        walk.item = None;
        if let Some(foreach) = &node.foreach {
            walk.pointer = format!("{pointer}/foreach/items");
            walk.value(self, &foreach.items);
        }
        if let Some(when) = &node.when {
            let text = Text {
                node: index,
                text: when,
                pointer: &format!("{pointer}/when"),
                item: None,
            };
            self.expression(text, Template::parse_condition(when));
        }
    }

    fn expression(&mut self, text: Text<'_>, template: Result<Template, ExpressionError>) {
        if self.is_full() {
            return;
        }
        let template = match template {
            Ok(template) => template,
            Err(error) => {
                let problem =
                    self.problem_within(Rule::Expression, text, error.offset, error.message);
                return self.push(match error.hint {
                    Some(hint) => problem.hint(hint),
                    None => problem,
                });
            }
        };
        for reference in template.references() {
            self.reference(text, reference);
        }
        for unknown in template.unknown_names() {
            if text.item != Some(unknown.name.as_str()) {
                self.undefined(text, &unknown.name, unknown.offset);
            }
        }
    }

    fn problem_within(
        &self,
        rule: Rule,
        text: Text<'_>,
        offset: usize,
        message: impl Into<String>,
    ) -> Problem {
        let place = self.source.place_within(text.pointer, text.text, offset);
        Problem::new(rule, text.pointer, place, message)
    }

    fn undefined(&mut self, text: Text<'_>, name: &str, offset: usize) {
        let turn = text.item.into_iter().flat_map(|item| [item, INDEX]);
        let known: Vec<&str> = ROOTS.into_iter().chain(turn).collect();
        let message = format!("`{}` is undefined", name.escape_debug());
        let problem = self.problem_within(Rule::Reference, text, offset, message);
        let listed = listed(known.iter().copied());
        self.push(problem.meant(nearest(name, known), format!("expected one of {listed}")));
    }

    fn reference(&mut self, text: Text<'_>, reference: &Reference) {
        let first = reference.path.first();
        match (&reference.root, first) {
            (Root::Steps, Some(step)) => self.step(text, step, reference.offset),
            (Root::Variables, Some(name)) if self.workflow.variables.get(name).is_none() => {
                let known = self.workflow.variables.iter();
                let known: Vec<&str> = known.map(|entry| entry.key.as_str()).collect();
                let message = format!("the workflow has no variable `{}`", name.escape_debug());
                let problem = self.problem_within(Rule::Reference, text, reference.offset, message);
                self.push(problem.meant(nearest(name, known), "add it to `variables`"));
            }
            (Root::Item(name), _) => match text.item {
                Some(item) if name == item || name == INDEX => {}
                Some(_) => self.undefined(text, name, reference.offset),
                None => {
                    let message = format!(
                        "`{name}` is undefined: only `config` and `parameters` of a node with `foreach` have it"
                    );
                    let problem =
                        self.problem_within(Rule::Reference, text, reference.offset, message);
                    self.push(problem.hint("add a `foreach`, or name a step"));
                }
            },
            _ => {}
        }
    }

    fn step(&mut self, text: Text<'_>, step: &str, offset: usize) {
        let shown = step.escape_debug();
        let Some(found) = self.names.by_id(step) else {
            let message = format!("`steps.{shown}` is no node of this workflow");
            let problem = self.problem_within(Rule::Reference, text, offset, message);
            let by_name = self.names.by_name(step);
            return self.push(match by_name.map(|named| self.id(named)) {
                Some(id) => problem.hint(format!("that is a name, write the id: `steps.{id}`")),
                None => {
                    let near = self.nearest_node(step);
                    problem.meant(near, "name a node by its id")
                }
            });
        };
        if found == text.node {
            let message = format!("`steps.{shown}` is the node itself, which has no output yet");
            let problem = self.problem_within(Rule::Reference, text, offset, message);
            return self.push(problem.hint("name a node that comes before it"));
        }
        if !self.is_upstream(found, text.node) {
            let message = format!(
                "`steps.{shown}` does not come before this node, so it may have no output yet"
            );
            let problem = self.problem_within(Rule::Reference, text, offset, message);
            self.push(problem.hint(format!(
                "add `{shown}` to its `needs`, or name another step"
            )));
        }
    }
}

/// All texts of a value, each with its pointer.
struct Walk<'a> {
    node: usize,
    item: Option<&'a str>,
    pointer: String,
}

impl Walk<'_> {
    fn map<E: Executors>(&mut self, check: &mut Check<'_, E>, map: &floe_plugin_api::Map) {
        let outer = self.pointer.len();
        for entry in map {
            self.pointer.push('/');
            self.pointer.push_str(&escaped(&entry.key));
            self.value(check, &entry.value);
            self.pointer.truncate(outer);
        }
    }

    fn value<E: Executors>(&mut self, check: &mut Check<'_, E>, value: &Value) {
        let outer = self.pointer.len();
        match value {
            Value::String(text) => {
                let template = Template::parse(text);
                if template.as_ref().is_ok_and(Template::is_constant) {
                    return;
                }
                let text = Text {
                    node: self.node,
                    text,
                    pointer: &self.pointer,
                    item: self.item,
                };
                check.expression(text, template);
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.pointer.push('/');
                    self.pointer.push_str(&index.to_string());
                    self.value(check, item);
                    self.pointer.truncate(outer);
                }
            }
            Value::Map(map) => self.map(check, map),
            _ => {}
        }
    }
}
