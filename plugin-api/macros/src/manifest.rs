//! The manifest, from the declaration and the crate's Cargo.toml.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use proc_macro2::Span;
use semver::{Version, VersionReq};
use serde_json::{Map, Value, json};
use syn::{Error, LitBool, LitStr, Result};

use crate::declaration::{Declaration, Dependency, Executor};

/// The version of the boundary that the emitted code is written for; `floe-plugin-api` asserts that
/// it is its own.
pub(crate) const API_VERSION: (u32, u32) = (1, 0);

/// What a package's name begins with, and its plugin's name does not.
const PREFIX: &str = "floe-plugin-";

/// The manifest as JSON, for a build with the panic strategy `panic`.
pub(crate) fn json(declaration: &Declaration, panic: &str) -> Result<String> {
    let executors = &declaration.executors;
    if executors.is_empty() {
        return Err(Error::new(
            declaration.executors_span,
            "a plugin needs at least one executor",
        ));
    }
    unique(executors)?;
    let mut manifest = Map::new();
    let mut set = |key: &str, value: Value| manifest.insert(key.to_owned(), value);
    set("format", json!(1));
    set(
        "floe_api_version",
        json!(format!("{}.{}", API_VERSION.0, API_VERSION.1)),
    );
    set("boundary", json!("abi_stable 0.11"));
    set("panic", json!(panic));
    set("kind", json!(kind(&declaration.kind)?));
    set("name", json!(plugin_name(declaration)?));
    set("version", json!(version(declaration)?));
    let description = match &declaration.description {
        Some(literal) => one_line(&literal.value()),
        None => package("DESCRIPTION").unwrap_or_default(),
    };
    if !description.is_empty() {
        set("description", json!(description));
    }
    if let Some(authors) = package("AUTHORS") {
        set("authors", json!(authors.split(':').collect::<Vec<_>>()));
    }
    for key in ["license", "homepage", "repository"] {
        if let Some(text) = package(&key.to_uppercase()) {
            set(key, json!(text));
        }
    }
    if let Some(literal) = &declaration.weight {
        let weight = literal
            .base10_parse::<u32>()
            .ok()
            .filter(|weight| *weight > 0);
        let weight = weight.ok_or_else(|| {
            let message = "`weight` is a whole number from 1 to 4294967295: what an instance takes of a host's room for instances, by custom in mebibytes";
            Error::new(literal.span(), message)
        })?;
        set("weight", json!(weight));
    }
    if is_set(declaration.stateless.as_ref()) {
        set("stateless", json!(true));
    }
    if !declaration.dependencies.is_empty() {
        let dependencies = declaration.dependencies.iter().map(dependency);
        set("dependencies", dependencies.collect::<Result<Value>>()?);
    }
    let listed = executors
        .iter()
        .map(|each| executor(each, declaration.category.as_ref()));
    set("executors", listed.collect::<Result<Value>>()?);
    Ok(Value::Object(manifest).to_string())
}

fn unique(executors: &[Executor]) -> Result<()> {
    let mut first: HashMap<String, Span> = HashMap::new();
    for executor in executors {
        let node_type = executor.node_type.value();
        if let Some(earlier) = first.insert(node_type.clone(), executor.node_type.span()) {
            let mut error = Error::new(
                executor.node_type.span(),
                format!("the node type `{node_type}` is given twice"),
            );
            error.combine(Error::new(
                earlier,
                format!("the node type `{node_type}` is given here first"),
            ));
            return Err(error);
        }
    }
    Ok(())
}

fn dependency(dependency: &Dependency) -> Result<Value> {
    Ok(json!({
        "kind": kind(&dependency.kind)?,
        "name": name(&dependency.name)?,
        "version": parsed::<VersionReq>(&dependency.version, "a version range such as `^1.2`")?.to_string(),
        "optional": is_set(dependency.optional.as_ref()),
    }))
}

