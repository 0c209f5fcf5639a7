//! Reading a schema along a value: which parts of it speak of which place.

use std::borrow::Cow;
use std::collections::BTreeSet;

use floe_plugin_api::Value;
use serde_json::{Value as Json, json};

use super::types::Types;

/// Which of several alternatives count.
#[derive(Clone, Copy)]
enum Alternatives<'v> {
    /// None: what they say may not hold.
    None,
    /// Every one.
    All,
    /// Those that look as if they were meant with this value; all, where none does.
    Fitting(&'v Value),
    /// The one that looks as if it were meant with this value; none, where several do.
    Chosen(&'v Value),
}

/// All that a schema says of one place of a value.
#[derive(Clone)]
pub(crate) struct Shape<'a> {
    pub(super) root: &'a Json,
    /// All of these hold there.
    schemas: Vec<&'a Json>,
}

impl<'a> Shape<'a> {
    /// Of the whole value.
    pub(crate) fn new(root: &'a Json) -> Self {
        Self {
            root,
            schemas: vec![root],
        }
    }

    fn with(&self, schemas: Vec<&'a Json>) -> Self {
        Self {
            root: self.root,
            schemas,
        }
    }

    /// Whether nothing is said of the place.
    pub(crate) fn is_empty(&self) -> bool {
        self.schemas.is_empty()
    }

    /// The schemas as they stand at the place, before anything that they refer to.
    pub(crate) fn stated(&self) -> &[&'a Json] {
        &self.schemas
    }

    /// The same, with every alternative taken for true.
    pub(crate) fn any(&self) -> Self {
        self.expand(Alternatives::All)
    }

    /// The same, without alternatives.
    pub(crate) fn certain(&self) -> Self {
        self.expand(Alternatives::None)
    }

    /// The same, with those alternatives taken for true that look as if they were meant.
    pub(crate) fn fitting(&self, value: &Value) -> Self {
        self.expand(Alternatives::Fitting(value))
    }

    /// The same, with the one alternative taken for true that looks as if it were meant.
    pub(crate) fn chosen(&self, value: &Value) -> Self {
        self.expand(Alternatives::Chosen(value))
    }

    fn expand(&self, alternatives: Alternatives<'_>) -> Self {
        let mut parts = Vec::new();
        for schema in &self.schemas {
            self.collect(schema, alternatives, &mut parts);
        }
        self.with(parts)
    }

    fn collect(&self, schema: &'a Json, which: Alternatives<'_>, parts: &mut Vec<&'a Json>) {
        // One that refers to itself ends here.
        if parts.iter().any(|part| std::ptr::eq(*part, schema)) {
            return;
        }
        parts.push(schema);
        for target in self.references(schema) {
            self.collect(target, which, parts);
        }
        for part in list(schema, "allOf") {
            self.collect(part, which, parts);
        }
        for keyword in ["anyOf", "oneOf"] {
            for part in self.alternatives(schema, keyword, which) {
                self.collect(part, which, parts);
            }
        }
        if !matches!(which, Alternatives::None) {
            for keyword in ["if", "then", "else"] {
                if let Some(part) = schema.get(keyword) {
                    self.collect(part, which, parts);
                }
            }
            for part in values(schema, "dependentSchemas") {
                self.collect(part, which, parts);
            }
        }
    }

