//! How a call finds its instance.
//!
//! The short way is a door that leads to a live instance: a pointer that is read without a lock, and
//! one virtual call. Where it leads nowhere, the long way is taken: what answers is looked up, an
//! instance of it is found or started, and the door is opened for those who come after.
//!
//! A call with a deadline is made on a thread of its own, so that it can be given up.

use std::sync::Arc;
use std::time::Duration;

use floe_plugin_api::Value;
use floe_plugin_api::abi::RawCallRef;

use super::catalog::Catalog;
use super::door::Door;
use super::line::{Line, Track};
use super::running::{Bound, Lodging};
use super::slot::Slot;
use super::start::{Occupied, Refusal};
use super::supervisor::Supervisor;
use super::target::{Target, through};
use super::workers::{Lost, Message, Overrun, Task, Ticket, far};
use crate::error::{CallError, OverrunError};
use crate::host::{Said, Waited};
use crate::id::Reference;
use crate::isolation::Isolation;

/// What a call says that may take as long as it likes.
const NEVER: u64 = u64::MAX;

/// How often a call looks for what answers, when that is replaced each time before it gets there.
const TRIES: usize = 1_000;

/// Whose call it is, and so what answers to it.
pub(crate) enum Wanted {
    /// Somebody's who says a name.
    Name(String),
    /// A handle's.
    Line(Arc<Track>),
    /// A plugin's.
    Plugin(Arc<Slot>, String),
}

static NOBODY: Lodging = Lodging::NOBODY;

impl Wanted {
    /// What answers now.
    fn target(&self, supervisor: &Supervisor) -> Result<Arc<Target>, CallError> {
        match self {
            Self::Name(reference) => Ok(resolve(&supervisor.catalog(), reference)?.clone()),
            Self::Line(track) => Ok(track.answer(supervisor)?),
            Self::Plugin(caller, reference) => {
                let catalog = supervisor.catalog_for(caller);
                Ok(catalog.resolve_for(caller, reference)?.clone())
            }
        }
    }

    fn lodging(&self) -> &Lodging {
        match self {
            Self::Line(track) => track.lodging(),
            Self::Name(_) | Self::Plugin(..) => &NOBODY,
        }
    }

    /// Opens the door by which those who come after get there.
    fn open(&self, target: &Arc<Target>, occupied: &Occupied) {
        let open = |door: &Arc<Door<Bound>>| occupied.open(door, target);
        match self {
            Self::Line(track) => track.if_still(target, open),
            Self::Name(_) | Self::Plugin(..) => open(target.door()),
        }
    }
}

/// The target that answers to a reference.
pub(crate) fn resolve<'a>(
    catalog: &'a Catalog,
    reference: &str,
) -> Result<&'a Arc<Target>, crate::error::LookupError> {
    match catalog.default_target(reference) {
        Some(target) => Ok(target),
        None => catalog.resolve(&reference.parse::<Reference>()?),
    }
}

impl Supervisor {
    /// Calls an executor by name, without a deadline of the caller's.
    #[inline]
    pub(crate) fn call(
        self: &Arc<Self>,
        reference: &str,
        input: &Value,
        call: RawCallRef<'_>,
    ) -> Result<Value, CallError> {
        if self.ground().deadlines.call.is_some() {
            return self.call_with(reference, input, call);
        }
        // The plugin writes to the place that is returned: a value that was just written is slow to
        // move (see `RawPlugin::execute`).
        let mut result = Ok(Value::Null);
        if let Ok(output) = &mut result
            && let Err(error) = self.call_here(reference, input, call, output)
        {
            result = Err(error);
        }
        result
    }

    #[inline]
    fn call_here(
        self: &Arc<Self>,
        reference: &str,
        input: &Value,
        call: RawCallRef<'_>,
        output: &mut Value,
    ) -> Result<(), CallError> {
        {
            // The guard keeps the catalog, and so the target, for as long as the call lasts; it is
            // not a lock, and a new catalog does not wait for it.
            let catalog = self.catalog.load();
            let target = resolve(&catalog, reference)?;
            if let Some(called) = through(target.door(), input, call.sabi_reborrow(), output) {
                return called;
            }
        }
        self.call_anew(&Wanted::Name(reference.to_owned()), input, call, output)
    }

