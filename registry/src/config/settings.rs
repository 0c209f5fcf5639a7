//! What `floe.toml` says.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use floe_plugin_api::{Map, Value};
use serde::Deserialize;

use super::audit::AuditTable;
use super::isolation::IsolationTable;
use super::limits::{
    CircuitTable, DeadlinesTable, InstancesTable, PARALLEL, QuarantineTable, StartTable,
};
use super::recovery::RecoveryTable;
use super::search::default_state;
use super::tenants::TenantsTable;
use super::trust::TrustTable;
use super::workflows::{WorkflowSettings, WorkflowsTable};
use super::{CircuitSettings, Deadlines, InstanceLimits};
use crate::admit::{QuarantineSettings, Trust, TrustSettings};
use crate::discover::SearchDirectory;
use crate::isolation::IsolationSettings;
use crate::lifecycle::Mode;
use crate::policy::RecoverySettings;
use crate::policy::tenant::TenantSettings;
use crate::policy::{AuditSettings, Policy};

/// The name of the settings file.
pub const SETTINGS_FILE: &str = "floe.toml";

/// The longest settings file that is read, in bytes.
const LONGEST: u64 = 16 << 20;

/// What a `floe.toml` says.
///
/// ```toml
/// [search]
/// paths = ["plugins", { path = "target/release", depth = 1, trust = "owner" }]
/// strict = false
///
/// [store]
/// path = ".floe/store"
///
/// [state]             # quarantined contents, and schemas
/// path = ".floe/state"
///
/// [trust]
/// policy = "locked+signed"        # or "any", "owner" (the default), "locked", "signed"
/// check_paths = true              # by default unless the policy is "any"
/// lock = "floe.lock"              # the default, beside this file
/// deny = ["executable-stack"]     # hazards for which a library is refused
///
/// [trust.kinds]       # what is asked in addition of plugins of a kind
/// secrets = "signed"
///
/// [trust.keys.acme]   # a minisign key, and what it may sign; all, where `plugins` is left out
/// key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
/// plugins = ["acme-*", "sqlite"]
///
/// [trust.revoked]     # keys whose signatures no longer count, from a day on
/// E7620F1842B4E81F = 2026-11-01
///
/// [quarantine]        # when a content is left alone, and for how long: twice as long each time
/// failed_starts = 5
/// openings = 3
/// first = "1m"
/// longest = "24h"
///
/// [plugins.sqlite]    # a plugin's configuration
/// path = "weather.db"
///
/// [instances]
/// capacity = 1000     # how many at once
/// weight = 4000       # what they weigh together; no limit where it is left out
///
/// [deadlines]         # "500ms", "30s", "2m", "1h" or "none"
/// create = "30s"
/// health = "5s"
/// stop = "30s"
/// call = "none"
///
/// [circuit]           # after so many panics in the window, a plugin rests
/// panics = 5
/// window = "60s"
/// rest = "30s"
///
/// [start]
/// parallel = 5        # how many plugins at once
///
/// [isolation]         # where plugins run; kinds, plugins and tenants may have rules of their own
/// default = "in-process"          # or "worker": in processes of their own
/// sandbox = "strict"              # what workers may do: "none" (the default), "network", "strict"
/// memory = "512MiB"
///
/// [isolation.plugins] # a word, or a table with the same keys and `isolation` for `default`
/// jq = "worker"
///
/// [audit]             # calls are put on record where this table is there
/// file = "audit.jsonl"            # in the state directory, where it is left out
/// sync = "interval"               # each second; or "always", "never", "500ms"
/// on_failure = "refuse"           # or "continue": calls that cannot be put on record go on
/// rotate = "64MiB"
/// readers = ["auditor"]           # roles that may read it
///
/// [tenants.acme]      # where a tenant is set, only those that are may call, and only what is allowed
/// allow = ["text.*"]              # node types, stronger than `deny`; `allow_kinds` and `deny_kinds` too
/// deny = ["sqlite.*"]
/// isolation = "worker"            # as in `[isolation.plugins]`
/// share = false                   # instances of stateless plugins, with others that say so too
/// max_in_flight = 8
/// calls_per_second = 100
/// burst = 20                      # as many as in a second, where it is left out
/// max_output = "1MiB"
/// max_instances = 4
/// worker_memory = "256MiB"
///
/// [tenants.acme.data]
/// bind = ["/tenant_id"]           # where `acme` is written into each input
/// tenant_fields = ["tenant_id", "tenantId"]   # the default: these name no other tenant
/// remove = ["/rows/*/ssn"]        # from outputs
/// mask = ["/**/password"]
/// foreign = "anywhere"            # or "fields": where other tenants' names are looked for in outputs
///
/// [tenants.acme.audit]
/// readers = ["auditor"]
/// inputs = false
/// outputs = false
/// mask = ["/token"]
///
/// [recovery]          # what is done, in order, when a call fails; nothing where it is left out
/// default = ["retry"]             # or with what differs: { retry = { attempts = 5, initial = "200ms" } }
///
/// [recovery.plugins]  # by name or `kind/name`
/// http = [
///     { retry = { attempts = 5, on = ["transient"] } },
///     { fallback = { node_type = "cache.get", input = { key = { from = "/url" }, mode = "stale" } } },
///     { skip = { output = {} } }, # `value` answers in the same way, without a word of it
/// ]
///
/// [recovery.executors]
/// "http.request" = ["fail"]
///
/// [workflows]
/// directories = ["flows"]         # where workflows find those that they call
/// runs = "runs"                   # the journal of runs; in the state directory, where it is left out
/// sync = "checkpoint"             # or "always": each entry is on the disk before a run goes on
/// max_bytes = "8MiB"              # of a document
/// max_nodes = 10000
/// max_depth = 128
/// ```
///
/// Paths are taken from the file's own directory. Dates and times of a
/// plugin's configuration become strings.
#[derive(Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The file.
    pub file: PathBuf,
    /// Its directories of the search path.
    pub directories: Vec<SearchDirectory>,
    /// What becomes of refused files.
    pub mode: Mode,
    /// The directory of the private copies.
    pub store: Option<PathBuf>,
    /// The directory of what is remembered of contents.
    pub state: Option<PathBuf>,
    /// Which files are trusted.
    pub trust: TrustSettings,
    /// When a content is left alone.
    pub quarantine: QuarantineSettings,
    /// The configuration of each plugin, by name: a map.
    pub plugins: BTreeMap<String, Value>,
    /// How many instances may live at once.
    pub instances: InstanceLimits,
    /// How long a plugin may take.
    pub deadlines: Deadlines,
    /// When a plugin that panics is let be.
    pub circuit: CircuitSettings,
    /// How many plugins are started at once, never 0.
    pub parallel: usize,
    /// Where plugins run.
    pub isolation: IsolationSettings,
    /// What is put on record of calls; nothing where it is not set.
    pub audit: Option<AuditSettings>,
    /// Who may call what.
    pub tenants: TenantSettings,
    /// What is done when a call fails.
    pub recovery: RecoverySettings,
    /// Where workflows are, and where their runs are put on record.
    pub workflows: WorkflowSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            file: PathBuf::new(),
            directories: Vec::new(),
            mode: Mode::default(),
            store: None,
            state: None,
            trust: TrustSettings::default(),
            quarantine: QuarantineSettings::default(),
            plugins: BTreeMap::new(),
            instances: InstanceLimits::default(),
            deadlines: Deadlines::default(),
            circuit: CircuitSettings::default(),
            parallel: PARALLEL,
            isolation: IsolationSettings::default(),
            audit: None,
            tenants: TenantSettings::default(),
            recovery: RecoverySettings::default(),
            workflows: WorkflowSettings::default(),
        }
    }
}

