//! What is decided on a manifest alone: nothing here is mapped.

use floe_loader_tests::elf::{Elf, manifest};
use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::refusal::{Refused, check_words};
use floe_loader_tests::scene::{Scene, check_answers, check_unreachable, worker};
use floe_plugin_api::{ApiVersion, Kind};
use floe_registry::{Isolation, IsolationSettings, Mode, Registry};
use serde_json::json;

/// A small library whose manifest says another api version.
fn of_api(version: &str) -> Vec<u8> {
    let text = manifest("compute", "bad", "1.0.0", &["bad.go"]);
    let text = text.replacen(
        "\"floe_api_version\":\"1.0\"",
        &format!("\"floe_api_version\":\"{version}\""),
        1,
    );
    assert!(text.contains(&format!("\"{version}\"")));
    Elf::plugin(text).build()
}

#[track_caller]
fn check(bytes: &[u8], minimum: Option<ApiVersion>, refused: &Refused) {
    let scene = Scene::new();
    let path = scene.write("bad", bytes);
    let mut builder = scene.builder();
    if let Some(minimum) = minimum {
        builder = builder.minimum_api(minimum);
    }
    let registry = builder.build().unwrap();
    let refusal = scene.refusal(&registry, &path);
    refused.check(&refusal);
    check_unreachable(&registry, "bad.go");
    // Asked about in particular, the same check fails, and the others are told too.
    let inspection = registry.inspect(&path).unwrap();
    assert!(!inspection.verdict.admitted);
    let failed: Vec<_> = inspection
        .verdict
        .checks
        .iter()
        .filter(|check| !check.passed)
        .collect();
    assert_eq!(failed[0].check, refused.check);
    assert_eq!(failed[0].found, refusal.found);
    assert_eq!(failed[0].expected, refusal.expected);
    assert_eq!(failed[0].remedy.as_ref(), Some(&refusal.remedy));
    if minimum.is_none() {
        scene.check_good(&registry);
    }
}

#[test]
fn api_versions_on_each_side_of_each_bound() {
    let current = ApiVersion::CURRENT;
    let above = format!("{}.{}", current.major(), current.minor() + 1);
    let refused = Refused::admit("floe-api-version");
    check(
        &of_api(&above),
        None,
        &refused.found("floe api `1.").remedy("update this host"),
    );
    check(
        &of_api("0.0"),
        None,
        &refused.found("`0.0`").remedy("rebuild the plugin"),
    );
    check(
        &of_api("0.999"),
        None,
        &refused.found("`0.999`").remedy("rebuild the plugin"),
    );
    check(
        &of_api("2.0"),
        None,
        &refused.found("`2.0`").remedy("update this host"),
    );
    check(
        &of_api("999.0"),
        None,
        &refused.found("`999.0`").remedy("update this host"),
    );
    check(
        &of_api("4294967295.4294967295"),
        None,
        &refused.found("`4294967295.4294967295`"),
    );

    // Equal to the host, with and without the patch number that means nothing.
    for version in [current.to_string(), format!("{current}.7")] {
        let scene = Scene::new();
        scene.write("bad", &of_api(&version));
        let registry = scene.builder().minimum_api(current).build().unwrap();
        assert!(registry.has("bad.go"), "{:?}", registry.rejected());
        scene.check_good(&registry);
    }
}

#[test]
fn an_api_version_below_the_minimum() {
    let current = ApiVersion::CURRENT;
    let minimum = ApiVersion::new(current.major(), current.minor() + 1);
    let refused = Refused::admit("floe-api-version")
        .found("`1.0`")
        .expected("`1.1` to `1.0`");
    check(
        &of_api(&current.to_string()),
        Some(minimum),
        &refused.remedy("rebuild the plugin"),
    );
}

#[test]
fn a_patched_plugin_of_the_next_minor_version() {
    let scene = Scene::new();
    let next = Library::of(Fixture::Probe)
        .named("next")
        .with_manifest(|manifest| manifest["floe_api_version"] = json!("1.1"));
    let path = scene.install("next", &next);
    let registry = scene.registry();
    let refused = Refused::admit("floe-api-version")
        .found("`1.1`")
        .expected("`1.0`");
    scene.check_refused(&registry, &path, &refused);
    check_unreachable(&registry, "next.echo");
}

#[test]
fn another_boundary() {
    let text = manifest("compute", "bad", "1.0.0", &["bad.go"]);
    let refused = Refused::admit("boundary")
        .expected("`abi_stable 0.11`")
        .remedy("rebuild");
    for (boundary, found) in [
        ("abi_stable 0.12", "`abi_stable 0.12`"),
        ("stabby 36", "`stabby 36`"),
        ("", "``"),
    ] {
        let text = text.replacen("abi_stable 0.11", boundary, 1);
        check(
            &Elf::plugin(&text).build(),
            None,
            &Refused { found, ..refused },
        );
    }
}

