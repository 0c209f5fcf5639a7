//! Which keys a host trusts, to sign what, and which it does so no longer.

use std::fmt;
use std::str::FromStr;

use floe_plugin_api::manifest::MAX_NAME_BYTES;
use jiff::civil::Date;
use serde::{Serialize, Serializer};

use super::key::{KeyId, PublicKey, excerpt};

/// Which plugins a key may sign: one of a name, those whose names begin so and so, or all.
///
/// ```
/// use floe_registry::NamePattern;
///
/// let pattern: NamePattern = "acme-*".parse()?;
/// assert!(pattern.matches("acme-storage"));
/// assert!(!pattern.matches("sqlite"));
/// assert!("*-storage".parse::<NamePattern>().is_err());
/// # Ok::<(), floe_registry::ParseNamePatternError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamePattern(String);

impl NamePattern {
    /// All plugins, `*`.
    #[must_use]
    pub fn all() -> Self {
        Self("*".to_owned())
    }

    /// Whether a plugin of this name is meant.
    #[must_use]
    pub fn matches(&self, plugin: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => plugin.starts_with(beginning),
            None => plugin == self.0,
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for NamePattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Why a text is not a [`NamePattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` does not say which plugins, expected a plugin's name, such as `sqlite`, the beginning of names, such as `acme-*`, or `*` for all"
)]
pub struct ParseNamePatternError(String);

impl FromStr for NamePattern {
    type Err = ParseNamePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let beginning = text.strip_suffix('*');
        if beginning == Some("") || is_plugin_name(beginning.unwrap_or(text)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseNamePatternError(excerpt(text)))
        }
    }
}

/// Whether a manifest may have this name: no other can be found in one.
pub(crate) fn is_plugin_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    text.len() <= MAX_NAME_BYTES
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(plain)
}

/// A key that may sign plugins, and which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TrustedKey {
    /// What the host calls it: a word for people.
    pub name: String,
    /// The key.
    pub key: PublicKey,
    /// Which plugins it may sign.
    pub plugins: Vec<NamePattern>,
}

impl TrustedKey {
    /// A key that may sign every plugin.
    #[must_use]
    pub fn new(name: impl Into<String>, key: PublicKey) -> Self {
        Self {
            name: name.into(),
            key,
            plugins: vec![NamePattern::all()],
        }
    }

    /// The same for these plugins alone; for none, where there is no pattern.
    #[must_use]
    pub fn plugins(mut self, plugins: impl IntoIterator<Item = NamePattern>) -> Self {
        self.plugins = plugins.into_iter().collect();
        self
    }

    fn may_sign(&self, plugin: &str) -> bool {
        self.plugins.iter().any(|pattern| pattern.matches(plugin))
    }
}

/// The keys of a host: which may sign what, and which no longer may.
///
/// ```
/// use floe_registry::{Keys, TrustedKey};
///
/// let key = "RWTLLXNmJ/8PCM8gKDOgMoU+4oUKMNPyFSmkGMlJKYMhwDUdDrMteNzX".parse()?;
/// let acme = TrustedKey::new("acme", key).plugins(["acme-*".parse()?]);
/// let id = acme.key.id();
/// let keys = Keys::default().trust(acme);
/// let today = "2026-03-01".parse()?;
/// assert!(keys.may_sign(id, "acme-storage", today).is_ok());
/// assert!(keys.may_sign(id, "sqlite", today).is_err());
///
/// let keys = keys.revoke(id, "2026-02-28".parse()?);
/// assert!(keys.may_sign(id, "acme-storage", today).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    trusted: Vec<TrustedKey>,
    revoked: Vec<(KeyId, Date)>,
}

impl Keys {
    /// Trusts one more key.
    ///
    /// A key that is there already may sign what either says. Two different keys of one number can
    /// not be told apart by what a signature says: neither may sign anything, and
    /// [`check`](Self::check) tells.
    #[must_use]
    pub fn trust(mut self, key: TrustedKey) -> Self {
        self.trusted.push(key);
        self
    }

