//! Libraries that the system cannot load, or that the host must not: told before any of their code
//! runs.

use std::fs;
use std::path::{Path, PathBuf};

use floe_loader_tests::elf::manifest;
use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::{Library, compile_c, note_in_c};
use floe_loader_tests::refusal::Refused;
use floe_loader_tests::scene::{Scene, check_answers};
use floe_loader_tests::wait;
use floe_plugin_api::Value;
use floe_registry::{CallError, Hazard, Registry, Trust, TrustSettings};

/// A scene with a plugin of C and a second good one.
struct InC {
    scene: Scene,
    path: PathBuf,
}

impl InC {
    /// Compiles the plugin; `arguments` are the compiler's.
    #[track_caller]
    fn new(source: &str, arguments: &[&str]) -> Self {
        Self::built(Scene::new(), source, arguments)
    }

    #[track_caller]
    fn built(scene: Scene, source: &str, arguments: &[&str]) -> Self {
        let other = Library::of(Fixture::Probe).named("other");
        scene.install("other", &other);
        let manifest = manifest("compute", "bad", "1.0.0", &["bad.go"]);
        let source = format!("{}{source}", note_in_c(&manifest));
        let built = compile_c(&workshop(&scene), "bad", &source, arguments);
        let path = scene.write("bad", &fs::read(built).unwrap());
        Self { scene, path }
    }

    /// Checks that it is refused when it is loaded, and that every other plugin goes on.
    #[track_caller]
    fn check(&self, refused: &Refused) {
        self.scene
            .check_refused_at_load("bad.go", &self.path, refused);
        let registry = self.scene.registry();
        assert!(registry.load("bad.go").is_err());
        check_answers(&registry, "other");
        self.scene.check_good(&registry);
    }
}

/// Where libraries of C are built.
fn workshop(scene: &Scene) -> PathBuf {
    let c = scene.root().join("c");
    fs::create_dir_all(&c).unwrap();
    c
}

/// The names of what `inspect` finds of a file.
#[track_caller]
fn found_in(registry: &Registry, path: &Path) -> Vec<&'static str> {
    let inspection = registry.inspect(path).unwrap();
    let findings = inspection.preflight.findings.iter();
    findings.map(|finding| finding.hazard.name()).collect()
}

#[test]
fn a_library_that_is_needed_and_missing() {
    let scene = Scene::new();
    let c = workshop(&scene);
    let soname = "-Wl,-soname,libneeded-by-nobody.so";
    compile_c(&c, "libneeded", "int needed(void) { return 1; }", &[soname]);
    let directory = format!("-L{}", c.display());
    let bad = InC::built(
        scene,
        "extern int needed(void); int use(void) { return needed(); }",
        &[&directory, "-lneeded"],
    );
    bad.check(
        &Refused::load("missing-library")
            .found("libneeded-by-nobody.so")
            .remedy("install"),
    );
    let names = found_in(&bad.scene.registry(), &bad.path);
    assert!(names.contains(&"missing-library"), "{names:?}");
}

#[test]
fn a_version_of_a_symbol_that_the_host_lacks() {
    let scene = Scene::new();
    let c = workshop(&scene);
    let versions = |text: &str| {
        let script = c.join("versions.map");
        fs::write(&script, text).unwrap();
        format!("-Wl,--version-script={}", script.display())
    };
    let (soname, source) = ("-Wl,-soname,libx.so.1", "int x(void) { return 1; }");
    let newer = versions("X_1.0 { }; X_2.9 { global: x; local: *; } X_1.0;");
    compile_c(&c, "libx", source, &[soname, &newer]);
    let (directory, run_path) = (
        format!("-L{}", c.display()),
        format!("-Wl,-rpath,{}", c.display()),
    );
    let bad = InC::built(
        scene,
        "extern int x(void); int use(void) { return x(); }",
        &[&directory, &run_path, "-lx"],
    );
    // The one that this host has is older.
    let older = versions("X_1.0 { global: x; local: *; };");
    compile_c(&c, "libx", source, &[soname, &older]);
    fs::rename(c.join("libx.so"), c.join("libx.so.1")).unwrap();
    bad.check(&Refused::load("missing-symbol-version").found("`X_2.9`"));
    let names = found_in(&bad.scene.registry(), &bad.path);
    assert!(names.contains(&"missing-symbol-version"), "{names:?}");
}

#[test]
fn a_symbol_that_nobody_defines() {
    let source = "extern int nowhere_at_all(void); int use(void) { return nowhere_at_all(); }";
    let bad = InC::new(source, &[]);
    // By default it would be looked for when it is first called.
    bad.check(&Refused::load("undefined-symbol").found("`nowhere_at_all`"));
    let lazy = InC::new(source, &["-Wl,-z,lazy"]);
    lazy.check(&Refused::load("undefined-symbol").found("`nowhere_at_all`"));
    let names = found_in(&lazy.scene.registry(), &lazy.path);
    assert!(names.contains(&"undefined-symbol"), "{names:?}");
}

