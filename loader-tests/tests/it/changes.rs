//! What a second scan tells.

use std::fs;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::{Scene, check_answers};
use floe_plugin_api::{Value, value};
use floe_registry::{Change, State};

fn probe(name: &str) -> Library {
    Library::of(Fixture::Probe).named(name)
}

fn names(changes: &[Change]) -> Vec<String> {
    changes
        .iter()
        .map(|change| format!("{} {}", change.plugin.name, change.version))
        .collect()
}

#[test]
fn what_came_went_and_changed() {
    let scene = Scene::new();
    for name in ["stays", "goes", "changes", "breaks", "moves"] {
        scene.install(name, &probe(name));
    }
    let registry = scene.registry();
    for name in ["stays", "goes", "changes", "breaks", "moves"] {
        check_answers(&registry, name);
    }
    let quiet = registry.rescan().unwrap();
    assert!(quiet.is_empty() && quiet.rejected.is_empty(), "{quiet:?}");

    let gone = registry.get("goes.echo").unwrap();
    fs::remove_file(scene.path("goes")).unwrap();
    fs::remove_file(scene.path("changes")).unwrap();
    scene.install("changes", &probe("changes").version("1.1.0"));
    scene.write("breaks", b"rubbish");
    fs::rename(scene.path("moves"), scene.path("moved")).unwrap();
    scene.install("comes", &probe("comes"));
    let changes = registry.rescan().unwrap();
    assert_eq!(names(&changes.added), ["comes 1.0.0", "moves 1.0.0"]);
    assert_eq!(names(&changes.changed), ["changes 1.1.0"]);
    assert_eq!(
        names(&changes.removed),
        ["breaks 1.0.0", "goes 1.0.0", "moves 1.0.0"]
    );
    assert_eq!(changes.rejected.len(), 1);
    assert_eq!(changes.rejected[0].path, scene.path("breaks"));
    assert!(!changes.is_empty());

    // What was not touched keeps its instance; what is gone answers to who holds it.
    let counts = registry.call("stays.counts", &Value::Null).unwrap();
    assert_eq!(counts.get("starts"), Some(&value!(1)));
    let states: Vec<_> = registry
        .list()
        .into_iter()
        .map(|plugin| (plugin.name, plugin.state))
        .collect();
    assert!(
        states.contains(&("stays".to_owned(), State::Ready)),
        "{states:?}"
    );
    assert!(
        states.contains(&("changes".to_owned(), State::Ready)),
        "{states:?}"
    );
    assert_eq!(gone.call(&value!(5)).unwrap(), value!(5));
    for name in ["stays", "changes", "moves", "comes"] {
        check_answers(&registry, name);
    }
    scene.check_good(&registry);
    assert!(registry.rescan().unwrap().is_empty());
}

#[test]
fn a_file_that_was_only_touched_is_told_and_works() {
    let scene = Scene::new();
    let registry = scene.registry();
    scene.check_good(&registry);
    let path = scene.path("m-good");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    assert_eq!(names(&registry.rescan().unwrap().changed), ["good 1.0.0"]);
    scene.check_good(&registry);
}

#[test]
fn a_directory_that_appears_and_disappears() {
    let scene = Scene::new();
    let more = scene.root().join("more");
    let registry = scene.builder().directory(&more).build().unwrap();
    assert_eq!(registry.rejected().len(), 1);
    fs::create_dir(&more).unwrap();
    floe_loader_tests::scene::write(&more.join("extra.so"), probe("extra").bytes());
    let changes = registry.rescan().unwrap();
    assert_eq!(
        (names(&changes.added), changes.rejected.len()),
        (vec!["extra 1.0.0".to_owned()], 0)
    );
    check_answers(&registry, "extra");
    fs::remove_dir_all(&more).unwrap();
    let changes = registry.rescan().unwrap();
    assert_eq!(
        (names(&changes.removed), changes.rejected.len()),
        (vec!["extra 1.0.0".to_owned()], 1)
    );
    scene.check_good(&registry);
}
