//! Files that are almost libraries.

use std::fs;

use floe_loader_tests::elf::{Elf, manifest};
use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::{Library, compile_c, note_in_c, run_compiler};
use floe_loader_tests::refusal::{Refused, check_words};
use floe_loader_tests::scene::{Scene, check_answers, check_unreachable, write};
use floe_registry::{Stage, Trust};

fn good_manifest() -> String {
    manifest("compute", "bad", "1.0.0", &["bad.go"])
}

fn plugin() -> Elf {
    Elf::plugin(good_manifest())
}

#[track_caller]
fn check(bytes: &[u8], refused: &Refused) {
    let scene = Scene::new();
    let path = scene.write("bad", bytes);
    let registry = scene.registry();
    scene.check_refused(&registry, &path, refused);
    check_unreachable(&registry, "bad.go");
}

#[test]
fn the_builder_makes_what_is_admitted() {
    let scene = Scene::new();
    scene.write("bad", &plugin().build());
    let registry = scene.registry();
    assert!(registry.rejected().is_empty(), "{:?}", registry.rejected());
    assert!(registry.has("bad.go"));
}

#[test]
fn libraries_for_other_machines() {
    let other = if cfg!(target_arch = "x86_64") {
        183
    } else {
        62
    };
    let arch = Refused::admit("platform")
        .expected("one for `")
        .remedy("for this platform");
    check(
        &Elf {
            machine: other,
            ..plugin()
        }
        .build(),
        &arch,
    );
    check(
        &Elf {
            machine: 0xfffe,
            ..plugin()
        }
        .build(),
        &arch,
    );
    check(
        &Elf {
            class: 1,
            ..plugin()
        }
        .build(),
        &arch.found("32-bit"),
    );
    check(
        &Elf {
            order: 2,
            ..plugin()
        }
        .build(),
        &arch.found("big-endian"),
    );
    check(
        &Elf {
            class: 1,
            order: 2,
            ..plugin()
        }
        .build(),
        &arch.found("32-bit big-endian"),
    );
}

#[test]
fn headers_that_make_no_sense() {
    let malformed = Refused::discover("malformed").remedy("damaged");
    let patched = |at: usize, number: &[u8]| {
        let mut bytes = plugin().build();
        bytes[at..at + number.len()].copy_from_slice(number);
        bytes
    };
    check(&patched(4, &[7]), &malformed.found("class of 7"));
    check(&patched(5, &[3]), &malformed.found("byte order of 3"));
    check(&patched(6, &[9]), &malformed.found("version of 9"));
    check(
        &patched(16, &2_u16.to_le_bytes()),
        &Refused::discover("library-type")
            .found("executable")
            .remedy("cdylib"),
    );
    check(
        &patched(16, &1_u16.to_le_bytes()),
        &Refused::discover("library-type").found("object file"),
    );
    check(
        &patched(16, &4_u16.to_le_bytes()),
        &Refused::discover("library-type").found("core dump"),
    );
    check(
        &patched(54, &57_u16.to_le_bytes()),
        &malformed.found("header size of 57"),
    );
    check(
        &patched(56, &0_u16.to_le_bytes()),
        &malformed.found("count of 0"),
    );
    check(
        &patched(56, &0xffff_u16.to_le_bytes()),
        &malformed.found("count of 65535"),
    );
    check(
        &patched(56, &0xfffe_u16.to_le_bytes()),
        &Refused::discover("incomplete"),
    );
    // Offsets and counts whose sums overflow, of both tables and of the segments.
    for at in [
        32,
        40,
        64 + 8,
        64 + 32,
        120 + 8,
        120 + 32,
        176 + 8,
        176 + 32,
    ] {
        for number in [u64::MAX, u64::MAX - 63, 1 << 63, u64::from(u32::MAX)] {
            let scene = Scene::new();
            let path = scene.write("bad", &patched(at, &number.to_le_bytes()));
            let registry = scene.registry();
            let refusal = scene.refusal(&registry, &path);
            check_words(&refusal);
            assert_eq!(refusal.stage, Stage::Discover);
            assert!(
                ["malformed", "incomplete"].contains(&refusal.check),
                "{at}: {refusal}"
            );
            scene.check_good(&registry);
        }
    }
}

