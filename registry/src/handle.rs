//! An executor, ready to be called.

use std::fmt;
use std::sync::Arc;

use floe_plugin_api::{CallOptions, ExecutorMetadata, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{CallError, ConvertError};
use crate::id::{PluginId, Scope};
use crate::lifecycle::{Key, Line, Target};
use crate::schema::{self, ExecutorSchemas, Subject};

static NO_OPTIONS: CallOptions = CallOptions::new();

/// An executor, resolved: a call through it looks nothing up by name.
///
/// The plugin is loaded and started at the first call. A handle follows what answers to the name that
/// it was made from: a new build of the plugin that is published, or a higher version that the name
/// allows, answers to its next call; calls that are inside end on the build that they began on. Where
/// nothing answers any more, it goes on with what did. What is not to be followed is left out by a
/// range: `text.upper@=1.2.0`.
///
/// A clone is a pointer and a count. May be used on any thread, on many at once. Handles keep their
/// registry at work.
#[derive(Clone)]
pub struct Handle(Arc<Line>);

impl Handle {
    pub(crate) const fn new(line: Arc<Line>) -> Self {
        Self(line)
    }

    /// The same executor on an instance of its own for a tenant, a run or a user: it shares nothing with
    /// those of other scopes but the plugin's code and configuration.
    ///
    /// The instance is started at the first call, kept with the others, and started again when it had
    /// to give way; whatever it holds in memory is then gone.
    #[must_use]
    pub fn scoped(&self, scope: &Scope) -> Self {
        Self(self.0.scoped(scope.clone()))
    }

    /// The same executor on an instance that is configured otherwise: this lies over what the plugin is
    /// configured with. Handles that are configured alike share an instance.
    #[must_use]
    pub fn configured(&self, config: Value) -> Self {
        Self(self.0.configured(config))
    }

    /// Calls the executor, with no run, deadline or tenant set. Where the policy has tenants, it is denied:
    /// [`Handle::call_with`] names one.
    ///
    /// # Errors
    ///
    /// The plugin cannot be loaded or started, or the executor says why it cannot answer. A panic
    /// in it is such an answer.
    #[inline]
    pub fn call(&self, input: &Value) -> Result<Value, CallError> {
        self.0.supervisor().call_line(&self.0, input, &NO_OPTIONS)
    }

    /// Calls the executor. With a deadline, the call is made on a thread of its own: when the deadline
    /// passes, the answer is an error at once, whatever the executor does.
    ///
    /// # Errors
    ///
    /// As [`Handle::call`]; the deadline passed.
    #[inline]
    pub fn call_with(&self, input: &Value, options: &CallOptions) -> Result<Value, CallError> {
        self.0.supervisor().call_line_with(&self.0, input, options)
    }

    /// Calls the executor with an input and an output of one's own types.
    ///
    /// # Errors
    ///
    /// As [`Handle::call`]; also when a value does not fit its type.
    pub fn call_typed<I, O>(&self, input: &I) -> Result<O, CallError>
    where
        I: Serialize + ?Sized,
        O: DeserializeOwned,
    {
        self.converting(input, |input| self.call(input))
    }

    /// The same, with options.
    ///
    /// # Errors
    ///
    /// As [`Handle::call_with`]; also when a value does not fit its type.
    pub fn call_typed_with<I, O>(&self, input: &I, options: &CallOptions) -> Result<O, CallError>
    where
        I: Serialize + ?Sized,
        O: DeserializeOwned,
    {
        self.converting(input, |input| self.call_with(input, options))
    }

    fn converting<I, O>(
        &self,
        input: &I,
        call: impl FnOnce(&Value) -> Result<Value, CallError>,
    ) -> Result<O, CallError>
    where
        I: Serialize + ?Sized,
        O: DeserializeOwned,
    {
        let input = Value::from_serialize(input)
            .map_err(|source| self.unconverted(Subject::Input, source))?;
        let output = call(&input)?;
        output
            .to_typed()
            .map_err(|source| self.unconverted(Subject::Output, source))
    }

    #[cold]
    fn unconverted(&self, subject: Subject, source: floe_plugin_api::ValueError) -> CallError {
        CallError::Convert(Box::new(ConvertError {
            subject,
            node_type: self.node_type().to_owned(),
            source,
        }))
    }

    /// Maps the plugin's code now, instead of at the first call. Does not start it. This, [`Handle::describe`] and
    /// [`Handle::validate`] are the host's own: the policy is not asked. [`Handle::authorize`] asks it.
    ///
    /// # Errors
    ///
    /// The file is refused, and why.
    pub fn load(&self) -> Result<(), CallError> {
        self.target().slot().load()
    }

    /// The schemas of the executor, for which the plugin is mapped if they are not remembered.
    ///
    /// # Errors
    ///
    /// The file is refused, or the plugin cannot describe itself.
    pub fn describe(&self) -> Result<ExecutorSchemas, CallError> {
        let schemas = self.target().slot().schemas()?;
        let own = schemas.executors.get(self.node_type()).cloned();
        Ok(own.unwrap_or_else(ExecutorSchemas::anything))
    }

    /// Checks an input against the executor's schema without calling it: every place where it does
    /// not fit.
    ///
    /// # Errors
    ///
    /// The input does not fit; or as [`Handle::describe`].
    pub fn validate(&self, input: &Value) -> Result<(), CallError> {
        let schemas = self.describe()?;
        schema::check(&schemas.input, input, Subject::Input, self.node_type())?;
        Ok(())
    }

    /// The executor's name.
    #[must_use]
    pub fn node_type(&self) -> &str {
        self.0.track().reference().node_type()
    }

    /// For whom its instance is.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.0.track().lodging().scope
    }

    /// The plugin that answers now.
    #[must_use]
    pub fn plugin(&self) -> PluginId {
        self.target().slot().id().clone()
    }

    /// The version of the build that answers now.
    #[must_use]
    pub fn version(&self) -> semver::Version {
        self.target().slot().manifest().version.clone()
    }

    /// What is known of the executor without running it, of the build that answers now.
    #[must_use]
    pub fn metadata(&self) -> Option<ExecutorMetadata> {
        self.target().metadata().cloned()
    }

    pub(crate) const fn line(&self) -> &Arc<Line> {
        &self.0
    }

    fn target(&self) -> Arc<Target> {
        self.0.track().target()
    }

    /// Which instance its next call will use.
    pub(crate) fn key(&self) -> Key {
        Key {
            generation: self.target().slot().generation(),
            lodging: self.0.track().lodging().clone(),
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Handle({} of {} {})",
            self.node_type(),
            self.plugin(),
            self.version()
        )
    }
}
