//! A workflow and what holds for all of it.

use std::collections::BTreeMap;
use std::time::Duration;

use floe_plugin_api::{Map, Value};
use floe_registry::Recovery;
use schemars::JsonSchema;

use super::connection::{self, Connection};
use super::node::{self, Node};
use super::reader::{Reader, Spot, Table};
use super::{fields, form, recovery};
use crate::problem::{Problem, Rule};
use crate::source::{Branch, Limits, Tree};

/// How many nodes run at once where nothing else is set.
const CONCURRENCY: u32 = 16;

/// A graph of calls.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema)]
#[schemars(title = "floe workflow", deny_unknown_fields)]
#[non_exhaustive]
pub struct Workflow {
    /// What it is called by.
    #[schemars(length(min = 1))]
    pub id: String,
    /// What people call it; its id where nothing else is said.
    #[schemars(with = "Option<String>")]
    pub name: String,
    /// Which version of it this is.
    pub version: Option<String>,
    /// On whose behalf its nodes are called.
    pub tenant: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// A heading to list it under.
    pub category: Option<String>,
    /// Words to find it by.
    #[schemars(default)]
    pub tags: Vec<String>,
    /// Whether its triggers start it; they do by default.
    #[schemars(default = "form::yes")]
    pub active: bool,
    /// What its expressions may name as `variables`.
    #[schemars(default)]
    pub variables: Map,
    /// What holds for all of its nodes.
    #[schemars(with = "Option<Settings>")]
    pub settings: Settings,
    /// What it calls.
    pub nodes: Vec<Node>,
    /// Which node comes after which, by id or by name. `needs` of the nodes say the same; both may be
    /// used.
    #[schemars(with = "Option<form::Connections>")]
    pub connections: Vec<Connection>,
    /// What starts it.
    #[schemars(default)]
    pub triggers: Vec<Trigger>,
    /// Whatever else belongs to it; nothing here is looked at.
    #[schemars(default)]
    pub metadata: Map,
}

/// What holds for all nodes of a workflow.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// How long a run may take; as long as it likes by default.
    #[schemars(with = "Option<form::Span>")]
    pub timeout: Option<Duration>,
    /// How many nodes run at once; 16 by default, never 0.
    #[schemars(default = "form::concurrency", range(min = 1))]
    pub max_concurrency: u32,
    /// How many nodes of a node type run at once; no more than of all by default.
    #[schemars(default)]
    pub max_concurrency_by_type: BTreeMap<String, u32>,
    /// What is done when a node fails that has no recovery of its own.
    #[schemars(with = "Option<Vec<form::Strategy>>")]
    pub recovery: Option<Recovery>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: None,
            max_concurrency: CONCURRENCY,
            max_concurrency_by_type: BTreeMap::new(),
            recovery: None,
        }
    }
}

/// What starts a workflow.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct Trigger {
    /// What it is called by.
    #[schemars(length(min = 1))]
    pub id: String,
    /// What it is, such as `manual`, `schedule` or `webhook`.
    #[schemars(length(min = 1))]
    pub kind: String,
    /// What its kind has to know.
    #[schemars(default)]
    pub config: Map,
    /// Whether it starts nothing.
    #[schemars(default)]
    pub disabled: bool,
}

