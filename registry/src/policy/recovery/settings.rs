//! Which executor has which recovery, and what is wrong with that.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use floe_plugin_api::ErrorKind;

use super::fallback::Source;
use super::kinds::{NEVER_RECOVERED, NEVER_RETRIED};
use super::{ErrorKinds, Mapping, Recovery, Retry, Strategy};
use crate::graph::Graph;
use crate::id::PluginId;

/// What is done when a call fails, by executor and by plugin. Nothing is, by default.
///
/// ```
/// use floe_registry::{Recovery, RecoverySettings, Retry};
///
/// let settings = RecoverySettings::new(Recovery::none().then(Retry::default()))
///     .executor("mail.send", Recovery::none());
/// assert!(settings.check().is_ok());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RecoverySettings {
    /// For whatever has none of its own.
    pub default: Recovery,
    /// For a plugin's executors, by its name or by `kind/name`, which is stronger.
    pub plugins: BTreeMap<String, Recovery>,
    /// For an executor, by its node type: the strongest.
    pub executors: BTreeMap<String, Recovery>,
}

impl RecoverySettings {
    /// This recovery for every executor.
    #[must_use]
    pub const fn new(default: Recovery) -> Self {
        Self {
            default,
            plugins: BTreeMap::new(),
            executors: BTreeMap::new(),
        }
    }

    /// Sets the recovery of a plugin, by its name or by `kind/name`.
    #[must_use]
    pub fn plugin(mut self, plugin: impl Into<String>, recovery: Recovery) -> Self {
        self.plugins.insert(plugin.into(), recovery);
        self
    }

    /// Sets the recovery of an executor, by its node type.
    #[must_use]
    pub fn executor(mut self, node_type: impl Into<String>, recovery: Recovery) -> Self {
        self.executors.insert(node_type.into(), recovery);
        self
    }

    /// Whether nothing is done about any failure.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries().all(|(_, recovery)| recovery.is_none())
    }

    /// The recovery of an executor of a plugin.
    #[must_use]
    pub fn of(&self, node_type: &str, plugin: &PluginId) -> &Recovery {
        let own = self.executors.get(node_type);
        // Each call that is looked at asks: no text is made for nothing.
        if own.is_some() || self.plugins.is_empty() {
            return own.unwrap_or(&self.default);
        }
        self.plugins
            .get(&plugin.to_string())
            .or_else(|| self.plugins.get(&plugin.name))
            .unwrap_or(&self.default)
    }

    /// The recovery of a fallback's target: its own as an executor, or else the default one. A plugin's is
    /// not for it, as which plugin answers is not known when the settings are checked for circles.
    #[must_use]
    pub fn of_fallback(&self, node_type: &str) -> &Recovery {
        self.executors.get(node_type).unwrap_or(&self.default)
    }

    /// Refuses what can do nothing, would do harm, or would never end.
    ///
    /// # Errors
    ///
    /// The first such thing, and where it is.
    pub fn check(&self) -> Result<(), RecoveryError> {
        for (entry, recovery) in self.entries() {
            check_list(recovery).map_err(|(strategy, flaw)| RecoveryError {
                entry,
                strategy,
                flaw,
            })?;
        }
        self.check_circles()
    }

    fn entries(&self) -> impl Iterator<Item = (RecoveryEntry, &Recovery)> {
        let plugins = self.plugins.iter();
        let plugins = plugins.map(|(name, each)| (RecoveryEntry::Plugin(name.clone()), each));
        let executors = self.executors.iter();
        let executors =
            executors.map(|(node_type, each)| (RecoveryEntry::Executor(node_type.clone()), each));
        std::iter::once((RecoveryEntry::Default, &self.default))
            .chain(plugins)
            .chain(executors)
    }

    fn check_circles(&self) -> Result<(), RecoveryError> {
        let recoveries = self.entries().map(|(_, recovery)| recovery);
        let targets = recoveries
            .flat_map(Recovery::fallbacks)
            .map(|(_, fallback)| fallback.to.node_type());
        let executors = self.executors.keys().map(String::as_str);
        let mut graph: Graph<&str> = executors.chain(targets).collect();
        for node_type in graph.nodes().to_vec() {
            for (_, fallback) in self.of_fallback(node_type).fallbacks() {
                // Both are in the graph, which is all that can go wrong.
                let _ = graph.need(&node_type, &fallback.to.node_type());
            }
        }
        let Err(circle) = graph.order() else {
            return Ok(());
        };
        let path = circle.path();
        let (Some(first), Some(next)) = (path.first(), path.get(1)) else {
            return Ok(());
        };
        let mut fallbacks = self.of_fallback(first).fallbacks();
        let strategy = fallbacks.find(|(_, fallback)| fallback.to.node_type() == *next);
        let stranger = path
            .iter()
            .find(|each| !self.executors.contains_key(**each));
        Err(RecoveryError {
            entry: match self.executors.contains_key(*first) {
                true => RecoveryEntry::Executor((*first).to_owned()),
                false => RecoveryEntry::Default,
            },
            strategy: strategy.map_or(0, |(place, _)| place),
            flaw: RecoveryFlaw::Circle {
                path: path.iter().map(|each| (*each).to_owned()).collect(),
                without_own: stranger.map(|each| (*each).to_owned()),
            },
        })
    }
}

