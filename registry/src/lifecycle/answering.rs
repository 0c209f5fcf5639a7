//! How a call that somebody looks at comes to its answer.
//!
//! It is let through or not ([`Permit::ask`]), what goes in is looked at, it is made, and made again or
//! otherwise where it fails and something is to be done about that; what comes out is looked at, and one
//! record is made of all that. A call that nobody needs to look at comes here when it has failed, and then
//! only where something is to be done about failures.

use std::borrow::Cow;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use floe_plugin_api::abi::RawCallRef;
use floe_plugin_api::{CallOptions, Error, ErrorKind, Value};

use super::calling::Wanted;
use super::gate::{Caller, Law, Permit};
use super::line::Line;
use super::slot::Slot;
use super::supervisor::Supervisor;
use super::target::Target;
use crate::error::{CallError, PluginError};
use crate::host::Attempting;
use crate::policy::{
    Answer, AnsweredBy, Attempt, Audit, AuditError, AuditStatus, Course, Denial, Entry, Failure,
    Fallback, Recovery, RecoveryOutcome, Status, Step,
};

/// How often a call that waits to be made again looks whether it is wanted still.
const TICK: Duration = Duration::from_millis(5);

/// How many executors may stand in for each other, one after the other.
const DEEPEST: usize = 8;

/// The tenant that everybody is where there are none.
const IMPLICIT: &str = "default";

static NOTHING: Recovery = Recovery::none();

/// A call, as it was asked for.
pub(crate) struct Asked<'a, 'c> {
    wanted: &'a Wanted,
    input: &'a Value,
    call: RawCallRef<'c>,
    caller: Arc<Caller>,
    /// What is done when it fails, where its caller says so.
    recovery: Option<&'a Recovery>,
    by_plugin: bool,
    /// Whether its caller is told of each attempt.
    in_detail: bool,
}

impl<'a, 'c> Asked<'a, 'c> {
    /// What a host asks for.
    pub(super) fn by_host(
        wanted: &'a Wanted,
        input: &'a Value,
        options: &'c CallOptions,
        recovery: Option<&'a Recovery>,
    ) -> Self {
        Self {
            wanted,
            input,
            call: options.raw(),
            caller: Arc::new(Caller::of(options)),
            recovery,
            by_plugin: false,
            in_detail: false,
        }
    }

    /// The same, to be told of each attempt.
    pub(super) const fn in_detail(mut self) -> Self {
        self.in_detail = true;
        self
    }

    /// What a plugin asks for. Nothing is done when that fails, as it would be done once more for the
    /// call that it is part of.
    pub(super) fn by_plugin(
        wanted: &'a Wanted,
        input: &'a Value,
        call: RawCallRef<'c>,
        caller: Caller,
    ) -> Self {
        Self {
            wanted,
            input,
            call,
            caller: Arc::new(caller),
            recovery: Some(&NOTHING),
            by_plugin: true,
            in_detail: false,
        }
    }
}

/// What a call has left on its way.
#[derive(Default)]
struct Trail {
    /// Those that are told: all, or those that failed.
    attempts: Vec<Attempt>,
    /// How many there were.
    tried: u32,
    passed_over: Vec<String>,
    answered_by: Option<AnsweredBy>,
    /// The executors that were asked: first what the caller wants, then what was asked in its place.
    first: Option<Stage>,
    others: Vec<Stage>,
    /// Why it may not be made, or what comes of it may not be given.
    denied: Option<String>,
}

/// An executor that was asked for.
enum Stage {
    /// The call was let through.
    Way(Permit, Arc<Target>),
    /// It was not, or nothing answers to the name.
    Name(String),
}

impl Stage {
    fn node_type(&self) -> &str {
        match self {
            Self::Way(_, target) => target.node_type(),
            Self::Name(node_type) => node_type,
        }
    }

    /// The build that answered, or was to.
    fn slot(&self) -> Option<Arc<Slot>> {
        match self {
            Self::Way(permit, target) => {
                Some(permit.reached().unwrap_or_else(|| target.slot().clone()))
            }
            Self::Name(_) => None,
        }
    }
}

impl Trail {
    /// The executors that were asked, in their order.
    fn asked(&self) -> impl Iterator<Item = &Stage> {
        self.first.iter().chain(&self.others)
    }

