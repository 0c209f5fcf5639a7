//! Which files a process may open: landlock.
//!
//! Landlock looks at files as they are opened, by where they lie in the file system, and denies what no rule
//! grants. It is not concerned with who may what of a file, which `calls` keeps as it is.

use std::fs;
use std::path::Path;

use landlock::{
    ABI, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    make_bitflags,
};

use super::{Offer, Sandbox, linux};
use crate::isolation::Profile;

const FILES: &str = "file access";

/// What landlock came to know by and by.
struct Feature {
    name: &'static str,
    right: Right,
    /// The first kernel that has it: <https://docs.kernel.org/userspace-api/landlock.html>.
    since: &'static str,
    holds: &'static str,
    gap: Gap,
}

/// What landlock can deny.
enum Right {
    File(BitFlags<AccessFs>),
    Port(BitFlags<AccessNet>),
    Scope(BitFlags<Scope>),
}

/// What is open where a kernel lacks a feature.
enum Gap {
    /// Something that a profile promises not to be.
    Open(&'static str),
    /// Nothing of it, as something else denies it, too.
    Closed(&'static str),
}

/// No further than version 7 of the interface, which this was tested with: the authors of the crate advise
/// against rights that one has not seen denied.
static FEATURES: [Feature; 5] = [
    Feature {
        name: FILES,
        right: Right::File(make_bitflags!(AccessFs::{
            Execute | WriteFile | ReadFile | ReadDir | RemoveDir | RemoveFile | MakeChar | MakeDir
                | MakeReg | MakeSock | MakeFifo | MakeBlock | MakeSym
        })),
        since: "5.13",
        holds: "a worker opens the files that are named and no others",
        gap: Gap::Open("a worker can open whatever its user may"),
    },
    Feature {
        name: "truncation",
        right: Right::File(make_bitflags!(AccessFs::{Truncate})),
        since: "6.2",
        holds: "a worker empties no file that it may only read",
        gap: Gap::Open("a worker can empty files of its user"),
    },
    Feature {
        name: "devices",
        right: Right::File(make_bitflags!(AccessFs::{IoctlDev})),
        since: "6.10",
        holds: "a worker controls no device",
        gap: Gap::Closed("no device can be opened, unless one is named"),
    },
    Feature {
        name: "TCP ports",
        right: Right::Port(make_bitflags!(AccessNet::{BindTcp | ConnectTcp})),
        since: "6.7",
        holds: "a worker without a network binds and connects no TCP socket",
        gap: Gap::Closed("it can make no socket"),
    },
    Feature {
        name: "scopes",
        right: Right::Scope(make_bitflags!(Scope::{AbstractUnixSocket | Signal})),
        since: "6.12",
        holds: "a worker signals no other process and connects to no abstract socket",
        gap: Gap::Closed("the system calls for it are denied"),
    },
];

impl Feature {
    fn is_known(&self) -> bool {
        let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        let handled = match self.right {
            Right::File(right) => ruleset.handle_access(right),
            Right::Port(right) => ruleset.handle_access(right),
            Right::Scope(right) => ruleset.scope(right),
        };
        handled.is_ok()
    }

    fn offer(&self) -> Offer {
        if self.is_known() {
            return Offer::given(self.name, self.holds);
        }
        let Self { name, since, .. } = self;
        match self.gap {
            Gap::Open(gap) => Offer::lacking(
                name,
                format!("landlock lacks it here: {gap}"),
                format!("use Linux {since} or later, with landlock among the kernel's `lsm=`"),
            ),
            Gap::Closed(closed) => Offer::lacking(
                name,
                format!("landlock lacks it here; {closed}"),
                format!("nothing has to be done; Linux {since} or later has it"),
            ),
        }
    }

    fn is_a_gap(&self) -> bool {
        matches!(self.gap, Gap::Open(_)) && !self.is_known()
    }
}

// Nothing may be executed: to map a library's code, reading it is enough.
const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});

// No links, which lead others astray who follow them, and no sockets, pipes and devices.
const WRITE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | ReadDir | WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
});

const WRITE_FILE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile});

/// What the loader of the C library looks at, in glibc (`ld.so(8)`) and in musl, and the devices that
/// everything may use.
const SYSTEM: [&str; 10] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/etc/ld-musl-x86_64.path",
    "/etc/ld-musl-aarch64.path",
    "/dev/urandom",
    "/dev/zero",
];

/// What looks up names, the time zone, and the roots of TLS where Debian, Fedora, Arch and SUSE have them.
/// Not the directories above them, which hold private keys, too.
const NETWORK: [&str; 17] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/ssl/ca-bundle.pem",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/etc/ca-certificates",
    "/var/lib/ca-certificates",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/ca-trust/extracted",
];

