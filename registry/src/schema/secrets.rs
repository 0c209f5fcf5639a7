//! What may not be shown.

use std::fmt;

use floe_plugin_api::{Map, Value};
use serde_json::Value as Json;

use super::shape::Shape;

/// What is shown in place of a secret.
pub(crate) const MASK: &str = "***";

/// The shortest text that is looked for, in characters.
///
/// A shorter one, such as `on` or `12`, is found in any text by chance: it would make errors unreadable
/// and tell, by where the masks are, what it is.
const SHORTEST: usize = 4;

/// Gives a value as it may be shown: all that the schema says is `writeOnly` is masked.
///
/// In a value whose schema knows secrets, so is whatever the schema does not describe, and what is no map
/// where a map with a secret in it is described: it may be a secret in the wrong place.
pub(crate) fn masked(schema: &Json, value: &Value) -> Value {
    let shape = Shape::new(schema);
    if shape.reaches_secret() {
        mask_place(&shape, value)
    } else {
        value.clone()
    }
}

fn mask_place(shape: &Shape<'_>, value: &Value) -> Value {
    let parts = shape.any();
    if parts.is_empty() || parts.says("writeOnly") {
        return MASK.into();
    }
    match value {
        Value::Map(map) => {
            let entries = map.iter().map(|entry| {
                let below = parts.property(&entry.key);
                (entry.key.clone(), mask_place(&below, &entry.value))
            });
            entries.collect::<Map>().into()
        }
        Value::List(list) => {
            let items = list.iter().enumerate();
            items
                .map(|(index, item)| mask_place(&parts.item(index), item))
                .collect()
        }
        _ if parts.reaches_secret() => MASK.into(),
        _ => value.clone(),
    }
}

