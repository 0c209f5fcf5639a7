//! What the README says of the executors is what the manifest says.

use floe_plugin_api::Manifest;
use floe_plugin_api::abi::Exported;

use super::*;

#[test]
fn the_table_of_executors_is_the_manifest() {
    let manifest = Manifest::from_json(Files::MANIFEST.as_bytes()).unwrap();
    let declared: Vec<_> = manifest
        .executors
        .iter()
        .map(|executor| {
            let mark = if executor.idempotent == Some(true) {
                " (idempotent)"
            } else {
                ""
            };
            format!("`{}`{mark}", executor.node_type)
        })
        .collect();
    let (_, section) = include_str!("../../README.md")
        .split_once("## Executors")
        .unwrap();
    let table: Vec<_> = section
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| format!("`{}", row.split(" |").next().unwrap()))
        .collect();
    assert_eq!(table, declared);
    assert_eq!(
        (manifest.kind.as_str(), &*manifest.name),
        ("storage", "file")
    );
}

#[test]
fn the_schemas_are_those_of_the_readme() {
    let schemas = Value::from_json(&Files::describe()).unwrap();
    let fields = schemas.pointer("/config/properties").unwrap();
    let (_, section) = include_str!("../../README.md")
        .split_once("## Configuration")
        .unwrap();
    let mut table: Vec<_> = section
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|row| row.split('`').next())
        .filter(|name| !name.contains('['))
        .collect();
    let mut declared: Vec<_> = fields
        .as_map()
        .unwrap()
        .iter()
        .map(|entry| entry.key.as_str())
        .collect();
    table.sort_unstable();
    declared.sort_unstable();
    assert_eq!(table, declared);
}
