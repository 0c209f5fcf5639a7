//! Where a plugin's code runs: words for it, and who decides.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use floe_plugin_api::Kind;
use serde::{Deserialize, Serialize};

use crate::id::PluginId;
use crate::isolate::sandbox::{self, Offer, Sandbox};

/// Where a plugin's code runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Isolation {
    /// In the process of the host: the quickest calls. A crash of the plugin ends the host.
    #[default]
    InProcess,
    /// In a process of its own: a crash ends that, a hung call is killed, and its memory is given back.
    Worker,
}

impl Isolation {
    /// The name in settings: `in-process` or `worker`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProcess => "in-process",
            Self::Worker => "worker",
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Isolation {
    type Err = ParseIsolationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "in-process" => Ok(Self::InProcess),
            "worker" => Ok(Self::Worker),
            _ => Err(ParseIsolationError {
                found: text.to_owned(),
                expected: "`in-process` or `worker`",
            }),
        }
    }
}

/// What a plugin in a worker may ask the system for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Profile {
    /// Whatever the user of the host may. Limits hold all the same.
    #[default]
    None,
    /// The files that are named, and the network; no other process, and nothing of the system's.
    Network,
    /// The files that are named; no network, no other process, and nothing of the system's.
    Strict,
}

impl Profile {
    /// The name in settings: `none`, `network` or `strict`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Network => "network",
            Self::Strict => "strict",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = ParseIsolationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "network" => Ok(Self::Network),
            "strict" => Ok(Self::Strict),
            _ => Err(ParseIsolationError {
                found: text.to_owned(),
                expected: "`none`, `network` or `strict`",
            }),
        }
    }
}

/// A word that names no isolation and no profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not one of {expected}")]
pub struct ParseIsolationError {
    found: String,
    expected: &'static str,
}

/// What is said of where plugins run. What is not said is as a more general rule says, and by default as
/// [`WorkerTerms`] says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct IsolationRule {
    /// Where they run.
    pub isolation: Option<Isolation>,
    /// How many workers each instance has.
    pub workers: Option<NonZeroUsize>,
    /// How long a worker without a call is kept.
    pub idle: Option<Patience>,
    /// What they may ask the system for.
    pub sandbox: Option<Profile>,
    /// Whether a plugin is refused where the system cannot hold it to this.
    pub required: Option<bool>,
    /// Files and directories that may be read.
    pub read: Vec<PathBuf>,
    /// Files and directories that may be read and written.
    pub write: Vec<PathBuf>,
    /// How many bytes of memory a worker may have.
    pub memory: Option<u64>,
    /// How long a worker may compute in all.
    pub cpu: Option<Duration>,
    /// How many files a worker may have open.
    pub files: Option<u64>,
}

/// How long a worker without a call is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Patience {
    /// As long as its instance lives.
    Forever,
    /// This long.
    For(Duration),
}

impl IsolationRule {
    /// A rule that says where plugins run, and nothing else.
    #[must_use]
    pub fn new(isolation: Isolation) -> Self {
        Self {
            isolation: Some(isolation),
            ..Self::default()
        }
    }

    /// Sets how many workers each instance has; 0 is taken as 1.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(NonZeroUsize::new(workers).unwrap_or(NonZeroUsize::MIN));
        self
    }

    /// Sets after which time without a call a worker is stopped; `None` is never.
    #[must_use]
    pub fn idle(mut self, idle: impl Into<Option<Duration>>) -> Self {
        self.idle = Some(idle.into().map_or(Patience::Forever, Patience::For));
        self
    }

    /// Sets what a plugin may ask the system for.
    #[must_use]
    pub fn sandbox(mut self, profile: Profile) -> Self {
        self.sandbox = Some(profile);
        self
    }

    /// Refuses a plugin where the system cannot hold it to its sandbox and limits.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = Some(true);
        self
    }

    /// Adds a file or directory that may be read under a sandbox.
    #[must_use]
    pub fn read(mut self, path: impl Into<PathBuf>) -> Self {
        self.read.push(path.into());
        self
    }

    /// Adds a file or directory that may be read and written under a sandbox.
    #[must_use]
    pub fn write(mut self, path: impl Into<PathBuf>) -> Self {
        self.write.push(path.into());
        self
    }

    /// Sets how many bytes of memory a worker may have.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Sets how long a worker may compute in all, in whole seconds.
    #[must_use]
    pub fn cpu(mut self, time: Duration) -> Self {
        self.cpu = Some(time);
        self
    }

    /// Sets how many files a worker may have open.
    #[must_use]
    pub fn files(mut self, files: u64) -> Self {
        self.files = Some(files);
        self
    }
}

