//! One call: what the caller sets, and what the plugin sees.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::sabi_types::RRef;
use abi_stable::std_types::{RArc, RStr};

use crate::abi::{RawCall, RawCall_TO, RawCallRef, RawWatch, RawWatch_TO, RawWatchArc};
use crate::{Error, ErrorKind, Result};

/// What a plugin sees of the call that it answers. Borrowed: it lasts as long as the call.
pub struct CallContext<'a>(RawCallRef<'a>);

impl<'a> CallContext<'a> {
    /// The run that the call belongs to; empty where there is none.
    #[must_use]
    pub fn execution_id(&self) -> &str {
        self.0.execution_id().into()
    }

    /// The place in the run, such as a workflow's step; empty where there is none.
    #[must_use]
    pub fn node_id(&self) -> &str {
        self.0.node_id().into()
    }

    /// On whose behalf; empty where there are no tenants.
    #[must_use]
    pub fn tenant(&self) -> &str {
        self.0.tenant().into()
    }

    /// 1 for the first attempt.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt()
    }

    /// How long the caller still waits; `None` where it waits for ever, zero when it has stopped waiting.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        remaining(self.0.remaining_ns())
    }

    /// Whether the caller no longer wants the answer.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// A view of the deadline and the cancellation that may outlive the call: for callbacks and
    /// threads that cannot borrow it.
    #[must_use]
    pub fn watch(&self) -> CallWatch {
        CallWatch(self.0.watch())
    }

    /// Ends an executor early when nobody waits for it. Long loops call it now and then, with `?`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Cancelled`] or [`ErrorKind::ExecutionTimeout`].
    pub fn checkpoint(&self) -> Result<()> {
        checkpoint(self.is_cancelled(), self.remaining())
    }

    /// Tells the caller how far the work is, from 0.0 to 1.0.
    pub fn progress(&self, fraction: f64, message: &str) {
        self.0.progress(fraction.clamp(0.0, 1.0), message.into());
    }

    /// Tells the caller what is going on, where how far the work is cannot be known.
    pub fn progress_unknown(&self, message: &str) {
        self.0.progress(f64::NAN, message.into());
    }

    #[inline]
    pub(crate) fn raw(&self) -> &RawCallRef<'a> {
        &self.0
    }
}

impl<'a> From<RawCallRef<'a>> for CallContext<'a> {
    #[inline]
    fn from(raw: RawCallRef<'a>) -> Self {
        Self(raw)
    }
}

impl fmt::Debug for CallContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallContext")
            .field("execution_id", &self.execution_id())
            .field("node_id", &self.node_id())
            .field("tenant", &self.tenant())
            .field("attempt", &self.attempt())
            .field("remaining", &self.remaining())
            .field("is_cancelled", &self.is_cancelled())
            .finish()
    }
}

fn remaining(nanoseconds: u64) -> Option<Duration> {
    (nanoseconds != u64::MAX).then(|| Duration::from_nanos(nanoseconds))
}

fn checkpoint(cancelled: bool, remaining: Option<Duration>) -> Result<()> {
    if cancelled {
        let message = "the caller cancelled the call";
        Err(Error::new(ErrorKind::Cancelled, message))
    } else if remaining == Some(Duration::ZERO) {
        let message = "the call's deadline has passed";
        Err(Error::new(ErrorKind::ExecutionTimeout, message))
    } else {
        Ok(())
    }
}

/// Whether anybody still waits for a call: a part of [`CallContext`] that may be kept.
///
/// A clone is a pointer and a count; it may be used on any thread, also when the call is over.
#[derive(Clone)]
pub struct CallWatch(RawWatchArc);

impl CallWatch {
    /// As [`CallContext::remaining`].
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        remaining(self.0.remaining_ns())
    }

    /// As [`CallContext::is_cancelled`].
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// As [`CallContext::checkpoint`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Cancelled`] or [`ErrorKind::ExecutionTimeout`].
    pub fn checkpoint(&self) -> Result<()> {
        checkpoint(self.is_cancelled(), self.remaining())
    }
}

