//! The lock file: which builds a project loads, by the digests of their contents.
//!
//! ```toml
//! version = 1
//!
//! [[plugin]]
//! kind = "storage"
//! name = "sqlite"
//! version = "0.1.0"
//! sha256.elf-64-bit-little-endian-x86-64 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! ```
//!
//! One table for each version of each plugin, one line for each platform, all in order: two people who
//! lock different plugins change different lines.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use floe_plugin_api::Kind;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::trust::is_open_to_all;
use crate::discover::{self, Platform};
use crate::id::{Digest, PluginId};

/// The name of the lock file, beside `floe.toml`.
pub const LOCK_FILE: &str = "floe.lock";

/// The version of the format that is read and written.
const FORMAT: u32 = 1;

/// The longest lock file that is read: room for some fifty thousand builds.
const LONGEST: u64 = 16 << 20;

/// Which builds may be loaded: versions of plugins, and for each the digest of each platform's build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockFile {
    builds: BTreeMap<(PluginId, Version), BTreeMap<String, Digest>>,
}

/// One build that is locked, or is to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct LockedBuild {
    /// The plugin.
    #[serde(flatten)]
    pub plugin: PluginId,
    /// Its version.
    pub version: Version,
    /// What it was built for, as the lock file has it.
    pub platform: String,
    /// The SHA-256 of its content.
    #[serde(rename = "sha256")]
    pub digest: Digest,
}

impl LockedBuild {
    /// A build for a platform.
    #[must_use]
    pub fn new(plugin: PluginId, version: Version, platform: Platform, digest: Digest) -> Self {
        Self {
            plugin,
            version,
            platform: platform_key(platform),
            digest,
        }
    }
}

/// Why a lock file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// There is none.
    #[error("there is no lock file `{}`", path.display())]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("the lock file `{}` cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It is not what `floe lock` writes.
    #[error("the lock file `{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where, and what is wrong.
        reason: String,
    },
    /// It was written by another floe, in a format that this one does not read.
    #[error("the lock file `{}` is of format `{found}`, this floe reads format `{FORMAT}`", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        found: u32,
    },
    /// Others may write to it, so that it vouches for nothing.
    #[error("the lock file `{}` is not safe: {found}", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode, or its owner.
        found: String,
    },
}

/// Why a build is not in the lock file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotLocked {
    /// No version of the plugin is.
    Plugin,
    /// Other versions are, all of them lower.
    Newer(Vec<Version>),
    /// Other versions are, and a higher one among them.
    Downgrade(Vec<Version>),
    /// The version is, for other platforms.
    Platform(Vec<String>),
}

/// How two lock files differ in one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LockChange {
    /// A build is locked that was not.
    Added {
        /// The build.
        #[serde(flatten)]
        build: LockedBuild,
    },
    /// A build is no longer locked.
    Removed {
        /// The build.
        #[serde(flatten)]
        build: LockedBuild,
    },
    /// The same version has another content.
    Changed {
        /// The build, as it is now.
        #[serde(flatten)]
        build: LockedBuild,
        /// The digest that was locked.
        was: Digest,
    },
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "version")]
    _version: u32,
    #[serde(default, rename = "plugin")]
    plugins: Vec<Table>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Table {
    kind: Kind,
    name: String,
    version: Version,
    sha256: BTreeMap<String, String>,
}

