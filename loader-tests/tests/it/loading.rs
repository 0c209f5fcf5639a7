//! Files that are admitted, and refused when their code is to be mapped.

use std::fs;

use floe_loader_tests::child::Host;
use floe_loader_tests::elf::manifest;
use floe_loader_tests::fixtures::{Fixture, probe_of_toolchain};
use floe_loader_tests::library::{Library, compile_c, note_in_c};
use floe_loader_tests::refusal::Refused;
use floe_loader_tests::scene::{Scene, check_answers, write};
use floe_plugin_api::{Value, value};
use floe_registry::{CallError, State};
use serde_json::json;

/// A plugin of C: a good manifest, and some code.
#[track_caller]
fn check_c(source: &str, arguments: &[&str], refused: &Refused) {
    let scene = Scene::new();
    let c = scene.root().join("c");
    fs::create_dir(&c).unwrap();
    let manifest = manifest("compute", "bad", "1.0.0", &["bad.go"]);
    let source = format!("{}{source}", note_in_c(&manifest));
    let built = compile_c(&c, "bad", &source, arguments);
    let path = scene.write("bad", &fs::read(built).unwrap());
    scene.check_refused_at_load("bad.go", &path, refused);
}

#[test]
fn the_root_symbol_is_missing() {
    let refused = Refused::load("root-symbol")
        .found("`floe_plugin_root`")
        .expected("export_plugin!")
        .remedy("rebuild");
    check_c("int answer(void) { return 42; }", &[], &refused);
    // There, but not for others.
    check_c("static int floe_plugin_root[64];", &[], &refused);
    check_c(
        "__attribute__((visibility(\"hidden\"))) int floe_plugin_root[64];",
        &[],
        &refused,
    );
}

#[test]
fn the_root_symbol_is_something_else() {
    let refused = Refused::load("root-header")
        .found("header")
        .remedy("rebuild");
    check_c(
        "unsigned char floe_plugin_root[4096] = { 1, 2, 3 };",
        &[],
        &refused,
    );
    check_c(
        "const char floe_plugin_root[64] = \"not a header at all, but some text\";",
        &[],
        &refused,
    );
    check_c("int floe_plugin_root(void) { return 42; }", &[], &refused);
    // Another version of the same library.
    let other = "abi stable library for Rust     ";
    check_c(
        &format!(
            "struct {{ char magic[32]; unsigned major, minor; char rest[512]; }} floe_plugin_root = {{ \"{other}\", 0, 9, {{ 0 }} }};"
        ),
        &[],
        &refused,
    );
}

#[test]
fn the_root_symbol_is_nothing() {
    let refused = Refused::load("root-symbol").remedy("rebuild");
    // Defined, at address 0.
    check_c("", &["-Wl,--defsym=floe_plugin_root=0"], &refused);
}

#[test]
fn a_header_of_another_abi_stable() {
    let scene = Scene::new();
    let other = Library::of(Fixture::Probe)
        .named("other")
        .with_abi_version(10);
    let path = scene.install("other", &other);
    scene.check_refused_at_load(
        "other.echo",
        &path,
        &Refused::load("root-header").remedy("rebuild"),
    );
}

#[test]
fn a_root_module_that_is_laid_out_otherwise() {
    let scene = Scene::new();
    let path = scene.install("layout", &Library::of(Fixture::Layout));
    let refused = Refused::load("layout")
        .found("laid out otherwise")
        .expected("layout of every type")
        .remedy("rebuild");
    scene.check_refused_at_load("layout.answer", &path, &refused);
}

#[test]
fn a_header_that_asks_not_to_be_checked() {
    let scene = Scene::new();
    let path = scene.install("unchecked", &Library::of(Fixture::Unchecked));
    scene.check_refused_at_load(
        "unchecked.answer",
        &path,
        &Refused::load("layout").remedy("rebuild"),
    );
}

