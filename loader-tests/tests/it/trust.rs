//! Which policy asks what, of which files, and what anybody may have changed is not trusted.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::{Path, PathBuf};

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::refusal::Refused;
use floe_loader_tests::scene::{GOOD, Scene, check_answers, check_unreachable, set_mode, write};
use floe_loader_tests::vouch::{Signer, lock_libraries};
use floe_plugin_api::Kind;
use floe_registry::{PathChecks, Registry, Trust, TrustSettings};

fn probe(name: &str) -> Library {
    Library::of(Fixture::Probe).named(name)
}

/// A scene with plugins for which nothing speaks, the lock file, a signature, or both; the good one
/// has both.
struct Vouched {
    scene: Scene,
    settings: TrustSettings,
    libraries: Vec<(&'static str, Library)>,
}

impl Vouched {
    fn new() -> Self {
        let scene = Scene::empty();
        let signer = Signer::new();
        let names = [GOOD, "bare", "locked", "signed", "both"];
        let libraries: Vec<_> = names.map(|name| (name, probe(name))).into();
        for (name, library) in &libraries {
            let path = scene.install(name, library);
            if [GOOD, "signed", "both"].contains(name) {
                signer.vouch(&path, library);
            }
        }
        let in_lock = libraries
            .iter()
            .filter(|(name, _)| [GOOD, "locked", "both"].contains(name));
        let in_lock: Vec<_> = in_lock.map(|(_, library)| library).collect();
        let file = scene.root().join("floe.lock");
        lock_libraries(&file, &in_lock);
        let settings = TrustSettings::default().lock(file).key(signer.trusted());
        Self {
            scene,
            settings,
            libraries,
        }
    }

