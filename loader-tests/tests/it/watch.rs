//! Files that come, grow, change and go while a registry watches.

use std::fs;
use std::io::Write;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::{Scene, check_answers, set_mode, write};
use floe_loader_tests::wait::{self, for_event};
use floe_plugin_api::{Value, value};
use floe_registry::{Event, State};

fn probe(name: &str) -> Library {
    Library::of(Fixture::Probe).named(name)
}

/// The name of the plugin of an event that is wanted.
fn admitted(event: &Event) -> Option<String> {
    match event {
        Event::Admitted { build, .. } => Some(build.plugin.name.clone()),
        _ => None,
    }
}

fn removed(event: &Event) -> Option<String> {
    match event {
        Event::Removed { build } => Some(build.plugin.name.clone()),
        _ => None,
    }
}

#[test]
fn a_file_that_is_dropped_in_can_be_called_and_one_that_is_taken_out_cannot() {
    let scene = Scene::new();
    let registry = scene.registry();
    let watch = registry.watch().unwrap();
    let mut events = registry.events();
    scene.install("new", &probe("new"));
    assert_eq!(for_event(&mut events, admitted), "new");
    wait::until(|| registry.has("new.echo"));
    check_answers(&registry, "new");
    fs::remove_file(scene.path("new")).unwrap();
    assert_eq!(for_event(&mut events, removed), "new");
    wait::until(|| !registry.has("new.echo"));
    // Its instance ends with it.
    for_event(&mut events, |event| {
        matches!(event, Event::Retired { .. }).then_some(())
    });
    drop(watch);
    scene.check_good(&registry);
}

#[test]
fn a_file_that_is_replaced_is_another_generation_for_new_calls() {
    let scene = Scene::new();
    let registry = scene.registry();
    let _watch = registry.watch().unwrap();
    let handle = registry.get("good.tag").unwrap();
    handle.call(&Value::Null).unwrap();
    let draft = scene.root().join("draft");
    write(
        &draft,
        probe("good").version("1.1.0").tag("the-new-").bytes(),
    );
    fs::rename(&draft, scene.path("m-good")).unwrap();
    wait::until(|| handle.call(&Value::Null).unwrap() == value!("the-new-"));
    assert_eq!(handle.version().to_string(), "1.1.0");
}

#[test]
fn a_file_that_grows_is_admitted_when_it_is_whole() {
    let scene = Scene::new();
    let registry = scene.registry();
    let _watch = registry.watch().unwrap();
    let mut events = registry.events();
    let library = probe("slow");
    let bytes = library.bytes();
    let path = scene.path("slow");
    let mut file = fs::File::create(&path).unwrap();
    set_mode(&path, 0o644);
    for part in bytes.chunks(bytes.len() / 4 + 1) {
        assert!(!registry.has("slow.echo"));
        file.write_all(part).unwrap();
        if file.metadata().unwrap().len() == bytes.len() as u64 {
            break;
        }
        // Each part is seen, and refused as not whole.
        for_event(&mut events, |event| match event {
            Event::Rejected { rejection } if rejection.path == path => {
                (rejection.check == "incomplete").then_some(())
            }
            _ => None,
        });
    }
    assert_eq!(for_event(&mut events, admitted), "slow");
    wait::until(|| registry.has("slow.echo"));
    check_answers(&registry, "slow");
    assert_eq!(registry.rejected(), []);
}

#[test]
fn a_directory_that_is_deleted_and_made_again() {
    let scene = Scene::new();
    let more = scene.root().join("more");
    fs::create_dir(&more).unwrap();
    let registry = scene.builder().directory(&more).build().unwrap();
    let _watch = registry.watch().unwrap();
    let mut events = registry.events();
    for name in ["one", "two", "three"] {
        write(&more.join("extra.so"), probe(name).bytes());
        assert_eq!(for_event(&mut events, admitted), name);
        wait::until(|| registry.has(&format!("{name}.echo")));
        check_answers(&registry, name);
        fs::remove_dir_all(&more).unwrap();
        assert_eq!(for_event(&mut events, removed), name);
        wait::until(|| registry.rejected().len() == 1);
        fs::create_dir(&more).unwrap();
        wait::until(|| registry.rejected().is_empty());
    }
    scene.check_good(&registry);
}

#[test]
fn a_directory_that_is_replaced_by_another_one() {
    let scene = Scene::new();
    let more = scene.root().join("more");
    fs::create_dir(&more).unwrap();
    write(&more.join("extra.so"), probe("one").bytes());
    let registry = scene.builder().directory(&more).build().unwrap();
    let _watch = registry.watch().unwrap();
    let other = scene.root().join("other");
    fs::create_dir(&other).unwrap();
    write(&other.join("extra.so"), probe("two").bytes());
    fs::rename(&more, scene.root().join("gone")).unwrap();
    fs::rename(&other, &more).unwrap();
    wait::until(|| registry.has("two.echo") && !registry.has("one.echo"));
    // And it is that one which is watched now.
    write(&more.join("more.so"), probe("three").bytes());
    wait::until(|| registry.has("three.echo"));
}

#[test]
fn directories_below_are_watched_too() {
    let scene = Scene::new();
    let registry = scene.registry();
    let _watch = registry.watch().unwrap();
    let below = scene.plugins().join("vendor/one");
    fs::create_dir_all(&below).unwrap();
    write(&below.join("deep.so"), probe("deep").bytes());
    wait::until(|| registry.has("deep.echo"));
    write(&below.join("later.so"), probe("later").bytes());
    wait::until(|| registry.has("later.echo"));
}

#[test]
fn a_watch_that_is_dropped_watches_no_more_and_keeps_nothing() {
    let scene = Scene::new();
    let registry = scene.registry();
    let watch = registry.watch().unwrap();
    scene.install("one", &probe("one"));
    wait::until(|| registry.has("one.echo"));
    drop(watch);
    scene.install("two", &probe("two"));
    assert_eq!(
        registry.rescan().unwrap().added.len(),
        1,
        "it was not found before"
    );
    // One that outlives its registry does no harm.
    let watch = registry.watch().unwrap();
    let mut events = registry.events();
    drop(registry);
    wait::until(|| {
        while events.try_recv().is_some() {}
        events.is_over()
    });
    drop(watch);
}

#[test]
fn a_strict_registry_stays_as_it_was_while_something_is_refused() {
    let scene = Scene::new();
    let registry = scene
        .builder()
        .mode(floe_registry::Mode::Strict)
        .build()
        .unwrap();
    let _watch = registry.watch().unwrap();
    let mut events = registry.events();
    scene.write("bad", b"rubbish");
    for_event(&mut events, |event| {
        matches!(event, Event::Rejected { .. }).then_some(())
    });
    scene.install("new", &probe("new"));
    for_event(&mut events, |event| {
        matches!(event, Event::Admitted { .. }).then_some(())
    });
    assert!(!registry.has("new.echo"));
    scene.check_good(&registry);
    fs::remove_file(scene.path("bad")).unwrap();
    wait::until(|| registry.has("new.echo"));
    let listed = registry.list();
    assert!(listed.iter().all(|plugin| plugin.state != State::HeldBack));
}
