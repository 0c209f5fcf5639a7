//! The words by which plugins, builds and executors are named.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use floe_plugin_api::Kind;
use semver::{Version, VersionReq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path, for programs to read: what is not UTF-8 in it is replaced.
pub(crate) fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

#[expect(
    clippy::ref_option,
    reason = "the signature that serde's serialize_with asks for"
)]
pub(crate) fn lossy_option<S: Serializer>(
    path: &Option<PathBuf>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => lossy(path, serializer),
        None => serializer.serialize_none(),
    }
}

/// The SHA-256 of a file's content: what tells one build from every other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first twelve hexadecimal digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a [`Digest`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest, expected 64 hexadecimal digits in lower case")]
pub struct ParseDigestError(String);

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseDigestError(text.chars().take(80).collect());
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(refuse());
        }
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
                return Err(refuse());
            };
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The identity of a plugin: its kind and its name. Builds of it differ in version and content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PluginId {
    /// What it is for.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

impl fmt::Display for PluginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// A generation of a plugin: one build of it, as it was taken into use once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Build {
    /// The plugin.
    #[serde(flatten)]
    pub plugin: PluginId,
    /// The version.
    pub version: Version,
    /// The number of the generation: each is higher than those before it in its registry.
    pub generation: u64,
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} (generation {})",
            self.plugin, self.version, self.generation
        )
    }
}

/// For whom an instance is: a tenant, a run, a user. Instances of different scopes share nothing but
/// their plugin's code; the default is nobody in particular.
///
/// ```
/// use floe_registry::Scope;
///
/// assert!(Scope::default().is_default());
/// assert_eq!(Scope::new("acme").to_string(), "acme");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Option<Arc<str>>);

impl Scope {
    pub(crate) const NOBODY: Self = Self(None);

    /// The scope of this name; an empty name is the default's.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self((!name.is_empty()).then(|| name.into()))
    }

    /// Whether it is nobody in particular's.
    #[must_use]
    pub const fn is_default(&self) -> bool {
        self.0.is_none()
    }

    /// Its name; empty for the default.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a caller asks for: a node type, and the versions of its plugin that will do.
///
/// ```
/// use floe_registry::Reference;
///
/// let reference: Reference = "sqlite.read@^1.2".parse()?;
/// assert_eq!(reference.node_type(), "sqlite.read");
/// assert!(reference.range().is_some());
/// assert!("sqlite.read@newest".parse::<Reference>().is_err());
/// # Ok::<(), floe_registry::ParseReferenceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    node_type: String,
    range: Option<VersionReq>,
}

impl Reference {
    /// The node type.
    #[must_use]
    pub fn node_type(&self) -> &str {
        &self.node_type
    }

    /// The versions that will do; any where there is none.
    #[must_use]
    pub const fn range(&self) -> Option<&VersionReq> {
        self.range.as_ref()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.node_type)?;
        match &self.range {
            Some(range) => write!(f, "@{range}"),
            None => Ok(()),
        }
    }
}

/// Why a text is not a [`Reference`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a node type with a version range, expected one such as `sqlite.read@^1.2`: {reason}"
)]
pub struct ParseReferenceError {
    text: String,
    reason: String,
}

impl FromStr for Reference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (node_type, range) = match text.split_once('@') {
            None => (text, None),
            Some((node_type, range)) => {
                let range = range
                    .parse()
                    .map_err(|error: semver::Error| ParseReferenceError {
                        text: text.to_owned(),
                        reason: error.to_string(),
                    })?;
                (node_type, Some(range))
            }
        };
        if node_type.is_empty() {
            return Err(ParseReferenceError {
                text: text.to_owned(),
                reason: "the node type is empty".to_owned(),
            });
        }
        Ok(Self {
            node_type: node_type.to_owned(),
            range,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_and_read_back() {
        let digest =
            Digest::from_bytes(std::array::from_fn(|i| u8::try_from(i * 8 % 256).unwrap()));
        let text = digest.to_string();
        assert_eq!(text.len(), 64);
        assert_eq!(text.parse(), Ok(digest));
        assert_eq!(digest.short(), text[..12]);
        for text in [
            "",
            "00",
            &"0".repeat(63),
            &"0".repeat(65),
            &"A".repeat(64),
            &"é".repeat(32),
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    #[test]
    fn references() {
        let plain: Reference = "text.upper".parse().unwrap();
        assert_eq!((plain.node_type(), plain.range()), ("text.upper", None));
        let ranged: Reference = "text.upper@>=1, <3".parse().unwrap();
        assert!(ranged.range().unwrap().matches(&"2.5.0".parse().unwrap()));
        assert_eq!(ranged.to_string(), "text.upper@>=1, <3");
        for text in ["", "@1", "a@", "a@new"] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
