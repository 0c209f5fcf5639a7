//! The JSON Schema of the format: of what is written where it is not what is kept.

use std::borrow::Cow;
use std::collections::BTreeMap;

use floe_plugin_api::{ErrorKind, Map, Value};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::{Foreach, Settings, Workflow, span};

/// The JSON Schema (draft 2020-12) of a workflow as it is written, made from the types that it is read
/// into. It ships as `schema.json` beside this crate, for editors.
///
/// It says what form a document has. Whether its nodes, plugins and expressions are there is for a
/// [`Validator`](crate::Validator).
#[must_use]
pub fn schema() -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12();
    settings
        .into_generator()
        .into_root_schema_for::<Workflow>()
        .to_value()
}

pub(super) const fn yes() -> bool {
    true
}

pub(super) fn concurrency() -> u32 {
    Settings::default().max_concurrency
}

pub(super) fn foreach_concurrency() -> u32 {
    Foreach::default().concurrency
}

pub(super) fn item() -> String {
    Foreach::default().name
}

/// A time.
pub(super) struct Span;

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A whole number and its unit, such as `500ms`, `30s`, `2m` or `1h`.",
            "pattern": span::PATTERN,
        })
    }
}

/// A kind of error.
pub(super) struct Kind;

impl JsonSchema for Kind {
    fn schema_name() -> Cow<'static, str> {
        "ErrorKind".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        let kinds: Vec<&str> = ErrorKind::ALL.iter().map(|kind| kind.as_str()).collect();
        json_schema!({ "type": "string", "enum": kinds })
    }
}

/// A node that another one comes after: its id, or its id and one of its ports.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum Need {
    /// The id of a node.
    Id(String),
    /// The id of a node, and one of its ports.
    Port(NeedTable),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct NeedTable {
    /// The id of a node.
    #[schemars(length(min = 1))]
    node: String,
    /// `main`, an output of a condition or a switch such as `main:1`, or `error`.
    #[schemars(regex(pattern = "^(main(:[0-9]+)?|error)$"))]
    port: Option<String>,
}

/// For each node, by its id or its name, what comes after it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Connections(BTreeMap<String, Leaving>);

/// What comes after a node.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum Leaving {
    /// By port.
    Ports(Ports),
    /// After its main port.
    Main(Targets),
    /// After each output of its main port.
    Outputs(Vec<Option<Targets>>),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Ports {
    /// What comes after it when it goes well.
    main: Option<Outputs>,
    /// What comes after it when it fails.
    error: Option<Outputs>,
}

/// What comes after each output of a port.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum Outputs {
    /// Each output in turn, or the nodes after the only one.
    List(Vec<Option<Targets>>),
    /// By the number of the output, from `0`.
    Numbered(BTreeMap<Number, Option<Targets>>),
    /// The node after the only one.
    One(Target),
}

/// The number of an output.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number;

impl JsonSchema for Number {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+$" })
    }
}

/// The nodes after an output.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum Targets {
    One(Target),
    Many(Vec<Target>),
}

/// A node, by its id or its name.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum Target {
    Name(String),
    Table(TargetTable),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct TargetTable {
    /// The id or the name of a node.
    #[schemars(length(min = 1))]
    node: String,
    /// `main`.
    #[schemars(rename = "type", regex(pattern = "^main$"))]
    kind: Option<String>,
    /// The input that it arrives at, which makes no difference: a node runs once.
    index: Option<u32>,
}

/// One thing that is done when a node fails.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum Strategy {
    Word(Word),
    Table(StrategyTable),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum Word {
    /// The executor is called again, three times in all.
    Retry,
    /// The error is the answer.
    Fail,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum StrategyTable {
    /// The executor is called again, after a wait that grows.
    Retry(Retry),
    /// Another executor is called in its place.
    Fallback(Fallback),
    /// This is the output.
    Value(Substitute),
    /// This is the output, and the call counts as skipped.
    Skip(Substitute),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Retry {
    /// How often it is called in all; 3 by default.
    #[schemars(range(min = 1))]
    attempts: Option<u32>,
    /// The longest wait before the first retry; 100 ms by default.
    initial: Option<Span>,
    /// By how much the wait grows; 2 by default.
    #[schemars(range(min = 1))]
    factor: Option<f64>,
    /// The longest wait before any retry; 5 s by default.
    longest: Option<Span>,
    /// Whether waits are spread; `full` by default.
    jitter: Option<JitterWord>,
    /// The kinds of errors that it is for.
    on: Option<Vec<Kind>>,
    /// Whether it is called again even where its effect may be had twice.
    not_idempotent: Option<bool>,
}

#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum JitterWord {
    Full,
    None,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Fallback {
    /// The executor, such as `cache.get`.
    #[schemars(length(min = 1))]
    node_type: String,
    /// How its input is made: for each field a value, or `{ from: <JSON pointer> }` into the original
    /// input. It is the original input by default.
    input: Option<Map>,
    /// The kinds of errors that it is for.
    on: Option<Vec<Kind>>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Substitute {
    /// What the caller gets.
    output: Value,
    /// The kinds of errors that it is for.
    on: Option<Vec<Kind>>,
}