    fn alternatives(
        &self,
        schema: &'a Json,
        keyword: &str,
        which: Alternatives<'_>,
    ) -> Vec<&'a Json> {
        let all = || list(schema, keyword);
        match which {
            Alternatives::None => Vec::new(),
            Alternatives::All => all().collect(),
            Alternatives::Fitting(value) => {
                let fitting: Vec<_> = all().filter(|part| self.fits(part, value)).collect();
                if fitting.is_empty() {
                    all().collect()
                } else {
                    fitting
                }
            }
            Alternatives::Chosen(value) => {
                let fitting: Vec<_> = all().filter(|part| self.fits(part, value)).collect();
                if fitting.len() == 1 {
                    fitting
                } else {
                    Vec::new()
                }
            }
        }
    }

    /// What a schema refers to.
    pub(super) fn references(&self, schema: &'a Json) -> impl Iterator<Item = &'a Json> {
        let references =
            ["$ref", "$dynamicRef", "$recursiveRef"].map(|keyword| schema.get(keyword));
        let references = references.into_iter().flatten().filter_map(Json::as_str);
        references.filter_map(|reference| find(self.root, reference))
    }

    /// Whether a schema looks as if it were meant with a value: the type, the constants and the
    /// required names are those of the value, one level deep.
    fn fits(&self, schema: &'a Json, value: &Value) -> bool {
        let parts = self.with(vec![schema]).certain();
        let single = |part: &Json, value: &Value| {
            let typed = match part.get("type") {
                Some(Json::String(name)) => is_of_type(value, name),
                Some(Json::Array(names)) => {
                    let mut names = names.iter().filter_map(Json::as_str);
                    names.any(|name| is_of_type(value, name))
                }
                _ => true,
            };
            typed
                && *part != Json::Bool(false)
                && part
                    .get("const")
                    .is_none_or(|constant| equal(constant, value))
                && (part.get("enum").is_none()
                    || list(part, "enum").any(|constant| equal(constant, value)))
        };
        parts.schemas.iter().all(|part| {
            let Value::Map(map) = value else {
                return single(part, value);
            };
            let mut required = list(part, "required").filter_map(Json::as_str);
            single(part, value)
                && required.all(|name| map.get(name).is_some())
                && map.iter().into_iter().all(|entry| {
                    let below = parts.property(&entry.key).certain();
                    below.schemas.iter().all(|part| single(part, &entry.value))
                })
        })
    }

    /// What these parts say of an entry of a map.
    pub(crate) fn property(&self, key: &str) -> Self {
        let mut below = Vec::new();
        for part in &self.schemas {
            let named = part
                .get("properties")
                .and_then(|properties| properties.get(key));
            below.extend(named);
            let patterns = part.get("patternProperties").and_then(Json::as_object);
            let matching = patterns.into_iter().flatten().filter(|(pattern, _)| {
                jsonschema::is_valid(&json!({ "pattern": pattern }), &Json::from(key))
            });
            let before = below.len();
            below.extend(matching.map(|(_, schema)| schema));
            if named.is_none() && below.len() == before {
                for keyword in ["additionalProperties", "unevaluatedProperties"] {
                    below.extend(part.get(keyword).filter(|rest| rest.is_object()));
                }
            }
        }
        self.with(below)
    }

    /// What these parts say of an item of a list.
    pub(crate) fn item(&self, index: usize) -> Self {
        let mut below = Vec::new();
        for part in &self.schemas {
            match list(part, "prefixItems").nth(index) {
                Some(item) => below.push(item),
                None => below.extend(part.get("items").filter(|items| items.is_object())),
            }
            below.extend(part.get("contains"));
            below.extend(
                part.get("unevaluatedItems")
                    .filter(|items| items.is_object()),
            );
        }
        self.with(below)
    }

    /// The names of these parts' properties.
    pub(crate) fn names(&self) -> BTreeSet<&'a str> {
        let each = self
            .schemas
            .iter()
            .filter_map(|part| part.get("properties")?.as_object());
        each.flat_map(|properties| properties.keys().map(String::as_str))
            .collect()
    }

    /// Whether a keyword is true in one of these parts.
    pub(crate) fn says(&self, keyword: &str) -> bool {
        let mut parts = self.schemas.iter();
        parts.any(|part| part.get(keyword) == Some(&Json::Bool(true)))
    }

    /// The first default of these parts.
    pub(crate) fn default(&self) -> Option<&'a Json> {
        self.schemas.iter().find_map(|part| part.get("default"))
    }

    /// Whether entries that these parts do not name may pass.
    ///
    /// A vendor's types say so for themselves only where they deny unknown fields. One that
    /// names no entry is a map, and one that says what others must be has said that there may be others.
    pub(crate) fn is_open(&self, map: &Value) -> bool {
        let mut parts = Vec::new();
        let open = self
            .schemas
            .iter()
            .any(|schema| self.opens(schema, map, &mut parts));
        let names = self.with(parts).names();
        open || names.is_empty()
    }

    /// Whether a schema lets unnamed entries pass by what it says. Collects what was looked at.
    fn opens(&self, schema: &'a Json, map: &Value, parts: &mut Vec<&'a Json>) -> bool {
        if parts.iter().any(|part| std::ptr::eq(*part, schema)) {
            return false;
        }
        parts.push(schema);
        let says_others = |keyword| {
            schema
                .get(keyword)
                .is_some_and(|rest| *rest != Json::Bool(false))
        };
        if says_others("additionalProperties")
            || says_others("unevaluatedProperties")
            || schema.get("patternProperties").is_some()
        {
            return true;
        }
        let targets: Vec<_> = self.references(schema).collect();
        let conditional = ["then", "else"]
            .into_iter()
            .filter_map(|keyword| schema.get(keyword));
        let certain = targets.into_iter().chain(list(schema, "allOf"));
        let others = conditional.chain(values(schema, "dependentSchemas"));
        for part in certain.chain(others).collect::<Vec<_>>() {
            if self.opens(part, map, parts) {
                return true;
            }
        }
        for keyword in ["anyOf", "oneOf"] {
            for part in self.alternatives(schema, keyword, Alternatives::Fitting(map)) {
                if self.is_closed(part) {
                    continue;
                }
                let alternative = self.with(vec![part]);
                let is_map = Types::of(&alternative).contains(Types::MAP);
                if is_map && alternative.is_open(map) || self.opens(part, map, parts) {
                    return true;
                }
            }
        }
        false
    }

    /// The rule by which these parts refuse entries that they do not name. It is the vendor's, where
    /// they have one.
    pub(crate) fn refuses_others(&self) -> &'static str {
        let denies = |part: &&Json| part.get("additionalProperties") == Some(&Json::Bool(false));
        if self.schemas.iter().any(denies) {
            "additionalProperties"
        } else {
            "unevaluatedProperties"
        }
    }

    /// Whether a schema lets no entry pass that it does not name.
    fn is_closed(&self, schema: &'a Json) -> bool {
        let parts = self.with(vec![schema]).certain();
        ["additionalProperties", "unevaluatedProperties"]
            .into_iter()
            .any(|keyword| {
                parts
                    .schemas
                    .iter()
                    .any(|part| part.get(keyword) == Some(&Json::Bool(false)))
            })
    }

    /// Whether anything that these parts say, however far below, is secret.
    pub(crate) fn reaches_secret(&self) -> bool {
        let mut seen = Vec::new();
        self.schemas
            .iter()
            .any(|schema| self.secret_below(schema, &mut seen))
    }

    fn secret_below(&self, schema: &'a Json, seen: &mut Vec<&'a Json>) -> bool {
        if seen.iter().any(|part| std::ptr::eq(*part, schema)) {
            return false;
        }
        match schema {
            Json::Object(keywords) => {
                seen.push(schema);
                if keywords.get("writeOnly") == Some(&Json::Bool(true)) {
                    return true;
                }
                let targets: Vec<_> = self.references(schema).collect();
                let below = keywords
                    .iter()
                    .filter(|(keyword, _)| !matches!(keyword.as_str(), "$defs" | "definitions"));
                targets
                    .into_iter()
                    .any(|target| self.secret_below(target, seen))
                    || below
                        .into_iter()
                        .any(|(_, each)| self.secret_below(each, seen))
            }
            Json::Array(items) => items.iter().any(|item| self.secret_below(item, seen)),
            _ => false,
        }
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    Types::named(name).contains(Types::of_value(value))
}

