//! Ways around trust, each of which was open once, or could be.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use floe_loader_tests::child::Host;
use floe_loader_tests::elf::manifest;
use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::{Library, compile_c, note_in_c};
use floe_loader_tests::refusal::{Refused, check_words};
use floe_loader_tests::scene::{GOOD, Scene, check_answers, check_unreachable, set_mode, write};
use floe_loader_tests::vouch::{Signer, comment, lock_libraries};
use floe_loader_tests::wait;
use floe_plugin_api::Value;
use floe_registry::{
    CallError, Keys, Registry, Rejection, Signature, State, Trust, TrustSettings, UpgradeError,
};

fn probe(name: &str) -> Library {
    Library::of(Fixture::Probe).named(name)
}

/// A scene without any plugin in which only what is locked is loaded, and its lock file.
fn locked() -> (Scene, PathBuf) {
    let mut scene = Scene::empty();
    let file = scene.root().join("floe.lock");
    scene.trust(TrustSettings::new(Trust::Locked).lock(&file));
    (scene, file)
}

/// The refusal in an error.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, CallError>) -> Box<Rejection> {
    match result {
        Err(CallError::Rejected(refusal)) => {
            check_words(&refusal);
            refusal
        }
        other => panic!("expected a refusal, found {other:?}"),
    }
}

fn tag(registry: &Registry, name: &str) -> Value {
    registry.call(&format!("{name}.tag"), &Value::Null).unwrap()
}

#[test]
fn a_rollback_to_what_is_refused_by_now() {
    let (scene, file) = locked();
    let old = probe("bad").tag("old-old-");
    let new = probe("bad").version("1.1.0").tag("new-new-");
    lock_libraries(&file, &[&old, &new]);
    scene.install("bad", &old);
    let registry = scene.registry();
    assert_eq!(tag(&registry, "bad"), Value::from("old-old-"));
    scene.install("bad", &new);
    registry.rescan().unwrap();
    assert_eq!(tag(&registry, "bad"), Value::from("new-new-"));
    // While both are locked, there is a way back and forth.
    registry.rollback("bad").unwrap();
    assert_eq!(tag(&registry, "bad"), Value::from("old-old-"));
    write(&scene.path("bad"), new.bytes());
    registry.rescan().unwrap();
    assert_eq!(tag(&registry, "bad"), Value::from("new-new-"));
    lock_libraries(&file, &[&new]);
    registry.rescan().unwrap();
    match registry.rollback("bad") {
        Err(UpgradeError::HeldBack { reason, .. }) => {
            assert!(
                reason.contains("below the version that is locked"),
                "{reason}"
            );
        }
        other => panic!("expected it to be held back, found {other:?}"),
    }
    assert_eq!(tag(&registry, "bad"), Value::from("new-new-"));
}

#[test]
fn a_rollback_of_what_is_signed_goes_by_the_signature_that_it_had() {
    let mut scene = Scene::empty();
    let signer = Signer::new();
    scene.trust(TrustSettings::new(Trust::Signed).key(signer.trusted()));
    let old = probe("bad").tag("old-old-");
    let new = probe("bad").version("1.1.0").tag("new-new-");
    let registry = {
        let path = scene.install("bad", &old);
        signer.vouch(&path, &old);
        scene.registry()
    };
    assert_eq!(tag(&registry, "bad"), Value::from("old-old-"));
    let path = scene.install("bad", &new);
    signer.vouch(&path, &new);
    registry.rescan().unwrap();
    assert_eq!(tag(&registry, "bad"), Value::from("new-new-"));
    registry.rollback("bad").unwrap();
    assert_eq!(tag(&registry, "bad"), Value::from("old-old-"));
}

