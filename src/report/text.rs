//! Words and numbers for people.

use std::env;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

/// The narrowest terminal that text is fitted to.
const NARROWEST: usize = 40;

/// How wide a line on this stream may be: as wide as the terminal, or as `COLUMNS` says; nothing where
/// it is no terminal and nothing says so.
pub(crate) fn width(stream: &impl IsTerminal) -> Option<usize> {
    let said = env::var("COLUMNS").ok();
    let width: usize = match said.and_then(|columns| columns.trim().parse().ok()) {
        Some(columns) => columns,
        None if stream.is_terminal() => terminal_size::terminal_size()?.0.0.into(),
        None => return None,
    };
    Some(width.max(NARROWEST))
}

/// A text from a file or a plugin, with whatever would move the cursor or reorder the line made visible.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || reorders(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether a character breaks the line or changes the direction in which the others are shown.
const fn reorders(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A path, from the working directory where it is below that.
pub(crate) fn path(path: &Path) -> String {
    let here = env::current_dir().ok();
    let below = here
        .as_deref()
        .and_then(|here| path.strip_prefix(here).ok())
        .filter(|below| !below.as_os_str().is_empty());
    plain(&below.unwrap_or(path).to_string_lossy())
}

/// A time: `1.2ms`.
pub(crate) fn time(time: Duration) -> String {
    format!("{time:.1?}")
}

/// A time, or nothing where there is none.
pub(crate) fn maybe_time(maybe: Option<Duration>) -> String {
    maybe.map(time).unwrap_or_default()
}

/// A count and what is counted: `1 plugin`, `2 plugins`.
pub(crate) fn count(count: usize, one: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {one}{s}")
}

/// A number of bytes: `1,234,567 bytes`.
pub(crate) fn bytes(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {}", if count == 1 { "byte" } else { "bytes" })
}

/// Breaks a text into lines of at most `width` characters, between words; a longer word has a line of its
/// own. Line breaks of the text stay.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut used = 0;
        for word in paragraph.split(' ') {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_a_terminal_is_made_visible() {
        assert_eq!(
            plain("a\u{1b}[31mb\nc\u{202e}d é"),
            "a\\u{1b}[31mb\\nc\\u{202e}d é"
        );
    }

    #[test]
    fn bytes_are_grouped() {
        for (count, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1,000 bytes"),
            (1_234_567, "1,234,567 bytes"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a verylongword b", 4), ["a", "verylongword", "b"]);
        assert_eq!(wrap("a\nb c", 80), ["a", "b c"]);
        assert_eq!(wrap("", 80), [""]);
    }
}
