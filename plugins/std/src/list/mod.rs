//! `list.*`: items of any type, in order. No list is changed: a new one is given.

pub(crate) mod groups;
pub(crate) mod order;
pub(crate) mod pick;
pub(crate) mod select;
pub(crate) mod shape;

use floe_plugin_api::{List, data};

/// A list as a whole.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Whole {
    /// The list.
    pub(crate) list: List,
}

/// The index that a number stands for, which below 0 is counted from the end; nothing before the
/// beginning.
fn from_end(index: i64, length: usize) -> Option<usize> {
    let distance = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
    if index < 0 {
        length.checked_sub(distance)
    } else {
        Some(distance)
    }
}
