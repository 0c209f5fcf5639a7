//! Diagrams in the language of Graphviz.

use std::fmt;

use super::{Diagram, Drawn, Shape};

/// Lines and words that are seen on a light page and on a dark one.
const GREY: &str = "#7a8594";

pub(super) struct Dot<'d, 'a>(pub(super) &'d Diagram<'a>);

impl fmt::Display for Dot<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagram { nodes, arrows } = self.0;
        writeln!(f, "digraph workflow {{")?;
        writeln!(f, "    graph [bgcolor=transparent]")?;
        writeln!(
            f,
            "    node [shape=box style=filled fillcolor=\"#f8fafc\" color=\"{GREY}\" \
             fontcolor=\"#1c242c\" fontname=\"sans-serif\"]"
        )?;
        writeln!(
            f,
            "    edge [color=\"{GREY}\" fontcolor=\"{GREY}\" fontname=\"sans-serif\"]"
        )?;
        for (index, drawn) in nodes.iter().enumerate() {
            node(f, index, drawn)?;
        }
        for arrow in arrows {
            write!(f, "    n{} -> n{}", arrow.from, arrow.to)?;
            if let Some(label) = &arrow.label {
                let dashed = if arrow.error { " style=dashed" } else { "" };
                write!(f, " [label=\"{}\"{dashed}]", text(label))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "}}")
    }
}

fn node(f: &mut fmt::Formatter<'_>, index: usize, drawn: &Drawn<'_>) -> fmt::Result {
    let lines: Vec<String> = drawn.lines().iter().map(|line| text(line)).collect();
    write!(f, "    n{index} [label=\"{}\"", lines.join("\\n"))?;
    if let Some(shape) = shape(drawn.shape) {
        write!(f, " shape={shape}")?;
    }
    let mut styles = vec!["filled"];
    if drawn.shape == Shape::Wait {
        styles.push("rounded");
    }
    if drawn.node.disabled {
        styles.push("dashed");
    }
    if styles.len() > 1 {
        write!(f, " style=\"{}\"", styles.join(","))?;
    }
    if let Some(palette) = drawn.palette() {
        write!(
            f,
            " class=\"{}\" fillcolor=\"{}\" color=\"{}\" fontcolor=\"{}\"",
            palette.status, palette.fill, palette.line, palette.text
        )?;
    }
    writeln!(f, "]")
}

const fn shape(shape: Shape) -> Option<&'static str> {
    match shape {
        Shape::Call | Shape::Wait => None,
        Shape::Choice => Some("diamond"),
        Shape::Data => Some("parallelogram"),
        Shape::Join => Some("invtrapezium"),
        Shape::End => Some("octagon"),
        Shape::Dot => Some("ellipse"),
        Shape::Workflow => Some("box peripheries=2"),
    }
}

/// A text as it stands between quotes, where Graphviz looks for entities and for its own escapes.
fn text(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => written.push_str("&quot;"),
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '\\' => written.push_str("\\\\"),
            _ => written.push(c),
        }
    }
    written
}
