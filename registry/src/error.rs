//! Words that every stage uses to say what it refused.

use std::fmt;
use std::path::{Path, PathBuf};

use std::sync::Arc;
use std::time::Duration;

use floe_plugin_api::{ErrorKind, Value};
use semver::{Version, VersionReq};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::id::{ParseReferenceError, PluginId};
use crate::policy::tenant::Denied;
use crate::policy::{AuditError, MappingError};
use crate::schema::{Invalid, Secrets, Subject};

/// A stage of a plugin's route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Stage {
    /// The file is found and its manifest read.
    Discover,
    /// It is decided whether the file may be loaded.
    Admit,
    /// The file's verified copy is mapped, and its boundary checked.
    Load,
    /// The plugin is configured and started.
    Start,
    /// An executor is called.
    Call,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Discover => "discover",
            Self::Admit => "admit",
            Self::Load => "load",
            Self::Start => "start",
            Self::Call => "call",
        })
    }
}

/// A file that was refused: at which stage, by which check, and what would mend it.
///
/// Serialized, it has the field `reason` too, which says all of it in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// The file, or the directory of the search path.
    pub path: PathBuf,
    /// The stage that refused it.
    pub stage: Stage,
    /// The name of the check that failed, in lower case with hyphens.
    pub check: &'static str,
    /// What was found.
    pub found: String,
    /// What would have been accepted.
    pub expected: String,
    /// What to do about it.
    pub remedy: String,
}

impl Rejection {
    pub(crate) fn new(
        stage: Stage,
        check: &'static str,
        path: &Path,
        found: impl Into<String>,
        expected: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            stage,
            check,
            found: found.into(),
            expected: expected.into(),
            remedy: remedy.into(),
        }
    }

    /// What tells it from others.
    pub(crate) fn essence(&self) -> (&Path, &str, &str) {
        (&self.path, self.check, &self.found)
    }

    /// What was found, what was expected and what to do, without the path and the stage.
    #[must_use]
    pub fn reason(&self) -> String {
        format!(
            "found {}, expected {}; {}",
            self.found, self.expected, self.remedy
        )
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A file name may hold anything; a line break in it must not break the line.
        let path = self.path.to_string_lossy();
        write!(
            f,
            "`{}` was refused at {}: {}",
            path.escape_debug(),
            self.stage,
            self.reason()
        )
    }
}

impl std::error::Error for Rejection {}

impl Serialize for Rejection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Rejection", 7)?;
        fields.serialize_field("path", &self.path.to_string_lossy())?;
        fields.serialize_field("stage", &self.stage)?;
        fields.serialize_field("reason", &self.reason())?;
        fields.serialize_field("check", self.check)?;
        fields.serialize_field("found", &self.found)?;
        fields.serialize_field("expected", &self.expected)?;
        fields.serialize_field("remedy", &self.remedy)?;
        fields.end()
    }
}

/// What a plugin's code said when it could not start or answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PluginError {
    /// The plugin, and the build of it.
    pub plugin: String,
    /// The executor; `None` where it was not a call.
    pub node_type: Option<String>,
    /// What sort of error it is.
    pub kind: ErrorKind,
    /// What went wrong.
    pub message: String,
    /// More for programs: a map, or null.
    pub details: Value,
    cause: Option<Box<Cause>>,
}

impl PluginError {
    pub(crate) fn new(
        plugin: String,
        node_type: Option<&str>,
        error: &floe_plugin_api::Error,
    ) -> Self {
        let causes: Vec<&str> = error.causes().collect();
        Self {
            plugin,
            node_type: node_type.map(str::to_owned),
            kind: error.kind(),
            message: error.message().to_owned(),
            details: error.details().clone(),
            cause: causes.into_iter().rev().fold(None, |next, message| {
                let message = message.to_owned();
                Some(Box::new(Cause { message, next }))
            }),
        }
    }

