//! What is set of tenants.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};

use super::path::DataPath;
use super::pattern::Pattern;
use crate::isolation::IsolationRule;

/// Who may call what, how often and with which data, by the name of the tenant.
///
/// Where no tenant is set, everybody may call everything. Where one is, calls of others are refused, and
/// those of nobody in particular too.
///
/// ```
/// use floe_registry::{TenantRules, TenantSettings};
///
/// let rules = TenantRules::default()
///     .allow(["text.*".parse()?])
///     .calls_per_second(100);
/// let settings = TenantSettings::default().tenant("acme", rules);
/// assert_eq!(settings.tenants.len(), 1);
/// # Ok::<(), floe_registry::ParsePatternError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantSettings {
    /// The rules of each tenant, by name.
    pub tenants: BTreeMap<String, TenantRules>,
}

impl TenantSettings {
    /// Whether no tenant is set, and so everything is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// Sets the rules of a tenant.
    #[must_use]
    pub fn tenant(mut self, name: impl Into<String>, rules: TenantRules) -> Self {
        self.tenants.insert(name.into(), rules);
        self
    }
}

/// What a tenant may do. By default that is nothing: something has to be allowed.
///
/// A call is judged by its node type and by its plugin's kind, each by itself: what `allow` has is
/// allowed, whatever `deny` says; of the rest, what `deny` has is denied; of the rest, all is denied
/// where `allow` has anything. A call goes through where one of the two allows it and none denies it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantRules {
    /// Node types that are allowed.
    pub allow: Vec<Pattern>,
    /// Node types that are denied, unless they are allowed too.
    pub deny: Vec<Pattern>,
    /// Plugin kinds that are allowed.
    pub allow_kinds: Vec<Pattern>,
    /// Plugin kinds that are denied, unless they are allowed too.
    pub deny_kinds: Vec<Pattern>,
    /// Where the tenant's instances run, beside what is said for everybody.
    pub isolation: Option<IsolationRule>,
    /// Whether instances of plugins that say that they are stateless may be shared with other tenants
    /// of which this is set; no by default.
    pub share: bool,
    /// How many calls may be under way at once; no limit by default.
    pub max_in_flight: Option<NonZeroUsize>,
    /// How many calls may begin in a second; no limit by default.
    pub calls_per_second: Option<NonZeroU32>,
    /// How many calls may begin at once after a quiet time; as many as in a second by default.
    pub burst: Option<NonZeroU32>,
    /// How large an output may be, in bytes; no limit by default.
    pub max_output: Option<u64>,
    /// How many instances of the tenant are kept, the least recently used giving way; those that calls are in
    /// live until these end. No limit of its own by default.
    pub max_instances: Option<NonZeroUsize>,
    /// How many bytes of memory each of its workers may have; no limit of its own by default.
    pub worker_memory: Option<u64>,
    /// What happens to its data.
    pub data: DataRules,
    /// What is put on record.
    pub audit: AuditRules,
}

impl TenantRules {
    /// Adds node types that are allowed.
    #[must_use]
    pub fn allow(mut self, patterns: impl IntoIterator<Item = Pattern>) -> Self {
        self.allow.extend(patterns);
        self
    }

    /// Adds node types that are denied.
    #[must_use]
    pub fn deny(mut self, patterns: impl IntoIterator<Item = Pattern>) -> Self {
        self.deny.extend(patterns);
        self
    }

    /// Adds plugin kinds that are allowed.
    #[must_use]
    pub fn allow_kinds(mut self, patterns: impl IntoIterator<Item = Pattern>) -> Self {
        self.allow_kinds.extend(patterns);
        self
    }

    /// Adds plugin kinds that are denied.
    #[must_use]
    pub fn deny_kinds(mut self, patterns: impl IntoIterator<Item = Pattern>) -> Self {
        self.deny_kinds.extend(patterns);
        self
    }

    /// Sets where the tenant's instances run.
    #[must_use]
    pub fn isolation(mut self, rule: impl Into<IsolationRule>) -> Self {
        self.isolation = Some(rule.into());
        self
    }

    /// Lets instances of stateless plugins be shared with other tenants.
    #[must_use]
    pub fn share(mut self) -> Self {
        self.share = true;
        self
    }

    /// Sets how many calls may be under way at once; 0 is taken as 1.
    #[must_use]
    pub fn max_in_flight(mut self, calls: usize) -> Self {
        self.max_in_flight = Some(NonZeroUsize::new(calls).unwrap_or(NonZeroUsize::MIN));
        self
    }

    /// Sets how many calls may begin in a second; 0 is taken as 1.
    #[must_use]
    pub fn calls_per_second(mut self, calls: u32) -> Self {
        self.calls_per_second = Some(NonZeroU32::new(calls).unwrap_or(NonZeroU32::MIN));
        self
    }

