//! Standard output.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::page::Page;
use super::text;
use crate::failure::Failure;

/// What a command found or did.
pub(crate) trait Report: Serialize {
    /// Writes it for people.
    fn render(&self, page: &mut Page);
}

/// Whether somebody reads what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    There,
    Gone,
}

/// Standard output, and for whom it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether it is for programs.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a person sees it at once.
    pub(crate) fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// How wide text may be; nothing where it goes to a file or another program.
    pub(crate) fn width(&self) -> Option<usize> {
        text::width(&io::stdout())
    }

    /// Writes a report, as JSON on one line or as text.
    pub(crate) fn report(&self, report: &impl Report) -> Result<(), Failure> {
        if self.json {
            return self.json(report);
        }
        let mut page = Page::new(self.width());
        report.render(&mut page);
        self.page(&page)
    }

    /// Writes JSON on one line.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.json_line(value).map(drop)
    }

    /// Writes one of many lines of JSON.
    pub(crate) fn json_line(&self, value: &impl Serialize) -> Result<Audience, Failure> {
        let line = serde_json::to_string(value).map_err(|error| {
            Failure::failed("the output cannot be written as JSON").caused_by(&error)
        })?;
        self.line(&line)
    }

    /// Writes one of many lines, as it is.
    pub(crate) fn line(&self, line: &str) -> Result<Audience, Failure> {
        self.write(format!("{line}\n").as_bytes())
    }

    /// Writes text, with colour where the terminal has it.
    pub(crate) fn page(&self, page: &Page) -> Result<(), Failure> {
        let mut out = anstream::stdout().lock();
        let written = out.write_all(page.text().as_bytes());
        heard(written.and_then(|()| out.flush())).map(drop)
    }

    /// Writes bytes as they are: what looks like colour in them is theirs.
    pub(crate) fn data(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.write(bytes).map(drop)
    }

    #[expect(clippy::unused_self, reason = "who writes has the output")]
    fn write(self, bytes: &[u8]) -> Result<Audience, Failure> {
        let mut out = io::stdout().lock();
        let written = out.write_all(bytes);
        heard(written.and_then(|()| out.flush()))
    }
}

/// A reader that has gone away has read what it wanted, as `head` does.
fn heard(written: io::Result<()>) -> Result<Audience, Failure> {
    match written {
        Ok(()) => Ok(Audience::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Audience::Gone),
        Err(error) => Err(Failure::failed("standard output cannot be written").caused_by(&error)),
    }
}
