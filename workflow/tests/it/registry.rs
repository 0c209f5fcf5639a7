//! A registry as what a validator checks against.

use floe_registry::Registry;
use floe_registry::api::{ExecutorMetadata, Value};
use floe_workflow::{Document, Executors, Format, Limits, Unresolved, Validator};
use semver::Version;

/// A registry of `math.double` 1.2.0, a function of this program.
fn registry() -> Registry {
    let registry = Registry::builder().build().unwrap();
    let mut metadata = ExecutorMetadata::new("math.double").unwrap();
    metadata.version = Some(Version::new(1, 2, 0));
    registry.register(metadata, |_, _| Ok(Value::Null)).unwrap();
    registry
}

#[test]
fn what_answers_is_found_with_its_version() {
    let registry = registry();
    let facts = registry.resolve("math.double@^1").unwrap();
    assert_eq!(facts.node_type, "math.double");
    assert_eq!(facts.version, Version::new(1, 2, 0));
    assert_eq!(facts.undescribed, None);
    assert_eq!(registry.authorize("acme", "math.double"), Ok(()));
}

#[test]
fn what_does_not_answer_is_told_apart() {
    let registry = registry();
    let node_type = "math.duble".to_owned();
    assert_eq!(
        registry.resolve("math.duble"),
        Err(Unresolved::Unknown { node_type })
    );
    assert_eq!(
        registry.nearest("math.duble").as_deref(),
        Some("math.double")
    );
    assert_eq!(registry.nearest("zip"), None);
    let no_version = Unresolved::NoVersion {
        reference: "math.double@^2".to_owned(),
        versions: vec!["1.2.0".to_owned()],
    };
    assert_eq!(registry.resolve("math.double@^2"), Err(no_version));
    assert!(matches!(
        registry.resolve("math.double@new"),
        Err(Unresolved::Malformed(_))
    ));
}

#[test]
fn a_validator_asks_it_anew_each_time() {
    let registry = registry();
    let validator = Validator::new(&registry);
    let text = "id: w\nnodes: [{ id: a, node_type: math.double }]\n";
    let document = Document::read(text, Format::Yaml, &Limits::default()).unwrap();
    assert_eq!(validator.check(&document).to_string(), "");
    registry.unregister("math.double").unwrap();
    assert_eq!(
        validator.check(&document).to_string(),
        "line 2, column 29: error in node `a` at `/nodes/0/node_type`: no plugin offers the node type `math.double`; install one in the search path and scan again"
    );
}
