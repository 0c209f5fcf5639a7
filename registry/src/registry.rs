//! The registry: all plugins of a search path, and the way to call them.

mod cache;
mod decision;
mod listing;
mod locking;
mod operation;
mod policing;
mod statistics;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use floe_plugin_api::abi::in_process;
use floe_plugin_api::{
    CallContext, CallOptions, ExecutorMetadata, Kind, Manifest, ManifestError, Value,
};
use semver::Version;
use sha2::{Digest as _, Sha256};

pub use self::cache::{Cache, InstanceInfo};
pub use self::decision::{CandidateTrace, Decision, DependencyTrace, RefusedTrace};
pub use self::locking::Lockable;
pub use self::statistics::{ExecutorStats, MemoryStats, PluginStats, Stats, TenantStats};
use crate::admit::{Judge, Quarantine, Store, Verdict};
use crate::builder::{BuildError, RegistryBuilder, StrictError};
use crate::config;
use crate::discover::{self, Ignored};
use crate::error::{CallError, LookupError, Rejection, Stage};
use crate::handle::Handle;
use crate::id::{Digest, Reference};
use crate::info::{Changes, Inspection};
use crate::lifecycle::{
    Bounds, Disk, Gate, Ground, Instances, Line, Lodging, Mode, Owner, Parts, Recorders,
    Supervisor, resolve,
};
use crate::schema::Schemas;

static NO_OPTIONS: CallOptions = CallOptions::new();

/// All plugins of a search path, and the way to call them.
///
/// A clone is a pointer and a count. All methods may be called on any thread, on many at once; a
/// look-up takes no lock, and no lock that a call needs is held while a plugin runs.
///
/// With the last registry and the last [`Handle`] of it, what is live is stopped, in the reverse of the
/// order in which it was started, and waited for; [`Registry::stop`] does so earlier.
///
/// ```
/// use floe_registry::Registry;
///
/// # let directory = std::env::temp_dir().join("floe-doc-registry");
/// # std::fs::create_dir_all(&directory)?;
/// let registry = Registry::builder().directory(&directory).build()?;
/// for plugin in registry.list() {
///     println!("{} {}", plugin.name, plugin.version);
/// }
/// for refused in registry.rejected() {
///     println!("{refused}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Registry {
    owner: Arc<Owner>,
}

