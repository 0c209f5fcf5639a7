//! The threads of a run.
//!
//! Whoever ends a node goes on with the next one itself: along a chain, nothing is handed over. Where more may run
//! than threads do, another one is added, up to as many as may run at once.
//!
//! Where the run is put on record, a thread has the end of one node and the beginning of the next written together.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::Scope as Threads;
use std::time::{Duration, Instant};

use floe_plugin_api::{ErrorKind, Map, Value};
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::board::{Board, Halt, Outcome};
use super::caller::Caller;
use super::note::{Fault, Notes};
use super::outcome::{Course, Ended, Failure, Run};
use super::prepared::Program;
use super::step::{Before, Seen, Shared, Turn, about, end_of};
use super::{RunOptions, Told};
use crate::document::{Node, Workflow};
use crate::journal::{Recording, Ticket};

/// How often a thread without work looks whether the run was stopped.
const TICK: Duration = Duration::from_millis(20);

/// What is to be run.
pub(super) struct Job<'a, C> {
    pub(super) caller: &'a C,
    pub(super) program: &'a Arc<Program>,
    pub(super) options: &'a RunOptions,
    pub(super) input: Arc<Value>,
    /// Where it is put on record.
    pub(super) recording: Option<&'a Recording>,
    pub(super) began: Instant,
    /// When it has to be over for whoever called it.
    pub(super) until: Option<Instant>,
}

struct State<'w> {
    board: Board<'w>,
    courses: Vec<Course>,
    /// Threads that wait for work.
    idle: u32,
    threads: u32,
    /// Why what happens cannot be put on record.
    fault: Option<Fault>,
}

struct Crew<'a, C> {
    shared: Shared<'a, C>,
    notes: Notes<'a>,
    state: Mutex<State<'a>>,
    work: Condvar,
}

/// A node that has ended, and of which nobody was told yet.
struct JustEnded {
    node: usize,
    ticket: Option<Ticket>,
}

/// Runs all of a workflow.
pub(super) fn work<C: Caller>(job: &Job<'_, C>) -> (Run, Option<Fault>) {
    let checked = &job.program.checked;
    let (workflow, plan) = (checked.workflow(), checked.plan());
    let options = job.options;
    let tenant = options.tenant.clone().or_else(|| workflow.tenant.clone());
    let tenant = tenant.unwrap_or_default();
    let attempt = job.recording.map_or(1, Recording::attempt);
    let mut context = Map::new();
    context.insert("tenant", tenant.as_str());
    context.insert("execution_id", options.execution_id.as_str());
    context.insert("attempt", i64::from(attempt));
    let own_end = end_of(job.began, workflow.settings.timeout);
    let asks = job.program.prepared.asks();
    let crew = Crew {
        shared: Shared {
            job,
            about: about(&workflow.id, &workflow.name, workflow.version.as_deref()),
            context: Arc::new(context.into()),
            tenant,
            until: own_end.into_iter().chain(job.until).min(),
        },
        notes: Notes::new(job.recording),
        state: Mutex::new(State {
            board: Board::new(workflow, plan, asks, options.keep_outputs),
            courses: vec![Course::default(); plan.len()],
            idle: 0,
            threads: 1,
            fault: None,
        }),
        work: Condvar::new(),
    };
    let began = job.recording.and_then(|recording| recording.past().began);
    let started = began.unwrap_or_else(jiff::Timestamp::now);
    crew.take_up();
    std::thread::scope(|threads| crew.serve(threads));
    crew.conclude(attempt, started)
}

