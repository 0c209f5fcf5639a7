//! Each executor as a host calls it: a value in, a value or an error out.

mod database;
mod import;
mod statement;

use std::path::Path;

use floe_plugin_api::{
    CallOptions, Error, ErrorKind, Executor, HostRef, Plugin, Result, Value, value,
};

use crate::import::import_csv;
use crate::statement::{execute, query};
use crate::{Config, Sqlite};

fn start(config: &Value) -> Result<Sqlite> {
    Sqlite::start(config.to_typed::<Config>()?, HostRef::unconnected())
}

fn in_memory() -> Sqlite {
    start(&value!({"path": ":memory:"})).unwrap()
}

fn in_file(path: &Path) -> Sqlite {
    start(&value!({"path": text(path)})).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run<Shape>(
    plugin: &Sqlite,
    executor: impl Executor<Sqlite, Shape>,
    input: &Value,
) -> Result<Value> {
    executor.execute(plugin, input, &CallOptions::new().context())
}

/// Executes statements that are known to work.
#[track_caller]
fn set_up(plugin: &Sqlite, statements: &[&str]) {
    for sql in statements {
        run(plugin, execute, &value!({"sql": *sql})).unwrap();
    }
}

/// The rows of a query, without the names of their columns.
#[track_caller]
fn rows(plugin: &Sqlite, sql: &str) -> Value {
    let given = run(plugin, query, &value!({"sql": sql})).unwrap();
    let rows = given.get("rows").and_then(Value::as_list).unwrap();
    rows.iter()
        .map(|row| {
            let row = row.as_map().unwrap();
            row.iter()
                .map(|entry| entry.value.clone())
                .collect::<Value>()
        })
        .collect()
}

#[track_caller]
fn refused<Shape>(
    plugin: &Sqlite,
    executor: impl Executor<Sqlite, Shape>,
    input: &Value,
    kind: ErrorKind,
    reason: &str,
) -> Error {
    is(run(plugin, executor, input), kind, reason)
}

/// An error of a kind, whose message or causes hold the reason.
#[track_caller]
fn is<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind, reason: &str) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(format!("{error:?}").contains(reason), "{error:?}");
    error
}
