//! What plugins were given to be configured with, by who gave it.

use std::collections::BTreeMap;
use std::fmt;

use floe_plugin_api::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::environment::{Environment, Variable};
use crate::id::Digest;

/// What all plugins were given.
#[derive(Clone, Default)]
pub(crate) struct Sources {
    file: BTreeMap<String, Value>,
    environment: Environment,
    program: BTreeMap<String, Value>,
}

impl Sources {
    /// From the weakest to the strongest, by the plugins' names.
    pub(crate) const fn new(
        file: BTreeMap<String, Value>,
        environment: Environment,
        program: BTreeMap<String, Value>,
    ) -> Self {
        Self {
            file,
            environment,
            program,
        }
    }

    /// Sets what the program gives one plugin.
    pub(crate) fn set_program(&mut self, plugin: &str, value: Value) {
        self.program.insert(plugin.to_owned(), value);
    }

    /// What one plugin was given.
    pub(crate) fn of(&self, plugin: &str) -> Given {
        Given {
            plugin: plugin.to_owned(),
            file: self.file.get(plugin).cloned(),
            environment: self.environment.of(plugin),
            program: self.program.get(plugin).cloned().into_iter().collect(),
        }
    }
}

impl fmt::Debug for Sources {
    /// Names the plugins, and not what they were given: which of it is secret, only they know.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("file", &self.file.keys())
            .field("environment", &self.environment)
            .field("program", &self.program.keys())
            .finish()
    }
}

/// What one plugin was given.
#[derive(Clone, Default)]
pub(crate) struct Given {
    pub(super) plugin: String,
    pub(super) file: Option<Value>,
    pub(super) environment: Vec<Variable>,
    /// One over the other. They are not merged beforehand: over what lies below them, that need not come to
    /// the same where one is no map.
    pub(super) program: Vec<Value>,
}

impl Given {
    /// Whether it is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        let is_empty = |value: &Value| value.as_map().is_some_and(Map::is_empty);
        self.file.iter().chain(&self.program).all(is_empty) && self.environment.is_empty()
    }

    /// The same with one more value, which is stronger than all before.
    pub(crate) fn with(&self, strongest: Value) -> Self {
        let mut given = self.clone();
        given.program.push(strongest);
        given
    }

    /// What tells it from anything else that was given, in whatever order maps have their entries.
    ///
    /// The same from other sources may have another digest.
    pub(crate) fn digest(&self) -> Digest {
        let mut hasher = Sha256::new();
        write_count(&mut hasher, self.file.iter().len());
        self.file.iter().for_each(|value| write(&mut hasher, value));
        write_count(&mut hasher, self.environment.len());
        for variable in &self.environment {
            write_bytes(&mut hasher, variable.name.as_bytes());
            match &variable.text {
                Some(text) => write_bytes(&mut hasher, text.as_bytes()),
                None => write_count(&mut hasher, usize::MAX),
            }
        }
        write_count(&mut hasher, self.program.len());
        self.program
            .iter()
            .for_each(|value| write(&mut hasher, value));
        Digest::from_bytes(hasher.finalize().into())
    }
}

impl fmt::Debug for Given {
    /// Says who gave something, and not what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given")
            .field("plugin", &self.plugin)
            .field("file", &self.file.is_some())
            .field("environment", &self.environment)
            .field("program", &self.program.len())
            .finish()
    }
}

/// A value with a stronger one over it: maps key by key, however deep; anything else replaces what
/// it lies over.
pub(super) fn merge(weaker: Value, stronger: &Value) -> Value {
    match (weaker, stronger) {
        (Value::Map(mut map), Value::Map(over)) => {
            for entry in over {
                match map.get_mut(&entry.key) {
                    Some(below) => *below = merge(std::mem::take(below), &entry.value),
                    None => map.push(entry.key.clone(), entry.value.clone()),
                }
            }
            Value::Map(map)
        }
        (_, stronger) => stronger.clone(),
    }
}

/// Each value is written as its type and what tells its end, so that no two are written alike.
fn write(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hasher.update(b"n"),
        Value::Bool(value) => hasher.update([b'b', u8::from(*value)]),
        // One number, whatever it is kept in.
        Value::I64(value) => write_integer(hasher, i128::from(*value)),
        Value::U64(value) => write_integer(hasher, i128::from(*value)),
        Value::F64(value) => {
            hasher.update(b"f");
            hasher.update(value.to_bits().to_le_bytes());
        }
        Value::String(text) => {
            hasher.update(b"s");
            write_bytes(hasher, text.as_bytes());
        }
        Value::Bytes(bytes) => {
            hasher.update(b"y");
            write_bytes(hasher, bytes);
        }
        Value::List(list) => {
            hasher.update(b"l");
            write_count(hasher, list.len());
            list.iter().for_each(|item| write(hasher, item));
        }
        Value::Map(map) => {
            hasher.update(b"m");
            write_count(hasher, map.len());
            let entries = map.iter().map(|entry| (entry.key.as_str(), &entry.value));
            for (key, value) in entries.collect::<BTreeMap<_, _>>() {
                write_bytes(hasher, key.as_bytes());
                write(hasher, value);
            }
        }
    }
}

