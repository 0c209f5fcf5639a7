//! What a vendor writes.

use std::any::Any;

use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::value::ValueError;
use crate::{CallContext, Error, ErrorKind, Health, HostRef, Result, Value, data};

/// A plugin: a configured instance that executors work on.
///
/// The host starts it before the first call, and may call its executors on any thread, on many at
/// once. A panic anywhere in it is contained: the call that met it fails with
/// [`ErrorKind::Panicked`], and the host replaces the instance before the next one.
pub trait Plugin: Sized + Send + Sync + 'static {
    /// What an operator may set; [`NoConfig`] for nothing.
    ///
    /// Its schema, from `schemars`, is what the host validates against and shows.
    type Config: DeserializeOwned + JsonSchema;

    /// Starts an instance.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from starting; the host reports it and starts it anew at the next use.
    fn start(config: Self::Config, host: HostRef) -> Result<Self>;

    /// How the instance is. Called beside calls; should take well below 5 s.
    fn health(&self) -> Health {
        Health::healthy()
    }

    /// Ends the instance's work: flushes, closes, waits for its threads. No call is inside any more.
    ///
    /// # Errors
    ///
    /// Whatever was lost by stopping.
    fn stop(self) -> Result<()> {
        Ok(())
    }
}

/// The configuration of a plugin that has none: only `{}` fits.
#[data]
#[serde(deny_unknown_fields)]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct NoConfig {}

/// A typed operation on a plugin: a function that `export_plugin!` may name.
///
/// Vendors do not implement this; every function of one of these two shapes does:
///
/// ```text
/// fn(&P, Input,  &CallContext<'_>) -> Result<Output, E>   Input: Deserialize + JsonSchema, Output: Serialize + JsonSchema
/// fn(&P, &Value, &CallContext<'_>) -> Result<Value, E>    as it is, without a conversion
/// ```
///
/// An output that is a [`Value`] is passed on as it is in the first shape too.
///
/// where `P` is the plugin and `E` is [`Error`] or anything that becomes one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an executor of the plugin `{P}`",
    label = "this function cannot be exported as an executor",
    note = "an executor is `fn(&{P}, Input, &CallContext<'_>) -> Result<Output>` where `Input` and `Output` are marked `#[data]` (or derive serde's and schemars' traits)",
    note = "or `fn(&{P}, &Value, &CallContext<'_>) -> Result<Value>`"
)]
pub trait Executor<P, Shape>: Copy + Send + Sync + 'static {
    /// Calls the function.
    ///
    /// # Errors
    ///
    /// The input does not fit the function's type, or the function says why it cannot answer.
    fn execute(self, plugin: &P, input: &Value, call: &CallContext<'_>) -> Result<Value>;

    /// The schemas of the function's input and output.
    fn schemas(self) -> (Schema, Schema);
}

/// Marks functions that take and give their own types.
#[derive(Debug)]
pub struct Typed<I, O, E>(std::marker::PhantomData<(I, O, E)>);

/// Marks functions that take and give [`Value`]s.
#[derive(Debug)]
pub struct Untyped<E>(std::marker::PhantomData<E>);

impl<P, I, O, E, F> Executor<P, Typed<I, O, E>> for F
where
    F: Fn(&P, I, &CallContext<'_>) -> Result<O, E> + Copy + Send + Sync + 'static,
    I: DeserializeOwned + JsonSchema,
    O: Serialize + JsonSchema + 'static,
    E: Into<Error>,
{
    #[inline]
    fn execute(self, plugin: &P, input: &Value, call: &CallContext<'_>) -> Result<Value> {
        let input = read(input, ErrorKind::InvalidParameters)?;
        let mut output = Some(self(plugin, input, call).map_err(Into::into)?);
        // A value that is a value already is not made anew. The compiler knows which it is.
        if let Some(value) = (&mut output as &mut dyn Any).downcast_mut::<Option<Value>>() {
            return Ok(value.take().unwrap_or_default());
        }
        Value::from_serialize(&output)
            .map_err(|error| Error::from(error).context("the output cannot be given to the host"))
    }

    fn schemas(self) -> (Schema, Schema) {
        let mut inputs = schemars::generate::SchemaSettings::draft2020_12().into_generator();
        let mut outputs = schemars::generate::SchemaSettings::draft2020_12()
            .for_serialize()
            .into_generator();
        (
            inputs.root_schema_for::<I>(),
            outputs.root_schema_for::<O>(),
        )
    }
}

impl<P, E, F> Executor<P, Untyped<E>> for F
where
    F: Fn(&P, &Value, &CallContext<'_>) -> Result<Value, E> + Copy + Send + Sync + 'static,
    E: Into<Error>,
{
    #[inline]
    fn execute(self, plugin: &P, input: &Value, call: &CallContext<'_>) -> Result<Value> {
        self(plugin, input, call).map_err(Into::into)
    }

    fn schemas(self) -> (Schema, Schema) {
        (Schema::from(true), Schema::from(true))
    }
}

/// Reads a value into a type; where it does not fit, finds out which field it was.
#[inline]
pub(crate) fn read<T: DeserializeOwned>(value: &Value, kind: ErrorKind) -> Result<T> {
    T::deserialize(value).map_err(|error| explain::<T>(value, &error, kind))
}

#[cold]
fn explain<T: DeserializeOwned>(value: &Value, error: &ValueError, kind: ErrorKind) -> Error {
    // Once more, with the path followed: only a value that does not fit pays for that.
    let (path, reason) = match serde_path_to_error::deserialize::<_, T>(value) {
        Err(tracked) => {
            let path = tracked.path().to_string();
            // The whole value, which has no path.
            let path = if path == "." { String::new() } else { path };
            (path, tracked.into_inner().to_string())
        }
        Ok(_) => (String::new(), error.to_string()),
    };
    let what = match kind {
        ErrorKind::Configuration => "configuration",
        ErrorKind::InvalidParameters => "input",
        _ => "value",
    };
    let message = if path.is_empty() {
        format!("the {what} does not fit: {reason}")
    } else {
        format!("the {what} does not fit at `{path}`: {reason}")
    };
    Error::new(kind, message)
        .with_detail("path", path)
        .with_detail("rule", reason)
}

/// One executor's schemas, as [`describe`] takes them.
pub type ExecutorSchemas = (&'static str, (Schema, Schema));

/// The JSON text of a plugin's schemas. Called by the code that the export macro writes.
#[doc(hidden)]
#[must_use]
pub fn describe<P: Plugin>(executors: Vec<ExecutorSchemas>) -> String {
    let config = schemars::generate::SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<P::Config>();
    let executors: Vec<_> = executors
        .into_iter()
        .map(|(node_type, (input, output))| {
            serde_json::json!({ "node_type": node_type, "input": input, "output": output })
        })
        .collect();
    serde_json::json!({ "config": config, "executors": executors }).to_string()
}