#[test]
fn what_goes_on_in_the_place_of_one_that_is_held_back_is_refused_by_now() {
    let (scene, file) = locked();
    let old = probe("bad").tag("old-old-");
    // It is admitted, and its code says another manifest.
    let new = probe("bad").version("1.1.0");
    let new = new.with_note(|manifest| manifest["description"] = "Harmless, really.".into());
    lock_libraries(&file, &[&old, &new]);
    scene.install("a-bad", &old);
    let registry = scene.registry();
    assert_eq!(tag(&registry, "bad"), Value::from("old-old-"));
    scene.install("b-bad", &new);
    assert_eq!(registry.rescan().unwrap().held_back.len(), 1);
    assert_eq!(tag(&registry, "bad"), Value::from("old-old-"));
    // What answers in its place is no longer locked: then neither does.
    lock_libraries(&file, &[&new]);
    registry.rescan().unwrap();
    Refused::admit("locked").check(&scene.refusal(&registry, &scene.path("a-bad")));
    let listed = registry.list();
    assert_eq!(listed.len(), 1, "{listed:?}");
    Refused::load("live-manifest").check(&refused(registry.call("bad.echo", &Value::Null)));
}

#[test]
fn a_handle_to_what_was_refused_before_it_was_mapped() {
    let (scene, file) = locked();
    let [never, mapped] = ["never", "mapped"].map(probe);
    for (name, library) in [("never", &never), ("mapped", &mapped)] {
        scene.install(name, library);
    }
    lock_libraries(&file, &[&never, &mapped]);
    let registry = scene.registry();
    let [to_never, to_mapped] =
        ["never.echo", "mapped.echo"].map(|node_type| registry.get(node_type).unwrap());
    to_mapped.call(&Value::Null).unwrap();
    lock_libraries(&file, &[&probe("other")]);
    registry.rescan().unwrap();
    check_unreachable(&registry, "never.echo");
    Refused::admit("locked").check(&refused(to_never.call(&Value::Null)));
    Refused::admit("locked").check(&refused(to_never.load()));
    // What runs goes on for who holds it, and is not started again.
    to_mapped.call(&Value::Null).unwrap();
}

#[test]
fn a_directory_has_its_policy_however_it_is_written() {
    let mut scene = Scene::new();
    let vendor = scene.root().join("vendor");
    fs::create_dir(&vendor).unwrap();
    write(&vendor.join("bad.so"), probe("bad").bytes());
    scene.trust(TrustSettings::new(Trust::Owner).directory(&vendor, Trust::Signed));
    let link = scene.root().join("link");
    symlink(&vendor, &link).unwrap();
    let inside = scene.plugins().join("inside.so");
    for written in [
        vendor.clone(),
        scene.root().join("plugins/../vendor"),
        link.clone(),
        link.join("."),
    ] {
        let registry = scene
            .builder()
            .directory(written.as_path())
            .build()
            .unwrap();
        let refusal = &registry.rejected()[0];
        Refused::admit("signature").check(refusal);
        check_unreachable(&registry, "bad.echo");
        scene.check_good(&registry);
        let inspected = registry.inspect(&written.join("bad.so")).unwrap();
        assert!(!inspected.verdict.admitted);
    }
    // A link beside others, to a file that a stricter directory has.
    fs::rename(&vendor, scene.plugins().join("vendor")).unwrap();
    symlink("vendor/bad.so", &inside).unwrap();
    let vendor = scene.plugins().join("vendor");
    scene.trust(TrustSettings::new(Trust::Owner).directory(vendor, Trust::Signed));
    let registry = scene.registry();
    check_unreachable(&registry, "bad.echo");
    scene.check_good(&registry);
}

#[test]
fn a_laxer_directory_lends_its_policy_to_no_other() {
    let mut scene = Scene::empty();
    let (lax, strict) = (scene.root().join("lax"), scene.root().join("strict"));
    for directory in [&lax, &strict] {
        fs::create_dir(directory).unwrap();
    }
    write(&strict.join("bad.so"), probe("bad").bytes());
    scene.trust(TrustSettings::new(Trust::Signed).directory(&lax, Trust::Any));
    for written in [lax.join("../strict"), strict] {
        let registry = scene.builder().directory(written).build().unwrap();
        Refused::admit("signature").check(&registry.rejected()[0]);
        check_unreachable(&registry, "bad.echo");
    }
}

