//! `floe list`.

use floe_registry::{PluginId, PluginInfo, Rejection};
use serde::Serialize;

use crate::arguments::List;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::places::{self, Place};
use crate::report::table::Table;
use crate::report::{rejection, text};
use crate::session::Session;

#[derive(Serialize)]
struct Listing {
    plugins: Vec<PluginInfo>,
    rejected: Vec<Rejection>,
    searched: Vec<Place>,
    /// How many plugins the filters left out.
    #[serde(skip)]
    left_out: usize,
}

pub(crate) fn run(arguments: &List, session: &Session, output: &Output) -> Result<Exit, Failure> {
    let (mut plugins, rejected, exit) = match session.registry() {
        Ok(registry) => (registry.list(), registry.rejected(), Exit::Done),
        // A listing shows what is there also where strictness lets nothing of it be used.
        Err(refused) => {
            let mut plugins = session.loose_registry()?.list();
            plugins.retain(|plugin| {
                let is_it = |rejection: &Rejection| Some(&rejection.path) == plugin.path.as_ref();
                !refused.rejections.iter().any(is_it)
            });
            (plugins, refused.rejections, Exit::Refused)
        }
    };
    let found = plugins.len();
    filter(&mut plugins, arguments);
    let searched = if plugins.is_empty() {
        Place::of_all_with_contents(session.directories())
    } else {
        Place::of_all(session.directories())
    };
    output.report(&Listing {
        left_out: found - plugins.len(),
        plugins,
        rejected,
        searched,
    })?;
    Ok(exit)
}

/// Keeps the plugins of the kind, with those of their executors that fit.
fn filter(plugins: &mut Vec<PluginInfo>, arguments: &List) {
    let List {
        kind,
        category,
        tag,
    } = arguments;
    plugins.retain_mut(|plugin| {
        plugin.executors.retain(|executor| {
            category
                .as_ref()
                .is_none_or(|category| executor.category.as_ref() == Some(category))
                && tag.as_ref().is_none_or(|tag| executor.tags.contains(tag))
        });
        kind.as_ref().is_none_or(|kind| plugin.kind == *kind) && !plugin.executors.is_empty()
    });
}

/// Whether the table has the files in its last column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    File,
    NoFile,
}

/// `shelf 1.2.0`.
fn title(plugin: &PluginInfo) -> String {
    format!("{} {}", plugin.name, plugin.version)
}

fn file(plugin: &PluginInfo) -> String {
    let path = plugin.path.as_deref();
    path.map_or_else(|| "(this program)".to_owned(), text::path)
}

/// The node types that a plugin claims and other plugins have, by those plugins.
fn lost(plugin: &PluginInfo) -> Vec<(&PluginId, Vec<&str>)> {
    let mut owners: Vec<(&PluginId, Vec<&str>)> = Vec::new();
    for executor in &plugin.executors {
        let Some(owner) = &executor.shadowed_by else {
            continue;
        };
        match owners.iter_mut().find(|(known, _)| *known == owner) {
            Some((_, lost)) => lost.push(&executor.node_type),
            None => owners.push((owner, vec![&executor.node_type])),
        }
    }
    owners
}

impl Report for Listing {
    fn render(&self, page: &mut Page) {
        if self.plugins.is_empty() {
            self.render_nothing(page);
        } else {
            self.render_plugins(page);
        }
        if !self.rejected.is_empty() {
            page.blank();
            page.heading(&format!("Refused: {}", self.rejected.len()));
            for refused in &self.rejected {
                rejection::render(refused, page);
            }
        }
    }
}

impl Listing {
    fn render_plugins(&self, page: &mut Page) {
        let whole = self.table(Column::File);
        if page.width().is_none_or(|width| whole.fits(width)) {
            page.table(whole);
        } else {
            // A path that is broken in two can be neither read nor copied.
            page.table(self.table(Column::NoFile));
            page.blank();
            page.heading("Files");
            let file = |plugin: &PluginInfo| (title(plugin), file(plugin));
            page.fields(2, &self.plugins.iter().map(file).collect::<Vec<_>>());
        }
        for plugin in &self.plugins {
            if let Some(reason) = &plugin.reason {
                let reason = text::plain(reason);
                page.blank();
                page.paragraph(
                    0,
                    &format!("{} is {}: {reason}", title(plugin), plugin.state),
                );
            }
            for (owner, lost) in lost(plugin) {
                page.blank();
                page.paragraph(
                    0,
                    &format!(
                        "{} does not answer for `{}`: plugin `{owner}` does, which comes first in the search path",
                        title(plugin),
                        lost.join("`, `")
                    ),
                );
            }
        }
    }

    fn table(&self, column: Column) -> Table {
        let header = [
            "kind",
            "name",
            "version",
            "api",
            "state",
            "executors",
            "file",
        ];
        let shown = header.len() - usize::from(column == Column::NoFile);
        let mut table = Table::new(header.into_iter().take(shown));
        for plugin in &self.plugins {
            let executors: Vec<&str> = plugin
                .executors
                .iter()
                .map(|executor| executor.node_type.as_str())
                .collect();
            let cells = [
                plugin.kind.to_string(),
                plugin.name.clone(),
                plugin.version.to_string(),
                plugin.floe_api_version.to_string(),
                plugin.state.to_string(),
                executors.join(" "),
                file(plugin),
            ];
            table.row(cells.into_iter().take(shown));
        }
        table
    }

    fn render_nothing(&self, page: &mut Page) {
        match self.left_out {
            0 => {
                page.line("No plugins found. Looked in:");
                places::render(&self.searched, page);
                page.paragraph(
                    0,
                    "Add a directory with `--plugin-dir DIR` or `FLOE_PLUGIN_PATH`, or make a plugin with `floe new NAME`.",
                );
            }
            1 => page.line("No plugin fits; there is 1 that does not."),
            others => page.line(&format!("No plugin fits; there are {others} that do not.")),
        }
    }
}
