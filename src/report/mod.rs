//! How what commands find is written: as text for people, as JSON for programs.

pub(crate) mod checks;
pub(crate) mod failure;
pub(crate) mod nodes;
pub(crate) mod output;
pub(crate) mod page;
pub(crate) mod places;
pub(crate) mod progress;
pub(crate) mod rejection;
pub(crate) mod schema;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod thread;
pub(crate) mod usage;
pub(crate) mod value;