impl fmt::Debug for Settings {
    /// Names the plugins that are configured, and not how: which of it is secret, only they know.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("file", &self.file)
            .field("directories", &self.directories)
            .field("mode", &self.mode)
            .field("store", &self.store)
            .field("state", &self.state)
            .field("trust", &self.trust)
            .field("quarantine", &self.quarantine)
            .field("plugins", &self.plugins.keys())
            .field("instances", &self.instances)
            .field("deadlines", &self.deadlines)
            .field("circuit", &self.circuit)
            .field("parallel", &self.parallel)
            .field("isolation", &self.isolation)
            .field("audit", &self.audit)
            .field("tenants", &self.tenants)
            .field("recovery", &self.recovery)
            .field("workflows", &self.workflows)
            .finish()
    }
}

/// Why a `floe.toml` could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others may write to it, or have put it there: what it says of trust is worth nothing then.
    #[error("the settings file `{}` is not safe: {found}", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its owner or its mode, and what to do.
        found: String,
    },
    /// It is not TOML, or not of the right shape.
    #[error("`{}` is not a floe settings file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where, and what is wrong.
        reason: String,
    },
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Document {
    search: Search,
    store: StoreTable,
    state: StoreTable,
    trust: TrustTable,
    quarantine: QuarantineTable,
    plugins: BTreeMap<String, toml::Value>,
    instances: InstancesTable,
    deadlines: DeadlinesTable,
    circuit: CircuitTable,
    start: StartTable,
    isolation: IsolationTable,
    audit: Option<AuditTable>,
    tenants: TenantsTable,
    recovery: RecoveryTable,
    workflows: WorkflowsTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Search {
    paths: Vec<SearchEntry>,
    strict: bool,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a path, or a table of `path`, `depth` and `trust`, which is `any`, `owner`, `locked`, `signed` or `locked+signed`"
)]
enum SearchEntry {
    Path(PathBuf),
    Table(SearchTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchTable {
    path: PathBuf,
    depth: Option<usize>,
    trust: Option<Trust>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StoreTable {
    path: Option<PathBuf>,
}

impl Settings {
    /// Reads the nearest `floe.toml` from a directory upward; `None` where there is none.
    ///
    /// # Errors
    ///
    /// There is one that cannot be read or is not of the right shape, or one that belongs neither to root,
    /// nor to the user of this process, nor to the directory's owner: whoever may write to a directory
    /// above, as everybody may to `/tmp`, could put one there.
    pub fn find(from: &Path) -> Result<Option<Self>, SettingsError> {
        for directory in from.ancestors() {
            let path = directory.join(SETTINGS_FILE);
            if path.is_file() {
                if let Some(found) = foreign(&path, from) {
                    return Err(SettingsError::Exposed { path, found });
                }
                return Self::read(&path).map(Some);
            }
        }
        Ok(None)
    }

    /// Reads a settings file.
    ///
    /// # Errors
    ///
    /// It cannot be read or is not of the right shape.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let failed = |source| SettingsError::Read {
            path: path.to_owned(),
            source,
        };
        let file = fs::File::open(path).map_err(failed)?;
        if let Some(found) = open_to_all(&file) {
            return Err(SettingsError::Exposed {
                path: path.to_owned(),
                found,
            });
        }
        let mut text = String::new();
        let read = file.take(LONGEST).read_to_string(&mut text);
        if read.map_err(failed)? as u64 == LONGEST {
            return Err(SettingsError::Malformed {
                path: path.to_owned(),
                reason: format!("it has more than {LONGEST} bytes"),
            });
        }
        Self::parse(path, &text).map_err(|reason| SettingsError::Malformed {
            path: path.to_owned(),
            reason,
        })
    }

    /// Who may call what, and what is done when a call fails.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy::default()
            .tenants(self.tenants.clone())
            .recovery(self.recovery.clone())
    }

