//! From minijinja's values to the boundary's, and from those to text.

use floe_plugin_api::{Bytes, Entry, List, Map, Value};
use minijinja::Value as Jinja;
use minijinja::value::ValueKind;

use super::ExpressionError;
use super::budget::{Budget, DEPTH, ITEM, OUTPUT, WALKED, too_large};
use super::held::Node;

/// What a value takes, if it is neither deeper nor larger than allowed. It does not recurse.
pub(super) fn measure(
    value: &Value,
    limit: usize,
    offset: usize,
) -> Result<usize, ExpressionError> {
    enum Level<'a> {
        List(std::slice::Iter<'a, Value>),
        Map(std::slice::Iter<'a, Entry>),
    }

    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut size = 0_usize;
    let mut next = Some(value);
    loop {
        if let Some(value) = next.take() {
            size = size.saturating_add(match value {
                Value::String(text) => text.len(),
                Value::Bytes(bytes) => bytes.len(),
                _ => 0,
            });
            match value {
                Value::List(list) => levels.push(Level::List(list.iter())),
                Value::Map(map) => levels.push(Level::Map(map.iter())),
                _ => {}
            }
            if levels.len() > DEPTH {
                return Err(too_deep(offset));
            }
        }
        next = match levels.last_mut() {
            None => return Ok(size),
            Some(Level::List(items)) => items.next(),
            Some(Level::Map(entries)) => entries.next().map(|entry| {
                size = size.saturating_add(entry.key.len());
                &entry.value
            }),
        };
        match next {
            Some(_) => size = size.saturating_add(ITEM),
            None => drop(levels.pop()),
        }
        if size > limit {
            return Err(too_large(limit, offset));
        }
    }
}

#[cold]
fn too_deep(offset: usize) -> ExpressionError {
    ExpressionError::new(
        format!("found a value nested deeper than `{DEPTH}`, expected less"),
        offset,
    )
    .with_hint("refer to the part of it that is needed")
}

/// How a place in a run's value counts.
#[derive(Clone, Copy)]
pub(super) enum Places {
    /// As all that is in it, for what walks it.
    Walked,
    /// As one item, for what holds it.
    Held,
}

/// What a value takes, and a step for each item in it. What it holds twice counts twice, as it does
/// for all who walk it: ten lists of ten lists, ten times over, are a few words and 10^10 items.
pub(super) fn walk(
    value: &Jinja,
    places: Places,
    limit: usize,
    budget: &mut Budget,
    offset: usize,
) -> Result<usize, ExpressionError> {
    let mut size = 0_usize;
    let mut levels = Vec::new();
    let mut next = Some(value.clone());
    loop {
        if let Some(value) = next.take() {
            let held = match (value.downcast_object_ref::<Node>(), places) {
                (Some(node), Places::Walked) => measure(node.get(), usize::MAX, offset)?,
                (Some(_), Places::Held) => 0,
                (None, _) => match value.as_str() {
                    Some(text) => text.len(),
                    None => value.as_bytes().map_or(0, <[u8]>::len),
                },
            };
            budget.step(1 + held / WALKED, offset)?;
            size = size.saturating_add(held).saturating_add(ITEM);
            let is_made = value.downcast_object_ref::<Node>().is_none();
            match value.kind() {
                ValueKind::Seq | ValueKind::Iterable if is_made => {
                    levels.push((items(&value, offset)?, None));
                }
                ValueKind::Map if is_made => levels.push((items(&value, offset)?, Some(value))),
                _ => {}
            }
        }
        if size > limit {
            return Err(too_large(limit, offset));
        }
        next = match levels.last_mut() {
            None => return Ok(size),
            Some((items, None)) => items.next(),
            Some((names, Some(map))) => match names.next() {
                Some(name) => map.get_item(&name).ok(),
                None => None,
            },
        };
        if next.is_none() {
            levels.pop();
        }
    }
}

/// What minijinja made, as a value: integers exact, bytes as bytes, maps in their order.
pub(super) fn from_jinja(
    value: &Jinja,
    budget: &mut Budget,
    offset: usize,
) -> Result<Value, ExpressionError> {
    convert(value, 0, budget, offset)
}

fn convert(
    value: &Jinja,
    depth: usize,
    budget: &mut Budget,
    offset: usize,
) -> Result<Value, ExpressionError> {
    if depth > DEPTH {
        return Err(too_deep(offset));
    }
    if let Some(node) = value.downcast_object_ref::<Node>() {
        let size = measure(node.get(), budget.left(), offset)?;
        budget.make(size, offset)?;
        return Ok(node.get().clone());
    }
    Ok(match value.kind() {
        ValueKind::None => Value::Null,
        ValueKind::Bool => Value::Bool(value.is_true()),
        ValueKind::Number => number(value, offset)?,
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            budget.make(text.len(), offset)?;
            text.into()
        }
        ValueKind::Bytes => {
            let bytes = value.as_bytes().unwrap_or_default();
            budget.make(bytes.len(), offset)?;
            Value::Bytes(Bytes::from(bytes))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let mut list = List::new();
            for item in items(value, offset)? {
                budget.step(1, offset)?;
                budget.make(ITEM, offset)?;
                list.push(convert(&item, depth + 1, budget, offset)?);
            }
            Value::List(list)
        }
        ValueKind::Map => {
            let mut map = Map::new();
            for key in items(value, offset)? {
                budget.step(1, offset)?;
                let item = value
                    .get_item(&key)
                    .map_err(|error| explain(&error, offset))?;
                let name = match key.as_str() {
                    Some(name) => name.to_owned(),
                    None if key.is_integer() => key.to_string(),
                    None => {
                        let found = type_name(&key);
                        let message = format!("found {found} as a map's name, expected a string");
                        let error = ExpressionError::new(message, offset);
                        return Err(error.with_hint("write the name in quotes"));
                    }
                };
                budget.make(ITEM + name.len(), offset)?;
                map.push(name, convert(&item, depth + 1, budget, offset)?);
            }
            Value::Map(map)
        }
        ValueKind::Undefined => {
            return Err(ExpressionError::missing(
                "found an item that is undefined, expected a value",
                offset,
            )
            .with_hint("leave such items out, as in `… | select(\"defined\")`"));
        }
        _ => {
            let found = type_name(value);
            return Err(ExpressionError::new(
                format!("found {found}, expected a value"),
                offset,
            ));
        }
    })
}

