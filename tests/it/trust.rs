//! What `[trust]` of floe.toml asks of files.

use std::fs;

use crate::elf::{library, manifest_with};
use crate::plugins;
use crate::sandbox::{Ended, Sandbox, assert_tabled};

// See `sign.rs`.
const LIBRARY: &[u8] = include_bytes!("signed/libshelf.so");
const PUBLIC: &str = include_str!("signed/vendor.pub");
const KEY_ID: &str = "1CB150E376725B0F";
const GOOD: &str = include_str!("signed/good.minisig");
const OLDER: &str = include_str!("signed/older.minisig");

/// Settings that ask for signatures of the vendor's key.
const SIGNED: &str = r#"
[search]
paths = ["plugins"]
[trust]
policy = "signed"
[trust.keys.vendor]
file = "keys/vendor.pub"
"#;

/// A place with the signed plugin, the vendor's key, and settings.
fn with(settings: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("plugins/libshelf.so", LIBRARY);
    sandbox.file("plugins/libshelf.so.minisig", GOOD);
    sandbox.file("keys/vendor.pub", PUBLIC);
    sandbox.file("floe.toml", settings);
    sandbox
}

/// The names of the plugins that are admitted, and the checks that others failed.
#[track_caller]
fn listed(ended: &Ended) -> (Vec<String>, Vec<String>) {
    let listed = ended.json(0);
    let all = |of: &str, field: &str| {
        let each = listed[of].as_array().unwrap().iter();
        each.map(|each| each[field].as_str().unwrap().to_owned())
            .collect()
    };
    (all("plugins", "name"), all("rejected", "check"))
}

