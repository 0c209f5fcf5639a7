//! Executors that need no library, and what the tests ask of them.

use floe_workflow::{
    Checked, Document, ExecutorFacts, Executors, Format, Limits, Problems, Unresolved, Validator,
};
use semver::{Version, VersionReq};
use serde_json::json;

/// `http.get` 1.4.0 and `sql.write` 2.0.0, the second of which tenant `guest` may not call.
#[derive(Debug)]
pub(crate) struct Outside;

impl Executors for Outside {
    fn resolve(&self, reference: &str) -> Result<ExecutorFacts, Unresolved> {
        let (node_type, range) = match reference.split_once('@') {
            Some((node_type, range)) => (node_type, range),
            None => (reference, "*"),
        };
        let range: VersionReq = range.parse().map_err(|error| {
            Unresolved::Malformed(format!("`{reference}` is no reference: {error}"))
        })?;
        let facts = match node_type {
            "http.get" => ExecutorFacts::new(node_type, Version::new(1, 4, 0))
                .input_schema(json!({
                    "type": "object",
                    "properties": {
                        "url": { "type": "string" },
                        "retries": { "type": "integer", "minimum": 0 },
                        "method": { "enum": ["get", "head"] },
                        "headers": { "type": "object", "additionalProperties": { "type": "string" } },
                    },
                    "required": ["url"],
                }))
                .config_schema(json!({
                    "type": "object",
                    "properties": { "proxy": { "type": "string" }, "token": { "type": "string", "writeOnly": true } },
                    "required": ["proxy"],
                })),
            "sql.write" => ExecutorFacts::new(node_type, Version::new(2, 0, 0)).input_schema(json!({
                "type": "object",
                "properties": {
                    "rows": { "type": "array", "items": { "type": "object" }, "minItems": 1 },
                    "mode": { "type": "string" },
                    "key": { "type": "string" },
                },
                "required": ["rows"],
                "if": { "properties": { "mode": { "const": "upsert" } }, "required": ["mode"] },
                "then": { "required": ["key"] },
                "additionalProperties": false,
            })),
            _ => {
                return Err(Unresolved::Unknown {
                    node_type: node_type.to_owned(),
                });
            }
        };
        if !range.matches(&facts.version) {
            return Err(Unresolved::NoVersion {
                reference: reference.to_owned(),
                versions: vec![facts.version.to_string()],
            });
        }
        Ok(facts)
    }

    fn nearest(&self, node_type: &str) -> Option<String> {
        let known = ["http.get", "sql.write"].into_iter();
        let like = |known: &&str| strsim::jaro_winkler(known, node_type) > 0.8;
        known.filter(like).map(str::to_owned).next()
    }

    fn authorize(&self, tenant: &str, reference: &str) -> Result<(), String> {
        match (tenant, reference.starts_with("sql.")) {
            ("guest", true) => Err(format!("tenant `guest` may not call `{reference}`")),
            _ => Ok(()),
        }
    }
}

pub(crate) fn read(text: &str, format: Format) -> Result<Document, Problems> {
    Document::read(text, format, &Limits::default())
}

/// What is wrong with a text, one problem a line.
pub(crate) fn told(text: &str, format: Format) -> String {
    match read(text, format) {
        Ok(document) => Validator::new(Outside).check(&document).to_string(),
        Err(problems) => problems.to_string(),
    }
}

#[track_caller]
pub(crate) fn checked(text: &str, format: Format) -> Checked {
    let document = read(text, format).unwrap_or_else(|problems| panic!("{problems}"));
    let checked = Validator::new(Outside).validate(document);
    checked.unwrap_or_else(|problems| panic!("{problems}"))
}
