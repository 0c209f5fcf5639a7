//! What lies in a plugin directory beside plugins.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use floe_loader_tests::child::Host;
use floe_loader_tests::elf::{Elf, manifest};
use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::refusal::{Refused, check_words};
use floe_loader_tests::scene::{Scene, check_answers, check_unreachable, set_mode, write};
use floe_plugin_api::Value;
use floe_registry::{CallError, Registry, SearchDirectory, Stage, Trust};
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// Puts something of a name into the plugin directory, before and after the good plugin.
#[track_caller]
fn check(make: impl Fn(&Path), refused: &Refused) {
    for name in ["a-bad", "z-bad"] {
        let scene = Scene::new();
        let path = scene.path(name);
        make(&path);
        let registry = scene.registry();
        scene.check_refused(&registry, &path, refused);
        assert_eq!(registry.rejected().len(), 1);
        assert_eq!(registry.list().len(), 1);
        // A link may be asked about wherever it leads.
        if let Err(refusal) = registry.inspect(&path) {
            check_words(&refusal);
        } else {
            assert_eq!(refused.check, "link-leaves-root");
        }
    }
}

#[test]
fn a_fifo_is_not_opened() {
    check(
        |path| mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
        &Refused::discover("file-type")
            .found("FIFO")
            .expected("a regular file")
            .remedy("not opened"),
    );
}

#[test]
fn a_socket_is_not_opened() {
    check(
        |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
        &Refused::discover("file-type")
            .found("socket")
            .expected("a regular file"),
    );
}

#[test]
fn a_directory_with_a_librarys_name() {
    check(
        |path| fs::create_dir(path).unwrap(),
        &Refused::discover("file-type")
            .found("a directory")
            .expected("a regular file"),
    );
}

#[test]
fn a_link_that_leads_in_a_circle() {
    check(
        |path| symlink(path, path).unwrap(),
        &Refused::discover("link-loop")
            .found("in a circle")
            .remedy("remove it"),
    );
}

#[test]
fn a_link_that_leads_nowhere() {
    check(
        |path| symlink("nothing", path).unwrap(),
        &Refused::discover("link-dangling").found("`nothing`, which does not exist"),
    );
}

#[test]
fn a_link_that_leaves_the_directory() {
    check(
        |path| {
            let outside = path.parent().unwrap().with_file_name("outside.so");
            write(
                &outside,
                &Elf::plugin(manifest("compute", "outside", "1.0.0", &["o.o"])).build(),
            );
            symlink("../outside.so", path).unwrap();
        },
        &Refused::discover("link-leaves-root")
            .found("outside.so")
            .remedy("search path"),
    );
}

#[test]
fn files_that_are_no_libraries() {
    let cases: &[(&[u8], Refused)] = &[
        (
            b"",
            Refused::discover("empty")
                .found("an empty file")
                .remedy("copy the plugin again"),
        ),
        (
            b"0123456789",
            Refused::discover("not-a-library").found("`0123456789`"),
        ),
        (
            b"just some words\n",
            Refused::discover("not-a-library").found("a text file"),
        ),
        (
            b"<!DOCTYPE html><title>404</title>",
            Refused::discover("not-a-library")
                .found("an HTML page")
                .remedy("download"),
        ),
        (
            b"#!/bin/sh\nexit\n",
            Refused::discover("not-a-library").found("a script"),
        ),
        (
            b"\x1b[2J\x07\x00\xff\xfe",
            Refused::discover("not-a-library").found("`1b 5b 32 4a"),
        ),
        (
            b"\x7fELF",
            Refused::discover("incomplete").found("4 of 52 bytes"),
        ),
    ];
    for (bytes, refused) in cases {
        check(|path| write(path, bytes), refused);
    }
}