    fn ask(&mut self, stage: Stage) {
        match self.first {
            Some(_) => self.others.push(stage),
            None => self.first = Some(stage),
        }
    }

    fn refused(&mut self, denial: Denial) -> CallError {
        self.denied = Some(denial.decision());
        denial.into()
    }

    /// Takes note of an executor that could not be asked.
    fn unasked(&mut self, node_type: &str, error: CallError) {
        self.ask(Stage::Name(node_type.to_owned()));
        self.tried = self.tried.saturating_add(1);
        self.attempts.push(Attempt {
            node_type: node_type.to_owned(),
            number: 1,
            error: Some(error),
            waited: Duration::ZERO,
            took: Duration::ZERO,
        });
    }
}

/// A way to an executor.
struct Way<'a> {
    wanted: &'a Wanted,
    target: Arc<Target>,
    permit: Permit,
}

/// What becomes of a call that failed.
enum Next {
    /// It is made again.
    Again { after: Duration, number: u32 },
    /// It ends.
    End(Result<Value, CallError>),
}

impl Supervisor {
    /// Whether the rules let somebody call what a handle leads to.
    pub(crate) fn authorize(&self, line: &Line, options: &CallOptions) -> Result<(), CallError> {
        let rules = self.gate().rules();
        let caller = Arc::new(Caller::of(options));
        let law = Law::of(&rules, &caller);
        law.know(&caller, line.track().reference().node_type())?;
        let target = line.track().answer(self)?;
        let kind = &target.slot().id().kind;
        Permit::ask(law, false, &caller, target.node_type(), kind)?;
        Ok(())
    }

    /// The answer to a call.
    pub(crate) fn answer_to(self: &Arc<Self>, asked: &Asked<'_, '_>) -> Answer {
        self.go_on(asked, None)
    }

    /// The same of a call that has failed once already.
    pub(super) fn go_on(
        self: &Arc<Self>,
        asked: &Asked<'_, '_>,
        failed: Option<CallError>,
    ) -> Answer {
        let began = Instant::now();
        let gate = self.gate();
        let rules = gate.rules();
        let law = Law::of(&rules, &asked.caller);
        let audit = gate.audit();
        // What cannot be put on record is not done.
        if let Some(Err(error)) = audit.map(|audit| audit.ready()) {
            return unrecorded(error);
        }
        let mut trail = Trail::default();
        // A panic of this side, such as of who listens to its log, must not leave a call without its record.
        let passed = panic::catch_unwind(AssertUnwindSafe(|| {
            self.pass(law, asked, failed, began, &mut trail)
        }));
        let (output, panicked) = match passed {
            Ok(output) => (output, None),
            Err(panicked) => (Err(self.panicked(asked)), Some(panicked)),
        };
        let mut answer = Answer::new(
            output,
            trail.answered_by.take().unwrap_or(AnsweredBy::Nobody),
            std::mem::take(&mut trail.attempts),
            std::mem::take(&mut trail.passed_over),
        );
        if let Some(tenant) = law.tenant {
            answer.screen(|error| tenant.screen(&rules.tenants, error));
        }
        let took = began.elapsed();
        if answer.status != Status::Success && !asked.by_plugin {
            self.note(&trail, &answer, took);
        }
        let recorded = audit.map(|audit| record(audit, law, asked, &trail, &answer, took));
        if let Some(panicked) = panicked {
            panic::resume_unwind(panicked);
        }
        match recorded {
            // Nobody has what is on no record.
            Some(Err(error)) => unrecorded(error),
            Some(Ok(())) | None => answer,
        }
    }

    /// What is said of a call on which this side panicked.
    #[cold]
    fn panicked(&self, asked: &Asked<'_, '_>) -> CallError {
        CallError::Executor(Box::new(PluginError::new(
            "of the host".to_owned(),
            Some(asked.wanted.node_type()),
            &Error::new(ErrorKind::Panicked, "the host panicked during the call"),
        )))
    }

    /// Keeps what became of a call that was not answered at once.
    #[cold]
    fn note(&self, trail: &Trail, answer: &Answer, took: Duration) {
        let first = answer.attempts.first();
        if let (Some(stage), Some(error)) = (
            trail.first.as_ref(),
            first.and_then(|first| first.error.as_ref()),
        ) {
            self.gate().history.record(RecoveryOutcome {
                time: jiff::Timestamp::now(),
                node_type: stage.node_type().to_owned(),
                kind: error.kind(),
                status: answer.status,
                answered_by: answer.answered_by.clone(),
                attempts: trail.tried,
                took,
            });
        }
    }

