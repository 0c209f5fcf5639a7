//! A refused file.

use floe_registry::Rejection;

use super::page::Page;
use super::text;

/// Writes which file was refused, at which stage, why, and what to do.
pub(crate) fn render(rejection: &Rejection, page: &mut Page) {
    page.paragraph(2, &text::path(&rejection.path));
    page.fields(
        4,
        &[
            (
                "stage",
                format!("{}, check `{}`", rejection.stage, rejection.check),
            ),
            ("found", text::plain(&rejection.found)),
            ("expected", text::plain(&rejection.expected)),
            ("to do", text::plain(&rejection.remedy)),
        ],
    );
}
