//! `sqlite.import_csv`: a CSV file into a table, whole or not at all.

use std::path::PathBuf;

use floe_plugin_api::{CallContext, Error, Result, data};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params_from_iter};

use crate::csv_file::{ColumnType, CsvFile, Field, invalid, is_exact_float};
use crate::{Sqlite, failure};

/// A file and the table that it goes into.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportCsv {
    /// The file: UTF-8, its fields quoted with `"` where they must be.
    path: PathBuf,
    /// The table.
    #[schemars(length(min = 1))]
    table: String,
    /// Whether the first line names the columns. Otherwise they are `column_1`, `column_2` and so on.
    #[serde(default = "yes")]
    has_header: bool,
    /// What stands between two fields: one ASCII character.
    #[serde(default = "comma")]
    delimiter: char,
    /// What to do when the table is there already.
    #[serde(default)]
    if_exists: IfExists,
}

/// What to do when the table is there already.
#[data]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum IfExists {
    /// Refuse.
    #[default]
    Fail,
    /// Drop it and make it anew.
    Replace,
    /// Add rows to it. It must have every column of the file.
    Append,
}

const fn yes() -> bool {
    true
}

const fn comma() -> char {
    ','
}

/// What was imported.
#[data]
pub(crate) struct Imported {
    /// The table.
    table: String,
    /// How many rows were added.
    rows: u64,
    /// The columns of the file and the types that their fields were read as.
    columns: Vec<Column>,
}

/// A column.
#[data]
struct Column {
    /// Its name.
    name: String,
    /// What its fields were read as.
    #[serde(rename = "type")]
    column_type: ColumnType,
}

pub(crate) fn import_csv(
    plugin: &Sqlite,
    input: ImportCsv,
    call: &CallContext<'_>,
) -> Result<Imported> {
    let ImportCsv {
        path,
        table,
        has_header,
        delimiter,
        if_exists,
    } = input;
    if table.is_empty() || table.contains('\0') {
        return Err(Error::invalid("table", "a name", table));
    }
    let delimiter = match u8::try_from(delimiter) {
        Ok(byte) if byte.is_ascii() && !b"\"\r\n\0".contains(&byte) => byte,
        _ => {
            return Err(Error::invalid(
                "delimiter",
                "an ASCII character that is no quote and ends no line",
                delimiter,
            ));
        }
    };
    let file = CsvFile::open(&path, has_header, delimiter)?;

    plugin.database.write(call, |session| {
        session.own(|connection| {
            let transaction =
                rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
                    .map_err(failure::at_run)?;
            let types = target(&transaction, &file, &table, if_exists, call)?;
            let rows = fill(&transaction, &file, &table, &types, call)?;
            call.checkpoint()?;
            transaction.commit().map_err(failure::at_run)?;
            let columns = file.columns().iter().zip(types);
            Ok(Imported {
                columns: columns
                    .map(|(name, column_type)| Column {
                        name: name.clone(),
                        column_type,
                    })
                    .collect(),
                table,
                rows,
            })
        })
    })
}

/// Makes the table ready and tells what the fields of each of the file's columns are to be read as.
fn target(
    connection: &Connection,
    file: &CsvFile,
    table: &str,
    if_exists: IfExists,
    call: &CallContext<'_>,
) -> Result<Vec<ColumnType>> {
    let found: Option<String> = connection
        .query_row(
            "select type from sqlite_schema where name = ? collate nocase and type in ('table', 'view')",
            [table],
            |row| row.get(0),
        )
        .optional()
        .map_err(failure::at_run)?;
    match (found.as_deref(), if_exists) {
        (None, _) => {}
        (Some("view"), _) => return Err(invalid(format!("`{table}` is a view, expected a table"))),
        (Some(_), IfExists::Fail) => {
            return Err(invalid(format!(
                "the table `{table}` is there already; set `if_exists` to `replace` or `append`"
            )));
        }
        (Some(_), IfExists::Append) => return existing_types(connection, file, table),
        (Some(_), IfExists::Replace) => {
            run(connection, &format!("drop table {}", quoted(table)))?;
        }
    }
    let types = file.types(call)?;
    let columns: Vec<_> = file
        .columns()
        .iter()
        .zip(&types)
        .map(|(name, column_type)| format!("{} {}", quoted(name), column_type.as_sql()))
        .collect();
    run(
        connection,
        &format!("create table {} ({})", quoted(table), columns.join(", ")),
    )?;
    Ok(types)
}

fn existing_types(connection: &Connection, file: &CsvFile, table: &str) -> Result<Vec<ColumnType>> {
    let mut declared = connection
        .prepare("select type from pragma_table_info(?) where name = ? collate nocase")
        .map_err(failure::at_run)?;
    file.columns()
        .iter()
        .map(|name| {
            let found: Option<String> = declared
                .query_row([table, name], |row| row.get(0))
                .optional()
                .map_err(failure::at_run)?;
            let found = found.ok_or_else(|| {
                invalid(format!(
                    "the table `{table}` has no column `{name}`, which the file has"
                ))
            })?;
            Ok(match found.to_ascii_uppercase().as_str() {
                "INTEGER" | "INT" | "BIGINT" => ColumnType::Integer,
                "REAL" | "DOUBLE" | "FLOAT" => ColumnType::Real,
                _ => ColumnType::Text,
            })
        })
        .collect()
}

fn fill(
    connection: &Connection,
    file: &CsvFile,
    table: &str,
    types: &[ColumnType],
    call: &CallContext<'_>,
) -> Result<u64> {
    let names: Vec<_> = file.columns().iter().map(|name| quoted(name)).collect();
    let mut insert = connection
        .prepare(&format!(
            "insert into {} ({}) values ({})",
            quoted(table),
            names.join(", "),
            vec!["?"; names.len()].join(", ")
        ))
        .map_err(failure::at_run)?;
    file.each(call, (0.4, 1.0), |line, record| {
        let mut values = Vec::with_capacity(types.len());
        for ((text, column_type), name) in record.iter().zip(types).zip(file.columns()) {
            let value = to_sql(text, *column_type).ok_or_else(|| {
                invalid(format!(
                    "`{text}` in line `{line}` does not fit the column `{name}`, which is `{}`",
                    column_type.as_sql()
                ))
                .with_detail("line", line)
            })?;
            values.push(ToSqlOutput::Borrowed(value));
        }
        insert
            .execute(params_from_iter(values))
            .map(|_one| ())
            .map_err(|error| {
                failure::at_run(error)
                    .context(format!("line `{line}` cannot be inserted"))
                    .with_detail("line", line)
            })
    })
}

/// The field as the column's type, if it fits without a change.
fn to_sql(text: &str, column_type: ColumnType) -> Option<ValueRef<'_>> {
    Some(match (Field::read(text), column_type) {
        (Field::Empty, _) => ValueRef::Null,
        (Field::Integer(value), ColumnType::Integer) => ValueRef::Integer(value),
        (Field::Integer(value), ColumnType::Real) if is_exact_float(value) => {
            ValueRef::Integer(value)
        }
        (Field::Real(value), ColumnType::Real) => ValueRef::Real(value),
        (_, ColumnType::Text) => ValueRef::Text(text.as_bytes()),
        _ => return None,
    })
}

fn run(connection: &Connection, sql: &str) -> Result<()> {
    connection.execute_batch(sql).map_err(failure::at_run)
}

/// A name as SQL says it, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
