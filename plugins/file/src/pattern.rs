//! What `file.list` looks for.

/// A pattern of names: `*` is any number of characters, `?` is one, `**` any number of directories.
/// One without a `/` is about the last name of a path alone.
#[derive(Debug)]
pub(crate) struct Pattern {
    segments: Vec<Vec<char>>,
    of_names: bool,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        let segments = text.split('/').filter(|segment| !segment.is_empty());
        Self {
            segments: segments.map(|segment| segment.chars().collect()).collect(),
            of_names: !text.contains('/') && text != "**",
        }
    }

    /// Whether a path, whose parts are given, is meant.
    pub(crate) fn matches(&self, path: &[String]) -> bool {
        let last;
        let path = match path.last() {
            Some(name) if self.of_names => {
                last = [name.clone()];
                &last[..]
            }
            _ => path,
        };
        wild(
            &self.segments,
            path,
            |segment| matches!(segment.as_slice(), ['*', '*']),
            |segment, name| {
                let name: Vec<char> = name.chars().collect();
                wild(
                    segment,
                    &name,
                    |c| *c == '*',
                    |c, found| *c == '?' || c == found,
                )
            },
        )
    }
}

/// Whether a pattern matches, in which some items stand for any number. The last of those that was met
/// is the only one to come back to, so that it takes no longer than the product of both lengths.
fn wild<P, T>(
    pattern: &[P],
    text: &[T],
    is_any: impl Fn(&P) -> bool,
    matches: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut at, mut in_pattern) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(in_pattern) {
            Some(item) if is_any(item) => {
                back = Some((at, in_pattern));
                in_pattern += 1;
            }
            Some(item) if matches(item, &text[at]) => {
                at += 1;
                in_pattern += 1;
            }
            _ => {
                let Some((from, any)) = back else {
                    return false;
                };
                back = Some((from + 1, any));
                at = from + 1;
                in_pattern = any + 1;
            }
        }
    }
    pattern[in_pattern..].iter().all(is_any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, path: &str, expected: bool) {
        let parts: Vec<String> = path.split('/').map(str::to_owned).collect();
        assert_eq!(
            Pattern::new(pattern).matches(&parts),
            expected,
            "{pattern} {path}"
        );
    }

    #[test]
    fn names_and_paths() {
        check("*.csv", "a.csv", true);
        check("*.csv", "deep/down/a.csv", true);
        check("*.csv", "a.csv.gz", false);
        check("?.txt", "é.txt", true);
        check("?.txt", "ab.txt", false);
        check("a*b*c", "a1b2b3c", true);
        check("a*b*c", "a1b2b3", false);
        check("deep/*.csv", "deep/a.csv", true);
        check("deep/*.csv", "deep/down/a.csv", false);
        check("deep/**/*.csv", "deep/a.csv", true);
        check("deep/**/*.csv", "deep/b/c/a.csv", true);
        check("**/b/*", "a/b/b/c", true);
        check("**", "a/b", true);
        check("deep/", "deep", true);
        check("", "a", false);
        check("a[b]", "a[b]", true);
    }

    #[test]
    fn many_stars_take_no_time() {
        let name = "a".repeat(5_000);
        check(&format!("{}b", "a*".repeat(500)), &name, false);
    }
}