    /// Trusts a key no longer, from a day on: not what it signs from then on, and not what it signed
    /// before.
    ///
    /// The day is compared with the host's clock, in UTC, never with what a signature says of its own
    /// time: who has stolen a key can write any time into it. Where a key is revoked more than once,
    /// the earliest day counts.
    #[must_use]
    pub fn revoke(mut self, key: KeyId, since: Date) -> Self {
        self.revoked.push((key, since));
        self
    }

    /// The keys that are trusted, revoked ones too, in the order in which they were given.
    pub fn trusted(&self) -> impl Iterator<Item = &TrustedKey> {
        self.trusted.iter()
    }

    /// The keys that are trusted no longer, each with the day from which on.
    pub fn revoked(&self) -> impl Iterator<Item = (KeyId, Date)> {
        self.revoked.iter().copied()
    }

    /// The day from which on a key is trusted no longer, if there is one.
    pub(super) fn revoked_from(&self, key: KeyId) -> Option<Date> {
        let days = self.revoked.iter().filter(|(id, _)| *id == key);
        days.map(|(_, since)| *since).min()
    }

    /// Whether no key may sign anything, because none is trusted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.trusted.is_empty()
    }

    /// Whether every key can be told from every other by its number.
    ///
    /// # Errors
    ///
    /// Two different keys have the same number.
    pub fn check(&self) -> Result<(), KeyRefusal> {
        self.trusted
            .iter()
            .try_for_each(|key| self.unambiguous(key.key.id()))
    }

    /// Whether a key may sign a plugin, as things are on a day; and which key that is.
    ///
    /// # Errors
    ///
    /// The key is revoked, which counts before everything else, or not trusted, or trusted with other
    /// plugins only.
    pub fn may_sign(
        &self,
        key: KeyId,
        plugin: &str,
        today: Date,
    ) -> Result<&TrustedKey, KeyRefusal> {
        let of_that_number: Vec<_> = self.of(key).collect();
        if let Some(since) = self.revoked_from(key)
            && since <= today
        {
            return Err(KeyRefusal::Revoked {
                id: key,
                name: of_that_number.first().map(|key| key.name.clone()),
                since,
            });
        }
        self.unambiguous(key)?;
        let Some(first) = of_that_number.first() else {
            let mut known: Vec<_> = self.trusted.iter().map(|key| key.key.id()).collect();
            known.sort_unstable();
            known.dedup();
            return Err(KeyRefusal::Unknown { id: key, known });
        };
        of_that_number
            .iter()
            .find(|key| key.may_sign(plugin))
            .copied()
            .ok_or_else(|| KeyRefusal::NotAllowed {
                id: key,
                name: first.name.clone(),
                plugin: plugin.to_owned(),
                allowed: of_that_number
                    .iter()
                    .flat_map(|key| key.plugins.iter().cloned())
                    .collect(),
            })
    }

    fn of(&self, id: KeyId) -> impl Iterator<Item = &TrustedKey> {
        self.trusted.iter().filter(move |key| key.key.id() == id)
    }

    fn unambiguous(&self, id: KeyId) -> Result<(), KeyRefusal> {
        let mut keys = self.of(id);
        let Some(first) = keys.next() else {
            return Ok(());
        };
        match keys.find(|key| key.key != first.key) {
            None => Ok(()),
            Some(other) => Err(KeyRefusal::Ambiguous {
                id,
                names: [first.name.clone(), other.name.clone()],
            }),
        }
    }
}

/// Why a key may not sign a plugin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRefusal {
    /// The host does not know the key.
    Unknown {
        /// The key.
        id: KeyId,
        /// The keys that it knows.
        known: Vec<KeyId>,
    },
    /// The host trusts the key no longer.
    Revoked {
        /// The key.
        id: KeyId,
        /// What the host calls it, where it is still among the trusted ones.
        name: Option<String>,
        /// The day from which on.
        since: Date,
    },
    /// The host trusts the key with other plugins.
    NotAllowed {
        /// The key.
        id: KeyId,
        /// What the host calls it.
        name: String,
        /// The plugin.
        plugin: String,
        /// What it may sign.
        allowed: Vec<NamePattern>,
    },
    /// The host trusts two different keys of this number, and cannot tell which one is meant.
    Ambiguous {
        /// The number.
        id: KeyId,
        /// What the host calls the two.
        names: [String; 2],
    },
}

