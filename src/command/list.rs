//! `floe list`.

use floe_registry::{PluginId, PluginInfo, Rejection, State};
use serde::Serialize;

use crate::arguments::List;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::places::{self, Place};
use crate::report::table::Table;
use crate::report::thread::{self, Thread};
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
                !refused.rejections().iter().any(is_it)
            });
            (plugins, refused.rejections().to_vec(), Exit::Refused)
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

/// What is shown of a plugin.
struct Shown<'a> {
    kind: String,
    name: &'a str,
    version: String,
    api: String,
    state: String,
    is_quarantined: bool,
    /// Why it failed or does not answer.
    reason: Option<&'a str>,
    file: String,
    executors: Vec<&'a str>,
    /// The node types that it claims and other plugins have, by those plugins.
    lost: Vec<(&'a PluginId, Vec<&'a str>)>,
    abandoned: Vec<Thread<'a>>,
}

impl<'a> From<&'a PluginInfo> for Shown<'a> {
    fn from(plugin: &'a PluginInfo) -> Self {
        let path = plugin.path.as_deref();
        let executors = plugin.executors.iter();
        Self {
            kind: plugin.kind.to_string(),
            name: &plugin.name,
            version: plugin.version.to_string(),
            api: plugin.floe_api_version.to_string(),
            state: plugin.state.to_string(),
            is_quarantined: plugin.state == State::Quarantined,
            reason: plugin.reason.as_deref(),
            file: path.map_or_else(|| "(this program)".to_owned(), text::path),
            executors: executors
                .map(|executor| executor.node_type.as_str())
                .collect(),
            lost: lost(plugin),
            abandoned: plugin.abandoned.iter().map(Thread::from).collect(),
        }
    }
}

impl Shown<'_> {
    /// `shelf 1.2.0`.
    fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

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
            let shown: Vec<Shown<'_>> = self.plugins.iter().map(Shown::from).collect();
            render_plugins(&shown, page);
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
    fn render_nothing(&self, page: &mut Page) {
        match self.left_out {
            // Each says what to do.
            0 if !self.rejected.is_empty() => {
                page.line("No plugin can be used: what was found is refused. Looked in:");
                places::render(&self.searched, page);
            }
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

fn render_plugins(plugins: &[Shown<'_>], page: &mut Page) {
    let whole = table(plugins, Column::File);
    if page.width().is_none_or(|width| whole.fits(width)) {
        page.table(whole);
    } else {
        // A path that is broken in two can be neither read nor copied.
        page.table(table(plugins, Column::NoFile));
        page.blank();
        page.heading("Files");
        let file = |plugin: &Shown<'_>| (plugin.title(), plugin.file.clone());
        page.fields(2, &plugins.iter().map(file).collect::<Vec<_>>());
    }
    for plugin in plugins {
        let title = plugin.title();
        if let Some(reason) = plugin.reason {
            let reason = text::plain(reason);
            page.blank();
            page.paragraph(0, &format!("{title} is {}: {reason}", plugin.state));
            if plugin.is_quarantined {
                page.paragraph(
                    0,
                    &format!("`floe quarantine clear {}` lets it out before", plugin.name),
                );
            }
        }
        for (owner, lost) in &plugin.lost {
            page.blank();
            page.paragraph(
                0,
                &format!(
                    "{title} does not answer for `{}`: plugin `{owner}` does, which comes first in the search path",
                    lost.join("`, `")
                ),
            );
        }
    }
    let abandoned: Vec<&Thread<'_>> = plugins
        .iter()
        .flat_map(|plugin| &plugin.abandoned)
        .collect();
    if !abandoned.is_empty() {
        page.blank();
        thread::render(abandoned, page);
    }
}

fn table(plugins: &[Shown<'_>], column: Column) -> Table {
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
    for plugin in plugins {
        let cells = [
            plugin.kind.clone(),
            plugin.name.to_owned(),
            plugin.version.clone(),
            plugin.api.clone(),
            plugin.state.clone(),
            some(&plugin.executors),
            plugin.file.clone(),
        ];
        table.row(cells.into_iter().take(shown));
    }
    table
}

/// The executors of a plugin, as many as a line may have.
fn some(executors: &[&str]) -> String {
    const MOST: usize = 12;
    match executors.len() {
        0..=MOST => executors.join(" "),
        all => {
            let first = executors.get(..MOST).unwrap_or_default().join(" ");
            format!("{first} … and {} more", all - MOST)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_line_has_a_dozen_executors() {
        let dozen = ["a.b"; 12];
        assert_eq!(some(&dozen), dozen.join(" "));
        assert_eq!(
            some(&["a.b"; 14]),
            format!("{} … and 2 more", dozen.join(" "))
        );
    }

    fn shown(version: &str, state: &str) -> Shown<'static> {
        Shown {
            kind: "storage".to_owned(),
            name: "shelf",
            version: version.to_owned(),
            api: "1.0".to_owned(),
            state: state.to_owned(),
            is_quarantined: false,
            reason: None,
            file: format!("plugins/libshelf-{version}.so"),
            executors: vec!["shelf.put", "shelf.get"],
            lost: Vec::new(),
            abandoned: Vec::new(),
        }
    }

    #[test]
    fn builds_that_are_held_back_and_threads_that_are_abandoned_are_named() {
        let active = Shown {
            abandoned: vec![Thread {
                name: "floe-worker-3",
                plugin: "shelf 1.2.0",
                doing: "call shelf.get",
                allowed: Duration::from_secs(5),
                overdue: Duration::from_millis(1_250),
            }],
            ..shown("1.2.0", "ready")
        };
        let held_back = Shown {
            reason: Some("cannot start plugin `shelf 1.3.0`: no\u{1b}[31m disk"),
            ..shown("1.3.0", "held-back")
        };
        let mut page = Page::new(None);
        render_plugins(&[active, held_back], &mut page);
        let text = anstream::adapter::strip_str(page.text()).to_string();
        insta::assert_snapshot!(text, @r"
        kind     name   version  api  state      executors            file
        ──────── ────── ──────── ──── ────────── ──────────────────── ─────────────────────────
        storage  shelf  1.2.0    1.0  ready      shelf.put shelf.get  plugins/libshelf-1.2.0.so
        storage  shelf  1.3.0    1.0  held-back  shelf.put shelf.get  plugins/libshelf-1.3.0.so

        shelf 1.3.0 is held-back: cannot start plugin `shelf 1.3.0`: no\u{1b}[31m disk

        Abandoned threads: 1
          `floe-worker-3` is in plugin `shelf 1.2.0` still, at `call shelf.get`: 5.0s were allowed, and passed 1.2s ago
        ");
    }
}
