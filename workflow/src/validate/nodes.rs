//! Whether each node can be called as it says.

use std::sync::Arc;

use floe_plugin_api::Value;
use floe_registry::{Recovery, RecoverySettings, Strategy};

use super::Check;
use super::expressions::{INDEX, ROOTS, Template};
use super::known::Known;
use super::partial::{Misfit, Partial, Schema};
use crate::control::Control;
use crate::document::Node;
use crate::executors::{Executors, Unresolved, node_type_of};
use crate::nearest::nearest;
use crate::problem::{Problem, Rule};

impl<E: Executors> Check<'_, E> {
    pub(super) fn nodes(&mut self) {
        let workflow = self.workflow;
        for (index, node) in workflow.nodes.iter().enumerate() {
            if self.is_full() {
                break;
            }
            self.node = Some(index);
            let pointer = format!("/nodes/{index}");
            if !node.node_type.is_empty() {
                self.node_type(index, node, &pointer);
            }
            if let Some(recovery) = &node.recovery {
                let node_type = node_type_of(&node.node_type);
                self.recovery(recovery, &node_type, &format!("{pointer}/recovery"));
            }
            self.nonzero(
                node.timeout.map(|timeout| timeout.is_zero()),
                "timeout",
                &pointer,
            );
            self.foreach(node, &pointer);
            self.expressions(index, node, &pointer);
        }
        self.node = None;
    }

    fn node_type(&mut self, index: usize, node: &Node, pointer: &str) {
        let reference = &node.node_type;
        let at = format!("{pointer}/node_type");
        if let Some(control) = Control::of(reference) {
            let schema = self.validator.memory.control(control);
            self.parameters(node, schema.as_deref(), pointer);
            if !node.config.is_empty() {
                let message =
                    format!("`{reference}` is part of the language and has no configuration");
                let problem =
                    self.problem_at_key(Rule::Config, &format!("{pointer}/config"), message);
                self.push(problem.hint("take it out"));
            }
            if control == Control::Call {
                self.call(index, node, pointer);
            }
            return;
        }
        let node_type = node_type_of(reference);
        if Control::of(&node_type).is_some() {
            let message = format!("`{node_type}` is part of the language and has no versions");
            let problem = self.problem(Rule::NodeType, &at, message);
            return self.push(problem.hint(format!("write `{node_type}`")));
        }
        let Some(known) = self.resolved(reference, &at, Rule::NodeType) else {
            return;
        };
        self.parameters(node, known.input.as_ref(), pointer);
        if let Some(schema) = &known.config
            && !node.config.is_empty()
        {
            let partial = Partial::of(&node.config);
            let mut misfits = partial.misfits(schema, true);
            misfits.extend(partial.unknown_keys(schema));
            let at = format!("{pointer}/config");
            for misfit in misfits {
                let problem = self.misfit(&misfit, Rule::Config, &at);
                self.push(problem);
            }
        }
    }

    /// What answers to a reference. That nothing does is told once for each place.
    fn resolved(&mut self, reference: &str, at: &str, rule: Rule) -> Option<Arc<Known>> {
        let known = match self.found.get(reference) {
            Some(known) => known.clone(),
            None => {
                let known = self
                    .validator
                    .memory
                    .look_up(&self.validator.executors, reference);
                if let Ok(known) = &known
                    && let Some(reason) = &known.facts.undescribed
                {
                    let message = format!("the schemas of `{reference}` are not known: {reason}");
                    let problem = self.problem(rule, at, message).warning();
                    self.push(problem.hint("what its nodes are given is not checked"));
                }
                self.found.insert(reference.to_owned(), known.clone());
                known
            }
        };
        let known = match known {
            Ok(known) => known,
            Err(error) => {
                let problem = self.unresolved(&error, at, rule);
                self.push(problem);
                return None;
            }
        };
        if let Some(tenant) = &self.session.tenant {
            let allowed = match self.allowed.get(reference) {
                Some(allowed) => allowed.clone(),
                None => {
                    let allowed = self.validator.executors.authorize(tenant, reference);
                    self.allowed.insert(reference.to_owned(), allowed.clone());
                    allowed
                }
            };
            if let Err(reason) = allowed {
                let problem = self.problem(Rule::Tenant, at, reason);
                let hint = format!("allow it to tenant `{tenant}`, or call something else");
                self.push(problem.hint(hint));
            }
        }
        Some(known)
    }

    fn unresolved(&self, error: &Unresolved, at: &str, rule: Rule) -> Problem {
        let problem = self.problem(rule, at, error.to_string());
        match error {
            Unresolved::Unknown { node_type } => {
                let controls = Control::ALL.iter().map(|control| control.as_str());
                let near = self.validator.executors.nearest(node_type);
                let near = near.or_else(|| nearest(node_type, controls));
                problem.meant(near, "install one in the search path and scan again")
            }
            Unresolved::NoVersion { .. } => {
                problem.hint("ask for one of those, or install another")
            }
            Unresolved::Malformed(_) | Unresolved::Unavailable(_) => problem,
        }
    }

    fn parameters(&mut self, node: &Node, schema: Option<&Schema>, pointer: &str) {
        let Some(schema) = schema else {
            return;
        };
        let at = format!("{pointer}/parameters");
        let partial = Partial::of(&node.parameters);
        for misfit in partial.misfits(schema, false) {
            let problem = self.misfit(&misfit, Rule::Parameters, &at);
            self.push(problem);
        }
        for misfit in partial.unknown_keys(schema) {
            let problem = self.misfit(&misfit, Rule::Parameters, &at);
            self.push(problem.warning());
        }
    }

    fn misfit(&self, misfit: &Misfit, rule: Rule, at: &str) -> Problem {
        let pointer = format!("{at}{}", misfit.path);
        let problem = match misfit.is_key {
            true => self.problem_at_key(rule, &pointer, misfit.message.clone()),
            false => self.problem(rule, &pointer, misfit.message.clone()),
        };
        match &misfit.hint {
            Some(hint) => problem.hint(hint.clone()),
            None => problem,
        }
    }

    /// What a list of strategies cannot do, and what it falls back to.
    pub(super) fn recovery(&mut self, recovery: &Recovery, node_type: &str, pointer: &str) {
        let hint =
            "write the value itself, or `{ from: … }` where a fallback gets a part of the input";
        self.plain(pointer, "recovery is", hint);
        let settings = RecoverySettings::default().executor(node_type, recovery.clone());
        if let Err(error) = settings.check() {
            let at = format!("{pointer}/{}", error.strategy);
            let problem = self.problem(Rule::Recovery, &at, error.flaw.to_string());
            self.push(problem);
        }
        for (index, strategy) in recovery.strategies().iter().enumerate() {
            let Strategy::Fallback(fallback) = strategy else {
                continue;
            };
            let at = format!("{pointer}/{index}/fallback/node_type");
            let target = fallback.to.to_string();
            if Control::of(&target).is_some() {
                let message = format!("`{target}` is part of the language, expected an executor");
                let problem = self.problem(Rule::Recovery, &at, message);
                self.push(problem.hint("fall back to an executor, or write `value` or `skip`"));
            } else {
                self.resolved(&target, &at, Rule::Recovery);
            }
        }
    }

    /// Refuses zero where there has to be some.
    pub(super) fn nonzero(&mut self, is_zero: Option<bool>, field: &str, pointer: &str) {
        if is_zero != Some(true) {
            return;
        }
        let hint = match field {
            "timeout" => "write a longer time, or take it out for none",
            _ => "write 1 or more",
        };
        let message = format!("`{field}` is zero, with which nothing can run");
        let problem = self.problem(Rule::Zero, &format!("{pointer}/{field}"), message);
        self.push(problem.hint(hint));
    }

    fn foreach(&mut self, node: &Node, pointer: &str) {
        let Some(foreach) = &node.foreach else {
            return;
        };
        let pointer = format!("{pointer}/foreach");
        self.nonzero(Some(foreach.concurrency == 0), "concurrency", &pointer);
        let name = foreach.name.as_str();
        if ROOTS.contains(&name) || name == INDEX {
            let message =
                format!("`{name}` has a meaning in every expression, expected another name");
            let problem = self.problem(Rule::Foreach, &format!("{pointer}/as"), message);
            self.push(problem.hint("call the item something else"));
        }
        let found = match &foreach.items {
            Value::List(_) => return,
            Value::String(text) => match Template::parse(text) {
                Ok(template) if template.is_constant() => "a text without an expression",
                _ => return,
            },
            Value::Null => "nothing",
            Value::Map(_) => "a map",
            _ => "a single value",
        };
        let message = format!("found {found}, expected a list, or an expression that gives one");
        let problem = self.problem(Rule::Foreach, &format!("{pointer}/items"), message);
        self.push(
            problem.hint("write a list, or an expression such as `{{ steps.fetch.output.rows }}`"),
        );
    }
}