impl KeyRefusal {
    /// The key.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        match self {
            Self::Unknown { id, .. }
            | Self::Revoked { id, .. }
            | Self::NotAllowed { id, .. }
            | Self::Ambiguous { id, .. } => *id,
        }
    }

    /// What was found.
    #[must_use]
    pub fn found(&self) -> String {
        match self {
            Self::Unknown { id, .. } => {
                format!("a signature of the key `{id}`, which is not trusted")
            }
            Self::Revoked { id, name, since } => {
                let name = name.as_ref().map(|name| format!(" `{}`", excerpt(name)));
                let name = name.unwrap_or_default();
                format!("a signature of the key{name} `{id}`, which is revoked since `{since}`")
            }
            Self::NotAllowed {
                id, name, plugin, ..
            } => {
                let (name, plugin) = (excerpt(name), excerpt(plugin));
                format!("a signature of the key `{name}` `{id}` for the plugin `{plugin}`")
            }
            Self::Ambiguous { id, names: [a, b] } => format!(
                "two different keys of the number `{id}`, `{}` and `{}`",
                excerpt(a),
                excerpt(b)
            ),
        }
    }

    /// What would have been accepted.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::Unknown { known, .. } if known.is_empty() => {
                "one of a trusted key, and no key is trusted".to_owned()
            }
            Self::Unknown { known, .. } => {
                format!("one of a trusted key: {}", list(known))
            }
            Self::Revoked { .. } => "one of a key that is not revoked".to_owned(),
            Self::NotAllowed { allowed, .. } if allowed.is_empty() => {
                "no plugin of this key's, as it may sign none".to_owned()
            }
            Self::NotAllowed { allowed, .. } => {
                format!("a plugin that this key may sign: {}", list(allowed))
            }
            Self::Ambiguous { .. } => "one key of a number".to_owned(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Unknown { id, .. } => format!(
                "if you know whose key `{id}` is and trust them, add their public key to the trusted ones, those of `[trust.keys]` in floe.toml; otherwise do not use the file"
            ),
            Self::Revoked { .. } => {
                "get a build that is signed with the vendor's new key, and trust that one".to_owned()
            }
            Self::NotAllowed { plugin, .. } => format!(
                "if the owner of the key may sign `{plugin}`, add it to the key's `plugins`",
                plugin = excerpt(plugin)
            ),
            Self::Ambiguous { .. } => {
                "remove the one that you do not know; their owner can make a new one with `floe keygen`"
                    .to_owned()
            }
        }
    }
}

impl fmt::Display for KeyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "found {}, expected {}; {}",
            self.found(),
            self.expected(),
            self.remedy()
        )
    }
}

