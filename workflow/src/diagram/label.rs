//! Texts of a document as they are shown.

/// How many characters of a text are shown: a diagram of longer ones is none.
const LONGEST: usize = 60;

/// A text on one line, without what would steer whoever shows it, and cut where it is long.
///
/// It is not in the language of a diagram yet: it may have quotes, brackets, and all else that is seen.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            shown.push('…');
            break;
        }
        if c.is_control() || is_unseen(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether a character cannot be seen, changes the direction of others, or may stand in no SVG.
///
/// Those that join letters of a script, or keep them apart, stay.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_made_visible() {
        assert_eq!(shown("a\nb\u{0}c\u{202e}d"), "a\\nb\\u{0}c\\u{202e}d");
        assert_eq!(shown("é ما \"x\" [y]"), "é ما \"x\" [y]");
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = "é".repeat(LONGEST);
        assert_eq!(shown(&long), long);
        assert_eq!(shown(&format!("{long}x")), format!("{long}…"));
    }
}