    /// The file of the audit log, where calls are put on record: where there are tenants, they always are.
    #[must_use]
    pub fn audit_file(&self) -> Option<PathBuf> {
        let usual = AuditSettings::default();
        let audit = match &self.audit {
            Some(audit) => audit,
            None if self.tenants.is_empty() => return None,
            None => &usual,
        };
        Some(match &self.state {
            Some(state) => audit.file_in(state),
            None => audit.file_in(&default_state(self.store.as_deref())),
        })
    }

    /// The directory of the journal of runs.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        match &self.state {
            Some(state) => self.workflows.runs_in(state),
            None => self
                .workflows
                .runs_in(&default_state(self.store.as_deref())),
        }
    }

    /// Reads the text of a settings file.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, String> {
        let document: Document = toml::from_str(text).map_err(|error| explain(&error, text))?;
        let mut plugins = BTreeMap::new();
        for (name, config) in document.plugins {
            if !config.is_table() {
                // Not its value: it may be meant as a secret.
                return Err(format!(
                    "`plugins.{name}` is of type {}, expected a table: write its settings below `[plugins.{name}]`",
                    config.type_str()
                ));
            }
            plugins.insert(name, value(config));
        }
        let base = path.parent().unwrap_or(Path::new(""));
        let mut trust = document.trust.settings(base)?;
        let mut directories = Vec::new();
        for entry in document.search.paths {
            let table = match entry {
                SearchEntry::Path(path) => SearchTable {
                    path,
                    depth: None,
                    trust: None,
                },
                SearchEntry::Table(table) => table,
            };
            let path = base.join(table.path);
            if let Some(own) = table.trust {
                trust = trust.directory(&path, own);
            }
            let directory = SearchDirectory::new(path);
            directories.push(match table.depth {
                Some(depth) => directory.depth(depth),
                None => directory,
            });
        }
        Ok(Self {
            directories,
            mode: if document.search.strict {
                Mode::Strict
            } else {
                Mode::Loose
            },
            store: document.store.path.map(|path| base.join(path)),
            state: document.state.path.map(|path| base.join(path)),
            trust,
            quarantine: document.quarantine.into(),
            plugins,
            instances: document.instances.into(),
            deadlines: document.deadlines.into(),
            circuit: document.circuit.into(),
            parallel: document.start.parallel(),
            isolation: document.isolation.settings(base),
            audit: document.audit.map(|table| table.settings(base)),
            tenants: document
                .tenants
                .settings(base)
                .map_err(|(span, error)| match span {
                    Some(span) => placed(span.start, &error.to_string(), text),
                    None => error.to_string(),
                })?,
            recovery: document.recovery.settings(text)?,
            workflows: document.workflows.settings(base),
            file: path.to_owned(),
        })
    }
}