    /// Lets a call through, has it made, and lets out what comes of it.
    fn pass(
        self: &Arc<Self>,
        law: Law<'_>,
        asked: &Asked<'_, '_>,
        failed: Option<CallError>,
        began: Instant,
        trail: &mut Trail,
    ) -> Result<Value, CallError> {
        let output = match self.let_through(law, asked, asked.wanted, trail) {
            Ok(way) => {
                // What a plugin calls within a call is part of that.
                if !asked.caller.within {
                    way.permit.enter().map_err(|denial| trail.refused(denial))?;
                }
                let input = look_in(&way, asked.input).map_err(|denial| trail.refused(denial))?;
                self.attempts(law, asked, &way, &input, (failed, began), trail)?
            }
            Err(Stop::Denied(denial)) => return Err(trail.refused(denial)),
            Err(Stop::Error(error)) => self.instead(law, asked, error, trail)?,
        };
        match law.tenant {
            Some(tenant) => tenant
                .check_output(&law.rules.tenants, output)
                .map_err(|denial| {
                    trail.answered_by = None;
                    trail.refused(denial)
                }),
            None => Ok(output),
        }
    }

    /// Asks whether the caller may call what it wants to.
    fn let_through<'a>(
        self: &Arc<Self>,
        law: Law<'_>,
        asked: &Asked<'_, '_>,
        wanted: &'a Wanted,
        trail: &mut Trail,
    ) -> Result<Way<'a>, Stop> {
        // Who is nobody does not learn what there is.
        law.know(&asked.caller, wanted.node_type())?;
        let target = wanted
            .target(self)
            .map_err(|error| match law.rules.tenants.is_empty() {
                true => error,
                false => error.without_suggestion(),
            })?;
        let permit = Permit::ask(
            law,
            self.gate().audit().is_some(),
            &asked.caller,
            target.node_type(),
            &target.slot().id().kind,
        )?;
        trail.ask(Stage::Way(permit.clone(), target.clone()));
        Ok(Way {
            wanted,
            target,
            permit,
        })
    }

    /// Does what is to be done about a call of which nothing answers to the name.
    #[cold]
    fn instead(
        self: &Arc<Self>,
        law: Law<'_>,
        asked: &Asked<'_, '_>,
        error: CallError,
        trail: &mut Trail,
    ) -> Result<Value, CallError> {
        let node_type = asked.wanted.node_type();
        let recovery = asked
            .recovery
            .unwrap_or_else(|| law.rules.recovery.of_fallback(node_type));
        if recovery.is_none() || !matches!(error, CallError::Lookup(_)) {
            return Err(error);
        }
        trail.unasked(node_type, error.clone());
        let mut course = Course::new(recovery);
        let next = self.next(
            law,
            asked,
            asked.input,
            &mut course,
            None,
            error.clone(),
            trail,
        );
        match next {
            Next::End(output) => output,
            // The same name would not be there again.
            Next::Again { .. } => Err(error),
        }
    }

    /// Makes a call, again or otherwise where it fails.
    fn attempts(
        self: &Arc<Self>,
        law: Law<'_>,
        asked: &Asked<'_, '_>,
        way: &Way<'_>,
        input: &Value,
        (mut failed, mut began): (Option<CallError>, Instant),
        trail: &mut Trail,
    ) -> Result<Value, CallError> {
        let node_type = way.target.node_type();
        let first = trail.others.is_empty();
        let recovery = match asked.recovery {
            Some(own) if first => own,
            _ if first => law.rules.recovery.of(node_type, way.target.slot().id()),
            _ => law.rules.recovery.of_fallback(node_type),
        };
        let metadata = way.target.metadata();
        let idempotent = metadata.and_then(|executor| executor.idempotent);
        let mut course = Course::new(recovery);
        let (mut number, mut waited) = (1, Duration::ZERO);
        loop {
            let called = match failed.take() {
                Some(error) => Err(error),
                None => self.attempt(asked, way, input, number),
            };
            trail.tried = trail.tried.saturating_add(1);
            if asked.in_detail || called.is_err() {
                trail.attempts.push(Attempt {
                    node_type: node_type.to_owned(),
                    number,
                    error: called.as_ref().err().cloned(),
                    waited,
                    took: began.elapsed(),
                });
            }
            let error = match called {
                Ok(output) => {
                    trail.answered_by = Some(match number {
                        1 => AnsweredBy::Executor,
                        _ => AnsweredBy::Retry,
                    });
                    return Ok(output);
                }
                Err(error) => error,
            };
            match self.next(law, asked, input, &mut course, idempotent, error, trail) {
                Next::Again {
                    after,
                    number: next,
                } => (number, waited, began) = (next, after, Instant::now()),
                Next::End(output) => return output,
            }
        }
    }

    /// Goes through what is to be done about a failure, up to where it is made again or ends.
    #[expect(clippy::too_many_arguments, reason = "all of a call, and where it is")]
    #[cold]
    fn next(
        self: &Arc<Self>,
        law: Law<'_>,
        asked: &Asked<'_, '_>,
        input: &Value,
        course: &mut Course<'_>,
        idempotent: Option<bool>,
        error: CallError,
        trail: &mut Trail,
    ) -> Next {
        let failure = Failure::of(&error, idempotent);
        let known = course.passed_over().len();
        let end = loop {
            if asked.call.is_cancelled() {
                trail
                    .passed_over
                    .push("the caller cancelled the call".to_owned());
                break Err(error);
            }
            match course.next(&failure, left(&asked.call), fastrand::f64()) {
                Step::Retry { after, attempt } => {
                    if wait(after, &asked.call) {
                        let new = course.passed_over().iter().skip(known);
                        trail.passed_over.extend(new.cloned());
                        return Next::Again {
                            after,
                            number: attempt,
                        };
                    }
                }
                Step::Fallback(fallback) => {
                    let answered = self.fall_back(law, asked, fallback, input, trail);
                    if let Some(output) = answered {
                        break Ok(output);
                    }
                }
                Step::Value(value) => {
                    trail.answered_by = Some(AnsweredBy::Value);
                    break Ok(value.clone());
                }
                Step::Skip(output) => {
                    trail.answered_by = Some(AnsweredBy::Skip);
                    break Ok(output.clone());
                }
                Step::Fail => break Err(error),
            }
        };
        let new = course.passed_over().iter().skip(known);
        trail.passed_over.extend(new.cloned());
        Next::End(end)
    }

    fn attempt(
        self: &Arc<Self>,
        asked: &Asked<'_, '_>,
        way: &Way<'_>,
        input: &Value,
        number: u32,
    ) -> Result<Value, CallError> {
        let before = asked.call.attempt().saturating_sub(1);
        let attempting = Attempting {
            call: &asked.call,
            attempt: before.saturating_add(number),
            tenant: asked.caller.tenant(),
            execution_id: asked.caller.execution_id(),
        };
        let mut output = Value::Null;
        // What was let through; another one may answer by the time that it is made again.
        let known = (number == 1).then_some(&way.target);
        self.call_once(
            &way.permit,
            way.wanted,
            known,
            input,
            attempting.raw(),
            &mut output,
        )?;
        Ok(output)
    }

    /// Has another executor answer, which may have one of its own that answers for it.
    fn fall_back(
        self: &Arc<Self>,
        law: Law<'_>,
        asked: &Asked<'_, '_>,
        fallback: &Fallback,
        input: &Value,
        trail: &mut Trail,
    ) -> Option<Value> {
        let node_type = fallback.to.node_type();
        let known = trail.asked().any(|asked| asked.node_type() == node_type);
        if known || trail.asked().count() >= DEEPEST {
            let words = format!("`fallback` to `{node_type}`, which was asked already");
            trail.passed_over.push(words);
            return None;
        }
        let wanted = Wanted::Name(fallback.to.to_string());
        let mut ask = || -> Result<(Way<'_>, Value), Stop> {
            let mapped = fallback.input_of(input).map_err(CallError::from)?;
            let way = self.let_through(law, asked, &wanted, trail)?;
            let input = look_in(&way, &mapped)?.into_owned();
            Ok((way, input))
        };
        match ask() {
            Ok((way, input)) => {
                let fresh = (None, Instant::now());
                let output = self.attempts(law, asked, &way, &input, fresh, trail).ok()?;
                if let Some(AnsweredBy::Executor | AnsweredBy::Retry) = trail.answered_by {
                    trail.answered_by = Some(AnsweredBy::Fallback(node_type.to_owned()));
                }
                Some(output)
            }
            // It is this one that is denied, not the call.
            Err(stop) => {
                trail.unasked(node_type, stop.into());
                None
            }
        }
    }
}

