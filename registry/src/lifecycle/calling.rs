//! How a call finds its instance.
//!
//! The short way is a door that leads to a live instance: a pointer that is read without a lock, and
//! one virtual call. Where it leads nowhere, the long way is taken: what answers is looked up, an
//! instance of it is found or started, and the door is opened for those who come after.
//!
//! A call with a deadline is made on a thread of its own, so that it can be given up.

use std::sync::Arc;
use std::time::Duration;

use floe_plugin_api::abi::RawCallRef;
use floe_plugin_api::{CallOptions, Value};

use super::answering::Asked;
use super::catalog::Catalog;
use super::entrance::Entrance;
use super::gate::{Caller, Permit};
use super::line::{Line, Track};
use super::running::Lodging;
use super::slot::Slot;
use super::start::{Occupied, Refusal};
use super::supervisor::Supervisor;
use super::target::{Target, through, through_own};
use super::workers::{Lost, Message, Overrun, Task, Ticket, far};
use crate::error::{CallError, OverrunError};
use crate::host::{Said, Waited};
use crate::id::Reference;
use crate::isolation::Isolation;
use crate::policy::{Answer, Recovery};

/// What a call says that may take as long as it likes.
const NEVER: u64 = u64::MAX;

/// How often a call looks for what answers, when that is replaced each time before it gets there.
const TRIES: usize = 1_000;

