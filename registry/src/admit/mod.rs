//! Decides which candidates may be loaded, without running them.
//!
//! ```text
//! Candidate ─ admit ─▶ Admitted ─ Store::keep ─▶ Stored
//! ```
//!
//! - `verdict` runs the checks and is the only way to an [`Admitted`]; `rules` are the checks, `case` is
//!   what they are held against: `compat`, `trust`, the `lock` file, the signature.
//! - `signature` reads and verifies the signature beside a file, of which `claims` says what it says of
//!   the file; `key` is what it is verified with, and `keys` which of them a host trusts with what.
//! - `content` is what can only be asked of all of a file's bytes; `store` keeps copies of which it was.
//! - `quarantine` leaves alone what failed too often, in the directory that `state` is.
//!
//! Nothing here maps a file. There is no warning: a file is admitted or refused.

mod bench;
mod case;
mod claims;
mod compat;
mod content;
mod key;
mod keys;
mod lock;
mod quarantine;
mod rules;
mod signature;
mod state;
mod store;
mod trust;
mod verdict;

pub use bench::{admit, keep};
pub use claims::{Claims, ClaimsError, Difference};
pub use compat::Compatibility;
pub use key::{KeyId, ParseKeyIdError, ParsePublicKeyError, PublicKey};
pub(crate) use keys::is_plugin_name;
pub use keys::{KeyRefusal, Keys, NamePattern, ParseNamePatternError, TrustedKey};
pub use lock::{LOCK_FILE, LockChange, LockError, LockFile, LockedBuild, fuzz_lock};
pub(crate) use quarantine::Subject;
pub use quarantine::{Cause, Quarantine, QuarantineSettings, Quarantined, fuzz_quarantine};
pub use signature::{Signature, SignatureError, fuzz_signature};
pub(crate) use state::State;
pub use store::{Collected, Store, StoredObject};
pub(crate) use store::{LayoutChecked, Stored};
pub use trust::{ParseTrustError, PathChecks, Trust, TrustSettings};
pub use verdict::{Admission, Admitted, Check, Verdict, judge};
pub(crate) use verdict::{Judge, user};
