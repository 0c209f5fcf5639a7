//! `csv.read`.

use csv::{ErrorKind as CsvError, Position, Reader, ReaderBuilder, StringRecord};
use floe_plugin_api::{CallContext, Error, ErrorKind, List, Map, Result, Value, data};

use crate::Files;
use crate::field::{self, ColumnType, Seen};
use crate::roots::Place;

/// How many rows lie between two looks at whether anybody still waits.
const ROWS_BETWEEN_CHECKS: u64 = 1_000;

/// How much memory the rows may take for each byte that a file may have: names of columns come again in
/// every row of maps.
const EXPANSION: u64 = 16;

/// What a value in a list or a map takes beside its text, in bytes.
const PER_FIELD: u64 = 32;

/// A CSV file to read.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Read {
    /// The path, from the root.
    path: String,
    /// The root; may be left out where there is but one.
    #[serde(default)]
    root: Option<String>,
    /// What stands between two fields: one ASCII character.
    #[serde(default = "field::comma")]
    delimiter: char,
    /// Whether the first line names the columns. Otherwise they are `column_1`, `column_2` and so on.
    #[serde(default = "field::yes")]
    header: bool,
    /// What fields become.
    #[serde(default)]
    types: Types,
    /// What a row is.
    #[serde(default)]
    rows: Shape,
    /// The most rows to give.
    #[serde(default = "rows")]
    limit: u64,
}

const fn rows() -> u64 {
    10_000
}

/// What fields become.
#[data]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Types {
    /// Numbers or booleans, in columns that hold nothing else and lose nothing by it.
    #[default]
    Infer,
    /// Texts, as they stand in the file.
    Text,
}

/// What a row is.
#[data]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Shape {
    /// A map by the names of the columns.
    #[default]
    Maps,
    /// A list in the order of the columns.
    Lists,
}

/// What was read.
#[data]
pub(crate) struct Table {
    /// The columns.
    columns: Vec<Column>,
    /// The rows.
    rows: Vec<Value>,
    /// How many rows there are here.
    row_count: u64,
    /// Whether the file has more.
    truncated: bool,
}

/// A column.
#[data]
struct Column {
    /// Its name.
    name: String,
    /// What its fields were read as: in the whole file, also where fewer rows are given.
    #[serde(rename = "type")]
    column_type: ColumnType,
}

pub(crate) fn read(files: &Files, input: Read, call: &CallContext<'_>) -> Result<Table> {
    let delimiter = field::delimiter(input.delimiter)?;
    let place = files.roots.place(&input.path, input.root.as_deref())?;
    let text = files.text(&place, call)?;
    let file = CsvText {
        place: &place,
        text: text.strip_prefix('\u{feff}').unwrap_or(&text),
        delimiter,
        header: input.header,
    };
    let names = file.names()?;

    let mut seen = vec![Seen::default(); names.len()];
    let total = file.each(names.len(), call, |record| {
        if input.types == Types::Infer {
            for (seen, field) in seen.iter_mut().zip(record) {
                seen.add(field);
            }
        }
        Ok(true)
    })?;
    let types: Vec<_> = match input.types {
        Types::Infer => seen.into_iter().map(Seen::column_type).collect(),
        Types::Text => vec![ColumnType::Text; names.len()],
    };

    let most = files.max_bytes.saturating_mul(EXPANSION);
    let mut taken = 0;
    let mut rows = Vec::new();
    let mut left = input.limit;
    file.each(names.len(), call, |record| {
        if left == 0 {
            return Ok(false);
        }
        left -= 1;
        let fields = record.iter().zip(&types);
        let fields = fields.map(|(field, column_type)| field::value(field, *column_type));
        let keys = match input.rows {
            Shape::Maps => names.iter().map(|name| name.len() as u64 + PER_FIELD).sum(),
            Shape::Lists => 0,
        };
        taken += record.as_slice().len() as u64 + PER_FIELD * names.len() as u64 + keys;
        if taken > most {
            return Err(place.refused(
                ErrorKind::ResourceExhausted,
                &format!(
                    "takes more than `{most}` bytes as rows; set `limit` to fewer rows, or `rows` to `lists`"
                ),
            ));
        }
        rows.push(match input.rows {
            Shape::Maps => {
                let mut row = Map::with_capacity(names.len());
                for (name, value) in names.iter().zip(fields) {
                    row.push(name.as_str(), value);
                }
                Value::Map(row)
            }
            Shape::Lists => Value::List(fields.collect::<List>()),
        });
        Ok(true)
    })?;
    Ok(Table {
        columns: names
            .into_iter()
            .zip(types)
            .map(|(name, column_type)| Column { name, column_type })
            .collect(),
        row_count: rows.len() as u64,
        truncated: total > rows.len() as u64,
        rows,
    })
}

/// A CSV file that was read and is taken apart.
struct CsvText<'a> {
    place: &'a Place<'a>,
    text: &'a str,
    delimiter: u8,
    header: bool,
}

impl CsvText<'_> {
    fn reader(&self) -> Reader<&[u8]> {
        // Lengths are compared here, where both can be told.
        ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .from_reader(self.text.as_bytes())
    }

    /// The names of the columns. An empty file has none.
    fn names(&self) -> Result<Vec<String>> {
        let mut first = StringRecord::new();
        self.reader()
            .read_record(&mut first)
            .map_err(|error| self.failed(&error))?;
        if !self.header {
            let numbers = 1..=first.len();
            return Ok(numbers.map(|number| format!("column_{number}")).collect());
        }
        let mut names: Vec<String> = Vec::with_capacity(first.len());
        for (index, name) in first.iter().enumerate() {
            let refused = |what: &str| {
                let place = format!(
                    "{what} in column `{}` of its first line; set `header` to false where that line names no columns",
                    index + 1
                );
                Err(self.place.refused(ErrorKind::ValidationFailed, &place))
            };
            if name.is_empty() {
                return refused("has no name");
            }
            if names.iter().any(|earlier| earlier == name) {
                return refused(&format!("has the name `{name}` once more"));
            }
            names.push(name.to_owned());
        }
        Ok(names)
    }

    /// Hands each row to `take` until it wants no more; gives the number of rows that it was handed.
    fn each(
        &self,
        columns: usize,
        call: &CallContext<'_>,
        mut take: impl FnMut(&StringRecord) -> Result<bool>,
    ) -> Result<u64> {
        let mut reader = self.reader();
        let mut record = StringRecord::new();
        let mut rows = 0_u64;
        if self.header {
            reader
                .read_record(&mut record)
                .map_err(|error| self.failed(&error))?;
        }
        while reader
            .read_record(&mut record)
            .map_err(|error| self.failed(&error))?
        {
            if rows.is_multiple_of(ROWS_BETWEEN_CHECKS) {
                call.checkpoint()?;
            }
            rows += 1;
            if record.len() != columns {
                let line = record.position().map_or(0, Position::line);
                let what = format!(
                    "has `{}` fields in line `{line}`, expected `{columns}`",
                    record.len()
                );
                return Err(self
                    .place
                    .refused(ErrorKind::ValidationFailed, &what)
                    .with_detail("line", line));
            }
            if !take(&record)? {
                break;
            }
        }
        Ok(rows)
    }

    fn failed(&self, error: &csv::Error) -> Error {
        let line = match error.kind() {
            CsvError::Utf8 { pos, .. } => pos.as_ref().map_or(0, Position::line),
            _ => 0,
        };
        self.place
            .refused(
                ErrorKind::ValidationFailed,
                &format!("is not the CSV that it should be: {error}"),
            )
            .with_detail("line", line)
    }
}
