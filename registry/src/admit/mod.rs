//! Decides which candidates may be loaded, without running them.
//!
//! ```text
//! Candidate ─ admit ─▶ Admitted ─ Store::keep ─▶ Stored
//! ```
//!
//! - `verdict` holds the list of checks, runs them all, and is the only way to an [`Admitted`].
//! - `compat` and `trust` are the checks; `store` keeps verified copies of what was admitted.
//! - `signature` reads and verifies the signature beside a file, of which `claims` says what it says of
//!   the file; `key` is what it is verified with, and `keys` which of them a host trusts with what.
//! - `state` is the directory of what is remembered from one run to the next.
//! - `state` is the directory of what is remembered from one run to the next, and `quarantine` says
//!   which contents are left alone because they faulted.
//!
//! Nothing here maps a file. There is no warning: a file is admitted or refused.

mod claims;
mod compat;
mod key;
mod keys;
mod signature;
mod quarantine;
mod state;
mod store;
mod trust;
mod verdict;

pub use claims::{Claims, ClaimsError, Difference};
pub use compat::Compatibility;
pub use key::{KeyId, ParseKeyIdError, ParsePublicKeyError, PublicKey};
pub use keys::{KeyRefusal, Keys, NamePattern, ParseNamePatternError, TrustedKey};
pub use signature::{Signature, SignatureError, fuzz_signature};
pub use quarantine::{Cause, Quarantine, QuarantineSettings, Quarantined, fuzz_quarantine};
pub use store::Store;
pub(crate) use store::{LayoutChecked, Stored};
pub use trust::Trust;
pub use verdict::{Admission, Admitted, Check, Verdict, judge};
pub(crate) use verdict::{admit, user};
