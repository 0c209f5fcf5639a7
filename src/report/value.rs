//! An executor's output.

use floe_registry::api::{Map, Value};

use super::output::Output;
use super::page::Page;
use super::table::Table;
use super::text;
use crate::failure::Failure;

/// How many bytes of a cell are shown.
const SHOWN_BYTES: usize = 16;

/// Writes an output: as JSON on one line where that is asked for; otherwise rows as a table, text and
/// bytes as they are, and all else as JSON, over several lines on a terminal.
pub(crate) fn print(value: &Value, output: &Output) -> Result<(), Failure> {
    if output.is_json() {
        return line(&json(value)?, output);
    }
    if let Some(rows) = Rows::of(value) {
        let mut page = Page::new(output.width());
        rows.render(&mut page);
        return output.page(&page);
    }
    match value {
        Value::String(text) => line(text, output),
        Value::Bytes(bytes) if output.is_terminal() => {
            let mut page = Page::new(output.width());
            page.line(&cell(value));
            if bytes.len() > SHOWN_BYTES {
                page.line("Write it to a file with `>` to have all of it, or use `--json`.");
            }
            output.page(&page)
        }
        Value::Bytes(bytes) => output.data(bytes),
        // JSON has no word for some of them.
        Value::F64(number) => line(&number.to_string(), output),
        _ if output.is_terminal() => line(&value.to_json_pretty().map_err(unwritable)?, output),
        _ => line(&json(value)?, output),
    }
}

fn line(text: &str, output: &Output) -> Result<(), Failure> {
    output.data(format!("{text}\n").as_bytes())
}

fn json(value: &Value) -> Result<String, Failure> {
    value.to_json().map_err(unwritable)
}

fn unwritable(error: floe_registry::api::JsonError) -> Failure {
    Failure::failed("the output cannot be written as JSON").caused_by(&error)
}

/// An output that is rows: `{"columns": […], "rows": […], …}`, or a list of maps that hold no others.
struct Rows<'a> {
    columns: Vec<&'a str>,
    rows: Vec<Vec<&'a Value>>,
    /// What is said beside the rows, such as how many they are.
    others: Vec<(&'a str, &'a Value)>,
}

static ABSENT: Value = Value::Null;

impl<'a> Rows<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::Map(map) => Self::of_result(map),
            Value::List(list) => Self::of_records(list),
            _ => None,
        }
    }

    fn of_result(map: &'a Map) -> Option<Self> {
        let columns: Vec<&str> = map
            .get("columns")?
            .as_list()?
            .iter()
            .map(|column| column.as_str().or_else(|| column.get("name")?.as_str()))
            .collect::<Option<_>>()?;
        if columns.is_empty() {
            return None;
        }
        let row = |row: &'a Value| match row {
            Value::Map(row) => {
                let cells = columns.iter().map(|name| row.get(name).unwrap_or(&ABSENT));
                Some(cells.collect())
            }
            Value::List(row) if row.len() == columns.len() => Some(row.iter().collect()),
            _ => None,
        };
        let rows = map.get("rows")?.as_list()?.iter().map(row);
        let rows = rows.collect::<Option<_>>()?;
        let others = map.iter().map(|entry| (entry.key.as_str(), &entry.value));
        Some(Self {
            others: others
                .filter(|(name, _)| !matches!(*name, "columns" | "rows"))
                .collect(),
            columns,
            rows,
        })
    }

    fn of_records(list: &'a [Value]) -> Option<Self> {
        let mut columns: Vec<&str> = Vec::new();
        let records: Vec<&Map> = list.iter().map(Value::as_map).collect::<Option<_>>()?;
        for record in &records {
            for entry in *record {
                if matches!(entry.value, Value::List(_) | Value::Map(_)) {
                    return None;
                }
                if !columns.contains(&entry.key.as_str()) {
                    columns.push(entry.key.as_str());
                }
            }
        }
        if columns.is_empty() {
            return None;
        }
        let row = |record: &&'a Map| {
            let cells = columns
                .iter()
                .map(|name| record.get(name).unwrap_or(&ABSENT));
            cells.collect()
        };
        Some(Self {
            rows: records.iter().map(row).collect(),
            columns,
            others: Vec::new(),
        })
    }

    fn render(&self, page: &mut Page) {
        let mut table = Table::new(self.columns.iter().map(|name| text::plain(name)));
        for row in &self.rows {
            table.row(row.iter().map(|value| cell(value)));
        }
        for index in 0..self.columns.len() {
            let is_number = |row: &Vec<&Value>| {
                let value = row.get(index);
                value.is_some_and(|value| {
                    matches!(
                        value,
                        Value::Null | Value::I64(_) | Value::U64(_) | Value::F64(_)
                    )
                })
            };
            if self.rows.iter().all(is_number) {
                table.align_right(index);
            }
        }
        page.table(table);
        if !self.others.is_empty() {
            page.blank();
            let others: Vec<String> = self
                .others
                .iter()
                .map(|(name, value)| format!("{}: {}", text::plain(name), cell(value)))
                .collect();
            page.line(&others.join("   "));
        }
    }
}

