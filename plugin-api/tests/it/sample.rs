//! A plugin whose configuration and inputs say how it is to misbehave.

use std::fmt;
use std::sync::Mutex;

use floe_plugin_api::{
    CallContext, Error, ErrorKind, Health, HostRef, Plugin, Result, Value, data, export_plugin,
    value,
};

/// How the sample is to behave.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Under which name its journal is kept.
    pub(crate) name: String,
    /// A number that must be small.
    #[serde(default)]
    pub(crate) weight: u8,
    /// Where it is to panic.
    #[serde(default)]
    pub(crate) panics_in: Vec<Place>,
    /// Where it is to fail.
    #[serde(default)]
    pub(crate) fails_in: Vec<Place>,
}

/// A place in a plugin's life.
#[data]
#[derive(Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// While it starts.
    Start,
    /// While it tells of its health.
    Health,
    /// While it stops.
    Stop,
    /// While it is dropped.
    Drop,
}

pub(crate) struct Sample {
    config: Config,
}

/// What happened to whom, in order.
static JOURNAL: Mutex<Vec<(String, &str)>> = Mutex::new(Vec::new());

/// What happened to the sample with that name.
pub(crate) fn journal(name: &str) -> Vec<&'static str> {
    let journal = JOURNAL.lock().unwrap();
    let own = journal.iter().filter(|(whose, _)| whose == name);
    own.map(|(_, what)| *what).collect()
}

impl Sample {
    fn at(&self, place: Place, what: &'static str) -> Result<()> {
        let name = self.config.name.clone();
        JOURNAL.lock().unwrap().push((name, what));
        assert!(!self.config.panics_in.contains(&place), "panic in {what}");
        if self.config.fails_in.contains(&place) {
            return Err(Error::new(
                ErrorKind::Transient,
                format!("failed in {what}"),
            ));
        }
        Ok(())
    }

    /// An associated function is as good an executor as any.
    fn weigh(&self, _input: Nothing, _call: &CallContext<'_>) -> Result<u8> {
        Ok(self.config.weight)
    }
}

impl Plugin for Sample {
    type Config = Config;

    fn start(config: Config, _host: HostRef) -> Result<Self> {
        let sample = Self { config };
        sample.at(Place::Start, "start")?;
        Ok(sample)
    }

    fn health(&self) -> Health {
        match self.at(Place::Health, "health") {
            Ok(()) => Health::degraded("so so").with_details(value!({"load": 0.5})),
            Err(error) => Health::unhealthy(error.message()),
        }
    }

    fn stop(self) -> Result<()> {
        self.at(Place::Stop, "stop")
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        // A second panic while the first unwinds would end the process.
        if !std::thread::panicking() {
            self.at(Place::Drop, "drop").unwrap();
        }
    }
}

/// No input.
#[data]
pub(crate) struct Nothing {}

/// Whom to greet.
#[data]
#[serde(deny_unknown_fields)]
struct Greeting {
    /// Everybody who is to be greeted.
    people: Vec<Person>,
    /// How often.
    #[serde(default = "once")]
    times: u8,
}

/// Somebody.
#[data]
struct Person {
    /// Their name.
    name: String,
    /// Their age, where they tell.
    age: Option<u8>,
}

fn once() -> u8 {
    1
}

/// What was said.
#[data]
struct Greeted {
    /// A line for each.
    lines: Vec<String>,
    /// What was not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<u32>,
}

fn greet(_: &Sample, input: Greeting, call: &CallContext<'_>) -> Result<Greeted> {
    let mut lines = Vec::new();
    for person in &input.people {
        call.checkpoint()?;
        let age = person.age.map(|age| format!(" ({age})"));
        let line = format!("{}{}", person.name, age.unwrap_or_default());
        lines.extend((0..input.times).map(|_| line.clone()));
    }
    Ok(Greeted {
        lines,
        left_out: None,
    })
}

fn echo(_: &Sample, input: &Value, _call: &CallContext<'_>) -> Result<Value> {
    Ok(input.clone())
}

/// How to fail.
#[data]
struct Failure {
    /// The number of the kind, in the order of the documentation.
    kind: usize,
}

fn fail(_: &Sample, input: Failure, _call: &CallContext<'_>) -> Result<()> {
    let kind = ErrorKind::ALL[input.kind];
    Err(Error::new(kind, format!("failed as {kind}")))
}