impl Registry {
    /// Sets up a registry.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::new()
    }

    /// The registry of this process, made at first use from the standard search path (see
    /// [`search_path`](crate::search_path)) and scanned loosely.
    ///
    /// Tests and hosts with more than one search path make their own with [`Registry::builder`].
    pub fn global() -> &'static Self {
        static GLOBAL: OnceLock<Registry> = OnceLock::new();
        GLOBAL.get_or_init(|| {
            let builder = Self::builder().directories(config::search_path(&[], None));
            // Only what is strict, or has a policy, is refused; this one is neither.
            let made = Self::new(builder).or_else(|_| Self::unscanned(Self::builder()));
            match made {
                Ok(registry) => registry,
                Err(error) => unreachable!("{error}"),
            }
        })
    }

    pub(crate) fn new(builder: RegistryBuilder) -> Result<Self, BuildError> {
        let (mode, policy) = (builder.mode, builder.policy.clone());
        let registry = Self::unscanned(builder)?;
        registry.supervisor().scan_first();
        let catalog = registry.supervisor().catalog();
        if mode == Mode::Strict && !catalog.rejected().is_empty() {
            return Err(BuildError::Strict(StrictError {
                rejections: catalog.rejected().to_vec(),
            }));
        }
        for warning in registry.policy_warnings(&policy) {
            tracing::warn!("{warning}");
        }
        Ok(registry)
    }

    fn unscanned(builder: RegistryBuilder) -> Result<Self, BuildError> {
        let disk = Disk {
            store: builder.make_store(),
            state: builder.make_state(),
            quarantine: builder.quarantine,
        };
        let audit = builder.audit.clone().unwrap_or_default();
        let file = audit.file_in(disk.state.root());
        let gate = Gate::new(&builder.policy, audit, file, builder.audit.is_some())?;
        let sources = builder.sources();
        let isolation = builder.admission.isolation.clone();
        let parts = Parts {
            directories: builder.directories,
            admission: builder.admission,
            mode: builder.mode,
            sources,
            parallel: builder.parallel,
        };
        let ground = Ground::new(
            disk,
            Instances::new(builder.instances),
            Bounds {
                deadlines: builder.deadlines,
                circuit: builder.circuit,
            },
            Recorders::new(builder.statistics),
            isolation,
            gate,
            builder.events,
        );
        Ok(Self {
            owner: Owner::new(Supervisor::new(parts, ground)),
        })
    }

    #[inline]
    pub(crate) fn supervisor(&self) -> &Arc<Supervisor> {
        self.owner.supervisor()
    }

    /// Resolves a node type, such as `sqlite.query` or `sqlite.query@^1.2`, to a handle. Loads
    /// nothing.
    ///
    /// # Errors
    ///
    /// Nothing answers to the reference.
    pub fn get(&self, reference: &str) -> Result<Handle, LookupError> {
        let catalog = self.supervisor().catalog();
        let target = resolve(&catalog, reference)?.clone();
        let line = Line::new(
            self.owner.clone(),
            reference.parse::<Reference>()?,
            Lodging::default(),
            target,
        );
        // What was published meanwhile may be that nothing answers.
        line.track().answer(self.supervisor())?;
        Ok(Handle::new(line))
    }

    /// Calls an executor by name. The plugin is loaded and started at the first call.
    ///
    /// Where the policy has tenants, it is denied: nobody is named. [`Registry::call_with`] names one.
    ///
    /// # Errors
    ///
    /// Nothing answers to the reference; or as [`Handle::call`].
    #[inline]
    pub fn call(&self, reference: &str, input: &Value) -> Result<Value, CallError> {
        self.supervisor().call(reference, input, &NO_OPTIONS)
    }

    /// Calls an executor by name, with options.
    ///
    /// # Errors
    ///
    /// As [`Registry::call`].
    pub fn call_with(
        &self,
        reference: &str,
        input: &Value,
        options: &CallOptions,
    ) -> Result<Value, CallError> {
        self.supervisor().call_with(reference, input, options)
    }

    /// The schemas of the plugin that answers to a reference. The plugin is mapped for that, unless
    /// the schemas of its content are remembered from an earlier time.
    ///
    /// # Errors
    ///
    /// Nothing answers to the reference, the file is refused, or the plugin cannot describe itself.
    pub fn describe(&self, reference: &str) -> Result<Arc<Schemas>, CallError> {
        let target = resolve(&self.supervisor().catalog(), reference)?.clone();
        target.slot().schemas()
    }

    /// Maps the plugin that answers to a reference now, instead of at its first call.
    ///
    /// # Errors
    ///
    /// Nothing answers to the reference, or the file is refused.
    pub fn load(&self, reference: &str) -> Result<(), CallError> {
        self.get(reference)?.load()
    }

    /// Scans the search path again, and says what is different.
    ///
    /// Builds whose files look as they did keep their instances. A build that takes the place of a
    /// running one is started beside it and answers from then on, for names and for handles; the old
    /// one ends when the last call has come out of it. Where the new one does not start, or would break
    /// a running plugin that needs the old one, the old one stays and the new one is listed as held
    /// back, until its file changes. Handles to builds that are gone go on working.
    ///
    /// # Errors
    ///
    /// In strict mode, when anything is refused: then all stays as it was.
    pub fn rescan(&self) -> Result<Changes, StrictError> {
        self.supervisor()
            .rescan()
            .map_err(|rejections| StrictError { rejections })
    }

    /// Registers a function of this program as an executor: it is listed, found and called as any
    /// other, and its panics are contained as any other's are. Every plugin may call it.
    ///
    /// A function that keeps a registry or a handle of it keeps it at work until it is unregistered.
    ///
    /// ```
    /// use floe_plugin_api::{ExecutorMetadata, Value, value};
    /// use floe_registry::Registry;
    ///
    /// let registry = Registry::builder().build()?;
    /// let metadata = ExecutorMetadata::new("math.double")?.description("Doubles an integer.");
    /// registry.register(metadata, |input, _call| {
    ///     let number = input.as_i64().ok_or_else(|| floe_plugin_api::Error::execution("not an integer"))?;
    ///     Ok(Value::from(number * 2))
    /// })?;
    /// assert_eq!(registry.call("math.double", &value!(21))?, value!(42));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The node type is offered already.
    pub fn register<F>(&self, metadata: ExecutorMetadata, function: F) -> Result<(), RegisterError>
    where
        F: Fn(&Value, &CallContext<'_>) -> floe_plugin_api::Result<Value> + Send + Sync + 'static,
    {
        let version = metadata.version.clone().unwrap_or(Version::new(0, 0, 0));
        let name = in_process_name(&metadata.node_type);
        let node_type = metadata.node_type.clone();
        let manifest = Manifest::new(in_process_kind(), name, version, vec![metadata])?;
        self.supervisor()
            .register(manifest, in_process(function))
            .map_err(|by| RegisterError::Duplicate {
                node_type,
                by: by.to_string(),
            })
    }

    /// Takes back what [`Registry::register`] registered. Handles to it go on working.
    ///
    /// # Errors
    ///
    /// No function of this program is registered under the node type.
    pub fn unregister(&self, node_type: &str) -> Result<(), RegisterError> {
        if self.supervisor().unregister(node_type) {
            return Ok(());
        }
        Err(RegisterError::NotRegistered {
            node_type: node_type.to_owned(),
        })
    }

    /// Reads all that can be known of a file without mapping it, wherever the file is.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is no library, or says nothing of itself.
    pub fn inspect(&self, path: &Path) -> Result<Inspection, Box<Rejection>> {
        inspect(path, self.supervisor())
    }

    /// What a file says of itself; `None` where it says nothing. It is not decided whether it would be
    /// admitted: [`Registry::inspect`] does, and reads all of it.
    #[must_use]
    pub fn manifest(&self, path: &Path) -> Option<Arc<Manifest>> {
        let candidate = discover::read_file(path).ok().flatten()?;
        Some(candidate.manifest().clone())
    }

    /// The contents that are left alone, and were.
    #[must_use]
    pub fn quarantine(&self) -> &Quarantine {
        &self.supervisor().ground().quarantine
    }

    /// The store of private copies.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.supervisor().ground().store
    }
}

