use proptest::prelude::*;

use super::*;

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn plugin(name: &str) -> PluginId {
    PluginId {
        kind: Kind::STORAGE,
        name: name.to_owned(),
    }
}

fn build(name: &str, version: &str, byte: u8) -> LockedBuild {
    LockedBuild::new(
        plugin(name),
        version.parse().unwrap(),
        Platform::host(),
        digest(byte),
    )
}

fn elsewhere(name: &str, version: &str, byte: u8) -> LockedBuild {
    LockedBuild {
        platform: "mach-o-64-bit-arm64".to_owned(),
        ..build(name, version, byte)
    }
}

fn lock(builds: &[LockedBuild]) -> LockFile {
    let mut lock = LockFile::default();
    for each in builds {
        let key = (each.plugin.clone(), each.version.clone());
        let digests = lock.builds.entry(key).or_default();
        digests.insert(each.platform.clone(), each.digest);
    }
    lock
}

#[test]
fn it_is_written_in_order_one_line_for_each_platform() {
    let lock = lock(&[
        build("sqlite", "0.10.0", 2),
        build("sqlite", "0.9.0", 1),
        elsewhere("sqlite", "0.10.0", 3),
        build("acme", "1.0.0-rc.1+build.5", 4),
    ]);
    let text = lock.to_string();
    if Platform::host().to_string() == "ELF 64-bit little-endian x86-64" {
        insta::assert_snapshot!(text, @r#"
        # The builds that may be loaded here. Written by `floe lock`; `floe lock --check` says whether
        # it fits what is there. Keep it with `floe.toml` in version control.
        version = 1

        [[plugin]]
        kind = "storage"
        name = "acme"
        version = "1.0.0-rc.1+build.5"
        sha256.elf-64-bit-little-endian-x86-64 = "0404040404040404040404040404040404040404040404040404040404040404"

        [[plugin]]
        kind = "storage"
        name = "sqlite"
        version = "0.9.0"
        sha256.elf-64-bit-little-endian-x86-64 = "0101010101010101010101010101010101010101010101010101010101010101"

        [[plugin]]
        kind = "storage"
        name = "sqlite"
        version = "0.10.0"
        sha256.elf-64-bit-little-endian-x86-64 = "0202020202020202020202020202020202020202020202020202020202020202"
        sha256.mach-o-64-bit-arm64 = "0303030303030303030303030303030303030303030303030303030303030303"
        "#);
    }
    assert_eq!(LockFile::parse(&text), Ok(lock));
}

#[test]
fn what_floe_would_not_write_is_damaged() {
    let good = lock(&[build("sqlite", "0.1.0", 1)]).to_string();
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let refused = |text: &str, said: &str| {
        let reason = LockFile::parse(text).unwrap_err();
        assert!(reason.contains(said), "{reason}");
        assert!(!reason.contains('\n'), "{reason}");
    };
    refused("", "missing field `version`");
    refused(
        "version = 2\n[[build]]\nname = \"a\"",
        "its format is version `2`, this floe reads version `1`",
    );
    refused("version = 1\nplugins = []", "unknown field `plugins`");
    refused("version = 1\n[[plugin]]\nname = ", "line 3");
    refused(&changed("0101", "01zz"), "is not a digest");
    refused(&changed("0101", "01"), "is not a digest");
    refused(&changed("0.1.0", "0.1"), "line");
    refused(&changed("\"sqlite\"", "\"sq\\nlite\""), "no plugin's name");
    refused(&changed("\"sqlite\"", "\"\""), "no plugin's name");
    refused(
        &changed("sha256.", "sha256.\"a b\" = \"x\"\nsha256."),
        "no platform",
    );
    let table = good.split_once("[[plugin]]").unwrap().1;
    refused(&format!("{good}\n[[plugin]]{table}"), "is there twice");
    let without = good.lines().filter(|line| !line.starts_with("sha256"));
    let without: Vec<&str> = without.collect();
    refused(&without.join("\n"), "missing field `sha256`");
    assert!(LockFile::parse("version = 1").unwrap().builds.is_empty());
    // The names that vendors know are names of kinds.
    assert!(LockFile::parse(&changed("\"storage\"", "\"floe.storage\"")).is_ok());
}

#[test]
fn a_build_is_found_or_it_is_said_what_is_there() {
    let lock = lock(&[
        build("sqlite", "0.9.0", 1),
        build("sqlite", "0.10.0", 2),
        elsewhere("acme", "1.0.0", 3),
    ]);
    let find = |name: &str, version: &str| {
        lock.find(&plugin(name), &version.parse().unwrap(), Platform::host())
    };
    assert_eq!(find("sqlite", "0.9.0"), Ok(digest(1)));
    assert_eq!(find("sqlite", "0.10.0"), Ok(digest(2)));
    let versions = vec![Version::new(0, 9, 0), Version::new(0, 10, 0)];
    assert_eq!(
        find("sqlite", "0.9.5"),
        Err(NotLocked::Downgrade(versions.clone()))
    );
    assert_eq!(find("sqlite", "0.10.1"), Err(NotLocked::Newer(versions)));
    assert_eq!(find("other", "0.9.0"), Err(NotLocked::Plugin));
    let platforms = vec!["mach-o-64-bit-arm64".to_owned()];
    assert_eq!(find("acme", "1.0.0"), Err(NotLocked::Platform(platforms)));
    let other_kind = PluginId {
        kind: Kind::COMPUTE,
        name: "sqlite".to_owned(),
    };
    let found = lock.find(&other_kind, &Version::new(0, 9, 0), Platform::host());
    assert_eq!(found, Err(NotLocked::Plugin));
}

#[test]
fn an_update_changes_what_is_there_and_keeps_other_platforms() {
    let old = lock(&[
        build("gone", "1.0.0", 1),
        elsewhere("gone", "1.0.0", 2),
        build("vanished", "1.0.0", 3),
        build("new", "1.0.0", 4),
        elsewhere("new", "1.0.0", 5),
        build("same", "1.0.0", 6),
        elsewhere("same", "1.0.0", 7),
    ]);
    let found = [
        build("new", "2.0.0", 8),
        build("same", "1.0.0", 9),
        // The same version further on in the search path, which does not answer.
        build("same", "1.0.0", 10),
    ];
    let all = old.updated(found.clone(), Platform::host(), |_| true);
    let expected = lock(&[
        elsewhere("gone", "1.0.0", 2),
        elsewhere("new", "1.0.0", 5),
        build("new", "2.0.0", 8),
        build("same", "1.0.0", 9),
        elsewhere("same", "1.0.0", 7),
    ]);
    assert_eq!(all, expected);
    let changes = old.changes_to(&all);
    let titles: Vec<String> = changes
        .iter()
        .map(|change| {
            let json = serde_json::to_value(change).unwrap();
            let word = |key: &str| json[key].as_str().unwrap().to_owned();
            format!("{} {} {}", word("change"), word("name"), word("version"))
        })
        .collect();
    assert_eq!(
        titles,
        [
            "added new 2.0.0",
            "changed same 1.0.0",
            "removed gone 1.0.0",
            "removed new 1.0.0",
            "removed vanished 1.0.0"
        ]
    );
    assert!(all.changes_to(&all).is_empty());

    let one = old.updated(found, Platform::host(), |plugin| plugin.name == "same");
    assert_eq!(old.changes_to(&one).len(), 1);
    assert!(
        one.builds()
            .any(|each| each == build("vanished", "1.0.0", 3))
    );
}

#[test]
fn a_file_is_read_if_nobody_else_can_have_written_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(LOCK_FILE);
    let missing = LockFile::read(&path).unwrap_err();
    assert!(matches!(missing, LockError::Missing { .. }), "{missing}");
    let whole = lock(&[build("sqlite", "0.1.0", 1)]);
    whole.write(&path).unwrap();
    assert_eq!(LockFile::read(&path), Ok(whole.clone()));
    lock(&[]).write(&path).unwrap();
    assert_eq!(LockFile::read(&path), Ok(LockFile::default()));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    fs::write(&path, [0xff]).unwrap();
    let damaged = LockFile::read(&path).unwrap_err();
    assert!(matches!(damaged, LockError::Damaged { .. }), "{damaged}");
    fs::write(&path, "version = 2\n[newer]\n").unwrap();
    let newer = LockFile::read(&path).unwrap_err();
    assert!(
        matches!(newer, LockError::Format { found: 2, .. }),
        "{newer}"
    );
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let unreadable = LockFile::read(&path).unwrap_err();
    assert!(
        unreadable.to_string().contains("a directory"),
        "{unreadable}"
    );
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_write_to_vouches_for_nothing() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("real.lock");
    lock(&[]).write(&path).unwrap();
    // Where configuration is mounted, it is often a link.
    let link = directory.path().join("link.lock");
    symlink("real.lock", &link).unwrap();
    assert_eq!(LockFile::read(&link), Ok(LockFile::default()));
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    set(&path, 0o646);
    for each in [&path, &link] {
        let exposed = LockFile::read(each).unwrap_err().to_string();
        assert!(exposed.contains("its mode is `0646`"), "{exposed}");
    }
    set(&path, 0o644);
    set(directory.path(), 0o777);
    let exposed = LockFile::read(&path).unwrap_err().to_string();
    assert!(
        exposed.contains("where it is, has mode `0777`"),
        "{exposed}"
    );
    set(directory.path(), 0o700);
}

proptest! {
    #[test]
    fn whatever_is_cut_or_flipped_is_damaged_or_another_lock(cut in 0..400usize, at in 0..400usize, bit in 0..8u8) {
        let text = lock(&[build("sqlite", "0.1.0", 1), elsewhere("acme", "1.0.0", 2)]).to_string();
        let mut bytes = text.into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        fuzz_lock(&bytes);
        bytes.truncate(cut);
        fuzz_lock(&bytes);
    }
}