/// An error with a cause.
#[derive(Debug)]
pub(crate) struct Layered(u32);

impl fmt::Display for Layered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "layer {}", self.0)
    }
}

impl std::error::Error for Layered {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        const BELOW: [Layered; 2] = [Layered(0), Layered(1)];
        let below = self.0.checked_sub(1)?;
        Some(&BELOW[below as usize])
    }
}

fn explain(_: &Sample, _: Nothing, _call: &CallContext<'_>) -> Result<()> {
    Err(Error::from(Layered(2))
        .context("while explaining")
        .with_kind(ErrorKind::ResourceExhausted)
        .with_detail("limit", 7)
        .with_detail("used", value!([1, 2])))
}

/// An executor may have an error type of its own.
fn own_error(_: &Sample, _: Nothing, _call: &CallContext<'_>) -> std::result::Result<u8, Layered> {
    Err(Layered(1))
}

fn not_a_number(_: &Sample, _: Nothing, _call: &CallContext<'_>) -> Result<u128> {
    Ok(u128::MAX)
}

/// How to panic.
#[data]
#[serde(rename_all = "lowercase")]
enum Panic {
    /// With a text that was there all along.
    Literal,
    /// With a text that was made.
    Formatted,
    /// With something that is no text.
    Payload,
    /// With something that panics when it is dropped, as many times.
    Bomb(u32),
}

/// Panics when it is dropped, as many times as it says.
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            std::panic::panic_any(Self(self.0 - 1));
        }
    }
}

fn panic(_: &Sample, input: Panic, _call: &CallContext<'_>) -> Result<()> {
    match input {
        Panic::Literal => panic!("a literal"),
        Panic::Formatted => panic!("formatted {}", 7),
        Panic::Payload => std::panic::panic_any(7),
        Panic::Bomb(times) => std::panic::panic_any(Bomb(times)),
    }
}

/// What the host says of the call.
#[data]
struct Seen {
    execution_id: String,
    node_id: String,
    tenant: String,
    attempt: u32,
    has_deadline: bool,
    cancelled: bool,
}

fn look(_: &Sample, _: Nothing, call: &CallContext<'_>) -> Result<Seen> {
    call.progress(0.5, "half");
    call.progress_unknown("on");
    Ok(Seen {
        execution_id: call.execution_id().to_owned(),
        node_id: call.node_id().to_owned(),
        tenant: call.tenant().to_owned(),
        attempt: call.attempt(),
        has_deadline: call.remaining().is_some(),
        cancelled: call.is_cancelled(),
    })
}

/// The operations in the order of the declaration.
pub(crate) mod operation {
    pub(crate) const GREET: u32 = 0;
    pub(crate) const ECHO: u32 = 1;
    pub(crate) const FAIL: u32 = 2;
    pub(crate) const EXPLAIN: u32 = 3;
    pub(crate) const OWN_ERROR: u32 = 4;
    pub(crate) const NOT_A_NUMBER: u32 = 5;
    pub(crate) const PANIC: u32 = 6;
    pub(crate) const LOOK: u32 = 7;
    pub(crate) const WEIGH: u32 = 8;
    pub(crate) const COUNT: u32 = 9;
}

export_plugin! {
    plugin: Sample,
    kind: "quality",
    name: "sample",
    version: "2.3.4-rc.1+build.5",
    description: "Misbehaves: \"as told\", \\ and é.",
    category: "tests",
    stateless: true,
    dependencies: [
        { kind: "secrets", name: "vault", version: ">=1.2, <3" },
        { kind: "feature-store", name: "feast", version: "*", optional: true },
    ],
    executors: [
        /// Greets everybody.
        ///
        /// As often as it is told to.
        "sample.greet" => greet {
            version: "1.1.0", category: "polite", tags: ["hello", "words"], author: "Ada",
            icon: "hand", idempotent: true,
        },
        /// Gives back what it got.
        "sample.echo" => echo { experimental: true, deprecated: "use `sample.greet`" },
        "sample.fail" => fail { idempotent: false },
        "sample.explain" => explain,
        "sample.own-error" => own_error,
        "sample.not_a_number" => not_a_number,
        "sample.panic" => panic,
        "sample.look" => look,
        "sample.Weigh.v2" => Sample::weigh,
    ],
}