/// The secret texts of a configuration, to be masked in what is said by those who know it.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Whether there are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Finds them in a value that fits its schema: texts and numbers of at least four characters.
    pub(crate) fn of(schema: &Json, value: &Value) -> Self {
        let mut secrets = Self::default();
        let shape = Shape::new(schema);
        if shape.reaches_secret() {
            secrets.find(&shape, value);
        }
        secrets.0.sort_unstable();
        secrets.0.dedup();
        secrets
    }

    fn find(&mut self, shape: &Shape<'_>, value: &Value) {
        let parts = shape.any();
        if parts.says("writeOnly") {
            return self.add(value);
        }
        match value {
            Value::Map(map) => {
                for entry in map {
                    self.find(&parts.property(&entry.key), &entry.value);
                }
            }
            Value::List(list) => {
                for (index, item) in list.iter().enumerate() {
                    self.find(&parts.item(index), item);
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add_text(text),
            Value::Bytes(bytes) => {
                if let Ok(text) = std::str::from_utf8(bytes) {
                    self.add_text(text);
                }
            }
            Value::I64(_) | Value::U64(_) | Value::F64(_) => {
                self.add_text(&value.to_json().unwrap_or_default());
            }
            Value::List(list) => list.iter().for_each(|item| self.add(item)),
            Value::Map(map) => map.iter().for_each(|entry| self.add(&entry.value)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn add_text(&mut self, text: &str) {
        // As it is, and as it is written in JSON and in Rust, which is how errors quote it.
        let json = serde_json::to_string(text).unwrap_or_default();
        let rust = format!("{text:?}");
        for form in [text, unquoted(&json), unquoted(&rust)] {
            if form.chars().count() >= SHORTEST {
                self.0.push(form.to_owned());
            }
        }
    }

    /// The text with a mask in place of each secret.
    pub(crate) fn mask(&self, text: &str) -> String {
        let mut text = text.to_owned();
        loop {
            let found = self.places(&text);
            if found.is_empty() {
                return text;
            }
            // A mask is shorter than any secret, so this has an end; and beside what is around
            // it, it may make another. In one go: a text may be long, and full of secrets.
            let mut masked = String::with_capacity(text.len());
            let mut from = 0;
            for (start, end) in found {
                masked.push_str(text.get(from..start).unwrap_or_default());
                masked.push_str(MASK);
                from = end;
            }
            masked.push_str(text.get(from..).unwrap_or_default());
            text = masked;
        }
    }

    /// Where secrets are, from the first to the last; those that touch are one.
    fn places(&self, text: &str) -> Vec<(usize, usize)> {
        let mut places = Vec::new();
        for secret in &self.0 {
            // Also those that overlap.
            let starts = text.char_indices().map(|(start, _)| start);
            let starts = starts.filter(|start| {
                text.get(*start..)
                    .is_some_and(|rest| rest.starts_with(secret.as_str()))
            });
            places.extend(starts.map(|start| (start, start + secret.len())));
        }
        places.sort_unstable();
        let mut merged: Vec<(usize, usize)> = Vec::new();
        for (start, end) in places {
            match merged.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => merged.push((start, end)),
            }
        }
        merged
    }

    /// The value with its texts masked.
    pub(crate) fn mask_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.mask(text).into(),
            Value::List(list) => list.iter().map(|item| self.mask_value(item)).collect(),
            Value::Map(map) => {
                let entries = map
                    .iter()
                    .map(|entry| (self.mask(&entry.key), self.mask_value(&entry.value)));
                entries.collect::<Map>().into()
            }
            Value::I64(_) | Value::U64(_) | Value::F64(_) => {
                let shown = value.to_json().unwrap_or_default();
                if self.0.contains(&shown) {
                    MASK.into()
                } else {
                    value.clone()
                }
            }
            Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if !self.places(text).is_empty() => MASK.into(),
                _ => value.clone(),
            },
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }
}

fn unquoted(text: &str) -> &str {
    let inside = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inside.unwrap_or(text)
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use floe_plugin_api::value;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn schema() -> Json {
        json!({
            "type": "object",
            "properties": {
                "user": {"type": "string"},
                "password": {"type": "string", "writeOnly": true},
                "pin": {"type": ["integer", "null"], "writeOnly": true},
                "login": {"anyOf": [{"$ref": "#/$defs/Login"}, {"type": "null"}]},
                "keys": {"type": "array", "items": {"$ref": "#/$defs/Key"}},
                "tokens": {"type": "object", "additionalProperties": {"allOf": [{"$ref": "#/$defs/Key"}]}},
                "vault": {"type": "object", "writeOnly": true},
            },
            "$defs": {
                "Login": {"type": "object", "properties": {"name": {"type": "string"}, "key": {"$ref": "#/$defs/Key"}}},
                "Key": {"type": "string", "writeOnly": true},
            },
        })
    }

    #[test]
    fn secrets_are_masked_wherever_they_are() {
        for (value, expected) in [
            (
                value!({"user": "ada", "password": "s3cret", "pin": 123456}),
                value!({"user": "ada", "password": "***", "pin": "***"}),
            ),
            (
                value!({"login": {"name": "ada", "key": "s3cret"}}),
                value!({"login": {"name": "ada", "key": "***"}}),
            ),
            (
                value!({"keys": ["s3cret"], "tokens": {"a": "s3cret"}, "vault": {"a": {"b": 1}}}),
                value!({"keys": ["***"], "tokens": {"a": "***"}, "vault": "***"}),
            ),
            // In the wrong place.
            (value!({"login": "s3cret"}), value!({"login": "***"})),
            (value!({"login": ["s3cret"]}), value!({"login": ["***"]})),
            (value!({"passwrod": "s3cret"}), value!({"passwrod": "***"})),
            (
                value!({"password": {"a": "s3cret"}}),
                value!({"password": "***"}),
            ),
            (value!("s3cret"), value!("***")),
            (value!(["s3cret"]), value!(["***"])),
            (value!({"keys": "s3cret"}), value!({"keys": "***"})),
        ] {
            assert_eq!(masked(&schema(), &value), expected);
        }
        let plain = value!({"other": "ada"});
        assert_eq!(masked(&json!({"type": "object"}), &plain), plain);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({
            "$ref": "#/$defs/Node",
            "$defs": {"Node": {
                "properties": {"next": {"$ref": "#/$defs/Node"}, "key": {"writeOnly": true}, "all": {"$ref": "#"}},
            }},
        });
        let value = value!({"next": {"next": {"key": "s3cret"}}, "all": {"key": "s3cret"}});
        let shown = masked(&schema, &value);
        assert_eq!(
            shown,
            value!({"next": {"next": {"key": "***"}}, "all": {"key": "***"}})
        );
        assert_eq!(Secrets::of(&schema, &value).mask("its s3cret!"), "its ***!");
    }

    #[test]
    fn references_of_every_sort_are_followed() {
        for (reference, defs) in [
            ("#/$defs/a~1b", json!({"a/b": {"writeOnly": true}})),
            (
                "#/$defs/Box%3CKey%3E",
                json!({"Box<Key>": {"writeOnly": true}}),
            ),
            (
                "#key",
                json!({"Key": {"$anchor": "key", "writeOnly": true}}),
            ),
            (
                "https://a.test/s#/$defs/Key",
                json!({"Key": {"writeOnly": true}}),
            ),
        ] {
            let schema = json!({
                "$id": "https://a.test/s",
                "properties": {"key": {"$ref": reference}},
                "$defs": defs,
            });
            let shown = masked(&schema, &value!({"key": "s3cret"}));
            assert_eq!(shown, value!({"key": "***"}), "{reference}");
        }
    }

    #[test]
    fn texts_of_others_are_masked() {
        let value = value!({
            "user": "ada", "password": "a \"b\"\nc", "pin": 123456, "keys": ["abcd", "bcde", "abcdef", "on"],
            "vault": {"deep": ["under", true]},
        });
        let secrets = Secrets::of(&schema(), &value);
        for (text, expected) in [
            ("nothing of ada's", "nothing of ada's"),
            ("tried a \"b\"\nc twice: a \"b\"\nc", "tried *** twice: ***"),
            (
                r#"invalid value: string "a \"b\"\nc""#,
                "invalid value: string \"***\"",
            ),
            ("pin 123456 of 1234567", "pin *** of ***7"),
            // One inside another, and two that overlap.
            ("abcdef", "***"),
            ("abcde", "***"),
            ("turned on", "turned on"),
            ("from under", "from ***"),
        ] {
            assert_eq!(secrets.mask(text), expected);
        }
        let details = value!({"abcd": ["is abcd", 123456, 5], "at": null});
        assert_eq!(
            secrets.mask_value(&details),
            value!({"***": ["is ***", "***", 5], "at": null})
        );
        assert!(format!("{secrets:?}").starts_with("Secrets("));
        assert!(!format!("{secrets:?}").contains("abcd"));
    }

    proptest! {
        #[test]
        fn no_masked_text_holds_a_secret(
            keys in prop::collection::vec("[ab*\"\\\\é]{0,7}", 1..5),
            order in prop::collection::vec((0usize..5, "[ab*\"\\\\é ]{0,4}"), 0..6),
        ) {
            let value = value!({"keys": (keys.clone())});
            let secrets = Secrets::of(&schema(), &value);
            let text: String = order
                .iter()
                .map(|(index, between)| format!("{}{between}", keys[index % keys.len()]))
                .collect();
            let shown = secrets.mask(&text);
            for key in keys.iter().filter(|key| key.chars().count() >= SHORTEST) {
                prop_assert!(!shown.contains(key.as_str()), "{key} in {shown}");
            }
            prop_assert_eq!(secrets.mask(&shown), shown);
        }
    }
}
