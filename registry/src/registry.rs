//! The registry: all plugins of a search path, and the way to call them.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwap;
use floe_plugin_api::abi::{RawCallRef, in_process};
use floe_plugin_api::{
    CallContext, CallOptions, ExecutorMetadata, Kind, Manifest, ManifestError, Value,
};
use parking_lot::Mutex;
use semver::Version;
use sha2::{Digest as _, Sha256};

use crate::admit::{self, Admission, Store};
use crate::builder::{BuildError, RegistryBuilder};
use crate::config::{self, Sources};
use crate::discover::{self, FileIdentity, Ignored, Outcome, SearchDirectory};
use crate::error::{CallError, LookupError, Rejection, Stage};
use crate::handle::Handle;
use crate::host::Route;
use crate::id::{Digest, Reference};
use crate::info::{Change, Changes, ExecutorInfo, Inspection, PluginInfo};
use crate::lifecycle::{Catalog, Ground, Mode, Slot, Target};
use crate::schema::Schemas;

static NO_OPTIONS: CallOptions = CallOptions::new();

/// All plugins of a search path, and the way to call them.
///
/// A clone is a pointer and a count. All methods may be called on any thread, on many at once; a
/// look-up takes no lock, and no lock is held while a plugin runs.
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
    inner: Arc<Inner>,
}

