//! A failure, on standard error for people; with `--json`, on standard output.

use std::io::{self, Write};

use serde::Serialize;

use super::output::Output;
use super::page::Page;
use super::{places, rejection, text};
use crate::exit::Exit;
use crate::failure::Failure;

#[derive(Serialize)]
struct Document<'a> {
    error: &'a Failure,
}

/// Reports a failure, and gives its exit code.
pub(crate) fn print(failure: &Failure, output: &Output) -> Exit {
    if output.is_json() && output.json(&Document { error: failure }).is_ok() {
        return failure.exit;
    }
    let mut page = Page::new(text::width(&io::stderr()));
    render(failure, &mut page);
    // Where standard error is closed there is nobody left to tell; the exit code still does.
    let _ = anstream::stderr().lock().write_all(page.text().as_bytes());
    failure.exit
}

fn render(failure: &Failure, page: &mut Page) {
    page.labelled("error", &lines(&failure.message));
    for cause in &failure.causes {
        page.labelled("  caused by", &lines(cause));
    }
    for violation in &failure.violations {
        let at = match violation.path.as_str() {
            "" => "the whole",
            path => path,
        };
        page.paragraph(2, &text::plain(at));
        page.fields(
            4,
            &[
                ("found", text::plain(&violation.value)),
                ("rule", text::plain(&violation.rule)),
                ("reason", text::plain(&violation.message)),
            ],
        );
    }
    for refused in &failure.rejected {
        rejection::render(refused, page);
    }
    for hint in &failure.hints {
        page.labelled("hint", &text::plain(hint));
    }
    if let Some(host) = &failure.host {
        page.labelled("this host", &host.line());
    }
    places::render_briefly(&failure.searched, page);
}

/// A text from outside whose line breaks are kept, and nothing else that would steer a terminal.
fn lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(text::plain).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_line_by_line() {
        let error = "x".parse::<u8>().unwrap_err();
        let failure = Failure::usage("`x` is no number\u{1b}[2J\nat all")
            .caused_by(&error)
            .hint("write a number");
        let mut page = Page::new(Some(80));
        render(&failure, &mut page);
        let text = anstream::adapter::strip_str(page.text()).to_string();
        insta::assert_snapshot!(text, @r"
        error: `x` is no number\u{1b}[2J
          at all
          caused by: invalid digit found in string
        hint: write a number
        ");
    }
}
