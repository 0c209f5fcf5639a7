//! Plugins that need others.

use std::fs;
use std::path::Path;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_plugin_api::{ErrorKind, Value, value};
use floe_registry::{
    CallError, DependencyError, Registry, StartOptions, StartOutcome, StartReport,
};

fn probe(name: &str) -> Library {
    Library::of(Fixture::Probe).named(name)
}

#[track_caller]
fn refused(registry: &Registry, node_type: &str) -> DependencyError {
    let error = registry.call(node_type, &Value::Null).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DependencyNotLoaded, "{error}");
    match error {
        CallError::Dependency(error) => *error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_missing_is_missing() {
    let scene = Scene::new();
    scene.install("a", &probe("a").needing("b", "^1.2"));
    let registry = scene.registry();
    let error = refused(&registry, "a.echo");
    assert!(
        matches!(&error, DependencyError::Missing { .. }),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "plugin `a 1.0.0` needs plugin `compute/b` `^1.2`, which is not there; install it in the search path"
    );
    let listed = registry.list();
    let plugin = listed.iter().find(|plugin| plugin.name == "a").unwrap();
    assert_eq!(plugin.reason.as_deref(), Some(error.to_string().as_str()));
    scene.check_good(&registry);
}

#[test]
fn what_is_of_another_version_is_incompatible() {
    let scene = Scene::new();
    scene.install("a", &probe("a").needing("b", "^1.2"));
    scene.install("b1", &probe("b").version("1.1.9"));
    scene.install("b2", &probe("b").version("2.0.0"));
    let registry = scene.registry();
    let error = refused(&registry, "a.echo");
    let DependencyError::Incompatible {
        versions, range, ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(range.to_string(), "^1.2");
    let mut versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
    versions.sort();
    assert_eq!(versions, ["1.1.9", "2.0.0"]);
    assert!(
        error
            .to_string()
            .contains("needs plugin `compute/b` `^1.2`"),
        "{error}"
    );
    // Of another kind is another plugin.
    let other = Scene::new();
    other.install("a", &probe("a").needing("b", "*"));
    let storage = probe("b").with_manifest(|manifest| manifest["kind"] = "storage".into());
    other.install("b", &storage);
    let error = refused(&other.registry(), "a.echo");
    assert!(
        matches!(&error, DependencyError::Missing { .. }),
        "{error:?}"
    );
}

#[test]
fn what_is_optional_may_be_absent_or_of_another_version() {
    let scene = Scene::new();
    scene.install("a", &probe("a").wanting("b", "^1"));
    let registry = scene.registry();
    assert_eq!(registry.call("a.echo", &value!(1)).unwrap(), value!(1));
    scene.install("b", &probe("b").version("2.0.0"));
    registry.rescan().unwrap();
    registry.cache().clear();
    assert_eq!(registry.call("a.echo", &value!(2)).unwrap(), value!(2));
    let why = registry.why("a").unwrap();
    assert_eq!(why.candidates[0].dependencies[0].outcome, "incompatible");
    // One that is there and does not start is done without too.
    scene.install("b", &probe("b").version("1.0.0"));
    let config = value!({"refuses": "no"});
    let registry = scene.builder().config("b", config).build().unwrap();
    assert_eq!(registry.call("a.echo", &value!(3)).unwrap(), value!(3));
}

#[test]
fn a_circle_is_spelled_out() {
    let scene = Scene::new();
    scene.install("a", &probe("a").needing("b", "*"));
    scene.install("b", &probe("b").needing("c", "*"));
    scene.install("c", &probe("c").needing("a", "*"));
    scene.install("d", &probe("d").needing("a", "*"));
    let registry = scene.registry();
    for (node_type, circle) in [
        ("a.echo", "a → b → c → a"),
        ("b.echo", "b → c → a → b"),
        ("d.echo", "a → b → c → a"),
    ] {
        let error = refused(&registry, node_type);
        assert!(matches!(&error, DependencyError::Cycle { .. }), "{error:?}");
        assert!(error.to_string().contains(circle), "{error}");
    }
    let report = registry.start(StartOptions::new());
    assert!(!report.is_complete());
    for plugin in report.plugins() {
        let name = plugin.build.plugin.name.as_str();
        match (&plugin.outcome, name) {
            (StartOutcome::Started, "good") => {}
            (StartOutcome::Failed { error }, "a" | "b" | "c") => {
                assert!(error.to_string().contains("in a circle"), "{error}");
            }
            (StartOutcome::Skipped { .. } | StartOutcome::Failed { .. }, "d") => {}
            other => panic!("{other:?}"),
        }
    }
    scene.check_good(&registry);
}

/// A diamond of plugins over a base, each of which writes when it starts and stops.
fn diamond(scene: &Scene, diary: &Path) -> floe_registry::RegistryBuilder {
    scene.install(
        "top",
        &probe("top").needing("left", "^1").needing("right", "^1"),
    );
    scene.install("left", &probe("left").needing("base", "^1"));
    scene.install("right", &probe("right").needing("base", "^1"));
    scene.install("base", &probe("base"));
    let mut builder = scene.builder();
    for name in ["top", "left", "right", "base"] {
        let config = value!({"diary": diary.to_str().unwrap(), "diarist": name});
        builder = builder.config(name, config);
    }
    builder
}

fn entries(diary: &Path, what: &str) -> Vec<String> {
    let text = fs::read_to_string(diary).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.strip_prefix(what));
    lines.map(|name| name.trim().to_owned()).collect()
}

#[test]
fn the_first_call_starts_what_is_needed_before_and_the_end_stops_it_after() {
    let scene = Scene::new();
    let diary = scene.root().join("diary");
    let registry = diamond(&scene, &diary).build().unwrap();
    registry.call("top.echo", &Value::Null).unwrap();
    let started = entries(&diary, "start");
    assert_eq!(started, ["base", "left", "right", "top"]);
    let stopped = registry.stop();
    assert!(stopped.iter().all(|instance| instance.ended));
    let mut reverse = started.clone();
    reverse.reverse();
    assert_eq!(entries(&diary, "stop"), reverse);
    // Again, and the end of the registry does the same.
    fs::remove_file(&diary).unwrap();
    registry.call("top.echo", &Value::Null).unwrap();
    drop(registry);
    assert_eq!(entries(&diary, "stop"), reverse);
}

#[test]
fn what_was_started_again_is_stopped_after_what_needs_it_all_the_same() {
    let scene = Scene::new();
    let diary = scene.root().join("diary");
    let registry = diamond(&scene, &diary).build().unwrap();
    registry.call("top.echo", &Value::Null).unwrap();
    assert_eq!(registry.cache().invalidate("base"), 1);
    registry.call("base.echo", &Value::Null).unwrap();
    floe_loader_tests::wait::until(|| entries(&diary, "stop") == ["base"]);
    registry.stop();
    assert_eq!(
        entries(&diary, "stop"),
        ["base", "top", "right", "left", "base"]
    );
}

fn waves(report: &StartReport) -> Vec<Vec<String>> {
    let name = |plugin: &floe_registry::PluginStart| plugin.build.plugin.name.clone();
    let wave = |wave: &Vec<_>| {
        let mut names: Vec<String> = wave.iter().map(name).collect();
        names.sort();
        names
    };
    report.waves.iter().map(wave).collect()
}

#[test]
fn all_are_started_in_waves() {
    let scene = Scene::new();
    let diary = scene.root().join("diary");
    let registry = diamond(&scene, &diary).build().unwrap();
    let report = registry.start(StartOptions::new());
    assert!(report.is_complete());
    assert_eq!(
        waves(&report),
        [vec!["base", "good"], vec!["left", "right"], vec!["top"]]
    );
    for plugin in report.plugins() {
        assert!(
            matches!(plugin.outcome, StartOutcome::Started),
            "{plugin:?}"
        );
        assert!(
            plugin.load.is_some() && plugin.start.is_some(),
            "{plugin:?}"
        );
    }
    let again = registry.start(StartOptions::new().parallel(1));
    assert!(
        again
            .plugins()
            .all(|plugin| matches!(plugin.outcome, StartOutcome::Running))
    );
    assert_eq!(entries(&diary, "start").len(), 4);
}

#[test]
fn one_by_one_is_the_order_of_the_search_path_within_a_wave() {
    let scene = Scene::new();
    let diary = scene.root().join("diary");
    let registry = diamond(&scene, &diary).build().unwrap();
    assert!(
        registry
            .start(StartOptions::new().parallel(1))
            .is_complete()
    );
    assert_eq!(entries(&diary, "start"), ["base", "left", "right", "top"]);
}

#[test]
fn what_needs_a_failed_plugin_is_not_started_and_says_because_of_whom() {
    let scene = Scene::new();
    let diary = scene.root().join("diary");
    let registry = diamond(&scene, &diary)
        .config("base", value!({"refuses": "the disk is full"}))
        .build()
        .unwrap();
    let report = registry.start(StartOptions::new());
    for plugin in report.plugins() {
        match (&plugin.outcome, plugin.build.plugin.name.as_str()) {
            (StartOutcome::Started, "good") => {}
            (StartOutcome::Failed { error }, "base") => {
                assert!(error.with_causes().contains("the disk is full"), "{error}");
            }
            (StartOutcome::Skipped { because_of }, "left" | "right" | "top") => {
                assert_eq!(because_of, "base 1.0.0");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(entries(&diary, "start"), [""; 0]);
    // And so says a call, whatever lies between.
    let error = refused(&registry, "top.echo");
    let DependencyError::Failed {
        plugin,
        because_of,
        source,
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(
        (plugin.as_str(), because_of.as_str()),
        ("top 1.0.0", "base 1.0.0")
    );
    assert!(
        source.with_causes().contains("the disk is full"),
        "{source}"
    );
    scene.check_good(&registry);
}

#[test]
fn to_fail_fast_is_to_begin_no_other_start() {
    let scene = Scene::new();
    let diary = scene.root().join("diary");
    let registry = diamond(&scene, &diary)
        .config("base", value!({"refuses": "no"}))
        .build()
        .unwrap();
    let report = registry.start(StartOptions::new().parallel(1).fail_fast());
    let outcome = |name: &str| {
        let mut plugins = report.plugins();
        let plugin = plugins.find(|plugin| plugin.build.plugin.name == name);
        &plugin.unwrap().outcome
    };
    assert!(matches!(outcome("base"), StartOutcome::Failed { .. }));
    // In the same wave, and after it.
    assert!(
        matches!(outcome("good"), StartOutcome::Skipped { because_of } if because_of == "base 1.0.0"),
        "{report:?}"
    );
    assert_eq!(report.plugins().count(), 5);
}

#[test]
fn a_plugin_calls_only_what_it_declares() {
    let scene = Scene::new();
    scene.install("a", &probe("a").needing("b", "^1"));
    for name in ["b", "c"] {
        scene.install(name, &probe(name));
    }
    let registry = scene.registry();
    let attempt = |node_type: &str| {
        let input = value!({"node_type": node_type, "input": 7});
        registry.call("a.attempt", &input).unwrap()
    };
    assert_eq!(attempt("b.echo"), value!({"ok": 7}));
    assert_eq!(attempt("b.echo@^1"), value!({"ok": 7}));
    assert_eq!(attempt("a.echo"), value!({"ok": 7}), "its own are its own");
    let refused = attempt("c.echo");
    assert_eq!(refused.get("kind"), Some(&value!("dependency-not-loaded")));
    let error = refused.get("error").and_then(Value::as_str).unwrap();
    assert!(
        error.contains(
            "plugin `a 1.0.0` calls `c.echo` of plugin `compute/c`, which it does not declare"
        ),
        "{error}"
    );
    assert!(
        error.contains(r#"{ kind: "compute", name: "c", version: "^1.0.0" }"#),
        "{error}"
    );
    let nobody = attempt("nobody.echo");
    assert_eq!(nobody.get("kind"), Some(&value!("node-type-not-found")));
    // The host itself may call what it likes.
    assert_eq!(registry.call("c.echo", &value!(1)).unwrap(), value!(1));
}

#[test]
fn what_a_plugin_calls_is_of_the_version_that_it_declares() {
    let scene = Scene::new();
    scene.install("a", &probe("a").needing("b", "^1"));
    scene.install("b1", &probe("b").version("1.4.0").tag("the-old-"));
    scene.install("b2", &probe("b").version("2.0.0").tag("the-new-"));
    let registry = scene.registry();
    let tag = registry
        .call("a.call", &value!({"node_type": "b.tag"}))
        .unwrap();
    assert_eq!(tag, value!("the-old-"));
    assert_eq!(
        registry.call("b.tag", &Value::Null).unwrap(),
        value!("the-new-")
    );
    let newer = value!({"node_type": "b.tag@^2"});
    let error = registry.call("a.call", &newer).unwrap_err();
    assert!(
        error.to_string().contains("needs plugin `compute/b` `^1`"),
        "{error}"
    );
}
