//! JSON that is given on the command line, or named there.

use std::fs;
use std::io::{self, Read};

use floe_registry::api::Value;

use crate::failure::Failure;

/// Where JSON is to be read from.
pub(crate) enum Argument<'a> {
    Text(&'a str),
    File(&'a str),
    StandardInput,
}

impl<'a> Argument<'a> {
    pub(crate) fn config(text: &'a str) -> Self {
        text.strip_prefix('@').map_or(Self::Text(text), Self::File)
    }

    pub(crate) fn input(text: &'a str) -> Self {
        match text {
            "-" | "@-" => Self::StandardInput,
            _ => Self::config(text),
        }
    }

    pub(crate) fn read(&self, option: &str) -> Result<Value, Failure> {
        let (name, bytes) = match self {
            Self::Text(text) => (
                format!("the text of `{option}`"),
                Ok(text.as_bytes().to_vec()),
            ),
            Self::File(path) => (format!("`{path}`"), fs::read(path)),
            Self::StandardInput => {
                let mut bytes = Vec::new();
                let read = io::stdin().lock().read_to_end(&mut bytes);
                ("standard input".to_owned(), read.map(|_| bytes))
            }
        };
        let bytes = bytes.map_err(|error| {
            Failure::usage(format!("cannot read {name}, which `{option}` names")).caused_by(&error)
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            Failure::usage(format!("{name} is not JSON")).caused_by(&error.utf8_error())
        })?;
        Value::from_json(&text).map_err(|error| {
            Failure::usage(format!("{name} is not JSON that floe can take")).caused_by(&error)
        })
    }
}
