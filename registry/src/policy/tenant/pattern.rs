//! Patterns of node types and of plugin kinds.

use std::fmt;
use std::str::FromStr;

/// The longest pattern, in bytes; no node type is as long.
const LONGEST: usize = 256;

/// Which node types, or which plugin kinds, are meant: a name, in which `*` stands for any run of
/// characters, none included. Upper and lower case differ.
///
/// ```
/// use floe_registry::Pattern;
///
/// let pattern: Pattern = "sqlite.*".parse()?;
/// assert!(pattern.matches("sqlite.read"));
/// assert!(!pattern.matches("Sqlite.read"));
/// assert!("sqlite.read all".parse::<Pattern>().is_err());
/// # Ok::<(), floe_registry::ParsePatternError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// The pattern as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        is_like(&self.0, name)
    }

    /// What is before its only `*` where that is its end; nothing where it is another sort of pattern.
    pub(super) fn prefix(&self) -> Option<&str> {
        self.0
            .strip_suffix('*')
            .filter(|before| !before.contains('*'))
    }

    /// Whether it means one name, its own.
    pub(super) fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }
}

/// Whether a name is what a pattern says, in one walk along both: the earliest place of each piece
/// between two `*` will do, so none is ever tried twice.
fn is_like(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*') {
        match left.find(piece) {
            Some(at) => left = left.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    left.ends_with(last)
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a text is not a [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is not a pattern, expected a name, or one with `*` for any run of characters such as `sqlite.*`, of at most {LONGEST} bytes without spaces"
)]
pub struct ParsePatternError {
    found: String,
}

impl FromStr for Pattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_odd = |c: char| c.is_whitespace() || c.is_control();
        if text.is_empty() || text.len() > LONGEST || text.contains(is_odd) {
            let found = text.chars().take(60).flat_map(char::escape_debug).collect();
            return Err(ParsePatternError { found });
        }
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let pattern: Pattern = pattern.parse().unwrap();
        for name in matching {
            assert!(pattern.matches(name), "{pattern} {name}");
        }
        for name in others {
            assert!(!pattern.matches(name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_star_is_any_run() {
        check("a.b", &["a.b"], &["a.bc", "A.b", "a", ""]);
        check("*", &["", "a.b"], &[]);
        check("a.*", &["a.", "a.b.c"], &["a", "b.a."]);
        check("*.read", &[".read", "sqlite.read"], &["sqlite.reader"]);
        check("a*a", &["aa", "aba"], &["a", "ab"]);
        check("a*b*c", &["abc", "axbxbxc"], &["acb", "ab", "abcd"]);
        check("**", &["", "a"], &[]);
        check("a**b", &["ab", "a.b"], &["a"]);
        check("*é*", &["é", "aéb"], &["e"]);
        check("ab*bc", &["abbc", "ab.bc"], &["abc"]);
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for text in ["", " ", "a b", "a\n", &"a".repeat(257)] {
            let error = text.parse::<Pattern>().unwrap_err().to_string();
            assert!(error.contains("is not a pattern, expected"), "{error}");
        }
        assert_eq!(
            "a\tb".parse::<Pattern>().unwrap_err().to_string(),
            "`a\\tb` is not a pattern, expected a name, or one with `*` for any run of characters such as `sqlite.*`, of at most 256 bytes without spaces"
        );
    }
}
