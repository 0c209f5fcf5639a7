//! The manifest that `export_plugin!` writes, and what a hostile one can do to its reader.

use floe_plugin_api::__private::Exported;
use floe_plugin_api::{ApiVersion, Kind, Manifest, ManifestError, PanicStrategy, semver};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::sample::{Sample, operation};

const MANIFEST: &str = <Sample as Exported>::MANIFEST;

fn manifest() -> Manifest {
    Manifest::from_json(MANIFEST.as_bytes()).unwrap()
}

#[test]
fn it_says_what_was_declared() {
    let manifest = manifest();
    assert_eq!(manifest.format, floe_plugin_api::manifest::FORMAT);
    assert_eq!(manifest.floe_api_version, ApiVersion::CURRENT);
    assert_eq!(manifest.boundary, "abi_stable 0.11");
    assert_eq!(manifest.panic, PanicStrategy::Unwind);
    assert_eq!(manifest.kind, Kind::QUALITY);
    assert_eq!(manifest.name, "sample");
    let version = semver::Version::parse("2.3.4-rc.1+build.5").unwrap();
    assert_eq!(manifest.version, version);
    assert_eq!(manifest.description, "Misbehaves: \"as told\", \\ and é.");

    let [vault, feast] = &manifest.dependencies[..] else {
        panic!("{:?}", manifest.dependencies);
    };
    assert_eq!((&vault.kind, &*vault.name), (&Kind::SECRETS, "vault"));
    assert!(vault.version.matches(&semver::Version::new(2, 9, 0)));
    assert!(!vault.version.matches(&semver::Version::new(3, 0, 0)));
    assert!(!vault.optional);
    assert_eq!(feast.kind.as_str(), "feature-store");
    assert!(feast.optional);
}

#[test]
fn the_rest_comes_from_the_cargo_toml() {
    let manifest = manifest();
    assert_eq!(manifest.license.as_deref(), Some(env!("CARGO_PKG_LICENSE")));
    assert_eq!(manifest.authors, [env!("CARGO_PKG_AUTHORS")]);
    assert_eq!(manifest.homepage, None);
}

/// A macro's look at its environment is not seen by the compiler, so that a new licence, say,
/// would not have the library built anew.
#[test]
fn the_build_depends_on_what_was_taken_from_the_cargo_toml() {
    let dependencies = std::env::current_exe().unwrap().with_extension("d");
    let dependencies = std::fs::read_to_string(dependencies).unwrap();
    for field in [
        "NAME",
        "VERSION",
        "DESCRIPTION",
        "AUTHORS",
        "LICENSE",
        "HOMEPAGE",
        "REPOSITORY",
    ] {
        let line = format!("# env-dep:CARGO_PKG_{field}=");
        assert!(dependencies.contains(&line), "no {line}");
    }
}

#[test]
fn a_plugin_says_that_it_keeps_nothing() {
    assert!(manifest().stateless);
}

#[test]
fn executors_say_what_was_declared() {
    let manifest = manifest();
    let node_types: Vec<_> = manifest.executors.iter().map(|e| &*e.node_type).collect();
    assert_eq!(
        node_types,
        [
            "sample.greet",
            "sample.echo",
            "sample.fail",
            "sample.explain",
            "sample.own-error",
            "sample.not_a_number",
            "sample.panic",
            "sample.look",
            "sample.Weigh.v2",
        ]
    );
    assert_eq!(
        manifest.operation("sample.Weigh.v2"),
        Some(operation::WEIGH)
    );
    assert_eq!(manifest.operation("sample.weigh.v2"), None);

    let greet = &manifest.executors[0];
    assert_eq!(greet.version, Some(semver::Version::new(1, 1, 0)));
    assert_eq!(
        greet.description,
        "Greets everybody. As often as it is told to."
    );
    assert_eq!(greet.category.as_deref(), Some("polite"));
    assert_eq!(greet.tags, ["hello", "words"]);
    assert_eq!(greet.author.as_deref(), Some("Ada"));
    assert_eq!(greet.icon.as_deref(), Some("hand"));
    assert_eq!(greet.deprecated, None);
    assert!(greet.idempotent == Some(true) && !greet.experimental);

    let echo = &manifest.executors[1];
    assert_eq!(echo.deprecated.as_deref(), Some("use `sample.greet`"));
    // The plugin's own category is for those that name none.
    assert_eq!(echo.category.as_deref(), Some("tests"));
    assert!(echo.experimental && echo.idempotent.is_none());

    let fail = &manifest.executors[2];
    assert_eq!(fail.version, None);
    assert_eq!(fail.idempotent, Some(false));
    assert!(fail.description.is_empty() && fail.tags.is_empty());
}