    /// The same, without what is secret in it.
    pub(crate) fn masked(mut self, secrets: &Secrets) -> Self {
        self.message = secrets.mask(&self.message);
        self.details = secrets.mask_value(&self.details);
        let mut next = self.cause.as_deref_mut();
        while let Some(cause) = next {
            cause.message = secrets.mask(&cause.message);
            next = cause.next.as_deref_mut();
        }
        self
    }

    /// Withholds each text of it that is not to be seen, and lets its details be looked at.
    pub(crate) fn screen(
        &mut self,
        is_withheld: impl Fn(&str) -> bool,
        details: impl FnOnce(Value) -> Value,
    ) {
        let screen = |text: &mut String| {
            if is_withheld(text) {
                "what the plugin says names another tenant, and is withheld".clone_into(text);
            }
        };
        screen(&mut self.message);
        let mut next = self.cause.as_deref_mut();
        while let Some(cause) = next {
            screen(&mut cause.message);
            next = cause.next.as_deref_mut();
        }
        self.details = details(std::mem::take(&mut self.details));
    }

    /// The causes, from the nearest to the farthest.
    pub fn causes(&self) -> impl Iterator<Item = &str> {
        let mut next = self.cause.as_deref();
        std::iter::from_fn(move || {
            let cause = next?;
            next = cause.next.as_deref();
            Some(cause.message.as_str())
        })
    }

    /// What went wrong with all causes, in one text.
    pub(crate) fn in_full(&self) -> String {
        let mut text = self.to_string();
        for cause in self.causes() {
            text.push_str(": ");
            text.push_str(cause);
        }
        text
    }

    /// The same as the plugin interface says it, to be passed on to another plugin.
    pub(crate) fn to_api(&self) -> floe_plugin_api::Error {
        let mut error = floe_plugin_api::Error::new(self.kind, self.in_full());
        for entry in self.details.as_map().into_iter().flatten() {
            error = error.with_detail(&entry.key, entry.value.clone());
        }
        error
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node_type {
            Some(node_type) => write!(f, "`{node_type}` of plugin `{}`: ", self.plugin)?,
            None => write!(f, "cannot start plugin `{}`: ", self.plugin)?,
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for PluginError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// One cause of a [`PluginError`], copied out of the plugin's memory.
#[derive(Clone, Debug)]
struct Cause {
    message: String,
    next: Option<Box<Cause>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.next.as_deref().map(|cause| cause as _)
    }
}

/// Why nothing answers to a reference.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// It is not a node type with a version range.
    #[error(transparent)]
    Malformed(#[from] ParseReferenceError),
    /// No plugin offers the node type.
    #[error("no plugin offers the node type `{node_type}`{}", suggestion(nearest.as_deref()))]
    NotFound {
        /// The node type.
        node_type: String,
        /// The known one that is most like it.
        nearest: Option<String>,
    },
    /// A plugin offers the node type, but in no version of the range.
    #[error("`{reference}` is offered in no version of that range, only in `{}`; ask for one of those or install another", versions.join("`, `"))]
    NoVersion {
        /// What was asked for.
        reference: String,
        /// The versions that there are, the newest first.
        versions: Vec<String>,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None => "; install one in the search path and scan again".to_owned(),
    }
}

/// Why a plugin cannot be started, or may not call another, because of what it needs.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DependencyError {
    /// It needs a plugin of which there is no build.
    #[error(
        "plugin `{plugin}` needs plugin `{dependency}` `{range}`, which is not there; install it in the search path"
    )]
    Missing {
        /// The plugin, and the build of it.
        plugin: String,
        /// What it needs.
        dependency: PluginId,
        /// In which versions.
        range: VersionReq,
    },
    /// It needs a plugin of which there are builds, in none of the versions that will do.
    #[error(
        "plugin `{plugin}` needs plugin `{dependency}` `{range}`, and there is only `{}`; install a version that fits beside it, or another build of `{plugin}`",
        versions.iter().map(ToString::to_string).collect::<Vec<_>>().join("`, `")
    )]
    Incompatible {
        /// The plugin, and the build of it.
        plugin: String,
        /// What it needs.
        dependency: PluginId,
        /// In which versions.
        range: VersionReq,
        /// The versions that there are.
        versions: Vec<Version>,
    },
    /// Plugins need each other in a circle.
    #[error(
        "plugins need each other in a circle: {}; remove one of these dependencies",
        path.join(" → ")
    )]
    Cycle {
        /// The circle, with the plugin that it begins with once more at its end.
        path: Vec<String>,
    },
    /// A plugin that it needs could not be started.
    #[error("plugin `{plugin}` is not started because of `{because_of}`, which it needs")]
    Failed {
        /// The plugin, and the build of it.
        plugin: String,
        /// The plugin at which it began, and the build of it.
        because_of: String,
        /// Why that one could not be started.
        source: Box<CallError>,
    },
    /// It calls an executor of a plugin that it does not declare to need.
    #[error(
        "plugin `{plugin}` calls `{node_type}` of plugin `{offered_by}`, which it does not declare; add `{{ kind: \"{}\", name: \"{}\", version: \"^{version}\" }}` to the `dependencies` of its `export_plugin!`",
        offered_by.kind, offered_by.name
    )]
    Undeclared {
        /// The plugin, and the build of it.
        plugin: String,
        /// What it calls.
        node_type: String,
        /// Whose that is.
        offered_by: PluginId,
        /// The version of that.
        version: Version,
    },
}

