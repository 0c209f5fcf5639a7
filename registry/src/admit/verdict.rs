//! What was asked of a file, and whether it is admitted.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::civil::Date;
use serde::Serialize;

use super::case::Case;
use super::compat::Compatibility;
use super::content::{Terms, today};
use super::lock::{LockError, LockFile};
use super::rules::{RULES, Rule};
use super::store::Store;
use super::trust::{Trust, TrustSettings};
use crate::discover::{self, Candidate};
use crate::error::{Rejection, Stage};
use crate::id::Digest;
use crate::isolation::IsolationSettings;

/// What a file must be to be admitted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Admission {
    /// What it must be built for.
    pub compatibility: Compatibility,
    /// What it must show.
    pub trust: TrustSettings,
    /// Where it would run, on which some of what it must be depends.
    pub(crate) isolation: Arc<ArcSwap<IsolationSettings>>,
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
            isolation: Arc::default(),
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

    /// Whether a content that is known already is the one that is locked, where that is asked.
    pub(crate) fn check_digest(&self, content: Digest) -> Result<(), Box<Rejection>> {
        self.terms.check_digest(content, self.candidate.path())
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
    pub(crate) fn refuse_at(self, stage: Stage, path: &Path) -> Result<(), Box<Rejection>> {
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
    /// The directories that have a policy of their own, where they truly are.
    placed: Vec<(PathBuf, Trust)>,
    /// Where directories of candidates truly are, which is asked where any have.
    real: RefCell<HashMap<PathBuf, Option<PathBuf>>>,
    lock: OnceCell<Option<Result<LockFile, LockError>>>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(admission: &'a Admission) -> Self {
        Self {
            admission,
            today: today(),
            placed: admission.trust.placed(),
            real: RefCell::default(),
            lock: OnceCell::new(),
        }
    }

    /// What is asked of a candidate: where it is, and, if that is a link, where it leads; of both.
    pub(super) fn trust_of(&self, candidate: &Candidate) -> Trust {
        let trust = &self.admission.trust;
        let kind = &candidate.manifest().kind;
        if self.placed.is_empty() {
            return trust.of_place(&[], Path::new(""), kind);
        }
        let of = |path: &Path| match self.real_path(path) {
            Some(place) => trust.of_place(&self.placed, &place, kind),
            // Of what has gone, all is asked that is asked anywhere.
            None => {
                let placed = self.placed.iter().map(|(_, placed)| *placed);
                trust.and_of_kind(placed.fold(trust.policy, Trust::and), kind)
            }
        };
        let found = of(candidate.path());
        if candidate.path() == candidate.file_path() {
            return found;
        }
        found.and(of(candidate.file_path()))
    }

    /// Where a file truly is, without following it if it is a link.
    fn real_path(&self, path: &Path) -> Option<PathBuf> {
        let name = path.file_name()?;
        let directory = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return None,
        };
        let mut real = self.real.borrow_mut();
        let real = real
            .entry(directory.to_owned())
            .or_insert_with(|| std::fs::canonicalize(directory).ok());
        Some(real.as_ref()?.join(name))
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
        Self::decide(&case)?;
        let terms = case.terms();
        Ok(Admitted { candidate, terms })
    }

    /// Says which check a file failed first, if it did.
    fn decide(case: &Case<'_>) -> Result<(), Box<Rejection>> {
        let failed = RULES
            .iter()
            .find(|rule| (rule.applies)(case) && !(rule.holds)(case));
        let Some(rule) = failed else { return Ok(()) };
        Err(Box::new(Rejection::new(
            Stage::Admit,
            rule.check,
            case.candidate.path(),
            (rule.found)(case),
            (rule.expected)(case),
            (rule.remedy)(case),
        )))
    }

    /// Asks of the content of an admitted file what will be asked when it is loaded, where anything is:
    /// before it takes the place of another one.
    pub(crate) fn check_content(admitted: &Admitted, store: &Store) -> Result<(), Box<Rejection>> {
        let Admitted { candidate, terms } = admitted;
        if !terms.ask_content() {
            return Ok(());
        }
        store.check_content(candidate, terms).map_err(|rejection| {
            Box::new(Rejection {
                stage: Stage::Admit,
                ..*rejection
            })
        })
    }

    /// Whether a file that was admitted before would be now: it is held against what is asked now, with
    /// the signature that it had then, wherever that is now.
    pub(crate) fn admit_again(&self, earlier: &Admitted) -> Result<Admitted, Box<Rejection>> {
        let case = Case::new(self, &earlier.candidate);
        if let Some(signature) = earlier.terms.signature() {
            case.present(&signature.signature);
        }
        Self::decide(&case)?;
        Ok(Admitted {
            candidate: earlier.candidate.clone(),
            terms: case.terms(),
        })
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
        checks.extend(terms.checks(digest, &file, path, verified));
        Ok((digest, checks))
    }
}

/// Asks every question of a file that can be answered without reading all of it.
#[must_use]
pub fn judge(candidate: &Candidate, admission: &Admission) -> Verdict {
    Verdict::of(Judge::new(admission).checks(candidate))
}
