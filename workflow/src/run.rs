//! One run of a workflow: its nodes called as soon as what leads to them is decided.
//!
//! - `board` is where each node of a run is: a pure state machine, told what became of nodes, that says
//!   which may run next.
//! - `prepared` has the expressions of the nodes, read once.
//! - `caller` is how executors are called; `step` runs one node, `control` one that is part of the language.
//! - `crew` are the threads that do all that; `called` is a workflow that another one calls.
//! - `note` is what they put on record, where a run is.
//!
//! What a run gives does not depend on which of its nodes happened to be quicker.

mod board;
mod bounds;
mod called;
mod caller;
mod control;
mod crew;
mod note;
mod outcome;
mod prepared;
mod step;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use floe_plugin_api::{Cancellation, Value};

pub use self::caller::{Called, Caller};
use self::crew::Job;
pub(crate) use self::outcome::milliseconds;
pub use self::outcome::{Failure, NodeRun, NodeStatus, Run, RunStatus};
use self::prepared::Program;
use crate::journal::{Interrupted, Journal, JournalError, Recording};
use crate::validate::Checked;

/// A workflow, ready to be run any number of times.
pub struct Runner<C> {
    caller: C,
    program: Arc<Program>,
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
    /// Where the workflows that it calls were looked for: put on record, for who goes on with it.
    pub directories: Vec<PathBuf>,
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

    /// Sets where the workflows that it calls were looked for, for who goes on with it.
    #[must_use]
    pub fn directories(mut self, directories: impl IntoIterator<Item = PathBuf>) -> Self {
        self.directories.extend(directories);
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

impl<'a> Told<'a> {
    /// The node's id; that of a workflow which another one calls comes after that of the calling node: `call/node`.
    #[must_use]
    pub const fn node(&self) -> &'a str {
        match self {
            Self::Began { node } | Self::Ended { node, .. } => node,
        }
    }

    /// The same of another node.
    const fn of<'b>(self, node: &'b str) -> Told<'b> {
        match self {
            Self::Began { .. } => Told::Began { node },
            Self::Ended { status, took, .. } => Told::Ended { node, status, took },
        }
    }
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
        Self {
            caller,
            program: Program::new(Arc::new(checked)),
        }
    }

    /// By what it calls executors.
    #[must_use]
    pub const fn caller(&self) -> &C {
        &self.caller
    }

    /// The workflow.
    #[must_use]
    pub fn checked(&self) -> &Checked {
        &self.program.checked
    }

    /// Runs it, and waits for its end. Nothing is put on record: where the process ends before, all is done again.
    #[must_use]
    pub fn run(&self, input: Value, options: &RunOptions) -> Run {
        self.work(Arc::new(input), options, None)
    }

    /// Runs it, and puts into a journal what it does, so that it [can go on](Self::resume) where it was cut off.
    ///
    /// A run without an [execution id](RunOptions::execution_id) is given one.
    ///
    /// # Errors
    ///
    /// The journal has a run of this name, or cannot be written. Where it can no longer be written later, the run
    /// begins no other node, and says [why](Run::fault).
    pub fn record(
        &self,
        input: Value,
        options: &RunOptions,
        journal: &Journal,
    ) -> Result<Run, JournalError> {
        let mut options = options.clone();
        if options.execution_id.is_empty() {
            options.execution_id = new_execution_id();
        }
        let recording = journal.begin(&self.program.begun(&input, &options, None))?;
        Ok(self.work(Arc::new(input), &options, Some(&recording)))
    }

    /// Goes on with a run that was cut off, failed or was stopped. What had ended is not done again; what had begun
    /// is, as what it did is not known; and so is what the run failed at.
    ///
    /// Name, input, tenant, user and the names of variables of the environment are those that it was begun with; of the
    /// options, the stop and the listener count. Time limits begin anew.
    ///
    /// # Errors
    ///
    /// This workflow is not that of the run, what is on record is damaged, or the journal cannot be written.
    pub fn resume(
        &self,
        interrupted: Interrupted,
        options: &RunOptions,
    ) -> Result<Run, JournalError> {
        self.program.is_of(&interrupted)?;
        let options = RunOptions {
            execution_id: interrupted.execution_id().to_owned(),
            tenant: interrupted.tenant().map(str::to_owned),
            user: interrupted.user().to_owned(),
            env: interrupted.env().to_vec(),
            directories: interrupted.directories().to_vec(),
            keep_outputs: interrupted.keeps_outputs(),
            stop: options.stop.clone(),
            listener: options.listener.clone(),
        };
        let input = Arc::new(interrupted.input().clone());
        let recording = interrupted.into_recording()?;
        Ok(self.work(input, &options, Some(&recording)))
    }

    fn work(&self, input: Arc<Value>, options: &RunOptions, recording: Option<&Recording>) -> Run {
        let job = Job {
            caller: &self.caller,
            program: &self.program,
            options,
            input,
            recording,
            began: Instant::now(),
            until: None,
        };
        crew::work(&job).0
    }
}

/// A name for a run that nobody named: when it was begun, and by which process, and which of its runs it is.
#[must_use]
pub fn new_execution_id() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = jiff::Timestamp::now().as_millisecond();
    format!("{now:x}-{:x}-{count:x}", std::process::id())
}

impl<C> fmt::Debug for Runner<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("workflow", &self.program.checked.workflow().id)
            .finish_non_exhaustive()
    }
}
