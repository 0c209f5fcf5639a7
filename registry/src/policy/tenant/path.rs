//! Places in a value.

use std::fmt;
use std::str::FromStr;

/// The most steps of a path: as many as a word has bits, less one.
const LONGEST: usize = 63;

/// Places in an input or output: names of map entries and numbers of list items, each after a `/`.
///
/// `*` is any one name or number, and `**` is any depth, none included: `/rows/*/ssn`, `/**/password`. In a
/// name, `~1` is a `/` and `~0` is a `~`, as in JSON pointers.
///
/// ```
/// use floe_registry::DataPath;
///
/// let path: DataPath = "/rows/*/ssn".parse()?;
/// assert_eq!(path.to_string(), "/rows/*/ssn");
/// assert!("rows".parse::<DataPath>().is_err());
/// # Ok::<(), floe_registry::ParseDataPathError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataPath {
    steps: Vec<Step>,
}

/// One part of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    Name(Box<str>),
    Any,
    Deep,
}

/// How far along a path one may be: a bit for each number of steps that are behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Along(u64);

/// A name of a map entry or the number of a list item.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key<'a> {
    Name(&'a str),
    Number(usize),
}

impl DataPath {
    /// The names, where the path has no `*` and no `**`.
    pub(super) fn names(&self) -> Option<Vec<Box<str>>> {
        let name = |step: &Step| match step {
            Step::Name(name) => Some(name.clone()),
            Step::Any | Step::Deep => None,
        };
        self.steps.iter().map(name).collect()
    }

    /// Where one is before the first step.
    pub(super) fn begin(&self) -> Along {
        self.skip(Along(1))
    }

    /// Where one is a step further. It ends there where [`DataPath::is_end`].
    pub(super) fn step(&self, along: Along, key: Key<'_>) -> Along {
        let mut next = 0;
        for (at, step) in self.steps.iter().enumerate() {
            if along.0 & 1 << at == 0 {
                continue;
            }
            match step {
                Step::Name(name) if key.is(name) => next |= 1 << (at + 1),
                Step::Name(_) => {}
                Step::Any => next |= 1 << (at + 1),
                Step::Deep => next |= 1 << at,
            }
        }
        self.skip(Along(next))
    }

    /// Whether all steps are behind.
    pub(super) fn is_end(&self, along: Along) -> bool {
        along.0 & 1 << self.steps.len() != 0
    }

    /// A `**` may be nothing.
    fn skip(&self, Along(mut along): Along) -> Along {
        for (at, step) in self.steps.iter().enumerate() {
            if *step == Step::Deep && along & 1 << at != 0 {
                along |= 1 << (at + 1);
            }
        }
        Along(along)
    }
}

impl Along {
    /// Whether the path leads nowhere from here.
    pub(super) const fn is_off(self) -> bool {
        self.0 == 0
    }
}

impl Key<'_> {
    /// Whether it is what a path calls so.
    pub(super) fn is(self, name: &str) -> bool {
        match self {
            Self::Name(key) => key == name,
            // As it is written, so that there is one name for each.
            Self::Number(number) => {
                (name == "0" || !name.starts_with(['0', '+']))
                    && name.parse::<usize>() == Ok(number)
            }
        }
    }
}

impl fmt::Display for DataPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            match step {
                Step::Name(name) => write!(f, "/{}", name.replace('~', "~0").replace('/', "~1"))?,
                Step::Any => f.write_str("/*")?,
                Step::Deep => f.write_str("/**")?,
            }
        }
        Ok(())
    }
}

/// Why a text is not a [`DataPath`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a path: {reason}")]
pub struct ParseDataPathError {
    found: String,
    reason: &'static str,
}