fn number(value: &Jinja, offset: usize) -> Result<Value, ExpressionError> {
    if value.is_integer() {
        if let Some(integer) = value.as_i64() {
            return Ok(integer.into());
        }
        let integer = u64::try_from(value.clone());
        return integer.map(Value::from).map_err(|_| {
            let message = format!("found the integer `{value}`, expected one of 64 bits");
            ExpressionError::new(message, offset).with_hint("make it a number by `| float`")
        });
    }
    f64::try_from(value.clone())
        .map(Value::from)
        .map_err(|error| explain(&error, offset))
}

/// The items of a list, or the names of a map.
pub(super) fn items(
    value: &Jinja,
    offset: usize,
) -> Result<minijinja::value::ValueIter, ExpressionError> {
    value.try_iter().map_err(|_| {
        let message = format!("found {}, expected a list", type_name(value));
        ExpressionError::new(message, offset).with_hint("refer to a list")
    })
}

/// What minijinja says, in one line.
pub(super) fn explain(error: &minijinja::Error, offset: usize) -> ExpressionError {
    let reason = match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    };
    ExpressionError::new(reason, offset)
}

/// What sort of value it is, in a word.
pub(super) fn type_name(value: &Jinja) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "undefined",
        ValueKind::None => "null",
        ValueKind::Bool => "boolean",
        ValueKind::Number if value.is_integer() => "integer",
        ValueKind::Number => "number",
        ValueKind::String => "string",
        ValueKind::Bytes => "bytes",
        ValueKind::Seq | ValueKind::Iterable => "list",
        ValueKind::Map => "map",
        _ => "something else",
    }
}

/// A value as it stands in a text: a string as it is, everything else as JSON.
pub(super) fn write(
    value: &Value,
    text: &mut String,
    offset: usize,
) -> Result<(), ExpressionError> {
    let size = measure(value, OUTPUT, offset)?;
    if size.saturating_add(text.len()) > OUTPUT {
        return Err(too_large(OUTPUT, offset));
    }
    match value {
        Value::String(part) => text.push_str(part),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(part) => text.push_str(part),
            Err(_) => {
                let message = "found bytes that are no UTF-8, expected text";
                let error = ExpressionError::new(message, offset);
                return Err(error.with_hint("write the expression alone, which keeps bytes"));
            }
        },
        other => text.push_str(&json(other, offset)?),
    }
    if text.len() > OUTPUT {
        return Err(too_large(OUTPUT, offset));
    }
    Ok(())
}

/// Adds to a text, within its bound.
pub(super) fn append(part: &str, text: &mut String, offset: usize) -> Result<(), ExpressionError> {
    if part.len().saturating_add(text.len()) > OUTPUT {
        return Err(too_large(OUTPUT, offset));
    }
    text.push_str(part);
    Ok(())
}

/// A value as JSON. Its depth is measured before, as the writer recurses.
pub(super) fn json(value: &Value, offset: usize) -> Result<String, ExpressionError> {
    measure(value, OUTPUT, offset)?;
    value.to_json().map_err(|error| {
        ExpressionError::new(
            format!("found a value that JSON cannot write: {error}"),
            offset,
        )
    })
}

/// The beginning of a value, for messages.
pub(super) fn excerpt(value: &Value) -> String {
    const SHOWN: usize = 40;
    match value {
        Value::String(text) if text.chars().nth(SHOWN).is_some() => {
            let start: String = text.chars().take(SHOWN).collect();
            format!("{start}…")
        }
        Value::String(text) => text.to_string(),
        Value::List(list) => format!("[… {} …]", list.len()),
        Value::Map(map) => format!("{{… {} …}}", map.len()),
        other => format!("{other:?}"),
    }
}
