//! Lists of another shape.

use std::num::NonZeroUsize;

use floe_plugin_api::{CallContext, Error, List, Result, Value, data};

use super::Whole;
use crate::{Std, bounds};

/// Lists.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Lists {
    /// The lists, in order.
    lists: Vec<List>,
}

pub(crate) fn concat(_std: &Std, input: Lists, _call: &CallContext<'_>) -> Result<List> {
    Ok(input.lists.into_iter().flatten().collect())
}

pub(crate) fn zip(_std: &Std, input: Lists, _call: &CallContext<'_>) -> Result<Vec<List>> {
    let lengths: Vec<usize> = input.lists.iter().map(|list| list.len()).collect();
    let length = lengths.first().copied().unwrap_or(0);
    if let Some(other) = lengths.iter().position(|other| *other != length) {
        return Err(Error::invalid(
            &format!("lists[{other}]"),
            &format!("`{length}` items, as the first list has"),
            input.lists.into_iter().nth(other).unwrap_or_default(),
        ));
    }
    let mut rows: Vec<List> = Vec::with_capacity(length);
    rows.resize_with(length, || List::with_capacity(lengths.len()));
    for list in input.lists {
        for (row, item) in rows.iter_mut().zip(list) {
            row.push(item);
        }
    }
    Ok(rows)
}

pub(crate) fn reverse(_std: &Std, Whole { list }: Whole, _call: &CallContext<'_>) -> Result<List> {
    Ok(list.into_iter().rev().collect())
}

/// A list to flatten.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Flatten {
    /// The list.
    list: List,
    /// How many levels of lists inside it are dissolved.
    #[serde(default = "one")]
    depth: u32,
}

const fn one() -> u32 {
    1
}

pub(crate) fn flatten(_std: &Std, input: Flatten, _call: &CallContext<'_>) -> Result<List> {
    let mut flat = List::new();
    dissolve(input.list, input.depth, &mut flat);
    Ok(flat)
}

fn dissolve(list: List, depth: u32, flat: &mut List) {
    for item in list {
        match item {
            Value::List(inner) if depth > 0 => dissolve(inner, depth - 1, flat),
            item => flat.push(item),
        }
    }
}

/// A list to cut into chunks.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Chunk {
    /// The list.
    list: List,
    /// How many items a chunk has; the last one has what is left.
    size: NonZeroUsize,
}

pub(crate) fn chunk(_std: &Std, input: Chunk, _call: &CallContext<'_>) -> Result<Vec<List>> {
    let mut chunks = Vec::new();
    let mut items = input.list.into_iter().peekable();
    while items.peek().is_some() {
        chunks.push(items.by_ref().take(input.size.get()).collect());
    }
    Ok(chunks)
}

/// The numbers of a range.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Range {
    /// The first number.
    #[serde(default)]
    start: i64,
    /// Where to end, which is not among them.
    end: i64,
    /// How far it is from each to the next, below 0 for a range that falls.
    #[serde(default = "forward")]
    step: i64,
}

const fn forward() -> i64 {
    1
}

pub(crate) fn range(_std: &Std, input: Range, _call: &CallContext<'_>) -> Result<Vec<i64>> {
    let Range { start, end, step } = input;
    if step == 0 {
        return Err(Error::invalid("step", "a number other than 0", step));
    }
    let (from, to, wide) = (i128::from(start), i128::from(end), i128::from(step));
    let distance = if step > 0 { to - from } else { from - to };
    let length = wide.abs();
    let count = usize::try_from((distance.max(0) + length - 1) / length).unwrap_or(usize::MAX);
    bounds::items(count)?;
    Ok(
        std::iter::successors(Some(start), |number| number.checked_add(step))
            .take(count)
            .collect(),
    )
}
