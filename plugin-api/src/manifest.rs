//! What a plugin says of itself, as read from its file without running it.
//!
//! `export_plugin!` writes the manifest as JSON into the ELF note section `.note.floe.plugin`
//! (owner `floe`, type 1; on Mach-O the section `__DATA,__floe`). [`Manifest::from_json`] is the
//! one reader: it takes bytes that nobody has vouched for and gives a value in which every name,
//! version and range is well formed.

use std::collections::BTreeSet;
use std::fmt;

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::{ApiVersion, Kind};

/// The manifest format that this crate reads and writes.
pub const FORMAT: u32 = 1;

/// The owner name of the ELF note that holds a manifest.
pub const NOTE_OWNER: &str = "floe";

/// The type number of the ELF note that holds a manifest.
pub const NOTE_TYPE: u32 = 1;

/// The longest manifest that is read, in bytes.
pub const MAX_MANIFEST_BYTES: usize = 1 << 20;

/// The longest plugin name, node type, tag or category, in bytes.
pub const MAX_NAME_BYTES: usize = 128;

/// What a plugin says of itself.
///
/// Fields that a later minor version adds are ignored by an older reader; a `format` other than
/// [`FORMAT`] is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The manifest format, [`FORMAT`].
    pub format: u32,
    /// The version of the boundary that the plugin was built against.
    pub floe_api_version: ApiVersion,
    /// The library and version that lay out the boundary, such as `abi_stable 0.11`.
    pub boundary: String,
    /// What a panic does in the plugin's build.
    pub panic: PanicStrategy,
    /// What the plugin is for; with `name`, its identity.
    pub kind: Kind,
    /// The plugin's name; with `kind`, its identity.
    pub name: String,
    /// The plugin's own version.
    pub version: Version,
    /// One sentence on what it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<String>,
    /// An SPDX licence expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Where to read about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Where its source is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Plugins that must be there for this one to start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
    /// What an instance of it takes of the room that a host has for instances: by custom, the
    /// mebibytes of memory that it is expected to hold, and at least 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
    /// Whether no answer of an instance depends on the calls before it, so that any instance may
    /// take any call, and one that was lost is missed by nobody.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stateless: bool,
    /// The operations that it offers; at least one. An executor's place here is its operation
    /// number at the boundary.
    pub executors: Vec<ExecutorMetadata>,
}

const fn one() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde's skip_serializing_if asks for"
)]
const fn is_one(weight: &u32) -> bool {
    *weight == 1
}

/// What a panic does in a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PanicStrategy {
    /// A panic unwinds, and can be contained.
    Unwind,
    /// A panic ends the process.
    Abort,
}

impl fmt::Display for PanicStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unwind => "unwind",
            Self::Abort => "abort",
        })
    }
}

/// A plugin that another one needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Dependency {
    /// The kind of the plugin that is needed.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The versions that will do.
    pub version: VersionReq,
    /// Whether the dependent starts without it.
    #[serde(default)]
    pub optional: bool,
}

/// What is known of an executor without running it.
///
/// Its schemas are not here: they come from the plugin's own types, once it is mapped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExecutorMetadata {
    /// The name that callers use, such as `sqlite.query`.
    pub node_type: String,
    /// The executor's own version; the plugin's where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// One sentence on what it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// A heading to list it under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Who made it, where that is not the plugin's authors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// A picture for user interfaces: a name or an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// Whether it may change without notice.
    #[serde(default, skip_serializing_if = "is_false")]
    pub experimental: bool,
    /// Why it should no longer be used, and what to use instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
    /// Whether calling it twice does what calling it once does; `None` where that is not said.
    ///
    /// A host calls it again after a failure that may have come too late, such as a crash, where it is;
    /// one that says outright that it is not is not called again after a time-out either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde's skip_serializing_if asks for"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

impl ExecutorMetadata {
    /// Metadata with a node type and nothing else.
    ///
    /// # Errors
    ///
    /// The node type must be words joined by dots, as in `sqlite.query`.
    pub fn new(node_type: &str) -> Result<Self, ManifestError> {
        check_node_type(|| "node_type".to_owned(), node_type)?;
        Ok(Self {
            node_type: node_type.to_owned(),
            version: None,
            description: String::new(),
            category: None,
            tags: Vec::new(),
            author: None,
            icon: None,
            experimental: false,
            deprecated: None,
            idempotent: None,
        })
    }