#[track_caller]
fn admits(sandbox: &Sandbox, arguments: &[&str], admitted: &[&str], refused: &[&str]) {
    let ended = sandbox.floe([&["list", "--json"], arguments].concat());
    let (plugins, checks) = listed(&ended);
    assert_eq!(
        (&plugins[..], &checks[..]),
        (&owned(admitted)[..], &owned(refused)[..])
    );
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[test]
fn only_what_is_signed_is_admitted() {
    let sandbox = with(SIGNED);
    let rack = manifest_with(&serde_json::json!({"name": "rack"}));
    sandbox.file("plugins/librack.so", library(&rack));
    assert_tabled!(sandbox.floe(["list"]), @r"
    exit 0
    --- stdout
    kind  name  version  api  state  executors  file
    ───
    storage  shelf  1.2.0  1.0  admitted  shelf.put  plugins/libshelf.so

    Refused: 1
      plugins/librack.so
        stage  admit, check `signature`
        found  no signature at `[work]/plugins/librack.so.minisig`
        expected  a minisign signature at `[work]/plugins/librack.so.minisig`, as trust is `signed`
        to do  get the signature from where the plugin is from, or sign the plugin with `floe sign`
    ");
    admits(&sandbox, &["--trust", "any"], &["rack", "shelf"], &[]);
    admits(&sandbox, &["--trust", "owner"], &["rack", "shelf"], &[]);
    admits(&sandbox, &["--trust", "locked"], &[], &["lock-file"; 2]);
    assert_eq!(sandbox.floe(["lock"]).code, Some(0));
    // What is not signed is not locked either.
    admits(&sandbox, &["--trust", "locked"], &["shelf"], &["locked"]);
    admits(
        &sandbox,
        &["--trust", "locked+signed"],
        &["shelf"],
        &["locked"],
    );
}

#[test]
fn what_is_signed_answers() {
    let sandbox = Sandbox::new();
    let path = plugins::put(&sandbox, "moody", "plugins");
    assert_eq!(sandbox.floe(["keygen", "--no-password"]).code, Some(0));
    let settings = "[search]\npaths = [\"plugins\"]\n[trust]\npolicy = \"signed\"\n[trust.keys.house]\nfile = \"floe.pub\"\nplugins = [\"mood*\"]\n";
    sandbox.file("floe.toml", settings);
    let call = || sandbox.floe(["call", "moody.echo", "--input", "1"]);
    assert_tabled!(call(), @r"
    exit 3
    --- stderr
    error: no plugin offers the node type `moody.echo`
      plugins/libfloe_plugin_moody.so
        stage  admit, check `signature`
        found  no signature at `[work]/plugins/libfloe_plugin_moody.so.minisig`
        expected  a minisign signature at `[work]/plugins/libfloe_plugin_moody.so.minisig`, as trust is `signed`
        to do  get the signature from where the plugin is from, or sign the plugin with `floe sign`
    hint: the file above offers it, and was refused
    hint: add a directory with `--plugin-dir DIR` or `FLOE_PLUGIN_PATH`
    looked in: plugins
    not there: [beside], [prefix], [user]
    ");
    let sign = ["sign".as_ref(), path.as_os_str(), "--key=floe.key".as_ref()];
    assert_eq!(sandbox.floe(sign).code, Some(0));
    assert_eq!(call().stdout(), "1\n");
    let verified = sandbox.floe(["verify".as_ref(), path.as_os_str(), "--json".as_ref()]);
    assert_eq!(verified.json(0)["files"][0]["key"], "house");
    // Another content under the signature: known only once all of it is read.
    let mut content = fs::read(sandbox.work().join(&path)).unwrap();
    content.push(0);
    sandbox.file(&path, content);
    let refused = sandbox.floe(["call", "moody.echo", "--json"]).json(3);
    let rejection = &refused["error"]["rejected"][0];
    assert_eq!(rejection["check"], "signed-content");
    assert_eq!(rejection["stage"], "load");
}

#[test]
fn signatures_that_do_not_count() {
    let sandbox = with(SIGNED);
    let list = || sandbox.floe(["list"]);
    sandbox.file("plugins/libshelf.so.minisig", OLDER);
    assert_tabled!(list(), @r"
    exit 0
    --- stdout
    No plugin can be used: what was found is refused. Looked in:
      plugins  1 refused
      [beside]  not there
      [prefix]  not there
      [user]  not there

    Refused: 1
      plugins/libshelf.so
        stage  admit, check `signed-manifest`
        found  a signature for version `1.1.0`
        expected  one that says `shelf` 1.2.0, floe api `1.0`, as the manifest does
        to do  install the signature that was made for this very build, or have it signed again with `floe sign`
    ");
    sandbox.file("plugins/libshelf.so.minisig", "signed, honestly\n");
    assert_tabled!(list(), @r"
    exit 0
    --- stdout
    No plugin can be used: what was found is refused. Looked in:
      plugins  1 refused
      [beside]  not there
      [prefix]  not there
      [user]  not there

    Refused: 1
      plugins/libshelf.so
        stage  admit, check `signature`
        found  a file that is no signature: it has 1 line
        expected  the four lines of a minisign signature
        to do  get the signature again from where the plugin is from, or sign the plugin with `floe sign`
    ");
    sandbox.file("plugins/libshelf.so.minisig", GOOD);
    sandbox.file("floe.toml", format!("{SIGNED}plugins = [\"acme-*\"]\n"));
    assert_tabled!(list(), @r"
    exit 0
    --- stdout
    No plugin can be used: what was found is refused. Looked in:
      plugins  1 refused
      [beside]  not there
      [prefix]  not there
      [user]  not there

    Refused: 1
      plugins/libshelf.so
        stage  admit, check `signature-key`
        found  a signature of the key `vendor` `1CB150E376725B0F` for the plugin `shelf`
        expected  a plugin that this key may sign: `acme-*`
        to do  if the owner of the key may sign `shelf`, add it to the key's `plugins`
    ");
    let revoked = format!("{SIGNED}[trust.revoked]\n{KEY_ID} = 2026-01-01\n");
    sandbox.file("floe.toml", revoked);
    assert_tabled!(list(), @r"
    exit 0
    --- stdout
    No plugin can be used: what was found is refused. Looked in:
      plugins  1 refused
      [beside]  not there
      [prefix]  not there
      [user]  not there

    Refused: 1
      plugins/libshelf.so
        stage  admit, check `signature-key`
        found  a signature of the key `vendor` `1CB150E376725B0F`, which is revoked since `2026-01-01`
        expected  one of a key that is not revoked
        to do  get a build that is signed with the vendor's new key, and trust that one
    ");
    sandbox.file(
        "floe.toml",
        "[search]\npaths = [\"plugins\"]\n[trust]\npolicy = \"signed\"\n",
    );
    assert_tabled!(list(), @r"
    exit 0
    --- stdout
    No plugin can be used: what was found is refused. Looked in:
      plugins  1 refused
      [beside]  not there
      [prefix]  not there
      [user]  not there

    Refused: 1
      plugins/libshelf.so
        stage  admit, check `signature-key`
        found  a signature of the key `1CB150E376725B0F`, which is not trusted
        expected  one of a trusted key, and no key is trusted
        to do  if you know whose key `1CB150E376725B0F` is and trust them, add their public key to the trusted ones, those of `[trust.keys]` in floe.toml; otherwise do not use the file
    ");
}

#[test]
fn a_directory_has_a_policy_of_its_own() {
    let settings = SIGNED.replace(
        r#"["plugins"]"#,
        r#"["plugins", { path = "dev", trust = "owner" }]"#,
    );
    let sandbox = with(&settings);
    let other = |name: &str| library(&manifest_with(&serde_json::json!({"name": name})));
    sandbox.file("plugins/librack.so", other("rack"));
    sandbox.file("dev/libdrawer.so", other("drawer"));
    admits(&sandbox, &[], &["shelf", "drawer"], &["signature"]);
    // Wherever it is asked from, and by its own path.
    let inspected = sandbox.floe(["inspect", "dev/../dev/libdrawer.so"]);
    assert_eq!(inspected.code, Some(0), "{}", inspected.stdout());
    let inspected = sandbox.floe(["inspect", "plugins/librack.so"]);
    assert_eq!(inspected.code, Some(3), "{}", inspected.stdout());
    // The command line's policy is for all of them.
    admits(
        &sandbox,
        &["--trust", "signed"],
        &["shelf"],
        &["signature"; 2],
    );
}

#[test]
fn a_kind_asks_for_more_and_never_for_less() {
    let settings = "[search]\npaths = [{ path = \"plugins\", trust = \"any\" }]\n[trust.kinds]\nsecrets = \"signed\"\nstorage = \"any\"\n";
    let sandbox = with(settings);
    let vault = manifest_with(&serde_json::json!({"name": "vault", "kind": "secrets"}));
    sandbox.file("plugins/libvault.so", library(&vault));
    admits(&sandbox, &[], &["shelf"], &["signature"]);
    // The command line's policy takes nothing of it away.
    admits(&sandbox, &["--trust", "any"], &["shelf"], &["signature"]);
    let rack = manifest_with(&serde_json::json!({"name": "rack"}));
    sandbox.file("plugins/librack.so", library(&rack));
    // No key is trusted here.
    let checks = ["signature", "signature-key", "signature"];
    admits(&sandbox, &["--trust", "signed"], &[], &checks);
}

#[test]
#[cfg(unix)]
fn who_may_have_written_a_file_can_be_asked_or_not() {
    use std::os::unix::fs::PermissionsExt;

    let sandbox = with(SIGNED);
    let path = sandbox.work().join("plugins/libshelf.so");
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
    admits(&sandbox, &[], &[], &["file-writable"]);
    admits(&sandbox, &["--trust", "any"], &["shelf"], &[]);
    let unasked = SIGNED.replace("[trust]\n", "[trust]\ncheck_paths = false\n");
    sandbox.file("floe.toml", unasked);
    admits(&sandbox, &[], &["shelf"], &[]);
    let asked = SIGNED.replace("[trust]\n", "[trust]\ncheck_paths = true\n");
    sandbox.file("floe.toml", asked);
    admits(&sandbox, &["--trust", "any"], &[], &["file-writable"]);
}

/// Makes a 64-bit library ask for an executable stack.
#[cfg(target_os = "linux")]
fn with_executable_stack(mut library: Vec<u8>) -> Vec<u8> {
    const PT_GNU_STACK: &[u8] = &0x6474_e551_u32.to_ne_bytes();
    let table = usize::try_from(u64::from_ne_bytes(library[32..40].try_into().unwrap())).unwrap();
    let entries = usize::from(u16::from_ne_bytes([library[56], library[57]]));
    let mut all = (0..entries).map(|entry| table + 56 * entry);
    let entry = all.find(|&at| library[at..].starts_with(PT_GNU_STACK));
    library[entry.unwrap() + 4] |= 1;
    library
}

#[test]
#[cfg(target_os = "linux")]
fn a_hazard_that_is_denied() {
    let sandbox = Sandbox::new();
    let path = plugins::put(&sandbox, "moody", "plugins");
    let settings = "[search]\npaths = [\"plugins\"]\n[trust]\ndeny = [\"executable-stack\"]\n";
    sandbox.file("floe.toml", settings);
    let call = || sandbox.floe(["call", "moody.echo", "--input", "1"]);
    assert_eq!(call().stdout(), "1\n");
    let content = fs::read(sandbox.work().join(&path)).unwrap();
    sandbox.file(&path, with_executable_stack(content));
    assert_tabled!(call(), @r"
    exit 3
    --- stderr
    error: the plugin's file was refused at load
      plugins/libfloe_plugin_moody.so
        stage  load, check `executable-stack`
        found  asks for an executable stack (`PT_GNU_STACK`)
        expected  a library without that, as `trust.deny` names `executable-stack`
        to do  link it with `-z noexecstack`, and give its assembly files a `.note.GNU-stack` section; or take `executable-stack` off `trust.deny`
    this host: [host]
    ");
    let inspect = ["inspect".as_ref(), path.as_os_str()];
    let inspected = sandbox.floe(inspect);
    assert_eq!(inspected.code, Some(3));
    let (_, refused) = inspected.stdout().split_once("\n  hazards ").unwrap();
    insta::assert_snapshot!(refused, @r"
       1

      hazard  `executable-stack`, warning
      found   asks for an executable stack (`PT_GNU_STACK`)
      why     the stacks of the whole process become executable when it is loaded, and newer loaders refuse it
      to do   link it with `-z noexecstack`, and give its assembly files a `.note.GNU-stack` section

    refused
      executable-stack: link it with `-z noexecstack`, and give its assembly files a `.note.GNU-stack` section; or take `executable-stack` off `trust.deny`
    ");
    let not_locked = sandbox.floe(["lock", "--json"]).json(0);
    assert_eq!(not_locked["refused"][0]["check"], "executable-stack");
    assert_eq!(not_locked["changes"], serde_json::json!([]));
    // It is shown all the same where it is not denied.
    sandbox.file("floe.toml", "");
    let inspected = sandbox.floe(inspect);
    assert_eq!(inspected.code, Some(0));
    assert!(inspected.stdout().contains("`executable-stack`"));
}

#[test]
fn the_keys_of_the_settings_verify() {
    let sandbox = with(SIGNED);
    let verify = || sandbox.floe(["verify", "plugins/libshelf.so"]);
    assert_tabled!(verify(), @r"
    exit 0
    --- stdout
    plugins/libshelf.so
      key  1CB150E376725B0F (vendor)
      plugin  shelf 1.2.0, floe api 1.0
    verified
    ");
    // Those that are given count instead of them.
    let other = ["--no-password", "--secret=other.key", "--public=other.pub"];
    let made = sandbox.floe([&["keygen", "--json"], &other[..]].concat());
    let made = made.json(0);
    let refused = sandbox
        .floe([
            "verify",
            "plugins/libshelf.so",
            "--key",
            "other.pub",
            "--json",
        ])
        .json(3);
    let refused = &refused["files"][0]["refused"];
    assert_eq!(refused["check"], "signature-key");
    let known = refused["expected"].as_str().unwrap();
    assert!(known.contains(made["key_id"].as_str().unwrap()), "{known}");
    sandbox.file("floe.toml", "");
    assert_tabled!(verify(), @r"
    exit 2
    --- stderr
    error: no key is given, and floe.toml trusts none
    hint: name whom you trust with `--key`, the line that begins with `RW` or the `.pub` file, or in `[trust.keys]` of floe.toml
    ");
}

#[test]
fn mistakes_in_the_settings() {
    let sandbox = with("");
    let list = |settings: &str| {
        sandbox.file("floe.toml", settings);
        sandbox.floe(["list"])
    };
    assert_tabled!(list("[trust]\npolicy = \"sigend\"\n"), @r#"
    exit 2
    --- stderr
    error: `[work]/floe.toml` is not a floe settings file: TOML parse error at line 2, column 10
      |
      2 | policy = "sigend"
      |  ^^^^^^^^
      `sigend` is no trust policy, expected `any`, `owner`, `locked`, `signed` or `locked+signed`
    "#);
    assert_tabled!(list("[trust]\ndeny = [\"exec-stack\"]\n"), @r#"
    exit 2
    --- stderr
    error: `[work]/floe.toml` is not a floe settings file: TOML parse error at line 2, column 8
      |
      2 | deny = ["exec-stack"]
      |  ^^^^^^^^^^^^^^
      `exec-stack` is not a hazard, expected one of `missing-library`, `missing-symbol-version`, `undefined-symbol`, `instruction-set`, `constructors`, `ifunc`, `text-relocations`, `executable-stack`, `run-path`, `insecure-run-path`, `exported-allocator`, `foreign-entry`
    "#);
    assert_tabled!(list("[search]\npaths = [{ path = \"a\", trust = \"none\" }]\n"), @r#"
    exit 2
    --- stderr
    error: `[work]/floe.toml` is not a floe settings file: TOML parse error at line 2, column 9
      |
      2 | paths = [{ path = "a", trust = "none" }]
      |  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      a path, or a table of `path`, `depth` and `trust`, which is `any`, `owner`, `locked`, `signed` or `locked+signed`
    "#);
    assert_tabled!(list("[trust.keys.acme]\nplugins = [\"*\"]\n"), @r"
    exit 2
    --- stderr
    error: `[work]/floe.toml` is not a floe settings file: `trust.keys.acme`: found neither of `key` and `file`, expected one of them: `key`, the line of a minisign public key, or `file`, the path of its `.pub` file
    ");
    assert_tabled!(list("[trust.keys.acme]\nfile = \"acme.pub\"\n"), @r"
    exit 2
    --- stderr
    error: `[work]/floe.toml` is not a floe settings file: `trust.keys.acme`: cannot read `[work]/acme.pub`, which `file` names: No such file or directory (os error 2); write the path of a `.pub` file, from the settings' directory
    ");
    assert_tabled!(list("[trust.keys.acme]\nkey = \"RWQ\"\n"), @r"
    exit 2
    --- stderr
    error: `[work]/floe.toml` is not a floe settings file: `trust.keys.acme`: found `RWQ`, expected a minisign public key: a line of 56 characters that begins with `RW`, or the text of a `.pub` file; copy it from what `floe keygen` or `minisign -G` wrote
    ");
    assert_tabled!(list("[trust.revoked]\nacme = 2026-01-01\n"), @r"
    exit 2
    --- stderr
    error: `[work]/floe.toml` is not a floe settings file: `trust.revoked.acme`: `acme` is not the number of a key, expected up to 16 hexadecimal digits; `floe keygen` and `minisign -G` show a key's, and the first line of its public file has it
    ");
    assert_tabled!(list(&format!("[trust.revoked]\n{KEY_ID} = \"now\"\n")), @r"
    exit 2
    --- stderr
    error: `[work]/floe.toml` is not a floe settings file: `trust.revoked.1CB150E376725B0F` is `now`, expected the day from which on the key no longer counts, such as `2026-11-01`
    ");
    assert_tabled!(sandbox.floe(["list", "--trust", "sigend"]), @r"
    exit 2
    --- stderr
    error: invalid value 'sigend' for '--trust <POLICY>'
      [possible values: any, owner, locked, signed, locked+signed]

      tip: a similar value exists: 'signed'

    For more information, try '--help'.
    ");
}
