//! Values into SQLite's and back, without a change: what cannot be said on the other side is refused.

use floe_plugin_api::{Error, ErrorKind, Map, Result, Value};
use rusqlite::Statement;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::failure;

/// Gives a statement its parameters: a list for all in order, or a map for all by name.
pub(crate) fn bind(statement: &mut Statement<'_>, params: &Value) -> Result<()> {
    match params {
        Value::List(items) => {
            let expected = statement.parameter_count();
            if items.len() != expected {
                return Err(Error::new(
                    ErrorKind::ValidationFailed,
                    format!(
                        "`params` holds `{}` values, expected `{expected}`, one for each parameter in the sql",
                        items.len()
                    ),
                ));
            }
            for (index, item) in items.iter().enumerate() {
                let value = to_sql(&format!("params[{index}]"), item)?;
                bind_one(statement, index + 1, value)?;
            }
            Ok(())
        }
        Value::Map(values) => bind_named(statement, values),
        other => Err(Error::invalid("params", "a list or a map", other.clone())),
    }
}

fn bind_named(statement: &mut Statement<'_>, values: &Map) -> Result<()> {
    let refused = |message: String| Err(Error::new(ErrorKind::ValidationFailed, message));
    let mut names = Vec::new();
    for index in 1..=statement.parameter_count() {
        let Some(name) = statement
            .parameter_name(index)
            .and_then(|name| name.get(1..))
        else {
            return refused(format!(
                "parameter `{index}` of the sql has no name; give `params` as a list"
            ));
        };
        let Some(value) = values.get(name) else {
            return refused(format!("`params` holds no `{name}`, which the sql names"));
        };
        let value = to_sql(&format!("params.{name}"), value)?;
        names.push(name.to_owned());
        bind_one(statement, index, value)?;
    }
    match values
        .iter()
        .find(|entry| !names.iter().any(|name| entry.key == **name))
    {
        Some(entry) => refused(format!(
            "`params` holds `{}`, which the sql does not name",
            entry.key
        )),
        None => Ok(()),
    }
}

fn bind_one(statement: &mut Statement<'_>, index: usize, value: ToSqlOutput<'_>) -> Result<()> {
    statement
        .raw_bind_parameter(index, value)
        .map_err(failure::at_run)
}

fn to_sql<'a>(path: &str, value: &'a Value) -> Result<ToSqlOutput<'a>> {
    let refused = |rule| Err(Error::invalid(path, rule, value.clone()));
    Ok(ToSqlOutput::Borrowed(match value {
        Value::Null => ValueRef::Null,
        // As SQLite's own `true` and `false`.
        Value::Bool(value) => ValueRef::Integer((*value).into()),
        Value::I64(value) => ValueRef::Integer(*value),
        Value::U64(_) => {
            return refused("an integer up to 9223372036854775807, the largest in SQLite");
        }
        Value::F64(value) if value.is_nan() => {
            return refused("a number: SQLite would make it null");
        }
        Value::F64(value) => ValueRef::Real(*value),
        Value::String(text) => ValueRef::Text(text.as_bytes()),
        Value::Bytes(bytes) => ValueRef::Blob(bytes),
        Value::List(_) | Value::Map(_) => {
            return refused("null, a boolean, a number, a string or bytes");
        }
    }))
}

/// A column of a row, as it is; `None` for a text that is not UTF-8.
pub(crate) fn from_sql(value: ValueRef<'_>) -> Option<Value> {
    Some(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => value.into(),
        ValueRef::Real(value) => value.into(),
        ValueRef::Text(text) => std::str::from_utf8(text).ok()?.into(),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.into()),
    })
}
