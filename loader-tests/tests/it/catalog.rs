//! Which build answers to which name.

use std::fs;

use floe_loader_tests::elf::{Elf, manifest};
use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::refusal::Refused;
use floe_loader_tests::scene::{Scene, check_answers, check_unreachable, write};
use floe_plugin_api::{Kind, Value, value};
use floe_registry::{LookupError, Mode, Registry, State};
use proptest::prelude::*;
use semver::{Version, VersionReq};
use serde_json::json;

fn probe(name: &str) -> Library {
    Library::of(Fixture::Probe).named(name)
}

/// The version that answers, by what it says and by what its code says.
#[track_caller]
fn answering(registry: &Registry, reference: &str) -> (String, String) {
    let handle = registry
        .get(reference)
        .unwrap_or_else(|error| panic!("{error}"));
    let tag = handle.call(&Value::Null).unwrap();
    (
        handle.version().to_string(),
        tag.as_str().unwrap().to_owned(),
    )
}

#[test]
fn versions_side_by_side() {
    let scene = Scene::new();
    for (file, version, tag) in [
        ("a", "1.0.0", "v1.0.0.."),
        ("b", "2.0.0", "v2.0.0.."),
        ("c", "1.10.0", "v1.10.0."),
        ("d", "1.9.0", "v1.9.0.."),
        ("e", "3.0.0-rc.1", "v3.rc..."),
    ] {
        scene.install(file, &probe("side").version(version).tag(tag));
    }
    let registry = scene.registry();
    let check = |reference: &str, version: &str, tag: &str| {
        assert_eq!(
            answering(&registry, reference),
            (version.to_owned(), tag.to_owned()),
            "{reference}"
        );
    };
    check("side.tag", "2.0.0", "v2.0.0..");
    check("side.tag@*", "2.0.0", "v2.0.0..");
    check("side.tag@^1", "1.10.0", "v1.10.0.");
    check("side.tag@~1.9", "1.9.0", "v1.9.0..");
    check("side.tag@=1.0.0", "1.0.0", "v1.0.0..");
    check("side.tag@<1.9", "1.0.0", "v1.0.0..");
    check("side.tag@>=1, <2", "1.10.0", "v1.10.0.");
    // A pre-release answers where it is asked for.
    check("side.tag@=3.0.0-rc.1", "3.0.0-rc.1", "v3.rc...");
    let Err(LookupError::NoVersion { versions, .. }) = registry.get("side.tag@^4") else {
        panic!();
    };
    assert_eq!(
        versions,
        ["2.0.0", "1.10.0", "1.9.0", "1.0.0", "3.0.0-rc.1"]
    );
    let states: Vec<_> = registry
        .list()
        .into_iter()
        .filter(|plugin| plugin.name == "side")
        .map(|plugin| {
            (
                plugin.version.to_string(),
                plugin.active,
                plugin.reason.is_some(),
            )
        })
        .collect();
    let others: Vec<_> = states.iter().filter(|state| state.0 != "2.0.0").collect();
    assert!(
        states.contains(&("2.0.0".to_owned(), true, false)),
        "{states:?}"
    );
    assert!(
        others.iter().all(|(_, active, reason)| !active && *reason),
        "{states:?}"
    );
    scene.check_good(&registry);
}

#[test]
fn of_one_version_the_first_in_the_search_path_answers() {
    let scene = Scene::new();
    let first = scene.root().join("first");
    fs::create_dir(&first).unwrap();
    // The file's name does not matter when the directory comes first.
    write(&first.join("z.so"), probe("twin").tag("first-it").bytes());
    scene.install("a", &probe("twin").tag("second-1"));
    scene.install("b", &probe("twin").version("1.0.0+build.7").tag("third---"));
    let both = |paths: [&std::path::Path; 2]| {
        let builder = Registry::builder()
            .store(scene.store())
            .directory(paths[0])
            .directory(paths[1]);
        builder.build().unwrap()
    };
    let plugins = scene.plugins();
    let registry = both([&first, &plugins]);
    assert_eq!(answering(&registry, "twin.tag").1, "first-it");
    let shadowed: Vec<_> = registry
        .list()
        .into_iter()
        .filter(|plugin| plugin.state == State::Shadowed)
        .collect();
    assert_eq!(
        shadowed.len(),
        2,
        "what differs in build metadata is one version"
    );
    for plugin in &shadowed {
        let reason = plugin.reason.as_deref().unwrap();
        assert!(
            reason.contains("first/z.so") && reason.contains("comes first"),
            "{reason}"
        );
    }
    assert_eq!(
        answering(&both([&plugins, &first]), "twin.tag").1,
        "second-1"
    );
    scene.check_good(&registry);
    // When the first is gone, the next answers.
    fs::remove_file(first.join("z.so")).unwrap();
    registry.rescan().unwrap();
    assert_eq!(answering(&registry, "twin.tag").1, "second-1");
}

