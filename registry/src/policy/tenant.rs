//! What a tenant may call, how often, and what it may send and get.
//!
//! Every answer is a [`Denial`] or the words of the rule that allows. Settings are made ready once, so that
//! the answer to a call takes no list to walk and no memory.

mod data;
mod denial;
mod filter;
mod path;
mod pattern;
mod quota;
mod rules;
mod settings;
mod warning;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use floe_plugin_api::{Kind, Value};
use foldhash::fast::RandomState;

use self::data::{Data, Place, Withheld};
pub(crate) use self::denial::Denial;
pub use self::denial::Denied;
pub(crate) use self::filter::{Filter, Replace};
pub use self::path::{DataPath, ParseDataPathError};
pub use self::pattern::{ParsePatternError, Pattern};
pub(crate) use self::quota::Inside;
use self::quota::Quota;
use self::rules::{Refused, Rules, Ruling};
pub use self::settings::{AuditRules, DataRules, Foreign, TenantRules, TenantSettings};
pub use self::warning::PolicyWarning;
pub(crate) use self::warning::warnings;
use crate::error::CallError;
use crate::isolation::{Isolation, IsolationRule};

/// The longest name of a tenant, in bytes: as many as a length has bits in [`Tenants`].
const LONGEST: usize = 128;

/// The least memory with which a worker starts, in bytes; as in `[isolation]`.
const LEAST_MEMORY: u64 = 16 << 20;

/// Why settings of tenants cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TenantError {
    /// A tenant cannot be called so.
    #[error(
        "`{}` is not a tenant's name, expected from 1 to {LONGEST} bytes without control characters and `/`, and without spaces at the ends",
        name.escape_debug()
    )]
    Name {
        /// The name.
        name: String,
    },
    /// A rule of a tenant contradicts another one, or allows nothing.
    #[error("`{}` of tenant `{tenant}` {reason}", key.as_str())]
    Rule {
        /// The tenant.
        tenant: String,
        /// Where in the tenant's table.
        key: TenantKey,
        /// What was found, what was expected and what to do.
        reason: String,
    },
}

/// A key of a tenant's table that a [`TenantError`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TenantKey {
    /// `burst`.
    Burst,
    /// `max_output`.
    MaxOutput,
    /// `share`.
    Share,
    /// `worker_memory`.
    WorkerMemory,
    /// `data.bind`.
    Bind,
    /// `data.tenant_fields`.
    TenantFields,
}

impl TenantKey {
    /// As settings call it, from the tenant's table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Burst => "burst",
            Self::MaxOutput => "max_output",
            Self::Share => "share",
            Self::WorkerMemory => "worker_memory",
            Self::Bind => "data.bind",
            Self::TenantFields => "data.tenant_fields",
        }
    }
}

/// Checks what is set of one tenant.
pub(crate) fn check(name: &str, rules: &TenantRules) -> Result<(), TenantError> {
    check_name(name)?;
    let refuse = |key, reason: String| {
        Err(TenantError::Rule {
            tenant: name.to_owned(),
            key,
            reason,
        })
    };
    if let (Some(burst), None) = (rules.burst, rules.calls_per_second) {
        return refuse(
            TenantKey::Burst,
            format!(
                "is `{burst}` without `calls_per_second`, expected both or neither: set that too"
            ),
        );
    }
    if rules.max_output == Some(0) {
        let reason =
            "is `0`, expected at least 1 byte: deny the node types that may answer nothing";
        return refuse(TenantKey::MaxOutput, reason.to_owned());
    }
    if let Some(memory) = rules.worker_memory {
        let isolation = rules.isolation.as_ref().and_then(|rule| rule.isolation);
        if isolation == Some(Isolation::InProcess) {
            let reason = "is set and `isolation` is `in-process`, expected `worker`: a limit of memory holds for workers alone";
            return refuse(TenantKey::WorkerMemory, reason.to_owned());
        }
        if memory < LEAST_MEMORY {
            return refuse(
                TenantKey::WorkerMemory,
                format!(
                    "is `{memory}` bytes, expected at least `16MiB`: a worker cannot start with less memory"
                ),
            );
        }
    }
    if let Some(path) = rules.data.bind.iter().find(|path| path.names().is_none()) {
        return refuse(
            TenantKey::Bind,
            format!("has `{path}`, expected names alone: `*` and `**` may be many places"),
        );
    }
    let below = |path: &&DataPath| {
        let others = rules.data.bind.iter();
        others.filter_map(DataPath::names).any(|other| {
            path.names()
                .is_some_and(|own| own.len() > other.len() && own.starts_with(&other))
        })
    };
    if let Some(path) = rules.data.bind.iter().find(below) {
        return refuse(
            TenantKey::Bind,
            format!(
                "has `{path}` below another of its places, expected none there: the tenant's name has nothing below it"
            ),
        );
    }
    let is_held = rules.isolation.is_some() || rules.worker_memory.is_some();
    if rules.share && is_held {
        let reason = "is set beside `isolation` or `worker_memory`, expected neither: what is held otherwise than others' cannot be shared with them";
        return refuse(TenantKey::Share, reason.to_owned());
    }
    if rules.data.tenant_fields.iter().any(String::is_empty) {
        let reason = "has an empty name, expected names of fields such as `tenant_id`";
        return refuse(TenantKey::TenantFields, reason.to_owned());
    }
    Ok(())
}

