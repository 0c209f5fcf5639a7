//! Values of which a part is known only when they run, against schemas.
//!
//! Each text that holds an expression is a marker: it may become anything. What a schema says of a
//! marker, or decides by one, is not held against the value.

use std::collections::BTreeSet;

use floe_plugin_api::{Map, Value};
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value as Json;

use super::expressions::Template;
use crate::nearest::{listed, nearest};
use crate::problem::MOST;
use crate::source::escaped;

/// The longest message, in characters.
const LONGEST: usize = 300;

/// A value whose expressions are known.
#[derive(Debug)]
pub(super) struct Partial {
    value: Json,
    /// The JSON pointers of the markers.
    markers: BTreeSet<String>,
}

/// One place where a value does not fit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    /// Where in the value, as a JSON pointer.
    pub(super) path: String,
    /// Whether it is about the key there and not the value.
    pub(super) is_key: bool,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Partial {
    /// Marks the texts that hold expressions.
    pub(super) fn of(map: &Map) -> Self {
        let mut markers = BTreeSet::new();
        let value = Json::Object(object(map, &mut String::new(), &mut markers));
        Self { value, markers }
    }

    fn is_marked(&self, path: &str) -> bool {
        // At it, below it, or at what it is below.
        let below = self
            .markers
            .range(path.to_owned()..)
            .take_while(|marker| marker.starts_with(path));
        let mut below = below.filter(|marker| is_within(marker, path));
        below.next().is_some() || self.is_below_marker(path)
    }

    fn is_below_marker(&self, path: &str) -> bool {
        let mut end = Some(path.len());
        while let Some(at) = end {
            let outer = path.get(..at).unwrap_or_default();
            if self.markers.contains(outer) {
                return true;
            }
            end = outer.rfind('/');
        }
        false
    }

    /// Every place where what is constant does not fit.
    ///
    /// Of a configuration, which lies over another one, nothing is missing, and no value is shown: it
    /// may be a secret.
    pub(super) fn misfits(&self, schema: &Schema, is_config: bool) -> Vec<Misfit> {
        let mut misfits = Vec::new();
        for error in schema.validator.iter_errors(&self.value) {
            let is_missing = matches!(
                error.kind(),
                Kind::Required { .. } | Kind::MinProperties { .. }
            );
            if misfits.len() >= MOST {
                break;
            }
            if self.is_certain(&error) && !(is_config && is_missing) {
                schema.explain(&error, is_config, &mut misfits);
            }
        }
        misfits.dedup();
        misfits
    }

    /// Whether a rule is broken whatever the markers become.
    fn is_certain(&self, error: &ValidationError<'_>) -> bool {
        let path = error.instance_path().as_str();
        let mut rules = error.evaluation_path().as_str().split('/');
        if rules.any(|rule| matches!(rule, "then" | "else")) && !self.markers.is_empty() {
            // Which of the two applies may depend on a marker.
            return false;
        }
        match error.kind() {
            // They look at the keys, the length or the type of what is here, and no further.
            Kind::Required { .. }
            | Kind::AdditionalProperties { .. }
            | Kind::PropertyNames { .. }
            | Kind::MinProperties { .. }
            | Kind::MaxProperties { .. }
            | Kind::MinItems { .. }
            | Kind::MaxItems { .. }
            | Kind::AdditionalItems { .. }
            | Kind::Type { .. } => !self.is_below_marker(path),
            _ => !self.is_marked(path),
        }
    }

    /// The keys that a schema does not describe, where it describes some.
    pub(super) fn unknown_keys(&self, schema: &Schema) -> Vec<Misfit> {
        let entries = self.value.as_object().filter(|_| schema.is_silent);
        let keys = entries.into_iter().flat_map(serde_json::Map::keys);
        let unknown = keys.filter(|key| !schema.names.contains(*key));
        let unknown = unknown.take(MOST);
        unknown
            .map(|key| unknown_key("", key, &schema.names))
            .collect()
    }
}

fn marked(value: &Value, path: &mut String, markers: &mut BTreeSet<String>) -> Json {
    let outer = path.len();
    match value {
        Value::String(text) => {
            let is_constant = Template::parse(text).is_ok_and(|template| template.is_constant());
            if !is_constant {
                markers.insert(path.clone());
            }
            Json::String(text.to_string())
        }
        Value::List(items) => {
            let items = items.iter().enumerate().map(|(index, item)| {
                path.push('/');
                path.push_str(&index.to_string());
                let item = marked(item, path, markers);
                path.truncate(outer);
                item
            });
            Json::Array(items.collect())
        }
        Value::Map(map) => Json::Object(object(map, path, markers)),
        scalar => serde_json::to_value(scalar).unwrap_or_default(),
    }
}

