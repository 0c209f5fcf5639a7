//! Threads that a plugin keeps.

use std::time::Duration;

use floe_registry::Abandoned;

use super::page::Page;
use super::text;

/// A thread that is in a plugin still, though its deadline has passed.
pub(crate) struct Thread<'a> {
    pub(crate) name: &'a str,
    pub(crate) plugin: &'a str,
    /// What was asked of the plugin: `stop`, `call NODE_TYPE`, and so on.
    pub(crate) doing: &'a str,
    pub(crate) allowed: Duration,
    pub(crate) overdue: Duration,
}

impl<'a> From<&'a Abandoned> for Thread<'a> {
    fn from(abandoned: &'a Abandoned) -> Self {
        Self {
            name: &abandoned.thread,
            plugin: &abandoned.plugin,
            doing: &abandoned.doing,
            allowed: abandoned.deadline,
            overdue: abandoned.overdue,
        }
    }
}

/// Writes how many threads are abandoned, and which.
pub(crate) fn render<'a>(threads: impl IntoIterator<Item = &'a Thread<'a>>, page: &mut Page) {
    let threads: Vec<&Thread<'_>> = threads.into_iter().collect();
    page.heading(&format!("Abandoned threads: {}", threads.len()));
    for thread in threads {
        page.paragraph(
            2,
            &format!(
                "`{}` is in plugin `{}` still, at `{}`: {} were allowed, and passed {} ago",
                text::plain(thread.name),
                text::plain(thread.plugin),
                text::plain(thread.doing),
                text::time(thread.allowed),
                text::time(thread.overdue),
            ),
        );
    }
}
