//! What is found in libraries that a C compiler made, and in this test itself, which Rust made.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use proptest::prelude::*;

use super::*;

/// A directory for libraries, and what makes them.
struct Workshop {
    directory: tempfile::TempDir,
}

impl Workshop {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file with this text.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A shared library with this source, from which others in this directory are found.
    #[track_caller]
    fn library(&self, name: &str, source: &str, arguments: &[&str]) -> PathBuf {
        let output = self.path(name);
        let source = self.file(&format!("{name}.c"), source);
        let mut command = compiler_command("cc");
        command.args(["-shared", "-fPIC", "-w", "-o"]).arg(&output);
        command.arg(source).arg("-L").arg(self.directory.path());
        command.args(arguments);
        run(command);
        output
    }

    /// The argument by which a library looks in this directory for others.
    fn run_path(&self) -> String {
        format!("-Wl,-rpath,{}", self.directory.path().display())
    }

    #[track_caller]
    fn examined(&self, source: &str, arguments: &[&str]) -> Preflight {
        examined(&self.library("libx.so", source, arguments))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the libraries of these tests are compiled"
)]
fn compiler_command(program: &str) -> Command {
    Command::new(program)
}

#[track_caller]
fn run(mut command: Command) {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?} failed:\n{said}");
}

#[track_caller]
fn examined(path: &Path) -> Preflight {
    let found = preflight(&File::open(path).unwrap(), path).unwrap();
    assert!(found.examined);
    for finding in &found.findings {
        assert!(!finding.found.contains('\n'), "{finding:?}");
    }
    found
}

/// That these and no others were found.
#[track_caller]
fn finds(preflight: &Preflight, expected: &[(Hazard, &str)]) {
    let found: Vec<_> = preflight
        .findings
        .iter()
        .map(|finding| (finding.hazard, finding.found.as_str()))
        .collect();
    assert_eq!(found, expected);
}

const PLAIN: &str = "int x(void) { return 1; }";

/// Changes bytes of a file wherever they stand.
#[track_caller]
fn replace(path: &Path, from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(path).unwrap();
    let places: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at..].starts_with(from))
        .collect();
    assert!(!places.is_empty(), "nothing to replace");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_plain_library_of_c_has_nothing_hazardous() {
    let workshop = Workshop::new();
    let found = workshop.examined(PLAIN, &[]);
    finds(&found, &[]);
    let compiler = found.compiler.unwrap();
    assert!(!compiler.starts_with("rustc"), "{compiler}");
    let libc = found.needed.iter().find(|it| it.name == "libc.so.6");
    assert!(libc.is_none_or(|libc| libc.found.is_some()), "{libc:?}");
}

#[test]
fn a_plain_program_of_rust_has_nothing_hazardous() {
    let found = examined(&std::env::current_exe().unwrap());
    finds(&found, &[]);
    assert!(found.compiler.unwrap().starts_with("rustc version "));
    let glibc = found.glibc.unwrap();
    assert!(glibc.needed.starts_with("2."), "{glibc:?}");
    assert!(glibc.host.unwrap().starts_with("2."));
    let libc = found.needed.iter().find(|it| it.name == "libc.so.6");
    assert!(libc.unwrap().found.as_ref().unwrap().is_file());
}

#[test]
fn a_library_that_is_nowhere_is_told() {
    let workshop = Workshop::new();
    let call = "int y(void); int x(void) { return y(); }";
    let foo = workshop.library(
        "libpreflight-foo.so",
        "int y(void) { return 2; }",
        &["-Wl,-soname,libpreflight-foo.so.3"],
    );
    let needs = ["-lpreflight-foo"];
    let library = workshop.library("libx.so", call, &needs);
    let expected = "needs `libpreflight-foo.so.3`, which is nowhere the loader looks";
    let missing = examined(&library);
    finds(&missing, &[(Hazard::MissingLibrary, expected)]);
    assert_eq!(missing.findings[0].severity, Severity::Error);
    assert_eq!(missing.needed[0].name, "libpreflight-foo.so.3");
    assert_eq!(missing.needed[0].found, None);

    // What stands beside the plugin does not stand beside its copy.
    let beside = workshop.path("libpreflight-foo.so.3");
    fs::copy(&foo, &beside).unwrap();
    let explained = format!(
        "{expected}; `{}` is not, as a plugin is loaded from a private copy in another directory",
        shown(beside.to_str().unwrap().as_bytes())
    );
    finds(&examined(&library), &[(Hazard::MissingLibrary, &explained)]);
    let origin = workshop.examined(call, &["-lpreflight-foo", "-Wl,-rpath,${ORIGIN}/."]);
    assert_eq!(origin.findings[0].hazard, Hazard::MissingLibrary);
    assert!(
        origin.findings[0].found.contains("private copy"),
        "{origin:?}"
    );
    assert_eq!(origin.findings[1].hazard, Hazard::RunPath);
    assert_eq!(origin.findings.len(), 2);

    // With a run path it is found, unless it is for another machine.
    let library = workshop.library("libx.so", call, &["-lpreflight-foo", &workshop.run_path()]);
    let by_path = examined(&library);
    let entry = shown(workshop.directory.path().to_str().unwrap().as_bytes());
    let looked = format!("has its libraries looked for in `{entry}`");
    finds(&by_path, &[(Hazard::RunPath, &looked)]);
    assert_eq!(by_path.needed[0].found, Some(beside.clone()));
    let mut bytes = fs::read(&beside).unwrap();
    bytes[18] ^= 1;
    fs::write(&beside, bytes).unwrap();
    let foreign = examined(&library);
    assert_eq!(
        foreign.findings[0].hazard,
        Hazard::MissingLibrary,
        "{foreign:?}"
    );
}

