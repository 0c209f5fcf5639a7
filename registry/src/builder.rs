//! How a registry is set up.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use floe_plugin_api::{ApiVersion, Value};

use crate::admit::{Admission, QuarantineSettings, State, Store, TrustSettings};
use crate::config::{
    CircuitSettings, Deadlines, Environment, InstanceLimits, PARALLEL, Settings, Sources,
    default_state, default_store,
};
use crate::discover::SearchDirectory;
use crate::error::Rejection;
use crate::isolation::IsolationSettings;
use crate::lifecycle::{Mode, Statistics};
use crate::policy::{AuditSettings, Policy, PolicyError};
use crate::registry::Registry;

/// How many events are kept for a listener that is slow, where nothing else is set.
const EVENTS: usize = 4_096;

/// How a registry is set up. Made by [`Registry::builder`].
#[must_use = "nothing is scanned before `build`"]
pub struct RegistryBuilder {
    pub(crate) directories: Vec<SearchDirectory>,
    pub(crate) admission: Admission,
    pub(crate) mode: Mode,
    pub(crate) store: Option<PathBuf>,
    pub(crate) state: Option<PathBuf>,
    pub(crate) quarantine: QuarantineSettings,
    /// What the settings say of plugins.
    pub(crate) settings: BTreeMap<String, Value>,
    /// What the program says of them.
    pub(crate) configs: BTreeMap<String, Value>,
    pub(crate) deadlines: Deadlines,
    pub(crate) instances: InstanceLimits,
    pub(crate) circuit: CircuitSettings,
    pub(crate) parallel: usize,
    pub(crate) statistics: Statistics,
    pub(crate) policy: Policy,
    pub(crate) audit: Option<AuditSettings>,
    pub(crate) events: usize,
}

impl RegistryBuilder {
    pub(crate) fn new() -> Self {
        Self {
            directories: Vec::new(),
            admission: Admission::host(),
            mode: Mode::Loose,
            store: None,
            state: None,
            quarantine: QuarantineSettings::default(),
            settings: BTreeMap::new(),
            configs: BTreeMap::new(),
            deadlines: Deadlines::default(),
            instances: InstanceLimits::default(),
            circuit: CircuitSettings::default(),
            parallel: PARALLEL,
            statistics: Statistics::On,
            policy: Policy::default(),
            audit: None,
            events: EVENTS,
        }
    }

    /// Adds a directory at the end of the search path: a path, or a [`SearchDirectory`].
    pub fn directory(mut self, directory: impl Into<SearchDirectory>) -> Self {
        self.directories.push(directory.into());
        self
    }

    /// Adds directories at the end of the search path.
    pub fn directories(mut self, directories: impl IntoIterator<Item = SearchDirectory>) -> Self {
        self.directories.extend(directories);
        self
    }

    /// Sets what becomes of refused files and of node types that two plugins claim.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the oldest version of the boundary that is accepted. By default it is the first of this
    /// host's major version.
    pub fn minimum_api(mut self, minimum: ApiVersion) -> Self {
        self.admission.compatibility = self.admission.compatibility.minimum(minimum);
        self
    }

    /// Sets which files are trusted: a [`Trust`](crate::Trust) for all alike, or [`TrustSettings`].
    pub fn trust(mut self, trust: impl Into<TrustSettings>) -> Self {
        self.admission.trust = trust.into();
        self
    }

    /// Sets the directory of the private copies. By default it is `floe/store` in the user's cache
    /// directory, or `$FLOE_STORE`.
    pub fn store(mut self, directory: impl Into<PathBuf>) -> Self {
        self.store = Some(directory.into());
        self
    }

    /// Sets the directory of what is remembered of contents: which are quarantined, and their schemas.
    /// By default it is `$FLOE_STATE`, or `state` in the store where one is set here, or `floe` in the
    /// user's state directory.
    pub fn state(mut self, directory: impl Into<PathBuf>) -> Self {
        self.state = Some(directory.into());
        self
    }

    /// Sets when a content that fails again and again is left alone, and for how long.
    pub fn quarantine(mut self, quarantine: QuarantineSettings) -> Self {
        self.quarantine = quarantine;
        self
    }