#[test]
fn kinds_are_part_of_the_identity() {
    let scene = Scene::new();
    scene.install("a", &probe("both").tag("compute-"));
    let other = probe("both").tag("storage-").with_manifest(|manifest| {
        manifest["kind"] = json!("storage");
        for executor in manifest["executors"].as_array_mut().unwrap() {
            let own = executor["node_type"]
                .as_str()
                .unwrap()
                .replace("both.", "stored.");
            executor["node_type"] = json!(own);
        }
    });
    scene.install("b", &other);
    let registry = scene.registry();
    assert_eq!(answering(&registry, "both.tag").1, "compute-");
    assert_eq!(answering(&registry, "stored.tag").1, "storage-");
    let storage = registry.list_by_kind(&Kind::STORAGE);
    assert_eq!(storage.len(), 1);
    assert_eq!(storage[0].id().to_string(), "storage/both");
    assert_eq!(registry.list_by_kind(&Kind::COMPUTE).len(), 2);
    assert!(registry.list_by_kind(&Kind::DBT).is_empty());
}

#[test]
fn a_node_type_that_two_claim_goes_to_the_first() {
    let scene = Scene::new();
    scene.install("a", &probe("first").tag("first---"));
    let claims = probe("second").tag("second--").with_manifest(|manifest| {
        manifest["executors"][1]["node_type"] = json!("first.tag");
    });
    scene.install("b", &claims);
    let registry = scene.registry();
    assert_eq!(answering(&registry, "first.tag").1, "first---");
    // What is not contested is both's own.
    check_answers(&registry, "second");
    let listed = registry.list();
    let second = listed
        .iter()
        .find(|plugin| plugin.name == "second")
        .unwrap();
    let lost: Vec<_> = second
        .executors
        .iter()
        .filter(|executor| executor.shadowed_by.is_some())
        .collect();
    assert_eq!(lost.len(), 1);
    assert_eq!(
        lost[0].shadowed_by.as_ref().unwrap().to_string(),
        "compute/first"
    );
    assert!(second.active);
    // A version range does not reach the loser either.
    assert!(
        registry
            .get("first.tag@=1.0.0")
            .is_ok_and(|handle| handle.plugin().name == "first")
    );

    let error = scene.builder().mode(Mode::Strict).build().unwrap_err();
    assert_eq!(error.rejections().len(), 2);
    let refused = Refused::admit("node-type")
        .found("`first.tag`")
        .expected("one plugin alone")
        .remedy("remove one");
    for rejection in error.rejections() {
        refused.check(rejection);
        assert!(
            rejection.found.contains("compute/first") && rejection.found.contains("compute/second")
        );
    }
}

#[test]
fn a_build_that_never_answers_claims_nothing() {
    let scene = Scene::new();
    // The second build of a version, which is never used, claims what another plugin offers.
    let plugin = |name: &str, node_types: &[&str]| {
        Elf::plugin(manifest("compute", name, "1.0.0", node_types)).build()
    };
    scene.write("a", &plugin("one", &["one.a"]));
    scene.write("b", &plugin("one", &["one.a", "shared.x"]));
    scene.write("c", &plugin("two", &["two.a", "shared.x"]));
    let registry = scene.registry();
    let handle = registry
        .get("shared.x")
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(handle.plugin().name, "two");
}

