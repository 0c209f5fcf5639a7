//! Platforms without Unix's limits: nothing of it is given.

use std::path::Path;

use super::{Offer, Sandbox};
use crate::isolation::Profile;

const WHY: &str = "this platform has no means for it that floe knows";
const REMEDY: &str = "leave it out, or run the host on Linux";

pub(super) fn offers() -> Vec<Offer> {
    ["profile", "memory", "processor time", "open files"]
        .map(|name| Offer::lacking(name, WHY, REMEDY))
        .into()
}

pub(super) fn missing(asked: &Sandbox) -> Vec<Offer> {
    let is_asked = |name: &str| match name {
        "memory" => asked.memory.is_some(),
        "processor time" => asked.cpu_seconds.is_some(),
        "open files" => asked.files.is_some(),
        _ => asked.profile != Profile::None,
    };
    let mut offers = offers();
    offers.retain(|offer| is_asked(offer.name));
    offers
}

pub(super) fn apply(asked: &Sandbox, _library: &Path) -> Vec<Offer> {
    missing(asked)
}
