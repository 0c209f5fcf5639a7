//! The tables of `floe.toml` that say which files are trusted.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use floe_plugin_api::Kind;
use jiff::civil::Date;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::admit::{
    KeyId, Keys, LOCK_FILE, NamePattern, PathChecks, PublicKey, Trust, TrustSettings, TrustedKey,
};
use crate::discover::{self, Hazard};

/// `[trust]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TrustTable {
    policy: Trust,
    check_paths: Option<bool>,
    lock: Option<PathBuf>,
    deny: Vec<Hazard>,
    kinds: Kinds,
    keys: BTreeMap<String, KeyTable>,
    revoked: BTreeMap<String, toml::Value>,
}

/// `[trust.kinds]`: each kind once, by whichever of its names.
#[derive(Default)]
struct Kinds(BTreeMap<Kind, Trust>);

impl<'de> Deserialize<'de> for Kinds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KindsVisitor;

        impl<'de> Visitor<'de> for KindsVisitor {
            type Value = Kinds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of plugin kinds, each with a trust policy")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kinds, A::Error> {
                let mut kinds = BTreeMap::new();
                while let Some((kind, trust)) = map.next_entry::<Kind, Trust>()? {
                    if kinds.contains_key(&kind) {
                        return Err(de::Error::custom(format_args!(
                            "the kind `{kind}` is there twice, under two of its names, expected it once"
                        )));
                    }
                    kinds.insert(kind, trust);
                }
                Ok(Kinds(kinds))
            }
        }

        deserializer.deserialize_map(KindsVisitor)
    }
}

/// `[trust.keys.NAME]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    key: Option<String>,
    file: Option<PathBuf>,
    plugins: Option<Vec<String>>,
}

impl TrustTable {
    /// What the tables say; paths are taken from a directory.
    pub(super) fn settings(self, base: &Path) -> Result<TrustSettings, String> {
        let mut keys = Keys::default();
        for (name, table) in self.keys {
            let key = table
                .key(&name, base)
                .map_err(|reason| format!("`trust.keys.{name}`: {reason}"))?;
            keys = keys.trust(key);
        }
        for (id, since) in self.revoked {
            let place = format!("`trust.revoked.{id}`");
            let id: KeyId = id.parse().map_err(|error| format!("{place}: {error}"))?;
            keys = keys.revoke(
                id,
                day(&since).map_err(|reason| format!("{place} {reason}"))?,
            );
        }
        keys.check()
            .map_err(|refusal| format!("`trust.keys`: {refusal}"))?;
        let mut trust = TrustSettings::new(self.policy)
            .lock(base.join(self.lock.unwrap_or_else(|| LOCK_FILE.into())))
            .keys(keys)
            .deny(self.deny);
        for (kind, asked) in self.kinds.0 {
            trust = trust.kind(kind, asked);
        }
        Ok(match self.check_paths {
            Some(true) => trust.paths(PathChecks::On),
            Some(false) => trust.paths(PathChecks::Off),
            None => trust,
        })
    }
}

impl KeyTable {
    fn key(self, name: &str, base: &Path) -> Result<TrustedKey, String> {
        let text = match (self.key, self.file) {
            (Some(text), None) => text,
            (None, Some(file)) => {
                let file = base.join(file);
                read(&file)
                    .map_err(|error| {
                        format!(
                            "cannot read `{}`, which `file` names: {error}; write the path of a `.pub` file, from the settings' directory",
                            file.display()
                        )
                    })?
            }
            (key, _) => {
                let found = if key.is_some() { "both" } else { "neither" };
                return Err(format!(
                    "found {found} of `key` and `file`, expected one of them: `key`, the line of a minisign public key, or `file`, the path of its `.pub` file"
                ));
            }
        };
        let key: PublicKey = text.parse().map_err(|error| format!("{error}"))?;
        let key = TrustedKey::new(name, key);
        let Some(plugins) = self.plugins else {
            return Ok(key);
        };
        let patterns: Result<Vec<NamePattern>, String> = plugins
            .iter()
            .map(|pattern| pattern.parse().map_err(|error| format!("{error}")))
            .collect();
        Ok(key.plugins(patterns?))
    }
}

