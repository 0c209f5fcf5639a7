//! An executor, ready to be called.

use std::fmt;
use std::sync::Arc;

use floe_plugin_api::{CallOptions, ExecutorMetadata, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{CallError, ConvertError};
use crate::id::PluginId;
use crate::lifecycle::Target;
use crate::schema::{self, ExecutorSchemas, Subject};

static NO_OPTIONS: CallOptions = CallOptions::new();

/// An executor, resolved: a call through it looks nothing up by name.
///
/// The plugin is loaded and started at the first call. A handle goes on working, with the build
/// that it was made for, whatever becomes of the file and whatever a scan finds; a clone is a
/// pointer and a count. May be used on any thread, on many at once.
#[derive(Clone)]
pub struct Handle(Arc<Target>);

impl Handle {
    pub(crate) const fn new(target: Arc<Target>) -> Self {
        Self(target)
    }

    /// Calls the executor, with no run, deadline or tenant set.
    ///
    /// # Errors
    ///
    /// The plugin cannot be loaded or started, or the executor says why it cannot answer. A panic
    /// in it is such an answer.
    #[inline]
    pub fn call(&self, input: &Value) -> Result<Value, CallError> {
        self.0.call(input, NO_OPTIONS.raw())
    }

    /// Calls the executor.
    ///
    /// # Errors
    ///
    /// As [`Handle::call`].
    #[inline]
    pub fn call_with(&self, input: &Value, options: &CallOptions) -> Result<Value, CallError> {
        self.0.call(input, options.raw())
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
        let input = Value::from_serialize(input)
            .map_err(|source| self.unconverted(Subject::Input, source))?;
        let output = self.call(&input)?;
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

    /// Maps the plugin's code now, instead of at the first call. Does not start it.
    ///
    /// # Errors
    ///
    /// The file is refused, and why.
    pub fn load(&self) -> Result<(), CallError> {
        self.0.slot().load()
    }

    /// The schemas of the executor, for which the plugin is mapped if they are not remembered.
    ///
    /// # Errors
    ///
    /// The file is refused, or the plugin cannot describe itself.
    pub fn describe(&self) -> Result<ExecutorSchemas, CallError> {
        let schemas = self.0.slot().schemas()?;
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
        self.0.node_type()
    }

    /// The plugin that offers it.
    #[must_use]
    pub fn plugin(&self) -> &PluginId {
        self.0.slot().id()
    }

    /// The version of the build that answers.
    #[must_use]
    pub fn version(&self) -> &semver::Version {
        &self.0.slot().manifest().version
    }

    /// What is known of the executor without running it.
    #[must_use]
    pub fn metadata(&self) -> Option<&ExecutorMetadata> {
        self.0.metadata()
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
