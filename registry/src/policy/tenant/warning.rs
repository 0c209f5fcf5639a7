//! What is odd about rules, and does no harm to say.

use std::fmt;

use super::pattern::Pattern;
use super::rules::{Subject, canonical};
use super::settings::TenantSettings;

/// How like a name must be to be named: found by trying `sqlite.reed` and `text.uper`.
const LIKE: f64 = 0.85;

/// How many like names are said.
const NEAREST: usize = 3;

/// Something about a tenant's rules that is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyWarning {
    /// The tenant.
    pub tenant: String,
    /// The list: `allow`, `deny`, `allow_kinds` or `deny_kinds`.
    pub list: &'static str,
    /// The pattern in it.
    pub pattern: Pattern,
    /// What is odd about it.
    pub reason: String,
}

impl fmt::Display for PolicyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` in `{}` of tenant `{}` {}",
            self.pattern, self.list, self.tenant, self.reason
        )
    }
}

/// What is odd about settings, where these node types and kinds are known.
pub(crate) fn warnings<'a>(
    settings: &TenantSettings,
    node_types: impl Iterator<Item = &'a str>,
    kinds: impl Iterator<Item = &'a str>,
) -> Vec<PolicyWarning> {
    let node_types: Vec<&str> = node_types.collect();
    let kinds: Vec<&str> = kinds.collect();
    let mut found = Vec::new();
    for (tenant, rules) in &settings.tenants {
        for (subject, allow, deny, known) in [
            (
                Subject::NodeType,
                rules.allow.clone(),
                rules.deny.clone(),
                &node_types,
            ),
            (
                Subject::Kind,
                canonical(&rules.allow_kinds),
                canonical(&rules.deny_kinds),
                &kinds,
            ),
        ] {
            let warn = |list, pattern: &Pattern, reason| PolicyWarning {
                tenant: tenant.clone(),
                list,
                pattern: pattern.clone(),
                reason,
            };
            for pattern in deny.iter().filter(|pattern| allow.contains(pattern)) {
                let reason = format!(
                    "is in `{}` too, which is stronger: take it out of one of them",
                    subject.allow()
                );
                found.push(warn(subject.deny(), pattern, reason));
            }
            let lists = [(subject.allow(), &allow), (subject.deny(), &deny)];
            for (list, patterns) in lists {
                for pattern in patterns {
                    if !known.iter().any(|name| pattern.matches(name)) {
                        let reason = unmatched(subject, pattern, known);
                        found.push(warn(list, pattern, reason));
                    }
                }
            }
        }
    }
    found
}

/// What is said of a pattern that matches nothing.
fn unmatched(subject: Subject, pattern: &Pattern, known: &[&str]) -> String {
    let nearest = nearest(pattern, known);
    match nearest.is_empty() {
        true => format!("matches no known {}: mend or remove it", subject.word()),
        false => format!(
            "matches no known {}; did you mean `{}`?",
            subject.word(),
            nearest.join("` or `")
        ),
    }
}

fn nearest<'a>(pattern: &Pattern, known: &[&'a str]) -> Vec<&'a str> {
    let written = pattern.as_str().replace('*', "");
    let liking = |name: &&'a str| {
        // As much of the name as there is of a pattern that goes on.
        let part: String = match pattern.is_exact() {
            true => (*name).to_owned(),
            false => name.chars().take(written.chars().count()).collect(),
        };
        (strsim::jaro_winkler(&part, &written), *name)
    };
    let mut near: Vec<(f64, &str)> = known.iter().map(liking).collect();
    near.retain(|(likeness, _)| *likeness >= LIKE);
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.dedup();
    near.into_iter()
        .take(NEAREST)
        .map(|(_, name)| name)
        .collect()
}
