//! What a worker has from the process that starts it.

use std::fs::File;

use floe_plugin_api::{Value, value};

use super::{scene, workers};

#[track_caller]
fn texts(value: &Value) -> Vec<String> {
    let list = value.as_list().unwrap().iter();
    list.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// A library of the host's may have files open that it did not mean to hand on.
#[test]
fn no_file_of_its_host_is_open_in_it() {
    let scene = scene(workers());
    let path = scene.root().join("confidential");
    let file = File::create(&path).unwrap();
    // Unlike what std opens, this one is inherited.
    let inherited = rustix::io::dup(&file).unwrap();
    let registry = scene.registry();
    let found = registry
        .call("hostile.do", &value!({"what": "descriptors"}))
        .unwrap();
    let found = texts(&found);
    let name = path.to_str().unwrap();
    assert!(!found.iter().any(|leads| leads == name), "{found:?}");
    // The one by which it looks is among them.
    assert!(
        found.iter().any(|leads| leads.ends_with("/fd")),
        "{found:?}"
    );
    drop((file, inherited));
}

/// What the environment says of plugins is for those who configure them.
#[test]
fn nothing_that_is_said_of_plugins_is_in_its_environment() {
    let scene = scene(workers());
    let host = floe_loader_tests::child::Host::new(crate::HOST, &scene)
        .env("FLOE_PLUGINS__OTHER__KEY", "s3cr3t")
        .env("PLAIN", "kept")
        .command("isolated")
        .command("with:hostile.do {\"what\":\"environment\"}");
    let told = host.run().good();
    let told = told.last().unwrap();
    assert!(told.contains("PLAIN"), "{told}");
    assert!(!told.contains("FLOE_PLUGINS"), "{told}");
}