#[test]
fn the_code_says_another_manifest_than_the_note() {
    let scene = Scene::new();
    let edited = Library::of(Fixture::Probe)
        .named("edited")
        .with_note(|manifest| manifest["description"] = json!("Harmless, really."));
    let path = scene.install("edited", &edited);
    let refused = Refused::load("live-manifest")
        .found("another manifest")
        .expected("byte for byte")
        .remedy("rebuild");
    scene.check_refused_at_load("edited.echo", &path, &refused);
}

#[test]
fn what_the_systems_loader_refuses() {
    let refused = Refused::load("undefined-symbol")
        .expected("this machine meets")
        .remedy("link the plugin");
    check_c(
        "extern int nowhere_to_be_found(void); int (*user)(void) = nowhere_to_be_found;",
        &[],
        &refused.found("nowhere_to_be_found"),
    );
    check_c(
        "extern int never_called(void); int use(void) { return never_called(); }",
        &["-Wl,-z,lazy"],
        &refused.found("never_called"),
    );
    check_c(
        "",
        &[
            "-Wl,--no-as-needed",
            "-Wl,-soname,x",
            "-nostdlib",
            "-Wl,-z,defs",
        ],
        &Refused::load("root-symbol"),
    );
}

#[test]
fn a_library_that_is_needed_and_missing() {
    let scene = Scene::new();
    let c = scene.root().join("c");
    fs::create_dir(&c).unwrap();
    compile_c(
        &c,
        "libneeded",
        "int needed(void) { return 1; }",
        &["-Wl,-soname,libneeded-by-nobody.so"],
    );
    let manifest = manifest("compute", "bad", "1.0.0", &["bad.go"]);
    let source = format!(
        "{}extern int needed(void); int use(void) {{ return needed(); }}",
        note_in_c(&manifest)
    );
    let directory = format!("-L{}", c.display());
    let built = compile_c(&c, "bad", &source, &[&directory, "-lneeded"]);
    let path = scene.write("bad", &fs::read(built).unwrap());
    let refused = Refused::load("missing-library")
        .found("libneeded-by-nobody.so")
        .remedy("install the package");
    scene.check_refused_at_load("bad.go", &path, &refused);
}

#[test]
fn a_refusal_is_no_verdict_for_ever() {
    let scene = Scene::new();
    let library = Library::of(Fixture::Probe).named("late");
    scene.install("late", &library);
    let registry = scene.registry();
    // The store cannot be used, for now.
    write(&scene.store(), b"in the way");
    let error = registry.call("late.echo", &Value::Null).unwrap_err();
    let CallError::Rejected(refusal) = error else {
        panic!("{error}");
    };
    Refused::load("store")
        .found("not a directory")
        .remedy("FLOE_STORE")
        .check(&refusal);
    assert_eq!(registry.list()[0].state, State::Failed);
    fs::remove_file(scene.store()).unwrap();
    check_answers(&registry, "late");
    assert_eq!(registry.list()[0].state, State::Ready);
    scene.check_good(&registry);
}

#[test]
fn the_code_stays_mapped_when_all_that_used_it_is_gone() {
    let scene = Scene::new();
    let epitaph = scene.root().join("epitaph");
    let config = value!({"epitaph": epitaph.to_str().unwrap()});
    let registry = scene.builder().config("good", config).build().unwrap();
    let handle = registry.get("good.echo").unwrap();
    scene.check_good(&registry);
    let digest = registry.list()[0].digest.unwrap().to_string();
    let mapped = || {
        fs::read_to_string("/proc/self/maps")
            .unwrap()
            .contains(&digest)
    };
    assert!(mapped());
    drop(registry);
    assert!(!epitaph.exists(), "a handle keeps the instance");
    drop(handle);
    assert!(epitaph.exists(), "nothing keeps the instance");
    assert!(
        epitaph.with_extension("stopped").exists(),
        "it was stopped first"
    );
    assert!(mapped(), "code is never unmapped");
}