    /// Sets how many calls may begin at once after a quiet time; 0 is taken as 1.
    #[must_use]
    pub fn burst(mut self, calls: u32) -> Self {
        self.burst = Some(NonZeroU32::new(calls).unwrap_or(NonZeroU32::MIN));
        self
    }

    /// Sets how many bytes an output may have.
    #[must_use]
    pub fn max_output(mut self, bytes: u64) -> Self {
        self.max_output = Some(bytes);
        self
    }

    /// Sets how many instances the tenant may have; 0 is taken as 1.
    #[must_use]
    pub fn max_instances(mut self, instances: usize) -> Self {
        self.max_instances = Some(NonZeroUsize::new(instances).unwrap_or(NonZeroUsize::MIN));
        self
    }

    /// Sets how many bytes of memory each of the tenant's workers may have.
    #[must_use]
    pub fn worker_memory(mut self, bytes: u64) -> Self {
        self.worker_memory = Some(bytes);
        self
    }

    /// Sets what happens to the tenant's data.
    #[must_use]
    pub fn data(mut self, data: DataRules) -> Self {
        self.data = data;
        self
    }

    /// Sets what is put on record.
    #[must_use]
    pub fn audit(mut self, audit: AuditRules) -> Self {
        self.audit = audit;
        self
    }
}

/// What happens to a tenant's inputs and outputs.
///
/// An input that names another tenant is refused. So is an output that does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DataRules {
    /// Where the tenant's name is written into a copy of each input. The maps on the way must be there.
    pub bind: Vec<DataPath>,
    /// Names of map entries that hold a tenant's name, at any depth; `tenant_id` and `tenantId` by default.
    pub tenant_fields: Vec<String>,
    /// What is taken out of each output.
    pub remove: Vec<DataPath>,
    /// What is replaced by `***` in each output.
    pub mask: Vec<DataPath>,
    /// Where other tenants' names are looked for in outputs.
    pub foreign: Foreign,
}

/// Where other tenants' names are looked for in outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// In every string, every key and all bytes that are one tenant's name and nothing else; in the fields too.
    #[default]
    Anywhere,
    /// In the fields that hold a tenant's name.
    Fields,
}

impl Foreign {
    /// The name in settings: `anywhere` or `fields`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anywhere => "anywhere",
            Self::Fields => "fields",
        }
    }
}

impl Default for DataRules {
    fn default() -> Self {
        Self {
            bind: Vec::new(),
            tenant_fields: vec!["tenant_id".to_owned(), "tenantId".to_owned()],
            remove: Vec::new(),
            mask: Vec::new(),
            foreign: Foreign::default(),
        }
    }
}

impl DataRules {
    /// Adds places where the tenant's name is written into a copy of each input.
    #[must_use]
    pub fn bind(mut self, paths: impl IntoIterator<Item = DataPath>) -> Self {
        self.bind.extend(paths);
        self
    }

    /// Sets which names of map entries hold a tenant's name, in place of the standard ones.
    #[must_use]
    pub fn tenant_fields<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.tenant_fields = names.into_iter().map(Into::into).collect();
        self
    }

    /// Adds places that are taken out of each output.
    #[must_use]
    pub fn remove(mut self, paths: impl IntoIterator<Item = DataPath>) -> Self {
        self.remove.extend(paths);
        self
    }

    /// Adds places that are replaced by `***` in each output.
    #[must_use]
    pub fn mask(mut self, paths: impl IntoIterator<Item = DataPath>) -> Self {
        self.mask.extend(paths);
        self
    }

    /// Sets where other tenants' names are looked for in outputs.
    #[must_use]
    pub fn foreign(mut self, foreign: Foreign) -> Self {
        self.foreign = foreign;
        self
    }
}

/// What is put on record of a tenant's calls, and who may read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditRules {
    /// The roles that may read the tenant's records.
    pub readers: Vec<String>,
    /// Whether inputs are recorded; no by default.
    pub inputs: bool,
    /// Whether outputs are recorded; no by default.
    pub outputs: bool,
    /// What is replaced by `***` in what is recorded.
    pub mask: Vec<DataPath>,
}

impl AuditRules {
    /// Adds roles that may read the tenant's records.
    #[must_use]
    pub fn readers<T: Into<String>>(mut self, roles: impl IntoIterator<Item = T>) -> Self {
        self.readers.extend(roles.into_iter().map(Into::into));
        self
    }

    /// Records inputs.
    #[must_use]
    pub fn inputs(mut self) -> Self {
        self.inputs = true;
        self
    }

    /// Records outputs.
    #[must_use]
    pub fn outputs(mut self) -> Self {
        self.outputs = true;
        self
    }

    /// Adds places that are replaced by `***` in what is recorded.
    #[must_use]
    pub fn mask(mut self, paths: impl IntoIterator<Item = DataPath>) -> Self {
        self.mask.extend(paths);
        self
    }
}
