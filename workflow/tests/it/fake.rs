//! Executors of the tests' own, and workflows of them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use floe_registry::Recovery;
use floe_registry::api::{CallOptions, ErrorKind, Value, value};
use floe_workflow::{
    Called, Caller, Document, ExecutorFacts, Executors, Failure, Format, Limits, Run, RunOptions,
    Runner, Unresolved, Validator,
};

/// What was called, in the order in which it began: the node and the input.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) calls: Mutex<Vec<(String, Value)>>,
    inside: AtomicUsize,
    /// The most that were inside at once.
    pub(crate) most: AtomicUsize,
    /// Where calls of `meet` wait for each other: how many have come.
    met: (Mutex<usize>, std::sync::Condvar),
}

impl Fake {
    /// How many are inside now.
    pub(crate) fn inside(&self) -> usize {
        self.inside.load(Ordering::SeqCst)
    }

    /// How often each node was called.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (node, _) in &*self.calls.lock().unwrap() {
            *counts.entry(node.clone()).or_default() += 1;
        }
        counts
    }

    fn answer(
        &self,
        reference: &str,
        input: &Value,
        options: &CallOptions,
    ) -> Result<Value, Failure> {
        let context = options.context();
        match reference {
            "test.echo" => Ok(input.clone()),
            "test.fail" => {
                let failure = Failure::new(ErrorKind::ExecutionError, "as it was told");
                Err(failure.details(value!({"code": 7})))
            }
            "test.context" => Ok(value!({
                "tenant": (context.tenant()),
                "execution": (context.execution_id()),
                "node": (context.node_id()),
                "bounded": (context.remaining().is_some())
            })),
            // Comes back when as many are inside as it says.
            "test.meet" => {
                let wanted = input
                    .get("with")
                    .and_then(Value::as_u64)
                    .unwrap_or_default();
                let mut met = self.met.0.lock().unwrap();
                *met += 1;
                self.met.1.notify_all();
                while (*met as u64) < wanted {
                    met = self.met.1.wait(met).unwrap();
                }
                Ok(Value::Null)
            }
            // Answers, unless nobody wants it to.
            "test.heed" => match context.is_cancelled() {
                true => Err(Failure::new(ErrorKind::Cancelled, "nobody waits")),
                false => Ok(Value::Null),
            },
            other => Err(Failure::new(ErrorKind::NodeTypeNotFound, other)),
        }
    }
}

impl Caller for Fake {
    fn call(
        &self,
        reference: &str,
        _config: &Value,
        input: &Value,
        options: &CallOptions,
        _recovery: Option<&Recovery>,
    ) -> Called {
        let node = options.context().node_id().to_owned();
        self.calls.lock().unwrap().push((node, input.clone()));
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        let answer = self.answer(reference, input, options);
        self.inside.fetch_sub(1, Ordering::SeqCst);
        Called::once(answer)
    }
}

/// All that [`Fake`] answers to, of which nothing else is known.
pub(crate) struct Known;

impl Executors for Known {
    fn resolve(&self, reference: &str) -> Result<ExecutorFacts, Unresolved> {
        match reference.strip_prefix("test.") {
            Some(_) => Ok(ExecutorFacts::new(reference, "1.0.0".parse().unwrap())),
            None => Err(Unresolved::Unknown {
                node_type: reference.to_owned(),
            }),
        }
    }

    fn nearest(&self, _node_type: &str) -> Option<String> {
        None
    }

    fn authorize(&self, _tenant: &str, _reference: &str) -> Result<(), String> {
        Ok(())
    }
}

/// Reads, checks and makes ready.
#[track_caller]
pub(crate) fn runner(yaml: &str) -> Runner<Fake> {
    let document = Document::read(yaml, Format::Yaml, &Limits::default()).unwrap();
    let checked = Validator::new(Known).validate(document);
    let checked = checked.unwrap_or_else(|problems| panic!("{problems}"));
    Runner::new(Fake::default(), checked)
}

/// Runs a workflow with nothing set.
#[track_caller]
pub(crate) fn run(yaml: &str) -> Run {
    runner(yaml).run(Value::Null, &RunOptions::default())
}
