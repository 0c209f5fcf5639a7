//! `floe quarantine`.

use floe_registry::{PrivateError, Quarantined};
use jiff::Timestamp;
use serde::Serialize;

use crate::arguments::{QuarantineAction, QuarantineArguments};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::table::Table;
use crate::report::text;
use crate::session::Session;

#[derive(Serialize)]
struct Listed {
    contents: Vec<Entry>,
    /// What is wrong with the file that they are remembered in.
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    quarantined: Quarantined,
    /// Whether it is left alone now; otherwise it may be tried again.
    active: bool,
}

#[derive(Serialize)]
struct Cleared {
    cleared: Vec<Quarantined>,
}

pub(crate) fn run(
    arguments: &QuarantineArguments,
    session: &Session,
    output: &Output,
) -> Result<Exit, Failure> {
    let registry = session.registry_of_nothing()?;
    let quarantine = registry.quarantine();
    let listed = quarantine.list().map_err(|error| unusable(&error))?;
    match arguments.action {
        QuarantineAction::List => {
            let mut contents = listed;
            if !arguments.of.is_empty() {
                contents = chosen(contents, &arguments.of)?;
            }
            let now = Timestamp::now();
            let contents = contents.into_iter().map(|quarantined| Entry {
                active: quarantined.until > now,
                quarantined,
            });
            output.report(&Listed {
                contents: contents.collect(),
                damage: quarantine.damage(),
            })?;
        }
        QuarantineAction::Clear => {
            let cleared = if arguments.of.is_empty() {
                quarantine.clear(None).map_err(|error| unusable(&error))?
            } else {
                let mut cleared = Vec::new();
                for each in chosen(listed, &arguments.of)? {
                    let gone = quarantine.clear(Some(each.digest));
                    cleared.extend(gone.map_err(|error| unusable(&error))?);
                }
                cleared
            };
            output.report(&Cleared { cleared })?;
        }
    }
    Ok(Exit::Done)
}

/// The contents that are named, each by its plugin or by the beginning of its digest.
fn chosen(all: Vec<Quarantined>, names: &[String]) -> Result<Vec<Quarantined>, Failure> {
    for name in names {
        if !all.iter().any(|each| is_named(each, name)) {
            let message = format!("nothing is quarantined that is known as `{name}`");
            return Err(Failure::new(Exit::Refused, "not-found", message)
                .hint("`floe quarantine` shows what is, by plugin and by digest"));
        }
    }
    let is_chosen = |each: &Quarantined| names.iter().any(|name| is_named(each, name));
    Ok(all.into_iter().filter(is_chosen).collect())
}

fn is_named(quarantined: &Quarantined, name: &str) -> bool {
    /// Fewer digits of a digest would be met by chance.
    const SHORTEST: usize = 6;
    let plugin = &quarantined.plugin;
    let by_digest = name.len() >= SHORTEST && quarantined.digest.to_string().starts_with(name);
    let by_name = plugin.split_once('/').is_some_and(|(_, own)| own == name);
    by_digest || by_name || plugin == name
}

fn unusable(error: &PrivateError) -> Failure {
    Failure::failed("what is quarantined cannot be read or changed")
        .caused_by(error)
        .hint(error.remedy("FLOE_STATE"))
}

fn table(contents: impl Iterator<Item = (Quarantined, &'static str)>) -> Table {
    let mut table = Table::new(["sha256", "plugin", "", "until", "times", "for", "reason"]);
    for (quarantined, word) in contents {
        let Quarantined {
            digest,
            plugin,
            version,
            cause,
            reason,
            count,
            until,
            ..
        } = quarantined;
        table.row([
            digest.short(),
            text::plain(&format!("{plugin} {version}")),
            word.to_owned(),
            format!("{until:.0}"),
            count.to_string(),
            cause.to_string(),
            text::plain(&reason),
        ]);
    }
    table
}

impl Report for Listed {
    fn render(&self, page: &mut Page) {
        if let Some(damage) = &self.damage {
            page.labelled("warning", &text::plain(damage));
        }
        if self.contents.is_empty() {
            page.line("Nothing is quarantined.");
            return;
        }
        page.table(table(self.contents.iter().map(|entry| {
            let word = if entry.active {
                "left alone"
            } else {
                "may be tried"
            };
            (entry.quarantined.clone(), word)
        })));
        page.blank();
        page.paragraph(
            0,
            "`floe quarantine clear SHA256` lets one out, `floe quarantine clear` all.",
        );
    }
}

impl Report for Cleared {
    fn render(&self, page: &mut Page) {
        if self.cleared.is_empty() {
            page.line("Nothing was quarantined.");
            return;
        }
        let all = self.cleared.iter().cloned();
        page.table(table(all.map(|quarantined| (quarantined, "let out"))));
    }
}