    /// Takes over all that the settings say: their directories at the end of the search path, and the
    /// rest in place of what was set before. A configuration by [`RegistryBuilder::config`] stays
    /// stronger than theirs, whichever is called first.
    ///
    /// ```no_run
    /// use std::path::Path;
    ///
    /// use floe_registry::{Registry, Settings};
    ///
    /// let settings = Settings::read(Path::new("floe.toml"))?;
    /// let registry = Registry::builder().settings(&settings).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn settings(mut self, settings: &Settings) -> Self {
        self.directories
            .extend(settings.directories.iter().cloned());
        self.mode = settings.mode;
        if settings.store.is_some() {
            self.store.clone_from(&settings.store);
        }
        self.settings.clone_from(&settings.plugins);
        self.deadlines = settings.deadlines;
        self.policy = settings.policy();
        self.audit.clone_from(&settings.audit);
        self.instances = settings.instances;
        self.circuit = settings.circuit;
        self.parallel = settings.parallel;
        if settings.state.is_some() {
            self.state.clone_from(&settings.state);
        }
        self.quarantine = settings.quarantine;
        self.isolation(settings.isolation.clone())
            .trust(settings.trust.clone())
    }

    /// Sets what the plugin of this name is configured with.
    ///
    /// It lies over what the environment says (`FLOE_PLUGINS__NAME__KEY`), and that over the settings:
    /// maps are merged key by key, anything else replaces what is below it. What is then missing has the
    /// default that the plugin's schema states.
    pub fn config(mut self, plugin: impl Into<String>, config: Value) -> Self {
        self.configs.insert(plugin.into(), config);
        self
    }

    /// Sets how long plugins may take.
    pub fn deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// Sets how many instances may live at once.
    pub fn instances(mut self, instances: InstanceLimits) -> Self {
        self.instances = instances;
        self
    }

    /// Sets when a plugin that panics again and again is let be for a while.
    pub fn circuit(mut self, circuit: CircuitSettings) -> Self {
        self.circuit = circuit;
        self
    }

    /// Sets where plugins run: an [`Isolation`](crate::Isolation) for all alike, an
    /// [`IsolationRule`](crate::IsolationRule), or [`IsolationSettings`]. By default they run in this process.
    ///
    /// ```
    /// use floe_registry::{Isolation, IsolationRule, IsolationSettings, Profile, Registry};
    ///
    /// let strict = IsolationRule::new(Isolation::Worker).sandbox(Profile::Strict);
    /// let isolation = IsolationSettings::new(Isolation::InProcess).plugin("jq", strict);
    /// let builder = Registry::builder().isolation(isolation);
    /// # drop(builder);
    /// ```
    pub fn isolation(mut self, settings: impl Into<IsolationSettings>) -> Self {
        self.admission.isolation = Arc::new(ArcSwap::from_pointee(settings.into()));
        self
    }

    /// Sets how many plugins are started at once, where many are to be; 0 is taken as 1. By default
    /// 5 are.
    pub fn parallel(mut self, parallel: usize) -> Self {
        self.parallel = parallel.max(1);
        self
    }

    /// Sets whether calls are counted and timed. By default they are: it costs some nanoseconds a call.
    pub fn statistics(mut self, statistics: Statistics) -> Self {
        self.statistics = statistics;
        self
    }

    /// Sets who may call what, and what is done when a call fails. It may be replaced later, by
    /// [`Registry::set_policy`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Has every call put on record. Where tenants are set, calls are put on record in any case: then the
    /// default settings hold if none are set.
    pub fn audit(mut self, audit: AuditSettings) -> Self {
        self.audit = Some(audit);
        self
    }

    /// Sets how many events are kept for a listener that is slow, 4,096 by default. One that is slower
    /// yet is told how many it missed.
    pub fn events(mut self, events: usize) -> Self {
        self.events = events;
        self
    }

    /// Scans the search path. No plugin is loaded. What the environment says of plugins is read now, and
    /// not again.
    ///
    /// # Errors
    ///
    /// In strict mode, when anything was refused. In any mode, when the policy contradicts itself or the record
    /// of calls cannot be kept.
    pub fn build(self) -> Result<Registry, BuildError> {
        Registry::new(self)
    }

    /// What plugins are given, with the environment as it is now.
    pub(crate) fn sources(&self) -> Sources {
        Sources::new(
            self.settings.clone(),
            Environment::capture(),
            self.configs.clone(),
        )
    }

    pub(crate) fn make_store(&self) -> Store {
        Store::new(self.store.clone().unwrap_or_else(default_store))
    }

    pub(crate) fn make_state(&self) -> State {
        let state = self.state.clone();
        State::new(state.unwrap_or_else(|| default_state(self.store.as_deref())))
    }
}

