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
    /// Whether nothing is said of it at all.
    is_silent: bool,
    /// Whether there is a list of what is allowed.
    is_limited: bool,
    /// The lengths of the names in `exact`: most others are told from them by that.
    lengths: Lengths,
    exact: Table,
    /// What a name may begin with.
    prefixes: Table,
    /// The prefixes' lengths, the shortest first.
    beginnings: Vec<Beginning>,
    /// The other patterns, those that allow before those that deny.
    others: Vec<(Pattern, Said)>,
}

/// What is said of a name, or of all that begins with it.
type Table = HashMap<Box<[u8]>, Said, RandomState>;

/// What lists say of one pattern; that it is allowed is stronger.
#[derive(Clone, Debug, Default)]
struct Said {
    /// The words of an allowed call.
    allowed: Option<Arc<str>>,
    /// The pattern.
    denied: Option<Arc<str>>,
}

/// The lengths of names, by what is left of each on division by 128: a bit says that one may be there.
#[derive(Clone, Copy, Debug, Default)]
struct Lengths(u128);

/// Prefixes of one length.
#[derive(Debug)]
struct Beginning {
    length: usize,
    /// A bit for each byte that one of them ends in, by what is left of it on division by 64.
    ends: u64,
}

/// What one of the two says by itself.
enum Word<'a> {
    Allowed(&'a Arc<str>),
    Denied(Refused<'a>),
    Nothing,
}

impl Rules {
    pub(super) fn new(rules: &TenantRules) -> Self {
        let (allow_kinds, deny_kinds) =
            (canonical(&rules.allow_kinds), canonical(&rules.deny_kinds));
        Self {
            node_types: Lists::new(Subject::NodeType, &rules.allow, &rules.deny),
            kinds: Lists::new(Subject::Kind, &allow_kinds, &deny_kinds),
        }
    }

    /// Judges a call.
    pub(super) fn judge(&self, node_type: &str, kind: &str) -> Ruling<'_> {
        match (self.node_types.say(node_type), self.kinds.say(kind)) {
            (Word::Denied(refused), _) | (_, Word::Denied(refused)) => Ruling::Denied(refused),
            (Word::Allowed(words), _) | (_, Word::Allowed(words)) => Ruling::Allowed(words),
            (Word::Nothing, Word::Nothing) => Ruling::Denied(Refused::Unsaid),
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
    fn new(subject: Subject, allow: &[Pattern], deny: &[Pattern]) -> Self {
        let mut lists = Self {
            subject,
            is_silent: allow.is_empty() && deny.is_empty(),
            is_limited: !allow.is_empty(),
            lengths: Lengths::default(),
            exact: Table::default(),
            prefixes: Table::default(),
            beginnings: Vec::new(),
            others: Vec::new(),
        };
        for pattern in allow {
            let words = match subject {
                Subject::NodeType => format!("allowed: `{pattern}`"),
                Subject::Kind => format!("allowed: kind `{pattern}`"),
            };
            lists.add(pattern, |said| said.allowed = Some(words.into()));
        }
        for pattern in deny {
            lists.add(pattern, |said| said.denied = Some(pattern.as_str().into()));
        }
        lists
            .beginnings
            .sort_unstable_by_key(|beginning| beginning.length);
        lists
    }

    fn add(&mut self, pattern: &Pattern, say: impl FnOnce(&mut Said)) {
        if pattern.is_exact() {
            let name = pattern.as_str().as_bytes();
            self.lengths.add(name);
            say(self.exact.entry(name.into()).or_default());
        } else if let Some(prefix) = pattern.prefix() {
            let prefix = prefix.as_bytes();
            let mut known = self.beginnings.iter_mut();
            match known.find(|beginning| beginning.length == prefix.len()) {
                Some(beginning) => beginning.ends |= ending(prefix),
                None => self.beginnings.push(Beginning {
                    length: prefix.len(),
                    ends: ending(prefix),
                }),
            }
            say(self.prefixes.entry(prefix.into()).or_default());
        } else {
            let mut said = Said::default();
            say(&mut said);
            self.others.push((pattern.clone(), said));
        }
    }

    fn say(&self, name: &str) -> Word<'_> {
        if self.is_silent {
            return Word::Nothing;
        }
        let mut denied = None;
        for said in self.matching(name) {
            if let Some(words) = &said.allowed {
                return Word::Allowed(words);
            }
            denied = denied.or(said.denied.as_ref());
        }
        match denied {
            Some(pattern) => Word::Denied(Refused::Listed(self.subject, pattern)),
            None if self.is_limited => Word::Denied(Refused::NotListed(self.subject)),
            None => Word::Nothing,
        }
    }

    /// All that is said of a name: of itself first, then of what it begins with, the least first.
    fn matching(&self, name: &str) -> impl Iterator<Item = &Said> {
        let bytes = name.as_bytes();
        let exact = self.lengths.may_have(bytes).then(|| self.exact.get(bytes));
        let prefixes = self.beginnings.iter().map_while(move |beginning| {
            let prefix = bytes.get(..beginning.length)?;
            let is_likely = beginning.ends & ending(prefix) != 0;
            Some(is_likely.then(|| self.prefixes.get(prefix)).flatten())
        });
        let others = self.others.iter();
        let others = others.filter_map(|(pattern, said)| pattern.matches(name).then_some(said));
        exact.into_iter().chain(prefixes).flatten().chain(others)
    }
}

impl Lengths {
    const fn add(&mut self, name: &[u8]) {
        self.0 |= 1 << (name.len() % 128);
    }

    const fn may_have(self, name: &[u8]) -> bool {
        self.0 & 1 << (name.len() % 128) != 0
    }
}

/// The bit of the last byte; nothing ends otherwise than nothing.
const fn ending(prefix: &[u8]) -> u64 {
    match prefix.last() {
        Some(byte) => 1 << (*byte % 64),
        None => 1,
    }
}
