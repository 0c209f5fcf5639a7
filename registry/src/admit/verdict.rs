//! What was asked of a file, and whether it is admitted.

use std::cell::OnceCell;
use std::fmt;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::Serialize;

use super::case::Case;
use super::compat::Compatibility;
use super::content::Terms;
use super::lock::{LockError, LockFile};
use super::rules::{RULES, Rule};
use super::store::Store;
use super::trust::TrustSettings;
use crate::discover::{self, Candidate};
use crate::error::{Rejection, Stage};
use crate::id::Digest;

/// What a file must be to be admitted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Admission {
    /// What it must be built for.
    pub compatibility: Compatibility,
    /// What it must show.
    pub trust: TrustSettings,
    /// The number of the user of this process.
    pub(crate) user: u32,
}

impl Admission {
    /// What this host admits by default.
    #[must_use]
    pub fn host() -> Self {
        Self {
            compatibility: Compatibility::host(),
            trust: TrustSettings::default(),
            user: user(),
        }
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self::host()
    }
}

/// The number of the user of this process.
#[cfg(unix)]
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The number of the user of this process, where users have none.
#[cfg(not(unix))]
pub(crate) fn user() -> u32 {
    0
}

/// A candidate that passed every check: the only thing that can be stored and mapped.
#[derive(Clone, Debug)]
pub struct Admitted {
    candidate: Candidate,
    terms: Terms,
}

impl Admitted {
    /// The file.
    #[must_use]
    pub const fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// Whether it is the same file as another one, and the same is asked of its content.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        self.candidate.identity() == other.candidate.identity() && self.terms == other.terms
    }

    /// What its content must be.
    pub(crate) const fn terms(&self) -> &Terms {
        &self.terms
    }
}

/// One question that was asked of a file, and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// The name of the check.
    pub check: &'static str,
    /// Whether the file passed.
    pub passed: bool,
    /// What was found.
    pub found: String,
    /// What is accepted.
    pub expected: String,
    /// What to do, where it did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    pub(super) fn new(
        check: &'static str,
        passed: bool,
        found: String,
        expected: String,
        remedy: impl FnOnce() -> String,
    ) -> Self {
        Self {
            check,
            passed,
            found,
            expected,
            remedy: (!passed).then(remedy),
        }
    }

    /// Refuses a file that did not pass when it was loaded.
    pub(super) fn refuse(self, path: &Path) -> Result<(), Box<Rejection>> {
        self.refuse_at(Stage::Load, path)
    }

    /// Refuses a file that did not pass at a stage.
    pub(super) fn refuse_at(self, stage: Stage, path: &Path) -> Result<(), Box<Rejection>> {
        match self.remedy {
            None => Ok(()),
            Some(remedy) => Err(Box::new(Rejection::new(
                stage,
                self.check,
                path,
                self.found,
                self.expected,
                remedy,
            ))),
        }
    }
}

/// Every question that was asked of a file, and whether it is admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether every check was passed.
    pub admitted: bool,
    /// The checks, in the order in which they are made.
    pub checks: Vec<Check>,
}

impl Verdict {
    pub(crate) fn of(checks: Vec<Check>) -> Self {
        Self {
            admitted: checks.iter().all(|check| check.passed),
            checks,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.admitted { "admitted" } else { "refused" })
    }
}

/// Decides on the files of one scan. What all of them are held against is read once, when the first
/// one asks for it.
pub(crate) struct Judge<'a> {
    pub(super) admission: &'a Admission,
    pub(super) today: Date,
    /// Where a file is said to be, where that is not where it was found.
    pub(super) place: Option<PathBuf>,
    lock: OnceCell<Option<Result<LockFile, LockError>>>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(admission: &'a Admission) -> Self {
        Self {
            admission,
            today: jiff::Timestamp::now()
                .to_zoned(jiff::tz::TimeZone::UTC)
                .date(),
            place: None,
            lock: OnceCell::new(),
        }
    }

    /// A judge of one file, which is where its path leads, however it is written.
    pub(crate) fn of_file(admission: &'a Admission, path: &Path) -> Self {
        Self {
            place: std::fs::canonicalize(path).ok(),
            ..Self::new(admission)
        }
    }

    /// The lock file; nothing where none is set.
    pub(super) fn lock(&self) -> Option<&Result<LockFile, LockError>> {
        self.lock
            .get_or_init(|| {
                let path = self.admission.trust.lock.as_deref()?;
                Some(LockFile::read(path))
            })
            .as_ref()
    }

    /// Admits a candidate, or says which check it failed first.
    pub(crate) fn admit(&self, candidate: Candidate) -> Result<Admitted, Box<Rejection>> {
        let case = Case::new(self, &candidate);
        let failed = RULES
            .iter()
            .find(|rule| (rule.applies)(&case) && !(rule.holds)(&case));
        if let Some(rule) = failed {
            return Err(Box::new(Rejection::new(
                Stage::Admit,
                rule.check,
                candidate.path(),
                (rule.found)(&case),
                (rule.expected)(&case),
                (rule.remedy)(&case),
            )));
        }
        let terms = case.terms();
        Ok(Admitted { candidate, terms })
    }

    /// Asks every question of a file that can be answered without reading all of it.
    pub(crate) fn checks(&self, candidate: &Candidate) -> Vec<Check> {
        let case = Case::new(self, candidate);
        let applying = RULES.iter().filter(|rule| (rule.applies)(&case));
        applying.map(|rule: &Rule| rule.ask(&case)).collect()
    }

    /// Asks every question of a file, of its content too, which is read for that. Gives the digest of
    /// that with the answers.
    pub(crate) fn checks_with_content(
        &self,
        candidate: &Candidate,
        store: &Store,
    ) -> Result<(Digest, Vec<Check>), Box<Rejection>> {
        let path = candidate.path();
        let unreadable = |error: std::io::Error| {
            Box::new(Rejection::new(
                Stage::Discover,
                "readable",
                path,
                format!("`{error}`"),
                "a file that can be read whole",
                "check the file and its permissions",
            ))
        };
        let digest = store.digest_of(candidate.file_path()).map_err(unreadable)?;
        let mut checks = self.checks(candidate);
        let terms = Case::new(self, candidate).terms();
        let file = discover::open_library(candidate.file_path()).map_err(unreadable)?;
        let verified = store.verify(&terms, digest, &file);
        checks.extend(terms.checks(digest, &file, path, verified)?);
        Ok((digest, checks))
    }
}

/// Asks every question of a file that can be answered without reading all of it.
#[must_use]
pub fn judge(candidate: &Candidate, admission: &Admission) -> Verdict {
    Verdict::of(Judge::new(admission).checks(candidate))
}