/// Checks that a good plugin answers, though another file claims to be it, or a better one, and comes
/// first.
#[track_caller]
fn check_not_displaced(trust: TrustSettings, scene: &mut Scene, path: &Path, refused: &Refused) {
    scene.trust(trust);
    let registry = scene.registry();
    let refusal = scene.refusal(&registry, path);
    refused.check(&refusal);
    scene.check_good(&registry);
    // What is found out of contents is found again, by another one too.
    scene.check_good(&scene.registry());
    registry.rescan().unwrap();
    scene.check_good(&registry);
}

#[test]
fn a_file_that_cannot_be_loaded_takes_no_others_place() {
    let good = probe(GOOD);
    // The same version with other content, which comes first.
    let mut scene = Scene::empty();
    scene.install("m-good", &good);
    let lock = scene.root().join("floe.lock");
    lock_libraries(&lock, &[&good]);
    let path = scene.install("a-bad", &probe(GOOD));
    let trust = TrustSettings::new(Trust::Locked).lock(&lock);
    let refused = Refused::admit("locked-digest").remedy("`floe lock good`");
    check_not_displaced(trust, &mut scene, &path, &refused);

    // A higher version that nobody has signed: the signature is another's.
    let mut scene = Scene::empty();
    let signer = Signer::new();
    let path = scene.install("m-good", &good);
    signer.vouch(&path, &good);
    let newer = probe(GOOD).version("9.9.9");
    let path = scene.install("a-bad", &newer);
    let forged = signer.sign(good.bytes(), &comment(&newer));
    write(&Signature::path_of(&path), forged.as_bytes());
    let trust = TrustSettings::new(Trust::Signed).key(signer.trusted());
    check_not_displaced(trust, &mut scene, &path, &Refused::admit("signed-content"));

    // Another plugin that claims the same node types.
    let mut scene = Scene::empty();
    let path = scene.install("m-good", &good);
    signer.vouch(&path, &good);
    let thief = probe(GOOD).with_manifest(|manifest| manifest["name"] = "thief".into());
    let path = scene.install("a-bad", &thief);
    let forged = signer.sign(good.bytes(), &comment(&thief));
    write(&Signature::path_of(&path), forged.as_bytes());
    let trust = TrustSettings::new(Trust::Signed).key(signer.trusted());
    check_not_displaced(trust, &mut scene, &path, &Refused::admit("signed-content"));
}

#[test]
fn a_key_that_is_revoked_between_the_scan_and_the_load() {
    // Tomorrow's revocation is none today, and is asked for again when the file is loaded.
    let mut scene = Scene::empty();
    let signer = Signer::new();
    let bad = probe("bad");
    let path = scene.install("bad", &bad);
    signer.vouch(&path, &bad);
    let day = |day: &str| day.parse().unwrap();
    let keys = |since| {
        let keys = Keys::default().trust(signer.trusted());
        TrustSettings::new(Trust::Signed).keys(keys.revoke(signer.id(), since))
    };
    scene.trust(keys(day("9999-12-31")));
    check_answers(&scene.registry(), "bad");
    scene.trust(keys(day("2020-01-01")));
    let refused = Refused::admit("signature-key").found("revoked since `2020-01-01`");
    refused.check(&scene.refusal(&scene.registry(), &path));
}

#[test]
fn a_library_whose_own_name_is_a_path() {
    let scene = Scene::new();
    let c = scene.root().join("c");
    fs::create_dir(&c).unwrap();
    let text = manifest("compute", "bad", "1.0.0", &["bad.go"]);
    // By its name it would answer for whatever is mapped from that path later.
    let name = format!("-Wl,-soname,{}/objects/x.so", scene.store().display());
    let built = compile_c(&c, "bad", &note_in_c(&text), &[&name]);
    let path = scene.write("bad", &fs::read(built).unwrap());
    let refused = Refused::load("malformed").found("`DT_SONAME`");
    scene.check_refused_at_load("bad.go", &path, &refused);
}