fn executor(executor: &Executor, category: Option<&LitStr>) -> Result<Value> {
    let mut listed = Map::new();
    let mut set = |key: &str, value: Value| listed.insert(key.to_owned(), value);
    set("node_type", json!(node_type(&executor.node_type)?));
    if let Some(literal) = &executor.version {
        set(
            "version",
            json!(parsed::<Version>(literal, "a version such as `1.2.0`")?.to_string()),
        );
    }
    if !executor.description.is_empty() {
        set("description", json!(executor.description));
    }
    let category = executor.category.as_ref().or(category);
    for (key, literal) in [
        ("category", category),
        ("author", executor.author.as_ref()),
        ("icon", executor.icon.as_ref()),
        ("deprecated", executor.deprecated.as_ref()),
    ] {
        if let Some(literal) = literal {
            set(key, json!(not_empty(literal)?));
        }
    }
    if !executor.tags.is_empty() {
        let tags = executor
            .tags
            .iter()
            .map(|tag| not_empty(tag).map(Value::from));
        set("tags", tags.collect::<Result<Value>>()?);
    }
    if is_set(executor.experimental.as_ref()) {
        set("experimental", json!(true));
    }
    // To say that it is not says more than to say nothing.
    if let Some(literal) = &executor.idempotent {
        set("idempotent", json!(literal.value()));
    }
    Ok(Value::Object(listed))
}

fn is_set(literal: Option<&LitBool>) -> bool {
    literal.is_some_and(LitBool::value)
}

fn plugin_name(declaration: &Declaration) -> Result<String> {
    if let Some(literal) = &declaration.name {
        return name(literal);
    }
    let Some(package) = package("NAME") else {
        return Err(Error::new(
            Span::call_site(),
            "the package's name is not known outside cargo; give the plugin a `name: \"…\"`",
        ));
    };
    let short = package.strip_prefix(PREFIX).unwrap_or(&package);
    if is_name(short) {
        Ok(short.to_owned())
    } else {
        Err(Error::new(
            Span::call_site(),
            format!(
                "the package's name gives the plugin name `{short}`, expected {NAME}; give it a `name: \"…\"`"
            ),
        ))
    }
}

fn version(declaration: &Declaration) -> Result<String> {
    if let Some(literal) = &declaration.version {
        return Ok(parsed::<Version>(literal, "a version such as `1.2.0`")?.to_string());
    }
    package("VERSION").ok_or_else(|| {
        Error::new(
            Span::call_site(),
            "the package's version is not known outside cargo; give the plugin a `version: \"…\"`",
        )
    })
}

/// The variables in which cargo gives the fields of the vendor's Cargo.toml that a manifest takes.
pub(crate) const PACKAGE_VARIABLES: [&str; 7] = [
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_DESCRIPTION",
    "CARGO_PKG_AUTHORS",
    "CARGO_PKG_LICENSE",
    "CARGO_PKG_HOMEPAGE",
    "CARGO_PKG_REPOSITORY",
];

/// A field of the Cargo.toml of the crate that is compiled, if it is set.
fn package(field: &str) -> Option<String> {
    let variable = format!("CARGO_PKG_{field}");
    debug_assert!(PACKAGE_VARIABLES.contains(&variable.as_str()));
    let text = one_line(&std::env::var(variable).ok()?);
    (!text.is_empty()).then_some(text)
}

fn parsed<T: FromStr<Err: Display>>(literal: &LitStr, expected: &str) -> Result<T> {
    literal.value().parse().map_err(|error: T::Err| {
        Error::new(
            literal.span(),
            format!("`{}` is not {expected}: {error}", literal.value()),
        )
    })
}

fn not_empty(literal: &LitStr) -> Result<String> {
    let text = literal.value();
    if text.trim().is_empty() {
        return Err(Error::new(
            literal.span(),
            "the text is empty; leave it out",
        ));
    }
    Ok(one_line(&text))
}

/// A text with its line breaks and other runs of white space as single spaces: it will stand in
/// tables.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const NAME: &str = "up to 128 of `a-z`, `0-9`, `-`, `_`, beginning with a letter";

fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(plain)
}

fn name(literal: &LitStr) -> Result<String> {
    let text = literal.value();
    if is_name(&text) {
        Ok(text)
    } else {
        Err(Error::new(
            literal.span(),
            format!("`{text}` is not a plugin name, expected {NAME}"),
        ))
    }
}

fn kind(literal: &LitStr) -> Result<String> {
    let text = literal.value();
    let word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if text.len() <= 64 && text.split('-').all(word) {
        Ok(text)
    } else {
        Err(Error::new(
            literal.span(),
            format!(
                "`{text}` is not a plugin kind, expected lower-case words joined by hyphens such as `alert-channel`, up to 64 characters"
            ),
        ))
    }
}

fn node_type(literal: &LitStr) -> Result<String> {
    let text = literal.value();
    let word = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    if text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.split('.').all(word)
    {
        Ok(text)
    } else {
        Err(Error::new(
            literal.span(),
            format!(
                "`{text}` is not a node type, expected words of letters, digits, `-` and `_` joined by dots, such as `sqlite.query`, up to 128 characters"
            ),
        ))
    }
}
