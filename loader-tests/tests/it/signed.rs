//! Signatures: what a key that may do so has signed is loaded, as what the signature says it is.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::refusal::{Refused, check_words};
use floe_loader_tests::scene::{GOOD, Scene, check_answers, check_unreachable, write};
use floe_loader_tests::vouch::{Signer, comment, sign_with_minisign};
use floe_plugin_api::{Value, value};
use floe_registry::{
    CallError, KeyId, Keys, NamePattern, Registry, Rejection, Signature, Trust, TrustSettings,
    TrustedKey,
};

fn probe(name: &str) -> Library {
    Library::of(Fixture::Probe).named(name)
}

/// A scene in which only what is signed is loaded: the good plugin is.
struct Signed {
    scene: Scene,
    signer: Signer,
}

impl Signed {
    fn new() -> Self {
        let mut scene = Scene::empty();
        let signer = Signer::new();
        let good = probe(GOOD);
        signer.vouch(&scene.install("m-good", &good), &good);
        scene.trust(TrustSettings::new(Trust::Signed).key(signer.trusted()));
        Self { scene, signer }
    }

    /// Checks that a plugin is refused when it is scanned, for its signature; the refusal names these.
    #[track_caller]
    fn check(&self, path: &Path, refused: &Refused, names: &[&str]) {
        let registry = self.scene.registry();
        self.scene.check_refused(&registry, path, refused);
        check_names(&self.scene.refusal(&registry, path), names);
        check_unreachable(&registry, "bad.echo");
    }

    /// Checks that a plugin of this name is refused with this beside it.
    #[track_caller]
    fn check_beside(&self, put: impl FnOnce(&Path), refused: &Refused, names: &[&str]) {
        let path = self.scene.install("bad", &probe("bad"));
        let beside = Signature::path_of(&path);
        put(&beside);
        self.check(&path, refused, names);
    }

    /// Checks that a plugin with a signature by the house's key that says this is refused.
    #[track_caller]
    fn check_comment(&self, comment: &str, refused: &Refused) {
        let library = probe("bad");
        let path = self.scene.install("bad", &library);
        let signature = self.signer.sign(library.bytes(), comment);
        write(&Signature::path_of(&path), signature.as_bytes());
        self.check(&path, refused, &[]);
    }
}

#[track_caller]
fn check_names(refusal: &Rejection, names: &[&str]) {
    let line = refusal.to_string();
    for name in names {
        assert!(line.contains(name), "`{name}` is not in `{line}`");
    }
}

/// The refusal of a call.
#[track_caller]
fn refusal(registry: &Registry, node_type: &str) -> Box<Rejection> {
    match registry.call(node_type, &Value::Null) {
        Err(CallError::Rejected(refusal)) => {
            check_words(&refusal);
            refusal
        }
        other => panic!("expected a refusal, found {other:?}"),
    }
}

#[test]
fn what_is_signed_answers() {
    let signed = Signed::new();
    let registry = signed.scene.registry();
    signed.scene.check_good(&registry);
    let inspection = registry.inspect(&signed.scene.path("m-good")).unwrap();
    assert!(inspection.verdict.admitted, "{inspection:?}");
    for name in [
        "signature",
        "signature-key",
        "signed-manifest",
        "signed-content",
    ] {
        let checks = &inspection.verdict.checks;
        assert!(checks.iter().any(|check| check.check == name), "{name}");
    }
}

#[test]
fn what_nobody_signed() {
    let signed = Signed::new();
    let refused = Refused::admit("signature")
        .found("no signature at `")
        .expected("bad.so.minisig`, as trust is `signed`")
        .remedy("`floe sign`");
    signed.check_beside(|_| (), &refused, &[]);
}

#[test]
fn a_key_that_nobody_trusts() {
    let signed = Signed::new();
    let stranger = Signer::new();
    let library = probe("bad");
    let path = signed.scene.install("bad", &library);
    stranger.vouch(&path, &library);
    let refused = Refused::admit("signature-key").expected("trusted key");
    let names = [stranger.id().to_string(), signed.signer.id().to_string()];
    signed.check(&path, &refused, &[&names[0], &names[1]]);
    // Without any key at all, nothing is signed well enough.
    let trust = TrustSettings::new(Trust::Signed);
    let registry = signed.scene.builder().trust(trust).build().unwrap();
    let refusal = signed.scene.refusal(&registry, &path);
    refused_by(
        &refusal,
        "signature-key",
        "no key is trusted",
        stranger.id(),
    );
    assert!(registry.list().is_empty());
}