#[test]
fn what_is_read_is_written_again() {
    let manifest = manifest();
    let again = serde_json::to_string(&manifest).unwrap();
    assert_eq!(Manifest::from_json(again.as_bytes()), Ok(manifest));
    let original: Json = serde_json::from_str(MANIFEST).unwrap();
    let again: Json = serde_json::from_str(&again).unwrap();
    assert_eq!(again, original);
}

#[cfg(target_os = "linux")]
#[test]
fn it_is_a_note_in_the_file() {
    let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let size = u32::try_from(MANIFEST.len()).unwrap();
    let mut note = Vec::new();
    for number in [5, size, floe_plugin_api::manifest::NOTE_TYPE] {
        note.extend(number.to_ne_bytes());
    }
    note.extend(b"floe\0\0\0\0");
    note.extend(MANIFEST.as_bytes());
    let found = file.windows(note.len()).filter(|bytes| **bytes == note);
    assert_eq!(found.count(), 1);
}

fn described() -> Json {
    serde_json::from_str(&Sample::describe()).unwrap()
}

#[test]
fn the_schemas_are_those_of_the_types() {
    const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
    let described = described();
    let config = &described["config"];
    assert_eq!(config["$schema"], DIALECT);
    assert_eq!(config["title"], "Config");
    assert_eq!(config["description"], "How the sample is to behave.");
    assert_eq!(config["required"], json!(["name"]));
    assert_eq!(config["additionalProperties"], json!(false));
    let weight = &config["properties"]["weight"];
    assert_eq!(weight["description"], "A number that must be small.");
    assert_eq!(
        (&weight["minimum"], &weight["maximum"], &weight["default"]),
        (&json!(0), &json!(255), &json!(0))
    );
    let places = &config["$defs"]["Place"]["oneOf"];
    assert_eq!(places[0]["const"], "start");
    assert_eq!(places[0]["description"], "While it starts.");

    let executors = described["executors"].as_array().unwrap();
    for (executor, declared) in executors.iter().zip(manifest().executors) {
        assert_eq!(executor["node_type"], declared.node_type);
        for side in ["input", "output"] {
            let schema = &executor[side];
            let typed = declared.node_type != "sample.echo";
            assert_eq!(typed, schema.is_object(), "{schema}");
            assert!(!typed || schema["$schema"] == DIALECT, "{schema}");
        }
    }
    assert_eq!(executors.len(), operation::COUNT as usize);

    let greet = &executors[operation::GREET as usize];
    assert_eq!(greet["input"]["required"], json!(["people"]));
    assert_eq!(greet["input"]["properties"]["times"]["default"], json!(1));
    let person = &greet["input"]["$defs"]["Person"];
    assert_eq!(person["description"], "Somebody.");
    assert_eq!(person["required"], json!(["name"]));
    assert_eq!(
        person["properties"]["age"]["type"],
        json!(["integer", "null"])
    );
    // An output is described as it is written.
    assert_eq!(greet["output"]["required"], json!(["lines"]));
    let echo = &executors[operation::ECHO as usize];
    assert_eq!(
        (&echo["input"], &echo["output"]),
        (&json!(true), &json!(true))
    );
}

#[test]
fn no_configuration_is_an_empty_map() {
    let schema = floe_plugin_api::schemars::schema_for!(floe_plugin_api::NoConfig);
    assert_eq!(schema.get("additionalProperties"), Some(&json!(false)));
    assert_eq!(schema.get("properties"), None);
}

/// A change to a valid manifest.
#[derive(Clone, Debug)]
enum Change {
    /// Puts bytes in place of others.
    Splice(usize, usize, Vec<u8>),
    /// Cuts the end off.
    Truncate(usize),
    /// Repeats a part.
    Repeat(usize, usize),
    /// Puts a JSON value in place of another.
    Replace(usize, Json),
}