impl LockFile {
    /// Reads a lock file that only its owner, who must be root, the user of this process or the owner of
    /// its directory, may write to.
    ///
    /// # Errors
    ///
    /// There is none, it cannot be read, others may write to it, or it is damaged.
    pub fn read(path: &Path) -> Result<Self, LockError> {
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => LockError::Missing {
                path: path.to_owned(),
            },
            _ => LockError::Unreadable {
                path: path.to_owned(),
                reason: error.to_string(),
            },
        };
        let damaged = |reason: String| LockError::Damaged {
            path: path.to_owned(),
            reason,
        };
        // Where configuration is mounted, it is often a link.
        let real = fs::canonicalize(path).map_err(unreadable)?;
        let file = discover::open_library(&real).map_err(unreadable)?;
        if let Some(found) = exposed(&file, path, &real).map_err(unreadable)? {
            return Err(LockError::Exposed {
                path: path.to_owned(),
                found,
            });
        }
        let mut bytes = Vec::new();
        file.take(LONGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > LONGEST {
            return Err(damaged(format!("it is longer than {LONGEST} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
        match format_of(&text) {
            Some(found) if found != FORMAT => Err(LockError::Format {
                path: path.to_owned(),
                found,
            }),
            _ => Self::parse(&text).map_err(damaged),
        }
    }

    /// Reads a lock file's text.
    ///
    /// # Errors
    ///
    /// It is not what `floe lock` writes: where, and what is wrong, on one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Before all else: another format may have what this one does not know.
        if let Some(found) = format_of(text)
            && found != FORMAT
        {
            return Err(format!(
                "its format is version `{found}`, this floe reads version `{FORMAT}`"
            ));
        }
        let document: Document = toml::from_str(text).map_err(|error| said(&error, text))?;
        let mut lock = Self::default();
        for table in document.plugins {
            let Table {
                kind,
                name,
                version,
                sha256,
            } = table;
            let title = format!("{kind}/{} {version}", name.escape_debug());
            if !is_word(&name) {
                return Err(format!("`{title}` is no plugin's name"));
            }
            if sha256.is_empty() {
                return Err(format!("`{title}` has no digest"));
            }
            let mut digests = BTreeMap::new();
            for (platform, digest) in sha256 {
                if !is_word(&platform) {
                    let platform = platform.escape_debug();
                    return Err(format!(
                        "`{title}` has a digest for `{platform}`, which is no platform"
                    ));
                }
                let digest = digest
                    .parse()
                    .map_err(|error| format!("`{title}`: {error}"))?;
                digests.insert(platform, digest);
            }
            let build = (PluginId { kind, name }, version);
            if lock.builds.insert(build, digests).is_some() {
                return Err(format!("`{title}` is there twice"));
            }
        }
        Ok(lock)
    }

    /// Writes the lock file in place of another one, whole or not at all.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        // A link stays one.
        let real = fs::canonicalize(path);
        let path = real.as_deref().unwrap_or(path);
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // That it is not there is told without the temporary file's name.
        fs::metadata(directory)?;
        // Its name cannot be guessed, and nothing that has it already is written to.
        let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
        temporary.write_all(self.to_string().as_bytes())?;
        // A lock file is shared, so it is as readable as any; nobody else may write to it.
        #[cfg(unix)]
        temporary
            .as_file()
            .set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        temporary.as_file().sync_all()?;
        temporary.persist(path)?;
        Ok(())
    }

    /// All builds, in order.
    pub fn builds(&self) -> impl Iterator<Item = LockedBuild> {
        self.builds.iter().flat_map(|((plugin, version), digests)| {
            digests.iter().map(|(platform, digest)| LockedBuild {
                plugin: plugin.clone(),
                version: version.clone(),
                platform: platform.clone(),
                digest: *digest,
            })
        })
    }

    /// The digest that a build must have.
    pub(super) fn find(
        &self,
        plugin: &PluginId,
        version: &Version,
        platform: Platform,
    ) -> Result<Digest, NotLocked> {
        if let Some(digests) = self.builds.get(&(plugin.clone(), version.clone())) {
            return digests
                .get(&platform_key(platform))
                .copied()
                .ok_or_else(|| NotLocked::Platform(digests.keys().cloned().collect()));
        }
        let of_plugin = self.builds.keys().filter(|(locked, _)| locked == plugin);
        let versions: Vec<Version> = of_plugin.map(|(_, version)| version.clone()).collect();
        match versions.last() {
            None => Err(NotLocked::Plugin),
            Some(highest) if version < highest => Err(NotLocked::Downgrade(versions)),
            Some(_) => Err(NotLocked::Newer(versions)),
        }
    }

    /// The lock file that these builds of one platform make of this one, each the first of its version:
    /// of the `wanted` plugins, or of all.
    ///
    /// What was locked for other platforms stays while the version does; what is no longer there goes.
    #[must_use]
    pub fn updated(
        &self,
        found: impl IntoIterator<Item = LockedBuild>,
        platform: Platform,
        wanted: impl Fn(&PluginId) -> bool,
    ) -> Self {
        let key = platform_key(platform);
        let mut builds = self.builds.clone();
        for ((plugin, _), digests) in &mut builds {
            if wanted(plugin) {
                digests.remove(&key);
            }
        }
        for build in found {
            if wanted(&build.plugin) {
                let version = (build.plugin, build.version);
                let digests = builds.entry(version).or_default();
                digests.entry(build.platform).or_insert(build.digest);
            }
        }
        builds.retain(|_, digests| !digests.is_empty());
        Self { builds }
    }

    /// What is different in another lock file, in order.
    #[must_use]
    pub fn changes_to(&self, other: &Self) -> Vec<LockChange> {
        let mut changes = Vec::new();
        let digest_in = |lock: &Self, build: &LockedBuild| {
            let key = (build.plugin.clone(), build.version.clone());
            lock.builds
                .get(&key)
                .and_then(|digests| digests.get(&build.platform))
                .copied()
        };
        for build in other.builds() {
            match digest_in(self, &build) {
                None => changes.push(LockChange::Added { build }),
                Some(was) if was != build.digest => {
                    changes.push(LockChange::Changed { build, was });
                }
                Some(_) => {}
            }
        }
        for build in self.builds() {
            if digest_in(other, &build).is_none() {
                changes.push(LockChange::Removed { build });
            }
        }
        changes
    }
}

impl fmt::Display for LockFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("# The builds that may be loaded here. Written by `floe lock`; `floe lock --check` says whether\n# it fits what is there. Keep it with `floe.toml` in version control.\n")?;
        writeln!(f, "version = {FORMAT}")?;
        for ((plugin, version), digests) in &self.builds {
            // Names, kinds and versions are words that need no quoting.
            write!(
                f,
                "\n[[plugin]]\nkind = \"{}\"\nname = \"{}\"\nversion = \"{version}\"\n",
                plugin.kind, plugin.name
            )?;
            for (platform, digest) in digests {
                writeln!(f, "sha256.{platform} = \"{digest}\"")?;
            }
        }
        Ok(())
    }
}

