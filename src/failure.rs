//! Why a command did not do what it was asked, in the form in which it is reported.

use std::error::Error;
use std::ops::{Deref, DerefMut};

use floe_registry::api::{ErrorKind, Value};
use floe_registry::{
    BuildError, CallError, DependencyError, Invalid, LookupError, PluginError, Rejection,
    SettingsError, Stage, StrictError, Subject, Violation, WatchError,
};
use serde::Serialize;

use crate::exit::Exit;
use crate::report::places::Place;
use crate::stamp::{STAMP, Stamp};

/// Why a command did not do what it was asked: an [`Account`] of it.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Failure(Box<Account>);

/// All that is to be told of a failure: `report::failure` writes it for people, and serde for programs.
#[derive(Debug, Serialize)]
pub(crate) struct Account {
    #[serde(skip)]
    pub(crate) exit: Exit,
    /// What sort of failure it is, in lower case with hyphens.
    pub(crate) kind: &'static str,
    /// What went wrong, in one sentence.
    pub(crate) message: String,
    /// Why, from the nearest cause to the farthest.
    pub(crate) causes: Vec<String>,
    /// More for programs, where a plugin gave it.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(crate) details: Value,
    /// The plugin, and the build of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plugin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node_type: Option<String>,
    /// The known node type that is most like the one that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nearest: Option<String>,
    /// Every place where a value does not fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) violations: Vec<Violation>,
    /// What was refused on the way, and by which check.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rejected: Vec<Rejection>,
    /// Where plugins were looked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) searched: Vec<Place>,
    /// Which floe it was, where a plugin's code could not be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<Stamp>,
    /// What to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) hints: Vec<String>,
}

impl Deref for Failure {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.0
    }
}

impl DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut Account {
        &mut self.0
    }
}

impl Failure {
    pub(crate) fn new(exit: Exit, kind: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Account {
            exit,
            kind,
            message: message.into(),
            causes: Vec::new(),
            details: Value::Null,
            plugin: None,
            node_type: None,
            nearest: None,
            violations: Vec::new(),
            rejected: Vec::new(),
            searched: Vec::new(),
            host: None,
            hints: Vec::new(),
        }))
    }

    /// Asked wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// Something outside of any plugin did not work.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, "failed", message)
    }

    /// What was asked for is not there, or may not be had now.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, "refused", message)
    }

    /// Adds an error and its sources as causes, each once.
    pub(crate) fn caused_by(mut self, error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Some errors say their source's text as their own.
            if self.causes.last() != Some(&text) && self.message != text {
                self.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    fn of_plugin(error: &PluginError, message: String) -> Self {
        let exit = Exit::of_plugin_error(error.kind);
        let mut failure = Self::new(exit, error.kind.as_str(), message);
        failure.causes = error.causes().map(str::to_owned).collect();
        failure.details = error.details.clone();
        failure.plugin = Some(error.plugin.clone());
        failure.node_type.clone_from(&error.node_type);
        failure
    }

    fn of(exit: Exit, error: &CallError) -> Self {
        Self::new(exit, error.kind().as_str(), error.to_string())
    }

    /// Says which plugin it is about, and that there is more to be seen of it.
    fn about(mut self, plugin: String) -> Self {
        // A build's title is its plugin's name and version.
        let name = plugin.split(' ').next().unwrap_or_default();
        let why = format!("`floe why {name}` shows what is known of it");
        self.plugin = Some(plugin);
        self.hint(why)
    }

    fn of_dependency(error: DependencyError) -> Self {
        let kind = ErrorKind::DependencyNotLoaded.as_str();
        let message = error.to_string();
        let (exit, plugin) = match error {
            DependencyError::Missing { plugin, .. }
            | DependencyError::Incompatible { plugin, .. }
            | DependencyError::Undeclared { plugin, .. } => (Exit::Refused, plugin),
            DependencyError::Cycle { path } => {
                let first = path.into_iter().next();
                (Exit::Refused, first.unwrap_or_default())
            }
            DependencyError::Failed {
                because_of, source, ..
            } => {
                // What is to be mended is that one.
                let mut failure = Self::from(*source);
                failure.kind = kind;
                let cause = std::mem::replace(&mut failure.message, message);
                failure.causes.insert(0, cause);
                failure.hints.clear();
                return failure.about(because_of);
            }
            _ => return Self::new(Exit::Refused, kind, message),
        };
        Self::new(exit, kind, message).about(plugin)
    }

    fn of_rejection(rejection: Rejection) -> Self {
        let mut failure = Self::new(
            Exit::Refused,
            "rejected",
            format!("the plugin's file was refused at {}", rejection.stage),
        );
        // Whether code can be mapped depends on both sides.
        failure.host = (rejection.stage == Stage::Load).then_some(STAMP);
        failure.rejected.push(rejection);
        failure
    }

    fn of_invalid(invalid: Invalid) -> Self {
        let (kind, what) = match invalid.subject {
            Subject::Configuration => (ErrorKind::Configuration, "configuration of plugin"),
            _ => (ErrorKind::InvalidParameters, "input of"),
        };
        let mut failure = Self::new(
            Exit::Usage,
            kind.as_str(),
            format!("the {what} `{}` does not fit", invalid.of),
        );
        match invalid.subject {
            Subject::Configuration => failure.plugin = Some(invalid.of),
            _ => failure.node_type = Some(invalid.of),
        }
        failure.violations = invalid.violations;
        failure
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Lookup(error) => Self::from(*error),
            CallError::Rejected(rejection) => Self::of_rejection(*rejection),
            CallError::Invalid(invalid) => Self::of_invalid(*invalid),
            CallError::Start(error) => Self::of_plugin(&error, error.to_string()),
            CallError::Executor(error) => Self::of_plugin(&error, error.to_string()),
            CallError::Dependency(error) => Self::of_dependency(*error),
            CallError::Overrun(error) => {
                let mut failure = Self::of(Exit::Contained, &CallError::Overrun(error.clone()));
                failure.plugin = Some(error.plugin);
                failure.hint(
                    "more time is allowed by `--timeout` for a call, and by [deadlines] in floe.toml",
                )
            }
            CallError::CircuitOpen(error) => {
                let failure = Self::of(Exit::Contained, &CallError::CircuitOpen(error.clone()));
                failure.about(error.plugin)
            }
            CallError::Replaced { ref plugin } | CallError::StartCycle { ref plugin } => {
                let mut failure = Self::of(Exit::Failed, &error);
                failure.plugin = Some(plugin.to_string());
                failure
            }
            other => {
                let exit = Exit::of_plugin_error(other.kind());
                Self::of(exit, &other).caused_by(&other)
            }
        }
    }
}

