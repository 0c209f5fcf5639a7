//! Finds the files that may be plugins and reads what they say of themselves, without running them.
//!
//! ```text
//! SearchDirectory ─ scan ─▶ one Scanned per file ─▶ Candidate, Ignored or Rejected
//! ```
//!
//! - `search` says where to look, `scan` walks there, and `outcome` holds what came of each file.
//! - `candidate` is a file whose manifest could be read, and `file` is the only way to make one.
//! - `open` is the one place that opens a file: never a FIFO, a socket, a device or a link;
//!   `refusal` says what the system did not allow.
//! - `note` finds the manifest in a file's bytes with at most two reads, through `elf` and
//!   `macho`; `sniff` says what a file is that is neither; `bytes` bounds every access.
//! - `platform` names what a library was built for, and `defect` turns what is wrong with the
//!   bytes into a [`Rejection`](crate::error::Rejection) that a person can act on.
//! - `preflight` says of a library whether the system could load it, and what is hazardous about it.
//!
//! Nothing here maps or runs a file, nothing here is remembered between two scans, and a scan
//! never fails as a whole.
#![forbid(unsafe_code)]

mod bytes;
mod candidate;
mod defect;
mod elf;
#[cfg(test)]
mod elf_builder;
mod file;
mod macho;
mod note;
mod open;
mod outcome;
mod platform;
mod preflight;
mod refusal;
mod scan;
mod search;
mod sniff;

pub use candidate::{Candidate, FileIdentity, Ownership};
pub(crate) use defect::printable;
#[cfg(unix)]
pub(crate) use file::{
    check_loadable, exposed_way, identity_of, open_library, read_at, read_file, read_note_of,
    read_small,
};
pub use note::fuzz_read;
pub use outcome::{Ignored, Outcome, Scan, Scanned};
pub use platform::{Bits, Endian, Format, Machine, Platform};
pub(crate) use preflight::preflight;
pub use preflight::preflight_of;
pub use preflight::{
    Finding, GlibcNeed, Hazard, Needed, ParseHazardError, Preflight, Severity, fuzz_preflight,
};
pub use scan::scan;
pub use search::{Presence, SearchDirectory};
