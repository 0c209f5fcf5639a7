//! New builds beside running ones.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::gate::Gate;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::{Scene, write};
use floe_loader_tests::wait::{self, for_event};
use floe_plugin_api::{Value, value};
use floe_registry::{
    CallError, Ending, Event, LookupError, Registry, Scope, Standing, State, UpgradeError,
};

fn probe(version: &str) -> Library {
    Library::of(Fixture::Probe).named("good").version(version)
}

/// Puts a library in the place of the good plugin's file at once.
fn replace(scene: &Scene, library: &Library) -> PathBuf {
    let draft = scene.root().join("draft");
    write(&draft, library.bytes());
    let path = scene.path("m-good");
    fs::rename(&draft, &path).unwrap();
    path
}

fn tag(registry: &Registry) -> Value {
    registry.call("good.tag", &Value::Null).unwrap()
}

#[track_caller]
fn state_of(registry: &Registry, version: &str) -> State {
    let listed = registry.list();
    let plugin = listed
        .iter()
        .find(|plugin| plugin.name == "good" && plugin.version.to_string() == version);
    plugin
        .unwrap_or_else(|| panic!("{version} in {listed:?}"))
        .state
}

/// Threads call by name and by handle while a plugin is upgraded 200 times: no call fails, and
/// none that begins after a publication is answered by a generation before it.
#[test]
fn two_hundred_under_load() {
    const UPGRADES: u64 = 200;
    let scene = Scene::new();
    let numbered = |number: u64| {
        Library::of(Fixture::Probe)
            .named("good")
            .tag(&format!("{number:08}"))
    };
    replace(&scene, &numbered(0));
    let registry = scene.registry();
    assert_eq!(tag(&registry), value!("00000000"));
    let published = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    let calls = AtomicU64::new(0);
    let number = |tag: Value| tag.as_str().unwrap().parse::<u64>().unwrap();
    thread::scope(|scope| {
        // One of them makes its handle anew each time.
        for worker in 0..5 {
            let (registry, published, done, calls) = (&registry, &published, &done, &calls);
            scope.spawn(move || {
                let handle = registry.get("good.tag").unwrap();
                let scoped = handle.scoped(&Scope::new("ada"));
                while !done.load(Ordering::SeqCst) {
                    let before = published.load(Ordering::SeqCst);
                    let tag = match worker {
                        0 | 1 => registry.call("good.tag", &Value::Null),
                        2 => handle.call(&Value::Null),
                        3 => registry.get("good.tag").unwrap().call(&Value::Null),
                        _ => scoped.call(&Value::Null),
                    };
                    let answered = number(tag.expect("no call fails"));
                    assert!(
                        answered >= before,
                        "{answered} answers after {before} was published"
                    );
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // A failure here must end the others too.
        let ends = EndsAll(&done);
        for upgrade in 1..=UPGRADES {
            replace(&scene, &numbered(upgrade));
            let changes = registry.rescan().unwrap();
            assert_eq!(
                (changes.changed.len(), changes.held_back.len()),
                (1, 0),
                "{changes:?}"
            );
            published.store(upgrade, Ordering::SeqCst);
        }
        drop(ends);
    });
    assert!(
        calls.load(Ordering::Relaxed) >= UPGRADES,
        "they called meanwhile"
    );
    assert_eq!(tag(&registry), value!("00000200"));
    // All of the old ones end, and are accounted for.
    wait::until(|| registry.stats().memory.retired_generations == 200);
    let stats = registry.stats();
    assert_eq!(stats.calls.error_count(), 0);
    assert!(
        stats.memory.retired_bytes > 0 && stats.memory.retired_bytes < stats.memory.mapped_bytes
    );
    assert_eq!(registry.list().len(), 1);
}

struct EndsAll<'a>(&'a AtomicBool);

impl Drop for EndsAll<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_call_that_is_inside_ends_on_the_build_that_it_began_on() {
    let scene = Scene::new();
    replace(&scene, &probe("1.0.0").tag("the-old-"));
    let registry = scene.registry();
    let mut events = registry.events();
    let mut gate = Gate::register(&registry, "gate.inside");
    let handle = registry.get("good.call").unwrap();
    let nested = value!({"node_type": "gate.inside"});
    thread::scope(|scope| {
        let inside = scope.spawn(|| handle.call(&nested));
        gate.wait_until_entered();
        replace(&scene, &probe("1.1.0").tag("the-new-"));
        registry.rescan().unwrap();
        let (new, old) = for_event(&mut events, |event| match event {
            Event::Published { build, replaces } => {
                Some((build.version.to_string(), replaces.version.to_string()))
            }
            _ => None,
        });
        assert_eq!((new.as_str(), old.as_str()), ("1.1.0", "1.0.0"));
        assert_eq!(tag(&registry), value!("the-new-"));
        let tag = registry.get("good.tag").unwrap();
        assert_eq!(tag.call(&Value::Null).unwrap(), value!("the-new-"));
        assert_eq!(registry.stats().memory.retired_generations, 0, "it drains");
        gate.open();
        assert_eq!(inside.join().unwrap().unwrap(), value!("through"));
    });
    let why = for_event(&mut events, |event| match event {
        Event::Stopped { why, failure, .. } => Some((*why, failure.clone())),
        _ => None,
    });
    assert_eq!(why, (Ending::Retired, None));
    let (version, bytes) = for_event(&mut events, |event| match event {
        Event::Retired {
            build,
            mapped_bytes,
        } => Some((build.version.to_string(), *mapped_bytes)),
        _ => None,
    });
    assert_eq!(version, "1.0.0");
    assert!(bytes > 0);
    let memory = registry.stats().memory;
    assert_eq!(
        (memory.retired_generations, memory.retired_bytes),
        (1, bytes)
    );
}

#[test]
fn one_that_does_not_start_leaves_the_old_one_and_says_why() {
    let scene = Scene::new();
    replace(&scene, &probe("1.0.0").tag("the-old-"));
    let registry = scene.registry();
    assert_eq!(tag(&registry), value!("the-old-"));
    let handle = registry.get("good.tag").unwrap();
    let mut events = registry.events();
    // A library that is not what its note says is refused when it is loaded.
    let bad = probe("1.1.0").with_note(|note| note["description"] = "another".into());
    replace(&scene, &bad);
    let changes = registry.rescan().unwrap();
    assert_eq!(changes.held_back.len(), 1);
    assert!(
        changes.held_back[0].reason.contains("another manifest"),
        "{changes:?}"
    );
    let (version, active, reason) = for_event(&mut events, |event| match event {
        Event::HeldBack {
            build,
            active,
            reason,
        } => Some((build.version.to_string(), active.clone(), reason.clone())),
        _ => None,
    });
    assert_eq!(
        (version.as_str(), active.unwrap().to_string().as_str()),
        ("1.1.0", "1.0.0")
    );
    assert_eq!(reason, changes.held_back[0].reason);
    assert_eq!(
        (tag(&registry), handle.call(&Value::Null).unwrap()),
        (value!("the-old-"), value!("the-old-"))
    );
    assert_eq!(state_of(&registry, "1.0.0"), State::Ready);
    assert_eq!(state_of(&registry, "1.1.0"), State::HeldBack);
    // It is not tried again while its file is the same ...
    assert!(registry.rescan().unwrap().is_empty());
    assert_eq!(state_of(&registry, "1.1.0"), State::HeldBack);
    registry.cache().clear();
    assert_eq!(
        tag(&registry),
        value!("the-old-"),
        "also when it is started anew"
    );
    // ... and another file in its place is.
    replace(&scene, &probe("1.2.0").tag("the-new-"));
    assert_eq!(registry.rescan().unwrap().held_back, []);
    assert_eq!(tag(&registry), value!("the-new-"));
    assert_eq!(registry.list().len(), 1);
}

#[test]
fn a_configuration_that_the_new_build_does_not_take_leaves_the_old_one() {
    let scene = Scene::new();
    replace(&scene, &probe("1.0.0"));
    let registry = scene
        .builder()
        .config("good", value!({"limit": 9}))
        .build()
        .unwrap();
    assert_eq!(registry.call("good.echo", &value!(1)).unwrap(), value!(1));
    let narrow = Library::of(Fixture::Narrow).named("good").version("1.1.0");
    replace(&scene, &narrow);
    let changes = registry.rescan().unwrap();
    let reason = &changes.held_back[0].reason;
    assert!(
        reason.contains("/limit") && reason.contains('3'),
        "{reason}"
    );
    let configured = registry.call("good.configured", &Value::Null).unwrap();
    assert_eq!(configured.get("limit"), Some(&value!(9)));
    assert_eq!(state_of(&registry, "1.0.0"), State::Ready);
    // One that is not running has nothing to stay: its first call says what does not fit.
    let fresh = scene
        .builder()
        .config("good", value!({"limit": 9}))
        .build()
        .unwrap();
    let error = fresh.call("good.echo", &Value::Null).unwrap_err();
    assert!(matches!(error, CallError::Invalid(_)), "{error:?}");
}

#[test]
fn a_new_version_beside_the_old_file_answers_and_the_old_one_for_its_range() {
    let scene = Scene::new();
    replace(&scene, &probe("1.0.0").tag("the-old-"));
    let registry = scene.registry();
    let newest = registry.get("good.tag").unwrap();
    let old = registry.get("good.tag@^1").unwrap();
    for handle in [&newest, &old] {
        assert_eq!(handle.call(&Value::Null).unwrap(), value!("the-old-"));
    }
    scene.install("good2", &probe("2.0.0").tag("the-new-"));
    assert_eq!(registry.rescan().unwrap().added.len(), 1);
    assert_eq!(newest.call(&Value::Null).unwrap(), value!("the-new-"));
    assert_eq!(newest.version().to_string(), "2.0.0");
    assert_eq!(old.call(&Value::Null).unwrap(), value!("the-old-"));
    assert_eq!(
        (state_of(&registry, "1.0.0"), state_of(&registry, "2.0.0")),
        (State::Ready, State::Ready)
    );
    // It goes again: the other one answers for all.
    fs::remove_file(scene.path("good2")).unwrap();
    registry.rescan().unwrap();
    assert_eq!(newest.call(&Value::Null).unwrap(), value!("the-old-"));
    wait::until(|| registry.stats().memory.retired_generations == 1);
}

#[test]
fn one_that_a_running_plugin_cannot_use_is_held_back() {
    let scene = Scene::new();
    scene.install(
        "needs",
        &Library::of(Fixture::Probe)
            .named("needs")
            .needing("good", "^1"),
    );
    replace(&scene, &probe("1.0.0").tag("the-old-"));
    let registry = scene.registry();
    let through = || {
        registry
            .call("needs.call", &value!({"node_type": "good.tag"}))
            .unwrap()
    };
    assert_eq!(through(), value!("the-old-"));
    replace(&scene, &probe("2.0.0").tag("the-new-"));
    let changes = registry.rescan().unwrap();
    let reason = &changes.held_back[0].reason;
    assert!(
        reason.contains("plugin `needs 1.0.0`, which is running, needs plugin `compute/good` `^1`"),
        "{reason}"
    );
    assert_eq!(
        (through(), tag(&registry)),
        (value!("the-old-"), value!("the-old-"))
    );
    // Beside the one that is needed it does no harm.
    fs::remove_file(scene.path("m-good")).unwrap();
    replace(&scene, &probe("1.0.1").tag("the-same"));
    scene.install("good2", &probe("2.0.0").tag("the-new-"));
    let changes = registry.rescan().unwrap();
    assert_eq!(changes.held_back, []);
    assert_eq!(
        (through(), tag(&registry)),
        (value!("the-same"), value!("the-new-"))
    );
}

#[test]
fn what_is_not_running_is_replaced_without_being_started() {
    let scene = Scene::new();
    replace(&scene, &probe("1.0.0"));
    let registry = scene.registry();
    replace(&scene, &probe("1.1.0"));
    assert_eq!(registry.rescan().unwrap().changed.len(), 1);
    assert_eq!(state_of(&registry, "1.1.0"), State::Admitted);
    assert_eq!(registry.stats().memory.mapped_bytes, 0);
}

#[test]
fn all_for_whom_the_old_one_runs_find_the_new_one_running() {
    let scene = Scene::new();
    replace(&scene, &probe("1.0.0"));
    let registry = scene.registry();
    let counts = registry.get("good.counts").unwrap();
    for name in ["", "ada", "bob"] {
        counts.scoped(&Scope::new(name)).call(&Value::Null).unwrap();
    }
    counts
        .configured(value!({"limit": 5}))
        .call(&Value::Null)
        .unwrap();
    replace(&scene, &probe("1.1.0"));
    registry.rescan().unwrap();
    assert_eq!(registry.cache().list().len(), 4);
    let told = counts
        .scoped(&Scope::new("bob"))
        .call(&Value::Null)
        .unwrap();
    assert_eq!(
        told.get("starts"),
        Some(&value!(4)),
        "it was started before it was called"
    );
}

#[test]
fn rolled_back() {
    let scene = Scene::new();
    replace(&scene, &probe("1.0.0").tag("the-old-"));
    let registry = scene.registry();
    let error = registry.rollback("good").unwrap_err();
    assert!(
        matches!(error, UpgradeError::NothingBefore { .. }),
        "{error}"
    );
    let error = registry.rollback("nobody").unwrap_err();
    assert!(matches!(error, UpgradeError::NotFound { .. }), "{error}");
    let handle = registry.get("good.tag").unwrap();
    handle.call(&Value::Null).unwrap();
    replace(&scene, &probe("1.1.0").tag("the-new-"));
    registry.rescan().unwrap();
    assert_eq!(handle.call(&Value::Null).unwrap(), value!("the-new-"));

    let change = registry.rollback("compute/good").unwrap();
    assert_eq!(change.version.to_string(), "1.0.0");
    assert_eq!(
        (handle.call(&Value::Null).unwrap(), tag(&registry)),
        (value!("the-old-"), value!("the-old-"))
    );
    let listed = registry.list();
    let new = listed
        .iter()
        .find(|plugin| plugin.version.to_string() == "1.1.0")
        .unwrap();
    assert_eq!(new.state, State::HeldBack);
    assert!(
        new.reason
            .as_ref()
            .unwrap()
            .contains("rolled back to version `1.0.0`"),
        "{new:?}"
    );
    // A scan does not bring it again; another file does.
    assert!(registry.rescan().unwrap().is_empty());
    assert_eq!(tag(&registry), value!("the-old-"));
    let error = registry.rollback("good").unwrap_err();
    assert!(
        matches!(error, UpgradeError::NothingBefore { .. }),
        "{error}"
    );
    replace(&scene, &probe("1.2.0").tag("the-next"));
    registry.rescan().unwrap();
    assert_eq!(tag(&registry), value!("the-next"));
    registry.rollback("good").unwrap();
    assert_eq!(tag(&registry), value!("the-old-"));
}

#[test]
fn rolled_back_twice() {
    let scene = Scene::new();
    replace(&scene, &probe("1.0.0").tag("the-1st-"));
    let registry = scene.registry();
    for (version, name) in [("1.1.0", "the-2nd-"), ("1.2.0", "the-3rd-")] {
        tag(&registry);
        replace(&scene, &probe(version).tag(name));
        registry.rescan().unwrap();
    }
    assert_eq!(tag(&registry), value!("the-3rd-"));
    registry.rollback("good").unwrap();
    assert_eq!(tag(&registry), value!("the-2nd-"));
    registry.rollback("good").unwrap();
    assert_eq!(tag(&registry), value!("the-1st-"));
    for _ in 0..3 {
        assert!(registry.rescan().unwrap().is_empty());
        assert_eq!(tag(&registry), value!("the-1st-"));
    }
}

#[test]
fn one_that_cannot_be_rolled_back_to_leaves_the_present_one() {
    let scene = Scene::new();
    let limit = value!({"limit": 9});
    let narrow = Library::of(Fixture::Narrow).named("good").version("1.0.0");
    replace(&scene, &narrow.tag("the-old-"));
    let registry = scene.registry();
    tag(&registry);
    replace(&scene, &probe("1.1.0").tag("the-new-"));
    registry.rescan().unwrap();
    let handle = registry.get("good.tag").unwrap().configured(limit);
    assert_eq!(handle.call(&Value::Null).unwrap(), value!("the-new-"));
    // For one for whom the present one runs, the earlier one does not start.
    let error = registry.rollback("good").unwrap_err();
    assert!(error.to_string().contains("/limit"), "{error}");
    for _ in 0..2 {
        assert_eq!(tag(&registry), value!("the-new-"));
        let held: Vec<String> = registry
            .list()
            .iter()
            .filter(|plugin| plugin.state == State::HeldBack)
            .map(|plugin| plugin.version.to_string())
            .collect();
        assert!(!held.contains(&"1.1.0".to_owned()), "{held:?}");
        registry.rescan().unwrap();
    }
}

#[test]
fn one_whose_successor_has_another_file_name_stays_too() {
    let scene = Scene::empty();
    scene.install("good-1.0", &probe("1.0.0").tag("the-old-"));
    let registry = scene.registry();
    assert_eq!(tag(&registry), value!("the-old-"));
    fs::remove_file(scene.path("good-1.0")).unwrap();
    let bad = probe("1.1.0").with_note(|note| note["description"] = "another".into());
    scene.install("good-1.1", &bad);
    assert_eq!(registry.rescan().unwrap().held_back.len(), 1);
    for _ in 0..3 {
        assert_eq!(tag(&registry), value!("the-old-"));
        registry.rescan().unwrap();
    }
    assert_eq!(state_of(&registry, "1.1.0"), State::HeldBack);
    fs::remove_file(scene.path("good-1.1")).unwrap();
    registry.rescan().unwrap();
    assert!(!registry.has("good.tag"));
}

#[test]
fn a_file_that_is_written_over_in_its_place_ends_nothing() {
    let scene = Scene::new();
    replace(&scene, &probe("1.0.0").tag("the-old-"));
    let registry = scene.registry();
    assert_eq!(tag(&registry), value!("the-old-"));
    let library = probe("1.1.0").tag("the-new-");
    let bytes = library.bytes();
    for length in [0, 100, bytes.len() / 2] {
        write(&scene.path("m-good"), &bytes[..length]);
        let changes = registry.rescan().unwrap();
        assert_eq!(
            (changes.removed.len(), changes.rejected.len()),
            (0, 1),
            "{changes:?}"
        );
        assert_eq!(tag(&registry), value!("the-old-"));
    }
    write(&scene.path("m-good"), bytes);
    registry.rescan().unwrap();
    assert_eq!(tag(&registry), value!("the-new-"));
}

#[test]
fn a_change_that_is_asked_for_from_within_a_change_is_refused() {
    let scene = Scene::new();
    replace(&scene, &probe("1.0.0"));
    let registry = scene
        .builder()
        .config("good", value!({"calls": "host.changes"}))
        .build()
        .unwrap();
    let own = registry.clone();
    let changes = move |_: &Value, _: &floe_plugin_api::CallContext<'_>| {
        let scanned = own.rescan().is_ok_and(|changes| changes.is_empty());
        let busy = matches!(own.rollback("good"), Err(UpgradeError::Busy));
        Ok(value!({"scanned": scanned, "busy": busy}))
    };
    let metadata = floe_plugin_api::ExecutorMetadata::new("host.changes").unwrap();
    registry.register(metadata, changes).unwrap();
    registry.call("good.echo", &Value::Null).unwrap();
    replace(&scene, &probe("1.1.0"));
    assert_eq!(registry.rescan().unwrap().held_back, []);
    let told = registry.call("good.started", &Value::Null).unwrap();
    assert_eq!(told, value!({"ok": {"scanned": true, "busy": true}}));
    registry.unregister("host.changes").unwrap();
}

#[test]
fn rolled_back_with_both_files_there() {
    let scene = Scene::new();
    replace(&scene, &probe("1.0.0").tag("the-old-"));
    let registry = scene.registry();
    tag(&registry);
    scene.install("good2", &probe("2.0.0").tag("the-new-"));
    registry.rescan().unwrap();
    assert_eq!(tag(&registry), value!("the-new-"));
    registry.rollback("good").unwrap();
    assert_eq!(tag(&registry), value!("the-old-"));
    let why = registry.why("good").unwrap();
    assert!(why.candidates.iter().any(|candidate| {
        candidate.build.version.to_string() == "2.0.0"
            && matches!(candidate.standing, Standing::HeldBack { .. })
    }));
    assert!(registry.rescan().unwrap().is_empty());
    assert_eq!(tag(&registry), value!("the-old-"));
}

#[test]
fn configured_otherwise() {
    let scene = Scene::new();
    replace(&scene, &probe("1.0.0"));
    let registry = scene
        .builder()
        .config("good", value!({"limit": 2}))
        .build()
        .unwrap();
    let handle = registry.get("good.configured").unwrap();
    let limit = || handle.call(&Value::Null).unwrap().get("limit").cloned();
    assert_eq!(limit(), Some(value!(2)));
    registry.configure("good", value!({"limit": 5})).unwrap();
    assert_eq!(limit(), Some(value!(5)));
    // What does not fit, and what the plugin does not start with, leaves it as it is.
    let error = registry
        .configure("good", value!({"limit": 50}))
        .unwrap_err();
    assert!(matches!(&error, UpgradeError::Invalid(_)), "{error:?}");
    assert_eq!(limit(), Some(value!(5)));
    let error = registry
        .configure("good", value!({"refuses": "not so"}))
        .unwrap_err();
    assert!(error.to_string().contains("not so"), "{error}");
    assert_eq!(limit(), Some(value!(5)));
    assert_eq!(registry.list().len(), 1, "no build was refused");
    // A later build is configured as the last that was taken.
    replace(&scene, &probe("1.1.0"));
    registry.rescan().unwrap();
    assert_eq!(handle.version().to_string(), "1.1.0");
    assert_eq!(limit(), Some(value!(5)));
}

#[test]
fn removed_while_it_starts() {
    let scene = Scene::new();
    let go = scene.root().join("go");
    let config = value!({"waits_in": "start", "waits_for": go.to_str().unwrap()});
    let diary = scene.root().join("diary");
    scene.install("slow", &Library::of(Fixture::Probe).named("slow"));
    let registry = scene
        .builder()
        .config("slow", config)
        .config("good", value!({"diary": diary.to_str().unwrap()}))
        .build()
        .unwrap();
    let mut events = registry.events();
    thread::scope(|scope| {
        let by_name = scope.spawn(|| registry.call("slow.echo", &value!(1)));
        let held = registry.get("slow.echo").unwrap();
        let loaded = |event: &Event| matches!(event, Event::Loaded { .. }).then_some(());
        for_event(&mut events, loaded);
        fs::remove_file(scene.path("slow")).unwrap();
        assert_eq!(registry.rescan().unwrap().removed.len(), 1);
        assert!(!registry.has("slow.echo"));
        fs::write(&go, "").unwrap();
        // A handle to it keeps it: the call has its answer.
        assert_eq!(by_name.join().unwrap().unwrap(), value!(1));
        assert_eq!(held.call(&value!(2)).unwrap(), value!(2));
        drop(held);
        let ended = |event: &Event| matches!(event, Event::Retired { .. }).then_some(());
        for_event(&mut events, ended);
    });
    // Without one, a call that comes too late is told that nothing answers.
    fs::remove_file(&go).unwrap();
    scene.install("slow", &Library::of(Fixture::Probe).named("slow"));
    registry.rescan().unwrap();
    thread::scope(|scope| {
        let by_name = scope.spawn(|| registry.call("slow.echo", &value!(1)));
        let loaded = |event: &Event| matches!(event, Event::Loaded { .. }).then_some(());
        for_event(&mut events, loaded);
        fs::remove_file(scene.path("slow")).unwrap();
        registry.rescan().unwrap();
        fs::write(&go, "").unwrap();
        let error = by_name.join().unwrap().unwrap_err();
        let CallError::Lookup(error) = error else {
            panic!("{error:?}");
        };
        assert!(matches!(*error, LookupError::NotFound { .. }), "{error}");
    });
    // What it had started is stopped all the same.
    let ended = |event: &Event| matches!(event, Event::Retired { .. }).then_some(());
    for_event(&mut events, ended);
    scene.check_good(&registry);
}
