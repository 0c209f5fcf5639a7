//! What a registry tells of its plugins.

use std::fmt;
use std::path::PathBuf;

use floe_plugin_api::{ApiVersion, Dependency, ExecutorMetadata, Kind, Manifest};
use semver::Version;
use serde::Serialize;

use crate::admit::Verdict;
use crate::discover::{Platform, Preflight};
use crate::error::Stage;
use crate::id::{Digest, PluginId};
use crate::lifecycle::{Abandoned, Entry, Slot, Standing, State, Target};

/// What there is to know of a build of a plugin without running it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PluginInfo {
    /// What it is for; with `name`, its identity.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// The version of the boundary that it was built against.
    pub floe_api_version: ApiVersion,
    /// How far it has come.
    pub state: State,
    /// Why it failed or is shadowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// At which stage it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Stage>,
    /// Whether it is the build that answers for its plugin.
    pub active: bool,
    /// Its file; `None` for an executor of this program.
    #[serde(serialize_with = "crate::id::lossy_option")]
    pub path: Option<PathBuf>,
    /// The SHA-256 of its file, once it has been loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// One sentence on what it does.
    pub description: String,
    /// Who made it.
    pub authors: Vec<String>,
    /// An SPDX licence expression.
    pub license: Option<String>,
    /// The number of its generation: each is higher than those before it in its registry.
    pub generation: u64,
    /// Its live instances.
    pub instances: usize,
    /// Threads that are in it still, though its deadline has passed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub abandoned: Vec<Abandoned>,
    /// Whether no answer of it depends on the calls before it.
    pub stateless: bool,
    /// The plugins that it needs.
    pub dependencies: Vec<Dependency>,
    /// What it offers.
    pub executors: Vec<ExecutorInfo>,
}

/// How far a build has come, with its standing among others seen.
pub(crate) fn state_of(entry: &Entry) -> State {
    match (entry.slot.state(), &entry.standing) {
        (_, Standing::HeldBack { .. }) => State::HeldBack,
        (State::Admitted, Standing::Older { .. } | Standing::Duplicate { .. }) => State::Shadowed,
        (state, _) => state,
    }
}

impl PluginInfo {
    pub(crate) fn of(entry: &Entry) -> Self {
        let slot = &entry.slot;
        let manifest = slot.manifest();
        let shadowed = entry.standing.reason();
        let failure = slot.failure();
        let state = state_of(entry);
        let quarantined = slot.quarantined();
        let executors = manifest
            .executors
            .iter()
            .enumerate()
            .map(|(index, executor)| {
                let lost = entry.lost.iter().find(|(lost, _)| *lost == index);
                let owner = lost.map(|(_, owner)| owner.clone());
                ExecutorInfo::new(manifest, executor, owner)
            });
        Self {
            kind: manifest.kind.clone(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            floe_api_version: manifest.floe_api_version,
            state,
            active: shadowed.is_none(),
            failed_at: failure.as_ref().map(|failure| failure.stage),
            reason: quarantined
                .map(|left| {
                    format!(
                        "left alone until {:.0}, for {}: {}",
                        left.until, left.cause, left.reason
                    )
                })
                .or(failure.map(|failure| failure.reason))
                .or(shadowed),
            path: slot.path().map(PathBuf::from),
            digest: slot.digest(),
            description: manifest.description.clone(),
            authors: manifest.authors.clone(),
            license: manifest.license.clone(),
            generation: slot.generation(),
            instances: slot
                .ground()
                .instances
                .of_generation(slot.generation())
                .len(),
            abandoned: Vec::new(),
            stateless: manifest.stateless,
            dependencies: manifest.dependencies.clone(),
            executors: executors.collect(),
        }
    }

    /// The plugin's identity.
    #[must_use]
    pub fn id(&self) -> PluginId {
        PluginId {
            kind: self.kind.clone(),
            name: self.name.clone(),
        }
    }
}

/// What there is to know of an executor without running it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExecutorInfo {
    /// The name that callers use.
    pub node_type: String,
    /// Its own version, or its plugin's.
    pub version: Version,
    /// The plugin that offers it.
    pub plugin: PluginId,
    /// One sentence on what it does.
    pub description: String,
    /// A heading to list it under.
    pub category: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Who made it; the plugin's authors where it names none.
    pub author: Option<String>,
    /// A picture for user interfaces.
    pub icon: Option<String>,
    /// Whether it may change without notice.
    pub experimental: bool,
    /// Why it should no longer be used, and what to use instead.
    pub deprecated: Option<String>,
    /// Whether calling it twice does what calling it once does; `None` where that is not said.
    pub idempotent: Option<bool>,
    /// The plugin that answers to the node type instead, being first in the search path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadowed_by: Option<PluginId>,
}

