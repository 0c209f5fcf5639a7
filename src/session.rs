//! One run of the program: its settings, its search path, and the registry over that.

use std::env;
use std::path::{Path, PathBuf};

use floe_registry::{
    BuildError, Handle, IsolationSettings, LOCK_FILE, LookupError, Mode, Policy, RecoverySettings,
    Reference, Registry, RegistryBuilder, Rejection, STATE_VARIABLE, STORE_VARIABLE,
    SearchDirectory, Settings, Stage, TenantSettings, TrustSettings, WorkflowSettings,
    is_privileged, search_path,
};

use floe_workflow::Limits;

use crate::arguments::Global;
use crate::failure::Failure;
use crate::report::places::Place;

/// What the arguments, the environment and the settings file come to.
pub(crate) struct Session {
    directories: Vec<SearchDirectory>,
    /// The settings file's, with what counts more in its place. Its directories are among those above.
    settings: Settings,
}

impl Session {
    /// Arguments count before the environment, and that before the settings file.
    pub(crate) fn new(global: &Global) -> Result<Self, Failure> {
        let settings = match (&global.settings, env::current_dir()) {
            (Some(file), _) => Some(Settings::read(file)?),
            // Whoever started it chose the working directory.
            (None, _) if is_privileged() => None,
            (None, Ok(here)) => Settings::find(&here)?,
            // A working directory that is gone has no settings above it.
            (None, Err(_)) => None,
        };
        let given: Vec<SearchDirectory> =
            global.plugin_dir.iter().map(SearchDirectory::new).collect();
        let directories = search_path(&given, settings.as_ref());
        let mut settings = settings.unwrap_or_default();
        settings.directories.clear();
        if global.strict {
            settings.mode = Mode::Strict;
        }
        if let Some(trust) = global.trust {
            // In place of all that is said of directories too; what is asked of kinds stays.
            settings.trust.policy = trust;
            settings.trust.directories.clear();
        }
        if global.isolation.is_some() {
            // What is said of kinds, plugins and tenants stays.
            settings.isolation.general.isolation = global.isolation;
        }
        if settings.trust.lock.is_none() {
            settings.trust.lock = Some(PathBuf::from(LOCK_FILE));
        }
        // Where none is set, the registry asks the environment itself.
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        if is_set(STORE_VARIABLE) && !is_privileged() {
            settings.store = None;
        }
        if is_set(STATE_VARIABLE) && !is_privileged() {
            settings.state = None;
        }
        if let Some(store) = &global.store {
            settings.store = Some(store.clone());
        }
        Ok(Self {
            directories,
            settings,
        })
    }

    /// What trust is asked of files, by the arguments and the settings.
    pub(crate) const fn trust(&self) -> &TrustSettings {
        &self.settings.trust
    }

    /// The file of the audit log, where the settings have one.
    pub(crate) fn audit_file(&self) -> Option<PathBuf> {
        self.settings.audit_file()
    }

    /// The directory of the journal of runs.
    pub(crate) fn runs(&self) -> PathBuf {
        self.settings.runs()
    }

    /// Where workflows are, and how their runs are put on record.
    pub(crate) const fn workflows(&self) -> &WorkflowSettings {
        &self.settings.workflows
    }

    /// How large workflows may be.
    pub(crate) fn limits(&self) -> Limits {
        let (own, mut limits) = (&self.settings.workflows, Limits::default());
        let number = |set: Option<u64>, usual: usize| {
            set.map_or(usual, |set| usize::try_from(set).unwrap_or(usize::MAX))
        };
        limits.bytes = number(own.max_bytes, limits.bytes);
        limits.nodes = number(own.max_nodes, limits.nodes);
        limits.depth = number(own.max_depth, limits.depth);
        limits
    }

    /// Where plugins run, by the arguments and the settings.
    pub(crate) const fn isolation(&self) -> &IsolationSettings {
        &self.settings.isolation
    }