#[track_caller]
fn refused_by(refusal: &Rejection, check: &str, said: &str, key: KeyId) {
    check_words(refusal);
    assert_eq!(refusal.check, check, "{refusal}");
    check_names(refusal, &[said, &key.to_string()]);
}

#[test]
fn a_key_that_says_it_is_another() {
    let signed = Signed::new();
    let stranger = Signer::new();
    let library = probe("bad");
    let path = signed.scene.install("bad", &library);
    // The number of the key that is trusted, in a signature of one that is not.
    let [good, bad] = [&signed.signer, &stranger].map(|signer| signer.sign_library(&library));
    let line = |text: &str| text.lines().nth(1).unwrap().to_owned();
    let forged = with_head_of(&line(&good), &line(&bad));
    let text = bad.replace(&line(&bad), &forged);
    let parsed = Signature::parse(&text).unwrap();
    assert_eq!(parsed.key_id(), signed.signer.id());
    write(&Signature::path_of(&path), text.as_bytes());
    let refused = Refused::load("signed-content").found("than was signed");
    signed
        .scene
        .check_refused_at_load("bad.echo", &path, &refused);
    let registry = signed.scene.registry();
    signed.scene.check_good(&registry);
}

/// The base64 of the first ten bytes, algorithm and number of a key, of one line and the rest of
/// another.
fn with_head_of(head: &str, rest: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    // The fourteenth character has the last two bits of the tenth byte, and four of the next.
    let value = |line: &str| {
        let c = line.as_bytes()[13];
        ALPHABET.iter().position(|each| *each == c).unwrap()
    };
    let both = char::from(ALPHABET[value(head) & 0x30 | value(rest) & 0x0f]);
    format!("{}{both}{}", &head[..13], &rest[14..])
}

#[test]
fn a_signature_of_other_bytes() {
    let signed = Signed::new();
    let library = probe("bad");
    let path = signed.scene.install("bad", &library);
    // It says the same of a file that is another.
    signed.signer.vouch(&path, &probe("bad"));
    let refused = Refused::load("signed-content")
        .found("another content, or another trusted comment, than was signed")
        .expected("which is `house`, has signed")
        .remedy("do not use the file");
    signed
        .scene
        .check_refused_at_load("bad.echo", &path, &refused);
    let registry = signed.scene.registry();
    let names = signed.signer.id().to_string();
    check_names(&refusal(&registry, "bad.echo"), &[&names]);
    let inspection = registry.inspect(&path).unwrap();
    let failed: Vec<_> = inspection
        .verdict
        .checks
        .iter()
        .filter(|check| !check.passed)
        .map(|check| check.check)
        .collect();
    assert_eq!(failed, ["signed-content"]);
    // With the one that was made for it, it is loaded.
    signed.signer.vouch(&path, &library);
    registry.rescan().unwrap();
    check_answers(&registry, "bad");
}

#[test]
fn a_comment_that_was_changed_by_hand() {
    let signed = Signed::new();
    let library = probe("bad").version("1.0.1");
    let path = signed.scene.install("bad", &library);
    let older = comment(&library).replace("1.0.1", "1.0.0");
    let text = signed.signer.sign(library.bytes(), &older);
    // What it says now is what the file is, and nobody signed that.
    let changed = text.replace("version:1.0.0", "version:1.0.1");
    assert_ne!(text, changed);
    write(&Signature::path_of(&path), changed.as_bytes());
    let refused = Refused::load("signed-content")
        .found("another trusted comment")
        .remedy("do not use the file");
    signed
        .scene
        .check_refused_at_load("bad.echo", &path, &refused);
    let names = signed.signer.id().to_string();
    check_names(&refusal(&signed.scene.registry(), "bad.echo"), &[&names]);
}