#[test]
fn an_unreadable_file() {
    let scene = Scene::new();
    let path = scene.write(
        "bad",
        &Elf::plugin(manifest("compute", "bad", "1.0.0", &["b.b"])).build(),
    );
    set_mode(&path, 0o000);
    let refused = Refused::discover("permission")
        .found("denied")
        .remedy("right to read");
    if fs::read(&path).is_err() {
        scene.check_refused(&scene.registry(), &path, &refused);
        return;
    }
    // The superuser may read everything, so another user looks.
    let program = scene.root().join("host");
    fs::copy(crate::HOST, &program).unwrap();
    set_mode(&program, 0o755);
    // Sticky, as everybody may write there.
    set_mode(scene.root(), 0o1777);
    let host = Host::new(&program, &scene).user(65_534);
    let told = host
        .command("rejected")
        .command("list")
        .command("call:good.echo")
        .run()
        .good();
    assert!(
        told[0].contains("permission") && told[0].contains("bad.so"),
        "{told:?}"
    );
    assert_eq!(told[1], "list = good admitted");
    assert_eq!(told[2], "call:good.echo = null");
}

#[test]
fn names_that_are_no_text() {
    let scene = Scene::new();
    let names: [&[u8]; 3] = [
        b"not-utf8-\xff\xfe.so",
        b"a\nnew line.so",
        b"\x1b[31mred.so",
    ];
    for (name, plugin) in names.iter().zip(["first", "second", "third"]) {
        let path = scene.plugins().join(OsStr::from_bytes(name));
        write(&path, Library::of(Fixture::Probe).named(plugin).bytes());
        let mut broken = name.to_vec();
        broken.splice(0..0, *b"broken-");
        write(
            &scene.plugins().join(OsStr::from_bytes(&broken)),
            b"rubbish",
        );
    }
    let registry = scene.registry();
    for plugin in ["first", "second", "third"] {
        check_answers(&registry, plugin);
    }
    let refusals = registry.rejected();
    assert_eq!(refusals.len(), 3);
    for refusal in &refusals {
        Refused::discover("not-a-library").check(refusal);
        assert!(!refusal.path.exists() || refusal.path.is_file());
        serde_json::to_string(refusal).unwrap();
    }
    for plugin in registry.list() {
        serde_json::to_string(&plugin).unwrap();
    }
    scene.check_good(&registry);
}

#[test]
fn a_file_that_is_gone_when_it_is_to_be_loaded() {
    let scene = Scene::new();
    let path = scene.install("gone", &Library::of(Fixture::Probe).named("gone"));
    let registry = scene.registry();
    fs::remove_file(&path).unwrap();
    let error = registry.call("gone.echo", &Value::Null).unwrap_err();
    let CallError::Rejected(refusal) = error else {
        panic!("{error}");
    };
    Refused::load("readable")
        .found("No such file")
        .remedy("scan again")
        .check(&refusal);
    scene.check_good(&registry);
    let changes = registry.rescan().unwrap();
    assert_eq!(changes.removed.len(), 1);
    assert!(!registry.has("gone.echo"));
    scene.check_good(&registry);
}

#[test]
fn a_file_that_is_still_being_copied() {
    let scene = Scene::new();
    let library = Library::of(Fixture::Probe).named("late");
    let bytes = library.bytes();
    let path = scene.path("late");
    let registry = scene.registry();
    for part in [10, 100, 4_096, bytes.len() / 2, bytes.len() - 1] {
        write(&path, &bytes[..part]);
        let changes = registry.rescan().unwrap();
        assert!(changes.is_empty(), "{changes:?}");
        let refused = Refused::discover("incomplete").remedy("found by the next scan");
        scene.check_refused(&registry, &path, &refused);
    }
    write(&path, bytes);
    let changes = registry.rescan().unwrap();
    assert_eq!(changes.added.len(), 1);
    assert!(registry.rejected().is_empty());
    check_answers(&registry, "late");
}

#[test]
fn the_same_plugin_in_two_directories() {
    let scene = Scene::new();
    let other = scene.root().join("other");
    fs::create_dir(&other).unwrap();
    let twin = Library::of(Fixture::Probe).named("twin");
    let first = scene.install("twin", &twin);
    let second = other.join("twin.so");
    write(&second, twin.bytes());
    let registry = scene.builder().directory(&other).build().unwrap();
    assert!(registry.rejected().is_empty());
    let twins: Vec<_> = registry
        .list()
        .into_iter()
        .filter(|plugin| plugin.name == "twin")
        .collect();
    assert_eq!(twins.len(), 2);
    assert_eq!(twins[0].path.as_deref(), Some(&*first));
    assert!(twins[0].active && twins[0].reason.is_none());
    assert_eq!(twins[1].path.as_deref(), Some(&*second));
    assert!(!twins[1].active);
    let reason = twins[1].reason.as_deref().unwrap();
    assert!(
        reason.contains("same version") && reason.contains(first.to_str().unwrap()),
        "{reason}"
    );
    check_answers(&registry, "twin");
    scene.check_good(&registry);
}

