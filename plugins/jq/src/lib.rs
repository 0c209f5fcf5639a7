//! The plugin `jq`: reshapes values with filters in jq's language.
//!
//! * `language` is the language as this plugin offers it: what is left out, what is watched, and how
//!   a filter that is wrong is explained.
//! * `convert` carries values over and back without a change.
#![forbid(unsafe_code)]

mod convert;
mod language;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::sync::Arc;

use floe_plugin_api::{
    CallContext, Error, ErrorKind, HostRef, Plugin, Result, Value, data, export_plugin,
};
use lru::LruCache;
use parking_lot::Mutex;

use crate::language::Filter;

/// What an operator may set.
#[data]
#[serde(deny_unknown_fields)]
struct Config {
    /// How many compiled filters to keep; the one that was not used for longest gives way.
    #[serde(default = "Config::cache")]
    cache: NonZeroUsize,
    /// The most outputs that a filter may give.
    #[serde(default = "Config::max_outputs")]
    max_outputs: NonZeroUsize,
}

impl Config {
    const fn cache() -> NonZeroUsize {
        const { NonZeroUsize::new(128).unwrap() }
    }

    const fn max_outputs() -> NonZeroUsize {
        const { NonZeroUsize::new(100_000).unwrap() }
    }
}

struct Jq {
    /// By text. A filter is compiled in about a millisecond and shared by all threads.
    compiled: Mutex<LruCache<String, Arc<Filter>>>,
    max_outputs: usize,
}

impl Plugin for Jq {
    type Config = Config;

    fn start(config: Config, _host: HostRef) -> Result<Self> {
        Ok(Self {
            compiled: Mutex::new(LruCache::new(config.cache)),
            max_outputs: config.max_outputs.get(),
        })
    }
}

impl Jq {
    fn filter(&self, text: String) -> Result<Arc<Filter>> {
        if let Some(filter) = self.compiled.lock().get(&text) {
            return Ok(Arc::clone(filter));
        }
        // Outside the lock: two threads may compile the same filter, and none waits for another's.
        let filter = Arc::new(Filter::compile(&text)?);
        self.compiled.lock().put(text, Arc::clone(&filter));
        Ok(filter)
    }
}

/// A filter and what to apply it to.
#[data]
#[serde(deny_unknown_fields)]
struct Apply {
    /// The filter, in jq's language: `.rows | map(.city)`.
    filter: String,
    /// What the filter is applied to.
    input: Value,
    /// Whether to give the list of all outputs. Otherwise the filter must give one, which is the
    /// result as it is.
    #[serde(default)]
    all: bool,
}

fn apply(jq: &Jq, apply: Apply, call: &CallContext<'_>) -> Result<Value> {
    let filter = jq.filter(apply.filter)?;
    let input = convert::to_jq(apply.input)?;
    let most = if apply.all { jq.max_outputs } else { 1 };

    let mut outputs = Vec::new();
    filter.run(input, call, |output| {
        call.checkpoint()?;
        if outputs.len() == most {
            return Err(too_many(most, apply.all));
        }
        outputs.push(convert::from_jq(&output)?);
        Ok(())
    })?;

    if apply.all {
        return Ok(outputs.into());
    }
    outputs.pop().ok_or_else(|| {
        Error::new(
            ErrorKind::ValidationFailed,
            "the filter gives no output, expected one; set `all` for a list of any number",
        )
    })
}

fn too_many(most: usize, all: bool) -> Error {
    if all {
        return Error::new(
            ErrorKind::ResourceExhausted,
            format!(
                "the filter gives more than `{most}` outputs; bound it with `limit`, or raise `max_outputs` in the configuration"
            ),
        );
    }
    Error::new(
        ErrorKind::ValidationFailed,
        "the filter gives more than one output, expected one; set `all` for a list of them, or take the first with `first(…)`",
    )
}

export_plugin! {
    plugin: Jq,
    name: "jq",
    kind: "compute",
    category: "transform",
    stateless: true,
    executors: [
        /// Applies a filter in jq's language to a value and gives its one output, or the list of all.
        "jq.apply" => apply { tags: ["jq", "reshape"], idempotent: true },
    ],
}