/// Why a call is not let through.
enum Stop {
    Denied(Denial),
    Error(CallError),
}

impl From<Denial> for Stop {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<CallError> for Stop {
    fn from(error: CallError) -> Self {
        Self::Error(error)
    }
}

impl From<Stop> for CallError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Denied(denial) => denial.into(),
            Stop::Error(error) => error,
        }
    }
}

/// The input as the tenant's plugins get it.
fn look_in<'i>(way: &Way<'_>, input: &'i Value) -> Result<Cow<'i, Value>, Denial> {
    match way.permit.tenant() {
        Some(tenant) => tenant.check_input(input),
        None => Ok(Cow::Borrowed(input)),
    }
}

/// The answer to a call that cannot be put on record.
fn unrecorded(error: AuditError) -> Answer {
    Answer::new(
        Err(error.into()),
        AnsweredBy::Nobody,
        Vec::new(),
        Vec::new(),
    )
}

/// What is left of a call's time.
fn left(call: &RawCallRef<'_>) -> Option<Duration> {
    match call.remaining_ns() {
        u64::MAX => None,
        left => Some(Duration::from_nanos(left)),
    }
}

/// Waits, on the caller's thread; false where the caller wants no answer any more.
fn wait(time: Duration, call: &RawCallRef<'_>) -> bool {
    let began = Instant::now();
    loop {
        if call.is_cancelled() {
            return false;
        }
        let left = time.saturating_sub(began.elapsed());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(TICK));
    }
}