impl<'a, C: Caller> Crew<'a, C> {
    fn workflow(&self) -> &'a Workflow {
        self.shared.job.program.checked.workflow()
    }

    fn node(&self, index: usize) -> &'a Node {
        &self.workflow().nodes[index]
    }

    /// Begins with what is on record of the run.
    fn take_up(&self) {
        let mut state = self.state.lock();
        let State {
            board,
            courses,
            fault,
            ..
        } = &mut *state;
        let replayed = board.replay(|index| {
            let id = &self.shared.job.options.execution_id;
            let kept = self.notes.kept(id, self.node(index))?;
            Ok(kept.map(|(outcome, course)| {
                courses[index] = course;
                outcome
            }))
        });
        if let Err(damage) = replayed {
            board.stop(Halt::Unrecorded);
            *fault = Some(damage);
        }
    }

    fn serve<'scope, 'env>(&'scope self, threads: &'scope Threads<'scope, 'env>)
    where
        'a: 'scope,
    {
        let mut state = self.state.lock();
        let mut ended: Option<JustEnded> = None;
        loop {
            self.look(&mut state);
            let next = state.board.next();
            if let Some(index) = next {
                state = self.go_on(state, index, &mut ended, threads);
            } else if let Some(ended) = ended.take() {
                let told = MutexGuard::unlocked(&mut state, || self.settle(ended.ticket));
                self.heed(&mut state, told);
                self.tell_end(&mut state, ended.node);
            } else if state.board.is_over() {
                self.work.notify_all();
                return;
            } else {
                state.idle += 1;
                self.work.wait_for(&mut state, TICK);
                state.idle -= 1;
            }
        }
    }

    /// Runs a node, after what this thread has ended before it is on record, and told.
    fn go_on<'scope, 'env>(
        &'scope self,
        mut state: MutexGuard<'scope, State<'a>>,
        index: usize,
        ended: &mut Option<JustEnded>,
        threads: &'scope Threads<'scope, 'env>,
    ) -> MutexGuard<'scope, State<'a>>
    where
        'a: 'scope,
    {
        // Noted in the order in which it happens: an end is on record before what it leads to begins.
        let ticket = self.notes.began(self.node(index));
        if state.board.has_next() {
            self.add(&mut state, threads);
        }
        if self.notes.are_taken() {
            let told = MutexGuard::unlocked(&mut state, || self.settle(ticket));
            let is_on_record = self.heed(&mut state, told);
            if !is_on_record {
                state.board.end(index, Outcome::Cancelled);
                return state;
            }
        }
        if let Some(ended) = ended.take() {
            self.tell_end(&mut state, ended.node);
        }
        let (state, ticket) = self.turn(state, index);
        *ended = Some(JustEnded {
            node: index,
            ticket,
        });
        state
    }

    fn settle(&self, ticket: Option<Ticket>) -> Result<(), Fault> {
        self.notes.settle(ticket)
    }

    /// Goes no further where what happens cannot be put on record.
    fn heed(&self, state: &mut State<'a>, told: Result<(), Fault>) -> bool {
        match told {
            Ok(()) => true,
            Err(fault) => {
                state.board.stop(Halt::Unrecorded);
                state.fault.get_or_insert(fault);
                self.work.notify_all();
                false
            }
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
        let most = self.workflow().settings.max_concurrency;
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
        // One of which nothing is left to be done has ended as it has.
        if state.board.is_done() {
            return;
        }
        if self.shared.job.options.stop.is_on() {
            state.board.stop(Halt::Stopped);
        } else if self.shared.is_over() {
            state.board.stop(Halt::TimedOut);
        }
    }

    /// Runs a node, without the lock, and takes note of its end.
    fn turn<'s>(
        &'s self,
        state: MutexGuard<'s, State<'a>>,
        index: usize,
    ) -> (MutexGuard<'s, State<'a>>, Option<Ticket>) {
        let node = self.node(index);
        let seen = self.see(&state, index);
        drop(state);
        let turn = Turn {
            shared: &self.shared,
            index,
            node,
            step: &self.shared.job.program.prepared.steps[index],
            seen: &seen,
        };
        // A panic must not leave the others waiting for this node.
        let ran = panic::catch_unwind(AssertUnwindSafe(|| {
            self.tell(Told::Began { node: &node.id });
            turn.run()
        }));
        let (outcome, mut course) = ran.unwrap_or_else(|_| {
            let failure = Failure::new(ErrorKind::Panicked, "the host panicked while the node ran");
            (Outcome::Failed(failure), Course::default())
        });
        drop(seen);
        course.has_begun = true;
        let (outcome, bytes) = match self.notes.encode(node, &outcome) {
            Ok(bytes) => (outcome, bytes),
            Err(fault) => (Outcome::Unrecorded(fault), None),
        };
        let mut state = self.state.lock();
        if let Outcome::Unrecorded(fault) = &outcome {
            self.heed(&mut state, Err(fault.clone()));
        }
        let ticket = self.notes.ended(node, &outcome, &course, bytes);
        state.courses[index] = course;
        state.board.end(index, outcome);
        (state, ticket)
    }

    /// Tells of a node that has ended.
    fn tell_end(&self, state: &mut MutexGuard<'_, State<'a>>, index: usize) {
        if self.shared.job.options.listener.is_none() {
            return;
        }
        let Some(status) = state.board.cells[index].status else {
            return;
        };
        let told = Told::Ended {
            node: &self.node(index).id,
            status,
            took: state.courses[index].took,
        };
        MutexGuard::unlocked(state, || {
            // Whoever listens has told its own panic; what the node gave is there.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| self.tell(told)));
        });
    }

    fn tell(&self, told: Told<'_>) {
        if let Some(listener) = &self.shared.job.options.listener {
            listener(told);
        }
    }

    /// What a node sees of those before it.
    fn see(&self, state: &State<'a>, index: usize) -> Seen {
        let program = self.shared.job.program;
        let cell = |node: usize| &state.board.cells[node];
        let asks = program.prepared.steps[index].asks.iter();
        let steps = asks.map(|&asked| {
            let (cell, course) = (cell(asked), &state.courses[asked]);
            let before = Before {
                status: cell.status,
                output: cell.output.clone(),
                failure: cell.failure.clone(),
                attempts: course.attempts,
                recovered_by: course.recovered_by.clone(),
            };
            (self.node(asked).id.clone(), before)
        });
        let arriving = program.checked.plan().arriving(index);
        Seen {
            steps: steps.collect(),
            arriving: arriving
                .map(|edge| {
                    let id = self.node(edge.from).id.clone();
                    (id, cell(edge.from).output.clone())
                })
                .collect(),
        }
    }

    /// Puts the end on record, and says what came of it all.
    fn conclude(self, attempt: u32, started: jiff::Timestamp) -> (Run, Option<Fault>) {
        let Self {
            shared,
            notes,
            state,
            ..
        } = self;
        let State {
            board,
            courses,
            fault,
            ..
        } = state.into_inner();
        let job = shared.job;
        let workflow = job.program.checked.workflow();
        let mut ended = Ended {
            board,
            courses,
            fault,
            attempt,
            started,
            took: job.began.elapsed(),
        };
        if ended.fault.is_none() {
            let (status, _) = ended.status();
            let cells = ended.board.cells.iter().zip(&ended.courses);
            let passed = workflow.nodes.iter().zip(cells);
            let passed = passed.filter(|(_, (_, course))| !course.has_begun);
            let passed = passed.filter_map(|(node, (cell, _))| Some((node, cell.status?)));
            let told = notes.over(status, passed);
            ended.fault = told.err();
        }
        let fault = ended.fault.clone();
        (ended.into_run(workflow, job.options), fault)
    }
}
