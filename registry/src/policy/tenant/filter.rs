//! Places that are taken out of a value, or masked in it.

use floe_plugin_api::{List, Map, Value};

use super::path::{Along, DataPath, Key};
use crate::schema::secrets::MASK;

/// What is put in the place of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replace {
    /// Nothing: it is taken out.
    Nothing,
    /// `***`.
    Mask,
}

/// Paths with what becomes of the places that they lead to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter(Vec<(DataPath, Replace)>);

/// A path that may lead somewhere from here, by its number.
type Open = (usize, Along);

impl Filter {
    pub(crate) fn new(paths: &[DataPath], replace: Replace) -> Self {
        Self::default().and(paths, replace)
    }

    /// The same with more paths. Where two lead to one place, what is taken out is.
    pub(crate) fn and(mut self, paths: &[DataPath], replace: Replace) -> Self {
        self.0
            .extend(paths.iter().map(|path| (path.clone(), replace)));
        self
    }

    /// Applies it to a value that is not too deep for a walk.
    pub(crate) fn apply(&self, value: Value) -> Value {
        if self.0.is_empty() {
            return value;
        }
        let begun = self.0.iter().enumerate();
        let open: Vec<Open> = begun.map(|(at, (path, _))| (at, path.begin())).collect();
        self.walk(value, &open)
    }

    fn walk(&self, value: Value, open: &[Open]) -> Value {
        match value {
            Value::Map(map) => {
                let mut kept = Map::with_capacity(map.len());
                for entry in map {
                    if let Some(value) = self.place(entry.value, open, Key::Name(&entry.key)) {
                        kept.push(entry.key, value);
                    }
                }
                kept.into()
            }
            Value::List(list) => {
                let mut kept = List::with_capacity(list.len());
                for (number, item) in list.into_iter().enumerate() {
                    if let Some(value) = self.place(item, open, Key::Number(number)) {
                        kept.push(value);
                    }
                }
                kept.into()
            }
            other => other,
        }
    }

    fn place(&self, value: Value, open: &[Open], key: Key<'_>) -> Option<Value> {
        let mut replaced = None;
        let mut below = Vec::new();
        for (at, along) in open {
            let Some((path, replace)) = self.0.get(*at) else {
                continue;
            };
            let along = path.step(*along, key);
            if path.is_end(along) {
                if *replace == Replace::Nothing {
                    return None;
                }
                replaced = Some(MASK.into());
            } else if !along.is_off() {
                below.push((*at, along));
            }
        }
        match replaced {
            Some(mask) => Some(mask),
            None if below.is_empty() => Some(value),
            None => Some(self.walk(value, &below)),
        }
    }
}