/// Whose call it is, and so what answers to it.
#[derive(Clone)]
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
    /// The node type that it is called by.
    pub(super) fn node_type(&self) -> &str {
        match self {
            Self::Name(reference) | Self::Plugin(_, reference) => {
                reference.split('@').next().unwrap_or_default()
            }
            Self::Line(track) => track.reference().node_type(),
        }
    }

    /// What answers now.
    pub(super) fn target(&self, supervisor: &Supervisor) -> Result<Arc<Target>, CallError> {
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

    /// The doors by which those get to a target who look nothing up.
    fn entrance<'a>(&'a self, target: &'a Target) -> &'a Entrance {
        match self {
            Self::Line(track) => track.entrance(),
            Self::Name(_) | Self::Plugin(..) => target.entrance(),
        }
    }

    /// Opens the door by which those who come after get there.
    fn open(&self, permit: &Permit, target: &Arc<Target>, occupied: &Occupied) {
        let tenancy = permit.tenancy(target.slot());
        let open = |entrance: &Entrance| occupied.open(&entrance.door_of(tenancy), target);
        match self {
            Self::Line(track) => track.if_still(target, open),
            Self::Name(_) | Self::Plugin(..) => open(target.entrance()),
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
    /// Calls an executor by name, with nothing said of the call.
    #[inline]
    pub(crate) fn call(
        self: &Arc<Self>,
        reference: &str,
        input: &Value,
        options: &CallOptions,
    ) -> Result<Value, CallError> {
        let Some(permit) = self.plainly() else {
            return self.call_with(reference, input, options);
        };
        // The plugin writes to the place that is returned: a value that was just written is slow to
        // move (see `RawPlugin::execute`).
        let mut result = Ok(Value::Null);
        if let Ok(output) = &mut result
            && let Err(error) = self.call_named(permit, reference, input, options.raw(), output)
        {
            result = Err(error);
        }
        match result {
            Err(error) if self.gate().recovers() => {
                let wanted = Wanted::Name(reference.to_owned());
                self.mend(&wanted, input, options, error)
            }
            result => result,
        }
    }

    /// Calls an executor by name; the call may have a deadline.
    #[inline]
    pub(crate) fn call_with(
        self: &Arc<Self>,
        reference: &str,
        input: &Value,
        options: &CallOptions,
    ) -> Result<Value, CallError> {
        let wanted = Wanted::Name(reference.to_owned());
        self.call_saying(&wanted, input, options)
    }

    #[inline]
    fn call_named(
        self: &Arc<Self>,
        permit: &Permit,
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
            let call = call.sabi_reborrow();
            if let Some(called) = through(permit, target.door(), input, call, output) {
                return called;
            }
        }
        let wanted = Wanted::Name(reference.to_owned());
        self.call_anew(permit, &wanted, None, input, call, output)
    }

    /// Calls an executor on behalf of a plugin, whose instance is a tenant's or nobody's in particular.
    pub(crate) fn call_for(
        self: &Arc<Self>,
        caller: &Arc<Slot>,
        tenant: Option<&str>,
        reference: &str,
        input: &Value,
        call: RawCallRef<'_>,
    ) -> Result<Value, CallError> {
        let wanted = Wanted::Plugin(caller.clone(), reference.to_owned());
        let Some(permit) = self.gate().open() else {
            let caller = Caller::of_plugin(tenant);
            let asked = Asked::by_plugin(&wanted, input, call, caller);
            return self.answer_to(&asked).output;
        };
        let mut output = Value::Null;
        self.call_once(permit, &wanted, None, input, call, &mut output)?;
        Ok(output)
    }

    /// Calls an executor by way of a handle, with nothing said of the call.
    #[inline]
    pub(crate) fn call_line(
        self: &Arc<Self>,
        line: &Arc<Line>,
        input: &Value,
        options: &CallOptions,
    ) -> Result<Value, CallError> {
        let Some(permit) = self.plainly() else {
            return self.call_line_with(line, input, options);
        };
        let mut result = Ok(Value::Null);
        if let Ok(output) = &mut result {
            let door = line.track().door();
            let called = match through(permit, door, input, options.raw(), output) {
                Some(called) => called,
                None => {
                    let wanted = Wanted::Line(line.track().clone());
                    self.call_anew(permit, &wanted, None, input, options.raw(), output)
                }
            };
            if let Err(error) = called {
                result = Err(error);
            }
        }
        match result {
            Err(error) if self.gate().recovers() => {
                let wanted = Wanted::Line(line.track().clone());
                self.mend(&wanted, input, options, error)
            }
            result => result,
        }
    }

    /// The same; the call may have a deadline.
    #[inline]
    pub(crate) fn call_line_with(
        self: &Arc<Self>,
        line: &Arc<Line>,
        input: &Value,
        options: &CallOptions,
    ) -> Result<Value, CallError> {
        let wanted = Wanted::Line(line.track().clone());
        self.call_saying(&wanted, input, options)
    }

    /// Makes a call of which something is said.
    #[inline]
    fn call_saying(
        self: &Arc<Self>,
        wanted: &Wanted,
        input: &Value,
        options: &CallOptions,
    ) -> Result<Value, CallError> {
        if let Some(permit) = self.gate().open()
            && !self.gate().recovers()
        {
            let mut output = Value::Null;
            self.call_once(permit, wanted, None, input, options.raw(), &mut output)?;
            return Ok(output);
        }
        self.answer_to(&Asked::by_host(wanted, input, options, None))
            .output
    }

    /// Goes on with a call that failed when nobody looked.
    #[cold]
    #[inline(never)]
    fn mend(
        self: &Arc<Self>,
        wanted: &Wanted,
        input: &Value,
        options: &CallOptions,
        failed: CallError,
    ) -> Result<Value, CallError> {
        let asked = Asked::by_host(wanted, input, options, None);
        self.go_on(&asked, Some(failed)).output
    }

    /// The answer to a call by name, with all that led to it.
    pub(crate) fn answer_name(
        self: &Arc<Self>,
        reference: &str,
        input: &Value,
        options: &CallOptions,
        recovery: Option<&Recovery>,
    ) -> Answer {
        let wanted = Wanted::Name(reference.to_owned());
        self.answer_to(&Asked::by_host(&wanted, input, options, recovery).in_detail())
    }

    /// The answer to a call by way of a handle, with all that led to it.
    pub(crate) fn answer_line(
        self: &Arc<Self>,
        line: &Line,
        input: &Value,
        options: &CallOptions,
        recovery: Option<&Recovery>,
    ) -> Answer {
        let wanted = Wanted::Line(line.track().clone());
        self.answer_to(&Asked::by_host(&wanted, input, options, recovery).in_detail())
    }

    /// A way through for a call that has no deadline and that nobody is to be asked about.
    #[inline]
    fn plainly(&self) -> Option<&'static Permit> {
        match self.ground().deadlines.call {
            Some(_) => None,
            None => self.gate().open(),
        }
    }

    /// Makes a call once. What answers is looked for where that is not `known`.
    pub(super) fn call_once(
        self: &Arc<Self>,
        permit: &Permit,
        wanted: &Wanted,
        known: Option<&Arc<Target>>,
        input: &Value,
        call: RawCallRef<'_>,
        output: &mut Value,
    ) -> Result<(), CallError> {
        if let Some(allowed) = self.bound(&call) {
            return self.call_bounded(permit, wanted, input, &call, allowed, output);
        }
        if permit.is_guarded() {
            if let Some(target) = known
                && let entrance = wanted.entrance(target)
                && let call = call.sabi_reborrow()
                && let Some(called) = through_own(permit, entrance, target, input, call, output)
            {
                return called;
            }
        } else {
            let target;
            let door = match (wanted, known) {
                (Wanted::Line(track), _) => track.door(),
                (_, Some(known)) => known.door(),
                (_, None) => {
                    target = wanted.target(self)?;
                    target.door()
                }
            };
            if let Some(called) = through(permit, door, input, call.sabi_reborrow(), output) {
                return called;
            }
        }
        self.call_anew(permit, wanted, known, input, call, output)
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

    /// The instance that a call is for, found or started. Looks for what answers where that is not `known`,
    /// and again when it answers no longer.
    fn find(
        self: &Arc<Self>,
        permit: &Permit,
        wanted: &Wanted,
        known: Option<&Arc<Target>>,
    ) -> Result<(Arc<Target>, Occupied), CallError> {
        let mut target = match known {
            Some(known) => known.clone(),
            None => wanted.target(self)?,
        };
        for _ in 0..TRIES {
            let slot = target.slot();
            if !permit.is_for(slot) {
                // It was let through to another kind of plugin.
                return Err(slot.replaced_always());
            }
            let lodging = permit.lodging(wanted.lodging(), slot);
            match self.occupy(slot, lodging) {
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
        permit: &Permit,
        wanted: &Wanted,
        known: Option<&Arc<Target>>,
        input: &Value,
        call: RawCallRef<'_>,
        output: &mut Value,
    ) -> Result<(), CallError> {
        let _caller = permit.stand_in();
        let (target, occupied) = self.find(permit, wanted, known)?;
        wanted.open(permit, &target, &occupied);
        occupied.call(permit, &target, input, call, output)
    }

    /// Makes a call on another thread, and waits for it as long as is allowed.
    #[cold]
    fn call_bounded(
        self: &Arc<Self>,
        permit: &Permit,
        wanted: &Wanted,
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
        let (permit, wanted) = (permit.clone(), wanted.clone());
        let task = Task {
            plugin: slot.title(),
            doing: doing.clone(),
            // Which instance answers is found there.
            isolation: Isolation::InProcess,
        };
        let body = move |ticket: &Arc<Ticket>, sender: &std::sync::mpsc::Sender<Message<_>>| {
            let _caller = permit.stand_in();
            let (target, occupied) = supervisor.find(&permit, &wanted, None)?;
            let mut output = Value::Null;
            if !ticket.enter(occupied.running()) {
                // Nobody waits: what was started is there for the next.
                return Ok(output);
            }
            wanted.open(&permit, &target, &occupied);
            let sender = sender.clone();
            let teller = ticket.clone();
            let call = said.relayed(
                Waiting(ticket.clone()),
                Box::new(move |fraction, message| {
                    teller.tell_progress(&sender, fraction, message);
                }),
            );
            match occupied.call(&permit, &target, &input, call.raw(), &mut output) {
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
                    && let Some(recorder) = target.recorder()
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
