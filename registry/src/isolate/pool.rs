//! An instance in workers: as many as it may have, made when they are needed.
//!
//! To whoever calls it, it is an instance as any other. A call goes to the worker with the fewest calls in it.
//! One that ends takes its own calls with it and no others; another one is made in its place at the next call,
//! the later the more of them have crashed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use floe_plugin_api::abi::abi_stable::sabi_trait::TD_Opaque;
use floe_plugin_api::abi::abi_stable::std_types::{
    RBox, RErr, RNone, ROk, ROption, RResult, RSome,
};
use floe_plugin_api::abi::{
    RawCallRef, RawError, RawHealth, RawPlugin, RawPlugin_TO, RawPluginBox, contain,
};
use floe_plugin_api::{Error, ErrorKind, Value};
use parking_lot::{Condvar, Mutex};

use super::end::How;
use super::errors;
use super::process::{NESTED, Request, Worker};
use super::recipe::{Recipe, Unmade};

/// How long after a first crash the next worker is made; twice as long after each further one.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// The longest wait between a crash and the next worker.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long a worker must have been well for its crash to be the first.
const WELL: Duration = Duration::from_secs(60);

/// How often whoever waits for room in a worker looks again.
const LOOK: Duration = Duration::from_millis(5);

/// An instance in workers.
pub(crate) struct Pool {
    recipe: Arc<Recipe>,
    seats: Mutex<Seats>,
    changed: Condvar,
}

struct Seats {
    all: Vec<Seat>,
    crashes: u32,
    /// When the next worker may be made.
    not_before: Option<Instant>,
}

enum Seat {
    Empty,
    /// Somebody makes one.
    Making,
    Live(Arc<Worker>),
}

impl Seats {
    /// Empties the seats of those that are there no more.
    fn sweep(&mut self, now: Instant) {
        let mut faults = 0;
        for seat in &mut self.all {
            let Seat::Live(worker) = seat else { continue };
            // One that is being stopped keeps its seat until it has ended.
            let Some(end) = worker.ended() else { continue };
            if end.is_fault() {
                if worker.began.elapsed() > WELL {
                    self.crashes = 0;
                }
                faults += 1;
            }
            *seat = Seat::Empty;
        }
        for _ in 0..faults {
            self.back_off(now);
        }
    }

    /// Has the next worker be made later than the one before it.
    fn back_off(&mut self, now: Instant) {
        let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(self.crashes));
        self.crashes = self.crashes.saturating_add(1);
        self.not_before = now.checked_add(wait.min(LONGEST_WAIT));
    }

    /// The live worker with the fewest calls in it.
    fn least(&self) -> Option<&Arc<Worker>> {
        let live = self.all.iter().filter_map(|seat| match seat {
            Seat::Live(worker) if !worker.is_closed() => Some(worker),
            _ => None,
        });
        live.min_by_key(|worker| worker.load())
    }
}

impl Pool {
    /// Makes the first worker of an instance.
    pub(crate) fn start(recipe: Arc<Recipe>, workers: usize) -> Result<RawPluginBox, Unmade> {
        let first = recipe.make()?;
        let mut all = vec![Seat::Live(first)];
        all.resize_with(workers.max(1), || Seat::Empty);
        let pool = Self {
            recipe,
            seats: Mutex::new(Seats {
                all,
                crashes: 0,
                not_before: None,
            }),
            changed: Condvar::new(),
        };
        Ok(RawPlugin_TO::from_ptr(RBox::new(pool), TD_Opaque))
    }

    /// A worker to call: one that has nothing to do, a new one, or the one with the least to do.
    fn worker(&self, until: Option<Instant>) -> Result<Arc<Worker>, Error> {
        let limit = Worker::limit();
        let mut seats = self.seats.lock();
        loop {
            let now = Instant::now();
            seats.sweep(now);
            let full = seats.least().is_some_and(|worker| worker.load() >= limit);
            if full && limit == NESTED {
                return Err(Error::new(
                    ErrorKind::ResourceExhausted,
                    format!("{NESTED} calls are in its worker, most of them of other plugins"),
                ));
            }
            let least = seats.least().filter(|worker| worker.load() < limit);
            if let Some(idle) = least.filter(|worker| worker.load() == 0) {
                return Ok(idle.clone());
            }
            let empty = seats
                .all
                .iter()
                .position(|seat| matches!(seat, Seat::Empty));
            let wait = seats
                .not_before
                .and_then(|then| then.checked_duration_since(now))
                .filter(|wait| !wait.is_zero());
            match (empty, wait, least) {
                (Some(empty), None, _) => {
                    if let Some(seat) = seats.all.get_mut(empty) {
                        *seat = Seat::Making;
                    }
                    drop(seats);
                    // The seat must not stay taken by nobody.
                    let made = contain(|| self.recipe.make()).unwrap_or_else(|panicked| {
                        let message = format!("the host panicked: {}", panicked.message);
                        Err(Unmade::Said(errors::lost(message)))
                    });
                    let mut seats = self.seats.lock();
                    if made.is_err() {
                        seats.back_off(Instant::now());
                    }
                    if let Some(seat) = seats.all.get_mut(empty) {
                        *seat = match &made {
                            Ok(worker) => Seat::Live(worker.clone()),
                            Err(_) => Seat::Empty,
                        };
                    }
                    let other = seats.least().filter(|worker| worker.load() < limit);
                    let other = other.cloned();
                    drop(seats);
                    self.changed.notify_all();
                    if let (Err(unmade), Some(other)) = (&made, other) {
                        tracing::debug!(plugin = %self.recipe.title, ?unmade, "another worker has room");
                        return Ok(other);
                    }
                    return made.map_err(|unmade| {
                        unmade
                            .into_error()
                            .context("its worker could not be made again")
                    });
                }
                (_, _, Some(least)) => return Ok(least.clone()),
                (_, wait, None) => {
                    if until.is_some_and(|until| now >= until) {
                        return Err(Error::new(
                            ErrorKind::ExecutionTimeout,
                            "no worker was free for it in time",
                        ));
                    }
                    let look = wait.map_or(LOOK, |wait| wait.min(LOOK));
                    self.changed.wait_for(&mut seats, look);
                }
            }
        }
    }