impl fmt::Debug for RegistryBuilder {
    /// Names the plugins that are configured, and not how: which of it is secret, only they know.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryBuilder")
            .field("directories", &self.directories)
            .field("admission", &self.admission)
            .field("mode", &self.mode)
            .field("store", &self.store)
            .field("state", &self.state)
            .field("quarantine", &self.quarantine)
            .field("settings", &self.settings.keys())
            .field("configs", &self.configs.keys())
            .field("deadlines", &self.deadlines)
            .field("instances", &self.instances)
            .field("circuit", &self.circuit)
            .field("parallel", &self.parallel)
            .field("statistics", &self.statistics)
            .field("policy", &self.policy)
            .field("audit", &self.audit)
            .field("events", &self.events)
            .finish()
    }
}

/// Why a strict scan gave no registry, or no other one.
#[derive(Clone, Debug, thiserror::Error)]
#[error("discovery is strict and {} refused: {}", count(rejections.len()), list(rejections))]
pub struct StrictError {
    /// All that was refused.
    pub rejections: Vec<Rejection>,
}

/// Why there is no registry.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Discovery is strict, and something was refused.
    #[error(transparent)]
    Strict(#[from] StrictError),
    /// The policy contradicts itself, or the record of calls that it needs cannot be kept.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl BuildError {
    /// All that was refused.
    #[must_use]
    pub fn rejections(&self) -> &[Rejection] {
        match self {
            Self::Strict(error) => &error.rejections,
            Self::Policy(_) => &[],
        }
    }
}

fn count(refused: usize) -> String {
    match refused {
        1 => "1 file was".to_owned(),
        _ => format!("{refused} files were"),
    }
}

fn list(rejections: &[Rejection]) -> String {
    const SHOWN: usize = 5;
    let mut text: Vec<String> = rejections
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    if rejections.len() > SHOWN {
        text.push(format!("and {} more", rejections.len() - SHOWN));
    }
    text.join("; ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use floe_plugin_api::value;

    use super::*;
    use crate::admit::Trust;
    use crate::discover::SearchDirectory;
    use crate::isolation::Isolation;

    #[test]
    fn settings_are_taken_over() {
        let settings = Settings {
            directories: vec![SearchDirectory::new("/b")],
            mode: Mode::Strict,
            trust: Trust::Any.into(),
            plugins: [("a".to_owned(), value!({"k": 1, "l": 1}))].into(),
            instances: InstanceLimits::default().capacity(3),
            deadlines: Deadlines::default().call(Duration::from_secs(1)),
            circuit: CircuitSettings::default().panics(1),
            parallel: 2,
            isolation: Isolation::Worker.into(),
            ..Settings::default()
        };
        let builder = RegistryBuilder::new()
            .directory("/a")
            .store("/store")
            .config("a", value!({"k": 2}))
            .settings(&settings);
        assert_eq!(builder.directories.len(), 2);
        assert_eq!(builder.mode, Mode::Strict);
        assert_eq!(builder.store, Some("/store".into()));
        assert_eq!(builder.admission.trust.policy, Trust::Any);
        assert_eq!(builder.instances.capacity, 3);
        assert_eq!(builder.deadlines, settings.deadlines);
        assert_eq!(builder.circuit, settings.circuit);
        assert_eq!(builder.parallel, 2);
        assert_eq!(**builder.admission.isolation.load(), settings.isolation);
        let effective = builder
            .sources()
            .of("a")
            .resolve(&true.into(), "a")
            .unwrap();
        assert_eq!(effective.value, value!({"k": 2, "l": 1}));
    }

    #[test]
    fn it_does_not_show_what_plugins_are_given() {
        let builder = RegistryBuilder::new().config("a", value!({"k": "hunter2"}));
        let shown = format!("{builder:?} {:?}", builder.sources());
        assert!(
            shown.contains("\"a\"") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
