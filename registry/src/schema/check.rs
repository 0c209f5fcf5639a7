//! Every place where a value does not fit a schema.

use std::collections::BTreeSet;

use floe_plugin_api::Value;
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value as Json;

use super::secrets::{MASK, Secrets, masked};
use super::shape::Shape;
use super::{Invalid, Subject, Violation};

/// The longest value that is shown, in characters.
const SHOWN: usize = 120;

/// How like a known name an unknown one must be for it to be taken for a slip.
const LIKE: f64 = 0.8;

/// Checks a value against a schema; a schema that is none lets everything pass.
pub(crate) fn check(
    schema: &Json,
    value: &Value,
    subject: Subject,
    of: &str,
) -> Result<(), Box<Invalid>> {
    let violations = violations(schema, value, subject, of);
    if violations.is_empty() {
        return Ok(());
    }
    Err(Box::new(Invalid {
        subject,
        of: of.to_owned(),
        violations,
    }))
}

/// Every place where a value does not fit. In a configuration, keys that are not described do not.
pub(crate) fn violations(
    schema: &Json,
    value: &Value,
    subject: Subject,
    of: &str,
) -> Vec<Violation> {
    let validator = match jsonschema::draft202012::options().build(schema) {
        Ok(validator) => validator,
        Err(error) => {
            // The plugin's own types still refuse what they cannot read.
            tracing::warn!(of, %error, "the plugin describes no valid schema");
            return Vec::new();
        }
    };
    let instance = match serde_json::to_value(value) {
        Ok(instance) => instance,
        Err(error) => {
            return vec![Violation {
                path: String::new(),
                rule: "json".to_owned(),
                value: value.type_name().to_owned(),
                message: error.to_string(),
                nearest: None,
            }];
        }
    };
    let mut report = Report::new(schema, value);
    for error in validator.iter_errors(&instance) {
        report.add(&error);
    }
    if subject == Subject::Configuration {
        report.add_unknown(&Shape::new(schema), value, String::new());
    }
    report.finish()
}

/// The violations of one value, as they are found.
struct Report<'a> {
    schema: &'a Json,
    value: &'a Value,
    /// The value as it may be shown, and what may not be: one that is set in its place may be set in
    /// another too. Made when something is to be shown.
    shown: Option<(Json, Secrets)>,
    found: Vec<Found>,
}

struct Found {
    violation: Violation,
    /// The map that the key is in, where it is one that the schema knows: it may only have been
    /// refused because the alternative that knows it failed for another reason.
    known_in: Option<String>,
}

impl<'a> Report<'a> {
    const fn new(schema: &'a Json, value: &'a Value) -> Self {
        Self {
            schema,
            value,
            shown: None,
            found: Vec::new(),
        }
    }

    /// What is at a place, as it may be shown.
    fn shown(&mut self, path: &str) -> String {
        let (schema, value) = (self.schema, self.value);
        let (shown, secrets) = self.shown.get_or_insert_with(|| {
            let shown = serde_json::to_value(masked(schema, value));
            (
                shown.unwrap_or_else(|_| MASK.into()),
                Secrets::of(schema, value),
            )
        });
        match shown.pointer(path) {
            Some(Json::String(mask)) if mask == MASK => MASK.to_owned(),
            Some(found) => cut(&secrets.mask(&found.to_string())),
            // Below what is masked.
            None => MASK.to_owned(),
        }
    }

    fn push(&mut self, violation: Violation) {
        self.found.push(Found {
            violation,
            known_in: None,
        });
    }