#[test]
fn one_file_by_several_names_is_one_plugin() {
    let scene = Scene::new();
    let path = scene.install("b-one", &Library::of(Fixture::Probe).named("one"));
    symlink("b-one.so", scene.path("a-link")).unwrap();
    fs::hard_link(&path, scene.path("c-hard")).unwrap();
    let again = SearchDirectory::new(scene.plugins());
    let registry = scene.builder().directory(again).build().unwrap();
    assert!(registry.rejected().is_empty(), "{:?}", registry.rejected());
    assert_eq!(registry.list().len(), 2);
    check_answers(&registry, "one");
    scene.check_good(&registry);
}

#[test]
fn what_everybody_may_write_to() {
    let bad = Library::of(Fixture::Probe).named("bad");
    let scene = Scene::new();
    let path = scene.install("bad", &bad);
    set_mode(&path, 0o646);
    let refused = Refused::admit("file-writable")
        .found("`0646`")
        .remedy("`chmod o-w`");
    let registry = scene.registry();
    scene.check_refused(&registry, &path, &refused);
    check_unreachable(&registry, "bad.echo");
    check_answers(&scene.builder().trust(Trust::Any).build().unwrap(), "bad");

    // Mended, it is admitted by the next scan.
    set_mode(&path, 0o644);
    assert_eq!(registry.rescan().unwrap().added.len(), 1);
    check_answers(&registry, "bad");

    let open = scene.plugins().join("open");
    fs::create_dir(&open).unwrap();
    let inside = open.join("inside.so");
    write(&inside, Library::of(Fixture::Probe).named("inside").bytes());
    set_mode(&open, 0o777);
    let refused = Refused::admit("directory-writable")
        .found("`0777`")
        .remedy("the directory");
    scene.check_refused(&scene.registry(), &inside, &refused);
    check_answers(
        &scene.builder().trust(Trust::Any).build().unwrap(),
        "inside",
    );
    // As in `/tmp`: nobody but a file's owner may put another in its place.
    set_mode(&open, 0o1777);
    check_answers(&scene.registry(), "inside");
}

#[test]
fn a_directory_that_everybody_may_write_to_since_the_last_scan() {
    let scene = Scene::new();
    let open = scene.plugins().join("open");
    fs::create_dir(&open).unwrap();
    let inside = open.join("inside.so");
    write(&inside, Library::of(Fixture::Probe).named("inside").bytes());
    let registry = scene.registry();
    assert!(registry.has("inside.echo"));
    set_mode(&open, 0o777);
    let changes = registry.rescan().unwrap();
    assert_eq!(changes.removed.len(), 1, "{changes:?}");
    let refused = Refused::admit("directory-writable").found("`0777`");
    scene.check_refused(&registry, &inside, &refused);
}

#[test]
fn ten_thousand_entries() {
    let scene = Scene::new();
    let plugin = |number: usize| {
        let node_type = format!("n{number}.go");
        Elf::plugin(manifest(
            "compute",
            &format!("n{number}"),
            "1.0.0",
            &[&node_type],
        ))
        .build()
    };
    for number in 0..10_000 {
        let bytes = match number % 4 {
            0 => plugin(number),
            1 => b"no library".to_vec(),
            2 => Elf::plain().build(),
            _ => plugin(number)[..200].to_vec(),
        };
        fs::write(scene.path(&format!("f{number}")), bytes).unwrap();
    }
    let registry = scene.builder().trust(Trust::Any).build().unwrap();
    assert_eq!(registry.list().len(), 2_501);
    assert_eq!(registry.rejected().len(), 5_000);
    assert!(registry.has("n9996.go"));
    assert!(registry.rescan().unwrap().is_empty());
    scene.check_good(&registry);
}