impl FromStr for DataPath {
    type Err = ParseDataPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|reason| ParseDataPathError {
            found: text.chars().take(60).flat_map(char::escape_debug).collect(),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<DataPath, &'static str> {
    let Some(rest) = text.strip_prefix('/') else {
        return Err("expected a `/` first, such as in `/rows/*/ssn`");
    };
    let mut steps = Vec::new();
    for part in rest.split('/') {
        let step = match part {
            "" => return Err("expected a name, a number, `*` or `**` after each `/`"),
            "*" => Step::Any,
            "**" => Step::Deep,
            part if part.contains('*') => {
                return Err("expected `*` to stand alone between two `/`");
            }
            part => Step::Name(unescaped(part)?),
        };
        if step == Step::Deep && steps.last() == Some(&Step::Deep) {
            return Err("expected `**` once, it is any depth already");
        }
        steps.push(step);
    }
    if steps.last() == Some(&Step::Deep) {
        return Err("expected a name or `*` after `**`");
    }
    if steps.len() > LONGEST {
        return Err("expected at most 63 steps");
    }
    Ok(DataPath { steps })
}

fn unescaped(part: &str) -> Result<Box<str>, &'static str> {
    let mut pieces = part.split('~');
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (character, rest) = match piece.split_at_checked(1) {
            Some(("0", rest)) => ('~', rest),
            Some(("1", rest)) => ('/', rest),
            _ => return Err("expected `0` or `1` after `~`: `~0` is a `~`, `~1` is a `/`"),
        };
        name.push(character);
        name.push_str(rest);
    }
    Ok(name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, keys: &[Key<'_>], is_end: bool) {
        let path: DataPath = path.parse().unwrap();
        let along = keys
            .iter()
            .fold(path.begin(), |along, key| path.step(along, *key));
        assert_eq!(path.is_end(along), is_end, "{path} {keys:?}");
    }

    #[test]
    fn where_a_path_leads() {
        use Key::{Name, Number};
        check("/a", &[Name("a")], true);
        check("/a", &[], false);
        check("/a", &[Name("b")], false);
        check("/a", &[Name("a"), Name("b")], false);
        check("/rows/*/ssn", &[Name("rows"), Number(7), Name("ssn")], true);
        check("/rows/7", &[Name("rows"), Number(7)], true);
        check("/rows/07", &[Name("rows"), Number(7)], false);
        check("/**/p", &[Name("p")], true);
        check("/**/p", &[Name("a"), Number(0), Name("p")], true);
        check("/**/p", &[Name("p"), Name("a")], false);
        check("/**/p/*", &[Name("p"), Name("p")], true);
        check(
            "/a/**/b/*",
            &[Name("a"), Name("b"), Name("b"), Name("c")],
            true,
        );
        check("/a~1b/~0", &[Name("a/b"), Name("~")], true);
    }

    #[test]
    fn a_path_is_written_as_it_was() {
        for text in ["/a", "/rows/*/ssn", "/**/password", "/a~1b/~0c/0"] {
            assert_eq!(text.parse::<DataPath>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn each_rule_is_named_when_broken() {
        for (text, reason) in [
            ("", "expected a `/` first, such as in `/rows/*/ssn`"),
            ("a", "expected a `/` first, such as in `/rows/*/ssn`"),
            ("/", "expected a name, a number, `*` or `**` after each `/`"),
            (
                "/a//b",
                "expected a name, a number, `*` or `**` after each `/`",
            ),
            (
                "/a/",
                "expected a name, a number, `*` or `**` after each `/`",
            ),
            ("/a*", "expected `*` to stand alone between two `/`"),
            ("/***", "expected `*` to stand alone between two `/`"),
            ("/**/**/a", "expected `**` once, it is any depth already"),
            ("/a/**", "expected a name or `*` after `**`"),
            (
                "/~2",
                "expected `0` or `1` after `~`: `~0` is a `~`, `~1` is a `/`",
            ),
            (
                "/~é",
                "expected `0` or `1` after `~`: `~0` is a `~`, `~1` is a `/`",
            ),
            (&"/a".repeat(64), "expected at most 63 steps"),
        ] {
            let error = text.parse::<DataPath>().unwrap_err().to_string();
            assert!(
                error.ends_with(&format!("` is not a path: {reason}")),
                "{error}"
            );
        }
    }
}
