//! Which files are trusted, and to be what.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use floe_plugin_api::Kind;
use serde::{Deserialize, Serialize, Serializer};

use super::{Keys, TrustedKey};
use crate::discover::{Hazard, Ownership};

const WRITABLE_BY_ALL: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// What a file must show to be loaded.
///
/// Every policy but [`Any`](Self::Any) asks too that the file is one that its directory's owner could
/// have put there and not everybody can have changed: it and its directory belong to the owner of the
/// search directory, to root or to the user of this process, and neither it nor a directory on the way
/// to it can be written by everybody. Who is in a group that may write to it is trusted. See
/// [`PathChecks`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub enum Trust {
    /// Nothing: any file is loaded.
    Any,
    /// Nothing of its content.
    #[default]
    Owner,
    /// The lock file has its version and the digest of its content.
    Locked,
    /// A key that may do so has signed its content, and what its manifest says.
    Signed,
    /// Both.
    LockedAndSigned,
}

impl Trust {
    /// All policies.
    pub const ALL: [Self; 5] = [
        Self::Any,
        Self::Owner,
        Self::Locked,
        Self::Signed,
        Self::LockedAndSigned,
    ];

    /// The name that `floe.toml` and the command line have for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Owner => "owner",
            Self::Locked => "locked",
            Self::Signed => "signed",
            Self::LockedAndSigned => "locked+signed",
        }
    }

    /// Whether the lock file is asked.
    #[must_use]
    pub const fn asks_lock(self) -> bool {
        matches!(self, Self::Locked | Self::LockedAndSigned)
    }

    /// Whether a signature is asked for.
    #[must_use]
    pub const fn asks_signature(self) -> bool {
        matches!(self, Self::Signed | Self::LockedAndSigned)
    }

    /// What meets both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        let lock = self.asks_lock() || other.asks_lock();
        let signature = self.asks_signature() || other.asks_signature();
        match (lock, signature) {
            (true, true) => Self::LockedAndSigned,
            (true, false) => Self::Locked,
            (false, true) => Self::Signed,
            (false, false) => match (self, other) {
                (Self::Any, Self::Any) => Self::Any,
                _ => Self::Owner,
            },
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Trust {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Why a text is not a [`Trust`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no trust policy, expected `any`, `owner`, `locked`, `signed` or `locked+signed`")]
pub struct ParseTrustError(String);

impl FromStr for Trust {
    type Err = ParseTrustError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|trust| trust.name() == text);
        found.ok_or_else(|| ParseTrustError(text.chars().take(80).collect()))
    }
}

impl TryFrom<String> for Trust {
    type Error = ParseTrustError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Whether it matters who could have written a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathChecks {
    /// It does: a file or a directory that others can write to is refused.
    On,
    /// It does not, as when a signature says enough.
    Off,
}

/// Which files are trusted, where, and by whose word. Made of a [`Trust`], for all files alike.
///
/// ```
/// use floe_registry::{Trust, TrustSettings};
///
/// let trust = TrustSettings::new(Trust::LockedAndSigned)
///     .lock("floe.lock")
///     .directory("target/release", Trust::Owner);
/// assert_eq!(trust.policy, Trust::LockedAndSigned);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TrustSettings {
    /// What is asked of files, unless their directory or their kind says otherwise.
    pub policy: Trust,
    /// Whether it matters who could have written a file; `None` is: unless the policy is
    /// [`Trust::Any`].
    pub paths: Option<PathChecks>,
    /// What is asked instead in these directories and below them. The longest path counts.
    pub directories: Vec<(PathBuf, Trust)>,
    /// What is asked of these kinds *in addition*, whatever their directory: a file says itself of what
    /// kind it is, so that a kind cannot be a reason to ask for less.
    pub kinds: BTreeMap<Kind, Trust>,
    /// The lock file.
    pub lock: Option<PathBuf>,
    /// Who may sign plugins, and whose signatures no longer count.
    pub keys: Keys,
    /// What must not be found in a library. It is looked for before the library is mapped.
    pub denied: Arc<BTreeSet<Hazard>>,
}

impl TrustSettings {
    /// The same policy for all files.
    #[must_use]
    pub fn new(policy: Trust) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// Sets the policy for all files of no directory of their own.
    #[must_use]
    pub fn policy(mut self, policy: Trust) -> Self {
        self.policy = policy;
        self
    }

    /// Sets whether it matters who could have written a file.
    #[must_use]
    pub fn paths(mut self, paths: impl Into<Option<PathChecks>>) -> Self {
        self.paths = paths.into();
        self
    }

    /// Sets what is asked of files in a directory and below it, in place of the policy.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>, trust: Trust) -> Self {
        self.directories.push((directory.into(), trust));
        self
    }

    /// Sets what is asked of plugins of a kind, in addition.
    #[must_use]
    pub fn kind(mut self, kind: Kind, trust: Trust) -> Self {
        self.kinds.insert(kind, trust);
        self
    }

    /// Sets the lock file.
    #[must_use]
    pub fn lock(mut self, lock: impl Into<PathBuf>) -> Self {
        self.lock = Some(lock.into());
        self
    }

    /// Lets a key sign plugins.
    #[must_use]
    pub fn key(mut self, key: TrustedKey) -> Self {
        self.keys = self.keys.trust(key);
        self
    }

    /// Sets who may sign plugins, and whose signatures no longer count.
    #[must_use]
    pub fn keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// Refuses libraries in which one of these is found.
    #[must_use]
    pub fn deny(mut self, hazards: impl IntoIterator<Item = Hazard>) -> Self {
        Arc::make_mut(&mut self.denied).extend(hazards);
        self
    }

    /// What is asked of a plugin of a kind in a file of this path, wherever that and the directories'
    /// paths lead.
    #[must_use]
    pub fn of(&self, path: &Path, kind: &Kind) -> Trust {
        let real = fs::canonicalize(path);
        self.of_place(&self.placed(), real.as_deref().unwrap_or(path), kind)
    }

    /// The directories that have a policy of their own, where they truly are. One that is not there is
    /// left out: nothing is in it.
    pub(super) fn placed(&self) -> Vec<(PathBuf, Trust)> {
        let directories = self.directories.iter().filter_map(|(directory, trust)| {
            let real = fs::canonicalize(directory).ok()?;
            Some((real, *trust))
        });
        directories.collect()
    }

    /// What is asked of a file whose place is known, as are the directories'.
    pub(super) fn of_place(&self, placed: &[(PathBuf, Trust)], path: &Path, kind: &Kind) -> Trust {
        let nearest = placed
            .iter()
            .filter(|(directory, _)| path.starts_with(directory))
            .max_by_key(|(directory, _)| directory.components().count());
        let placed = nearest.map_or(self.policy, |(_, trust)| *trust);
        self.and_of_kind(placed, kind)
    }

    /// What is asked of a plugin of a kind where this is asked.
    pub(super) fn and_of_kind(&self, trust: Trust, kind: &Kind) -> Trust {
        match self.kinds.get(kind) {
            Some(more) => trust.and(*more),
            None => trust,
        }
    }

    /// The same, but that no lock file is asked.
    #[must_use]
    pub(crate) fn without_lock(mut self) -> Self {
        let directories = self.directories.iter_mut().map(|(_, trust)| trust);
        let all = directories
            .chain(self.kinds.values_mut())
            .chain([&mut self.policy]);
        for trust in all {
            *trust = match *trust {
                Trust::Locked => Trust::Owner,
                Trust::LockedAndSigned => Trust::Signed,
                other => other,
            };
        }
        self
    }

    /// Whether it matters who could have written a file of which this is asked.
    pub(super) fn checks_paths(&self, trust: Trust) -> bool {
        match self.paths {
            Some(paths) => paths == PathChecks::On,
            None => trust != Trust::Any,
        }
    }

    /// Whether anything may be asked of the lock file.
    #[must_use]
    pub fn asks_lock(&self) -> bool {
        self.policies().any(Trust::asks_lock)
    }

    /// Whether anything may be asked that tells one content from another.
    pub(crate) fn asks_content(&self) -> bool {
        self.policies()
            .any(|trust| trust.asks_lock() || trust.asks_signature())
    }

    fn policies(&self) -> impl Iterator<Item = Trust> {
        let directories = self.directories.iter().map(|(_, trust)| *trust);
        directories
            .chain(self.kinds.values().copied())
            .chain([self.policy])
    }
}