#[test]
fn what_is_missing_further_on_says_who_needs_it() {
    let workshop = Workshop::new();
    let soname = "-Wl,-soname,libpreflight-far.so.1";
    workshop.library(
        "libpreflight-far.so",
        "int z(void) { return 3; }",
        &[soname],
    );
    workshop.library(
        "libpreflight-near.so",
        "int z(void); int y(void) { return z(); }",
        &["-lpreflight-far"],
    );
    let call = "int y(void); int x(void) { return y(); }";
    let arguments = ["-lpreflight-near", "-Wl,--allow-shlib-undefined"];
    let run_path = workshop.run_path();
    let newer = [
        arguments[0],
        arguments[1],
        &run_path,
        "-Wl,--enable-new-dtags",
    ];
    let found = workshop.examined(call, &newer);
    assert_eq!(
        found.findings[0].found,
        "needs `libpreflight-near.so`, which needs `libpreflight-far.so.1`, which is nowhere the loader looks"
    );

    // A run path of the older kind is for the libraries of a library, too.
    fs::rename(
        workshop.path("libpreflight-far.so"),
        workshop.path("libpreflight-far.so.1"),
    )
    .unwrap();
    let older = [
        arguments[0],
        arguments[1],
        &run_path,
        "-Wl,--disable-new-dtags",
    ];
    let found = workshop.examined(call, &older);
    assert_eq!(found.findings.len(), 1, "{found:?}");
    assert_eq!(found.findings[0].hazard, Hazard::RunPath);
}

#[test]
fn a_library_that_is_too_old_is_told_with_what_it_has() {
    let workshop = Workshop::new();
    let script = |versions: &str| {
        let path = workshop.file("versions", versions);
        format!("-Wl,--version-script={}", path.display())
    };
    let source = "int one(void) { return 1; } int two(void) { return 2; }";
    let both = script("V_1.9 { global: one; }; V_1.10 { global: two; } V_1.9;");
    workshop.library("libpreflight-v.so", source, &[&both]);
    let call = "int two(void); int x(void) { return two(); }";
    let run_path = workshop.run_path();
    let library = workshop.library("libx.so", call, &["-lpreflight-v", &run_path]);
    assert_eq!(examined(&library).findings.len(), 1);

    let one = script("V_1.2 { global: one; }; V_1.9 { global: two; };");
    workshop.library("libpreflight-v.so", source, &[&one]);
    assert_eq!(
        examined(&library).findings[0].found,
        "needs `V_1.10` of `libpreflight-v.so`, host has up to `V_1.9`"
    );
    let other = script("OTHER { global: one; two; };");
    workshop.library("libpreflight-v.so", source, &[&other]);
    assert_eq!(
        examined(&library).findings[0].found,
        "needs `V_1.10` of `libpreflight-v.so`, which the one that is found does not define"
    );
    // The loader asks no versions of a library that has none.
    workshop.library("libpreflight-v.so", source, &[]);
    assert_eq!(examined(&library).findings.len(), 1);
}