impl From<Isolation> for IsolationRule {
    fn from(isolation: Isolation) -> Self {
        Self::new(isolation)
    }
}

/// Where plugins run: in general, by kind, by plugin and by tenant.
///
/// What is said of a plugin is stronger than what is said of its kind, and that than what is said in
/// general, item by item. A tenant's rule only adds: where it says `worker`, the tenant's instances run
/// in workers whatever else is said, and of two profiles and limits the stricter holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IsolationSettings {
    /// The program that is started as a worker. By default it is looked for: see
    /// [`worker`](crate::worker).
    pub program: Option<PathBuf>,
    /// What holds where nothing else is said.
    pub general: IsolationRule,
    /// By kind.
    pub kinds: BTreeMap<Kind, IsolationRule>,
    /// By the name of the plugin, or `kind/name`.
    pub plugins: BTreeMap<String, IsolationRule>,
    /// By the name of the scope.
    pub tenants: BTreeMap<String, IsolationRule>,
}

/// How a plugin is held in a worker.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct WorkerTerms {
    /// How many workers an instance has; 1 by default.
    pub workers: NonZeroUsize,
    /// After which time without a call a worker is stopped, 60 s by default; `None` is never.
    pub idle: Option<Duration>,
    /// What the plugin may ask the system for; all by default.
    pub sandbox: Profile,
    /// Whether it is refused where the system cannot hold it to this; no by default.
    pub required: bool,
    /// Files and directories that may be read under a sandbox.
    pub read: Vec<PathBuf>,
    /// Files and directories that may be read and written under a sandbox.
    pub write: Vec<PathBuf>,
    /// How many bytes of memory a worker may have.
    pub memory: Option<u64>,
    /// How long a worker may compute in all.
    pub cpu: Option<Duration>,
    /// How many files a worker may have open.
    pub files: Option<u64>,
}

impl Default for WorkerTerms {
    fn default() -> Self {
        Self {
            workers: NonZeroUsize::MIN,
            idle: Some(Duration::from_secs(60)),
            sandbox: Profile::None,
            required: false,
            read: Vec::new(),
            write: Vec::new(),
            memory: None,
            cpu: None,
            files: None,
        }
    }
}

impl WorkerTerms {
    /// What a more particular rule says lies over this.
    fn overlay(&mut self, rule: &IsolationRule) {
        if let Some(workers) = rule.workers {
            self.workers = workers;
        }
        match rule.idle {
            Some(Patience::Forever) => self.idle = None,
            Some(Patience::For(time)) => self.idle = Some(time),
            None => {}
        }
        self.sandbox = rule.sandbox.unwrap_or(self.sandbox);
        self.required = rule.required.unwrap_or(self.required);
        self.read.extend(rule.read.iter().cloned());
        self.write.extend(rule.write.iter().cloned());
        self.memory = rule.memory.or(self.memory);
        self.cpu = rule.cpu.or(self.cpu);
        self.files = rule.files.or(self.files);
    }

    /// What a tenant's rule adds to this: of two limits the stricter holds.
    fn tighten(&mut self, rule: &IsolationRule) {
        fn stricter<T: Ord + Copy>(own: Option<T>, other: Option<T>) -> Option<T> {
            own.into_iter().chain(other).min()
        }
        if let Some(workers) = rule.workers {
            self.workers = workers;
        }
        match rule.idle {
            Some(Patience::For(time)) => self.idle = stricter(self.idle, Some(time)),
            Some(Patience::Forever) | None => {}
        }
        self.sandbox = self.sandbox.max(rule.sandbox.unwrap_or_default());
        self.required |= rule.required.unwrap_or(false);
        self.read.extend(rule.read.iter().cloned());
        self.write.extend(rule.write.iter().cloned());
        self.memory = stricter(self.memory, rule.memory);
        self.cpu = stricter(self.cpu, rule.cpu);
        self.files = stricter(self.files, rule.files);
    }
}