#[test]
fn a_comment_that_says_something_else() {
    let signed = Signed::new();
    let good = comment(&probe("bad"));
    let api = floe_plugin_api::ApiVersion::CURRENT.to_string();
    let refused = Refused::admit("signed-manifest")
        .expected("`bad` 1.0.0, floe api `")
        .remedy("`floe sign`");
    for (from, to, found) in [
        ("name:bad", "name:good", "a signature for name `good`"),
        ("version:1.0.0", "version:1.0.1", "version `1.0.1`"),
        ("version:1.0.0", "version:1.0.0+b", "version `1.0.0+b`"),
        ("kind:compute", "kind:storage", "kind `storage`"),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good);
        signed.check_comment(&changed, &refused.found(found));
    }
    let changed = good.replace(&format!("floe_api_version:{api}"), "floe_api_version:77.5");
    assert_ne!(changed, good);
    signed.check_comment(&changed, &refused.found("floe_api_version `77.5`"));
    for field in ["name", "version", "floe_api_version"] {
        let without: Vec<_> = good
            .split('\t')
            .filter(|word| !word.starts_with(&format!("{field}:")))
            .collect();
        let says_not = refused.found("trusted comment does not say");
        signed.check_comment(&without.join("\t"), &says_not);
        let twice = format!("{good}\t{field}:1.0.0");
        signed.check_comment(&twice, &refused.found("a signature whose trusted comment"));
    }
    signed.check_comment("", &refused.found("does not say"));
    // As other tools put it, with spaces and more words.
    let library = probe("spaced");
    let path = signed.scene.install("spaced", &library);
    let spaced = comment(&library).replace('\t', " ") + " by:ada";
    let text = signed.signer.sign(library.bytes(), &spaced);
    write(&Signature::path_of(&path), text.as_bytes());
    check_answers(&signed.scene.registry(), "spaced");
}

#[test]
fn what_is_no_signature() {
    let signed = Signed::new();
    let library = probe("bad");
    let good = signed.signer.sign_library(&library);
    let malformed = Refused::admit("signature")
        .found("a file that is no signature")
        .expected("the four lines")
        .remedy("get the signature again");
    let written = |bytes: &[u8], refused: &Refused| {
        signed.check_beside(|beside| write(beside, bytes), refused, &[]);
    };
    written(b"", &malformed);
    written(b"no signature at all\n", &malformed);
    written(&[0xff; 300], &malformed.found("it is not text"));
    written(&good.as_bytes()[..good.len() / 2], &malformed);
    written(good.replace("RU", "??").as_bytes(), &malformed);
    written((good.clone() + "more\n").as_bytes(), &malformed);
    let long = Refused::admit("signature").found("more than 16384 bytes");
    written(&vec![b'a'; 1 << 20], &long);
    written((good.clone() + &"\n".repeat(1 << 20)).as_bytes(), &long);
}

#[test]
fn what_is_no_file() {
    let unread = Refused::admit("signature")
        .found("cannot read the signature")
        .expected("a regular file")
        .remedy("the file itself");
    let put = |put: fn(&Path)| Signed::new().check_beside(put, &unread, &[]);
    put(|beside| fs::create_dir(beside).unwrap());
    put(|beside| {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        mknodat(CWD, beside, FileType::Fifo, Mode::from(0o644), 0).unwrap();
    });
    put(|beside| symlink(beside, beside).unwrap());
    put(|beside| symlink("/dev/zero", beside).unwrap());
    // A link to a good signature is as good as that: it speaks for itself, wherever it is.
    let signed = Signed::new();
    let library = probe("bad");
    let path = signed.scene.install("bad", &library);
    let aside = signed.scene.root().join("aside");
    write(&aside, signed.signer.sign_library(&library).as_bytes());
    symlink(&aside, Signature::path_of(&path)).unwrap();
    check_answers(&signed.scene.registry(), "bad");
}

#[test]
fn a_signature_of_the_content_itself() {
    let signed = Signed::new();
    let legacy = Refused::admit("signature")
        .found("legacy format")
        .expected("`ED`")
        .remedy("`minisign -H`");
    let text = include_str!("../../../registry/fuzz/corpus/signature/legacy");
    signed.check_beside(|beside| write(beside, text.as_bytes()), &legacy, &[]);
    // A good one of which only the algorithm's name was changed.
    let good = signed.signer.sign_library(&probe("bad"));
    let changed = good.replacen("\nRU", "\nRW", 1);
    assert_ne!(changed, good);
    signed.check_beside(|beside| write(beside, changed.as_bytes()), &legacy, &[]);
}