    /// Calls an executor by name; the call may have a deadline.
    pub(crate) fn call_with(
        self: &Arc<Self>,
        reference: &str,
        input: &Value,
        call: RawCallRef<'_>,
    ) -> Result<Value, CallError> {
        let mut output = Value::Null;
        match self.bound(&call) {
            None => self.call_here(reference, input, call, &mut output)?,
            Some(allowed) => {
                let wanted = Wanted::Name(reference.to_owned());
                self.call_bounded(wanted, input, &call, allowed, &mut output)?;
            }
        }
        Ok(output)
    }

    /// Calls an executor on behalf of a plugin.
    pub(crate) fn call_for(
        self: &Arc<Self>,
        caller: &Arc<Slot>,
        reference: &str,
        input: &Value,
        call: RawCallRef<'_>,
    ) -> Result<Value, CallError> {
        let mut output = Value::Null;
        let wanted = || Wanted::Plugin(caller.clone(), reference.to_owned());
        match self.bound(&call) {
            Some(allowed) => {
                self.call_bounded(wanted(), input, &call, allowed, &mut output)?;
            }
            None => {
                let target = wanted().target(self)?;
                let through = through(target.door(), input, call.sabi_reborrow(), &mut output);
                match through {
                    Some(called) => called?,
                    None => self.call_anew(&wanted(), input, call, &mut output)?,
                }
            }
        }
        Ok(output)
    }

    /// Calls an executor by way of a handle.
    #[inline]
    pub(crate) fn call_line(
        self: &Arc<Self>,
        line: &Arc<Line>,
        input: &Value,
        call: RawCallRef<'_>,
    ) -> Result<Value, CallError> {
        if self.ground().deadlines.call.is_some() {
            return self.call_line_with(line, input, call);
        }
        let mut result = Ok(Value::Null);
        if let Ok(output) = &mut result {
            let called = match through(line.track().door(), input, call.sabi_reborrow(), output) {
                Some(called) => called,
                None => self.call_anew(&Wanted::Line(line.track().clone()), input, call, output),
            };
            if let Err(error) = called {
                result = Err(error);
            }
        }
        result
    }

    /// The same; the call may have a deadline.
    pub(crate) fn call_line_with(
        self: &Arc<Self>,
        line: &Arc<Line>,
        input: &Value,
        call: RawCallRef<'_>,
    ) -> Result<Value, CallError> {
        let mut output = Value::Null;
        let wanted = || Wanted::Line(line.track().clone());
        match self.bound(&call) {
            Some(allowed) => {
                self.call_bounded(wanted(), input, &call, allowed, &mut output)?;
            }
            None => match through(
                line.track().door(),
                input,
                call.sabi_reborrow(),
                &mut output,
            ) {
                Some(called) => called?,
                None => self.call_anew(&wanted(), input, call, &mut output)?,
            },
        }
        Ok(output)
    }

    /// How long a call may take, by its own deadline and by the registry's.
    fn bound(&self, call: &RawCallRef<'_>) -> Option<Duration> {
        let own = match call.remaining_ns() {
            NEVER => None,
            left => Some(Duration::from_nanos(left)),
        };
        match (own, self.ground().deadlines.call) {
            (Some(own), Some(registrys)) => Some(own.min(registrys)),
            (own, registrys) => own.or(registrys),
        }
    }