    fn add(&mut self, error: &ValidationError<'_>) {
        let path = error.instance_path().as_str();
        let rule = error.kind().keyword();
        match error.kind() {
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                if let Some(meant) = meant(path, context) {
                    for error in meant {
                        self.add(error);
                    }
                    return;
                }
                let value = self.shown(path);
                let message = match words(path, context) {
                    Some(words) => format!("{value} is none of {words}"),
                    None => error.masked_with(value.as_str()).to_string(),
                };
                self.push(Violation {
                    path: path.to_owned(),
                    rule: rule.to_owned(),
                    message: cut(&message),
                    value,
                    nearest: None,
                });
            }
            Kind::AdditionalProperties { unexpected }
            | Kind::UnevaluatedProperties { unexpected } => {
                let names = self.names_at(path);
                for key in unexpected {
                    self.add_key(path, key, rule, &names);
                }
            }
            _ => {
                let value = self.shown(path);
                let message = cut(&error.masked_with(value.as_str()).to_string());
                self.push(Violation {
                    path: path.to_owned(),
                    rule: rule.to_owned(),
                    value,
                    message,
                    nearest: None,
                });
            }
        }
    }

    /// The names that the schema knows for the entries of the map at a place.
    fn names_at(&self, path: &str) -> BTreeSet<&'a str> {
        let mut shape = Shape::new(self.schema);
        let mut value = self.value;
        for token in path.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let parts = shape.fitting(value);
            let below = match value {
                Value::Map(map) => map.get(&token).map(|below| (parts.property(&token), below)),
                Value::List(list) => token.parse().ok().and_then(|index: usize| {
                    list.get(index).map(|below| (parts.item(index), below))
                }),
                _ => None,
            };
            match below {
                Some((part, below)) => (shape, value) = (part, below),
                None => return BTreeSet::new(),
            }
        }
        shape.fitting(value).names()
    }

    /// Adds a key that may not be there, once.
    fn add_key(&mut self, within: &str, key: &str, rule: &str, names: &BTreeSet<&str>) {
        let path = format!("{within}/{}", key.replace('~', "~0").replace('/', "~1"));
        if self
            .found
            .iter()
            .any(|found| found.violation.path == path && is_about_keys(&found.violation))
        {
            return;
        }
        let value = self.shown(&path);
        let is_known = names.contains(key);
        let nearest = if is_known { None } else { nearest(key, names) };
        let message = match (&nearest, names.is_empty()) {
            _ if is_known => {
                format!("the key `{key}` does not go with the others here; leave it out")
            }
            (Some(nearest), _) => format!("unknown key `{key}`; did you mean `{nearest}`?"),
            (None, true) => format!("unknown key `{key}`; none is expected here"),
            (None, false) => {
                let names: Vec<_> = names.iter().copied().collect();
                format!(
                    "unknown key `{key}`, expected one of `{}`",
                    names.join("`, `")
                )
            }
        };
        self.found.push(Found {
            violation: Violation {
                path,
                rule: rule.to_owned(),
                value,
                message,
                nearest,
            },
            known_in: is_known.then(|| within.to_owned()),
        });
    }

    /// Adds the keys that a schema neither describes nor lets pass.
    fn add_unknown(&mut self, shape: &Shape<'_>, value: &Value, path: String) {
        let parts = shape.fitting(value);
        match value {
            Value::Map(map) => {
                let names = parts.names();
                let is_open = shape.is_open(value);
                for entry in map {
                    let key = entry.key.as_str();
                    if !is_open && !names.contains(key) {
                        self.add_key(&path, key, parts.refuses_others(), &names);
                        continue;
                    }
                    let below = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                    self.add_unknown(&parts.property(key), &entry.value, below);
                }
            }
            Value::List(list) => {
                for (index, item) in list.iter().enumerate() {
                    self.add_unknown(&parts.item(index), item, format!("{path}/{index}"));
                }
            }
            _ => {}
        }
    }

    fn finish(self) -> Vec<Violation> {
        let explained: Vec<bool> = self
            .found
            .iter()
            .map(|found| match &found.known_in {
                Some(within) => self.found.iter().any(|other| {
                    other.known_in.is_none() && is_within(&other.violation.path, within)
                }),
                None => false,
            })
            .collect();
        let found = self.found.into_iter().zip(explained);
        let found = found.filter(|(_, explained)| !explained);
        let mut violations: Vec<Violation> = Vec::new();
        for (found, _) in found {
            // One rule may be broken by way of several schemas.
            if !violations.contains(&found.violation) {
                violations.push(found.violation);
            }
        }
        violations
    }
}

fn is_about_keys(violation: &Violation) -> bool {
    matches!(
        violation.rule.as_str(),
        "additionalProperties" | "unevaluatedProperties"
    )
}