#[test]
fn lists_by_kind_category_and_tag_and_searches() {
    let scene = Scene::new();
    let registry = scene.registry();
    let names = |found: Vec<floe_registry::ExecutorInfo>| -> Vec<String> {
        found
            .into_iter()
            .map(|executor| executor.node_type)
            .collect()
    };
    assert_eq!(
        names(registry.list_by_tag("plain")),
        ["good.echo", "good.tag"]
    );
    assert_eq!(names(registry.list_by_tag("quiet")), ["good.echo"]);
    assert!(registry.list_by_tag("Quiet").is_empty());
    assert_eq!(
        names(registry.list_by_category("faults")),
        ["good.fail", "good.panic"]
    );
    assert_eq!(registry.list_by_category("probes").len(), 15);
    assert_eq!(registry.executors().len(), 17);
    assert_eq!(names(registry.search("good.echo"))[0], "good.echo");
    assert_eq!(names(registry.search("ECHO")), ["good.echo"]);
    assert_eq!(
        names(registry.search("numbers two")),
        ["good.add"],
        "words, in any order"
    );
    assert_eq!(
        names(registry.search("two letters")),
        Vec::<String>::new(),
        "every word"
    );
    assert_eq!(names(registry.search("two small numbers")), ["good.add"]);
    assert_eq!(registry.search("").len(), 17);
    assert!(registry.search("\u{0}").is_empty());

    let info = registry.metadata("good.add").unwrap();
    assert_eq!(info.version.to_string(), "2.1.0");
    assert_eq!(
        (info.author.as_deref(), info.icon.as_deref()),
        (Some("Ada"), Some("plus"))
    );
    assert_eq!(info.deprecated.as_deref(), Some("count yourself"));
    assert!(info.experimental && info.idempotent.is_none());
    let info = registry.metadata("good.echo").unwrap();
    assert_eq!(info.author.as_deref(), Some("The floe developers"));
    assert!(info.idempotent == Some(true) && info.tags == ["plain", "quiet"]);
}

#[test]
fn an_older_build_that_is_alone_with_a_node_type() {
    let scene = Scene::new();
    let plugin = |version: &str, node_types: &[&str]| {
        Elf::plugin(manifest("compute", "one", version, node_types)).build()
    };
    scene.write("a", &plugin("1.0.0", &["one.a", "one.dropped"]));
    scene.write("b", &plugin("2.0.0", &["one.a"]));
    let registry = scene.registry();
    assert_eq!(
        registry.get("one.a").unwrap().version().to_string(),
        "2.0.0"
    );
    assert_eq!(
        registry.get("one.dropped").unwrap().version().to_string(),
        "1.0.0"
    );
}

/// A file of a random set.
#[derive(Clone, Debug)]
struct File {
    directory: usize,
    name: usize,
    kind: &'static str,
    plugin: &'static str,
    version: &'static str,
    node_types: Vec<&'static str>,
}

const VERSIONS: [&str; 7] = [
    "1.0.0",
    "1.0.0+b",
    "1.2.0",
    "2.0.0-rc.1",
    "2.0.0",
    "2.0.1-a",
    "0.3.1",
];
const NODE_TYPES: [&str; 5] = ["n.a", "n.b", "n.c", "n.d", "n.e"];

fn any_file() -> impl Strategy<Value = File> {
    (
        0..3_usize,
        0..6_usize,
        prop::sample::select(vec!["compute", "storage"]),
        prop::sample::select(vec!["p", "q", "r"]),
        prop::sample::select(VERSIONS.to_vec()),
        prop::sample::subsequence(NODE_TYPES.to_vec(), 1..=3).prop_shuffle(),
    )
        .prop_map(
            |(directory, name, kind, plugin, version, node_types)| File {
                directory,
                name,
                kind,
                plugin,
                version,
                node_types,
            },
        )
}

/// The builds of a set that are used at all, in search-path order: of equal versions the first.
fn used(files: &[File]) -> Vec<&File> {
    let plain = |version: &str| version.split('+').next().map(str::to_owned);
    let mut used: Vec<&File> = Vec::new();
    for file in files {
        let same = |other: &&File| {
            (other.kind, other.plugin) == (file.kind, file.plugin)
                && plain(other.version) == plain(file.version)
        };
        if !used.iter().any(same) {
            used.push(file);
        }
    }
    used
}

