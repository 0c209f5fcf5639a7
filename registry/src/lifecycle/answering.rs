//! How a call that somebody looks at comes to its answer.
//!
//! It is let through or not ([`Permit::ask`]), what goes in is looked at, it is made, and made again or
//! otherwise where it fails and something is to be done about that; what comes out is looked at, and one
//! record is made of all that. A call that nobody needs to look at comes here when it has failed, and then
//! only where something is to be done about failures.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use floe_plugin_api::abi::RawCallRef;
use floe_plugin_api::{CallOptions, Value};

use super::calling::Wanted;
use super::gate::{Caller, Permit, Rules};
use super::line::Line;
use super::supervisor::Supervisor;
use super::target::Target;
use crate::error::CallError;
use crate::host::Attempting;
use crate::policy::{
    Answer, AnsweredBy, Attempt, Audit, AuditError, AuditStatus, Course, Entry, Failure, Fallback,
    Recovery, RecoveryOutcome, Status, Step,
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
        }
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
        }
    }
}

/// What a call has left on its way.
#[derive(Default)]
struct Trail {
    attempts: Vec<Attempt>,
    passed_over: Vec<String>,
    answered_by: Option<AnsweredBy>,
    /// What it was last let through with.
    permit: Option<Permit>,
    target: Option<Arc<Target>>,
    /// Why it may not be made, or what comes of it may not be given.
    denied: Option<String>,
    /// The executors that were asked, the one that the caller wants first.
    asked: Vec<String>,
}

impl Trail {
    fn refused(&mut self, error: CallError) -> CallError {
        if let CallError::Denied(denial) = &error {
            self.denied = Some(denial.decision());
        }
        error
    }
}

impl Supervisor {
    /// Whether the rules let somebody call what a handle leads to.
    pub(crate) fn authorize(&self, line: &Line, options: &CallOptions) -> Result<(), CallError> {
        let target = line.track().answer(self)?;
        let caller = Arc::new(Caller::of(options));
        let kind = &target.slot().id().kind;
        Permit::ask(
            &self.gate().rules(),
            false,
            &caller,
            target.node_type(),
            kind,
        )?;
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
        let audit = gate.audit();
        let mut trail = Trail::default();
        // What cannot be put on record is not done.
        let output = match audit.map(|audit| audit.ready()) {
            Some(Err(error)) => return unrecorded(error),
            Some(Ok(())) | None => self.pass(&rules, asked, failed, &mut trail),
        };
        let answer = Answer::new(
            output,
            trail.answered_by.take().unwrap_or(AnsweredBy::Nobody),
            std::mem::take(&mut trail.attempts),
            std::mem::take(&mut trail.passed_over),
        );
        let took = began.elapsed();
        if answer.status != Status::Success {
            self.note(&trail, &answer, took);
        }
        match audit.map(|audit| record(audit, asked, &trail, &answer, took)) {
            // Nobody has what is on no record.
            Some(Err(error)) => unrecorded(error),
            Some(Ok(())) | None => answer,
        }
    }

    /// Keeps what became of a call that was not answered at once.
    #[cold]
    fn note(&self, trail: &Trail, answer: &Answer, took: Duration) {
        let first = answer.attempts.first();
        if let (
            Some(node_type),
            Some(Attempt {
                error: Some(error), ..
            }),
        ) = (trail.asked.first(), first)
        {
            let attempts = u32::try_from(answer.attempts.len());
            self.gate().history.record(RecoveryOutcome {
                time: jiff::Timestamp::now(),
                node_type: node_type.clone(),
                kind: error.kind(),
                status: answer.status,
                answered_by: answer.answered_by.clone(),
                attempts: attempts.unwrap_or(u32::MAX),
                took,
            });
        }
    }

    /// Lets a call through, has it made, and lets out what comes of it.
    fn pass(
        self: &Arc<Self>,
        rules: &Rules,
        asked: &Asked<'_, '_>,
        failed: Option<CallError>,
        trail: &mut Trail,
    ) -> Result<Value, CallError> {
        let way = self.let_through(rules, asked, asked.wanted, trail)?;
        let tenant = way.permit.tenant().cloned();
        // What a plugin calls within a call is part of that.
        let entered = tenant.as_ref().filter(|_| !asked.caller.within);
        let _inside = entered
            .map(|tenant| tenant.enter())
            .transpose()
            .map_err(|denial| trail.refused(denial.into()))?;
        let input = self.look_in(&way, asked.input, trail)?;
        let output = self.attempts(rules, asked, &way, &input, failed, trail)?;
        match tenant {
            Some(tenant) => tenant
                .check_output(&rules.tenants, output)
                .map_err(|denial| {
                    trail.answered_by = None;
                    trail.refused(denial.into())
                }),
            None => Ok(output),
        }
    }