impl From<LookupError> for Failure {
    fn from(error: LookupError) -> Self {
        let refused = |kind, message| Self::new(Exit::Refused, kind, message);
        let not_found = ErrorKind::NodeTypeNotFound.as_str();
        match error {
            LookupError::Malformed(error) => Self::usage(error.to_string()),
            LookupError::NoVersion { .. } => refused("version-not-found", error.to_string()),
            LookupError::NotFound { node_type, nearest } => {
                let message = format!("no plugin offers the node type `{node_type}`");
                let mut failure = refused(not_found, message);
                let did_you_mean = |nearest: &String| format!("did you mean `{nearest}`?");
                failure.hints.extend(nearest.as_ref().map(did_you_mean));
                failure.nearest = nearest;
                failure
            }
            other => refused(not_found, other.to_string()),
        }
    }
}

impl From<Box<Rejection>> for Failure {
    fn from(rejection: Box<Rejection>) -> Self {
        Self::of_rejection(*rejection)
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Strict(error) => error.into(),
            other => Self::new(Exit::Usage, "policy", other.to_string()).caused_by(&other),
        }
    }
}

impl From<StrictError> for Failure {
    fn from(error: StrictError) -> Self {
        let message = match error.rejections.len() {
            1 => "discovery is strict and 1 file was refused".to_owned(),
            refused => format!("discovery is strict and {refused} files were refused"),
        };
        let mut failure = Self::new(Exit::Refused, "rejected", message);
        failure.rejected = error.rejections;
        failure
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        let failure = Self::new(Exit::Usage, "settings", error.to_string());
        failure.caused_by(&error)
    }
}

impl From<WatchError> for Failure {
    fn from(error: WatchError) -> Self {
        let message = error.to_string();
        let mut failure = Self::failed(message).caused_by(&error);
        failure.kind = "watch";
        failure
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    /// An error that says its source's text as its own.
    #[derive(Debug)]
    struct Transparent(std::num::ParseIntError);

    impl fmt::Display for Transparent {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }

    impl Error for Transparent {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn each_cause_is_told_once() {
        let error = Transparent("x".parse::<u8>().unwrap_err());
        let failure = Failure::failed("`x` cannot be read").caused_by(&error);
        assert_eq!(failure.causes, ["invalid digit found in string"]);
        let failure = Failure::failed(error.to_string()).caused_by(&error);
        assert!(failure.causes.is_empty());
    }

    #[test]
    fn a_plugin_error_has_the_exit_code_of_its_kind() {
        for &kind in ErrorKind::ALL {
            let expected = match kind {
                ErrorKind::ExecutionTimeout | ErrorKind::Panicked | ErrorKind::Crashed => {
                    Exit::Contained
                }
                ErrorKind::InvalidParameters | ErrorKind::Configuration => Exit::Usage,
                ErrorKind::DisabledForTenant => Exit::Refused,
                _ => Exit::Failed,
            };
            assert_eq!(Exit::of_plugin_error(kind), expected, "{kind}");
        }
    }
    #[test]
    fn what_a_plugin_needs_decides_the_exit_code() {
        let missing = DependencyError::Missing {
            plugin: "needy 1.0.0".to_owned(),
            dependency: floe_registry::PluginId {
                kind: floe_registry::api::Kind::COMPUTE,
                name: "moody".to_owned(),
            },
            range: "^1".parse().unwrap(),
        };
        let failure = Failure::from(CallError::from(missing));
        assert_eq!(failure.exit, Exit::Refused);
        assert_eq!(failure.kind, "dependency-not-loaded");
        assert_eq!(failure.plugin.as_deref(), Some("needy 1.0.0"));
        assert_eq!(
            failure.hints,
            ["`floe why needy` shows what is known of it"]
        );

        let source = CallError::from(LookupError::NotFound {
            node_type: "a.b".to_owned(),
            nearest: None,
        });
        let failed = DependencyError::Failed {
            plugin: "needy 1.0.0".to_owned(),
            because_of: "moody 1.0.0".to_owned(),
            source: Box::new(source),
        };
        let failure = Failure::from(CallError::from(failed));
        assert_eq!(failure.exit, Exit::Refused);
        assert_eq!(failure.plugin.as_deref(), Some("moody 1.0.0"));
        assert_eq!(failure.causes, ["no plugin offers the node type `a.b`"]);

        let replaced = CallError::Replaced {
            plugin: "moody 1.0.0".into(),
        };
        assert_eq!(Failure::from(replaced).exit, Exit::Failed);
    }
}