fn object(
    map: &Map,
    path: &mut String,
    markers: &mut BTreeSet<String>,
) -> serde_json::Map<String, Json> {
    let outer = path.len();
    let entries = map.iter().map(|entry| {
        path.push('/');
        path.push_str(&escaped(&entry.key));
        let value = marked(&entry.value, path, markers);
        path.truncate(outer);
        (entry.key.to_string(), value)
    });
    entries.collect()
}

/// Whether a place is another one or below it.
fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A schema, compiled.
#[derive(Debug)]
pub(super) struct Schema {
    validator: Validator,
    /// The names that it describes.
    names: BTreeSet<String>,
    /// Whether it says nothing of others, so that those pass unseen.
    is_silent: bool,
}

impl Schema {
    /// Compiles a schema; `None` where it is none, which lets everything pass.
    pub(super) fn compile(schema: &Json) -> Option<Self> {
        let validator = jsonschema::draft202012::options().build(schema).ok()?;
        /// With any of these, names may be described elsewhere, or others be meant to pass.
        const OPEN: [&str; 10] = [
            "$ref",
            "allOf",
            "anyOf",
            "oneOf",
            "if",
            "patternProperties",
            "additionalProperties",
            "unevaluatedProperties",
            "dependentSchemas",
            "$dynamicRef",
        ];
        let is_open = OPEN.iter().any(|keyword| schema.get(keyword).is_some());
        let names = schema.get("properties").and_then(Json::as_object);
        let names: BTreeSet<String> = names
            .into_iter()
            .flat_map(|names| names.keys().cloned())
            .collect();
        Some(Self {
            validator,
            is_silent: !is_open && !names.is_empty(),
            names,
        })
    }

    fn explain(&self, error: &ValidationError<'_>, is_secret: bool, misfits: &mut Vec<Misfit>) {
        let path = error.instance_path().as_str().to_owned();
        let mut push = |message: String, hint: Option<String>| {
            misfits.push(Misfit {
                path: path.clone(),
                is_key: false,
                message,
                hint,
            });
        };
        match error.kind() {
            Kind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                push(
                    format!("`{name}` is missing, which is required"),
                    Some(format!("write `{name}`")),
                );
            }
            Kind::Type { kind } => {
                let found = match is_secret {
                    true => type_of(error.instance()).to_owned(),
                    false => shown(error.instance()),
                };
                push(format!("found {found}, expected {}", expected(kind)), None);
            }
            Kind::Enum { options } if !is_secret => {
                let options: Vec<String> = options
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(plain)
                    .collect();
                let near = error.instance().as_str();
                let near = near.and_then(|word| nearest(word, options.iter().map(String::as_str)));
                let listed = listed(options.iter().map(String::as_str));
                let message = format!(
                    "found {}, expected one of {listed}",
                    shown(error.instance())
                );
                push(message, near.map(|near| format!("did you mean `{near}`?")));
            }
            Kind::AdditionalProperties { unexpected }
            | Kind::UnevaluatedProperties { unexpected } => {
                // Only those of the whole value are known here.
                let known = if path.is_empty() {
                    self.names.clone()
                } else {
                    BTreeSet::new()
                };
                for key in unexpected {
                    misfits.push(unknown_key(&path, key, &known));
                }
            }
            kind => {
                let rule = kind.keyword();
                let message = match is_secret {
                    true => error.masked().to_string(),
                    false => error.to_string(),
                };
                let message = match message.char_indices().nth(LONGEST) {
                    Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
                    None => message,
                };
                push(format!("{message} (rule `{rule}`)"), None);
            }
        }
    }
}

fn unknown_key(within: &str, key: &str, known: &BTreeSet<String>) -> Misfit {
    let names = || known.iter().map(String::as_str);
    let hint = match (nearest(key, names()), known.is_empty()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, true) => "take it out".to_owned(),
        (None, false) => format!("expected one of {}", listed(names())),
    };
    Misfit {
        path: format!("{within}/{}", escaped(key)),
        is_key: true,
        message: format!("`{}` is unknown here", key.escape_debug()),
        hint: Some(hint),
    }
}

fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "nothing",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a map",
    }
}

fn shown(value: &Json) -> String {
    /// The longest value that is shown, in characters.
    const SHOWN: usize = 60;
    match value {
        Json::Bool(_) | Json::Number(_) | Json::String(_) => {
            let text = value.to_string();
            match text.char_indices().nth(SHOWN) {
                Some((end, _)) => format!("`{}…`", text.get(..end).unwrap_or_default()),
                None => format!("`{text}`"),
            }
        }
        other => type_of(other).to_owned(),
    }
}

fn plain(value: &Json) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn expected(kind: &TypeKind) -> String {
    let word = |name: &str| match name {
        "null" => "nothing",
        "boolean" => "`true` or `false`",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a text",
        "array" => "a list",
        _ => "a map",
    };
    match kind {
        TypeKind::Single(one) => word(&one.to_string()).to_owned(),
        TypeKind::Multiple(several) => {
            let words: Vec<&str> = several.iter().map(|each| word(&each.to_string())).collect();
            words.join(" or ")
        }
    }
}
