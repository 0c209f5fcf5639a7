//! The order of everything that is listed does not depend on the file system.

use std::fs;

use floe_loader_tests::elf::{Elf, manifest};
use floe_loader_tests::scene::{Scene, write};
use proptest::prelude::*;
use proptest::sample::subsequence;

/// What a registry lists, relative to the scene.
fn listed(scene: &Scene) -> Vec<String> {
    let registry = scene.registry();
    let relative = |path: &std::path::Path| {
        path.strip_prefix(scene.plugins())
            .unwrap()
            .display()
            .to_string()
    };
    let mut lines = Vec::new();
    for plugin in registry.list() {
        let path = relative(plugin.path.as_deref().unwrap());
        let reason = plugin
            .reason
            .unwrap_or_default()
            .replace(scene.plugins().to_str().unwrap(), "");
        let lost: Vec<_> = plugin
            .executors
            .iter()
            .map(|executor| executor.shadowed_by.clone())
            .collect();
        lines.push(format!(
            "{path} {} {} {} {lost:?} {reason}",
            plugin.name, plugin.version, plugin.state
        ));
    }
    lines.extend(
        registry
            .rejected()
            .iter()
            .map(|refusal| format!("{} {}", relative(&refusal.path), refusal.check)),
    );
    lines.extend(
        registry
            .executors()
            .iter()
            .map(|executor| format!("{executor:?}")),
    );
    lines.extend(
        registry
            .search("x")
            .iter()
            .map(|executor| executor.node_type.clone()),
    );
    lines
}

/// Files whose order by byte, by part of the path and by name is not the same.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let plugin = |name, version, node_types: &[&str]| {
        Elf::plugin(manifest("compute", name, version, node_types)).build()
    };
    vec![
        ("b.so", plugin("x", "1.0.0", &["x.a"])),
        ("a/b.so", plugin("x", "1.0.0", &["x.a", "x.b"])),
        ("a.so", plugin("x", "2.0.0", &["x.a"])),
        ("a-b.so", plugin("y", "1.0.0", &["x.a", "y.a"])),
        ("a/a/a.so", plugin("y", "1.0.0-rc.1", &["y.a", "y.b"])),
        ("Z.so", plugin("z", "0.1.0", &["x.b", "z.a"])),
        ("\u{e9}.so", plugin("z", "0.1.0", &["z.a"])),
        ("c.so", b"rubbish".to_vec()),
        ("a/c.so", Vec::new()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn the_same_files_give_the_same_list(order in Just(files()).prop_shuffle(), again in Just(files()).prop_shuffle()) {
        let make = |files: &[(&str, Vec<u8>)]| {
            let scene = Scene::empty();
            for (name, bytes) in files {
                let path = scene.plugins().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                write(&path, bytes);
            }
            listed(&scene)
        };
        prop_assert_eq!(make(&order), make(&again));
    }

    #[test]
    fn a_scan_is_what_a_new_registry_finds(
        before in subsequence(files(), 0..9),
        after in subsequence(files(), 0..9).prop_shuffle(),
    ) {
        let scene = Scene::empty();
        let put = |files: &[(&str, Vec<u8>)]| {
            fs::remove_dir_all(scene.plugins()).unwrap();
            fs::create_dir(scene.plugins()).unwrap();
            for (name, bytes) in files {
                let path = scene.plugins().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                write(&path, bytes);
            }
        };
        put(&before);
        let registry = scene.registry();
        put(&after);
        registry.rescan().unwrap();
        let fresh = scene.registry();
        let told = |registry: &floe_registry::Registry| {
            let told = |plugin: &floe_registry::PluginInfo| {
                let mut told = serde_json::to_value(plugin).unwrap();
                // Generations count what was seen, not what there is.
                told.as_object_mut().unwrap().remove("generation");
                told.to_string()
            };
            let plugins: Vec<String> = registry.list().iter().map(told).collect();
            (plugins, registry.rejected(), registry.executors())
        };
        prop_assert_eq!(told(&registry), told(&fresh));
    }
}
