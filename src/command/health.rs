//! `floe health`.

use floe_registry::api::{HealthState, Value};
use floe_registry::{HealthReport, PluginHealth, PluginStart, StartOptions};
use serde::Serialize;

use crate::command::start;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::table::Table;
use crate::report::{progress, text, value};
use crate::session::Session;

#[derive(Serialize)]
struct Asked {
    #[serde(flatten)]
    health: HealthReport,
    /// The plugins that could not be asked, as they could not be started.
    not_started: Vec<PluginStart>,
}

pub(crate) fn run(session: &Session, output: &Output) -> Result<Exit, Failure> {
    let registry = session.registry()?;
    let started = progress::start(&registry, StartOptions::new(), output);
    let not_started: Vec<PluginStart> = started
        .waves
        .into_iter()
        .flatten()
        .filter(|plugin| start::reason(&plugin.outcome).is_some())
        .collect();
    let mut health = registry.health();
    // What is not there does not answer, whatever kept it from starting.
    if !not_started.is_empty() {
        health.state = HealthState::Unhealthy;
    }
    let exit = match health.state {
        HealthState::Unhealthy => Exit::Failed,
        HealthState::Healthy | HealthState::Degraded => Exit::Done,
    };
    output.report(&Asked {
        health,
        not_started,
    })?;
    registry.stop();
    Ok(exit)
}

const fn word(state: HealthState) -> &'static str {
    match state {
        HealthState::Healthy => "healthy",
        HealthState::Degraded => "degraded",
        HealthState::Unhealthy => "unhealthy",
    }
}

impl Report for Asked {
    fn render(&self, page: &mut Page) {
        if self.health.plugins.is_empty() && self.not_started.is_empty() {
            page.line("There is no plugin to ask; `floe list` shows where plugins are looked for.");
            return;
        }
        let mut table = Table::new(["plugin", "version", "state", "took", "message"]);
        for plugin in self.asked() {
            table.row([
                plugin.build.plugin.to_string(),
                plugin.build.version.to_string(),
                word(plugin.state).to_owned(),
                text::time(plugin.took),
                text::plain(&plugin.message),
            ]);
        }
        for plugin in &self.not_started {
            table.row([
                plugin.build.plugin.to_string(),
                plugin.build.version.to_string(),
                start::word(&plugin.outcome).to_owned(),
                String::new(),
                start::reason(&plugin.outcome).unwrap_or_default(),
            ]);
        }
        table.align_right(3);
        page.table(table);
        for plugin in self.asked() {
            render_details(plugin, page);
        }
        page.blank();
        let state = self.health.state;
        page.verdict(state == HealthState::Healthy, word(state));
    }
}

impl Asked {
    /// The plugins that were asked, and not those that are told of only because they failed.
    fn asked(&self) -> impl Iterator<Item = &PluginHealth> {
        self.health.plugins.iter().filter(|asked| {
            let is_it = |failed: &PluginStart| failed.build == asked.build;
            !self.not_started.iter().any(is_it)
        })
    }
}

fn render_details(plugin: &PluginHealth, page: &mut Page) {
    if plugin.details == Value::Null && plugin.because_of.is_empty() {
        return;
    }
    page.blank();
    page.heading(&format!("{} {}", plugin.build.plugin, plugin.build.version));
    let mut fields = Vec::new();
    match &plugin.details {
        Value::Null => {}
        Value::Map(details) => fields.extend(
            details
                .iter()
                .map(|entry| (text::plain(&entry.key), value::cell(&entry.value))),
        ),
        details => fields.push(("details".to_owned(), value::cell(details))),
    }
    if !plugin.because_of.is_empty() {
        let needed = plugin.because_of.iter().map(ToString::to_string);
        let needed = needed.collect::<Vec<_>>().join(", ");
        fields.push(("because of".to_owned(), needed));
    }
    page.fields(2, &fields);
}
