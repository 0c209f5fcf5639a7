//! What a run offers to expressions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use floe_plugin_api::Value;

/// What has become of the steps, looked up as an expression asks for it.
pub trait Steps {
    /// The ids of all steps, for the nearest to a wrong one.
    fn ids(&self) -> Vec<String>;

    /// What a step gave, if it has ended and gave something.
    fn output(&self, id: &str) -> Option<Arc<Value>>;

    /// What has become of a step so far; none where there is no such step.
    fn status(&self, id: &str) -> Option<&str>;

    /// Why a step failed, if it did.
    fn error(&self, id: &str) -> Option<Arc<Value>>;

    /// How often executors were called for a step so far.
    fn attempts(&self, id: &str) -> u32 {
        let _ = id;
        0
    }

    /// By what a step was recovered, if it was.
    fn recovered_by(&self, id: &str) -> Option<&str> {
        let _ = id;
        None
    }
}

/// What a run offers to expressions, by name.
///
/// It holds values by their `Arc`s and copies none of them.
#[derive(Clone, Default)]
pub struct Scope<'a> {
    pub(super) steps: Option<&'a dyn Steps>,
    values: Vec<(Box<str>, Arc<Value>)>,
    /// Those that are allowed, with the value of those that are set.
    environment: BTreeMap<String, Option<Arc<Value>>>,
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names only: values may be large, and secret.
        f.debug_set().entries(self.names()).finish()
    }
}

impl<'a> Scope<'a> {
    /// A scope that offers nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers `steps`.
    #[must_use]
    pub fn steps(mut self, steps: &'a dyn Steps) -> Self {
        self.steps = Some(steps);
        self
    }

    /// Offers `input`: what the run was started with.
    #[must_use]
    pub fn input(self, input: Arc<Value>) -> Self {
        self.item("input", input)
    }

    /// Offers `variables`: the workflow's own values.
    #[must_use]
    pub fn variables(self, variables: Arc<Value>) -> Self {
        self.item("variables", variables)
    }

    /// Offers `workflow`: its `id`, `name` and `version`.
    #[must_use]
    pub fn workflow(self, workflow: Arc<Value>) -> Self {
        self.item("workflow", workflow)
    }

    /// Offers `context`: `tenant`, `execution_id` and `attempt`.
    #[must_use]
    pub fn context(self, context: Arc<Value>) -> Self {
        self.item("context", context)
    }

    /// Offers `env`: these environment variables, and no others, with their values now.
    #[must_use]
    pub fn env<'n>(self, allowed: impl IntoIterator<Item = &'n str>) -> Self {
        self.env_from(allowed, |name| std::env::var(name).ok())
    }

    /// Offers `env`: these names, and no others, with the values that `lookup` has.
    #[must_use]
    pub fn env_from<'n>(
        mut self,
        allowed: impl IntoIterator<Item = &'n str>,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Self {
        self.environment = allowed
            .into_iter()
            .map(|name| {
                (
                    name.to_owned(),
                    lookup(name).map(|text| Arc::new(text.into())),
                )
            })
            .collect();
        self
    }

    /// Offers one more value, such as a loop's `item` and `index`; the last of a name is the one.
    #[must_use]
    pub fn item(mut self, name: &str, value: Arc<Value>) -> Self {
        self.values.retain(|(known, _)| **known != *name);
        self.values.push((name.into(), value));
        self
    }

    pub(super) fn value(&self, name: &str) -> Option<&Arc<Value>> {
        let found = self.values.iter().find(|(known, _)| **known == *name);
        found.map(|(_, value)| value)
    }

    /// The value of an environment variable: none where it is not allowed, and none in that where
    /// it is not set.
    pub(super) fn variable(&self, name: &str) -> Variable<'_> {
        match self.environment.get(name) {
            None => Variable::Refused,
            Some(None) => Variable::Unset,
            Some(Some(value)) => Variable::Set(value),
        }
    }

    pub(super) fn allowed(&self) -> impl Iterator<Item = &str> {
        self.environment.keys().map(String::as_str)
    }

    /// The names at the root.
    pub(super) fn names(&self) -> BTreeSet<&str> {
        let values = self.values.iter().map(|(name, _)| &**name);
        let steps = self.steps.is_some().then_some("steps");
        values.chain(steps).chain(["env"]).collect()
    }
}

/// What the scope has of an environment variable.
pub(super) enum Variable<'a> {
    /// It may not be read.
    Refused,
    /// It may be read, and is not set.
    Unset,
    /// Its value.
    Set(&'a Arc<Value>),
}