/// Where an instance of a plugin runs, and how it is held there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Held {
    /// In this process.
    InProcess,
    /// In processes of its own.
    Worker(Box<WorkerTerms>),
}

impl Held {
    /// Where it runs.
    pub(crate) const fn isolation(&self) -> Isolation {
        match self {
            Self::InProcess => Isolation::InProcess,
            Self::Worker(_) => Isolation::Worker,
        }
    }
}

impl IsolationSettings {
    /// Where plugins run in general, and nothing else.
    #[must_use]
    pub fn new(general: impl Into<IsolationRule>) -> Self {
        Self {
            general: general.into(),
            ..Self::default()
        }
    }

    /// Sets the program that is started as a worker.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Sets where plugins of a kind run.
    #[must_use]
    pub fn kind(mut self, kind: Kind, rule: impl Into<IsolationRule>) -> Self {
        self.kinds.insert(kind, rule.into());
        self
    }

    /// Sets where a plugin runs, named by its name or `kind/name`.
    #[must_use]
    pub fn plugin(mut self, plugin: impl Into<String>, rule: impl Into<IsolationRule>) -> Self {
        self.plugins.insert(plugin.into(), rule.into());
        self
    }

    /// Sets where the instances of a tenant run.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>, rule: impl Into<IsolationRule>) -> Self {
        self.tenants.insert(tenant.into(), rule.into());
        self
    }

    /// What is said of a plugin, from the general to the particular.
    fn rules_of<'a>(&'a self, plugin: &PluginId) -> impl Iterator<Item = &'a IsolationRule> {
        [
            Some(&self.general),
            self.kinds.get(&plugin.kind),
            self.plugins.get(&plugin.name),
            self.plugins.get(&plugin.to_string()),
        ]
        .into_iter()
        .flatten()
    }

    /// Where a plugin runs for nobody in particular.
    #[must_use]
    pub fn of(&self, plugin: &PluginId) -> Isolation {
        let said = self.rules_of(plugin).filter_map(|rule| rule.isolation);
        said.last().unwrap_or_default()
    }

    /// What some rule asks a worker to be held to and this machine cannot give, each once, with its reason and
    /// what to do. Nothing of this process is changed.
    #[must_use]
    pub fn lacking(&self) -> Vec<Offer> {
        let particular = self.kinds.values().chain(self.plugins.values());
        let rules = [&self.general].into_iter().chain(particular);
        let mut lacking: Vec<Offer> = Vec::new();
        for rule in rules.chain(self.tenants.values()) {
            let mut terms = WorkerTerms::default();
            terms.overlay(rule);
            let asked = Sandbox::from(&terms);
            if asked == Sandbox::default() {
                continue;
            }
            for offer in sandbox::missing(&asked) {
                if lacking.iter().all(|known| known.name != offer.name) {
                    lacking.push(offer);
                }
            }
        }
        lacking
    }

    /// Where an instance of a plugin runs, and how it is held there.
    pub(crate) fn held(
        &self,
        plugin: &PluginId,
        names: &[&str],
        policy: Option<&IsolationRule>,
    ) -> Held {
        // Nobody in particular has no name.
        let named = || names.iter().filter(|name| !name.is_empty());
        let particular = || {
            let own = named().filter_map(|name| self.tenants.get(*name));
            own.chain(policy)
        };
        let asked = particular().filter_map(|rule| rule.isolation).max();
        let isolation = self.of(plugin).max(asked.unwrap_or(Isolation::InProcess));
        if isolation == Isolation::InProcess {
            return Held::InProcess;
        }
        let mut terms = WorkerTerms::default();
        self.rules_of(plugin).for_each(|rule| terms.overlay(rule));
        particular().for_each(|rule| terms.tighten(rule));
        Held::Worker(Box::new(terms))
    }
}

