//! The table of `floe.toml` that says what is put on record.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::isolation::{Amount, size};
use super::limits::duration;
use crate::policy::{AuditSettings, AuditSync, OnFailure};

/// `[audit]`: where it is there, calls are put on record.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditTable {
    file: Option<PathBuf>,
    sync: Option<Sync>,
    on_failure: Option<Failing>,
    rotate: Option<Rotate>,
    #[serde(default)]
    readers: Vec<String>,
}

impl AuditTable {
    /// What the table says; its file is taken from a directory.
    pub(super) fn settings(self, base: &Path) -> AuditSettings {
        let mut settings = AuditSettings {
            file: self.file.map(|file| base.join(file)),
            readers: self.readers,
            ..AuditSettings::default()
        };
        if let Some(Sync(sync)) = self.sync {
            settings.sync = sync;
        }
        if let Some(on_failure) = self.on_failure {
            settings.on_failure = match on_failure {
                Failing::Refuse => OnFailure::Refuse,
                Failing::Continue => OnFailure::Continue,
            };
        }
        if let Some(Rotate(bytes)) = self.rotate {
            settings.rotate = bytes;
        }
        settings
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Failing {
    Refuse,
    Continue,
}

/// When the log is synced.
struct Sync(AuditSync);

impl<'de> Deserialize<'de> for Sync {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let longest = Duration::from_secs(60 * 60);
        let sync = match text.as_str() {
            "always" => Some(AuditSync::Always),
            "interval" => Some(AuditSync::default()),
            "never" => Some(AuditSync::Never),
            _ => duration(&text)
                .filter(|interval| *interval <= longest)
                .map(AuditSync::Interval),
        };
        sync.map(Self).ok_or_else(|| {
            de::Error::custom(format_args!(
                "found `{}`, expected `always`, `interval`, `never`, or a duration such as `500ms` of at most `1h`",
                text.escape_debug()
            ))
        })
    }
}

/// How many bytes a file grows to.
struct Rotate(u64);

impl<'de> Deserialize<'de> for Rotate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let amount = Amount {
            expected: "a number of bytes, or a size such as `64MiB`, of at least `1MiB`",
            range: 1 << 20..=u64::MAX,
            read: Some(size),
        };
        deserializer.deserialize_any(amount).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn parse(text: &str) -> Result<Option<AuditSettings>, String> {
        Settings::parse(Path::new("/etc/floe/floe.toml"), text).map(|settings| settings.audit)
    }

    #[test]
    fn where_nothing_is_said_nothing_is_recorded() {
        assert_eq!(parse("").unwrap(), None);
        let plain = parse("[audit]").unwrap().unwrap();
        assert_eq!(plain, AuditSettings::default());
        assert_eq!(
            plain.file_in(Path::new("/state")),
            Path::new("/state/audit.jsonl")
        );
    }

    #[test]
    fn every_key_is_read() {
        let read = parse(
            r#"
            [audit]
            file = "log/audit.jsonl"
            sync = "500ms"
            on_failure = "continue"
            rotate = "1GiB"
            readers = ["auditor"]
            "#,
        );
        let expected = AuditSettings::default()
            .file("/etc/floe/log/audit.jsonl")
            .sync(AuditSync::Interval(Duration::from_millis(500)))
            .on_failure(OnFailure::Continue)
            .rotate(1 << 30)
            .reader("auditor");
        assert_eq!(read.unwrap(), Some(expected));
        for (word, sync) in [
            ("always", AuditSync::Always),
            ("interval", AuditSync::Interval(Duration::from_secs(1))),
            ("never", AuditSync::Never),
        ] {
            let read = parse(&format!("[audit]\nsync = \"{word}\"")).unwrap();
            assert_eq!(read.unwrap().sync, sync);
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (line, part) in [
            ("sync = \"2h\"", "found `2h`, expected `always`, `interval`"),
            ("on_failure = \"stop\"", "expected `refuse` or `continue`"),
            ("rotate = \"10kB\"", "of at least `1MiB`"),
            ("path = \"a\"", "unknown field `path`"),
        ] {
            let refused = parse(&format!("[audit]\n{line}")).unwrap_err();
            assert!(refused.contains(part), "{refused}");
        }
    }
}