impl fmt::Debug for CallWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallWatch")
            .field("remaining", &self.remaining())
            .field("is_cancelled", &self.is_cancelled())
            .finish()
    }
}

/// The host's side of a [`CallWatch`].
#[derive(Clone)]
struct Watched {
    deadline: Option<Instant>,
    cancellation: Option<Cancellation>,
}

impl RawWatch for Watched {
    fn remaining_ns(&self) -> u64 {
        remaining_ns(self.deadline)
    }

    fn is_cancelled(&self) -> bool {
        is_cancelled(self.cancellation.as_ref())
    }
}

fn remaining_ns(deadline: Option<Instant>) -> u64 {
    deadline.map_or(u64::MAX, |deadline| {
        let left = deadline.saturating_duration_since(Instant::now());
        u64::try_from(left.as_nanos()).unwrap_or(u64::MAX - 1)
    })
}

fn is_cancelled(cancellation: Option<&Cancellation>) -> bool {
    cancellation.is_some_and(Cancellation::is_cancelled)
}

/// A switch by which a caller says that it no longer wants an answer. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// A switch that is off.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Turns it on, for good.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it is on.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// How far a call is, as the executor tells it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress<'a> {
    /// From 0.0 to 1.0, where it is known.
    pub fraction: Option<f64>,
    /// What is going on.
    pub message: &'a str,
}

type ProgressListener = Arc<dyn Fn(Progress<'_>) + Send + Sync>;

/// What a caller sets for a call. The default sets nothing: no run, no deadline, first attempt.
///
/// A plugin sees it as a [`CallContext`]; vendors make one to call their executors in tests.
///
/// ```
/// use std::time::Duration;
/// use floe_plugin_api::CallOptions;
///
/// let options = CallOptions::new().execution_id("run-7").timeout(Duration::from_secs(5));
/// let call = options.context();
/// assert_eq!(call.execution_id(), "run-7");
/// assert!(call.remaining().is_some_and(|left| left <= Duration::from_secs(5)));
/// assert!(call.checkpoint().is_ok());
/// ```
#[derive(Clone)]
pub struct CallOptions {
    execution_id: String,
    node_id: String,
    tenant: String,
    user: String,
    roles: Vec<String>,
    attempt: u32,
    deadline: Option<Instant>,
    cancellation: Option<Cancellation>,
    progress: Option<ProgressListener>,
}

impl CallOptions {
    /// Nothing set.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            execution_id: String::new(),
            node_id: String::new(),
            tenant: String::new(),
            user: String::new(),
            roles: Vec::new(),
            attempt: 1,
            deadline: None,
            cancellation: None,
            progress: None,
        }
    }

    /// Sets the run that the call belongs to.
    #[must_use]
    pub fn execution_id(mut self, id: impl Into<String>) -> Self {
        self.execution_id = id.into();
        self
    }

    /// Sets the place in the run.
    #[must_use]
    pub fn node_id(mut self, id: impl Into<String>) -> Self {
        self.node_id = id.into();
        self
    }

    /// Sets on whose behalf the call is made.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// Sets who calls, for the host's policy and audit. A plugin does not see it.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }

    /// Adds a role of who calls, for the host's policy and audit. A plugin does not see it.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// Who calls; empty where nobody was named. For the host's policy and audit: a plugin does not
    /// see it.
    #[must_use]
    pub fn caller_user(&self) -> &str {
        &self.user
    }

    /// The roles of who calls, in the order in which they were added. For the host's policy and
    /// audit: a plugin does not see them.
    #[must_use]
    pub fn caller_roles(&self) -> &[String] {
        &self.roles
    }

    /// Sets which attempt it is, from 1.
    #[must_use]
    pub const fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// Sets when the caller stops waiting. The executor is told; it is not interrupted.
    #[must_use]
    pub const fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the deadline to a time from now; a time too far to be said sets none.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.deadline = Instant::now().checked_add(timeout);
        self
    }

    /// Sets the switch by which the caller cancels the call.
    #[must_use]
    pub fn cancellation(mut self, cancellation: Cancellation) -> Self {
        self.cancellation = Some(cancellation);
        self
    }

    /// Sets what is told of the executor's progress, on the thread that the executor reports from.
    #[must_use]
    pub fn on_progress(mut self, listener: impl Fn(Progress<'_>) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(listener));
        self
    }

    /// The same call as the plugin sees it.
    #[must_use]
    #[inline]
    pub fn context(&self) -> CallContext<'_> {
        CallContext(self.raw())
    }

    /// The same call as it crosses the boundary.
    #[doc(hidden)]
    #[must_use]
    #[inline]
    pub fn raw(&self) -> RawCallRef<'_> {
        RawCall_TO::from_ptr(RRef::new(self), TD_Opaque)
    }
}