fn write_integer(hasher: &mut Sha256, integer: i128) {
    hasher.update(b"i");
    hasher.update(integer.to_le_bytes());
}

fn write_bytes(hasher: &mut Sha256, bytes: &[u8]) {
    write_count(hasher, bytes.len());
    hasher.update(bytes);
}

fn write_count(hasher: &mut Sha256, count: usize) {
    hasher.update(count.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use floe_plugin_api::value;
    use proptest::prelude::*;

    use super::*;

    fn given(file: Option<Value>, variables: &[(&str, &str)], program: Option<Value>) -> Given {
        let named = |value: Option<Value>| {
            value
                .map(|value| ("a".to_owned(), value))
                .into_iter()
                .collect()
        };
        let variables = variables
            .iter()
            .map(|(name, text)| ((*name).into(), (*text).into()));
        Sources::new(named(file), Environment::new(variables), named(program)).of("a")
    }

    #[test]
    fn maps_are_merged_and_all_else_replaces() {
        let below = value!({"a": {"x": 1, "y": [1, 2]}, "b": 1, "c": {"z": 1}});
        for (over, expected) in [
            (value!({}), below.clone()),
            (
                value!({"a": {"y": [3]}, "b": null, "c": 2, "d": {"e": 1}}),
                value!({"a": {"x": 1, "y": [3]}, "b": null, "c": 2, "d": {"e": 1}}),
            ),
            (value!([1]), value!([1])),
            (value!(null), value!(null)),
        ] {
            assert_eq!(merge(below.clone(), &over), expected);
        }
    }

    #[test]
    fn nothing_is_empty() {
        assert!(Given::default().is_empty());
        assert!(given(Some(value!({})), &[], Some(value!({}))).is_empty());
        assert!(!given(Some(value!({"k": null})), &[], None).is_empty());
        assert!(!given(None, &[("FLOE_PLUGINS__A__K", "")], None).is_empty());
        assert!(given(None, &[("FLOE_PLUGINS__B__K", "")], None).is_empty());
        assert!(!given(None, &[], Some(value!([]))).is_empty());
        assert!(!Given::default().with(value!(1)).is_empty());
    }

    #[test]
    fn a_digest_tells_what_was_given() {
        let variables = [("FLOE_PLUGINS__A__K", "1"), ("FLOE_PLUGINS__A__L", "2")];
        let one = given(
            Some(value!({"a": 1, "b": {"c": 2, "d": 3}})),
            &variables,
            None,
        );
        let reversed = [variables[1], variables[0]];
        let same = given(
            Some(value!({"b": {"d": 3, "c": 2}, "a": 1})),
            &reversed,
            None,
        );
        assert_eq!(one.digest(), same.digest());
        let all = [
            one.clone(),
            Given::default(),
            given(Some(value!({})), &[], None),
            given(None, &[], Some(value!({}))),
            given(None, &variables, None),
            given(None, &variables[..1], None),
            given(Some(value!({"a": "1"})), &[], None),
            given(Some(value!({"a": 1})), &[], None),
            given(Some(value!({"a": 1.0})), &[], None),
            given(Some(value!({"a": [1]})), &[], None),
            given(Some(value!({"a": true})), &[], None),
            given(Some(value!({"a": null})), &[], None),
            one.with(value!({})),
            one.with(value!({"a": 1})),
        ];
        for (index, given) in all.iter().enumerate() {
            for other in &all[..index] {
                assert_ne!(given.digest(), other.digest(), "{given:?} {other:?}");
            }
        }
    }

    #[test]
    fn it_is_not_shown() {
        let variables = [("FLOE_PLUGINS__A__K", "hunter2")];
        let given = given(
            Some(value!({"k": "hunter2"})),
            &variables,
            Some(value!({"k": "hunter2"})),
        );
        let shown = format!("{given:?}");
        assert!(
            shown.contains("FLOE_PLUGINS__A__K") && !shown.contains("hunter2"),
            "{shown}"
        );
    }

    /// Values in which a key is a map always (`m`), or never (`k`).
    fn maps() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            Just(Value::Null),
            Just(value!([1]))
        ];
        let leaves = prop::collection::btree_map("k[a-c]", leaf, 0..4);
        let flat = leaves
            .clone()
            .prop_map(|map| Value::from(map.into_iter().collect::<Map>()));
        flat.prop_recursive(3, 24, 4, move |inner| {
            (
                leaves.clone(),
                prop::collection::btree_map("m[a-c]", inner, 0..4),
            )
                .prop_map(|(leaves, maps)| leaves.into_iter().chain(maps).collect::<Map>().into())
        })
    }

    proptest! {
        #[test]
        fn merging_is_associative(a in maps(), b in maps(), c in maps()) {
            let left = merge(merge(a.clone(), &b), &c);
            let right = merge(a.clone(), &merge(b, &c));
            prop_assert_eq!(&left, &right);
            prop_assert_eq!(merge(left.clone(), &c), left);
            prop_assert_eq!(merge(a.clone(), &a), a);
        }
    }
}
