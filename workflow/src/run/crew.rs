//! The threads of a run.
//!
//! Whoever ends a node goes on with the next one itself: along a chain, nothing is handed over. Where more may run
//! than threads do, another one is added, up to as many as may run at once.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::Scope as Threads;
use std::time::{Duration, Instant};

use floe_plugin_api::{ErrorKind, Map, Value};
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::board::{Board, Halt, Outcome};
use super::caller::Caller;
use super::outcome::{Course, Ended, Failure};
use super::step::{Before, Seen, Shared, Turn, about, end_of};
use super::{RunOptions, Runner, Told};

/// How often a thread without work looks whether the run was stopped.
const TICK: Duration = Duration::from_millis(20);

struct State<'w> {
    board: Board<'w>,
    courses: Vec<Course>,
    /// Threads that wait for work.
    idle: u32,
    threads: u32,
}

struct Crew<'a, C> {
    shared: Shared<'a, C>,
    state: Mutex<State<'a>>,
    work: Condvar,
}

/// Runs all of a workflow.
pub(super) fn work<'a, C: Caller>(
    runner: &'a Runner<C>,
    input: Arc<Value>,
    options: &'a RunOptions,
    began: Instant,
) -> Ended<'a> {
    let (workflow, plan) = (runner.checked.workflow(), runner.checked.plan());
    let tenant = options.tenant.clone().or_else(|| workflow.tenant.clone());
    let tenant = tenant.unwrap_or_default();
    let mut context = Map::new();
    context.insert("tenant", tenant.as_str());
    context.insert("execution_id", options.execution_id.as_str());
    context.insert("attempt", 1);
    let crew = Crew {
        shared: Shared {
            runner,
            options,
            input,
            about: about(&workflow.id, &workflow.name, workflow.version.as_deref()),
            context: Arc::new(context.into()),
            tenant,
            until: end_of(began, workflow.settings.timeout),
        },
        state: Mutex::new(State {
            board: Board::new(workflow, plan, runner.prepared.asks(), options.keep_outputs),
            courses: vec![Course::default(); plan.len()],
            idle: 0,
            threads: 1,
        }),
        work: Condvar::new(),
    };
    std::thread::scope(|threads| crew.serve(threads));
    let State { board, courses, .. } = crew.state.into_inner();
    Ended { board, courses }
}

impl<'a, C: Caller> Crew<'a, C> {
    fn serve<'scope, 'env>(&'scope self, threads: &'scope Threads<'scope, 'env>)
    where
        'a: 'scope,
    {
        let mut state = self.state.lock();
        loop {
            self.look(&mut state);
            if state.board.is_over() {
                self.work.notify_all();
                return;
            }
            let Some(node) = state.board.next() else {
                state.idle += 1;
                self.work.wait_for(&mut state, TICK);
                state.idle -= 1;
                continue;
            };
            if state.board.has_next() {
                self.add(&mut state, threads);
            }
            state = self.turn(state, node);
        }
    }

    /// Sees to it that another thread looks for work.
    fn add<'scope, 'env>(
        &'scope self,
        state: &mut State<'a>,
        threads: &'scope Threads<'scope, 'env>,
    ) where
        'a: 'scope,
    {
        let most = self
            .shared
            .runner
            .checked
            .workflow()
            .settings
            .max_concurrency;
        if state.idle > 0 {
            self.work.notify_one();
        } else if state.threads < most {
            let thread = std::thread::Builder::new().name("floe-run".to_owned());
            let added = thread.spawn_scoped(threads, move || self.serve(threads));
            // With fewer of them it takes longer.
            state.threads += u32::from(added.is_ok());
        }
    }

    /// Looks whether the run was stopped, or its time is over.
    fn look(&self, state: &mut State<'a>) {
        if self.shared.options.stop.is_on() {
            state.board.stop(Halt::Stopped);
        } else if self
            .shared
            .until
            .is_some_and(|until| Instant::now() >= until)
        {
            state.board.stop(Halt::TimedOut);
        }
    }

    /// Runs a node, without the lock.
    fn turn<'s>(
        &'s self,
        state: MutexGuard<'s, State<'a>>,
        index: usize,
    ) -> MutexGuard<'s, State<'a>> {
        let runner = self.shared.runner;
        let (node, step) = (
            &runner.checked.workflow().nodes[index],
            &runner.prepared.steps[index],
        );
        let seen = self.see(&state, index);
        drop(state);
        let turn = Turn {
            shared: &self.shared,
            node,
            step,
            seen: &seen,
        };
        // A panic must not leave the others waiting for this node.
        let ran = panic::catch_unwind(AssertUnwindSafe(|| {
            self.tell(Told::Began { node: &node.id });
            turn.run()
        }));
        let (outcome, course) = ran.unwrap_or_else(|_| {
            let failure = Failure::new(ErrorKind::Panicked, "the host panicked while the node ran");
            (Outcome::Failed(failure), Course::default())
        });
        drop(seen);
        let took = course.took;
        let mut state = self.state.lock();
        state.courses[index] = course;
        state.board.end(index, outcome);
        if let Some(status) = state.board.cells[index].status {
            let told = Told::Ended {
                node: &node.id,
                status,
                took,
            };
            MutexGuard::unlocked(&mut state, || {
                // Whoever listens has told its own panic; what the node gave is there.
                let _ = panic::catch_unwind(AssertUnwindSafe(|| self.tell(told)));
            });
        }
        state
    }

    fn tell(&self, told: Told<'_>) {
        if let Some(listener) = &self.shared.options.listener {
            listener(told);
        }
    }

    /// What a node sees of those before it.
    fn see(&self, state: &State<'a>, index: usize) -> Seen {
        let runner = self.shared.runner;
        let workflow = runner.checked.workflow();
        let cell = |node: usize| &state.board.cells[node];
        let asks = runner.prepared.steps[index].asks.iter();
        let steps = asks.map(|&asked| {
            let cell = cell(asked);
            let before = Before {
                status: cell.status,
                output: cell.output.clone(),
                failure: cell.failure.clone(),
            };
            (workflow.nodes[asked].id.clone(), before)
        });
        let arriving = runner.checked.plan().arriving(index);
        Seen {
            steps: steps.collect(),
            arriving: arriving
                .map(|edge| {
                    let id = workflow.nodes[edge.from].id.clone();
                    (id, cell(edge.from).output.clone())
                })
                .collect(),
        }
    }
}
