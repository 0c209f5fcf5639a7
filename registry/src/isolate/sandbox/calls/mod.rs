//! Which system calls a process may make: seccomp.
//!
//! Everything is allowed but what is listed, so that a plugin works with whatever its libraries do for
//! themselves. What is listed reaches other processes, the system as a whole, or what no other means sees.

// Where the calls are listed, what holds a process to them is in `filter`.
#[cfg_attr(
    all(
        target_endian = "little",
        target_pointer_width = "64",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ),
    path = "filter.rs"
)]
mod system;

use super::{Offer, linux};
use crate::isolation::Profile;

const CALLS: &str = "system calls";

pub(super) fn offer() -> Offer {
    match linux::try_apart(system::try_out) {
        Ok(()) => Offer::given(
            CALLS,
            "a worker starts no program, reaches no other process and changes nothing of the system's",
        ),
        Err(why) => lacking(why),
    }
}

/// Holds every thread of this process to what `profile` allows.
pub(super) fn restrict(profile: Profile) -> Result<(), Offer> {
    system::restrict(profile).map_err(lacking)
}

fn lacking(why: String) -> Offer {
    Offer::lacking(
        CALLS,
        format!("seccomp cannot be used: {why}"),
        "run the host on x86-64 or AArch64, with a kernel and a container that allow filters of system calls",
    )
}
