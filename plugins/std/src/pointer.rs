//! Places in a value: JSON pointers (RFC 6901), read once and followed often.

use std::borrow::Cow;

use floe_plugin_api::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use floe_plugin_api::serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use floe_plugin_api::{Result, Value};

use crate::bounds::MAX_DEPTH;

/// A place in a value, such as `/rows/0/city`; the empty one is the value itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pointer {
    text: String,
    tokens: Vec<String>,
}

impl Pointer {
    fn parse(text: String) -> Result<Self, String> {
        let wrong = |reason: &str| {
            format!(
                "`{text}` is no JSON pointer: {reason}; write one such as `/rows/0/city`, or the empty one for the value itself"
            )
        };
        let Some(rest) = text.strip_prefix('/') else {
            if text.is_empty() {
                return Ok(Self::default());
            }
            return Err(wrong("it does not begin with `/`"));
        };
        let mut tokens = Vec::new();
        for token in rest.split('/') {
            let escapes_end = token.split('~').skip(1);
            if !escapes_end.into_iter().all(|s| s.starts_with(['0', '1'])) {
                return Err(wrong("`~` is written `~0`, and `/` in a name `~1`"));
            }
            tokens.push(token.replace("~1", "/").replace("~0", "~"));
            if tokens.len() > MAX_DEPTH {
                return Err(format!("a pointer has at most `{MAX_DEPTH}` steps"));
            }
        }
        Ok(Self { text, tokens })
    }

    /// The pointer as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The names and indices on the way, from the outermost.
    pub(crate) fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// What is at this place.
    pub(crate) fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.tokens.iter().try_fold(value, |at, token| match at {
            Value::Map(map) => map.get(token),
            Value::List(list) => list.get(index(token)?),
            _ => None,
        })
    }
}

/// The index that a token is, if it is one.
pub(crate) fn index(token: &str) -> Option<usize> {
    if token != "0" && token.starts_with(['0', '+']) {
        return None;
    }
    token.parse().ok()
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl JsonSchema for Pointer {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Pointer".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "json-pointer" })
    }
}
