//! Nodes that are part of the language.

use std::sync::Arc;
use std::time::{Duration, Instant};

use floe_plugin_api::{ErrorKind, List, Map, Value};

use super::Stop;
use super::bounds;
use super::outcome::Failure;
use crate::control::Control;

/// How often a node that waits looks whether it is wanted still.
const TICK: Duration = Duration::from_millis(10);

/// What a control node gave, and which of its outputs it took.
pub(super) type Steered = Result<(Arc<Value>, Option<u32>), Failure>;

/// What leads to a node: the ids, with what each gave.
pub(super) type Arriving = Vec<(String, Option<Arc<Value>>)>;

/// Does what a control node does.
pub(super) fn steer(
    control: Control,
    parameters: &Arc<Value>,
    arriving: &Arriving,
    until: Option<Instant>,
    stop: &Stop,
) -> Steered {
    let get = |name: &str| parameters.get(name).cloned().unwrap_or_default();
    let plain = |value: Value| Ok((Arc::new(value), None));
    match control {
        Control::Condition => {
            let holds = get("condition").as_bool();
            let holds =
                holds.ok_or_else(|| invalid("condition", "true or false", &get("condition")))?;
            Ok((Arc::new(holds.into()), Some(u32::from(!holds))))
        }
        Control::Switch => {
            let (value, cases) = (get("value"), get("cases"));
            let cases = cases
                .as_list()
                .ok_or_else(|| invalid("cases", "a list", &cases))?;
            let found = cases.iter().position(|case| *case == value);
            let taken = found.unwrap_or(cases.len());
            let taken = u32::try_from(taken).unwrap_or(u32::MAX);
            Ok((Arc::new(value), Some(taken)))
        }
        Control::Set => plain(get("values")),
        Control::Merge => {
            // Before anything is copied: what comes together may be large.
            let mut weight = 0_usize;
            for output in arriving.iter().filter_map(|(_, output)| output.as_ref()) {
                weight = weight.saturating_add(bounds::weigh(output)?);
                bounds::check(weight)?;
            }
            plain(merge(get("mode").as_str().unwrap_or("map"), arriving))
        }
        Control::Wait => {
            let text = get("duration");
            let time = text.as_str().and_then(duration);
            let time = time.ok_or_else(|| invalid("duration", "such as `500ms` or `2s`", &text))?;
            wait(time, until, stop)?;
            let came = arriving.iter().find_map(|(_, output)| output.clone());
            Ok((came.unwrap_or_default(), None))
        }
        Control::Fail => {
            let message = get("message");
            let message = message
                .as_str()
                .unwrap_or("the workflow says that it fails");
            Err(Failure::new(ErrorKind::ExecutionError, message).details(get("details")))
        }
        Control::Noop => plain(Value::Null),
        // A check finds each workflow that is called, and only what was checked is run.
        Control::Call => Err(invalid(
            "workflow",
            "the id of a workflow that is known",
            &get("workflow"),
        )),
    }
}

fn merge(mode: &str, arriving: &Arriving) -> Value {
    let there = arriving
        .iter()
        .filter_map(|(id, output)| Some((id, output.as_ref()?)));
    match mode {
        "list" => {
            let outputs = there.map(|(_, output)| Value::clone(output));
            outputs.collect::<List>().into()
        }
        "first" => {
            let mut outputs = there.map(|(_, output)| Value::clone(output));
            outputs.next().unwrap_or_default()
        }
        _ => {
            let entries = there.map(|(id, output)| (id.clone(), Value::clone(output)));
            entries.collect::<Map>().into()
        }
    }
}

fn invalid(name: &str, expected: &str, found: &Value) -> Failure {
    let found = match found {
        Value::String(text) => format!("`{}`", text.chars().take(80).collect::<String>()),
        other => format!("a value of type {}", other.type_name()),
    };
    Failure::new(
        ErrorKind::InvalidParameters,
        format!("`{name}` is {found}, expected {expected}"),
    )
}

/// `500ms`, `2s`, `5m` or `1h`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    let seconds = match &text[digits.len()..] {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => number,
        "m" => number.checked_mul(60)?,
        "h" => number.checked_mul(3600)?,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}

fn wait(time: Duration, until: Option<Instant>, stop: &Stop) -> Result<(), Failure> {
    let began = Instant::now();
    loop {
        if stop.is_on() {
            return Err(Failure::new(ErrorKind::Cancelled, "the run was stopped"));
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            let message = "the time was over while it waited";
            return Err(Failure::new(ErrorKind::ExecutionTimeout, message));
        }
        let left = time.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(TICK));
    }
}