    /// Asks whether the caller may call what it wants to.
    fn let_through<'a>(
        self: &Arc<Self>,
        rules: &Rules,
        asked: &Asked<'_, '_>,
        wanted: &'a Wanted,
        trail: &mut Trail,
    ) -> Result<Way<'a>, CallError> {
        let target = wanted.target(self)?;
        trail.target = Some(target.clone());
        let asked = Permit::ask(
            rules,
            self.gate().audit().is_some(),
            &asked.caller,
            target.node_type(),
            &target.slot().id().kind,
        );
        let permit = asked.map_err(|denial| trail.refused(denial.into()))?;
        trail.permit = Some(permit.clone());
        Ok(Way {
            wanted,
            target,
            permit,
        })
    }

    /// The input as the tenant's plugins get it.
    fn look_in<'i>(
        &self,
        way: &Way<'_>,
        input: &'i Value,
        trail: &mut Trail,
    ) -> Result<Cow<'i, Value>, CallError> {
        match way.permit.tenant() {
            Some(tenant) => tenant
                .check_input(input)
                .map_err(|denial| trail.refused(denial.into())),
            None => Ok(Cow::Borrowed(input)),
        }
    }

    /// Makes a call, again or otherwise where it fails.
    fn attempts(
        self: &Arc<Self>,
        rules: &Rules,
        asked: &Asked<'_, '_>,
        way: &Way<'_>,
        input: &Value,
        mut failed: Option<CallError>,
        trail: &mut Trail,
    ) -> Result<Value, CallError> {
        let node_type = way.target.node_type();
        let first = trail.asked.is_empty();
        trail.asked.push(node_type.to_owned());
        let recovery = match asked.recovery {
            Some(own) if first => own,
            _ if first => rules.recovery.of(node_type, way.target.slot().id()),
            _ => rules.recovery.of_fallback(node_type),
        };
        let idempotent = way
            .target
            .metadata()
            .and_then(|executor| executor.idempotent);
        let mut course = Course::new(recovery);
        let mut number = 1;
        let mut waited = Duration::ZERO;
        'attempts: loop {
            let began = Instant::now();
            let called = match failed.take() {
                Some(error) => Err(error),
                None => self.attempt(asked, way, input, number),
            };
            trail.attempts.push(Attempt {
                node_type: node_type.to_owned(),
                number,
                error: called.as_ref().err().cloned(),
                waited,
                took: began.elapsed(),
            });
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
            let failure = Failure::of(&error, idempotent);
            loop {
                match course.next(&failure, left(&asked.call), fastrand::f64()) {
                    Step::Retry { after, attempt } => {
                        if !wait(after, &asked.call) {
                            trail
                                .passed_over
                                .push("the caller cancelled the call".to_owned());
                            return Err(error);
                        }
                        number = attempt;
                        waited = after;
                        continue 'attempts;
                    }
                    Step::Fallback(fallback) => {
                        let answered = self.fall_back(rules, asked, fallback, input, trail);
                        if let Some(output) = answered {
                            return Ok(output);
                        }
                    }
                    Step::Value(value) => {
                        trail.answered_by = Some(AnsweredBy::Value);
                        return Ok(value.clone());
                    }
                    Step::Skip(output) => {
                        trail.answered_by = Some(AnsweredBy::Skip);
                        return Ok(output.clone());
                    }
                    Step::Fail => {
                        trail.passed_over.extend(course.passed_over().to_vec());
                        return Err(error);
                    }
                }
            }
        }
    }

    fn attempt(
        self: &Arc<Self>,
        asked: &Asked<'_, '_>,
        way: &Way<'_>,
        input: &Value,
        attempt: u32,
    ) -> Result<Value, CallError> {
        let attempting = Attempting {
            call: &asked.call,
            attempt: attempt.max(asked.call.attempt()),
            tenant: &asked.caller.tenant,
            execution_id: &asked.caller.execution_id,
        };
        let mut output = Value::Null;
        self.call_once(
            &way.permit,
            way.wanted,
            input,
            attempting.raw(),
            &mut output,
        )?;
        Ok(output)
    }

    /// Has another executor answer, which may have one of its own that answers for it.
    fn fall_back(
        self: &Arc<Self>,
        rules: &Rules,
        asked: &Asked<'_, '_>,
        fallback: &Fallback,
        input: &Value,
        trail: &mut Trail,
    ) -> Option<Value> {
        let node_type = fallback.to.node_type();
        let known = trail.asked.iter().any(|asked| asked == node_type);
        if known || trail.asked.len() >= DEEPEST {
            let words = format!("`fallback` to `{node_type}`, which was asked already");
            trail.passed_over.push(words);
            return None;
        }
        let wanted = Wanted::Name(fallback.to.to_string());
        let mut ask = || -> Result<(Way<'_>, Value), CallError> {
            let mapped = fallback.input_of(input)?;
            let way = self.let_through(rules, asked, &wanted, trail)?;
            let input = self.look_in(&way, &mapped, trail)?.into_owned();
            Ok((way, input))
        };
        match ask() {
            Ok((way, input)) => {
                let output = self
                    .attempts(rules, asked, &way, &input, None, trail)
                    .ok()?;
                if let Some(AnsweredBy::Executor | AnsweredBy::Retry) = trail.answered_by {
                    trail.answered_by = Some(AnsweredBy::Fallback(node_type.to_owned()));
                }
                Some(output)
            }
            Err(error) => {
                trail.asked.push(node_type.to_owned());
                trail.attempts.push(Attempt {
                    node_type: node_type.to_owned(),
                    number: 1,
                    error: Some(error),
                    waited: Duration::ZERO,
                    took: Duration::ZERO,
                });
                None
            }
        }
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

/// A way to an executor.
struct Way<'a> {
    wanted: &'a Wanted,
    target: Arc<Target>,
    permit: Permit,
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
    asked: &Asked<'_, '_>,
    trail: &Trail,
    answer: &Answer,
    took: Duration,
) -> Result<(), AuditError> {
    let Asked { caller, input, .. } = asked;
    let reached = trail.permit.as_ref().and_then(Permit::reached);
    let slot = reached
        .as_ref()
        .or(trail.target.as_ref().map(|target| target.slot()));
    let tenant = trail.permit.as_ref().and_then(Permit::tenant);
    let reference = asked.wanted.reference();
    let first = trail.asked.first().map(String::as_str);
    let node_type = first.or(trail.target.as_ref().map(|target| target.node_type()));
    let status = match answer.status {
        _ if trail.denied.is_some() => AuditStatus::Denied,
        Status::Success => AuditStatus::Success,
        Status::Recovered => AuditStatus::Recovered,
        Status::Skipped => AuditStatus::Skipped,
        Status::Failed => AuditStatus::Failed,
    };
    let allowed = trail.permit.as_ref().and_then(Permit::decision);
    let decision = trail.denied.as_deref().or(allowed.map(|words| &**words));
    // One that was refused may be too deep to be walked through.
    let tenant_of_input = tenant.filter(|_| trail.denied.is_none());
    let logged_input = tenant_of_input.and_then(|tenant| tenant.recorded_input(input));
    let output = answer.output.as_ref().ok();
    let logged_output = output.and_then(|output| tenant?.recorded_output(output));
    let answered_by = match &answer.answered_by {
        AnsweredBy::Executor | AnsweredBy::Nobody => None,
        other => Some(other.to_string()),
    };
    let attempts = answer.attempts.len();
    audit.append(&Entry {
        tenant: match caller.tenant.as_str() {
            "" if tenant.is_none() && trail.denied.is_none() => IMPLICIT,
            named => named,
        },
        user: &caller.user,
        execution_id: &caller.execution_id,
        node_type: node_type.unwrap_or(&reference),
        plugin: slot.map(|slot| slot.id()),
        version: slot.map(|slot| &slot.manifest().version),
        digest: slot.and_then(|slot| slot.digest()),
        error: answer.output.as_ref().err().map(CallError::kind),
        decision: decision.unwrap_or_default(),
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        answered_by: answered_by.as_deref(),
        duration: took,
        input: logged_input.as_ref(),
        output: logged_output.as_ref(),
        ..Entry::new("call", status)
    })?;
    Ok(())
}