    fn call(&self, operation: u32, input: &Value, call: &RawCallRef<'_>) -> Result<Value, Error> {
        let allowed = match call.remaining_ns() {
            u64::MAX => None,
            left => Some(Duration::from_nanos(left)),
        };
        let until = allowed.and_then(|allowed| Instant::now().checked_add(allowed));
        loop {
            let worker = self.worker(until)?;
            let Some(_inside) = worker.begin() else {
                continue;
            };
            let request = Request::Call {
                operation,
                input,
                call,
            };
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            return worker.ask(&request, left);
        }
    }

    /// The live workers.
    fn live(&self) -> Vec<Arc<Worker>> {
        let seats = self.seats.lock();
        let live = seats.all.iter().filter_map(|seat| match seat {
            Seat::Live(worker) if !worker.is_closed() => Some(worker.clone()),
            _ => None,
        });
        live.collect()
    }

    fn ask_health(&self) -> Result<RawHealth, Error> {
        let mut worst = RawHealth {
            state: 0,
            message: "".into(),
            details: Value::Null,
        };
        for worker in self.live() {
            let Some(_inside) = worker.begin() else {
                continue;
            };
            let said = worker.ask(&Request::Health, self.recipe.health)?;
            let state = said.get("state").and_then(Value::as_u64).unwrap_or(2);
            let state = u8::try_from(state).unwrap_or(2);
            if state >= worst.state {
                let message = said.get("message").and_then(Value::as_str);
                worst = RawHealth {
                    state,
                    message: message.unwrap_or_default().into(),
                    details: said.get("details").cloned().unwrap_or_default(),
                };
            }
        }
        Ok(worst)
    }

    fn end(&self) -> Result<(), Error> {
        let mut result = Ok(());
        let workers = {
            let mut seats = self.seats.lock();
            std::mem::take(&mut seats.all)
        };
        for seat in workers {
            let Seat::Live(worker) = seat else { continue };
            if worker.is_closed() {
                // Somebody stops it already.
                let until = self
                    .recipe
                    .stop
                    .and_then(|stop| Instant::now().checked_add(stop));
                while worker.ended().is_none() && until.is_none_or(|until| Instant::now() < until) {
                    std::thread::sleep(LOOK);
                }
                continue;
            }
            worker.close();
            if let Err(error) = worker.ask(&Request::Stop, self.recipe.stop) {
                result = result.and(Err(error));
            }
            worker.conclude(How::Stopped);
        }
        result
    }
}

impl Drop for Pool {
    /// Ends those that were not stopped, whoever may still hold them.
    fn drop(&mut self) {
        for worker in self.live() {
            worker.conclude(How::Stopped);
        }
    }
}

/// Does something on this side of the boundary, over which no panic may go.
fn held<T>(act: impl FnOnce() -> Result<T, Error>) -> Result<T, RawError> {
    match contain(act) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(error.into()),
        Err(panicked) => {
            Err(errors::lost(format!("the host panicked: {}", panicked.message)).into())
        }
    }
}

impl RawPlugin for Pool {
    fn execute(
        &self,
        operation: u32,
        input: &Value,
        call: RawCallRef<'_>,
        output: &mut Value,
    ) -> ROption<RawError> {
        match held(|| self.call(operation, input, &call)) {
            Ok(value) => {
                *output = value;
                RNone
            }
            Err(error) => RSome(error),
        }
    }

    fn health(&self) -> RResult<RawHealth, RawError> {
        match held(|| self.ask_health()) {
            Ok(health) => ROk(health),
            Err(error) => RErr(error),
        }
    }

    fn stop(self) -> RResult<(), RawError> {
        match held(|| self.end()) {
            Ok(()) => ROk(()),
            Err(error) => RErr(error),
        }
    }
}