fn inspect(path: &Path, supervisor: &Supervisor) -> Result<Inspection, Box<Rejection>> {
    let Some(candidate) = discover::read_file(path)? else {
        return Err(Box::new(Rejection::new(
            Stage::Discover,
            "manifest",
            path,
            Ignored::NotAPlugin.to_string(),
            "a library with a floe manifest",
            "if it is meant as a plugin, build it with `export_plugin!`",
        )));
    };
    let ground = supervisor.ground();
    let judge = Judge::new(supervisor.admission());
    let (digest, mut checks) = judge.checks_with_content(&candidate, &ground.store)?;
    checks.extend(ground.quarantine.check(digest));
    Ok(Inspection {
        path: path.to_owned(),
        size: candidate.identity().size,
        digest,
        platform: candidate.platform(),
        manifest: Manifest::clone(candidate.manifest()),
        verdict: Verdict::of(checks),
        preflight: discover::preflight_of(candidate.file_path()),
    })
}

/// The kind under which executors of this program are listed.
fn in_process_kind() -> Kind {
    "in-process".parse().unwrap_or(Kind::COMPUTE)
}

/// A plugin name for an executor of this program; another one for each node type.
fn in_process_name(node_type: &str) -> String {
    /// Leaves room for what tells it from others.
    const LONGEST: usize = 100;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.';
    let mut name = node_type.to_ascii_lowercase().replace('.', "-");
    if !node_type.chars().all(plain) {
        let digest = Digest::from_bytes(Sha256::digest(node_type).into());
        name.truncate(LONGEST);
        name.push('_');
        name.push_str(&digest.short());
    }
    name
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let catalog = self.supervisor().catalog();
        f.debug_struct("Registry")
            .field("plugins", &catalog.entries().len())
            .field("rejected", &catalog.rejected().len())
            .finish_non_exhaustive()
    }
}

/// Why an executor could not be registered or taken back.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The node type is offered already.
    #[error(
        "the node type `{node_type}` is offered already, by `{by}`; unregister that or choose another name"
    )]
    Duplicate {
        /// The node type.
        node_type: String,
        /// The plugin that offers it.
        by: String,
    },
    /// The metadata is not well formed.
    #[error(transparent)]
    Metadata(#[from] ManifestError),
    /// No function of this program is registered under the node type.
    #[error("no function of this program is registered as `{node_type}`")]
    NotRegistered {
        /// The node type.
        node_type: String,
    },
}