/// Reads a workflow; `None` where there is no map to read it from, or too much of it.
pub(super) fn read(reader: &mut Reader, root: &Tree, limits: &Limits) -> Option<Workflow> {
    let spot = Spot {
        tree: root,
        pointer: String::new(),
    };
    let table = reader.table(&spot, "a workflow", &fields::WORKFLOW)?;
    let id = reader.required(
        &table,
        "the workflow",
        "id",
        "write `id`, by which it is called",
    );
    let nodes = reader.required(&table, "the workflow", "nodes", "write `nodes`, a list");
    if let Some(Branch::List(items)) = nodes.as_ref().map(|nodes| &nodes.tree.branch)
        && items.len() > limits.nodes
    {
        let message = format!(
            "the workflow has {} nodes, expected at most {}",
            items.len(),
            limits.nodes
        );
        let hint = "split it into workflows that call each other, or raise the limit";
        reader.problems = vec![Problem::new(Rule::Limit, "/nodes", root.place, message).hint(hint)];
        return None;
    }
    let id = id.and_then(|id| reader.name(&id)).unwrap_or_default();
    let text = |reader: &mut Reader, name| table.get(name).and_then(|spot| reader.text(&spot));
    let map = |reader: &mut Reader, name| {
        let spot = table.get(name);
        spot.map(|spot| reader.map(&spot)).unwrap_or_default()
    };
    let name = table.get("name").and_then(|name| reader.name(&name));
    let version = table.get("version").and_then(|spot| version(reader, &spot));
    let tags = table.get("tags").map(|tags| reader.texts(&tags));
    let active = table.get("active").and_then(|active| reader.flag(&active));
    let settings = table.get("settings").map(|spot| settings(reader, &spot));
    let connections = table.get("connections");
    Some(Workflow {
        name: name.unwrap_or_else(|| id.clone()),
        id,
        version,
        tenant: table.get("tenant").and_then(|tenant| reader.name(&tenant)),
        description: text(reader, "description"),
        category: text(reader, "category"),
        tags: tags.unwrap_or_default(),
        active: active.unwrap_or(true),
        variables: map(reader, "variables"),
        settings: settings.unwrap_or_default(),
        nodes: nodes.map_or_else(Vec::new, |nodes| node::read_all(reader, &nodes)),
        connections: connections.map_or_else(Vec::new, |map| connection::read(reader, &map)),
        triggers: triggers(reader, &table),
        metadata: map(reader, "metadata"),
    })
}

/// A version is a text, or a number where YAML takes `1.2` for one.
fn version(reader: &mut Reader, spot: &Spot<'_>) -> Option<String> {
    if let Branch::Scalar(Value::I64(_) | Value::U64(_) | Value::F64(_)) = &spot.tree.branch {
        reader.report(
            spot,
            format!(
                "found {}, which is a number, expected a text in quotes",
                spot.tree.shown()
            ),
        );
        return None;
    }
    reader.name(spot)
}

fn settings(reader: &mut Reader, spot: &Spot<'_>) -> Settings {
    let mut settings = Settings::default();
    let Some(table) = reader.table(spot, "`settings`", &fields::SETTINGS) else {
        return settings;
    };
    settings.timeout = table.get("timeout").and_then(|spot| reader.span(&spot));
    if let Some(count) = table
        .get("max_concurrency")
        .and_then(|spot| reader.count(&spot))
    {
        settings.max_concurrency = count;
    }
    if let Some(by_type) = table.get("max_concurrency_by_type") {
        for entry in reader.entries(&by_type) {
            if let Some(count) = reader.count(&by_type.entry(entry)) {
                settings
                    .max_concurrency_by_type
                    .insert(entry.key.clone(), count);
            }
        }
    }
    let recovery = table.get("recovery");
    settings.recovery = recovery.map(|spot| recovery::read(reader, &spot));
    settings
}

fn triggers(reader: &mut Reader, table: &Table<'_>) -> Vec<Trigger> {
    let Some(list) = table.get("triggers") else {
        return Vec::new();
    };
    let items = reader.items(&list, "a list of triggers");
    let triggers = items.iter().filter_map(|spot| {
        let table = reader.table(spot, "a trigger", &fields::TRIGGER)?;
        let id = reader.required(
            &table,
            "the trigger",
            "id",
            "write `id`, by which it is told from others",
        );
        let kind = reader.required(
            &table,
            "the trigger",
            "kind",
            "write `kind`, such as `manual`, `schedule` or `webhook`",
        );
        let config = table.get("config").map(|spot| reader.map(&spot));
        let disabled = table.get("disabled").and_then(|spot| reader.flag(&spot));
        Some(Trigger {
            id: id.and_then(|id| reader.name(&id)).unwrap_or_default(),
            kind: kind.and_then(|kind| reader.name(&kind)).unwrap_or_default(),
            config: config.unwrap_or_default(),
            disabled: disabled.unwrap_or_default(),
        })
    });
    triggers.collect()
}
