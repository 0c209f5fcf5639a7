//! Why a name is answered as it is: every candidate, every check, what won and why.

use std::path::PathBuf;

use floe_plugin_api::Value;
use semver::{Version, VersionReq};
use serde::Serialize;

use super::Registry;
use crate::admit::{Check, Judge};
use crate::discover;
use crate::error::{Rejection, Stage};
use crate::event::CircuitState;
use crate::id::{Build, PluginId, Reference};
use crate::info::state_of;
use crate::lifecycle::{Entry, Need, Standing, State, resolve};

/// Why a plugin's name or a node type is answered as it is. Made by [`Registry::why`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Decision {
    /// What was asked for.
    pub asked: String,
    /// The build that answers.
    pub winner: Option<Build>,
    /// Why it is that one, or why there is none, in words.
    pub because: String,
    /// Every build that might have answered, in search-path order.
    pub candidates: Vec<CandidateTrace>,
    /// Files that were refused and say that they are it, with every check.
    pub refused: Vec<RefusedTrace>,
}

/// A build that might answer, and all that was decided of it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CandidateTrace {
    /// The build.
    #[serde(flatten)]
    pub build: Build,
    /// Its file; `None` for an executor of this program.
    #[serde(serialize_with = "crate::id::lossy_option")]
    pub path: Option<PathBuf>,
    /// How far it has come.
    pub state: State,
    /// Its standing among the builds of its plugin.
    pub standing: Standing,
    /// Whether it answers to what was asked.
    pub answers: bool,
    /// Why it does or does not, in words.
    pub because: String,
    /// The checks that it passed to be admitted.
    pub checks: Vec<Check>,
    /// The plugins that it needs, and what there is of them.
    pub dependencies: Vec<DependencyTrace>,
    /// The circuit that its panics open.
    pub circuit: CircuitState,
    /// At which stage it failed the last time, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<(Stage, String)>,
    /// What it is configured with, secrets masked; nothing where its schema is not known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Value>,
}

/// A plugin that another one needs, and what there is of it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DependencyTrace {
    /// The plugin that is needed.
    pub plugin: PluginId,
    /// The versions that will do.
    pub range: VersionReq,
    /// Whether the dependent starts without it.
    pub optional: bool,
    /// The version that is used.
    pub used: Option<Version>,
    /// What that comes to: `met`, `missing` or `incompatible`.
    pub outcome: &'static str,
}

/// A file that was refused, and every check of it that could be made.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RefusedTrace {
    /// Why it was refused.
    #[serde(flatten)]
    pub rejection: Rejection,
    /// Every check; none where the file could not be read that far.
    pub checks: Vec<Check>,
}

impl Registry {
    /// Why a plugin's name, or a node type with or without a range, is answered as it is: every
    /// candidate, every check, what won and why. Runs nothing. `None` where nothing is known by that
    /// name.
    #[must_use]
    pub fn why(&self, asked: &str) -> Option<Decision> {
        let catalog = self.supervisor().catalog();
        let reference = asked.parse::<Reference>().ok();
        let node_type = reference.as_ref().map(Reference::node_type);
        let is_plugin = |name: &str, id: &str| name == asked || id == asked;
        let found: Vec<(&Entry, bool)> = catalog
            .entries()
            .iter()
            .filter_map(|entry| {
                let id = entry.slot.id();
                let by_name = is_plugin(&id.name, &id.to_string());
                let offers = node_type
                    .is_some_and(|node_type| entry.slot.manifest().operation(node_type).is_some());
                (by_name || offers).then_some((entry, offers))
            })
            .collect();
        let by_node_type = found.iter().any(|(_, offers)| *offers);
        let winner = if by_node_type {
            resolve(&catalog, asked)
                .ok()
                .map(|target| target.slot().clone())
        } else {
            let active = found
                .iter()
                .find(|(entry, _)| entry.standing == Standing::Active);
            active.map(|(entry, _)| entry.slot.clone())
        };
        let candidates: Vec<CandidateTrace> = found
            .iter()
            .map(|(entry, offers)| {
                let answers = winner
                    .as_ref()
                    .is_some_and(|slot| slot.generation() == entry.slot.generation());
                let mut trace = self.trace(entry, answers);
                let in_range = reference.as_ref().and_then(Reference::range);
                trace.because = because(entry, answers, *offers, node_type, in_range);
                trace
            })
            .collect();
        let refused = self.refused_as(asked, node_type);
        if candidates.is_empty() && refused.is_empty() {
            return None;
        }
        let because = match (&winner, candidates.len()) {
            (Some(slot), 1) => format!("`{}` is the only candidate", slot.title()),
            (Some(slot), count) => format!(
                "`{}` is the first choice of {count} candidates",
                slot.title()
            ),
            (None, 0) => "every file that offers it was refused".to_owned(),
            (None, _) => "no candidate fits what was asked for".to_owned(),
        };
        Some(Decision {
            asked: asked.to_owned(),
            winner: winner.map(|slot| slot.build().clone()),
            because,
            candidates,
            refused,
        })
    }

