//! The tables of `floe.toml` that say which files are trusted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use floe_plugin_api::Kind;
use jiff::civil::Date;
use serde::Deserialize;

use crate::admit::{
    KeyId, Keys, LOCK_FILE, NamePattern, PathChecks, PublicKey, Trust, TrustSettings, TrustedKey,
};
use crate::discover::Hazard;

/// `[trust]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TrustTable {
    policy: Trust,
    check_paths: Option<bool>,
    lock: Option<PathBuf>,
    deny: Vec<Hazard>,
    kinds: BTreeMap<Kind, Trust>,
    keys: BTreeMap<String, KeyTable>,
    revoked: BTreeMap<String, toml::Value>,
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
        let mut trust = TrustSettings::new(self.policy)
            .lock(base.join(self.lock.unwrap_or_else(|| LOCK_FILE.into())))
            .keys(keys)
            .deny(self.deny);
        for (kind, asked) in self.kinds {
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
                fs::read_to_string(&file)
                    .map_err(|error| format!("cannot read `{}`: {error}", file.display()))?
            }
            _ => {
                return Err(
                    "expected either `key`, the line of a minisign public key, or `file`, the path of one"
                        .to_owned(),
                );
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
