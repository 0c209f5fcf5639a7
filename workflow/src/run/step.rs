//! One node of a run, from its condition to its output.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use floe_plugin_api::{CallOptions, ErrorKind, List, Map, Value};
use floe_registry::{Recovery, Status};
use parking_lot::Mutex;

use super::board::Outcome;
use super::bounds;
use super::called;
use super::caller::Caller;
use super::control::{self, Arriving};
use super::crew::Job;
use super::note::Fault;
use super::outcome::{Course, Failure, NodeStatus};
use super::prepared::{Program, Step};
use crate::document::{Foreach, Node};
use crate::expression::{ExpressionError, Parameters, Scope, Steps};
use crate::journal::JournalError;

/// How many items of a list are worked on at once, whatever a document says: each has a thread.
const THREADS: usize = 256;

/// What a node sees of those before it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Those whose outputs it asks for, by id.
    pub(super) steps: BTreeMap<String, Before>,
    /// What leads to it, in the order of the document.
    pub(super) arriving: Arriving,
}

/// A node before another one.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) status: Option<NodeStatus>,
    pub(super) output: Option<Arc<Value>>,
    pub(super) failure: Option<Failure>,
    pub(super) attempts: u32,
    pub(super) recovered_by: Option<String>,
}

impl Steps for Seen {
    fn ids(&self) -> Vec<String> {
        self.steps.keys().cloned().collect()
    }

    fn output(&self, id: &str) -> Option<Arc<Value>> {
        self.steps.get(id)?.output.clone()
    }

    fn status(&self, id: &str) -> Option<&str> {
        let status = self.steps.get(id)?.status?;
        Some(status.as_str())
    }

    fn error(&self, id: &str) -> Option<Arc<Value>> {
        let failure = self.steps.get(id)?.failure.as_ref()?;
        Some(Arc::new(failure.to_value()))
    }

    fn attempts(&self, id: &str) -> u32 {
        self.steps.get(id).map_or(0, |before| before.attempts)
    }

    fn recovered_by(&self, id: &str) -> Option<&str> {
        self.steps.get(id)?.recovered_by.as_deref()
    }
}

/// What all nodes of a run share.
pub(super) struct Shared<'a, C> {
    pub(super) job: &'a Job<'a, C>,
    pub(super) about: Arc<Value>,
    pub(super) context: Arc<Value>,
    pub(super) tenant: String,
    /// When the run has to be over.
    pub(super) until: Option<Instant>,
}

impl<C> Shared<'_, C> {
    /// Whether the time of the run is over.
    pub(super) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// A node that is run now.
pub(super) struct Turn<'a, C> {
    pub(super) shared: &'a Shared<'a, C>,
    pub(super) index: usize,
    pub(super) node: &'a Node,
    pub(super) step: &'a Step,
    pub(super) seen: &'a Seen,
}

/// What came of one item of a list.
type ItemDone = (Result<Once, Wrong>, Course);

/// Why a node gives nothing.
pub(super) enum Wrong {
    /// It failed.
    Failure(Failure),
    /// What happens in it cannot be put on record.
    Fault(Fault),
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<JournalError> for Wrong {
    fn from(error: JournalError) -> Self {
        Self::Fault(Arc::new(error))
    }
}

/// What came of one call.
struct Once {
    output: Arc<Value>,
    taken: Option<u32>,
    status: Status,
}

impl<C: Caller> Turn<'_, C> {
    /// Runs it.
    pub(super) fn run(&self) -> (Outcome, Course) {
        let began = Instant::now();
        let mut course = Course::default();
        let outcome = self.outcome(&mut course);
        course.took = began.elapsed();
        course.was_cut_off = matches!(&outcome, Outcome::Failed(failure) if failure.kind == ErrorKind::ExecutionTimeout)
            && self.shared.is_over();
        (outcome, course)
    }

