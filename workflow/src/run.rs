//! One run of a workflow: its nodes called as soon as what leads to them is decided.
//!
//! - `board` is where each node of a run is: a pure state machine, told what became of nodes, that says
//!   which may run next.
//! - `prepared` has the expressions of the nodes, read once.
//! - `caller` is how executors are called; `step` runs one node, `control` one that is part of the language.
//! - `crew` are the threads that do all that.
//!
//! What a run gives does not depend on which of its nodes happened to be quicker.

mod board;
mod caller;
mod control;
mod crew;
mod outcome;
mod prepared;
mod step;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use floe_plugin_api::{Cancellation, Value};

pub use self::caller::{Called, Caller};
pub use self::outcome::{Failure, NodeRun, NodeStatus, Run, RunStatus};
use self::prepared::Prepared;
use crate::validate::Checked;

/// A workflow, ready to be run any number of times.
pub struct Runner<C> {
    caller: C,
    checked: Checked,
    prepared: Prepared,
}

/// What is set for a run.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct RunOptions {
    /// What the run is called by, in the nodes' calls and in what is put on record.
    pub execution_id: String,
    /// On whose behalf, in place of the workflow's tenant.
    pub tenant: Option<String>,
    /// Who runs it.
    pub user: String,
    /// The variables of the environment that expressions may read.
    pub env: Vec<String>,
    /// How it is stopped before its end.
    pub stop: Stop,
    /// Whether outputs are kept that no node needs any more. By default those of the last nodes are.
    pub keep_outputs: bool,
    /// What is told of the run's nodes, on the threads that run them.
    pub listener: Option<Listener>,
}

type Listener = Arc<dyn Fn(Told<'_>) + Send + Sync>;

impl RunOptions {
    /// Nothing set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what the run is called by.
    #[must_use]
    pub fn execution_id(mut self, id: impl Into<String>) -> Self {
        self.execution_id = id.into();
        self
    }

    /// Sets on whose behalf it is made, in place of the workflow's tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Sets who runs it.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }

    /// Adds variables of the environment that expressions may read.
    #[must_use]
    pub fn env<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.env.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets the switch by which it is stopped.
    #[must_use]
    pub fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Keeps the outputs of all nodes, also when no other needs them any more.
    #[must_use]
    pub fn keep_outputs(mut self) -> Self {
        self.keep_outputs = true;
        self
    }

    /// Sets what is told of the run's nodes, on the threads that run them.
    #[must_use]
    pub fn listener(mut self, listener: impl Fn(Told<'_>) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }
}

/// What is told of a run as it happens.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Told<'a> {
    /// A node has begun.
    Began {
        /// The node's id.
        node: &'a str,
    },
    /// A node has ended.
    Ended {
        /// The node's id.
        node: &'a str,
        /// How.
        status: NodeStatus,
        /// After which time.
        took: Duration,
    },
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began { node } => write!(f, "`{node}` began"),
            Self::Ended { node, status, took } => {
                write!(f, "`{node}` ended: {status}, after {took:.1?}")
            }
        }
    }
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("execution_id", &self.execution_id)
            .field("tenant", &self.tenant)
            .field("user", &self.user)
            .field("env", &self.env)
            .field("keep_outputs", &self.keep_outputs)
            .finish_non_exhaustive()
    }
}

/// A switch by which a run is stopped. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    level: Arc<AtomicU8>,
    calls: Cancellation,
}

impl Stop {
    /// A switch that is off.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins no other node; those that run end by themselves.
    pub fn gracefully(&self) {
        self.level.fetch_max(1, Ordering::AcqRel);
    }

    /// Begins no other node, and tells those that run that nobody wants their answer.
    pub fn now(&self) {
        self.level.fetch_max(2, Ordering::AcqRel);
        self.calls.cancel();
    }

    /// Whether it is on, one way or the other.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.level.load(Ordering::Acquire) > 0
    }
}

impl<C: Caller> Runner<C> {
    /// Makes a workflow that was checked ready to run.
    #[must_use]
    pub fn new(caller: C, checked: Checked) -> Self {
        let prepared = Prepared::new(&checked);
        Self {
            caller,
            checked,
            prepared,
        }
    }

    /// By what it calls executors.
    #[must_use]
    pub const fn caller(&self) -> &C {
        &self.caller
    }

    /// Runs it, and waits for its end.
    #[must_use]
    pub fn run(&self, input: Value, options: &RunOptions) -> Run {
        let began = Instant::now();
        let started = jiff::Timestamp::now();
        let ended = crew::work(self, Arc::new(input), options, began);
        ended.into_run(self.checked.workflow(), options, started, began.elapsed())
    }
}

impl<C> fmt::Debug for Runner<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("workflow", &self.checked.workflow().id)
            .finish_non_exhaustive()
    }
}
