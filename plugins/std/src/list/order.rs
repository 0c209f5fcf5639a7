//! Order and repetition in a list.

use std::cmp::Ordering;
use std::collections::HashSet;

use floe_plugin_api::{CallContext, Error, List, Result, Value, data};

use crate::Std;
use crate::compare::{self, Key};
use crate::logic::unordered;
use crate::pointer::Pointer;

/// A list to sort.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Sort {
    /// The list.
    list: List,
    /// What to sort by: a JSON pointer into each item; the item itself when not given.
    #[serde(default)]
    path: Pointer,
    /// Whether to begin with the greatest.
    #[serde(default)]
    descending: bool,
}

pub(crate) fn sort(_std: &Std, input: Sort, _call: &CallContext<'_>) -> Result<List> {
    let Sort {
        list,
        path,
        descending,
    } = input;
    let by = |item: &Value| {
        path.find(item)
            .filter(|value| !value.is_null())
            .cloned()
            .unwrap_or_default()
    };
    let mut items: Vec<(Value, Value)> = list.into_iter().map(|item| (by(&item), item)).collect();

    // That all have an order with the first is that all have one with each other.
    let first = items.iter().position(|(by, _)| !by.is_null());
    if let Some(first) = first {
        let name = |index: usize| format!("list[{index}]{}", path.as_str());
        let least = &items[first].0;
        if compare::order(least, least).is_none() {
            let rule = "a number, string or boolean, which have an order";
            return Err(Error::invalid(&name(first), rule, least));
        }
        for (index, (by, _)) in items.iter().enumerate().skip(first) {
            if !by.is_null() && compare::order(least, by).is_none() {
                return Err(unordered((&name(first), least), (&name(index), by)));
            }
        }
    }

    items.sort_by(|(a, _), (b, _)| match (a.is_null(), b.is_null()) {
        (false, false) => {
            let order = compare::order(a, b).unwrap_or(Ordering::Equal);
            if descending { order.reverse() } else { order }
        }
        (a, b) => a.cmp(&b),
    });
    Ok(items.into_iter().map(|(_, item)| item).collect())
}

/// A list, by what its items are told apart.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Unique {
    /// The list.
    list: List,
    /// What tells items apart: a JSON pointer into each; the item itself when not given.
    #[serde(default)]
    path: Pointer,
}

pub(crate) fn unique(_std: &Std, input: Unique, _call: &CallContext<'_>) -> Result<List> {
    let Unique { list, path } = input;
    let mut met = HashSet::new();
    let is_new: Vec<bool> = list
        .iter()
        .map(|item| met.insert(Key(path.find(item).unwrap_or(&Value::Null))))
        .collect();
    let items = list.into_iter().zip(is_new);
    Ok(items
        .filter_map(|(item, is_new)| is_new.then_some(item))
        .collect())
}