struct Inner {
    directories: Vec<SearchDirectory>,
    admission: Admission,
    mode: Mode,
    sources: Sources,
    ground: Arc<Ground>,
    catalog: ArcSwap<Catalog>,
    /// The executors of this program. Its lock is held by whoever makes a new catalog.
    in_process: Mutex<Vec<Arc<Slot>>>,
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
            match Self::new(builder) {
                Ok(registry) => registry,
                // Only a strict scan is refused; this one is loose.
                Err(_) => Self::unscanned(Self::builder()),
            }
        })
    }

    pub(crate) fn new(builder: RegistryBuilder) -> Result<Self, BuildError> {
        let mode = builder.mode;
        let registry = Self::unscanned(builder);
        let (catalog, _) = registry.inner.scan(&[]);
        if mode == Mode::Strict && !catalog.rejected().is_empty() {
            return Err(BuildError {
                rejections: catalog.rejected().to_vec(),
            });
        }
        registry.inner.catalog.store(Arc::new(catalog));
        Ok(registry)
    }

    fn unscanned(builder: RegistryBuilder) -> Self {
        let store = builder.make_store();
        let sources = builder.sources();
        let inner = Arc::new_cyclic(|weak: &Weak<Inner>| Inner {
            ground: Arc::new(Ground {
                store,
                route: weak.clone(),
            }),
            directories: builder.directories,
            admission: builder.admission,
            mode: builder.mode,
            sources,
            catalog: ArcSwap::from_pointee(Catalog::new(Vec::new(), Vec::new(), builder.mode)),
            in_process: Mutex::new(Vec::new()),
        });
        Self { inner }
    }

    /// Every build that was admitted, in search-path order, whether it answers or not.
    #[must_use]
    pub fn list(&self) -> Vec<PluginInfo> {
        let catalog = self.inner.catalog.load();
        catalog.entries().iter().map(PluginInfo::of).collect()
    }

    /// The builds of a kind.
    #[must_use]
    pub fn list_by_kind(&self, kind: &Kind) -> Vec<PluginInfo> {
        let mut list = self.list();
        list.retain(|plugin| plugin.kind == *kind);
        list
    }

    /// The executors that answer, by node type.
    #[must_use]
    pub fn executors(&self) -> Vec<ExecutorInfo> {
        let catalog = self.inner.catalog.load();
        let mut list: Vec<ExecutorInfo> = catalog
            .default_targets()
            .filter_map(|target| ExecutorInfo::of(target))
            .collect();
        list.sort_by(|a, b| a.node_type.cmp(&b.node_type));
        list
    }

    /// The executors listed under a heading.
    #[must_use]
    pub fn list_by_category(&self, category: &str) -> Vec<ExecutorInfo> {
        let mut list = self.executors();
        list.retain(|executor| executor.category.as_deref() == Some(category));
        list
    }

    /// The executors with a tag.
    #[must_use]
    pub fn list_by_tag(&self, tag: &str) -> Vec<ExecutorInfo> {
        let mut list = self.executors();
        list.retain(|executor| executor.tags.iter().any(|own| own == tag));
        list
    }

    /// The executors that have to do with every word of a text, the most fitting first: by node
    /// type, tag, plugin, category and description, whatever the case.
    #[must_use]
    pub fn search(&self, text: &str) -> Vec<ExecutorInfo> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut found: Vec<(u32, ExecutorInfo)> = Vec::new();
        for executor in self.executors() {
            let relevance: Vec<u32> = words.iter().map(|word| executor.relevance(word)).collect();
            if !relevance.contains(&0) {
                found.push((relevance.iter().sum(), executor));
            }
        }
        // Stable: equals stay in the order of their names.
        found.sort_by_key(|(relevance, _)| std::cmp::Reverse(*relevance));
        found.into_iter().map(|(_, executor)| executor).collect()
    }

    /// All that the last scan refused.
    #[must_use]
    pub fn rejected(&self) -> Vec<Rejection> {
        self.inner.catalog.load().rejected().to_vec()
    }

    /// Whether a node type, such as `sqlite.query`, is offered; `sqlite.query@^1.2` in that range.
    #[must_use]
    pub fn has(&self, reference: &str) -> bool {
        resolve(&self.inner.catalog.load(), reference).is_ok()
    }

    /// What is known of an executor without running it.
    ///
    /// # Errors
    ///
    /// Nothing answers to the reference.
    pub fn metadata(&self, reference: &str) -> Result<ExecutorInfo, LookupError> {
        let catalog = self.inner.catalog.load();
        let target = resolve(&catalog, reference)?;
        ExecutorInfo::of(target).ok_or_else(|| catalog.not_found(reference))
    }

    /// Resolves a node type, such as `sqlite.query` or `sqlite.query@^1.2`, to a handle. Loads
    /// nothing.
    ///
    /// # Errors
    ///
    /// Nothing answers to the reference.
    pub fn get(&self, reference: &str) -> Result<Handle, LookupError> {
        let catalog = self.inner.catalog.load();
        Ok(Handle::new(resolve(&catalog, reference)?.clone()))
    }

    /// Calls an executor by name. The plugin is loaded and started at the first call.
    ///
    /// # Errors
    ///
    /// Nothing answers to the reference; or as [`Handle::call`].
    #[inline]
    pub fn call(&self, reference: &str, input: &Value) -> Result<Value, CallError> {
        self.inner.call(reference, input, NO_OPTIONS.raw())
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
        self.inner.call(reference, input, options.raw())
    }

    /// The schemas of the plugin that answers to a reference. The plugin is mapped for that, unless
    /// the schemas of its content are remembered from an earlier time.
    ///
    /// # Errors
    ///
    /// Nothing answers to the reference, the file is refused, or the plugin cannot describe itself.
    pub fn describe(&self, reference: &str) -> Result<Arc<Schemas>, CallError> {
        let target = resolve(&self.inner.catalog.load(), reference)?.clone();
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

    /// Scans the search path again, and says what is different. Builds whose files look as they did
    /// keep their instances; handles to builds that are gone go on working.
    ///
    /// # Errors
    ///
    /// In strict mode, when anything was refused; all stays as it was then.
    pub fn rescan(&self) -> Result<Changes, BuildError> {
        let inner = &self.inner;
        let in_process = inner.in_process.lock();
        let (catalog, changes) = inner.scan(&in_process);
        if inner.mode == Mode::Strict && !catalog.rejected().is_empty() {
            return Err(BuildError {
                rejections: catalog.rejected().to_vec(),
            });
        }
        inner.catalog.store(Arc::new(catalog));
        Ok(changes)
    }

    /// Registers a function of this program as an executor: it is listed, found and called as any
    /// other, and its panics are contained as any other's are.
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
        let inner = &self.inner;
        let mut slots = inner.in_process.lock();
        let catalog = inner.catalog.load_full();
        if let Some(target) = catalog.default_target(&metadata.node_type) {
            return Err(RegisterError::Duplicate {
                node_type: metadata.node_type,
                by: target.slot().id().to_string(),
            });
        }
        let version = metadata.version.clone().unwrap_or(Version::new(0, 0, 0));
        let name = in_process_name(&metadata.node_type);
        let manifest = Manifest::new(in_process_kind(), name, version, vec![metadata])?;
        let slot = Slot::in_process(manifest, in_process(function), inner.ground.clone());
        slots.push(Arc::new(slot));
        inner.publish(&slots, &catalog);
        Ok(())
    }

    /// Takes back what [`Registry::register`] registered. Handles to it go on working.
    ///
    /// # Errors
    ///
    /// No function of this program is registered under the node type.
    pub fn unregister(&self, node_type: &str) -> Result<(), RegisterError> {
        let inner = &self.inner;
        let mut slots = inner.in_process.lock();
        let offers = |slot: &Arc<Slot>| slot.manifest().operation(node_type).is_some();
        let Some(index) = slots.iter().position(offers) else {
            return Err(RegisterError::NotRegistered {
                node_type: node_type.to_owned(),
            });
        };
        slots.remove(index);
        let catalog = inner.catalog.load_full();
        inner.publish(&slots, &catalog);
        Ok(())
    }

    /// Reads all that can be known of a file without mapping it, wherever the file is.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is no library, or says nothing of itself.
    pub fn inspect(&self, path: &Path) -> Result<Inspection, Box<Rejection>> {
        inspect(path, &self.inner.admission, &self.inner.ground.store)
    }

    /// The store of private copies.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.ground.store
    }
}

