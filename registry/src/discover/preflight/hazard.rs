//! What can be hazardous about a library, by name.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};

/// How bad a [`Finding`](super::Finding) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// It can be loaded, and does what most plugins do not.
    Warning,
    /// It cannot be loaded here, or must not be.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A sort of hazard that a library can be, as seen without loading it.
///
/// ```
/// use floe_registry::{Hazard, Severity};
///
/// let hazard: Hazard = "missing-library".parse()?;
/// assert_eq!(hazard.severity(), Severity::Error);
/// # Ok::<(), floe_registry::ParseHazardError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Hazard {
    /// A library that it needs is not found.
    MissingLibrary,
    /// A library that it needs is too old, or too new.
    MissingSymbolVersion,
    /// A function or variable that it needs is in no library.
    UndefinedSymbol,
    /// It is built for a newer processor.
    InstructionSet,
    /// Code of it runs when it is mapped.
    Constructors,
    /// Code of it runs while its symbols are resolved.
    Ifunc,
    /// Its code is written to while it is mapped.
    TextRelocations,
    /// It makes the stacks of the process executable.
    ExecutableStack,
    /// It says where the libraries that it needs are looked for.
    RunPath,
    /// The libraries that it needs are looked for where others may put theirs.
    InsecureRunPath,
    /// It offers an allocator to every library.
    ExportedAllocator,
    /// It is a plugin of another system too, or brings a plugin along.
    ForeignEntry,
}

impl Hazard {
    /// Every hazard.
    pub const ALL: &[Self] = &[
        Self::MissingLibrary,
        Self::MissingSymbolVersion,
        Self::UndefinedSymbol,
        Self::InstructionSet,
        Self::Constructors,
        Self::Ifunc,
        Self::TextRelocations,
        Self::ExecutableStack,
        Self::RunPath,
        Self::InsecureRunPath,
        Self::ExportedAllocator,
        Self::ForeignEntry,
    ];

    /// Its name, in lower case with hyphens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingLibrary => "missing-library",
            Self::MissingSymbolVersion => "missing-symbol-version",
            Self::UndefinedSymbol => "undefined-symbol",
            Self::InstructionSet => "instruction-set",
            Self::Constructors => "constructors",
            Self::Ifunc => "ifunc",
            Self::TextRelocations => "text-relocations",
            Self::ExecutableStack => "executable-stack",
            Self::RunPath => "run-path",
            Self::InsecureRunPath => "insecure-run-path",
            Self::ExportedAllocator => "exported-allocator",
            Self::ForeignEntry => "foreign-entry",
        }
    }

    /// How bad it is as a rule; a [`Finding`](super::Finding) may be worse.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::MissingLibrary
            | Self::MissingSymbolVersion
            | Self::UndefinedSymbol
            | Self::InstructionSet
            | Self::InsecureRunPath => Severity::Error,
            Self::Constructors
            | Self::Ifunc
            | Self::TextRelocations
            | Self::ExecutableStack
            | Self::RunPath
            | Self::ExportedAllocator
            | Self::ForeignEntry => Severity::Warning,
        }
    }

    /// Why it matters.
    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::MissingLibrary => {
                "the loader refuses a library when one that it needs is missing"
            }
            Self::MissingSymbolVersion => {
                "the loader refuses a library that was built against a newer one than is installed"
            }
            Self::UndefinedSymbol => {
                "all symbols are resolved when a plugin is loaded, and one that is nowhere ends that"
            }
            Self::InstructionSet => {
                "an instruction that this processor lacks ends the whole process"
            }
            Self::Constructors => {
                "this code runs when the library is mapped, before it can be contained: a panic or a wait in it is the host's"
            }
            Self::Ifunc => {
                "resolvers run while the library is being linked, before it can be contained"
            }
            Self::TextRelocations => {
                "its code is writable while it is mapped, is shared with no other process, and is refused by hardened systems"
            }
            Self::ExecutableStack => {
                "the stacks of the whole process become executable when it is loaded, and newer loaders refuse it"
            }
            Self::RunPath => {
                "it decides which libraries are loaded along with it, other than the system would"
            }
            Self::InsecureRunPath => {
                "whoever can write there puts code of their own into this process"
            }
            Self::ExportedAllocator => {
                "memory that one allocator gave and another one frees corrupts the process"
            }
            Self::ForeignEntry => {
                "what serves two systems does more when it is loaded than its manifest says"
            }
        }
    }

    /// What to do about it.
    pub(super) const fn remedy(self) -> &'static str {
        match self {
            Self::MissingLibrary => {
                "install the package that has the library, or link it statically into the plugin"
            }
            Self::MissingSymbolVersion => {
                "build the plugin on a system no newer than this one, or update this system"
            }
            Self::UndefinedSymbol => {
                "link the plugin with the library that has the symbols, and with `-z defs` so that the linker tells"
            }
            Self::InstructionSet => {
                "build the plugin for an older processor, with another `-C target-cpu` or `-march`"
            }
            Self::Constructors => {
                "do this work in the plugin's start, or ask the vendor what it does"
            }
            Self::Ifunc => "choose between implementations at the first call instead",
            Self::TextRelocations => {
                "build all of its code position-independent, with `-fPIC`, and link with `-z text`"
            }
            Self::ExecutableStack => {
                "link it with `-z noexecstack`, and give its assembly files a `.note.GNU-stack` section"
            }
            Self::RunPath => {
                "link it without `-rpath`: install what it needs, or link that statically"
            }
            Self::InsecureRunPath => {
                "link it without this path, or let only its owner write to the directory"
            }
            Self::ExportedAllocator => {
                "hide these symbols with a version script, or link the allocator with a prefix"
            }
            Self::ForeignEntry => "build the plugin as a library of its own",
        }
    }
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a text is not the name of a [`Hazard`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a hazard, expected one of {}", text.escape_debug(), known())]
pub struct ParseHazardError {
    text: String,
}

fn known() -> String {
    let names: Vec<String> = Hazard::ALL
        .iter()
        .map(|hazard| format!("`{hazard}`"))
        .collect();
    names.join(", ")
}

impl FromStr for Hazard {
    type Err = ParseHazardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|hazard| hazard.name() == text)
            .ok_or_else(|| ParseHazardError {
                text: text.to_owned(),
            })
    }
}

impl Serialize for Hazard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Hazard {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hazard_has_a_name_of_its_own_that_is_read_back() {
        let mut names = Vec::new();
        for hazard in Hazard::ALL {
            let name = hazard.name();
            assert_eq!(name.parse(), Ok(*hazard));
            let json = serde_json::to_string(hazard).unwrap();
            assert_eq!(json, format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<Hazard>(&json).unwrap(), *hazard);
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
            for text in [hazard.why(), hazard.remedy()] {
                assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
            }
            names.push(name);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Hazard::ALL.len());
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let refused = "ifuncs".parse::<Hazard>().unwrap_err().to_string();
        assert!(
            refused.starts_with("`ifuncs` is not a hazard, expected one of `missing-library`, "),
            "{refused}"
        );
        assert!(refused.ends_with("`foreign-entry`"), "{refused}");
    }

    #[test]
    fn severities_are_ordered_and_told_in_lower_case() {
        assert!(Severity::Info < Severity::Warning && Severity::Warning < Severity::Error);
        assert_eq!(Severity::Warning.to_string(), "warning");
        assert_eq!(
            serde_json::to_string(&Severity::Error).unwrap(),
            "\"error\""
        );
    }
}
