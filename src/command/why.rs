//! `floe why`.

use floe_registry::api::Value;
use floe_registry::{CandidateTrace, Decision, DependencyTrace, Registry, Rejection};
use serde::Serialize;

use crate::arguments::Why;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::places::Place;
use crate::report::{checks, rejection, text, value};
use crate::session::Session;

/// From which likeness on, of 1, a name is suggested for another.
const ALIKE: f64 = 0.8;

#[derive(Serialize)]
struct Decided {
    #[serde(flatten)]
    decision: Decision,
    /// What was refused where discovery is strict, so that nothing is used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    strict: Vec<Rejection>,
}

pub(crate) fn run(arguments: &Why, session: &Session, output: &Output) -> Result<Exit, Failure> {
    let asked = &arguments.asked;
    // What strictness refuses may be what is asked about.
    let (registry, strict) = match session.registry() {
        Ok(registry) => (registry, Vec::new()),
        Err(refused) => (session.loose_registry()?, refused.rejections().to_vec()),
    };
    let Some(decision) = registry.why(asked) else {
        return Err(unknown(asked, &registry, session));
    };
    let exit = match decision.winner {
        Some(_) if strict.is_empty() => Exit::Done,
        _ => Exit::Refused,
    };
    output.report(&Decided { decision, strict })?;
    Ok(exit)
}

fn unknown(asked: &str, registry: &Registry, session: &Session) -> Failure {
    let message = format!("no plugin and no executor is known as `{asked}`");
    let mut failure = Failure::new(Exit::Refused, "not-found", message);
    failure.nearest = nearest(asked, registry);
    let did_you_mean = failure
        .nearest
        .as_ref()
        .map(|nearest| format!("did you mean `{nearest}`?"));
    failure.hints.extend(did_you_mean);
    failure.searched = Place::of_all(session.directories());
    failure.hint("`floe list` shows what is there, and what was refused")
}

/// The known name or node type that is most like another text.
fn nearest(asked: &str, registry: &Registry) -> Option<String> {
    let names = registry.list().into_iter().flat_map(|plugin| {
        let executors = plugin.executors.into_iter();
        executors
            .map(|executor| executor.node_type)
            .chain([plugin.name])
    });
    names
        .map(|name| (strsim::jaro_winkler(&name, asked), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        // Of those that are equally alike, the first by name.
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(&a.1)))
        .map(|(_, name)| name)
}

impl Report for Decided {
    fn render(&self, page: &mut Page) {
        let Decision {
            asked,
            winner,
            because,
            candidates,
            refused,
            ..
        } = &self.decision;
        let answer = match winner {
            Some(build) => format!(
                "`{}`: {} {} answers",
                text::plain(asked),
                build.plugin,
                build.version
            ),
            None => format!("`{}`: nothing answers", text::plain(asked)),
        };
        page.verdict(winner.is_some(), &answer);
        page.paragraph(2, &text::plain(because));
        if !self.strict.is_empty() {
            let refused = text::count(self.strict.len(), "file");
            page.paragraph(
                2,
                &format!("discovery is strict: nothing is used while {refused} of the search path cannot be, which `floe list` shows"),
            );
        }
        for candidate in candidates {
            page.blank();
            render_candidate(candidate, page);
        }
        if !refused.is_empty() {
            page.blank();
            page.heading(&format!("Refused: {}", refused.len()));
            for refused in refused {
                rejection::render(&refused.rejection, page);
                if !refused.checks.is_empty() {
                    page.table(checks::table(&refused.checks));
                }
            }
        }
    }
}

fn render_candidate(candidate: &CandidateTrace, page: &mut Page) {
    let build = &candidate.build;
    page.heading(&format!("{} {}", build.plugin, build.version));
    let answers = if candidate.answers { "yes" } else { "no" };
    let path = candidate.path.as_deref();
    let mut fields = vec![
        (
            "answers",
            format!("{answers}: {}", text::plain(&candidate.because)),
        ),
        (
            "file",
            path.map_or_else(|| "(this program)".to_owned(), text::path),
        ),
        ("state", candidate.state.to_string()),
        ("circuit", candidate.circuit.to_string()),
    ];
    if let Some((stage, reason)) = &candidate.failure {
        fields.push(("failed", format!("at {stage}: {}", text::plain(reason))));
    }
    let mut name = "needs";
    for dependency in &candidate.dependencies {
        fields.push((name, need(dependency)));
        name = "";
    }
    fields.push(("configured", configured(candidate.configuration.as_ref())));
    page.fields(2, &fields);
    if !candidate.checks.is_empty() {
        page.table(checks::table(&candidate.checks));
    }
}

/// A plugin that is needed, and what there is of it.
fn need(dependency: &DependencyTrace) -> String {
    let optional = if dependency.optional {
        " (optional)"
    } else {
        ""
    };
    let used = match &dependency.used {
        Some(version) => format!("{} by {version}", dependency.outcome),
        None => dependency.outcome.to_owned(),
    };
    format!(
        "{} {}{optional}: {used}",
        dependency.plugin, dependency.range
    )
}

fn configured(configuration: Option<&Value>) -> String {
    match configuration {
        Some(configuration) => value::cell(configuration),
        None => {
            "not known before its schema is, which `floe describe NODE_TYPE` asks for".to_owned()
        }
    }
}
