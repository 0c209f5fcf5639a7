//! Items and runs of items of a list.

use floe_plugin_api::{CallContext, List, Result, Value, data};

use super::{Whole, from_end};
use crate::Std;
use crate::compare::same;

pub(crate) fn length(_std: &Std, Whole { list }: Whole, _call: &CallContext<'_>) -> Result<usize> {
    Ok(list.len())
}

pub(crate) fn first(_std: &Std, Whole { list }: Whole, _call: &CallContext<'_>) -> Result<Value> {
    Ok(list.into_iter().next().unwrap_or_default())
}

pub(crate) fn last(_std: &Std, Whole { list }: Whole, _call: &CallContext<'_>) -> Result<Value> {
    Ok(list.into_iter().next_back().unwrap_or_default())
}

/// A list and which of its items to give.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Get {
    /// The list.
    list: List,
    /// The item's index, from 0; below 0 it is counted from the end.
    index: i64,
    /// What to give where there is no such item; null when not given.
    #[serde(default)]
    default: Value,
}

pub(crate) fn get(_std: &Std, input: Get, _call: &CallContext<'_>) -> Result<Value> {
    let Get {
        list,
        index,
        default,
    } = input;
    let index = from_end(index, list.len());
    let item = index.and_then(|index| list.into_iter().nth(index));
    Ok(item.unwrap_or(default))
}

/// A list and which run of its items to give.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Slice {
    /// The list.
    list: List,
    /// The first index, from 0; below 0 it is counted from the end.
    #[serde(default)]
    start: i64,
    /// The index to end before, counted likewise; the end of the list when not given.
    #[serde(default)]
    end: Option<i64>,
}

pub(crate) fn slice(_std: &Std, input: Slice, _call: &CallContext<'_>) -> Result<List> {
    let Slice { list, start, end } = input;
    let length = list.len();
    let start = from_end(start, length).unwrap_or(0);
    let end = end.map_or(length, |end| from_end(end, length).unwrap_or(0));
    let count = end.saturating_sub(start);
    Ok(list.into_iter().skip(start).take(count).collect())
}

/// A list and an item.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    /// The list.
    list: List,
    /// The item.
    item: Value,
}

pub(crate) fn append(_std: &Std, input: Item, _call: &CallContext<'_>) -> Result<List> {
    let Item { mut list, item } = input;
    list.push(item);
    Ok(list)
}

pub(crate) fn contains(_std: &Std, input: Item, _call: &CallContext<'_>) -> Result<bool> {
    Ok(input.list.iter().any(|item| same(item, &input.item)))
}

pub(crate) fn index_of(_std: &Std, input: Item, _call: &CallContext<'_>) -> Result<Option<usize>> {
    Ok(input.list.iter().position(|item| same(item, &input.item)))
}
