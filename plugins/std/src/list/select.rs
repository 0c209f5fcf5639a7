//! Items that fit a condition, and what is at a place of each.

use std::cmp::Ordering;
use std::collections::HashSet;

use floe_plugin_api::{CallContext, Error, List, Result, Value, data};

use crate::compare::{Key, order, same};
use crate::logic::unordered;
use crate::pointer::Pointer;
use crate::{Std, bounds};

/// How what is at the place is compared with the value.
#[data]
#[serde(rename_all = "snake_case")]
#[derive(Clone, Copy, Default)]
pub(crate) enum Operator {
    /// They are the same.
    #[default]
    Equal,
    /// They are not the same.
    NotEqual,
    /// It is greater.
    Greater,
    /// It is greater or equal.
    GreaterEqual,
    /// It is less.
    Less,
    /// It is less or equal.
    LessEqual,
    /// It is an item of the value, which is a list.
    In,
    /// It is a string, list or dict that has the value as a part, an item or a key.
    Contains,
    /// It is a string that begins with the value.
    StartsWith,
    /// It is a string that ends with the value.
    EndsWith,
    /// It is there, whatever it is; the value is not used.
    Exists,
    /// It is null or not there; the value is not used.
    IsNull,
}

/// A list and a condition.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// The list.
    list: List,
    /// What to look at: a JSON pointer into each item; the item itself when not given.
    #[serde(default)]
    path: Pointer,
    /// How to compare it with the value.
    #[serde(default)]
    operator: Operator,
    /// What to compare with; null when not given.
    #[serde(default)]
    value: Value,
    /// Whether to give the items that do not fit instead.
    #[serde(default)]
    negate: bool,
}

pub(crate) fn filter(_std: &Std, input: Filter, _call: &CallContext<'_>) -> Result<List> {
    let Filter {
        list,
        path,
        operator,
        value,
        negate,
    } = input;
    operator.check(&value)?;
    // Looked up and not walked: the list to look in may be as long as the one to filter.
    let members = match (operator, value.as_list()) {
        (Operator::In, Some(list)) => list.iter().map(Key).collect(),
        _ => HashSet::new(),
    };
    let mut kept = List::new();
    for (index, item) in list.into_iter().enumerate() {
        let name = || format!("list[{index}]{}", path.as_str());
        let found = path.find(&item);
        if operator.fits(found, (&value, &members), name)? != negate {
            kept.push(item);
        }
    }
    Ok(kept)
}

impl Operator {
    /// Whether the value is one that the operator compares with.
    fn check(self, value: &Value) -> Result<()> {
        let (fits, rule) = match self {
            Self::In => (value.as_list().is_some(), "a list, for `in`"),
            Self::StartsWith | Self::EndsWith => (
                value.as_str().is_some(),
                "a string, for `starts_with` and `ends_with`",
            ),
            Self::Greater | Self::GreaterEqual | Self::Less | Self::LessEqual => (
                order(value, value).is_some(),
                "a number, string or boolean, which have an order",
            ),
            Self::Equal | Self::NotEqual | Self::Contains | Self::Exists | Self::IsNull => {
                return Ok(());
            }
        };
        if fits {
            return Ok(());
        }
        Err(Error::invalid("value", rule, value))
    }

    fn fits(
        self,
        found: Option<&Value>,
        (value, members): (&Value, &HashSet<Key<'_>>),
        name: impl FnOnce() -> String,
    ) -> Result<bool> {
        let at = found.unwrap_or(&Value::Null);
        let ordered = |fits: fn(Ordering) -> bool| {
            if at.is_null() {
                return Ok(false);
            }
            order(at, value)
                .map(fits)
                .ok_or_else(|| unordered(("value", value), (&name(), at)))
        };
        Ok(match self {
            Self::Equal => same(at, value),
            Self::NotEqual => !same(at, value),
            Self::Greater => return ordered(Ordering::is_gt),
            Self::GreaterEqual => return ordered(Ordering::is_ge),
            Self::Less => return ordered(Ordering::is_lt),
            Self::LessEqual => return ordered(Ordering::is_le),
            Self::In => members.contains(&Key(at)),
            Self::Contains => match (at, value) {
                (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
                (Value::List(list), _) => list.iter().any(|item| same(item, value)),
                (Value::Map(map), Value::String(key)) => map.get(key).is_some(),
                _ => false,
            },
            Self::StartsWith => texts(at, value).is_some_and(|(a, b)| a.starts_with(b)),
            Self::EndsWith => texts(at, value).is_some_and(|(a, b)| a.ends_with(b)),
            Self::Exists => found.is_some(),
            Self::IsNull => at.is_null(),
        })
    }
}

fn texts<'a>(a: &'a Value, b: &'a Value) -> Option<(&'a str, &'a str)> {
    Some((a.as_str()?, b.as_str()?))
}

/// A list and what to give of each item.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Pluck {
    /// The list.
    list: List,
    /// What to give of each item: a JSON pointer.
    path: Pointer,
    /// What to give for an item that has nothing there; null when not given.
    #[serde(default)]
    default: Value,
}

pub(crate) fn map(_std: &Std, input: Pluck, _call: &CallContext<'_>) -> Result<List> {
    let Pluck {
        list,
        path,
        default,
    } = input;
    let found: Vec<_> = list.iter().map(|item| path.find(item)).collect();
    // Of what is in the list there is enough room; the default may be given any number of times.
    let missing = found.iter().filter(|found| found.is_none()).count();
    bounds::bytes(missing.saturating_mul(bounds::size(&default)))?;
    Ok(found
        .into_iter()
        .map(|found| found.unwrap_or(&default).clone())
        .collect())
}
