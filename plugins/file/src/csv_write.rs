//! `csv.write`.

use std::collections::HashMap;

use csv::{QuoteStyle, Terminator, WriterBuilder};
use floe_plugin_api::{CallContext, Error, ErrorKind, Map, Result, Value, data};

use crate::Files;
use crate::content::{Mode, Written};
use crate::field;

/// How many rows lie between two looks at whether anybody still waits.
const ROWS_BETWEEN_CHECKS: usize = 1_000;

/// A CSV file to write.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Write {
    /// The path, from the root.
    path: String,
    /// The root; may be left out where there is but one.
    #[serde(default)]
    root: Option<String>,
    /// The rows: all of them maps, or all of them lists.
    rows: Vec<Value>,
    /// The names of the columns, in order. Of rows that are maps, what is not named is left out. When
    /// not given, they are those of the first row, and rows that are lists have none.
    #[serde(default)]
    columns: Option<Vec<String>>,
    /// What stands between two fields: one ASCII character.
    #[serde(default = "field::comma")]
    delimiter: char,
    /// Whether the first line names the columns, where they have names.
    #[serde(default = "field::yes")]
    header: bool,
    /// What ends a line.
    #[serde(default)]
    line_end: LineEnd,
}

/// What ends a line.
#[data]
#[derive(Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum LineEnd {
    /// One character, as most programs expect it.
    #[default]
    Lf,
    /// Two characters, as RFC 4180 has it.
    Crlf,
}

/// What was written.
#[data]
pub(crate) struct WrittenRows {
    #[serde(flatten)]
    file: Written,
    /// How many rows it holds.
    rows: usize,
}

pub(crate) fn write(files: &Files, input: Write, call: &CallContext<'_>) -> Result<WrittenRows> {
    let delimiter = field::delimiter(input.delimiter)?;
    let place = files.roots.place(&input.path, input.root.as_deref())?;
    place.writable()?;
    let columns = Columns::of(input.columns, &input.rows)?;

    let mut writer = WriterBuilder::new()
        .delimiter(delimiter)
        .quote_style(QuoteStyle::Necessary)
        .terminator(match input.line_end {
            LineEnd::Lf => Terminator::Any(b'\n'),
            LineEnd::Crlf => Terminator::CRLF,
        })
        .from_writer(Vec::new());
    if input.header
        && let Some(names) = &columns.names
        && !names.is_empty()
    {
        writer.write_record(names)?;
    }
    for (index, row) in input.rows.iter().enumerate() {
        if index.is_multiple_of(ROWS_BETWEEN_CHECKS) {
            call.checkpoint()?;
        }
        writer.write_record(columns.fields(row, index + 1)?)?;
        if writer.get_ref().len() as u64 > files.max_bytes {
            break;
        }
    }
    let content = writer
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)?;
    Ok(WrittenRows {
        file: files.put(&place, &content, Mode::Replace, call)?,
        rows: input.rows.len(),
    })
}

/// What each row is made of.
struct Columns {
    /// In order; none where rows are lists without names.
    names: Option<Vec<String>>,
    /// How many fields a row has.
    width: usize,
    /// Whether a row may have more than is named.
    chosen: bool,
}

impl Columns {
    fn of(given: Option<Vec<String>>, rows: &[Value]) -> Result<Self> {
        let chosen = given.is_some();
        let names = match (given, rows.first()) {
            (Some(names), _) => Some(names),
            (None, Some(Value::Map(first))) => Some(
                first
                    .iter()
                    .map(|entry| entry.key.as_str().to_owned())
                    .collect(),
            ),
            (None, _) => None,
        };
        if let Some(names) = &names {
            let mut seen: HashMap<&str, usize> = HashMap::with_capacity(names.len());
            for (index, name) in names.iter().enumerate() {
                if let Some(earlier) = seen.insert(name, index) {
                    return Err(Error::invalid(
                        &format!("columns[{index}]"),
                        &format!("a name other than that of `columns[{earlier}]`"),
                        name.as_str(),
                    ));
                }
            }
        }
        let width = match (&names, rows.first()) {
            (Some(names), _) => names.len(),
            (None, Some(Value::List(first))) => first.len(),
            (None, _) => 0,
        };
        if width == 0 && !rows.is_empty() && !matches!(rows[0], Value::List(_) | Value::Map(_)) {
            return Err(not_a_row(&rows[0], 1));
        }
        if width == 0 && !rows.is_empty() {
            return Err(invalid(
                "row `1` has no field, which no line of a CSV file says; give rows with at least one".to_owned(),
                1,
            ));
        }
        Ok(Self {
            names,
            width,
            chosen,
        })
    }

    fn fields(&self, row: &Value, number: usize) -> Result<Vec<String>> {
        match (row, &self.names) {
            (Value::List(items), names) => {
                if items.len() != self.width {
                    return Err(invalid(
                        format!(
                            "row `{number}` has `{}` fields, expected `{}`",
                            items.len(),
                            self.width
                        ),
                        number,
                    ));
                }
                let name = |index: usize| {
                    let name = names.as_ref().and_then(|names| names.get(index));
                    name.map_or_else(|| (index + 1).to_string(), Clone::clone)
                };
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| field::write(item, number, &name(index)))
                    .collect()
            }
            (Value::Map(entries), Some(names)) => {
                if !self.chosen {
                    refuse_unknown(entries, names, number)?;
                }
                names
                    .iter()
                    .map(|name| {
                        let value = entries.get(name).unwrap_or(&Value::Null);
                        field::write(value, number, name)
                    })
                    .collect()
            }
            (Value::Map(_), None) => Err(invalid(
                format!("row `{number}` is a map, expected a list as the first row is"),
                number,
            )),
            (other, _) => Err(not_a_row(other, number)),
        }
    }
}

fn refuse_unknown(entries: &Map, names: &[String], number: usize) -> Result<()> {
    // Every name that a row has is one of the columns, or it has one that they have not.
    let known = names
        .iter()
        .filter(|name| entries.get(name).is_some())
        .count();
    if known == entries.len() {
        return Ok(());
    }
    let unknown = entries
        .iter()
        .find(|entry| !names.iter().any(|name| entry.key == *name.as_str()));
    let shown = unknown.map_or("", |entry| entry.key.as_str());
    Err(invalid(
        format!(
            "row `{number}` has `{shown}`, which the first row has not; name the columns in `columns`"
        ),
        number,
    ))
}

fn not_a_row(found: &Value, number: usize) -> Error {
    invalid(
        format!(
            "row `{number}` is of type `{}`, expected a map or a list",
            found.type_name()
        ),
        number,
    )
}

fn invalid(message: String, row: usize) -> Error {
    Error::new(ErrorKind::ValidationFailed, message).with_detail("row", row)
}
