//! What SQLite's errors mean to a caller.

use std::time::Duration;

use floe_plugin_api::{Error, ErrorKind};
use rusqlite::ffi::ErrorCode;

/// The detail of an error whose statement was interrupted.
const INTERRUPTED: &str = "interrupted";

/// When another process is likely to have let go of the file.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// An error of a statement that was prepared: SQLite's general error is the caller's SQL.
pub(crate) fn at_prepare(error: rusqlite::Error) -> Error {
    of(error, ErrorKind::InvalidParameters)
}

/// An error of a statement that ran: SQLite's general error is the statement's.
pub(crate) fn at_run(error: rusqlite::Error) -> Error {
    of(error, ErrorKind::ExecutionError)
}

/// An error with SQLite's text; `general` is the kind where SQLite's code tells nothing more.
pub(crate) fn of(error: rusqlite::Error, general: ErrorKind) -> Error {
    match error {
        rusqlite::Error::SqliteFailure(failure, message) => {
            let message = message.unwrap_or_else(|| failure.to_string());
            coded(failure.code, message, general)
        }
        rusqlite::Error::SqlInputError {
            error, msg, offset, ..
        } => coded(error.code, msg, general).with_detail("offset", offset),
        rusqlite::Error::MultipleStatement => Error::new(
            ErrorKind::InvalidParameters,
            "`sql` holds more than one statement, expected one: make a call for each",
        ),
        other => Error::from(other).with_kind(general),
    }
}

/// Whether SQLite was told to stop.
pub(crate) fn is_interrupted(error: &Error) -> bool {
    error.details().get(INTERRUPTED).is_some()
}

fn coded(code: ErrorCode, message: String, general: ErrorKind) -> Error {
    let error = Error::new(general, message);
    match code {
        ErrorCode::ConstraintViolation
        | ErrorCode::TypeMismatch
        | ErrorCode::ReadOnly
        | ErrorCode::ParameterOutOfRange => error.with_kind(ErrorKind::ValidationFailed),
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed => error
            .with_kind(ErrorKind::Transient)
            .retry_after(RETRY_AFTER),
        ErrorCode::DiskFull | ErrorCode::OutOfMemory | ErrorCode::TooBig => {
            error.with_kind(ErrorKind::ResourceExhausted)
        }
        ErrorCode::OperationInterrupted => error
            .with_kind(ErrorKind::ExecutionTimeout)
            .with_detail(INTERRUPTED, true),
        ErrorCode::AuthorizationForStatementDenied => error
            .context(
                "the statement is not allowed: transactions, other files and the connection's settings are this plugin's affair",
            )
            .with_kind(ErrorKind::ValidationFailed),
        // Nothing else here misuses SQLite.
        ErrorCode::ApiMisuse => Error::new(
            ErrorKind::InvalidParameters,
            "`sql` holds no statement, expected one",
        ),
        ErrorCode::Unknown => error,
        _ => error.with_kind(ErrorKind::ExecutionError),
    }
}
