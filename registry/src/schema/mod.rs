//! What a plugin's configuration, inputs and outputs must look like.

use std::collections::BTreeMap;
use std::fmt;

use floe_plugin_api::{ErrorKind, Value};
use serde::{Deserialize, Serialize};

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
    /// What was found there, as JSON, cut where it is long.
    pub value: String,
    /// The same in a sentence.
    pub message: String,
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

/// The longest value that is shown, in characters.
const SHOWN: usize = 120;

/// Checks a value against a schema; a schema that is none lets everything pass.
pub(crate) fn check(
    schema: &serde_json::Value,
    value: &Value,
    subject: Subject,
    of: &str,
) -> Result<(), Box<Invalid>> {
    let validator = match jsonschema::validator_for(schema) {
        Ok(validator) => validator,
        Err(error) => {
            // The plugin's own types still refuse what they cannot read.
            tracing::warn!(of, %error, "the plugin describes no valid schema");
            return Ok(());
        }
    };
    let instance = match serde_json::to_value(value) {
        Ok(instance) => instance,
        Err(error) => {
            return Err(Box::new(Invalid {
                subject,
                of: of.to_owned(),
                violations: vec![Violation {
                    path: String::new(),
                    rule: "json".to_owned(),
                    value: value.type_name().to_owned(),
                    message: error.to_string(),
                }],
            }));
        }
    };
    let violations: Vec<Violation> = validator
        .iter_errors(&instance)
        .map(|error| {
            let shown = error.instance().to_string();
            Violation {
                path: error.instance_path().to_string(),
                rule: error.kind().keyword().to_owned(),
                value: cut(&shown),
                message: cut(&error.to_string()),
            }
        })
        .collect();
    if violations.is_empty() {
        return Ok(());
    }
    Err(Box::new(Invalid {
        subject,
        of: of.to_owned(),
        violations,
    }))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
