//! What a plugin's configuration, inputs and outputs must look like.

mod check;
mod defaults;
pub(crate) mod secrets;
mod shape;
mod types;

use std::collections::BTreeMap;
use std::fmt;

use floe_plugin_api::ErrorKind;
use serde::{Deserialize, Serialize};

pub(crate) use self::check::{check, nearest, violations};
pub(crate) use self::defaults::fill;
pub(crate) use self::secrets::Secrets;
pub(crate) use self::shape::Shape;
pub(crate) use self::types::Types;

/// The JSON Schemas of a plugin, as its own types give them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Schemas {
    /// Of the configuration.
    pub config: serde_json::Value,
    /// Of each executor, by node type.
    pub executors: BTreeMap<String, ExecutorSchemas>,
}

/// The JSON Schemas of an executor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExecutorSchemas {
    /// Of what it takes.
    pub input: serde_json::Value,
    /// Of what it gives.
    pub output: serde_json::Value,
}

impl ExecutorSchemas {
    /// Schemas that say nothing: anything fits.
    pub(crate) const fn anything() -> Self {
        Self {
            input: serde_json::Value::Bool(true),
            output: serde_json::Value::Bool(true),
        }
    }

    /// The names of the fields that an input must have.
    #[must_use]
    pub fn required_fields(&self) -> Vec<&str> {
        let required = self
            .input
            .get("required")
            .and_then(serde_json::Value::as_array);
        let names = required.into_iter().flatten();
        names.filter_map(serde_json::Value::as_str).collect()
    }
}

impl Schemas {
    /// Reads what a plugin's `describe` answered.
    pub(crate) fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Described {
            config: serde_json::Value,
            executors: Vec<Executor>,
        }
        #[derive(Deserialize)]
        struct Executor {
            node_type: String,
            #[serde(flatten)]
            schemas: ExecutorSchemas,
        }
        let described: Described = serde_json::from_str(text)?;
        let executors = described.executors.into_iter();
        Ok(Self {
            config: described.config,
            executors: executors
                .map(|each| (each.node_type, each.schemas))
                .collect(),
        })
    }
}

/// One place where a value does not fit a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Violation {
    /// Where in the value, as a JSON pointer; empty for the whole.
    pub path: String,
    /// The rule that was broken: the schema's keyword, such as `required` or `minimum`.
    pub rule: String,
    /// What was found there, as JSON, cut where it is long; `***` where it is secret.
    pub value: String,
    /// The same in a sentence.
    pub message: String,
    /// The known key that is most like an unknown one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "{} (rule `{}`)", self.message, self.rule)
        } else {
            write!(
                f,
                "at `{}`: {} (rule `{}`)",
                self.path, self.message, self.rule
            )
        }
    }
}

/// Which value does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Subject {
    /// A plugin's configuration.
    Configuration,
    /// An executor's input.
    Input,
    /// An executor's output.
    Output,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Configuration => "configuration",
            Self::Input => "input",
            Self::Output => "output",
        })
    }
}

/// A value that does not fit a plugin's schema, with every place where it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Invalid {
    /// Which value.
    pub subject: Subject,
    /// Whose: the plugin, or the node type.
    pub of: String,
    /// Every place, in the order of the schema.
    pub violations: Vec<Violation>,
}

impl Invalid {
    pub(crate) const fn kind(&self) -> ErrorKind {
        match self.subject {
            Subject::Configuration => ErrorKind::Configuration,
            Subject::Input | Subject::Output => ErrorKind::InvalidParameters,
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject {
            Subject::Configuration => {
                write!(f, "the configuration of plugin `{}` does not fit", self.of)?;
            }
            subject => write!(f, "the {subject} of `{}` does not fit", self.of)?,
        }
        for (index, violation) in self.violations.iter().enumerate() {
            write!(f, "{} {violation}", if index == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}
