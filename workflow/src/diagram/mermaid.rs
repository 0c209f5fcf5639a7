//! Diagrams in the language of Mermaid.

use std::fmt;

use super::palette::Palette;
use super::{Diagram, Drawn, Shape};

pub(super) struct Mermaid<'d, 'a>(pub(super) &'d Diagram<'a>);

impl fmt::Display for Mermaid<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagram { nodes, arrows } = self.0;
        writeln!(f, "flowchart TD")?;
        for (index, drawn) in nodes.iter().enumerate() {
            let (open, close) = brackets(drawn.shape);
            let lines: Vec<String> = drawn.lines().iter().map(|line| text(line)).collect();
            writeln!(f, "    n{index}{open}\"{}\"{close}", lines.join("<br/>"))?;
        }
        for arrow in arrows {
            let line = if arrow.error { "-.->" } else { "-->" };
            write!(f, "    n{} {line}", arrow.from)?;
            if let Some(label) = &arrow.label {
                write!(f, "|\"{}\"|", text(label))?;
            }
            writeln!(f, " n{}", arrow.to)?;
        }
        for palette in &Palette::ALL {
            let is_its = |drawn: &Drawn<'_>| {
                let own = drawn.palette();
                own.is_some_and(|own| own.status == palette.status)
            };
            let Palette {
                status,
                fill,
                line,
                text,
            } = palette;
            let style = format!("fill:{fill},stroke:{line},color:{text}");
            class(f, nodes, status.as_str(), &style, is_its)?;
        }
        class(f, nodes, "left-out", "stroke-dasharray:5 5", |drawn| {
            drawn.node.disabled
        })
    }
}

/// Gives a style to some nodes, if there are any.
fn class(
    f: &mut fmt::Formatter<'_>,
    nodes: &[Drawn<'_>],
    name: &str,
    style: &str,
    has: impl Fn(&Drawn<'_>) -> bool,
) -> fmt::Result {
    let these = nodes.iter().enumerate().filter(|(_, drawn)| has(drawn));
    let these: Vec<String> = these.map(|(index, _)| format!("n{index}")).collect();
    if these.is_empty() {
        return Ok(());
    }
    writeln!(f, "    classDef {name} {style}")?;
    writeln!(f, "    class {} {name}", these.join(","))
}

const fn brackets(shape: Shape) -> (&'static str, &'static str) {
    match shape {
        Shape::Call => ("[", "]"),
        Shape::Choice => ("{", "}"),
        Shape::Data => ("[/", "/]"),
        Shape::Join => ("[\\", "/]"),
        Shape::Wait => ("([", "])"),
        Shape::End => ("{{", "}}"),
        Shape::Dot => ("((", "))"),
        Shape::Workflow => ("[[", "]]"),
    }
}

/// A text as it stands between quotes.
///
/// Between quotes Mermaid still looks for entities, Markdown, HTML, icons and formulas, and for its own
/// directives and styles in the whole diagram. So all but letters and digits is written as an entity,
/// which it turns into the character after it has looked. Spaces, and what is within a name such as
/// `sqlite.query`, stay as they are, so that a person can read it. What it looks for afterwards too is
/// kept apart by a character that is not seen.
fn text(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut written = String::with_capacity(text.len());
    for (at, &c) in chars.iter().enumerate() {
        let is_word = |at: Option<usize>| {
            let c = at.and_then(|at| chars.get(at));
            c.is_some_and(|c| c.is_alphanumeric())
        };
        let (before, after) = (is_word(at.checked_sub(1)), is_word(Some(at + 1)));
        if at > 0 && APART.contains(&(chars[at - 1], c)) {
            written.push_str(JOINER);
        }
        let stays = match c {
            ' ' => before || after && at > 0 && chars[at - 1] != ' ',
            // `www.` begins a link of Markdown's.
            '.' => before && after && !ends_in_www(&chars[..at]),
            '_' | '-' => before && after,
            _ => c.is_alphanumeric(),
        };
        match stays {
            true => written.push(c),
            false => written.push_str(&format!("#{};", u32::from(c))),
        }
    }
    written
}

/// A word joiner, which has no width and where no line is broken.
const JOINER: &str = "#8288;";

/// What begins a line break, an icon or a formula, and how entities begin and end between two steps.
const APART: [(char, char); 6] = [
    ('\\', 'n'),
    ('\\', 'N'),
    (':', 'f'),
    ('$', '$'),
    ('ﬂ', '°'),
    ('¶', 'ß'),
];

fn ends_in_www(chars: &[char]) -> bool {
    matches!(chars, [.., a, b, c] if [a, b, c].iter().all(|c| c.eq_ignore_ascii_case(&'w')))
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn names_stay_as_they_are() {
        for name in ["sqlite.query", "fetch_all", "a-b", "Größe 2", "end"] {
            assert_eq!(text(name), name);
        }
    }

    #[test]
    fn all_else_is_an_entity() {
        for (name, expected) in [
            ("\"]", "#34;#93;"),
            ("a-->b", "a#45;#45;#62;b"),
            ("_a_", "#95;a#95;"),
            ("1. a", "1#46; a"),
            ("- a", "#45; a"),
            ("  a  b ", "#32;#32;a #32;b "),
            ("www.a", "www#46;a"),
            ("x #35;", "x #35;35#59;"),
            ("ﬂ°°34¶ß", "ﬂ#8288;#176;#176;34#182;#8288;ß"),
            ("fa:fa-x", "fa#58;#8288;fa-x"),
            ("$$$", "#36;#8288;#36;#8288;#36;"),
            ("\\n\\d", "#92;#8288;n#92;d"),
        ] {
            assert_eq!(text(name), expected);
        }
    }
}