/// Puts on record what became of a call.
fn record(
    audit: &Audit,
    law: Law<'_>,
    asked: &Asked<'_, '_>,
    trail: &Trail,
    answer: &Answer,
    took: Duration,
) -> Result<(), AuditError> {
    let Asked { caller, input, .. } = asked;
    let status = match answer.status {
        _ if trail.denied.is_some() => AuditStatus::Denied,
        Status::Success => AuditStatus::Success,
        Status::Recovered => AuditStatus::Recovered,
        Status::Skipped => AuditStatus::Skipped,
        Status::Failed => AuditStatus::Failed,
    };
    let first = trail.first.as_ref();
    let origin = first.and_then(Stage::slot).map(|slot| slot.origin());
    let others = trail.others.iter();
    let fallbacks: Vec<String> = others
        .filter_map(|stage| {
            let slot = stage.slot()?;
            let digest = slot.digest().map(|digest| digest.to_string());
            Some(format!(
                "{} {} {} {}",
                stage.node_type(),
                slot.id(),
                slot.manifest().version,
                digest.unwrap_or_default()
            ))
        })
        .collect();
    let allowed = match first {
        Some(Stage::Way(permit, _)) => permit.decision(),
        Some(Stage::Name(_)) | None => None,
    };
    let decision = trail.denied.as_deref().or(allowed.map(|words| &**words));
    // What was refused may be too deep to be walked through.
    let seen = law.tenant.filter(|_| trail.denied.is_none());
    let input = seen.and_then(|tenant| tenant.recorded_input(input));
    let output = answer.output.as_ref().ok();
    let output = output.and_then(|output| seen?.recorded_output(output));
    let answered_by = match &answer.answered_by {
        AnsweredBy::Executor | AnsweredBy::Nobody => None,
        other => Some(other.to_string()),
    };
    audit.append(&Entry {
        tenant: match caller.tenant() {
            "" if law.rules.tenants.is_empty() => IMPLICIT,
            named => named,
        },
        user: caller.user(),
        execution_id: caller.execution_id(),
        node_type: first.map_or(asked.wanted.node_type(), Stage::node_type),
        origin: origin.as_deref(),
        error: answer.output.as_ref().err().map(CallError::kind),
        decision: decision.unwrap_or_default(),
        attempts: trail.tried,
        answered_by: answered_by.as_deref(),
        fallbacks: &fallbacks,
        duration: took,
        input: input.as_ref(),
        output: output.as_ref(),
        ..Entry::new("call", status)
    })?;
    Ok(())
}
