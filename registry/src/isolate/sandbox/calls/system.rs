//! Processors whose numbers of system calls are not listed here.

use crate::isolation::Profile;

const WHY: &str = "floe has no list of the system calls of this processor";

pub(super) fn try_out() -> Result<(), String> {
    Err(WHY.to_owned())
}

pub(super) fn restrict(_profile: Profile) -> Result<(), String> {
    Err(WHY.to_owned())
}