impl DependencyError {
    /// A plugin that is not started because another one could not be.
    pub(crate) fn because_of(plugin: String, needed: String, failure: CallError) -> Self {
        // Where it began is what is to be mended.
        let (because_of, source) = match failure {
            CallError::Dependency(error) => match *error {
                Self::Failed {
                    because_of, source, ..
                } => (because_of, source),
                other => (needed, Box::new(CallError::from(other))),
            },
            other => (needed, Box::new(other)),
        };
        Self::Failed {
            plugin,
            because_of,
            source,
        }
    }
}

/// A plugin that had not ended what it was asked when its deadline passed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what} of plugin `{plugin}` {}", outcome(*allowed, *begun))]
#[non_exhaustive]
pub struct OverrunError {
    /// The plugin, and the build of it.
    pub plugin: String,
    /// What it was asked: `the start`, `the call of a node type`, and so on.
    pub what: String,
    /// How long it had been given.
    pub allowed: Duration,
    /// Whether a thread began it.
    pub begun: Begun,
}

impl OverrunError {
    pub(crate) fn new(plugin: String, doing: &str, allowed: Duration, begun: Begun) -> Self {
        let what = match doing.split_once(' ') {
            Some((doing, node_type)) => format!("the {doing} of `{node_type}`"),
            None => format!("the {doing}"),
        };
        Self {
            plugin,
            what,
            allowed,
            begun,
        }
    }
}

/// Whether a thread began a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Begun {
    /// It did, and is in the plugin still: it was abandoned.
    Yes,
    /// None was free to.
    No,
    /// It did, in a worker, which was killed: nothing of it goes on.
    Killed,
    /// It did, and failed in this program.
    Failed,
}

fn outcome(allowed: Duration, begun: Begun) -> String {
    match begun {
        Begun::Yes => format!(
            "had not ended after {allowed:.1?}; its thread was abandoned, and its instance is replaced at the next use"
        ),
        Begun::No => format!(
            "was not begun within {allowed:.1?}: all threads are in other plugins; allow it more time"
        ),
        Begun::Killed => format!("had not ended after {allowed:.1?}; its worker was killed"),
        Begun::Failed => "failed in this program; see its log".to_owned(),
    }
}

/// A plugin that is left alone for a while, as it panicked, crashed or ran out of time too often.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "plugin `{plugin}` is left alone: it panicked, crashed or ran out of time {faults} times; it is tried again in {retry_after:.1?}"
)]
#[non_exhaustive]
pub struct CircuitOpen {
    /// The plugin, and the build of it.
    pub plugin: String,
    /// How often it did.
    pub faults: u32,
    /// When it is tried again, from now.
    pub retry_after: Duration,
}