    /// Checks what a registry that trusts so loads, and why it refuses what it does not.
    #[track_caller]
    fn check(&self, trust: TrustSettings, loads: &[&str], refuses: &[(&str, &'static str)]) {
        let registry = self.scene.builder().trust(trust).build().unwrap();
        for name in loads {
            check_answers(&registry, name);
        }
        for (name, check) in refuses {
            let path = self.scene.path(name);
            let refused = Refused::admit(check);
            self.scene.check_refused(&registry, &path, &refused);
            check_unreachable(&registry, &format!("{name}.echo"));
        }
        assert_eq!(loads.len() + refuses.len(), self.libraries.len());
    }
}

#[test]
fn each_policy_asks_what_it_says() {
    let vouched = Vouched::new();
    let of = |trust| vouched.settings.clone().policy(trust);
    let all = [GOOD, "bare", "locked", "signed", "both"];
    vouched.check(of(Trust::Any), &all, &[]);
    vouched.check(of(Trust::Owner), &all, &[]);
    vouched.check(
        of(Trust::Locked),
        &[GOOD, "locked", "both"],
        &[("bare", "locked"), ("signed", "locked")],
    );
    vouched.check(
        of(Trust::Signed),
        &[GOOD, "signed", "both"],
        &[("bare", "signature"), ("locked", "signature")],
    );
    vouched.check(
        of(Trust::LockedAndSigned),
        &[GOOD, "both"],
        &[
            ("bare", "locked"),
            ("locked", "signature"),
            ("signed", "locked"),
        ],
    );
}

#[test]
fn a_refusal_names_the_policy_and_what_to_do() {
    let mut vouched = Vouched::new();
    vouched
        .scene
        .trust(vouched.settings.clone().policy(Trust::LockedAndSigned));
    let registry = vouched.scene.registry();
    let refused = Refused::admit("locked")
        .found("`compute/bare` 1.0.0")
        .expected("floe.lock")
        .remedy("`floe lock bare`");
    let path = vouched.scene.path("bare");
    vouched.scene.check_refused(&registry, &path, &refused);
    let refused = Refused::admit("signature")
        .found("locked.so.minisig")
        .expected("`locked+signed`")
        .remedy("`floe sign`");
    let path = vouched.scene.path("locked");
    vouched.scene.check_refused(&registry, &path, &refused);
}

#[test]
fn a_directory_has_a_policy_of_its_own() {
    let vouched = Vouched::new();
    let scene = &vouched.scene;
    let inner = scene.plugins().join("dev");
    let innermost = inner.join("strict");
    fs::create_dir_all(&innermost).unwrap();
    // Whose name begins alike, and is another.
    let other = scene.plugins().join("devel");
    fs::create_dir(&other).unwrap();
    for (directory, name) in [(&inner, "mine"), (&innermost, "checked"), (&other, "other")] {
        write(&directory.join(format!("{name}.so")), probe(name).bytes());
    }
    let trust = vouched
        .settings
        .clone()
        .policy(Trust::Locked)
        .directory(&innermost, Trust::Signed)
        .directory(&inner, Trust::Owner);
    let registry = scene.builder().trust(trust).build().unwrap();
    check_answers(&registry, "mine");
    let refused = Refused::admit("signature").expected("`signed`");
    scene.check_refused(&registry, &innermost.join("checked.so"), &refused);
    let refused = Refused::admit("locked");
    scene.check_refused(&registry, &other.join("other.so"), &refused);
    scene.check_refused(&registry, &scene.path("bare"), &refused);
    // And the other way round: what is asked in one place alone.
    let trust = vouched
        .settings
        .clone()
        .policy(Trust::Any)
        .directory(&other, Trust::Locked);
    let registry = scene.builder().trust(trust).build().unwrap();
    for name in ["mine", "checked", "bare"] {
        check_answers(&registry, name);
    }
    scene.check_refused(&registry, &other.join("other.so"), &refused);
}

#[test]
fn a_kind_asks_for_more_and_never_for_less() {
    let vouched = Vouched::new();
    let compute = |policy: Trust, kind: Trust| {
        let settings = vouched.settings.clone().policy(policy);
        settings.kind(Kind::COMPUTE, kind)
    };
    let locked: &[_] = &[("bare", "locked"), ("signed", "locked")];
    vouched.check(
        compute(Trust::Locked, Trust::Any),
        &[GOOD, "locked", "both"],
        locked,
    );
    vouched.check(
        compute(Trust::Any, Trust::Locked),
        &[GOOD, "locked", "both"],
        locked,
    );
    vouched.check(
        compute(Trust::Locked, Trust::Signed),
        &[GOOD, "both"],
        &[
            ("bare", "locked"),
            ("locked", "signature"),
            ("signed", "locked"),
        ],
    );
    // On top of what is asked of the directory, however lax that is.
    let settings = compute(Trust::Any, Trust::Signed);
    vouched.check(
        settings.directory(vouched.scene.plugins(), Trust::Owner),
        &[GOOD, "signed", "both"],
        &[("bare", "signature"), ("locked", "signature")],
    );
    // Of another kind nothing is asked for that.
    let settings = vouched.settings.clone().policy(Trust::Owner);
    vouched.check(
        settings.kind(Kind::STORAGE, Trust::LockedAndSigned),
        &[GOOD, "bare", "locked", "signed", "both"],
        &[],
    );
}

/// A plugin two directories below the scene's, vouched for in each way, that everybody could replace.
struct Exposed {
    scene: Scene,
    settings: TrustSettings,
    path: PathBuf,
}

impl Exposed {
    fn new(expose: impl FnOnce(&Path)) -> Self {
        let scene = Scene::empty();
        let signer = Signer::new();
        let directory = scene.plugins().join("above/below");
        fs::create_dir_all(&directory).unwrap();
        let (good, bad) = (probe(GOOD), probe("bad"));
        signer.vouch(&scene.install("m-good", &good), &good);
        let path = directory.join("bad.so");
        write(&path, bad.bytes());
        signer.vouch(&path, &bad);
        let lock = scene.root().join("floe.lock");
        lock_libraries(&lock, &[&good, &bad]);
        expose(&path);
        Self {
            settings: TrustSettings::default().lock(lock).key(signer.trusted()),
            scene,
            path,
        }
    }

    fn registry(&self, policy: Trust, paths: Option<PathChecks>) -> Registry {
        let trust = self.settings.clone().policy(policy).paths(paths);
        self.scene.builder().trust(trust).build().unwrap()
    }

    /// Checks that it is refused wherever paths matter, for this reason, and loaded elsewhere.
    #[track_caller]
    fn check(&self, refused: &Refused) {
        for policy in Trust::ALL {
            let by_default = self.registry(policy, None);
            if policy == Trust::Any {
                check_answers(&by_default, "bad");
            } else {
                self.scene.check_refused(&by_default, &self.path, refused);
                check_unreachable(&by_default, "bad.echo");
            }
            check_answers(&self.registry(policy, Some(PathChecks::Off)), "bad");
            let checked = self.registry(policy, Some(PathChecks::On));
            self.scene.check_refused(&checked, &self.path, refused);
        }
    }
}

#[test]
fn a_file_that_everybody_may_write_to() {
    let exposed = Exposed::new(|path| set_mode(path, 0o646));
    exposed.check(
        &Refused::admit("file-writable")
            .found("`0646`")
            .expected("not everybody")
            .remedy("`chmod o-w`"),
    );
}

#[test]
fn a_directory_that_everybody_may_write_to() {
    let exposed = Exposed::new(|path| set_mode(path.parent().unwrap(), 0o757));
    exposed.check(
        &Refused::admit("directory-writable")
            .found("a directory of mode `0757`")
            .expected("a sticky one")
            .remedy("`chmod o-w` the directory"),
    );
}

#[test]
fn a_directory_above_that_everybody_may_write_to() {
    let exposed = Exposed::new(|path| set_mode(path.parent().unwrap().parent().unwrap(), 0o777));
    exposed.check(
        &Refused::admit("directory-writable")
            .found("above` of mode `0777` above its directory")
            .expected("a sticky one")
            .remedy("above`"),
    );
    // Where only a file's owner may put another in its place, nobody else can.
    set_mode(&exposed.scene.plugins().join("above"), 0o1777);
    for policy in Trust::ALL {
        check_answers(&exposed.registry(policy, None), "bad");
    }
}

#[test]
fn above_the_plugin_directory_everybody_may_write() {
    let scene = Scene::new();
    let open = scene.root().join("open");
    let plugins = open.join("plugins");
    fs::create_dir_all(&plugins).unwrap();
    let path = plugins.join("bad.so");
    write(&path, probe("bad").bytes());
    set_mode(&open, 0o777);
    let registry = || {
        scene
            .builder()
            .directory(plugins.as_path())
            .build()
            .unwrap()
    };
    let refused = Refused::admit("directory-writable")
        .found("open` of mode `0777` above its directory")
        .remedy("chmod o-w");
    scene.check_refused(&registry(), &path, &refused);
    set_mode(&open, 0o1777);
    check_answers(&registry(), "bad");
    set_mode(&open, 0o755);
    check_answers(&registry(), "bad");
}

#[test]
fn a_link_that_everybody_may_replace_leads_to_the_plugin_directory() {
    let scene = Scene::new();
    let (open, plugins) = (scene.root().join("open"), scene.root().join("elsewhere"));
    fs::create_dir(&open).unwrap();
    fs::create_dir(&plugins).unwrap();
    write(&plugins.join("bad.so"), probe("bad").bytes());
    let link = open.join("link");
    symlink(&plugins, &link).unwrap();
    let registry = || scene.builder().directory(link.as_path()).build().unwrap();
    check_answers(&registry(), "bad");
    // The link could lead to another's own directory the next time, in which all is theirs.
    set_mode(&open, 0o777);
    let refused = Refused::admit("directory-writable").found("open` of mode `0777`");
    scene.check_refused(&registry(), &link.join("bad.so"), &refused);
}

#[test]
fn a_file_of_another_user() {
    let exposed = Exposed::new(|path| {
        // Only root may give a file away.
        let _ = chown(path, Some(65_534), None);
    });
    if fs::metadata(&exposed.path).unwrap().uid() != 65_534 {
        println!("not run: a file cannot be given to another user here");
        return;
    }
    exposed.check(
        &Refused::admit("file-owner")
            .found("of user `65534` in a directory of user `0`")
            .expected("the search directory's owner")
            .remedy("`chown 0`"),
    );
}
