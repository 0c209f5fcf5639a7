//! Single steps of the route, for the benches.

use std::path::Path;

use super::{Admission, Admitted, Judge, Store, TrustSettings};
use crate::discover;
use crate::error::{Rejection, Stage};

/// Admits a file, for the benches.
///
/// # Errors
///
/// It is refused.
#[doc(hidden)]
pub fn admit(path: &Path, trust: TrustSettings) -> Result<Admitted, Box<Rejection>> {
    let admission = Admission {
        trust,
        ..Admission::host()
    };
    let candidate = discover::read_file(path)?;
    let nothing = || Rejection::new(Stage::Discover, "manifest", path, "none", "one", "add it");
    Judge::new(&admission).admit(candidate.ok_or_else(nothing)?)
}

/// Keeps a verified copy of a file, and says how long its path is, for the benches.
///
/// # Errors
///
/// It is refused.
#[doc(hidden)]
pub fn keep(store: &Store, admitted: &Admitted) -> Result<usize, Box<Rejection>> {
    let stored = store.keep(admitted)?;
    Ok(stored.path().as_os_str().len())
}
