//! What a signature says that the signed file is.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use floe_plugin_api::{ApiVersion, Kind, Manifest};
use semver::Version;
use serde::Serialize;

use super::key::excerpt;
use super::keys::is_plugin_name;

/// What a signature says that the signed file is: the signed words of its trusted comment.
///
/// Without them a signature would say only that its owner signed *some* file: whoever can change a
/// directory could put an old build, or another plugin of the same owner, in a plugin's place.
///
/// In the comment they are written `name:acme version:1.0.0 floe_api_version:1.0`, between tabs or
/// spaces; `kind:storage` and `timestamp:1234567890` may be there, and anything else that is not
/// known is ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Claims {
    /// What the plugin is for, where that is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// The version of the boundary that it was built against.
    pub floe_api_version: ApiVersion,
    /// When it was signed, by the signer's clock, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
}

impl Claims {
    /// What has to be signed of a file with this manifest.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        Self {
            kind: Some(manifest.kind.clone()),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            floe_api_version: manifest.floe_api_version,
            timestamp: None,
        }
    }

    /// The trusted comment of a signature that is made now, `timestamp` in seconds since 1970.
    #[must_use]
    pub fn to_comment(&self, timestamp: u64, file_name: &str) -> String {
        let Self {
            kind,
            name,
            version,
            floe_api_version,
            timestamp: _,
        } = self;
        // A space would end the word, and what follows could say anything.
        let file: String = file_name
            .chars()
            .map(|c| {
                if c.is_whitespace() || c.is_control() {
                    '_'
                } else {
                    c
                }
            })
            .collect();
        let mut comment = format!(
            "timestamp:{timestamp}\tfile:{file}\tname:{name}\tversion:{version}\tfloe_api_version:{floe_api_version}"
        );
        if let Some(kind) = kind {
            comment.push_str("\tkind:");
            comment.push_str(kind.as_str());
        }
        comment
    }

    /// Reads the claims of a trusted comment.
    pub(super) fn parse(comment: &str) -> Result<Self, ClaimsError> {
        let mut words = Words::of(comment)?;
        let kind = words.take("kind", "a plugin kind, such as `storage`")?;
        let name: Option<Name> = words.take("name", "a plugin's name")?;
        let version = words.take("version", "a version, such as `1.0.0`")?;
        let floe_api_version = words.take("floe_api_version", "a version, such as `1.0`")?;
        let timestamp = words.take("timestamp", "seconds since 1970")?;
        match (name, version, floe_api_version) {
            (Some(Name(name)), Some(version), Some(floe_api_version)) => Ok(Self {
                kind,
                name,
                version,
                floe_api_version,
                timestamp,
            }),
            (name, version, floe_api_version) => {
                let missing = [
                    ("name", name.is_none()),
                    ("version", version.is_none()),
                    ("floe_api_version", floe_api_version.is_none()),
                ];
                Err(ClaimsError::Missing {
                    fields: missing
                        .into_iter()
                        .filter_map(|(field, missing)| missing.then_some(field))
                        .collect(),
                })
            }
        }
    }

    /// The first thing that a file's manifest says otherwise.
    #[must_use]
    pub fn difference(&self, manifest: &Manifest) -> Option<Difference> {
        let own = Self::of(manifest);
        let kind = |claims: &Self| claims.kind.as_ref().map(Kind::to_string);
        // A signature that says no kind is of a plugin of any.
        let signed_kind = kind(self).or_else(|| kind(&own));
        let pairs = [
            ("name", Some(self.name.clone()), Some(own.name.clone())),
            (
                "version",
                Some(self.version.to_string()),
                Some(own.version.to_string()),
            ),
            (
                "floe_api_version",
                Some(self.floe_api_version.to_string()),
                Some(own.floe_api_version.to_string()),
            ),
            ("kind", signed_kind, kind(&own)),
        ];
        let mut different = pairs.into_iter().filter(|(_, signed, own)| signed != own);
        different.next().map(|(field, signed, own)| Difference {
            field,
            signed: signed.unwrap_or_default(),
            manifest: own.unwrap_or_default(),
        })
    }
}

/// The `key:value` words of a comment.
struct Words<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Words<'a> {
    fn of(comment: &'a str) -> Result<Self, ClaimsError> {
        let words: Vec<_> = comment
            .split([' ', '\t'])
            .filter_map(|word| word.split_once(':'))
            .collect();
        let mut seen = BTreeSet::new();
        match words.iter().find(|(key, _)| !seen.insert(*key)) {
            // Which of the two would count depends on the reader: none does.
            Some((key, _)) => Err(ClaimsError::Twice { key: excerpt(key) }),
            None => Ok(Self(words)),
        }
    }

    fn take<T: FromStr>(
        &mut self,
        field: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, ClaimsError> {
        let word = self.0.iter().find(|(key, _)| *key == field);
        let parse = |(_, value): &(&str, &str)| {
            value.parse().map_err(|_| ClaimsError::Value {
                field,
                found: excerpt(value),
                expected,
            })
        };
        word.map(parse).transpose()
    }
}

struct Name(String);

impl FromStr for Name {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        is_plugin_name(text)
            .then(|| Self(text.to_owned()))
            .ok_or(())
    }
}