/// The version of a lock file's format, whatever else it says.
fn format_of(text: &str) -> Option<u32> {
    #[derive(Deserialize)]
    struct Header {
        version: u32,
    }
    let header: Header = toml::from_str(text).ok()?;
    Some(header.version)
}

/// The word for a platform: its name in lower case, its words joined.
fn platform_key(platform: Platform) -> String {
    let name = platform.to_string().to_lowercase();
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    name.chars().map(word).collect()
}

/// Whether a text is a name as manifests and platforms have them.
fn is_word(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}

/// Who else may write to a lock file, or put another one in its place, in words.
#[cfg(unix)]
fn exposed(file: &fs::File, path: &Path, real: &Path) -> io::Result<Option<String>> {
    use std::os::unix::fs::MetadataExt;

    let metadata = file.metadata()?;
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if mode & 0o002 != 0 {
        return Ok(Some(format!(
            "its mode is `{mode:04o}`, expected one that not everybody may write to: `chmod o-w` it, once it is what it should be"
        )));
    }
    for above in real.ancestors().skip(1) {
        let mode = fs::metadata(above)?.mode() & 0o7777;
        if is_open_to_all(mode) {
            return Ok(Some(format!(
                "`{}`, where it is, has mode `{mode:04o}`, expected one that not everybody may write to: `chmod o-w` that",
                above.display()
            )));
        }
    }
    let user = super::user();
    let mut known = vec![0, user];
    let directory = real.parent().map(fs::metadata).transpose()?;
    if let Some(directory) = directory.filter(|directory| directory.mode() & 0o002 == 0) {
        known.push(directory.uid());
    }
    if !known.contains(&owner) {
        return Ok(Some(format!(
            "it belongs to user `{owner}`, expected root, this process's user or its directory's owner"
        )));
    }
    // A link says where it is, so it must be as hard to replace.
    let link = fs::symlink_metadata(path)?;
    if link.is_symlink() && link.uid() != 0 && link.uid() != user {
        return Ok(Some(format!(
            "it is a link of user `{}`, expected one of root or of this process's user",
            link.uid()
        )));
    }
    Ok(discover::exposed_way(path, real).map(|(above, mode)| {
        format!(
            "`{}`, on the way to it, has mode `{:04o}`, expected one that not everybody may write to: `chmod o-w` that",
            above.display(),
            mode & 0o7777
        )
    }))
}

#[cfg(not(unix))]
fn exposed(_file: &fs::File, _path: &Path, _real: &Path) -> io::Result<Option<String>> {
    Ok(None)
}

/// What the reader of TOML says, on one line, with its place.
fn said(error: &toml::de::Error, text: &str) -> String {
    let at = error.span().map_or(0, |span| span.start);
    let line = text.get(..at).unwrap_or(text).matches('\n').count() + 1;
    let message = discover::printable(error.message().trim());
    format!("line {line}: {message}")
}

/// Reads bytes as a lock file, for fuzzing: whatever they are, it must not panic, and what is read is
/// what is written.
#[doc(hidden)]
pub fn fuzz_lock(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match LockFile::parse(text) {
        Err(reason) => assert!(!reason.contains('\n'), "one line: {reason}"),
        Ok(lock) => {
            let again = LockFile::parse(&lock.to_string());
            assert_eq!(again.as_ref(), Ok(&lock), "what is written is read again");
        }
    }
}

#[cfg(test)]
mod tests;