fn equal(constant: &Json, value: &Value) -> bool {
    match constant {
        Json::String(text) => value.as_str() == Some(text),
        _ => Value::from_serialize(constant).is_ok_and(|constant| constant == *value),
    }
}

/// The items of a list in a schema.
pub(super) fn list<'a>(
    schema: &'a Json,
    keyword: &str,
) -> impl Iterator<Item = &'a Json> + use<'a> {
    let items = schema.get(keyword).and_then(Json::as_array);
    items.into_iter().flatten()
}

/// The values of an object in a schema.
fn values<'a>(schema: &'a Json, keyword: &str) -> impl Iterator<Item = &'a Json> + use<'a> {
    let entries = schema.get(keyword).and_then(Json::as_object);
    entries.into_iter().flat_map(serde_json::Map::values)
}

/// The part of a schema that a reference names, where it names one of the same schema.
fn find<'a>(root: &'a Json, reference: &str) -> Option<&'a Json> {
    let own = root.get("$id").and_then(Json::as_str).unwrap_or("");
    let fragment = match reference.split_once('#') {
        Some((before, fragment)) if before.is_empty() || before == own.trim_end_matches('#') => {
            fragment
        }
        None if reference == own => "",
        _ => return None,
    };
    let fragment = decode(fragment);
    if fragment.is_empty() || fragment.starts_with('/') {
        return root.pointer(&fragment);
    }
    anchored(root, &fragment)
}

/// The part of a schema that has a name of its own.
fn anchored<'a>(schema: &'a Json, name: &str) -> Option<&'a Json> {
    match schema {
        Json::Object(keywords) => {
            let named = |keyword| keywords.get(keyword).and_then(Json::as_str) == Some(name);
            if named("$anchor") || named("$dynamicAnchor") {
                return Some(schema);
            }
            keywords.values().find_map(|each| anchored(each, name))
        }
        Json::Array(items) => items.iter().find_map(|item| anchored(item, name)),
        _ => None,
    }
}

/// Takes back what a URI's fragment had to be written with.
fn decode(fragment: &str) -> Cow<'_, str> {
    if !fragment.contains('%') {
        return fragment.into();
    }
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let [first, after @ ..] = rest {
        let pair = after
            .get(..2)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}
