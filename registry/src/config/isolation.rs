//! The table of `floe.toml` that says where plugins run.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use floe_plugin_api::Kind;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Unexpected, Visitor};

use super::limits::{Limit, Span};
use crate::admit::is_plugin_name;
use crate::isolation::{Isolation, IsolationRule, IsolationSettings, Patience, Profile};

/// `[isolation]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct IsolationTable {
    default: Option<Word<Isolation>>,
    program: Option<PathBuf>,
    workers: Option<Workers>,
    idle: Option<Limit>,
    sandbox: Option<Word<Profile>>,
    required: Option<bool>,
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    memory: Option<Memory>,
    cpu: Option<Cpu>,
    files: Option<Files>,
    kinds: Rules<Kind>,
    plugins: Rules<PluginKey>,
    tenants: Rules<TenantKey>,
}

impl IsolationTable {
    /// What the table says; paths are taken from a directory.
    pub(super) fn settings(self, base: &Path) -> IsolationSettings {
        let general = RuleTable {
            isolation: self.default,
            workers: self.workers,
            idle: self.idle,
            sandbox: self.sandbox,
            required: self.required,
            read: self.read,
            write: self.write,
            memory: self.memory,
            cpu: self.cpu,
            files: self.files,
        };
        let mut settings = IsolationSettings::new(general.rule(base));
        // A program without a directory would be looked for in `PATH`.
        let beside = match base.as_os_str().is_empty() {
            true => Path::new("."),
            false => base,
        };
        settings.program = self.program.map(|program| beside.join(program));
        settings.kinds = self.kinds.named(base, |kind| kind);
        settings.plugins = self.plugins.named(base, |PluginKey(plugin)| plugin);
        settings.tenants = self.tenants.named(base, |TenantKey(tenant)| tenant);
        settings
    }
}

/// What is said of a kind, a plugin or a tenant.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RuleTable {
    isolation: Option<Word<Isolation>>,
    workers: Option<Workers>,
    idle: Option<Limit>,
    sandbox: Option<Word<Profile>>,
    required: Option<bool>,
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    memory: Option<Memory>,
    cpu: Option<Cpu>,
    files: Option<Files>,
}

impl RuleTable {
    pub(super) fn rule(self, base: &Path) -> IsolationRule {
        let from_base = |paths: Vec<PathBuf>| paths.iter().map(|path| base.join(path)).collect();
        IsolationRule {
            isolation: self.isolation.map(|Word(isolation)| isolation),
            workers: self.workers.map(|Workers(workers)| workers),
            idle: self
                .idle
                .map(|Limit(idle)| idle.map_or(Patience::Forever, Patience::For)),
            sandbox: self.sandbox.map(|Word(profile)| profile),
            required: self.required,
            read: from_base(self.read),
            write: from_base(self.write),
            memory: self.memory.map(|Memory(bytes)| bytes),
            cpu: self.cpu.map(|Cpu(time)| time),
            files: self.files.map(|Files(files)| files),
        }
    }
}

/// A rule: where they run, or a table.
pub(super) struct Rule(pub(super) RuleTable);

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RuleVisitor;

        // Not an untagged enum, which would not tell what is wrong inside the table.
        impl<'de> Visitor<'de> for RuleVisitor {
            type Value = Rule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`in-process`, `worker`, or a table with `isolation`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Rule, E> {
                Ok(Rule(RuleTable {
                    isolation: Some(Word(text.parse().map_err(E::custom)?)),
                    ..RuleTable::default()
                }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
                RuleTable::deserialize(MapAccessDeserializer::new(map)).map(Rule)
            }
        }

        deserializer.deserialize_any(RuleVisitor)
    }
}

/// Rules by what they are for, each of which is there once, by whichever of its names.
struct Rules<K>(BTreeMap<K, Rule>);

impl<K> Default for Rules<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K> Rules<K> {
    fn named<N: Ord>(self, base: &Path, name: fn(K) -> N) -> BTreeMap<N, IsolationRule> {
        let rules = self.0.into_iter();
        rules
            .map(|(key, Rule(table))| (name(key), table.rule(base)))
            .collect()
    }
}

impl<'de, K: Deserialize<'de> + Ord + fmt::Display> Deserialize<'de> for Rules<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RulesVisitor<K>(PhantomData<K>);

        impl<'de, K: Deserialize<'de> + Ord + fmt::Display> Visitor<'de> for RulesVisitor<K> {
            type Value = Rules<K>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of names, each with `in-process`, `worker`, or a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rules<K>, A::Error> {
                let mut rules = BTreeMap::new();
                while let Some((key, rule)) = map.next_entry::<K, Rule>()? {
                    if rules.contains_key(&key) {
                        return Err(de::Error::custom(format_args!(
                            "`{key}` is there twice, under two of its names, expected it once"
                        )));
                    }
                    rules.insert(key, rule);
                }
                Ok(Rules(rules))
            }
        }

        deserializer.deserialize_map(RulesVisitor(PhantomData))
    }
}

