//! The version of the boundary, and the rule by which a host accepts a plugin.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The version of the plugin boundary that a plugin or a host was built against, `major.minor`.
///
/// Written in the manifest as `floe_api_version`. A patch number may be written and is checked to be
/// a number, but means nothing: the boundary changes in minor versions only by additions, and
/// incompatibly only in major ones.
///
/// ```
/// use floe_plugin_api::ApiVersion;
///
/// let host = ApiVersion::new(1, 3);
/// let minimum = ApiVersion::new(1, 1);
/// assert!(ApiVersion::new(1, 2).accepted_by(host, minimum).is_ok());
/// assert!(ApiVersion::new(1, 4).accepted_by(host, minimum).is_err());
/// assert!(ApiVersion::new(1, 0).accepted_by(host, minimum).is_err());
/// assert!(ApiVersion::new(2, 0).accepted_by(host, minimum).is_err());
/// assert!("v1.0".parse::<ApiVersion>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    major: u32,
    minor: u32,
}

impl ApiVersion {
    /// The version that this crate defines.
    pub const CURRENT: Self = Self::new(1, 0);

    /// A version from its two numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Incompatible changes raise this.
    #[must_use]
    pub const fn major(self) -> u32 {
        self.major
    }

    /// Additions raise this.
    #[must_use]
    pub const fn minor(self) -> u32 {
        self.minor
    }

    /// Whether a plugin of this version may be loaded by a host of version `host` that refuses
    /// everything below `minimum`.
    ///
    /// # Errors
    ///
    /// Says which part of the rule failed: the major version differs, the plugin is newer than
    /// the host, or it is older than the host's minimum.
    pub fn accepted_by(self, host: Self, minimum: Self) -> Result<(), Incompatible> {
        let rule = if self.major != host.major {
            Rule::MajorDiffers
        } else if self.minor > host.minor {
            Rule::NewerThanHost
        } else if self < minimum {
            Rule::BelowMinimum
        } else {
            return Ok(());
        };
        Err(Incompatible {
            plugin: self,
            host,
            minimum,
            rule,
        })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The part of the version rule that a plugin broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// The major versions differ.
    MajorDiffers,
    /// The plugin's minor version is above the host's.
    NewerThanHost,
    /// The plugin's version is below the minimum that the host states.
    BelowMinimum,
}

/// Why a plugin's api version is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incompatible {
    /// What the plugin was built against.
    pub plugin: ApiVersion,
    /// What the host offers.
    pub host: ApiVersion,
    /// The oldest version that the host accepts.
    pub minimum: ApiVersion,
    /// The part of the rule that failed.
    pub rule: Rule,
}

impl fmt::Display for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            plugin,
            host,
            minimum,
            rule,
        } = self;
        match rule {
            Rule::MajorDiffers => write!(
                f,
                "needs floe api `{plugin}`, this host has `{host}`, and the major versions differ"
            ),
            Rule::NewerThanHost => {
                write!(f, "needs floe api `{plugin}`, this host has `{host}`")
            }
            Rule::BelowMinimum => write!(
                f,
                "was built for floe api `{plugin}`, this host accepts `{minimum}` and newer"
            ),
        }
    }
}

impl std::error::Error for Incompatible {}

/// Why a text is not an [`ApiVersion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseApiVersionError {
    found: String,
}

impl fmt::Display for ParseApiVersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a floe api version, expected `major.minor` such as `1.0`",
            self.found
        )
    }
}

impl std::error::Error for ParseApiVersionError {}

impl FromStr for ApiVersion {
    type Err = ParseApiVersionError;

    /// Parses `1.0` or `1.0.3`, and nothing else: no sign, no space, no `v`, no leading zero.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseApiVersionError {
            found: text.chars().take(40).collect(),
        };
        let mut parts = text.split('.');
        let mut number = || -> Option<u32> {
            let part = parts.next()?;
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let plain = part == "0" || !part.starts_with('0');
            if digits && plain {
                part.parse().ok()
            } else {
                None
            }
        };
        let major = number().ok_or_else(refuse)?;
        let minor = number().ok_or_else(refuse)?;
        let patched = text.split('.').count() == 3;
        if patched {
            number().ok_or_else(refuse)?;
        }
        if parts.next().is_some() {
            return Err(refuse());
        }
        Ok(Self { major, minor })
    }
}

impl Serialize for ApiVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ApiVersion {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsing_is_strict() {
        for (text, major, minor) in [
            ("1.0", 1, 0),
            ("1.0.3", 1, 0),
            ("0.7", 0, 7),
            ("12.34", 12, 34),
        ] {
            assert_eq!(text.parse(), Ok(ApiVersion::new(major, minor)), "{text}");
        }
        for text in [
            "",
            "1",
            "1.",
            ".1",
            "1_0",
            "-1",
            "-1.0",
            "+1.0",
            "v1",
            "v1.0",
            " 1.0",
            "1.0 ",
            "1.0\n",
            "1.0.",
            "1.0.x",
            "1.0.3.4",
            "01.0",
            "1.00",
            "1.0.03",
            "1,0",
            "١.٠",
            "4294967296.0",
        ] {
            let refused = text.parse::<ApiVersion>().unwrap_err();
            assert!(
                refused.to_string().contains("expected `major.minor`"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_rule_on_each_side_of_each_bound() {
        let host = ApiVersion::new(2, 5);
        let minimum = ApiVersion::new(2, 2);
        let rule = |major, minor| {
            ApiVersion::new(major, minor)
                .accepted_by(host, minimum)
                .map_err(|refused| refused.rule)
        };
        assert_eq!(rule(2, 1), Err(Rule::BelowMinimum));
        assert_eq!(rule(2, 2), Ok(()));
        assert_eq!(rule(2, 5), Ok(()));
        assert_eq!(rule(2, 6), Err(Rule::NewerThanHost));
        assert_eq!(rule(1, 5), Err(Rule::MajorDiffers));
        assert_eq!(rule(3, 0), Err(Rule::MajorDiffers));
        assert_eq!(rule(0, 0), Err(Rule::MajorDiffers));
        assert_eq!(rule(999, 0), Err(Rule::MajorDiffers));
    }
}