/// Why a call gave no output.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Nothing answers to the reference.
    #[error(transparent)]
    Lookup(#[from] Box<LookupError>),
    /// The plugin's file was refused when it was to be loaded.
    #[error(transparent)]
    Rejected(#[from] Box<Rejection>),
    /// The plugin's configuration, or the call's input, does not fit the plugin's schema.
    #[error(transparent)]
    Invalid(#[from] Box<Invalid>),
    /// The plugin could not start.
    #[error(transparent)]
    Start(Box<PluginError>),
    /// To start, the plugin needs itself: it calls, while it starts, an executor whose plugin waits for it.
    #[error(
        "plugin `{plugin}` cannot be used yet: it is starting, and waits for this call; do not call it from its own start, nor from that of a plugin that it calls"
    )]
    StartCycle {
        /// The plugin.
        plugin: Box<str>,
    },
    /// What answers was replaced each time before the call reached it, or its registry has stopped.
    #[error("plugin `{plugin}` was replaced while it was called, time and again; call again")]
    Replaced {
        /// The plugin.
        plugin: Box<str>,
    },
    /// Its registry is no longer at work.
    #[error("plugin `{plugin}` cannot be called any more: its registry is gone")]
    RegistryGone {
        /// The plugin.
        plugin: Box<str>,
    },
    /// The executor said that it cannot answer, or panicked.
    #[error(transparent)]
    Executor(Box<PluginError>),
    /// A value could not be converted for the call or after it.
    #[error(transparent)]
    Convert(Box<ConvertError>),
    /// A plugin that this one needs is not there, or could not be started.
    #[error(transparent)]
    Dependency(#[from] Box<DependencyError>),
    /// The deadline passed.
    #[error(transparent)]
    Overrun(Box<OverrunError>),
    /// The plugin is left alone for a while.
    #[error(transparent)]
    CircuitOpen(Box<CircuitOpen>),
    /// The policy does not allow it, or not now, or not with that input or output.
    #[error(transparent)]
    Denied(Box<Denied>),
    /// It cannot be put on record, and must not be made or answered then.
    #[error(transparent)]
    Unrecorded(Arc<AuditError>),
    /// What was to be asked in its place cannot be asked.
    #[error(transparent)]
    Mapping(Box<MappingError>),
}

/// A value of a host's own type that could not become an executor's input, or an output that could not
/// become one.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the {subject} of `{node_type}` cannot be converted")]
#[non_exhaustive]
pub struct ConvertError {
    /// Which of the two.
    pub subject: Subject,
    /// The executor.
    pub node_type: String,
    /// Why not.
    pub source: floe_plugin_api::ValueError,
}

// A result of a call has the value at its start and no tag of its own, which makes it quick to move;
// so an error must fit beside a value's tag.
const _: () = assert!(size_of::<Result<Value, CallError>>() == size_of::<Value>());

impl CallError {
    /// The same, without the name of something that is not the caller's to know.
    pub(crate) fn without_suggestion(mut self) -> Self {
        if let Self::Lookup(error) = &mut self
            && let LookupError::NotFound { nearest, .. } = &mut **error
        {
            *nearest = None;
        }
        self
    }

    /// What sort of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Lookup(_) => ErrorKind::NodeTypeNotFound,
            Self::Rejected(_)
            | Self::StartCycle { .. }
            | Self::Replaced { .. }
            | Self::RegistryGone { .. }
            | Self::CircuitOpen(_) => ErrorKind::NotReady,
            Self::Dependency(_) => ErrorKind::DependencyNotLoaded,
            Self::Overrun(_) => ErrorKind::ExecutionTimeout,
            Self::Denied(denial) => denial.kind(),
            Self::Unrecorded(_) => ErrorKind::NotReady,
            Self::Mapping(_) => ErrorKind::InvalidParameters,
            Self::Invalid(invalid) => invalid.kind(),
            Self::Start(error) | Self::Executor(error) => error.kind,
            Self::Convert(error) => match error.subject {
                Subject::Output => ErrorKind::ExecutionError,
                _ => ErrorKind::InvalidParameters,
            },
        }
    }

    /// What went wrong, and why, in one line.
    #[must_use]
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }

    /// The same as the plugin interface says it, to be passed on to another plugin.
    pub(crate) fn to_api(&self) -> floe_plugin_api::Error {
        match self {
            Self::Start(error) | Self::Executor(error) => error.to_api(),
            _ => {
                let error = floe_plugin_api::Error::new(self.kind(), self.with_causes());
                match self {
                    Self::CircuitOpen(open) => error.retry_after(open.retry_after),
                    Self::Denied(denial) => match denial.retry_after() {
                        Some(wait) => error.retry_after(wait),
                        None => error,
                    },
                    _ => error,
                }
            }
        }
    }
}

