//! What a caller is told of a call that may have been recovered.

use std::fmt;
use std::time::Duration;

use floe_plugin_api::Value;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::error::CallError;
use crate::event::nanoseconds;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// The executor answered at once.
    Success,
    /// It failed at first; a retry, a fallback or a value answered.
    Recovered,
    /// It failed, and what the settings say for that was taken as its output.
    Skipped,
    /// Nothing answered.
    Failed,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Success => "success",
            Self::Recovered => "recovered",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        })
    }
}

/// What answered a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AnsweredBy {
    /// The executor, at the first attempt.
    Executor,
    /// The executor, when it was called again.
    Retry,
    /// Another executor: its node type.
    Fallback(String),
    /// A value from the settings.
    Value,
    /// An output from the settings, for a call that was skipped.
    Skip,
    /// Nothing did.
    Nobody,
}

impl fmt::Display for AnsweredBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Executor => f.pad("executor"),
            Self::Retry => f.pad("retry"),
            Self::Fallback(node_type) => write!(f, "fallback `{node_type}`"),
            Self::Value => f.pad("value"),
            Self::Skip => f.pad("skip"),
            Self::Nobody => f.pad("nobody"),
        }
    }
}

/// What came of a call, and how.
///
/// Serialized, it has `output` or `error`, a map of `kind` and `message`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer {
    /// How it ended.
    pub status: Status,
    /// The output; or the error of the executor that was asked for, at its last attempt.
    pub output: Result<Value, CallError>,
    /// Every call of an executor that was to be made for it, in order: also one that was not let through.
    pub attempts: Vec<Attempt>,
    /// What answered.
    pub answered_by: AnsweredBy,
    /// Why strategies were passed over, in words.
    pub passed_over: Vec<String>,
}

impl Answer {
    pub(crate) fn new(
        output: Result<Value, CallError>,
        answered_by: AnsweredBy,
        attempts: Vec<Attempt>,
        passed_over: Vec<String>,
    ) -> Self {
        let status = match (&output, &answered_by) {
            (Err(_), _) => Status::Failed,
            (Ok(_), AnsweredBy::Executor) => Status::Success,
            (Ok(_), AnsweredBy::Skip) => Status::Skipped,
            (Ok(_), _) => Status::Recovered,
        };
        Self {
            status,
            output,
            attempts,
            answered_by,
            passed_over,
        }
    }

    /// Does something to each error in it.
    pub(crate) fn screen(&mut self, mut screen: impl FnMut(&mut CallError)) {
        if let Err(error) = &mut self.output {
            screen(error);
        }
        let errors = self
            .attempts
            .iter_mut()
            .filter_map(|attempt| attempt.error.as_mut());
        errors.for_each(screen);
    }
}

/// One call of an executor, made for an [`Answer`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Attempt {
    /// The executor.
    pub node_type: String,
    /// Which call of that executor it was, from 1.
    pub number: u32,
    /// Why it gave no output; `None` where it did.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "told")]
    pub error: Option<CallError>,
    /// How long was waited before it, in nanoseconds.
    #[serde(rename = "waited_ns", serialize_with = "nanoseconds")]
    pub waited: Duration,
    /// How long it took, in nanoseconds.
    #[serde(rename = "took_ns", serialize_with = "nanoseconds")]
    pub took: Duration,
}

/// An error, for programs.
struct Told<'a>(&'a CallError);

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("CallError", 2)?;
        fields.serialize_field("kind", &self.0.kind())?;
        fields.serialize_field("message", &self.0.with_causes())?;
        fields.end()
    }
}

#[expect(
    clippy::ref_option,
    reason = "the signature that serde's serialize_with asks for"
)]
fn told<S: Serializer>(error: &Option<CallError>, serializer: S) -> Result<S::Ok, S::Error> {
    error.as_ref().map(Told).serialize(serializer)
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Answer", 5)?;
        fields.serialize_field("status", &self.status)?;
        match &self.output {
            Ok(output) => fields.serialize_field("output", output)?,
            Err(error) => fields.serialize_field("error", &Told(error))?,
        }
        fields.serialize_field("attempts", &self.attempts)?;
        fields.serialize_field("answered_by", &self.answered_by)?;
        fields.serialize_field("passed_over", &self.passed_over)?;
        fields.end()
    }
}