    /// Sets the executor's own version.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets the sentence on what it does.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Sets the heading to list it under.
    #[must_use]
    pub fn category(mut self, category: impl Into<String>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// Adds a word to find it by.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Sets whether calling it twice does what calling it once does.
    #[must_use]
    pub const fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = Some(idempotent);
        self
    }
}

/// Why bytes are not a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestError {
    /// The bytes are not UTF-8.
    NotUtf8 {
        /// Where the first bad byte is, from the start of the manifest.
        offset: usize,
    },
    /// The text is not JSON, or not of a manifest's shape.
    Malformed {
        /// What is wrong with it and where, in words.
        reason: String,
    },
    /// The manifest is of a format that this reader does not know.
    UnknownFormat {
        /// The format that it names.
        found: u64,
    },
    /// A field's value breaks a rule.
    Field {
        /// The path of the field, such as `executors[1].node_type`.
        field: String,
        /// The value, cut where it is long.
        found: String,
        /// The rule.
        expected: &'static str,
    },
}

impl ManifestError {
    fn field(field: impl Into<String>, found: &str, expected: &'static str) -> Self {
        let mut found: String = found.chars().flat_map(shown).take(80).collect();
        if found.is_empty() {
            found.push_str("(empty)");
        }
        Self::Field {
            field: field.into(),
            found,
            expected,
        }
    }
}

/// A character as it can be shown to anybody.
fn shown(c: char) -> impl Iterator<Item = char> {
    let escaped = c.is_control().then(|| c.escape_debug());
    let plain = escaped.is_none().then_some(c);
    escaped.into_iter().flatten().chain(plain)
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 { offset } => {
                write!(f, "the manifest is not UTF-8 at its byte {offset}")
            }
            Self::Malformed { reason } => write!(f, "the manifest is malformed: {reason}"),
            Self::UnknownFormat { found } => write!(
                f,
                "the manifest is of format `{found}`, this reader knows format `{FORMAT}`"
            ),
            Self::Field {
                field,
                found,
                expected,
            } => write!(
                f,
                "the manifest's `{field}` is `{found}`, expected {expected}"
            ),
        }
    }
}

impl std::error::Error for ManifestError {}