/// Checks what a host does that trusts so, with a plugin that is signed well.
#[track_caller]
fn check_keys(keys: impl FnOnce(&Signer) -> Keys, refused: Option<(&str, &str)>) {
    let mut signed = Signed::new();
    let library = probe("bad");
    let path = signed.scene.install("bad", &library);
    signed.signer.vouch(&path, &library);
    // The good plugin is not asked, as it is signed by the same key.
    let good = signed.scene.plugins().join("free");
    fs::create_dir(&good).unwrap();
    fs::rename(signed.scene.path("m-good"), good.join("good.so")).unwrap();
    let trust = TrustSettings::new(Trust::Signed).keys(keys(&signed.signer));
    signed.scene.trust(trust.directory(good, Trust::Owner));
    let registry = signed.scene.registry();
    match refused {
        None => check_answers(&registry, "bad"),
        Some((found, expected)) => {
            let refusal = signed.scene.refusal(&registry, &path);
            refused_by(&refusal, "signature-key", found, signed.signer.id());
            assert!(refusal.expected.contains(expected), "{refusal}");
            check_unreachable(&registry, "bad.echo");
        }
    }
    signed.scene.check_good(&registry);
}

#[test]
fn a_key_that_is_revoked() {
    let revoked = |day: &'static str| {
        move |signer: &Signer| {
            let keys = Keys::default().trust(signer.trusted());
            keys.revoke(signer.id(), day.parse().unwrap())
        }
    };
    check_keys(
        revoked("2001-01-01"),
        Some(("revoked since `2001-01-01`", "")),
    );
    check_keys(revoked("9000-01-01"), None);
    check_keys(
        |signer| revoked("2001-01-01")(signer).revoke(signer.id(), "9000-01-01".parse().unwrap()),
        Some(("revoked since `2001-01-01`", "")),
    );
    // It is the house's clock that counts, whenever the signature says it was made: this one was made
    // in 2023.
    check_keys(
        revoked("2024-06-01"),
        Some(("revoked since `2024-06-01`", "")),
    );
}

#[test]
fn a_key_that_may_not_sign_this_plugin() {
    let allowed = |patterns: &'static [&'static str]| {
        move |signer: &Signer| {
            let patterns = patterns.iter().map(|text| text.parse().unwrap());
            let patterns: Vec<NamePattern> = patterns.collect();
            Keys::default().trust(TrustedKey::new("acme", signer.key()).plugins(patterns))
        }
    };
    check_keys(allowed(&["bad"]), None);
    check_keys(allowed(&["acme", "b*"]), None);
    let refused = Some((
        "key `acme`",
        "a plugin that this key may sign: `acme-*`, `badger`",
    ));
    check_keys(allowed(&["acme-*", "badger"]), refused);
    check_keys(
        allowed(&[]),
        Some(("for the plugin `bad`", "may sign none")),
    );
}

#[test]
fn a_key_that_is_revoked_while_its_plugin_runs() {
    let signed = Signed::new();
    let library = probe("bad");
    signed
        .signer
        .vouch(&signed.scene.install("bad", &library), &library);
    check_answers(&signed.scene.registry(), "bad");
    // The store remembers that the signature was good; the key is asked about every time.
    let keys = Keys::default()
        .trust(signed.signer.trusted())
        .revoke(signed.signer.id(), "2001-01-01".parse().unwrap());
    let trust = TrustSettings::new(Trust::Signed).keys(keys);
    let registry = signed.scene.builder().trust(trust).build().unwrap();
    assert!(registry.list().is_empty());
    assert_eq!(registry.rejected().len(), 2);
}

#[test]
fn a_file_that_is_another_than_when_it_was_scanned() {
    let swaps: [fn(&Scene, &Path, &[u8]); 2] = [
        |_, path, bytes| fs::write(path, bytes).unwrap(),
        |scene, path, bytes| {
            let aside = scene.root().join("aside");
            write(&aside, bytes);
            fs::rename(&aside, path).unwrap();
        },
    ];
    for swap in swaps {
        let signed = Signed::new();
        let library = probe("bad").tag("signed--");
        let path = signed.scene.install("bad", &library);
        signed.signer.vouch(&path, &library);
        let registry = signed.scene.registry();
        assert!(registry.has("bad.tag"));
        swap(&signed.scene, &path, probe("bad").tag("unsigned").bytes());
        let check = || {
            let refused = refusal(&registry, "bad.tag");
            let key = signed.signer.id();
            refused_by(&refused, "signed-content", "than was signed", key);
        };
        check();
        // To scan again does not make it better.
        registry.rescan().unwrap();
        check();
        swap(&signed.scene, &path, library.bytes());
        registry.rescan().unwrap();
        let tag = || registry.call("bad.tag", &Value::Null).unwrap();
        assert_eq!(tag(), value!("signed--"));
        // What runs is what was signed, whatever is there, and nothing else takes its place.
        swap(&signed.scene, &path, probe("bad").tag("unsigned").bytes());
        let changes = registry.rescan().unwrap();
        assert_eq!(changes.held_back.len(), 1, "{changes:?}");
        let reason = changes.held_back[0].reason.clone();
        assert!(reason.contains("than was signed"), "{reason}");
        assert_eq!(tag(), value!("signed--"));
        signed.scene.check_good(&registry);
    }
}