#[test]
fn a_file_that_is_changed_between_the_scan_and_the_load() {
    let changed = Refused::load("unchanged")
        .found("another content")
        .remedy("scan again");
    let library = Library::of(Fixture::Probe).named("swapped");
    let other = Library::of(Fixture::Probe)
        .named("swapped")
        .version("1.0.1");
    let cases: &[(&[u8], Refused)] = &[
        (other.bytes(), changed),
        (
            &library.bytes()[..library.bytes().len() / 2],
            Refused::load(""),
        ),
        (b"", Refused::load("")),
    ];
    for (bytes, refused) in cases {
        let scene = Scene::new();
        let path = scene.install("swapped", &library);
        let registry = scene.registry();
        fs::write(&path, bytes).unwrap();
        let error = registry.call("swapped.echo", &Value::Null).unwrap_err();
        let CallError::Rejected(refusal) = error else {
            panic!("{error}");
        };
        floe_loader_tests::refusal::check_words(&refusal);
        if !refused.check.is_empty() {
            refused.check(&refusal);
        }
        scene.check_good(&registry);
        registry.rescan().unwrap();
        scene.check_good(&registry);
    }
}

#[test]
fn a_file_that_would_not_have_been_admitted_is_not_loaded_in_the_place_of_one_that_was() {
    let scene = Scene::new();
    let path = scene.install("swapped", &Library::of(Fixture::Probe).named("swapped"));
    let registry = scene.registry();
    fs::remove_file(&path).unwrap();
    // The same manifest, other code, and everybody may write to it.
    write(&path, Library::of(Fixture::Probe).named("swapped").bytes());
    floe_loader_tests::scene::set_mode(&path, 0o666);
    let error = registry.call("swapped.tag", &Value::Null).unwrap_err();
    let CallError::Rejected(refusal) = error else {
        panic!("{error}");
    };
    floe_loader_tests::refusal::check_words(&refusal);
    scene.check_good(&registry);
}

#[test]
fn a_running_plugin_does_not_notice_what_becomes_of_its_file() {
    let scene = Scene::new();
    let library = Library::of(Fixture::Probe).named("steady").tag("original");
    let path = scene.install("steady", &library);
    let registry = scene.registry();
    let tag = registry.get("steady.tag").unwrap();
    let check = || {
        assert_eq!(tag.call(&Value::Null).unwrap(), value!("original"));
        assert_eq!(
            registry
                .call("steady.bytes", &value!({"length": 100_000}))
                .unwrap(),
            Value::Bytes(vec![0xa5_u8; 100_000].into())
        );
        check_answers(&registry, "steady");
    };
    check();
    // Overwritten in place, with the same inode.
    let overwritten: Vec<u8> = library.bytes().iter().map(|_| 0xcc).collect();
    fs::write(&path, overwritten).unwrap();
    check();
    // Truncated.
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(0)
        .unwrap();
    check();
    // Replaced.
    let other = scene.root().join("other");
    write(
        &other,
        Library::of(Fixture::Probe)
            .named("steady")
            .tag("replaced")
            .bytes(),
    );
    fs::rename(&other, &path).unwrap();
    check();
    // Taken away.
    fs::remove_file(&path).unwrap();
    check();
    scene.check_good(&registry);
}

#[test]
fn replaced_by_another_build_the_next_scan_finds_that() {
    let scene = Scene::new();
    let path = scene.install(
        "moving",
        &Library::of(Fixture::Probe).named("moving").tag("build--1"),
    );
    let registry = scene.registry();
    let old = registry.get("moving.tag").unwrap();
    assert_eq!(old.call(&Value::Null).unwrap(), value!("build--1"));
    let other = scene.root().join("other");
    write(
        &other,
        Library::of(Fixture::Probe)
            .named("moving")
            .tag("build--2")
            .bytes(),
    );
    fs::rename(&other, &path).unwrap();
    assert_eq!(registry.rescan().unwrap().changed.len(), 1);
    assert_eq!(
        registry.call("moving.tag", &Value::Null).unwrap(),
        value!("build--2")
    );
    // A handle follows what answers.
    assert_eq!(old.call(&Value::Null).unwrap(), value!("build--2"));
    scene.check_good(&registry);
}