#[test]
fn notes_that_make_no_sense() {
    let content = good_manifest();
    let content = content.as_bytes();
    let length = content.len() as u32;
    for (name_size, size) in [
        (u32::MAX, length),
        (5, u32::MAX),
        (u32::MAX, u32::MAX),
        (5, length + 400),
        (0x8000_0000, 0x8000_0000),
    ] {
        let bytes = Elf::plain()
            .note_that_says(name_size, size, b"floe\0", content)
            .build();
        check(&bytes, &Refused::discover("malformed").found("note"));
    }
    let two = Refused::discover("two-manifests")
        .found("two `floe` manifests")
        .remedy("one `export_plugin!`");
    check(&plugin().note(good_manifest()).build(), &two);
}

#[test]
fn a_library_without_a_floe_note_is_nobodys_business() {
    let scene = Scene::new();
    scene.write("ordinary", &Elf::plain().build());
    scene.write(
        "other-notes",
        &Elf::plain().note_that_says(4, 4, b"GNU\0", b"1234").build(),
    );
    let c = scene.root().join("c");
    fs::create_dir(&c).unwrap();
    let library = compile_c(&c, "ordinary", "int answer(void) { return 42; }", &[]);
    write(&scene.path("of-c"), &fs::read(library).unwrap());
    let registry = scene.registry();
    assert!(registry.rejected().is_empty(), "{:?}", registry.rejected());
    assert_eq!(registry.list().len(), 1);
    scene.check_good(&registry);
    // Asked about in particular, it is told.
    let refusal = registry.inspect(&scene.path("ordinary")).unwrap_err();
    Refused::discover("manifest")
        .found("ordinary library")
        .remedy("export_plugin!")
        .check(&refusal);
}

#[test]
fn a_plugin_without_a_section_table() {
    let scene = Scene::new();
    scene.write(
        "stripped",
        &Elf {
            sections: false,
            ..plugin()
        }
        .build(),
    );
    // As `sstrip` leaves it: the real thing, without its section table.
    let library = Library::of(Fixture::Probe).named("bare");
    let mut bytes = library.bytes().to_vec();
    let table = u64::from_le_bytes(bytes[40..48].try_into().unwrap());
    bytes.truncate(usize::try_from(table).unwrap());
    bytes[40..48].fill(0);
    bytes[58..64].fill(0);
    scene.write("bare", &bytes);
    let registry = scene.registry();
    assert!(registry.rejected().is_empty(), "{:?}", registry.rejected());
    assert!(registry.has("bad.go"));
    check_answers(&registry, "bare");
    scene.check_good(&registry);
}