fn change() -> impl Strategy<Value = Change> {
    let json = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,200}".prop_map(Json::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[[[]]]])),
    ];
    prop_oneof![
        (
            any::<usize>(),
            0..9_usize,
            proptest::collection::vec(any::<u8>(), 0..9)
        )
            .prop_map(|(at, length, bytes)| Change::Splice(at, length, bytes)),
        any::<usize>().prop_map(Change::Truncate),
        (any::<usize>(), 0..300_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        (any::<usize>(), json).prop_map(|(at, json)| Change::Replace(at, json)),
    ]
}

impl Change {
    fn apply(self, mut manifest: Vec<u8>) -> Vec<u8> {
        let size = manifest.len();
        let range = |at: usize, length: usize| {
            let start = at % (size + 1);
            start..size.min(start + length)
        };
        match self {
            Self::Splice(at, length, bytes) => {
                manifest.splice(range(at, length), bytes);
            }
            Self::Truncate(at) => manifest.truncate(range(at, 0).start),
            Self::Repeat(at, length) => {
                let part = manifest[range(at, length)].to_vec();
                manifest.splice(range(at, 0), part);
            }
            Self::Replace(at, json) => {
                if let Ok(mut parsed) = serde_json::from_slice::<Json>(&manifest) {
                    let mut places = Vec::new();
                    walk(&parsed, &mut String::new(), &mut places);
                    let place = &places[at % places.len()];
                    *parsed.pointer_mut(place).unwrap() = json;
                    manifest = parsed.to_string().into_bytes();
                }
            }
        }
        manifest
    }
}

/// The pointers to every value in `json`.
fn walk(json: &Json, at: &mut String, places: &mut Vec<String>) {
    places.push(at.clone());
    let length = at.len();
    let inner: Vec<(String, &Json)> = match json {
        Json::Array(items) => (0..)
            .zip(items)
            .map(|(n, v): (u32, _)| (n.to_string(), v))
            .collect(),
        Json::Object(map) => map
            .iter()
            .map(|(k, v)| (k.replace('~', "~0").replace('/', "~1"), v))
            .collect(),
        _ => Vec::new(),
    };
    for (name, value) in inner {
        at.push('/');
        at.push_str(&name);
        walk(value, at, places);
        at.truncate(length);
    }
}

/// Reads it; where that goes well, every promise of the reader holds.
#[track_caller]
fn read(bytes: &[u8]) {
    match Manifest::from_json(bytes) {
        Ok(manifest) => {
            assert_eq!(manifest.format, 1);
            assert!(!manifest.name.is_empty() && !manifest.executors.is_empty());
            for executor in &manifest.executors {
                let index = manifest.operation(&executor.node_type).unwrap();
                assert_eq!(&manifest.executors[index as usize], executor);
            }
            let again = serde_json::to_vec(&manifest).unwrap();
            assert_eq!(Manifest::from_json(&again), Ok(manifest));
        }
        Err(refused) => {
            let text = refused.to_string();
            assert!(text.starts_with("the manifest"), "{text}");
            if let ManifestError::Field { found, .. } = refused {
                assert!(found.chars().count() <= 80);
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read(&bytes);
    }

    #[test]
    fn arbitrary_text_is_read_or_refused(text in "\\{?(\"(format|name|kind|executors)\":)?.{0,40}\\}?") {
        read(text.as_bytes());
    }

    #[test]
    fn changed_manifests_are_read_or_refused(changes in proptest::collection::vec(change(), 1..4)) {
        let changed = changes.into_iter().fold(MANIFEST.as_bytes().to_vec(), |bytes, change| change.apply(bytes));
        read(&changed);
    }
}

/// What a later version may say is stepped over, however deep it is, without a stack to match.
#[test]
fn depth_is_no_danger() {
    let nested = "[".repeat(300_000) + &"]".repeat(300_000);
    let later = MANIFEST.replacen('{', &format!("{{\"future\":{nested},"), 1);
    assert_eq!(Manifest::from_json(later.as_bytes()), Ok(manifest()));
    let refused = Manifest::from_json(nested.as_bytes()).unwrap_err();
    assert!(
        matches!(refused, ManifestError::Malformed { .. }),
        "{refused}"
    );
}