/// Who else may write to a settings file, in words.
#[cfg(unix)]
fn open_to_all(file: &fs::File) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    let metadata = file.metadata().ok()?;
    let mode = metadata.mode() & 0o7777;
    (metadata.is_file() && mode & 0o002 != 0).then(|| {
        format!(
            "its mode is `{mode:04o}`, expected one that not everybody may write to: `chmod o-w` it, once it says what it should"
        )
    })
}

#[cfg(not(unix))]
fn open_to_all(_file: &fs::File) -> Option<String> {
    None
}

/// Whose a settings file is that was found and not named, where that is not for them to decide.
#[cfg(unix)]
fn foreign(path: &Path, from: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    let owner = |path: &Path| fs::metadata(path).map(|metadata| metadata.uid()).ok();
    let found = owner(path)?;
    let known = [Some(0), Some(crate::admit::user()), owner(from)];
    (!known.contains(&Some(found))).then(|| {
        format!(
            "it belongs to user `{found}`, who is neither root nor this user nor the owner of the working directory: name it with `--settings` if it is meant"
        )
    })
}

#[cfg(not(unix))]
fn foreign(_path: &Path, _from: &Path) -> Option<String> {
    None
}

/// Says where a text is no settings file and why, with the line itself unless that may be of a
/// plugin's configuration, which may be secret.
fn explain(error: &toml::de::Error, text: &str) -> String {
    let whole = error.to_string().trim_end().to_owned();
    let Some(span) = error.span() else {
        return whole;
    };
    // A value in several lines may have begun anywhere above.
    let until = text.get(span.start..).and_then(|rest| rest.find('\n'));
    let until = until.map_or(text.len(), |length| span.start + length);
    if !text.get(..until).unwrap_or(text).contains("plugins") {
        return whole;
    }
    placed(span.start, error.message().trim_end(), text)
}

/// Says what is wrong at a byte of a text.
fn placed(at: usize, message: &str, text: &str) -> String {
    let (line, column) = place(text, at);
    format!("line {line}, column {column}: {message}")
}

/// The line and the column of a byte of a text, each from 1.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

