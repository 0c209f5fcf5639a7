//! Values into jq's and back, without a change: what cannot be said on the other side is refused.

use floe_plugin_api::{Bytes, Error, ErrorKind, List, Map, Result, Text, Value};
use jaq_json::{Num, Val};

/// How deep lists and maps may be nested. The engine follows them on the stack, and a stack that ends
/// ends the process.
pub(crate) const MAX_DEPTH: usize = 256;

/// A floe value as one of jq's.
pub(crate) fn to_jq(value: Value) -> Result<Val> {
    inner_to_jq(value, MAX_DEPTH)
}

fn inner_to_jq(value: Value, depth: usize) -> Result<Val> {
    let too_deep = || {
        Error::new(
            ErrorKind::ValidationFailed,
            format!("`input` is nested deeper than `{MAX_DEPTH}`"),
        )
    };
    Ok(match value {
        Value::Null => Val::Null,
        Value::Bool(value) => Val::Bool(value),
        Value::I64(value) => Val::Num(Num::from_integral(value)),
        Value::U64(value) => Val::Num(Num::from_integral(value)),
        Value::F64(value) => Val::Num(Num::Float(value)),
        Value::String(text) => String::from(text).into(),
        Value::Bytes(bytes) => Val::byte_str(bytes.into_vec()),
        Value::List(items) => {
            let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
            let items = items.into_iter().map(|item| inner_to_jq(item, depth));
            items.collect::<Result<_>>()?
        }
        Value::Map(entries) => {
            let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
            let entries = entries.into_iter().map(|entry| {
                let value = inner_to_jq(entry.value, depth)?;
                Ok((Val::from(String::from(entry.key)), value))
            });
            Val::obj(entries.collect::<Result<_>>()?)
        }
    })
}

/// One of jq's values as floe's.
pub(crate) fn from_jq(value: &Val) -> Result<Value> {
    inner_from_jq(value, MAX_DEPTH)
}

fn inner_from_jq(value: &Val, depth: usize) -> Result<Value> {
    let too_deep = || refused(&format!("is nested deeper than `{MAX_DEPTH}`"));
    Ok(match value {
        Val::Null => Value::Null,
        Val::Bool(value) => (*value).into(),
        Val::Num(number) => from_number(number)?,
        Val::TStr(text) => utf8(text)?.into(),
        Val::BStr(bytes) => Bytes::from(bytes.as_ref().as_ref()).into(),
        Val::Arr(items) => {
            let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
            let items = items.iter().map(|item| inner_from_jq(item, depth));
            items.collect::<Result<List>>()?.into()
        }
        Val::Obj(entries) => {
            let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
            let entries = entries.iter().map(|(key, value)| {
                let Val::TStr(key) = key else {
                    return Err(refused(&format!("has the key `{key}`, which is no string")));
                };
                Ok((utf8(key)?, inner_from_jq(value, depth)?))
            });
            entries.collect::<Result<Map>>()?.into()
        }
    })
}

fn from_number(number: &Num) -> Result<Value> {
    let unfit = || refused(&format!("holds `{number}`, which does not fit 64 bits"));
    match number {
        Num::Int(value) => Ok(i64::try_from(*value).map_err(|_| unfit())?.into()),
        Num::BigInt(value) => i64::try_from(&**value)
            .map(Value::from)
            .or_else(|_| u64::try_from(&**value).map(Value::from))
            .map_err(|_| unfit()),
        Num::Float(value) => Ok((*value).into()),
        // A literal of the filter, such as `0.1`, that nothing was calculated with yet.
        Num::Dec(text) => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value.into()),
            _ => Err(unfit()),
        },
    }
}

fn utf8(bytes: &[u8]) -> Result<Text> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(_) => Err(refused(
            "holds a string that is not utf-8; make it bytes with `tobytes`",
        )),
    }
}

fn refused(why: &str) -> Error {
    Error::execution(format!("the output {why}"))
}

/// Whether a JSON text is nested deeper than [`MAX_DEPTH`].
pub(crate) fn is_too_deep(json: &[u8]) -> bool {
    let mut depth = 0_usize;
    let (mut in_string, mut escaped) = (false, false);
    json.iter().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_DEPTH
    })
}