/// Checks the name of a tenant.
pub(crate) fn check_name(name: &str) -> Result<(), TenantError> {
    let is_odd = name.is_empty()
        || name.len() > LONGEST
        || name.trim() != name
        // What is between a tenant and a scope of its own, where both are shown.
        || name.contains('/')
        || name.chars().any(char::is_control);
    match is_odd {
        true => Err(TenantError::Name {
            name: name.chars().take(LONGEST).collect(),
        }),
        false => Ok(()),
    }
}

/// All tenants with their rules and what they have used of their quotas.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    by_name: HashMap<Arc<str>, Arc<Tenant>, RandomState>,
    /// A bit for each length that a name has: most strings of an output are told from names by that.
    lengths: u128,
}

impl Tenants {
    /// The tenants of these settings. What `previous` has counted goes on: calls under way stay so, and who
    /// has called too often has to wait as long as before.
    pub(crate) fn new(
        settings: &TenantSettings,
        previous: Option<&Self>,
    ) -> Result<Self, TenantError> {
        let mut tenants = Self::default();
        for (name, rules) in &settings.tenants {
            check(name, rules)?;
            let before = previous.and_then(|previous| previous.of(name));
            let name: Arc<str> = name.as_str().into();
            let tenant = Tenant {
                rules: Rules::new(rules),
                quota: Quota::new(rules, before.map(|before| &before.quota)),
                data: Data::new(&rules.data),
                tenancy: Arc::new(Tenancy::new(&name, rules)),
                recorded: Filter::new(&rules.audit.mask, Replace::Mask),
                name: Arc::clone(&name),
                settings: rules.clone(),
            };
            tenants.lengths |= length(&name);
            tenants.by_name.insert(name, Arc::new(tenant));
        }
        Ok(tenants)
    }

    /// Whether there are none, and so nothing is denied.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The tenant of a name.
    pub(crate) fn of(&self, name: &str) -> Option<&Arc<Tenant>> {
        self.by_name.get(name)
    }

    /// Whether a text is a tenant's name.
    fn has(&self, text: &str) -> bool {
        self.lengths & length(text) != 0 && self.by_name.contains_key(text)
    }

    /// Whether a tenant may call a node type of a plugin of a kind: the words of the rule that allows it.
    #[cfg(test)]
    pub(crate) fn authorize(
        &self,
        tenant: &str,
        node_type: &str,
        kind: &Kind,
    ) -> Result<&Arc<str>, Denial> {
        match self.of(tenant) {
            Some(tenant) => tenant.authorize(node_type, kind),
            None => Err(Denial::of_stranger(tenant, node_type)),
        }
    }

    /// Whether a text has another tenant's name in it, as a word.
    fn is_named_in(&self, own: &str, text: &str) -> bool {
        let in_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let mut words = text.split(|c: char| !in_name(c));
        let names = |word: &str| word != own && self.has(word);
        // A full stop may end a sentence.
        words.any(|word| names(word) || names(word.trim_end_matches('.'))) || names(text)
    }
}

/// The bit of a text's length; none where no name is as long.
fn length(text: &str) -> u128 {
    match text.len() {
        length @ 1..=LONGEST => 1 << (length - 1),
        _ => 0,
    }
}

/// Whose an instance is, and where the tenant's are to run: what is to be held otherwise is another one.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tenancy {
    pub(crate) name: Arc<str>,
    /// What is said beside what holds for everybody.
    pub(crate) isolation: Option<IsolationRule>,
    /// Whether instances of stateless plugins are shared with others that share. One that is to be held
    /// otherwise than others are cannot.
    pub(crate) shares: bool,
}

impl Tenancy {
    fn new(name: &Arc<str>, rules: &TenantRules) -> Self {
        let TenantRules {
            isolation,
            worker_memory,
            ..
        } = rules;
        let mut rule = isolation.clone().unwrap_or_default();
        rule.memory = rule.memory.into_iter().chain(*worker_memory).min();
        let is_said = isolation.is_some() || worker_memory.is_some();
        Self {
            name: Arc::clone(name),
            isolation: is_said.then_some(rule),
            shares: rules.share && !is_said,
        }
    }
}

/// One tenant.
#[derive(Debug)]
pub(crate) struct Tenant {
    name: Arc<str>,
    tenancy: Arc<Tenancy>,
    settings: TenantRules,
    rules: Rules,
    quota: Quota,
    data: Data,
    recorded: Filter,
}