fn inspect(
    path: &Path,
    admission: &Admission,
    store: &Store,
) -> Result<Inspection, Box<Rejection>> {
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
    let digest = store.digest_of(candidate.file_path()).map_err(|error| {
        Box::new(Rejection::new(
            Stage::Discover,
            "readable",
            path,
            format!("`{error}`"),
            "a file that can be read whole",
            "check the file and its permissions",
        ))
    })?;
    Ok(Inspection {
        path: path.to_owned(),
        size: candidate.identity().size,
        digest,
        platform: candidate.platform(),
        manifest: Manifest::clone(candidate.manifest()),
        verdict: admit::judge(&candidate, admission),
    })
}

fn resolve<'a>(catalog: &'a Catalog, reference: &str) -> Result<&'a Arc<Target>, LookupError> {
    match catalog.default_target(reference) {
        Some(target) => Ok(target),
        None => catalog.resolve(&reference.parse::<Reference>()?),
    }
}

impl Inner {
    #[inline]
    fn call(
        &self,
        reference: &str,
        input: &Value,
        call: RawCallRef<'_>,
    ) -> Result<Value, CallError> {
        // The guard keeps the catalog, and so the target, for as long as the call lasts; it is not a
        // lock, and a new catalog does not wait for it.
        let catalog = self.catalog.load();
        resolve(&catalog, reference)?.call(input, call)
    }

    /// Makes a catalog of what is in the search path now.
    fn scan(&self, in_process: &[Arc<Slot>]) -> (Catalog, Changes) {
        let old = self.catalog.load();
        let mut known: HashMap<PathBuf, &Arc<Slot>> = old
            .entries()
            .iter()
            .filter_map(|entry| Some((entry.slot.path()?.to_owned(), &entry.slot)))
            .collect();
        let mut slots = in_process.to_vec();
        let mut rejected = Vec::new();
        let mut changes = Changes::default();
        for file in discover::scan(&self.directories).files {
            let candidate = match file.outcome {
                Outcome::Candidate(candidate) => candidate,
                Outcome::Ignored(_) => continue,
                Outcome::Rejected(rejection) => {
                    rejected.push(rejection);
                    continue;
                }
            };
            let before = known.remove(candidate.path());
            match admit::admit(candidate, &self.admission) {
                Ok(admitted) => {
                    // Only now: a file that looks as it did may lie in a directory that does not.
                    if let Some(slot) = before
                        && identity(slot) == Some(admitted.candidate().identity())
                    {
                        slots.push(slot.clone());
                        continue;
                    }
                    let given = self.sources.of(&admitted.candidate().manifest().name);
                    let given = Arc::new(given);
                    let slot = Arc::new(Slot::of_library(admitted, given, self.ground.clone()));
                    match before {
                        Some(_) => changes.changed.extend(change(&slot)),
                        None => changes.added.extend(change(&slot)),
                    }
                    slots.push(slot);
                }
                Err(rejection) => {
                    changes.removed.extend(before.and_then(change));
                    rejected.push(*rejection);
                }
            }
        }
        changes
            .removed
            .extend(known.values().filter_map(|slot| change(slot)));
        changes.removed.sort_by(|a, b| a.path.cmp(&b.path));
        let catalog = Catalog::new(slots, rejected, self.mode);
        changes.rejected = catalog.rejected().to_vec();
        (catalog, changes)
    }

    /// Publishes a catalog of these executors of this program and of the files of another catalog.
    fn publish(&self, in_process: &[Arc<Slot>], files: &Catalog) {
        let from_files = files.entries().iter().map(|entry| &entry.slot);
        let from_files = from_files.filter(|slot| slot.path().is_some());
        let slots = in_process.iter().chain(from_files).cloned().collect();
        let catalog = Catalog::new(slots, files.rejected().to_vec(), self.mode);
        self.catalog.store(Arc::new(catalog));
    }
}

fn identity(slot: &Slot) -> Option<FileIdentity> {
    slot.admitted()
        .map(|admitted| admitted.candidate().identity())
}

fn change(slot: &Arc<Slot>) -> Option<Change> {
    Some(Change {
        plugin: slot.id().clone(),
        version: slot.manifest().version.clone(),
        path: slot.path()?.to_owned(),
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

impl Route for Inner {
    fn route(
        &self,
        node_type: &str,
        input: &Value,
        call: RawCallRef<'_>,
    ) -> floe_plugin_api::Result<Value> {
        self.call(node_type, input, call)
            .map_err(|error| error.to_api())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let catalog = self.inner.catalog.load();
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
