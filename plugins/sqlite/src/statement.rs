//! `sqlite.query` and `sqlite.execute`: one statement of the caller's.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;

use floe_plugin_api::{CallContext, Error, ErrorKind, List, Map, Result, Value, data};
use rusqlite::Statement;

use crate::{Sqlite, convert, failure};

/// How many rows lie between two looks at whether the caller still waits.
const ROWS_BETWEEN_CHECKPOINTS: usize = 64;

/// A statement that reads.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    /// The statement, with parameters as `?` or `:name`.
    #[schemars(length(min = 1))]
    sql: String,
    /// A value for each parameter: a list in order, or a map by name without the colon.
    #[serde(default = "no_params")]
    #[schemars(extend("type" = ["array", "object"]))]
    params: Value,
    /// The most rows to give.
    #[serde(default = "Query::max_rows")]
    max_rows: NonZeroUsize,
}

impl Query {
    const fn max_rows() -> NonZeroUsize {
        const { NonZeroUsize::new(10_000).unwrap() }
    }
}

fn no_params() -> Value {
    Value::List(List::new())
}

/// What a statement gave.
#[data]
pub(crate) struct Rows {
    /// The names of the columns, in order.
    columns: Vec<String>,
    /// The rows: each a map from column to value, in the order of the columns.
    #[schemars(with = "Vec<BTreeMap<String, Value>>")]
    rows: Vec<Value>,
    /// How many rows these are.
    row_count: usize,
    /// Whether there were more than `max_rows`, which were left out.
    truncated: bool,
}

pub(crate) fn query(plugin: &Sqlite, input: Query, call: &CallContext<'_>) -> Result<Rows> {
    let Query {
        sql,
        params,
        max_rows,
    } = input;
    plugin.database.read(call, |session| {
        let mut statement = session.prepare(&sql)?;
        let explains = statement.is_explain() != 0;
        if !statement.readonly() && !explains {
            return Err(Error::new(
                ErrorKind::ValidationFailed,
                "the statement writes, which `sqlite.query` does not; use `sqlite.execute`",
            ));
        }
        let columns = columns(&statement)?;
        convert::bind(&mut statement, &params)?;

        let mut rows = Vec::new();
        let mut truncated = false;
        let mut found = statement.raw_query();
        while let Some(row) = found.next().map_err(failure::at_run)? {
            if rows.len().is_multiple_of(ROWS_BETWEEN_CHECKPOINTS) {
                call.checkpoint()?;
            }
            if rows.len() == max_rows.get() {
                truncated = true;
                break;
            }
            let mut values = Map::with_capacity(columns.len());
            for (index, column) in columns.iter().enumerate() {
                let value = row.get_ref(index).map_err(failure::at_run)?;
                let value = convert::from_sql(value).ok_or_else(|| not_utf8(column, rows.len()))?;
                values.insert(column.as_str(), value);
            }
            rows.push(Value::Map(values));
        }
        Ok(Rows {
            columns,
            row_count: rows.len(),
            rows,
            truncated,
        })
    })
}

fn columns(statement: &Statement<'_>) -> Result<Vec<String>> {
    let refused = |message: String| Err(Error::new(ErrorKind::ValidationFailed, message));
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    if columns.is_empty() {
        return refused("the statement gives no columns, expected one that reads".to_owned());
    }
    let mut seen = HashSet::new();
    if let Some(twice) = columns.iter().find(|name| !seen.insert(name.as_str())) {
        return refused(format!(
            "the result has more than one column `{twice}`; name them apart with `as`"
        ));
    }
    Ok(columns)
}

fn not_utf8(column: &str, row: usize) -> Error {
    Error::execution(format!(
        "column `{column}` of row `{}` is a text that is not utf-8; read it with `cast(… as blob)`",
        row + 1
    ))
}

/// A statement that writes.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Execute {
    /// The statement, with parameters as `?` or `:name`.
    #[schemars(length(min = 1))]
    sql: String,
    /// A value for each parameter: a list in order, or a map by name without the colon.
    #[serde(default = "no_params")]
    #[schemars(extend("type" = ["array", "object"]))]
    params: Value,
}

/// What a statement changed.
#[data]
pub(crate) struct Changed {
    /// How many rows it inserted, updated or deleted itself.
    changes: u64,
    /// The rowid of the last row that it inserted; null when it inserted none.
    last_insert_id: Option<i64>,
}

pub(crate) fn execute(plugin: &Sqlite, input: Execute, call: &CallContext<'_>) -> Result<Changed> {
    let Execute { sql, params } = input;
    plugin.database.write(call, |session| {
        let mut statement = session.prepare(&sql)?;
        if statement.column_count() > 0 {
            return Err(Error::new(
                ErrorKind::ValidationFailed,
                if statement.readonly() {
                    "the statement gives rows, which `sqlite.execute` does not; use `sqlite.query`"
                } else {
                    "the statement writes and gives rows, expected one or the other: leave out `returning`"
                },
            ));
        }
        let inserts = session.inserts();
        convert::bind(&mut statement, &params)?;

        let connection = &session.connection;
        let before = connection.total_changes();
        statement.raw_execute().map_err(failure::at_run)?;
        // SQLite's own count is that of the last statement that changed rows, whenever it was.
        let changed = connection.total_changes() != before;
        let changes = if changed { connection.changes() } else { 0 };
        Ok(Changed {
            changes,
            last_insert_id: (inserts && changes > 0).then(|| connection.last_insert_rowid()),
        })
    })
}