/// What answers to a node type in a range, found by looking at every file for it.
fn reference<'a>(
    files: &'a [File],
    node_type: &str,
    range: Option<&VersionReq>,
) -> Option<&'a File> {
    let used = used(files);
    let owner = used
        .iter()
        .find(|file| file.node_types.contains(&node_type))?;
    let mut answers: Vec<(bool, Version, &File)> = used
        .iter()
        .filter(|file| (file.kind, file.plugin) == (owner.kind, owner.plugin))
        .filter(|file| file.node_types.contains(&node_type))
        .map(|file| (file.version.parse::<Version>().unwrap(), *file))
        .filter(|(version, _)| range.is_none_or(|range| range.matches(version)))
        .map(|(version, file)| (version.pre.is_empty(), version, file))
        .collect();
    answers.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    answers.pop().map(|(_, _, file)| file)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn the_catalog_answers_as_the_rules_say(files in prop::collection::vec(any_file(), 1..9)) {
        let scene = Scene::empty();
        let mut builder = Registry::builder().store(scene.store());
        for number in 0..3 {
            let directory = scene.root().join(format!("d{number}"));
            fs::create_dir(&directory).unwrap();
            builder = builder.directory(directory);
        }
        // In search-path order; the later of two of one name has overwritten the earlier.
        let mut kept: Vec<File> = Vec::new();
        for file in files {
            kept.retain(|other| (other.directory, other.name) != (file.directory, file.name));
            kept.push(file);
        }
        kept.sort_by_key(|file| (file.directory, file.name));
        let path = |file: &File| scene.root().join(format!("d{}/f{}.so", file.directory, file.name));
        for file in &kept {
            write(&path(file), &Elf::plugin(manifest(file.kind, file.plugin, file.version, &file.node_types)).build());
        }
        let registry = builder.build().unwrap();
        prop_assert!(registry.rejected().is_empty());
        prop_assert_eq!(registry.list().len(), kept.len());
        for node_type in NODE_TYPES {
            for range in ["", "*", "^1", "<2", ">=2.0.0-a", "=2.0.0-rc.1", "=9"] {
                let (asked, parsed) = if range.is_empty() {
                    (node_type.to_owned(), None)
                } else {
                    (format!("{node_type}@{range}"), Some(range.parse::<VersionReq>().unwrap()))
                };
                let found = registry.get(&asked).ok().map(|handle| {
                    (handle.plugin().to_string(), handle.version().to_string(), handle.node_type().to_owned())
                });
                let expected = reference(&kept, node_type, parsed.as_ref())
                    .map(|file| (format!("{}/{}", file.kind, file.plugin), file.version.to_owned(), node_type.to_owned()));
                prop_assert_eq!(found, expected, "{}", asked);
            }
        }
        // Each executor that answers by default is listed once, and those that do not are not.
        let listed: Vec<String> = registry.executors().into_iter().map(|executor| executor.node_type).collect();
        let expected: Vec<&str> = NODE_TYPES.into_iter().filter(|node_type| reference(&kept, node_type, None).is_some()).collect();
        prop_assert_eq!(listed, expected);
        // What is shadowed says by whom.
        let used: Vec<_> = used(&kept).into_iter().map(path).collect();
        for plugin in registry.list() {
            let is_used = used.contains(plugin.path.as_ref().unwrap());
            prop_assert_eq!(plugin.reason.as_ref().is_some_and(|reason| reason.contains("comes first")), !is_used);
            prop_assert!(!plugin.active || is_used);
        }
    }
}

#[test]
fn a_refused_newer_build_does_not_hide_an_older_one() {
    let scene = Scene::new();
    scene.install("old", &probe("kept").tag("the-old."));
    let newer = probe("kept")
        .version("2.0.0")
        .with_manifest(|manifest| manifest["floe_api_version"] = json!("1.7"));
    let path = scene.install("new", &newer);
    let registry = scene.registry();
    scene.check_refused(&registry, &path, &Refused::admit("floe-api-version"));
    assert_eq!(
        answering(&registry, "kept.tag"),
        ("1.0.0".to_owned(), "the-old.".to_owned())
    );
    check_unreachable(&registry, "kept.new");
    assert_eq!(registry.call("kept.echo", &value!(1)).unwrap(), value!(1));
}
