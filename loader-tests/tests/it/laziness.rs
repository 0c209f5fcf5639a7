//! No byte of a plugin runs before something needs to call it.

use std::fs;

use floe_loader_tests::child::Host;
use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;

/// A scene with the plugin whose constructor tells that it ran, and the file where it does so.
fn scene() -> (Scene, std::path::PathBuf) {
    let scene = Scene::new();
    scene.install("constructor", &Library::of(Fixture::Constructor));
    let witness = scene.root().join("witness");
    (scene, witness)
}

fn host(scene: &Scene, witness: &std::path::Path) -> Host {
    Host::new(crate::HOST, scene).env("FLOE_FIXTURE_WITNESS", witness)
}

#[test]
fn nothing_but_a_call_a_load_or_the_first_description_runs_code() {
    let (scene, witness) = scene();
    let inspect = format!("inspect:{}", scene.path("constructor").display());
    let told = host(&scene, &witness)
        .command("list")
        .command("rejected")
        .command("search:constructed")
        .command("has:constructor.answer")
        .command("get:constructor.answer@^0.1")
        .command("metadata:constructor.answer")
        .command(inspect.as_str())
        .command("rescan")
        .command(inspect.as_str())
        .command("call:good.echo")
        .command("list")
        .run()
        .good();
    assert_eq!(told[0], "list = constructor admitted, good admitted");
    assert_eq!(told[2], "search:constructed = 1");
    assert_eq!(told[3], "has:constructor.answer = true");
    assert_eq!(told[5], "metadata:constructor.answer = Answers.");
    assert!(told[6].len() > inspect.len() + 64, "{}", told[6]);
    assert_eq!(told[10], "list = constructor admitted, good ready");
    assert!(!witness.exists(), "its code ran");

    let told = host(&scene, &witness)
        .command("call:constructor.answer")
        .run()
        .good();
    assert_eq!(told[0], "call:constructor.answer = \"here\"");
    assert_eq!(
        fs::read_to_string(&witness).unwrap(),
        "constructed\nstarted\n"
    );
}

#[test]
fn a_load_maps_and_does_not_start() {
    let (scene, witness) = scene();
    let told = host(&scene, &witness)
        .command("load:constructor.answer")
        .command("list")
        .run()
        .good();
    assert_eq!(told[1], "list = constructor loaded, good admitted");
    assert_eq!(fs::read_to_string(&witness).unwrap(), "constructed\n");
}

#[test]
fn a_description_is_remembered_by_content() {
    let (scene, witness) = scene();
    let describe = || {
        let host = host(&scene, &witness)
            .command("describe:constructor.answer")
            .command("list");
        host.run().good()
    };
    assert_eq!(describe()[1], "list = constructor loaded, good admitted");
    assert_eq!(
        fs::read_to_string(&witness).unwrap(),
        "constructed\n",
        "mapped, not started"
    );
    fs::remove_file(&witness).unwrap();
    for _ in 0..2 {
        assert_eq!(
            describe(),
            [
                "describe:constructor.answer = 1",
                "list = constructor admitted, good admitted"
            ]
        );
        assert!(!witness.exists(), "what is remembered needs no code");
    }
    // Another content is another plugin: nothing is known of it.
    let other = Library::of(Fixture::Constructor).with_manifest(|manifest| {
        manifest["version"] = "0.1.1".into();
    });
    scene.install("constructor", &other);
    assert_eq!(describe()[0], "describe:constructor.answer = 1");
    assert!(witness.exists());
}

#[test]
fn the_registry_of_the_process() {
    let scene = Scene::empty();
    scene.install("m-good", &Library::of(Fixture::Probe).named("globe"));
    let global = scene.root().join("global");
    fs::create_dir(&global).unwrap();
    floe_loader_tests::scene::write(
        &global.join("good.so"),
        Library::of(Fixture::Probe).named("good").bytes(),
    );
    floe_loader_tests::scene::write(&global.join("bad.so"), b"rubbish");
    let told = Host::new(crate::HOST, &scene)
        .env("FLOE_PLUGIN_PATH", &global)
        .env("FLOE_STORE", scene.root().join("global-store"))
        .command("global")
        .command("call:good.echo")
        .command("has:globe.echo")
        .command("rejected")
        .command("global")
        .run()
        .good();
    assert!(told[0].contains("good admitted"), "{told:?}");
    assert_eq!(told[1], "call:good.echo = null");
    assert_eq!(
        told[2], "has:globe.echo = false",
        "it has a search path of its own"
    );
    assert!(told[3].contains("not-a-library"), "{told:?}");
    assert!(told[4].contains("good ready"), "{told:?}");
    assert!(scene.root().join("global-store/objects").is_dir());
    assert!(!scene.store().exists());
}