impl ExecutorInfo {
    fn new(
        manifest: &Manifest,
        executor: &ExecutorMetadata,
        shadowed_by: Option<PluginId>,
    ) -> Self {
        let authors = (!manifest.authors.is_empty()).then(|| manifest.authors.join(", "));
        Self {
            node_type: executor.node_type.clone(),
            version: executor
                .version
                .clone()
                .unwrap_or_else(|| manifest.version.clone()),
            plugin: PluginId {
                kind: manifest.kind.clone(),
                name: manifest.name.clone(),
            },
            description: executor.description.clone(),
            category: executor.category.clone(),
            tags: executor.tags.clone(),
            author: executor.author.clone().or(authors),
            icon: executor.icon.clone(),
            experimental: executor.experimental,
            deprecated: executor.deprecated.clone(),
            idempotent: executor.idempotent,
            shadowed_by,
        }
    }

    pub(crate) fn of(target: &Target) -> Option<Self> {
        Some(Self::new(
            target.slot().manifest(),
            target.metadata()?,
            None,
        ))
    }

    /// How well it answers to a search: 0 not at all.
    pub(crate) fn relevance(&self, word: &str) -> u32 {
        let word = word.to_lowercase();
        let holds = |text: &str| text.to_lowercase().contains(&word);
        let node_type = self.node_type.to_lowercase();
        if node_type == word {
            6
        } else if node_type.starts_with(&word) {
            5
        } else if node_type.contains(&word) {
            4
        } else if self.tags.iter().any(|tag| tag.to_lowercase() == word) {
            3
        } else if holds(&self.plugin.name) || self.category.as_deref().is_some_and(holds) {
            2
        } else {
            u32::from(holds(&self.description) || self.tags.iter().any(|tag| holds(tag)))
        }
    }
}

/// What a scan found otherwise than the one before.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Changes {
    /// Builds that were not there before.
    pub added: Vec<Change>,
    /// Builds that are no longer there. Handles to them go on working.
    pub removed: Vec<Change>,
    /// Files that are another build now, or were written anew.
    pub changed: Vec<Change>,
    /// Builds that were to take the place of running ones and do not; those run on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_back: Vec<Held>,
    /// All that is refused now.
    pub rejected: Vec<crate::Rejection>,
}

/// A build that was to take the place of a running one, and why it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Held {
    /// The build.
    #[serde(flatten)]
    pub change: Change,
    /// Why, in words.
    pub reason: String,
}

impl Changes {
    /// Whether the plugins are what they were before.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// A build that came, went or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// The plugin.
    pub plugin: PluginId,
    /// The version; the new one where it changed.
    pub version: Version,
    /// The file.
    #[serde(serialize_with = "crate::id::lossy")]
    pub path: PathBuf,
}

impl Change {
    pub(crate) fn of(slot: &Slot) -> Self {
        Self {
            plugin: slot.id().clone(),
            version: slot.manifest().version.clone(),
            path: slot.path().map(PathBuf::from).unwrap_or_default(),
        }
    }
}

/// All that can be known of a file without mapping it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// The file.
    #[serde(serialize_with = "crate::id::lossy")]
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its content.
    pub digest: Digest,
    /// What it was built for.
    pub platform: Platform,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Whether it would be admitted, check by check.
    pub verdict: Verdict,
    /// Whether it could be loaded here, and what is hazardous about it.
    pub preflight: Preflight,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.to_string_lossy();
        write!(
            f,
            "{} {} (`{}`)",
            self.plugin,
            self.version,
            path.escape_debug()
        )
    }
}