/// What is wrong with a list of strategies, and with which of them.
fn check_list(recovery: &Recovery) -> Result<(), (usize, RecoveryFlaw)> {
    let (mut last, mut fallback) = (None, None);
    for (place, strategy) in recovery.strategies().iter().enumerate() {
        let at = |flaw| (place, flaw);
        if let Some(before) = last {
            return Err(at(RecoveryFlaw::NeverReached { before }));
        }
        if strategy.is_last() {
            last = Some(strategy.name());
        }
        if let Some(kinds) = strategy.kinds() {
            check_kinds(strategy, kinds).map_err(at)?;
        }
        match strategy {
            Strategy::Retry(retry) => {
                check_retry(retry).map_err(at)?;
                if let Some(target) = fallback.take() {
                    return Err(at(RecoveryFlaw::RetryAfterFallback { target }));
                }
            }
            Strategy::Fallback(each) => {
                fallback = Some(each.to.node_type().to_owned());
                let fields = each.input.iter().flat_map(Mapping::fields);
                for (field, source) in fields {
                    match source {
                        Source::Input(pointer)
                            if !pointer.is_empty() && !pointer.starts_with('/') =>
                        {
                            return Err(at(RecoveryFlaw::Pointer {
                                field: field.to_owned(),
                                pointer: pointer.clone(),
                            }));
                        }
                        Source::Input(_) | Source::Literal(_) => {}
                    }
                }
            }
            Strategy::Value(_) | Strategy::Skip(_) | Strategy::Fail => {}
        }
    }
    Ok(())
}

fn check_kinds(strategy: &Strategy, kinds: &ErrorKinds) -> Result<(), RecoveryFlaw> {
    let strategy_name = strategy.name();
    if kinds.is_empty() {
        return Err(RecoveryFlaw::NoKinds {
            strategy: strategy_name,
        });
    }
    for kind in kinds.iter() {
        if NEVER_RECOVERED.contains(&kind) {
            return Err(RecoveryFlaw::NeverRecovered { kind });
        }
        if matches!(strategy, Strategy::Retry(_)) && NEVER_RETRIED.contains(&kind) {
            return Err(RecoveryFlaw::NeverRetried { kind });
        }
    }
    Ok(())
}

fn check_retry(retry: &Retry) -> Result<(), RecoveryFlaw> {
    if retry.attempts == 0 {
        return Err(RecoveryFlaw::Attempts);
    }
    if !retry.factor.is_finite() || retry.factor < 1.0 {
        return Err(RecoveryFlaw::Factor {
            found: retry.factor,
        });
    }
    if retry.initial > retry.longest {
        return Err(RecoveryFlaw::Initial {
            initial: retry.initial,
            longest: retry.longest,
        });
    }
    Ok(())
}