impl Manifest {
    /// Reads a manifest from the bytes of a note.
    ///
    /// ```
    /// use floe_plugin_api::{Kind, Manifest, ManifestError};
    ///
    /// let manifest = Manifest::from_json(
    ///     br#"{"format":1,"floe_api_version":"1.0","boundary":"abi_stable 0.11","panic":"unwind",
    ///          "kind":"storage","name":"sqlite","version":"0.1.0",
    ///          "executors":[{"node_type":"sqlite.query"}],"a field of the future":true}"#,
    /// )?;
    /// assert_eq!(manifest.kind, Kind::STORAGE);
    /// assert_eq!(manifest.executors[0].node_type, "sqlite.query");
    ///
    /// let newer = Manifest::from_json(br#"{"format":2}"#);
    /// assert_eq!(newer, Err(ManifestError::UnknownFormat { found: 2 }));
    /// # Ok::<(), ManifestError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Not UTF-8, not JSON, of an unknown format, without a field that must be there, or with a
    /// name, version or range that is not well formed; with two executors of one node type.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::Malformed {
                reason: format!(
                    "it is {} bytes long, more than {MAX_MANIFEST_BYTES}",
                    bytes.len()
                ),
            });
        }
        let text = std::str::from_utf8(bytes).map_err(|error| ManifestError::NotUtf8 {
            offset: error.valid_up_to(),
        })?;
        let manifest: Self = match serde_json::from_str(text) {
            Ok(manifest) => manifest,
            Err(error) => return Err(explain(text, &error)),
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// A manifest of this crate's own format and version, as a host writes one for its own
    /// executors.
    ///
    /// # Errors
    ///
    /// The name is not well formed, or the executors are none or share a node type.
    pub fn new(
        kind: Kind,
        name: impl Into<String>,
        version: Version,
        executors: Vec<ExecutorMetadata>,
    ) -> Result<Self, ManifestError> {
        let manifest = Self {
            format: FORMAT,
            floe_api_version: ApiVersion::CURRENT,
            boundary: crate::abi::BOUNDARY.to_owned(),
            panic: PanicStrategy::Unwind,
            kind,
            name: name.into(),
            version,
            description: String::new(),
            authors: Vec::new(),
            license: None,
            homepage: None,
            repository: None,
            dependencies: Vec::new(),
            weight: 1,
            stateless: false,
            executors,
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// The executor's operation number at the boundary.
    #[must_use]
    pub fn operation(&self, node_type: &str) -> Option<u32> {
        let index = self
            .executors
            .iter()
            .position(|executor| executor.node_type == node_type)?;
        u32::try_from(index).ok()
    }

    fn check(&self) -> Result<(), ManifestError> {
        if self.format != FORMAT {
            return Err(ManifestError::UnknownFormat {
                found: self.format.into(),
            });
        }
        check_name(|| "name".to_owned(), &self.name)?;
        for (index, dependency) in self.dependencies.iter().enumerate() {
            check_name(|| format!("dependencies[{index}].name"), &dependency.name)?;
        }
        self.check_texts()?;
        if self.executors.is_empty() {
            return Err(ManifestError::field(
                "executors",
                "[]",
                "at least one executor",
            ));
        }
        let mut seen = BTreeSet::new();
        for (index, executor) in self.executors.iter().enumerate() {
            // The field is named only where it is wrong: every scan of every file comes by here.
            let field = || format!("executors[{index}].node_type");
            check_node_type(field, &executor.node_type)?;
            if !seen.insert(&executor.node_type) {
                return Err(ManifestError::field(
                    field(),
                    &executor.node_type,
                    "a node type that no earlier executor of the plugin has",
                ));
            }
        }
        Ok(())
    }
}

impl Manifest {
    /// What people are shown must not move their cursor or change their colours.
    fn check_texts(&self) -> Result<(), ManifestError> {
        let own = [
            ("description", Some(&self.description)),
            ("license", self.license.as_ref()),
            ("homepage", self.homepage.as_ref()),
            ("repository", self.repository.as_ref()),
            ("boundary", Some(&self.boundary)),
        ];
        for (field, text) in own {
            check_text(|| field.to_owned(), text)?;
        }
        for (index, author) in self.authors.iter().enumerate() {
            check_text(|| format!("authors[{index}]"), Some(author))?;
        }
        for (index, executor) in self.executors.iter().enumerate() {
            let texts = [
                ("description", Some(&executor.description)),
                ("author", executor.author.as_ref()),
                ("icon", executor.icon.as_ref()),
                ("deprecated", executor.deprecated.as_ref()),
            ];
            for (field, text) in texts {
                check_text(|| format!("executors[{index}].{field}"), text)?;
            }
            let words = executor.tags.iter().map(|tag| ("tags", tag));
            let category = executor
                .category
                .iter()
                .map(|category| ("category", category));
            for (field, word) in words.chain(category) {
                let name = || format!("executors[{index}].{field}");
                check_text(name, Some(word))?;
                if word.is_empty() || word.len() > MAX_NAME_BYTES {
                    return Err(ManifestError::field(name(), word, "1 to 128 bytes"));
                }
            }
        }
        Ok(())
    }
}

fn check_text(field: impl Fn() -> String, text: Option<&String>) -> Result<(), ManifestError> {
    match text {
        Some(text) if text.chars().any(char::is_control) => Err(ManifestError::field(
            field(),
            text,
            "a text without control characters",
        )),
        _ => Ok(()),
    }
}

/// Tells an unknown format, whose fields may well differ, from a manifest that is merely wrong.
fn explain(text: &str, error: &serde_json::Error) -> ManifestError {
    #[derive(Deserialize)]
    struct Format {
        format: u64,
    }
    match serde_json::from_str::<Format>(text) {
        Ok(Format { format }) if format != u64::from(FORMAT) => {
            ManifestError::UnknownFormat { found: format }
        }
        _ => ManifestError::Malformed {
            reason: error.to_string(),
        },
    }
}

fn check_name(field: impl Fn() -> String, name: &str) -> Result<(), ManifestError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.len() <= MAX_NAME_BYTES
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(plain)
    {
        Ok(())
    } else {
        Err(ManifestError::field(
            field(),
            name,
            "up to 128 of `a-z`, `0-9`, `-`, `_`, beginning with a letter",
        ))
    }
}

fn check_node_type(field: impl Fn() -> String, node_type: &str) -> Result<(), ManifestError> {
    let word = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    if node_type.len() <= MAX_NAME_BYTES
        && node_type.starts_with(|c: char| c.is_ascii_alphabetic())
        && node_type.split('.').all(word)
    {
        Ok(())
    } else {
        Err(ManifestError::field(
            field(),
            node_type,
            "words of letters, digits, `-` and `_` joined by dots, such as `sqlite.query`",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"format":1,"floe_api_version":"1.0","boundary":"abi_stable 0.11","panic":"unwind","kind":"storage","name":"sqlite","version":"0.1.0","dependencies":[{"kind":"secrets","name":"vault","version":"^1.2"}],"executors":[{"node_type":"sqlite.query"},{"node_type":"sqlite.execute","tags":["write"]}]}"#;

    #[test]
    fn a_good_one_round_trips() {
        let manifest = Manifest::from_json(GOOD.as_bytes()).unwrap();
        assert_eq!(manifest.operation("sqlite.execute"), Some(1));
        assert_eq!(manifest.operation("sqlite.drop"), None);
        let again = serde_json::to_vec(&manifest).unwrap();
        assert_eq!(Manifest::from_json(&again), Ok(manifest));
    }

    #[test]
    fn what_is_not_said_is_not_written() {
        let manifest = Manifest::from_json(GOOD.as_bytes()).unwrap();
        assert!(!manifest.stateless);
        assert_eq!(manifest.executors[0].idempotent, None);
        let written = serde_json::to_string(&manifest).unwrap();
        assert!(
            !written.contains("stateless") && !written.contains("idempotent"),
            "{written}"
        );

        for said in [true, false] {
            let mut manifest = manifest.clone();
            manifest.stateless = said;
            manifest.executors[0] = ExecutorMetadata::new("a.b").unwrap().idempotent(said);
            let again = serde_json::to_vec(&manifest).unwrap();
            assert_eq!(Manifest::from_json(&again), Ok(manifest));
        }
    }

    #[track_caller]
    fn check(from: &str, to: &str, reason: &str) {
        assert!(GOOD.contains(from), "nothing to replace");
        let text = GOOD.replacen(from, to, 1);
        let refused = Manifest::from_json(text.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(refused.contains(reason), "{refused}");
    }

    #[test]
    fn each_rule_is_named_when_broken() {
        check(
            r#""format":1"#,
            r#""format":7"#,
            "format `7`, this reader knows format `1`",
        );
        check(r#""name":"sqlite","#, "", "missing field `name`");
        check(r#""1.0""#, r#""v1.0""#, "expected `major.minor`");
        check(r#""0.1.0""#, r#""0.1""#, "malformed");
        check(r#""^1.2""#, r#""^^1""#, "malformed");
        check(r#""storage""#, r#""St orage""#, "not a plugin kind");
        check(r#""name":"sqlite""#, r#""name":"../x""#, "`name` is `../x`");
        check(
            r#""sqlite.execute""#,
            r#""sqlite.query""#,
            "`executors[1].node_type` is `sqlite.query`",
        );
        check(r#""sqlite.query""#, r#""sqlite..q""#, "joined by dots");
        check(r#""unwind""#, r#""explode""#, "unknown variant");
        check("}", "", "malformed");
        check(
            r#""write""#,
            r#""a\u001b[2Jb""#,
            r"is `a\u{1b}[2Jb`, expected a text without control",
        );
        check(
            r#""write""#,
            r#""""#,
            "`executors[1].tags` is `(empty)`, expected 1 to 128 bytes",
        );
        let long = "x".repeat(129);
        check("write", &long, "expected 1 to 128 bytes");
        let long = " ".repeat(MAX_MANIFEST_BYTES);
        check("{", &format!("{long}{{"), "more than 1048576");
    }

    #[test]
    fn bytes_that_are_not_text() {
        assert_eq!(
            Manifest::from_json(b"{\"format\":\xff1}"),
            Err(ManifestError::NotUtf8 { offset: 10 })
        );
        assert!(matches!(
            Manifest::from_json(b""),
            Err(ManifestError::Malformed { .. })
        ));
    }

    #[test]
    fn a_later_format_is_told_from_a_broken_one() {
        let later = Manifest::from_json(br#"{"format":2,"all":"else differs"}"#);
        assert_eq!(later, Err(ManifestError::UnknownFormat { found: 2 }));
        let broken = Manifest::from_json(br#"{"format":1}"#);
        assert!(matches!(broken, Err(ManifestError::Malformed { .. })));
    }
}