#[test]
fn manifests_that_are_no_good() {
    let bad = Refused::discover("manifest")
        .expected("as `export_plugin!` writes it")
        .remedy("build the plugin again");
    let cases: &[(&[u8], Refused)] = &[
        (b"", bad.found("malformed")),
        (b"\xff\xfe", bad.found("not UTF-8 at its byte 0")),
        (b"not json", bad.found("malformed")),
        (b"[]", bad.found("malformed")),
        (b"{}", bad.found("missing field")),
        (b"{\"format\":1}", bad.found("missing field")),
        (
            b"{\"format\":2}",
            Refused::discover("manifest-format")
                .found("format `2`")
                .expected("format `1`")
                .remedy("update floe"),
        ),
        (
            b"{\"format\":18446744073709551615}",
            Refused::discover("manifest-format").found("format `18446744073709551615`"),
        ),
    ];
    for (text, refused) in cases {
        check(&Elf::plugin(text).build(), refused);
    }
    let good = good_manifest();
    let cases = [
        ("\"name\":\"bad\",", "", "missing field `name`"),
        (
            "\"name\":\"bad\"",
            "\"name\":\"../bad\"",
            "`name` is `../bad`",
        ),
        (
            "\"name\":\"bad\"",
            "\"name\":\"\\u001b[2J\\n\"",
            "`name` is `\\u{1b}[2J\\n`",
        ),
        ("abi_stable", "\\u001b[2J\\n", "`\\u{1b}[2J\\n 0.11`"),
        ("\"version\":\"1.0.0\"", "\"version\":\"1.0\"", "malformed"),
        ("\"version\":\"1.0.0\"", "\"version\":1", "malformed"),
        ("\"1.0\"", "\"v1.0\"", "expected `major.minor`"),
        ("\"1.0\"", "\"1_0\"", "expected `major.minor`"),
        ("\"unwind\"", "\"explode\"", "unknown variant"),
        (
            "[{\"node_type\":\"bad.go\"}]",
            "[]",
            "at least one executor",
        ),
        (
            "[{\"node_type\":\"bad.go\"}]",
            "[{\"node_type\":\"bad.go\"},{\"node_type\":\"bad.go\"}]",
            "`executors[1].node_type` is `bad.go`",
        ),
        ("\"bad.go\"", "\"bad..go\"", "joined by dots"),
        ("\"compute\"", "\"Com pute\"", "not a plugin kind"),
        ("{", "{\"name\":\"other\",", "duplicate field"),
    ];
    for (from, to, found) in cases {
        assert!(good.contains(from), "{from} in {good}");
        let text = good.replacen(from, to, 1);
        let scene = Scene::new();
        let path = scene.write("bad", &Elf::plugin(&text).build());
        let registry = scene.registry();
        let refusal = scene.refusal(&registry, &path);
        bad.check(&refusal);
        assert!(refusal.found.contains(found), "`{found}` in {refusal}");
        scene.check_good(&registry);
    }
    let deep = format!(
        "{{\"format\":1,\"x\":{}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    check(&Elf::plugin(deep).build(), &bad);
    let long = good.replacen(
        '{',
        &format!("{{\"description\":\"{}\",", "x".repeat(1 << 20)),
        1,
    );
    check(
        &Elf::plugin(long).build(),
        &Refused::discover("manifest-size").remedy("shorten"),
    );
}

#[test]
fn a_manifest_of_the_future_is_read() {
    let scene = Scene::new();
    let later =
        good_manifest().replacen('{', "{\"a field of the future\":{\"x\":[1,2.5,null]},", 1);
    scene.write("later", &Elf::plugin(later).build());
    let registry = scene.registry();
    assert!(registry.rejected().is_empty(), "{:?}", registry.rejected());
    assert!(registry.has("bad.go"));
    scene.check_good(&registry);
}

#[test]
fn libraries_of_other_systems() {
    let format = Refused::discover("format").remedy("for this host");
    check(b"MZ\x90\0\x03\0\0\0", &format.found("PE"));
    check(
        &[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2],
        &format.found("universal Mach-O"),
    );
    check(
        &[0xce, 0xfa, 0xed, 0xfe, 0, 0, 0, 0],
        &format.found("32-bit Mach-O"),
    );
    let mut mach_o = vec![0xcf, 0xfa, 0xed, 0xfe];
    mach_o.resize(4_096, 0);
    let scene = Scene::new();
    let path = scene.write("bad", &mach_o);
    let registry = scene.registry();
    check_words(&scene.refusal(&registry, &path));
    scene.check_good(&registry);
}

#[test]
fn an_executable_and_an_object_of_the_compilers() {
    let source = format!(
        "{}int main(void) {{ return 0; }}",
        note_in_c(&good_manifest())
    );
    let cases: [(&[&str], &str); 3] = [
        (&["-no-pie"], "an ELF executable"),
        (&["-c"], "an ELF object file"),
        (&["-pie", "-fPIE"], "it names an interpreter"),
    ];
    for (arguments, found) in cases {
        let scene = Scene::new();
        let built = scene.root().join("built");
        run_compiler(&built, &source, arguments);
        let path = scene.write("bad", &fs::read(built).unwrap());
        let registry = scene.registry();
        let refused = Refused::discover("library-type").found(found);
        scene.check_refused(&registry, &path, &refused.remedy("cdylib"));
    }
}

#[test]
fn a_library_cut_at_every_length() {
    let scene = Scene::new();
    let c = scene.root().join("c");
    fs::create_dir(&c).unwrap();
    let source = format!(
        "{}int answer(void) {{ return 42; }}",
        note_in_c(&good_manifest())
    );
    let whole = fs::read(compile_c(&c, "small", &source, &[])).unwrap();
    let length = whole.len();
    let steps = (0..length).filter(|cut| *cut < 4_096 || cut % 64 < 2 || length - cut < 256);
    let mut count = 0;
    for cut in steps {
        fs::write(scene.path(&format!("cut-{cut:06}")), &whole[..cut]).unwrap();
        count += 1;
    }
    scene.write("whole", &whole);
    let registry = scene.builder().trust(Trust::Any).build().unwrap();
    assert_eq!(registry.list().len(), 2, "the good one and the whole one");
    let refusals = registry.rejected();
    assert_eq!(refusals.len(), count);
    for refusal in &refusals {
        check_words(refusal);
        let empty = refusal.path.ends_with("cut-000000.so");
        assert_eq!(
            refusal.check,
            if empty { "empty" } else { "incomplete" },
            "{refusal}"
        );
    }
    assert!(registry.has("bad.go"));
    scene.check_good(&registry);
}
