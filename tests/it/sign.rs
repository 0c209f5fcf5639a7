//! `floe keygen`, `floe sign` and `floe verify`, and that minisign's tools take what they write.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::elf::{library, manifest, manifest_with};
use crate::sandbox::{Ended, Sandbox, assert_seen};

// Made by minisign 0.11, as `tests/it/signed` holds them: the plugin `shelf` 1.2.0 with no code in it, a
// key that protects nothing, and signatures of it.
const LIBRARY: &[u8] = include_bytes!("signed/libshelf.so");
const SECRET: &str = include_str!("signed/bare.key");
const PUBLIC: &str = include_str!("signed/vendor.pub");
const KEY_ID: &str = "1CB150E376725B0F";
/// `-t 'name:shelf version:1.2.0 floe_api_version:1.0'`
const GOOD: &str = include_str!("signed/good.minisig");
/// The same with tabs, `timestamp:1767225600`, `file:libshelf.so` and `kind:storage`.
const KIND: &str = include_str!("signed/kind.minisig");
/// `GOOD` with `-l`.
const LEGACY: &str = include_str!("signed/legacy.minisig");
/// With the comment that minisign makes by itself.
const PLAIN: &str = include_str!("signed/plain.minisig");
/// Of `version:1.1.0`.
const OLDER: &str = include_str!("signed/older.minisig");

/// A place with the plugin, the vendor's keys, and a signature.
fn with(signature: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("libshelf.so", LIBRARY);
    sandbox.file("vendor.pub", PUBLIC);
    sandbox.file("vendor.key", SECRET);
    sandbox.file("libshelf.so.minisig", signature);
    sandbox
}

fn verify(sandbox: &Sandbox) -> Ended {
    sandbox.floe(["verify", "libshelf.so", "--key", "vendor.pub"])
}

fn with_password(sandbox: &Sandbox, password: &str, arguments: &[&str]) -> Ended {
    let mut command = sandbox.command(arguments);
    sandbox.run(command.env("FLOE_KEY_PASSWORD", password))
}

/// Runs minisign, where it is installed.
fn minisign(sandbox: &Sandbox, arguments: &[&str]) -> Option<bool> {
    let mut command = Command::new("minisign");
    let output = command.args(arguments).current_dir(sandbox.work()).output();
    output.ok().map(|output| output.status.success())
}

fn made(sandbox: &Sandbox, arguments: &[&str]) -> serde_json::Value {
    let arguments = [&["keygen", "--json"], arguments].concat();
    sandbox.floe(arguments).json(0)
}

#[test]
fn what_floe_signs_floe_and_minisign_verify() {
    let sandbox = Sandbox::new();
    sandbox.file("a/libshelf.so", library(&manifest()));
    let other = manifest_with(&json!({"name": "drawer", "version": "2.0.0-rc.1+7"}));
    sandbox.file("lib drawer.so", library(&other));
    let key = made(&sandbox, &["--no-password"]);
    let files = ["a/libshelf.so", "lib drawer.so"];
    let arguments = [&["sign", "--key", "floe.key", "--json"], &files[..]].concat();
    let signed = sandbox.floe(arguments).json(0);
    assert_eq!(signed["signed"][0]["signature"], "a/libshelf.so.minisig");
    let comment = signed["signed"][1]["trusted_comment"].as_str().unwrap();
    let (timestamp, rest) = comment.split_once('\t').unwrap();
    assert!(timestamp.starts_with("timestamp:1"), "{comment}");
    assert_eq!(
        rest,
        "file:lib_drawer.so\tname:drawer\tversion:2.0.0-rc.1+7\tfloe_api_version:1.0\tkind:storage"
    );

    for trusted in ["floe.pub", key["public_key"].as_str().unwrap()] {
        let arguments = [&["verify", "--key", trusted, "--json"], &files[..]].concat();
        let verified = sandbox.floe(arguments).json(0);
        assert_eq!(verified["verified"], true);
        for (file, name) in [(0, "shelf"), (1, "drawer")] {
            let file = &verified["files"][file];
            assert_eq!(file["key_id"], key["key_id"]);
            assert_eq!(file["claims"]["name"], name);
            assert_eq!(file["refused"], json!(null));
        }
    }
    for file in files {
        let verified = minisign(&sandbox, &["-V", "-p", "floe.pub", "-m", file]);
        assert_ne!(verified, Some(false), "{file}");
    }
    // The other way round: minisign signs with floe's key.
    let comment = "name:shelf version:1.2.0 floe_api_version:1.0";
    let arguments = ["-S", "-s", "floe.key", "-t", comment, "-m", "a/libshelf.so"];
    assert_ne!(minisign(&sandbox, &arguments), Some(false));
    let arguments = ["verify", "a/libshelf.so", "--key", "floe.pub"];
    assert_eq!(sandbox.floe(arguments).code, Some(0));
}

