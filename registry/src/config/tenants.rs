//! The tables of `floe.toml` that say what tenants may do.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use serde::de::{self, Deserializer};
use toml::Spanned;

use super::isolation::{Memory, Rule, Size, Word};
use crate::policy::tenant::{
    self, AuditRules, DataPath, DataRules, Foreign, Pattern, TenantError, TenantKey, TenantRules,
    TenantSettings,
};

/// `[tenants]`.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub(super) struct TenantsTable(BTreeMap<TenantName, TenantTable>);

/// The name of a tenant.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct TenantName(String);

impl<'de> Deserialize<'de> for TenantName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        tenant::check_name(&text).map_err(de::Error::custom)?;
        Ok(Self(text))
    }
}

/// `[tenants.NAME]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TenantTable {
    allow: Vec<Word<Pattern>>,
    deny: Vec<Word<Pattern>>,
    allow_kinds: Vec<Word<Pattern>>,
    deny_kinds: Vec<Word<Pattern>>,
    isolation: Option<Rule>,
    share: Option<Spanned<bool>>,
    max_in_flight: Option<NonZeroUsize>,
    calls_per_second: Option<NonZeroU32>,
    burst: Option<Spanned<NonZeroU32>>,
    max_output: Option<Spanned<Size>>,
    max_instances: Option<NonZeroUsize>,
    worker_memory: Option<Spanned<Memory>>,
    data: DataTable,
    audit: AuditTable,
}

/// `[tenants.NAME.data]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DataTable {
    bind: Option<Spanned<Vec<Word<DataPath>>>>,
    tenant_fields: Option<Spanned<Vec<String>>>,
    remove: Vec<Word<DataPath>>,
    mask: Vec<Word<DataPath>>,
    foreign: ForeignWord,
}

/// `[tenants.NAME.audit]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AuditTable {
    readers: Vec<String>,
    inputs: bool,
    outputs: bool,
    mask: Vec<Word<DataPath>>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ForeignWord {
    #[default]
    Anywhere,
    Fields,
}

/// What is wrong, and at which bytes of the file.
pub(super) type Misplaced = (Option<Range<usize>>, TenantError);

impl TenantsTable {
    /// What the tables say; paths of files are taken from a directory.
    pub(super) fn settings(self, base: &Path) -> Result<TenantSettings, Misplaced> {
        let mut settings = TenantSettings::default();
        for (TenantName(name), table) in self.0 {
            let places = table.places();
            let rules = table.rules(base);
            tenant::check(&name, &rules).map_err(|error| {
                let place = match &error {
                    TenantError::Rule { key, .. } => {
                        let place = places.into_iter().find(|(of, _)| of == key);
                        place.and_then(|(_, place)| place)
                    }
                    TenantError::Name { .. } => None,
                };
                (place, error)
            })?;
            settings = settings.tenant(name, rules);
        }
        Ok(settings)
    }
}

impl TenantTable {
    /// Where each key is that another one may contradict.
    fn places(&self) -> [(TenantKey, Option<Range<usize>>); 6] {
        fn at<T>(value: Option<&Spanned<T>>) -> Option<Range<usize>> {
            value.map(Spanned::span)
        }
        [
            (TenantKey::Burst, at(self.burst.as_ref())),
            (TenantKey::Share, at(self.share.as_ref())),
            (TenantKey::MaxOutput, at(self.max_output.as_ref())),
            (TenantKey::WorkerMemory, at(self.worker_memory.as_ref())),
            (TenantKey::Bind, at(self.data.bind.as_ref())),
            (
                TenantKey::TenantFields,
                at(self.data.tenant_fields.as_ref()),
            ),
        ]
    }

    fn rules(self, base: &Path) -> TenantRules {
        let mut rules = TenantRules::default()
            .allow(words(self.allow))
            .deny(words(self.deny))
            .allow_kinds(words(self.allow_kinds))
            .deny_kinds(words(self.deny_kinds))
            .data(self.data.rules())
            .audit(self.audit.rules());
        rules.isolation = self.isolation.map(|Rule(table)| table.rule(base));
        rules.share = self.share.is_some_and(Spanned::into_inner);
        rules.max_in_flight = self.max_in_flight;
        rules.calls_per_second = self.calls_per_second;
        rules.burst = self.burst.map(Spanned::into_inner);
        rules.max_output = self.max_output.map(|size| size.into_inner().0);
        rules.max_instances = self.max_instances;
        rules.worker_memory = self.worker_memory.map(|size| size.into_inner().0);
        rules
    }
}

impl DataTable {
    fn rules(self) -> DataRules {
        let bind = self.bind.map(Spanned::into_inner).unwrap_or_default();
        let rules = DataRules::default()
            .bind(words(bind))
            .remove(words(self.remove))
            .mask(words(self.mask))
            .foreign(match self.foreign {
                ForeignWord::Anywhere => Foreign::Anywhere,
                ForeignWord::Fields => Foreign::Fields,
            });
        match self.tenant_fields {
            Some(names) => rules.tenant_fields(names.into_inner()),
            None => rules,
        }
    }
}

impl AuditTable {
    fn rules(self) -> AuditRules {
        let mut rules = AuditRules::default()
            .readers(self.readers)
            .mask(words(self.mask));
        rules.inputs = self.inputs;
        rules.outputs = self.outputs;
        rules
    }
}

