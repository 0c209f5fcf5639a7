//! A node: one call of a workflow.

use std::time::Duration;

use floe_plugin_api::{Map, Value};
use floe_registry::Recovery;
use schemars::JsonSchema;
use serde::Serialize;

use super::connection::Port;
use super::reader::{Reader, Spot};
use super::{fields, form, recovery};
use crate::problem::{Problem, Rule};

/// How many items of a `foreach` are worked on at once where nothing else is set.
const CONCURRENCY: u32 = 4;

/// The name of an item where nothing else is set.
const ITEM: &str = "item";

/// One call.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct Node {
    /// What expressions and other nodes call it by.
    #[schemars(length(min = 1))]
    pub id: String,
    /// What people call it; its id where nothing else is said.
    #[schemars(with = "Option<String>")]
    pub name: String,
    /// What it calls: an executor, such as `sqlite.query` or `sqlite.query@^1.2`, or a control node,
    /// such as `condition`.
    #[schemars(length(min = 1))]
    pub node_type: String,
    /// What lies over the plugin's configuration for this call.
    #[schemars(default)]
    pub config: Map,
    /// The input, in which a text may be, or hold, expressions.
    #[schemars(default)]
    pub parameters: Map,
    /// What it comes after.
    #[schemars(with = "Vec<form::Need>", default)]
    pub needs: Vec<Need>,
    /// An expression; where it is false, the node is skipped.
    pub when: Option<String>,
    /// How long the call may take; as long as the run by default.
    #[schemars(with = "Option<form::Span>")]
    pub timeout: Option<Duration>,
    /// What is done when it fails, in place of what the settings say.
    #[schemars(with = "Option<Vec<form::Strategy>>")]
    pub recovery: Option<Recovery>,
    /// Whether it is left out.
    #[schemars(default)]
    pub disabled: bool,
    /// What becomes of the run when it fails for good.
    #[schemars(default)]
    pub on_error: OnError,
    /// Makes one call for each item of a list.
    pub foreach: Option<Foreach>,
}

/// What becomes of a run when a node fails for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OnError {
    /// The run fails.
    #[default]
    Stop,
    /// The run goes on as if the node had given nothing.
    Continue,
    /// The run goes on along the node's port `error`, with the error.
    ErrorPort,
}

/// One call for each item of a list.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct Foreach {
    /// The list, or an expression that gives one.
    pub items: Value,
    /// How many items are worked on at once; 4 by default, never 0.
    #[schemars(default = "form::foreach_concurrency", range(min = 1))]
    pub concurrency: u32,
    /// What expressions call the item by; `item` by default.
    #[schemars(
        rename = "as",
        default = "form::item",
        regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$")
    )]
    pub name: String,
}

impl Default for Foreach {
    fn default() -> Self {
        Self {
            items: Value::Null,
            concurrency: CONCURRENCY,
            name: ITEM.to_owned(),
        }
    }
}

/// What a node comes after.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Need {
    /// The other node, by its id or its name.
    pub node: String,
    /// By which of its ports.
    pub port: Port,
}

/// Reads the nodes. One that cannot be read stands as it is, so that each keeps its place.
pub(super) fn read_all(reader: &mut Reader, list: &Spot<'_>) -> Vec<Node> {
    let items = reader.items(list, "a list of nodes");
    let nodes = items.iter().map(|spot| {
        let node = read(reader, spot);
        reader.node = None;
        node
    });
    nodes.collect()
}