/// A recovery that can do nothing, would do harm, or would never end.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{entry}`, strategy {}: {flaw}", strategy + 1)]
#[non_exhaustive]
pub struct RecoveryError {
    /// Where it stands.
    pub entry: RecoveryEntry,
    /// The place of the strategy in its list, from 0.
    pub strategy: usize,
    /// What is wrong with it.
    pub flaw: RecoveryFlaw,
}

/// A list of strategies among the settings. It displays as its path in `floe.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecoveryEntry {
    /// The one for whatever has none of its own.
    Default,
    /// A plugin's, by its name or by `kind/name`.
    Plugin(String),
    /// An executor's, by its node type.
    Executor(String),
}

impl fmt::Display for RecoveryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("recovery.default"),
            Self::Plugin(plugin) if plugin.contains('/') => {
                write!(f, "recovery.plugins.\"{plugin}\"")
            }
            Self::Plugin(plugin) => write!(f, "recovery.plugins.{plugin}"),
            Self::Executor(node_type) => write!(f, "recovery.executors.\"{node_type}\""),
        }
    }
}

/// What is wrong with a strategy.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryFlaw {
    /// No call is allowed.
    #[error(
        "`attempts` is `0`, expected at least 1, which is the call itself; write `fail` for no retry"
    )]
    Attempts,
    /// Waits would shrink, or be no waits.
    #[error(
        "`factor` is `{found}`, expected a finite number of at least 1; 1 is the same wait each time"
    )]
    Factor {
        /// The factor.
        found: f64,
    },
    /// The first wait is longer than the longest.
    #[error(
        "`initial` is `{initial:?}`, expected at most `longest`, which is `{longest:?}`; shorten the one or lengthen the other"
    )]
    Initial {
        /// The first wait.
        initial: Duration,
        /// The longest.
        longest: Duration,
    },
    /// It is for no error.
    #[error(
        "`on` of `{strategy}` is empty, expected at least one kind of error; leave it out, or take the strategy out"
    )]
    NoKinds {
        /// The strategy's name.
        strategy: &'static str,
    },
    /// It is to call again where that gives the same error.
    #[error(
        "`retry` is on `{kind}`, which is never retried: the same call meets the same error; take it out of `on`, and add a `fallback` for it if there is one"
    )]
    NeverRetried {
        /// The kind.
        kind: ErrorKind,
    },
    /// It is to recover from what nobody may recover from.
    #[error(
        "`on` has `{kind}`, which is never recovered from: the caller has gone, or may not have an answer; take it out"
    )]
    NeverRecovered {
        /// The kind.
        kind: ErrorKind,
    },
    /// One before it is for every error.
    #[error(
        "it is never reached, as `{before}` before it is for every error; take it out, move it up, or give that one an `on`"
    )]
    NeverReached {
        /// The name of the strategy before it.
        before: &'static str,
    },
    /// It is to call the executor itself again after another one has failed.
    #[error(
        "a `retry` after the fallback to `{target}` would call the executor itself again, expected before it; move it up, or give `{target}` a recovery of its own"
    )]
    RetryAfterFallback {
        /// The fallback's node type.
        target: String,
    },
    /// A field is taken from what is no place.
    #[error(
        "`{field}` is taken from `{pointer}`, expected a JSON pointer such as `/url`, or an empty text for the whole input"
    )]
    Pointer {
        /// The field.
        field: String,
        /// Where it is taken from.
        pointer: String,
    },
    /// Fallbacks lead back to where they began.
    #[error("fallbacks lead in a circle: `{}`; {}", path.join(" -> "), circle_remedy(without_own.as_deref()))]
    Circle {
        /// The node types, with the first once more at the end.
        path: Vec<String>,
        /// The first of them that has no recovery of its own, and so the default one.
        without_own: Option<String>,
    },
}

fn circle_remedy(without_own: Option<&str>) -> String {
    match without_own {
        Some(node_type) => format!(
            "`{node_type}` has the default recovery: give it one of its own, such as `\"{node_type}\" = [\"fail\"]` in `[recovery.executors]`"
        ),
        None => "take one of these fallbacks out".to_owned(),
    }
}
