//! What is done when a node fails, in the words that `floe.toml` has for it.

use std::time::Duration;

use floe_plugin_api::{ErrorKind, Value};
use floe_registry::{
    ErrorKinds, Fallback, Jitter, Mapping, Recovery, Reference, Retry, Strategy, Substitute,
};

use super::fields;
use super::reader::{Reader, Spot};
use crate::nearest::{listed, nearest};
use crate::problem::{Problem, Rule};
use crate::source::Branch;

/// A list of strategies. In the place of one that cannot be read is one with which nothing is wrong, so
/// that the others keep theirs and are not at fault for it.
pub(super) fn read(reader: &mut Reader, list: &Spot<'_>) -> Recovery {
    let items = reader.items(list, "a list of strategies such as `[retry]`");
    let strategies = items
        .iter()
        .map(|spot| strategy(reader, spot).unwrap_or_else(unread));
    strategies.collect()
}

fn unread() -> Strategy {
    let nothing = Substitute::new(Value::Null).on([ErrorKind::Transient]);
    nothing.into_skip()
}

const STRATEGIES: [&str; 5] = ["retry", "fallback", "value", "skip", "fail"];

fn strategy(reader: &mut Reader, spot: &Spot<'_>) -> Option<Strategy> {
    if let Some(word) = spot.tree.as_str() {
        return match word {
            "retry" => Some(Retry::default().into()),
            "fail" => Some(Strategy::Fail),
            "fallback" => {
                reader.report(spot, "`fallback` needs a `node_type`, as in `{ fallback: { node_type: cache.get } }`");
                None
            }
            "value" | "skip" => {
                reader.report(
                    spot,
                    format!("`{word}` needs an `output`, as in `{{ {word}: {{ output: {{}} }} }}`"),
                );
                None
            }
            _ => unknown(reader, spot, "strategy", word, &STRATEGIES),
        };
    }
    let Branch::Map(entries) = &spot.tree.branch else {
        reader.unexpected(
            spot,
            "`retry`, `fail`, or a map of one strategy such as `{ retry: { attempts: 5 } }`",
        );
        return None;
    };
    let [entry] = entries.as_slice() else {
        let message = format!(
            "found {} strategies in one map, expected one in each",
            entries.len()
        );
        reader.report(spot, message);
        return None;
    };
    let below = spot.entry(entry);
    match entry.key.as_str() {
        "retry" => retry(reader, &below).map(Strategy::from),
        "fallback" => fallback(reader, &below).map(Strategy::from),
        "value" => substitute(reader, &below).map(Substitute::into_value),
        "skip" => substitute(reader, &below).map(Substitute::into_skip),
        "fail" => {
            reader.report(
                spot,
                "`fail` has nothing to be said of it, expected it as a word",
            );
            None
        }
        other => unknown(reader, &below, "strategy", other, &STRATEGIES),
    }
}

/// Says that a word is none of those that are known, and which it may be meant for.
fn unknown<T>(
    reader: &mut Reader,
    spot: &Spot<'_>,
    what: &str,
    word: &str,
    known: &[&str],
) -> Option<T> {
    let names = || known.iter().copied();
    let message = format!(
        "`{}` is no {what}, expected one of {}",
        word.escape_debug(),
        listed(names())
    );
    let problem = Problem::new(Rule::Format, &spot.pointer, spot.tree.place, message);
    reader.push(problem.meant(nearest(word, names()), "write one of them"));
    None
}

