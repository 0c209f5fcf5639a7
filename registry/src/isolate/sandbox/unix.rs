//! Unix other than Linux: limits, and no profiles.

use std::path::Path;

use super::{Offer, Sandbox, limits};
use crate::isolation::Profile;

fn profile() -> Offer {
    Offer::lacking(
        "profile",
        "profiles are made of what Linux has, and this is another system",
        "set the sandbox to `none`, or run the host on Linux",
    )
}

pub(super) fn offers() -> Vec<Offer> {
    let mut offers = limits::offers();
    offers.push(profile());
    offers
}

pub(super) fn missing(asked: &Sandbox) -> Vec<Offer> {
    let mut missing = limits::missing(asked);
    if asked.profile != Profile::None {
        missing.push(profile());
    }
    missing
}

pub(super) fn apply(asked: &Sandbox, _library: &Path) -> Vec<Offer> {
    let mut lacking = limits::restrict(asked);
    if asked.profile != Profile::None {
        lacking.push(profile());
    }
    lacking
}
