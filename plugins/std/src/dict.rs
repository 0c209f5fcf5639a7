//! `dict.*`: values by key, in order. No dict is changed: a new one is given.

use std::collections::{HashMap, HashSet};

use floe_plugin_api::{CallContext, Error, ErrorKind, List, Map, Result, Value, data};

use crate::Std;
use crate::pointer::{Pointer, index};

/// A dict as a whole.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Whole {
    /// The dict.
    dict: Map,
}

/// A dict and a place in it.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// The dict.
    dict: Map,
    /// The place: a JSON pointer, such as `/rows/0/city`.
    path: Pointer,
}

/// A dict and what to give of it.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Get {
    /// The dict.
    dict: Map,
    /// The place: a JSON pointer, such as `/rows/0/city`.
    path: Pointer,
    /// What to give where nothing is there; null when not given.
    #[serde(default)]
    default: Value,
    /// Whether it is an error that nothing is there.
    #[serde(default)]
    required: bool,
}

pub(crate) fn get(_std: &Std, input: Get, _call: &CallContext<'_>) -> Result<Value> {
    let Get {
        dict,
        path,
        default,
        required,
    } = input;
    match path.find(&Value::Map(dict)) {
        Some(found) => Ok(found.clone()),
        None if required => Err(Error::invalid(
            "path",
            "a place where something is, as `required` says",
            path.as_str(),
        )),
        None => Ok(default),
    }
}

pub(crate) fn has(_std: &Std, input: Place, _call: &CallContext<'_>) -> Result<bool> {
    Ok(input.path.find(&Value::Map(input.dict)).is_some())
}

/// A dict and what to set in it.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Set {
    /// The dict.
    dict: Map,
    /// The place: a JSON pointer, such as `/rows/0/city`. Dicts that are missing on the way are made;
    /// the index after the last of a list, or `-`, appends to it.
    path: Pointer,
    /// What to put there.
    value: Value,
}

pub(crate) fn set(_std: &Std, input: Set, _call: &CallContext<'_>) -> Result<Map> {
    let Set { dict, path, value } = input;
    not_whole(&path)?;
    let mut whole = Value::Map(dict);
    let mut at = &mut whole;
    for token in path.tokens() {
        let missing = || Value::Map(Map::new());
        let next = match at {
            Value::Map(map) => {
                if map.get(token).is_none() {
                    map.push(token, missing());
                }
                map.get_mut(token)
            }
            Value::List(list) => {
                let end = list.len();
                let place = match index(token) {
                    Some(place) => place,
                    None if token == "-" => end,
                    None => usize::MAX,
                };
                if place == end {
                    list.push(missing());
                }
                list.get_mut(place)
            }
            _ => None,
        };
        at = next.ok_or_else(|| no_place(&path, token))?;
    }
    *at = value;
    whole_map(whole)
}

fn not_whole(path: &Pointer) -> Result<()> {
    if path.tokens().is_empty() {
        return Err(Error::invalid("path", "a place inside the dict", ""));
    }
    Ok(())
}

fn no_place(path: &Pointer, token: &str) -> Error {
    let rule = format!(
        "a way through dicts and lists, and `{token}` is neither in a dict nor an index of a list, up to its length"
    );
    Error::invalid("path", &rule, path.as_str())
}

/// What was a dict at the outset.
fn whole_map(whole: Value) -> Result<Map> {
    match whole {
        Value::Map(map) => Ok(map),
        _ => Err(Error::execution("the dict is no dict any more")),
    }
}

pub(crate) fn remove(_std: &Std, input: Place, _call: &CallContext<'_>) -> Result<Map> {
    let Place { dict, path } = input;
    not_whole(&path)?;
    let mut whole = Value::Map(dict);
    let mut at = Some(&mut whole);
    if let Some((last, way)) = path.tokens().split_last() {
        for token in way {
            at = match at {
                Some(Value::Map(map)) => map.get_mut(token),
                Some(Value::List(list)) => index(token).and_then(|index| list.get_mut(index)),
                _ => None,
            };
        }
        match at {
            Some(Value::Map(map)) => drop(map.remove(last)),
            Some(Value::List(list)) => {
                let dropped = index(last);
                let kept = std::mem::take(list).into_iter().enumerate();
                *list = kept
                    .filter_map(|(place, item)| (Some(place) != dropped).then_some(item))
                    .collect();
            }
            _ => {}
        }
    }
    whole_map(whole)
}

pub(crate) fn keys(_std: &Std, input: Whole, _call: &CallContext<'_>) -> Result<Vec<String>> {
    let entries = input.dict.into_iter();
    Ok(entries.map(|entry| entry.key.into()).collect())
}