#[test]
fn a_signature_that_is_another_than_when_the_file_was_scanned() {
    let mut signed = Signed::new();
    let other = Signer::new();
    let trust = TrustSettings::new(Trust::Signed)
        .key(signed.signer.trusted())
        .key(other.trusted());
    signed.scene.trust(trust);
    let (one, two) = (probe("bad").tag("build--1"), probe("bad").tag("build--2"));
    let path = signed.scene.install("bad", &one);
    signed.signer.vouch(&path, &one);
    let registry = signed.scene.registry();
    // What was admitted is the first one's signature: the second's is not asked.
    other.vouch(&path, &one);
    assert_eq!(
        registry.call("bad.tag", &Value::Null).unwrap(),
        value!("build--1")
    );
    // Nor is it taken for another file that it is of.
    let registry = signed.scene.registry();
    write(&path, two.bytes());
    signed.signer.vouch(&path, &two);
    let refused = refusal(&registry, "bad.tag");
    // It was the other's that was admitted by then.
    refused_by(&refused, "signed-content", "than was signed", other.id());
    registry.rescan().unwrap();
    assert_eq!(
        registry.call("bad.tag", &Value::Null).unwrap(),
        value!("build--2")
    );
}

#[test]
fn another_implementation_makes_them_too() {
    let mut signed = Signed::new();
    let library = probe("theirs");
    let path = signed.scene.install("theirs", &library);
    let Some(key) = sign_with_minisign(signed.scene.root(), &path, &comment(&library)) else {
        println!("not run: `minisign` is not installed");
        return;
    };
    let trust = TrustSettings::new(Trust::Signed)
        .key(signed.signer.trusted())
        .key(TrustedKey::new("theirs", key.parse().unwrap()));
    signed.scene.trust(trust.clone());
    let registry = signed.scene.registry();
    check_answers(&registry, "theirs");
    signed.scene.check_good(&registry);
    let other = probe("theirs");
    write(&path, other.bytes());
    let refused = refusal(&signed.scene.registry(), "theirs.echo");
    Refused::load("signed-content").check(&refused);
}

/// Made by minisign 0.11 of a content that anybody can make; the secret half of the key is gone.
#[test]
fn a_signature_of_another_implementation_that_was_kept() {
    const CORPUS: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../registry/fuzz/corpus/signature"
    );
    let read = |name: &str| fs::read_to_string(Path::new(CORPUS).join(name)).unwrap();
    let key: floe_registry::PublicKey = read("key").parse().unwrap();
    let signature = Signature::parse(&read("good")).unwrap();
    let content = b"a small plugin\n";
    assert!(signature.verify(&key, &content[..]).is_ok());
    assert!(signature.verify(&key, &b"a small plugin"[..]).is_err());
    // As for a plugin: it says what it was made for, and that is not this one.
    let signed = Signed::new();
    let path = signed.scene.install("bad", &probe("bad"));
    write(&Signature::path_of(&path), read("good").as_bytes());
    let trust = TrustSettings::new(Trust::Signed).key(TrustedKey::new("theirs", key.clone()));
    let registry = signed.scene.builder().trust(trust.clone()).build().unwrap();
    let refused = signed.scene.refusal(&registry, &path);
    Refused::admit("signed-manifest")
        .found("a signature for name `acme`")
        .check(&refused);
    // Where it is what it says, the content is not.
    let acme = probe("acme");
    let api = floe_plugin_api::ApiVersion::CURRENT.to_string();
    let path = signed.scene.install("acme", &acme);
    write(&Signature::path_of(&path), read("good").as_bytes());
    let registry = signed.scene.builder().trust(trust).build().unwrap();
    if api == "1.0" {
        refused_by(
            &refusal(&registry, "acme.echo"),
            "signed-content",
            "than was signed",
            key.id(),
        );
    } else {
        let refused = signed.scene.refusal(&registry, &path);
        Refused::admit("signed-manifest")
            .found("floe_api_version `1.0`")
            .check(&refused);
    }
}
