//! An error that crosses.

use abi_stable::StableAbi;
use abi_stable::std_types::{RBox, RVec};

use super::{Text, Value};

/// An error that crosses, one word wide so that the way of success stays narrow.
///
/// Owned: it may outlive the call, and is freed by the side that made it.
#[repr(transparent)]
#[derive(Debug, StableAbi)]
pub struct RawError {
    /// Freed by the side that allocated it.
    pub body: RBox<ErrorBody>,
}

/// What an error says.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct ErrorBody {
    /// The number of an [`ErrorKind`](crate::ErrorKind); an unknown one is taken for an execution error.
    pub kind: u32,
    /// What went wrong.
    pub message: Text,
    /// Why, from the nearest cause to the farthest.
    pub causes: RVec<Text>,
    /// More for programs: a map, or null.
    pub details: Value,
}
