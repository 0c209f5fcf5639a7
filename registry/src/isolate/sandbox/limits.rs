//! How much of the machine a process may have: `setrlimit`.

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{Offer, Sandbox};

/// A resource that can be limited, and what its limit means.
struct Limit {
    name: &'static str,
    /// Nothing where the system has no such limit, or has it and does not hold to it.
    resource: Option<Resource>,
    holds: &'static str,
    /// From when on it holds, and where it ends whoever goes on.
    of: fn(&Sandbox) -> Option<(u64, u64)>,
}

// Darwin takes a limit of addresses and does not hold to it; OpenBSD has none.
#[cfg(not(any(target_vendor = "apple", target_os = "openbsd")))]
const ADDRESSES: Option<Resource> = Some(Resource::As);
#[cfg(any(target_vendor = "apple", target_os = "openbsd"))]
const ADDRESSES: Option<Resource> = None;

static LIMITS: [Limit; 4] = [
    Limit {
        name: "core dumps",
        resource: Some(Resource::Core),
        holds: "a crash writes no memory of the worker to a file",
        of: |_| Some((0, 0)),
    },
    Limit {
        name: "memory",
        resource: ADDRESSES,
        holds: "a worker gets no more addresses than the limit",
        of: |asked| asked.memory.map(|bytes| (bytes, bytes)),
    },
    Limit {
        name: "processor time",
        resource: Some(Resource::Cpu),
        holds: "a worker that computes longer than the limit is ended",
        // The first limit sends SIGXCPU, which can be ignored; a second later comes SIGKILL, which cannot.
        of: |asked| asked.cpu_seconds.map(|s| (s, s.saturating_add(1))),
    },
    Limit {
        name: "open files",
        resource: Some(Resource::Nofile),
        holds: "a worker opens no more files than the limit",
        of: |asked| asked.files.map(|files| (files, files)),
    },
];

impl Limit {
    fn offer(&self) -> Offer {
        match self.resource {
            Some(_) => Offer::given(self.name, self.holds),
            None => Offer::lacking(
                self.name,
                "this system does not limit it for a process",
                "leave the limit out, or run the host on Linux",
            ),
        }
    }

    fn restrict(&self, asked: &Sandbox) -> Result<(), Offer> {
        let Some((soft, hard)) = (self.of)(asked) else {
            return Ok(());
        };
        let Some(resource) = self.resource else {
            return Err(self.offer());
        };
        set(resource, soft, hard).map_err(|errno| {
            Offer::lacking(
                self.name,
                format!("the limit cannot be set to {soft}: {errno}"),
                "set another limit, or leave it out",
            )
        })
    }
}

/// Sets a limit. One that the process is under already and that is stricter stays.
fn set(resource: Resource, soft: u64, hard: u64) -> Result<(), Errno> {
    let now = getrlimit(resource);
    let maximum = now.maximum.map_or(hard, |maximum| maximum.min(hard));
    let limit = Rlimit {
        current: Some(soft.min(maximum)),
        maximum: Some(maximum),
    };
    setrlimit(resource, limit)
}

pub(super) fn offers() -> Vec<Offer> {
    LIMITS.iter().map(Limit::offer).collect()
}

pub(super) fn missing(asked: &Sandbox) -> Vec<Offer> {
    let asked = LIMITS.iter().filter(|limit| (limit.of)(asked).is_some());
    asked
        .map(Limit::offer)
        .filter(|offer| !offer.given)
        .collect()
}

pub(super) fn restrict(asked: &Sandbox) -> Vec<Offer> {
    let done = LIMITS.iter().map(|limit| limit.restrict(asked));
    done.filter_map(Result::err).collect()
}
