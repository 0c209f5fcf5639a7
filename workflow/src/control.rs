//! Nodes that are part of the language: no plugin is called for them.

use std::sync::OnceLock;

use serde_json::{Value as Json, json};

use crate::document::Node;

/// A node type that no plugin offers: it steers the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Control {
    /// Takes output 0 where its `condition` is true, and output 1 where it is false.
    Condition,
    /// Takes the output of the first of its `cases` that is its `value`, and the one after the last
    /// where none is.
    Switch,
    /// Gives `values`.
    Set,
    /// Gives the outputs of what leads to it, as a map by id (`mode` `map`, the default), as a list
    /// (`list`), or the first that there is (`first`).
    Merge,
    /// Gives what it gets after a `duration`.
    Wait,
    /// Ends the run with an error, with a `message` and `details`.
    Fail,
    /// Does nothing.
    Noop,
    /// Runs another `workflow`, in a `version` where one is named, with an `input`.
    Call,
}

impl Control {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Condition,
        Self::Switch,
        Self::Set,
        Self::Merge,
        Self::Wait,
        Self::Fail,
        Self::Noop,
        Self::Call,
    ];

    /// The one of a node type.
    #[must_use]
    pub fn of(node_type: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|control| control.as_str() == node_type)
    }

    /// The node type.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Condition => "condition",
            Self::Switch => "switch",
            Self::Set => "set",
            Self::Merge => "merge",
            Self::Wait => "wait",
            Self::Fail => "fail",
            Self::Noop => "noop",
            Self::Call => "workflow.call",
        }
    }

    /// How many outputs a node of it has; `None` where that cannot be known, as its cases are no list.
    #[must_use]
    pub fn outputs(self, node: &Node) -> Option<u32> {
        match self {
            Self::Condition => Some(2),
            Self::Switch => {
                let cases = node.parameters.get("cases")?.as_list()?;
                u32::try_from(cases.len() + 1).ok()
            }
            _ => Some(1),
        }
    }

    /// The JSON Schema of its parameters.
    #[must_use]
    pub fn schema(self) -> &'static Json {
        static SCHEMAS: [OnceLock<Json>; 8] = [const { OnceLock::new() }; 8];
        SCHEMAS[self as usize].get_or_init(|| self.make_schema())
    }

    fn make_schema(self) -> Json {
        let (properties, required) = match self {
            Self::Condition => (
                json!({ "condition": { "type": "boolean" } }),
                json!(["condition"]),
            ),
            Self::Switch => (
                json!({ "value": {}, "cases": { "type": "array", "minItems": 1 } }),
                json!(["value", "cases"]),
            ),
            Self::Set => (json!({ "values": { "type": "object" } }), json!(["values"])),
            Self::Merge => (
                json!({ "mode": { "enum": ["map", "list", "first"], "default": "map" } }),
                json!([]),
            ),
            Self::Wait => (
                json!({ "duration": { "type": "string", "pattern": "^[0-9]+(ms|s|m|h)$" } }),
                json!(["duration"]),
            ),
            Self::Fail => (
                json!({ "message": { "type": "string", "minLength": 1 }, "details": {} }),
                json!(["message"]),
            ),
            Self::Noop => (json!({}), json!([])),
            Self::Call => (
                json!({
                    "workflow": { "type": "string", "minLength": 1 },
                    "version": { "type": "string", "minLength": 1 },
                    "input": {},
                }),
                json!(["workflow"]),
            ),
        };
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}