#[test]
fn a_newer_glibc_than_the_hosts_is_told() {
    let workshop = Workshop::new();
    let versions = workshop.file("versions", "GLIBC_2.999 { global: two; };");
    workshop.library(
        "libc.so.6",
        "int two(void) { return 2; }",
        &[
            "-nostdlib",
            "-Wl,-soname,libc.so.6",
            &format!("-Wl,--version-script={}", versions.display()),
        ],
    );
    let found = workshop.examined(
        "int two(void); int x(void) { return two(); }",
        &["-nostdlib", "-l:libc.so.6"],
    );
    let glibc = found.glibc.clone().unwrap();
    assert_eq!(glibc.needed, "2.999");
    assert_eq!(found.findings[0].hazard, Hazard::MissingSymbolVersion);
    assert_eq!(
        found.findings[0].found,
        format!(
            "needs `GLIBC_2.999` of `libc.so.6`, host has up to `GLIBC_{}`",
            glibc.host.unwrap()
        )
    );
}

#[test]
fn a_symbol_that_is_in_no_library_is_told() {
    let workshop = Workshop::new();
    let source = "
        int nope(void);
        extern int maybe(void) __attribute__((weak));
        int printf(const char *, ...);
        extern _Thread_local int here;
        int x(void) { printf(\"\"); return nope() + (maybe ? maybe() : 0); }";
    finds(
        &workshop.examined(source, &[]),
        &[(
            Hazard::UndefinedSymbol,
            "needs `nope`, which no library that it needs defines",
        )],
    );
    let source = "int a(), b(), c(), d(), e(), f(), g();
        int x(void) { return a() + b() + c() + d() + e() + f() + g(); }";
    let found = workshop.examined(source, &[]);
    let text = &found.findings[0].found;
    assert!(
        text.ends_with(" and 2 more, which no library that it needs defines"),
        "{text}"
    );
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_newer_processor_is_told_with_what_this_one_lacks() {
    let workshop = Workshop::new();
    let of = |bits: u32| {
        format!(
            "int x(void) {{ return 1; }}
            __asm__(\".pushsection .note.gnu.property, \\\"a\\\"\\n.balign 8\\n\"
            \".long 4, 16, 5\\n.asciz \\\"GNU\\\"\\n\"
            \".long 0xc0008002, 4, {bits}, 0\\n.popsection\\n\");"
        )
    };
    for (bits, name, level) in [
        (1, "x86-64", mapping::Level::V1),
        (3, "x86-64-v2", mapping::Level::V2),
        (7, "x86-64-v3", mapping::Level::V3),
        (15, "x86-64-v4", mapping::Level::V4),
    ] {
        let found = workshop.examined(&of(bits), &[]);
        assert_eq!(found.instruction_set.as_deref(), Some(name));
        let lacking = mapping::lacking(level);
        let text = format!(
            "needs a processor of level `{name}`, and this one lacks {}",
            listed(&lacking)
        );
        let expected = [(Hazard::InstructionSet, text.as_str())];
        finds(&found, if lacking.is_empty() { &[] } else { &expected });
    }
    assert_eq!(workshop.examined(PLAIN, &[]).instruction_set, None);
}

#[test]
fn code_that_runs_when_it_is_mapped_is_told() {
    let workshop = Workshop::new();
    let source = "
        static int n;
        __attribute__((constructor)) static void early(void) { n = 1; }
        __attribute__((constructor)) void earlier(void) { n = 2; }
        int x(void) { return n; }";
    let library = workshop.library("libx.so", source, &[]);
    let expected = "runs `early` and `earlier` when it is mapped";
    finds(&examined(&library), &[(Hazard::Constructors, expected)]);

    let strip = |path: &Path| {
        let mut command = compiler_command("strip");
        command.arg(path);
        run(command);
    };
    strip(&library);
    let expected = "runs 2 functions more than is usual when it is mapped, `earlier` among them";
    finds(&examined(&library), &[(Hazard::Constructors, expected)]);

    let plain = workshop.library("libx.so", PLAIN, &[]);
    strip(&plain);
    finds(&examined(&plain), &[]);
    let one = "__attribute__((constructor)) static void early(void) {}";
    let one = workshop.library("libx.so", one, &[]);
    strip(&one);
    let expected = "runs 1 function more than is usual when it is mapped, without names as the library was stripped";
    finds(&examined(&one), &[(Hazard::Constructors, expected)]);

    let init = "void begin(void) {}";
    let expected = "runs `begin` when it is mapped";
    finds(
        &workshop.examined(init, &["-Wl,-init,begin"]),
        &[(Hazard::Constructors, expected)],
    );
    // Relocated by what stands in the place, not by an addend.
    let packed = workshop.examined(source, &["-Wl,-z,pack-relative-relocs"]);
    let expected = [(
        Hazard::Constructors,
        "runs `early` and `earlier` when it is mapped",
    )];
    finds(&packed, &expected);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_resolver_that_runs_while_it_is_linked_is_told() {
    let workshop = Workshop::new();
    let source = "
        static int one(void) { return 1; }
        static int (*choose(void))(void) { return one; }
        int chosen(void) __attribute__((ifunc(\"choose\")));";
    finds(
        &workshop.examined(source, &[]),
        &[(
            Hazard::Ifunc,
            "runs a resolver of its own for `chosen` while it is linked",
        )],
    );
    let hidden = source.replace("int chosen", "static int chosen");
    let hidden = format!("{hidden} int x(void) {{ return chosen(); }}");
    finds(
        &workshop.examined(&hidden, &[]),
        &[(
            Hazard::Ifunc,
            "has 1 place for which a resolver of its own is run while it is linked",
        )],
    );
}

#[test]
#[cfg(target_arch = "x86_64")]
fn code_that_is_written_to_is_told() {
    let workshop = Workshop::new();
    let source = "int x(void) { return 1; } __asm__(\".text\\n.balign 8\\n.quad x\\n\");";
    finds(
        &workshop.examined(source, &["-Wl,-z,notext"]),
        &[(
            Hazard::TextRelocations,
            "has relocations in its code (`DT_TEXTREL`)",
        )],
    );
}

#[test]
fn a_stack_with_code_on_it_is_told() {
    let workshop = Workshop::new();
    finds(
        &workshop.examined(PLAIN, &["-Wl,-z,execstack"]),
        &[(
            Hazard::ExecutableStack,
            "asks for an executable stack (`PT_GNU_STACK`)",
        )],
    );
    let silent = workshop.library("libx.so", PLAIN, &[]);
    let kind = object::elf::PT_GNU_STACK.0.to_ne_bytes();
    replace(&silent, &kind, &0_u32.to_ne_bytes());
    finds(
        &examined(&silent),
        &[(
            Hazard::ExecutableStack,
            "does not say that its stack need not be executable (no `PT_GNU_STACK`)",
        )],
    );
}

#[test]
fn a_run_path_that_others_can_write_to_is_told() {
    let workshop = Workshop::new();
    let open = workshop.path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let open = open.to_str().unwrap();
    let run_path = format!("-Wl,-rpath,/usr/lib:lib::{open}:$ORIGIN/lib");
    let found = workshop.examined(PLAIN, &[&run_path]);
    let shown = shown(open.as_bytes());
    let text = |rest: &str| format!("has its libraries looked for in {rest}");
    let expected = [
        text("`lib`, which is relative to the working directory"),
        text("``, an empty entry, which is the working directory"),
        text(&format!(
            "`{shown}`, a directory that everybody may write to"
        )),
        text(&format!(
            "`/usr/lib`, `lib`, ``, `{shown}` and `$ORIGIN/lib`"
        )),
    ];
    let insecure = Hazard::InsecureRunPath;
    finds(
        &found,
        &[
            (insecure, &expected[0]),
            (insecure, &expected[1]),
            (insecure, &expected[2]),
            (Hazard::RunPath, &expected[3]),
        ],
    );
    assert!(found.findings[0].severity == Severity::Error);
    assert!(found.findings[3].severity == Severity::Warning);
    let empty = workshop.examined(PLAIN, &["-Wl,-rpath,"]);
    finds(&empty, &[]);
}

#[test]
fn a_library_that_is_needed_by_a_relative_path_is_told() {
    let workshop = Workshop::new();
    let soname = "-Wl,-soname,./libpreflight-foo.so";
    workshop.library(
        "libpreflight-foo.so",
        "int y(void) { return 2; }",
        &[soname],
    );
    let call = "int y(void); int x(void) { return y(); }";
    let found = workshop.examined(call, &["-lpreflight-foo"]);
    let text = "needs `./libpreflight-foo.so`, which is relative to the working directory";
    assert_eq!(found.findings.len(), 2, "{found:?}");
    assert_eq!(found.findings[0].hazard, Hazard::MissingLibrary);
    assert_eq!(found.findings[1].found, text);
}

#[test]
fn what_it_offers_to_others_is_told() {
    let workshop = Workshop::new();
    let source = "void *malloc(unsigned long n) { return 0; } void free(void *p) {}";
    let found = workshop.examined(source, &[]);
    assert_eq!(found.findings.len(), 1, "{found:?}");
    assert_eq!(found.findings[0].hazard, Hazard::ExportedAllocator);
    for name in ["`malloc`", "`free`", " for the whole process"] {
        assert!(found.findings[0].found.contains(name), "{found:?}");
    }
    finds(&workshop.examined(source, &["-fvisibility=hidden"]), &[]);

    finds(
        &workshop.examined("int PyInit_x(void) { return 1; }", &[]),
        &[(
            Hazard::ForeignEntry,
            "defines `PyInit_x`: it is a plugin for Python too",
        )],
    );
}

#[test]
fn a_plugin_that_comes_along_is_told() {
    let workshop = Workshop::new();
    let source = "int floe_plugin_root = 1; int y(void) { return 2; }";
    workshop.library("libpreflight-foo.so", source, &[]);
    let call = "int y(void); int x(void) { return y(); }";
    let found = workshop.examined(call, &["-lpreflight-foo", &workshop.run_path()]);
    assert_eq!(found.findings.len(), 2, "{found:?}");
    let finding = &found.findings[0];
    assert_eq!(
        (finding.hazard, finding.severity),
        (Hazard::ForeignEntry, Severity::Error)
    );
    assert_eq!(
        finding.found,
        "needs `libpreflight-foo.so`, which is a floe plugin itself"
    );
    // To be one oneself is what plugins are for.
    finds(&workshop.examined("int floe_plugin_root = 1;", &[]), &[]);
}

#[test]
fn a_hostile_name_stays_on_its_line() {
    let workshop = Workshop::new();
    workshop.library("libpreflight-foo.so", "int y(void) { return 2; }", &[]);
    let call = "int y(void); int x(void) { return y(); }";
    let library = workshop.library("libx.so", call, &["-lpreflight-foo"]);
    replace(
        &library,
        b"libpreflight-foo.so",
        b"lib\n\x1b[2J\xffght-foo.so",
    );
    let found = examined(&library);
    let name = "lib\\n\\u{1b}[2J\u{fffd}ght-foo.so";
    assert_eq!(found.needed[0].name, name);
    assert!(found.findings[0].found.contains(name), "{found:?}");

    assert_eq!(shown(&[b'a'; 80]), "a".repeat(80));
    assert_eq!(shown(&[b'a'; 81]), format!("{}…", "a".repeat(80)));
    assert_eq!(
        shown("é".repeat(1000).as_bytes()),
        format!("{}…", "é".repeat(80))
    );
}

#[test]
fn what_is_no_library_is_not_examined_and_what_is_broken_is_refused() {
    let workshop = Workshop::new();
    for text in ["", "#!/bin/sh", &"no library at all ".repeat(100)] {
        let path = workshop.file("x.so", text);
        let found = preflight(&File::open(&path).unwrap(), &path).unwrap();
        assert!(!found.examined && found.findings.is_empty());
    }
    let path = workshop.library("libx.so", PLAIN, &[]);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..200]).unwrap();
    let refused = preflight(&File::open(&path).unwrap(), &path).unwrap_err();
    assert_eq!(refused.check, "malformed", "{refused}");
    assert!(
        refused.found.starts_with("program headers at offset 0x40"),
        "{refused}"
    );
    let mut bytes = bytes;
    bytes[4] = 9;
    fs::write(&path, &bytes).unwrap();
    let refused = preflight(&File::open(&path).unwrap(), &path).unwrap_err();
    assert_eq!(refused.found, "an ELF header of an unknown word size");
}

/// A small library with something of every table.
fn small() -> Vec<u8> {
    let workshop = Workshop::new();
    let source = "
        int puts(const char *);
        __attribute__((constructor)) static void early(void) { puts(\"\"); }
        void *malloc(unsigned long n) { return 0; }
        int nope(void); int PyInit_x(void) { return nope(); }";
    let path = workshop.library("libx.so", source, &["-Wl,-rpath,/opt/lib:lib"]);
    fs::read(path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_library_with_changed_bytes(
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<bool>(), prop_oneof![
                any::<u8>().prop_map(u64::from),
                Just(u64::MAX), Just(1 << 63), Just(u64::from(u32::MAX)), Just(0x7fff_ffff), any::<u64>(),
            ], 1..9usize),
            1..8,
        ),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        static SMALL: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(small);
        let mut bytes = SMALL.clone();
        for (at, in_tables, number, width) in changes {
            // The tables stand at the start; most of the rest is padding.
            let at = at.index(if in_tables { 0x800 } else { bytes.len() });
            for (byte, new) in bytes[at..].iter_mut().zip(&number.to_ne_bytes()[..width]) {
                *byte = *new;
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fuzz_preflight(&bytes);
    }
}