#[test]
fn a_sub_directory_of_somebody_else() {
    use std::os::unix::fs::chown;

    let scene = Scene::new();
    set_mode(&scene.plugins(), 0o1777);
    let own = scene.plugins().join("own");
    fs::create_dir(&own).unwrap();
    let path = own.join("bad.so");
    write(&path, probe("bad").bytes());
    // Only root may give something away.
    if chown(&path, Some(65_534), None).is_err() || chown(&own, Some(65_534), None).is_err() {
        println!("not run: nothing can be given to another user here");
        return;
    }
    let registry = scene.registry();
    let refused = Refused::admit("file-owner")
        .found("a file of user `65534` in a directory of user `65534`, below a search directory of user `0`")
        .expected("the search directory's owner");
    scene.check_refused(&registry, &path, &refused);
    // Nor does a link of theirs to a directory of theirs make it the operator's.
    let link = scene.root().join("link");
    symlink(&own, &link).unwrap();
    let given = std::os::unix::fs::lchown(&link, Some(65_534), None);
    given.unwrap();
    let registry = scene.builder().directory(link.as_path()).build().unwrap();
    check_unreachable(&registry, "bad.echo");
}

#[test]
fn a_store_of_which_others_hold_a_copy_locked() {
    let scene = Scene::new();
    scene.check_good(&scene.registry());
    let objects = scene.store().join("objects");
    let copy = fs::read_dir(&objects).unwrap().next().unwrap().unwrap();
    let held = fs::File::open(copy.path()).unwrap();
    // This process maps it, and has it locked; another one is not to wait for ever for who has it alone.
    assert!(held.try_lock().is_err());
    let told = Host::new(crate::HOST, &scene)
        .command("call:good.echo")
        .run()
        .good();
    assert_eq!(told, ["call:good.echo = null"]);
}

#[test]
fn a_content_that_was_refused_is_not_in_the_store() {
    let (scene, file) = locked();
    scene.install("bad", &probe("bad"));
    lock_libraries(&file, &[&probe("bad")]);
    let registry = scene.registry();
    Refused::load("locked-digest").check(&refused(registry.load("bad.echo")));
    assert_eq!(registry.store().objects().unwrap().len(), 0);
    let listed = registry.list();
    assert_eq!(listed[0].state, State::Failed);
}

#[test]
fn a_copy_that_was_kept_when_less_was_asked() {
    let mut scene = Scene::empty();
    let bad = probe("bad");
    let path = scene.install("bad", &bad);
    // Of a file that was written just now, nothing is remembered yet.
    let seen = scene.store().join("seen");
    wait::until(|| {
        scene.registry().load("bad.echo").unwrap();
        fs::read_dir(&seen).unwrap().count() == 1
    });
    let load = |scene: &Scene| scene.registry().load("bad.echo");
    let lock = scene.root().join("floe.lock");
    lock_libraries(&lock, &[&probe("bad")]);
    scene.trust(TrustSettings::new(Trust::Locked).lock(&lock));
    Refused::load("locked-digest").check(&refused(load(&scene)));
    let signer = Signer::new();
    scene.trust(TrustSettings::new(Trust::Signed).key(signer.trusted()));
    let forged = signer.sign(b"another content", &comment(&bad));
    write(&Signature::path_of(&path), forged.as_bytes());
    for _ in 0..2 {
        Refused::load("signed-content").check(&refused(load(&scene)));
    }
    // That a good one was verified is remembered of that one alone.
    signer.vouch(&path, &bad);
    for _ in 0..2 {
        load(&scene).unwrap();
    }
    write(&Signature::path_of(&path), forged.as_bytes());
    Refused::load("signed-content").check(&refused(load(&scene)));
}
