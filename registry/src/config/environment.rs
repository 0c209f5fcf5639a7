//! What the environment says of plugins.

use std::ffi::OsString;
use std::fmt;

use floe_plugin_api::{Map, Value};

use super::given::merge;
use super::search::is_privileged;
use crate::schema::{Shape, Types, Violation};

/// What the name of a variable begins with that configures a plugin:
/// `FLOE_PLUGINS__SQLITE__READ_ONLY=true`.
const PREFIX: &str = "FLOE_PLUGINS__";

/// What separates the plugin's name, the key, and the keys below it.
const SEPARATOR: &str = "__";

/// The variables that configure plugins, as they were at one time.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    /// By name, so that what they come to does not depend on the order in which they were found.
    variables: Vec<Variable>,
}

/// One variable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Variable {
    pub(super) name: String,
    /// `None` where it is not UTF-8.
    pub(super) text: Option<String>,
}

impl Environment {
    /// That of this process; nothing where whoever started it has fewer rights than it.
    pub(crate) fn capture() -> Self {
        if is_privileged() {
            return Self::default();
        }
        Self::new(std::env::vars_os())
    }

    /// One of these variables; those that do not configure plugins are left out.
    pub(crate) fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut variables: Vec<_> = variables
            .into_iter()
            .map(|(name, text)| Variable {
                name: name.to_string_lossy().into_owned(),
                text: text.into_string().ok(),
            })
            .filter(|variable| variable.name.starts_with(PREFIX))
            .collect();
        variables.sort_unstable();
        Self { variables }
    }

    /// The variables that configure a plugin.
    pub(super) fn of(&self, plugin: &str) -> Vec<Variable> {
        let of_plugin = self
            .variables
            .iter()
            .filter(|each| each.keys(plugin).is_some());
        of_plugin.cloned().collect()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.variables).finish()
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Variable {
    /// The keys that lead to what the variable sets, where it is of this plugin.
    fn keys(&self, plugin: &str) -> Option<impl Iterator<Item = &str>> {
        let rest = self.name.strip_prefix(PREFIX)?;
        // The name may hold a separator of its own; a key below it may not.
        let (name, rest) = rest.split_at_checked(plugin.len())?;
        let keys = rest.strip_prefix(SEPARATOR)?;
        (fold(name) == fold(plugin)).then(|| keys.split(SEPARATOR))
    }
}

/// What the variables of a plugin come to under its schema, with those that come to nothing.
pub(super) fn read(
    variables: &[Variable],
    plugin: &str,
    schema: &serde_json::Value,
) -> (Value, Vec<Violation>) {
    let mut value = Value::Map(Map::new());
    let mut violations = Vec::new();
    for variable in variables {
        let mut refuse = |path: String, found: &str, expected: &str| {
            violations.push(Violation {
                path,
                rule: "environment".to_owned(),
                value: found.to_owned(),
                message: format!("the variable `{}` {expected}", variable.name),
                nearest: None,
            });
        };
        let mut shape = Shape::new(schema);
        let mut path = Vec::new();
        for key in variable.keys(plugin).into_iter().flatten() {
            let parts = shape.any();
            let key = match parts
                .names()
                .into_iter()
                .find(|name| fold(name) == fold(key))
            {
                Some(name) => name.to_owned(),
                None => key.to_lowercase(),
            };
            shape = parts.property(&key);
            path.push(key);
        }
        if path.iter().any(String::is_empty) {
            refuse(
                String::new(),
                "an empty key",
                "names no key; write `FLOE_PLUGINS__NAME__KEY`, with `__` before each key below it",
            );
            continue;
        }
        let Some(text) = &variable.text else {
            refuse(
                format!("/{}", path.join("/")),
                "no UTF-8",
                "holds bytes that are not UTF-8; write it as UTF-8, or set the key in `floe.toml`",
            );
            continue;
        };
        let leaf = typed(&shape, text);
        let layer = path.into_iter().rev().fold(leaf, |below, key| {
            [(key, below)].into_iter().collect::<Map>().into()
        });
        value = merge(value, &layer);
    }
    (value, violations)
}