/// A rule that grants rights to a file or to all below a directory.
fn grant(path: &Path, rights: BitFlags<AccessFs>) -> Result<PathBeneath<PathFd>, String> {
    let opened = PathFd::new(path).map_err(linux::cause)?;
    let is_directory = fs::metadata(path).is_ok_and(|found| found.is_dir());
    let rights = if is_directory {
        rights
    } else {
        rights & AccessFs::from_file(ABI::V5)
    };
    Ok(PathBeneath::new(opened, rights))
}

fn ungranted(name: &'static str, path: &Path, why: impl std::fmt::Display) -> Offer {
    Offer::lacking(
        name,
        format!("`{}` cannot be granted: {why}", path.display()),
        "name a file or directory that is there, or leave it out",
    )
}

/// The paths that were named, each with what it is called and the rights to it.
fn named(asked: &Sandbox) -> impl Iterator<Item = (&'static str, &Path, BitFlags<AccessFs>)> {
    let read = asked.read.iter().map(|path| ("readable path", path, READ));
    let write = asked
        .write
        .iter()
        .map(|path| ("writable path", path, WRITE));
    read.chain(write)
        .map(|(name, path, rights)| (name, path.as_path(), rights))
}

pub(super) fn offers() -> Vec<Offer> {
    let mut offers: Vec<_> = FEATURES.iter().map(Feature::offer).collect();
    if let Some(files) = offers.first_mut().filter(|files| files.given)
        && let Err(why) = linux::try_apart(|| hold(&Sandbox::default(), Path::new("/")).map(drop))
    {
        *files = unheld(why);
    }
    offers
}

pub(super) fn missing(asked: &Sandbox) -> Vec<Offer> {
    let mut missing = offers();
    missing.retain(|offer| {
        let feature = FEATURES.iter().find(|feature| feature.name == offer.name);
        !offer.given && feature.is_some_and(|feature| matches!(feature.gap, Gap::Open(_)))
    });
    missing.extend(named(asked).filter_map(|(name, path, rights)| {
        let granted = grant(path, rights);
        granted.err().map(|why| ungranted(name, path, why))
    }));
    missing
}

fn unheld(why: impl std::fmt::Display) -> Offer {
    Offer::lacking(
        FILES,
        format!("landlock cannot be used: {why}"),
        "run the host where the `landlock_*` system calls are allowed",
    )
}

pub(super) fn restrict(asked: &Sandbox, library: &Path) -> Vec<Offer> {
    let gaps = FEATURES.iter().filter(|feature| feature.is_a_gap());
    let mut lacking: Vec<_> = gaps.map(Feature::offer).collect();
    match hold(asked, library) {
        Ok(ungranted) => lacking.extend(ungranted),
        // Whoever has no landlock at all has heard of it by now.
        Err(why) if !lacking.iter().any(|offer| offer.name == FILES) => lacking.push(unheld(why)),
        Err(_) => {}
    }
    lacking
}

/// Holds this thread to what is granted. What comes back are the paths that could not be.
fn hold(asked: &Sandbox, library: &Path) -> Result<Vec<Offer>, String> {
    let mut ruleset = handled(asked.profile).map_err(linux::cause)?;
    let mut ungranted_paths = Vec::new();

    let library = [("library", library, READ)].into_iter();
    for (name, path, rights) in library.chain(named(asked)) {
        let added = grant(path, rights).and_then(|rule| {
            (&mut ruleset)
                .add_rule(rule)
                .map(drop)
                .map_err(linux::cause)
        });
        if let Err(why) = added {
            ungranted_paths.push(ungranted(name, path, why));
        }
    }
    let network: &[_] = match asked.profile {
        Profile::Network => &NETWORK,
        Profile::None | Profile::Strict => &[],
    };
    let system = SYSTEM.iter().chain(network).map(|path| (*path, READ));
    for (path, rights) in system.chain([("/dev/null", WRITE_FILE)]) {
        // Each system has some of these, and none has all.
        let Ok(rule) = grant(Path::new(path), rights) else {
            continue;
        };
        if let Err(error) = (&mut ruleset).add_rule(rule) {
            let why = linux::cause(error);
            ungranted_paths.push(ungranted("system path", Path::new(path), why));
        }
    }
    match ruleset.restrict_self().map_err(linux::cause)?.ruleset {
        RulesetStatus::NotEnforced => Err("this kernel has no landlock".to_owned()),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(ungranted_paths),
    }
}

/// What is denied where no rule grants it, as far as this kernel knows of it.
fn handled(profile: Profile) -> Result<RulesetCreated, RulesetError> {
    let mut ruleset = Ruleset::default();
    for feature in &FEATURES {
        ruleset = match feature.right {
            Right::File(right) => ruleset.handle_access(right)?,
            Right::Port(_) if profile == Profile::Network => ruleset,
            Right::Port(right) => ruleset.handle_access(right)?,
            Right::Scope(right) => ruleset.scope(right)?,
        };
    }
    // To link and to move between directories is denied by every landlock; only by handling it can it be
    // granted (since 5.19).
    ruleset.handle_access(AccessFs::Refer)?.create()
}
