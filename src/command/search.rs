//! `floe search`.

use floe_registry::ExecutorInfo;
use serde::Serialize;

use crate::arguments::Search;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::table::Table;
use crate::report::text;
use crate::session::Session;

#[derive(Serialize)]
struct Found {
    executors: Vec<ExecutorInfo>,
    #[serde(skip)]
    words: String,
    #[serde(skip)]
    known: usize,
}

pub(crate) fn run(arguments: &Search, session: &Session, output: &Output) -> Result<Exit, Failure> {
    let registry = session.registry()?;
    let words = arguments.words.join(" ");
    output.report(&Found {
        executors: registry.search(&words),
        words,
        known: registry.executors().len(),
    })?;
    Ok(Exit::Done)
}

impl Report for Found {
    fn render(&self, page: &mut Page) {
        if self.executors.is_empty() {
            let Self { words, known, .. } = self;
            page.line(&format!(
                "No executor has to do with `{}`, of {known} that are known.",
                text::plain(words)
            ));
            return;
        }
        let mut table = Table::new(["node type", "plugin", "version", "category", "description"]);
        for executor in &self.executors {
            let note = match (&executor.deprecated, executor.experimental) {
                (Some(_), _) => "deprecated: ",
                (None, true) => "experimental: ",
                (None, false) => "",
            };
            table.row([
                executor.node_type.clone(),
                executor.plugin.name.clone(),
                executor.version.to_string(),
                text::plain(executor.category.as_deref().unwrap_or_default()),
                format!("{note}{}", text::plain(&executor.description)),
            ]);
        }
        page.table(table);
    }
}