#[test]
fn two_hundred_levels_of_directories() {
    let scene = Scene::new();
    let mut deep = scene.plugins();
    for _ in 0..200 {
        deep.push("d");
        fs::create_dir(&deep).unwrap();
    }
    write(
        &deep.join("deep.so"),
        Library::of(Fixture::Probe).named("deep").bytes(),
    );
    let registry = scene.registry();
    assert!(registry.rejected().is_empty());
    assert!(!registry.has("deep.echo"));
    scene.check_good(&registry);
    let everything = SearchDirectory::new(scene.plugins()).depth(300);
    let registry = Registry::builder()
        .directory(everything)
        .store(scene.store())
        .build()
        .unwrap();
    assert!(registry.rejected().is_empty());
    check_answers(&registry, "deep");
    scene.check_good(&registry);
}

#[test]
fn directories_that_cannot_be_searched() {
    let scene = Scene::new();
    let missing = scene.root().join("missing");
    let registry = scene.builder().directory(&missing).build().unwrap();
    scene.check_refused(
        &registry,
        &missing,
        &Refused::discover("search-path")
            .found("nothing of that name")
            .remedy("create"),
    );
    let file = scene.path("m-good");
    let registry = scene.builder().directory(&file).build().unwrap();
    let refusals = registry.rejected();
    assert_eq!(refusals.len(), 1);
    Refused::discover("search-path")
        .found("a file")
        .expected("a directory")
        .check(&refusals[0]);
    let optional = SearchDirectory::new(&missing).optional();
    let registry = scene.builder().directory(optional).build().unwrap();
    assert!(registry.rejected().is_empty());
    scene.check_good(&registry);
}

#[test]
fn half_of_two_hundred_files_are_broken() {
    let scene = Scene::new();
    let whole = Library::of(Fixture::Probe);
    let mut refused = 0;
    for number in 0..200_usize {
        let name = format!("p{number:03}");
        let node_type = format!("{name}.go");
        let path = scene.path(&name);
        let good = Elf::plugin(manifest("compute", &name, "1.0.0", &[&node_type]));
        refused += 1;
        match number % 20 {
            0 => write(&path, b""),
            2 => write(&path, b"text"),
            4 => write(&path, &whole.bytes()[..10_000]),
            6 => fs::create_dir(&path).unwrap(),
            8 => symlink("nowhere", &path).unwrap(),
            10 => mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap(),
            12 => write(&path, &Elf::plugin("not json").build()),
            14 => {
                write(&path, &good.build());
                fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
            }
            16 => write(&path, &Elf { machine: 0, ..good }.build()),
            18 => write(&path, &good.clone().note("{}").build()),
            _ => {
                refused -= 1;
                write(&path, &good.build());
            }
        }
    }
    scene.install("zz-last", &Library::of(Fixture::Probe).named("last"));
    let registry = scene.registry();
    assert_eq!(registry.rejected().len(), refused);
    assert_eq!(refused, 100);
    assert_eq!(registry.list().len(), 102);
    for refusal in registry.rejected() {
        check_words(&refusal);
    }
    check_answers(&registry, "last");
    scene.check_good(&registry);
}

/// In a process of its own, as mapping such a file would end it.
#[test]
fn a_file_that_has_its_length_before_its_content() {
    let scene = Scene::new();
    let whole = Library::of(Fixture::Probe).named("late");
    for part in [10, 30, 50, 90, 97, 99] {
        let mut bytes = whole.bytes().to_vec();
        let length = bytes.len();
        bytes[length / 100 * part..].fill(0);
        let path = scene.write("late", &bytes);
        let host = Host::new(crate::HOST, &scene)
            .command("call:late.echo")
            .command("call:good.echo");
        let told = host.run().good();
        assert!(told[0].contains("late.so` was refused at load"), "{told:?}");
        assert_eq!(told[1], "call:good.echo = null");
        // Once its content is there it is loaded, without another scan.
        let registry = scene.registry();
        let error = registry.call("late.echo", &Value::Null).unwrap_err();
        let CallError::Rejected(refusal) = error else {
            panic!("{error}");
        };
        check_words(&refusal);
        assert_eq!(refusal.stage, Stage::Load);
        fs::write(&path, whole.bytes()).unwrap();
        check_answers(&registry, "late");
        scene.check_good(&registry);
    }
}