#[test]
fn one_content_in_two_registries_is_one_image_and_two_instances() {
    let scene = Scene::new();
    let (first, second) = (scene.registry(), scene.registry());
    let count = |registry: &floe_registry::Registry, what: &str| {
        let counts = registry.call("good.counts", &Value::Null).unwrap();
        counts.get(what).and_then(Value::as_i64).unwrap()
    };
    assert_eq!((count(&first, "instance"), count(&first, "starts")), (1, 1));
    assert_eq!(
        (count(&second, "instance"), count(&second, "starts")),
        (2, 2)
    );
    assert_eq!(count(&first, "instance"), 1);
}

#[test]
fn a_plugin_of_another_profile() {
    let scene = Scene::new();
    scene.install(
        "optimized",
        &Library::of(Fixture::Optimized).named("optimized"),
    );
    let registry = scene.registry();
    check_answers(&registry, "optimized");
    let error = registry.call("optimized.panic", &value!({})).unwrap_err();
    assert!(error.to_string().contains("a plain panic"), "{error}");
    check_answers(&registry, "optimized");
    scene.check_good(&registry);
}

#[test]
fn a_plugin_of_another_compiler() {
    let Some(path) = probe_of_toolchain("nightly") else {
        println!(
            "not run: `rustup run nightly rustc` does not work here, so there is no other compiler"
        );
        return;
    };
    let scene = Scene::new();
    let nightly = Library::read(&path).named("nightly");
    scene.install("nightly", &nightly.needing("good", "^1"));
    let registry = scene.registry();
    check_answers(&registry, "nightly");
    let error = registry
        .call("nightly.panic", &value!({"payload": "bomb"}))
        .unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    check_answers(&registry, "nightly");
    let through = registry.call(
        "nightly.call",
        &value!({"node_type": "good.echo", "input": [1, "two", 3.5]}),
    );
    assert_eq!(through.unwrap(), value!([1, "two", 3.5]));
    scene.check_good(&registry);
}

#[test]
fn eight_processes_that_share_a_store_on_first_use() {
    let scene = Scene::new();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let scene = &scene;
            scope.spawn(move || {
                // Each tells in a file of its own.
                let told = scene.root().join(format!("told-{number}"));
                let host = Host::new(crate::HOST, scene).telling(told);
                let host = host.command("describe:good.echo").command("call:good.echo");
                let told = host.run().good();
                assert_eq!(told, ["describe:good.echo = 17", "call:good.echo = null"]);
            });
        }
    });
    for directory in ["objects", "state/schemas"] {
        let kept = fs::read_dir(scene.store().join(directory)).unwrap();
        assert_eq!(
            kept.count(),
            1,
            "one file in `{directory}`, and no temporary one"
        );
    }
}

#[test]
fn a_copy_that_was_damaged_is_made_anew() {
    let scene = Scene::new();
    let call = || {
        Host::new(crate::HOST, &scene)
            .command("call:good.echo")
            .run()
            .good()
    };
    call();
    let copy = fs::read_dir(scene.store().join("objects"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let whole = fs::read(&copy).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for damaged in [&flipped[..], &whole[..whole.len() / 2], &[]] {
        fs::remove_file(&copy).unwrap();
        write(&copy, damaged);
        assert_eq!(call(), ["call:good.echo = null"]);
        assert_eq!(fs::read(&copy).unwrap(), whole);
    }
}

#[test]
fn what_a_process_refused_the_next_one_refuses() {
    let scene = Scene::new();
    scene.install("layout", &Library::of(Fixture::Layout));
    scene.install("unchecked", &Library::of(Fixture::Unchecked));
    // What was found right is remembered in the store, and nothing else is.
    for _ in 0..3 {
        let told = Host::new(crate::HOST, &scene)
            .command("call:layout.answer")
            .command("call:unchecked.answer")
            .command("call:good.echo")
            .run()
            .good();
        assert!(told[0].contains("laid out otherwise"), "{told:?}");
        assert!(told[1].contains("does not tell its layout"), "{told:?}");
        assert_eq!(told[2], "call:good.echo = null");
    }
}