    fn outcome(&self, course: &mut Course) -> Outcome {
        if let Some(fault) = &self.step.fault {
            return Outcome::Failed(Failure::new(ErrorKind::InvalidParameters, fault));
        }
        let scope = self.scope();
        if let Some(when) = &self.step.when {
            match when.is_true(&scope) {
                Ok(true) => {}
                Ok(false) => return Outcome::Skipped,
                Err(error) => return Outcome::Failed(unreadable("when", &error)),
            }
        }
        let done = match &self.node.foreach {
            Some(each) => self.each(each, &scope, course),
            None => self.once(&scope, None, course),
        };
        let done = done.and_then(|once| {
            bounds::weigh(&once.output)?;
            Ok(once)
        });
        match done {
            Ok(Once {
                output,
                taken,
                status,
            }) => Outcome::Done {
                output,
                taken,
                status: match status {
                    Status::Success => NodeStatus::Success,
                    Status::Skipped => NodeStatus::Skipped,
                    _ => NodeStatus::Recovered,
                },
            },
            Err(Wrong::Fault(fault)) => Outcome::Unrecorded(fault),
            Err(Wrong::Failure(failure))
                if failure.kind == ErrorKind::Cancelled && self.shared.job.options.stop.is_on() =>
            {
                Outcome::Cancelled
            }
            Err(Wrong::Failure(failure)) => Outcome::Failed(failure),
        }
    }

