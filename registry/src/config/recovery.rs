//! The table of `floe.toml` that says what is done when a call fails.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use floe_plugin_api::{ErrorKind, ExecutorMetadata};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use toml::Spanned;

use super::isolation::PluginKey;
use super::limits::Span;
use super::settings::{place, value};
use crate::id::Reference;
use crate::policy::{
    Fallback, Jitter, Mapping, Recovery, RecoveryEntry, RecoveryError, RecoverySettings, Retry,
    Strategy, Substitute,
};
use crate::schema::nearest;

/// A list of strategies, each with where it stands.
type List = Vec<Spanned<Item>>;

/// `[recovery]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RecoveryTable {
    default: List,
    plugins: Lists<PluginKey>,
    executors: Lists<NodeType>,
}

impl RecoveryTable {
    /// What the table says, in a text that it was read from.
    pub(super) fn settings(self, text: &str) -> Result<RecoverySettings, String> {
        let mut places = Places::default();
        let mut settings =
            RecoverySettings::new(places.recovery(RecoveryEntry::Default, self.default));
        for (PluginKey(plugin), list) in self.plugins.0 {
            let recovery = places.recovery(RecoveryEntry::Plugin(plugin.clone()), list);
            settings = settings.plugin(plugin, recovery);
        }
        for (NodeType(node_type), list) in self.executors.0 {
            let recovery = places.recovery(RecoveryEntry::Executor(node_type.clone()), list);
            settings = settings.executor(node_type, recovery);
        }
        match settings.check() {
            Ok(()) => Ok(settings),
            Err(error) => Err(places.tell(&error, text)),
        }
    }
}

/// Where each strategy begins in the text.
#[derive(Default)]
struct Places(Vec<(RecoveryEntry, Vec<usize>)>);

impl Places {
    fn recovery(&mut self, entry: RecoveryEntry, list: List) -> Recovery {
        let starts = list.iter().map(|item| item.span().start).collect();
        self.0.push((entry, starts));
        let strategies = list.into_iter().map(Spanned::into_inner);
        strategies.map(|Item(strategy)| strategy).collect()
    }

    fn tell(&self, error: &RecoveryError, text: &str) -> String {
        let mut entries = self.0.iter();
        let entry = entries.find(|(entry, _)| *entry == error.entry);
        match entry.and_then(|(_, starts)| starts.get(error.strategy)) {
            Some(start) => {
                let (line, column) = place(text, *start);
                format!("line {line}, column {column}: {error}")
            }
            None => error.to_string(),
        }
    }
}

/// Lists by what they are for, each of which is there once, by whichever of its names.
struct Lists<K>(BTreeMap<K, List>);

impl<K> Default for Lists<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, K: Deserialize<'de> + Ord + fmt::Display> Deserialize<'de> for Lists<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListsVisitor<K>(PhantomData<K>);

        impl<'de, K: Deserialize<'de> + Ord + fmt::Display> Visitor<'de> for ListsVisitor<K> {
            type Value = Lists<K>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of names, each with a list of strategies")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Lists<K>, A::Error> {
                let mut lists = BTreeMap::new();
                while let Some((key, list)) = map.next_entry::<K, List>()? {
                    if lists.contains_key(&key) {
                        return Err(de::Error::custom(format_args!(
                            "`{key}` is there twice, under two of its names, expected it once"
                        )));
                    }
                    lists.insert(key, list);
                }
                Ok(Lists(lists))
            }
        }

        deserializer.deserialize_map(ListsVisitor(PhantomData))
    }
}

/// The name of an executor.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct NodeType(String);

impl fmt::Display for NodeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NodeType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        check_node_type(&text)?;
        Ok(Self(text))
    }
}

fn check_node_type<E: de::Error>(text: &str) -> Result<(), E> {
    match ExecutorMetadata::new(text) {
        Ok(_) => Ok(()),
        Err(_) => Err(E::custom(format_args!(
            "`{}` is not a node type, expected one such as `http.request`",
            text.escape_debug()
        ))),
    }
}

/// The node type of a fallback, and the versions that will do.
struct To(Reference);

impl<'de> Deserialize<'de> for To {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let reference: Reference = text.parse().map_err(de::Error::custom)?;
        check_node_type(reference.node_type())?;
        Ok(Self(reference))
    }
}

/// One strategy: its name, or a table of its name and what else is said.
struct Item(Strategy);