/// The name of a plugin, or `kind/name` with the kind's own name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PluginKey(pub(super) String);

impl fmt::Display for PluginKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PluginKey {
    /// Refuses what no plugin can be called: a rule for it would be one for nothing.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (kind, name) = match text.split_once('/') {
            Some((kind, name)) => (Some(kind.parse::<Kind>()), name),
            None => (None, text.as_str()),
        };
        match kind.transpose().map_err(de::Error::custom)? {
            _ if !is_plugin_name(name) => Err(de::Error::custom(format_args!(
                "`{}` is not a plugin, expected its name, such as `sqlite`, or its kind and name, such as `storage/sqlite`",
                text.escape_debug()
            ))),
            Some(kind) => Ok(Self(format!("{kind}/{name}"))),
            None => Ok(Self(text)),
        }
    }
}

/// The name of a tenant.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct TenantKey(String);

impl fmt::Display for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TenantKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Err(de::Error::custom(
                "a tenant's name is empty, expected one: what holds for nobody in particular stands in `[isolation]`",
            ));
        }
        Ok(Self(text))
    }
}

/// A word that names something.
pub(super) struct Word<T>(pub(super) T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

/// How many workers an instance has.
struct Workers(NonZeroUsize);

impl<'de> Deserialize<'de> for Workers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let amount = Amount {
            expected: "from 1 to 64 workers",
            range: 1..=64,
            read: None,
        };
        let workers = deserializer.deserialize_any(amount)?;
        let workers = usize::try_from(workers).ok().and_then(NonZeroUsize::new);
        Ok(Self(workers.unwrap_or(NonZeroUsize::MIN)))
    }
}

/// How many bytes of memory a worker may have.
pub(super) struct Memory(pub(super) u64);

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let amount = Amount {
            expected: "a number of bytes, or a size such as `512MiB` or `2GB`, of at least `16MiB`: a worker cannot start with less memory",
            range: 16 << 20..=u64::MAX,
            read: Some(size),
        };
        deserializer.deserialize_any(amount).map(Self)
    }
}

/// A number of bytes.
pub(super) struct Size(pub(super) u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let amount = Amount {
            expected: "a number of bytes, or a size such as `512KiB` or `1MiB`",
            range: 0..=u64::MAX,
            read: Some(size),
        };
        deserializer.deserialize_any(amount).map(Self)
    }
}

/// How many files a worker may have open.
struct Files(u64);

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let amount = Amount {
            expected: "at least 16 open files: a worker cannot start with fewer",
            range: 16..=u64::MAX,
            read: None,
        };
        deserializer.deserialize_any(amount).map(Self)
    }
}

/// How long a worker may compute.
struct Cpu(Duration);

impl<'de> Deserialize<'de> for Cpu {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Span(time) = Span::deserialize(deserializer)?;
        if time < Duration::from_secs(1) {
            return Err(de::Error::custom(format_args!(
                "`cpu` is `{}ms`, expected at least `1s`: it is counted in seconds",
                time.as_millis()
            )));
        }
        Ok(Self(time))
    }
}

/// Reads how much of something there is: a number, or a text where one can be read.
pub(super) struct Amount {
    pub(super) expected: &'static str,
    pub(super) range: RangeInclusive<u64>,
    pub(super) read: Option<fn(&str) -> Option<u64>>,
}

impl Amount {
    fn check<E: de::Error>(&self, amount: Option<u64>, found: Unexpected<'_>) -> Result<u64, E> {
        amount
            .filter(|amount| self.range.contains(amount))
            .ok_or_else(|| E::invalid_value(found, self))
    }
}