    fn trace(&self, entry: &Entry, answers: bool) -> CandidateTrace {
        let catalog = self.supervisor().catalog();
        let slot = &entry.slot;
        let checks = slot.admitted().map(|admitted| {
            let judge = Judge::new(self.supervisor().admission());
            let candidate = admitted.candidate();
            let ground = self.supervisor().ground();
            match judge.checks_with_content(candidate, &ground.store) {
                Ok((digest, mut checks)) => {
                    checks.extend(ground.quarantine.check(digest));
                    checks
                }
                Err(_) => judge.checks(candidate),
            }
        });
        let dependencies = slot.manifest().dependencies.iter().map(|dependency| {
            let (used, outcome) = match catalog.need(dependency) {
                Need::Met(slot) => (Some(slot.manifest().version.clone()), "met"),
                Need::Missing => (None, "missing"),
                Need::Incompatible(_) => (None, "incompatible"),
            };
            DependencyTrace {
                plugin: PluginId {
                    kind: dependency.kind.clone(),
                    name: dependency.name.clone(),
                },
                range: dependency.version.clone(),
                optional: dependency.optional,
                used,
                outcome,
            }
        });
        CandidateTrace {
            build: slot.build().clone(),
            path: slot.path().map(PathBuf::from),
            state: state_of(entry),
            standing: entry.standing.clone(),
            answers,
            because: String::new(),
            checks: checks.unwrap_or_default(),
            dependencies: dependencies.collect(),
            circuit: slot.circuit_state(),
            failure: slot
                .failure()
                .map(|failure| (failure.stage, failure.reason)),
            configuration: slot.configuration(),
        }
    }

    /// The refused files that say they are it, or whose names do where they could say nothing.
    fn refused_as(&self, asked: &str, node_type: Option<&str>) -> Vec<RefusedTrace> {
        let rejected = self.rejected();
        let traces = rejected.into_iter().filter_map(|rejection| {
            let candidate = match rejection.stage {
                Stage::Admit => discover::read_file(&rejection.path).ok().flatten(),
                _ => None,
            };
            let is_it = match &candidate {
                Some(candidate) => {
                    let manifest = candidate.manifest();
                    manifest.name == asked
                        || node_type
                            .is_some_and(|node_type| manifest.operation(node_type).is_some())
                }
                None => rejection
                    .path
                    .file_stem()
                    .is_some_and(|stem| stem.to_string_lossy().contains(asked)),
            };
            // Only of those is all of it read.
            let inspected = candidate
                .filter(|_| is_it)
                .and_then(|_| self.inspect(&rejection.path).ok());
            is_it.then(|| RefusedTrace {
                checks: inspected
                    .map(|inspection| inspection.verdict.checks)
                    .unwrap_or_default(),
                rejection,
            })
        });
        traces.collect()
    }
}

fn because(
    entry: &Entry,
    answers: bool,
    offers: bool,
    node_type: Option<&str>,
    range: Option<&VersionReq>,
) -> String {
    let manifest = entry.slot.manifest();
    if offers && let Some(node_type) = node_type {
        let operation = manifest
            .operation(node_type)
            .and_then(|number| usize::try_from(number).ok());
        let lost = entry.lost.iter().find(|(lost, _)| Some(*lost) == operation);
        if let Some((_, owner)) = lost {
            return format!(
                "plugin `{owner}` claims `{node_type}` too and comes first in the search path"
            );
        }
        if let Some(range) = range
            && !range.matches(&manifest.version)
        {
            return format!("version `{}` is not in `{range}`", manifest.version);
        }
    }
    match entry.standing.reason() {
        Some(reason) if !answers => reason,
        Some(_) => "the highest version in the range that was asked for".to_owned(),
        None if answers => {
            "the highest release of its plugin, and the first in the search path with it".to_owned()
        }
        None => "another plugin's executor was asked for".to_owned(),
    }
}
