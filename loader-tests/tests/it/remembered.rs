//! What a plugin said of its schemas is remembered by its content, so that nothing needs to run to
//! tell it again.

use std::fs;
use std::path::PathBuf;

use floe_loader_tests::child::Host;
use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::{Scene, check_answers, set_mode, write};
use floe_loader_tests::vouch::digest;
use floe_plugin_api::{Value, value};
use floe_registry::{CallError, Event, Received, Registry};

/// A scene in which another process has described a plugin.
struct Described {
    scene: Scene,
    library: Library,
    file: PathBuf,
}

impl Described {
    fn new() -> Self {
        let scene = Scene::new();
        // What it says of itself is compiled in, so it keeps its name.
        let library = Library::of(Fixture::Probe);
        scene.install("probe", &library);
        let told = Host::new(crate::HOST, &scene)
            .command("describe:probe.echo")
            .run()
            .good();
        assert_eq!(told, ["describe:probe.echo = 17"]);
        let name = format!("{}.json", digest(library.bytes()));
        let file = scene.store().join("state/schemas").join(name);
        assert!(file.exists());
        Self {
            scene,
            library,
            file,
        }
    }

    /// Whether a registry had to map the plugin to validate its inputs.
    #[track_caller]
    fn maps(&self) -> bool {
        let registry = self.scene.registry();
        let mut events = registry.events();
        check_validates(&registry);
        let mut is_loaded = false;
        while let Some(Received::Event(_, event)) = events.try_recv() {
            is_loaded |= matches!(*event, Event::Loaded { .. });
        }
        let listed = registry.list();
        let plugin = listed.iter().find(|plugin| plugin.name == "probe").unwrap();
        assert_eq!(plugin.digest.is_some(), is_loaded);
        check_answers(&registry, "probe");
        self.scene.check_good(&registry);
        is_loaded
    }
}

#[track_caller]
fn check_validates(registry: &Registry) {
    let add = registry.get("probe.add").unwrap();
    add.validate(&value!({"a": 1, "b": 2})).unwrap();
    for input in [value!({"a": 1, "b": 11}), value!({"a": 1}), Value::Null] {
        match add.validate(&input) {
            Err(CallError::Invalid(_)) => {}
            other => panic!("expected what does not fit, found {other:?}"),
        }
    }
}

#[test]
fn another_process_validates_without_mapping_anything() {
    let described = Described::new();
    let copies = described.scene.store().join("objects");
    let copies = format!("mapped:{}", copies.display());
    let told = Host::new(crate::HOST, &described.scene)
        .command("validate:probe.add")
        .command("validate:probe.echo")
        .command("describe:probe.add")
        .command("list")
        .command(&copies)
        .command("call:probe.echo")
        .command(&copies)
        .run()
        .good();
    assert!(told[0].contains("does not fit"), "{told:?}");
    assert_eq!(told[1], "validate:probe.echo = valid");
    assert_eq!(told[2], "describe:probe.add = 17");
    assert_eq!(told[3], "list = good admitted, probe admitted");
    assert!(told[4].ends_with(" = false"), "{told:?}");
    assert_eq!(told[5], "call:probe.echo = null");
    assert!(told[6].ends_with(" = true"), "{told:?}");
    assert!(!described.maps());
}

#[test]
fn it_goes_by_the_content() {
    let described = Described::new();
    let other = Library::of(Fixture::Probe);
    described.scene.install("probe", &other);
    assert!(described.maps(), "another content says for itself");
    assert!(!described.maps(), "once");
    // And the first one is still known.
    described.scene.install("probe", &described.library);
    assert!(!described.maps());
}

#[test]
fn what_is_remembered_may_be_lost() {
    let described = Described::new();
    fs::remove_file(&described.file).unwrap();
    assert!(described.maps());
    assert!(described.file.exists());
    for damaged in [&b""[..], b"{", b"[1, 2]", &[0xff; 40]] {
        write(&described.file, damaged);
        assert!(described.maps(), "{}", damaged.escape_ascii());
    }
}

#[test]
fn what_others_may_have_written_is_not_believed() {
    let described = Described::new();
    // Whatever fits, by the word of somebody.
    let said = fs::read_to_string(&described.file).unwrap();
    let laxer = said.replace("\"maximum\":10", "\"maximum\":99");
    assert_ne!(said, laxer);
    write(&described.file, laxer.as_bytes());
    let state = described.scene.store().join("state");
    set_mode(&state, 0o777);
    assert!(described.maps());
}
