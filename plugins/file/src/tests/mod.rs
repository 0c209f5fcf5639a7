//! Each executor as a host calls it: a value in, a value or an error out.

mod canonical;
mod csv;
#[cfg(target_os = "linux")]
mod escapes;
mod json;
mod listing;
mod readme;
mod roots;
mod whole;

use std::fs;
use std::path::Path;

use floe_plugin_api::{
    Bytes, CallOptions, Error, ErrorKind, Executor, HostRef, Plugin, Result, Value, value,
};
use tempfile::TempDir;

use crate::{Config, Files};

fn start(config: &Value) -> Result<Files> {
    Files::start(config.to_typed::<Config>()?, HostRef::unconnected())
}

/// A plugin with one root, `data`, that may be written, and at most 1000 bytes a file.
fn in_directory() -> (TempDir, Files) {
    let directory = tempfile::tempdir().unwrap();
    let config = value!({
        "roots": [{"name": "data", "path": text(directory.path()), "write": true}],
        "max_bytes": 1000,
    });
    (directory, start(&config).unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run<Shape>(
    files: &Files,
    executor: impl Executor<Files, Shape>,
    input: &Value,
) -> Result<Value> {
    executor.execute(files, input, &CallOptions::new().context())
}

#[track_caller]
fn refused<Shape>(
    files: &Files,
    executor: impl Executor<Files, Shape>,
    input: &Value,
    kind: ErrorKind,
    reason: &str,
) -> Error {
    let error = run(files, executor, input).unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(format!("{error:?}").contains(reason), "{error:?}");
    error
}

/// The names in a directory, sorted.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
