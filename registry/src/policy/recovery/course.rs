//! One call's way through its strategies.

use std::time::Duration;

use floe_plugin_api::{ErrorKind, Value};

use super::kinds::{NEVER_RECOVERED, NEVER_RETRIED};
use super::{Failure, Fallback, Recovery, Retry, Strategy};

/// The longest wait that an error may ask for where no deadline bounds it: a plugin shall not keep a caller
/// for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step<'r> {
    /// Wait, and call the executor again.
    Retry {
        after: Duration,
        /// Which call of the executor that is, from 2.
        attempt: u32,
    },
    /// Call another executor.
    Fallback(&'r Fallback),
    /// Answer with a value.
    Value(&'r Value),
    /// Answer with an output, and say that the call was skipped.
    Skip(&'r Value),
    /// Answer with the error.
    Fail,
}

/// Goes through the strategies of a recovery, for one call.
///
/// It goes forward only: a strategy that is passed over, or did not help, does not come again.
#[derive(Debug)]
pub(crate) struct Course<'r> {
    strategies: &'r [Strategy],
    /// The place of the strategy that is asked next.
    at: usize,
    /// How often the executor has been called.
    calls: u32,
    /// How often it has been called again by the strategy at `at`.
    retries: u32,
    fell_back: bool,
    passed_over: Vec<String>,
}

impl<'r> Course<'r> {
    /// A course for a call that is made the first time.
    pub(crate) fn new(recovery: &'r Recovery) -> Self {
        Self {
            strategies: recovery.strategies(),
            at: 0,
            calls: 1,
            retries: 0,
            fell_back: false,
            passed_over: Vec::new(),
        }
    }

    /// What to do after a failure of the executor, or of the fallback that was the last step.
    ///
    /// `left` is what is left of the call's deadline, `None` where it has none; `random` is from 0 to 1.
    pub(crate) fn next(
        &mut self,
        failure: &Failure,
        left: Option<Duration>,
        random: f64,
    ) -> Step<'r> {
        if NEVER_RECOVERED.contains(&failure.kind) {
            if self.at < self.strategies.len() {
                let kind = failure.kind;
                self.pass_over(format!("`{kind}` is never recovered from"));
            }
            self.at = self.strategies.len();
        }
        while let Some(strategy) = self.strategies.get(self.at) {
            let step = match strategy {
                Strategy::Retry(retry) => self.retry(retry, failure, left, random),
                other => other_step(other, failure.kind, left),
            };
            match step {
                Ok(step @ Step::Retry { .. }) => return step,
                Ok(step) => {
                    self.fell_back |= matches!(step, Step::Fallback(_));
                    self.go_on();
                    return step;
                }
                Err(reason) => {
                    self.pass_over(reason);
                    self.go_on();
                }
            }
        }
        Step::Fail
    }

    /// Why strategies were passed over, in words.
    pub(crate) fn passed_over(&self) -> &[String] {
        &self.passed_over
    }

    fn go_on(&mut self) {
        self.at += 1;
        self.retries = 0;
    }

    fn pass_over(&mut self, reason: String) {
        self.passed_over.push(reason);
    }

    fn retry(
        &mut self,
        retry: &Retry,
        failure: &Failure,
        left: Option<Duration>,
        random: f64,
    ) -> Result<Step<'r>, String> {
        if self.fell_back {
            return Err("`retry` is not for a fallback".to_owned());
        }
        let kind = failure.kind;
        if !retry.on.contains(kind) || NEVER_RETRIED.contains(&kind) {
            return Err(format!("`retry` is not for `{kind}`"));
        }
        if self.calls >= retry.attempts {
            let calls = self.calls;
            return Err(format!("`retry` allows no call after `{calls}`"));
        }
        if let Some(reason) = effect(failure).filter(|_| !retry.not_idempotent) {
            return Err(reason);
        }
        let wait = retry.wait(self.retries.saturating_add(1), random);
        let after = wait.max(failure.retry_after.unwrap_or_default());
        if let Some(left) = left.filter(|left| after >= *left) {
            return Err(format!(
                "the wait of `{after:.1?}` before a retry does not fit in the `{left:.1?}` that are left"
            ));
        }
        if left.is_none() && failure.retry_after.is_some_and(|hint| hint > PATIENCE) {
            return Err(format!(
                "the wait of `{after:.1?}` before a retry is longer than the `{PATIENCE:.1?}` that a call without a deadline waits"
            ));
        }
        self.calls = self.calls.saturating_add(1);
        self.retries = self.retries.saturating_add(1);
        Ok(Step::Retry {
            after,
            attempt: self.calls,
        })
    }
}

/// Why a second call may have the effect of the first once more, where it may.
fn effect(failure: &Failure) -> Option<String> {
    if !failure.began {
        return None;
    }
    let says = match (failure.kind, failure.idempotent) {
        (ErrorKind::Crashed, None) => "does not say that it is idempotent",
        (ErrorKind::Crashed | ErrorKind::ExecutionTimeout | ErrorKind::Panicked, Some(false)) => {
            "says that it is not idempotent"
        }
        _ => return None,
    };
    let innocent = match failure.innocent {
        true => ", though its worker was lost through no fault of its own",
        false => "",
    };
    Some(format!("the executor {says}{innocent}"))
}

/// What a strategy that is no retry does.
fn other_step(
    strategy: &Strategy,
    kind: ErrorKind,
    left: Option<Duration>,
) -> Result<Step<'_>, String> {
    if strategy.kinds().is_some_and(|kinds| !kinds.contains(kind)) {
        return Err(format!("`{}` is not for `{kind}`", strategy.name()));
    }
    match strategy {
        Strategy::Fallback(fallback) if left == Some(Duration::ZERO) => Err(format!(
            "no time is left to call the fallback `{}`",
            fallback.to
        )),
        Strategy::Fallback(fallback) => Ok(Step::Fallback(fallback)),
        Strategy::Value(substitute) => Ok(Step::Value(&substitute.output)),
        Strategy::Skip(substitute) => Ok(Step::Skip(&substitute.output)),
        Strategy::Retry(_) | Strategy::Fail => Ok(Step::Fail),
    }
}