/// Whether a place is another one or below it.
fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The errors of the one alternative that was meant, where it is plain which one that is.
fn meant<'e>(
    path: &str,
    context: &'e [Vec<ValidationError<'static>>],
) -> Option<&'e [ValidationError<'static>]> {
    let here = |error: &ValidationError<'_>| error.instance_path().as_str() == path;
    let just_below = |error: &ValidationError<'_>| {
        let below = error.instance_path().as_str().strip_prefix(path);
        below
            .and_then(|below| below.strip_prefix('/'))
            .is_some_and(|below| !below.contains('/'))
    };
    let is_constant = |error: &ValidationError<'_>| {
        matches!(error.kind(), Kind::Constant { .. } | Kind::Enum { .. })
    };
    // Another type, another word.
    let other = |error: &ValidationError<'_>| {
        here(error) && (matches!(error.kind(), Kind::Type { .. }) || is_constant(error))
    };
    // Another tag.
    let tagged = |error: &ValidationError<'_>| {
        just_below(error) && matches!(error.kind(), Kind::Constant { .. })
    };
    // Another name for what it holds.
    let named =
        |error: &ValidationError<'_>| here(error) && matches!(error.kind(), Kind::Required { .. });
    let mut left: Vec<&[_]> = context.iter().map(Vec::as_slice).collect();
    let tests: [&dyn Fn(&ValidationError<'_>) -> bool; 3] = [&other, &tagged, &named];
    for test in tests {
        let passing: Vec<&[_]> = left
            .iter()
            .copied()
            .filter(|errors| !errors.iter().any(test))
            .collect();
        match passing.as_slice() {
            [only] => return Some(only),
            [] => {}
            _ => left = passing,
        }
    }
    None
}

/// The words of which one was expected, where every alternative is one.
fn words(path: &str, context: &[Vec<ValidationError<'static>>]) -> Option<String> {
    let mut words = Vec::new();
    for errors in context {
        let constant = errors
            .iter()
            .find(|error| error.instance_path().as_str() == path)?;
        match constant.kind() {
            Kind::Constant { expected_value } => words.push(expected_value.to_string()),
            Kind::Enum { options } => {
                words.extend(options.as_array()?.iter().map(ToString::to_string));
            }
            _ => return None,
        }
    }
    Some(words.join(", "))
}

/// The name that is most like a key, where one is.
pub(crate) fn nearest(key: &str, names: &BTreeSet<&str>) -> Option<String> {
    let folded = key.to_lowercase();
    let near = names
        .iter()
        .map(|name| (strsim::jaro_winkler(&name.to_lowercase(), &folded), name));
    let near = near.filter(|(likeness, _)| *likeness >= LIKE);
    near.max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| (*name).to_owned())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use floe_plugin_api::value;
    use serde_json::json;

    use super::*;

    fn check_input(schema: &Json, value: &Value) -> Vec<Violation> {
        match check(schema, value, Subject::Input, "a.b") {
            Ok(()) => Vec::new(),
            Err(invalid) => invalid.violations,
        }
    }

    #[test]
    fn an_input_may_hold_more_than_is_described_unless_the_vendor_says_no() {
        let mut schema = json!({"properties": {"a": true}});
        assert_eq!(check_input(&schema, &value!({"b": 1})), []);
        schema["additionalProperties"] = false.into();
        let found = check_input(&schema, &value!({"b": 1, "c": 2}));
        let told: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "at `/b`: unknown key `b`, expected one of `a` (rule `additionalProperties`)",
                "at `/c`: unknown key `c`, expected one of `a` (rule `additionalProperties`)",
            ]
        );
    }

    #[test]
    fn an_inputs_secrets_are_masked() {
        let schema = json!({
            "type": "object",
            "properties": {"key": {"type": "string", "writeOnly": true, "pattern": "^k"}, "note": {"type": "integer"}},
            "required": ["note"],
        });
        let found = check_input(&schema, &value!({"key": "s3cr3t"}));
        assert_eq!(found[0].value, r#"{"key":"***"}"#);
        assert_eq!(found[1].message, "*** does not match \"^k\"");
        // The same text in a place that is not secret.
        let found = check_input(&schema, &value!({"key": "k3cr3t", "note": "of k3cr3t"}));
        assert_eq!(found[0].value, "\"of ***\"");
        assert_eq!(found[0].message, "\"of ***\" is not of type \"integer\"");
    }

    #[test]
    fn the_alternative_that_was_meant_is_told() {
        let variant = |tag: &str, field: &str| {
            json!({
                "type": "object",
                "properties": {"kind": {"const": tag}, field: {"type": "integer"}},
                "required": ["kind", field],
            })
        };
        let named = |name: &str| {
            json!({
                "type": "object",
                "properties": {name: {"type": "integer"}},
                "required": [name],
                "additionalProperties": false,
            })
        };
        for (schema, value, path, rule) in [
            (
                json!({"anyOf": [{"type": "object", "required": ["a"]}, {"type": "null"}]}),
                value!({}),
                "",
                "required",
            ),
            (
                json!({"anyOf": [{"type": "object"}, {"type": "null"}]}),
                value!(1),
                "",
                "anyOf",
            ),
            (
                json!({"oneOf": [variant("x", "a"), variant("y", "b")]}),
                value!({"kind": "y", "b": "1"}),
                "/b",
                "type",
            ),
            (
                json!({"oneOf": [variant("x", "a"), variant("y", "b")]}),
                value!({"kind": "z"}),
                "",
                "oneOf",
            ),
            (
                json!({"oneOf": [named("a"), named("b")]}),
                value!({"b": "1"}),
                "/b",
                "type",
            ),
            (
                json!({"oneOf": [{"const": "a"}, {"const": "b"}]}),
                value!("c"),
                "",
                "oneOf",
            ),
        ] {
            let found = check_input(&schema, &value);
            let found: Vec<_> = found
                .iter()
                .map(|each| (&*each.path, &*each.rule))
                .collect();
            assert_eq!(found, [(path, rule)], "{schema}");
        }
    }

    #[test]
    fn a_long_value_is_cut() {
        let found = check_input(&json!({"type": "integer"}), &value!("é".repeat(500)));
        assert_eq!(found[0].value.chars().count(), SHOWN + 1);
    }
}