impl From<Trust> for TrustSettings {
    fn from(policy: Trust) -> Self {
        Self::new(policy)
    }
}

/// Whether the file and its directory belong to somebody who may install plugins there.
pub(super) fn owner_may_install(owned: Ownership, user: u32) -> bool {
    let may = |uid: u32| uid == owned.root_uid || uid == 0 || uid == user;
    may(owned.file_uid) && may(owned.directory_uid)
}

/// Whether everybody may change the file's content.
pub(super) fn file_is_open_to_all(owned: Ownership) -> bool {
    owned.file_mode & WRITABLE_BY_ALL != 0
}

/// Whether everybody may put another file in the file's place; in a sticky directory, such as
/// `/tmp`, only its owner may.
pub(super) fn directory_is_open_to_all(owned: Ownership) -> bool {
    is_open_to_all(owned.directory_mode)
}

/// Whether everybody may put something else in the place of what is in a directory of this mode.
pub(super) const fn is_open_to_all(mode: u32) -> bool {
    mode & WRITABLE_BY_ALL != 0 && mode & STICKY == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_of_two_policies_are_met_by_their_sum() {
        for a in Trust::ALL {
            for b in Trust::ALL {
                let sum = a.and(b);
                assert_eq!(sum, b.and(a));
                assert_eq!(sum.asks_lock(), a.asks_lock() || b.asks_lock());
                let signature = a.asks_signature() || b.asks_signature();
                assert_eq!(sum.asks_signature(), signature);
                assert_eq!(sum == Trust::Any, a == Trust::Any && b == Trust::Any);
            }
            assert_eq!(a.name().parse(), Ok(a));
        }
        let refused = "none".parse::<Trust>().unwrap_err().to_string();
        assert!(refused.contains("`none`") && refused.contains("`locked+signed`"));
    }

    #[test]
    fn a_directory_replaces_and_a_kind_adds() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for directory in ["p/dev", "p/develop", "q"] {
            fs::create_dir_all(root.join(directory)).unwrap();
            fs::write(root.join(directory).join("a.so"), "").unwrap();
        }
        fs::write(root.join("p/a.so"), "").unwrap();
        let trust = TrustSettings::new(Trust::Signed)
            .directory(root.join("p"), Trust::Locked)
            .directory(root.join("p/../p/dev"), Trust::Any)
            .kind(Kind::SECRETS, Trust::LockedAndSigned);
        let of = |path: &str, kind: Kind| trust.of(&root.join(path), &kind);
        assert_eq!(of("q/a.so", Kind::COMPUTE), Trust::Signed);
        assert_eq!(of("p/a.so", Kind::COMPUTE), Trust::Locked);
        assert_eq!(of("p/dev/a.so", Kind::COMPUTE), Trust::Any);
        assert_eq!(of("p/develop/a.so", Kind::COMPUTE), Trust::Locked);
        // However it is written.
        assert_eq!(of("p/dev/../a.so", Kind::COMPUTE), Trust::Locked);
        assert_eq!(of("p/../q/a.so", Kind::COMPUTE), Trust::Signed);
        assert_eq!(of("p/dev/a.so", Kind::SECRETS), Trust::LockedAndSigned);
        // A kind takes nothing away.
        let lax = trust.clone().kind(Kind::COMPUTE, Trust::Any);
        assert_eq!(lax.of(&root.join("q/a.so"), &Kind::COMPUTE), Trust::Signed);
        assert!(trust.asks_lock());
        assert!(!TrustSettings::new(Trust::Signed).asks_lock());
    }

    #[test]
    fn paths_matter_unless_anything_goes_or_it_is_said() {
        let default = TrustSettings::default();
        assert!(default.checks_paths(Trust::Owner) && default.checks_paths(Trust::Signed));
        assert!(!default.checks_paths(Trust::Any));
        assert!(
            !default
                .clone()
                .paths(PathChecks::Off)
                .checks_paths(Trust::Signed)
        );
        assert!(default.paths(PathChecks::On).checks_paths(Trust::Any));
    }
}