fn words<T>(words: Vec<Word<T>>) -> impl Iterator<Item = T> {
    words.into_iter().map(|Word(word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::isolation::{Isolation, IsolationRule, Profile};

    fn parse(text: &str) -> Result<TenantSettings, String> {
        Settings::parse(Path::new("/etc/floe/floe.toml"), text).map(|settings| settings.tenants)
    }

    #[test]
    fn where_nothing_is_said() {
        assert!(parse("").unwrap().is_empty());
        assert!(parse("[tenants]").unwrap().is_empty());
        let read = parse("[tenants.acme]").unwrap();
        let nothing = TenantRules::default();
        assert_eq!(read, TenantSettings::default().tenant("acme", nothing));
    }

    #[test]
    fn every_key_is_read() {
        let read = parse(
            r#"
            [tenants.acme]
            allow = ["text.*"]
            deny = ["sqlite.*"]
            allow_kinds = ["compute"]
            deny_kinds = ["secrets"]
            isolation = { isolation = "worker", sandbox = "strict" }
            max_in_flight = 8
            calls_per_second = 100
            burst = 20
            max_output = "1MiB"
            max_instances = 4
            worker_memory = "256MiB"
            [tenants.acme.data]
            bind = ["/tenant_id"]
            tenant_fields = ["tenant_id"]
            remove = ["/rows/*/ssn"]
            mask = ["/**/password"]
            foreign = "fields"
            [tenants.acme.audit]
            readers = ["auditor"]
            inputs = true
            outputs = true
            mask = ["/token"]
            [tenants."globex inc"]
            share = true
            "#,
        )
        .unwrap();
        let pattern = |text: &str| [text.parse::<Pattern>().unwrap()];
        let path = |text: &str| [text.parse::<DataPath>().unwrap()];
        let acme = TenantRules::default()
            .allow(pattern("text.*"))
            .deny(pattern("sqlite.*"))
            .allow_kinds(pattern("compute"))
            .deny_kinds(pattern("secrets"))
            .isolation(IsolationRule::new(Isolation::Worker).sandbox(Profile::Strict))
            .max_in_flight(8)
            .calls_per_second(100)
            .burst(20)
            .max_output(1 << 20)
            .max_instances(4)
            .worker_memory(256 << 20)
            .data(
                DataRules::default()
                    .bind(path("/tenant_id"))
                    .tenant_fields(["tenant_id"])
                    .remove(path("/rows/*/ssn"))
                    .mask(path("/**/password"))
                    .foreign(Foreign::Fields),
            )
            .audit(
                AuditRules::default()
                    .readers(["auditor"])
                    .inputs()
                    .outputs()
                    .mask(path("/token")),
            );
        let globex = TenantRules::default().share();
        let expected = TenantSettings::default()
            .tenant("acme", acme)
            .tenant("globex inc", globex);
        assert_eq!(read, expected);
    }

    #[test]
    fn what_contradicts_itself_is_told_with_its_place() {
        for (text, expected) in [
            (
                "[tenants.acme]\nburst = 3",
                "line 2, column 9: `burst` of tenant `acme` is `3` without `calls_per_second`, expected both or neither: set that too",
            ),
            (
                "[tenants.acme]\nmax_output = 0",
                "line 2, column 14: `max_output` of tenant `acme` is `0`, expected at least 1 byte: deny the node types that may answer nothing",
            ),
            (
                "[tenants.acme]\nisolation = \"in-process\"\nworker_memory = \"1GiB\"",
                "line 3, column 17: `worker_memory` of tenant `acme` is set and `isolation` is `in-process`, expected `worker`: a limit of memory holds for workers alone",
            ),
            (
                "[tenants.acme]\nisolation = \"worker\"\nshare = true",
                "line 3, column 9: `share` of tenant `acme` is set beside `isolation` or `worker_memory`, expected neither: what is held otherwise than others' cannot be shared with them",
            ),
            (
                "[tenants.acme.data]\nbind = [\"/*/id\"]",
                "line 2, column 8: `data.bind` of tenant `acme` has `/*/id`, expected names alone: `*` and `**` may be many places",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected);
        }
    }

    #[test]
    fn each_rule_is_named_when_broken() {
        for (text, parts) in [
            (
                "[tenants.acme]\nalow = []",
                &["line 2, column 1", "unknown field `alow`"][..],
            ),
            (
                "[tenants.acme.data]\nx = 1",
                &["line 2, column 1", "unknown field `x`"],
            ),
            (
                "[tenants.acme.audit]\nx = 1",
                &["line 2, column 1", "unknown field `x`"],
            ),
            (
                "[tenants.acme]\nallow = [\"a b\"]",
                &["line 2, column 9", "`a b` is not a pattern"],
            ),
            (
                "[tenants.acme]\nmax_in_flight = 0",
                &["line 2, column 17", "nonzero"],
            ),
            (
                "[tenants.acme]\ncalls_per_second = 0",
                &["line 2, column 20", "nonzero"],
            ),
            (
                "[tenants.acme]\nmax_output = \"1\"",
                &["line 2, column 14", "a number of bytes, or a size"],
            ),
            (
                "[tenants.acme]\nworker_memory = \"1MiB\"",
                &["line 2, column 17", "at least `16MiB`"],
            ),
            (
                "[tenants.acme]\nisolation = \"thread\"",
                &["line 2, column 13", "`in-process` or `worker`"],
            ),
            (
                "[tenants.acme.data]\nmask = [\"a\"]",
                &["line 2, column 8", "expected a `/` first"],
            ),
            (
                "[tenants.acme.data]\nforeign = \"no\"",
                &["line 2, column 11", "`anywhere` or `fields`"],
            ),
            (
                "[tenants.\"\"]",
                &["line 1, column", "is not a tenant's name"],
            ),
            (
                "[tenants.\" a\"]",
                &["line 1, column", "` a` is not a tenant's name"],
            ),
        ] {
            let refused = parse(text).unwrap_err();
            for part in parts {
                assert!(refused.contains(part), "{part} in {refused}");
            }
        }
    }
}