/// The value that a text stands for where a shape is expected.
///
/// A text is read as JSON if what it then is may stand there and is no string; or if no string may
/// stand there. Any other stays as it is, quotes and all.
fn typed(shape: &Shape<'_>, text: &str) -> Value {
    let types = Types::of(shape);
    match Value::from_json(text) {
        Ok(Value::String(_)) | Err(_) => text.into(),
        Ok(value) if types.contains(Types::of_value(&value)) => value,
        Ok(_) if types.contains(Types::STRING) => text.into(),
        Ok(value) => value,
    }
}

/// What is left of a name where case and the sort of dash do not count.
fn fold(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use floe_plugin_api::value;
    use serde_json::json;

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables = variables.iter();
        Environment::new(variables.map(|(name, text)| ((*name).into(), (*text).into())))
    }

    #[track_caller]
    fn check(schema: serde_json::Value, variables: &[(&str, &str)], expected: Value) {
        let (value, violations) = read(&environment(variables).of("a-b"), "a-b", &schema);
        assert_eq!(value, expected);
        assert_eq!(violations, []);
    }

    #[test]
    fn variables_are_those_of_the_plugin() {
        let environment = environment(&[
            ("FLOE_PLUGINS__A_B__KEY", "1"),
            ("FLOE_PLUGINS__a-b__other", "2"),
            ("FLOE_PLUGINS__AB__KEY", "3"),
            ("FLOE_PLUGINS__A__B__KEY", "4"),
            ("FLOE_PLUGINS__A_BC__KEY", "5"),
            ("FLOE_PLUGINS__A_B", "6"),
            ("FLOE_PLUGIN_PATH", "7"),
            ("FLOE_PLUGINS__é", "8"),
        ]);
        let of = |plugin: &str| {
            environment
                .of(plugin)
                .into_iter()
                .map(|each| each.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of("a-b"),
            ["FLOE_PLUGINS__A_B__KEY", "FLOE_PLUGINS__a-b__other"]
        );
        assert_eq!(of("a_b"), of("a-b"));
        assert_eq!(of("a"), ["FLOE_PLUGINS__A__B__KEY"]);
        assert_eq!(of("a__b"), ["FLOE_PLUGINS__A__B__KEY"]);
        assert_eq!(of("nothing"), Vec::<String>::new());
        assert!(!format!("{environment:?}").contains('7'));
    }

    #[test]
    fn a_text_becomes_what_may_stand_there() {
        let any_of = |types: &[&str]| {
            let types: Vec<_> = types.iter().map(|name| json!({ "type": name })).collect();
            json!({ "anyOf": types })
        };
        for (schema, text, expected) in [
            (json!({"type": "integer"}), "5", value!(5)),
            (
                json!({"type": "integer"}),
                "18446744073709551615",
                value!(u64::MAX),
            ),
            (json!({"type": "integer"}), "five", value!("five")),
            (json!({"type": "integer"}), "[5]", value!([5])),
            (json!({"type": "number"}), "5", value!(5)),
            (json!({"type": "number"}), "0.5", value!(0.5)),
            (json!({"type": "string"}), "5", value!("5")),
            (json!({"type": "string"}), "\"5\"", value!("\"5\"")),
            (json!({"type": "string"}), "null", value!("null")),
            (json!({"type": "string"}), "", value!("")),
            (json!({"type": ["string", "null"]}), "null", value!(null)),
            (json!({"type": ["string", "integer"]}), "5", value!(5)),
            (json!({"type": ["string", "integer"]}), "5.5", value!("5.5")),
            (json!({"type": "boolean"}), "true", value!(true)),
            (json!({"type": "boolean"}), "yes", value!("yes")),
            (json!({"type": "array"}), "[1, \"a\"]", value!([1, "a"])),
            (json!({"type": "object"}), "{\"a\": 1}", value!({"a": 1})),
            (json!({"enum": ["1", "2"]}), "1", value!("1")),
            (json!({"enum": [1, 2]}), "1", value!(1)),
            (json!({"const": "x"}), "x", value!("x")),
            (any_of(&["integer", "null"]), "5", value!(5)),
            (any_of(&["string", "null"]), "5", value!("5")),
            (
                json!({"allOf": [{"type": ["string", "integer"]}, {"type": "string"}]}),
                "5",
                value!("5"),
            ),
            (json!({"$ref": "#/$defs/text"}), "5", value!("5")),
            (json!(true), "5", value!(5)),
            (json!(true), "five", value!("five")),
        ] {
            let whole =
                json!({"properties": {"key": schema}, "$defs": {"text": {"type": "string"}}});
            check(
                whole,
                &[("FLOE_PLUGINS__A_B__KEY", text)],
                value!({"key": expected}),
            );
        }
    }

    #[test]
    fn keys_are_those_of_the_schema() {
        let schema = json!({
            "properties": {
                "maxOutputs": {"type": "integer"},
                "read-only": {"type": "boolean"},
                "inner": {"anyOf": [{"$ref": "#/$defs/Inner"}, {"type": "null"}]},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "$defs": {"Inner": {"type": "object", "properties": {"user_name": {"type": "string"}}}},
        });
        check(
            schema,
            &[
                ("FLOE_PLUGINS__A_B__MAXOUTPUTS", "3"),
                ("FLOE_PLUGINS__A_B__READ_ONLY", "true"),
                ("FLOE_PLUGINS__A_B__INNER__USER_NAME", "12"),
                ("FLOE_PLUGINS__A_B__LABELS__Env", "12"),
                ("FLOE_PLUGINS__A_B__Other", "12"),
            ],
            value!({
                "inner": {"user_name": "12"}, "labels": {"env": "12"}, "maxOutputs": 3,
                "other": 12, "read-only": true,
            }),
        );
    }

    #[test]
    fn a_key_below_adds_to_what_is_above() {
        check(
            json!({"properties": {"inner": {"properties": {"b": {"type": "integer"}}}}}),
            &[
                ("FLOE_PLUGINS__A_B__INNER__B", "2"),
                ("FLOE_PLUGINS__A_B__INNER", "{\"a\": 1, \"b\": 1}"),
            ],
            value!({"inner": {"a": 1, "b": 2}}),
        );
    }

    #[test]
    fn what_comes_to_nothing_is_told() {
        let schema = json!({"properties": {"inner": {"properties": {"key": true}}}});
        let variables = environment(&[
            ("FLOE_PLUGINS__A_B__", "1"),
            ("FLOE_PLUGINS__A_B__INNER__", "1"),
        ]);
        let (value, violations) = read(&variables.of("a-b"), "a-b", &schema);
        assert_eq!(value, value!({}));
        let told: Vec<_> = violations.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2);
        assert_eq!(
            told[0],
            "the variable `FLOE_PLUGINS__A_B__` names no key; write `FLOE_PLUGINS__NAME__KEY`, with `__` before each key below it (rule `environment`)"
        );
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_text_are_told() {
        use std::os::unix::ffi::OsStringExt;

        let bytes = OsString::from_vec(b"hunter\xff".to_vec());
        let variables = Environment::new([("FLOE_PLUGINS__A_B__INNER__KEY".into(), bytes)]);
        let (value, violations) = read(&variables.of("a-b"), "a-b", &json!(true));
        assert_eq!(value, value!({}));
        assert_eq!(
            violations[0].to_string(),
            "at `/inner/key`: the variable `FLOE_PLUGINS__A_B__INNER__KEY` holds bytes that are not UTF-8; write it as UTF-8, or set the key in `floe.toml` (rule `environment`)"
        );
        assert!(!format!("{violations:?}").contains("hunter"));
    }
}