impl<T: Into<IsolationRule>> From<T> for IsolationSettings {
    fn from(general: T) -> Self {
        Self::new(general)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jq() -> PluginId {
        PluginId {
            kind: Kind::COMPUTE,
            name: "jq".to_owned(),
        }
    }

    /// How `jq` is held for somebody, in a worker.
    #[track_caller]
    fn terms(settings: &IsolationSettings, scope: &str) -> WorkerTerms {
        match settings.held(&jq(), &[scope], None) {
            Held::Worker(terms) => *terms,
            Held::InProcess => panic!("in process: {settings:?}"),
        }
    }

    #[test]
    fn every_word_is_read_as_it_is_written() {
        for isolation in [Isolation::InProcess, Isolation::Worker] {
            assert_eq!(isolation.to_string().parse(), Ok(isolation));
        }
        for profile in [Profile::None, Profile::Network, Profile::Strict] {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        assert_eq!(
            "Worker".parse::<Isolation>().unwrap_err().to_string(),
            "`Worker` is not one of `in-process` or `worker`"
        );
        assert_eq!(
            "all".parse::<Profile>().unwrap_err().to_string(),
            "`all` is not one of `none`, `network` or `strict`"
        );
    }

    #[test]
    fn where_nothing_is_said_a_plugin_runs_in_process() {
        let settings = IsolationSettings::default();
        assert_eq!(settings.of(&jq()), Isolation::InProcess);
        assert_eq!(settings.held(&jq(), &[""], None), Held::InProcess);
        assert_eq!(settings.held(&jq(), &["acme"], None), Held::InProcess);
    }

    #[test]
    fn where_only_the_place_is_said_the_terms_are_the_standard_ones() {
        let settings = IsolationSettings::from(Isolation::Worker);
        assert_eq!(terms(&settings, ""), WorkerTerms::default());
        assert_eq!(terms(&settings, "acme"), WorkerTerms::default());
    }

    #[test]
    fn the_more_particular_rule_is_stronger() {
        let (here, there) = (Isolation::InProcess, Isolation::Worker);
        for (settings, expected) in [
            (IsolationSettings::new(there), there),
            (
                IsolationSettings::new(there).kind(Kind::COMPUTE, here),
                here,
            ),
            (
                IsolationSettings::new(there).kind(Kind::STORAGE, here),
                there,
            ),
            (IsolationSettings::new(there).plugin("jq", here), here),
            (IsolationSettings::new(there).plugin("sqlite", here), there),
            (
                IsolationSettings::new(here)
                    .kind(Kind::COMPUTE, here)
                    .plugin("jq", there),
                there,
            ),
            (
                IsolationSettings::default()
                    .plugin("jq", here)
                    .plugin("compute/jq", there),
                there,
            ),
            (
                IsolationSettings::default()
                    .plugin("jq", there)
                    .plugin("compute/jq", here),
                here,
            ),
            (
                IsolationSettings::default().plugin("storage/jq", there),
                here,
            ),
            // A rule that does not say where leaves that to the more general ones.
            (
                IsolationSettings::new(there).plugin("jq", IsolationRule::default().workers(2)),
                there,
            ),
        ] {
            assert_eq!(settings.of(&jq()), expected, "{settings:?}");
            let held = settings.held(&jq(), &[""], None);
            assert_eq!(held == Held::InProcess, expected == here, "{settings:?}");
        }
    }

    #[test]
    fn items_are_laid_over_one_by_one() {
        let general = IsolationRule::new(Isolation::Worker)
            .workers(2)
            .idle(None)
            .sandbox(Profile::Strict)
            .required()
            .read("/general")
            .memory(1 << 30);
        let kind = IsolationRule::default()
            .workers(3)
            .idle(Duration::from_secs(1))
            .sandbox(Profile::Network)
            .read("/kind")
            .files(100);
        let name = IsolationRule {
            required: Some(false),
            ..IsolationRule::default()
                .workers(4)
                .write("/name")
                .memory(2 << 30)
        };
        let full = IsolationRule::default()
            .workers(5)
            .sandbox(Profile::None)
            .cpu(Duration::from_secs(9));
        let settings = IsolationSettings::new(general)
            .kind(Kind::COMPUTE, kind)
            .plugin("jq", name)
            .plugin("compute/jq", full);
        assert_eq!(
            terms(&settings, ""),
            WorkerTerms {
                workers: NonZeroUsize::new(5).unwrap(),
                idle: Some(Duration::from_secs(1)),
                sandbox: Profile::None,
                required: false,
                read: vec!["/general".into(), "/kind".into()],
                write: vec!["/name".into()],
                memory: Some(2 << 30),
                cpu: Some(Duration::from_secs(9)),
                files: Some(100),
            }
        );
    }

    #[test]
    fn a_tenant_is_put_in_a_worker_and_never_out_of_one() {
        let settings = IsolationSettings::default()
            .plugin("jq", Isolation::InProcess)
            .tenant("acme", Isolation::Worker);
        assert_eq!(terms(&settings, "acme"), WorkerTerms::default());
        assert_eq!(settings.held(&jq(), &["other"], None), Held::InProcess);
        assert_eq!(settings.held(&jq(), &[""], None), Held::InProcess);
        assert_eq!(settings.of(&jq()), Isolation::InProcess);

        let settings =
            IsolationSettings::new(Isolation::Worker).tenant("acme", Isolation::InProcess);
        assert_eq!(terms(&settings, "acme"), WorkerTerms::default());
    }

    #[test]
    fn a_tenant_only_tightens() {
        let own = IsolationRule::new(Isolation::Worker)
            .idle(Duration::from_secs(10))
            .sandbox(Profile::Network)
            .required()
            .memory(2 << 30)
            .cpu(Duration::from_secs(10))
            .files(100);
        let looser = IsolationRule {
            required: Some(false),
            ..IsolationRule::default()
                .idle(None)
                .sandbox(Profile::None)
                .memory(3 << 30)
                .cpu(Duration::from_secs(11))
                .files(101)
        };
        let stricter = IsolationRule::default()
            .idle(Duration::from_secs(9))
            .sandbox(Profile::Strict)
            .memory(1 << 30)
            .cpu(Duration::from_secs(9))
            .files(99);
        let settings = IsolationSettings::new(own)
            .tenant("looser", looser)
            .tenant("stricter", stricter);
        assert_eq!(terms(&settings, "looser"), terms(&settings, ""));
        let held = terms(&settings, "stricter");
        assert_eq!(
            held,
            WorkerTerms {
                idle: Some(Duration::from_secs(9)),
                sandbox: Profile::Strict,
                required: true,
                memory: Some(1 << 30),
                cpu: Some(Duration::from_secs(9)),
                files: Some(99),
                ..WorkerTerms::default()
            }
        );
    }

    #[test]
    fn a_tenant_adds_what_nobody_has() {
        let acme = IsolationRule::default()
            .workers(3)
            .required()
            .read("/acme")
            .memory(1 << 30);
        let settings = IsolationSettings::new(IsolationRule::new(Isolation::Worker).read("/all"))
            .tenant("acme", acme);
        assert_eq!(
            terms(&settings, "acme"),
            WorkerTerms {
                workers: NonZeroUsize::new(3).unwrap(),
                required: true,
                read: vec!["/all".into(), "/acme".into()],
                memory: Some(1 << 30),
                ..WorkerTerms::default()
            }
        );
    }

    #[test]
    fn a_tenant_without_a_name_is_nobody() {
        let settings = IsolationSettings::default().tenant("", Isolation::Worker);
        assert_eq!(settings.held(&jq(), &[""], None), Held::InProcess);
    }

    #[test]
    fn there_is_always_a_worker() {
        assert_eq!(
            IsolationRule::default().workers(0).workers,
            Some(NonZeroUsize::MIN)
        );
    }
}