/// Why a trusted comment does not say what the signed file is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsError {
    /// Words that must be there are not.
    #[error("does not say `{}`", fields.join("`, `"))]
    Missing {
        /// Their keys.
        fields: Vec<&'static str>,
    },
    /// A word is there twice.
    #[error("says `{key}` twice")]
    Twice {
        /// Its key.
        key: String,
    },
    /// A word's value is not one.
    #[error("says `{field}:{found}`, which is not {expected}")]
    Value {
        /// Its key.
        field: &'static str,
        /// Its value, cut where it is long.
        found: String,
        /// What it would be.
        expected: &'static str,
    },
}

/// Something that a signature and a manifest say differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// What it is: `name`, `version`, `floe_api_version` or `kind`.
    pub field: &'static str,
    /// What the signature says.
    pub signed: String,
    /// What the manifest says.
    pub manifest: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            signed,
            manifest,
        } = self;
        write!(
            f,
            "the signature is of `{field}` `{signed}`, the file says `{manifest}`"
        )
    }
}

#[cfg(test)]
mod tests {
    use floe_plugin_api::ExecutorMetadata;
    use proptest::prelude::*;

    use super::*;

    fn manifest(kind: Kind, name: &str, version: &str) -> Manifest {
        let executor = ExecutorMetadata::new("acme.do").unwrap();
        Manifest::new(kind, name, version.parse().unwrap(), vec![executor]).unwrap()
    }

    #[test]
    fn a_comment_says_what_the_manifest_says() {
        let manifest = manifest(Kind::STORAGE, "acme", "1.0.0-rc.1+build.7");
        let comment = Claims::of(&manifest).to_comment(7, "lib acme\tname:other\n.so");
        assert_eq!(
            comment,
            "timestamp:7\tfile:lib_acme_name:other_.so\tname:acme\tversion:1.0.0-rc.1+build.7\tfloe_api_version:1.0\tkind:storage"
        );
        let claims = Claims::parse(&comment).unwrap();
        assert_eq!(claims.timestamp, Some(7));
        assert_eq!(claims.difference(&manifest), None);
    }

    #[test]
    fn a_comment_of_minisign() {
        let claims = Claims::parse(
            "timestamp:1\tfile:my file.so hashed color:red  name:acme version:1.0.0 floe_api_version:1.0",
        )
        .unwrap();
        assert_eq!(claims.kind, None);
        assert_eq!(
            claims.difference(&manifest(Kind::DBT, "acme", "1.0.0")),
            None
        );
    }

    #[track_caller]
    fn differs(comment: &str, said: &str) {
        let claims = Claims::parse(comment).unwrap();
        let difference = claims.difference(&manifest(Kind::DBT, "acme", "1.0.0"));
        assert_eq!(difference.unwrap().to_string(), said);
    }

    #[test]
    fn each_difference_is_named() {
        differs(
            "name:other version:1.0.0 floe_api_version:1.0",
            "the signature is of `name` `other`, the file says `acme`",
        );
        differs(
            "name:acme version:1.0.0+1 floe_api_version:1.0",
            "the signature is of `version` `1.0.0+1`, the file says `1.0.0`",
        );
        differs(
            "name:acme version:1.0.0 floe_api_version:1.1",
            "the signature is of `floe_api_version` `1.1`, the file says `1.0`",
        );
        differs(
            "name:acme version:1.0.0 floe_api_version:1.0 kind:storage",
            "the signature is of `kind` `storage`, the file says `dbt`",
        );
    }

    #[track_caller]
    fn refused(comment: &str, said: &str) {
        assert_eq!(Claims::parse(comment).unwrap_err().to_string(), said);
    }

    #[test]
    fn each_rule_is_named_when_broken() {
        refused("", "does not say `name`, `version`, `floe_api_version`");
        refused("name:a floe_api_version:1.0", "does not say `version`");
        refused(
            "name:a name:a version:1.0.0 floe_api_version:1.0",
            "says `name` twice",
        );
        refused("x: x:", "says `x` twice");
        refused("name:A", "says `name:A`, which is not a plugin's name");
        refused("name:", "says `name:`, which is not a plugin's name");
        refused(
            "version:1",
            "says `version:1`, which is not a version, such as `1.0.0`",
        );
        refused(
            "floe_api_version:1",
            "says `floe_api_version:1`, which is not a version, such as `1.0`",
        );
        refused(
            "timestamp:-1",
            "says `timestamp:-1`, which is not seconds since 1970",
        );
        refused(
            "kind:St/",
            "says `kind:St/`, which is not a plugin kind, such as `storage`",
        );
    }

    proptest! {
        #[test]
        fn a_file_name_adds_no_words(file in any::<String>(), timestamp: u64) {
            let manifest = manifest(Kind::STORAGE, "acme", "1.0.0");
            let mut claims = Claims::of(&manifest);
            let comment = claims.to_comment(timestamp, &file);
            claims.timestamp = Some(timestamp);
            prop_assert_eq!(Claims::parse(&comment), Ok(claims));
        }

        #[test]
        fn any_comment_is_read_without_a_panic(comment in any::<String>()) {
            drop(Claims::parse(&comment));
        }
    }
}