#[test]
fn a_build_whose_panics_abort() {
    let scene = Scene::new();
    let path = scene.install("abort", &Library::of(Fixture::Abort).named("abort"));
    let registry = scene.registry();
    let refused = Refused::admit("panic-strategy")
        .found("panic")
        .expected("whose panics can be contained, or a worker to run it in")
        .remedy(
            "Cargo profile, or run it in a worker: `abort = \"worker\"` in `[isolation.plugins]`",
        );
    scene.check_refused(&registry, &path, &refused);
    check_unreachable(&registry, "abort.echo");
}

#[test]
fn a_build_whose_panics_abort_is_for_workers() {
    let text = manifest("compute", "bad", "1.0.0", &["bad.go"]);
    let text = text.replacen("\"panic\":\"unwind\"", "\"panic\":\"abort\"", 1);
    assert!(text.contains("\"abort\""), "{text}");
    let scene = Scene::new();
    let path = scene.write("bad", &Elf::plugin(text).build());
    let (here, there) = (Isolation::InProcess, Isolation::Worker);
    let general = |isolation: Isolation| IsolationSettings::new(isolation).program(worker());
    for (isolation, admitted) in [
        (general(there), true),
        (general(here).kind(Kind::COMPUTE, there), true),
        (general(here).plugin("bad", there), true),
        (general(there).plugin("compute/bad", here), false),
        // Nobody in particular would still run it in process.
        (general(here).tenant("acme", there), false),
        (general(here).plugin("good", there), false),
    ] {
        let registry = scene.builder().isolation(isolation.clone()).build();
        let registry = registry.unwrap();
        assert_eq!(registry.has("bad.go"), admitted, "{isolation:?}");
        let checks = registry.inspect(&path).unwrap().verdict.checks;
        let check = checks
            .iter()
            .find(|check| check.check == "panic-strategy")
            .unwrap();
        assert_eq!(check.passed, admitted, "{isolation:?}");
        assert_eq!(check.found, "a build with `panic = \"abort\"`");
        let expected = match admitted {
            true => "any, as it runs in a worker",
            false => {
                "one with `panic = \"unwind\"`, whose panics can be contained, or a worker to run it in"
            }
        };
        assert_eq!(check.expected, expected);
        scene.check_good(&registry);
    }
}

#[test]
fn a_strict_scan_is_refused_as_a_whole() {
    let scene = Scene::new();
    let strict = || scene.builder().mode(Mode::Strict).build();
    check_answers(&strict().unwrap(), "good");
    scene.write("bad", b"rubbish");
    scene.write("worse", &of_api("9.9"));
    let error = strict().unwrap_err();
    assert_eq!(error.rejections().len(), 2);
    error.rejections().iter().for_each(check_words);
    let text = error.to_string();
    assert!(text.contains("2 files were refused"), "{text}");
    assert!(
        text.contains("bad.so") && text.contains("worse.so"),
        "{text}"
    );
}

#[test]
fn a_strict_rescan_that_is_refused_changes_nothing() {
    let scene = Scene::new();
    let registry: Registry = scene.builder().mode(Mode::Strict).build().unwrap();
    scene.check_good(&registry);
    scene.install("new", &Library::of(Fixture::Probe).named("new"));
    let bad = scene.write("bad", b"rubbish");
    assert_eq!(registry.rescan().unwrap_err().rejections.len(), 1);
    assert!(!registry.has("new.echo"));
    assert!(registry.rejected().is_empty());
    scene.check_good(&registry);
    std::fs::remove_file(bad).unwrap();
    assert_eq!(registry.rescan().unwrap().added.len(), 1);
    check_answers(&registry, "new");
}

#[test]
fn what_is_listed_can_be_called_and_what_is_refused_cannot() {
    let scene = Scene::new();
    for (number, name) in ["one", "two", "three"].iter().enumerate() {
        scene.install(name, &Library::of(Fixture::Probe).named(name));
        scene.write(&format!("bad{number}"), &of_api("7.0"));
    }
    scene.install("abort", &Library::of(Fixture::Abort).named("abort"));
    let registry = scene.registry();
    for plugin in registry.list() {
        check_answers(&registry, &plugin.name);
        assert!(
            !registry
                .rejected()
                .iter()
                .any(|refused| Some(&refused.path) == plugin.path.as_ref())
        );
    }
    assert_eq!((registry.list().len(), registry.rejected().len()), (4, 4));
    check_unreachable(&registry, "bad.go");
    check_unreachable(&registry, "abort.echo");
    // The same by a plugin.
    let refused = registry
        .call(
            "one.attempt",
            &floe_plugin_api::value!({"node_type": "bad.go"}),
        )
        .unwrap();
    assert_eq!(
        refused.get("kind").and_then(floe_plugin_api::Value::as_str),
        Some("node-type-not-found")
    );
}
