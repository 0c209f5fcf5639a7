//! `json.read` and `json.write`.

use floe_plugin_api::{CallContext, Error, ErrorKind, Result, Value, data};

use crate::Files;
use crate::content::{Mode, Written};

/// A JSON file to read.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Read {
    /// The path, from the root.
    path: String,
    /// The root; may be left out where there is but one.
    #[serde(default)]
    root: Option<String>,
}

pub(crate) fn read(files: &Files, input: Read, call: &CallContext<'_>) -> Result<Value> {
    let place = files.roots.place(&input.path, input.root.as_deref())?;
    let text = files.text(&place, call)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Value::from_json(text).map_err(|error| {
        place.refused(
            ErrorKind::ValidationFailed,
            &format!("is not the JSON that it should be: {error}"),
        )
    })
}

/// A JSON file to write.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Write {
    /// The path, from the root.
    path: String,
    /// The root; may be left out where there is but one.
    #[serde(default)]
    root: Option<String>,
    /// What to write.
    value: Value,
    /// Whether to write it over several lines, for people.
    #[serde(default)]
    pretty: bool,
}

pub(crate) fn write(files: &Files, input: Write, call: &CallContext<'_>) -> Result<Written> {
    let place = files.roots.place(&input.path, input.root.as_deref())?;
    let text = if input.pretty {
        input.value.to_json_pretty()
    } else {
        input.value.to_json()
    };
    let mut text = text.map_err(|error| {
        Error::new(
            ErrorKind::ValidationFailed,
            format!("`value` cannot be written: {error}"),
        )
    })?;
    text.push('\n');
    files.put(&place, text.as_bytes(), Mode::Replace, call)
}
