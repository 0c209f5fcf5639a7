//! Executors that were looked up, with their schemas compiled once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::partial::Schema;
use crate::control::Control;
use crate::executors::{ExecutorFacts, Executors, Unresolved};

/// An executor whose schemas are compiled.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) facts: ExecutorFacts,
    pub(super) input: Option<Schema>,
    pub(super) config: Option<Schema>,
}

/// What was compiled before, by reference. What answers is asked each time: it may be another build.
#[derive(Debug, Default)]
pub(super) struct Memory {
    executors: Mutex<HashMap<String, Arc<Known>>>,
    controls: Mutex<HashMap<Control, Option<Arc<Schema>>>>,
}

/// How many references are remembered; far more than a host has executors.
const REMEMBERED: usize = 4096;

impl Memory {
    pub(super) fn look_up(
        &self,
        executors: &impl Executors,
        reference: &str,
    ) -> Result<Arc<Known>, Unresolved> {
        let facts = executors.resolve(reference)?;
        let mut known = self.executors.lock();
        if let Some(same) = known.get(reference).filter(|known| known.facts == facts) {
            return Ok(same.clone());
        }
        let fresh = Arc::new(Known {
            input: facts.input_schema.as_ref().and_then(Schema::compile),
            config: facts.config_schema.as_ref().and_then(Schema::compile),
            facts,
        });
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(reference.to_owned(), fresh.clone());
        Ok(fresh)
    }

    pub(super) fn control(&self, control: Control) -> Option<Arc<Schema>> {
        let mut controls = self.controls.lock();
        let compile = || Schema::compile(control.schema()).map(Arc::new);
        controls.entry(control).or_insert_with(compile).clone()
    }
}