#[test]
fn a_plugin_that_links_another_plugin() {
    let scene = Scene::new();
    let c = workshop(&scene);
    // A library that looks like the good plugin to a linker.
    let stub = "-Wl,-soname,m-good.so";
    let symbol = "int floe_plugin_root[64];";
    compile_c(&c, "libgood", symbol, &[stub]);
    let directory = format!("-L{}", c.display());
    let run_path = format!("-Wl,-rpath,{}", scene.plugins().display());
    let bad = InC::built(
        scene,
        "extern int floe_plugin_root[]; int *use(void) { return floe_plugin_root; }",
        &[&directory, &run_path, "-lgood"],
    );
    // The loader would map the other with it, from a file that nobody has verified.
    let refused = Refused::load("foreign-entry")
        .found("needs `m-good.so`, which is a floe plugin itself")
        .remedy("a library of its own");
    bad.check(&refused);
    // Where anything goes, it has no root of its own, and the loader finds the other's: that says another
    // manifest.
    let registry = bad.scene.builder().trust(Trust::Any).build().unwrap();
    match registry.load("bad.go") {
        Err(CallError::Rejected(refusal)) => Refused::load("live-manifest").check(&refusal),
        other => panic!("expected a refusal, found {other:?}"),
    }
    // That a copy was kept for somebody who asks nothing makes it no better for who does.
    let seen = bad.scene.store().join("seen");
    wait::until(|| {
        bad.scene.check_good(&registry);
        let again = bad.scene.builder().trust(Trust::Any).build().unwrap();
        assert!(again.load("bad.go").is_err());
        fs::read_dir(&seen).unwrap().count() >= 2
    });
    bad.check(&refused);
}

/// Checks that a library is refused before any of it runs where a hazard is denied, and mapped where
/// it is not.
#[track_caller]
fn check_denied(hazard: Hazard, source: &str, arguments: &[&str]) {
    let witness = |scene: &Scene| scene.root().join("witness");
    let scene = Scene::new();
    let source = format!(
        "#include <fcntl.h>\n#include <unistd.h>\n\
         __attribute__((constructor)) static void run(void) {{\n\
             close(open(\"{}\", O_CREAT | O_WRONLY, 0600));\n\
         }}\n{source}",
        witness(&scene).display()
    );
    let mut bad = InC::built(scene, &source, arguments);
    let witness = witness(&bad.scene);
    let registry = bad.scene.registry();
    let names = found_in(&registry, &bad.path);
    assert!(names.contains(&hazard.name()), "{names:?}");
    assert!(!witness.exists(), "to look at it ran it");

    bad.scene.trust(TrustSettings::default().deny([hazard]));
    let refused = Refused::load(hazard.name()).expected("`trust.deny`");
    bad.check(&refused.remedy("take `"));
    assert!(!witness.exists(), "what is denied ran");
    // To look at it tells that, and nothing of it runs either.
    let inspection = bad.scene.registry().inspect(&bad.path).unwrap();
    assert!(!inspection.verdict.admitted);
    let failed = inspection.verdict.checks.iter().find(|check| !check.passed);
    assert_eq!(failed.unwrap().check, hazard.name());
    assert!(!witness.exists(), "to look at it ran it");

    // What another host denies is nothing to this one: it is mapped, and found to be no plugin.
    let others = Hazard::ALL
        .iter()
        .copied()
        .filter(|other| *other != hazard && !names.contains(&other.name()));
    bad.scene
        .trust(TrustSettings::new(Trust::Owner).deny(others));
    match bad.scene.registry().call("bad.go", &Value::Null) {
        Err(CallError::Rejected(refusal)) => Refused::load("root-symbol").check(&refusal),
        other => panic!("expected a refusal, found {other:?}"),
    }
    assert!(witness.exists(), "what is not denied is mapped");
}

#[test]
fn a_library_that_makes_stacks_executable_can_be_denied() {
    check_denied(Hazard::ExecutableStack, "", &["-z", "execstack"]);
}

#[test]
fn a_library_that_runs_code_when_it_is_mapped_can_be_denied() {
    check_denied(Hazard::Constructors, "", &[]);
}

#[test]
fn a_library_that_offers_an_allocator_can_be_denied() {
    let source = "#include <stddef.h>\n\
         static char room[1 << 16]; static size_t used;\n\
         void *malloc(size_t size) { used += (size + 15) & ~15ul; return room + used; }\n\
         void free(void *block) {}";
    check_denied(Hazard::ExportedAllocator, source, &[]);
}

#[test]
fn the_good_plugin_has_none_of_what_can_be_denied() {
    let mut scene = Scene::new();
    let registry = scene.registry();
    let names = found_in(&registry, &scene.path("m-good"));
    let others = Hazard::ALL.iter().copied();
    let denied: Vec<_> = others.filter(|it| !names.contains(&it.name())).collect();
    assert!(denied.contains(&Hazard::ExecutableStack), "{names:?}");
    assert!(denied.contains(&Hazard::ExportedAllocator), "{names:?}");
    scene.trust(TrustSettings::default().deny(denied));
    scene.check_good(&scene.registry());
}

#[test]
fn what_is_denied_is_denied_of_a_copy_that_was_kept() {
    let mut scene = Scene::new();
    // In the store, and mapped.
    let path = scene.install("constructor", &Library::of(Fixture::Constructor));
    let names = found_in(&scene.registry(), &path);
    assert!(names.contains(&"constructors"), "{names:?}");
    scene.registry().load("constructor.answer").unwrap();
    let trust = TrustSettings::default().deny([Hazard::Constructors]);
    scene.trust(trust);
    scene.check_refused_at_load("constructor.answer", &path, &Refused::load("constructors"));
}