/// The same value as the plugin interface has it.
pub(super) fn value(source: toml::Value) -> Value {
    match source {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(integer) => integer.into(),
        toml::Value::Float(float) => float.into(),
        toml::Value::Boolean(boolean) => boolean.into(),
        toml::Value::Datetime(datetime) => datetime.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(value).collect(),
        toml::Value::Table(table) => {
            let entries = table.into_iter().map(|(key, each)| (key, value(each)));
            entries.collect::<Map>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use floe_plugin_api::value;

    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        Settings::parse(Path::new("/etc/floe.toml"), text)
    }

    #[test]
    fn an_empty_file_says_what_none_says() {
        let (read, none) = (parse("").unwrap(), Settings::default());
        assert_eq!(read.instances, none.instances);
        assert_eq!(read.deadlines, none.deadlines);
        assert_eq!(read.circuit, none.circuit);
        assert_eq!(read.parallel, none.parallel);
        assert_eq!(read.isolation, none.isolation);
        assert!(read.plugins.is_empty());
    }

    #[test]
    fn limits_are_read() {
        let read = parse(
            r#"
            [instances]
            capacity = 7
            weight = 12
            [deadlines]
            create = "none"
            health = "250ms"
            call = "2m"
            [circuit]
            panics = 2
            rest = "1h"
            [start]
            parallel = 3
            "#,
        )
        .unwrap();
        assert_eq!(
            read.instances,
            InstanceLimits::default().capacity(7).weight(12)
        );
        assert_eq!(
            read.deadlines,
            Deadlines::default()
                .create(None)
                .health(Duration::from_millis(250))
                .call(Duration::from_secs(120))
        );
        assert_eq!(
            read.circuit,
            CircuitSettings::default()
                .panics(2)
                .rest(Duration::from_secs(3600))
        );
        assert_eq!(read.parallel, 3);
    }

    #[test]
    fn a_plugins_table_is_kept_as_it_is() {
        let read = parse(
            r#"
            [plugins.sqlite]
            path = "weather.db"
            big = 9223372036854775807
            share = 0.5
            since = 1979-05-27T07:32:00Z
            tags = ["a", { b = true }]
            [plugins.sqlite.inner]
            on = false
            [plugins.other-one]
            "#,
        )
        .unwrap();
        assert_eq!(
            read.plugins["sqlite"],
            value!({
                "path": "weather.db", "big": (i64::MAX), "share": 0.5,
                "since": "1979-05-27T07:32:00Z", "tags": ["a", {"b": true}], "inner": {"on": false},
            })
        );
        assert_eq!(read.plugins["other-one"], value!({}));
    }

    #[test]
    fn what_does_not_fit_is_told_by_its_place() {
        for (text, parts) in [
            (
                "[deadlines]\ncreat = \"1s\"",
                &["unknown field `creat`", "`create`"][..],
            ),
            ("[limits]", &["unknown field `limits`", "`deadlines`"]),
            ("[instances]\ncapacity = 0", &["capacity = 0", "nonzero"]),
            ("[instances]\nweight = -1", &["weight = -1", "nonzero"]),
            (
                "[start]\nparallel = \"x\"",
                &["parallel = \"x\"", "nonzero"],
            ),
            ("[circuit]\npanics = 0", &["panics = 0", "nonzero"]),
            (
                "[deadlines]\nstop = \"30\"",
                &[
                    "stop = \"30\"",
                    "a duration such as `500ms`, `30s`, `2m` or `1h`, or `none`",
                ],
            ),
            (
                "[deadlines]\nstop = 30",
                &["stop = 30", "integer `30`", "a duration such as"],
            ),
            (
                "[circuit]\nwindow = \"none\"",
                &["\"none\"", "expected a duration such as"],
            ),
        ] {
            let refused = parse(text).unwrap_err();
            for part in parts {
                assert!(refused.contains(part), "{part} in {refused}");
            }
            assert!(refused.contains("line"), "{refused}");
        }
    }

    #[test]
    fn no_error_shows_what_a_plugin_is_given() {
        for text in [
            "[plugins.a]\npassword = \"hunter2",
            "[plugins.a]\npassword = hunter2",
            "[plugins.a]\npassword = \"hunter2\"\npassword = \"hunter2\"",
            "[plugins.a]\npassword = \"\"\"\nhunter2\n\\q\"\"\"",
            "plugins.a = \"hunter2\"",
            "plugins.a.password = \"hunter2\" hunter2",
            "plugins = { a = { password = \"hunter2\\q\" } }",
            "[plugins]\na = [\"hunter2\"]",
        ] {
            let refused = parse(text).unwrap_err();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
        let refused = parse("[plugins]\nsqlite = 3").unwrap_err();
        assert_eq!(
            refused,
            "`plugins.sqlite` is of type integer, expected a table: write its settings below `[plugins.sqlite]`"
        );
        let read = parse("[plugins.a]\npassword = \"hunter2\"").unwrap();
        assert!(!format!("{read:?}").contains("hunter2"));
    }
}
