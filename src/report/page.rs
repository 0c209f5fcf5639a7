//! Text for people, in the making.

use anstyle::{AnsiColor, Style};

use super::table::Table;
use super::text;

const HEADING: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const NAME: Style = AnsiColor::Cyan.on_default();

/// Text for people. What is put on it is plain but for its own styles, which whoever writes it takes out
/// where there is no terminal.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    width: Option<usize>,
}

impl Page {
    /// An empty page whose lines are broken at a width, if there is one.
    pub(crate) const fn new(width: Option<usize>) -> Self {
        Self {
            text: String::new(),
            width,
        }
    }

    /// How wide lines may be.
    pub(crate) const fn width(&self) -> Option<usize> {
        self.width
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(crate) fn heading(&mut self, heading: &str) {
        self.line(&format!("{HEADING}{heading}{HEADING:#}"));
    }

    /// A verdict, in the colour of what it says.
    pub(crate) fn verdict(&mut self, good: bool, verdict: &str) {
        let style = if good { GOOD } else { BAD };
        self.line(&format!("{style}{verdict}{style:#}"));
    }

    /// Text after a word that says what it is, such as `error:`.
    pub(crate) fn labelled(&mut self, label: &str, text: &str) {
        let style = if label == "error" { BAD } else { NAME };
        let mut lines = self.wrap(text, label.len() + 2).into_iter();
        let first = lines.next().unwrap_or_default();
        self.line(&format!("{style}{label}:{style:#} {first}"));
        for line in lines {
            self.line(&format!("  {line}"));
        }
    }

    /// Text whose lines are broken between words, and begin with spaces.
    pub(crate) fn paragraph(&mut self, indent: usize, text: &str) {
        for line in self.wrap(text, indent) {
            self.line(&format!("{:indent$}{line}", ""));
        }
    }

    /// Names and what they stand for, one to a line.
    pub(crate) fn fields<S: AsRef<str>>(&mut self, indent: usize, fields: &[(S, String)]) {
        let longest = fields.iter().map(|(name, _)| name.as_ref().chars().count());
        let column = longest.max().unwrap_or_default();
        for (name, value) in fields {
            let mut name = name.as_ref();
            for line in self.wrap(value, indent + column + 2) {
                let line = format!("{:indent$}{NAME}{name:column$}{NAME:#}  {line}", "");
                self.line(line.trim_end());
                name = "";
            }
        }
    }

    pub(crate) fn table(&mut self, table: Table) {
        let mut lines = table.lines(self.width).into_iter();
        if let Some(header) = lines.next() {
            self.heading(&header);
        }
        for line in lines {
            self.line(&line);
        }
    }

    fn wrap(&self, text: &str, taken: usize) -> Vec<String> {
        let room = self
            .width
            .map_or(usize::MAX, |width| width.saturating_sub(taken).max(20));
        text::wrap(text, room)
    }
}