/// Reads the file of a key; a link to one too.
fn read(file: &Path) -> io::Result<String> {
    /// The longest file of a key that is read, in bytes; minisign's have some hundred.
    const LONGEST: u64 = 16 << 10;
    let malformed = |reason: &str| io::Error::new(io::ErrorKind::InvalidData, reason);
    let bytes = discover::read_small(&fs::canonicalize(file)?, LONGEST)?
        .ok_or_else(|| malformed("it is too long for a public key"))?;
    String::from_utf8(bytes).map_err(|_| malformed("it is not text"))
}

/// A day, as TOML has it or as a text.
fn day(value: &toml::Value) -> Result<Date, String> {
    let text = match value {
        toml::Value::Datetime(date) => date.to_string(),
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.parse::<Date>().map_err(|_| {
        format!(
            "is `{}`, expected the day from which on the key no longer counts, such as `2026-11-01`",
            text.escape_debug()
        )
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::config::Settings;

    const KEY: &str = "RWTLLXNmJ/8PCM8gKDOgMoU+4oUKMNPyFSmkGMlJKYMhwDUdDrMteNzX";
    const KEY_ID: &str = "080FFF2766732DCB";

    fn parse(text: &str) -> Result<TrustSettings, String> {
        Settings::parse(Path::new("/etc/floe/floe.toml"), text).map(|settings| settings.trust)
    }

    #[test]
    fn where_nothing_is_said() {
        let trust = parse("").unwrap();
        assert_eq!(trust.policy, Trust::Owner);
        assert_eq!(trust.paths, None);
        assert_eq!(
            trust.lock.as_deref(),
            Some(Path::new("/etc/floe/floe.lock"))
        );
        assert!(trust.keys.is_empty() && trust.denied.is_empty() && trust.kinds.is_empty());
        assert!(trust.directories.is_empty());
    }

    #[test]
    fn every_policy_is_known_by_its_name() {
        for policy in Trust::ALL {
            let trust = parse(&format!("[trust]\npolicy = \"{policy}\"")).unwrap();
            assert_eq!(trust.policy, policy);
        }
    }

    #[test]
    fn every_table_is_read() {
        let trust = parse(&format!(
            r#"
            [search]
            paths = ["plugins", {{ path = "dev", trust = "any" }}, {{ path = "/opt", depth = 2, trust = "locked" }}]
            [trust]
            policy = "locked+signed"
            check_paths = false
            lock = "../state/plugins.lock"
            deny = ["executable-stack", "text-relocations", "executable-stack"]
            [trust.kinds]
            secrets = "signed"
            alert-channel = "locked"
            [trust.keys.acme]
            key = "{KEY}"
            plugins = ["acme-*", "sqlite"]
            [trust.keys.nobody]
            key = "{KEY}"
            plugins = []
            [trust.revoked]
            E7620F1842B4E81F = 2026-11-01
            80fff2766732dcb = "2027-01-31"
            "#
        ))
        .unwrap();
        assert_eq!(trust.policy, Trust::LockedAndSigned);
        assert_eq!(trust.paths, Some(PathChecks::Off));
        let lock = Path::new("/etc/floe/../state/plugins.lock");
        assert_eq!(trust.lock.as_deref(), Some(lock));
        let denied = [Hazard::TextRelocations, Hazard::ExecutableStack];
        assert_eq!(*trust.denied, denied.into());
        let alerts = "alert-channel".parse().unwrap();
        let kinds = [(Kind::SECRETS, Trust::Signed), (alerts, Trust::Locked)];
        assert_eq!(trust.kinds, kinds.into());
        assert_eq!(
            trust.directories,
            [
                (PathBuf::from("/etc/floe/dev"), Trust::Any),
                (PathBuf::from("/opt"), Trust::Locked),
            ]
        );
        let keys: Vec<_> = trust.keys.trusted().collect();
        let [acme, nobody] = keys[..] else {
            panic!("{keys:?}");
        };
        assert_eq!(
            (acme.name.as_str(), acme.key.to_string().as_str()),
            ("acme", KEY)
        );
        let patterns: Vec<_> = acme.plugins.iter().map(ToString::to_string).collect();
        assert_eq!(patterns, ["acme-*", "sqlite"]);
        // An empty list is none, not all.
        assert!(nobody.plugins.is_empty());
        let mut revoked: Vec<_> = trust.keys.revoked().collect();
        revoked.sort_unstable();
        assert_eq!(
            revoked,
            [
                (KEY_ID.parse().unwrap(), date(2027, 1, 31)),
                ("E7620F1842B4E81F".parse().unwrap(), date(2026, 11, 1)),
            ]
        );
    }

    #[test]
    fn a_key_without_plugins_may_sign_all() {
        let trust = parse(&format!("[trust.keys.house]\nkey = \"{KEY}\"")).unwrap();
        let key = trust.keys.trusted().next().unwrap();
        assert!(key.plugins.iter().any(|pattern| pattern.matches("sqlite")));
    }

    #[test]
    fn paths_are_taken_from_the_files_directory() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("floe.toml");
        fs::create_dir(directory.path().join("keys")).unwrap();
        let key = format!("untrusted comment: minisign public key FFF2766732DCB\n{KEY}\n");
        fs::write(directory.path().join("keys/acme.pub"), key).unwrap();
        let text = "[search]\npaths = [{ path = \"plugins\", trust = \"any\" }]\n[trust.keys.acme]\nfile = \"keys/acme.pub\"\n[state]\npath = \"state\"\n[store]\npath = \"store\"";
        fs::write(&file, text).unwrap();
        let settings = Settings::read(&file).unwrap();
        let trust = &settings.trust;
        assert_eq!(trust.keys.trusted().next().unwrap().key.to_string(), KEY);
        assert_eq!(trust.lock, Some(directory.path().join("floe.lock")));
        assert_eq!(
            trust.directories,
            [(directory.path().join("plugins"), Trust::Any)]
        );
        assert_eq!(settings.state, Some(directory.path().join("state")));
        assert_eq!(settings.store, Some(directory.path().join("store")));
    }

    #[track_caller]
    fn refused(text: &str, parts: &[&str]) {
        let refused = parse(text).unwrap_err();
        for part in parts {
            assert!(refused.contains(part), "{part} in {refused}");
        }
    }

    #[test]
    fn a_word_that_is_none_is_told_by_its_line() {
        let policies = "expected `any`, `owner`, `locked`, `signed` or `locked+signed`";
        refused(
            "[trust]\npolicy = \"Signed\"",
            &[
                "line 2",
                "policy = \"Signed\"",
                "`Signed` is no trust policy",
                policies,
            ],
        );
        refused(
            "[trust.kinds]\nsecrets = \"none\"",
            &["line 2", "`none` is no trust policy", policies],
        );
        refused(
            "[trust.kinds]\n\"A B\" = \"any\"",
            &[
                "line 2",
                "`A B` is not a plugin kind",
                "such as `alert-channel`",
            ],
        );
        refused(
            "[search]\npaths = [{ path = \"a\", trust = \"none\" }]",
            &[
                "line 2",
                "`trust`, which is `any`, `owner`, `locked`, `signed` or `locked+signed`",
            ],
        );
        refused(
            "[trust]\ndeny = [\"stack\"]",
            &[
                "line 2",
                "`stack` is not a hazard, expected one of",
                "`executable-stack`",
            ],
        );
        refused(
            "[trust]\ncheck_paths = \"no\"",
            &["line 2", "check_paths = \"no\"", "expected a boolean"],
        );
        refused(
            "[trust]\nkey = 1",
            &["line 2", "unknown field `key`", "`keys`", "`revoked`"],
        );
        refused(
            "[trust.keys.a]\nkye = \"x\"",
            &["line 2", "unknown field `kye`", "`key`, `file`, `plugins`"],
        );
        refused(
            "[state]\npaht = \"x\"",
            &["line 2", "unknown field `paht`", "`path`"],
        );
        refused(
            "[quarantine]\npanics = 1",
            &["line 2", "unknown field `panics`", "`failed_starts`"],
        );
        refused(
            "[quarantine]\nfirst = \"1 minute\"",
            &["line 2", "a duration such as `500ms`, `30s`, `2m` or `1h`"],
        );
    }

    #[test]
    fn a_kind_has_one_policy() {
        // The last would count, and may ask for less.
        refused(
            "[trust.kinds]\ncompute = \"signed\"\n\"floe.computes\" = \"any\"",
            &[
                "line 1",
                "the kind `compute` is there twice",
                "expected it once",
            ],
        );
        refused(
            "[trust]\nkinds = \"signed\"",
            &[
                "line 2",
                "a table of plugin kinds, each with a trust policy",
            ],
        );
    }

    #[test]
    fn a_key_that_is_none_is_told_by_its_name() {
        let either = "expected one of them: `key`, the line of a minisign public key, or `file`";
        refused(
            "[trust.keys.acme]",
            &[
                "`trust.keys.acme`: found neither of `key` and `file`",
                either,
            ],
        );
        refused(
            &format!("[trust.keys.acme]\nkey = \"{KEY}\"\nfile = \"acme.pub\""),
            &["`trust.keys.acme`: found both of `key` and `file`", either],
        );
        refused(
            "[trust.keys.acme]\nkey = \"ssh-ed25519 AAAA\"",
            &["`trust.keys.acme`: found `ssh-ed25519 AAAA`, expected a minisign public key"],
        );
        refused(
            "[trust.keys.acme]\nfile = \"keys/acme.pub\"",
            &["`trust.keys.acme`: cannot read `/etc/floe/keys/acme.pub`, which `file` names: "],
        );
        let pattern = format!("[trust.keys.acme]\nkey = \"{KEY}\"\nplugins = [\"*-storage\"]");
        refused(
            &pattern,
            &[
                "`trust.keys.acme`: `*-storage` does not say which plugins, expected a plugin's name",
            ],
        );
    }

    #[test]
    fn a_secret_key_in_a_public_ones_place_is_not_shown() {
        let secret = "RWRT".repeat(53);
        let told = parse(&format!("[trust.keys.acme]\nkey = \"{secret}\"")).unwrap_err();
        assert!(told.contains("found a line of 212 characters"), "{told}");
        assert!(!told.contains("RWRT"), "{told}");
    }

    #[test]
    fn two_keys_of_one_number_are_told() {
        // The number is the key's third to tenth byte; what follows is another key.
        let twin = format!("{}A{}", &KEY[..20], &KEY[21..]);
        let text =
            format!("[trust.keys.acme]\nkey = \"{KEY}\"\n[trust.keys.twin]\nkey = \"{twin}\"");
        refused(
            &text,
            &[
                "`trust.keys`: found",
                "`acme`",
                "`twin`",
                KEY_ID,
                "expected one key of a number",
            ],
        );
    }

    #[test]
    fn what_is_revoked_and_when() {
        refused(
            "[trust.revoked]\nacme = 2026-11-01",
            &[
                "`trust.revoked.acme`: `acme` is not the number of a key, expected up to 16 hexadecimal",
            ],
        );
        for (day, shown) in [
            ("\"soon\"", "soon"),
            ("true", "true"),
            ("2026", "2026"),
            ("2026-11-01T07:32:00Z", "2026-11-01T07:32:00Z"),
            ("07:32:00", "07:32:00"),
        ] {
            refused(
                &format!("[trust.revoked]\n{KEY_ID} = {day}"),
                &[&format!(
                    "`trust.revoked.{KEY_ID}` is `{shown}`, expected the day from which on the key no longer counts, such as `2026-11-01`"
                )],
            );
        }
    }
}
