//! What is said of the executors: in the manifest, in the schemas and in the README.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const README: &str = include_str!("../../README.md");

/// The executors of the README's tables: what they take and what they do.
fn documented() -> BTreeMap<&'static str, (&'static str, &'static str)> {
    let mut rows = BTreeMap::new();
    for line in README.lines() {
        let Some(row) = line.strip_prefix("| `") else {
            continue;
        };
        let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").collect();
        let [name, input, description] = cells[..] else {
            panic!("`{line}` has not three cells");
        };
        let twice = rows.insert(name.trim_end_matches('`'), (input, description));
        assert!(twice.is_none(), "`{name}` is there twice");
    }
    rows
}

fn schemas() -> BTreeMap<String, Value> {
    let described = Value::from_json(&Std::describe()).unwrap();
    let executors = described.get("executors").and_then(Value::as_list);
    let executors = executors.expect("a list of executors");
    let name = |executor: &Value| executor.get("node_type")?.as_str().map(str::to_owned);
    executors
        .iter()
        .map(|executor| (name(executor).expect("a name"), executor.clone()))
        .collect()
}

#[test]
fn the_readme_tells_of_every_executor_what_the_manifest_does() {
    let documented = documented();
    let described: BTreeMap<_, _> = MANIFEST
        .executors
        .iter()
        .map(|executor| (executor.node_type.as_str(), executor.description.as_str()))
        .collect();
    let from_readme: BTreeMap<_, _> = documented
        .iter()
        .map(|(name, (_, description))| (*name, *description))
        .collect();
    assert_eq!(from_readme, described);
}

#[test]
fn the_readme_tells_of_every_field() {
    let documented = documented();
    for (name, schemas) in schemas() {
        let fields = schemas.pointer("/input/properties");
        let fields: BTreeSet<&str> = fields
            .and_then(Value::as_map)
            .expect("fields")
            .iter()
            .map(|field| field.key.as_str())
            .collect();
        let (input, _) = documented[name.as_str()];
        let told: BTreeSet<&str> = input
            .split(", ")
            .filter_map(|field| field.split('`').nth(1))
            .collect();
        assert_eq!(told, fields, "{name}");
    }
}

#[test]
fn every_field_is_described_and_no_other_admitted() {
    for (name, schemas) in schemas() {
        let input = schemas.get("input").expect("a schema");
        assert_eq!(
            input.get("additionalProperties"),
            Some(&Value::Bool(false)),
            "{name}"
        );
        let fields = input.get("properties").and_then(Value::as_map);
        for field in fields.expect("fields") {
            let description = field.value.get("description").and_then(Value::as_str);
            assert!(
                description.is_some_and(|text| text.ends_with('.')),
                "{name}: {}",
                field.key
            );
        }
    }
}

#[test]
fn executors_are_many_idempotent_and_of_their_family() {
    assert_eq!(MANIFEST.name, "std");
    assert!(MANIFEST.stateless);
    assert!(MANIFEST.executors.len() > 60);
    for executor in &MANIFEST.executors {
        let name = &executor.node_type;
        assert_eq!(executor.idempotent, Some(true), "{name}");
        assert_eq!(
            name.split_once('.').map(|(family, _)| family),
            executor.category.as_deref(),
            "{name}"
        );
        assert!(executor.description.ends_with('.'), "{name}");
    }
}
