//! `file.read` and `file.write`.

use floe_plugin_api::{Bytes, CallContext, Error, ErrorKind, Result, data};

use crate::Files;
use crate::content::{Mode, Written};

/// A file to read.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Read {
    /// The path, from the root.
    path: String,
    /// The root; may be left out where there is but one.
    #[serde(default)]
    root: Option<String>,
    /// What to read it as.
    #[serde(default, rename = "as")]
    form: Form,
}

/// What to read a file as.
#[data]
#[derive(Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum Form {
    /// UTF-8; anything else is refused.
    #[default]
    Text,
    /// Bytes as they are.
    Bytes,
}

/// What was read: a text or bytes.
#[data]
pub(crate) struct Content {
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<Bytes>,
    /// How long the file is, in bytes.
    size: u64,
}

pub(crate) fn read(files: &Files, input: Read, call: &CallContext<'_>) -> Result<Content> {
    let place = files.roots.place(&input.path, input.root.as_deref())?;
    Ok(match input.form {
        Form::Text => {
            let text = files.text(&place, call)?;
            Content {
                size: text.len() as u64,
                text: Some(text),
                bytes: None,
            }
        }
        Form::Bytes => {
            let bytes = files.content(&place, call)?;
            Content {
                size: bytes.len() as u64,
                text: None,
                bytes: Some(bytes.into()),
            }
        }
    })
}

/// A file to write, with either a text or bytes.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Write {
    /// The path, from the root.
    path: String,
    /// The root; may be left out where there is but one.
    #[serde(default)]
    root: Option<String>,
    /// A text to write.
    #[serde(default)]
    text: Option<String>,
    /// Bytes to write.
    #[serde(default)]
    bytes: Option<Bytes>,
    /// What to do about a file that is there already.
    #[serde(default)]
    mode: Mode,
}

pub(crate) fn write(files: &Files, input: Write, call: &CallContext<'_>) -> Result<Written> {
    let place = files.roots.place(&input.path, input.root.as_deref())?;
    let content: &[u8] = match (&input.text, &input.bytes) {
        (Some(text), None) => text.as_bytes(),
        (None, Some(bytes)) => bytes,
        _ => {
            return Err(Error::new(
                ErrorKind::InvalidParameters,
                "expected either `text` or `bytes`; give one of them",
            ));
        }
    };
    files.put(&place, content, input.mode, call)
}
