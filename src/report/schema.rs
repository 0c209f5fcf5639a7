//! A JSON Schema as a table of fields.

use serde_json::{Map, Value as Json};

use super::page::Page;
use super::table::Table;
use super::text;

/// How deep fields within fields are listed.
const DEEPEST: usize = 6;

/// A field of a value.
#[derive(Debug, PartialEq, Eq)]
struct Field {
    /// `people[].name`.
    name: String,
    kind: String,
    required: bool,
    default: Option<String>,
    description: String,
}

/// Writes what values fit a schema: their type, and a table of their fields.
pub(crate) fn render(title: &str, schema: &Json, page: &mut Page) {
    let reader = Reader { root: schema };
    page.heading(title);
    let mut fields = Vec::new();
    reader.fields("", schema, &mut Vec::new(), &mut fields);
    if fields.is_empty() {
        page.paragraph(2, &reader.kind(schema, DEEPEST));
        return;
    }
    if !reader.is_plain_object(schema) {
        page.paragraph(2, &reader.kind(schema, DEEPEST));
    }
    let mut table = Table::new(["field", "type", "required", "default", "description"]);
    for field in fields {
        table.row([
            text::plain(&field.name),
            text::plain(&field.kind),
            if field.required { "yes" } else { "" }.to_owned(),
            text::plain(&field.default.unwrap_or_default()),
            text::plain(&field.description),
        ]);
    }
    page.table(table);
}

/// Reads parts of a schema, which refer to the whole.
struct Reader<'a> {
    root: &'a Json,
}

impl<'a> Reader<'a> {
    /// The fields of the values that fit, those of the items of a list, and theirs; `within` are the
    /// schemas that are being read, so that one that refers to itself ends.
    fn fields(
        &self,
        prefix: &str,
        schema: &'a Json,
        within: &mut Vec<&'a Json>,
        found: &mut Vec<Field>,
    ) {
        let schema = self.resolve(schema);
        if within.len() == DEEPEST || within.iter().any(|outer| std::ptr::eq(*outer, schema)) {
            return;
        }
        within.push(schema);
        if let Some(properties) = schema.get("properties").and_then(Json::as_object) {
            let is_required = |name: &str| list(schema, "required").any(|each| each == name);
            let mut properties: Vec<_> = properties
                .iter()
                .map(|(name, property)| (is_required(name), name, property))
                .collect();
            // What must be given comes first; a stable sort keeps the order of the names.
            properties.sort_by_key(|(required, ..)| !required);
            for (required, name, property) in properties {
                let name = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                found.push(self.field(name.clone(), property, required));
                self.fields(&name, property, within, found);
            }
        }
        if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
            self.fields(&format!("{prefix}[]"), items, within, found);
        }
        for alternative in self.alternatives(schema) {
            self.fields(prefix, alternative, within, found);
        }
        within.pop();
    }

    fn field(&self, name: String, property: &'a Json, required: bool) -> Field {
        let resolved = self.resolve(property);
        // What stands beside a reference is said of this field; what it refers to, of the type.
        let said = |key: &str| property.get(key).or_else(|| resolved.get(key));
        let description = said("description").and_then(Json::as_str);
        Field {
            name,
            kind: self.kind(property, DEEPEST),
            required,
            default: said("default").map(Json::to_string),
            description: description.unwrap_or_default().replace('\n', " "),
        }
    }

    /// The schema that a reference refers to.
    fn resolve(&self, schema: &'a Json) -> &'a Json {
        // A chain of references is as short as people write it; a circle is left.
        let mut at = schema;
        for _ in 0..8 {
            let target = match at.get("$ref").and_then(Json::as_str) {
                Some("#") => Some(self.root),
                Some(target) => target
                    .strip_prefix('#')
                    .and_then(|pointer| self.root.pointer(pointer)),
                None => match at.get("allOf").and_then(Json::as_array).map(Vec::as_slice) {
                    Some([only]) => Some(only),
                    _ => None,
                },
            };
            match target {
                Some(target) => at = target,
                None => break,
            }
        }
        at
    }

    /// The schemas of which one is enough, apart from null.
    fn alternatives(&self, schema: &'a Json) -> Vec<&'a Json> {
        let each = ["anyOf", "oneOf"].into_iter();
        let each = each.flat_map(|key| list(schema, key));
        each.filter(|one| one.get("type").and_then(Json::as_str) != Some("null"))
            .collect()
    }

    /// Whether the table of its fields says all about it.
    fn is_plain_object(&self, schema: &'a Json) -> bool {
        let schema = self.resolve(schema);
        schema.get("type").and_then(Json::as_str) == Some("object")
            && self.alternatives(schema).is_empty()
    }

    /// The type of the values that fit, in words.
    fn kind(&self, schema: &'a Json, depth: usize) -> String {
        let schema = match self.resolve(schema) {
            Json::Bool(false) => return "nothing".to_owned(),
            Json::Object(schema) => schema,
            _ => return "anything".to_owned(),
        };
        if let Some(constant) = schema.get("const") {
            return constant.to_string();
        }
        if let Some(words) = schema.get("enum").and_then(Json::as_array) {
            let words: Vec<String> = words.iter().map(Json::to_string).collect();
            return words.join(" or ");
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(alternatives) = schema.get(key).and_then(Json::as_array)
                && depth > 0
            {
                let kinds = alternatives.iter().map(|one| self.kind(one, depth - 1));
                return any_of(kinds);
            }
        }
        match schema.get("type") {
            Some(Json::String(name)) => self.typed(name, schema, depth),
            Some(Json::Array(names)) => any_of(
                names
                    .iter()
                    .filter_map(Json::as_str)
                    .map(|name| self.typed(name, schema, depth)),
            ),
            _ if schema.contains_key("properties") => "object".to_owned(),
            _ => "anything".to_owned(),
        }
    }

    fn typed(&self, name: &str, schema: &'a Map<String, Json>, depth: usize) -> String {
        match name {
            "array" => match schema.get("items") {
                Some(items) if depth > 0 => format!("list of {}", self.kind(items, depth - 1)),
                _ => "list".to_owned(),
            },
            "object" => match schema.get("additionalProperties") {
                Some(values @ Json::Object(_)) if depth > 0 => {
                    format!("map of {}", self.kind(values, depth - 1))
                }
                _ => "object".to_owned(),
            },
            "integer" | "number" => bounded(name, schema, "minimum", "maximum", ""),
            "string" => bounded(name, schema, "minLength", "maxLength", " characters"),
            other => other.to_owned(),
        }
    }
}

/// The items of a list in a schema.
fn list<'a>(schema: &'a Json, key: &str) -> impl Iterator<Item = &'a Json> {
    schema
        .get(key)
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
}