const STRATEGIES: [&str; 5] = ["retry", "fallback", "value", "skip", "fail"];

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemVisitor;

        // Not an enum of serde's, which would not tell what a word alone lacks.
        impl<'de> Visitor<'de> for ItemVisitor {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`retry`, `fail`, or a table of one strategy such as `{ retry = { attempts = 5 } }`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Item, E> {
                match text {
                    "retry" => Ok(Item(Retry::default().into())),
                    "fail" => Ok(Item(Strategy::Fail)),
                    "fallback" => Err(E::custom(
                        "`fallback` needs a `node_type`, as in `{ fallback = { node_type = \"cache.get\" } }`",
                    )),
                    "value" | "skip" => Err(E::custom(format_args!(
                        "`{text}` needs an `output`, as in `{{ {text} = {{ output = {{}} }} }}`"
                    ))),
                    _ => Err(unknown("strategy", text, &STRATEGIES)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
                let Some(name) = map.next_key::<String>()? else {
                    return Err(de::Error::custom(
                        "the table is empty, expected one strategy such as `{ retry = { attempts = 5 } }`",
                    ));
                };
                let strategy = match name.as_str() {
                    "retry" => map.next_value::<RetryTable>()?.retry().into(),
                    "fallback" => map.next_value::<FallbackTable>()?.fallback().into(),
                    "value" => map
                        .next_value::<SubstituteTable>()?
                        .substitute()
                        .into_value(),
                    "skip" => map
                        .next_value::<SubstituteTable>()?
                        .substitute()
                        .into_skip(),
                    "fail" => {
                        return Err(de::Error::custom(
                            "`fail` has nothing to be said of it, expected it as a word: `\"fail\"`",
                        ));
                    }
                    _ => return Err(unknown("strategy", &name, &STRATEGIES)),
                };
                if let Some(other) = map.next_key::<String>()? {
                    return Err(de::Error::custom(format_args!(
                        "`{}` stands in one table with `{name}`, expected one strategy in each: `[{{ {name} = … }}, …]`",
                        other.escape_debug()
                    )));
                }
                Ok(Item(strategy))
            }
        }

        deserializer.deserialize_any(ItemVisitor)
    }
}

/// Says that a word is none of those that are known, and which it may be meant for.
fn unknown<E: de::Error>(what: &str, word: &str, known: &[&str]) -> E {
    let meant = nearest(word, &known.iter().copied().collect());
    let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
    E::custom(format_args!(
        "`{}` is not a {what}, expected one of `{}`{meant}",
        word.escape_debug(),
        known.join("`, `")
    ))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RetryTable {
    attempts: Option<u32>,
    initial: Option<Span>,
    factor: Option<f64>,
    longest: Option<Span>,
    jitter: Option<JitterWord>,
    on: Option<Vec<KindWord>>,
    not_idempotent: bool,
}

impl RetryTable {
    fn retry(self) -> Retry {
        let standard = Retry::default();
        let or = |span: Option<Span>, standard| span.map_or(standard, |Span(span)| span);
        Retry {
            attempts: self.attempts.unwrap_or(standard.attempts),
            initial: or(self.initial, standard.initial),
            factor: self.factor.unwrap_or(standard.factor),
            longest: or(self.longest, standard.longest),
            jitter: self.jitter.map_or(standard.jitter, |JitterWord(word)| word),
            on: self.on.map_or(standard.on, |on| kinds(on).collect()),
            not_idempotent: self.not_idempotent,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FallbackTable {
    node_type: To,
    input: Option<BTreeMap<String, toml::Value>>,
    on: Option<Vec<KindWord>>,
}

impl FallbackTable {
    fn fallback(self) -> Fallback {
        let To(reference) = self.node_type;
        let mut fallback = Fallback::new(reference);
        fallback.input = self.input.map(mapping);
        fallback.on = self.on.map(|on| kinds(on).collect());
        fallback
    }
}

/// A table of `from` alone is a place in the original input; all else is meant as it stands.
fn mapping(fields: BTreeMap<String, toml::Value>) -> Mapping {
    let mut mapping = Mapping::new();
    for (field, source) in fields {
        let from = source.as_table().filter(|table| table.len() == 1);
        let from = from.and_then(|table| table.get("from")?.as_str());
        mapping = match from {
            Some(pointer) => mapping.from_input(field, pointer),
            None => mapping.literal(field, value(source)),
        };
    }
    mapping
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubstituteTable {
    output: toml::Value,
    on: Option<Vec<KindWord>>,
}

impl SubstituteTable {
    fn substitute(self) -> Substitute {
        let mut substitute = Substitute::new(value(self.output));
        substitute.on = self.on.map(|on| kinds(on).collect());
        substitute
    }
}

fn kinds(words: Vec<KindWord>) -> impl Iterator<Item = ErrorKind> {
    words.into_iter().map(|KindWord(kind)| kind)
}

/// The name of a kind of errors.
struct KindWord(ErrorKind);

impl<'de> Deserialize<'de> for KindWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut all = ErrorKind::ALL.iter();
        match all.find(|kind| kind.as_str() == text) {
            Some(kind) => Ok(Self(*kind)),
            None => {
                let known: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.as_str()).collect();
                Err(unknown("kind of error", &text, &known))
            }
        }
    }
}

/// Whether waits are spread.
struct JitterWord(Jitter);

impl<'de> Deserialize<'de> for JitterWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "full" => Ok(Self(Jitter::Full)),
            "none" => Ok(Self(Jitter::None)),
            other => Err(unknown("jitter", other, &["full", "none"])),
        }
    }
}

#[cfg(test)]
mod tests;
