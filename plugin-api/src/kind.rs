//! What a plugin is for.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a plugin is for: one of fourteen kinds that every host knows, or any other word.
///
/// A kind is written in lower case with hyphens (`alert-channel`). The group names that vendors
/// of the older registries know (`floe.computes`, `floe.orchestrators`, …) are accepted as aliases
/// when a kind is parsed, and never written.
///
/// ```
/// use floe_plugin_api::Kind;
///
/// assert_eq!("storage".parse::<Kind>()?, Kind::STORAGE);
/// assert_eq!("floe.storage".parse::<Kind>()?, Kind::STORAGE);
/// assert_eq!("feature-store".parse::<Kind>()?.as_str(), "feature-store");
/// assert!(!"feature-store".parse::<Kind>()?.is_known());
/// assert!("Feature Store".parse::<Kind>().is_err());
/// # Ok::<(), floe_plugin_api::ParseKindError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(Cow<'static, str>);

macro_rules! known {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $alias:literal;)*) => {
        impl Kind {
            $($(#[$doc])* pub const $constant: Self = Self(Cow::Borrowed($name));)*

            /// The fourteen kinds that every host knows, in the order of the documentation.
            pub const KNOWN: &'static [Self] = &[$(Self::$constant),*];
        }

        /// Known names first, then their aliases in the older registries.
        const NAMES: &[(&str, &str)] = &[$(($name, $alias)),*];
    };
}

known! {
    /// Runs transformations.
    COMPUTE = "compute", "floe.computes";
    /// Schedules and drives pipelines.
    ORCHESTRATOR = "orchestrator", "floe.orchestrators";
    /// Knows tables and their schemas.
    CATALOG = "catalog", "floe.catalogs";
    /// Reads and writes data.
    STORAGE = "storage", "floe.storage";
    /// Receives metrics and traces.
    TELEMETRY_BACKEND = "telemetry-backend", "floe.telemetry_backends";
    /// Receives lineage events.
    LINEAGE_BACKEND = "lineage-backend", "floe.lineage_backends";
    /// Runs dbt projects.
    DBT = "dbt", "floe.dbt";
    /// Serves metrics definitions.
    SEMANTIC_LAYER = "semantic-layer", "floe.semantic_layers";
    /// Brings data in.
    INGESTION = "ingestion", "floe.ingestion";
    /// Gives named secrets.
    SECRETS = "secrets", "floe.secrets";
    /// Authenticates users and services.
    IDENTITY = "identity", "floe.identity";
    /// Checks data.
    QUALITY = "quality", "floe.quality";
    /// Decides who may do what.
    RBAC = "rbac", "floe.rbac";
    /// Delivers alerts.
    ALERT_CHANNEL = "alert-channel", "floe.alert_channels";
}

impl Kind {
    /// The canonical name, such as `telemetry-backend`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is one of the fourteen kinds of [`Kind::KNOWN`].
    #[must_use]
    pub fn is_known(&self) -> bool {
        NAMES.iter().any(|(name, _)| *name == self.0)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a text is not a [`Kind`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseKindError {
    found: String,
}

impl fmt::Display for ParseKindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a plugin kind, expected lower-case words joined by hyphens such as `alert-channel`",
            self.found
        )
    }
}

impl std::error::Error for ParseKindError {}

impl FromStr for Kind {
    type Err = ParseKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        for (name, alias) in NAMES {
            if text == *name || text == *alias {
                return Ok(Self(Cow::Borrowed(name)));
            }
        }
        let word = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_lowercase())
                && part
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        if text.len() <= 64 && text.split('-').all(word) {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(ParseKindError {
                found: text.chars().take(64).collect(),
            })
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fourteen_known_kinds_with_distinct_names_and_aliases() {
        assert_eq!(Kind::KNOWN.len(), 14);
        for (kind, (name, alias)) in Kind::KNOWN.iter().zip(NAMES) {
            assert!(kind.is_known());
            assert_eq!(name.parse().as_ref(), Ok(kind));
            assert_eq!(alias.parse().as_ref(), Ok(kind));
        }
    }

    #[test]
    fn open_to_others_but_not_to_anything() {
        assert!(
            "vector-index2"
                .parse::<Kind>()
                .is_ok_and(|kind| !kind.is_known())
        );
        for text in [
            "",
            "-",
            "a--b",
            "a-",
            "-a",
            "A",
            "a b",
            "a_b",
            "floe.things",
            "é",
            "2d",
        ] {
            assert!(text.parse::<Kind>().is_err(), "{text}");
        }
        assert!("a".repeat(65).parse::<Kind>().is_err());
    }
}
