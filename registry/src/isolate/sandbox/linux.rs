//! Linux: privileges are given up, landlock holds to files, and seccomp to system calls.

use std::error::Error;
use std::io;
use std::path::Path;
use std::thread;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, capabilities, no_new_privs, set_capabilities, set_no_new_privs,
};

use super::{Offer, Sandbox, calls, files, limits};
use crate::isolation::Profile;

pub(super) fn offers() -> Vec<Offer> {
    let mut offers = vec![privileges()];
    offers.extend(limits::offers());
    offers.extend(files::offers());
    offers.push(calls::offer());
    offers
}

pub(super) fn missing(asked: &Sandbox) -> Vec<Offer> {
    let mut missing: Vec<_> = [privileges()].into();
    missing.extend(limits::missing(asked));
    if asked.profile != Profile::None {
        missing.extend(files::missing(asked));
        missing.push(calls::offer());
    }
    missing.retain(|offer| !offer.given);
    missing
}

pub(super) fn apply(asked: &Sandbox, library: &Path) -> Vec<Offer> {
    let mut lacking: Vec<_> = give_up(asked.profile).err().into_iter().collect();
    if asked.profile != Profile::None {
        lacking.extend(files::restrict(asked, library));
    }
    lacking.extend(limits::restrict(asked));
    if asked.profile != Profile::None {
        lacking.extend(calls::restrict(asked.profile).err());
    }
    lacking
}

const PRIVILEGES: &str = "privileges";

fn privileges() -> Offer {
    match no_new_privs() {
        Ok(_) => Offer::given(PRIVILEGES, "a worker gets no privileges that it lacks"),
        Err(errno) => unprivileged(errno),
    }
}

fn unprivileged(errno: Errno) -> Offer {
    Offer::lacking(
        PRIVILEGES,
        format!("privileges cannot be given up: {errno}"),
        "run the host where `prctl` and `capset` are allowed",
    )
}

/// What the worker of a privileged host may keep of its privileges.
fn kept(profile: Profile) -> CapabilitySet {
    // Files may be named that belong to others, as the host may open them.
    let files = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
    match profile {
        // With this one, any limit could be lifted again.
        Profile::None => CapabilitySet::SYS_RESOURCE.complement(),
        Profile::Network => files | CapabilitySet::NET_BIND_SERVICE,
        Profile::Strict => files,
    }
}

fn give_up(profile: Profile) -> Result<(), Offer> {
    let give_up = || {
        set_no_new_privs(true)?;
        let kept = kept(profile);
        let mut sets = capabilities(None)?;
        sets.effective &= kept;
        sets.permitted &= kept;
        sets.inheritable &= kept;
        set_capabilities(None, sets)
    };
    give_up().map_err(unprivileged)
}

/// Tries on a thread of its own what restricts no more than the thread that does it.
pub(super) fn try_apart(
    trial: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Result<(), String> {
    let apart = thread::Builder::new().name("floe-sandbox-trial".to_owned());
    let apart = apart.spawn(trial).map_err(unstarted)?;
    let ended = apart.join();
    ended.unwrap_or_else(|_| Err("the trial ended before its time".to_owned()))
}

fn unstarted(error: io::Error) -> String {
    format!("no thread can be started to try it: {error}")
}

/// What is at the bottom of an error: what the system said, without the sentences of the crates above it.
pub(super) fn cause(error: impl Error) -> String {
    let mut cause: &dyn Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