    /// The instance that a call is for, found or started. Looks again when what answered before
    /// answers no longer.
    fn find(self: &Arc<Self>, wanted: &Wanted) -> Result<(Arc<Target>, Occupied), CallError> {
        let mut target = wanted.target(self)?;
        for _ in 0..TRIES {
            match self.occupy(target.slot(), wanted.lodging()) {
                Ok(occupied) => {
                    if occupied.is_new() {
                        self.ground().instances.count_miss();
                    }
                    return Ok((target, occupied));
                }
                Err(Refusal::Error(error)) => return Err(error),
                Err(Refusal::Retired) => {
                    let now = wanted.target(self)?;
                    if Arc::ptr_eq(&now, &target) {
                        // Whoever retires it has not come to what answers in its place.
                        std::thread::yield_now();
                    }
                    target = now;
                }
            }
        }
        Err(target.slot().replaced_always())
    }

    #[cold]
    #[inline(never)]
    fn call_anew(
        self: &Arc<Self>,
        wanted: &Wanted,
        input: &Value,
        call: RawCallRef<'_>,
        output: &mut Value,
    ) -> Result<(), CallError> {
        let (target, occupied) = self.find(wanted)?;
        wanted.open(&target, &occupied);
        occupied.call(&target, input, call, output)
    }

    /// Makes a call on another thread, and waits for it as long as is allowed.
    #[cold]
    fn call_bounded(
        self: &Arc<Self>,
        wanted: Wanted,
        input: &Value,
        call: &RawCallRef<'_>,
        allowed: Duration,
        output: &mut Value,
    ) -> Result<(), CallError> {
        let target = wanted.target(self)?;
        let slot = target.slot().clone();
        let doing = format!("call {}", target.node_type());
        let late = |overrun: &Overrun| {
            CallError::Overrun(Box::new(OverrunError::new(
                slot.title(),
                &doing,
                overrun.allowed,
                overrun.begun(),
            )))
        };
        if allowed.is_zero() {
            return Err(late(&Overrun {
                inside: None,
                isolation: Isolation::InProcess,
                allowed,
                how: Lost::NotBegun,
            }));
        }
        let said = Said::of(call, far(Some(allowed)));
        let input = input.clone();
        let supervisor = self.clone();
        let task = Task {
            plugin: slot.title(),
            doing: doing.clone(),
            // Which instance answers is found there.
            isolation: Isolation::InProcess,
        };
        let body = move |ticket: &Arc<Ticket>, sender: &std::sync::mpsc::Sender<Message<_>>| {
            let (target, occupied) = supervisor.find(&wanted)?;
            let mut output = Value::Null;
            if !ticket.enter(occupied.running()) {
                // Nobody waits: what was started is there for the next.
                return Ok(output);
            }
            wanted.open(&target, &occupied);
            let sender = sender.clone();
            let teller = ticket.clone();
            let call = said.relayed(
                Waiting(ticket.clone()),
                Box::new(move |fraction, message| {
                    teller.tell_progress(&sender, fraction, message);
                }),
            );
            match occupied.call(&target, &input, call.raw(), &mut output) {
                Ok(()) => Ok(output),
                Err(CallError::Overrun(mut overrun)) => {
                    // What it was given, not what was left of that when its worker was asked.
                    overrun.allowed = allowed;
                    Err(CallError::Overrun(overrun))
                }
                Err(error) => Err(error),
            }
        };
        let pending = self.ground().workers.begin(task, allowed, body, drop);
        let told = pending.wait(|fraction, message| call.progress(fraction, message.into()));
        match told {
            Ok(Ok(value)) => {
                *output = value;
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(overrun) => {
                // One that did not come to the executor is no call of it.
                if overrun.inside.is_some()
                    && let Some(recorder) =
                        self.ground().recorders.of(slot.id(), target.node_type())
                {
                    recorder.count_error(floe_plugin_api::ErrorKind::ExecutionTimeout);
                }
                self.ground().tell_overrun(&slot, &doing, &overrun);
                Err(late(&overrun))
            }
        }
    }
}

#[derive(Clone)]
struct Waiting(Arc<Ticket>);

impl Waited for Waiting {
    fn is_given_up(&self) -> bool {
        self.0.is_given_up()
    }
}