impl Tenant {
    /// What is set of it.
    pub(crate) const fn settings(&self) -> &TenantRules {
        &self.settings
    }

    /// Whose its instances are.
    pub(crate) const fn tenancy(&self) -> &Arc<Tenancy> {
        &self.tenancy
    }

    /// Whether it may call a node type of a plugin of a kind: the words of the rule that allows it, for the
    /// record.
    pub(crate) fn authorize(&self, node_type: &str, kind: &Kind) -> Result<&Arc<str>, Denial> {
        // What is decided takes no memory; what is told of a refusal does.
        match self.rules.judge(node_type, kind.as_str()) {
            Ruling::Allowed(words) => Ok(words),
            Ruling::Denied(refused) => Err(self.denial(refused, node_type, kind)),
        }
    }

    /// An input as it is put on record, if it is.
    pub(crate) fn recorded_input(&self, input: &Value) -> Option<Value> {
        let inputs = self.settings.audit.inputs;
        inputs.then(|| self.recorded.apply(input.clone()))
    }

    /// An output as it is put on record, if it is.
    pub(crate) fn recorded_output(&self, output: &Value) -> Option<Value> {
        let outputs = self.settings.audit.outputs;
        outputs.then(|| self.recorded.apply(output.clone()))
    }

    /// How many of its calls are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.quota.under_way()
    }

    /// Lets a call in, which is under way until what this gives is dropped.
    pub(crate) fn enter(&self) -> Result<Inside, Denial> {
        self.quota.enter(&self.name)
    }

    /// Looks through an input. Where the tenant's name is to be written into it, this gives a copy that has it.
    pub(crate) fn check_input<'v>(&self, input: &'v Value) -> Result<Cow<'v, Value>, Denial> {
        self.data
            .input(&self.name, input)
            .map_err(|place| Denial::Input {
                tenant: Arc::clone(&self.name),
                path: place.path(|_| false),
                fault: place.fault,
            })
    }

    /// Looks through an output, without what is filtered. One that is withheld is dropped here, however deep
    /// it is.
    pub(crate) fn check_output(&self, tenants: &Tenants, output: Value) -> Result<Value, Denial> {
        let limit = self.settings.max_output;
        let withheld = match self.data.output(&self.name, tenants, limit, output) {
            Ok(output) => return Ok(output),
            Err(withheld) => withheld,
        };
        let tenant = Arc::clone(&self.name);
        Err(match withheld {
            Withheld::Size(limit) => Denial::Size { tenant, limit },
            Withheld::Place(place) => Denial::Output {
                path: self.shown(tenants, &place),
                fault: place.fault,
                tenant,
            },
        })
    }

    /// Takes out of what a plugin says of a failure what is not the tenant's to see, as of an output.
    pub(crate) fn screen(&self, tenants: &Tenants, error: &mut CallError) {
        let (CallError::Executor(error) | CallError::Start(error)) = error else {
            return;
        };
        let is_foreign = |text: &str| {
            self.settings.data.foreign == Foreign::Anywhere && tenants.is_named_in(&self.name, text)
        };
        error.screen(is_foreign, |details| {
            self.check_output(tenants, details).unwrap_or_default()
        });
    }

    /// The path of a place without other tenants' names.
    fn shown(&self, tenants: &Tenants, place: &Place) -> String {
        place.path(|key| *key != *self.name && tenants.has(key))
    }

    #[cold]
    fn denial(&self, refused: Refused<'_>, node_type: &str, kind: &Kind) -> Denial {
        let (tenant, node_type) = (Arc::clone(&self.name), node_type.into());
        let kind = kind.as_str().into();
        match refused {
            Refused::Listed(subject, pattern) => Denial::Listed {
                tenant,
                node_type,
                kind,
                subject,
                pattern: Arc::clone(pattern),
            },
            Refused::NotListed(subject) => Denial::NotListed {
                tenant,
                node_type,
                kind,
                subject,
            },
            Refused::Unsaid => Denial::Unsaid {
                tenant,
                node_type,
                kind,
            },
        }
    }
}

/// For the bench: tenants, and whether a call of one may be made.
#[derive(Debug)]
pub struct BenchPolicy(Tenants);

impl BenchPolicy {
    /// Makes the settings ready.
    ///
    /// # Errors
    ///
    /// They cannot hold.
    pub fn new(settings: &TenantSettings) -> Result<Self, TenantError> {
        Tenants::new(settings, None).map(Self)
    }

    /// Whether the call may be made.
    #[must_use]
    pub fn allows(&self, tenant: &str, node_type: &str, kind: &Kind) -> bool {
        self.0.of(tenant).is_some_and(|tenant| {
            let ruling = tenant.rules.judge(node_type, kind.as_str());
            matches!(ruling, Ruling::Allowed(_))
        })
    }
}

#[cfg(test)]
mod tests;