fn retry(reader: &mut Reader, spot: &Spot<'_>) -> Option<Retry> {
    let table = reader.table(spot, "`retry`", &fields::RETRY)?;
    let mut retry = Retry::default();
    let span = |reader: &mut Reader, name, standard: Duration| {
        let spot = table.get(name);
        spot.and_then(|spot| reader.span(&spot)).unwrap_or(standard)
    };
    retry.initial = span(reader, "initial", retry.initial);
    retry.longest = span(reader, "longest", retry.longest);
    if let Some(attempts) = table.get("attempts").and_then(|spot| reader.count(&spot)) {
        retry.attempts = attempts;
    }
    if let Some(factor) = table.get("factor").and_then(|spot| reader.number(&spot)) {
        retry.factor = factor;
    }
    if let Some(spot) = table.get("jitter") {
        let words = [("full", Jitter::Full), ("none", Jitter::None)];
        retry.jitter = reader.word(&spot, &words).unwrap_or_default();
    }
    if let Some(spot) = table.get("not_idempotent") {
        retry.not_idempotent = reader.flag(&spot).unwrap_or_default();
    }
    if let Some(spot) = table.get("on") {
        retry.on = kinds(reader, &spot)?;
    }
    Some(retry)
}

fn fallback(reader: &mut Reader, spot: &Spot<'_>) -> Option<Fallback> {
    let table = reader.table(spot, "`fallback`", &fields::FALLBACK)?;
    let target = reader.required(
        &table,
        "`fallback`",
        "node_type",
        "write `node_type`, such as `cache.get`",
    )?;
    let text = reader.name(&target)?;
    let mut fallback = match text.parse::<Reference>() {
        Ok(reference) => Fallback::new(reference),
        Err(error) => {
            reader.report(&target, error.to_string());
            return None;
        }
    };
    fallback.input = table.get("input").map(|spot| mapping(reader, &spot));
    if let Some(spot) = table.get("on") {
        fallback.on = Some(kinds(reader, &spot)?);
    }
    Some(fallback)
}

/// A map of `from` alone is a place in the original input; all else is meant as it stands.
fn mapping(reader: &mut Reader, spot: &Spot<'_>) -> Mapping {
    let mut mapping = Mapping::new();
    for entry in reader.entries(spot) {
        let from = match &entry.value.branch {
            Branch::Map(entries) => match entries.as_slice() {
                [only] if only.key == "from" => only.value.as_str(),
                _ => None,
            },
            _ => None,
        };
        mapping = match from {
            Some(pointer) => mapping.from_input(entry.key.clone(), pointer),
            None => mapping.literal(entry.key.clone(), entry.value.value()),
        };
    }
    mapping
}

fn substitute(reader: &mut Reader, spot: &Spot<'_>) -> Option<Substitute> {
    let table = reader.table(spot, "what stands in for an output", &fields::SUBSTITUTE)?;
    // Nothing is an output too.
    let Branch::Map(entries) = &spot.tree.branch else {
        return None;
    };
    let on = table.get("on").map(|spot| kinds(reader, &spot));
    let Some(entry) = entries.iter().find(|entry| entry.key == "output") else {
        reader.report(spot, "there is no `output`, expected what the caller gets");
        return None;
    };
    let mut substitute = Substitute::new(entry.value.value());
    if let Some(on) = on {
        substitute.on = Some(on?);
    }
    Some(substitute)
}

/// The kinds of errors in a list; nothing where they cannot all be read.
fn kinds(reader: &mut Reader, spot: &Spot<'_>) -> Option<ErrorKinds> {
    let Branch::List(_) = &spot.tree.branch else {
        reader.unexpected(spot, "a list of kinds of errors such as `[transient]`");
        return None;
    };
    let mut all_read = true;
    let items = reader.items(spot, "a list of kinds of errors");
    let kinds = items.iter().filter_map(|spot| {
        let kind = kind(reader, spot);
        all_read &= kind.is_some();
        kind
    });
    let kinds = kinds.collect();
    all_read.then_some(kinds)
}

fn kind(reader: &mut Reader, spot: &Spot<'_>) -> Option<ErrorKind> {
    let word = reader.text(spot)?;
    let mut all = ErrorKind::ALL.iter();
    if let Some(kind) = all.find(|kind| kind.as_str() == word) {
        return Some(*kind);
    }
    let known: Vec<&str> = ErrorKind::ALL.iter().map(|kind| kind.as_str()).collect();
    unknown(reader, spot, "kind of error", &word, &known)
}