#[test]
fn a_key_of_minisign_signs() {
    let sandbox = with("");
    let signed = sandbox
        .floe(["sign", "libshelf.so", "--key", "vendor.key", "--json"])
        .json(0);
    assert_eq!(signed["signed"][0]["key_id"], KEY_ID);
    assert_eq!(verify(&sandbox).code, Some(0));
    let verified = minisign(&sandbox, &["-V", "-p", "vendor.pub", "-m", "libshelf.so"]);
    assert_ne!(verified, Some(false));
}

#[test]
fn signatures_of_minisign() {
    assert_seen!(verify(&with(KIND)), @r"
    exit 0
    --- stdout
    libshelf.so
      key     1CB150E376725B0F (vendor.pub)
      plugin  storage/shelf 1.2.0, floe api 1.0
      signed  2026-01-01T00:00:00Z, by the signer's clock
    verified
    ");
    let sandbox = with(GOOD);
    assert_eq!(verify(&sandbox).code, Some(0));
    let line = PUBLIC.lines().nth(1).unwrap();
    assert_seen!(sandbox.floe(["verify", "libshelf.so", "--key", line]), @r"
    exit 0
    --- stdout
    libshelf.so
      key     1CB150E376725B0F
      plugin  shelf 1.2.0, floe api 1.0
    verified
    ");
}

#[test]
fn a_key_is_shown_as_others_need_it() {
    let sandbox = Sandbox::new();
    let arguments = ["keygen", "--no-password", "--public", "acme.pub"];
    let made = sandbox.floe(arguments);
    let public = fs::read_to_string(sandbox.work().join("acme.pub")).unwrap();
    let line = public.lines().nth(1).unwrap();
    let id = public.lines().next().unwrap().rsplit(' ').next().unwrap();
    let stdout = made.stdout().replace(line, "[line]").replace(id, "[id]");
    assert_eq!(made.stderr, "");
    insta::assert_snapshot!(stdout, @r#"
    Made the key [id].

      secret  floe.key (with no password; keep it to yourself)
      public  acme.pub
      key     [line]

    Who trusts it writes into floe.toml:

      [trust.keys.acme]
      key = "[line]"
      plugins = ["*"]

    Next:

      floe sign PLUGIN --key floe.key
    "#);
    #[cfg(unix)]
    {
        let secret = fs::metadata(sandbox.work().join("floe.key")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&secret.permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_key_that_is_there_stays() {
    let sandbox = Sandbox::new();
    let first = made(&sandbox, &["--no-password"]);
    assert_seen!(sandbox.floe(["keygen", "--no-password"]), @r"
    exit 2
    --- stderr
    error: the file `floe.key` is there, and may be somebody's only key
    hint: choose another one with `--secret FILE`, or put a new key in its place with `--force`
    ");
    let arguments = ["keygen", "--no-password", "--secret", "other.key"];
    assert_seen!(sandbox.floe(arguments), @r"
    exit 2
    --- stderr
    error: the file `floe.pub` is there, and may be somebody's only key
    hint: choose another one with `--public FILE`, or put a new key in its place with `--force`
    ");
    assert!(!sandbox.work().join("other.key").exists());
    let arguments = ["keygen", "--secret", "same", "--public", "same"];
    assert_seen!(sandbox.floe(arguments), @r"
    exit 2
    --- stderr
    error: `--secret` and `--public` are both `same`
    hint: name two files
    ");
    let second = made(&sandbox, &["--no-password", "--force"]);
    assert_ne!(first["key_id"], second["key_id"]);
    assert_eq!(fs::read_dir(sandbox.work()).unwrap().count(), 2);
}

#[test]
fn a_key_with_a_password() {
    let sandbox = with("");
    let made = with_password(&sandbox, "open sesame", &["keygen", "--json"]).json(0);
    assert_eq!(made["password"], true);
    let arguments = ["sign", "libshelf.so", "--key", "floe.key"];
    let signed = with_password(&sandbox, "open sesame", &arguments);
    assert_eq!(signed.code, Some(0), "{}", signed.stderr);
    let arguments_of_verify = ["verify", "libshelf.so", "--key", "floe.pub"];
    assert_eq!(sandbox.floe(arguments_of_verify).code, Some(0));

    assert_seen!(with_password(&sandbox, "open barley", &arguments), @r"
    exit 2
    --- stderr
    error: this is not the password of `floe.key`
    hint: it was taken from `FLOE_KEY_PASSWORD`: set the right one there
    ");
    assert_seen!(sandbox.floe(arguments), @r"
    exit 2
    --- stderr
    error: the secret key needs a password, and there is no terminal to type it on
    hint: set `FLOE_KEY_PASSWORD`, or use a key that was made with `floe keygen --no-password`
    ");
    let long = "x".repeat(1025);
    assert_seen!(with_password(&sandbox, &long, &arguments), @r"
    exit 2
    --- stderr
    error: the password has [size], expected at most 1024
    hint: choose a shorter one
    ");
    // No half of a key is left where none could be made.
    let none = sandbox.floe(["keygen", "--secret", "new.key", "--public", "new.pub"]);
    assert_eq!(none.code, Some(2), "{}", none.stdout());
    assert!(!sandbox.work().join("new.key").exists());
}

#[test]
fn a_secret_key_that_is_none() {
    let sandbox = with("");
    sandbox.file("notes.txt", "buy milk\nand bread\n");
    let cut = &SECRET[..SECRET.len() - 70];
    sandbox.file("cut.key", cut);
    // One letter of the secret half of it, long before the zeros of the checksum.
    let (start, rest) = SECRET.split_at(160);
    let letter = if rest.starts_with('A') { "B" } else { "A" };
    sandbox.file("wrong.key", format!("{start}{letter}{}", &rest[1..]));
    let sign = |key: &str| sandbox.floe(["sign", "libshelf.so", "--key", key]);
    assert_seen!(sign("notes.txt"), @r"
    exit 2
    --- stderr
    error: `notes.txt` is no secret key, expected a file that `floe keygen` or `minisign -G` wrote
    hint: make one with `floe keygen`
    ");
    assert_seen!(sign("vendor.pub"), @r"
    exit 2
    --- stderr
    error: `vendor.pub` is no secret key, expected a file that `floe keygen` or `minisign -G` wrote
    hint: this is the public half of one: name the other file
    ");
    assert_seen!(sign("cut.key"), @r"
    exit 2
    --- stderr
    error: the secret key `cut.key` is damaged, expected it as `floe keygen` or `minisign -G` wrote it
    hint: take it from a copy
    ");
    assert_seen!(sign("wrong.key"), @r"
    exit 2
    --- stderr
    error: the secret key `wrong.key` is damaged, expected it as `floe keygen` or `minisign -G` wrote it
    hint: take it from a copy
    ");
    assert_seen!(sign("nowhere.key"), @r"
    exit 2
    --- stderr
    error: cannot read the secret key `nowhere.key`
      caused by: No such file or directory (os error 2)
    hint: name the file that `floe keygen` or `minisign -G` wrote
    ");
}

#[test]
fn nothing_is_signed_where_a_file_is_no_plugin() {
    let sandbox = with("");
    fs::remove_file(sandbox.work().join("libshelf.so.minisig")).unwrap();
    sandbox.file("notes.so", "buy milk");
    let arguments = [
        "sign",
        "libshelf.so",
        "notes.so",
        "none.so",
        "--key",
        "vendor.key",
    ];
    assert_seen!(sandbox.floe(arguments), @r"
    exit 3
    --- stderr
    error: nothing was signed, as 2 files were refused
      notes.so
        stage     discover, check `not-a-library`
        found     a text file beginning `buy milk`
        expected  a shared library for `[platform]`
        to do     copy the library that the build made (`target/release/*.so`, for one) in its place
      none.so
        stage     discover, check `not-found`
        found     nothing of that name
        expected  a file or directory of that name
        to do     check the path; if it was removed while the directory was read, there is nothing to do
    ");
    assert!(!sandbox.work().join("libshelf.so.minisig").exists());
}

#[test]
fn a_signature_that_is_not_there() {
    let sandbox = with("");
    fs::remove_file(sandbox.work().join("libshelf.so.minisig")).unwrap();
    assert_seen!(verify(&sandbox), @r"
    exit 3
    --- stdout
    libshelf.so
      check     signature
      found     no signature at `libshelf.so.minisig`
      expected  a minisign signature beside the plugin
      to do     get the signature from where the plugin is from, or sign the plugin with `floe sign`
    refused
    ");
}

#[test]
fn a_legacy_signature() {
    assert_seen!(verify(&with(LEGACY)), @r"
    exit 3
    --- stdout
    libshelf.so
      check     signature
      found     a signature of minisign's legacy format
      expected  one of the file's hash (`ED`)
      to do     sign it again with `floe sign`, a current minisign, or `minisign -H`
    refused
    ");
}

#[test]
fn a_signature_of_another_version() {
    assert_seen!(verify(&with(OLDER)), @r"
    exit 3
    --- stdout
    libshelf.so
      key       1CB150E376725B0F (vendor.pub)
      check     signature-claims
      found     a signature of `version` `1.1.0`
      expected  one of `1.2.0`, as the file says
      to do     get plugin and signature again from where they are from, or sign the plugin again with `floe sign`
    refused
    ");
}

#[test]
fn a_signature_that_does_not_say_of_what() {
    assert_seen!(verify(&with(PLAIN)), @r"
    exit 3
    --- stdout
    libshelf.so
      key       1CB150E376725B0F (vendor.pub)
      check     signature-claims
      found     a signature whose trusted comment does not say `name`, `version`, `floe_api_version`
      expected  one that says `name:`, `version:` and `floe_api_version:` of the plugin, each once
      to do     sign it again with `floe sign`, or give `minisign -t` a comment that says so
    refused
    ");
}

#[test]
fn other_bytes_and_another_comment() {
    let mut library = LIBRARY.to_vec();
    // The last byte of the dynamic section, of which nothing is read.
    *library.last_mut().unwrap() ^= 1;
    let sandbox = with(GOOD);
    sandbox.file("libshelf.so", library);
    assert_seen!(verify(&sandbox), @r"
    exit 3
    --- stdout
    libshelf.so
      key       1CB150E376725B0F (vendor.pub)
      check     signature-content
      found     another content, or another trusted comment, than was signed
      expected  the file and the comment that the signature was made of
      to do     do not use the file: get plugin and signature again from where they are from, or sign it again if it is your own build
    refused
    ");
    // A comment that says what the file is, under the signature of one that does not.
    let forged = verify(&with(&OLDER.replace("1.1.0", "1.2.0")));
    assert_eq!(forged.code, Some(3));
    assert!(
        forged.stdout().contains("signature-content"),
        "{}",
        forged.stdout()
    );
}

#[test]
fn another_key() {
    let sandbox = with(GOOD);
    let other = made(&sandbox, &["--no-password"]);
    let arguments = ["verify", "libshelf.so", "--key", "floe.pub", "--json"];
    let verified = sandbox.floe(arguments).json(3);
    let refused = &verified["files"][0]["refused"];
    assert_eq!(refused["check"], "signature-key");
    assert_eq!(
        refused["found"],
        format!("a signature of the key `{KEY_ID}`, which is not trusted")
    );
    let id = other["key_id"].as_str().unwrap();
    assert_eq!(refused["expected"], format!("one of a trusted key: `{id}`"));
    // Either of two keys will do.
    let both = [
        "verify",
        "libshelf.so",
        "--key",
        "floe.pub",
        "--key",
        "vendor.pub",
    ];
    assert_eq!(sandbox.floe(both).code, Some(0));
}

#[test]
fn public_keys_that_are_none() {
    let sandbox = with(GOOD);
    sandbox.file("notes.txt", "buy milk\nand bread\nand butter\n");
    let verify = |key: &str| sandbox.floe(["verify", "libshelf.so", "--key", key]);
    assert_seen!(verify("notes.txt"), @r"
    exit 2
    --- stderr
    error: the file `notes.txt` has no public key in it
      caused by: found a text of more lines, expected a minisign public key: a line of 56 characters that begins with `RW`, or the text of a `.pub` file; copy it from what `floe keygen` or `minisign -G` wrote
    hint: name the line that begins with `RW`, or the `.pub` file that `floe keygen` or `minisign -G` wrote
    ");
    assert_seen!(verify("vendor.key"), @r"
    exit 2
    --- stderr
    error: the file `vendor.key` has no public key in it
      caused by: found a line of 212 characters, expected a minisign public key: a line of 56 characters that begins with `RW`, or the text of a `.pub` file; copy it from what `floe keygen` or `minisign -G` wrote
    hint: name the line that begins with `RW`, or the `.pub` file that `floe keygen` or `minisign -G` wrote
    ");
    assert_seen!(verify("RWQnone"), @r"
    exit 2
    --- stderr
    error: `RWQnone` is no public key, and no file with one
      caused by: No such file or directory (os error 2)
    hint: name the line that begins with `RW`, or the `.pub` file that `floe keygen` or `minisign -G` wrote
    ");
    assert_seen!(sandbox.floe(["verify", "libshelf.so"]), @r"
    exit 2
    --- stderr
    error: no key is given, and floe.toml trusts none
    hint: name whom you trust with `--key`, the line that begins with `RW` or the `.pub` file, or in `[trust.keys]` of floe.toml
    ");
    // Two keys that have the same number cannot be told apart.
    let line = PUBLIC.lines().nth(1).unwrap();
    let other = if line.ends_with('A') { "B" } else { "A" };
    let twin = format!("{}{other}", &line[..line.len() - 1]);
    let twins = sandbox.floe(["verify", "libshelf.so", "--key", line, "--key", &twin]);
    assert_eq!(twins.code, Some(2));
    assert!(
        twins.stderr.contains("two different keys of the number"),
        "{}",
        twins.stderr
    );
}

#[test]
fn one_bad_file_hides_no_other() {
    let sandbox = with(GOOD);
    sandbox.file("libother.so", LIBRARY);
    sandbox.file("notes.so", "buy milk");
    let files = ["libother.so", "notes.so", "libshelf.so"];
    let arguments = [&["verify", "--key", "vendor.pub", "--json"], &files[..]].concat();
    let verified = sandbox.floe(arguments).json(3);
    assert_eq!(verified["verified"], false);
    let each: Vec<_> = verified["files"].as_array().unwrap().iter().collect();
    let checks: Vec<_> = each.iter().map(|file| &file["refused"]["check"]).collect();
    assert_eq!(checks[0], "signature");
    assert!(checks[1].is_string());
    assert_eq!(each[2]["verified"], true);
    // What is not verified says nothing of itself.
    assert_eq!(each[0]["claims"], json!(null));
}

#[test]
fn a_signature_that_is_a_link_speaks_for_itself() {
    let sandbox = with(GOOD);
    sandbox.file("elsewhere", GOOD);
    let beside = sandbox.work().join("libshelf.so.minisig");
    fs::remove_file(&beside).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("elsewhere", &beside).unwrap();
        assert_eq!(verify(&sandbox).code, Some(0));
        // Signing puts a file in the link's place.
        let arguments = ["sign", "libshelf.so", "--key", "vendor.key"];
        assert_eq!(sandbox.floe(arguments).code, Some(0));
        assert_eq!(verify(&sandbox).code, Some(0));
        assert_eq!(
            fs::read_to_string(sandbox.work().join("elsewhere")).unwrap(),
            GOOD
        );
    }
}
