//! What the content of an admitted file must be, which only reading all of it tells.
//!
//! A scan reads a few kilobytes of each file; these terms go with the file that it admits, and are asked
//! of the very bytes that are to be mapped.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use super::{Check, KeyRefusal, PublicKey, Signature, SignatureError};
use crate::discover::{self, Hazard};
use crate::error::{Rejection, Stage};
use crate::id::Digest;

/// The day that it is, in UTC.
pub(super) fn today() -> Date {
    jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date()
}

/// What came of a content and a signature.
pub(super) type Verified = Result<(), SignatureError>;

/// What the content of a file must be.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Terms {
    pub(super) locked: Option<Locked>,
    pub(super) signed: Option<Signed>,
    pub(super) denied: Arc<BTreeSet<Hazard>>,
    /// Whether what nobody has denied is refused too, if it lets others have code run.
    pub(super) careful: bool,
    /// How the plugin is named to `floe lock`.
    pub(super) plugin: String,
}

/// Whether a copy was found to have no hazard for which a careful host refuses it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Examined {
    Never,
    Before,
}

/// The digest that a lock file has.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Locked {
    pub(super) digest: Digest,
    pub(super) file: PathBuf,
}

/// A signature, and the key that made it and may.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Signed {
    pub(super) signature: Arc<Signature>,
    pub(super) key: PublicKey,
    /// What the key is called.
    pub(super) name: String,
    /// The day from which on the key no longer counts.
    pub(super) revoked: Option<Date>,
    pub(super) file: PathBuf,
}

impl Terms {
    /// Whether anything is asked that tells one content from another.
    pub(super) const fn ask_content(&self) -> bool {
        self.locked.is_some() || self.signed.is_some()
    }

    pub(super) const fn signature(&self) -> Option<&Signed> {
        self.signed.as_ref()
    }

    /// What tells the signature and its key, over this content, from all others: that it was verified
    /// can be remembered by that.
    pub(super) fn mark(&self, digest: Digest) -> Option<Digest> {
        let signed = self.signed.as_ref()?;
        let mut hasher = Sha256::new();
        hasher.update(digest.as_bytes());
        // Neither is of a length that another one could be mistaken for: the key's text is fixed.
        hasher.update(signed.key.to_string());
        hasher.update(signed.signature.essence());
        Some(Digest::from_bytes(hasher.finalize().into()))
    }

    /// Verifies the signature over what `feed` gives, part by part.
    pub(super) fn verify(
        &self,
        feed: impl FnOnce(&mut dyn FnMut(&[u8])) -> io::Result<()>,
    ) -> Verified {
        let Some(signed) = &self.signed else {
            return Ok(());
        };
        let mut verifier = signed.signature.verifier(&signed.key)?;
        feed(&mut |bytes| verifier.update(bytes))
            .map_err(|source| SignatureError::Content { source })?;
        verifier.finish()
    }

    /// Whether the key that has signed it counts still, when it is loaded.
    pub(super) fn check_key(&self, path: &Path) -> Result<(), Box<Rejection>> {
        let Some(Signed {
            key,
            name,
            revoked: Some(since),
            ..
        }) = &self.signed
        else {
            return Ok(());
        };
        if *since > today() {
            return Ok(());
        }
        let refusal = KeyRefusal::Revoked {
            id: key.id(),
            name: Some(name.clone()),
            since: *since,
        };
        Err(Box::new(Rejection::new(
            Stage::Load,
            "signature-key",
            path,
            refusal.found(),
            refusal.expected(),
            refusal.remedy(),
        )))
    }

    /// Whether the content is the one that is locked.
    pub(super) fn check_digest(&self, digest: Digest, path: &Path) -> Result<(), Box<Rejection>> {
        match self.digest_check(digest) {
            Some(check) => check.refuse(path),
            None => Ok(()),
        }
    }

    /// Whether the content is the one that was signed.
    pub(super) fn check_signature(
        &self,
        verified: Verified,
        path: &Path,
    ) -> Result<(), Box<Rejection>> {
        match self.signature_check(verified) {
            Some(check) => check.refuse(path),
            None => Ok(()),
        }
    }

    /// Whether the content has none of the hazards that are denied, nor one for which any careful host
    /// refuses it; for the latter it is examined once.
    pub(super) fn check_findings(
        &self,
        file: &File,
        path: &Path,
        examined: Examined,
    ) -> Result<(), Box<Rejection>> {
        if self.denied.is_empty() && examined == Examined::Before {
            return Ok(());
        }
        for check in self.finding_checks(file, path)? {
            check.refuse(path)?;
        }
        Ok(())
    }

    /// All that is asked of a content, and the answers.
    pub(super) fn checks(
        &self,
        digest: Digest,
        file: &File,
        path: &Path,
        verified: Verified,
    ) -> Vec<Check> {
        let mut checks: Vec<Check> = self.digest_check(digest).into_iter().collect();
        checks.extend(self.signature_check(verified));
        // That it is no library at all is told by its preflight.
        checks.extend(self.finding_checks(file, path).unwrap_or_default());
        checks
    }

    fn digest_check(&self, digest: Digest) -> Option<Check> {
        let locked = self.locked.as_ref()?;
        Some(Check::new(
            "locked-digest",
            digest == locked.digest,
            format!("a content with the SHA-256 `{digest}`"),
            format!(
                "the one that `{}` has for it, `{}`",
                locked.file.display(),
                locked.digest
            ),
            || {
                format!(
                    "put the file back that was locked; or, if this one is meant, accept it with `floe lock {}`",
                    self.plugin
                )
            },
        ))
    }

    fn signature_check(&self, verified: Verified) -> Option<Check> {
        let Signed {
            key, name, file, ..
        } = self.signed.as_ref()?;
        let id = key.id();
        let found = match &verified {
            Ok(()) => format!("a content that the key `{id}` has signed"),
            Err(error) => error.found(),
        };
        Some(Check::new(
            "signed-content",
            verified.is_ok(),
            found,
            format!("the content that the key `{id}`, which is `{name}`, has signed"),
            || {
                format!(
                    "do not use the file: get it and `{}` again from where they are from, or sign it again with `floe sign` if it is your own build",
                    file.display()
                )
            },
        ))
    }

    fn finding_checks(&self, file: &File, path: &Path) -> Result<Vec<Check>, Box<Rejection>> {
        if self.denied.is_empty() && !self.careful {
            return Ok(Vec::new());
        }
        let preflight = discover::preflight(file, path).map_err(|rejection| Rejection {
            stage: Stage::Load,
            ..rejection
        })?;
        let refused = preflight.findings.into_iter().filter_map(|finding| {
            let hazard = finding.hazard.name();
            if self.denied.contains(&finding.hazard) {
                return Some(Check::new(
                    hazard,
                    false,
                    finding.found,
                    format!("a library without that, as `trust.deny` names `{hazard}`"),
                    || format!("{}; or take `{hazard}` off `trust.deny`", finding.remedy),
                ));
            }
            (self.careful && finding.opens()).then(|| {
                Check::new(
                    hazard,
                    false,
                    finding.found,
                    "a library that has no code run but its own and the system's".to_owned(),
                    || finding.remedy.to_owned(),
                )
            })
        });
        Ok(refused.collect())
    }
}
