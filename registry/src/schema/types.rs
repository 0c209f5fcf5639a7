//! Which types a schema lets pass.

use floe_plugin_api::Value;
use serde_json::Value as Json;

use super::shape::{Shape, list};

/// The types of which a place may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Types(u8);

impl Types {
    pub(crate) const NULL: Self = Self(1);
    pub(crate) const BOOL: Self = Self(2);
    pub(crate) const INTEGER: Self = Self(4);
    pub(crate) const FRACTION: Self = Self(8);
    pub(crate) const STRING: Self = Self(16);
    pub(crate) const LIST: Self = Self(32);
    pub(crate) const MAP: Self = Self(64);
    const NONE: Self = Self(0);
    const ALL: Self = Self(127);

    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The type of a value.
    pub(crate) fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOL,
            Value::I64(_) | Value::U64(_) => Self::INTEGER,
            // A schema takes `5.0` for an integer.
            Value::F64(float) if float.fract() == 0.0 => Self::INTEGER,
            Value::F64(_) => Self::FRACTION,
            Value::String(_) => Self::STRING,
            Value::Bytes(_) | Value::List(_) => Self::LIST,
            Value::Map(_) => Self::MAP,
        }
    }

    pub(super) fn named(name: &str) -> Self {
        match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOL,
            "integer" => Self::INTEGER,
            "number" => Self::INTEGER.or(Self::FRACTION),
            "string" => Self::STRING,
            "array" => Self::LIST,
            "object" => Self::MAP,
            _ => Self::NONE,
        }
    }

    /// The types that a shape lets pass.
    pub(crate) fn of(shape: &Shape<'_>) -> Self {
        let each = shape.stated().iter();
        each.fold(Self::ALL, |types, schema| {
            types.and(Self::of_schema(shape, schema, &mut Vec::new()))
        })
    }

    fn of_schema<'a>(shape: &Shape<'a>, schema: &'a Json, within: &mut Vec<&'a Json>) -> Self {
        if *schema == Json::Bool(false) {
            return Self::NONE;
        }
        if within.iter().any(|outer| std::ptr::eq(*outer, schema)) {
            return Self::ALL;
        }
        within.push(schema);
        let union = |names: &mut dyn Iterator<Item = Self>| names.fold(Self::NONE, Self::or);
        let mut types = match schema.get("type") {
            Some(Json::String(name)) => Self::named(name),
            Some(Json::Array(names)) => {
                union(&mut names.iter().filter_map(Json::as_str).map(Self::named))
            }
            _ => Self::ALL,
        };
        let constant = |constant: &Json| {
            Value::from_serialize(constant).map_or(Self::ALL, |value| Self::of_value(&value))
        };
        if let Some(only) = schema.get("const") {
            types = types.and(constant(only));
        }
        if schema.get("enum").is_some() {
            types = types.and(union(&mut list(schema, "enum").map(constant)));
        }
        let targets: Vec<_> = shape.references(schema).collect();
        for part in targets.into_iter().chain(list(schema, "allOf")) {
            types = types.and(Self::of_schema(shape, part, within));
        }
        for keyword in ["anyOf", "oneOf"] {
            if schema.get(keyword).is_some() {
                let mut any = Self::NONE;
                for part in list(schema, keyword) {
                    any = any.or(Self::of_schema(shape, part, within));
                }
                types = types.and(any);
            }
        }
        within.pop();
        types
    }
}