fn list(items: &[impl fmt::Display]) -> String {
    let items: Vec<_> = items.iter().map(|item| format!("`{item}`")).collect();
    items.join(", ")
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::admit::signature::vectors::{KEY, OTHER_KEY_FILE};

    const TODAY: Date = date(2026, 3, 1);

    fn key() -> PublicKey {
        KEY.parse().unwrap()
    }

    fn other() -> PublicKey {
        OTHER_KEY_FILE.parse().unwrap()
    }

    fn pattern(text: &str) -> NamePattern {
        text.parse().unwrap()
    }

    #[track_caller]
    fn refused(keys: &Keys, id: KeyId, plugin: &str, said: &str) -> KeyRefusal {
        let refusal = keys.may_sign(id, plugin, TODAY).unwrap_err();
        let text = refusal.to_string();
        assert!(text.contains(said), "{text}");
        assert!(text.contains(&id.to_string()), "{text}");
        assert_eq!(refusal.key_id(), id);
        refusal
    }

    #[test]
    fn patterns() {
        for (text, name, matches) in [
            ("*", "acme", true),
            ("acme", "acme", true),
            ("acme", "acme-storage", false),
            ("acme*", "acme", true),
            ("acme-*", "acme-storage", true),
            ("acme-*", "acme", false),
        ] {
            assert_eq!(pattern(text).matches(name), matches, "{text} {name}");
            assert_eq!(pattern(text).to_string(), text);
        }
        for text in ["", "**", "a*b", "*a", "A", "-a*", "a b", "a?", "a.*"] {
            let error = text.parse::<NamePattern>().unwrap_err().to_string();
            assert!(error.contains("`*` for all"), "{error}");
        }
    }

    #[test]
    fn a_key_signs_what_it_may_and_nothing_else() {
        let keys = Keys::default()
            .trust(TrustedKey::new("acme", key()).plugins([pattern("acme-*"), pattern("text")]))
            .trust(TrustedKey::new("house", other()));
        let id = key().id();
        assert_eq!(keys.may_sign(id, "acme-a", TODAY).unwrap().name, "acme");
        assert_eq!(keys.may_sign(id, "text", TODAY).unwrap().name, "acme");
        refused(
            &keys,
            id,
            "sqlite",
            "key `acme` `080FFF2766732DCB` for the plugin `sqlite`, expected a plugin that this key may sign: `acme-*`, `text`; ",
        );
        assert!(keys.may_sign(other().id(), "sqlite", TODAY).is_ok());
        let nothing = Keys::default().trust(TrustedKey::new("acme", key()).plugins([]));
        refused(&nothing, id, "sqlite", "as it may sign none");
    }

    #[test]
    fn the_same_key_twice_may_sign_what_either_may() {
        let keys = Keys::default()
            .trust(TrustedKey::new("a", key()).plugins([pattern("a")]))
            .trust(TrustedKey::new("b", key()).plugins([pattern("b")]));
        assert_eq!(keys.check(), Ok(()));
        assert_eq!(keys.may_sign(key().id(), "b", TODAY).unwrap().name, "b");
        refused(&keys, key().id(), "c", "may sign: `a`, `b`;");
    }

    #[test]
    fn two_keys_of_one_number_sign_nothing() {
        // The number is the key's third to tenth byte; the last ones are another key's.
        let twin: PublicKey = format!("{}A{}", &KEY[..20], &KEY[21..]).parse().unwrap();
        assert_eq!(twin.id(), key().id());
        let keys = Keys::default()
            .trust(TrustedKey::new("acme", key()))
            .trust(TrustedKey::new("twin", twin));
        let refusal = refused(&keys, key().id(), "acme", "`acme` and `twin`");
        assert_eq!(keys.check(), Err(refusal));
    }

    #[test]
    fn a_key_that_is_not_known() {
        let id = key().id();
        refused(&Keys::default(), id, "acme", "no key is trusted");
        let keys = Keys::default()
            .trust(TrustedKey::new("house", other()))
            .trust(TrustedKey::new("house", other()));
        let known = vec![other().id()];
        assert_eq!(
            refused(&keys, id, "acme", "trusted key: `EEDBDE0BA4DF15B9`;"),
            KeyRefusal::Unknown { id, known }
        );
    }

    #[test]
    fn a_revoked_key_signs_nothing_from_its_day_on() {
        let id = key().id();
        let keys = Keys::default().trust(TrustedKey::new("acme", key()).plugins([pattern("a")]));
        let from = |since| keys.clone().revoke(id, since);
        let tomorrow = from(TODAY.tomorrow().unwrap());
        assert!(tomorrow.may_sign(id, "a", TODAY).is_ok());
        let said = "key `acme` `080FFF2766732DCB`, which is revoked since `2026-03-01`";
        refused(&from(TODAY), id, "a", said);
        // Before all else: also where it may not sign it, and where it is not known.
        refused(&from(TODAY), id, "b", said);
        refused(
            &Keys::default().revoke(id, TODAY),
            id,
            "a",
            "key `080FFF2766732DCB`, which is revoked",
        );
        // The earliest day counts.
        refused(&tomorrow.revoke(id, TODAY), id, "a", said);
    }
}