    fn scope(&self) -> Scope<'_> {
        let (shared, job) = (self.shared, self.shared.job);
        Scope::new()
            .steps(self.seen)
            .input(job.input.clone())
            .variables(job.program.prepared.variables.clone())
            .workflow(shared.about.clone())
            .context(shared.context.clone())
            .env(job.options.env.iter().map(String::as_str))
    }

    /// When this node has to be over.
    fn until(&self) -> Option<Instant> {
        let own = self.node.timeout;
        let own = own.and_then(|timeout| Instant::now().checked_add(timeout));
        own.into_iter().chain(self.shared.until).min()
    }

    fn once(
        &self,
        scope: &Scope<'_>,
        item: Option<usize>,
        course: &mut Course,
    ) -> Result<Once, Wrong> {
        let parameters = value("parameters", self.step.parameters.as_ref(), scope)?;
        if let Some(called) = self.shared.job.program.calls.get(&self.index) {
            return self.call(called, &parameters, item);
        }
        if let Some(control) = self.step.control {
            let stop = &self.shared.job.options.stop;
            let arriving = &self.seen.arriving;
            let steered = control::steer(control, &parameters, arriving, self.until(), stop);
            let (output, taken) = steered?;
            return Ok(Once {
                output,
                taken,
                status: Status::Success,
            });
        }
        let config = value("config", self.step.config.as_ref(), scope)?;
        let (shared, job) = (self.shared, self.shared.job);
        let mut options = CallOptions::new()
            .execution_id(&job.options.execution_id)
            .node_id(&self.node.id)
            .tenant(&shared.tenant)
            .user(&job.options.user)
            .cancellation(job.options.stop.calls.clone());
        if let Some(until) = self.until() {
            options = options.deadline(until);
        }
        let called = job.caller.call(
            &self.node.node_type,
            &config,
            &parameters,
            &options,
            self.recovery(),
        );
        course.attempts = course.attempts.saturating_add(called.attempts);
        course.recovered_by = course.recovered_by.take().or(called.recovered_by);
        let status = called.status;
        Ok(Once {
            output: Arc::new(called.output?),
            taken: None,
            status,
        })
    }

    /// Runs another workflow.
    fn call(
        &self,
        called: &Arc<Program>,
        parameters: &Value,
        item: Option<usize>,
    ) -> Result<Once, Wrong> {
        let place = (self.node.id.as_str(), item);
        let input = parameters.get("input").unwrap_or(&Value::Null);
        let output = called::run(self.shared, called, place, input, self.until())?;
        Ok(Once {
            output: Arc::new(output),
            taken: None,
            status: Status::Success,
        })
    }

    fn recovery(&self) -> Option<&Recovery> {
        let workflow = self.shared.job.program.checked.workflow();
        let general = &workflow.settings.recovery;
        self.node.recovery.as_ref().or(general.as_ref())
    }

    /// One call for each item, as many at once as may be; what they give is in the items' order.
    fn each(&self, each: &Foreach, scope: &Scope<'_>, course: &mut Course) -> Result<Once, Wrong> {
        let items = value("foreach.items", self.step.items.as_ref(), scope)?;
        let Some(list) = items.as_list() else {
            let message = format!(
                "`foreach.items` is a value of type {}, expected a list",
                items.type_name()
            );
            return Err(Failure::new(ErrorKind::InvalidParameters, message).into());
        };
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let weight = AtomicUsize::new(0);
        let places: Vec<Option<ItemDone>> = (0..list.len()).map(|_| None).collect();
        let done = Mutex::new(places);
        let threads = list.len().min(each.concurrency.max(1) as usize);
        let threads = threads.min(THREADS);
        let work = || loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = list.get(index) else { return };
            if failed.load(Ordering::Relaxed) || self.shared.job.options.stop.is_on() {
                return;
            }
            let number = i64::try_from(index).unwrap_or(i64::MAX);
            let scope = self
                .scope()
                .item(&each.name, Arc::new(item.clone()))
                .item("index", Arc::new(number.into()));
            let mut course = Course::default();
            let result = self
                .once(&scope, Some(index), &mut course)
                .and_then(|once| {
                    let own = bounds::weigh(&once.output)?;
                    bounds::check(weight.fetch_add(own, Ordering::Relaxed).saturating_add(own))?;
                    Ok(once)
                });
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            if let Some(place) = done.lock().get_mut(index) {
                *place = Some((result, course));
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                let thread = std::thread::Builder::new().name("floe-run".to_owned());
                // With fewer of them it takes longer.
                let _ = thread.spawn_scoped(scope, work);
            }
            work();
        });
        let mut outputs = List::with_capacity(list.len());
        let mut status = Status::Success;
        for (index, result) in done.into_inner().into_iter().enumerate() {
            let Some((result, own)) = result else {
                continue;
            };
            course.attempts = course.attempts.saturating_add(own.attempts);
            course.recovered_by = course.recovered_by.take().or(own.recovered_by);
            let once = result.map_err(|wrong| match wrong {
                Wrong::Failure(mut failure) => {
                    failure.message = format!("item {index}: {}", failure.message);
                    Wrong::Failure(failure)
                }
                fault @ Wrong::Fault(_) => fault,
            })?;
            if once.status != Status::Success {
                status = Status::Recovered;
            }
            outputs.push(Value::clone(&once.output));
        }
        if outputs.len() < list.len() {
            return Err(Failure::new(ErrorKind::Cancelled, "the run was stopped").into());
        }
        Ok(Once {
            output: Arc::new(outputs.into()),
            taken: None,
            status,
        })
    }
}

fn unreadable(place: &str, error: &ExpressionError) -> Failure {
    Failure::new(ErrorKind::InvalidParameters, format!("`{place}`: {error}"))
}

/// What a part of a node comes to.
fn value(of: &str, part: Option<&Parameters>, scope: &Scope<'_>) -> Result<Arc<Value>, Failure> {
    let Some(part) = part else {
        return Ok(Arc::default());
    };
    part.evaluate_shared(scope)
        .map_err(|(pointer, error)| unreadable(&format!("{of}{pointer}"), &error))
}

/// What expressions may know of a workflow.
pub(super) fn about(id: &str, name: &str, version: Option<&str>) -> Arc<Value> {
    let mut map = Map::new();
    map.insert("id", id);
    map.insert("name", name);
    map.insert("version", version.map_or(Value::Null, Value::from));
    Arc::new(map.into())
}

/// The time of a run that may take so long.
pub(super) fn end_of(began: Instant, timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| began.checked_add(timeout))
}