impl Visitor<'_> for Amount {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<u64, E> {
        self.check(u64::try_from(number).ok(), Unexpected::Signed(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
        self.check(Some(number), Unexpected::Unsigned(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
        match self.read {
            Some(read) => self.check(read(text), Unexpected::Str(text)),
            None => Err(E::invalid_type(Unexpected::Str(text), &self)),
        }
    }
}

/// Reads a whole number of bytes with its unit, and a space between them or none.
pub(super) fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let each: u64 = match unit.strip_prefix(' ').unwrap_or(unit) {
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(each)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn parse_at(file: &str, text: &str) -> Result<IsolationSettings, String> {
        Settings::parse(Path::new(file), text).map(|settings| settings.isolation)
    }

    fn parse(text: &str) -> Result<IsolationSettings, String> {
        parse_at("/etc/floe/floe.toml", text)
    }

    #[test]
    fn where_nothing_is_said() {
        assert_eq!(parse("").unwrap(), IsolationSettings::default());
        assert_eq!(parse("[isolation]").unwrap(), IsolationSettings::default());
    }

    #[test]
    fn every_table_is_read() {
        let read = parse(
            r#"
            [isolation]
            default = "in-process"
            program = "/usr/lib/floe/floe-worker"
            workers = 1
            idle = "60s"
            sandbox = "none"
            required = false
            read = ["/usr/share/zoneinfo"]
            write = ["data"]
            memory = "512MiB"
            cpu = "5m"
            files = 256
            [isolation.kinds]
            compute = "worker"
            [isolation.plugins]
            jq = "worker"
            "data/sqlite" = { isolation = "worker", workers = 2, sandbox = "strict", memory = "256MiB", write = ["db"] }
            [isolation.tenants]
            acme = { isolation = "worker", sandbox = "strict" }
            "#,
        )
        .unwrap();
        let general = IsolationRule {
            required: Some(false),
            ..IsolationRule::new(Isolation::InProcess)
                .workers(1)
                .idle(Duration::from_secs(60))
                .sandbox(Profile::None)
                .read("/usr/share/zoneinfo")
                .write("/etc/floe/data")
                .memory(512 << 20)
                .cpu(Duration::from_secs(300))
                .files(256)
        };
        let sqlite = IsolationRule::new(Isolation::Worker)
            .workers(2)
            .sandbox(Profile::Strict)
            .memory(256 << 20)
            .write("/etc/floe/db");
        let acme = IsolationRule::new(Isolation::Worker).sandbox(Profile::Strict);
        assert_eq!(
            read,
            IsolationSettings::new(general)
                .program("/usr/lib/floe/floe-worker")
                .kind(Kind::COMPUTE, Isolation::Worker)
                .plugin("jq", Isolation::Worker)
                .plugin("data/sqlite", sqlite)
                .tenant("acme", acme)
        );
    }

    #[test]
    fn a_table_of_its_own_has_all_but_the_program() {
        let read = parse(
            r#"
            [isolation.kinds.storage]
            isolation = "in-process"
            workers = 64
            idle = "none"
            sandbox = "network"
            required = true
            read = ["a", "/b"]
            memory = 16777216
            cpu = "1s"
            files = 16
            "#,
        )
        .unwrap();
        let rule = IsolationRule::new(Isolation::InProcess)
            .workers(64)
            .idle(None)
            .sandbox(Profile::Network)
            .required()
            .read("/etc/floe/a")
            .read("/b")
            .memory(16 << 20)
            .cpu(Duration::from_secs(1))
            .files(16);
        assert_eq!(read, IsolationSettings::default().kind(Kind::STORAGE, rule));
    }

    #[test]
    fn the_program_is_found_from_the_files_directory() {
        for (file, program) in [
            ("/etc/floe/floe.toml", "/etc/floe/floe-worker"),
            ("config/floe.toml", "config/floe-worker"),
            // `floe-worker` alone would be looked for in `PATH`.
            ("floe.toml", "./floe-worker"),
        ] {
            let read = parse_at(file, "[isolation]\nprogram = \"floe-worker\"").unwrap();
            assert_eq!(
                read.program.unwrap().as_os_str(),
                Path::new(program).as_os_str()
            );
        }
    }

    #[test]
    fn a_kind_has_its_own_name() {
        let read = parse("[isolation.plugins]\n\"floe.storage/sqlite\" = \"worker\"").unwrap();
        assert_eq!(
            read,
            IsolationSettings::default().plugin("storage/sqlite", Isolation::Worker)
        );
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("1kB", 1_000),
            ("2MB", 2_000_000),
            ("3 GB", 3_000_000_000),
            ("1KiB", 1_024),
            ("512MiB", 536_870_912),
            ("2 GiB", 2_147_483_648),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in [
            "",
            "1",
            "MiB",
            " 1MiB",
            "1  MiB",
            "1MiB ",
            "-1MiB",
            "1.5GiB",
            "1mib",
            "1KB",
            "1TB",
            "1B",
            "1é",
            "18446744073709551616kB",
            "18446744073709551615GiB",
        ] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[track_caller]
    fn refused(text: &str, parts: &[&str]) {
        let refused = parse(text).unwrap_err();
        for part in parts.iter().chain(&["line"]) {
            assert!(refused.contains(part), "{part} in {refused}");
        }
    }

    #[test]
    fn a_number_that_is_none_is_told_by_its_line() {
        let workers = "expected from 1 to 64 workers";
        for found in ["0", "65", "-1"] {
            refused(
                &format!("[isolation]\nworkers = {found}"),
                &["line 2", &format!("integer `{found}`, {workers}")],
            );
        }
        refused(
            "[isolation]\nworkers = \"two\"",
            &["line 2", "string \"two\"", workers],
        );
        let memory = "expected a number of bytes, or a size such as `512MiB` or `2GB`, of at least `16MiB`: a worker cannot start with less memory";
        for found in ["\"15MiB\"", "\"16MB\"", "\"512\"", "\"much\""] {
            refused(
                &format!("[isolation]\nmemory = {found}"),
                &["line 2", &format!("string {found}, {memory}")],
            );
        }
        for found in ["16777215", "-1"] {
            refused(
                &format!("[isolation]\nmemory = {found}"),
                &["line 2", &format!("integer `{found}`, {memory}")],
            );
        }
        refused(
            "[isolation]\nfiles = 15",
            &[
                "line 2",
                "integer `15`, expected at least 16 open files: a worker cannot start with fewer",
            ],
        );
        refused(
            "[isolation]\ncpu = \"999ms\"",
            &["line 2", "`cpu` is `999ms`, expected at least `1s`"],
        );
        refused(
            "[isolation]\ncpu = \"none\"",
            &["line 2", "\"none\"", "expected a duration such as `500ms`"],
        );
        refused(
            "[isolation]\nidle = \"0s\"",
            &[
                "line 2",
                "a duration such as `500ms`, `30s`, `2m` or `1h`, or `none`",
            ],
        );
    }

    #[test]
    fn a_word_that_is_none_is_told_by_its_line() {
        let places = "`process` is not one of `in-process` or `worker`";
        refused("[isolation]\ndefault = \"process\"", &["line 2", places]);
        refused(
            "[isolation.kinds]\ncompute = \"process\"",
            &["line 2", places],
        );
        refused(
            "[isolation.plugins]\njq = { isolation = \"process\" }",
            &["line 2", places],
        );
        refused(
            "[isolation]\nsandbox = \"tight\"",
            &[
                "line 2",
                "`tight` is not one of `none`, `network` or `strict`",
            ],
        );
        refused(
            "[isolation.tenants]\nacme = true",
            &[
                "line 2",
                "boolean `true`, expected `in-process`, `worker`, or a table with `isolation`",
            ],
        );
        refused(
            "[isolation]\nplugins = \"worker\"",
            &[
                "line 2",
                "expected a table of names, each with `in-process`, `worker`, or a table",
            ],
        );
    }

    #[test]
    fn a_key_that_is_none_is_told_by_its_line() {
        refused(
            "[isolation]\nisolation = \"worker\"",
            &[
                "line 2",
                "unknown field `isolation`",
                "`default`, `program`",
            ],
        );
        for key in ["default", "program"] {
            refused(
                &format!("[isolation.plugins]\njq = {{ {key} = \"worker\" }}"),
                &[
                    "line 2",
                    &format!("unknown field `{key}`"),
                    "`isolation`, `workers`",
                ],
            );
        }
        refused(
            "[isolation.tenants.acme]\nmemry = \"1GB\"",
            &["line 2", "unknown field `memry`", "`memory`"],
        );
        refused(
            "[isolation.plugins]\njq = { workers = 0 }",
            &["line 2", "integer `0`, expected from 1 to 64 workers"],
        );
    }

    #[test]
    fn a_name_that_is_none_is_told_by_its_line() {
        for name in ["Jq", "compute/", "compute/jq/x", "acme-*", ""] {
            refused(
                &format!("[isolation.plugins]\n\"{name}\" = \"worker\""),
                &[
                    "line 2",
                    &format!(
                        "`{name}` is not a plugin, expected its name, such as `sqlite`, or its kind and name, such as `storage/sqlite`"
                    ),
                ],
            );
        }
        for text in [
            "[isolation.plugins]\n\"A B/jq\" = \"worker\"",
            "[isolation.kinds]\n\"A B\" = \"worker\"",
        ] {
            refused(text, &["line 2", "`A B` is not a plugin kind"]);
        }
        refused(
            "[isolation.tenants]\n\"\" = \"worker\"",
            &["line 2", "a tenant's name is empty, expected one"],
        );
    }

    #[test]
    fn each_has_one_rule() {
        // The last would count, and may say `in-process`.
        refused(
            "[isolation.kinds]\ncompute = \"worker\"\n\"floe.computes\" = \"in-process\"",
            &["`compute` is there twice, under two of its names, expected it once"],
        );
        refused(
            "[isolation.plugins]\n\"compute/jq\" = \"worker\"\n\"floe.computes/jq\" = \"in-process\"",
            &["`compute/jq` is there twice, under two of its names, expected it once"],
        );
    }
}