impl From<DependencyError> for CallError {
    fn from(error: DependencyError) -> Self {
        Self::Dependency(Box::new(error))
    }
}

impl From<AuditError> for CallError {
    fn from(error: AuditError) -> Self {
        Self::Unrecorded(Arc::new(error))
    }
}

impl From<MappingError> for CallError {
    fn from(error: MappingError) -> Self {
        Self::Mapping(Box::new(error))
    }
}

impl From<LookupError> for CallError {
    fn from(error: LookupError) -> Self {
        Self::Lookup(Box::new(error))
    }
}

/// Why a plugin was not rolled back or configured otherwise. It goes on as it did.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// There is no plugin of that name.
    #[error("there is no plugin `{plugin}`; `list` tells which there are")]
    NotFound {
        /// The name.
        plugin: String,
    },
    /// Plugins of two kinds have that name.
    #[error("`{plugin}` is the name of `{one}` and of `{other}`; say which")]
    Ambiguous {
        /// The name.
        plugin: String,
        /// One of them.
        one: PluginId,
        /// Another one.
        other: PluginId,
    },
    /// No other generation of it has answered before.
    #[error(
        "there is nothing to roll plugin `{plugin}` back to: version `{version}` is the first that answered since this registry was made"
    )]
    NothingBefore {
        /// The plugin.
        plugin: PluginId,
        /// The version that answers.
        version: Version,
    },
    /// Another change is under way, and waits for the caller.
    #[error(
        "another change of what answers is under way and waits for this caller; do not ask for one from a plugin's start"
    )]
    Busy,
    /// The configuration does not fit the plugin's schema.
    #[error(transparent)]
    Invalid(Box<Invalid>),
    /// What was to answer did not start, or would break another plugin.
    #[error("plugin `{plugin}` {version} does not answer: {reason}")]
    HeldBack {
        /// The plugin.
        plugin: PluginId,
        /// The version.
        version: Version,
        /// Why not, in words.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use floe_plugin_api::value;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_plugin_says_is_told_without_secrets() {
        let schema = json!({"properties": {"key": {"type": "string", "writeOnly": true}}});
        let secrets = Secrets::of(&schema, &value!({"key": "s3cr3t"}));
        let said = floe_plugin_api::Error::new(ErrorKind::NotReady, "no s3cr3t")
            .context("tried s3cr3t")
            .with_detail("key", "s3cr3t");
        let error = PluginError::new("a 1.0.0".to_owned(), None, &said).masked(&secrets);
        let told = format!("{error} {:?} {error:?}", error.causes().collect::<Vec<_>>());
        assert!(!told.contains("s3cr3t"), "{told}");
        assert_eq!(error.message, "tried ***");
        assert_eq!(error.causes().collect::<Vec<_>>(), ["no ***"]);
        assert_eq!(error.details.get("key"), Some(&value!("***")));
    }
}