impl Default for CallOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallOptions")
            .field("context", &self.context())
            .field("user", &self.user)
            .field("roles", &self.roles)
            .finish()
    }
}

impl RawCall for CallOptions {
    fn execution_id(&self) -> RStr<'_> {
        self.execution_id.as_str().into()
    }

    fn node_id(&self) -> RStr<'_> {
        self.node_id.as_str().into()
    }

    fn tenant(&self) -> RStr<'_> {
        self.tenant.as_str().into()
    }

    fn attempt(&self) -> u32 {
        self.attempt
    }

    fn remaining_ns(&self) -> u64 {
        remaining_ns(self.deadline)
    }

    fn is_cancelled(&self) -> bool {
        is_cancelled(self.cancellation.as_ref())
    }

    fn watch(&self) -> RawWatchArc {
        let watched = Watched {
            deadline: self.deadline,
            cancellation: self.cancellation.clone(),
        };
        RawWatch_TO::from_ptr(RArc::new(watched), TD_Opaque)
    }

    fn progress(&self, fraction: f64, message: RStr<'_>) {
        if let Some(listener) = &self.progress {
            let told = Progress {
                fraction: (!fraction.is_nan()).then_some(fraction),
                message: message.into(),
            };
            // The listener is the caller's code on the plugin's stack: its panics stay on this side.
            let _ = crate::abi::contain(|| listener(told));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_tells_why_nobody_waits() {
        let options = CallOptions::new();
        assert!(options.context().checkpoint().is_ok());

        let switch = Cancellation::new();
        let options = CallOptions::new().cancellation(switch.clone());
        assert!(options.context().checkpoint().is_ok());
        let watch = options.context().watch();
        assert!(watch.checkpoint().is_ok());
        switch.cancel();
        drop(switch);
        let error = watch.checkpoint().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        let error = options.context().checkpoint().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);

        let options = CallOptions::new().deadline(Instant::now());
        let error = options.context().checkpoint().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ExecutionTimeout);
    }

    #[test]
    fn who_calls_is_for_the_host_alone() {
        let options = CallOptions::new();
        assert_eq!(
            (options.caller_user(), options.caller_roles()),
            ("", &[][..])
        );
        let options = options.user("ada").role("clerk").role("auditor");
        assert_eq!(options.caller_user(), "ada");
        assert_eq!(options.caller_roles(), ["clerk", "auditor"]);
        assert!(format!("{options:?}").contains("ada"));
        assert!(!format!("{:?}", options.context()).contains("ada"));
    }

    #[test]
    fn progress_reaches_the_listener_and_its_panic_does_not_come_back() {
        let (sender, received) = std::sync::mpsc::channel();
        let options = CallOptions::new().on_progress(move |progress| {
            sender
                .send((progress.fraction, progress.message.to_owned()))
                .unwrap();
        });
        options.context().progress(7.0, "over");
        options.context().progress_unknown("somewhere");
        assert_eq!(received.recv(), Ok((Some(1.0), "over".to_owned())));
        assert_eq!(received.recv(), Ok((None, "somewhere".to_owned())));

        let options = CallOptions::new().on_progress(|_| panic!("listener"));
        options.context().progress(0.5, "half");
    }
}