/// A value on one line.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text::plain(text),
        Value::Bytes(bytes) => {
            let shown = bytes.iter().take(SHOWN_BYTES);
            let digits: String = shown.map(|byte| format!("{byte:02x}")).collect();
            if bytes.len() > SHOWN_BYTES {
                format!("x'{digits}…' ({})", text::bytes(bytes.len() as u64))
            } else {
                format!("x'{digits}'")
            }
        }
        // As JSON has it where JSON has it: `8.0` is no integer.
        other => other.to_json().unwrap_or_else(|_| match other {
            Value::F64(number) => number.to_string(),
            _ => format!("a {} that JSON cannot write", other.type_name()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use floe_registry::api::{Bytes, value};

    use super::*;

    #[track_caller]
    fn rendered(value: &Value) -> String {
        let mut page = Page::new(None);
        Rows::of(value).expect("rows").render(&mut page);
        anstream::adapter::strip_str(page.text()).to_string()
    }

    #[test]
    fn a_result_is_a_table() {
        let output = value!({
            "columns": ["name", "n", "half", "raw", "all"],
            "rows": [
                {"name": "é\n", "n": 1, "half": 0.5, "raw": Bytes::from(vec![0, 255]), "all": [1, null]},
                {"name": "b", "n": null, "half": 12.0, "raw": Bytes::from(vec![7; 40]), "all": {}},
            ],
            "row_count": 2,
            "truncated": false,
        });
        insta::assert_snapshot!(rendered(&output), @r"
        name     n  half  raw                                              all
        ───── ───── ───── ──────────────────────────────────────────────── ────────
        é\n      1   0.5  x'00ff'                                          [1,null]
        b     null  12.0  x'07070707070707070707070707070707…' (40 bytes)  {}

        row_count: 2   truncated: false
        ");
    }

    #[test]
    fn records_are_a_table() {
        let output = value!([{"a": 1}, {"b": "x", "a": 20}]);
        insta::assert_snapshot!(rendered(&output), @r"
         a  b
        ─── ────
         1  null
        20  x
        ");
        let by_position = value!({"columns": [{"name": "a"}, "b"], "rows": [[1, 2]]});
        insta::assert_snapshot!(rendered(&by_position), @r"
        a  b
        ── ─
        1  2
        ");
    }

    #[test]
    fn what_is_not_rows_is_no_table() {
        for output in [
            value!([]),
            value!([{}]),
            value!([1]),
            value!([{"a": [1]}]),
            value!({"columns": ["a"], "rows": [[1, 2]]}),
            value!({"columns": ["a"], "rows": 3}),
            value!({"columns": [1], "rows": []}),
            value!({"rows": []}),
        ] {
            assert!(Rows::of(&output).is_none(), "{output:?}");
        }
    }

    #[test]
    fn floats_that_json_cannot_write() {
        assert_eq!(cell(&Value::F64(f64::NAN)), "NaN");
        assert_eq!(cell(&value!([f64::NAN])), "a list that JSON cannot write");
    }
}