fn read(reader: &mut Reader, spot: &Spot<'_>) -> Node {
    // The id first, so that all else is reported with it.
    let fields = &fields::NODE;
    if let crate::source::Branch::Map(entries) = &spot.tree.branch {
        let id = entries.iter().find(|entry| entry.key == "id");
        reader.node = id.and_then(|id| id.value.as_str()).map(str::to_owned);
    }
    let Some(table) = reader.table(spot, "a node", fields) else {
        return Node::default();
    };
    let id = reader.required(
        &table,
        "the node",
        "id",
        "write `id`, by which other nodes call it",
    );
    let id = id.and_then(|id| reader.name(&id)).unwrap_or_default();
    let hint = "write `node_type`, such as `sqlite.query`";
    let node_type = reader.required(&table, "the node", "node_type", hint);
    let node_type = node_type.and_then(|spot| reader.name(&spot));
    let name = table.get("name").and_then(|name| reader.name(&name));
    let map = |reader: &mut Reader, name| {
        let spot = table.get(name);
        spot.map(|spot| reader.map(&spot)).unwrap_or_default()
    };
    let needs = table.get("needs").map(|spot| needs(reader, &spot));
    let disabled = table.get("disabled").and_then(|spot| reader.flag(&spot));
    let on_error = table.get("on_error").and_then(|spot| {
        let words = [
            ("stop", OnError::Stop),
            ("continue", OnError::Continue),
            ("error-port", OnError::ErrorPort),
        ];
        reader.word(&spot, &words)
    });
    let recovery = table.get("recovery");
    Node {
        name: name.unwrap_or_else(|| id.clone()),
        id,
        node_type: node_type.unwrap_or_default(),
        config: map(reader, "config"),
        parameters: map(reader, "parameters"),
        needs: needs.unwrap_or_default(),
        when: table.get("when").and_then(|spot| reader.text(&spot)),
        timeout: table.get("timeout").and_then(|spot| reader.span(&spot)),
        recovery: recovery.map(|spot| recovery::read(reader, &spot)),
        disabled: disabled.unwrap_or_default(),
        on_error: on_error.unwrap_or_default(),
        foreach: table.get("foreach").and_then(|spot| foreach(reader, &spot)),
    }
}

/// An entry that cannot be read keeps its place, with an empty name that no problem is made of again.
fn needs(reader: &mut Reader, list: &Spot<'_>) -> Vec<Need> {
    let items = reader.items(list, "a list of node ids");
    let needs = items
        .iter()
        .map(|spot| need(reader, spot).unwrap_or_else(Need::nothing));
    needs.collect()
}

impl Need {
    const fn nothing() -> Self {
        Self {
            node: String::new(),
            port: Port::Main,
        }
    }
}

fn need(reader: &mut Reader, spot: &Spot<'_>) -> Option<Need> {
    if spot.tree.as_str().is_some() {
        return Some(Need {
            node: reader.name(spot)?,
            port: Port::Main,
        });
    }
    if !matches!(spot.tree.branch, crate::source::Branch::Map(_)) {
        reader.unexpected(
            spot,
            "a node id, or one with a port such as `{ node: fetch, port: error }`",
        );
        return None;
    }
    let table = reader.table(spot, "an entry of `needs`", &fields::NEED)?;
    let node = reader.required(
        &table,
        "the entry",
        "node",
        "write `node`, the id of a node",
    );
    let port = table.get("port").map(|spot| {
        let port = reader.text(&spot)?;
        let parsed = port.parse().ok();
        if parsed.is_none() {
            let message = format!(
                "found `{}`, expected `main`, `error`, or the output of a condition or a switch such as `main:0`",
                port.escape_debug()
            );
            let problem = Problem::new(Rule::Format, &spot.pointer, spot.tree.place, message);
            let near = crate::nearest::nearest(&port, ["main", "error"]);
            reader.push(problem.meant(near, "leave it out for `main`"));
        }
        parsed
    });
    Some(Need {
        node: node.and_then(|node| reader.name(&node))?,
        port: port.unwrap_or(Some(Port::Main))?,
    })
}

fn foreach(reader: &mut Reader, spot: &Spot<'_>) -> Option<Foreach> {
    let table = reader.table(spot, "`foreach`", &fields::FOREACH)?;
    let mut foreach = Foreach::default();
    let hint = "write `items`, a list or an expression that gives one";
    let items = reader.required(&table, "`foreach`", "items", hint);
    if let Some(count) = table
        .get("concurrency")
        .and_then(|spot| reader.count(&spot))
    {
        foreach.concurrency = count;
    }
    if let Some(spot) = table.get("as")
        && let Some(name) = reader.text(&spot)
    {
        match is_name(&name) {
            true => foreach.name = name,
            false => reader.unexpected(&spot, "a name of letters, digits and `_`"),
        }
    }
    foreach.items = items?.tree.value();
    Some(foreach)
}

/// Whether an expression can say it.
fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next();
    first.is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|each| each.is_ascii_alphanumeric() || each == '_')
}