    /// The settings file, where there is one.
    pub(crate) fn settings_file(&self) -> Option<&Path> {
        let file = self.settings.file.as_path();
        (!file.as_os_str().is_empty()).then_some(file)
    }

    /// Where the lock file is, or is to be.
    pub(crate) fn lock_file(&self) -> &Path {
        let lock = self.settings.trust.lock.as_deref();
        lock.unwrap_or(Path::new(LOCK_FILE))
    }

    /// Where plugins are looked for.
    pub(crate) fn directories(&self) -> &[SearchDirectory] {
        &self.directories
    }

    /// The registry over the search path, to look at what is there: nothing is called, so nothing is put on record.
    pub(crate) fn registry(&self) -> Result<Registry, BuildError> {
        self.scanning().build()
    }

    /// The registry over the search path, to call executors: the policy holds.
    pub(crate) fn calling_registry(&self) -> Result<Registry, BuildError> {
        let policy = self.policy();
        let builder = self.scanning().policy(policy.clone());
        let builder = match &self.settings.audit {
            Some(audit) => builder.audit(audit.clone()),
            None => builder,
        };
        let registry = builder.build()?;
        // What the registry warns of is not shown by default.
        for warning in registry.policy_warnings(&policy) {
            tracing::warn!("{warning}");
        }
        Ok(registry)
    }

    /// Who may call what, and what is done when a call fails.
    pub(crate) fn policy(&self) -> Policy {
        self.settings.policy()
    }

    /// The registry over the search path, whatever was refused.
    pub(crate) fn loose_registry(&self) -> Result<Registry, BuildError> {
        self.scanning().mode(Mode::Loose).build()
    }

    /// A registry over nothing, for files that are named.
    pub(crate) fn registry_of_nothing(&self) -> Result<Registry, BuildError> {
        self.bare().build()
    }

    fn scanning(&self) -> RegistryBuilder {
        self.bare().directories(self.directories.iter().cloned())
    }

    fn bare(&self) -> RegistryBuilder {
        let mut settings = self.settings.clone();
        settings.tenants = TenantSettings::default();
        settings.recovery = RecoverySettings::default();
        settings.audit = None;
        Registry::builder().settings(&settings)
    }

    /// The executor that answers to a reference; where none does, why that may be.
    pub(crate) fn get(&self, registry: &Registry, reference: &str) -> Result<Handle, Failure> {
        registry
            .get(reference)
            .map_err(|error| self.explain(registry, reference, error))
    }

    fn explain(&self, registry: &Registry, reference: &str, error: LookupError) -> Failure {
        let malformed = matches!(error, LookupError::Malformed(_));
        let mut failure = Failure::from(error);
        let Ok(reference) = reference.parse::<Reference>() else {
            return failure;
        };
        if malformed {
            return failure;
        }
        failure.node_type = Some(reference.node_type().to_owned());
        failure.rejected = refused_offers(registry, &reference);
        failure = match failure.rejected.len() {
            0 => failure,
            1 => failure.hint("the file above offers it, and was refused"),
            _ => failure.hint("the files above offer it, and were refused"),
        };
        failure.searched = Place::of_all(&self.directories);
        failure.hint(match registry.executors().len() {
            0 => "add a directory with `--plugin-dir DIR` or `FLOE_PLUGIN_PATH`".to_owned(),
            1 => "`floe list` shows the one executor that is there".to_owned(),
            known => format!("`floe list` shows the {known} executors that are there"),
        })
    }
}

/// The refused files that say they offer what was asked for.
fn refused_offers(registry: &Registry, reference: &Reference) -> Vec<Rejection> {
    let mut rejected = registry.rejected();
    rejected.retain(|rejection| {
        // What was refused earlier could not say what it offers.
        rejection.stage == Stage::Admit
            && registry.manifest(&rejection.path).is_some_and(|manifest| {
                let version = &manifest.version;
                reference.range().is_none_or(|range| range.matches(version))
                    && manifest.operation(reference.node_type()).is_some()
            })
    });
    rejected
}
