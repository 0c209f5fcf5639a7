//! Which node types and kinds are allowed: rules made ready for a quick answer.

use std::collections::HashMap;
use std::sync::Arc;

use floe_plugin_api::Kind;
use foldhash::fast::RandomState;

use super::pattern::Pattern;
use super::settings::TenantRules;

/// What the rules say of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling<'a> {
    /// It may be made, with the words for the record.
    Allowed(&'a Arc<str>),
    Denied(Refused<'a>),
}

/// Why a call may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused<'a> {
    /// A pattern of a list denies it.
    Listed(Subject, &'a Arc<str>),
    /// There is a list of what is allowed, and it has it not.
    NotListed(Subject),
    /// No rule says anything of it.
    Unsaid,
}

/// What of a call is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    NodeType,
    Kind,
}

impl Subject {
    /// The list of what is allowed, as settings call it.
    pub(crate) const fn allow(self) -> &'static str {
        match self {
            Self::NodeType => "allow",
            Self::Kind => "allow_kinds",
        }
    }

    /// The list of what is denied, as settings call it.
    pub(crate) const fn deny(self) -> &'static str {
        match self {
            Self::NodeType => "deny",
            Self::Kind => "deny_kinds",
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::NodeType => "node type",
            Self::Kind => "kind",
        }
    }
}

/// The rules of one tenant.
#[derive(Debug)]
pub(super) struct Rules {
    node_types: Lists,
    kinds: Lists,
}

/// What is allowed and what is denied of one subject.
#[derive(Debug)]
struct Lists {
    subject: Subject,
    /// The words of an allowed call.
    allow: Matcher,
    /// The patterns.
    deny: Matcher,
}

/// What one of the two says by itself.
enum Said<'a> {
    Allowed(&'a Arc<str>),
    Denied(Refused<'a>),
    Nothing,
}

impl Rules {
    pub(super) fn new(rules: &TenantRules) -> Self {
        let words = |pattern: &Pattern| format!("allowed: `{pattern}`").into();
        let kind_words = |pattern: &Pattern| format!("allowed: kind `{pattern}`").into();
        let own = |pattern: &Pattern| pattern.as_str().into();
        let (allow_kinds, deny_kinds) =
            (canonical(&rules.allow_kinds), canonical(&rules.deny_kinds));
        Self {
            node_types: Lists {
                subject: Subject::NodeType,
                allow: Matcher::new(&rules.allow, words),
                deny: Matcher::new(&rules.deny, own),
            },
            kinds: Lists {
                subject: Subject::Kind,
                allow: Matcher::new(&allow_kinds, kind_words),
                deny: Matcher::new(&deny_kinds, own),
            },
        }
    }

    /// Judges a call.
    pub(super) fn judge(&self, node_type: &str, kind: &str) -> Ruling<'_> {
        match (self.node_types.say(node_type), self.kinds.say(kind)) {
            (Said::Denied(refused), _) | (_, Said::Denied(refused)) => Ruling::Denied(refused),
            (Said::Allowed(words), _) | (_, Said::Allowed(words)) => Ruling::Allowed(words),
            (Said::Nothing, Said::Nothing) => Ruling::Denied(Refused::Unsaid),
        }
    }
}

/// Patterns with the kinds' own names in place of the ones that they had in older registries.
pub(super) fn canonical(patterns: &[Pattern]) -> Vec<Pattern> {
    let canonical = |pattern: &Pattern| match pattern.as_str().parse::<Kind>() {
        Ok(kind) if pattern.is_exact() => kind.as_str().parse().unwrap_or_else(|_| pattern.clone()),
        _ => pattern.clone(),
    };
    patterns.iter().map(canonical).collect()
}

impl Lists {
    fn say(&self, name: &str) -> Said<'_> {
        if let Some(words) = self.allow.find(name) {
            return Said::Allowed(words);
        }
        if let Some(pattern) = self.deny.find(name) {
            return Said::Denied(Refused::Listed(self.subject, pattern));
        }
        match self.allow.is_empty() {
            true => Said::Nothing,
            false => Said::Denied(Refused::NotListed(self.subject)),
        }
    }
}

/// Patterns with something to say of each.
#[derive(Debug, Default)]
struct Matcher {
    exact: HashMap<Box<str>, Arc<str>, RandomState>,
    /// In order. None begins with another, so the last that is not after a name is the only one with
    /// which it can begin.
    prefixes: Vec<(Box<str>, Arc<str>)>,
    others: Vec<(Pattern, Arc<str>)>,
}

impl Matcher {
    fn new(patterns: &[Pattern], words: impl Fn(&Pattern) -> Arc<str>) -> Self {
        let mut matcher = Self::default();
        for pattern in patterns {
            let words = words(pattern);
            if pattern.is_exact() {
                matcher.exact.insert(pattern.as_str().into(), words);
            } else if let Some(prefix) = pattern.prefix() {
                matcher.prefixes.push((prefix.into(), words));
            } else {
                matcher.others.push((pattern.clone(), words));
            }
        }
        matcher.prefixes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        // What begins with another comes after it, with nothing else in between.
        matcher
            .prefixes
            .dedup_by(|longer, shorter| longer.0.starts_with(&*shorter.0));
        matcher
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.prefixes.is_empty() && self.others.is_empty()
    }

    fn find(&self, name: &str) -> Option<&Arc<str>> {
        if !self.exact.is_empty()
            && let Some(words) = self.exact.get(name)
        {
            return Some(words);
        }
        let after = self
            .prefixes
            .partition_point(|(prefix, _)| **prefix <= *name);
        let before = after.checked_sub(1).and_then(|at| self.prefixes.get(at));
        if let Some((prefix, words)) = before
            && name.starts_with(&**prefix)
        {
            return Some(words);
        }
        let other = self
            .others
            .iter()
            .find(|(pattern, _)| pattern.matches(name));
        other.map(|(_, words)| words)
    }
}