pub(crate) fn values(_std: &Std, input: Whole, _call: &CallContext<'_>) -> Result<List> {
    Ok(input.dict.into_iter().map(|entry| entry.value).collect())
}

/// A key and its value.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The key.
    key: String,
    /// The value.
    value: Value,
}

pub(crate) fn entries(_std: &Std, input: Whole, _call: &CallContext<'_>) -> Result<Vec<Entry>> {
    let entries = input.dict.into_iter();
    Ok(entries
        .map(|entry| Entry {
            key: entry.key.into(),
            value: entry.value,
        })
        .collect())
}

/// Entries to make a dict of.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Entries {
    /// The entries, in order; no key twice.
    entries: Vec<Entry>,
}

pub(crate) fn from_entries(_std: &Std, input: Entries, _call: &CallContext<'_>) -> Result<Map> {
    let mut met = HashSet::new();
    for (number, entry) in input.entries.iter().enumerate() {
        if !met.insert(entry.key.as_str()) {
            return Err(Error::invalid(
                &format!("entries[{number}].key"),
                "a key that no entry before it has",
                &entry.key,
            ));
        }
    }
    let entries = input.entries.into_iter();
    Ok(entries.map(|entry| (entry.key, entry.value)).collect())
}

/// Dicts to merge.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Merge {
    /// The dicts; of a key that several have, the last one's value is kept.
    dicts: Vec<Map>,
    /// Whether values of one key that are dicts are merged too, at every depth.
    #[serde(default)]
    deep: bool,
}

pub(crate) fn merge(_std: &Std, input: Merge, _call: &CallContext<'_>) -> Result<Map> {
    Ok(merged(input.dicts, input.deep))
}

fn merged(dicts: Vec<Map>, deep: bool) -> Map {
    // The values of each key, in a list of its own: the last one is kept, or those that are dicts are
    // merged in turn.
    let mut keys = Vec::new();
    let mut places = HashMap::new();
    for entry in dicts.into_iter().flatten() {
        let place = *places.entry(entry.key.clone()).or_insert(keys.len());
        if place == keys.len() {
            keys.push((entry.key, Vec::new()));
        }
        let (_, values) = &mut keys[place];
        let is_dict = |value: &Value| matches!(value, Value::Map(_));
        if !(deep && is_dict(&entry.value) && values.last().is_some_and(is_dict)) {
            values.clear();
        }
        values.push(entry.value);
    }
    keys.into_iter()
        .map(|(key, mut values)| {
            let last = if values.len() > 1 {
                let maps = values.into_iter().filter_map(|value| match value {
                    Value::Map(map) => Some(map),
                    _ => None,
                });
                merged(maps.collect(), deep).into()
            } else {
                values.pop().unwrap_or_default()
            };
            (key, last)
        })
        .collect()
}

/// A dict and some of its keys.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    /// The dict.
    dict: Map,
    /// The keys; those that the dict does not have change nothing.
    keys: Vec<String>,
}

pub(crate) fn pick(_std: &Std, input: Keys, _call: &CallContext<'_>) -> Result<Map> {
    Ok(input.chosen(true))
}

pub(crate) fn omit(_std: &Std, input: Keys, _call: &CallContext<'_>) -> Result<Map> {
    Ok(input.chosen(false))
}

impl Keys {
    fn chosen(self, named: bool) -> Map {
        let keys: HashSet<String> = self.keys.into_iter().collect();
        self.dict
            .into_iter()
            .filter(|entry| keys.contains(entry.key.as_str()) == named)
            .map(|entry| (entry.key, entry.value))
            .collect()
    }
}

/// A dict and new names for its keys.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Rename {
    /// The dict.
    dict: Map,
    /// The new names by the old ones; those that the dict does not have change nothing.
    names: HashMap<String, String>,
}

pub(crate) fn rename(_std: &Std, input: Rename, _call: &CallContext<'_>) -> Result<Map> {
    let Rename { dict, names } = input;
    let count = dict.len();
    let renamed: Vec<(String, Value)> = dict
        .into_iter()
        .map(|entry| {
            let key = names
                .get(entry.key.as_str())
                .cloned()
                .unwrap_or_else(|| entry.key.into());
            (key, entry.value)
        })
        .collect();
    let mut met = HashSet::with_capacity(count);
    for (key, _) in &renamed {
        if !met.insert(key.as_str()) {
            return Err(Error::new(
                ErrorKind::ValidationFailed,
                format!("two entries would have the key `{key}`; leave one out first"),
            )
            .with_detail("path", "names"));
        }
    }
    Ok(renamed.into_iter().collect())
}