/// Kinds of which any will do, each once.
fn any_of(kinds: impl Iterator<Item = String>) -> String {
    let mut different: Vec<String> = Vec::new();
    for kind in kinds {
        if !different.contains(&kind) {
            different.push(kind);
        }
    }
    different.join(" or ")
}

/// A type with its bounds, such as `integer of 1 to 100`.
fn bounded(name: &str, schema: &Map<String, Json>, least: &str, most: &str, unit: &str) -> String {
    let counted = |bound: &Json| match bound.as_u64() {
        Some(1) => format!("1{}", unit.trim_end_matches('s')),
        _ => format!("{bound}{unit}"),
    };
    match (schema.get(least), schema.get(most)) {
        (Some(least), Some(most)) if least == most => format!("{name} of {}", counted(most)),
        (Some(least), Some(most)) => format!("{name} of {least} to {}", counted(most)),
        (Some(least), None) => format!("{name} of at least {}", counted(least)),
        (None, Some(most)) => format!("{name} of at most {}", counted(most)),
        (None, None) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn kind(schema: &Json) -> String {
        Reader { root: schema }.kind(schema, DEEPEST)
    }

    #[test]
    fn types_in_words() {
        for (schema, text) in [
            (json!(true), "anything"),
            (json!(false), "nothing"),
            (json!({}), "anything"),
            (json!({"type": "string"}), "string"),
            (json!({"type": ["string", "null"]}), "string or null"),
            (
                json!({"type": "integer", "minimum": 0}),
                "integer of at least 0",
            ),
            (
                json!({"type": "integer", "minimum": 0, "maximum": 255}),
                "integer of 0 to 255",
            ),
            (
                json!({"type": "string", "minLength": 1}),
                "string of at least 1 character",
            ),
            (
                json!({"type": "string", "minLength": 3, "maxLength": 3}),
                "string of 3 characters",
            ),
            (
                json!({"type": "array", "items": {"type": "number"}}),
                "list of number",
            ),
            (
                json!({"type": "object", "additionalProperties": true}),
                "object",
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "string"}}),
                "map of string",
            ),
            (json!({"enum": ["a", "b"]}), "\"a\" or \"b\""),
            (
                json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}),
                "integer or null",
            ),
            (
                json!({"oneOf": [{"const": "x"}, {"const": 1}]}),
                "\"x\" or 1",
            ),
        ] {
            assert_eq!(kind(&schema), text, "{schema}");
        }
    }

    #[test]
    fn fields_within_fields() {
        let schema = json!({
            "type": "object",
            "required": ["people"],
            "properties": {
                "people": {"type": "array", "description": "Everybody.", "items": {"$ref": "#/$defs/Person"}},
                "times": {"type": "integer", "default": 1},
                "best": {"description": "The best one.", "anyOf": [{"$ref": "#/$defs/Person"}, {"type": "null"}]},
            },
            "$defs": {"Person": {
                "type": "object",
                "description": "Somebody.",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "friend": {"$ref": "#/$defs/Person"}},
            }},
        });
        let mut page = Page::new(None);
        render("Input", &schema, &mut page);
        let text = anstream::adapter::strip_str(page.text()).to_string();
        insta::assert_snapshot!(text, @r"
        Input
        field            type            required  default  description
        ──────────────── ─────────────── ───────── ──────── ─────────────
        people           list of object  yes                Everybody.
        people[].name    string          yes
        people[].friend  object                             Somebody.
        best             object or null                     The best one.
        best.name        string          yes
        best.friend      object                             Somebody.
        times            integer                   1
        ");
    }

    #[test]
    fn a_schema_without_fields_is_its_type() {
        let mut page = Page::new(None);
        render("Output", &json!({"type": "string"}), &mut page);
        let text = anstream::adapter::strip_str(page.text()).to_string();
        assert_eq!(text, "Output\n  string\n");
    }

    #[test]
    fn a_schema_that_refers_to_itself_alone_ends() {
        let schema = json!({"$ref": "#"});
        assert_eq!(kind(&schema), "anything");
        let schema = json!({"type": "array", "items": {"$ref": "#"}});
        assert_eq!(
            kind(&schema),
            "list of list of list of list of list of list of list"
        );
    }
}
