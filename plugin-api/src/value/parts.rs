//! Serde and schemars for the parts of a [`Value`], so that a field may be a map or a list as such.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Bytes, List, Map, Text, Value};

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self)
    }
}

impl Serialize for List {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|entry| (entry.key.as_str(), &entry.value)))
    }
}

macro_rules! part {
    ($part:ident, $variant:ident, $expected:literal, $schema:tt) => {
        impl<'de> Deserialize<'de> for $part {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match Value::deserialize(deserializer)? {
                    Value::$variant(part) => Ok(part),
                    other => Err(D::Error::custom(format_args!(
                        concat!("invalid type: {}, expected ", $expected),
                        other.type_name()
                    ))),
                }
            }
        }

        impl JsonSchema for $part {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($part).into()
            }

            fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

part!(Text, String, "a string", { "type": "string" });
part!(List, List, "a list", { "type": "array" });
part!(Map, Map, "a map", { "type": "object" });

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Bytes(bytes) => Ok(bytes),
            // As JSON writes them.
            Value::List(list) => {
                let byte = |item: &Value| item.as_u64().and_then(|byte| u8::try_from(byte).ok());
                let bytes: Option<Vec<u8>> = list.iter().map(byte).collect();
                bytes
                    .map(Self::from)
                    .ok_or_else(|| D::Error::custom("expected numbers from 0 to 255"))
            }
            other => Err(D::Error::custom(format_args!(
                "invalid type: {}, expected bytes",
                other.type_name()
            ))),
        }
    }
}

impl JsonSchema for Bytes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "type": "integer", "minimum": 0, "maximum": 255 },
        })
    }
}
