//! Items of a list by what they have in common; groups are in the order of their first items.

use std::collections::HashMap;

use floe_plugin_api::{CallContext, Error, List, Result, Value, data};

use crate::Std;
use crate::compare::Key;
use crate::math::added;
use crate::number::Number;
use crate::pointer::Pointer;

/// A list and what its items are grouped by.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupBy {
    /// The list.
    list: List,
    /// What to group by: a JSON pointer into each item; the item itself when not given. Where
    /// nothing is there, it is null.
    #[serde(default)]
    path: Pointer,
}

/// The items that have a key in common.
#[data]
pub(crate) struct Group {
    /// What they have in common.
    key: Value,
    /// The items, in their order.
    items: List,
}

/// How many items have a key in common.
#[data]
pub(crate) struct Count {
    /// What they have in common.
    key: Value,
    /// How many they are.
    count: usize,
}

/// What the items that have a key in common come to.
#[data]
pub(crate) struct Sum {
    /// What they have in common.
    key: Value,
    /// The sum of their numbers.
    sum: Number,
}

/// The keys, and the indices of the items of each.
fn grouped<'a>(list: &'a List, path: &Pointer) -> Vec<(&'a Value, Vec<usize>)> {
    let mut groups: Vec<(&Value, Vec<usize>)> = Vec::new();
    let mut places = HashMap::new();
    for (index, item) in list.iter().enumerate() {
        let key = path.find(item).unwrap_or(&Value::Null);
        let place = *places.entry(Key(key)).or_insert_with(|| {
            groups.push((key, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(index);
    }
    groups
}

pub(crate) fn group_by(_std: &Std, input: GroupBy, _call: &CallContext<'_>) -> Result<Vec<Group>> {
    let GroupBy { list, path } = input;
    let groups = grouped(&list, &path).into_iter();
    Ok(groups
        .map(|(key, indices)| Group {
            key: key.clone(),
            items: indices.into_iter().map(|i| list[i].clone()).collect(),
        })
        .collect())
}

pub(crate) fn count_by(_std: &Std, input: GroupBy, _call: &CallContext<'_>) -> Result<Vec<Count>> {
    let GroupBy { list, path } = input;
    let groups = grouped(&list, &path).into_iter();
    Ok(groups
        .map(|(key, indices)| Count {
            key: key.clone(),
            count: indices.len(),
        })
        .collect())
}

/// A list, what its items are grouped by, and what is added up.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct SumBy {
    /// The list.
    list: List,
    /// What to group by: a JSON pointer into each item. Where nothing is there, it is null.
    path: Pointer,
    /// The number to add up: a JSON pointer into each item.
    of: Pointer,
}

pub(crate) fn sum_by(_std: &Std, input: SumBy, _call: &CallContext<'_>) -> Result<Vec<Sum>> {
    let SumBy { list, path, of } = input;
    let name = |index: usize| format!("list[{index}]{}", of.as_str());
    let number = |index: usize| {
        let found = of.find(&list[index]).unwrap_or(&Value::Null);
        match Number::of(found) {
            Some(number) if number.fit().is_ok() => Ok(number),
            _ => Err(Error::invalid(&name(index), "a finite number", found)),
        }
    };
    let groups = grouped(&list, &path).into_iter();
    groups
        .map(|(key, indices)| {
            let numbers = indices.iter().map(|index| number(*index));
            let numbers = numbers.collect::<Result<Vec<_>>>()?;
            let sum = added(&numbers, |at| {
                indices
                    .get(at)
                    .map_or_else(String::new, |index| name(*index))
            })?;
            Ok(Sum {
                key: key.clone(),
                sum: sum.fit()?,
            })
        })
        .collect()
}
